"""Sessions over WebSocket: `AsyncConnection` for asyncio, `Connection` for threads.

Both use the same asyncio transport. For `Connection` it runs in a background thread that all
connections share; received messages are taken from a queue, without going through the event loop.
"""

from __future__ import annotations

import asyncio
import logging
from binascii import b2a_base64
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from typing_extensions import Buffer, Self

from openai_realtime_client.conversation.session_state import SESSION_EVENTS, SessionState
from openai_realtime_client.core.audio import audio_view
from openai_realtime_client.core.encoding import dumped
from openai_realtime_client.core.errors import (
    LOST,
    NO_STATUS,
    NORMAL,
    ConnectionClosedError,
    closed_error,
)
from openai_realtime_client.core.model import RealtimeModel, json_bytes
from openai_realtime_client.realtime.endpoint import Dialect, Headers
from openai_realtime_client.realtime.record import SessionRecord
from openai_realtime_client.realtime.sockets import Socket, check_close
from openai_realtime_client.realtime.threads import LoopThread

if TYPE_CHECKING:  # Programs without a conversation need not import it.
    from openai_realtime_client.conversation.functions import Tools
    from openai_realtime_client.conversation.state import Conversation
    from openai_realtime_client.realtime.tools import ToolRunner

__all__ = ["AsyncConnection", "Connection"]

ServerEvent = TypeVar("ServerEvent", covariant=True)
# What `send` takes: a class of events, or its `…Param`.
ClientEvent = TypeVar("ClientEvent", contravariant=True)

_logger = logging.getLogger("openai_realtime_client")

# 2 s of PCM at 24 kHz: far below the 15 MiB that the service takes at once, no base64 padding.
_AUDIO_CHUNK = 3 * 2**15


class _Session(SessionState, Generic[ServerEvent]):
    """Base of both: all but how calls wait. Its coroutines run on the socket's loop."""

    _runner: ToolRunner | None = None
    _closing: asyncio.Future[None] | None = None
    _has_ended_conversation = False

    def __init__(
        self,
        socket: Socket,
        dialect: Dialect[ServerEvent],
        host: str,
        headers: Headers,
        *,
        record: SessionRecord | None,
        conversation: Conversation | None,
        tools: Tools[Any, Any] | None,
        thread: LoopThread | None,
    ) -> None:
        self._socket = socket
        self._dialect = dialect
        self._host = host
        self._headers = headers
        self._record = record
        self._conversation = conversation
        self._thread = thread
        if tools is not None:
            self._run_tools(tools)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} to {self._host}, session {self.session_id}>"

    def _run_tools(self, tools: Tools[Any, Any]) -> None:
        # Programs without tools need not import these.
        from openai_realtime_client.conversation.state import Conversation
        from openai_realtime_client.realtime.tools import ToolRunner

        if self._conversation is None:
            self._conversation = Conversation()
        runner = ToolRunner(tools, self._conversation, self._send_event)
        self._socket.closed.add_done_callback(lambda _: runner.stop())
        self._runner = runner

    def _ended_by(self) -> ConnectionClosedError | None:
        """Return why the session ended, unless it is open or was closed by this side."""
        if self._socket.closed.done() and self._closing is None:
            return self._error()
        return None

    def _received(self, data: bytes | None) -> ServerEvent:
        """Parse a message; `None` stands for the end of the session."""
        if data is None:
            self._end_conversation()
            raise self._error()
        event: Any = self._dialect.parse(data)
        if event.type in SESSION_EVENTS:
            self._update_session(getattr(event, "session", None))
        _logger.debug("received %.100s, session %s", event.type, self._session_id)
        if self._record is not None:
            self._record.add("server", event.type, data)
        if self._conversation is not None:
            self._conversation.add(event)
        if self._runner is not None:
            self._runner.note_received(event)
        return event  # type: ignore[no-any-return]

    def _error(self, unsent: str | None = None, audio_sent: int = 0) -> ConnectionClosedError:
        """Return why the session is closed, which it must be."""
        frame = self._socket.close_frame
        if frame is None:
            return closed_error(LOST, self._socket.loss_reason, unsent, audio_sent)
        return closed_error(frame.code, self._headers.conceal(frame.reason), unsent, audio_sent)

    def _end_conversation(self) -> None:
        # This may run after the next session has begun to use the conversation.
        if self._conversation is not None and not self._has_ended_conversation:
            self._has_ended_conversation = True
            # An empty id is for a session that never began: it must not end one that has.
            self._conversation.end_session(self._session_id or "")

    async def _send_event(self, event: Any) -> None:
        event_type, data = _encoded(event)
        await self._send(event_type, data, event)

    async def _send_audio(self, audio: Buffer) -> None:
        view = audio_view(audio)
        event_type = self._dialect.append_type
        for start in range(0, len(view), _AUDIO_CHUNK):
            chunk = b2a_base64(view[start : start + _AUDIO_CHUNK], newline=False)
            # Encoding the event as others takes several times as long.
            data = b'{"type":"%s","audio":"%s"}' % (event_type.encode(), chunk)
            event = {"type": event_type, "audio": chunk.decode()}
            if start > 0:
                # TLS may not know yet that the connection below it has ended, see
                # https://github.com/python/cpython/issues/118950.
                await asyncio.sleep(0)
            await self._send(event_type, data, event, start)

    async def _send(self, event_type: str, data: bytes, event: Any, audio_sent: int = 0) -> None:
        if self._socket.is_open:
            # Before it is sent, so that it precedes the server's response.
            if self._record is not None:
                self._record.add("client", event_type, data)
            if self._conversation is not None:
                self._conversation.add(event)
        await self._send_message(event_type, data, audio_sent)
        if self._runner is not None:
            self._runner.note_sent()
        _logger.debug("sent %.100s, session %s", event_type, self._session_id)

    async def _send_message(self, event_type: str, data: str | bytes, audio_sent: int = 0) -> None:
        if isinstance(data, str):
            data = data.encode()
        if not await self._socket.send(data):
            raise self._error(event_type, audio_sent)

    async def _close_once(self, code: int, reason: str) -> None:
        check_close(code, reason)
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close(code, reason))
        await asyncio.shield(self._closing)

    async def _close(self, code: int, reason: str) -> None:
        # First, because a function that ends now would send its output.
        if self._runner is not None:
            await self._runner.aclose()
        try:
            await self._socket.close(code, reason)
        except asyncio.CancelledError:  # The event loop ends.
            self._socket.abort()
            raise
        self._end_conversation()
        _logger.debug("closed with %s, session %s", self._socket.close_code, self.session_id)
        if self._thread is not None:
            self._thread.leave()
        elif self._record is not None:
            await asyncio.to_thread(self._record.close)


