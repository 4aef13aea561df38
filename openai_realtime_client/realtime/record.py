"""The record of a session: its events in both directions, as JSON lines."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Callable
from os import PathLike
from threading import Lock
from time import monotonic
from typing import IO, Any, Literal

from openai_realtime_client.core.json_types import is_array, is_object

__all__ = ["Record", "SessionRecord"]

_logger = logging.getLogger("openai_realtime_client")

_HIDDEN = "***"
# A text without any of these holds no secret. Looking for them costs far less than parsing.
_SECRETS = ('"client_secret"', '"authorization"', '"headers"')


class Record:
    """Where `connect(record=…)` writes the events of a session, as one JSON object a line:

        {"from": "server", "at_ms": 12.3, "event": {…}}

    The event is the text as it came or was sent, except that secrets are replaced by `***`: client
    secrets, the authorization and headers of MCP tools, and the key of the connection.

    Lines are written at once, and whole. When that fails, as with a full disk, a warning is
    logged and the session goes on without a record.

    Args:
        target: A path, to which is appended, or a file object for text or bytes, which stays open.
        audio: Whether to write audio. Otherwise "" stands in its place.
    """

    def __init__(
        self, target: str | PathLike[str] | IO[str] | IO[bytes], *, audio: bool = True
    ) -> None:
        self._path = os.fspath(target) if isinstance(target, (str, os.PathLike)) else None
        self._file = target
        self._audio = audio

    @classmethod
    def of(cls, record: Record | str | PathLike[str] | IO[str] | IO[bytes]) -> Record:
        """Make a `Record` of what a caller gave, which may be one."""
        return record if isinstance(record, Record) else cls(record)

    def check(self) -> None:
        """Make the file if there is none. Raises `OSError` if it cannot be written."""
        if self._path is not None:
            _File(self._path).close()

    def start(self, conceal: Callable[[str], str]) -> SessionRecord:
        """Start the record of one session.

        Args:
            conceal: Removes the credentials of the connection from a text.

        Raises:
            OSError: If the file cannot be written.
        """
        file = _Foreign(self._file) if self._path is None else _File(self._path)
        return SessionRecord(file, conceal, audio=self._audio)


class SessionRecord:
    """The record of one session; its times begin with it."""

    def __init__(
        self, file: _File | _Foreign, conceal: Callable[[str], str], *, audio: bool
    ) -> None:
        self._file: _File | _Foreign | None = file
        self._conceal = conceal
        self._audio = audio
        self._start = monotonic()
        self._lock = Lock()

    def add(self, direction: Literal["client", "server"], kind: str, data: str | bytes) -> None:
        """Write one event.

        Args:
            direction: Who sent it.
            kind: Its `type`.
            data: The event as JSON.
        """
        with self._lock:
            if self._file is None:
                return
            at_ms = round((monotonic() - self._start) * 1000, 1)
            try:
                text = self._cleaned(kind, data if isinstance(data, str) else data.decode())
            except (ValueError, RecursionError):
                _logger.warning("the record leaves out an event: it cannot be read for secrets")
                return
            try:
                self._file.write(f'{{"from":"{direction}","at_ms":{at_ms},"event":{text}}}\n')
            except Exception as error:  # A file object may raise anything.
                _logger.warning("the record stops: %s", type(error).__name__)
                self._file.close()
                self._file = None

    def close(self) -> None:
        """Write nothing any more; further events are ignored."""
        with self._lock:
            file, self._file = self._file, None
            if file:
                file.close()

    def _cleaned(self, kind: str, text: str) -> str:
        is_audio = kind.endswith(("audio.delta", "audio_buffer.append"))
        if not is_audio:
            text = self._conceal(text)
        has_audio = not self._audio and (is_audio or '"audio"' in text)
        if has_audio or any(name in text for name in _SECRETS):
            event = json.loads(text)
            _hide_secrets(event)
            if not self._audio:
                _leave_out_audio(event, is_audio=is_audio)
            text = json.dumps(event, separators=(",", ":"))
        # Line ends are white space in JSON; in a string they are escaped.
        return text.replace("\n", " ").replace("\r", " ")


class _File:
    """A file that is appended to, without a buffer, so that a crash leaves what was written."""

    _descriptor: int | None = None

    def __init__(self, path: str) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, flags, 0o600)
        self._end_line()

    def write(self, line: str) -> None:
        """Write a whole line, or none of it and raise `OSError`."""
        assert self._descriptor is not None
        data, descriptor = memoryview(line.encode()), self._descriptor
        written = 0
        try:
            while written < len(data):
                written += os.write(descriptor, data[written:])
        except OSError:
            if written:
                os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
            raise

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    __del__ = close

    def _end_line(self) -> None:
        """Remove the beginning of a line that a crash in the midst of writing left."""
        assert self._descriptor is not None
        end = os.fstat(self._descriptor).st_size
        start, tail = end, b""
        while start and b"\n" not in tail:
            size = min(start, 2**16)
            start -= size
            os.lseek(self._descriptor, start, os.SEEK_SET)
            tail = os.read(self._descriptor, size) + tail
        unfinished = tail.rpartition(b"\n")[2]
        if not unfinished:
            return
        try:
            json.loads(unfinished)
        except (ValueError, RecursionError):
            os.ftruncate(self._descriptor, end - len(unfinished))
        else:
            os.write(self._descriptor, b"\n")


class _Foreign:
    """A file object of the caller, who closes it."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._is_text = isinstance(file, io.TextIOBase)

    def write(self, line: str) -> None:
        """Write and flush a line."""
        self._file.write(line if self._is_text else line.encode())
        self._file.flush()

    def close(self) -> None:
        """Leave it open."""


def _hide_secrets(value: Any) -> None:
    if is_array(value):
        for each in value:
            _hide_secrets(each)
    elif is_object(value):
        for name in ("client_secret", "authorization"):
            secret = value.get(name)
            if isinstance(secret, str):
                value[name] = _HIDDEN
            elif name == "client_secret" and is_object(secret) and "value" in secret:
                secret["value"] = _HIDDEN
        if value.get("type") == "mcp" and is_object(headers := value.get("headers")):
            value["headers"] = dict.fromkeys(headers, _HIDDEN)
        for each in value.values():
            _hide_secrets(each)


def _leave_out_audio(value: Any, *, is_audio: bool) -> None:
    if is_array(value):
        for each in value:
            _leave_out_audio(each, is_audio=False)
    elif is_object(value):
        for name in ("audio", "delta") if is_audio else ("audio",):
            if isinstance(value.get(name), str):
                value[name] = ""
        for each in value.values():
            _leave_out_audio(each, is_audio=False)
