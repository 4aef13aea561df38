"""Keys, headers and URLs of servers: one set of checks for WebSocket and HTTP.

No function here has a secret in a local variable when it raises: tools that report errors show
local variables.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from inspect import isawaitable, iscoroutine
from ipaddress import ip_address
from logging import LogRecord
from typing import Any, NamedTuple, TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from pydantic import SecretStr
from typing_extensions import Self

from openai_realtime_client.core.errors import ConnectionSettingsError

__all__ = [
    "BaseUrl",
    "Credential",
    "Headers",
    "Hidden",
    "HiddenKey",
    "Key",
    "awaited",
    "called",
    "hidden",
    "without_traceback",
]

T = TypeVar("T")

# asyncio connections also take a coroutine function, threads and HTTP do not.
Key = str | Callable[[], str] | Callable[[], Awaitable[str]]
HiddenKey = SecretStr | Callable[[], Any]

# One of these among the caller's headers takes the place of a key.
_CREDENTIALS = {"authorization", "api-key", "cookie", "proxy-authorization"}
_SECRET_NAME = re.compile(r"auth|key|token|secret|cookie|passw|credential|^sig", re.IGNORECASE)
# Whatever the header is called, a word of this length may be a key.
_SECRET_LENGTH = 20
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class Hidden(dict[str, T]):
    """A dictionary whose values are not in its repr, and so in no traceback."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(str, self))})"


class Headers(Hidden[str]):
    """Headers of a request, with secrets among them."""

    is_mapping = True
    # Secrets of the request that stand elsewhere, such as in its URL.
    elsewhere: tuple[SecretStr, ...] = ()

    @classmethod
    def of(cls, headers: Mapping[str, str] | None) -> Self:
        """Take a caller's headers. It never raises: that frame still holds the original."""
        if isinstance(headers, cls):
            return headers
        try:
            return cls(headers or {})
        except (TypeError, ValueError):
            invalid = cls()
            invalid.is_mapping = False
            return invalid

    def __repr__(self) -> str:
        # What is not a valid name may be a whole line, with the value.
        return f"Headers({', '.join(name if _is_name(name) else '?' for name in self)})"

    @property
    def has_credential(self) -> bool:
        """Whether one of the headers takes the place of a key."""
        return any(str(name).lower() in _CREDENTIALS for name in self)

    @property
    def has_secret(self) -> bool:
        """Whether one of the headers should not go over the network unencrypted."""
        return any(_SECRET_NAME.search(str(name)) for name in self)

    def check(self) -> None:
        """Check names and values before anything is sent.

        Raises:
            ConnectionSettingsError: A header cannot be sent as it is. The message has no value.
        """
        if not self.is_mapping:
            raise ConnectionSettingsError("headers must be a mapping of names to values")
        if not all(map(_is_name, self)):
            raise ConnectionSettingsError(
                "the name of a header has a character that HTTP does not allow"
            )
        for name in self:
            if not isinstance(self[name], str):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ConnectionSettingsError(f"the value of the header {name} must be a str")
            if not _HEADER_VALUE.fullmatch(self[name]):
                raise ConnectionSettingsError(
                    f"the value of the header {name} has a character that HTTP does not allow"
                )
        if len({name.lower() for name in self}) < len(self):
            raise ConnectionSettingsError("a header is given twice, in different case")

    def replaced_by(self, other: Mapping[str, str]) -> Headers:
        """Add the headers of `other`, which win whatever the case of their names."""
        names = {str(name).lower() for name in other}
        return Headers({n: self[n] for n in self if str(n).lower() not in names} | dict(other))

    def conceal(self, text: str) -> str:
        """Replace each credential that a server repeats in `text` by `***`."""
        for secret in self._secrets():
            text = _concealed(text, secret)
        return text

    def _secrets(self) -> list[str]:
        words = [(name, value.strip().rpartition(" ")[2]) for name, value in self.items()]
        found = [
            word for name, word in words if _SECRET_NAME.search(name) or len(word) >= _SECRET_LENGTH
        ]
        found += [secret.get_secret_value() for secret in self.elsewhere]
        # The longest first: one may be a part of another.
        return sorted(filter(None, found), key=len, reverse=True)


class Credential(NamedTuple):
    """A key, and the header that it is sent in."""

    header: str
    prefix: str
    key: HiddenKey | None

    @classmethod
    def bearer(cls, key: Any) -> Self:
        """`Authorization: Bearer KEY`."""
        return cls("Authorization", "Bearer ", hidden(key))

    @property
    def is_secret(self) -> bool:
        """Whether there is something to hide: a key may be missing, and may be empty on purpose."""
        if isinstance(self.key, SecretStr):
            return bool(self.key.get_secret_value())
        return self.key is not None

    def headers(self, key: SecretStr | None) -> Headers:
        """The header that carries `key`, which is the value of `self.key`."""
        if key is None or not key.get_secret_value():
            return Headers()
        if re.search(r"[^\x21-\x7e]", key.get_secret_value()):
            raise ConnectionSettingsError("the key has a space or a line break in it")
        return Headers({self.header: self.prefix + key.get_secret_value()})


