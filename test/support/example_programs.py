"""Runs the programs of `examples/` against the embedded server, in this process."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import re
import runpy
import signal
import sys
import threading
import time
import traceback
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import urllib3
import uvicorn
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


@contextmanager
def environment(server: ReplayServer, **more: str) -> Iterator[None]:
    """Let programs find a server by the environment, and nothing else of the kind."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(("OPENAI_", "AZURE_")):
                patch.delenv(name)
        settings = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY, "NO_PROXY": "127.0.0.1"}
        for name, value in (settings | more).items():
            patch.setenv(name, value)
        yield


class Ended(NamedTuple):
    """What a program printed, and its exit status."""

    stdout: str
    stderr: str
    status: int


def give_up(*_: object) -> None:
    raise TimeoutError("the program does not end")


def run(
    server: ReplayServer, name: str, *arguments: str | Path, typed: str = "", **more: str
) -> Ended:
    out, err, status = io.StringIO(), io.StringIO(), 0
    handler = logging.StreamHandler(err)
    with (
        environment(server, **more),
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", [name, *map(str, arguments)])
        patch.setattr(sys, "stdin", io.StringIO(typed))
        # A program that configures no logging shows warnings.
        patch.setattr(logging.root, "handlers", [handler])
        signal.signal(signal.SIGALRM, give_up)
        signal.alarm(60)
        try:
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
            if status and end.code != status:
                print(end.code, file=err)
        except Exception:
            traceback.print_exc()
            status = 1
        finally:
            signal.alarm(0)
    return Ended(out.getvalue(), err.getvalue(), status)


def output(server: ReplayServer, name: str, *arguments: str | Path, **more: str) -> list[str]:
    """The lines that a program prints when all goes well."""
    done = run(server, name, *arguments, **more)
    assert (done.status, done.stderr) == (0, "")
    return done.stdout.splitlines()


def failure(server: ReplayServer, name: str, *arguments: str | Path, **more: str) -> str:
    """What a program says when it ends because something is wrong: a line, and no traceback."""
    done = run(server, name, *arguments, **more)
    assert done.status == 1
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


class Relay(logging.Handler):
    """An example that serves, with uvicorn in a thread; its log has what all loggers say."""

    def __init__(self, server: ReplayServer, name: str) -> None:
        super().__init__()
        self.server = server
        self.log: list[str] = []
        app = runpy.run_path(str(EXAMPLES / f"{name}.py"))["app"]
        config = uvicorn.Config(app, port=0, log_config=None, log_level="info")
        self.uvicorn = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.uvicorn.run)
        self.thread.start()
        eventually(lambda: self.uvicorn.started)
        self.url = "http://127.0.0.1:{1}".format(*self.uvicorn.servers[0].sockets[0].getsockname())

    def emit(self, record: logging.LogRecord) -> None:
        self.log.append(f"{record.levelname}: {self.format(record)}")

    def stop(self) -> None:
        """As a signal does."""
        self.uvicorn.should_exit = True
        self.thread.join()

    def open(self, path: str = "/realtime", **kwargs: Any) -> Any:
        """A browser's connection."""
        # What a browser logs that leaves without reading is not of the program.
        options = {"proxy": None, "logger": logging.Logger("browser", logging.CRITICAL), **kwargs}
        return connect(self.url.replace("http", "ws", 1) + path, **options)

    def request(self, method: str, path: str) -> urllib3.BaseHTTPResponse:
        with urllib3.PoolManager() as pool:
            return pool.request(method, self.url + path)

    @property
    def session(self) -> ReplaySession:
        """The latest one of the service."""
        return self.server.sessions[-1]


@contextmanager
def relaying(server: ReplayServer, name: str = "relay", **more: str) -> Iterator[Relay]:
    with environment(server, **more):
        relay = Relay(server, name)
        logging.root.addHandler(relay)
        try:
            yield relay
        finally:
            relay.stop()
            logging.root.removeHandler(relay)
    log = "\n".join(relay.log)
    assert not re.search("ERROR|Traceback|never", log), log
    assert KEY not in log


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