class AsyncConnection(_Session[ServerEvent], Generic[ServerEvent, ClientEvent]):
    """A session for asyncio. Iterate to receive every event until the session is closed.

    Iteration ends when the session was closed normally, and otherwise raises what `recv` does.
    """

    async def send(self, event: ClientEvent) -> None:
        """Send one event.

        Returns when the operating system has taken it, except that asyncio keeps up to 128 KiB
        below TLS. So a slow network slows the sender down. Cancelling does not take back what is
        being sent.

        Args:
            event: An instance of a client event's class, or a dictionary with a `type`, in which
                models may stand.

        Raises:
            ConnectionClosedError: The session is closed. What of the event arrived is not known.
            ValueError: A dictionary has no `type`, or is not JSON.
            TypeError: It is neither an event nor a dictionary.
        """
        await self._send_event(event)

    async def send_audio(self, audio: Buffer) -> None:
        """Append audio to the input buffer.

        It goes out in events of at most 96 KiB, 2 s of PCM at 24 kHz.

        Args:
            audio: In the session's input format and without a header: bytes, or a buffer of 16-bit
                samples of one channel, such as an array of the standard library or of NumPy.

        Raises:
            ConnectionClosedError: The session is closed; `audio_sent` counts the bytes that
                earlier events had sent.
            TypeError: The samples are others, such as float32 or of two channels. The message says
                how to convert them.
        """
        await self._send_audio(audio)

    async def send_raw(self, data: str | bytes) -> None:
        """Send a text message as it is, to test a server. It is in no record and no conversation.

        Args:
            data: The message. It need not be an event, or JSON.

        Raises:
            ConnectionClosedError: The session is closed.
        """
        await self._send_message("a message", data)

    async def recv(self) -> ServerEvent:
        """Wait for the next event. Cancelling loses none.

        Raises:
            ConnectionClosedError: There will be no more; its subclasses say why.
            InvalidEventError: A message is not an event. The session goes on after that.
            RealtimeConnectionError: Another task is receiving.
        """
        return self._received(await self._socket.recv())

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the session and wait for the server to do so; a second time does nothing.

        It waits at most `close_timeout` seconds, then it cuts the connection. What has not arrived
        by then may be lost: a warning is logged, and later calls raise `ConnectionLostError`.
        Events that were not received yet are dropped. When cancelled, closing continues in the
        background.

        Args:
            code: Code of the close frame: 1000 to 1003, 1007 to 1014, or 3000 to 4999.
            reason: Reason, of at most 123 bytes of UTF-8.

        Raises:
            ValueError: No close frame can hold `code` or `reason`; nothing has happened.
        """
        await self._close_once(code, reason)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ServerEvent:
        try:
            return await self.recv()
        except ConnectionClosedError as error:
            if error.code not in (NORMAL, NO_STATUS):
                raise
        raise StopAsyncIteration


class Connection(_Session[ServerEvent], Generic[ServerEvent, ClientEvent]):
    """A session for threads. Iterate to receive every event until the session is closed.

    Iteration ends as for `AsyncConnection`. One thread may receive while others send.
    """

    _thread: LoopThread

    def send(self, event: ClientEvent) -> None:
        """Send one event.

        See `AsyncConnection.send`. An exception that interrupts waiting, such as that of Ctrl-C,
        does not take back what is being sent.

        Args:
            event: A client event, or a dictionary with a `type`.

        Raises:
            ConnectionClosedError: The session is closed. What of the event arrived is not known.
            ValueError: A dictionary has no `type`, or is not JSON.
            TypeError: It is neither an event nor a dictionary.
            RuntimeError: Called by a coroutine function of `tools=`, whose loop it would block.
        """
        event_type, data = _encoded(event)
        self._wait_for(self._send(event_type, data, event), event_type)

    def send_audio(self, audio: Buffer) -> None:
        """Append audio to the input buffer. See `AsyncConnection.send_audio`.

        Args:
            audio: In the session's input format and without a header: bytes, or a buffer of 16-bit
                samples.

        Raises:
            ConnectionClosedError: The session is closed; `audio_sent` says after how many bytes.
            TypeError: The samples are others, such as float32 or of two channels.
            RuntimeError: Called by a coroutine function of `tools=`, whose loop it would block.
        """
        self._wait_for(self._send_audio(audio), self._dialect.append_type)

    def send_raw(self, data: str | bytes) -> None:
        """Send a text message as it is. See `AsyncConnection.send_raw`.

        Args:
            data: The message. It need not be an event, or JSON.

        Raises:
            ConnectionClosedError: The session is closed.
            RuntimeError: Called by a coroutine function of `tools=`, whose loop it would block.
        """
        self._wait_for(self._send_message("a message", data), "a message")

    def recv(self, timeout: float | None = None) -> ServerEvent:
        """Wait for the next event.

        Args:
            timeout: Maximum wait in seconds, or `None` for no limit.

        Raises:
            TimeoutError: None came in time.
            ConnectionClosedError: There will be no more; its subclasses say why.
            InvalidEventError: A message is not an event. The session goes on after that.
            RealtimeConnectionError: Another thread is receiving.
        """
        if self._thread.is_ended and not self._socket.closed.done():
            raise self._unusable()
        return self._received(self._socket.recv_in_thread(timeout))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the session and wait for the server to do so; a second time does nothing.

        It waits at most `close_timeout` seconds, and also ends a `send` in another thread. See
        `AsyncConnection.close` for what may be lost.

        Args:
            code: Code of the close frame: 1000 to 1003, 1007 to 1014, or 3000 to 4999.
            reason: Reason, of at most 123 bytes of UTF-8.

        Raises:
            ValueError: No close frame can hold `code` or `reason`; nothing has happened.
            RuntimeError: Called by a coroutine function of `tools=`, whose loop it would block.
        """
        closing = self._thread.start(self._close_once(code, reason))
        if closing is not None:  # Otherwise it is closed, or belongs to another process.
            closing.result()
        # In this thread, because no other can be started when the program ends.
        if self._record is not None:
            self._record.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ServerEvent:
        try:
            return self.recv()
        except ConnectionClosedError as error:
            if error.code not in (NORMAL, NO_STATUS):
                raise
        raise StopIteration

    def _wait_for(self, coroutine: Coroutine[Any, Any, None], event_type: str) -> None:
        running = self._thread.start(coroutine)
        if running is None:
            raise self._unusable(event_type)
        running.result()

    def _unusable(self, unsent: str | None = None) -> ConnectionClosedError:
        if self._socket.closed.done():
            return self._error(unsent)
        return closed_error(LOST, "it belongs to the process that opened it, not to a fork", unsent)


def _encoded(event: Any) -> tuple[str, bytes]:
    """Return the `type` of an event, and its JSON."""
    if isinstance(event, RealtimeModel):
        event_type, data = getattr(event, "type", None), json_bytes(event)
    elif isinstance(event, Mapping):
        fields = cast(Mapping[str, Any], event)
        event_type, data = fields.get("type"), dumped(fields)
    else:
        raise TypeError(f"send takes an event or a dictionary, not {type(event).__name__}")
    if not isinstance(event_type, str):
        raise ValueError("event must have a string `type`")
    return str(event_type), data