class BaseUrl:
    """The URL of a server, to which paths are appended.

    A user and password in it are sent as `Authorization: Basic`, in place of a key.

    Args:
        url: The URL, which is checked when it is used.
        schemes: The schemes that may stand in it, and which is meant by each.
        secure: The scheme to recommend.
    """

    def __init__(self, url: str, schemes: Mapping[str, str], secure: str) -> None:
        self._url = SecretStr(url)
        self._schemes = schemes
        self._secure = secure

    def __repr__(self) -> str:
        """The URL, without the values of its user, password and query."""
        try:
            parts = self._parts
            user = "***@" if "@" in parts.netloc else ""
            query = "?***" if parts.query else ""
            return f"{parts.scheme}://{user}{parts.netloc.rpartition('@')[2]}{parts.path}{query}"
        except ValueError:
            return "an invalid URL"

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self._url.get_secret_value())

    @property
    def scheme(self) -> str:
        """The scheme to connect with. Raises `ConnectionSettingsError` for an invalid URL."""
        try:
            scheme, _ = self._schemes.get(self._parts.scheme), self._parts.port
            host = self._parts.hostname
        except (AttributeError, TypeError, ValueError):  # from what is not a str
            scheme = host = None
        if not scheme or not host:
            raise ConnectionSettingsError(f"a server's URL is like {self._secure}://HOST:PORT/v1")
        return scheme

    @property
    def host(self) -> str:
        """The name or address of the server."""
        return self._parts.hostname or ""

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
        try:
            return "@" in self._parts.netloc
        except (AttributeError, TypeError, ValueError):  # from what is not a str
            return False

    @property
    def secrets(self) -> tuple[SecretStr, ...]:
        """The password, and each parameter of the query that looks like a key."""
        query = parse_qsl(self._parts.query)
        found = [SecretStr(value) for name, value in query if _SECRET_NAME.search(name)]
        password = unquote(self._parts.password or "")
        return (*found, SecretStr(password)) if password else tuple(found)

    def join(self, path: str, query: Mapping[str, str]) -> str:
        """Append a path and a query, which wins over the URL's own parameters of the same name."""
        added = urlencode(query)
        own = parse_qsl(self._parts.query, keep_blank_values=True)
        kept = urlencode([(name, value) for name, value in own if name not in query])
        path = self._parts.path.rstrip("/") + path
        netloc = self._parts.netloc.rpartition("@")[2]
        return urlunsplit((self.scheme, netloc, path, "&".join(filter(None, [kept, added])), ""))

    def check(self, credential: Credential, own: Headers, *, allow_insecure: bool) -> None:
        """Check what would be sent to this URL, before any function for a key is called.

        Args:
            credential: The key, of which `own` may take the place.
            own: The caller's headers.
            allow_insecure: Whether a secret may go to another machine without encryption.

        Raises:
            ConnectionSettingsError: The URL or a header is invalid, two credentials would be sent,
                or one would be sent unencrypted.
        """
        own.check()
        scheme = self.scheme
        is_secret = self.has_user or self.secrets or credential.is_secret or own.has_secret
        if scheme != self._secure and is_secret and not (allow_insecure or self.is_loopback):
            raise ConnectionSettingsError(
                f"a key would go over {scheme}:// unencrypted: use {self._secure}://, "
                "or pass `allow_insecure=True`"
            )
        if self.has_user and (credential.is_secret or own.has_credential):
            raise ConnectionSettingsError(
                "the URL has a user or a password, and there is a key, too: pass only one of them"
            )

    def authorize(
        self, defaults: Headers, credential: Credential, key: SecretStr | None, own: Headers
    ) -> Headers:
        """Put together the headers of a request.

        Args:
            defaults: What the package sends by default.
            credential: How a key is sent.
            key: The key, or `None` where `own` takes its place.
            own: The caller's headers, which win.
        """
        headers = defaults.replaced_by(credential.headers(key))
        if self.has_user:
            headers["Authorization"] = self._basic()
        headers = headers.replaced_by(own)
        headers.elsewhere = self.secrets
        return headers

    def _basic(self) -> str:
        parts = (self._parts.username, self._parts.password)
        pair = ":".join(unquote(part or "") for part in parts)
        return f"Basic {b64encode(pair.encode()).decode()}"


def without_traceback(record: LogRecord) -> bool:
    """A filter for loggers of libraries: tracebacks give way to the name of the exception."""
    if record.exc_info and record.exc_info[0]:
        record.msg = f"{record.getMessage()}: {record.exc_info[0].__name__}"
        record.args = record.exc_info = record.exc_text = None
    return True


def hidden(key: Any) -> HiddenKey | None:
    """Wrap a key so that no repr shows it. One of a wrong type is refused when it is used."""
    if isinstance(key, str):
        return SecretStr(key)
    if key is None or isinstance(key, SecretStr):
        return key
    return key if callable(key) else partial(_refuse_type, type(key).__name__)


def called(key: HiddenKey | None) -> SecretStr | None:
    """The value of a key, which may come from a function."""
    return _checked(key()) if callable(key) else key


async def awaited(key: HiddenKey | None) -> SecretStr | None:
    """The value of a key, which may come from a function or a coroutine function."""
    return _checked(await _result(key)) if callable(key) else key


async def _result(function: Callable[[], Any]) -> Any:
    value = function()
    return await value if isawaitable(value) else value


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and _HEADER_NAME.fullmatch(name) is not None


def _refuse_type(name: str) -> None:
    raise ConnectionSettingsError(f"a key must be a str or a function, not {name}")


def _checked(key: Any) -> SecretStr:
    if isinstance(key, str):
        return SecretStr(key)
    if iscoroutine(key):
        key.close()
    name = type(key).__name__
    del key
    raise ConnectionSettingsError(f"the function for a key gave a {name}, not a str")


def _concealed(text: str, secret: str) -> str:
    text = text.replace(secret, "***")
    # The reason of a close frame has room for 123 bytes, which may end in the midst of a key.
    for length in range(len(secret) - 1, 7, -1):
        if text.endswith(secret[:length]):
            return text[:-length] + "***"
    return text
