"""Terminals, pipes and signals."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import pytest

from command_line import (
    COMMAND,
    CREATED,
    IDS,
    INSPECTED,
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
    assert (cut[:38], len(cut), cut[-1]) == ("        ← response.output_text.done   ", 60, "…")
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


def test_memory_does_not_grow_with_the_recording(cli: Cli) -> None:
    def peak(turns: int) -> int:
        path = recording(cli.folder / f"{turns}.jsonl", *voice_turn() * turns)
        tracemalloc.start()
        try:
            assert cli.run("inspect", "--json", str(path)).status == 1
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(60) < peak(10) + 100_000
