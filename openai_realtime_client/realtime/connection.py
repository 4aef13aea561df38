"""Sessions over WebSocket: `AsyncConnection` for asyncio, `Connection` for threads.

`websockets` does the protocol and `core.events` the parsing; `_Session` holds what is not I/O.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from base64 import b64encode
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Thread
from types import TracebackType
from typing import Any, ClassVar, Generic, TypeVar, cast

from pydantic import SecretStr
from typing_extensions import Self

from openai_realtime_client.core.encoding import dumped
from openai_realtime_client.core.json_types import is_object
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.realtime.endpoint import (
    AzureSettings,
    Dialect,
    Headers,
    Key,
    Settings,
)
from openai_realtime_client.realtime.errors import (
    LOST,
    NO_STATUS,
    NORMAL,
    ConnectionClosedError,
    ConnectionFailedError,
    HandshakeRefusedError,
    closed,
)

try:
    import websockets.asyncio.client
    import websockets.sync.client
except ModuleNotFoundError:
    raise ImportError('connections need websockets: pip install "websockets>=15"') from None
from websockets.exceptions import (
    ConcurrencyError,
    ConnectionClosed,
    InvalidStatus,
    WebSocketException,
)
from websockets.http11 import Response
from websockets.protocol import State

__all__ = ["AsyncConnection", "AsyncConnector", "Connection", "Connector"]

ServerEvent = TypeVar("ServerEvent")
ClientEvent = TypeVar("ClientEvent")

_logger = logging.getLogger("openai_realtime_client")
# What `websockets` tells while debugging has headers and payloads in it.
_socket_logger = logging.getLogger("openai_realtime_client.websockets")
_socket_logger.addFilter(lambda record: record.levelno > logging.DEBUG)

# 2 s of PCM at 24 kHz: far below the 15 MiB that the service takes at once, no base64 padding.
_AUDIO_CHUNK = 3 * 2**15
_STATES = {
    "session.created",
    "session.updated",
    "transcription_session.created",
    "transcription_session.updated",
}
_INTERNAL_ERROR = 1011


class _Session(Generic[ServerEvent, ClientEvent]):
    """What both kinds of connections share: all that is not I/O."""

    def __init__(self, dialect: Dialect[ServerEvent], host: str, headers: Headers) -> None:
        self._dialect = dialect
        self._host = host
        self._headers = headers
        self._closing: tuple[int, str] | None = None
        self._state: Any = None
        self._id: str | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} to {self._host}, session {self.session_id}>"

    @property
    def session(self) -> Any:
        """The latest state of the session, from `session.created` or `session.updated`.

        `None` until the first of them was received.
        """
        return self._state

    @property
    def session_id(self) -> str | None:
        """The server's id of the session, or `None` until `session.created` was received."""
        return self._id

    def _received(self, data: bytes) -> ServerEvent:
        event: Any = self._dialect.parse(data)
        _logger.debug("received %.100s", event.type)
        if event.type in _STATES:
            self._note(getattr(event, "session", None))
        return event  # type: ignore[no-any-return]

    def _note(self, session: Any) -> None:
        # A dictionary in an event that the schema does not know, such as those of other servers.
        found = session.get("id") if is_object(session) else getattr(session, "id", None)
        self._id = found if isinstance(found, str) else self._id
        self._state = self._state if session is None else session

    def _closed(
        self, error: ConnectionClosed, unsent: str | None = None, audio_sent: int = 0
    ) -> ConnectionClosedError:
        is_ours = error.rcvd is None or error.rcvd_then_sent is False
        close = error.sent if is_ours else error.rcvd
        if close is None:
            return closed(LOST, "", unsent, audio_sent)
        # What goes wrong inside `websockets` is that pings are not answered.
        is_dead = is_ours and close.code == _INTERNAL_ERROR and not self._closing
        reason = self._headers.conceal(close.reason)
        return closed(LOST if is_dead else close.code, reason, unsent, audio_sent)

    def _audio_events(self, audio: bytes | bytearray | memoryview) -> Iterator[tuple[int, str]]:
        """What appends `audio`: the bytes that were before, and the JSON of one event."""
        view = memoryview(audio).cast("B")
        for start in range(0, len(view), _AUDIO_CHUNK):
            chunk = b64encode(view[start : start + _AUDIO_CHUNK]).decode()
            yield start, f'{{"type":"{self._dialect.append}","audio":"{chunk}"}}'


