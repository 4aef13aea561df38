"""The record of a session: its events in both directions, as JSON lines."""

from __future__ import annotations

import io
import json
import logging
import mmap
import os
import weakref
from collections.abc import Callable
from os import PathLike
from queue import SimpleQueue
from threading import Lock, Thread, current_thread
from time import monotonic
from typing import IO, Any, Literal

from openai_realtime_client.core.credentials import BaseUrl
from openai_realtime_client.core.json_types import is_array, is_object

__all__ = ["Record", "SessionRecord"]

_logger = logging.getLogger("openai_realtime_client")

_HIDDEN = "***"
# How the types of events with audio end.
_AUDIO = ("audio.delta", "audio_buffer.append")
# What stands under these names may be secret. Looking for them costs far less than parsing.
_SECRETS = ("client_secret", "authorization", "headers", "server_url")
# Bytes that wait to be written.
_MOST_WAITING = 2**26
# Seconds.
_CLOSE_TIMEOUT = 5.0


class Record:
    """Where `connect(record=…)` writes the events of a session, as one JSON object a line:

        {"from": "server", "at_ms": 12.3, "event": {…}}

    The event is the text as it came or was sent, except that secrets are replaced by `***`: client
    secrets, the authorization and headers of MCP tools, the user, password and query of their
    URLs, and the key of the connection.

    A thread writes each line at once and whole, so that a slow disk does not delay the session.
    `close`, and the end of the program, wait up to 5 s for what is not written yet. It is lost when
    the program is killed. When writing fails, as with a full disk, or when 64 MiB wait for it, a
    warning is logged and the record ends; the session goes on.

    Args:
        target: A path, to which is appended, or a file object for text or bytes, which stays open.
        audio: Whether to write audio. Otherwise "" stands in its place.
    """

    def __init__(
        self, target: str | PathLike[str] | IO[str] | IO[bytes], *, audio: bool = True
    ) -> None:
        self._target = target
        self._audio = audio

    @classmethod
    def of(cls, record: Record | str | PathLike[str] | IO[str] | IO[bytes]) -> Record:
        """Make a `Record` of what a caller gave, which may be one."""
        return record if isinstance(record, Record) else cls(record)

    def start(self, conceal: Callable[[str], str]) -> SessionRecord:
        """Start the record of one session, which may wait for the disk.

        Args:
            conceal: Removes the credentials of the connection from a text.

        Raises:
            OSError: If the file cannot be written.
        """

        cleaned = _Cleaner(conceal, audio=self._audio).text
        if isinstance(self._target, (str, PathLike)):
            return SessionRecord(_Writer(_File(self._target), cleaned, closes=True))
        return SessionRecord(_Writer(self._target, cleaned, closes=False))


class SessionRecord:
    """The record of one session: `add(direction, kind, data)` and `close()`."""

    def __init__(self, writer: _Writer) -> None:
        self.add = writer.add
        # Also called when the session is forgotten, and when the program ends.
        self.close = weakref.finalize(self, writer.close)


class _Writer:
    """A thread that writes the lines of one record. Their times begin with it."""

    def __init__(self, file: Any, cleaned: Callable[[str, bytes], str], *, closes: bool) -> None:
        self._file = file
        self._is_text = isinstance(file, io.TextIOBase)
        self._cleaned = cleaned
        self._closes = closes
        self._start = monotonic()
        self._lock = Lock()
        self._queue = SimpleQueue[tuple[str, float, str, bytes] | None]()
        self._added = self._written = 0
        self._is_stopped = False
        self._thread = Thread(target=self._run, name="openai_realtime_client record", daemon=True)
        self._thread.start()

    def add(self, direction: Literal["client", "server"], kind: str, data: bytes) -> None:
        """Have one event written: who sent it, its `type`, and its JSON."""
        if self._is_stopped:
            return
        with self._lock:  # so that lines are in the order of their times
            at_ms = round((monotonic() - self._start) * 1000, 1)
            self._added += len(data)
            self._queue.put((direction, at_ms, kind, data))
        if self._added - self._written > _MOST_WAITING:
            self._stop("writing is too slow")

    def close(self) -> None:
        """Wait for what is not written yet, but not for long."""
        self._queue.put(None)
        if current_thread() is self._thread:
            return  # It forgets the session, and has no need to wait for itself.
        self._thread.join(_CLOSE_TIMEOUT)
        if self._thread.is_alive():
            self._stop("writing is too slow")

    def _run(self) -> None:
        while entry := self._queue.get():
            direction, at_ms, kind, data = entry
            self._written += len(data)
            if self._is_stopped:
                continue
            try:
                event = self._cleaned(kind, data)
            except (ValueError, RecursionError):
                _logger.warning("the record leaves out an event: it cannot be read for secrets")
                continue
            line = f'{{"from":"{direction}","at_ms":{at_ms},"event":{event}}}\n'
            try:
                self._file.write(line if self._is_text else line.encode())
                self._file.flush()
            except Exception as error:  # A file object may raise anything.
                self._stop(getattr(error, "strerror", None) or type(error).__name__)
        if self._closes:
            self._file.close()

    def _stop(self, why: str) -> None:
        self._is_stopped = True
        _logger.warning("the record stops: %s", why)


