"""What a call can raise."""

import math
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from dateutil import parser as date_parser

from openai_realtime_client.core.json_types import error_in


class ApiException(Exception):
    """A call failed. The message never holds the key or the whole body.

    `status`, `reason`, `headers` (names in lower case) and `body` are the answer's; `status` is
    `None` where there was no answer. `error` is the service's error object (`type`, `code`,
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
        self.headers = {name.lower(): value for name, value in (headers or {}).items()}
        self.body = body
        self.error = _error_object(body)

    @property
    def request_id(self) -> str | None:
        """The service's id of the request, to quote to its support."""
        return self.headers.get("x-request-id")

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait before another try, from `Retry-After`, be it seconds or a date."""
        value = self.headers.get("retry-after")
        if value is None:
            return None
        try:
            seconds = float(value)
        except ValueError:
            seconds = _seconds_until(value)
        return max(0.0, seconds) if math.isfinite(seconds) else None


class ApiConnectionException(ApiException):
    """No answer came, or only part of one: no connection, a timeout, a cut."""


class InvalidResponseException(ApiException):
    """The call succeeded, but its answer does not fit what is documented."""


class BadRequestException(ApiException):
    """400: the request is wrong."""


class UnauthorizedException(ApiException):
    """401: no valid key."""


class ForbiddenException(ApiException):
    """403: the key may not do this."""


class NotFoundException(ApiException):
    """404: no such endpoint or object."""


class ConflictException(ApiException):
    """409: the object is not in a state for this."""


class UnprocessableEntityException(ApiException):
    """422: the request is understood but cannot be carried out."""


class RateLimitException(ApiException):
    """429: too many requests, or the quota is used up. `retry_after` may say how long to wait."""


class ServiceException(ApiException):
    """5xx: the service failed."""


_BY_STATUS: dict[int, type[ApiException]] = {
    400: BadRequestException,
    401: UnauthorizedException,
    403: ForbiddenException,
    404: NotFoundException,
    409: ConflictException,
    422: UnprocessableEntityException,
    429: RateLimitException,
}


def exception_for(
    status: int, reason: str, headers: Mapping[str, str], body: bytes, secret: str | None
) -> ApiException:
    """The exception of an answer that is not a success; `secret` is kept out of its message."""
    kind = _BY_STATUS.get(status, ServiceException if status >= 500 else ApiException)
    error = _error_object(body)
    details = [str(error[key]) for key in ("code", "message") if error.get(key)]
    message = ": ".join([f"{status} {reason}".strip(), *details])
    if secret:
        message = message.replace(secret, "***")
    return kind(message[:500], status=status, reason=reason, headers=headers, body=body)


def _seconds_until(date: str) -> float:
    try:
        # A date in HTTP is always in GMT, even where it does not say so.
        when = date_parser.parse(date, ignoretz=True).replace(tzinfo=timezone.utc)
    except (ValueError, OverflowError):
        return math.nan
    return (when - datetime.now(timezone.utc)).total_seconds()


def _error_object(body: bytes) -> dict[str, Any]:
    error = error_in(body)
    if error is None:
        return {}
    return error if isinstance(error, dict) else {"message": str(error)}  # pyright: ignore[reportUnknownVariableType]
