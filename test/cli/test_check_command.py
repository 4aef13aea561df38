"""`check`: what is printed of a server, and the exit status."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from command_line import ESCAPED, HOSTILE, KEY, Cli, server
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
