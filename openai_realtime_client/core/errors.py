"""Every error of the package, and the translation of pydantic's errors.

Only what a caller can do something about has a class of its own:

    RealtimeError
    ├── InvalidModelError (a ValueError): JSON does not fit a model
    │   └── InvalidEventError: a message is not an event
    ├── ToolError: raised by a function to tell the model why it failed
    ├── ConnectionSettingsError (a ValueError): wrong arguments; nothing was sent
    ├── MissingDependencyError (an ImportError): a feature needs another package
    ├── RealtimeConnectionError
    │   ├── ConnectionFailedError: no server was reached
    │   │   └── HandshakeRefusedError: the server refused with an HTTP status
    │   └── ConnectionClosedError: the session is closed
    │       ├── InvalidKeyError (3000)
    │       ├── ProtocolRefusedError (4000)
    │       ├── SessionExpiredError (1001)
    │       ├── MessageTooBigError (1009)
    │       └── ConnectionLostError (1006)
    └── ApiError: an HTTP call failed
        ├── ApiConnectionError: there was no complete response
        ├── InvalidResponseError: a success that is not what is documented
        ├── BadRequestError (400)
        ├── UnauthorizedError (401)
        ├── ForbiddenError (403)
        ├── NotFoundError (404)
        ├── ConflictError (409)
        ├── UnprocessableEntityError (422)
        ├── RateLimitError (429)
        └── ServiceError (5xx)

No message holds a key or the whole of a message from the server.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from typing_extensions import Self

from openai_realtime_client.core.encoding import parse_json
from openai_realtime_client.core.json_types import Path, is_array, is_object, path_text

# What users may catch; `openai_realtime_client` and both protocols give these, too.
__all__ = [
    "ApiConnectionError",
    "ApiError",
    "BadRequestError",
    "ConflictError",
    "ConnectionClosedError",
    "ConnectionFailedError",
    "ConnectionLostError",
    "ConnectionSettingsError",
    "ForbiddenError",
    "HandshakeRefusedError",
    "InvalidEventError",
    "InvalidKeyError",
    "InvalidModelError",
    "InvalidResponseError",
    "MessageTooBigError",
    "MissingDependencyError",
    "NotFoundError",
    "ProtocolRefusedError",
    "RateLimitError",
    "RealtimeConnectionError",
    "RealtimeError",
    "ServiceError",
    "SessionExpiredError",
    "ToolError",
    "UnauthorizedError",
    "UnprocessableEntityError",
]

_MAX_PROBLEMS = 10
# Where pydantic speaks of Python's types, and of classes.
_JSON_TERMS = {
    "model_type": "Input should be an object",
    "dict_type": "Input should be an object",
    "list_type": "Input should be a valid array",
}


class ResponseHeaders(dict[str, str]):
    """The headers of a response, in lower case and found in any case."""

    def __init__(self, headers: Mapping[str, str] | None = None) -> None:
        super().__init__()
        for name, value in (headers or {}).items():
            self[name.lower()] = value

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    if not TYPE_CHECKING:  # checkers know the overloads of `dict`

        def get(self, name: str, default: Any = None) -> Any:
            """Return the value of a header, or `default`."""
            return super().get(name.lower(), default)


class RealtimeError(Exception):
    """The base of all errors of the package."""


class ToolError(RealtimeError):
    """Raise it in a function to tell the model why the function failed."""


class ConnectionSettingsError(RealtimeError, ValueError):
    """The arguments do not make a connection or a request. Nothing was sent."""


class MissingDependencyError(RealtimeError, ImportError):
    """A package that a feature needs is missing or too old."""


class InvalidModelError(RealtimeError, ValueError):
    """JSON does not fit a model.

    `problems` holds a pair for each field that does not fit: its path, such as
    `output[0].status`, and what was expected there. Of a list, only the first item that does not
    fit is examined. The path of a problem with the whole is "".
    The message has one line a problem and never a value.
    """

    def __init__(self, name: str, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__(name, self.problems)

    def __str__(self) -> str:
        name, problems = self.args
        lines: list[str] = []
        for path, text in problems[:_MAX_PROBLEMS]:
            # The problem of the whole has no path.
            lines.append(f"{path}: {text}".removeprefix(": "))
        if len(problems) > _MAX_PROBLEMS:
            lines.append(f"and {len(problems) - _MAX_PROBLEMS} more")
        if len(lines) == 1:
            return f"{name}: {lines[0]}"
        return "\n  ".join([f"{name}: {len(problems)} problems", *lines])

    @classmethod
    def of(cls, name: str, error: ValidationError, data: Any) -> Self:
        """Translate pydantic's account of validating `data`, or of parsing it."""
        if isinstance(data, (str, bytes)):
            with suppress(ValueError):
                data = parse_json(data)
        by_path = problems(error, data, in_union=False)
        return cls(
            name, [(path_text(path), _problem_text(details)) for path, details in by_path.items()]
        )


