"""`connect(record=…)`: what is written, what is left out, and what happens when writing fails."""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from connections import PLAIN, Kind, for_asyncio, for_protocols, opened
from openai_realtime_client import HandshakeRefusedError, Record, ga
from openai_realtime_client.core.credentials import Headers
from openai_realtime_client.realtime import record as record_module
from openai_realtime_client.testing import Faults
from openai_realtime_client.testing.recording import read_recording
from transports import ReplayServer

KEY = "sk-test-0123456789/abcdefghij"
Event = dict[str, Any]

ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]}
SAID: list[Event] = [
    {"type": "conversation.item.create", "item": ITEM},
    {"type": "response.create"},
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "session.jsonl"


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer(api_key=KEY) as server:
        yield server


async def hold(kind: Kind, url: str, record: Any = None, end: Callable[[], object] = int) -> None:
    async with opened(kind, url, model="m", api_key=KEY, record=record) as connection:
        for event in SAID:
            await connection.send(event)
        await connection.until("response.done")
        end()


@for_protocols
async def test_record_holds_the_session(kind: Kind, server: ReplayServer, path: Path) -> None:
    await hold(kind, server.url, str(path))
    [session] = server.sessions
    recorded = list(read_recording(path))
    received = [each.event for each in recorded if each.direction == "server"]
    assert [each.event for each in recorded if each.direction == "client"] == SAID
    assert received == [event.to_dict() for event in session.sent][: len(received)]
    assert received[-1]["type"] == "response.done"
    times = [each.at_ms for each in recorded]
    assert None not in times
    assert times == sorted(times)  # type: ignore[type-var]
    kinds = [each.event["type"] for each in recorded]
    assert kinds.index("response.create") < kinds.index("response.created")
    assert os.name != "posix" or path.stat().st_mode & 0o077 == 0
    # It can be replayed, and another session is appended.
    with ReplayServer(script=path) as again:
        await hold(kind, again.url, path)
    kinds = [each.event["type"] for each in read_recording(path)]
    assert kinds.count("session.created") == 2


FILES: dict[str, Callable[[], Any]] = {
    "text": io.StringIO,
    "bytes": io.BytesIO,
    "temporary_text": partial(tempfile.NamedTemporaryFile, "w+"),
}


@pytest.mark.parametrize("create", FILES.values(), ids=FILES.keys())
def test_file_object_is_flushed_and_stays_open(create: Callable[[], Any]) -> None:
    with create() as file:
        started = Record(file).start(str)
        started.add("client", "x", b'{"type":"x"}')
        started.close()
        assert not file.closed
        if hasattr(file, "name"):
            lines = Path(file.name).read_text("utf-8").splitlines()
        else:
            file.seek(0)
            lines = [line if isinstance(line, str) else line.decode() for line in file]
    assert [each.event for each in read_recording(lines)] == [{"type": "x"}]


@pytest.mark.parametrize("target", [5, b"session.jsonl", ["session.jsonl"]])
def test_what_is_no_file_is_refused_at_once(target: Any) -> None:
    with pytest.raises(TypeError, match="a path or a file object, not"):
        ga.connect("m", api_key=KEY, record=target)


def concealed(text: str) -> str:
    return text.replace(KEY, "***")


def recorded(
    kind: str, text: str, *, audio: bool = True, conceal: Callable[[str], str] = concealed
) -> str:
    """The event of the line that is written for `text`."""
    file = io.StringIO()
    started = Record(file, audio=audio).start(conceal)
    started.add("server", kind, text.encode())
    started.close()
    line = file.getvalue()
    assert line.endswith("}\n")
    assert line.count("\n") == 1
    [read] = read_recording([line])
    assert read.direction == "server"
    return line.partition('"event":')[2][:-2]


def test_the_text_is_as_it_came() -> None:
    text = '{"type": "x",  "n": 1.00, "u": "\\u00e9é", "big": 12345678901234567890123}'
    assert recorded("x", text) == text
    assert recorded("x", '{\n"type":\r\n"x"}') == '{ "type":  "x"}'


MCP = {"type": "mcp", "n": [1]}
# The type of an event, its field, and what is in it.
SECRETS: list[tuple[str, str, Any]] = [
    ("session.created", "session", {"client_secret": {"value": "SECRET", "n": 1}}),
    ("transcription_session.updated", "session", {"client_secret": "SECRET"}),
    ("session.update", "session", {"tools": [{**MCP, "authorization": "SECRET"}]}),
    ("response.create", "response", {"tools": [{**MCP, "headers": {"A": "SECRET"}}]}),
    ("response.create", "response", {"tools": [{**MCP, "server_url": "wss://SECRET@a/b?SECRET"}]}),
    ("error", "error", {"message": f"The key {KEY} is not valid."}),
    ("error", "error", f"Wrong: {KEY}"),
    ("x", "a", [{"message": KEY}]),
]


@pytest.mark.parametrize(("event_type", "field", "value"), SECRETS)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_secrets_are_left_out(
    event_type: str, field: str, value: Any, separators: tuple[str, str]
) -> None:
    text = json.dumps({"type": event_type, field: value}, separators=separators)
    written = recorded(event_type, text)
    assert "SECRET" not in written
    assert KEY not in written
    assert json.loads(written) == json.loads(text.replace("SECRET", "***").replace(KEY, "***"))


@pytest.mark.parametrize("key", ["x", "none", "type", "session", "input_audio_buffer", KEY])
def test_no_key_changes_names_and_texts(key: str) -> None:
    text = json.dumps({"type": key, key: key, "tool_choice": "none", "text": f"Say {key}."})
    assert recorded("x", text, conceal=Headers({"Authorization": f"Bearer {key}"}).conceal) == text


def test_what_looks_like_a_secret_stays() -> None:
    headers = {"type": "object", "properties": {"authorization": {"type": "string"}}}
    tool = {"type": "function", "parameters": {"properties": {"headers": headers}}}
    session = {"tools": [tool], "client_secret": None, "speed": 1.5}
    text = json.dumps({"type": "session.update", "session": session})
    text = text.replace("1.5", "1.50")
    assert recorded("session.update", text) == text  # also its white space and numbers


@pytest.mark.parametrize(
    "event",
    [
        {"type": "input_audio_buffer.append", "audio": "AAAA"},
        {"type": "response.output_audio.delta", "delta": "AAAA"},
        {"type": "response.audio.delta", "delta": "AAAA"},
        {"type": "session.output_audio.delta", "delta": "AAAA"},
        {"type": "conversation.item.create", "item": {"content": [{"audio": "AAAA"}]}},
        # These stay.
        {"type": "response.output_text.delta", "delta": "Hi", "modalities": ["audio"]},
    ],
)
def test_audio_is_left_out_if_asked(event: Event) -> None:
    text = json.dumps(event)
    assert recorded(event["type"], text) == text
    written = recorded(event["type"], text, audio=False)
    assert json.loads(written) == json.loads(text.replace("AAAA", ""))


def test_an_event_that_cannot_be_read_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    file = io.StringIO()
    started = Record(file).start(str)
    started.add("client", "x", b'{"type": "x", "authorization": %s}' % (b"[" * 99_999))
    started.add("client", "y", b'{"type": "y"}')
    started.close()
    assert [each.event["type"] for each in read_recording(file.getvalue().splitlines())] == ["y"]
    assert "leaves out an event" in caplog.text


def test_full_disk_leaves_whole_lines(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    started = Record(path).start(str)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, limits[1]))
    try:
        for _ in range(30):
            started.add("server", "x", b'{"type":"x","a":"%s"}' % (b"z" * 100))
        started.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    text = path.read_text("utf-8")
    assert text.endswith("}\n")
    assert 1000 < len(text) < 1500
    assert caplog.messages == ["the record stops: File too large"]


