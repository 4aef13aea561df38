"""The record of a session: its events in both directions, as JSON lines."""

from __future__ import annotations

import io
import json
import logging
import os
import weakref
from collections.abc import Callable
from os import PathLike
from queue import SimpleQueue
from threading import Lock, Thread, current_thread
from time import monotonic
from typing import IO, Any, Literal

from openai_realtime_client.core.json_types import is_array, is_object

__all__ = ["Record", "SessionRecord"]

_logger = logging.getLogger("openai_realtime_client")

_HIDDEN = "***"
# A text without any of these holds no secret. Looking for them costs far less than parsing.
_SECRETS = ('"client_secret"', '"authorization"', '"headers"')
# Characters that wait to be written.
_MOST_WAITING = 2**26
# Seconds.
_CLOSE_TIMEOUT = 5.0


class Record:
    """Where `connect(record=…)` writes the events of a session, as one JSON object a line:

        {"from": "server", "at_ms": 12.3, "event": {…}}

    The event is the text as it came or was sent, except that secrets are replaced by `***`: client
    secrets, the authorization and headers of MCP tools, and the key of the connection.

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

    def check(self) -> None:
        """Make the file if there is none. Raises `OSError` if it cannot be written."""
        if isinstance(self._target, (str, PathLike)):
            _File(self._target).close()

    def start(self, conceal: Callable[[str], str]) -> SessionRecord:
        """Start the record of one session.

        Args:
            conceal: Removes the credentials of the connection from a text.

        Raises:
            OSError: If the file cannot be written.
        """
        is_path = isinstance(self._target, (str, PathLike))
        file: Any = _File(self._target) if is_path else self._target
        return SessionRecord(_Writer(file, conceal, audio=self._audio, closes=is_path))


class SessionRecord:
    """The record of one session; its times begin with it."""

    def __init__(self, writer: _Writer) -> None:
        self._add = writer.add
        self._start = monotonic()
        self._lock = Lock()
        # Also called when the session is forgotten, and when the program ends.
        self.close = weakref.finalize(self, writer.close)

    def add(self, direction: Literal["client", "server"], kind: str, data: str | bytes) -> None:
        """Have one event written.

        Args:
            direction: Who sent it.
            kind: Its `type`.
            data: The event as JSON.
        """
        with self._lock:  # so that lines are in the order of their times
            self._add(direction, round((monotonic() - self._start) * 1000, 1), kind, data)


class _Writer:
    """A thread that writes the lines of one record."""

    def __init__(
        self, file: Any, conceal: Callable[[str], str], *, audio: bool, closes: bool
    ) -> None:
        self._file = file
        self._is_text = isinstance(file, io.TextIOBase)
        self._conceal = conceal
        self._audio = audio
        self._closes = closes
        self._queue = SimpleQueue[tuple[str, float, str, str | bytes] | None]()
        self._added = self._written = 0
        self._is_stopped = False
        self._thread = Thread(target=self._run, name="openai_realtime_client record", daemon=True)
        self._thread.start()

    def add(self, direction: str, at_ms: float, kind: str, data: str | bytes) -> None:
        if self._is_stopped:
            return
        self._added += len(data)
        if self._added - self._written > _MOST_WAITING:
            self._stop("writing is too slow")
        else:
            self._queue.put((direction, at_ms, kind, data))

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
            try:
                text = _cleaned(kind, data, self._conceal, audio=self._audio)
            except (ValueError, RecursionError):
                _logger.warning("the record leaves out an event: it cannot be read for secrets")
            else:
                self._write(f'{{"from":"{direction}","at_ms":{at_ms},"event":{text}}}\n')
            self._written += len(data)
        if self._closes:
            self._file.close()

    def _write(self, line: str) -> None:
        if self._is_stopped:
            return
        try:
            self._file.write(line if self._is_text else line.encode())
            self._file.flush()
        except Exception as error:  # A file object may raise anything.
            self._stop(type(error).__name__)

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
        end = os.fstat(self.fileno()).st_size
        start, tail = end, b""
        while start and b"\n" not in tail:
            size = min(start, 2**16)
            start -= size
            self.seek(start)
            tail = self.read(size) + tail
        unfinished = tail.rpartition(b"\n")[2]
        if not unfinished:
            return
        try:
            json.loads(unfinished)
        except (ValueError, RecursionError):
            self.truncate(end - len(unfinished))
        else:
            self.write(b"\n")


def _cleaned(kind: str, data: str | bytes, conceal: Callable[[str], str], *, audio: bool) -> str:
    """The text of an event in one line, without secrets and, unless `audio`, without audio."""
    text = data if isinstance(data, str) else data.decode()
    is_audio = kind.endswith(("audio.delta", "audio_buffer.append"))
    if not is_audio:
        text = conceal(text)
    has_audio = not audio and (is_audio or '"audio"' in text)
    if has_audio or any(name in text for name in _SECRETS):
        event = json.loads(text)
        _hide(event, audio=audio)
        if is_audio and not audio and "delta" in event:
            event["delta"] = ""
        text = json.dumps(event, separators=(",", ":"))
    # Line ends are white space in JSON; in a string they are escaped.
    return text.replace("\n", " ").replace("\r", " ")


def _hide(value: Any, *, audio: bool) -> None:
    if is_array(value):
        for each in value:
            _hide(each, audio=audio)
    elif is_object(value):
        for name in ("client_secret", "authorization"):
            if isinstance(value.get(name), str):
                value[name] = _HIDDEN
        if is_object(secret := value.get("client_secret")) and "value" in secret:
            secret["value"] = _HIDDEN
        if value.get("type") == "mcp" and is_object(headers := value.get("headers")):
            value["headers"] = dict.fromkeys(headers, _HIDDEN)
        if not audio and isinstance(value.get("audio"), str):
            value["audio"] = ""
        for each in value.values():
            _hide(each, audio=audio)
