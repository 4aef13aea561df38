"""What is measured in this process: parsing, sending, invalid events, and ever larger ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import payloads
from contenders import PARSERS, check_parsers, check_senders, senders
from measure import Samples, Task, in_turns, interleaved

from openai_realtime_client import ga

# The seconds of each contender, by what was measured.
Results = dict[str, dict[str, Samples]]
# The seconds of parsing and dumping, by us and by the standard library, by size.
Growth = dict[int, dict[str, Samples]]

# From 1 KB to 10 MB, and from 1 item to 10,000, in steps of about three.
AUDIO_SIZES = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000]
ITEM_COUNTS = [1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000]
SIZE_ROUNDS = 7


def parsing() -> Results:
    """Parsing one event: of the mix, and of each type in it."""
    mix = [payloads.dumped(event) for event in payloads.mix()]
    results = {
        "the mix, `str`": _time_parsers(mix),
        "the mix, `bytes`": _time_parsers([text.encode() for text in mix]),
        "the mix in turns": _time_parsers([text.encode() for text in mix], in_turns),
    }
    for kind, count in payloads.MIX.items():
        events = [payloads.server_event(kind) for _ in range(count)]
        check_parsers(events[0])
        results[f"`{kind}`"] = _time_parsers([payloads.dumped(event) for event in events])
    return results


def sending() -> Results:
    """Making the JSON of one client event."""
    results = {}
    for event in (payloads.append(), payloads.session_update(), payloads.response_create()):
        check_senders(event)
        results[f"`{event['type']}`"] = interleaved(senders(event))
    return results


def tolerating() -> Results:
    """Parsing a valid event, and the same event with one number sent as a string."""
    done, delta = payloads.response_done(items=3), payloads.audio_delta()
    deep = payloads.with_wrong_type(done, "response", "usage", "total_tokens")
    shallow = payloads.with_wrong_type(delta, "output_index")
    return {
        "`response.done`, a wrong type deep inside": _time_tolerance(done, deep),
        "`response.output_audio.delta`, a wrong type": _time_tolerance(delta, shallow),
    }


def by_audio_size() -> Growth:
    """Parsing and dumping an audio delta of growing size."""
    return {size: _time_both_ways(payloads.audio_delta(size)) for size in AUDIO_SIZES}


def by_item_count() -> Growth:
    """Parsing and dumping a response of ever more items."""
    return {count: _time_both_ways(payloads.response_done(count)) for count in ITEM_COUNTS}


def _time_parsers(
    texts: Sequence[str | bytes], measure: Callable[..., dict[str, Samples]] = interleaved
) -> dict[str, Samples]:
    def task(parse: Callable[[str | bytes], object]) -> Task:
        def parse_all() -> None:
            for text in texts:
                parse(text)

        return parse_all

    times = measure({name: task(parse) for name, parse in PARSERS.items()})
    return {name: samples.divided_by(len(texts)) for name, samples in times.items()}


def _time_tolerance(event: payloads.Json, deviating: payloads.Json) -> dict[str, Samples]:
    valid, other = payloads.dumped(event), payloads.dumped(deviating)
    if ga.deviations(ga.parse_server_event(valid)):
        raise RuntimeError("the valid event has deviations")
    if not ga.deviations(ga.parse_server_event(other)):
        raise RuntimeError("the event of a wrong type has no deviations")
    return interleaved(
        {
            "valid": lambda: ga.parse_server_event(valid),
            "wrong type": lambda: ga.parse_server_event(other),
        }
    )


def _time_both_ways(event: payloads.Json) -> dict[str, Samples]:
    text = payloads.dumped(event)
    parsed = ga.parse_server_event(text)
    tasks: dict[str, Task] = {
        "parse": lambda: ga.parse_server_event(text),
        "json.loads": lambda: json.loads(text),
        "dump": parsed.to_json,
        "json.dumps": lambda: json.dumps(event),
    }
    return interleaved(tasks, SIZE_ROUNDS)
