"""Compare parsing, sending and starting with the peers': `make bench`. Writes RESULTS.md."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import contenders as by
import payloads
from measure import Samples, Task, in_turns, interleaved, setting
from report import (
    Verdict,
    at_most,
    beyond,
    faster,
    quantity,
    table,
    verdict_table,
    write,
    write_section,
)

from openai_realtime_client import ga

# The seconds of each contender, by what was measured.
Results = dict[str, dict[str, Samples]]

MIX = ("the mix, `str`", "the mix, `bytes`", "the mix in turns")
SIZES = [1_000, 10_000, 100_000, 1_000_000, 10_000_000]
COUNTS = [1, 10, 100, 1_000, 10_000]
SIZE_ROUNDS = 7

DOCUMENT = """\
# Results

Written by `make bench`. {setting}

Times are CPU times without the garbage collector, medians over interleaved rounds; a ratio is the
median of each round's ratio. *In turns* is what a session has: each parses the hundred events once,
right after another did, with the collector on. What is compared:

- `json`, of the standard library, and `orjson`: plain dictionaries.
- `msgspec`: structs by hand, for these events alone; drops what they do not name.
- `SDK`: `openai`, by its `RealtimeConnection.parse_event`, and `.send` of a dictionary, unsent.
- `stock`: what openapi-generator makes of the same document without templates of ours, by its
  `RealtimeServerEvent.from_json`.

## Targets

{verdicts}

The mix is 70 % audio deltas of 4 KB, 20 % transcript deltas, 10 % others. The package constructs
what it sends, object by object; `json.dumps` and the SDK get the finished dictionary, which the
package encodes, or reads and dumps, in further rows. A wrong type is a number sent as a string. The
first event is a `session.created`, and its figures are those of the whole process.

The last column is measured in the same run, and held against the same peer:

- `pydantic-core`: the compiled parser of our classes, called without any code of ours. In turns, it
  finds the processor's caches full of what the others used, as everything does there; its
  validators are many small objects, of which an event that comes once or twice a pass uses its own.
- `plain pydantic`: classes of pydantic's own with as many fields, all optional, and any unknown
  ones, constructed object by object and dumped. They have no unions, open enums or constants, and
  refuse nothing that is not JSON. Each object takes pydantic's `__init__`, and each field adds to
  it, set or not.
- `pydantic`: importing it, and creating one class of one field; `dependencies`: the same with
  asyncio and `websockets`.

## Parsing

The package's time for one event, and how many times as long its peers take.

{parsing}

## Sending

The same for constructing and dumping one event. The stock client reads it from a dictionary.

{sending}

## Growing

The time for ever larger events.

{growing}
"""

README = """\
- A mix of GA events is parsed in {mix:.2f} of the time of `json.loads`, {sdk:.0f} times as fast as
  by the SDK; with cold caches, right after other work, in {cold_json:.2f} of it, {cold_sdk:.0f}
  times as fast.
- Constructing and dumping an event takes {sending} times as long as `json.dumps` of a finished
  dictionary: {kinds}.
- Importing takes {imported}, the first event and all before it {first:.2f} of the SDK's time."""


def main() -> None:
    """Measure, print and write everything."""
    started, parsed, sent, tolerated = start_up(), parsing(), sending(), tolerating()
    write(
        "RESULTS.md",
        DOCUMENT.format(
            # stock.py gives the client the version of its generator.
            setting=setting("pydantic", "orjson", "msgspec", "openai", "stock_client"),
            verdicts=verdict_table(
                [
                    *parse_verdicts(parsed),
                    *send_verdicts(sent),
                    *(
                        at_most(f"parse {name}", times, "wrong type", "valid", 10)
                        for name, times in tolerated.items()
                    ),
                    *start_verdicts(*started),
                ]
            ),
            parsing=contenders_table(parsed),
            sending=contenders_table(sent),
            growing=growth_table(),
        ),
    )
    warm, cold = parsed[MIX[1]], parsed[MIX[2]]
    ratios = [f"{times[by.OURS].over(times[by.JSON]):.1f}" for times in sent.values()]
    seconds, _ = started
    write_section(
        "README.md",
        "make bench",
        README.format(
            mix=warm[by.OURS].over(warm[by.JSON]),
            sdk=warm[by.SDK].over(warm[by.OURS]),
            cold_json=cold[by.OURS].over(cold[by.JSON]),
            cold_sdk=cold[by.SDK].over(cold[by.OURS]),
            sending=f"{', '.join(ratios[:-1])} and {ratios[-1]}",
            kinds=", ".join(sent),
            imported=quantity(seconds["root"].beyond(seconds["bare"])),
            first=seconds["ours"].over(seconds["SDK"]),
        ),
    )


