"""Runs the programs of `examples/` against the embedded server."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from openai_realtime_client import deviations
from openai_realtime_client.testing import ReplayServer, ReplaySession
from openai_realtime_client.testing.recording import RecordedEvent
from protocols import ROOT

EXAMPLES = ROOT / "examples"
KEY = "sk-test-of-the-examples"
TONE = b"\x10\x20\xf0\xdf" * 3600  # 300 ms

Event = dict[str, Any]


def check(server: ReplayServer) -> None:
    """All events of both sides are as the schema has them."""
    for session in server.sessions:
        for event in [*session.received, *session.sent]:
            assert deviations(event) == []


def settings(server: ReplayServer, **more: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "AZURE_"))}
    # Whatever a program leaves open or unawaited is shown on stderr.
    warnings = "always::ResourceWarning,always::RuntimeWarning"
    strict = {"PYTHONWARNINGS": warnings, "PYTHONIOENCODING": "utf-8", "NO_PROXY": "127.0.0.1"}
    return {**clean, **strict, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY, **more}


def run(
    server: ReplayServer, name: str, *arguments: str | Path, **more: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, EXAMPLES / name, *arguments]
    env = settings(server, **more)
    return subprocess.run(command, env=env, capture_output=True, encoding="utf-8", timeout=120)


def output(server: ReplayServer, name: str, *arguments: str | Path, **more: str) -> list[str]:
    """The lines that a program prints when all goes well."""
    done = run(server, name, *arguments, **more)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def failure(server: ReplayServer, name: str, *arguments: str | Path, **more: str) -> str:
    """What a program says when it ends because something is wrong: a line, and no traceback."""
    done = run(server, name, *arguments, **more)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    return done.stderr.strip()


def write_wav(path: Path, audio: bytes = TONE, shape: tuple[int, int, int] = (1, 2, 24000)) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((*shape, 0, "NONE", ""))
        file.writeframes(audio)
    return path


def wires(events: list[Any]) -> list[Event]:
    return [event.to_dict() for event in events]


def types(events: list[Any]) -> list[str]:
    return [event.type for event in events]


def only(events: list[Any], kind: str) -> Event:
    [found] = [event.to_dict() for event in events if event.type == kind]
    return found  # type: ignore[no-any-return]


def heard(session: ReplaySession) -> bytes:
    """The audio that the client has appended."""
    appended = [e for e in wires(session.received) if e["type"] == "input_audio_buffer.append"]
    return b"".join(base64.b64decode(event["audio"]) for event in appended)


def spoken(session: ReplaySession) -> bytes:
    """The audio that the server has sent."""
    sent = [e for e in wires(session.sent) if e["type"] == "response.output_audio.delta"]
    return b"".join(base64.b64decode(event["delta"]) for event in sent)


def recorded(server: ReplayServer, kinds: dict[str, Callable[[Event], Event]]) -> list[Any]:
    """The first session as a script in which events of some types are others."""
    script = server.sessions[0].recording()
    return [
        event._replace(event=kinds.get(event.event["type"], dict)(event.event)) for event in script
    ]


def moved(script: list[RecordedEvent], kind: str, after: str) -> list[RecordedEvent]:
    """A script where events of a type come later: after the last one of another type."""
    late = [event for event in script if event.event["type"] == kind]
    rest = [event for event in script if event.event["type"] != kind]
    last = max(i for i, event in enumerate(rest) if event.event["type"] == after)
    return [*rest[: last + 1], *late, *rest[last + 1 :]]


@contextmanager
def scripted(script: list[RecordedEvent]) -> Iterator[ReplayServer]:
    with ReplayServer(script=script) as server:
        yield server
    check(server)


def failed_response(event: Event) -> Event:
    return {**event, "response": {**event["response"], "status": "failed"}}


class Relay:
    """The relay as its own process, with uvicorn."""

    def __init__(self, server: ReplayServer, app: str = "relay", **more: str) -> None:
        command = [sys.executable, "-m", "uvicorn", "--app-dir", EXAMPLES, f"{app}:app"]
        self.server = server
        self.log: list[str] = []
        self.process = subprocess.Popen(
            [*command, "--port", "0", "--no-use-colors"],
            env=settings(server, **more),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            encoding="utf-8",
        )
        self.url = self._find_url()
        # Read on, so that the pipe never fills.
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _lines(self) -> Iterator[str]:
        assert self.process.stderr
        for line in self.process.stderr:
            self.log.append(line)
            yield line

    def _find_url(self) -> str:
        for line in self._lines():
            if found := re.search(r"running on (http://[\d.:]+)", line):
                return found[1]
        raise AssertionError("".join(self.log))

    def _read(self) -> None:
        for _ in self._lines():
            pass

    def stop(self) -> None:
        """As a service manager does; what went wrong meanwhile is in the log."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self._reader.join()
        assert self.process.stderr
        self.process.stderr.close()
        log = "".join(self.log)
        assert not re.search("ERROR|Traceback|Warning:|never", log), log
        assert KEY not in log

    def open(self, path: str = "/realtime", **kwargs: Any) -> Any:
        """A browser's connection."""
        url = self.url.replace("http", "ws", 1) + path
        return connect(url, proxy=None, **kwargs)

    def request(self, method: str, path: str) -> urllib3.BaseHTTPResponse:
        with urllib3.PoolManager() as pool:
            return pool.request(method, self.url + path)

    @property
    def session(self) -> ReplaySession:
        """The latest one of the service."""
        return self.server.sessions[-1]


@contextmanager
def relaying(server: ReplayServer, app: str = "relay", **more: str) -> Iterator[Relay]:
    relay = Relay(server, app, **more)
    try:
        yield relay
    finally:
        relay.stop()


def say(text: str) -> list[Event]:
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    return [{"type": "conversation.item.create", "item": item}, {"type": "response.create"}]


def send(browser: ClientConnection, *events: Event) -> None:
    for event in events:
        browser.send(json.dumps(event))


def recv(browser: ClientConnection, kind: str, name: str = "type") -> list[Event]:
    """The events up to the first of a type, which a field has that is called `name`."""
    events: list[Event] = []
    while not events or events[-1][name] != kind:
        events.append(json.loads(browser.recv(timeout=30)))
    return events


def closed(browser: ClientConnection) -> int:
    """The code with which the relay closes."""
    try:
        while True:
            browser.recv(timeout=30)
    except ConnectionClosed as error:
        return error.rcvd.code if error.rcvd else 1006


def eventually(found: Callable[[], Any]) -> Any:
    """What another process brings about, sooner or later."""
    for _ in range(3000):
        if value := found():
            return value
        time.sleep(0.01)
    raise AssertionError("it has not come about")