def _problem_text(details: list[Any]) -> str:
    if len(details) > 1:
        return "Input fits no member of the union"
    message: str = details[0]["msg"]
    return _JSON_TERMS.get(details[0]["type"], message)


class InvalidEventError(InvalidModelError):
    """Text from the wire is not an event, which is a JSON object with a string `type`."""


# Begins the names of union members in pydantic's locations, which so differ from those of fields.
MEMBER = "\0"


def problems(error: ValidationError, data: Any, *, in_union: bool) -> dict[Path, list[Any]]:
    """Return pydantic's account of validating `data`, by the place of what does not fit.

    `error` is what validating Python objects raised: locations of JSON do not tell the names of
    fields from those of union members. `in_union` is for the member of a union with a `type`.
    """
    by_path: dict[Path, list[Any]] = {}
    # The paths around the problems: every beginning of their own.
    around: set[Path] = set()
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        # The guard of a union's `UnknownModel`: the member that is meant has errors of its own.
        if detail["type"] == "known_tag":
            continue
        path = _path(detail["loc"][in_union:], detail["type"] == "missing", data)
        by_path.setdefault(path, []).append(detail)
        around.update(path[:length] for length in range(len(path)))
    # Each member of a union says why it is not meant. The one that is says what is wrong deeper.
    for path in around:
        by_path.pop(path, None)
    return by_path


def _path(location: Sequence[str | int], is_missing: bool, data: Any) -> Path:
    """Return pydantic's location without the names of union members."""
    path: list[str | int] = []
    node: Any = data
    for part in location:
        if isinstance(part, str) and part.startswith(MEMBER):
            continue
        child = _child(node, part)
        if child is _NO_CHILD and is_object(node) and not is_missing:
            continue  # The name of a union member, from parsing JSON.
        path.append(part)
        node = child
    return tuple(path)


_NO_CHILD = object()


def _child(node: Any, key: str | int) -> Any:
    """Return what a JSON object or array holds under a key, or `_NO_CHILD`."""
    if is_object(node):
        return node.get(key, _NO_CHILD)
    if is_array(node) and isinstance(key, int):
        return node[key]
    return _NO_CHILD


# Close codes, of which the last two stand for a close frame without one, and for no close frame.
NORMAL = 1000
NO_STATUS = 1005
LOST = 1006


class RealtimeConnectionError(RealtimeError):
    """A session could not be opened, or is closed. No message holds a key."""


class ConnectionFailedError(RealtimeConnectionError):
    """No server was reached: no such host, refused, no TLS, a timeout."""


