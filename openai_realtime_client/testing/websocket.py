"""One TCP connection to the embedded server: an HTTP request, and after a handshake WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from urllib.parse import parse_qs, urlsplit

try:
    from websockets.asyncio.connection import Connection
    from websockets.datastructures import Headers
    from websockets.exceptions import ConnectionClosed
    from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
    from websockets.http11 import Request, Response
    from websockets.protocol import OPEN
    from websockets.server import ServerProtocol
    from websockets.typing import Subprotocol
except ImportError:
    raise ImportError(
        'the embedded server needs websockets: pip install "websockets>=15"'
    ) from None

__all__ = ["HEAD_LIMIT", "HttpRequest", "Response", "WebSocket", "http_response", "read_request"]

# Above the limits of any event, so that an oversized event gets an error event, not a close.
_MESSAGE_LIMIT = 64 * 2**20
# Messages to read ahead of the session, before TCP pushes back.
_MAX_WAITING = 64
_CLOSE_TIMEOUT = 0.5
# As large a head as common servers take, and more than any client sends.
HEAD_LIMIT = 2**16


@dataclass(frozen=True)
class HttpRequest:
    """An HTTP request. Names of `headers` are in lower case; `head` is as it came."""

    head: bytes
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def is_handshake(self) -> bool:
        """Whether it asks for a WebSocket connection."""
        return self.headers.get("upgrade", "").lower() == "websocket"

    @property
    def is_translation(self) -> bool:
        """Whether it is for the endpoint of translation sessions."""
        return self.path.endswith("/translations")

    @cached_property
    def query(self) -> dict[str, str]:
        """The last value of each parameter of the query."""
        query = parse_qs(urlsplit(self.target).query)
        return {name: values[-1] for name, values in query.items()}

    @property
    def key(self) -> str:
        """The key in the headers, or ""."""
        scheme, _, key = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return key.strip()
        if self.headers.get("api-key"):  # of Azure
            return self.headers["api-key"]
        # Browsers cannot set headers of a handshake, and send the key as a subprotocol.
        _, _, key = self.headers.get("sec-websocket-protocol", "").partition(
            "openai-insecure-api-key."
        )
        return key.partition(",")[0].strip()

    @property
    def asks_for_v1(self) -> bool:
        """Whether it asks for `realtime=v1`, in a header or, in browsers, a subprotocol."""
        offered = self.headers.get("sec-websocket-protocol", "")
        # Browsers cannot set headers of a handshake here, either.
        beta = self.headers.get("openai-beta", "")
        return "realtime=v1" in beta or "openai-beta.realtime-v1" in offered


def http_response(
    status: int, body: bytes = b"", content_type: str = "application/json", **headers: str
) -> Response:
    """Make an HTTP response after which the connection ends."""
    known = Headers({"Content-Length": str(len(body)), "Content-Type": content_type, **headers})
    # One request a connection: nothing needs to find where the next one begins.
    known["Connection"] = "close"
    return Response(status, http.client.responses.get(status, "Unknown"), known, body)


async def read_request(reader: asyncio.StreamReader) -> HttpRequest | None:
    """Read a request; return `None` for what is not HTTP, ends early, or has too large a head."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        line, _, lines = head.partition(b"\r\n")
        # Raises `ValueError` for other than three words: RFC 9112, section 3.
        method, target, _ = line.decode("ascii").split(" ")
        # Raises `ValueError` where the target is no URL, before anything uses it.
        urlsplit(target)
        fields = http.client.parse_headers(BytesIO(lines)).items()
        headers = {name.lower(): value for name, value in fields}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError, http.client.HTTPException):
        return None
    return HttpRequest(head, method, target, headers, body)


class WebSocket(Connection):
    """The server's side of one WebSocket connection."""

    def __init__(self) -> None:
        protocol = ServerProtocol(
            extensions=[ServerPerMessageDeflateFactory()],
            # Browsers offer it beside their key.
            select_subprotocol=lambda _, offered: (
                Subprotocol("realtime") if "realtime" in offered else None
            ),
            max_size=_MESSAGE_LIMIT,
        )
        super().__init__(
            # Without pings: a test that holds a client up must not lose its connection.
            protocol,
            ping_interval=None,
            close_timeout=_CLOSE_TIMEOUT,
            max_queue=_MAX_WAITING,
        )
        self.protocol: ServerProtocol

    @property
    def first_close(self) -> tuple[int | None, str]:
        """Code and reason of the first close frame either way.

        The code is 1006 after a connection that ended without one, `None` while it is open.
        """
        # The protocol echoes the client's close frame at once, with its code and reason.
        frame = self.protocol.close_sent
        if frame:
            return frame.code, frame.reason
        if self.protocol.state is OPEN:
            return None, ""
        return 1006, ""  # as RFC 6455, section 7.1.5

    def accept(self, request: HttpRequest) -> Response | None:
        """Accept a handshake; return a response if it is not one of WebSocket."""
        self.protocol.receive_data(request.head)
        for event in self.protocol.events_received():
            if isinstance(event, Request):
                response = self.protocol.accept(event)
                if response.status_code != 101:
                    return response
                self.protocol.send_response(response)
                return None
        return http_response(400)

    def open(self, transport: asyncio.Transport, received: bytes) -> None:
        """Take over a connection, and send the response to its handshake."""
        transport.set_protocol(self)
        self.connection_made(transport)
        self.data_received(received)

    async def send_text(self, text: str) -> None:
        """Send a text message; drop it where the connection is closing."""
        if self.protocol.state is OPEN:
            with contextlib.suppress(ConnectionClosed):
                await self.send(text)

    def cut(self, last: bytes = b"") -> None:
        """End the TCP connection, without a close frame, after these bytes past the protocol."""
        # The protocol would refuse to send what is no frame.
        self.transport.write(last)
        self.protocol.receive_eof()
        self.transport.close()

    def begin_close(self, code: int, reason: str = "") -> None:
        """Begin to close; `messages` ends when the client has answered, or does not in time."""
        if self.protocol.state is OPEN:
            self.protocol.send_close(code, reason)
            self.send_data()
            self._expect_end()

    async def messages(self) -> AsyncIterator[str | bytes]:
        """Yield the client's messages, text or binary, until the connection has ended."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                yield await self.recv()

    def data_received(self, data: bytes) -> None:
        """Pass data to the protocol."""
        super().data_received(data)
        self._expect_end()

    def _expect_end(self) -> None:
        if self.protocol.close_expected():
            self.loop.call_later(_CLOSE_TIMEOUT, self.transport.abort)
