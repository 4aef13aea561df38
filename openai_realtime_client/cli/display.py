"""How events look in a terminal, and what keeps their text from doing things to it."""

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

from openai_realtime_client.core.json_types import at, is_array, is_object

__all__ = [
    "OutputError",
    "Row",
    "Screen",
    "Timeline",
    "as_json",
    "audio_size",
    "shortened",
    "show_error",
    "show_event",
    "span_text",
    "summarize",
]

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
# What a terminal without Unicode gets.
_ASCII = {"→": "->", "←": "<-", "…": "..."}
# Written as they are although they are formatting: scripts and emoji are joined with them.
_JOINERS = "\u200c\u200d"
_NOT_ASCII = re.compile(r"[^\x20-\x7e]")
_WIDTH_OF_FILES = 120
# As long as most types, and in narrow terminals as many.
_TYPE_WIDTH = 38
_NARROW_TYPE_WIDTH = 27
_WIDE = 100
_LONG = 300
_LONGEST = 1000
# Characters in a column: a letter can have a few combining marks, and an emoji a few parts.
_MOST_IN_COLUMN = 8


class OutputError(Exception):
    """The output cannot be written; the cause is the `OSError`."""


class Screen:
    """A stream for lines of text: a terminal, a pipe, a file, or `None` for none at all.

    Whatever is printed, control characters are escaped, and what the encoding of the stream lacks
    is replaced. `width` is that of the terminal.
    """

    def __init__(self, stream: TextIO | None) -> None:
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
            style, text = ("", part) if isinstance(part, str) else part
            text = self._plain(shortened(text, _LONGEST))
            room -= _columns(text)
            line += self._styled(style, text)
        line += _cut(self._plain(rest), room, self._plain("…"))
        self._write(line.rstrip(" ") + "\n")

    def write(self, part: str | tuple[str, str]) -> None:
        """Print text as it comes, without ending the line."""
        if isinstance(part, str):
            part = ("", part)
        self._write(self._styled(part[0], self._plain(part[1])))

    def json_line(self, value: Any) -> None:
        """Print a JSON value as a line of ASCII."""
        self._write(json.dumps(value).replace("\x7f", r"\u007f") + "\n")

    def flush(self) -> None:
        """Write what is in buffers, such as a help text."""
        self._write("")

    def _plain(self, text: str) -> str:
        """The text as it can be printed here."""
        return _NOT_ASCII.sub(self._char, text)

    def _char(self, match: re.Match[str]) -> str:
        char = match[0]
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
            self._stream.flush()
        except OSError as error:
            raise OutputError(f"cannot write the output: {error.strerror}") from error


def show_error(err: Screen, prog: str, text: str) -> None:
    """Print one line about what went wrong, if anyone reads it."""
    with contextlib.suppress(OutputError):
        err.line(f"{prog}: {text}")


class Row(NamedTuple):
    """An event in a timeline: when, who sent it, its `type`, what it says; a mark is a `!`."""

    at_ms: float | None
    direction: str
    kind: str
    about: str
    is_marked: bool = False


def show_event(screen: Screen, row: Row) -> None:
    """Print an event as a line."""
    arrow, colour = ("→", "cyan") if row.direction == "client" else ("←", "green")
    if row.kind == "error" or row.kind.endswith(".failed"):
        colour = "red"
    time = "" if row.at_ms is None else f"{row.at_ms:.0f}"
    column = _TYPE_WIDTH if screen.width >= _WIDE else _NARROW_TYPE_WIDTH
    screen.line(
        ("dim", f"{time:>7} "),
        (colour, arrow),
        ("yellow", "!") if row.is_marked else " ",
        (colour, row.kind),
        " " * max(1, column + 1 - len(row.kind)),
        rest=row.about,
    )


