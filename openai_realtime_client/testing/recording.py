"""Recorded sessions: JSON lines that say which side sent each event."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple

from openai_realtime_client import ga, v1
from openai_realtime_client.core.events import UnknownEvent
from openai_realtime_client.core.json_types import is_object

__all__ = ["RecordedEvent", "read_recording"]


class RecordedEvent(NamedTuple):
    """One event of a session: who sent it, the event, when, and on which line it stands.

    `at_ms` is in milliseconds since the session began, or `None`. `line` counts from 1 and is 0
    for an event that was not read from lines.
    """

    direction: Literal["client", "server"]
    event: dict[str, Any]
    at_ms: float | None = None
    line: int = 0

    def to_json(self) -> str:
        """The line of a recording, without its line end."""
        time = {} if self.at_ms is None else {"at_ms": self.at_ms}
        line = {"from": self.direction, **time, "event": self.event}
        return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def read_recording(
    source: str | PathLike[str] | Iterable[str | RecordedEvent],
) -> Iterator[RecordedEvent]:
    """Read a recording event by event, so that it may be larger than memory.

    A line is `{"from": "client" or "server", "at_ms": 12, "event": {...}}`, where `at_ms` may be
    absent, or an event alone: then the protocols tell whose it is, and one that no client sends is
    the server's. Empty lines are skipped, and so is the beginning of a line at the end of a file,
    which is what a crash of the program that wrote it may leave.

    Args:
        source: The path of a file, or lines.

    Raises:
        ValueError: For what is none of these, with the number of the line but nothing of it.
        OSError: For a file that cannot be read.
    """
    if isinstance(source, (str, PathLike)):
        with Path(source).open(encoding="utf-8", newline="\n") as file:
            yield from read_recording(_whole(file))
        return
    for number, line in enumerate(source, 1):
        if isinstance(line, RecordedEvent):
            yield line._replace(line=number)
        elif line.strip():
            yield _read_line(line, number)


def _whole(lines: Iterable[str]) -> Iterator[str]:
    """The lines, without a last one that ends in the midst of its JSON."""
    for line in lines:
        if line.endswith("\n") or _is_json(line):
            yield line


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _read_line(text: str, number: int) -> RecordedEvent:
    try:
        line: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"line {number}: not JSON") from None
    if not is_object(line):
        raise ValueError(f"line {number}: not an object")
    if "from" not in line or "event" not in line:
        return RecordedEvent(_sender(_type_of(line, number)), line, None, number)
    direction, event, at_ms = line["from"], line["event"], line.get("at_ms")
    if direction not in ("client", "server"):
        raise ValueError(f'line {number}: "from" is neither "client" nor "server"')
    if at_ms is not None and (isinstance(at_ms, bool) or not isinstance(at_ms, (int, float))):
        raise ValueError(f'line {number}: "at_ms" is not a number')
    _type_of(event, number)
    return RecordedEvent(direction, event, at_ms, number)


def _type_of(event: Any, number: int) -> str:
    if not is_object(event) or not isinstance(event.get("type"), str):
        raise ValueError(f'line {number}: no event with a string "type"')
    kind: str = event["type"]
    return kind


@lru_cache(maxsize=256)
def _sender(kind: str) -> Literal["client", "server"]:
    """Who sends events of a type; the server, where both do or neither is known to."""
    event = json.dumps({"type": kind})
    server = ga.parse_server_event, v1.parse_server_event, ga.parse_translation_server_event
    client = ga.parse_client_event, v1.parse_client_event, ga.parse_translation_client_event
    if any(not isinstance(parse(event), UnknownEvent) for parse in server):
        return "server"
    is_client = any(not isinstance(parse(event), UnknownEvent) for parse in client)
    return "client" if is_client else "server"
