"""The WebSockets of connections: where `websockets` is not bounded, or drops what it should keep.

Both kinds send pings only while the server is silent, end when it stays silent, end in time
once they are closing, join fragments themselves, and drop events once `close` was called.
"""

from __future__ import annotations

import asyncio
import errno
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import websockets.asyncio.client
import websockets.sync.client
from websockets.exceptions import ConnectionClosed, InvalidStatus, ProtocolError, WebSocketException
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import Event, State

__all__ = ["AsyncSocket", "NoRedirect", "Socket", "check_close"]

Argument = TypeVar("Argument")
Result = TypeVar("Result")

_DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
_SILENT = "the server did not answer a ping"
_MAX_REASON = 123
# Windows has no poll.
_Selector: Any = getattr(selectors, "PollSelector", selectors.SelectSelector)
# What asyncio and uvloop buffer between TLS and TCP before they pause.
_TLS_BUFFER = 2**16


def check_close(code: int, reason: str) -> None:
    """Refuse what no close frame can hold, before anything happens.

    Raises:
        ValueError: If `code` may not be sent, or `reason` is longer than 123 bytes of UTF-8.
    """
    try:
        Close(code, reason).check()
    except ProtocolError:
        raise ValueError(
            f"a close frame cannot have code {code}: use 1000 or 3000 to 4999"
        ) from None
    size = len(reason.encode())
    if size > _MAX_REASON:
        raise ValueError(f"the reason has {size} bytes of UTF-8: a close frame holds {_MAX_REASON}")


class NoRedirect(WebSocketException):
    """Wraps a refusal, so that `websockets` follows no redirect: it could take the key away."""

    def __init__(self, response: Response) -> None:
        self.response = response


class _Messages:
    """Joins the fragments of messages, which `websockets` limits in number, not in size."""

    recv_messages: Any
    lost_because = ""
    _is_dropping = False
    _opcode: Opcode | None = None
    _data: bytearray

    def drop(self) -> None:
        """Drop what was and will be received, so that the close frame is always reached."""
        self._is_dropping = True
        self.recv_messages.close()

    def _take(self, frame: Frame) -> None:
        if self._opcode or not frame.fin:
            if self._opcode is None:
                self._opcode, self._data = frame.opcode, bytearray()
            self._data += frame.data
            if not frame.fin:
                return
            frame = Frame(self._opcode, bytes(self._data))
            self._opcode, self._data = None, bytearray()
        if not self._is_dropping:
            with suppress(EOFError):  # It is dropping now, or closed.
                self.recv_messages.put(frame)


