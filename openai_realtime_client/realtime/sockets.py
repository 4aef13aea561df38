"""One WebSocket for asyncio, on the Sans-I/O protocol of `websockets`.

Unlike the connections of `websockets`, every wait is bounded: pings go out only while the server
is silent and end the connection when it stays silent, and closing ends in time. Messages are
joined here, because `websockets` limits their fragments in number, not in size.

All that is used of `websockets` is in this module. Its `connect` does proxies, TLS and the timeout
of opening, and calls `handshake`, `start_keepalive`, `transport` and the callbacks of
`asyncio.Protocol` here; the rest is its documented Sans-I/O protocol.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import sys
import threading
from array import array
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any, cast
from urllib.parse import unquote

from openai_realtime_client.core.errors import MissingDependencyError, RealtimeConnectionError

try:
    import websockets.asyncio.client
    from websockets.client import ClientProtocol
    from websockets.exceptions import (
        InvalidProxy,
        InvalidStatus,
        InvalidURI,
        ProtocolError,
        WebSocketException,
    )
    from websockets.frames import Close, Frame, Opcode
    from websockets.http11 import Response
    from websockets.protocol import State
except ImportError:  # Missing, or too old to have all of these.
    raise MissingDependencyError(
        'connections need websockets: pip install "websockets>=15"'
    ) from None

try:
    import fcntl
    import termios
except ImportError:  # Windows has neither.
    fcntl = termios = None  # type: ignore[assignment]

__all__ = ["FAILURES", "SETTINGS_FAILURES", "Socket", "check_close", "open_socket"]

_logger = logging.getLogger("openai_realtime_client")

_DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
# asyncio and uvloop buffer this much between TLS and TCP before they pause writing.
_TLS_BUFFER = 2**16

# What opening raises: UnicodeError is for names that no host can have, ImportError for a SOCKS
# proxy without python-socks, and on Python 3.10 asyncio has a TimeoutError of its own.
FAILURES = (OSError, WebSocketException, asyncio.TimeoutError, UnicodeError, ImportError)
# Those that come again at the next attempt.
SETTINGS_FAILURES = (InvalidProxy, InvalidURI, UnicodeError, ImportError)


# Its exports are incomplete, and its overloads too many for type checkers.
_client: Any = websockets.asyncio.client
_parse_proxy = _client.parse_proxy


def _parse_proxy_decoded(url: str) -> Any:
    """Return the parts of a proxy's URL, its user and password percent-decoded."""
    proxy = _parse_proxy(url)
    if proxy.username:
        proxy = replace(
            proxy, username=unquote(proxy.username), password=unquote(proxy.password or "")
        )
    return proxy


# Before 17.4, websockets sends a user and password to proxies as they stand in the URL:
# https://github.com/python-websockets/websockets/issues/1761
if _parse_proxy("http://%75:p@proxy").username != "u":
    _client.parse_proxy = _parse_proxy_decoded


async def open_socket(url: str, headers: Mapping[str, str], options: Mapping[str, Any]) -> Socket:
    """Open a WebSocket on the running event loop; `options` are those of `websockets`."""
    opening = _client.connect(url, additional_headers=headers, create_connection=Socket, **options)
    try:
        opened: Socket = await opening
    except ImportError:
        raise ImportError(
            'a SOCKS proxy needs one more package: pip install "python-socks[asyncio]"'
        ) from None
    return opened


def check_close(code: int, reason: str) -> None:
    """Raise `ValueError` for what no close frame can hold, before anything happens."""
    try:
        Frame(Opcode.CLOSE, Close(code, reason).serialize()).check()
    except ProtocolError:
        raise ValueError(
            f"invalid close code {code} or reason; expected 1000-1003, 1007-1014 or 3000-4999, and "
            "at most 123 bytes of UTF-8"
        ) from None


class RefusedError(WebSocketException):
    """A refused handshake. `websockets` follows `InvalidStatus`, maybe with the key; not this."""

    def __init__(self, response: Response) -> None:
        # Without it as an argument, which `repr` would show: it may repeat a key.
        super().__init__()
        self.response = response