def parsing() -> Results:
    """Parsing one event: of the mix, and of each type in it."""
    step("parsing")
    mix = [payloads.dumped(event) for event in payloads.mix()]
    encoded = [text.encode() for text in mix]
    found = {
        MIX[0]: interleaved(parsers(mix)),
        MIX[1]: interleaved(parsers(encoded)),
        # Both use the same validators. Who comes later would find them in the caches.
        MIX[2]: in_turns(parsers(encoded, by.OURS)) | in_turns(parsers(encoded, by.CORE)),
    }
    found = {name: per_event(times, len(mix)) for name, times in found.items()}
    for kind, count in payloads.MIX.items():
        by.check_parsers(payloads.server_event(kind))
        texts = [payloads.dumped(payloads.server_event(kind)) for _ in range(count)]
        found[f"`{kind}`"] = per_event(interleaved(parsers(texts)), count)
    return found


def parsers(texts: Sequence[str | bytes], without: str = "") -> dict[str, Task]:
    """What parses all of `texts`, by contender."""
    all_of(by.PARSERS[by.OURS], texts)  # Its parser grows with each new type.
    contenders = {**by.PARSERS, by.CORE: by.bound()}
    return {k: partial(all_of, parse, texts) for k, parse in contenders.items() if k != without}


def all_of(parse: Callable[[str | bytes], object], texts: Iterable[str | bytes]) -> None:
    """Parse them all."""
    for text in texts:
        parse(text)


def per_event(times: dict[str, Samples], count: int) -> dict[str, Samples]:
    """What one of `count` events takes."""
    return {name: samples.divided_by(count) for name, samples in times.items()}


def sending() -> Results:
    """Making the JSON of one client event."""
    step("sending")
    found: Results = {}
    for event in (payloads.append(), payloads.session_update(), payloads.response_create()):
        by.check_senders(event)
        found[f"`{event['type']}`"] = interleaved(by.senders(event))
    return found


def tolerating() -> Results:
    """Parsing a valid event, and the same event with one number sent as a string."""
    step("parsing invalid events")
    done, delta = payloads.response_done(items=3), payloads.audio_delta()
    deep = payloads.with_wrong_type(done, "response", "usage", "total_tokens")
    shallow = payloads.with_wrong_type(delta, "output_index")
    found: Results = {}
    for name, event, wrong in (
        ("`response.done`, a wrong type deep inside", done, deep),
        ("`response.output_audio.delta`, a wrong type", delta, shallow),
    ):
        valid, other = payloads.dumped(event), payloads.dumped(wrong)
        if ga.deviations(ga.parse_server_event(valid)):
            raise RuntimeError("the valid event has deviations")
        if not ga.deviations(ga.parse_server_event(other)):
            raise RuntimeError("the event of a wrong type has no deviations")
        found[name] = interleaved(
            {
                "valid": lambda text=valid: ga.parse_server_event(text),
                "wrong type": lambda text=other: ga.parse_server_event(text),
            }
        )
    return found


