"""The figures as tables in markdown, beside what they are held to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from comparison import Growth, Results
from contenders import JSON, MSGSPEC, ORJSON, OURS, OURS_FROM_DICT, SDK, STOCK
from machine import setting
from measure import Process
from tables import Verdict, at_most, beyond, faster, quantity, table, verdict_table

PEERS = (JSON, ORJSON, MSGSPEC, SDK, STOCK)
DISTRIBUTIONS = ("pydantic", "orjson", "msgspec", "openai")

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
package reads and dumps in further rows. A wrong type is a number sent as a string. The first event
is a `session.created`, and its figures are those of the whole process.

### What bounds what is not reached

- The mix as `str`: pydantic-core's parser alone, called with nothing around it, takes 0.52x to
  0.54x of `json.loads`; the two functions around it are the rest. Bytes are decoded first by
  `json.loads` and not by pydantic-core, so that the same parse is below the target there.
- The mix in turns: a pass finds the processor's caches full of what others used. Nine tenths of
  it is spent in pydantic-core, whose validators are many small objects: events that come once or
  twice a pass take two to three times as long as when they are repeated. Simpler schemas hardly
  help: enums as plain strings change the figure by 2 %. It depends on the machine's other work,
  too; with `json` alone as the other, it is 0.6x.
- `session.update` is 13 objects and `response.create` 6. Constructing takes 1.0x to 1.2x of
  `json.dumps`: 1 µs an object, of which pydantic's own `__init__` is 0.8 µs. Dumping takes 0.55x to
  0.7x. As one dictionary, all of it is validated in 0.55x.
- `connect` imports `websockets` and asyncio, which take half of its time.

## Parsing

The package's time for one event, and how many times as long its peers take.

{parsing}

## Sending

The same for constructing and dumping one event. The stock client reads it from a dictionary.

{sending}

## Growing

How many times as long ten times as much takes.

{growth}

![Time by the size of an audio delta](parse-by-size.svg)

![Time by the number of items in a response](parse-by-items.svg)
"""


def document(
    verdicts: Iterable[Verdict], parsed: Results, sent: Results, by_size: Growth, by_items: Growth
) -> str:
    """All of RESULTS.md."""
    growth = [
        _tenfold("an audio delta of {} characters", by_size),
        _tenfold("a response of {} items", by_items),
    ]
    return DOCUMENT.format(
        # stock.py gives the client the version of its generator.
        setting=setting(*DISTRIBUTIONS, "stock_client"),
        verdicts=verdict_table(verdicts),
        parsing=_contender_table(parsed),
        sending=_contender_table(sent),
        growth=table(("", *next(iter(by_size.values()))), growth),
    )


def verdicts(
    started: Mapping[str, Process], parsed: Results, sent: Results, tolerated: Results
) -> Iterator[Verdict]:
    """Everything that has a target."""
    for name, most in zip(list(parsed)[:3], (0.54, 0.5, 0.5), strict=True):
        times = parsed[name]
        yield at_most(f"parse {name}", times, OURS, JSON, most)
        yield at_most(f"parse {name}", times, OURS, MSGSPEC, 2.2)
        yield faster(f"parse {name}", times, OURS, SDK, 25)
        yield faster(f"parse {name}", times, OURS, STOCK, 100)
    for (name, times), most in zip(sent.items(), (0.5, 1.5, 1.5), strict=True):
        yield at_most(f"construct and dump {name}", times, OURS, JSON, most)
        yield faster(f"construct and dump {name}", times, OURS, SDK, 5)
        yield at_most(f"read and dump {name}", times, OURS_FROM_DICT, JSON, most)
    for name, times in tolerated.items():
        yield at_most(f"parse {name}", times, "wrong type", "valid", 10)
    seconds = {name: process.seconds for name, process in started.items()}
    yield beyond("`import openai_realtime_client`", seconds, "root", 0.015)
    yield beyond("`import openai_realtime_client.ga`", seconds, "ga", 0.015)
    yield at_most("import, and parse a first event", seconds, OURS, SDK, 0.22)
    yield at_most("import, and dump a first append", seconds, "ours, append", "SDK, append", 0.22)
    yield at_most("import, and call `connect`", seconds, "ours, connect", "SDK, connect", 0.22)
    memory = {name: process.bytes for name, process in started.items()}
    yield at_most("memory after a first event", memory, OURS, SDK, 2 / 3, "B")


def _contender_table(results: Results) -> str:
    rows = [
        (
            name,
            quantity(times[OURS].median),
            *(f"{times[peer].over(times[OURS]):.2f}x" for peer in PEERS),
        )
        for name, times in results.items()
    ]
    return table(("", OURS, *PEERS), rows)


def _tenfold(what: str, growth: Growth) -> tuple[str, ...]:
    most = max(growth)
    large, small = growth[most], growth[most // 10]
    ratios = (f"{large[name].median / small[name].median:.1f}x" for name in large)
    return what.format(f"{most // 10:,} → {most:,}"), *ratios