@dataclass
class _Stream:
    """Pieces of the same thing that follow each other."""

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
        """Show an event, now or, if it is a piece, with the others."""
        if not wire["type"].endswith((".delta", "audio_buffer.append")):
            self.end()
            self._show(Row(at_ms, direction, wire["type"], summarize(wire), is_marked))
            return
        ids = (str(wire.get(name)) for name in ("response_id", "item_id", "content_index"))
        stream = self._streams.setdefault((direction, wire["type"], *ids), _Stream(at_ms, wire))
        stream.count += 1
        stream.is_marked |= is_marked
        size, delta = audio_size(wire), wire.get("delta")
        if size is not None:
            stream.size = (stream.size or 0) + size
        elif isinstance(delta, str) and len(stream.text) < _LONGEST:
            stream.text += delta[:_LONGEST]

    def end(self) -> None:
        """Show the streams that are open."""
        for (direction, event_type, *_), stream in self._streams.items():
            about = summarize(stream.first)
            if stream.count > 1 and stream.size is None:
                about = f'{stream.count}x "{stream.text}"'
            elif stream.count > 1:
                about = f"{stream.count}x {stream.size:,} bytes"
            self._show(Row(stream.at_ms, direction, event_type, about, stream.is_marked))
        self._streams.clear()


def as_json(value: Any, length: int) -> str:
    """A JSON value as text of at most this length."""
    return shortened(json.dumps(value, ensure_ascii=False, default=str), length)


def span_text(duration_ms: float) -> str:
    """How long something took, as people say it."""
    return f"{duration_ms:.0f} ms" if duration_ms < 10_000 else f"{duration_ms / 1000:,.1f} s"


