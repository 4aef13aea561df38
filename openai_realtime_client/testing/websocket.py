"""The server's side of one TCP connection: an HTTP request, and after a handshake WebSocket.

On aiohttp it would be 110 lines less, here and in `server`, for eight packages more, and it would
log clients that reset the connection and not answer those that have closed their side.
"""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import AsyncIterator, Callable, Mapping
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
    from websockets.protocol import CLOSING, OPEN
    from websockets.server import ServerProtocol
    from websockets.typing import Subprotocol
except ImportError:
    raise ImportError(
        'the embedded server needs websockets: pip install "websockets>=15"'
    ) from None

__all__ = ["HttpRequest", "Response", "WebSocket", "http_response"]

# Above the limits of any event, so that an oversized event gets an error event, not a close.
_MESSAGE_LIMIT = 64 * 2**20
# Messages to read ahead of the session, before TCP pushes back.
_MAX_WAITING = 64
_CLOSE_TIMEOUT = 0.5
# As large a head as common servers take, and more than any client sends.
_HEAD_LIMIT = 2**16


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
        """Return the target without its query."""
        return self.target.partition("?")[0]

    @property
    def is_translation(self) -> bool:
        """Return whether it is for the endpoint of translation sessions."""
        return self.path.endswith("/translations")

    @cached_property
    def query(self) -> dict[str, str]:
        """Return the last value of each parameter of the query."""
        query = parse_qs(urlsplit(self.target).query)
        return {name: values[-1] for name, values in query.items()}

    @property
    def key(self) -> str:
        """Return the key in the headers, or ""."""
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
        """Return whether it asks for `realtime=v1`, in a header or, in browsers, a subprotocol."""
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


def _parse_request(data: bytes) -> tuple[HttpRequest, bytes] | None:
    """Parse a request; return it and the remaining data, or `None` if it is incomplete.

    Raises `ValueError` or `HTTPException` if it is not HTTP, or its head is too large.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    if len(head) > _HEAD_LIMIT:
        raise ValueError
    if not end:
        return None
    line, _, lines = (head + end).partition(b"\r\n")
    # Raises `ValueError` for other than three words: RFC 9112, section 3.
    method, target, _ = line.decode("ascii").split(" ")
    # Raises `ValueError` where the target is no URL, before anything uses it.
    urlsplit(target)
    fields = http.client.parse_headers(BytesIO(lines)).items()
    headers = {name.lower(): value for name, value in fields}
    size = int(headers.get("content-length", "0"))
    if size < 0:
        raise ValueError
    if len(rest) < size:
        return None
    return HttpRequest(head + end, method, target, headers, rest[:size]), rest[size:]


class WebSocket(Connection):
    """One connection: a request, which `answer` is called with, and then a WebSocket connection.

    `answer` either responds or accepts. `request` is `None` for what is not an HTTP request.
    """

    def __init__(self, answer: Callable[[WebSocket, HttpRequest | None], None]) -> None:
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
        self._answer = answer
        self._is_answered = False
        self._received = b""

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

    def respond(self, response: Response) -> None:
        """Answer the request by an HTTP response."""
        self._is_answered = True
        self.transport.write(response.serialize())
        self.transport.close()

    def accept(self, request: HttpRequest) -> bool:
        """Begin to answer a handshake; false if it is not one of WebSocket, and refused."""
        self._is_answered = True
        self.protocol.receive_data(request.head)
        for event in self.protocol.events_received():
            if isinstance(event, Request):
                self.protocol.send_response(self.protocol.accept(event))
        if self.protocol.state is not OPEN:
            self.send_data()
            self.transport.close()
        return self.protocol.state is OPEN

    def open(self) -> None:
        """Send the answer to an accepted handshake, and take what came after it."""
        self.send_data()
        self.data_received(self._received)

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
        """Collect the request, then pass data to the WebSocket protocol."""
        if self._is_answered:
            if self.protocol.state in (OPEN, CLOSING):
                super().data_received(data)
                self._expect_end()
            return
        # A request may come in pieces, and with the first frames behind it.
        self._received += data
        try:
            parsed = _parse_request(self._received)
        except (http.client.HTTPException, ValueError):
            self._answer(self, None)
        else:
            if parsed:
                request, self._received = parsed
                self._answer(self, request)

    def eof_received(self) -> None:
        """Handle EOF from the client."""
        # An incomplete body: refuse the request, which the client may still read.
        if not self._is_answered and b"\r\n\r\n" in self._received:
            self._answer(self, None)
        super().eof_received()

    def _expect_end(self) -> None:
        if self.protocol.close_expected():
            self.loop.call_later(_CLOSE_TIMEOUT, self.transport.abort)
