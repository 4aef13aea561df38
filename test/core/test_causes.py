"""What an error of a library says in our words, without the URLs that may stand in it."""

from __future__ import annotations

import ssl

import pytest
import urllib3.exceptions as urllib3_errors
import websockets.exceptions as websockets_errors

from exposure import KEY
from openai_realtime_client.core.causes import failure_text

REFUSED = ConnectionRefusedError(111, "Connection refused")
CERTIFICATE = ssl.SSLCertVerificationError(
    1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: it expired (_ssl.c:1006)"
)


class ProxyConnectionError(OSError):
    """As python-socks names it."""


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def in_context(error: Exception, context: Exception) -> Exception:
    error.__context__ = context
    return error


def raised_from_none(text: str) -> ValueError:
    try:
        try:
            raise IndexError("of no interest")
        except IndexError:
            raise ValueError(text) from None
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (REFUSED, "[Errno 111] Connection refused"),
        (
            urllib3_errors.MaxRetryError(None, f"/v1?key={KEY}", REFUSED),  # type: ignore[arg-type]
            "[Errno 111] Connection refused",
        ),
        (
            urllib3_errors.SSLError(CERTIFICATE),
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: it expired",
        ),
        (
            urllib3_errors.ProxyError("Cannot connect", OSError("Tunnel failed: 502 Bad")),
            "the proxy failed: Tunnel failed: 502 Bad",
        ),
        (
            in_context(urllib3_errors.HTTPError("wrapped"), ProxyConnectionError("0x05: refused")),
            "the proxy failed: 0x05: refused",
        ),
        (
            caused(websockets_errors.InvalidMessage("no response"), EOFError("closed too early")),
            "closed too early",
        ),
        (
            websockets_errors.InvalidProxy(f"x://me:{KEY}@proxy", "no such scheme"),
            "the proxy failed: no such scheme",
        ),
        (raised_from_none("invalid HTTP status line: x"), "invalid HTTP status line: x"),
        (EOFError(), "EOFError"),
        (OSError("x" * 1000), "x" * 300),
    ],
    ids=[
        *("system", "urllib3_retries", "urllib3_tls", "urllib3_proxy"),
        *("urllib3_socks", "websockets_cause", "websockets_proxy"),
        *("suppressed_context", "no_text", "long_text"),
    ],
)
def test_text_of_a_failure(error: Exception, text: str) -> None:
    assert failure_text(error) == text