def both_ways(event: payloads.Json) -> dict[str, Samples]:
    """Parsing and dumping one event, by us and by the standard library."""
    text = payloads.dumped(event)
    parsed = ga.parse_server_event(text)
    tasks: dict[str, Task] = {
        "parse": lambda: ga.parse_server_event(text),
        "json.loads": lambda: json.loads(text),
        "dump": parsed.to_json,
        "json.dumps": lambda: json.dumps(event),
    }
    return interleaved(tasks, SIZE_ROUNDS)


def growth_table() -> str:
    """The time for ever larger events: a row for each size."""
    step("growing")
    grown = [(f"an audio delta of {n:,} characters", payloads.audio_delta(n)) for n in SIZES]
    grown += [(f"a response of {n:,} items", payloads.response_done(n)) for n in COUNTS]
    rows = [
        (what, *(quantity(each.median) for each in both_ways(event).values()))
        for what, event in grown
    ]
    return table(("", "parse", "json.loads", "dump", "json.dumps"), rows)


def start_up() -> tuple[dict[str, Samples], dict[str, Samples]]:
    """The CPU seconds, and the bytes, of new interpreters."""
    step("starting interpreters")
    command = [sys.executable, str(Path(__file__).with_name("start.py"))]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    runs = {name: list(zip(*each, strict=True)) for name, each in json.loads(output).items()}
    return (
        {name: Samples(seconds) for name, (seconds, _) in runs.items()},
        {name: Samples(size) for name, (_, size) in runs.items()},
    )


# The report


def contenders_table(results: Results) -> str:
    """Ours, and how many times as long the others take."""
    peers = (by.JSON, by.ORJSON, by.MSGSPEC, by.SDK, by.STOCK)
    rows = [
        (
            name,
            quantity(times[by.OURS].median),
            *(f"{times[peer].over(times[by.OURS]):.2f}x" for peer in peers),
        )
        for name, times in results.items()
    ]
    return table(("", by.OURS, *peers), rows)


def parse_verdicts(parsed: Results) -> Iterator[Verdict]:
    """What parsing may take."""
    for name, most in zip(MIX, (0.54, 0.5, 0.5), strict=True):
        times = parsed[name]
        yield at_most(f"parse {name}", times, by.OURS, by.JSON, most, by.CORE)
        yield at_most(f"parse {name}", times, by.OURS, by.MSGSPEC, 2.2, by.CORE)
        yield faster(f"parse {name}", times, by.OURS, by.SDK, 25, by.CORE)
        yield faster(f"parse {name}", times, by.OURS, by.STOCK, 100, by.CORE)


def send_verdicts(sent: Results) -> Iterator[Verdict]:
    """What sending may take."""
    for (name, times), most in zip(sent.items(), (0.5, 1.5, 1.5), strict=True):
        yield at_most(f"construct and dump {name}", times, by.OURS, by.JSON, most, by.PLAIN)
        yield faster(f"construct and dump {name}", times, by.OURS, by.SDK, 5)
        yield at_most(f"dump a dictionary, {name}", times, by.OURS_DICT, by.JSON, most)
        yield at_most(f"read and dump {name}", times, by.OURS_READ, by.JSON, most)


def start_verdicts(seconds: dict[str, Samples], memory: dict[str, Samples]) -> Iterator[Verdict]:
    """What starting may take."""
    yield beyond("`import openai_realtime_client`", seconds, "root", 0.015)
    yield beyond("`import openai_realtime_client.ga`", seconds, "ga", 0.015)
    yield at_most("import, and parse a first event", seconds, "ours", "SDK", 0.22, "pydantic")
    name = "import, and dump a first append"
    yield at_most(name, seconds, "ours, append", "SDK, append", 0.22, "pydantic")
    name = "import, and call `connect`"
    yield at_most(name, seconds, "ours, connect", "SDK, connect", 0.22, "dependencies")
    yield at_most("memory after a first event", memory, "ours", "SDK", 2 / 3, unit="B")


def step(text: str) -> None:
    """Print what is being measured."""
    print(f"- {text}", flush=True)


if __name__ == "__main__":
    main()
