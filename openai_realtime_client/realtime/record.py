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
from openai_realtime_client.core.secrets import HIDDEN, without_secrets

__all__ = ["Record", "SessionRecord"]

_logger = logging.getLogger("openai_realtime_client")

# Suffixes of the types of events with audio.
_AUDIO = ("audio.delta", "audio_buffer.append")
# Only text with one of these can hold a secret. Looking for them costs far less than parsing.
_MARKERS = ("client_secret", "authorization", "headers", "server_url", "ek_", "://", r":\/\/")
# Events that wait to be written.
_MAX_WAITING = 4096
# Seconds.
_CLOSE_TIMEOUT = 5.0


class Record:
    """The target of `connect(record=…)`: the events of a session, as one JSON object per line.

        {"from": "server", "at_ms": 12.3, "event": {…}}

    The event is the text as it came or was sent, except that secrets are replaced by `***`: client
    secrets, the authorization and headers of MCP tools, users, passwords and queries of URLs, and
    credentials of the connection, of at least 16 characters, in messages of the server.

    A thread writes each line at once and whole, so that a slow disk does not delay the session.
    `close`, and the end of the program, wait up to 5 s for what is not written yet. It is lost when
    the program is killed. When writing fails, as with a full disk, or when 4,096 events wait for
    it, a warning is logged and the record ends; the session goes on.

    Args:
        target: A path, to which is appended, or a file object for text or bytes, which stays open.
        audio: Whether to write audio. Otherwise "" stands in its place.

    Raises:
        TypeError: `target` is neither.
    """

    def __init__(
        self, target: str | PathLike[str] | IO[str] | IO[bytes], *, audio: bool = True
    ) -> None:
        if not isinstance(target, (str, PathLike)) and not hasattr(target, "write"):
            raise TypeError(f"a record needs a path or a file object, not {type(target).__name__}")
        self._target = target
        self._audio = audio

    def start(self, conceal: Callable[[str], str]) -> SessionRecord:
        """Start the record of one session, which may wait for the disk.

        Args:
            conceal: Removes the credentials of the connection from a text.

        Raises:
            OSError: If the file cannot be written.
        """
        file: Any = self._target
        is_path = isinstance(file, (str, PathLike))
        if is_path:
            file = _File(file)
        return SessionRecord(_Writer(file, conceal, audio=self._audio, closes=is_path))


class SessionRecord:
    """The record of one session: `add(direction, event_type, data)` and `close()`."""

    def __init__(self, writer: _Writer) -> None:
        self.add = writer.add
        # Also called when the session is forgotten, and when the program ends.
        self.close = weakref.finalize(self, writer.close)


class _Writer:
    """A thread that writes the lines of one record. Their times begin with it."""

    def __init__(
        self, file: Any, conceal: Callable[[str], str], *, audio: bool, closes: bool
    ) -> None:
        self._file = file
        # What `tempfile` returns is no TextIOBase.
        self._is_text = isinstance(file, io.TextIOBase) or hasattr(file, "encoding")
        self._conceal = conceal
        self._audio = audio
        self._closes = closes
        self._start = monotonic()
        self._lock = Lock()
        self._queue: SimpleQueue[tuple[str, float, str, bytes] | None] = SimpleQueue()
        self._is_stopped = False
        self._thread = Thread(
            target=self._write_lines, name="openai_realtime_client record", daemon=True
        )
        self._thread.start()

    def add(self, direction: Literal["client", "server"], event_type: str, data: bytes) -> None:
        """Queue one event for writing: who sent it, its `type`, and its JSON."""
        if self._is_stopped:
            return
        if self._queue.qsize() >= _MAX_WAITING:
            self._stop("writing is too slow")
            return
        with self._lock:  # so that lines are in the order of their times
            at_ms = round((monotonic() - self._start) * 1000, 1)
            self._queue.put((direction, at_ms, event_type, data))

    def close(self) -> None:
        """Wait up to 5 s for what is not written yet."""
        self._queue.put(None)
        # Called by the finalizer on the writer thread: it can't join itself.
        if current_thread() is not self._thread:
            self._thread.join(_CLOSE_TIMEOUT)
            if self._thread.is_alive():
                self._stop("writing is too slow")

    def _write_lines(self) -> None:
        for direction, at_ms, event_type, data in iter(self._queue.get, None):
            if self._is_stopped:
                continue
            try:
                event = self._redact_text(direction, event_type, data)
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

    def _redact_text(self, direction: str, event_type: str, data: bytes) -> str:
        """Return the text of an event in one line, as it came except for what is removed.

        Raises:
            ValueError: It may hold secrets, and is not JSON.
            RecursionError: It may hold secrets, and is nested too deeply.
        """
        text = data.decode()
        markers = list(_MARKERS)
        audio_names: list[str] = []
        if not self._audio:
            audio_names.append("audio")
            if event_type.endswith(_AUDIO):
                audio_names.append("delta")
            markers += [f'"{name}"' for name in audio_names]
        repeats_credential = direction == "server" and self._conceal(text) != text
        if repeats_credential or any(marker in text for marker in markers):
            event = json.loads(text)
            redacted = self._redact(event, audio_names, is_message=event_type == "error")
            if redacted != event:
                text = json.dumps(redacted, separators=(",", ":"))
        # Line ends are white space in JSON; in a string they are escaped.
        return text.replace("\n", " ").replace("\r", " ")

    def _redact(
        self, value: Any, audio_names: list[str], name: str = "", *, is_message: bool
    ) -> Any:
        """Copy JSON without audio and secrets. An error message may also repeat a credential."""
        if name == "parameters":  # The schema of a function, which may name anything.
            return value
        if name == "client_secret" and is_object(value) and "value" in value:
            value = {**value, "value": HIDDEN}
        elif name == "client_secret" and value is not None:
            return HIDDEN
        value = without_secrets(name, value)
        if isinstance(value, str):
            if name in audio_names:
                return ""
            # It may repeat a credential of the connection.
            if is_message and name != "type":
                return self._conceal(value)
        if is_array(value):
            return [self._redact(item, audio_names, name, is_message=is_message) for item in value]
        if not is_object(value):
            return value
        copy: dict[str, Any] = {}
        for field, content in value.items():
            in_message = is_message or field == "message"
            copy[field] = self._redact(content, audio_names, field, is_message=in_message)
        return copy


class _File(io.FileIO):
    """A file that is appended to, without a buffer, so that a crash leaves what was written."""

    def __init__(self, path: Any) -> None:
        super().__init__(path, "a+", opener=lambda path, flags: os.open(path, flags, 0o600))
        size = self.seek(0, os.SEEK_END)
        if size > 0:
            self.seek(size - 1)
            if self.read(1) != b"\n":  # A crash left the beginning of a line; readers skip it.
                self.write(b"\n")

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
