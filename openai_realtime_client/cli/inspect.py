"""`inspect`: show recorded sessions as a timeline and a summary."""

from __future__ import annotations

import json
import math
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import Any

from openai_realtime_client.cli.display import (
    ARROWS,
    Row,
    Screen,
    Timeline,
    as_json,
    audio_size,
    shortened,
    show_error,
    show_event,
)
from openai_realtime_client.cli.page import Page
from openai_realtime_client.conversation.usage import Usage
from openai_realtime_client.core.deviations import Deviation
from openai_realtime_client.core.json_types import any_index, at, is_object
from openai_realtime_client.shared import InvalidEventError, RealtimeModel, UnknownEvent, deviations
from openai_realtime_client.testing.recording import DIALECTS, RecordedEvent, read_recording

__all__ = ["run_inspect"]

# Events to read before deciding on a protocol; the help text names the limits, too.
_MAX_UNDECIDED = 50
_MAX_VALUES = 3
_VALUE_LENGTH = 60
_MESSAGE_LENGTH = 1000
# Numbers of tokens to show even if they are zero.
_ALWAYS_SHOWN = {"text", "audio", "cached"}
# Dialects to try for a value of --protocol; the first is the default.
_CHOICES = {"ga": ["ga", "ga translation"], "v1": ["v1"], "auto": [*DIALECTS]}


class _UnreadableError(Exception):
    """A file, or a line of it, is not a recording. The message repeats none of its content."""


def run_inspect(args: Namespace, out: Screen, err: Screen) -> int:
    """Show the files and return the exit status."""
    if args.html and len(args.files) > 1:
        show_error(err, args.prog, "--html is for one FILE")
        return 2
    if args.html and Path(args.html).resolve() == Path(args.files[0]).resolve():
        show_error(err, args.prog, "--html would replace FILE: give the page another name")
        return 2
    # Each file is shown, also after one that cannot be read.
    status = 0
    for number, name in enumerate(args.files):
        if number and not args.json:
            out.line()
        try:
            has_deviations = _inspect_file(name, args, out)
        except _UnreadableError as error:
            show_error(err, args.prog, f"{name}: {error}")
            status = 2
        else:
            status = max(status, int(has_deviations))
    return status


def _inspect_file(name: str, args: Namespace, out: Screen) -> bool:
    """Show one file and return whether it has deviations."""
    dialect, recording = _decide_dialect(_read_events(name), _CHOICES[args.protocol])
    file = name
    if name == "-":
        file = "standard input"
    title = ("bold", file), f": protocol {dialect}"
    has_timeline = not (args.json or args.quiet)
    page = None
    if args.html:
        page = Page()

    def show(row: Row) -> None:
        if has_timeline:
            show_event(out, row)
        if page:
            page.rows.append(row)

    counts = _Counts()
    timeline = Timeline(show)
    for recorded in recording:
        # Printed here, because only the first event tells whether there are times.
        if has_timeline and not counts.events:
            unit = ", times in ms"
            if recorded.at_ms is None:
                unit = ""
            out.line(*title, unit)
        is_marked = counts.count(recorded, _parse_event(recorded, dialect))
        timeline.add(recorded.direction, recorded.event, recorded.at_ms, is_marked)
        if page:
            page.follow(recorded)
    timeline.end()
    if not counts.events:
        raise _UnreadableError("there are no events in it")
    summary = {"file": file, "protocol": dialect, **counts.to_dict()}
    if args.json:
        out.json_line(summary)
    else:
        if args.quiet:
            out.line(*title)
        _show_summary(out, summary)
    # Last, because transcripts may come after the turn that they belong to.
    if page:
        try:
            page.write(args.html, summary)
        except (OSError, ValueError) as error:
            raise _UnreadableError(f"cannot write {args.html}: {_reason(error)}") from None
    return bool(counts.deviations)


# Reading


