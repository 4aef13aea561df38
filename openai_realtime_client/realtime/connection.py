"""Sessions over WebSocket: `AsyncConnection` for asyncio, `Connection` for threads.

`websockets` does the protocol and `core.events` the parsing; `_Session` holds what is not I/O.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from binascii import b2a_base64
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from pydantic import SecretStr
from typing_extensions import Self

from openai_realtime_client.conversation.session_state import SESSION_EVENTS, SessionState
from openai_realtime_client.core.causes import connection_failure
from openai_realtime_client.core.encoding import dumped
from openai_realtime_client.core.errors import (
    LOST,
    NO_STATUS,
    NORMAL,
    ConnectionClosedError,
    closed,
)
from openai_realtime_client.core.model import RealtimeModel, json_bytes
from openai_realtime_client.realtime.endpoint import (
    Dialect,
    Headers,
    Settings,
)
from openai_realtime_client.realtime.record import SessionRecord

if TYPE_CHECKING:  # which spares the import to those who do without
    from openai_realtime_client.conversation.state import Conversation

try:
    import websockets.asyncio.client
    import websockets.sync.client
    from websockets.exceptions import ConnectionClosed, WebSocketException
    from websockets.protocol import State
except ModuleNotFoundError:
    raise ImportError('connections need websockets: pip install "websockets>=15"') from None

from openai_realtime_client.realtime.sockets import AsyncSocket, Socket, check_close

__all__ = ["AsyncConnection", "AsyncConnector", "Connection", "Connector"]

ServerEvent = TypeVar("ServerEvent", covariant=True)
# What `send` takes: a class of events, or its `…Param`. A connection that takes both takes one.
ClientEvent = TypeVar("ClientEvent", contravariant=True)
Opened = TypeVar("Opened", bound="_Session[Any, Any]")

_logger = logging.getLogger("openai_realtime_client")
# The debug messages of `websockets` hold headers and payloads.
_socket_logger = logging.getLogger("openai_realtime_client.websockets")
_socket_logger.addFilter(lambda record: record.levelno > logging.DEBUG)

# 2 s of PCM at 24 kHz: far below the 15 MiB that the service takes at once, no base64 padding.
_AUDIO_CHUNK = 3 * 2**15


class _Session(SessionState, Generic[ServerEvent, ClientEvent]):
    """What both kinds of connections share: all that is not I/O."""

    _socket: Any
    _record: SessionRecord | None = None
    _conversation: Conversation | None = None

    def __init__(self, dialect: Dialect[ServerEvent], host: str, headers: Headers) -> None:
        self._dialect = dialect
        self._host = host
        self._headers = headers

    def __repr__(self) -> str:
        return f"<{type(self).__name__} to {self._host}, session {self.session_id}>"

    def observe(self, record: SessionRecord | None, conversation: Conversation | None) -> None:
        """Give all events from now on, in both directions, to a record and a conversation."""
        self._record, self._conversation = record, conversation

    def _received(self, data: bytes) -> ServerEvent:
        event: Any = self._dialect.parse(data)
        if event.type in SESSION_EVENTS:
            self._update_session(getattr(event, "session", None))
        _logger.debug("received %.100s, session %s", event.type, self._session_id)
        if self._record:
            self._record.add("server", event.type, data)
        if self._conversation is not None:
            self._conversation.add(event)
        return event  # type: ignore[no-any-return]

    def _sending(self, name: str, data: bytes, event: Any) -> None:
        # Before it is sent, so that it stands before what the server answers.
        if self._record:
            self._record.add("client", name, data)
        if self._conversation is not None:
            self._conversation.add(event)

    def _closed(
        self, error: ConnectionClosed, unsent: str | None = None, audio_sent: int = 0
    ) -> ConnectionClosedError:
        is_ours = error.rcvd is None or error.rcvd_then_sent is False
        close = error.sent if is_ours else error.rcvd
        if close is None:
            return closed(LOST, self._socket.lost_because, unsent, audio_sent)
        return closed(close.code, self._headers.conceal(close.reason), unsent, audio_sent)

    def _audio_events(
        self, audio: bytes | bytearray | memoryview
    ) -> Iterator[tuple[int, bytes, dict[str, str] | None]]:
        """What appends `audio`: the bytes before it, the JSON, and the event if it is observed."""
        view = memoryview(audio).cast("B")
        name = self._dialect.append.encode()
        for start in range(0, len(view), _AUDIO_CHUNK):
            chunk = b2a_base64(view[start : start + _AUDIO_CHUNK], newline=False)
            data = b'{"type":"%s","audio":"%s"}' % (name, chunk)
            is_observed = self._conversation is not None
            event = {"type": self._dialect.append, "audio": chunk.decode()} if is_observed else None
            yield start, data, event


class AsyncConnection(_Session[ServerEvent, ClientEvent]):
    """A session for asyncio. Iterate to receive every event until the session is closed.

    Iteration ends when the session was closed normally, and otherwise raises what `recv` does.
    """

    def __init__(
        self,
        socket: AsyncSocket,
        dialect: Dialect[ServerEvent],
        host: str,
        headers: Headers,
    ) -> None:
        super().__init__(dialect, host, headers)
        self._socket: AsyncSocket = socket
        self._closed_by_us: asyncio.Future[None] | None = None

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
        name, data = _encoded(event)
        await self._send(name, data, event)

    async def send_audio(self, audio: bytes | bytearray | memoryview) -> None:
        """Append audio to the input buffer.

        It goes out in events of at most 96 KiB, 2 s of PCM at 24 kHz.

        Args:
            audio: Its bytes, in the session's input format and without a header.

        Raises:
            ConnectionClosedError: The session is closed; `audio_sent` counts the bytes that
                earlier events had sent.
        """
        for sent, data, event in self._audio_events(audio):
            await self._send(self._dialect.append, data, event, sent)

    async def recv(self) -> ServerEvent:
        """Wait for the next event. Cancelling loses none.

        Raises:
            ConnectionClosedError: There will be no more; its subclasses say why.
            InvalidEventError: A message is not an event. The session goes on after that.
        """
        try:
            data = await self._socket.recv(decode=False)
        except ConnectionClosed as caught:
            error = self._closed(caught)
        else:
            return self._received(data)
        raise error

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the session and wait for the server to do so; a second time does nothing.

        It waits at most `close_timeout` seconds, then it cuts the connection. Events that were not
        received yet are dropped. Cancelling goes on closing, without waiting.

        Args:
            code: Code of the close frame: 1000 to 1014 as far as it may be sent, or 3000 to 4999.
            reason: Reason, of at most 123 bytes of UTF-8.

        Raises:
            ValueError: No close frame can hold `code` or `reason`; nothing has happened.
        """
        check_close(code, reason)
        if self._closed_by_us is None:
            self._closed_by_us = asyncio.ensure_future(self._close(code, reason))
        await asyncio.shield(self._closed_by_us)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ServerEvent:
        try:
            return await self.recv()
        except ConnectionClosedError as error:
            if error.code not in (NORMAL, NO_STATUS):
                raise
        raise StopAsyncIteration

    async def _close(self, code: int, reason: str) -> None:
        self._socket.drop()
        self._socket.end_in_time()
        try:
            if self._socket.state is State.OPEN:
                await self._socket.close(code, reason)
            await self._socket.wait_closed()
        except asyncio.CancelledError:  # the event loop ends
            self._socket.transport.abort()
            raise
        if self._record:
            await asyncio.to_thread(self._record.close)
        _logger.debug("closed with %s, session %s", self._socket.close_code, self.session_id)

    async def _send(self, name: str, data: bytes, event: Any, audio_sent: int = 0) -> None:
        error = None
        try:
            # While it closes, `websockets` would abort a transport that may have ended already,
            # which asyncio does not take.
            if self._socket.protocol.state is State.OPEN:
                self._sending(name, data, event)
                await self._socket.send_text(data)
            else:
                await self._socket.wait_closed()
        except ConnectionClosed as caught:
            error = self._closed(caught, name, audio_sent)
        # A connection that is dropped while `send` waits does not make it raise.
        if error is None and self._socket.protocol.state is State.CLOSED:
            error = self._closed(self._socket.protocol.close_exc, name, audio_sent)
        if error:
            raise error
        _logger.debug("sent %.100s, session %s", name, self._session_id)


