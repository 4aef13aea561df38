"""How events look in a terminal, and what keeps their text from doing things to it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TextIO

from openai_realtime_client.core.json_types import at, is_array, is_object

__all__ = [
    "OutputClosedError",
    "OutputError",
    "Row",
    "Screen",
    "as_json",
    "audio_size",
    "is_streamed",
    "shortened",
    "show_error",
    "show_event",
    "span_text",
    "summarize",
]

_STYLES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
}
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
# Characters in a column: a letter can have a few combining marks, and an emoji a few parts.
_MOST_IN_COLUMN = 8


class OutputError(Exception):
    """The output cannot be written."""


class OutputClosedError(Exception):
    """No one reads the output any more."""


class Screen:
    """A stream for lines of text: a terminal, a pipe, a file, or `None` for none at all.

    Whatever is printed, control characters are escaped, and what the encoding of the stream lacks
    is replaced. `width` is that of the terminal.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.width = max(20, shutil.get_terminal_size((_WIDTH_OF_FILES, 24)).columns)
        self._stream = stream
        self._is_coloured = stream is not None and _is_coloured(stream)
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._fallbacks = {
            char: plain for char, plain in _ASCII.items() if not _fits(char, self._encoding)
        }

    def line(self, *parts: str | tuple[str, str], whole: bool = False) -> None:
        """Print a line of texts, each plain or with a style, such as `("red", "error")`.

        It is cut to the width, unless it is to be printed as a `whole`.
        """
        room = self.width
        printed: list[str] = []
        for part in parts:
            style, text = ("", part) if isinstance(part, str) else part
            text = self.plain(text)
            if not whole:
                text = _cut(text, room, self.plain("…"))
                room -= _columns(text)
            printed.append(self._styled(style, text))
        self._write("".join(printed).rstrip(" "))

    def json_line(self, text: str) -> None:
        """Print a line of JSON text."""
        self._write(_NOT_ASCII.sub(self._json_char, text))

    def plain(self, text: str) -> str:
        """The text as it can be printed here."""
        return _NOT_ASCII.sub(self._char, text)

    def flush(self) -> None:
        """Write what is in buffers, such as a help text."""
        self._write(None)

    def _char(self, match: re.Match[str]) -> str:
        char = match[0]
        if char in self._fallbacks:
            return self._fallbacks[char]
        if unicodedata.category(char) == "Zs":
            return " "
        if (char.isprintable() or char in _JOINERS) and _fits(char, self._encoding):
            return char
        return char.encode("unicode_escape").decode("ascii")

    def _json_char(self, match: re.Match[str]) -> str:
        char = match[0]
        if char.isprintable() and _fits(char, self._encoding):
            return char
        units = char.encode("utf-16-be", "surrogatepass").hex()
        return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))

    def _styled(self, style: str, text: str) -> str:
        if not style or not text or not self._is_coloured:
            return text
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"

    def _write(self, text: str | None) -> None:
        if self._stream is None:
            return
        try:
            if text is not None:
                self._stream.write(text + "\n")
            self._stream.flush()
        except BrokenPipeError:
            raise OutputClosedError from None
        except OSError as error:
            raise OutputError(f"cannot write the output: {error.strerror}") from None


def show_error(err: Screen, prog: str, text: str) -> None:
    """Print one line about what went wrong; where that cannot be, there is no one to tell."""
    with contextlib.suppress(OutputClosedError, OutputError):
        err.line(f"{prog}: {text}", whole=True)


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
        row.about,
    )


def is_streamed(kind: str) -> bool:
    """Whether an event of this type is a piece of something, of which many come."""
    return kind.endswith((".delta", "audio_buffer.append"))


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
        if (value := event.get(key)) is not None:
            return about(value) if is_object(value) else _text(value)
    for key, said in _TEXTS.items():
        if event.get(key) is not None:
            has_item = key not in ("delta", "rate_limits")
            return _joined(said(event), _text(event.get("item_id")) if has_item else "")
    return _rest(event)


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


def _fits(char: str, encoding: str) -> bool:
    try:
        char.encode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True


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
    # Marks have no width of their own, so that any number of them would fit.
    text = text[: _MOST_IN_COLUMN * room]
    room -= len(ellipsis)
    end = 0
    for char in text:
        room -= _char_columns(char)
        if room < 0:
            break
        end += 1
    return text[:end] + ellipsis if end else ""


# Summaries of what events hold. Servers may send anything there.


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


