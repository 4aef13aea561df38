"""One session of the embedded server: rules or a script on one side, a connection on the other."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from functools import partial
from typing import Any, Protocol

from openai_realtime_client.core.errors import InvalidEventError
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing.faults import Faults, huge_event
from openai_realtime_client.testing.recording import RecordedEvent
from openai_realtime_client.testing.websocket import WebSocket

__all__ = ["ReplaySession", "Rules"]

_SECRET_HEADERS = {"authorization", "api-key", "cookie", "sec-websocket-protocol"}
_APPENDS = {"input_audio_buffer.append", "session.input_audio_buffer.append"}
# Messages that were read and not yet answered.
_MOST_WAITING = 64

Parse = Callable[[str], RealtimeModel]


class Rules(Protocol):
    """What a server answers. The events that it gives are sent in their order."""

    def start(self) -> Sequence[RealtimeModel]:
        """The events with which a session begins."""
        ...

    def receive(self, event: RealtimeModel) -> Sequence[RealtimeModel]:
        """The answer to an event of the client."""
        ...

    def refuse(self, error: InvalidEventError) -> Sequence[RealtimeModel]:
        """The answer to what is no event."""
        ...

    def streams(self) -> Sequence[Iterator[RealtimeModel]]:
        """What has begun since this was last asked, to be sent as it comes, beside the rest."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether the server closes the connection now."""
        ...


class _Headers(dict[str, str]):
    """Headers by their names in lower case. Secrets do not show in the repr."""

    def __repr__(self) -> str:
        return repr({n: "***" if n in _SECRET_HEADERS else v for n, v in self.items()})


class _Script:
    """Where a session is in a recording."""

    def __init__(self, recorded: Sequence[RecordedEvent]) -> None:
        self._recorded = recorded
        self._next = 0
        self._is_appending = False

    @property
    def is_over(self) -> bool:
        """Whether nothing is left of it."""
        return self._next >= len(self._recorded)

    def served(self) -> Iterator[RecordedEvent]:
        """The server's events up to the client's next one.

        The client may append its audio in larger pieces than the one that was recorded, so that
        once it has begun, appends are not waited for.
        """
        while not self.is_over:
            recorded = self._recorded[self._next]
            if recorded.direction == "client":
                if not (self._is_appending and recorded.event["type"] in _APPENDS):
                    return
                self._next += 1
            else:
                self._next += 1
                yield recorded

    def take(self, kind: str) -> str | None:
        """Go on after an event of the client; the answer says where it is not the next one."""
        if self._is_appending and kind in _APPENDS:
            return None
        expected = self._recorded[self._next]
        if expected.event["type"] != kind:
            return f"line {expected.line}: expected {_short(expected)}, received {kind[:40]}"
        self._is_appending = kind in _APPENDS
        self._next += 1
        return None

    def missing(self) -> str | None:
        """What the client should have sent next; `None` if it need send no more."""
        for recorded in self._recorded[self._next :]:
            if recorded.direction == "client":
                return f"line {recorded.line}: expected {_short(recorded)}, the connection ended"
        return None


def _short(recorded: RecordedEvent) -> str:
    kind: str = recorded.event["type"]
    return kind[:40]