class Socket(asyncio.Protocol):
    """A WebSocket on an event loop. `recv_in_thread` may be called from another thread.

    The arguments are those of `websockets.asyncio.client.ClientConnection`.
    """

    transport: asyncio.Transport

    def __init__(
        self,
        protocol: ClientProtocol,
        *,
        ping_interval: float | None,
        ping_timeout: float | None,
        close_timeout: float | None,
        max_queue: int | tuple[int | None, int | None] | None,
        write_limit: int | tuple[int, int | None],
    ) -> None:
        self.protocol = protocol
        self.loop = asyncio.get_running_loop()
        # Done when the connection has ended.
        self.closed: asyncio.Future[None] = self.loop.create_future()
        # Why the connection was lost; empty where a close frame says why it ended.
        self.loss_reason = ""
        self._ping_interval = ping_interval
        self._ping_timeout = ping_timeout
        self._close_timeout = close_timeout
        self._write_limits = _limits(write_limit)
        high, low = _limits(max_queue)
        if high is None:
            high = sys.maxsize
        self._max_queue, self._min_queue = high, low or high // 4
        self._is_tls = False
        self._is_closing = False
        self._ending: asyncio.TimerHandle | None = None
        self._keepalive: asyncio.Task[None] | None = None
        self._response: asyncio.Future[None] = self.loop.create_future()
        # Receiving: complete messages, and `None` where there will be no more.
        self._messages: SimpleQueue[bytes | None] = SimpleQueue()
        self._fragments = bytearray()
        self._is_paused = False
        self._last_received = self.loop.time()
        self._data_received = asyncio.Event()
        self._receiving = threading.Lock()
        self._arrived: asyncio.Future[None] | None = None
        # Sending waits for it while the buffers are full.
        self._writable: asyncio.Future[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self.protocol.state is State.OPEN and not self.transport.is_closing()

    @property
    def close_code(self) -> int | None:
        """The code of the server's close frame, or 1006 where there was none."""
        return self.protocol.close_code

    @property
    def close_frame(self) -> Close | None:
        """The close frame that ended the connection; `None` where it was lost."""
        received, sent = self.protocol.close_rcvd, self.protocol.close_sent
        if received is not None and self.protocol.close_rcvd_then_sent is not False:
            return received
        # Our own may not have left.
        if received is None and self._is_closing and self.loss_reason:
            return None
        return sent

    async def handshake(
        self, additional_headers: Mapping[str, str] | None, user_agent_header: str | None
    ) -> None:
        """Do the opening handshake.

        Raises:
            RefusedError: The server answered with an HTTP status.
            WebSocketException: The server answered something else.
        """
        if not self.closed.done():
            request = self.protocol.connect()
            request.headers.update(additional_headers or {})
            if user_agent_header is not None:
                request.headers.setdefault("User-Agent", user_agent_header)
            self.protocol.send_request(request)
            self._flush()
        await asyncio.wait([self._response, self.closed], return_when=asyncio.FIRST_COMPLETED)
        error = self.protocol.handshake_exc
        if isinstance(error, InvalidStatus):
            raise RefusedError(error.response)
        if error is not None:
            raise error

    def start_keepalive(self) -> None:
        """Start to look after a server that is silent."""
        if self._ping_interval is not None:
            self._keepalive = self.loop.create_task(self._keep_alive(self._ping_interval))

    async def send(self, data: bytes) -> bool:
        """Send a message, and wait while the buffers are full.

        Returns:
            Whether the connection is still there. If not, it has ended.
        """
        if not self.is_open:
            await asyncio.shield(self.closed)
            return False
        self.protocol.send_text(data)
        self._flush()
        if self._writable is not None:
            await asyncio.shield(self._writable)
        return not self.closed.done()

    async def recv(self) -> bytes | None:
        """Wait for the next message; `None` where there will be no more. Cancelling loses none."""
        self._begin_receiving()
        try:
            while self._messages.empty():
                self._arrived = self.loop.create_future()
                await self._arrived
            return self._next_message(0)
        finally:
            self._receiving.release()

    def recv_in_thread(self, timeout: float | None) -> bytes | None:
        """Do the same in another thread; raise `TimeoutError` after `timeout` seconds."""
        self._begin_receiving()
        try:
            return self._next_message(timeout)
        except Empty:
            raise TimeoutError(f"no event came within {timeout} s") from None
        finally:
            self._receiving.release()

    async def close(self, code: int, reason: str) -> None:
        """Close, wait for the server to do so, and cut the connection after `close_timeout`."""
        self._is_closing = True
        # The server's close frame comes after messages that nobody will take.
        with suppress(Empty):
            while True:
                self._messages.get_nowait()
        self._resume_reading()
        self._limit_closing()
        if self._writable is not None and self._close_timeout is not None:
            # The close frame waits behind what is being sent. Where it cannot leave this process in
            # half of the time, no response will come in the other half.
            self.loop.call_later(self._close_timeout / 2, self._cut_if_stuck)
        if self.protocol.state is State.OPEN:
            self.protocol.send_close(code, reason)
            self._flush()
        await asyncio.shield(self.closed)
        self._messages.put(None)

    def abort(self) -> None:
        """Cut the connection."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self.transport = cast(asyncio.Transport, transport)
        self._is_tls = transport.get_extra_info("ssl_object") is not None
        self.transport.set_write_buffer_limits(*self._write_limits)
        tcp = transport.get_extra_info("socket")
        option = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux has it.
        if option is not None and self._ping_interval and self._ping_timeout:
            # Pings cannot detect a peer that has stopped reading: by default, the system would go
            # on trying for a quarter of an hour (man 7 tcp).
            milliseconds = int((self._ping_interval + self._ping_timeout) * 1000)
            # A socket of Unix has none, and that of a connection that has ended is closed.
            with suppress(OSError):
                tcp.setsockopt(socket.IPPROTO_TCP, option, milliseconds)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._last_received = self.loop.time()
        self._data_received.set()
        self.protocol.receive_data(data)
        self._take_events()
        if self.protocol.close_expected():
            self._limit_closing()

    def eof_received(self) -> None:
        """See `asyncio.Protocol`."""
        # TLS through a proxy could not be established: asyncio has made no connection.
        if not hasattr(self, "transport"):
            return
        if self.protocol.close_rcvd is None:
            self._note_loss("unexpected EOF, no close frame")
        self.protocol.receive_eof()
        self._take_events()
        self._limit_closing()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        if self.closed.done():
            return
        if exc is not None and self.protocol.close_rcvd is None:
            self._note_loss(_reason_of(exc))
        self.protocol.receive_eof()
        for ending in (self._ending, self._keepalive):
            if ending is not None:
                ending.cancel()
        self.closed.set_result(None)
        self._put_message(None)
        self.resume_writing()
        if hasattr(self, "transport"):
            # Python 3.10 warns of a TLS transport that the server ended:
            # https://github.com/python/cpython/issues/90476
            self.transport.close()

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        if self._writable is None:
            self._writable = self.loop.create_future()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        if self._writable is not None:
            self._writable.set_result(None)
            self._writable = None

    def _take_events(self) -> None:
        events = self.protocol.events_received()
        self._flush()
        for event in events:
            if not isinstance(event, Frame):
                if not self._response.done():
                    self._response.set_result(None)
            elif event.opcode in _DATA and not self._is_closing:
                self._fragments += event.data
                if event.fin:
                    self._put_message(bytes(self._fragments))
                    self._fragments.clear()

    def _put_message(self, message: bytes | None) -> None:
        self._messages.put(message)
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)
        if self._messages.qsize() > self._max_queue and not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()
            # A thread may have taken all of them before it could see that reading pauses.
            if self._messages.qsize() <= self._min_queue:
                self._resume_reading()

    def _begin_receiving(self) -> None:
        if not self._receiving.acquire(blocking=False):
            raise RealtimeConnectionError(
                "another task or thread is receiving: receive in one place, and hand events on"
            )

    def _next_message(self, timeout: float | None) -> bytes | None:
        if timeout is not None:
            timeout = max(timeout, 0)
        message = self._messages.get(timeout=timeout)
        if message is None:
            self._messages.put(None)  # for the next call
        elif self._is_paused and self._messages.qsize() <= self._min_queue:
            self.loop.call_soon_threadsafe(self._resume_reading)
        return message

    def _resume_reading(self) -> None:
        if self._is_paused:
            self._is_paused = False
            # In Python 3.10 there is nothing below TLS when the connection was lost:
            # https://github.com/encode/httpx/issues/1213
            with suppress(AttributeError):
                self.transport.resume_reading()

    def _flush(self) -> None:
        """Write what the protocol has to send; an empty item stands for the end of the stream."""
        for data in self.protocol.data_to_send():
            if self.transport.is_closing():
                return
            if not data:
                if self.transport.can_write_eof():
                    # uvloop raises RuntimeError for a connection that has just ended.
                    with suppress(OSError, RuntimeError):
                        self.transport.write_eof()
                else:
                    self.transport.close()
            elif self._is_tls and len(data) > _TLS_BUFFER:
                # asyncio's TLS (sslproto.py) looks at the buffer below it only when the next write
                # begins: without a second write, it would not pause for this one.
                view = memoryview(data)
                self.transport.write(view[:-1])
                self.transport.write(view[-1:])
            else:
                self.transport.write(data)

    def _limit_closing(self) -> None:
        """Cut the connection if it has not ended after `close_timeout` seconds."""
        if self._ending is None and self._close_timeout is not None:
            self._ending = self.loop.call_later(self._close_timeout, self._cut)

    def _cut_if_stuck(self) -> None:
        if self._writable is not None:
            self._cut()

    def _cut(self) -> None:
        if self.protocol.close_rcvd is None:
            reason = "the server did not answer the close frame in time"
            unsent = self._unsent_bytes()
            if unsent:
                reason += f"; {unsent} bytes of what was sent had not been passed on"
            self._note_loss(reason)
            if self._is_closing:
                _logger.warning("the connection was cut: %s", self.loss_reason)
        self.transport.abort()

    def _note_loss(self, reason: str) -> None:
        if not self.loss_reason:
            self.loss_reason = reason

    def _unsent_bytes(self) -> int:
        """Return how many bytes the other end has not acknowledged, as far as can be known."""
        unsent = self.transport.get_write_buffer_size()
        tcp = self.transport.get_extra_info("socket")
        if fcntl is not None and termios is not None and tcp is not None:
            queued = array("i", [0])
            # SIOCOUTQ of Linux (man 7 tcp), which has the value of TIOCOUTQ.
            with suppress(OSError, ValueError):
                fcntl.ioctl(tcp.fileno(), termios.TIOCOUTQ, queued)
            unsent += queued[0]
        return unsent

    async def _keep_alive(self, interval: float) -> None:
        """Cut the connection when a server that was silent for `interval` stays silent."""
        while self.protocol.state is State.OPEN:
            left = self._last_received + interval - self.loop.time()
            if left > 0:
                await asyncio.sleep(left)
                continue
            if self._is_paused:  # Nobody reads, so nothing can be heard.
                self._last_received = self.loop.time()
                continue
            self._data_received.clear()
            self.protocol.send_ping(b"")
            self._flush()
            # asyncio has a TimeoutError of its own in Python 3.10.
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._data_received.wait(), self._ping_timeout)
            if not self._data_received.is_set():
                self._note_loss("the server did not answer a ping")
                self.transport.abort()
                return


def _limits(limit: Any) -> tuple[Any, Any]:
    """Return the high and the low limit of a buffer from an argument of `websockets`."""
    if isinstance(limit, tuple):
        high, low = cast(tuple[Any, Any], limit)
        return high, low
    return limit, None


def _reason_of(error: Exception) -> str:
    """Return why a connection was lost, e.g. "Connection reset by peer"."""
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or type(error).__name__}"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return type(error).__name__
