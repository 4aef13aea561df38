"""Where a session is opened, and with which credential: the part of a connection without I/O."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from inspect import isawaitable, iscoroutine
from ipaddress import ip_address
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import SecretStr

__all__ = ["AzureSettings", "ConnectionSettingsError", "Dialect", "Key", "Settings", "azure"]

Event = TypeVar("Event")

# `connect` also takes a coroutine function, `connect_sync` does not.
Key = str | Callable[[], str] | Callable[[], Awaitable[str]]

_DEFAULT_URL = "wss://api.openai.com/v1"
_SCHEMES = {"ws": "ws", "http": "ws", "wss": "wss", "https": "wss"}
_CREDENTIALS = {"authorization", "api-key", "cookie", "proxy-authorization"}


class ConnectionSettingsError(ValueError):
    """What was passed to `connect` does not make a connection. Nothing was sent."""


@dataclass(frozen=True)
class Dialect(Generic[Event]):
    """What differs between the kinds of sessions of both protocols."""

    path: str
    is_beta: bool
    append: str
    parse: Callable[[bytes], Event]


class Headers(dict[str, str]):
    """Headers of a handshake. Their values are not in the repr, and so in no traceback."""

    def __repr__(self) -> str:
        return f"Headers({', '.join(self)})"

    def conceal(self, text: str) -> str:
        """What a server says, without a credential that it repeats."""
        for name, value in self.items():
            secret = value.rpartition(" ")[2]
            if secret and name.lower() in _CREDENTIALS:
                text = _concealed(text, secret)
        return text


class _Credential(NamedTuple):
    header: str
    prefix: str
    key: SecretStr | Callable[[], Any] | None

    @property
    def is_secret(self) -> bool:
        """Whether there is something to hide: a key may be missing, and may be empty on purpose."""
        if isinstance(self.key, SecretStr):
            return bool(self.key.get_secret_value())
        return self.key is not None


@dataclass(frozen=True)
class AzureSettings:
    """Where and as whom to connect to Azure; see `azure`."""

    endpoint: str
    deployment: str
    api_version: str
    credential: _Credential = field(repr=False)


def azure(
    endpoint: str,
    deployment: str,
    *,
    api_key: Key | None = None,
    token: Key | None = None,
    api_version: str = "2025-04-01-preview",
) -> AzureSettings:
    """The `azure` argument of `connect`: a deployment of a model in Azure OpenAI.

    `endpoint` is the resource's URL, such as `https://NAME.openai.azure.com`. The credential is
    `token`, a token of Microsoft Entra sent as `Authorization: Bearer`, or else `api_key`, sent as
    `api-key`, by default `AZURE_OPENAI_API_KEY`; either may be a function that gives one for each
    connection. `api_version` is for `realtime=v1` alone: GA has none on Azure.

    Source: https://learn.microsoft.com/azure/ai-foundry/openai/how-to/realtime-audio-websockets
    """
    if token is not None:
        credential = _Credential("Authorization", "Bearer ", _hidden(token))
    else:
        key = api_key if api_key is not None else os.environ.get("AZURE_OPENAI_API_KEY")
        credential = _Credential("api-key", "", _hidden(key))
    return AzureSettings(endpoint, deployment, api_version, credential)


class Settings:
    """The arguments of `connect`, checked when a connection is opened."""

    def __init__(
        self,
        dialect: Dialect[Any],
        *,
        model: str | None,
        call_id: str | None,
        intent: str | None,
        api_key: Key | None,
        azure: AzureSettings | None,
        base_url: str | None,
        headers: Mapping[str, str] | None,
        query: Mapping[str, str] | None,
        allow_insecure: bool,
    ) -> None:
        self._dialect = dialect
        self._model = model
        self._call_id = call_id
        self._intent = intent
        self._azure = azure
        url = azure.endpoint if azure else base_url or os.environ.get("OPENAI_BASE_URL")
        self._base_url = url or _DEFAULT_URL
        # Later: an error here would show the key, which the caller's frame still holds.
        self._own_headers: Callable[[], Headers] = lambda: Headers(headers or {})
        self._own_query: Callable[[], dict[str, str]] = lambda: dict(query or {})
        self._allow_insecure = allow_insecure
        key = api_key if api_key is not None else os.environ.get("OPENAI_API_KEY")
        bearer = _Credential("Authorization", "Bearer ", _hidden(key))
        self._credential = azure.credential if azure else bearer

    @property
    def _headers(self) -> Headers:
        return self._own_headers()

    @property
    def _base(self) -> SplitResult:
        return urlsplit(self._base_url)

    @property
    def host(self) -> str:
        """Where the server is."""
        return self._base.hostname or ""

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost" or self.host.endswith(".localhost")

    def url(self) -> str:
        """The URL of the WebSocket. Raises `ConnectionSettingsError`."""
        if self._model and (self._call_id or self._azure):
            other = "`call_id`: the call" if self._call_id else "`azure`: the deployment"
            raise ConnectionSettingsError(f"pass `model` or {other} has its model already")
        scheme = self._scheme()
        if scheme == "ws" and self._has_secret() and not (self._allow_insecure or self.is_loopback):
            raise ConnectionSettingsError(
                "a key would go over ws:// unencrypted: use wss://, or pass `allow_insecure=True`"
            )
        path = self._base.path.rstrip("/") + self._azure_path() + self._dialect.path
        query = {
            **dict(parse_qsl(self._base.query)),
            **self._parameters(),
            **self._own_query(),
        }
        return urlunsplit((scheme, self._base.netloc, path, urlencode(query), ""))

    def headers(self) -> Headers:
        """The headers of a handshake, with the key. Raises `ConnectionSettingsError`."""
        return self._with_key(_called(self._key()))

    async def headers_async(self) -> Headers:
        """The same, where the key may come from a coroutine function."""
        return self._with_key(await _awaited(self._key()))

    def _scheme(self) -> str:
        try:
            scheme, _ = _SCHEMES.get(self._base.scheme), self._base.port
        except ValueError:
            scheme = None
        if not scheme or not self.host:
            raise ConnectionSettingsError("a server's URL is like wss://HOST:PORT/v1")
        return scheme

    def _azure_path(self) -> str:
        if not self._azure:
            return ""
        return "/openai" if self._dialect.is_beta else "/openai/v1"

    def _parameters(self) -> dict[str, str]:
        found = {"model": self._model, "call_id": self._call_id, "intent": self._intent}
        if self._azure and self._dialect.is_beta:
            found["api-version"] = self._azure.api_version
            found["deployment"] = self._azure.deployment
        elif self._azure and not self._call_id:
            found["model"] = self._azure.deployment
        return {name: value for name, value in found.items() if value}

    def _has_secret(self) -> bool:
        has_password = self._base.password is not None
        return has_password or self._credential.is_secret or self._has_own_credential()

    def _has_own_credential(self) -> bool:
        return not _CREDENTIALS.isdisjoint(name.lower() for name in self._headers)

    def _key(self) -> SecretStr | Callable[[], Any] | None:
        return None if self._has_own_credential() else self._credential.key

    def _with_key(self, key: SecretStr | None) -> Headers:
        if key is None and not self._has_own_credential():
            variable = "AZURE_OPENAI_API_KEY" if self._azure else "OPENAI_API_KEY"
            raise ConnectionSettingsError(
                f'there is no key: pass `api_key` or set {variable} (`api_key=""` is for no key)'
            )
        headers = Headers({"OpenAI-Beta": "realtime=v1"} if self._dialect.is_beta else {})
        if key is not None and key.get_secret_value():
            if re.search(r"[^\x21-\x7e]", key.get_secret_value()):
                raise ConnectionSettingsError("the key has a space or a line break in it")
            headers[self._credential.header] = self._credential.prefix + key.get_secret_value()
        own = {name.lower() for name in self._headers}
        kept = {name: value for name, value in headers.items() if name.lower() not in own}
        return Headers(kept | self._headers)


def _concealed(text: str, secret: str) -> str:
    text = text.replace(secret, "***")
    # The reason of a close frame has room for 123 bytes, which may end in the midst of a key.
    for length in range(len(secret) - 1, 7, -1):
        if text.endswith(secret[:length]):
            return text[:-length] + "***"
    return text


def _hidden(key: Key | None) -> SecretStr | Callable[[], Any] | None:
    return SecretStr(key) if isinstance(key, str) else key


def _called(key: SecretStr | Callable[[], Any] | None) -> SecretStr | None:
    return _checked(key()) if callable(key) else key


async def _awaited(key: SecretStr | Callable[[], Any] | None) -> SecretStr | None:
    if not callable(key):
        return key
    value = key()
    return _checked(await value if isawaitable(value) else value)


def _checked(key: Any) -> SecretStr:
    if not isinstance(key, str):
        if iscoroutine(key):
            key.close()
        raise ConnectionSettingsError(f"the function for a key gave a {type(key).__name__}, no str")
    return SecretStr(key)
