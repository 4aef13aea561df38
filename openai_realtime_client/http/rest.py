"""HTTP on urllib3: bytes out, bytes in, and an end to every wait."""

from __future__ import annotations

import logging
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from threading import Thread
from time import monotonic, sleep
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from pydantic import SecretStr
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import HTTPError, LocationValueError, MaxRetryError

from openai_realtime_client.core.causes import failure_text
from openai_realtime_client.core.credentials import BaseUrl, Headers, Secret
from openai_realtime_client.core.errors import (
    ApiConnectionError,
    ConnectionSettingsError,
    MissingDependencyError,
    ResponseHeaders,
    wait_seconds,
)
from openai_realtime_client.http.configuration import Configuration

_CHUNK = 2**16
# Pool size: the default executor of asyncio has at most 32 threads.
_MAX_IDLE = 32
_SOCKS_SCHEMES = ("socks5h", "socks5", "socks4a", "socks4")
_THREAD_NAME = "openai_realtime_client request"


def _is_unrelated(record: logging.LogRecord) -> bool:
    """Return whether urllib3 logs a request that is not of this package."""
    return record.threadName != _THREAD_NAME


# Hide urllib3's records of our requests: some have the whole URL, which may hold a key.
logging.getLogger("urllib3.connection").addFilter(_is_unrelated)
logging.getLogger("urllib3.connectionpool").addFilter(_is_unrelated)
_logger = logging.getLogger("openai_realtime_client")


@dataclass(frozen=True)
class RawResponse:
    """A response as it came, decompressed. `is_cut`: whether it was larger than the limit."""

    status: int
    # A server may repeat the key in any of these.
    reason: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    data: bytes = field(repr=False)
    is_cut: bool


class Transport:
    """A pool of connections."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        # Made for the first request: until then, settings are not checked.
        self._pool: urllib3.PoolManager | None = None

    def request(
        self,
        method: str,
        url: SecretStr,
        headers: Headers,
        body: bytes | None = None,
        timeout: float | None = None,
    ) -> RawResponse:
        """Send a request and read the response, whatever its status, in `timeout` seconds.

        Raises:
            ApiConnectionError: There was no response, or only part of one.
            ConnectionSettingsError: The URL of the server or of the proxy is invalid.
        """
        if timeout is None:
            timeout = self._configuration.timeout
        if self._pool is None:
            self._pool = _make_pool(self._configuration)
        send = partial(
            self._pool.request,
            method,
            url.get_secret_value(),
            body=body,
            headers=dict(headers),
            # Those of urllib3 would not end in time.
            retries=False,
            redirect=False,
            preload_content=False,
        )
        deadline = monotonic() + timeout
        result = Future[RawResponse]()

        def run() -> None:
            try:
                result.set_result(self._send_with_retries(method, send, deadline))
            except BaseException as error:  # It is raised where the caller waits.
                result.set_exception(error)

        # In a thread: nothing else bounds looking up a name, or headers that never end.
        # A daemon, because an abandoned request must not keep the program from ending.
        Thread(target=run, name=_THREAD_NAME, daemon=True).start()
        where = self._configuration.base.where
        try:
            response = result.result(timeout)
        except (TimeoutError, FutureTimeoutError):
            text = f"timed out after {timeout:g} s"
        except LocationValueError:
            raise ConnectionSettingsError("the server's URL has an invalid host") from None
        except HTTPError as error:
            text = headers.conceal(failure_text(error))
        else:
            # In place of what urllib3 logs, which has the whole URL.
            _logger.debug("%s to %s: %d", method, where, response.status)
            return response
        raise ApiConnectionError(f"{method} failed: no response from {where}: {text}")

    def _send_with_retries(
        self, method: str, send: Callable[..., urllib3.BaseHTTPResponse], deadline: float
    ) -> RawResponse:
        """Send a request as often as the configuration's `retries` say."""
        retries = urllib3.Retry.from_int(self._configuration.retries, redirect=False)
        while True:
            # Retries share the time of the call.
            seconds = deadline - monotonic()
            if seconds <= 0:
                raise TimeoutError
            try:
                # A third, because an address that is dead must leave time for others.
                response = send(timeout=urllib3.Timeout(connect=seconds / 3, read=seconds))
                received = self._read(response, deadline)
            except HTTPError as error:
                retries = retries.increment(method, error=error)
                retries.sleep()
                continue
            wait = wait_seconds(received.headers)
            if not retries.is_retry(method, received.status, wait is not None):
                return received
            # The caller would get a timeout in place of a response that says when to come back.
            if wait is not None and wait > deadline - monotonic():
                return received
            try:
                retries = retries.increment(method, response=response)
            except MaxRetryError:
                # The last response says more than that there were too many.
                return received
            if wait is None:
                retries.sleep()
            else:
                sleep(wait)

    def _read(self, response: urllib3.BaseHTTPResponse, deadline: float) -> RawResponse:
        max_size = self._configuration.max_size
        data = bytearray()
        with closing(response):
            while len(data) <= max_size:
                # A body may come a byte at a time, without an end.
                if monotonic() > deadline:
                    raise TimeoutError
                # `read` would wait for a whole chunk.
                chunk = response.read1(_CHUNK, decode_content=True)
                if not chunk:
                    break
                data += chunk
        return RawResponse(
            response.status,
            response.reason or "",
            ResponseHeaders(response.headers),
            bytes(data[:max_size]),
            is_cut=len(data) > max_size,
        )

    def close(self) -> None:
        """Close the idle connections."""
        if self._pool:
            self._pool.clear()