class AsyncConnection(_Session[ServerEvent, ClientEvent]):
    """A session for asyncio. Iterate to receive every event until the session is closed.

    Iteration ends when the session was closed normally, and otherwise raises what `recv` does.
    """

    def __init__(
        self,
        socket: websockets.asyncio.client.ClientConnection,
        dialect: Dialect[ServerEvent],
        host: str,
        headers: Headers,
        close_timeout: float | None,
    ) -> None:
        super().__init__(dialect, host, headers)
        self._socket = socket
        self._close_timeout = close_timeout
        self._closed_by_us: asyncio.Future[None] | None = None

    async def send(self, event: ClientEvent | Mapping[str, Any]) -> None:
        """Send one event: an instance of a client event's class, or a dictionary with a `type`.

        Returns when the operating system has taken it, so a slow network slows the sender down.
        Cancelling does not take back what is being sent.

        Raises `ConnectionClosedError` when the event was not sent, `ValueError` for a dictionary
        without `type` or that is not JSON, `TypeError` for anything else.
        """
        name, text = _encoded(event)
        await self._send(name, text)

    async def send_audio(self, audio: bytes | bytearray | memoryview) -> None:
        """Append audio to the input buffer, in the session's input format and without a header.

        It goes out in events of at most 96 KiB, 2 s of PCM at 24 kHz. Raises
        `ConnectionClosedError`; its `audio_sent` tells how many bytes had been sent.
        """
        for sent, text in self._audio_events(audio):
            await self._send(self._dialect.append, text, sent)

    async def recv(self) -> ServerEvent:
        """Wait for the next event. Cancelling loses none.

        Raises `ConnectionClosedError` or one of its subclasses when there will be no more, and
        `InvalidEventError` for a message that is no event; the session goes on after that.
        """
        try:
            data = await self._socket.recv(decode=False)
        except ConnectionClosed as caught:
            error = self._closed(caught)
        except ConcurrencyError:
            if not self._closing:
                raise
            error = closed(*self._closing)
        else:
            return self._received(data)
        raise error

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the session and wait for the server to do so; a second time does nothing.

        Events that were not received yet are dropped. Cancelling goes on closing, without waiting.
        """
        if self._closed_by_us is None:
            self._closing = code, reason
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
        discarding = asyncio.ensure_future(self._discard())
        try:
            if self._socket.state is State.OPEN:
                # By itself it waits without limit for what was sent before to go out.
                await asyncio.wait_for(self._socket.close(code, reason), self._close_timeout)
            await discarding
        except asyncio.TimeoutError:
            self._socket.transport.abort()
            await discarding
        except asyncio.CancelledError:  # the event loop ends
            self._socket.transport.abort()
            raise
        _logger.debug("closed with %s", self._socket.close_code)

    async def _discard(self) -> None:
        """Read on, because the server's close frame may come after more than the queue holds."""
        with suppress(ConnectionClosed, ConcurrencyError):
            while True:
                await self._socket.recv(decode=False)

    async def _send(self, name: str, text: str, audio_sent: int = 0) -> None:
        error = None
        try:
            # While it closes, `websockets` would abort a transport that may have ended already,
            # which asyncio does not take.
            if self._socket.state is State.OPEN:
                await self._socket.send(text)
            else:
                await self._socket.wait_closed()
        except ConnectionClosed as caught:
            error = self._closed(caught, name, audio_sent)
        # A connection that is dropped while `send` waits does not make it raise.
        if error is None and self._socket.close_code is not None:
            reason = self._headers.conceal(self._socket.close_reason or "")
            error = closed(self._socket.close_code, reason, name, audio_sent)
        if error:
            raise error
        _logger.debug("sent %.100s", name)


