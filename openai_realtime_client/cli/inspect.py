"""`inspect`: recorded sessions as a timeline, and what they amount to."""

from __future__ import annotations

import json
import math
import re
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from openai_realtime_client import (
    InvalidEventError,
    RealtimeModel,
    UnknownEvent,
    deviations,
    ga,
    v1,
)
from openai_realtime_client.cli.display import (
    Row,
    Screen,
    as_json,
    audio_size,
    is_streamed,
    shortened,
    show_error,
    show_event,
    span_text,
    summarize,
)
from openai_realtime_client.cli.page import Turns, page
from openai_realtime_client.core.deviations import Deviation
from openai_realtime_client.core.json_types import at, is_object
from openai_realtime_client.core.usage import Usage
from openai_realtime_client.testing.recording import RecordedEvent, read_recording

__all__ = ["run"]

_MOST_HELD = 50
_MOST_VALUES = 3
_VALUE_LENGTH = 60
_JOINED_LENGTH = 1000
_ALWAYS_SHOWN = {"text", "audio", "cached"}
_INDEX = re.compile(r"\[\d+\]")


class _UnreadableError(Exception):
    """A file, or a line of it, is no recording. The message does not repeat what is in it."""


class _Dialect(NamedTuple):
    name: str
    parse_client: Callable[[str], RealtimeModel]
    parse_server: Callable[[str], RealtimeModel]


_GA = _Dialect("ga", ga.parse_client_event, ga.parse_server_event)
_V1 = _Dialect("v1", v1.parse_client_event, v1.parse_server_event)
_TRANSLATION = _Dialect(
    "ga translation", ga.parse_translation_client_event, ga.parse_translation_server_event
)
# The first is what it is where nothing decides.
_DIALECTS = {"ga": [_GA, _TRANSLATION], "v1": [_V1], "auto": [_GA, _V1, _TRANSLATION]}


def run(args: Namespace, out: Screen, err: Screen) -> int:
    """Show the files and return the exit status."""
    status = 0
    if args.html and len(args.files) > 1:
        show_error(err, args.prog, "--html is for one FILE")
        return 2
    for number, name in enumerate(args.files):
        if number and not args.json:
            out.line()
        try:
            has_deviations = _inspect(name, args, out)
        except _UnreadableError as error:
            show_error(err, args.prog, f"{name}: {error}")
            status = 2
        else:
            status = max(status, int(has_deviations))
    return status


def _inspect(name: str, args: Namespace, out: Screen) -> bool:
    """Show one file; whether there are deviations in it."""
    is_shown = not (args.json or args.quiet)
    rows: list[Row] = []
    turns = Turns()

    def show(row: Row) -> None:
        if is_shown:
            show_event(out, row)
        if args.html:
            rows.append(row)

    with _opened(name) as file:
        dialect, recorded = _decide(_read(file), _DIALECTS[args.protocol])
        summary = _Summary("standard input" if name == "-" else name, dialect.name)
        timeline = _Timeline(show)
        for each in recorded:
            if is_shown and not summary.events:
                _show_title(out, summary, "" if each.at_ms is None else ", times in ms")
            found = summary.add(each, _typed(each, dialect))
            timeline.add(each, is_marked=bool(found))
            if args.html:
                turns.add(each)
    timeline.end()
    if not summary.events:
        raise _UnreadableError("there are no events in it")
    if args.json:
        out.json_line(json.dumps(summary.to_dict(), ensure_ascii=False))
    else:
        _show_summary(out, summary, with_title=args.quiet)
    if args.html:
        _write_page(args.html, summary, turns, rows)
    return bool(summary.deviations)


def _write_page(path: str, summary: _Summary, turns: Turns, rows: list[Row]) -> None:
    events = [row._asdict() for row in rows]
    data = {"summary": summary.to_dict(), "turns": turns.to_dicts(), "events": events}
    try:
        Path(path).write_text(page(data), "utf-8")
    except (OSError, ValueError) as error:
        about = getattr(error, "strerror", None) or str(error)
        raise _UnreadableError(f"cannot write {path}: {about}") from None