def _call(call: Mapping[str, Any]) -> str:
    return f"{_text(call.get('name'))}({_text(call.get('arguments'))})"


def _error(error: Any) -> str:
    code = _text(at(error, "code") or at(error, "type"))
    message = _text(at(error, "message"))
    return f"{code}: {message}" if code and message else code or message


def _session(session: Mapping[str, Any]) -> str:
    modalities = session.get("output_modalities") or session.get("modalities")
    tools = session.get("tools")
    names = [_name(tool) for tool in tools] if is_array(tools) else []
    kind = session.get("type")
    shown = _joined(
        "" if kind == "realtime" else _text(kind),
        _text(session.get("model")),
        "+".join(map(_text, modalities)) if is_array(modalities) else _text(modalities),
        f"tools {' '.join(names)}" if names else "",
        _text(session.get("id")),
    )
    # An update may be about other settings.
    return shown or _fields(session, {"type"})


def _name(tool: Any) -> str:
    return _text((tool.get("name") or tool.get("type")) if is_object(tool) else tool)


def _response(response: Mapping[str, Any]) -> str:
    output, usage = response.get("output"), response.get("usage")
    error = at(response, "status_details", "error")
    # That of `response.create`, which has no status; in others it repeats the session's.
    choice = None if "status" in response or "id" in response else response.get("tool_choice")
    tokens = f"{_text(at(usage, 'input_tokens'))}+{_text(at(usage, 'output_tokens'))} tokens"
    return _joined(
        _text(response.get("status")),
        f"tool choice {_name(choice)}" if choice is not None else "",
        _error(error) if is_object(error) else _text(at(response, "status_details", "reason")),
        tokens if is_object(usage) else _text(usage),
        *([_item(item, with_role=False) for item in output] if is_array(output) else []),
        _text(response.get("id")),
    )


def _item(item: Any, *, with_role: bool = True) -> str:
    if not is_object(item):
        return _text(item)
    kind, content = item.get("type"), item.get("content")
    if kind in ("function_call", "mcp_call"):
        return _call(item)
    if kind == "function_call_output":
        return f"output {_text(item.get('output'))}"
    who = _text(item.get("role") or kind)
    said = " ".join(map(_part, content)) if is_array(content) else _text(content)
    return f"{who} {said}".strip() if with_role or not said else said


def _entry(item: Mapping[str, Any]) -> str:
    status = item.get("status")
    status = "" if status == "completed" else _text(status)
    return _joined(_item(item), status, _text(item.get("id")))


def _part(part: Any) -> str:
    if not is_object(part):
        return _text(part)
    said = part.get("text") or part.get("transcript")
    if said:
        return _quoted(said)
    size = _decoded_size(part.get("audio"))
    return f"[{_text(part.get('type'))}{f' of {size:,} bytes' if size else ''}]"


def _limit(limit: Any) -> str:
    if not is_object(limit):
        return _text(limit)
    return (
        f"{_text(limit.get('name'))} {_text(limit.get('remaining'))} of {_text(limit.get('limit'))}"
    )


def _limits(limits: Any) -> str:
    return ", ".join(map(_limit, limits)) if is_array(limits) else _text(limits)


def _rest(event: Mapping[str, Any]) -> str:
    """All the fields, where none is known to matter."""
    hidden = {"type", "event_id", "output_index", "content_index"}
    if event.get("item_id"):
        hidden.add("response_id")
    return _fields(event, hidden)


def _fields(value: Mapping[str, Any], hidden: set[str]) -> str:
    found = {k: v for k, v in value.items() if k not in hidden and v is not None}
    if len(found) == 1 and next(iter(found)).endswith("_id"):
        return _text(*found.values())
    return " ".join(f"{key}={_text(value)}" for key, value in found.items())


# By the field that matters most, in this order: for an object, and for text of an item.
_OBJECTS: dict[str, Callable[[dict[Any, Any]], str]] = {
    "error": _error,
    "session": _session,
    "response": _response,
    "item": _entry,
    "conversation": lambda conversation: _text(conversation.get("id")),
}
_TEXTS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "part": lambda event: _part(event["part"]),
    "delta": lambda event: _quoted(event["delta"]),
    "transcript": lambda event: _quoted(event["transcript"]),
    "text": lambda event: _quoted(event["text"]),
    "arguments": _call,
    "rate_limits": lambda event: _limits(event["rate_limits"]),
}