async def test_a_file_object_that_fails_does_not_end_the_session(
    server: ReplayServer, caplog: pytest.LogCaptureFixture
) -> None:
    file = io.StringIO()
    file.close()
    await hold(PLAIN, server.url, file)
    assert "the record stops: ValueError" in caplog.text


async def test_path_that_cannot_be_written_is_refused_at_once(
    kind: Kind, server: ReplayServer, path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        await hold(kind, server.url, path.parent / "none" / path.name)
    assert server.sessions == []


@for_asyncio
async def test_session_that_is_refused_leaves_no_thread(
    kind: Kind, server: ReplayServer, path: Path
) -> None:
    server.faults = Faults(refuse=500)
    # Its traceback is alive until all threads have ended.
    with pytest.raises(HandshakeRefusedError) as caught:
        await hold(kind, server.url, path)
    assert "openai_realtime_client record" not in {each.name for each in threading.enumerate()}
    assert caught.value.status == 500


KILLED = """
import os, signal, sys, time
from openai_realtime_client.realtime.record import Record
started = Record(sys.argv[1]).start(str)
for _ in range(300):
    started.add("client", "x", b'{"type":"x","a":"%s"}' % (b"z" * 1000))
while os.path.getsize(sys.argv[1]) < 200_000:
    time.sleep(0.001)
os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
"""


def test_killed_program_leaves_what_was_written(path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED, path], check=False).returncode != 0
    lines = list(read_recording(path))
    assert len(lines) > 150
    assert {len(line.event["a"]) for line in lines} == {1000}


