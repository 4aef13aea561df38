"""`inspect`: recorded sessions as a timeline, and what they amount to."""

from __future__ import annotations

import json
import math
import re
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from typing import Any

from openai_realtime_client.cli.display import (
    Row,
    Screen,
    Timeline,
    as_json,
    audio_size,
    shortened,
    show_error,
    show_event,
    span_text,
)
from openai_realtime_client.cli.page import Page
from openai_realtime_client.conversation.usage import Usage
from openai_realtime_client.core.deviations import Deviation
from openai_realtime_client.core.json_types import at, is_object
from openai_realtime_client.shared import InvalidEventError, RealtimeModel, UnknownEvent, deviations
from openai_realtime_client.testing.recording import DIALECTS, RecordedEvent, read_recording

__all__ = ["run"]

_MOST_HELD = 50
_MOST_VALUES = 3
_VALUE_LENGTH = 60
_MESSAGE_LENGTH = 1000
_ALWAYS_SHOWN = {"text", "audio", "cached"}
# The first is what it is where nothing decides.
_CHOICES = {"ga": ["ga", "ga translation"], "v1": ["v1"], "auto": [*DIALECTS]}
_INDEX = re.compile(r"\[\d+\]")


class _UnreadableError(Exception):
    """A file, or a line of it, is not a recording. The message does not repeat what is in it."""


def run(args: Namespace, out: Screen, err: Screen) -> int:
    """Show the files and return the exit status."""
    if args.html and len(args.files) > 1:
        show_error(err, args.prog, "--html is for one FILE")
        return 2
    status = 0
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
    dialect, recorded = _decide(_read(name), _CHOICES[args.protocol])
    title = ("bold", "standard input" if name == "-" else name), f": protocol {dialect}"
    is_shown = not (args.json or args.quiet)
    page = Page() if args.html else None

    def show(row: Row) -> None:
        if is_shown:
            show_event(out, row)
        if page:
            page.rows.append(row)

    counts, timeline = _Counts(), Timeline(show)
    for each in recorded:
        if is_shown and not counts.events:
            out.line(*title, "" if each.at_ms is None else ", times in ms")
        found = counts.add(each, _typed(each, dialect))
        timeline.add(each.direction, each.event, each.at_ms, is_marked=bool(found))
        if page:
            page.add(each)
    timeline.end()
    if not counts.events:
        raise _UnreadableError("there are no events in it")
    summary = {"file": title[0][1], "protocol": dialect, **counts.to_dict()}
    if args.json:
        out.json_line(summary)
    else:
        if args.quiet:
            out.line(*title)
        _show(out, summary)
    if page:
        _write(page, args.html, summary)
    return bool(counts.deviations)


def _write(page: Page, path: str, summary: dict[str, Any]) -> None:
    try:
        page.write(path, summary)
    except (OSError, ValueError) as error:
        raise _UnreadableError(f"cannot write {path}: {_reason(error)}") from None


# Reading


def _read(name: str) -> Iterator[RecordedEvent]:
    if name == "-" and sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise _UnreadableError("standard input is closed")
    try:
        yield from read_recording(sys.stdin.buffer if name == "-" else name)
    except (OSError, ValueError) as error:
        raise _UnreadableError(_reason(error)) from None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _typed(recorded: RecordedEvent, dialect: str) -> RealtimeModel:
    try:
        return DIALECTS[dialect][recorded.direction](json.dumps(recorded.event))
    except InvalidEventError as error:
        # Where in the event it is does not help: lines have more in them.
        about = error.problems[0][1].partition(" at line ")[0]
    except RecursionError:
        about = "nested too deeply"
    raise _UnreadableError(f"line {recorded.line}: no event: {about}")


def _decide(
    recorded: Iterator[RecordedEvent], dialects: list[str]
) -> tuple[str, Iterator[RecordedEvent]]:
    """The dialect of a recording, and all of its events."""
    held: list[RecordedEvent] = []
    found = dialects[0] if len(dialects) == 1 else None
    while not found and len(held) < _MOST_HELD and (each := next(recorded, None)):
        held.append(each)
        found = _best(each, dialects)
    return found or dialects[0], chain(held, recorded)


def _best(recorded: RecordedEvent, dialects: list[str]) -> str | None:
    """The dialect that an event departs from less than from all others."""
    departures = [_departures(_typed(recorded, dialect)) for dialect in dialects]
    least = min(departures)
    return dialects[departures.index(least)] if departures.count(least) == 1 else None


def _departures(event: RealtimeModel) -> float:
    # More than of any event that is known, however much of it may deviate.
    return math.inf if isinstance(event, UnknownEvent) else len(deviations(event))


# Counting


