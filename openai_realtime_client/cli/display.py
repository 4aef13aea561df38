"""Format events for a terminal and escape control characters."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TextIO

from openai_realtime_client.core.audio import base64_size
from openai_realtime_client.core.json_types import at, is_array, is_object

__all__ = [
    "ARROWS",
    "OutputError",
    "Row",
    "Screen",
    "Timeline",
    "as_json",
    "audio_size",
    "shortened",
    "show_error",
    "show_event",
    "summarize",
]

# The colour and the arrow of an event, by its sender.
ARROWS = {"client": ("cyan", "→"), "server": ("green", "←")}
_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
# Replacements where the encoding of the stream lacks a character.
_ASCII = {"→": "->", "←": "<-", "…": "..."}
# Zero-width (non-)joiners are format characters, but scripts and emoji need them:
# https://www.unicode.org/reports/tr31/#Layout_and_Format_Control_Characters
_JOINERS = "\u200c\u200d"
_NOT_ASCII = re.compile(r"[^\x20-\x7e]")
# Files and pipes have no width; COLUMNS overrides it.
_WIDTH_OF_FILES = 120
# Columns of an event type: room for nearly all types, or for most in a narrow terminal.
_TYPE_WIDTH = 38
_NARROW_TYPE_WIDTH = 27
_WIDE = 100
# Servers may send text of any length: these bound a value and a line before it is cut to the width.
_MAX_VALUE_LENGTH = 300
_MAX_LINE_LENGTH = 1000


class OutputError(Exception):
    """The output cannot be written; the cause is the `OSError`."""


class Screen:
    """A stream for lines of text: a terminal, a pipe, a file, or `None` for none at all.

    Whatever is printed, control characters are escaped, and what the encoding of the stream lacks
    is replaced. `width` is that of the terminal.
    """

    def __init__(self, stream: TextIO | None) -> None:
        # Once: a terminal that is resized keeps the columns of lines aligned.
        self.width = shutil.get_terminal_size((_WIDTH_OF_FILES, 24)).columns
        self._stream = stream
        self._is_coloured = stream is not None and _is_coloured(stream)
        self._encoding = getattr(stream, "encoding", None) or "utf-8"

    def line(self, *parts: str | tuple[str, str], rest: str = "") -> None:
        """Print a line of texts, each plain or with a style, such as `("red", "error")`.

        The `rest`, at its end, is cut to the width.
        """
        room = self.width
        line = ""
        for part in parts:
            if isinstance(part, str):
                part = ("", part)
            style, text = part
            text = self._escape(shortened(text, _MAX_LINE_LENGTH))
            room -= len(text)
            line += self._styled(style, text)
        # Counted in characters: a line of wide ones may wrap.
        text, ellipsis = self._escape(shortened(rest, _MAX_LINE_LENGTH)), self._escape("…")
        if len(text) > room:
            text = text[: max(0, room - len(ellipsis))]
            if text:
                text += ellipsis
        line += text
        # Summaries may be empty: no line ends in spaces, which would wrap in a narrow terminal.
        self._write(line.rstrip(" ") + "\n")

    def write(self, part: str | tuple[str, str]) -> None:
        """Print text as it comes, without ending the line."""
        if isinstance(part, str):
            part = ("", part)
        self._write(self._styled(part[0], self._escape(part[1])))

    def json_line(self, value: Any) -> None:
        """Print a JSON value as a line of ASCII."""
        # JSON leaves DEL as it is, which is a control character for terminals.
        self._write(json.dumps(value).replace("\x7f", r"\u007f") + "\n")

    def flush(self) -> None:
        """Write what is in buffers, such as a help text."""
        self._write("")

    def _escape(self, text: str) -> str:
        """Return the text with what the stream cannot print replaced."""
        return _NOT_ASCII.sub(self._escape_char, text)

    def _escape_char(self, match: re.Match[str]) -> str:
        char = match[0]
        # Of the separators only plain spaces are printable to Python.
        if unicodedata.category(char) == "Zs":
            return " "
        if char.isprintable() or char in _JOINERS:
            with contextlib.suppress(UnicodeError, LookupError):
                char.encode(self._encoding)
                return char
        return _ASCII.get(char) or char.encode("unicode_escape").decode("ascii")

    def _styled(self, style: str, text: str) -> str:
        if not style or not text or not self._is_coloured:
            return text
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            # Lines appear as they come, and a closed pipe is noticed here, not when Python ends.
            self._stream.flush()
        except OSError as error:
            raise OutputError(f"cannot write the output: {error.strerror}") from error


def show_error(err: Screen, prog: str, text: str) -> None:
    """Print one line about what went wrong, if anyone reads it."""
    with contextlib.suppress(OutputError):
        err.line(f"{prog}: {text}")


class Row(NamedTuple):
    """An event in a timeline: when, who sent it, its `type`, a summary; a mark is a `!`."""

    at_ms: float | None
    direction: str
    event_type: str
    about: str
    is_marked: bool = False


def show_event(screen: Screen, row: Row) -> None:
    """Print an event as a line."""
    colour, arrow = ARROWS[row.direction]
    if row.event_type == "error" or row.event_type.endswith(".failed"):
        colour = "red"
    time = ""
    if row.at_ms is not None:
        time = f"{row.at_ms:.0f}"
    mark: str | tuple[str, str] = " "
    if row.is_marked:
        mark = ("yellow", "!")
    column = _TYPE_WIDTH
    if screen.width < _WIDE:
        column = _NARROW_TYPE_WIDTH
    screen.line(
        ("dim", f"{time:>7} "),
        (colour, arrow),
        mark,
        (colour, row.event_type),
        " " * max(1, column + 1 - len(row.event_type)),
        rest=row.about,
    )


@dataclass
class _Stream:
    """Consecutive deltas of one text or audio."""

    at_ms: float | None
    first: Mapping[str, Any]
    count: int = 0
    size: int | None = None
    text: str = ""
    is_marked: bool = False


class Timeline:
    """Events as rows. Streams stay open, side by side, until something else happens."""

    def __init__(self, show: Callable[[Row], None]) -> None:
        self._show = show
        self._streams: dict[tuple[str, ...], _Stream] = {}

    def add(
        self, direction: str, wire: Mapping[str, Any], at_ms: float | None, is_marked: bool = False
    ) -> None:
        """Show an event, or collect it if it is a delta."""
        if not wire["type"].endswith((".delta", "audio_buffer.append")):
            self.end()
            self._show(Row(at_ms, direction, wire["type"], summarize(wire), is_marked))
            return
        ids = (str(wire.get(name)) for name in ("response_id", "item_id", "content_index"))
        stream = self._streams.setdefault((direction, wire["type"], *ids), _Stream(at_ms, wire))
        stream.count += 1
        stream.is_marked |= is_marked
        size = audio_size(wire)
        delta = wire.get("delta")
        if size is not None:
            stream.size = (stream.size or 0) + size
        elif isinstance(delta, str) and len(stream.text) < _MAX_LINE_LENGTH:
            stream.text += delta[:_MAX_LINE_LENGTH]

    def end(self) -> None:
        """Show the open streams, a row for each."""
        for (direction, event_type, *_), stream in self._streams.items():
            about = summarize(stream.first)
            if stream.count > 1 and stream.size is None:
                about = f'{stream.count}x "{stream.text}"'
            elif stream.count > 1:
                about = f"{stream.count}x {stream.size:,} bytes"
            self._show(Row(stream.at_ms, direction, event_type, about, stream.is_marked))
        self._streams.clear()


def as_json(value: Any, length: int) -> str:
    """Return a JSON value as text of at most `length` characters."""
    return shortened(json.dumps(value, ensure_ascii=False, default=str), length)


def shortened(text: str, length: int) -> str:
    """Return a text of at most `length` characters."""
    if len(text) <= length:
        return text
    return text[: length - 1] + "…"


def _is_coloured(stream: TextIO) -> bool:
    # See https://no-color.org and https://force-color.org.
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()


# Summaries of events. Recordings and servers may have any JSON value in any field.


def audio_size(event: Mapping[str, Any]) -> int | None:
    """Return the number of bytes of audio in an event; `None` if it has no audio."""
    name = "audio"
    if event["type"].endswith("audio.delta"):
        name = "delta"
    elif not event["type"].endswith("audio_buffer.append"):
        return None
    if not isinstance(event.get(name), str):
        return None
    return max(0, base64_size(event[name]))


def summarize(event: Mapping[str, Any]) -> str:
    """Summarize an event, which may be any JSON object with a `type`, in a line."""
    size = audio_size(event)
    if size is not None:
        return f"{size:,} bytes"
    for name, describe in _SUBJECTS.items():
        if event.get(name) is not None:
            return _joined(*_describe_all(event[name], describe))
    item_id = _short_text(event.get("item_id"))
    if event.get("arguments") is not None:
        return _joined(_describe_call(event), item_id)
    for name in ("part", "transcript", "text"):
        if event.get(name) is not None:
            return _joined(*_describe_all(event[name], _describe_part), item_id)
    if event.get("delta") is not None:
        return _quoted(event["delta"])
    return _describe_fields(event)


def _describe_all(values: Any, describe: Callable[[Mapping[str, Any]], str]) -> list[str]:
    """Summarize the entries of a list, or the one value in its place."""
    if values is None:
        return []
    if not is_array(values):
        values = [values]
    texts: list[str] = []
    for entry in values:
        if is_object(entry):
            texts.append(describe(entry))
        elif describe is _describe_part:
            texts.append(_quoted(entry))
        else:
            texts.append(_short_text(entry))
    return texts


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))


def _short_text(value: Any) -> str:
    """Return an id, a name or a status, or JSON if it is not a string."""
    if value is None:
        return ""
    if isinstance(value, str):
        return shortened(value, _MAX_VALUE_LENGTH)
    return as_json(value, _MAX_VALUE_LENGTH)


def _quoted(value: Any) -> str:
    text = _short_text(value)
    if isinstance(value, str):
        return f'"{text}"'
    return text


def _describe_error(error: Mapping[str, Any]) -> str:
    code = _short_text(error.get("code") or error.get("type"))
    message = _short_text(error.get("message"))
    return ": ".join(filter(None, [code, message]))


def _describe_session(session: Mapping[str, Any]) -> str:
    modalities = session.get("output_modalities") or session.get("modalities")
    # The fields by which people tell sessions apart.
    facts = [
        _short_text(session.get("model")),
        "+".join(_describe_all(modalities, _describe_fields)),
        " ".join(_describe_all(session.get("tools"), _describe_name)),
        _short_text(session.get("id")),
    ]
    # An update may be about other settings.
    return _joined(*facts) or _describe_fields(session)


def _describe_name(tool: Mapping[str, Any]) -> str:
    return _short_text(tool.get("name") or tool.get("type"))


def _describe_response(response: Mapping[str, Any]) -> str:
    reason = at(response, "status_details", "error") or at(response, "status_details", "reason")
    return _joined(
        _short_text(response.get("status")),
        *_describe_all(reason, _describe_error),
        *_describe_all(response.get("usage"), _describe_usage),
        *_describe_all(response.get("output"), _describe_content),
        _short_text(response.get("id")),
    )


def _describe_usage(usage: Mapping[str, Any]) -> str:
    sides = [_short_text(usage.get(name)) for name in ("input_tokens", "output_tokens")]
    return f"{'+'.join(sides)} tokens"


def _describe_item(item: Mapping[str, Any]) -> str:
    content = f"{_short_text(item.get('role'))} {_describe_content(item)}".strip()
    status = _short_text(item.get("status"))
    if status == "completed":
        status = ""  # the usual one
    return _joined(content, status, _short_text(item.get("id")))


def _describe_content(item: Mapping[str, Any]) -> str:
    """Summarize what an item holds; its type if that is not a message."""
    item_type = item.get("type")
    # What says most about an item, in so little room.
    if item_type in ("function_call", "mcp_call"):
        return _describe_call(item)
    if item_type == "function_call_output":
        return f"output {_short_text(item.get('output'))}"
    content = " ".join(_describe_all(item.get("content"), _describe_part))
    if content or item_type == "message":
        return content
    return _short_text(item_type)


def _describe_call(call: Mapping[str, Any]) -> str:
    return f"{_short_text(call.get('name'))}({_short_text(call.get('arguments'))})"


def _describe_part(part: Mapping[str, Any]) -> str:
    text = part.get("text") or part.get("transcript")
    if text:
        return _quoted(text)
    size = base64_size(part.get("audio"))
    if size > 0:
        return f"[{_short_text(part.get('type'))} of {size:,} bytes]"
    return f"[{_short_text(part.get('type'))}]"


def _describe_limit(limit: Mapping[str, Any]) -> str:
    name, *counts = (_short_text(limit.get(key)) for key in ("name", "remaining", "limit"))
    return f"{name} {' of '.join(counts)}"


def _describe_fields(value: Mapping[str, Any]) -> str:
    """Show all fields of an object of which none is known to matter."""
    # Shown elsewhere in the line, or of no interest to people.
    hidden = {"type", "object", "event_id", "output_index", "content_index"}
    if value.get("item_id"):
        hidden.add("response_id")
    fields = {key: item for key, item in value.items() if key not in hidden and item is not None}
    if len(fields) == 1 and next(iter(fields)).endswith("id"):
        return _short_text(*fields.values())
    return " ".join(f"{key}={_short_text(value)}" for key, value in fields.items())


# The first of these fields that an event has is the one to summarize.
_SUBJECTS = {
    "error": _describe_error,
    "session": _describe_session,
    "response": _describe_response,
    "item": _describe_item,
    "conversation": _describe_fields,
    "rate_limits": _describe_limit,
}
