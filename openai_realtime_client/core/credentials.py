"""Keys, headers and URLs of servers: one set of checks for WebSocket and HTTP."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, Mapping
from inspect import isawaitable, iscoroutine
from ipaddress import ip_address
from typing import Any, NamedTuple, NoReturn
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from pydantic import SecretStr
from typing_extensions import Self

from openai_realtime_client.core.errors import ConnectionSettingsError

__all__ = [
    "BaseUrl",
    "Credential",
    "Headers",
    "HiddenKey",
    "Key",
    "Secret",
    "account_headers",
    "as_mapping",
    "resolve_key",
    "resolve_key_async",
]

# asyncio connections also take a coroutine function, threads and HTTP do not.
Key = str | Callable[[], str] | Callable[[], Awaitable[str]]
HiddenKey = SecretStr | Callable[[], Any]

# One of these among the caller's headers takes the place of a key.
_CREDENTIAL_HEADERS = {"authorization", "api-key", "cookie", "proxy-authorization"}
_SECRET_NAME = re.compile(r"auth|key|token|secret|cookie|passw|credential|^sig", re.IGNORECASE)
# The service's keys and client secrets, whatever they are called.
_SECRET_VALUE = re.compile(r"\b(?:sk-|ek_)")
# A shorter text may stand in a message by chance.
_MIN_CONCEALED = 16
_MIN_CONCEALED_START = 8
# RFC 9110, sections 5.1 and 5.5.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_ACCOUNT_HEADERS = {
    "OpenAI-Organization": "OPENAI_ORG_ID",
    "OpenAI-Project": "OPENAI_PROJECT_ID",
}
_DEFAULT_PORTS = {"ws": 80, "http": 80, "wss": 443, "https": 443}
# Where sessions and calls are. Some settings show it as the end of a server's URL.
_REALTIME_PATH = "/realtime"
_REALTIME_END = re.compile(r"/realtime(/translations)?$")


class NoPickle:
    """Refuses pickling, which would copy secrets to disk and to other processes."""

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key cannot be pickled: make settings in the process that uses them")

    def __deepcopy__(self, _: object) -> Self:
        return self


class Secret(NoPickle, SecretStr):
    """A key, or the URL of a proxy."""


class Headers(dict[str, str]):
    """The headers of a request. `secrets` are credentials elsewhere in it, as in its URL."""

    def __init__(
        self, headers: Mapping[str, str] | None = None, secrets: Iterable[str] = ()
    ) -> None:
        super().__init__(as_mapping("headers", headers))
        self._secrets = tuple(secrets)

    def __repr__(self) -> str:
        return f"Headers({', '.join(self)})"

    @property
    def has_credential(self) -> bool:
        """Whether one of the headers takes the place of a key."""
        return any(name.lower() in _CREDENTIAL_HEADERS for name in self)

    def check(self) -> None:
        """Raise `ConnectionSettingsError` for what cannot be sent as it is, without its value."""
        for name, value in self.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ConnectionSettingsError(
                    "a header's name has a character that HTTP does not allow"
                )
            if not _HEADER_VALUE.fullmatch(value):
                raise ConnectionSettingsError(
                    f"the value of the header {name} has a character that HTTP does not allow"
                )
        names = [name.lower() for name in self]
        for name in names:
            if names.count(name) > 1:
                raise ConnectionSettingsError(
                    f"the header {name} is given twice, in different case"
                )

    def merge(self, other: Mapping[str, str]) -> Headers:
        """Return these headers with those of `other`, which win whatever the case of names."""
        replaced = set(map(str.lower, other))
        headers = Headers(secrets=self._secrets)
        for name, value in self.items():
            if name.lower() not in replaced:
                headers[name] = value
        headers.update(other)
        return headers

    def conceal(self, text: str) -> str:
        """Return `text` with `***` for each credential of the request that a server repeats."""
        secrets = list(self._secrets)
        for name, value in self.items():
            # The scheme before a key, as in `Bearer KEY`, is not secret.
            secrets += secret_values([(name, value.strip().rpartition(" ")[2])])
        # The longest first: one may be a part of another.
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= _MIN_CONCEALED:
                text = _conceal_secret(text, secret)
        return text

    def conceal_response(
        self, headers: Iterable[tuple[str, str]], body: bytes
    ) -> tuple[dict[str, str], bytes]:
        """Return the headers and the body of a response, concealed."""
        concealed = {name: self.conceal(value) for name, value in headers}
        # As Latin-1, which decodes and encodes any bytes.
        return concealed, self.conceal(body.decode("latin-1")).encode("latin-1")


def as_mapping(what: str, values: Mapping[str, str] | None) -> dict[str, str]:
    """Return a copy of a mapping of strings; raise `ConnectionSettingsError` for anything else."""
    if not isinstance(values, Mapping | None):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConnectionSettingsError(f"{what} must be a mapping of names to values")
    copy: dict[Any, Any] = dict(values or {})
    if not all(isinstance(text, str) for text in (*copy, *copy.values())):
        raise ConnectionSettingsError(f"{what}: names and values must be strings")
    return copy


def account_headers(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of the organization and project that the environment names."""
    headers = dict[str, str]()
    for header, variable in _ACCOUNT_HEADERS.items():
        value = environment.get(variable)
        if value:
            headers[header] = value
    return headers