class ReplaySession:
    """One WebSocket connection to a `ReplayServer`, as the server saw it.

    - `received`, `sent`: the client's and the server's events, as typed models
    - `request_path`: the target of the handshake, with its query
    - `headers`: those of the handshake, by their names in lower case
    - `protocol`: "ga" or "v1"
    - `close_code`, `close_reason`: how the connection was closed, by either side; 1006 if without a
      close frame; `None` and "" while it is open
    - `mismatch`: where the client departed from the script; `None` if it did not
    - `failure`: what went wrong in the embedded server itself, which then closes with 1011;
      leaving the context of the server raises it

    The server's thread fills it: what the client has an answer to is there. All of it is there
    after the context of the server is left.
    """

    def __init__(
        self,
        request_path: str,
        headers: Mapping[str, str],
        protocol: str,
        parse_client: Parse,
        parse_server: Parse,
        *,
        faults: Faults | None = None,
        keep_events: bool = True,
    ) -> None:
        self.request_path = request_path
        self.headers: Mapping[str, str] = _Headers(headers)
        self.protocol = protocol
        self.received: list[RealtimeModel] = []
        self.sent: list[RealtimeModel] = []
        self.mismatch: str | None = None
        self.failure: Exception | None = None
        self._parse_client = parse_client
        self._parse_server = parse_server
        self._faults = faults or Faults()
        self._keep_events = keep_events
        self._log: list[tuple[RealtimeModel, bool, float]] = []
        self._began = time.monotonic()
        self._count = 0
        self._socket: WebSocket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._waiting: asyncio.Queue[str | bytes | None] = asyncio.Queue(_MOST_WAITING)

    def __repr__(self) -> str:
        events = f"{len(self.received)} received, {len(self.sent)} sent"
        path = self.request_path.partition("?")[0]
        return f"<ReplaySession {path}: {events}, close_code={self.close_code}>"

    @property
    def close_code(self) -> int | None:
        """The code of the first close frame, 1006 if there was none, `None` while it is open."""
        return self._socket.code if self._socket else None

    @property
    def close_reason(self) -> str:
        """The reason in the first close frame, or ""."""
        return self._socket.reason if self._socket else ""

    def recording(self) -> list[RecordedEvent]:
        """The session as a recording: `to_json()` of each is a line of its file."""
        return [
            RecordedEvent("client" if by_client else "server", event.to_dict(), at_ms)
            for event, by_client, at_ms in list(self._log)
        ]

    async def close(self, code: int, reason: str = "") -> None:
        """Close the connection; for the server's own use, in its thread."""
        if self._socket:
            await self._socket.close(code, reason)

    def attach(self, socket: WebSocket) -> None:
        """Hold the session on a connection; for the server's own use."""
        self._socket = socket

    async def run(self, part: Coroutine[Any, Any, None]) -> None:
        """Do the server's part, which is one of the next three, until the connection has ended."""
        self._begin(self._read)
        try:
            await self._guarded(lambda: part)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def reject(self, code: int, reason: str) -> None:
        """Close at once."""
        await self._connection.close(code, reason)
        async for _ in self._messages():
            pass

    async def follow(self, rules: Rules) -> None:
        """Answer by rules."""
        turn = asyncio.Lock()
        await self._trigger()
        async with turn:
            await self._send_all(rules.start())
        async for message in self._messages():
            async with turn:
                await self._send_all(self._answer(rules, message))
                if rules.is_over:
                    await self._connection.close(1000)
            for stream in rules.streams():
                self._begin(partial(self._stream, stream, turn))

    async def replay(self, recorded: Sequence[RecordedEvent]) -> None:
        """Replay a script until its end, or until the client departs from it; then close."""
        socket, script = self._connection, _Script(recorded)
        await self._trigger()
        await self._play(script)
        async for message in self._messages():
            if socket.code is not None:
                continue
            try:
                kind = self._receive(message).to_dict()["type"]
            except InvalidEventError:
                kind = "no event"
            self.mismatch = script.take(kind)
            if self.mismatch:
                await socket.close(1011, self.mismatch)
            else:
                await self._play(script)
        if self.mismatch is None:
            self.mismatch = script.missing()

    def _begin(self, work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:
            self.failure = error
            await self._connection.close(1011, "the embedded server failed")

    async def _read(self) -> None:
        """Read on beside all else, so that the connection can end."""
        try:
            async for message in self._connection.messages():
                await self._waiting.put(message)
        finally:
            self._ended.set()
        await self._waiting.put(None)

    async def _messages(self) -> AsyncIterator[str | bytes]:
        """The client's messages, until the connection has ended."""
        while (message := await self._waiting.get()) is not None:
            yield message

    async def _play(self, script: _Script) -> None:
        """Send the server's events up to the client's next one; close after the last."""
        for recorded in script.served():
            text = json.dumps(recorded.event)
            await self._send_text(self._parse_server(text), text)
        if script.is_over:
            await self._connection.close(1000)

    @property
    def _connection(self) -> WebSocket:
        assert self._socket
        return self._socket

    def _answer(self, rules: Rules, message: str | bytes) -> Sequence[RealtimeModel]:
        try:
            return rules.receive(self._receive(message))
        except InvalidEventError as error:
            return rules.refuse(error)

    def _receive(self, message: str | bytes) -> RealtimeModel:
        text = message if isinstance(message, str) else message.decode("utf-8", "replace")
        event = self._parse_client(text)
        if self._keep_events:
            self.received.append(event)
        self._note(event, by_client=True)
        return event

    def _note(self, event: RealtimeModel, *, by_client: bool) -> None:
        if self._keep_events:
            at_ms = round((time.monotonic() - self._began) * 1000, 1)
            self._log.append((event, by_client, at_ms))

    async def _stream(self, events: Iterator[RealtimeModel], turn: asyncio.Lock) -> None:
        is_going_on = True
        while is_going_on:
            async with turn:
                event = next(events, None)
                is_going_on = event is not None
                if event is not None:
                    await self._send_all([event])
            # So that the client's events have their turn.
            await asyncio.sleep(0)

    async def _send_all(self, events: Sequence[RealtimeModel]) -> None:
        for event in events:
            await self._send_text(event, event.to_json())

    async def _send_text(self, event: RealtimeModel, text: str) -> None:
        if self._faults.delay:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._ended.wait(), self._faults.delay)
        if self.close_code is not None:
            return
        # First, so that it is there when the client has the event.
        if self._keep_events:
            self.sent.append(event)
        self._note(event, by_client=False)
        await self._connection.send(text)
        self._count += 1
        await self._trigger()

    async def _trigger(self) -> None:
        """Let the faults happen whose time has come."""
        faults, socket = self._faults, self._connection
        if faults.garbage_after == self._count:
            await socket.send('{"type": "response.')
        if faults.huge_after == self._count:
            await socket.send(huge_event("event_huge", faults.huge_size))
        if faults.broken_frame_after == self._count:
            # A text frame with all reserved bits, which no extension uses.
            await socket.send_raw(b"\xf1\x03bad")
            socket.cut()
        if faults.close_after == self._count:
            await socket.close(faults.close_code, faults.close_reason)
        if faults.cut_after == self._count:
            socket.cut()
