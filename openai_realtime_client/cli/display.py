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

from openai_realtime_client.core.json_types import is_array, is_object

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
    for key, tell in _GISTS.items():
        if event.get(key) is not None:
            return _joined(tell(event[key], event))
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


def _joined(parts: list[str]) -> str:
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


def _about_delta(delta: Any, event: Mapping[str, Any]) -> list[str]:
    return [_quoted(delta)]


def _about_text(text: Any, event: Mapping[str, Any]) -> list[str]:
    return [_quoted(text), _text(event.get("item_id"))]


def _about_arguments(arguments: Any, event: Mapping[str, Any]) -> list[str]:
    return [_call(event.get("name"), arguments), _text(event.get("item_id"))]


def _call(name: Any, arguments: Any) -> str:
    return f"{_text(name)}({_text(arguments)})"


def _about_error(error: Any, event: Mapping[str, Any]) -> list[str]:
    if not is_object(error):
        return [_text(error)]
    code = _text(error.get("code") or error.get("type"))
    message = _text(error.get("message"))
    return [f"{code}: {message}" if code and message else code or message]


def _about_session(session: Any, event: Mapping[str, Any]) -> list[str]:
    if not is_object(session):
        return [_text(session)]
    modalities = session.get("output_modalities") or session.get("modalities")
    tools = session.get("tools")
    names = [_name(tool) for tool in tools] if is_array(tools) else []
    kind = session.get("type")
    shown = [
        "" if kind == "realtime" else _text(kind),
        _text(session.get("model")),
        "+".join(map(_text, modalities)) if is_array(modalities) else _text(modalities),
        f"tools {' '.join(names)}" if names else "",
        _text(session.get("id")),
    ]
    # An update may be about other settings.
    return shown if any(shown) else [_fields(session, {"type"})]


def _about_conversation(conversation: Any, event: Mapping[str, Any]) -> list[str]:
    return [_text(conversation.get("id") if is_object(conversation) else conversation)]


def _name(tool: Any) -> str:
    return _text((tool.get("name") or tool.get("type")) if is_object(tool) else tool)


def _about_response(response: Any, event: Mapping[str, Any]) -> list[str]:
    if not is_object(response):
        return [_text(response)]
    output = response.get("output")
    details = response.get("status_details")
    error = details.get("error") if is_object(details) else None
    reason = details.get("reason") if is_object(details) else None
    choice = response.get("tool_choice") if event["type"] == "response.create" else None
    return [
        _text(response.get("status")),
        f"tool choice {_name(choice)}" if choice is not None else "",
        *(_about_error(error, event) if error is not None else [_text(reason)]),
        _about_usage(response.get("usage")),
        *([_item(item, with_role=False) for item in output] if is_array(output) else []),
        _text(response.get("id")),
    ]


def _about_usage(usage: Any) -> str:
    if not is_object(usage):
        return _text(usage)
    return f"{_text(usage.get('input_tokens'))}+{_text(usage.get('output_tokens'))} tokens"


def _about_item(item: Any, event: Mapping[str, Any]) -> list[str]:
    if not is_object(item):
        return [_text(item)]
    status = item.get("status")
    return [_item(item), "" if status == "completed" else _text(status), _text(item.get("id"))]


def _item(item: Any, *, with_role: bool = True) -> str:
    if not is_object(item):
        return _text(item)
    kind, content = item.get("type"), item.get("content")
    if kind in ("function_call", "mcp_call"):
        return _call(item.get("name"), item.get("arguments"))
    if kind == "function_call_output":
        return f"output {_text(item.get('output'))}"
    who = _text(item.get("role") or kind)
    said = " ".join(map(_part, content)) if is_array(content) else _text(content)
    return f"{who} {said}".strip() if with_role or not said else said


def _part(part: Any) -> str:
    if not is_object(part):
        return _text(part)
    said = part.get("text") or part.get("transcript")
    if said:
        return _quoted(said)
    size = _decoded_size(part.get("audio"))
    return f"[{_text(part.get('type'))}{f' of {size:,} bytes' if size else ''}]"


def _about_part(part: Any, event: Mapping[str, Any]) -> list[str]:
    return [_part(part), _text(event.get("item_id"))]


def _about_limits(limits: Any, event: Mapping[str, Any]) -> list[str]:
    if not is_array(limits):
        return [_text(limits)]
    return [
        f"{_text(each.get('name'))} {_text(each.get('remaining'))} of {_text(each.get('limit'))}"
        if is_object(each)
        else _text(each)
        for each in limits
    ]


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


# By the field that tells most, in this order.
_GISTS: dict[str, Callable[[Any, Mapping[str, Any]], list[str]]] = {
    "error": _about_error,
    "session": _about_session,
    "response": _about_response,
    "item": _about_item,
    "part": _about_part,
    "conversation": _about_conversation,
    "delta": _about_delta,
    "transcript": _about_text,
    "text": _about_text,
    "arguments": _about_arguments,
    "rate_limits": _about_limits,
}