def _read_events(name: str) -> Iterator[RecordedEvent]:
    if name == "-" and sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise _UnreadableError("standard input is closed")
    try:
        if name == "-":
            yield from read_recording(sys.stdin.buffer)
        else:
            yield from read_recording(name)
    except (OSError, ValueError) as error:
        raise _UnreadableError(_reason(error)) from None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _parse_event(recorded: RecordedEvent, dialect: str) -> RealtimeModel:
    try:
        return DIALECTS[dialect][recorded.direction](json.dumps(recorded.event))
    except InvalidEventError as error:
        # A position within the event misleads: the line has more than the event.
        about = error.problems[0][1].partition(" at line ")[0]
    except RecursionError:
        about = "nested too deeply"
    raise _UnreadableError(f"line {recorded.line}: no event: {about}")


def _decide_dialect(
    recording: Iterator[RecordedEvent], dialects: list[str]
) -> tuple[str, Iterator[RecordedEvent]]:
    """Return the dialect of a recording, and all of its events.

    It is that of the first event that departs from one dialect less than from all others.
    """
    if len(dialects) == 1:
        return dialects[0], recording
    # Only as many as needed are held back, so that a pipe is shown as it comes.
    # Most events are the same in all dialects, so that the first rarely decides.
    undecided: list[RecordedEvent] = []
    for recorded in islice(recording, _MAX_UNDECIDED):
        undecided.append(recorded)
        departures = [_count_departures(_parse_event(recorded, dialect)) for dialect in dialects]
        minimum = min(departures)
        if departures.count(minimum) == 1:
            return dialects[departures.index(minimum)], chain(undecided, recording)
    return dialects[0], chain(undecided, recording)


def _count_departures(event: RealtimeModel) -> float:
    # A known event with many deviations still fits better than an unknown one.
    if isinstance(event, UnknownEvent):
        return math.inf
    return len(deviations(event))


# Counting


