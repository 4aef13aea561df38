"""Usage of the command line: arguments, help and dependencies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import openai_realtime_client
from command_line import KEY, Cli, Done, recording, voice_turn
from openai_realtime_client.testing import Finding


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["frobnicate"], "invalid choice: 'frobnicate'"),
        (["inspect"], "the following arguments are required: FILE"),
        (["inspect", "--protocol", "v2", "x"], "invalid choice: 'v2'"),
        (["talk", "--url", KEY], "argument --url: not a URL that starts with wss://"),
        (["talk", "--url", "https://"], "argument --url: not a URL that"),
        (["talk", "--url", "wss://a:b/v1"], "argument --url: not a URL that"),
        (["talk", "--url", "wss://[::1/v1"], "argument --url: not a URL that"),
        (["talk", "--embedded", "--azure", "https://x"], "not allowed with argument --embedded"),
        (["serve", "--tls", "cert.pem"], "argument --tls: expected 2 arguments"),
        (["serve", "--port", "99999"], "argument --port: '99999' is not a port"),
        (["check"], "the following arguments are required: URL"),
        (["check", KEY], "argument URL: not a URL that"),
        (["check", "ws://localhost", "--protocol", "auto"], "invalid choice: 'auto'"),
        (["talk", "--timeout", "x"], "argument --timeout: 'x' is not a number of seconds"),
        (["talk", "--timeout", "nan"], "is not a number of seconds, 0 to 86400"),
        (["talk", "--timeout", "0"], "is not a number of seconds, 0 to 86400"),
        (["talk", "--api-key", KEY], "unrecognized arguments: --api-key"),
    ],
)
def test_wrong_usage(cli: Cli, argv: list[str], message: str) -> None:
    status, out, err = cli.run(*argv)
    assert (status, out) == (2, "")
    assert err.startswith("usage: python -m openai_realtime_client")
    assert message in err


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        (["talk", "--text", "--url"], "use --embedded to talk with the embedded server"),
        (["check"], 'set it to "" for a server that needs no key'),
    ],
)
def test_the_key_is_taken_from_the_environment_and_sent_encrypted(
    cli: Cli, command: list[str], hint: str
) -> None:
    prog = f"python -m openai_realtime_client {command[0]}"
    options = ["ws://127.0.0.1:1", "--api-key-env", "NOT_THERE"]
    assert cli.run(*command, *options) == Done(
        2, "", f"{prog}: there is no key in NOT_THERE: set the variable, or {hint}\n"
    )
    cli.monkeypatch.setenv("OPENAI_API_KEY", KEY)
    status, _, err = cli.run(*command, "ws://example.invalid/v1")
    assert status == 2
    assert "unencrypted" in err
    assert KEY not in err


def test_help(cli: Cli) -> None:
    cli.monkeypatch.setenv("COLUMNS", "80")
    commands = [[name, "--help"] for name in ("talk", "serve", "check", "inspect")]
    for argv in ([], ["--help"], *commands):
        status, out, err = cli.run(*argv)
        assert (status, err) == (0, "")
        assert out.isascii()
        assert max(map(len, out.splitlines())) <= 80
        assert "\nexamples:\n" in out
    assert cli.run() == cli.run("--help")
    version = openai_realtime_client.__version__
    assert cli.run("--version") == Done(0, f"openai-realtime-openapi {version}\n", "")


def test_the_name_of_the_program_is_the_one_that_was_called(cli: Cli) -> None:
    for called, prog in (
        ("/usr/bin/openai-realtime", "openai-realtime"),
        ("/x/openai_realtime_client/__main__.py", "python -m openai_realtime_client"),
    ):
        cli.monkeypatch.setattr(sys, "argv", [called])
        assert f"  {prog} check http:" in cli.run().out
        assert f"\n  {prog} talk --text" in cli.run("talk", "--help").out
        assert cli.run("inspect", "missing").err.startswith(f"{prog} inspect: missing: ")


def test_help_lists_the_keys_of_the_json(cli: Cli) -> None:
    text = cli.run("inspect", "--help").out
    summary = json.loads(cli.inspect(*voice_turn(), options=["--json"]).out)
    keys = [*summary, *summary["types"][0], *summary["errors"][0], *summary["deviations"][0]]
    assert [key for key in keys if key not in text] == []
    text = cli.run("check", "--help").out
    kinds = ("deviation", "missing", "out of order", "twice", "wrong", "refused", "closed")
    assert all(name in text for name in [*kinds, *(field.name for field in fields(Finding))])


def test_help_imports_little() -> None:
    code = (
        "import sys; from openai_realtime_client.cli import main; main(['--help']);"
        "assert not {'pydantic', 'websockets', 'asyncio'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


def test_without_websockets(tmp_path: Path) -> None:
    path = str(recording(tmp_path / "s.jsonl", *voice_turn()))
    url = "ws://127.0.0.1:1"
    commands = [["inspect", path], ["talk", "--embedded"], ["talk", "--url", url], ["serve"]]
    code = (
        "import sys; sys.modules['websockets'] = None;"
        "from openai_realtime_client.cli import main;"
        f"print([main(argv) for argv in {[*commands, ['check', url, '--json']]}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        timeout=60,
        text=True,
        env={**os.environ, "OPENAI_API_KEY": ""},
    )
    assert done.stdout.splitlines()[-1] == "[1, 1, 1, 1, 2]"
    lines = done.stderr.splitlines()
    assert len(lines) == 4
    assert all('pip install "websockets>=15"' in line for line in lines)