def shortened(text: str, length: int) -> str:
    """A text of at most this length."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _is_coloured(stream: TextIO) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()


def _columns(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(map(_char_columns, text))


def _char_columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me") or char in _JOINERS:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _cut(text: str, room: int, ellipsis: str) -> str:
    if _columns(text) <= room and len(text) <= _MOST_IN_COLUMN * room:
        return text
    room -= len(ellipsis)
    end = 0
    # Marks have no width of their own, so that any number of them would fit.
    for char in text[: max(0, _MOST_IN_COLUMN * room)]:
        room -= _char_columns(char)
        if room < 0:
            break
        end += 1
    return text[:end] + ellipsis if end else ""


# Summaries of what events hold. Servers may send anything there.

_About = Callable[[Mapping[str, Any]], str]


def audio_size(event: Mapping[str, Any]) -> int | None:
    """How many bytes of audio an event brings, `None` if it is not about audio."""
    kind = event["type"]
    if kind.endswith("audio.delta"):
        return _decoded_size(event.get("delta"))
    if kind.endswith("audio_buffer.append"):
        return _decoded_size(event.get("audio"))
    return None


def summarize(event: Mapping[str, Any]) -> str:
    """What matters of an event, in a line. It may be any JSON object with a `type`."""
    size = audio_size(event)
    if size is not None:
        return f"{size:,} bytes"
    for key, about in _OBJECTS.items():
        if event.get(key) is not None:
            return _joined(*_each(event[key], about))
    if event.get("delta") is not None:
        return _quoted(event["delta"])
    item_id = _text(event.get("item_id"))
    if event.get("part") is not None:
        return _joined(*_each(event["part"], _part), item_id)
    for key in ("transcript", "text"):
        if event.get(key) is not None:
            return _joined(_quoted(event[key]), item_id)
    if event.get("arguments") is not None:
        return _joined(_call(event), item_id)
    return _rest(event)


def _each(values: Any, about: _About) -> list[str]:
    """The entries of a list as texts, or the one value in its place."""
    if values is None:
        return []
    entries = values if is_array(values) else [values]
    return [about(entry) if is_object(entry) else _text(entry) for entry in entries]


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))


def _text(value: Any) -> str:
    """Something short: an id, a name, a status; or what stands in its place."""
    if value is None:
        return ""
    return shortened(value, _LONG) if isinstance(value, str) else as_json(value, _LONG)


def _quoted(value: Any) -> str:
    return f'"{shortened(value, _LONG)}"' if isinstance(value, str) else _text(value)


def _decoded_size(value: Any) -> int | None:
    if not isinstance(value, str):
        return None
    return max(0, len(value) * 3 // 4 - value[-2:].count("="))


def _error(error: Mapping[str, Any]) -> str:
    code = _text(error.get("code") or error.get("type"))
    return ": ".join(filter(None, (code, _text(error.get("message")))))


def _session(session: Mapping[str, Any]) -> str:
    kind, tools = session.get("type"), _each(session.get("tools"), _name)
    shown = _joined(
        "" if kind == "realtime" else _text(kind),
        _text(session.get("model")),
        "+".join(_each(session.get("output_modalities") or session.get("modalities"), _rest)),
        f"tools {' '.join(tools)}" if tools else "",
        _text(session.get("id")),
    )
    # An update may be about other settings.
    return shown or _rest(session)


def _name(tool: Mapping[str, Any]) -> str:
    return _text(tool.get("name") or tool.get("type"))


def _response(response: Mapping[str, Any]) -> str:
    # That of `response.create`, which has no status; in others it repeats the session's.
    is_asked = "status" not in response and "id" not in response
    choice = _each(response.get("tool_choice"), _name) if is_asked else []
    reason = at(response, "status_details", "error") or at(response, "status_details", "reason")
    return _joined(
        _text(response.get("status")),
        *(f"tool choice {name}" for name in choice),
        *_each(reason, _error),
        *_each(response.get("usage"), _usage),
        *_each(response.get("output"), _said),
        _text(response.get("id")),
    )


def _usage(usage: Mapping[str, Any]) -> str:
    return f"{_text(usage.get('input_tokens'))}+{_text(usage.get('output_tokens'))} tokens"


def _entry(item: Mapping[str, Any]) -> str:
    """An item of a conversation: who, what, whether it is complete, and its id."""
    said, who, status = _said(item), _text(item.get("role")), item.get("status")
    return _joined(
        said if said == who else f"{who} {said}".strip(),
        "" if status == "completed" else _text(status),
        _text(item.get("id")),
    )


def _said(item: Mapping[str, Any]) -> str:
    """What an item holds, or who it is by."""
    kind = item.get("type")
    if kind in ("function_call", "mcp_call"):
        return _call(item)
    if kind == "function_call_output":
        return f"output {_text(item.get('output'))}"
    return " ".join(_each(item.get("content"), _part)) or _text(item.get("role") or kind)


def _call(call: Mapping[str, Any]) -> str:
    return f"{_text(call.get('name'))}({_text(call.get('arguments'))})"


def _part(part: Mapping[str, Any]) -> str:
    said = part.get("text") or part.get("transcript")
    if said:
        return _quoted(said)
    size = _decoded_size(part.get("audio"))
    return f"[{_text(part.get('type'))}{f' of {size:,} bytes' if size else ''}]"


def _limit(limit: Mapping[str, Any]) -> str:
    name, remaining, most = (_text(limit.get(key)) for key in ("name", "remaining", "limit"))
    return f"{name} {remaining} of {most}"


def _rest(value: Mapping[str, Any]) -> str:
    """All the fields, where none is known to matter."""
    hidden = {"type", "event_id", "output_index", "content_index"}
    if value.get("item_id"):
        hidden.add("response_id")
    found = {k: v for k, v in value.items() if k not in hidden and v is not None}
    if len(found) == 1 and next(iter(found)).endswith("_id"):
        return _text(*found.values())
    return " ".join(f"{key}={_text(value)}" for key, value in found.items())


# By the field that matters most, in this order.
_OBJECTS: dict[str, _About] = {
    "error": _error,
    "session": _session,
    "response": _response,
    "item": _entry,
    "conversation": lambda conversation: _text(conversation.get("id")),
    "rate_limits": _limit,
}
