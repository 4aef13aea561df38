"""HTTP on urllib3: bytes out, bytes in."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote

import urllib3
from pydantic import SecretStr
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from openai_realtime_client.core.credentials import Headers
from openai_realtime_client.core.errors import ApiConnectionError, ConnectionSettingsError
from openai_realtime_client.http.configuration import Configuration
from openai_realtime_client.http.threads import POOLS

_CHUNK = 2**16
# Of the connections to a server: as many as asyncio has threads, at most.
_MOST_IDLE = 32
_sending = threading.local()


def _without_query(record: logging.LogRecord) -> bool:
    """Keep the query of our URLs, which may hold a key, out of what urllib3 logs."""
    if getattr(_sending, "is_ours", False) and isinstance(record.args, tuple):
        record.args = tuple(
            re.sub(r"\?.*", "?***", each) if isinstance(each, str) else each for each in record.args
        )
    return True


for _name in ("urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_without_query)


@dataclass(frozen=True)
class RawResponse:
    """An answer as it came, decompressed. `is_cut`: whether it was larger than the limit."""

    status: int
    reason: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    data: bytes = field(repr=False)
    is_cut: bool


class Transport:
    """A pool of connections."""

    def __init__(self, configuration: Configuration) -> None:
        self._timeout = configuration.timeout
        self._retries = configuration.retries
        self._max_size = configuration.max_size
        try:
            self._pool = _pool(configuration.proxy, configuration.ca_certs)
            return
        except (HTTPError, ValueError):
            pass
        # Outside the `except`: the frames of urllib3 hold the password of the proxy.
        raise ConnectionSettingsError("the URL of a proxy is like http://HOST:PORT")

    def request(
        self,
        method: str,
        url: SecretStr,
        headers: Headers,
        body: bytes | None = None,
        timeout: float | None = None,
    ) -> RawResponse:
        """Send a request and read the answer, whatever its status.

        Args:
            method: The HTTP method.
            url: The URL, which may hold a key.
            headers: The headers, which were checked.
            body: The content to send.
            timeout: Seconds for connecting and for each read, by default the configuration's.

        Raises:
            ApiConnectionError: There was no answer, or only part of one.
        """
        timeout = self._timeout if timeout is None else timeout
        retries = urllib3.Retry.from_int(self._retries, redirect=False)
        try:
            with _logged_without_query():
                while True:
                    response = self._pool.request(
                        method,
                        url.get_secret_value(),
                        body=body,
                        headers=dict(headers),
                        timeout=timeout,
                        retries=retries,
                        redirect=False,
                        preload_content=False,
                    )
                    try:
                        return self._read(response)
                    except HTTPError as error:
                        # urllib3 retries by itself only what fails before the body.
                        left = response.retries or retries
                        retries = left.increment(method, response.url, error=error)
                        retries.sleep()
        except HTTPError as error:
            name = type(error).__name__
        # Outside the `except`: the frames of urllib3 hold the headers.
        raise ApiConnectionError(f"{method} failed: {name}")

    def _read(self, response: urllib3.BaseHTTPResponse) -> RawResponse:
        headers = {name.lower(): value for name, value in response.headers.items()}
        data = bytearray()
        with closing(response):
            while len(data) <= self._max_size and (chunk := response.read(_CHUNK, True)):
                data += chunk
        is_cut = len(data) > self._max_size
        body = bytes(data[: self._max_size])
        return RawResponse(response.status, response.reason or "", headers, body, is_cut)

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.clear()


@contextmanager
def _logged_without_query() -> Generator[None]:
    _sending.is_ours = True
    try:
        yield
    finally:
        _sending.is_ours = False


def _pool(proxy: SecretStr | None, ca_certs: str | None) -> urllib3.PoolManager:
    if proxy is None:
        pool = urllib3.PoolManager(ca_certs=ca_certs, maxsize=_MOST_IDLE)
    else:
        auth = parse_url(proxy.get_secret_value()).auth
        pool = urllib3.ProxyManager(
            proxy.get_secret_value(),
            proxy_headers=urllib3.make_headers(proxy_basic_auth=unquote(auth)) if auth else None,
            ca_certs=ca_certs,
            maxsize=_MOST_IDLE,
        )
    pool.pool_classes_by_scheme = POOLS
    return pool