def secret_values(values: Iterable[tuple[str, str]]) -> list[str]:
    """Return those of some named values that look like credentials, by name or by value."""
    secrets: list[str] = []
    for name, value in values:
        if _SECRET_NAME.search(name) or _SECRET_VALUE.search(value):
            secrets.append(value)
    return secrets


class Credential(NamedTuple):
    """A key, and the header that it is sent in."""

    header: str
    prefix: str
    key: HiddenKey | None

    @classmethod
    def of(cls, key: Any, header: str = "Authorization", prefix: str = "Bearer ") -> Self:
        """Make one of a key or a function that returns it."""
        if isinstance(key, str):
            key = Secret(key)
        if not (key is None or isinstance(key, SecretStr) or callable(key)):
            raise ConnectionSettingsError(
                f"a key must be a str or a function, not {type(key).__name__}"
            )
        return cls(header, prefix, key)

    @property
    def is_secret(self) -> bool:
        """Whether there is something to hide: a key may be missing, and may be empty on purpose."""
        if isinstance(self.key, SecretStr):
            return bool(self.key.get_secret_value())
        return self.key is not None

    def headers(self, key: SecretStr | None) -> Headers:
        """Return the header that carries `key`, which is the value of `self.key`."""
        if key is None or not key.get_secret_value():
            return Headers()
        # Keys that are read from files often end with a line break.
        if re.search(r"[^\x21-\x7e]", key.get_secret_value()):
            raise ConnectionSettingsError(
                "the key has a space, a line break or a character that is not ASCII"
            )
        return Headers({self.header: self.prefix + key.get_secret_value()})


