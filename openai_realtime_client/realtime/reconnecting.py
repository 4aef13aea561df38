"""When to open the next session, where `connect` is iterated."""

from __future__ import annotations

import logging
import math
import random
import ssl
from time import monotonic

from openai_realtime_client.core.errors import (
    LOST,
    NO_STATUS,
    NORMAL,
    ConnectionClosedError,
    HandshakeRefusedError,
    RealtimeConnectionError,
)
from openai_realtime_client.realtime.sockets import SETTINGS_FAILURES

__all__ = ["Backoff"]

_logger = logging.getLogger("openai_realtime_client")

# Going away, internal error, service restart, try again later: RFC 6455, section 7.4.1, and IANA's
# registry of close codes.
_PASSING_CODES = {NORMAL, NO_STATUS, LOST, 1001, 1011, 1012, 1013}
_PASSING_STATUSES = {408, 425, 429}
# Seconds.
_FIRST_DELAY = 0.5
_MAX_DELAY = 30.0
# A session this long resets the count of failures.
_MIN_STABLE = 30.0


class Backoff:
    """The delays between the sessions of one loop: from 0.5 to 30 s, less up to a half at random.

    `retries` is the maximum number of consecutive failures, or `None` for no limit.
    """

    def __init__(self, retries: int | None) -> None:
        self._retries = retries
        self._failures = 0
        self._opened_at = math.inf

    def opened(self) -> None:
        """Note that a session was opened."""
        self._opened_at = monotonic()

    def next_delay(self, error: RealtimeConnectionError | None) -> float:
        """Return how many seconds to wait for the next attempt.

        Args:
            error: Why the session ended, or was not opened; `None` where the program ended it.

        Raises:
            RealtimeConnectionError: It is `error`, which will not pass, or is one too many.
        """
        lived = monotonic() - self._opened_at
        self._opened_at = math.inf
        if error is None or lived >= _MIN_STABLE:
            self._failures = 0
        if error is None:
            return 0.0
        # With 0 retries, the first failure is one too many.
        if not _may_pass(error) or self._failures == self._retries:
            raise error
        delay = min(_FIRST_DELAY * 2.0**self._failures, _MAX_DELAY) * random.uniform(0.5, 1)
        if isinstance(error, HandshakeRefusedError) and error.retry_after is not None:
            delay = max(delay, error.retry_after)
        self._failures += 1
        _logger.warning("%s; attempt %d follows in %.1f s", error, self._failures, delay)
        return delay


def _may_pass(error: RealtimeConnectionError) -> bool:
    """Return whether a new session may succeed."""
    if isinstance(error, ConnectionClosedError):
        return error.code in _PASSING_CODES
    if isinstance(error, HandshakeRefusedError):
        return error.status in _PASSING_STATUSES or error.status >= 500
    # `from None` hides it from tracebacks, not from programs.
    cause = error.__context__
    return not isinstance(cause, (*SETTINGS_FAILURES, ssl.SSLCertVerificationError))
