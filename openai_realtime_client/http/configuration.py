"""Where the HTTP endpoints are, and how to reach them."""

import os
from collections.abc import Callable, Mapping

import urllib3

_DEFAULT_HOST = "https://api.openai.com/v1"


class Configuration:
    """Settings of an `ApiClient`.

    `host` is the URL that all paths are appended to; by default `OPENAI_BASE_URL`, or else
    `https://api.openai.com/v1`. `access_token` is the key, or a function that gives one for
    each request (for keys that rotate); by default `OPENAI_API_KEY`. `headers` are sent with every
    request. `timeout` is in seconds, for connecting and for each read. `retries` is what urllib3
    takes, by default none, because a repeated POST creates a second session. `proxy` is a URL.
    `ca_certs` is the path of a PEM file that replaces the system's certificate authorities.
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
    ) -> None:
        self.host = (host or os.environ.get("OPENAI_BASE_URL") or _DEFAULT_HOST).rstrip("/")
        self.access_token = access_token or os.environ.get("OPENAI_API_KEY")
        self.headers = dict(headers or {})
        self.timeout = timeout
        self.retries = retries
        self.proxy = proxy
        self.ca_certs = ca_certs

    def __repr__(self) -> str:
        return f"Configuration(host={self.host!r}, timeout={self.timeout!r})"

    def token(self) -> str | None:
        """The key for one request."""
        return self.access_token() if callable(self.access_token) else self.access_token