class Connection(_Session[ServerEvent, ClientEvent]):
    """A session for threads. Iterate to receive every event until the session is closed.

    Iteration ends when the session was closed normally, and otherwise raises what `recv` does.
    One thread may receive while others send.
    """

    def __init__(
        self,
        socket: websockets.sync.client.ClientConnection,
        dialect: Dialect[ServerEvent],
        host: str,
        headers: Headers,
    ) -> None:
        super().__init__(dialect, host, headers)
        self._socket = socket

    def send(self, event: ClientEvent | Mapping[str, Any]) -> None:
        """Send one event: an instance of a client event's class, or a dictionary with a `type`.

        Returns when the operating system has taken it, so a slow network slows the sender down.

        Raises `ConnectionClosedError` when the event was not sent, `ValueError` for a dictionary
        without `type` or that is not JSON, `TypeError` for anything else.
        """
        name, text = _encoded(event)
        self._send(name, text)

    def send_audio(self, audio: bytes | bytearray | memoryview) -> None:
        """Append audio to the input buffer, in the session's input format and without a header.

        It goes out in events of at most 96 KiB, 2 s of PCM at 24 kHz. Raises
        `ConnectionClosedError`; its `audio_sent` tells how many bytes had been sent.
        """
        for sent, text in self._audio_events(audio):
            self._send(self._dialect.append, text, sent)

    def recv(self, timeout: float | None = None) -> ServerEvent:
        """Wait for the next event, at most `timeout` seconds or without limit.

        Raises `TimeoutError` when none came in time, `ConnectionClosedError` or one of its
        subclasses when there will be no more, and `InvalidEventError` for a message that is no
        event; the session goes on after that.
        """
        try:
            data = self._socket.recv(timeout, decode=False)
        except ConnectionClosed as caught:
            error = self._closed(caught)
        except ConcurrencyError:
            if not self._closing:
                raise
            error = closed(*self._closing)
        else:
            return self._received(data)
        raise error

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the session and wait for the server to do so; a second time does nothing.

        Events that were not received yet are dropped.
        """
        self._closing = self._closing or (code, reason)
        discarding = Thread(target=self._discard, name="discarding", daemon=True)
        discarding.start()
        self._socket.close(code, reason)
        discarding.join()
        _logger.debug("closed with %s", self._socket.close_code)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ServerEvent:
        try:
            return self.recv()
        except ConnectionClosedError as error:
            if error.code not in (NORMAL, NO_STATUS):
                raise
        raise StopIteration

    def _discard(self) -> None:
        """Read on, because the server's close frame may come after more than the queue holds."""
        with suppress(ConnectionClosed, ConcurrencyError):
            while True:
                self._socket.recv(decode=False)

    def _send(self, name: str, text: str, audio_sent: int = 0) -> None:
        error = None
        try:
            self._socket.send(text)
        except ConnectionClosed as caught:
            error = self._closed(caught, name, audio_sent)
        if error:
            raise error
        _logger.debug("sent %.100s", name)