# Reading


@contextmanager
def _opened(name: str) -> Generator[BinaryIO, None, None]:
    if name != "-":
        try:
            file = open(name, "rb")  # noqa: SIM115 (what is read in it may raise OSError, too)
        except (OSError, ValueError) as error:
            raise _UnreadableError(getattr(error, "strerror", None) or str(error)) from None
        with file:
            yield file
    elif sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise _UnreadableError("standard input is closed")
    else:
        yield sys.stdin.buffer


def _read(file: BinaryIO) -> Iterator[RecordedEvent]:
    try:
        for each in read_recording(_lines(file)):
            yield each._replace(at_ms=_finite(each.at_ms))
    except OSError as error:
        raise _UnreadableError(error.strerror) from None
    except ValueError as error:
        raise _UnreadableError(str(error)) from None


def _lines(file: BinaryIO) -> Iterator[str]:
    for number, line in enumerate(file, 1):
        try:
            # Some editors put a byte order mark at the beginning.
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise _UnreadableError(f"line {number}: not UTF-8") from None


def _finite(number: float | None) -> float | None:
    try:
        return number if number is not None and math.isfinite(number) else None
    except OverflowError:
        return None


def _typed(recorded: RecordedEvent, dialect: _Dialect) -> RealtimeModel:
    is_client = recorded.direction == "client"
    parse = dialect.parse_client if is_client else dialect.parse_server
    try:
        return parse(json.dumps(recorded.event))
    except InvalidEventError as error:
        # Where in the event it is does not help: lines have more in them.
        about = error.problems[0][1].partition(" at line ")[0]
    except RecursionError:
        about = "nested too deeply"
    raise _UnreadableError(f"line {recorded.line}: no event: {about}")


def _decide(
    recorded: Iterator[RecordedEvent], dialects: list[_Dialect]
) -> tuple[_Dialect, Iterator[RecordedEvent]]:
    """The dialect of a recording, and all of its events."""
    held: list[RecordedEvent] = []
    found = dialects[0] if len(dialects) == 1 else None
    while not found and len(held) < _MOST_HELD and (each := next(recorded, None)):
        held.append(each)
        found = _best(each, dialects)
    return found or dialects[0], chain(held, recorded)


def _best(recorded: RecordedEvent, dialects: list[_Dialect]) -> _Dialect | None:
    """The dialect that an event departs from less than from all others."""
    departures = [_departures(_typed(recorded, dialect)) for dialect in dialects]
    least = min(departures)
    return dialects[departures.index(least)] if departures.count(least) == 1 else None


def _departures(event: RealtimeModel) -> float:
    # More than of any event that is known, however much of it may deviate.
    return math.inf if isinstance(event, UnknownEvent) else len(deviations(event))


# Summing up


