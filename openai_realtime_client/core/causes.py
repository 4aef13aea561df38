"""Descriptions of failed connections that hold no URL and no key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from openai_realtime_client.core.credentials import Headers
from openai_realtime_client.core.errors import ConnectionFailedError, HandshakeRefusedError

__all__ = ["connection_failure", "failure_text"]

# The line of C code at the end of OpenSSL's messages.
_SOURCE_LINE = re.compile(r" \(_ssl\.c:\d+\)")
_MAX_DEPTH = 10
_MAX_TEXT = 300


def connection_failure(where: str, error: Exception, sent: Headers) -> ConnectionFailedError:
    """Make the error of a session that was not opened, of what `websockets` raised.

    `sent` are the headers of the handshake, whose credentials do not appear in the error.
    """
    response: Any = getattr(error, "response", None)
    if response is None:
        text = sent.conceal(failure_text(error))
        return ConnectionFailedError(f"no connection to {where}: {text}")
    headers, body = sent.conceal_response(response.headers.raw_items(), response.body or b"")
    if _is_proxy_error(error):
        where = f"the proxy to {where}"
    return HandshakeRefusedError(response.status_code, headers, body, where)


def failure_text(error: BaseException) -> str:
    """Describe an error by the innermost error that has a text.

    Libraries wrap what the system or OpenSSL says into errors whose texts are about themselves, and
    may hold a URL with a key.
    """
    text = ""
    is_proxy_error = False
    for cause in _causes(error):
        # For an invalid URL or proxy, `websockets` has a text without it in `msg`.
        text = str(getattr(cause, "msg", None) or cause) or text
        is_proxy_error = is_proxy_error or _is_proxy_error(cause)
    text = _SOURCE_LINE.sub("", text)[:_MAX_TEXT] or type(error).__name__
    if is_proxy_error and "proxy" not in text.lower():
        text = f"the proxy failed: {text}"
    return text


def _is_proxy_error(error: BaseException) -> bool:
    # `websockets`, python-socks and urllib3 name their classes after it.
    return "Proxy" in type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, the one that it wraps, and so on."""
    cause: BaseException | None = error
    for _ in range(_MAX_DEPTH):
        if cause is None:
            return
        yield cause
        # What these wrap is only how the library noticed it.
        if isinstance(cause, (TimeoutError, EOFError)):
            return
        cause = _wrapped(cause)


def _wrapped(error: BaseException) -> BaseException | None:
    # urllib3 has it as `reason`, as an argument or, for SOCKS, as the context, others as the cause.
    places = [getattr(error, "reason", None), error.__cause__, *error.args]
    if not isinstance(error, OSError) and not error.__suppress_context__:
        places.append(error.__context__)
    for wrapped in places:
        if isinstance(wrapped, BaseException):
            return wrapped
    return None
