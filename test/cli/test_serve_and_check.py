"""`serve` and `check`: the embedded server as a program, and what is printed of any server."""

from __future__ import annotations

import json
import re
import signal
import ssl
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest
import trustme
import urllib3

from command_line import COMMAND, ESCAPED, HOSTILE, KEY, Cli, server, take_signals
from openai_realtime_client import ga
from openai_realtime_client.testing import Faults, Finding, ReplayServer, check

PROGRAM = "python -m openai_realtime_client check"
MOOD = f"mood={ESCAPED}"


@pytest.mark.parametrize("protocol", ["ga", "v1"])
def test_a_server_without_a_finding(cli: Cli, protocol: str) -> None:
    cli.monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ReplayServer(api_key=KEY) as replay:
        status, out, err = cli.run("check", replay.url, "--protocol", protocol)
        assert (status, err) == (0, "")
        first, *turns, findings, reference = out.splitlines()
        assert first == f"Check: 127.0.0.1, protocol {protocol}"
        assert [turn.rpartition(":")[0] for turn in turns] == [*check._TURNS]
        assert findings == "Findings: none"
        assert reference.startswith("The reference is the published schema, recordings and the")
        assert cli.run("check", replay.url, "--protocol", protocol, "--json") == (0, "", "")
        assert [session.protocol for session in replay.sessions] == [protocol] * 28


def test_a_line_for_each_finding(cli: Cli) -> None:
    cli.monkeypatch.setenv("OPENAI_API_KEY", "")
    script = [
        server(type="session.created", session={"type": "realtime", "mood": HOSTILE}),
        server(type="error", error={"type": "server_error", "message": HOSTILE}),
    ]
    turns = {name: check._TURNS[name] for name in ("text", "audio")}
    cli.monkeypatch.setattr(check, "_TURNS", turns)
    with ReplayServer(script=script) as replay:
        status, out, err = cli.run("check", replay.url)
        assert (status, err) == (1, "")
        assert all(line.isprintable() for line in out.split("\n"))
        lines = [line for line in out.splitlines() if line.startswith("  ")]
        shown = [line for line in lines if "unknown field at session.mood" in line]
        assert shown == [f"  deviation    session.created: unknown field at session.mood | {MOOD}"]
        assert f"Findings: {len(lines)}" in out.splitlines()

        # In a narrow terminal, the event is cut, and not what is wrong with it.
        cli.monkeypatch.setenv("COLUMNS", "60")
        out = cli.run("check", replay.url).out
        assert "\n  deviation    session.created: unknown field at session.mood\n" in out

        status, out, err = cli.run("check", replay.url, "--json")
    assert (status, err) == (1, "")
    found = [json.loads(line) for line in out.splitlines()]
    assert {*found[0]} == {field.name for field in fields(Finding)}
    assert found[0]["event"]["session"]["mood"] == HOSTILE
    # Once in each turn.
    assert found[0]["count"] == 2
    assert all(line.isprintable() for line in out.split("\n"))


def test_no_session(cli: Cli) -> None:
    cli.monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for options in ([], ["--json"]):
        status, _, err = cli.run("check", "http://127.0.0.1:1/v1", *options)
        assert status == 2
        assert err.startswith(f"{PROGRAM}: no connection to 127.0.0.1:")
    with ReplayServer(faults=Faults(refuse=401)) as replay:
        status, _, err = cli.run("check", replay.url)
    assert status == 2
    assert err.startswith(f"{PROGRAM}: 127.0.0.1:")
    assert err.endswith(" refused with HTTP 401\n")


ORIGIN = "http://localhost:3000"


def test_origin_tls_and_session(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    issued.private_key_pem.write_to_path(key)
    issued.cert_chain_pems[0].write_to_path(certificate)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    options = ["--port", "0", "--origin", ORIGIN, "--tls", str(certificate), str(key)]
    pipe = subprocess.PIPE
    child = subprocess.Popen(
        [*COMMAND, "serve", *options], stdout=pipe, stderr=pipe, text=True, preexec_fn=take_signals
    )
    try:
        assert child.stdout
        found = re.search(r"https://127\.0\.0\.1:\d+/v1", child.stdout.readline())
        assert found, child.stderr and child.stderr.read()
        url = found[0]
        with urllib3.PoolManager(ssl_context=trusting) as pool:
            for origin, status in ((ORIGIN, 200), ("http://example.com", 403)):
                secret = f"{url}/realtime/client_secrets"
                response = pool.request("POST", secret, headers={"Origin": origin}, retries=False)
                assert response.status == status
        ssl_options = {"ssl": trusting}
        connecting = ga.connect_sync("m", base_url=url, api_key="", websocket_options=ssl_options)
        with connecting as connection:
            assert connection.recv().type == "session.created"
    finally:
        child.send_signal(signal.SIGINT)
        assert child.communicate(timeout=30) == ("", "")
    assert child.returncode == 0


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--tls", "missing.pem", "missing.pem"], "No such file or directory"),
        (["--host", "192.0.2.1"], "Cannot assign requested address"),
    ],
)
def test_cannot_serve(cli: Cli, argv: list[str], message: str) -> None:
    status, out, err = cli.run("serve", *argv)
    assert (status, out) == (1, "")
    assert err.startswith("python -m openai_realtime_client serve: cannot serve: ")
    assert message in err
    assert err.count("\n") == 1