class BaseUrl(NoPickle):
    """The URL of a server, to which paths are appended. It is checked when it is used.

    A user and password in it are sent as `Authorization: Basic`, in place of a key. `schemes` maps
    each allowed scheme to the one that is used; `secure` is the encrypted one.
    """

    def __init__(self, url: str, schemes: Mapping[str, str], secure: str) -> None:
        try:
            # Variables of the environment may end with a space or a line break.
            self._parts = urlsplit(str(url).strip())
        except ValueError:  # such as for an address in brackets that do not end
            self._parts = urlsplit("")
        self._schemes = schemes
        self._secure = secure

    def __repr__(self) -> str:
        """Return the URL, without the values of its user, password and query."""
        parts = self._parts
        if not parts.netloc:
            return "an invalid URL"
        text = f"{parts.scheme}://"
        if self.has_user:
            text += "***@"
        text += parts.netloc.rpartition("@")[2] + parts.path
        if parts.query:
            text += "?***"
        return text

    @property
    def scheme(self) -> str:
        """The scheme to connect with. Raises `ConnectionSettingsError` for an invalid URL."""
        scheme = self._schemes.get(self._parts.scheme)
        try:
            _ = self._parts.port
        except ValueError:
            scheme = None
        # `urlsplit` takes nearly any text for a URL.
        if not scheme or not self.host:
            raise ConnectionSettingsError(
                f"invalid server URL; expected {self._secure}://HOST[:PORT]/v1"
            )
        return scheme

    @property
    def host(self) -> str:
        """The name or address of the server."""
        return self._parts.hostname or ""

    @property
    def where(self) -> str:
        """The server for messages: `HOST:PORT`."""
        host = self.host
        # Addresses of IPv6 stand in brackets, see RFC 3986, section 3.2.2.
        if ":" in host:
            host = f"[{host}]"
        return f"{host}:{self._parts.port or _DEFAULT_PORTS[self.scheme]}"

    @property
    def path(self) -> str:
        """The path of the base URL."""
        return self._parts.path

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost" or self.host.endswith(".localhost")

    @property
    def has_user(self) -> bool:
        """Whether a user or a password is in the URL."""
        return "@" in self._parts.netloc

    def with_path(self, path: str, without: Iterable[str]) -> BaseUrl:
        """Return this URL with another path, and without some parameters of its query."""
        query = self._encoded_query(without)
        url = urlunsplit(self._parts._replace(path=path, query=query))
        return BaseUrl(url, self._schemes, self._secure)

    def join(
        self, path: str, parameters: Mapping[str, str], query: Iterable[tuple[str, str]]
    ) -> str:
        """Append a path and a query, which wins over the URL's own parameters of the same name.

        The names of the path's parameters stand in braces. The part of `path` that the URL ends in
        already is not repeated.
        """
        for name, value in parameters.items():
            # Even quoted, these change the path: urllib3 and servers take them out of it.
            if value in ("", ".", ".."):
                raise ConnectionSettingsError(f"{name} cannot be {value!r}")
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        # Users paste the whole URL of an endpoint, too.
        base = self._parts.path.rstrip("/").removesuffix(path)
        if path.startswith(_REALTIME_PATH):
            base = _REALTIME_END.sub("", base)
        netloc = self._parts.netloc.rpartition("@")[2]
        pairs = list(query)
        queries = filter(None, [self._encoded_query(dict(pairs)), urlencode(pairs)])
        return urlunsplit((self.scheme, netloc, base + path, "&".join(queries), ""))

    def check(
        self,
        credential: Credential,
        own: Headers,
        *,
        others: Iterable[tuple[str, str]] = (),
        allow_insecure: bool,
    ) -> None:
        """Check what would be sent to this URL, before any function for a key is called.

        `own` are the caller's headers, one of which may take the place of the key, and `others`
        are other names and values that are sent.

        Raises:
            ConnectionSettingsError: The URL or a header is invalid, two credentials would be sent,
                or one would be sent unencrypted.
        """
        own.check()
        scheme = self.scheme
        has_secret = credential.is_secret or self.secrets([*own.items(), *others])
        if scheme != self._secure and has_secret and not (allow_insecure or self.is_loopback):
            raise ConnectionSettingsError(
                f"a key would go over {scheme}:// unencrypted: use {self._secure}://, "
                "or pass `allow_insecure=True`"
            )
        if self.has_user and (credential.is_secret or own.has_credential):
            raise ConnectionSettingsError(
                "the URL has a user or a password, and there is a key, too: pass only one of them"
            )

    def secrets(self, others: Iterable[tuple[str, str]] = ()) -> list[str]:
        """Return the user and password, and what looks like a credential in query or `others`."""
        user = [unquote(self._parts.username or ""), unquote(self._parts.password or "")]
        return [*filter(None, user), *secret_values([*self._own_query(), *others])]

    def authorize(
        self,
        defaults: Mapping[str, str],
        credential: Credential,
        key: SecretStr | None,
        own: Headers,
        others: Iterable[tuple[str, str]] = (),
    ) -> Headers:
        """Put together the headers of a request, of which the caller's `own` win over all others.

        `key` is `None` where one of them takes its place.
        """
        headers = Headers(defaults, self.secrets(others))
        headers = headers.merge(credential.headers(key))
        if self.has_user:
            pair = (self._parts.username, self._parts.password)
            text = ":".join(unquote(part or "") for part in pair)
            headers["Authorization"] = f"Basic {b64encode(text.encode()).decode()}"
        return headers.merge(own)

    def _own_query(self) -> list[tuple[str, str]]:
        return parse_qsl(self._parts.query, keep_blank_values=True)

    def _encoded_query(self, without: Iterable[str]) -> str:
        return urlencode([pair for pair in self._own_query() if pair[0] not in without])


def resolve_key(key: HiddenKey | None) -> SecretStr | None:
    """Return the value of a key, which may come from a function."""
    if callable(key):
        return _check_key(key())
    return key


async def resolve_key_async(key: HiddenKey | None) -> SecretStr | None:
    """Return the value of a key, which may come from a function or a coroutine function."""
    if not callable(key):
        return key
    value = key()
    if isawaitable(value):
        value = await value
    return _check_key(value)


def _check_key(key: Any) -> SecretStr:
    if isinstance(key, str):
        return SecretStr(key)
    if iscoroutine(key):
        key.close()
    raise ConnectionSettingsError(
        f"the function for a key returned a {type(key).__name__}, not a str"
    )


def _conceal_secret(text: str, secret: str) -> str:
    text = text.replace(secret, "***")
    # Close reasons are limited to 123 bytes, so a key at the end may be truncated.
    for length in range(len(secret) - 1, _MIN_CONCEALED_START - 1, -1):
        if text.endswith(secret[:length]):
            return text[:-length] + "***"
    return text