class _TlsConnection(HTTPSConnection):
    """A connection that asks a proxy in HTTP/1.1, as Python 3.12 does: some refuse HTTP/1.0.

    See https://docs.python.org/3/library/http.client.html#http.client.HTTPConnection.set_tunnel
    """

    def send(self, data: Any) -> None:
        """Send bytes, or whatever http.client takes."""
        if isinstance(data, bytes) and data.startswith(b"CONNECT "):
            target = data.split(b" ")[1]
            data = data.replace(b" HTTP/1.0\r\n", b" HTTP/1.1\r\nHost: %s\r\n" % target, 1)
        super().send(data)


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls: Any = _TlsConnection


def _make_pool(configuration: Configuration) -> urllib3.PoolManager:
    """Make the pool, through the proxy of the configuration or of the environment."""
    options: dict[str, Any] = {"ca_certs": configuration.ca_certs, "maxsize": _MAX_IDLE}
    proxy = configuration.proxy
    if proxy is None:
        proxy = _environment_proxy(configuration.base)
    if not proxy:
        return urllib3.PoolManager(**options)
    try:
        return _proxy_pool(proxy.get_secret_value(), options)
    except (HTTPError, ValueError):
        raise ConnectionSettingsError(
            "invalid proxy URL; expected http://HOST:PORT or socks5h://HOST:PORT"
        ) from None


def _environment_proxy(base: BaseUrl) -> Secret | None:
    """Return the proxy that `websockets` would take for a session with the same server."""
    # https://websockets.readthedocs.io/en/stable/topics/proxies.html
    if base.is_loopback or proxy_bypass(base.where):
        return None
    proxies = getproxies()
    for scheme in ("socks", base.scheme):
        proxy = proxies.get(scheme)
        if proxy:
            # The system's settings have the scheme of a URL, not of the proxy.
            if scheme == "socks":
                proxy = re.sub(r"^http://", "socks5h://", proxy)
            return Secret(proxy)
    return None


def _proxy_pool(url: str, options: dict[str, Any]) -> urllib3.PoolManager:
    parts = urlsplit(url)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme in _SOCKS_SCHEMES:
        # urllib3 would warn besides raising an ImportError.
        if find_spec("socks") is None:
            raise MissingDependencyError(
                'a SOCKS proxy needs one more package: pip install "urllib3[socks]"'
            )
        from urllib3.contrib.socks import SOCKSProxyManager

        return SOCKSProxyManager(url, user or None, password or None, **options)
    headers = dict[str, str]()
    if user or password:
        # As UTF-8, see RFC 7617, section 2.1. `urllib3.make_headers` encodes as Latin-1.
        credentials = b64encode(f"{user}:{password}".encode()).decode()
        headers["Proxy-Authorization"] = f"Basic {credentials}"
    pool = urllib3.ProxyManager(url, proxy_headers=headers, **options)
    pool.pool_classes_by_scheme = {"http": urllib3.HTTPConnectionPool, "https": _TlsPool}
    return pool