class _Counts:
    """The numbers of events, bytes, tokens, errors and deviations of a session."""

    def __init__(self) -> None:
        self.events = 0
        self._types: Counter[tuple[str, str]] = Counter()
        self._audio_bytes = {"client": 0, "server": 0}
        self._usage = Usage()
        # Entries of the JSON, by the values in which equal ones agree.
        self._errors: dict[tuple[str, ...], dict[str, Any]] = {}
        self.deviations: dict[tuple[str, ...], dict[str, Any]] = {}
        self._first_ms = math.inf
        self._last_ms = -math.inf

    def count(self, recorded: RecordedEvent, event: RealtimeModel) -> bool:
        """Count an event and return whether it has deviations."""
        wire, direction = recorded.event, recorded.direction
        self.events += 1
        self._types[direction, wire["type"]] += 1
        self._audio_bytes[direction] += audio_size(wire) or 0
        if recorded.at_ms is not None:
            self._first_ms = min(self._first_ms, recorded.at_ms)
            self._last_ms = max(self._last_ms, recorded.at_ms)
        # Other events with usage are of transcription, which is billed otherwise.
        if wire["type"] == "response.done":
            self._usage += Usage.of(at(wire, "response", "usage"))
        self._add_error(wire, recorded.line)
        event_deviations = deviations(event)
        for deviation in event_deviations:
            self._add_deviation(recorded, deviation)
        return bool(event_deviations)

    def _add_error(self, wire: dict[str, Any], line: int) -> None:
        error = wire.get("error") or at(wire, "response", "status_details", "error")
        if is_object(error):
            fields = {name: _error_text(error.get(name)) for name in ("type", "code", "message")}
            _count_entry(self._errors, {"event": wire["type"], **fields}, line)

    def _add_deviation(self, recorded: RecordedEvent, deviation: Deviation) -> None:
        fields = {
            "from": recorded.direction,
            "type": recorded.event["type"],
            "path": any_index(deviation.path),
            "kind": deviation.kind,
        }
        entry = _count_entry(self.deviations, fields, recorded.line)
        values: list[str] = entry.setdefault("values", [])
        value = as_json(deviation.value, _VALUE_LENGTH)
        # A missing field has no value, and that of an unknown event is the whole event.
        has_value = deviation.kind not in ("missing field", "unknown event")
        if has_value and len(values) < _MAX_VALUES and value not in values:
            values.append(value)

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints.

        Of the types, the client's come first, then the most frequent.
        """
        types: list[dict[str, Any]] = [
            {"from": direction, "type": event_type, "count": count}
            for (direction, event_type), count in self._types.items()
        ]
        types.sort(key=lambda entry: (entry["from"], -entry["count"], entry["type"]))
        duration_ms = None
        if self._last_ms >= self._first_ms:  # otherwise no event had a time
            duration_ms = round(self._last_ms - self._first_ms, 1)
        tokens = asdict(self._usage)
        # Only transcription is counted in seconds, and responses have none.
        del tokens["seconds"]
        return {
            "events": self.events,
            "duration_ms": duration_ms,
            "types": types,
            "audio_bytes": self._audio_bytes,
            "responses": self._types["server", "response.done"],
            "tokens": tokens,
            "errors": [*self._errors.values()],
            "deviations": [*self.deviations.values()],
        }


def _error_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return shortened(value, _MESSAGE_LENGTH)
    return as_json(value, _VALUE_LENGTH)


def _count_entry(
    entries: dict[tuple[str, ...], dict[str, Any]], fields: dict[str, str], line: int
) -> dict[str, Any]:
    """Count an error or deviation, which may have been on an earlier line, too."""
    entry = entries.setdefault((*fields.values(),), {**fields, "count": 0, "line": line})
    entry["count"] += 1
    return entry


# Showing


def _show_summary(out: Screen, summary: dict[str, Any]) -> None:
    """Print what `--json` prints, for people."""
    time = ""
    if summary["duration_ms"] is not None:
        time = f" in {summary['duration_ms'] / 1000:,.2f} s"
    out.line(("bold", "Events"), f": {summary['events']:,}{time}")
    for entry in summary["types"]:
        out.line(f"{entry['count']:>7,} ", ARROWS[entry["from"]], f" {entry['type']}")
    if any(summary["audio_bytes"].values()):
        sizes = "→ {client:,} bytes, ← {server:,} bytes".format(**summary["audio_bytes"])
        out.line(("bold", "Audio"), f": {sizes}")
    if summary["responses"]:
        _show_tokens(out, summary["responses"], summary["tokens"])
    _show_total(out, "Errors", summary["errors"])
    for entry in summary["errors"]:
        code = ("red", entry["code"] or entry["type"])
        out.line(f"{entry['count']:>7,} ", code, f": {entry['message']}")
        out.line(("dim", f"{'':8}{entry['event']}, {_format_line(entry)}"))
    _show_total(out, "Deviations", summary["deviations"])
    for entry in summary["deviations"]:
        place: list[str | tuple[str, str]] = [f" {entry['type']}"]
        if entry["path"]:
            place += [" at ", ("yellow", entry["path"])]
        out.line(f"{entry['count']:>7,} ", ARROWS[entry["from"]], *place)
        values = ""
        if entry["values"]:
            values = f": {', '.join(entry['values'])}"
        out.line(f"{'':10}{entry['kind']}, {_format_line(entry)}", rest=values)


def _show_tokens(out: Screen, responses: int, tokens: dict[str, int]) -> None:
    number = f"{responses:,} responses"
    if responses == 1:
        number = "1 response"
    out.line(("bold", "Tokens"), f": {tokens['total']:,} in {number}")
    for side in ("input", "output"):
        texts: list[str] = []
        for name, count in tokens.items():
            # Such as "cached audio" of input_cached_audio.
            label = name.removeprefix(f"{side}_").replace("_", " ")
            if label != name.replace("_", " ") and (count or label in _ALWAYS_SHOWN):
                texts.append(f"{label} {count:,}")
        out.line(f"{tokens[side]:>7,} {side}: {', '.join(texts)}")


def _show_total(out: Screen, title: str, entries: list[dict[str, Any]]) -> None:
    total = sum(entry["count"] for entry in entries)
    out.line(("bold", title), f": {total or 'none'}")


def _format_line(entry: dict[str, Any]) -> str:
    if entry["count"] == 1:
        return f"line {entry['line']}"
    return f"first on line {entry['line']}"
