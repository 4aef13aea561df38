"""WebSocket and HTTP on asyncio streams: the server's side of one TCP connection."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.client import HTTPException, parse_headers
from io import BytesIO
from urllib.parse import urlsplit

try:
    from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
    from websockets.frames import Close, Frame, Opcode
    from websockets.http11 import Request
    from websockets.protocol import OPEN
    from websockets.server import ServerProtocol
    from websockets.typing import Subprotocol
except ImportError:
    raise ImportError(
        'the embedded server needs websockets: pip install "websockets>=15"'
    ) from None

__all__ = ["BadRequestError", "HttpRequest", "WebSocket", "http_response", "read_head", "with_body"]

# Above what any event may hold, so that one that is too large is answered by an error event.
_MESSAGE_LIMIT = 64 * 2**20
_CLOSE_TIMEOUT = 0.5
# Of bodies: fewer than 100 MB.
_LENGTH_DIGITS = 8


class BadRequestError(Exception):
    """What a client sent is not an HTTP request."""


@dataclass(frozen=True)
class HttpRequest:
    """An HTTP request. Names of `headers` are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


async def read_head(reader: asyncio.StreamReader) -> tuple[bytes, HttpRequest] | None:
    """Read the head of a request.

    Returns:
        The head as it came, and parsed; `None` when the connection ends before it is complete.

    Raises:
        BadRequestError: The head is not one of HTTP.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        line, _, rest = head.partition(b"\r\n")
        method, target, _ = line.decode("ascii").split(" ")
        urlsplit(target)
        headers = {name.lower(): value for name, value in parse_headers(BytesIO(rest)).items()}
    except asyncio.IncompleteReadError:
        return None
    except (asyncio.LimitOverrunError, HTTPException, ValueError):
        raise BadRequestError from None
    return head, HttpRequest(method, target, headers)


async def with_body(request: HttpRequest, reader: asyncio.StreamReader) -> HttpRequest:
    """Read the body of a request, of as many bytes as its `Content-Length` says.

    Raises:
        BadRequestError: There are fewer bytes, or the number is not one, or above the limit.
    """
    length = request.headers.get("content-length", "0")
    if not (length.isascii() and length.isdecimal() and len(length) <= _LENGTH_DIGITS):
        raise BadRequestError
    try:
        return replace(request, body=await reader.readexactly(int(length)))
    except asyncio.IncompleteReadError:
        raise BadRequestError from None


def http_response(
    status: int, body: bytes, content_type: str, headers: Mapping[str, str] | None = None
) -> bytes:
    """An HTTP response after which the connection ends."""
    known = status in HTTPStatus._value2member_map_
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase if known else 'Unknown'}",
        f"Content-Length: {len(body)}",
        f"Content-Type: {content_type}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class WebSocket:
    """One WebSocket connection, after its handshake.

    `code` and `reason` are those of the first close frame either way; `code` is 1006 after a
    connection that ended without one, and `None` as long as it is open.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.code: int | None = None
        self.reason = ""
        self._reader = reader
        self._writer = writer
        # Without it each event waits up to 40 ms for the last; asyncio sets it for clients only.
        tcp: socket.socket = writer.get_extra_info("socket")
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._protocol = ServerProtocol(
            extensions=[ServerPerMessageDeflateFactory()],
            # Browsers offer it beside their key.
            select_subprotocol=lambda _, offered: (
                Subprotocol("realtime") if "realtime" in offered else None
            ),
            max_size=_MESSAGE_LIMIT,
        )
        # Python 3.10 lets only one task wait for the transport.
        self._draining = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None

    async def accept(self, head: bytes) -> bool:
        """Answer the handshake; false if it is not one of WebSocket."""
        self._protocol.receive_data(head)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._protocol.send_response(self._protocol.accept(event))
        await self._flush()
        return self._protocol.state is OPEN

    async def send(self, text: str) -> None:
        """Send a text message; drop it where the connection is closing."""
        if self._protocol.state is OPEN:
            self._protocol.send_text(text.encode())
            await self._flush()

    async def send_raw(self, data: bytes) -> None:
        """Send bytes past the protocol."""
        self._writer.write(data)
        await self._drain()

    def cut(self) -> None:
        """End the TCP connection, without a close frame, after what was sent."""
        self.code = self.code or 1006
        self._writer.close()

    async def close(self, code: int, reason: str = "") -> None:
        """Begin to close; `messages` ends when the client has answered, or does not in time."""
        if self._protocol.state is OPEN:
            self.code, self.reason = code, reason
            self._protocol.send_close(code, reason)
            await self._flush()

    async def messages(self) -> AsyncIterator[str | bytes]:
        """The client's messages, until the connection has ended."""
        parts: list[bytes] = []
        is_text = True
        while True:
            try:
                data = await self._reader.read(2**16)
            except OSError:
                data = b""
            if not data:
                break
            self._protocol.receive_data(data)
            for frame in self._protocol.events_received():
                assert isinstance(frame, Frame)
                if frame.opcode is Opcode.CLOSE:
                    self._note_close(Close.parse(frame.data))
                if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                    continue
                is_text = is_text if frame.opcode is Opcode.CONT else frame.opcode is Opcode.TEXT
                parts.append(bytes(frame.data))
                if frame.fin:
                    message = b"".join(parts)
                    parts.clear()
                    yield message.decode("utf-8", "replace") if is_text else message
            await self._flush()
        # Of its own the protocol closes for what is no WebSocket.
        self._note_close(self._protocol.close_sent)

    def _note_close(self, close: Close | None) -> None:
        if self.code is None:
            self.code, self.reason = (close.code, close.reason) if close else (1006, "")

    async def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if self._writer.is_closing():  # asyncio would log each write after a reset.
                continue
            if data:
                self._writer.write(data)
            elif self._writer.can_write_eof():
                # The client may have reset the connection after its close frame.
                with contextlib.suppress(OSError):
                    self._writer.write_eof()
        if self._protocol.close_expected() and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_CLOSE_TIMEOUT, self._writer.close)
        await self._drain()

    async def _drain(self) -> None:
        try:
            async with self._draining:
                await self._writer.drain()
        except OSError:
            # Reading shows that the connection has ended.
            pass