class _Summary:
    """What a session amounts to."""

    def __init__(self, file: str, protocol: str) -> None:
        self.file = file
        self.protocol = protocol
        self.events = 0
        self.types: Counter[tuple[str, str]] = Counter()
        self.audio_bytes = {"client": 0, "server": 0}
        self.responses = 0
        self.usage = Usage()
        # Each as it stands in the JSON, by what makes two of them one.
        self.errors: dict[tuple[str, ...], dict[str, Any]] = {}
        self.deviations: dict[tuple[str, ...], dict[str, Any]] = {}
        self._first_ms = math.inf
        self._last_ms = -math.inf

    @property
    def duration_ms(self) -> float | None:
        """From the first to the last event, if their times were recorded and are not absurd."""
        if self._first_ms > self._last_ms:
            return None
        duration_ms = _finite(self._last_ms - self._first_ms)
        return None if duration_ms is None else round(duration_ms, 1)

    def add(self, recorded: RecordedEvent, event: RealtimeModel) -> list[Deviation]:
        """Count an event in; gives its deviations."""
        wire, direction = recorded.event, recorded.direction
        self.events += 1
        self.types[direction, wire["type"]] += 1
        self.audio_bytes[direction] += audio_size(wire) or 0
        if recorded.at_ms is not None:
            self._first_ms = min(self._first_ms, recorded.at_ms)
            self._last_ms = max(self._last_ms, recorded.at_ms)
        if wire["type"] == "response.done":
            self._add_response(wire.get("response"))
        self._add_error(wire, recorded.line)
        found = deviations(event)
        for each in found:
            self._add_deviation(recorded, each)
        return found

    def _add_response(self, response: Any) -> None:
        self.responses += 1
        self.usage += Usage.of(at(response, "usage"))

    def _add_error(self, wire: dict[str, Any], line: int) -> None:
        error = wire.get("error") or at(wire, "response", "status_details", "error")
        if is_object(error):
            what = {name: _plain(error.get(name)) for name in ("type", "code", "message")}
            _count(self.errors, {"event": wire["type"], **what}, line)

    def _add_deviation(self, recorded: RecordedEvent, deviation: Deviation) -> None:
        what = {
            "from": recorded.direction,
            "type": recorded.event["type"],
            "path": _INDEX.sub("[*]", deviation.path),
            "kind": deviation.kind,
        }
        found = _count(self.deviations, what, recorded.line)
        values: list[str] = found.setdefault("values", [])
        value = as_json(deviation.value, _VALUE_LENGTH)
        has_value = deviation.kind not in ("missing field", "unknown event")
        if has_value and len(values) < _MOST_VALUES and value not in values:
            values.append(value)

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "file": self.file,
            "protocol": self.protocol,
            "events": self.events,
            "duration_ms": self.duration_ms,
            "types": [
                {"from": direction, "type": kind, "count": count}
                for (direction, kind), count in self.sorted_types()
            ],
            "audio_bytes": self.audio_bytes,
            "responses": self.responses,
            "tokens": self.tokens(),
            "errors": [*self.errors.values()],
            "deviations": [*self.deviations.values()],
        }

    def tokens(self) -> dict[str, int]:
        """What the responses used, by side and modality."""
        return {name: count for name, count in asdict(self.usage).items() if name != "seconds"}

    def sorted_types(self) -> list[tuple[tuple[str, str], int]]:
        """Types with their counts: the client's first, the most frequent first."""
        return sorted(self.types.items(), key=lambda each: (each[0][0], -each[1], each[0][1]))


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return shortened(value, _JOINED_LENGTH) if isinstance(value, str) else as_json(value, 60)


def _count(
    found: dict[tuple[str, ...], dict[str, Any]], what: dict[str, str], line: int
) -> dict[str, Any]:
    """Count something that may have been there before, on an earlier line."""
    entry = found.setdefault((*what.values(),), {**what, "count": 0, "line": line})
    entry["count"] += 1
    return entry


# Showing


@dataclass
class _Stream:
    """Pieces of the same thing that follow each other."""

    at_ms: float | None
    first: dict[str, Any]
    count: int = 0
    size: int | None = None
    text: str = ""
    is_marked: bool = False