class _Connector(Generic[ServerEvent, ClientEvent]):
    """What both kinds of connectors share."""

    _dialect: ClassVar[Dialect[Any]]

    def __init__(
        self,
        model: str | None = None,
        *,
        call_id: str | None = None,
        intent: str | None = None,
        api_key: Key | None = None,
        azure: AzureSettings | None = None,
        base_url: str | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        allow_insecure: bool = False,
        websocket_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Take the settings of a session. Nothing happens until it is opened.

        Args:
            model: The model of a new session. With neither `model`, `call_id` nor `intent` the key
                decides, as an ephemeral client secret does.
            call_id: The id of a call to attach to, in place of a new session.
            intent: `transcription` for a transcription session of `realtime=v1`.
            api_key: A key or client secret, or a function that returns one for each connection (a
                coroutine function with asyncio only). By default `OPENAI_API_KEY`; "" sends none.
            azure: A deployment on Azure, as `azure(…)` returns it. It replaces `model`, `api_key`
                and `base_url`.
            base_url: The server's URL, to which the protocol's path is appended. By default
                `OPENAI_BASE_URL`, or else `wss://api.openai.com/v1`.
            headers: Headers to add to the handshake.
            query: Parameters to add to the URL.
            allow_insecure: Whether a key may go unencrypted over `ws://` to another machine.
            websocket_options: Arguments of `websockets` (`proxy`, `ssl`, `open_timeout`,
                `ping_interval`, `max_queue`, …). Unlike there, `max_size` is 64 MiB, there is no
                `compression`, and a server on this machine is reached without a proxy.
        """
        self._settings = Settings(
            self._dialect,
            model=model,
            call_id=call_id,
            intent=intent,
            api_key=api_key,
            azure=azure,
            base_url=base_url,
            headers=headers,
            query=query,
            allow_insecure=allow_insecure,
        )
        self._options = websocket_options or {}
        self._is_entered = False

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


class AsyncConnector(_Connector[ServerEvent, ClientEvent]):
    """What `connect` gives: `async with` opens a session and closes it, `open` opens one.

    Each time is a new session, with a new key where the key is a function. One block at a time.
    """

    _connection: AsyncConnection[ServerEvent, ClientEvent]

    async def open(self) -> AsyncConnection[ServerEvent, ClientEvent]:
        """Open a session, which the caller closes.

        Raises `ConnectionSettingsError`, `HandshakeRefusedError` or `ConnectionFailedError`.
        """
        url, host = SecretStr(self._settings.url()), self._settings.host
        options = _options(self._settings, self._options)
        options.setdefault("write_limit", 0)  # so that `send` waits until all is on its way
        headers = await self._settings.headers_async()
        try:
            socket = await websockets.asyncio.client.connect(
                url.get_secret_value(),
                additional_headers=headers,
                create_connection=_AsyncSocket,
                **options,
            )
        except _FAILURES as caught:
            error = _failed(caught, host, headers)
        else:
            _logger.debug("connected to %s", host)
            _give_up_when_stuck(socket.transport.get_extra_info("socket"), options)
            return AsyncConnection(socket, self._dialect, host, headers, options["close_timeout"])
        raise error

    async def __aenter__(self) -> AsyncConnection[ServerEvent, ClientEvent]:
        with self._entering():
            self._connection = await self.open()
        return self._connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_entered = False
        await self._connection.close()


class Connector(_Connector[ServerEvent, ClientEvent]):
    """What `connect_sync` gives: `with` opens a session and closes it, `open` opens one.

    Each time is a new session, with a new key where the key is a function. One block at a time.
    """

    _connection: Connection[ServerEvent, ClientEvent]

    def open(self) -> Connection[ServerEvent, ClientEvent]:
        """Open a session, which the caller closes.

        Raises `ConnectionSettingsError`, `HandshakeRefusedError` or `ConnectionFailedError`.
        """
        url, host = SecretStr(self._settings.url()), self._settings.host
        options = _options(self._settings, self._options)
        headers = self._settings.headers()
        try:
            # Newer versions of `websockets` want the context entered, older ones do not mind.
            socket: websockets.sync.client.ClientConnection = _connect_sync(
                url.get_secret_value(),
                additional_headers=headers,
                create_connection=_Socket,
                **options,
            ).__enter__()
        except _FAILURES as caught:
            error = _failed(caught, host, headers)
        else:
            _logger.debug("connected to %s", host)
            _give_up_when_stuck(socket.socket, options)
            return Connection(socket, self._dialect, host, headers)
        raise error

    def __enter__(self) -> Connection[ServerEvent, ClientEvent]:
        with self._entering():
            self._connection = self.open()
        return self._connection

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_entered = False
        self._connection.close()


# How it is overloaded is too much for type checkers.
_connect_sync: Any = websockets.sync.client.connect


class _NoRedirect(WebSocketException):
    """Wraps a refusal, so that `websockets` follows no redirect: it could take the key away."""

    def __init__(self, response: Response) -> None:
        self.response = response


class _AsyncSocket(websockets.asyncio.client.ClientConnection):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # Before version 17, `websockets` cannot put the beginning of a fragmented message back when
        # `recv` is cancelled while more of it arrives.
        frames: Any = self.recv_messages.frames

        def put_back(items: list[Any]) -> None:
            frames.queue.extendleft(reversed(items))

        if hasattr(frames, "reset"):
            frames.reset = put_back

    async def handshake(self, *args: Any, **kwargs: Any) -> None:
        try:
            await super().handshake(*args, **kwargs)
        except InvalidStatus as error:
            raise _NoRedirect(error.response) from None


class _Socket(websockets.sync.client.ClientConnection):
    def handshake(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().handshake(*args, **kwargs)
        except InvalidStatus as error:
            raise _NoRedirect(error.response) from None


# What opening raises: UnicodeError is for names that no host can have, and on Python 3.10 asyncio
# has a TimeoutError of its own.
_FAILURES = (OSError, WebSocketException, asyncio.TimeoutError, UnicodeError)


# Errors are raised outside the `except` that makes them: those of `websockets` hold requests.
def _failed(error: Exception, host: str, headers: Headers) -> ConnectionFailedError:
    if isinstance(error, _NoRedirect):
        response = error.response
        told = {name: headers.conceal(value) for name, value in response.headers.raw_items()}
        body = headers.conceal((response.body or b"").decode("latin-1")).encode("latin-1")
        return HandshakeRefusedError(response.status_code, told, body)
    # Of the others, the text may hold a URL with its query, or a proxy's password.
    why = f": {error}" if isinstance(error, OSError) else ""
    return ConnectionFailedError(f"no connection to {host}: {type(error).__name__}{why}")


def _options(settings: Settings, own: Mapping[str, Any]) -> dict[str, Any]:
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
    if settings.is_loopback:
        defaults["proxy"] = None
    return {**defaults, **own}


def _give_up_when_stuck(tcp: socket.socket, options: Mapping[str, Any]) -> None:
    """Let the system end a connection that takes no more, for no ping gets through to tell.

    By default it would go on trying for a quarter of an hour.
    """
    interval, timeout = options["ping_interval"], options["ping_timeout"]
    option: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux has it
    if option and interval and timeout and tcp.family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):  # The server may have ended it already.
            tcp.setsockopt(socket.IPPROTO_TCP, option, int((interval + timeout) * 1000))


def _encoded(event: Any) -> tuple[str, str]:
    """The `type` of an event, and its JSON."""
    if isinstance(event, RealtimeModel):
        name, text = getattr(event, "type", None), event.to_json()
    elif isinstance(event, Mapping):
        fields = cast(Mapping[str, Any], event)
        name, text = fields.get("type"), dumped(fields)
    else:
        raise TypeError(f"send takes an event or a dictionary, no {type(event).__name__}")
    if not isinstance(name, str):
        raise ValueError("an event to send has a `type`, which is a string")
    return str(name), text