class Slow(io.StringIO):
    """A file whose disk does not answer until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.is_released = threading.Event()

    def write(self, text: str) -> int:
        if not self.is_released.wait(20):
            raise TimeoutError
        return super().write(text)


async def test_slow_disk_does_not_delay_the_session(
    kind: Kind, server: ReplayServer, caplog: pytest.LogCaptureFixture
) -> None:
    file = Slow()
    # Not before all was sent and received is the first line written. `close` waits for the others.
    await hold(kind, server.url, file, end=file.is_released.set)
    recorded = [each.event["type"] for each in read_recording(file.getvalue().splitlines())]
    assert recorded[-1] == "response.done"
    assert "the record stops" not in caplog.text


@for_asyncio
async def test_disk_that_hangs_does_not_delay_the_end_for_long(
    kind: Kind,
    server: ReplayServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(record_module, "_CLOSE_TIMEOUT", 0.1)
    file = Slow()
    await hold(kind, server.url, file)
    assert "the record stops: writing is too slow" in caplog.text
    assert file.getvalue() == ""
    file.is_released.set()


def test_what_waits_to_be_written_has_a_limit(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(record_module, "_MAX_WAITING", 2)
    file = Slow()
    started = Record(file).start(str)
    for kind in "abcd":
        started.add("client", kind, b'{"type":"x"}')
    file.is_released.set()
    started.close()
    assert caplog.messages == ["the record stops: writing is too slow"]
    assert len(file.getvalue().splitlines()) < 3


def test_a_session_that_is_forgotten_leaves_no_thread(path: Path) -> None:
    started = Record(path).start(str)
    started.add("client", "a", b'{"type":"a"}')
    [thread] = [each for each in threading.enumerate() if "record" in each.name]
    del started
    thread.join(10)
    assert not thread.is_alive()
    assert len(path.read_text("utf-8").splitlines()) == 1


def test_what_a_crash_left_is_skipped_by_readers(path: Path) -> None:
    whole = '{"from":"server","event":{"type":"a"}}'
    path.write_text(f'{whole}\n{{"from":"server","event":{{"type":"xé')
    assert [each.event["type"] for each in read_recording(path)] == ["a"]
    started = Record(path).start(str)
    started.add("client", "b", b'{"type":"b"}')
    started.close()
    started.add("client", "c", b'{"type":"c"}')
    assert [each.event["type"] for each in read_recording(path)] == ["a", "b"]
