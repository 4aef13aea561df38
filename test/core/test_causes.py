"""What an error of a library says in our words, without the URLs that may stand in it.

Those that servers and proxies cause are tested with HTTP and sessions.
"""

from __future__ import annotations

import ssl

import urllib3.exceptions as urllib3_errors
import websockets.exceptions as websockets_errors

from exposure import KEY
from openai_realtime_client.core.causes import failure_text

CERTIFICATE = ssl.SSLCertVerificationError(1, "certificate verify failed: expired (_ssl.c:1006)")


class ProxyConnectionError(OSError):
    """As python-socks names it."""


def test_text_of_a_failure() -> None:
    in_context, caused, suppressed = map(urllib3_errors.HTTPError, ("wrapped", "wrapped", "text"))
    in_context.__context__ = ProxyConnectionError("0x05: refused")
    caused.__cause__ = EOFError("closed too early")
    suppressed.__context__ = IndexError("of no interest")
    suppressed.__suppress_context__ = True
    proxy = websockets_errors.InvalidProxy(f"x://me:{KEY}@proxy", "no such scheme")
    for error, text in (
        (urllib3_errors.SSLError(CERTIFICATE), "certificate verify failed: expired"),
        (in_context, "the proxy failed: 0x05: refused"),
        (caused, "closed too early"),
        (suppressed, "text"),
        (proxy, "the proxy failed: no such scheme"),
        (EOFError(), "EOFError"),
        (OSError("x" * 1000), "x" * 300),
    ):
        assert failure_text(error) == text