class _Counts:
    """What a session amounts to."""

    def __init__(self) -> None:
        self.events = 0
        self._types: Counter[tuple[str, str]] = Counter()
        self._audio_bytes = {"client": 0, "server": 0}
        self._usage = Usage()
        # Each as it stands in the JSON, by what makes two of them one.
        self._errors: dict[tuple[str, ...], dict[str, Any]] = {}
        self.deviations: dict[tuple[str, ...], dict[str, Any]] = {}
        self._first_ms = math.inf
        self._last_ms = -math.inf

    def add(self, recorded: RecordedEvent, event: RealtimeModel) -> list[Deviation]:
        """Count an event in; gives its deviations."""
        wire, direction = recorded.event, recorded.direction
        self.events += 1
        self._types[direction, wire["type"]] += 1
        self._audio_bytes[direction] += audio_size(wire) or 0
        if recorded.at_ms is not None:
            self._first_ms = min(self._first_ms, recorded.at_ms)
            self._last_ms = max(self._last_ms, recorded.at_ms)
        if wire["type"] == "response.done":
            self._usage += Usage.of(at(wire, "response", "usage"))
        self._add_error(wire, recorded.line)
        found = deviations(event)
        for each in found:
            self._add_deviation(recorded, each)
        return found

    def _add_error(self, wire: dict[str, Any], line: int) -> None:
        error = wire.get("error") or at(wire, "response", "status_details", "error")
        if is_object(error):
            what = {name: _plain(error.get(name)) for name in ("type", "code", "message")}
            _count(self._errors, {"event": wire["type"], **what}, line)

    def _add_deviation(self, recorded: RecordedEvent, deviation: Deviation) -> None:
        what = {
            "from": recorded.direction,
            "type": recorded.event["type"],
            "path": _INDEX.sub("[*]", deviation.path),
            "kind": deviation.kind,
        }
        values: list[str] = _count(self.deviations, what, recorded.line).setdefault("values", [])
        value = as_json(deviation.value, _VALUE_LENGTH)
        has_value = deviation.kind not in ("missing field", "unknown event")
        if has_value and len(values) < _MOST_VALUES and value not in values:
            values.append(value)

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints. Of the types, the client's come first, and the most frequent."""
        types = sorted(self._types.items(), key=lambda each: (each[0][0], -each[1], each[0][1]))
        duration_ms = self._last_ms - self._first_ms
        tokens = asdict(self._usage)
        del tokens["seconds"]
        return {
            "events": self.events,
            "duration_ms": round(duration_ms, 1) if duration_ms >= 0 else None,
            "types": [
                {"from": direction, "type": kind, "count": count}
                for (direction, kind), count in types
            ],
            "audio_bytes": self._audio_bytes,
            "responses": self._types["server", "response.done"],
            "tokens": tokens,
            "errors": [*self._errors.values()],
            "deviations": [*self.deviations.values()],
        }


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return shortened(value, _MESSAGE_LENGTH) if isinstance(value, str) else as_json(value, 60)


def _count(
    found: dict[tuple[str, ...], dict[str, Any]], what: dict[str, str], line: int
) -> dict[str, Any]:
    """Count something that may have been there before, on an earlier line."""
    entry = found.setdefault((*what.values(),), {**what, "count": 0, "line": line})
    entry["count"] += 1
    return entry


# Showing


def _show(out: Screen, summary: dict[str, Any]) -> None:
    """Print what `--json` prints, for people."""
    duration_ms = summary["duration_ms"]
    time = "" if duration_ms is None else f" in {span_text(duration_ms)}"
    out.line(("bold", "Events"), f": {summary['events']:,}{time}")
    for each in summary["types"]:
        out.line(f"{each['count']:>7,} ", *_sent(each))
    if any(summary["audio_bytes"].values()):
        sizes = "→ {client:,} bytes, ← {server:,} bytes".format(**summary["audio_bytes"])
        out.line(("bold", "Audio"), f": {sizes}")
    if summary["responses"]:
        _show_tokens(out, summary["responses"], summary["tokens"])
    _show_total(out, "Errors", summary["errors"])
    for each in summary["errors"]:
        code = ("red", each["code"] or each["type"])
        out.line(f"{each['count']:>7,} ", code, f": {each['message']}")
        out.line(("dim", f"{'':8}{each['event']}, {_where(each)}"))
    _show_total(out, "Deviations", summary["deviations"])
    for each in summary["deviations"]:
        place = (" at ", ("yellow", each["path"])) if each["path"] else ()
        out.line(f"{each['count']:>7,} ", *_sent(each), *place)
        values = f": {', '.join(each['values'])}" if each["values"] else ""
        out.line(f"{'':10}{each['kind']}, {_where(each)}", rest=values)


def _show_tokens(out: Screen, responses: int, tokens: dict[str, int]) -> None:
    among = "1 response" if responses == 1 else f"{responses:,} responses"
    out.line(("bold", "Tokens"), f": {tokens['total']:,} in {among}")
    for side in ("input", "output"):
        kinds = {
            name.removeprefix(f"{side}_").replace("_", " "): count
            for name, count in tokens.items()
            if name.startswith(f"{side}_")
        }
        shown = [
            f"{name} {count:,}" for name, count in kinds.items() if count or name in _ALWAYS_SHOWN
        ]
        out.line(f"{tokens[side]:>7,} {side}: {', '.join(shown)}")


def _show_total(out: Screen, title: str, found: list[dict[str, Any]]) -> None:
    out.line(("bold", title), f": {sum(each['count'] for each in found) or 'none'}")


def _sent(what: dict[str, Any]) -> tuple[tuple[str, str], str]:
    arrow = ("cyan", "→") if what["from"] == "client" else ("green", "←")
    return arrow, f" {what['type']}"


def _where(found: dict[str, Any]) -> str:
    return f"line {found['line']}" if found["count"] == 1 else f"first on line {found['line']}"