class HandshakeRefusedError(ConnectionFailedError):
    """The server, or a proxy, refused with an HTTP status in place of a WebSocket.

    `status`, `headers` (found in any case) and `body` are those of the response; `where` names who
    refused, as `HOST:PORT` or as `the proxy to HOST:PORT`.
    """

    def __init__(
        self, status: int, headers: Mapping[str, str], body: bytes, where: str = "the server"
    ) -> None:
        self.status = status
        self.headers = ResponseHeaders(headers)
        self.body = body
        self.where = where
        super().__init__(status, self.headers, body, where)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.status})"

    def __str__(self) -> str:
        text = f"{self.where} refused with HTTP {self.status}"
        text += _location_text(self.status, self.headers)
        message = _error_in(self.body).get("message")
        if isinstance(message, str):
            text += f": {message:.200}"
        return text

    @property
    def request_id(self) -> str | None:
        """The service's id of the request, to quote to its support."""
        return self.headers.get("x-request-id")

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait before another try, from `Retry-After` or `Retry-After-Ms`."""
        return wait_seconds(self.headers)


class ConnectionClosedError(RealtimeConnectionError):
    """The session is closed, by either side.

    `code` and `reason` are those of the close frame, 1006 where there was none. `unsent` is the
    `type` of the event that `send` could not finish, or `None` where the error does not come from
    sending: the server has nothing, a part or, if the end came late, all of it. `audio_sent` counts
    the bytes that `send_audio` had sent before.
    """

    _about = "the session is closed"

    def __init__(
        self, code: int, reason: str = "", unsent: str | None = None, audio_sent: int = 0
    ) -> None:
        self.code = code
        self.reason = reason
        self.unsent = unsent
        self.audio_sent = audio_sent
        super().__init__(code, reason, unsent, audio_sent)

    def __str__(self) -> str:
        details = f"{self.code}"
        if self.reason:
            details += f": {self.reason}"
        text = f"{self._about} ({details})"
        if self.unsent:
            return f"{self.unsent} may not have been delivered: {text}"
        return text


class InvalidKeyError(ConnectionClosedError):
    """3000: the service does not accept the key."""

    _about = "the key was not accepted"


class ProtocolRefusedError(ConnectionClosedError):
    """4000: the server does not speak this protocol, as a GA server that is asked for v1."""

    _about = "the server does not speak this protocol; see docs/guides/protocols.md"


class SessionExpiredError(ConnectionClosedError):
    """1001: the session reached its end; a new session does not remember it."""

    _about = "the session expired"


class MessageTooBigError(ConnectionClosedError):
    """1009: a message was larger than its receiver takes, see `max_size` of `websockets`."""

    _about = "a message was too big"


class ConnectionLostError(ConnectionClosedError):
    """1006: the connection was cut, without a close frame."""

    _about = "the connection was lost"


_BY_CODE: dict[int, type[ConnectionClosedError]] = {
    1001: SessionExpiredError,
    LOST: ConnectionLostError,
    1009: MessageTooBigError,
    3000: InvalidKeyError,
    4000: ProtocolRefusedError,
}


def closed_error(
    code: int, reason: str, unsent: str | None = None, audio_sent: int = 0
) -> ConnectionClosedError:
    """Return an error of the class for a close code."""
    return _BY_CODE.get(code, ConnectionClosedError)(code, reason, unsent, audio_sent)


class ApiError(RealtimeError):
    """A call failed. The message never holds the key or the whole body.

    `status`, `reason`, `headers` (found in any case) and `body` are those of the response; `status`
    is `None` where there was none. `error` is the service's error object (`type`, `code`,
    `message`, `param`) or empty.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        reason: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.headers = ResponseHeaders(headers)
        self.body = body
        self.error = _error_in(body)

    @property
    def request_id(self) -> str | None:
        """The service's id of the request, to quote to its support."""
        return self.headers.get("x-request-id")

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait before another try, from `Retry-After` or `Retry-After-Ms`."""
        return wait_seconds(self.headers)


class ApiConnectionError(ApiError):
    """There was no response, or only part of one: no connection, a timeout, a cut."""


class InvalidResponseError(ApiError):
    """The call succeeded, but its response is too large, or not what is documented."""


class BadRequestError(ApiError):
    """400: the request is wrong."""


class UnauthorizedError(ApiError):
    """401: no valid key."""


class ForbiddenError(ApiError):
    """403: the key may not do this."""


class NotFoundError(ApiError):
    """404: no such endpoint or object."""


class ConflictError(ApiError):
    """409: the object is not in a state for this."""


class UnprocessableEntityError(ApiError):
    """422: the request is understood but cannot be carried out."""


class RateLimitError(ApiError):
    """429: too many requests, or the quota is used up. `retry_after` may say how long to wait."""


class ServiceError(ApiError):
    """5xx: the service failed."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def error_for(status: int, reason: str, headers: Mapping[str, str], body: bytes) -> ApiError:
    """Return the error of a response that is no success. Nothing in it may be secret."""
    error_class = _BY_STATUS.get(status, ApiError)
    if status >= 500:
        error_class = ServiceError
    error = _error_in(body)
    message = f"{status} {reason}".strip() + _location_text(status, headers)
    for name in ("code", "message"):
        if error.get(name):
            message += f": {error[name]}"
    # The service's messages are short; those of proxies can be whole pages.
    return error_class(message[:500], status=status, reason=reason, headers=headers, body=body)


def _location_text(status: int, headers: Mapping[str, str]) -> str:
    """Return where a redirect leads, for the message of an error."""
    location = headers.get("location")
    if not location or not 300 <= status < 400:
        return ""
    # A query may hold a key.
    return f", location: {location.partition('?')[0]:.200}"


def wait_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of `Retry-After-Ms`, or of `Retry-After`, which may be a date."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        with suppress(ValueError):
            seconds = float(headers.get(name, "")) / unit
            if math.isfinite(seconds):
                return max(0.0, seconds)
    date = headers.get("retry-after")
    if not date:
        return None
    # Imported here: few programs need it, and it takes time.
    from dateutil import parser as date_parser

    try:
        # A date in HTTP is always in GMT, even where it does not say so.
        when = date_parser.parse(date, ignoretz=True).replace(tzinfo=timezone.utc)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (when - datetime.now(timezone.utc)).total_seconds())


def _error_in(body: bytes) -> dict[str, Any]:
    """Return the `error` of a response's body, or the message of a gateway, such as Azure's."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not is_object(fields):
        return {}
    if "error" not in fields:
        for name in ("message", "detail"):
            if isinstance(fields.get(name), str):
                return {"message": fields[name]}
        # FastAPI lists what is wrong, with the path of each value.
        details = fields.get("detail")
        if is_array(details) and details and is_object(details[0]):
            path, problem = details[0].get("loc"), details[0].get("msg")
            if is_array(path) and problem:
                return {"message": f"{path_text(path)}: {problem}"}
        return {}
    error = fields["error"]
    if error is None:
        return {}
    if is_object(error):
        return error
    return {"message": str(error)}
