"""One session of the embedded server: rules or a script on one side, a connection on the other."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Protocol, overload

from typing_extensions import TypeVar

from openai_realtime_client.core.errors import InvalidEventError
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing.faults import Faults, huge_event
from openai_realtime_client.testing.recording import RecordedEvent
from openai_realtime_client.testing.settings import Event
from openai_realtime_client.testing.websocket import WebSocket

if TYPE_CHECKING:
    from openai_realtime_client import ga, v1

    GaReceived = ga.RealtimeClientEvent | ga.RealtimeTranslationClientEvent
    GaSent = ga.RealtimeServerEvent | ga.RealtimeTranslationServerEvent
    V1Received = v1.RealtimeClientEvent
    V1Sent = v1.RealtimeServerEvent

__all__ = ["Received", "ReplaySession", "Rules", "Sent"]

# The events of the client and of the server: of either protocol, unless the server speaks one.
Received = TypeVar("Received", bound=RealtimeModel, default="GaReceived | V1Received")
Sent = TypeVar("Sent", bound=RealtimeModel, default="GaSent | V1Sent")
Model = TypeVar("Model", bound=RealtimeModel)

_SECRET_HEADERS = {"authorization", "api-key", "cookie", "sec-websocket-protocol"}
_APPENDS = {"input_audio_buffer.append", "session.input_audio_buffer.append"}
# Messages that were read and not yet answered.
_MOST_WAITING = 64


class Rules(Protocol):
    """What a server answers. The events that it returns are sent in their order."""

    def start(self) -> Iterable[Event]:
        """The events with which a session begins."""
        ...

    def receive(self, event: RealtimeModel) -> Iterable[Event]:
        """The answer to an event of the client."""
        ...

    def refuse(self, error: InvalidEventError) -> Iterable[Event]:
        """The answer to a message that is not an event."""
        ...

    def streams(self) -> Iterable[Iterator[Event | float]]:
        """What has begun since this was last called, to be sent beside the answers.

        A number between the events is a pause, in seconds.
        """
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
    """The position of a session in a recording."""

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

    def take(self, kind: str, text: str) -> str | None:
        """Go on after an event of the client; the answer says where it is not the next one."""
        if self._is_appending and kind in _APPENDS:
            return None
        expected = self._recorded[self._next]
        if expected.event["type"] != kind:
            return _mismatch(expected, f"received {kind[:40]}", text)
        self._is_appending = kind in _APPENDS
        self._next += 1
        return None

    def missing(self) -> str | None:
        """What the client should have sent next; `None` if it need send no more."""
        for recorded in self._recorded[self._next :]:
            if recorded.direction == "client":
                return _mismatch(recorded, "the connection ended", "nothing more")
        return None


def _mismatch(expected: RecordedEvent, what: str, received: str) -> str:
    kind, text = expected.event["type"][:40], json.dumps(expected.event, ensure_ascii=False)
    return (
        f"line {expected.line}: expected {kind}, {what}\n"
        f"  expected: {_short(text)}\n  received: {_short(received)}"
    )


def _short(text: str) -> str:
    return text if len(text) <= 400 else f"{text[:400]}… ({len(text)} characters)"


class ReplaySession(Generic[Received, Sent]):
    """One WebSocket connection to a `ReplayServer`, as the server saw it.

    - `received`, `sent`: the client's and the server's events, as typed models
    - `request_path`: the target of the handshake, with its query
    - `headers`: those of the handshake, by their names in lower case
    - `protocol`: "ga" or "v1"
    - `close_code`, `close_reason`: how the connection was closed, by either side; 1006 if without a
      close frame; `None` and "" while it is open
    - `mismatch`: where the client departed from the script, with what was expected and what was
      received; `None` if it did not
    - `failure`: what went wrong in the embedded server itself, or in a function of the test, after
      which it closes with 1011; leaving the context of the server raises it

    The server's thread fills it: what the client has an answer to is there. All of it is there
    after the context of the server is left.
    """

    def __init__(
        self,
        request_path: str,
        headers: Mapping[str, str],
        protocol: str,
        parsers: tuple[Callable[[str], Received], Callable[[str], Sent]],
        socket: WebSocket,
        *,
        faults: Faults | None = None,
        keep_events: bool = True,
    ) -> None:
        self.request_path = request_path
        self.headers: Mapping[str, str] = _Headers(headers)
        self.protocol = protocol
        self.received: list[Received] = []
        self.sent: list[Sent] = []
        self.mismatch: str | None = None
        self.failure: Exception | None = None
        self._parse_client, self._parse_server = parsers
        self._socket = socket
        self._faults = faults or Faults()
        self._keep_events = keep_events
        self._log: list[tuple[RealtimeModel, bool, float]] = []
        self._began = time.monotonic()
        self._count = 0
        self._pushed = itertools.count(1)
        self._waited: dict[str | type[RealtimeModel], int] = {}
        self._changed = threading.Condition()
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._turn = asyncio.Lock()
        self._waiting: asyncio.Queue[str | bytes | None] = asyncio.Queue(_MOST_WAITING)

    def __repr__(self) -> str:
        events = f"{len(self.received)} received, {len(self.sent)} sent"
        path = self.request_path.partition("?")[0]
        return f"<ReplaySession {path}: {events}, close_code={self.close_code}>"

    @property
    def close_code(self) -> int | None:
        """The code of the first close frame, 1006 if there was none, `None` while it is open."""
        return self._socket.code

    @property
    def close_reason(self) -> str:
        """The reason in the first close frame, or ""."""
        return self._socket.reason

    def recording(self) -> list[RecordedEvent]:
        """The session as a recording: `to_json()` of each is a line of its file."""
        return [
            RecordedEvent("client" if by_client else "server", event.to_dict(), at_ms)
            for event, by_client, at_ms in list(self._log)
        ]

    @overload
    def wait_for(self, kind: type[Model], timeout: float = 5.0) -> Model: ...

    @overload
    def wait_for(self, kind: str, timeout: float = 5.0) -> Received: ...

    def wait_for(self, kind: str | type[RealtimeModel], timeout: float = 5.0) -> Any:
        """Wait until the client has sent an event.

        It blocks the thread: with asyncio, call it with `asyncio.to_thread`.

        Args:
            kind: The `type` of the event, or its class.
            timeout: In seconds.

        Returns:
            The first such event that was not yet returned for this `kind`.

        Raises:
            TimeoutError: There is none, in that time or before the connection ended. The message
                lists what was received.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._find(kind) or self._ended.is_set(), timeout)
            if (index := self._find(kind)) is not None:
                self._waited[kind] = index + 1
                return self.received[index]
        name = kind if isinstance(kind, str) else kind.__name__
        kinds = Counter(event.to_dict()["type"] for event in self.received)
        received = ", ".join(f"{kind} ({n})" if n > 1 else kind for kind, n in kinds.items())
        end = "before the connection ended" if self._ended.is_set() else f"in {timeout:g} s"
        raise TimeoutError(f"expected {name} {end}; received: {received or 'nothing'}")

    def push(self, event: RealtimeModel | Mapping[str, Any]) -> None:
        """Send an event of the server now, whatever the rules or the script do; from any thread.

        Args:
            event: The event. A dictionary gets an `event_id` if it has none.
        """
        wire = event.to_dict() if isinstance(event, RealtimeModel) else dict(event)
        wire.setdefault("event_id", f"event_pushed_{next(self._pushed)}")
        self._loop.call_soon_threadsafe(self._begin, partial(self._send, wire))

    def close_soon(self, code: int, reason: str = "") -> None:
        """Begin to close the connection; for the server's own use, in its thread."""
        self._begin(partial(self._socket.close, code, reason))

    async def run(self, part: Coroutine[Any, Any, None]) -> None:
        """Do the server's part, which is one of the next three, until the connection has ended."""
        self._begin(self._read)
        try:
            await self._guarded(lambda: part)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._end()

    async def reject(self, code: int, reason: str) -> None:
        """Close at once."""
        await self._socket.close(code, reason)
        async for _ in self._messages():
            pass

    async def follow(self, rules: Rules) -> None:
        """Answer by rules."""
        await self._trigger()
        async with self._turn:
            await self._send_all(rules.start())
        async for message in self._messages():
            async with self._turn:
                await self._send_all(self._answer(rules, message))
                if rules.is_over:
                    await self._socket.close(1000)
            self._begin_streams(rules)

    async def replay(self, recorded: Sequence[RecordedEvent]) -> None:
        """Replay a script until its end, or until the client departs from it; then close."""
        script = _Script(recorded)
        await self._trigger()
        await self._play(script)
        async for message in self._messages():
            if self.close_code is not None:
                continue
            try:
                kind = self._receive(message).to_dict()["type"]
            except InvalidEventError:
                kind = "no event"
            self.mismatch = script.take(kind, _text(message))
            if self.mismatch:
                await self._socket.close(1011, self.mismatch.partition("\n")[0])
            else:
                await self._play(script)
        if self.mismatch is None:
            self.mismatch = script.missing()

    def _begin(self, work: Callable[[], Awaitable[None]]) -> None:
        if not self._ended.is_set():
            task = asyncio.create_task(self._guarded(work))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _begin_streams(self, rules: Rules) -> None:
        for stream in rules.streams():
            self._begin(partial(self._stream, stream, rules))

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:
            self.failure = error
            await self._socket.close(1011, "the embedded server failed")

    async def _read(self) -> None:
        """Read on beside all else, so that the connection can end."""
        try:
            async for message in self._socket.messages():
                await self._waiting.put(message)
        finally:
            self._end()
        await self._waiting.put(None)

    def _end(self) -> None:
        with self._changed:
            self._ended.set()
            self._changed.notify_all()

    async def _messages(self) -> AsyncIterator[str | bytes]:
        """The client's messages, until the connection has ended."""
        while (message := await self._waiting.get()) is not None:
            yield message

    async def _play(self, script: _Script) -> None:
        """Send the server's events up to the client's next one; close after the last."""
        for recorded in script.served():
            await self._send(recorded.event)
        if script.is_over:
            await self._socket.close(1000)

    def _answer(self, rules: Rules, message: str | bytes) -> Iterable[Event]:
        try:
            return rules.receive(self._receive(message))
        except InvalidEventError as error:
            return rules.refuse(error)

    def _receive(self, message: str | bytes) -> Received:
        event = self._parse_client(_text(message))
        if self._keep_events:
            with self._changed:
                self.received.append(event)
                self._changed.notify_all()
            self._note(event, by_client=True)
        return event

    def _find(self, kind: str | type[RealtimeModel]) -> int | None:
        for index in range(self._waited.get(kind, 0), len(self.received)):
            event: Any = self.received[index]
            if event.type == kind if isinstance(kind, str) else isinstance(event, kind):
                return index
        return None

    def _note(self, event: RealtimeModel, *, by_client: bool) -> None:
        at_ms = round((time.monotonic() - self._began) * 1000, 1)
        self._log.append((event, by_client, at_ms))

    async def _stream(self, events: Iterator[Event | float], rules: Rules) -> None:
        while True:
            async with self._turn:
                event = next(events, None)
                if isinstance(event, dict):
                    await self._send(event)
                # It may be the last event, after which another stream begins.
                self._begin_streams(rules)
            if event is None:
                return
            # At least once, so that the client's events have their turn.
            await self._pause(0 if isinstance(event, dict) else event)

    async def _pause(self, seconds: float) -> None:
        if not seconds:
            return await asyncio.sleep(0)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._ended.wait(), seconds)

    async def _send_all(self, events: Iterable[Event]) -> None:
        for event in events:
            await self._send(event)

    async def _send(self, event: Event) -> None:
        if self._faults.delay:
            await self._pause(self._faults.delay)
        if self.close_code is not None:
            return
        text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        # First, so that it is there when the client has the event.
        if self._keep_events:
            parsed = self._parse_server(text)
            self.sent.append(parsed)
            self._note(parsed, by_client=False)
        await self._socket.send(text)
        self._count += 1
        await self._trigger()

    async def _trigger(self) -> None:
        """Let the faults happen whose time has come."""
        faults, socket = self._faults, self._socket
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


def _text(message: str | bytes) -> str:
    return message if isinstance(message, str) else message.decode("utf-8", "replace")