class _Timeline:
    """Events as rows. Streams stay open, side by side, until something else happens."""

    def __init__(self, show: Callable[[Row], None]) -> None:
        self._show = show
        self._streams: dict[tuple[str, ...], _Stream] = {}

    def add(self, recorded: RecordedEvent, *, is_marked: bool) -> None:
        """Show an event, now or, if it is a piece, with the others."""
        wire = recorded.event
        if not is_streamed(wire["type"]):
            self.end()
            about = summarize(wire)
            self._show(Row(recorded.at_ms, recorded.direction, wire["type"], about, is_marked))
            return
        whose = (str(wire.get(name)) for name in ("response_id", "item_id", "content_index"))
        key = (recorded.direction, wire["type"], *whose)
        stream = self._streams.setdefault(key, _Stream(recorded.at_ms, wire))
        stream.count += 1
        stream.is_marked |= is_marked
        size, delta = audio_size(wire), wire.get("delta")
        if size is not None:
            stream.size = (stream.size or 0) + size
        elif isinstance(delta, str) and len(stream.text) < _JOINED_LENGTH:
            stream.text += delta[:_JOINED_LENGTH]

    def end(self) -> None:
        """Show the streams that are open."""
        for (direction, kind, *_), stream in self._streams.items():
            if stream.count == 1:
                about = summarize(stream.first)
            else:
                shown = f'"{stream.text}"' if stream.size is None else f"{stream.size:,} bytes"
                about = f"{stream.count}x {shown}"
            self._show(Row(stream.at_ms, direction, kind, about, stream.is_marked))
        self._streams.clear()


def _show_summary(out: Screen, summary: _Summary, *, with_title: bool) -> None:
    if with_title:
        _show_title(out, summary)
    _show_types(out, summary)
    _show_tokens(out, summary)
    _show_errors(out, summary)
    _show_deviations(out, summary)


def _show_title(out: Screen, summary: _Summary, more: str = "") -> None:
    out.line(("bold", summary.file), f": protocol {summary.protocol}{more}")


def _show_types(out: Screen, summary: _Summary) -> None:
    duration = summary.duration_ms
    time = "" if duration is None else f" in {span_text(duration)}"
    out.line(("bold", "Events"), f": {summary.events:,}{time}")
    for (direction, kind), count in summary.sorted_types():
        out.line(f"{count:>7,} ", *_sent(direction, kind))
    client, server = summary.audio_bytes["client"], summary.audio_bytes["server"]
    if client or server:
        out.line(("bold", "Audio"), f": → {client:,} bytes, ← {server:,} bytes")


def _sent(direction: str, kind: str) -> tuple[tuple[str, str], ...]:
    colour = "cyan" if direction == "client" else "green"
    return (colour, "→" if direction == "client" else "←"), ("", f" {kind}")


def _show_tokens(out: Screen, summary: _Summary) -> None:
    tokens = summary.tokens()
    if not summary.responses:
        return
    responses = "1 response" if summary.responses == 1 else f"{summary.responses:,} responses"
    out.line(("bold", "Tokens"), f": {tokens['total']:,} in {responses}")
    for side in ("input", "output"):
        kinds = {
            name.removeprefix(f"{side}_").replace("_", " "): count
            for name, count in tokens.items()
            if name.startswith(f"{side}_")
        }
        shown = ", ".join(
            f"{name} {count:,}" for name, count in kinds.items() if count or name in _ALWAYS_SHOWN
        )
        out.line(f"{tokens[side]:>7,} {side}: {shown}")


def _show_errors(out: Screen, summary: _Summary) -> None:
    total = sum(each["count"] for each in summary.errors.values())
    out.line(("bold", "Errors"), f": {total or 'none'}")
    for each in summary.errors.values():
        what = ("red", each["code"] or each["type"])
        out.line(f"{each['count']:>7,} ", what, f": {each['message']}")
        out.line(("dim", f"{'':8}{each['event']}, {_where(each)}"))


def _show_deviations(out: Screen, summary: _Summary) -> None:
    total = sum(each["count"] for each in summary.deviations.values())
    out.line(("bold", "Deviations"), f": {total or 'none'}")
    for each in summary.deviations.values():
        path = ("yellow", each["path"])
        out.line(
            f"{each['count']:>7,} ",
            *_sent(each["from"], each["type"]),
            " at " if each["path"] else "",
            path,
        )
        values = ", ".join(each["values"])
        out.line(f"{'':10}{each['kind']}, {_where(each)}{': ' if values else ''}{values}")


def _where(found: dict[str, Any]) -> str:
    return f"line {found['line']}" if found["count"] == 1 else f"first on line {found['line']}"