class Connection(_Session[ServerEvent, ClientEvent]):
    """A session for threads. Iterate to receive every event until the session is closed.

    Iteration ends when the session was closed normally, and otherwise raises what `recv` does.
    One thread may receive while others send.
    """

    def __init__(
        self,
        socket: Socket,
        dialect: Dialect[ServerEvent],
        host: str,
        headers: Headers,
    ) -> None:
        super().__init__(dialect, host, headers)
        self._socket: Socket = socket

    def send(self, event: ClientEvent) -> None:
        """Send one event.

        Returns when the operating system has taken it, so a slow network slows the sender down.
        An exception that interrupts writing, such as that of Ctrl-C, ends the session.

        Args:
            event: An instance of a client event's class, or a dictionary with a `type`, in which
                models may stand.

        Raises:
            ConnectionClosedError: The session is closed. What of the event arrived is not known.
            ValueError: A dictionary has no `type`, or is not JSON.
            TypeError: It is neither an event nor a dictionary.
        """
        name, data = _encoded(event)
        self._send(name, data, event)

    def send_audio(self, audio: bytes | bytearray | memoryview) -> None:
        """Append audio to the input buffer.

        It goes out in events of at most 96 KiB, 2 s of PCM at 24 kHz.

        Args:
            audio: Its bytes, in the session's input format and without a header.

        Raises:
            ConnectionClosedError: The session is closed; `audio_sent` counts the bytes that
                earlier events had sent.
        """
        for sent, data, event in self._audio_events(audio):
            self._send(self._dialect.append, data, event, sent)

    def recv(self, timeout: float | None = None) -> ServerEvent:
        """Wait for the next event.

        Args:
            timeout: The most seconds to wait, or `None` for no limit.

        Raises:
            TimeoutError: None came in time.
            ConnectionClosedError: There will be no more; its subclasses say why.
            InvalidEventError: A message is not an event. The session goes on after that.
        """
        try:
            data = self._socket.recv(timeout, decode=False)
        except ConnectionClosed as caught:
            error = self._closed(caught)
        else:
            return self._received(data)
        raise error

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the session and wait for the server to do so; a second time does nothing.

        It waits at most `close_timeout` seconds, then it cuts the connection, which also ends a
        `send` in another thread. Events that were not received yet are dropped.

        Args:
            code: Code of the close frame: 1000 to 1014 as far as it may be sent, or 3000 to 4999.
            reason: Reason, of at most 123 bytes of UTF-8.

        Raises:
            ValueError: No close frame can hold `code` or `reason`; nothing has happened.
        """
        check_close(code, reason)
        self._socket.drop()
        self._socket.end_in_time()
        self._socket.close(code, reason)
        self._socket.stop_timer()
        if self._record:
            self._record.close()
        _logger.debug("closed with %s, session %s", self._socket.close_code, self.session_id)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ServerEvent:
        try:
            return self.recv()
        except ConnectionClosedError as error:
            if error.code not in (NORMAL, NO_STATUS):
                raise
        raise StopIteration

    def _send(self, name: str, data: bytes, event: Any, audio_sent: int = 0) -> None:
        error = None
        try:
            if self._socket.protocol.state is State.OPEN:
                self._sending(name, data, event)
            self._socket.send_text(data)
        except ConnectionClosed as caught:
            error = self._closed(caught, name, audio_sent)
        if error:
            raise error
        _logger.debug("sent %.100s, session %s", name, self._session_id)


class _Connector(Settings, Generic[ServerEvent, ClientEvent]):
    """What both kinds of connectors share."""

    _is_entered = False

    @contextmanager
    def _entering(self) -> Generator[None]:
        if self._is_entered:
            raise RuntimeError(
                "its session is open: call `connect` again for another at the same time"
            )
        self._is_entered = True
        try:
            yield
        except BaseException:
            self._is_entered = False
            raise

    def _websocket_options(self) -> dict[str, Any]:
        """The arguments of `websockets`, with defaults for audio as base64 in long sessions."""
        defaults: dict[str, Any] = {
            # It saves a quarter of the bytes, and costs far more time than all the rest.
            "compression": None,
            "logger": _socket_logger,
            "max_size": 2**26,
            "ping_interval": 20,
            "ping_timeout": 20,
            "close_timeout": 10,
        }
        if self._base.is_loopback:
            defaults["proxy"] = None
        return {**defaults, **self._options}

    def _start_record(self, headers: Headers) -> SessionRecord | None:
        return self._record.start(headers.conceal) if self._record else None

    def _connected(
        self,
        connection: Opened,
        record: SessionRecord | None,
        tcp: socket.socket | None,
        options: Mapping[str, Any],
    ) -> Opened:
        _logger.debug("connected to %s", self._base.host)
        _give_up_when_stuck(tcp, options)
        connection.observe(record, self._conversation)
        return connection

    def _failed(
        self, error: Exception, headers: Headers, record: SessionRecord | None
    ) -> Exception:
        """The error to raise, outside of the `except`: those of `websockets` hold requests."""
        if record:
            record.close()
        if not isinstance(error, _FAILURES):  # An option that `websockets` does not take.
            return (TypeError if isinstance(error, TypeError) else ValueError)(str(error))
        return connection_failure(self._base.where, error, headers.conceal)


class AsyncConnector(_Connector[ServerEvent, ClientEvent]):
    """What `connect` gives: `async with` opens a session and closes it, `open` opens one.

    Each time is a new session, with a new key where the key is a function. One block at a time.
    """

    _connection: AsyncConnection[ServerEvent, ClientEvent]

    async def open(self) -> AsyncConnection[ServerEvent, ClientEvent]:
        """Open a session, which the caller closes.

        Raises:
            ConnectionSettingsError: The arguments of `connect` do not make a connection.
            HandshakeRefusedError: The server answered with an HTTP status.
            ConnectionFailedError: No server was reached.
        """
        url, options = SecretStr(self._url()), self._websocket_options()
        # So that `send` waits until all is on its way. With 0, TLS in asyncio would pause after
        # every second event, until the server says something.
        options["write_limit"] = options.get("write_limit") or 1
        headers = await self._handshake_headers_async()
        record = await asyncio.to_thread(self._start_record, headers) if self._record else None
        try:
            socket: Any = await websockets.asyncio.client.connect(
                url.get_secret_value(),
                additional_headers=headers,
                create_connection=AsyncSocket,
                **options,
            )
        except (*_FAILURES, TypeError, ValueError) as caught:
            error = self._failed(caught, headers, record)
        else:
            connection: AsyncConnection[ServerEvent, ClientEvent] = AsyncConnection(
                socket, self._dialect, self._base.host, headers
            )
            tcp = socket.transport.get_extra_info("socket")
            return self._connected(connection, record, tcp, options)
        raise error

    async def __aenter__(self) -> AsyncConnection[ServerEvent, ClientEvent]:
        with self._entering():
            self._connection = await self.open()
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        self._is_entered = False
        await self._connection.close()


class Connector(_Connector[ServerEvent, ClientEvent]):
    """What `connect_sync` gives: `with` opens a session and closes it, `open` opens one.

    Each time is a new session, with a new key where the key is a function. One block at a time.
    """

    _connection: Connection[ServerEvent, ClientEvent]

    def open(self) -> Connection[ServerEvent, ClientEvent]:
        """Open a session, which the caller closes.

        Raises:
            ConnectionSettingsError: The arguments of `connect` do not make a connection.
            HandshakeRefusedError: The server answered with an HTTP status.
            ConnectionFailedError: No server was reached.
        """
        url, options = SecretStr(self._url()), self._websocket_options()
        headers = self._handshake_headers()
        record = self._start_record(headers)
        try:
            # Newer versions of `websockets` want the context entered, older ones do not mind.
            socket: Socket = _connect_sync(
                url.get_secret_value(),
                additional_headers=headers,
                create_connection=Socket,
                **options,
            ).__enter__()
        except (*_FAILURES, TypeError, ValueError) as caught:
            error = self._failed(caught, headers, record)
        else:
            connection: Connection[ServerEvent, ClientEvent] = Connection(
                socket, self._dialect, self._base.host, headers
            )
            return self._connected(connection, record, socket.socket, options)
        raise error

    def __enter__(self) -> Connection[ServerEvent, ClientEvent]:
        with self._entering():
            self._connection = self.open()
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._is_entered = False
        self._connection.close()


# How it is overloaded is too much for type checkers.
_connect_sync: Any = websockets.sync.client.connect


# What opening raises: UnicodeError is for names that no host can have, and on Python 3.10 asyncio
# has a TimeoutError of its own.
_FAILURES = (OSError, WebSocketException, asyncio.TimeoutError, UnicodeError, ImportError)


def _give_up_when_stuck(tcp: socket.socket | None, options: Mapping[str, Any]) -> None:
    """Let the system end a connection that takes no more, for no ping gets through to tell.

    By default it would go on trying for a quarter of an hour.
    """
    interval, timeout = options["ping_interval"], options["ping_timeout"]
    option: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux has it
    # It has no socket any more where the server ended it at once.
    if tcp and option and interval and timeout and tcp.family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):  # The server may have ended it already.
            tcp.setsockopt(socket.IPPROTO_TCP, option, int((interval + timeout) * 1000))


def _encoded(event: Any) -> tuple[str, bytes]:
    """The `type` of an event, and its JSON."""
    if isinstance(event, RealtimeModel):
        name, data = getattr(event, "type", None), json_bytes(event)
    elif isinstance(event, Mapping):
        fields = cast(Mapping[str, Any], event)
        name, data = fields.get("type"), dumped(fields)
    else:
        raise TypeError(f"send takes an event or a dictionary, not {type(event).__name__}")
    if not isinstance(name, str):
        raise ValueError("an event to send has a `type`, which is a string")
    return str(name), data
