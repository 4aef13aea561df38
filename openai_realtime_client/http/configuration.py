"""Where the HTTP endpoints are, and how to reach them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import urllib3
from pydantic import SecretStr

from openai_realtime_client.core.credentials import BaseUrl, Credential, Headers, called

_DEFAULT_HOST = "https://api.openai.com/v1"
_SCHEMES = {"http": "http", "https": "https"}


class Configuration:
    """Settings of an `ApiClient`, checked when a request is sent.

    Args:
        host: The URL that all paths are appended to, by default `OPENAI_BASE_URL`, or else
            `https://api.openai.com/v1`. A user and password in it take the place of a key.
        access_token: The key, or a function that gives one for each request (for keys that
            rotate); by default `OPENAI_API_KEY`. `""` is for no key.
        headers: Sent with every request. `Authorization` or `api-key` takes the place of a key.
        timeout: Seconds to wait for a connection, and for each read.
        retries: What urllib3 takes, by default none: a repeated POST creates a second session.
        proxy: The URL of a proxy, in which a user and password may stand.
        ca_certs: The path of a PEM file that replaces the system's certificate authorities.
        max_size: Bytes of an answer's body that are read at most, after decompression. A success
            with more raises `InvalidResponseError`; the body of an error is cut there.
        allow_insecure: Send a key over `http://` to another machine.
    """

    def __init__(
        self,
        host: str | None = None,
        access_token: str | Callable[[], str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 60.0,
        retries: int | urllib3.Retry | bool = False,
        proxy: str | None = None,
        ca_certs: str | None = None,
        max_size: int = 2**26,
        allow_insecure: bool = False,
    ) -> None:
        self.base = BaseUrl(
            host or os.environ.get("OPENAI_BASE_URL") or _DEFAULT_HOST, _SCHEMES, "https"
        )
        if access_token is None and not self.base.has_user:
            access_token = os.environ.get("OPENAI_API_KEY")
        self.credential = Credential.bearer(access_token)
        self.headers = Headers.of(headers)
        self.timeout = timeout
        self.retries = retries
        self.proxy = SecretStr(proxy) if proxy else None
        self.ca_certs = ca_certs
        self.max_size = max_size
        self.allow_insecure = allow_insecure

    @property
    def host(self) -> str:
        """The URL that all paths are appended to, without a user, a password and a query."""
        return str(self.base)

    def __repr__(self) -> str:
        return f"Configuration(host={self.host!r}, timeout={self.timeout!r})"

    def authorize(self, defaults: Headers, own: Headers) -> Headers:
        """Put together the headers of one request, with the key.

        Args:
            defaults: What the client sends by default.
            own: The headers of the one call.

        Raises:
            ConnectionSettingsError: These settings or headers make no safe request.
        """
        own.check()
        self.headers.check()
        own = self.headers.replaced_by(own)
        self.base.check(self.credential, own, allow_insecure=self.allow_insecure)
        key = None if own.has_credential else called(self.credential.key)
        return self.base.authorize(defaults, self.credential, key, own)
