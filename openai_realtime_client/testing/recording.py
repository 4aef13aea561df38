"""Read recorded sessions, as JSON lines, and replay them as scripts."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple

from openai_realtime_client import ga, v1
from openai_realtime_client.core.events import UnknownEvent
from openai_realtime_client.core.json_types import is_object
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing.errors import Refusal, Rules
from openai_realtime_client.testing.settings import Outbox

__all__ = ["DIALECTS", "RecordedEvent", "Script", "read_recording"]

# The parsers of each side's events, by dialect.
DIALECTS: dict[str, dict[str, Callable[[str], RealtimeModel]]] = {
    "ga": {"client": ga.parse_client_event, "server": ga.parse_server_event},
    "v1": {"client": v1.parse_client_event, "server": v1.parse_server_event},
    "ga translation": {
        "client": ga.parse_translation_client_event,
        "server": ga.parse_translation_server_event,
    },
}

# Times beyond these milliseconds are absurd, and floats of them would not be exact.
_MAX_MS = 10**15
_APPENDS = {"input_audio_buffer.append", "session.input_audio_buffer.append"}


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
        """Return the line of a recording, without its line end."""
        line: dict[str, Any] = {"from": self.direction}
        if self.at_ms is not None:
            line["at_ms"] = self.at_ms
        line["event"] = self.event
        return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


class _NotJsonError(ValueError):
    """A line that may be the beginning of one, which a crash left."""


def read_recording(
    source: str | PathLike[str] | Iterable[str | bytes | RecordedEvent],
) -> Iterator[RecordedEvent]:
    """Read a recording event by event, so that it may be larger than memory.

    A line is `{"from": "client" or "server", "at_ms": 12, "event": {...}}`, where `at_ms` may be
    absent, or an event alone: then the protocols tell whose it is, and one that no client sends is
    the server's. Empty lines are skipped, and so is the beginning of a line that a crash of the
    program that wrote it left.

    Args:
        source: The path of a file, or its lines, as bytes or text.

    Raises:
        ValueError: A line is invalid; the message has its number, not its content.
        OSError: The file cannot be read.
    """
    # Opened here, so that a missing file is noticed with the first event.
    if isinstance(source, (str, PathLike)):
        with Path(source).open("rb") as file:
            yield from read_recording(file)
        return
    for number, line in enumerate(source, 1):
        if isinstance(line, RecordedEvent):
            yield line._replace(line=number)
        elif line.strip():
            try:
                recorded = _read_line(line, number)
            except _NotJsonError:
                if not _is_torn(line):
                    raise
            else:
                yield recorded


def _is_torn(line: str | bytes) -> bool:
    """Return whether a line that is not JSON is the beginning of one, which a crash left.

    It ends the file, or the line end stands behind it with which the next record began.
    """
    if isinstance(line, str):
        line = line.encode(errors="replace") + b"\n"  # An iterable of text may lack line ends.
    if not line.endswith(b"\n"):
        return True
    return line.startswith(b'{"from":') and not line.rstrip().endswith(b"}")


def _read_line(line: str | bytes, number: int) -> RecordedEvent:
    if isinstance(line, bytes) and number == 1:
        # Some Windows editors put a byte order mark at the beginning.
        line = line.removeprefix(codecs.BOM_UTF8)
    try:
        wire: Any = json.loads(line)
    except (ValueError, RecursionError):  # ValueError: neither JSON nor UTF-8
        raise _NotJsonError(f"line {number}: not JSON") from None
    if not is_object(wire):
        raise ValueError(f"line {number}: not an object")
    direction, event, at_ms = None, wire, None
    if "from" in wire and "event" in wire:
        direction, event, at_ms = wire["from"], wire["event"], wire.get("at_ms")
        if direction not in ("client", "server"):
            raise ValueError(f'line {number}: "from" is neither "client" nor "server"')
    if not is_object(event) or not isinstance(event.get("type"), str):
        raise ValueError(f'line {number}: no event with a string "type"')
    if at_ms is not None and (isinstance(at_ms, bool) or not isinstance(at_ms, (int, float))):
        raise ValueError(f'line {number}: "at_ms" is not a number')
    if at_ms is not None and not abs(at_ms) < _MAX_MS:  # also for NaN, which compares as false
        at_ms = None
    return RecordedEvent(direction or _sender(event["type"]), event, at_ms, number)


# Bounded, because a recording may have any number of unknown types.
@lru_cache(maxsize=256)
def _sender(event_type: str) -> Literal["client", "server"]:
    """Return who sends events of a type: the client only if no dialect's server does."""
    event = json.dumps({"type": event_type})
    sides: set[str] = set()
    for dialect in DIALECTS.values():
        for side, parse in dialect.items():
            if not isinstance(parse(event), UnknownEvent):
                sides.add(side)
    if sides == {"client"}:
        return "client"
    return "server"


class Script(Rules):
    """Replays a recording until its end, or until the client departs from it; then closes.

    The client may append its audio in larger pieces than the one that was recorded, so that once
    it has begun, appends are not waited for.
    """

    def __init__(self, outbox: Outbox, recorded: Sequence[RecordedEvent]) -> None:
        super().__init__(outbox)
        self._recorded = recorded
        self._next = 0
        self._is_appending = False

    def begin(self) -> None:
        """Emit the server's events up to the client's next one."""
        while self._next < len(self._recorded):
            recorded = self._recorded[self._next]
            is_client = recorded.direction == "client"
            if is_client and not (self._is_appending and recorded.event["type"] in _APPENDS):
                return
            self._next += 1
            if not is_client:
                self.outbox.events.append(recorded.event)
        self.closing = 1000, ""

    def receive(self, event: RealtimeModel) -> None:
        """Go on after an event of the client."""
        wire = event.to_dict()
        self._go_on(wire["type"], json.dumps(wire, ensure_ascii=False))

    def refuse(self, refusal: Refusal, text: str) -> None:
        """Close, because the script has no such message."""
        self._go_on("no event", text)

    def _go_on(self, event_type: str, received: str) -> None:
        # Pieces of audio beyond the recorded ones.
        if self._is_appending and event_type in _APPENDS:
            return
        expected = self._recorded[self._next]
        if expected.event["type"] == event_type:
            self._is_appending = event_type in _APPENDS
            self._next += 1
            self.begin()
        else:
            self.mismatch = _mismatch(expected, f"received {event_type[:40]}", received)
            self.closing = 1011, self.mismatch.partition("\n")[0]

    def note_end(self) -> None:
        """Note what the client should have sent next, if it left too early."""
        if self.mismatch is not None:
            return
        for recorded in self._recorded[self._next :]:
            if recorded.direction == "client":
                self.mismatch = _mismatch(recorded, "the connection ended", "nothing more")
                return


def _mismatch(expected: RecordedEvent, what: str, received: str) -> str:
    event_type, text = expected.event["type"][:40], json.dumps(expected.event, ensure_ascii=False)
    return (
        f"line {expected.line}: expected {event_type}, {what}\n"
        f"  expected: {_short(text)}\n  received: {_short(received)}"
    )


def _short(text: str) -> str:
    if len(text) <= 400:
        return text
    return f"{text[:400]}… ({len(text)} characters)"
