"""One session of the embedded server: connects rules or a script with a WebSocket connection."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, overload

from typing_extensions import TypeVar
from urllib3 import HTTPHeaderDict

from openai_realtime_client import ga, v1
from openai_realtime_client.core.errors import InvalidEventError
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing.errors import Refusal, Rules, refuse_text
from openai_realtime_client.testing.recording import DIALECTS, RecordedEvent
from openai_realtime_client.testing.settings import Event
from openai_realtime_client.testing.websocket import HttpRequest, WebSocket

if TYPE_CHECKING:
    GaReceived = ga.RealtimeClientEvent | ga.RealtimeTranslationClientEvent
    GaSent = ga.RealtimeServerEvent | ga.RealtimeTranslationServerEvent
    V1Received = v1.RealtimeClientEvent
    V1Sent = v1.RealtimeServerEvent

__all__ = ["Faults", "Received", "ReplaySession", "Sent"]

# The events of the client and of the server: of either protocol, unless the server speaks one.
Received = TypeVar("Received", bound=RealtimeModel, default="GaReceived | V1Received")
Sent = TypeVar("Sent", bound=RealtimeModel, default="GaSent | V1Sent")
Model = TypeVar("Model", bound=RealtimeModel)

# Events in the message of a wait that failed: a session may have received thousands.
_MAX_LISTED = 20


@dataclass(frozen=True)
class Faults:
    """Faults of a session. Each happens once, after so many of the server's events; 0 is at once.

    Args:
        cut_after: The TCP connection ends without a close frame.
        close_after: The server closes, with `close_code` and `close_reason`.
        close_code: The code of that close frame.
        close_reason: Its reason.
        garbage_after: A text message that is not JSON; the session goes on.
        broken_frame_after: Bytes that are not a WebSocket frame; then the connection ends.
        huge_after: A `rate_limits.updated` event of `huge_size` bytes; the session goes on.
        huge_size: The size of that event.
        delay: Seconds to wait before each event of the server.
        expire_after: The session reaches its maximum duration: an `error` event with the code
            `session_expired`, then a close with 1001.
        refuse: The status of the HTTP response to the handshake; there is no session then.
        refuse_body: The body of that response, JSON or not.
    """

    cut_after: int | None = None
    close_after: int | None = None
    close_code: int = 1011
    close_reason: str = ""
    garbage_after: int | None = None
    broken_frame_after: int | None = None
    huge_after: int | None = None
    huge_size: int = 20 * 2**20
    delay: float = 0.0
    expire_after: int | None = None
    refuse: int | None = None
    refuse_body: str = ""


class _Headers(HTTPHeaderDict):
    """Headers that do not show the key in a failing test's report."""

    def __repr__(self) -> str:
        return f"<headers: {', '.join(self)}>"

    __str__ = __repr__