class _File(io.FileIO):
    """A file that is appended to, without a buffer, so that a crash leaves what was written."""

    def __init__(self, path: Any) -> None:
        super().__init__(path, "a+", opener=lambda path, flags: os.open(path, flags, 0o600))
        self._end_line()

    def write(self, line: Any) -> int:
        """Write a whole line, or none of it and raise `OSError`."""
        written = 0
        try:
            while written < len(line):
                written += super().write(line[written:])
        except OSError:
            if written:
                self.truncate(os.fstat(self.fileno()).st_size - written)
            raise
        return written

    def _end_line(self) -> None:
        """Remove the beginning of a line that a crash in the midst of writing left."""
        size = os.fstat(self.fileno()).st_size
        if not size:
            return
        with mmap.mmap(self.fileno(), size, access=mmap.ACCESS_READ) as content:
            end = content.rfind(b"\n") + 1
            unfinished = content[end:]
        try:
            if unfinished:
                json.loads(unfinished)
                self.write(b"\n")  # It lacked only that.
        except (ValueError, RecursionError):
            self.truncate(end)


class _Cleaner:
    """Removes the secrets from events and, unless `audio`, their audio."""

    def __init__(self, conceal: Callable[[str], str], *, audio: bool) -> None:
        self._conceal = conceal
        self._audio = audio

    def text(self, kind: str, data: bytes) -> str:
        """The text of an event in one line, as it came except for what is removed.

        Raises:
            ValueError: It may hold secrets, and is not JSON or has a name twice.
            RecursionError: It may hold secrets, and is nested too deeply.
        """
        text = data.decode()
        # Short secrets would be found in it by chance.
        is_audio = kind.endswith(_AUDIO)
        base64 = ("audio", "delta") if is_audio else () if self._audio else ("audio",)
        names = _SECRETS if self._audio else (*_SECRETS, *base64)
        if (
            "\\" in text  # An escape such as `\u005f` can hide a name, or a part of a key.
            or any(f'"{name}"' in text for name in names)
            or self._conceal(text) != text
        ):
            event = json.loads(text, object_pairs_hook=_unambiguous)
            # With no escapes but those of quotes and backslashes, which keys may have, too.
            plain = json.dumps(event, ensure_ascii=False).replace('\\"', '"').replace("\\\\", "\\")
            # Looking at each string takes far longer.
            has_key = self._conceal(plain) != plain
            cleaned = self._cleaned(event, base64, self._conceal if has_key else str)
            if cleaned != event:
                text = json.dumps(cleaned, separators=(",", ":"))
        # Line ends are white space in JSON; in a string they are escaped.
        return text.replace("\n", " ").replace("\r", " ")

    def _cleaned(self, value: Any, base64: tuple[str, ...], conceal: Callable[[str], str]) -> Any:
        """A copy of JSON without secrets. Strings that are named in `base64` are audio."""
        if isinstance(value, str):
            return conceal(value)
        if is_array(value):
            return [self._cleaned(each, base64, conceal) for each in value]
        if not is_object(value):
            return value
        copy = dict[str, Any]()
        for name, each in value.items():
            if name in base64 and isinstance(each, str):
                copy[name] = each if self._audio else ""
            else:
                copy[conceal(name)] = self._cleaned(each, base64, conceal)
        _hide(copy)
        return copy


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):  # Only one of the two would be looked at.
        raise ValueError("an object has a name twice")
    return found


def _hide(value: dict[str, Any]) -> None:
    """Replace the secrets that a JSON object has by its names."""
    is_mcp = value.get("type") == "mcp" or "server_url" in value
    if is_object(secret := value.get("client_secret")):
        if "value" in secret:
            secret["value"] = _HIDDEN
    elif secret is not None:
        value["client_secret"] = _HIDDEN
    # A function may have a parameter of one of these names, which is described by an object.
    authorization = value.get("authorization")
    if isinstance(authorization, str) or (is_mcp and authorization is not None):
        value["authorization"] = _HIDDEN
    if is_mcp and (headers := value.get("headers")):
        value["headers"] = dict.fromkeys(headers, _HIDDEN) if is_object(headers) else _HIDDEN
    url = value.get("server_url")
    if isinstance(url, str) and any(sign in url for sign in "@?#"):
        value["server_url"] = repr(BaseUrl(url, {}, "https"))
