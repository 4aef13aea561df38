"""The figures as tables in markdown, beside what they are held to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from comparison import Growth, Results
from contenders import JSON, MSGSPEC, ORJSON, OURS, OURS_FROM_DICT, SDK, STOCK
from machine import setting
from measure import Process, Samples

PEERS = (JSON, ORJSON, MSGSPEC, SDK, STOCK)
DISTRIBUTIONS = ("pydantic", "orjson", "msgspec", "openai")
PREFIXES = (("G", 1e9), ("M", 1e6), ("k", 1e3), ("", 1.0), ("m", 1e-3), ("µ", 1e-6), ("n", 1e-9))

DOCUMENT = """\
# Results

Written by `make bench`. {setting}

Times are CPU times without the garbage collector, medians over interleaved rounds; a ratio is the
median of each round's ratio. What is compared:

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
  0.53x of `json.loads`. Bytes are decoded first by `json.loads` and not by pydantic-core, so that
  the same parse is below the target there.
- `session.update` is 13 objects and `response.create` 6. Constructing them takes 1.4x of
  `json.dumps`, dumping 0.6x. pydantic-core alone, given all of it as one dictionary, takes 0.86x
  and 0.82x to validate it: with what is dumped validated, 1.45x is what can be had.

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


class Verdict(NamedTuple):
    """A figure of ours beside another's, and its target."""

    what: str
    ours: str
    other: str
    figure: str
    target: str
    is_met: bool


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
        verdicts=_table(
            ("", "ours", "other", "figure", "target", "met"),
            [(*each[:-1], "yes" if each.is_met else "**no**") for each in verdicts],
        ),
        parsing=_contender_table(parsed),
        sending=_contender_table(sent),
        growth=_table(("", *next(iter(by_size.values()))), growth),
    )


def verdicts(
    started: Mapping[str, Process], parsed: Results, sent: Results, tolerated: Results
) -> Iterator[Verdict]:
    """Everything that has a target."""
    for name in list(parsed)[:2]:
        times = parsed[name]
        yield _at_most(f"parse {name}", times, OURS, JSON, 0.5)
        yield _at_most(f"parse {name}", times, OURS, MSGSPEC, 2.2)
        yield _faster(f"parse {name}", times, SDK, 25)
        yield _faster(f"parse {name}", times, STOCK, 100)
    for (name, times), most in zip(sent.items(), (0.5, 1.3, 1.3), strict=True):
        yield _at_most(f"construct and dump {name}", times, OURS, JSON, most)
        yield _faster(f"construct and dump {name}", times, SDK, 5)
        yield _at_most(f"read and dump {name}", times, OURS_FROM_DICT, JSON, most)
    for name, times in tolerated.items():
        yield _at_most(f"parse {name}", times, "wrong type", "valid", 10)
    seconds = {name: process.seconds for name, process in started.items()}
    yield _beyond("`import openai_realtime_client`", seconds, "root", 0.015)
    yield _beyond("`import openai_realtime_client.ga`", seconds, "ga", 0.015)
    yield _at_most("import, and parse a first event", seconds, OURS, SDK, 1 / 3)
    memory = {name: process.bytes for name, process in started.items()}
    yield _at_most("memory after that", memory, OURS, SDK, 2 / 3, "B")


def quantity(value: float, unit: str = "s") -> str:
    """A figure with three digits and the prefix that suits it: `2.21 µs`, `43.5 MB`."""
    prefix, factor = next((each for each in PREFIXES if value >= each[1]), PREFIXES[-1])
    number = value / factor
    digits = 0 if number >= 100 else 1 if number >= 10 else 2
    return f"{number:.{digits}f} {prefix}{unit}"


def _at_most(
    what: str, values: Mapping[str, Samples], mine: str, peer: str, most: float, unit: str = "s"
) -> Verdict:
    ours, other = values[mine], values[peer]
    ratio = ours.over(other)
    texts = quantity(ours.median, unit), f"{peer} {quantity(other.median, unit)}"
    return Verdict(what, *texts, f"{ratio:.2f}x", f"≤ {most:.2g}x", ratio <= most)


def _faster(what: str, values: Mapping[str, Samples], peer: str, least: float) -> Verdict:
    ours, other = values[OURS], values[peer]
    ratio = other.over(ours)
    texts = quantity(ours.median), f"{peer} {quantity(other.median)}"
    return Verdict(what, *texts, f"{ratio:.1f}x faster", f"≥ {least:g}x faster", ratio >= least)


def _beyond(what: str, values: Mapping[str, Samples], mine: str, most: float) -> Verdict:
    ours, bare = values[mine], values["bare"]
    extra = ours.beyond(bare)
    texts = quantity(ours.median), f"bare interpreter {quantity(bare.median)}"
    return Verdict(what, *texts, f"+{quantity(extra)}", f"≤ +{quantity(most)}", extra <= most)


def _contender_table(results: Results) -> str:
    rows = [
        (
            name,
            quantity(times[OURS].median),
            *(f"{times[peer].over(times[OURS]):.2f}x" for peer in PEERS),
        )
        for name, times in results.items()
    ]
    return _table(("", OURS, *PEERS), rows)


def _tenfold(what: str, growth: Growth) -> tuple[str, ...]:
    most = max(growth)
    large, small = growth[most], growth[most // 10]
    ratios = (f"{large[name].median / small[name].median:.1f}x" for name in large)
    return what.format(f"{most // 10:,} → {most:,}"), *ratios


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---", *("--:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
