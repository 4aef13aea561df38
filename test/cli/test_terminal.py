"""Terminals, pipes and signals."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
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
    client,
    in_shell,
    in_terminal,
    recording,
    server,
    voice_turn,
)


def test_colour_is_for_terminals(tmp_path: Path) -> None:
    path = str(recording(tmp_path / "s.jsonl", *voice_turn()))
    coloured = in_terminal("inspect", path)
    assert coloured.status == 1
    assert "\x1b[2m      0 \x1b[0m\x1b[32m←\x1b[0m \x1b[32msession.created\x1b[0m" in coloured.out
    assert "\x1b[36m→\x1b[0m \x1b[36mresponse.create\x1b[0m\n" in coloured.out
    assert "\x1b[31m←\x1b[0m \x1b[31merror\x1b[0m" in coloured.out
    assert "\x1b[33m!\x1b[0m" in coloured.out
    plain = re.sub(r"\x1b\[\d*m", "", coloured.out)
    assert "\x1b" not in plain
    assert plain.replace(path, "s.jsonl").splitlines()[2:] == INSPECTED.splitlines()[2:]
    for env in ({"TERM": "dumb"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}):
        assert in_terminal("inspect", path, **env).out == plain
    assert in_terminal("inspect", path, NO_COLOR="").out == coloured.out


def test_colour_in_pipes_is_forced(cli: Cli) -> None:
    assert "\x1b" not in cli.inspect(*voice_turn()).out
    cli.monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[32m←\x1b[0m" in cli.inspect(*voice_turn()).out
    assert "\x1b[31m←\x1b[0m" in cli.inspect(server(type="mcp_list_tools.failed")).out
    cli.monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in cli.inspect(*voice_turn()).out


def test_lines_are_as_wide_as_the_terminal(tmp_path: Path) -> None:
    text = server(type="response.output_text.done", text="long " * 50, **IDS)
    wide = server(type="response.output_text.done", text="日本" * 50, **IDS)
    path = str(recording(tmp_path / "s.jsonl", CREATED, text, wide))
    for columns in (60, 160):
        lines = in_terminal("inspect", path, columns=columns, NO_COLOR="1").out.splitlines()
        assert len(lines[2]) == columns
        assert lines[2].endswith("…")
        japanese = lines[3].count("日") + lines[3].count("本")
        assert columns - 1 <= len(lines[3]) + japanese <= columns
    lines = in_terminal("inspect", path, columns=80, NO_COLOR="1").out.splitlines()
    assert lines[2].startswith('        ← response.output_text.done   "long long')


def test_what_matters_is_whole_in_narrow_terminals(tmp_path: Path) -> None:
    path = str(recording(tmp_path / "s.jsonl", server(type="x" * 90, text="long " * 50)))
    lines = in_terminal("inspect", path, columns=60, NO_COLOR="1").out.splitlines()
    assert lines[0] == f"{path}: protocol ga"
    assert [line for line in lines if "x" * 90 in line] == [
        f"        ←!{'x' * 90}",
        f"      1 ← {'x' * 90}",
        f"      1 ← {'x' * 90}",
    ]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_unicode(tmp_path: Path, encoding: str) -> None:
    text = server(type="response.output_text.delta", delta="Grüße 日\U0001f600", **IDS)
    path = str(recording(tmp_path / "s.jsonl", CREATED, text, text, client(type="ü")))
    done = subprocess.run(
        [*COMMAND, "inspect", path],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=60,
    )
    lines = done.stdout.decode(encoding).splitlines()
    assert (done.returncode, done.stderr) == (1, b"")
    said = "Grüße" if encoding == "latin-1" else r"Gr\xfc\xdfe"
    assert lines[2].split(maxsplit=2)[:2] == ["<-", "response.output_text.delta"]
    assert f'2x "{said} \\u65e5\\U0001f600{said}' in lines[2]
    assert lines[3].startswith("        ->!")
    done = subprocess.run(
        [*COMMAND, "inspect", "--json", path],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=60,
    )
    assert json.loads(done.stdout.decode(encoding))["types"][0]["type"] == "ü"


def test_text_that_is_not_ascii_stays_as_it_is(cli: Cli) -> None:
    text = "Grüße, 日本語 👩\u200d👧 \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    assert text in cli.inspect(server(type="response.output_text.done", text=text, **IDS)).out


def test_a_pipe_that_is_closed(tmp_path: Path) -> None:
    path = recording(tmp_path / "s.jsonl", *voice_turn() * 500)
    status, out, err = in_shell(f"$cli inspect {path} | head -n 1")
    assert (status, out.count("\n"), err) == (141, 1, "")
    # All of it fits into the buffer, so that only the end can fail.
    for command in ("$cli --help", "$cli inspect --help"):
        status, _, err = in_shell(f"{command} | sleep 0")
        assert (status, err) in [(0, ""), (141, "")]


def test_an_output_that_is_closed_or_full(tmp_path: Path) -> None:
    path = recording(tmp_path / "s.jsonl", CREATED)
    for command in ("talk --embedded --text </dev/null", f"inspect {path}", "--help"):
        # There, argparse prints to standard error.
        assert command == "--help" or in_shell(f"$cli {command} >&-") == Done(0, "", "")
        status, _, err = in_shell(f"$cli {command} >/dev/full")
        assert (status, err) == (
            2,
            "python -m openai_realtime_client: cannot write the output: No space left on device\n",
        )
    status, _, err = in_shell("$cli talk --embedded --text --output /no/x.wav </dev/null")
    assert (status, err.count("\n")) == (1, 1)
    assert in_shell("$cli inspect missing 2>&-").status == 2
    assert in_shell("$cli inspect - <&-").err.endswith("-: standard input is closed\n")


def test_real_pipes_and_exit_statuses(tmp_path: Path) -> None:
    path = recording(tmp_path / "s.jsonl", *voice_turn())
    record = tmp_path / "talk.jsonl"
    in_shell(f"echo Hello | $cli talk --embedded --text --record {record}")
    status, out, err = in_shell(f"cat {record} | $cli inspect -")
    assert (status, err) == (0, "")
    assert out.endswith("Deviations: none\n")
    assert in_shell(f"$cli inspect {path} > /dev/null").status == 1
    assert in_shell(f"$cli inspect {tmp_path}").status == 2
    assert (
        in_shell("$cli talk --text --url http://127.0.0.1:1", env={"OPENAI_API_KEY": "x"}).status
        == 1
    )


def test_events_are_shown_as_they_come_until_ctrl_c() -> None:
    pipe = subprocess.PIPE
    # What a shell starts in the background ignores Ctrl-C, and its children do.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        child = subprocess.Popen([*COMMAND, "inspect", "-"], stdin=pipe, stdout=pipe, stderr=pipe)
    finally:
        signal.signal(signal.SIGINT, before)
    watchdog = threading.Timer(30, child.kill)
    watchdog.start()
    with child:
        assert child.stdin
        assert child.stdout
        assert child.stderr
        child.stdin.write(f"{CREATED.to_json()}\n".encode())
        child.stdin.flush()
        assert child.stdout.readline() == b"standard input: protocol ga, times in ms\n"
        assert b"session.created" in child.stdout.readline()
        child.send_signal(signal.SIGINT)
        assert child.wait() == 130
        watchdog.cancel()
        assert (child.stdout.read(), child.stderr.read()) == (b"", b"")


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
    assert peak(200) < peak(20) + 200_000