class AsyncSocket(_Messages, websockets.asyncio.client.ClientConnection):
    """A WebSocket for asyncio."""

    _ending: asyncio.TimerHandle | None = None

    def drop(self) -> None:
        """Drop messages, and read on."""
        super().drop()
        self._resume_reading()

    def end_in_time(self) -> None:
        """Cut the connection if it has not ended after `close_timeout` seconds."""
        if self._ending is None and self.close_timeout is not None:
            self._ending = self.loop.call_later(self.close_timeout, self.transport.abort)

    async def recv(self, decode: bool | None = None) -> Any:
        """Receive a message, unless messages are dropped."""
        if not self._is_dropping:
            return await super().recv(decode)
        await self.wait_closed()
        raise self.protocol.close_exc

    async def send_text(self, data: bytes) -> None:
        """Send a message while the state is open, at half the cost of `send`."""
        self.protocol.send_text(data)
        try:
            self.send_data()
            await self.drain()
        except Exception:
            self.transport.abort()
            await self.wait_closed()
            raise self.protocol.close_exc from None

    async def handshake(self, *args: Any, **kwargs: Any) -> None:
        """Do the opening handshake, and follow no redirect."""
        try:
            await super().handshake(*args, **kwargs)
        except InvalidStatus as error:
            raise NoRedirect(error.response) from None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start."""
        self._news = asyncio.Event()
        self._heard = self.loop.time()
        if transport.get_extra_info("ssl_object"):
            protocol: Any = self.protocol
            self._data_to_send = protocol.data_to_send
            protocol.data_to_send = self._in_writes
        super().connection_made(transport)
        messages: Any = self.recv_messages
        messages.resume = self._resume_reading

    def _resume_reading(self) -> None:
        # In Python 3.10 there is nothing below TLS any more when the connection is lost.
        with suppress(AttributeError):
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._ending is not None:
            self._ending.cancel()
        super().connection_lost(exc)
        self.transport.close()  # Python 3.10 warns of a TLS transport that the server has ended.

    def data_received(self, data: bytes) -> None:
        """Take what the server sent."""
        self._heard = self.loop.time()
        self._news.set()
        super().data_received(data)
        if self.protocol.close_expected():
            self.end_in_time()

    def eof_received(self) -> None:
        """Take the end of what the server sends."""
        super().eof_received()
        self.end_in_time()

    def process_event(self, event: Event) -> None:
        """Take a frame, or the answer to the handshake."""
        if isinstance(event, Frame) and event.opcode in _DATA:
            self._take(event)
        else:
            super().process_event(event)

    def _in_writes(self) -> list[Any]:
        """Split large data: only at the next write does TLS pause for what the last one left."""
        writes: list[Any] = []
        for data in self._data_to_send():
            if len(data) > _TLS_BUFFER:
                view = memoryview(data)
                writes += [view[:-1], view[-1:]]
            else:
                writes.append(data)
        return writes

    async def keepalive(self) -> None:
        """Cut the connection when a server that was silent for `ping_interval` stays silent."""
        assert self.ping_interval is not None
        while self.protocol.state is State.OPEN:
            left = self._heard + self.ping_interval - self.loop.time()
            if left > 0:
                await asyncio.sleep(left)
                continue
            if self.recv_messages.paused:  # Nobody reads, so nothing can be heard.
                self._heard = self.loop.time()
                continue
            self._news.clear()
            # Not `ping()`, which waits without limit where the server does not read.
            self.protocol.send_ping(b"")
            self.send_data()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._news.wait(), self.ping_timeout)
            if not self._news.is_set():
                self.lost_because = _SILENT
                self.transport.abort()
                return


class _LockedTLS:
    """A TLS socket that one thread reads while others write.

    OpenSSL allows neither during the other. Where a server sends session tickets while the client
    writes its first bytes, as any server of TLS 1.3 may, a request was lost in one of a thousand
    handshakes on a busy machine.
    """

    def __init__(self, ssl_socket: ssl.SSLSocket) -> None:
        self.ssl_socket = ssl_socket
        self._lock = threading.Lock()
        self._timeout = ssl_socket.gettimeout()
        ssl_socket.setblocking(False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ssl_socket, name)

    def settimeout(self, timeout: float | None) -> None:
        """Limit each wait, in seconds."""
        self._timeout = timeout

    def recv(self, size: int) -> bytes:
        """Wait for data, and return at most `size` bytes; none when there will be no more."""
        return self._call(self.ssl_socket.recv, size)

    def sendall(self, data: bytes) -> None:
        """Write all of `data`."""
        view = memoryview(data)
        while view:
            view = view[self._call(self.ssl_socket.send, view) :]

    def shutdown(self, how: int) -> None:
        """End one direction, or both, of the connection below TLS, which can be read on."""
        socket.socket.shutdown(self.ssl_socket, how)

    def _call(self, function: Callable[[Argument], Result], argument: Argument) -> Result:
        while True:
            with self._lock:
                try:
                    return function(argument)
                except ssl.SSLWantReadError:
                    event = selectors.EVENT_READ
                except ssl.SSLWantWriteError:
                    event = selectors.EVENT_WRITE
            self._wait(event)

    def _wait(self, event: int) -> None:
        with _Selector() as selector:
            try:
                selector.register(self.ssl_socket, event)
            except ValueError:  # It was closed meanwhile.
                raise OSError(errno.EBADF, "the connection is closed") from None
            if not selector.select(self._timeout):
                raise TimeoutError


class Socket(_Messages, websockets.sync.client.ClientConnection):
    """A WebSocket for threads."""

    def __init__(self, sock: socket.socket, protocol: Any, **kwargs: Any) -> None:
        self._news = threading.Event()
        self._heard = time.monotonic()
        self._ending: threading.Timer | None = None
        self._lock = threading.Lock()
        self._receive_data = protocol.receive_data
        protocol.receive_data = self._data_received
        tcp: Any = _LockedTLS(sock) if isinstance(sock, ssl.SSLSocket) else sock
        super().__init__(tcp, protocol, **kwargs)

    def end_in_time(self) -> None:
        """Cut the connection if it has not ended after `close_timeout` seconds."""
        with self._lock:
            if self._ending is None and self.close_timeout is not None:
                self._ending = _timer(self.close_timeout, self.abort)

    def stop_timer(self) -> None:
        """Forget what `end_in_time` started, because the connection has ended."""
        with self._lock:
            if self._ending is not None:
                self._ending.cancel()

    def abort(self) -> None:
        """Cut the connection, which wakes every thread that sends or receives."""
        # TLS to a proxy and TLS inside of it are two layers.
        tcp: Any = getattr(self.socket, "ssl_socket", self.socket)
        with suppress(OSError):
            # Not that of TLS, which forgets at once that it has to encrypt.
            socket.socket.shutdown(tcp, socket.SHUT_RDWR)

    # Pyright misreads the overloads of `websockets`.
    def recv(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, timeout: float | None = None, decode: bool | None = None
    ) -> Any:
        """Receive a message, unless messages are dropped."""
        if not self._is_dropping:
            return super().recv(timeout, decode)
        self.wait_closed()
        raise self.protocol.close_exc

    def send_text(self, data: bytes) -> None:
        """Send a message, at half the cost of `send`."""
        try:
            with self.protocol_mutex:
                if self.protocol.state is State.OPEN:
                    self.protocol.send_text(data)
                    self.send_data()
                    return
        except OSError:
            self.abort()
            self.wait_closed()
            raise self.protocol.close_exc from None
        self.send(data, text=True)  # It waits for the end, and raises.

    def handshake(self, *args: Any, **kwargs: Any) -> None:
        """Do the opening handshake, and follow no redirect."""
        try:
            super().handshake(*args, **kwargs)
        except InvalidStatus as error:
            raise NoRedirect(error.response) from None

    def send_data(self) -> None:
        """Write what is to be sent; the caller holds the lock of the protocol."""
        try:
            super().send_data()
        except Exception:
            raise
        except BaseException:
            # Half a frame may be out. Whoever sent next would send the other half's payload.
            self.abort()
            raise

    def wait_closed(self, timeout: float | None = None) -> bool:
        """Wait for the end at most `timeout` seconds; `websockets` has it from version 17 on."""
        self.recv_events_thread.join(timeout)
        return not self.recv_events_thread.is_alive()

    def close_socket(self) -> None:
        """End, and wake whoever waits."""
        self.stop_timer()
        self.abort()  # Closing alone does not wake a thread that reads a part of a TLS record.
        super().close_socket()
        self._news.set()

    def process_event(self, event: Event) -> None:
        """Take a frame, or the answer to the handshake."""
        if isinstance(event, Frame) and event.opcode in _DATA:
            self._take(event)
        else:
            super().process_event(event)

    def keepalive(self) -> None:
        """Cut the connection when a server that was silent for `ping_interval` stays silent."""
        assert self.ping_interval is not None
        left = self.ping_interval
        while not self.wait_closed(max(left, 0)):
            left = self._heard + self.ping_interval - time.monotonic()
            if left > 0:
                continue
            if self.recv_messages.paused:  # Nobody reads, so nothing can be heard.
                self._heard = time.monotonic()
                continue
            self._news.clear()
            # Pinging itself may wait: for a server that does not read, or a thread that sends.
            watch = None
            if self.ping_timeout is not None:
                watch = _timer(self.ping_timeout, self._end_if_silent)
            try:
                self.ping(ack_on_close=True)
                self._news.wait()
            except ConnectionClosed:
                return
            finally:
                if watch:
                    watch.cancel()

    def _end_if_silent(self) -> None:
        if not self._news.is_set():
            self.lost_because = _SILENT
            self.abort()

    def _data_received(self, data: bytes) -> None:
        self._heard = time.monotonic()
        self._news.set()
        self._receive_data(data)
        if self.protocol.close_expected():
            self.end_in_time()


def _timer(seconds: float, function: Any) -> threading.Timer:
    timer = threading.Timer(seconds, function)
    timer.daemon = True
    timer.start()
    return timer
