"""The settings of HTTP calls: the server, the key, and limits."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import urllib3

from openai_realtime_client.core.credentials import (
    BaseUrl,
    Credential,
    Headers,
    Secret,
    account_headers,
    resolve_key,
)

_SCHEMES = {"http": "http", "https": "https"}


class Configuration:
    """Settings of an `ApiClient`, checked when a request is sent.

    `OPENAI_ORG_ID` and `OPENAI_PROJECT_ID` are sent as headers.

    Args:
        host: The URL that all paths are appended to, by default `OPENAI_BASE_URL`, or else
            `https://api.openai.com/v1`. A user and password in it take the place of a key.
        access_token: The key, or a function that returns one per request (for keys that rotate); by
            default `OPENAI_API_KEY`. `""` is for no key.
        headers: Sent with every request. `Authorization` or `api-key` takes the place of a key.
        timeout: Seconds that a call may take, from looking up the host to the last byte, retries
            included.
        retries: What urllib3 takes, by default none: a repeated POST creates a second session.
        proxy: The URL of a proxy, in which a user and password may stand. By default the one that
            the environment names (`HTTPS_PROXY`, `NO_PROXY`, as for sessions); `""` is for none.
        ca_certs: The path of a PEM file that replaces the system's certificate authorities.
        max_size: Maximum size of a response's body in bytes, after decompression. A larger success
            raises `InvalidResponseError`; the body of an error is cut there.
        allow_insecure: Send a key over `http://` to another machine.
    """

    # A package with another server has a class of its own, which sends nothing of OpenAI's there.
    _default_host = "https://api.openai.com/v1"
    _environment: Mapping[str, str] = os.environ

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
        host = host or self._environment.get("OPENAI_BASE_URL") or self._default_host
        self.base = BaseUrl(host, _SCHEMES, "https")
        if access_token is None and not self.base.has_user:
            access_token = self._environment.get("OPENAI_API_KEY")
        self.credential = Credential.of(access_token)
        self.headers = Headers(headers)
        self.timeout = timeout
        self.retries = retries
        self.proxy: Secret | None = None
        if proxy is not None:
            self.proxy = Secret(proxy)
        self.ca_certs = ca_certs
        self.max_size = max_size
        self.allow_insecure = allow_insecure

    @property
    def host(self) -> str:
        """The URL that all paths are appended to, without a user, a password and a query."""
        return str(self.base)

    def __repr__(self) -> str:
        return f"Configuration(host={self.host!r}, timeout={self.timeout!r})"

    def authorize(
        self,
        defaults: Mapping[str, str],
        call_headers: Headers,
        query: list[tuple[str, str]],
        place: tuple[str, str] | None,
    ) -> Headers:
        """Put together the headers of one request: the client's, the caller's and the key.

        Args:
            defaults: Headers that the package sends by default.
            call_headers: The caller's headers.
            query: The query, to which a key that belongs there is added.
            place: `header` or `query`, and the name of the key there; `None` for a bearer token,
                and empty texts for no key.

        Raises:
            ConnectionSettingsError: These settings or headers make no safe request.
        """
        # Apart: replacing would hide a name that is given twice in different case.
        call_headers.check()
        self.headers.check()
        own = self.headers.merge(call_headers)
        credential = self.credential
        where, name = place or ("bearer", "")
        if where == "header":
            credential = Credential(name, "", credential.key)
        elif not where:
            credential = Credential.of(None)
        self.base.check(credential, own, others=query, allow_insecure=self.allow_insecure)
        key = None
        # The function for a key may be slow, or cost something.
        if not own.has_credential:
            key = resolve_key(credential.key)
        if where == "query" and key is not None:
            # A key may be empty on purpose.
            if key.get_secret_value():
                query.append((name, key.get_secret_value()))
            key = None
        defaults = {**account_headers(self._environment), **defaults}
        return self.base.authorize(defaults, credential, key, own, query)
