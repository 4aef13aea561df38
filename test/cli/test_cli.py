"""Usage of the command line: arguments, help, terminals, pipes and signals."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import fields
from pathlib import Path

import pytest

import openai_realtime_client
from command_line import (
    COMMAND,
    CREATED,
    IDS,
    INSPECTED,
    KEY,
    Cli,
    Done,
    Terminal,
    client,
    in_shell,
    recording,
    server,
    take_signals,
    voice_turn,
)
from openai_realtime_client.cli import main
from openai_realtime_client.testing import Finding


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["frobnicate"], "invalid choice: 'frobnicate'"),
        (["inspect"], "the following arguments are required: FILE"),
        (["inspect", "--protocol", "v2", "x"], "invalid choice: 'v2'"),
        (["talk", "--url", KEY], "argument --url: invalid URL; expected wss://HOST"),
        (["talk", "--url", "https://"], "argument --url: invalid URL; expected"),
        (["talk", "--url", "wss://a:b/v1"], "argument --url: invalid URL; expected"),
        (["talk", "--url", "wss://[::1/v1"], "argument --url: invalid URL; expected"),
        (["talk", "--embedded", "--azure", "https://x"], "not allowed with argument --embedded"),
        (["serve", "--tls", "cert.pem"], "argument --tls: expected 2 arguments"),
        (["serve", "--port", "99999"], "argument --port: '99999' is not a port"),
        (["check"], "the following arguments are required: URL"),
        (["check", KEY], "argument URL: invalid URL; expected"),
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


LONG = server(type="response.output_text.done", text="long " * 50, **IDS)
GREEN, RED = "\x1b[32m←\x1b[0m", "\x1b[31m←\x1b[0m"


def test_colour_and_width_are_those_of_the_terminal(tmp_path: Path) -> None:
    path = str(recording(tmp_path / "s.jsonl", *voice_turn(), LONG))
    status, out, _ = Terminal("inspect", path, columns=101).end()
    assert status == 1
    assert f"\x1b[2m      0 \x1b[0m{GREEN} \x1b[32msession.created\x1b[0m" in out
    assert "\x1b[36m→\x1b[0m \x1b[36mresponse.create\x1b[0m\n" in out
    assert f"{RED} \x1b[31merror\x1b[0m" in out
    assert "\x1b[33m!\x1b[0m" in out
    plain = re.sub(r"\x1b\[\d*m", "", out).splitlines()
    assert plain[1:10] == INSPECTED.splitlines()[1:10]
    assert (len(plain[10]), plain[10][-1]) == (101, "…")


@pytest.mark.parametrize(
    ("environment", "is_terminal", "is_coloured"),
    [
        ({}, True, True),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
        ({}, False, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
    ],
    ids=str,
)
def test_when_there_is_colour(
    cli: Cli, environment: dict[str, str], is_terminal: bool, is_coloured: bool
) -> None:
    for name, value in environment.items():
        cli.monkeypatch.setenv(name, value)
    cli.monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    out = cli.inspect(CREATED, server(type="mcp_list_tools.failed")).out
    assert (GREEN in out, RED in out, "\x1b" in out) == (is_coloured,) * 3


def test_summaries_are_cut_and_the_rest_is_whole_in_narrow_terminals(cli: Cli) -> None:
    cli.monkeypatch.setenv("COLUMNS", "60")
    cut = cli.inspect(LONG).out.splitlines()[1]
    assert cut.startswith('        ← response.output_text.done   "long ')
    assert (len(cut), cut[-1]) == (60, "…")
    lines = cli.inspect(server(type="x" * 90, text="long " * 50)).out.splitlines()
    assert [line for line in lines if "x" * 90 in line] == [
        f"        ←!{'x' * 90}",
        f"      1 ← {'x' * 90}",
        f"      1 ← {'x' * 90}",
    ]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_unicode(cli: Cli, encoding: str) -> None:
    text = server(type="response.output_text.delta", delta="Grüße 日\U0001f600", **IDS)
    printed = io.BytesIO()
    with io.TextIOWrapper(printed, encoding) as stream:
        cli.monkeypatch.setattr(sys, "stdout", stream)
        for options in ([], ["--json"]):
            assert cli.inspect(CREATED, text, text, client(type="ü"), options=options).status == 1
        lines = printed.getvalue().decode(encoding).splitlines()
    said = "Grüße" if encoding == "latin-1" else r"Gr\xfc\xdfe"
    assert lines[2].split(maxsplit=2)[:2] == ["<-", "response.output_text.delta"]
    assert f'2x "{said} \\u65e5\\U0001f600{said}' in lines[2]
    assert lines[3].startswith("        ->!")
    assert json.loads(lines[-1])["types"][0]["type"] == "ü"


def test_text_that_is_not_ascii_stays_as_it_is(cli: Cli) -> None:
    text = "Grüße, 日本語 👩\u200d👧 \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    assert text in cli.inspect(server(type="response.output_text.done", text=text, **IDS)).out


def test_a_pipe_that_is_closed(tmp_path: Path) -> None:
    path = recording(tmp_path / "s.jsonl", *voice_turn() * 300)
    status, out, err = in_shell(f"$cli inspect {path} | head -n 1")
    assert (status, out.count("\n"), err) == (141, 1, "")
    # All of it fits into the buffer, so that only the end can fail.
    status, _, err = in_shell("$cli --help | sleep 0")
    assert (status, err) in [(0, ""), (141, "")]


@pytest.mark.parametrize(
    "command", [["--help"], ["inspect", "s.jsonl"], ["talk", "--embedded", "--text"]]
)
def test_an_output_that_is_full(cli: Cli, command: list[str]) -> None:
    recording(cli.folder / "s.jsonl", CREATED)
    cli.monkeypatch.chdir(cli.folder)
    with open("/dev/full", "w") as full:
        cli.monkeypatch.setattr(sys, "stdout", full)
        status, _, err = cli.run(*command)
    message = "cannot write the output: No space left on device"
    assert (status, err) == (2, f"python -m openai_realtime_client: {message}\n")


def test_streams_that_are_closed(cli: Cli) -> None:
    path = recording(cli.folder / "s.jsonl", CREATED)
    assert in_shell(f"$cli inspect {path} >&-") == Done(0, "", "")
    cli.monkeypatch.setattr(sys, "stdin", None)
    assert main(["inspect", "-"]) == 2
    assert cli.capsys.readouterr().err.endswith("-: standard input is closed\n")
    cli.monkeypatch.setattr(sys, "stderr", None)
    assert cli.run("inspect", "missing").status == 2


def test_events_are_shown_as_they_come_until_ctrl_c() -> None:
    pipe = subprocess.PIPE
    child = subprocess.Popen(
        [*COMMAND, "inspect", "-"], stdin=pipe, stdout=pipe, stderr=pipe, preexec_fn=take_signals
    )
    watchdog = threading.Timer(30, child.kill)
    watchdog.start()
    with child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(f"{CREATED.to_json()}\n".encode())
        child.stdin.flush()
        assert child.stdout.readline() == b"standard input: protocol ga, times in ms\n"
        assert b"session.created" in child.stdout.readline()
        child.send_signal(signal.SIGINT)
        assert child.wait() == 130
        watchdog.cancel()
        assert (child.stdout.read(), child.stderr and child.stderr.read()) == (b"", b"")
