"""How a session can fail to open, or end."""

from __future__ import annotations

from collections.abc import Mapping

from openai_realtime_client.core.json_types import error_in, is_object

__all__ = [
    "ConnectionClosedError",
    "ConnectionFailedError",
    "ConnectionLostError",
    "HandshakeRefusedError",
    "InvalidKeyError",
    "MessageTooBigError",
    "ProtocolRefusedError",
    "RealtimeConnectionError",
    "SessionExpiredError",
    "closed",
]

# Close codes, of which the last two stand for a close frame without one, and for no close frame.
NORMAL = 1000
NO_STATUS = 1005
LOST = 1006


class RealtimeConnectionError(Exception):
    """A session could not be opened, or is closed. No message holds a key."""


class ConnectionFailedError(RealtimeConnectionError):
    """No server was reached: no such host, refused, no TLS, a timeout."""


class HandshakeRefusedError(ConnectionFailedError):
    """The server answered, and not with a WebSocket.

    `status` is the HTTP status, `headers` (names in lower case) and `body` are the answer's.
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body
        super().__init__(status, self.headers, body)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.status})"

    def __str__(self) -> str:
        return f"the server refused with HTTP {self.status}{_told(self.body)}"

    @property
    def request_id(self) -> str | None:
        """The service's id of the request, to quote to its support."""
        return self.headers.get("x-request-id")


class ConnectionClosedError(RealtimeConnectionError):
    """The session is closed, by whichever side.

    `code` and `reason` are those of the close frame, 1006 where there was none. `unsent` is the
    `type` of the event that was not sent, or `None` where the error does not come from sending;
    `audio_sent` the bytes that `send_audio` had sent before.
    """

    def __init__(
        self, code: int, reason: str = "", unsent: str | None = None, audio_sent: int = 0
    ) -> None:
        self.code = code
        self.reason = reason
        self.unsent = unsent
        self.audio_sent = audio_sent
        super().__init__(code, reason, unsent, audio_sent)

    def __str__(self) -> str:
        text = f"{self._about()} ({self.code}{': ' if self.reason else ''}{self.reason})"
        return f"{self.unsent} was not sent: {text}" if self.unsent else text

    def _about(self) -> str:
        return "the session is closed"


class InvalidKeyError(ConnectionClosedError):
    """3000: the service does not accept the key."""

    def _about(self) -> str:
        return "the key was not accepted"


class ProtocolRefusedError(ConnectionClosedError):
    """4000: the service does not speak this protocol, as GA servers and `realtime=v1`."""

    def _about(self) -> str:
        return "the server does not speak this protocol; see docs/guides/protocols.md"


class SessionExpiredError(ConnectionClosedError):
    """1001: the session reached its end; a new one starts without memory."""

    def _about(self) -> str:
        return "the session expired"


class MessageTooBigError(ConnectionClosedError):
    """1009: a message was larger than its receiver takes, see `max_size` of `websockets`."""

    def _about(self) -> str:
        return "a message was too big"


class ConnectionLostError(ConnectionClosedError):
    """1006: the connection was cut, without a close frame."""

    def _about(self) -> str:
        return "the connection was lost"


_BY_CODE: dict[int, type[ConnectionClosedError]] = {
    1001: SessionExpiredError,
    LOST: ConnectionLostError,
    1009: MessageTooBigError,
    3000: InvalidKeyError,
    4000: ProtocolRefusedError,
}


def closed(
    code: int, reason: str, unsent: str | None = None, audio_sent: int = 0
) -> ConnectionClosedError:
    """The error of the class that `code` asks for."""
    return _BY_CODE.get(code, ConnectionClosedError)(code, reason, unsent, audio_sent)


def _told(body: bytes) -> str:
    """What the service's error object says, and never the whole body."""
    error = error_in(body)
    message = error.get("message") if is_object(error) else error
    return f": {message:.200}" if isinstance(message, str) else ""
