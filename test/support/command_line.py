"""Runs the command line; recordings that it shows."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from openai_realtime_client.cli import main
from openai_realtime_client.testing.recording import RecordedEvent

COMMAND = [sys.executable, "-m", "openai_realtime_client"]
KEY = "sk-test-of-the-command-line"
HOSTILE = "a\x1b[31m\x07\x9b2J\u202eb\x7f\u2028\r\n\tc"
ESCAPED = r"a\x1b[31m\x07\x9b2J\u202eb\x7f\u2028\r\n\tc"

Event = dict[str, Any]


class Done(NamedTuple):
    """What a run has left."""

    status: int
    out: str
    err: str


class Cli:
    """Runs the command line in this process."""

    def __init__(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
    ) -> None:
        self.capsys = capsys
        self.monkeypatch = monkeypatch
        self.folder = folder

    def run(self, *argv: str, stdin: bytes = b"") -> Done:
        # A file, since some commands read from its descriptor.
        path = self.folder / "stdin"
        path.write_bytes(stdin)
        self.capsys.readouterr()
        with path.open() as file:
            self.monkeypatch.setattr(sys, "stdin", file)
            return Done(main(argv), *self.capsys.readouterr())

    def inspect(self, *lines: RecordedEvent | Event | str, options: Iterable[str] = ()) -> Done:
        self.monkeypatch.chdir(self.folder)
        return self.run("inspect", *options, recording(self.folder / "s.jsonl", *lines).name)


def recording(path: Path, *lines: RecordedEvent | Event | str) -> Path:
    """Write a recording."""
    path.write_text("".join(f"{as_line(line)}\n" for line in lines), "utf-8")
    return path


def as_line(line: RecordedEvent | Event | str) -> str:
    if isinstance(line, RecordedEvent):
        return line.to_json()
    return line if isinstance(line, str) else json.dumps(line)


def server(at_ms: float | None = None, /, **event: Any) -> RecordedEvent:
    event.setdefault("event_id", "event_1")
    return RecordedEvent("server", event, at_ms)


def client(at_ms: float | None = None, /, **event: Any) -> RecordedEvent:
    return RecordedEvent("client", event, at_ms)


def take_signals() -> None:
    """Take Ctrl-C in a child, which would ignore it where a shell runs the tests in background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def in_shell(command: str) -> Done:
    """Run a shell's command line, in which `$cli` is ours."""
    environment = {**os.environ, "cli": " ".join(COMMAND)}
    shell = ["bash", "-c", f"set -o pipefail; {command}"]
    done = subprocess.run(shell, env=environment, capture_output=True, timeout=60)
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


class Terminal:
    """The command line in a terminal of so many columns."""

    def __init__(self, *argv: str, columns: int = 100, **env: str) -> None:
        environment = {**os.environ, **env}
        environment.pop("COLUMNS")
        self.printed = ""
        self._leader, follower = pty.openpty()
        self.resize(columns)
        self.child = subprocess.Popen(
            [*COMMAND, *argv],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env=environment,
            start_new_session=True,
            preexec_fn=self._begin_child,
        )
        os.close(follower)
        self._watchdog = threading.Timer(60, self.child.kill)
        self._watchdog.start()

    def _begin_child(self) -> None:
        take_signals()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self._leader, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self._leader, text.encode())

    def wait_for(self, text: str) -> None:
        """Read until it has printed a text."""
        while text not in self.printed:
            assert self._read(), f"{text!r} is not in {self.printed!r}"

    def end(self) -> Done:
        """Read to its end; what it has printed, errors included."""
        while self._read():
            pass
        os.close(self._leader)
        self._watchdog.cancel()
        return Done(self.child.wait(60), self.printed, "")

    def _read(self) -> bool:
        data = b""
        with contextlib.suppress(OSError):
            data = os.read(self._leader, 65536)
        self.printed += data.decode().replace("\r\n", "\n")
        return bool(data)


CREATED = server(
    0.0,
    type="session.created",
    session={"type": "realtime", "id": "sess_1", "model": "gpt-realtime-2.1"},
)
USAGE = {
    "total_tokens": 150,
    "input_tokens": 100,
    "output_tokens": 50,
    "input_token_details": {
        "text_tokens": 60,
        "audio_tokens": 40,
        "cached_tokens": 30,
        "cached_tokens_details": {"text_tokens": 20, "audio_tokens": 10},
    },
    "output_token_details": {"text_tokens": 20, "audio_tokens": 30},
}
AUDIO = base64.b64encode(b"\0" * 100).decode()
IDS = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
MESSAGE = {
    "id": "item_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_audio", "transcript": "Hello there."}],
}


def voice_turn() -> list[RecordedEvent]:
    """A turn with fields and an event that the schema does not have."""
    appends = [client(10.0 + at, type="input_audio_buffer.append", audio=AUDIO) for at in range(3)]
    words = [
        server(40.0 + at, type=f"response.output_{kind}.delta", delta=delta, **IDS)
        for at in range(2)
        for kind, delta in (("audio_transcript", ["Hello", " there."][at]), ("audio", AUDIO))
    ]
    response = {"id": "resp_1", "object": "realtime.response", "output": [MESSAGE], "usage": USAGE}
    limit = {"name": "tokens", "limit": 1000, "remaining": 900, "reset_seconds": 1.5, "new": 1}
    return [
        CREATED,
        *appends,
        client(20.0, type="response.create"),
        *words,
        server(50.0, type="response.done", response={**response, "status": "completed"}),
        server(51.25, type="rate_limits.updated", rate_limits=[limit, {**limit, "new": 2}]),
        server(60.0, type="response.mood", mood="good"),
        server(
            1060.0,
            type="error",
            error={"type": "invalid_request_error", "code": "no_such", "message": "No such item."},
        ),
    ]


def ended(status: str, **more: Any) -> RecordedEvent:
    return server(type="response.done", response={"id": "resp_1", "status": status, **more})


# What `inspect` prints of a voice turn.
INSPECTED = """\
s.jsonl: protocol ga, times in ms
      0 ← session.created                        gpt-realtime-2.1, sess_1
     10 → input_audio_buffer.append              3x 300 bytes
     20 → response.create
     40 ← response.output_audio_transcript.delta 2x "Hello there."
     40 ← response.output_audio.delta            2x 200 bytes
     50 ← response.done                          completed, 100+50 tokens, "Hello there.", resp_1
     51 ←!rate_limits.updated                    tokens 900 of 1000, tokens 900 of 1000
     60 ←!response.mood                          mood=good
   1060 ← error                                  no_such: No such item.
Events: 13 in 1.06 s
      3 → input_audio_buffer.append
      1 → response.create
      2 ← response.output_audio.delta
      2 ← response.output_audio_transcript.delta
      1 ← error
      1 ← rate_limits.updated
      1 ← response.done
      1 ← response.mood
      1 ← session.created
Audio: → 300 bytes, ← 200 bytes
Tokens: 150 in 1 response
    100 input: text 60, audio 40, cached 30, cached text 20, cached audio 10
     50 output: text 20, audio 30
Errors: 1
      1 no_such: No such item.
        error, line 13
Deviations: 3
      2 ← rate_limits.updated at rate_limits[*].new
          unknown field, first on line 11: 1, 2
      1 ← response.mood
          unknown event, line 12
"""