class ReplaySession(Generic[Received, Sent]):
    """One WebSocket connection to a `ReplayServer`, as the server saw it.

    The server's thread fills it: what the client has an answer to is there. All of it is there
    after the context of the server is left.

    Attributes:
        received: The client's events, as typed models.
        sent: The server's events, as typed models.
        request_path: The target of the handshake, with its query.
        headers: Those of the handshake, by their names in any case.
        protocol: "ga" or "v1".
        failure: What went wrong in the embedded server itself, or in a function of the test, after
            which it closes with 1011; leaving the context of the server raises it.
    """

    def __init__(
        self,
        request: HttpRequest,
        protocol: str,
        socket: WebSocket,
        rules: Rules,
        faults: Faults,
        *,
        keep_events: bool,
    ) -> None:
        self.request_path = request.target
        self.headers: Mapping[str, str] = _Headers(request.headers)
        self.protocol = protocol
        self.received: list[Received] = []
        self.sent: list[Sent] = []
        self.failure: Exception | None = None
        dialect = protocol
        if request.is_translation:
            dialect = "ga translation"  # v1 has no translation sessions
        self._parse_client: Callable[[str], Any] = DIALECTS[dialect]["client"]
        self._parse_server: Callable[[str], Any] = DIALECTS[dialect]["server"]
        self._socket = socket
        self._rules = rules
        self._faults = faults
        self._keep_events = keep_events
        self._log: list[tuple[Literal["client", "server"], RealtimeModel, float]] = []
        self._began = time.monotonic()
        self._count = 0
        self._pushed = itertools.count(1)
        # For `wait_for`: where the search for each kind goes on.
        self._waited: dict[str | type[RealtimeModel], int] = {}
        self._changed = threading.Condition()
        self._is_over = False
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        # Held while one answer is sent, so that no stream comes between its events.
        self._turn = asyncio.Lock()

    def __repr__(self) -> str:
        events = f"{len(self.received)} received, {len(self.sent)} sent"
        path = self.request_path.partition("?")[0]
        return f"<ReplaySession {path}: {events}, close_code={self.close_code}>"

    @property
    def close_code(self) -> int | None:
        """The code of the first close frame of either side.

        1006 if the connection ended without one, `None` while it is open.
        """
        return self._socket.first_close[0]

    @property
    def close_reason(self) -> str:
        """The reason in the first close frame, or ""."""
        return self._socket.first_close[1]

    @property
    def mismatch(self) -> str | None:
        """Where the client departed from the script: what was expected, and what was received.

        `None` if it did not.
        """
        return self._rules.mismatch

    def recording(self) -> list[RecordedEvent]:
        """Return the session as a recording: `to_json()` of each is a line of its file."""
        return [RecordedEvent(side, event.to_dict(), at) for side, event, at in [*self._log]]

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
                lists what was received last.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._find(kind) is not None or self._is_over, timeout)
            index = self._find(kind)
            if index is not None:
                self._waited[kind] = index + 1
                return self.received[index]
        name = getattr(kind, "__name__", kind)
        received = ", ".join(event.to_dict()["type"] for event in self.received[-_MAX_LISTED:])
        end = f"in {timeout:g} s"
        if self._is_over:
            end = "before the connection ended"
        raise TimeoutError(f"expected {name} {end}; received last: {received or 'nothing'}")

    def push(self, event: RealtimeModel | Mapping[str, Any]) -> None:
        """Send an event of the server now, whatever the rules or the script do; from any thread.

        Args:
            event: The event. A dictionary gets an `event_id` if it has none.
        """
        if isinstance(event, RealtimeModel):
            event = event.to_dict()
        wire = dict(event)
        # Clients may rely on it, and all events of the service have one.
        wire.setdefault("event_id", f"event_pushed_{next(self._pushed)}")
        self._loop.call_soon_threadsafe(self._begin_task, partial(self._send, wire))

    def begin_close(self, code: int, reason: str = "") -> None:
        """Begin to close the connection; for the server's own use, in its thread."""
        self._socket.begin_close(code, reason)

    async def serve(self) -> None:
        """Do the server's part until the connection has ended."""
        try:
            await self._guarded(self._follow)
            # Streams go on until the connection has ended.
            await self._socket.wait_closed()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    async def _follow(self) -> None:
        await self._trigger_faults()
        async with self._turn:
            self._rules.begin()
            await self._flush()
        async for message in self._socket.messages():
            # After its close frame the server ignores messages: RFC 6455, section 5.5.1.
            if self._rules.closing is None:
                async with self._turn:
                    self._receive(message)
                    await self._flush()
        self._rules.note_end()

    async def _flush(self) -> None:
        """Send what the rules have emitted, and begin the streams that they have."""
        events = self._rules.outbox.events
        while events:
            wire = self._rules.to_protocol(events.popleft())
            if wire is not None:
                await self._send(wire)
        if self._rules.closing:
            self._socket.begin_close(*self._rules.closing)
        begun, self._rules.streams = self._rules.streams, []
        for stream in begun:
            self._begin_task(partial(self._stream, stream))

    def _receive(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            refusal = Refusal("invalid_json", "The message is binary. Send JSON as text.")
            # The service takes text alone.
            return self._rules.refuse(refusal, "a binary message")
        try:
            event = self._parse_client(message)
        except InvalidEventError as error:
            return self._rules.refuse(refuse_text(error), message)
        if self._keep_events:
            self._remember("client", event, self.received)
        self._rules.receive(event)

    def _begin_task(self, work: Callable[[], Awaitable[None]]) -> None:
        # A test may push after the end, which is no fault of the program.
        if not self._is_over:
            task = asyncio.create_task(self._guarded(work))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:
            # The client sees 1011, as with a service that fails; the context raises the error.
            self.failure = error
            self._socket.begin_close(1011, "the embedded server failed")

    def _find(self, kind: str | type[RealtimeModel]) -> int | None:
        for index in range(self._waited.get(kind, 0), len(self.received)):
            event: Any = self.received[index]
            if event.type == kind or (isinstance(kind, type) and isinstance(event, kind)):
                return index
        return None

    def _remember(self, side: Literal["client", "server"], event: Any, events: list[Any]) -> None:
        at_ms = round((time.monotonic() - self._began) * 1000, 1)
        self._log.append((side, event, at_ms))
        with self._changed:
            events.append(event)
            self._changed.notify_all()

    async def _stream(self, steps: Iterator[float]) -> None:
        pause: float | None = 0.0
        while pause is not None:
            # Even without a pause, let the loop read: the client may cancel or interrupt.
            await self._pause(pause)
            async with self._turn:
                pause = next(steps, None)
                await self._flush()

    async def _pause(self, seconds: float) -> None:
        if not seconds:
            return await asyncio.sleep(0)
        # Not a sleep, which would keep an ended session until it is over.
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._socket.wait_closed(), seconds)

    async def _send(self, event: Event) -> None:
        if self._faults.delay:
            await self._pause(self._faults.delay)
        # Data after the close frame would not arrive: RFC 6455, section 5.5.1.
        if self.close_code is not None:
            return
        text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        # First, so that it is there when the client has the event.
        if self._keep_events:
            self._remember("server", self._parse_server(text), self.sent)
        await self._socket.send_text(text)
        self._count += 1
        await self._trigger_faults()

    async def _trigger_faults(self) -> None:
        """Let the faults happen whose time has come."""
        faults, socket = self._faults, self._socket
        # In an order in which one of them does not keep another from happening.
        if faults.garbage_after == self._count:
            await socket.send_text('{"type": "response.')
        if faults.huge_after == self._count:
            head = '{"type":"rate_limits.updated","event_id":"event_huge","rate_limits":['
            # Padded with white space, which clients parse no slower than limits.
            await socket.send_text(head.ljust(faults.huge_size - 2) + "]}")
        if faults.broken_frame_after == self._count:
            # A text frame with all reserved bits, which no extension uses.
            socket.cut(b"\xf1\x03bad")
        if faults.expire_after == self._count:
            await self._expire()
        if faults.close_after == self._count:
            socket.begin_close(faults.close_code, faults.close_reason)
        if faults.cut_after == self._count:
            socket.cut()

    async def _expire(self) -> None:
        """End the session as the service does when it has reached its maximum duration."""
        message = "Your session hit the maximum duration of 60 minutes."
        error: Event = {"type": "invalid_request_error", "code": "session_expired"}
        error |= {"message": message, "param": None, "event_id": None}
        await self._send({"type": "error", "event_id": "event_expired", "error": error})
        self._socket.begin_close(1001, message)
