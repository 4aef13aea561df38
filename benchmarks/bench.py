"""Compare parsing, sending and starting with the peers': `make bench`. Writes RESULTS.md."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence

import payloads
from measure import Process, Samples, Task, in_turns, interleaved, processes, setting
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
- `dependencies`: importing asyncio, `websockets` and pydantic, and creating one class of one field.

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
    step("starting interpreters")
    started = start_up()

    # Not before: Linux counts the memory of a process as that of those that it starts, too.
    import contenders as by

    def parsers(texts: Sequence[str | bytes], *without: str) -> dict[str, Task]:
        """What parses all of `texts`, by contender."""
        for text in texts:
            by.PARSERS[by.OURS](text)  # Its parser grows with each new type.
        found = {**by.PARSERS, by.CORE: by.bound()}
        return {k: lambda f=f: all_of(f, texts) for k, f in found.items() if k not in without}  # type: ignore[misc]

    step("parsing")
    mix = [payloads.dumped(event) for event in payloads.mix()]
    encoded = [text.encode() for text in mix]
    parsed: Results = {
        MIX[0]: per_event(interleaved(parsers(mix)), mix),
        MIX[1]: per_event(interleaved(parsers(encoded)), encoded),
        # The two use the same validators. Who comes later would find them in the caches.
        MIX[2]: per_event(in_turns(parsers(encoded, by.OURS)), encoded)
        | per_event(in_turns(parsers(encoded, by.CORE)), encoded),
    }
    for kind, count in payloads.MIX.items():
        by.check_parsers(payloads.server_event(kind))
        texts = [payloads.dumped(payloads.server_event(kind)) for _ in range(count)]
        parsed[f"`{kind}`"] = per_event(interleaved(parsers(texts)), texts)
    step("sending")
    sent: Results = {}
    for event in (payloads.append(), payloads.session_update(), payloads.response_create()):
        by.check_senders(event)
        sent[f"`{event['type']}`"] = interleaved(by.senders(event))
    step("parsing invalid events")
    tolerated = tolerating()
    step("growing")
    grown = {
        "an audio delta of {} characters": [both_ways(payloads.audio_delta(n)) for n in SIZES],
        "a response of {} items": [both_ways(payloads.response_done(n)) for n in COUNTS],
    }

    def contenders_table(results: Results) -> str:
        """Ours, and how many times as long the others take."""
        peers = (by.JSON, by.ORJSON, by.MSGSPEC, by.SDK, by.STOCK)
        return table(
            ("", by.OURS, *peers),
            [
                (
                    name,
                    quantity(times[by.OURS].median),
                    *(f"{times[peer].over(times[by.OURS]):.2f}x" for peer in peers),
                )
                for name, times in results.items()
            ],
        )

    def verdicts() -> Iterator[Verdict]:
        """Everything that has a target."""
        for name, most in zip(MIX, (0.54, 0.5, 0.5), strict=True):
            yield at_most(f"parse {name}", parsed[name], by.OURS, by.JSON, most, by.CORE)
            yield at_most(f"parse {name}", parsed[name], by.OURS, by.MSGSPEC, 2.2, by.CORE)
            yield faster(f"parse {name}", parsed[name], by.OURS, by.SDK, 25, by.CORE)
            yield faster(f"parse {name}", parsed[name], by.OURS, by.STOCK, 100, by.CORE)
        for (name, times), most in zip(sent.items(), (0.5, 1.5, 1.5), strict=True):
            yield at_most(f"construct and dump {name}", times, by.OURS, by.JSON, most, by.PLAIN)
            yield faster(f"construct and dump {name}", times, by.OURS, by.SDK, 5)
            yield at_most(f"dump a dictionary, {name}", times, by.OURS_DICT, by.JSON, most)
            yield at_most(f"read and dump {name}", times, by.OURS_READ, by.JSON, most)
        for name, times in tolerated.items():
            yield at_most(f"parse {name}", times, "wrong type", "valid", 10)
        yield from start_verdicts(started)

    write(
        "RESULTS.md",
        DOCUMENT.format(
            # stock.py gives the client the version of its generator.
            setting=setting("pydantic", "orjson", "msgspec", "openai", "stock_client"),
            verdicts=verdict_table(verdicts()),
            parsing=contenders_table(parsed),
            sending=contenders_table(sent),
            growing=growth_table(grown),
        ),
    )
    warm, cold = parsed[MIX[1]], parsed[MIX[2]]
    ratios = [times[by.OURS].over(times[by.JSON]) for times in sent.values()]
    write_section(
        "README.md",
        "make bench",
        README.format(
            mix=warm[by.OURS].over(warm[by.JSON]),
            sdk=warm[by.SDK].over(warm[by.OURS]),
            cold_json=cold[by.OURS].over(cold[by.JSON]),
            cold_sdk=cold[by.SDK].over(cold[by.OURS]),
            sending=", ".join(f"{ratio:.1f}" for ratio in ratios[:-1]) + f" and {ratios[-1]:.1f}",
            kinds=", ".join(sent),
            imported=quantity(started["root"].seconds.beyond(started["bare"].seconds)),
            first=started["ours"].seconds.over(started["SDK"].seconds),
        ),
    )


def all_of(parse: Callable[[str | bytes], object], texts: Iterable[str | bytes]) -> None:
    """Parse them all."""
    for text in texts:
        parse(text)


def per_event(times: dict[str, Samples], texts: Sequence[object]) -> dict[str, Samples]:
    """What one of them takes."""
    return {name: samples.divided_by(len(texts)) for name, samples in times.items()}


def tolerating() -> Results:
    """Parsing a valid event, and the same event with one number sent as a string."""
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


def growth_table(grown: dict[str, list[dict[str, Samples]]]) -> str:
    """A row for each size."""
    rows = [
        (what.format(f"{size:,}"), *(quantity(each.median) for each in times.values()))
        for (what, measured), sizes in zip(grown.items(), (SIZES, COUNTS), strict=True)
        for size, times in zip(sizes, measured, strict=True)
    ]
    return table(("", "parse", "json.loads", "dump", "json.dumps"), rows)


def start_up() -> dict[str, Process]:
    """New interpreters: bare, with each package imported, and with a first event parsed."""
    text = payloads.dumped(payloads.server_event("session.created"))
    sdk = "import openai\nfrom openai.resources.realtime.realtime import RealtimeConnection\n"
    ours = "from openai_realtime_client import ga\n"
    return processes(
        {
            "bare": "pass",
            "root": "import openai_realtime_client",
            "ga": "import openai_realtime_client.ga",
            "dependencies": "import asyncio, websockets.asyncio.client, pydantic\n"
            "class Model(pydantic.BaseModel):\n    field: str",
            "ours": f"{ours}ga.parse_server_event({text!r})",
            # No client is made, only what parses: the least that a program with the SDK does.
            "SDK": f"{sdk}RealtimeConnection(None).parse_event({text!r})",
            "ours, append": f"{ours}"
            "ga.RealtimeClientEventInputAudioBufferAppend(audio='AAAA').to_json()",
            "SDK, append": f"{sdk}from types import SimpleNamespace\n"
            "connection = RealtimeConnection(SimpleNamespace(send=str))\n"
            "connection.input_audio_buffer.append(audio='AAAA')",
            "ours, connect": f"{ours}ga.connect('m', api_key='k')",
            # It imports this when a connection is opened.
            "SDK, connect": "import openai, websockets.asyncio.client\n"
            "openai.AsyncOpenAI(api_key='k').realtime.connect(model='m')",
        }
    )


def start_verdicts(started: dict[str, Process]) -> Iterator[Verdict]:
    """What starting may take."""
    seconds = {name: process.seconds for name, process in started.items()}
    yield beyond("`import openai_realtime_client`", seconds, "root", 0.015)
    yield beyond("`import openai_realtime_client.ga`", seconds, "ga", 0.015)
    yield at_most("import, and parse a first event", seconds, "ours", "SDK", 0.22)
    yield at_most("import, and dump a first append", seconds, "ours, append", "SDK, append", 0.22)
    name = "import, and call `connect`"
    yield at_most(name, seconds, "ours, connect", "SDK, connect", 0.22, "dependencies")
    memory = {name: process.bytes for name, process in started.items()}
    yield at_most("memory after a first event", memory, "ours", "SDK", 2 / 3, unit="B")


def step(text: str) -> None:
    """Print what is being measured."""
    print(f"- {text}", flush=True)


if __name__ == "__main__":
    main()
