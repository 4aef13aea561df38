"""Parsing, constructing and starting, beside json, the official SDK and a stock client.

`make bench` runs it, and writes its sections of RESULTS.md and of the README.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import events
import stock_client
from measure import HERE, Samples, in_rounds, interleaved, quantity, setting, table, write_section
from openai.resources.realtime.realtime import RealtimeConnection

from openai_realtime_client import ga

Task = Callable[[], object]
# The samples of each contender, by the name of what was measured.
Results = dict[str, dict[str, Samples]]

OURS, JSON, SDK, STOCK = "ours", "json", "SDK", "stock"
MIX = "the mix"
START_ROUNDS = 15

RESULTS = """\
{setting}

CPU times, medians of interleaved rounds, beside how many times as long the others take: `json` is
the standard library, `SDK` is `openai` (its `RealtimeConnection.parse_event`, and `.send` of a
dictionary), and `stock` is what openapi-generator makes of the same document without our templates.
The mix is 70 % audio deltas of 4 KB, 20 % transcript deltas and 10 % other events.

{parsing}

To send, the package constructs the event, object by object, and dumps it; `json` and the SDK are
given the finished dictionary.

{sending}

A new interpreter, from its start to its end. The first event is a `session.created`.

{starting}"""
README = """\
- Events are parsed in {json:.2f} of the time of `json.loads`, {sdk:.0f} times as fast as by the
  official SDK."""


# The methods that `recv()` and `send()` of a live connection call; the socket drops the text.
sdk: Any = RealtimeConnection(SimpleNamespace(send=len))  # type: ignore[arg-type]
PARSERS: dict[str, Callable[[bytes], Any]] = {
    OURS: ga.parse_server_event,
    JSON: json.loads,
    SDK: sdk.parse_event,
    STOCK: stock_client.RealtimeServerEvent.from_json,
}
STOCK_EVENTS = {
    "input_audio_buffer.append": stock_client.RealtimeClientEventInputAudioBufferAppend,
    "session.update": stock_client.RealtimeClientEventSessionUpdate,
    "response.create": stock_client.RealtimeClientEventResponseCreate,
}
SDK_IMPORTS = "import openai\nfrom openai.resources.realtime.realtime import RealtimeConnection"
FIRST_EVENT = events.to_text(events.server_event("session.created"))
PROGRAMS = {
    "bare interpreter": "pass",
    "`from openai_realtime_client import ga`": "from openai_realtime_client import ga",
    "`import openai`": "import openai",
    "first event, ours": "from openai_realtime_client import ga\n"
    f"ga.parse_server_event({FIRST_EVENT!r})",
    "first event, SDK": f"{SDK_IMPORTS}\nRealtimeConnection(None).parse_event({FIRST_EVENT!r})",
    "`connect`, ours": "from openai_realtime_client import ga\nga.connect('m', api_key='k')",
    # The SDK imports `websockets` when a connection is opened.
    "`connect`, SDK": "import openai, websockets.asyncio.client\n"
    "openai.AsyncOpenAI(api_key='k').realtime.connect(model='m')",
}


def main() -> None:
    """Measure, print and write everything."""
    parsed, sent = parsing(), sending()
    text = RESULTS.format(
        # stock.py gives the client the version of its generator.
        setting=setting("pydantic", "openai", "stock_client"),
        parsing=results_table(parsed, (JSON, SDK, STOCK)),
        sending=results_table(sent, (JSON, SDK, STOCK)),
        starting=starting(),
    )
    write_section(HERE / "RESULTS.md", "events", text)
    mix = parsed[MIX]
    figures = {"json": mix[OURS].ratio(mix[JSON]), "sdk": mix[SDK].ratio(mix[OURS])}
    write_section(HERE.parent / "README.md", "events", README.format(**figures))


def parsing() -> Results:
    """Measure parsing one event: of the mix, and of each type in it."""
    mix = events.mix()
    results = {MIX: parse_times(mix)}
    for event_type, count in events.MIX.items():
        same_type = [events.server_event(event_type) for _ in range(count)]
        check_parsers(same_type[0])
        results[f"`{event_type}`"] = parse_times(same_type)
    # A number as a string, as some servers send it.
    wrong = events.server_event("response.done")
    wrong["response"]["usage"]["total_tokens"] = "1205"
    # The stock client raises for it.
    results["`response.done`, one field of a wrong type"] = parse_times([wrong], (OURS, JSON, SDK))
    return results


def parse_times(
    server_events: Sequence[events.Json], parsers: Iterable[str] = tuple(PARSERS)
) -> dict[str, Samples]:
    """Measure parsing one of these events, with each parser."""
    texts = [events.to_text(event).encode() for event in server_events]
    tasks = {name: partial(parse_all, PARSERS[name], texts) for name in parsers}
    times = interleaved(tasks)
    return {name: samples.divided_by(len(texts)) for name, samples in times.items()}


def parse_all(parse: Callable[[bytes], object], texts: Iterable[bytes]) -> None:
    """Parse all texts."""
    for text in texts:
        parse(text)


def sending() -> Results:
    """Measure making the JSON of one client event."""
    results: Results = {}
    for event in (events.append(), events.session_update(), events.response_create()):
        construct = constructor(ga.parse_client_event(json.dumps(event)))
        senders: dict[str, Task] = {
            OURS: partial(construct_and_dump, construct),
            JSON: partial(json.dumps, event),
            SDK: partial(sdk.send, event),
            STOCK: partial(stock_send, event),
        }
        results[f"`{event['type']}`"] = interleaved(senders)
    return results


def construct_and_dump(construct: Callable[[], Any]) -> str:
    """Construct an event of ours, and make its JSON."""
    text: str = construct().to_json()
    return text


def stock_send(event: events.Json) -> str:
    """Read and dump a dictionary: the unions of the stock client can hardly be constructed."""
    text: str = STOCK_EVENTS[event["type"]].from_dict(event).to_json()
    return text


def constructor(event: Any) -> Callable[[], Any]:
    """Make the function that one would write by hand to construct an event, class by class."""
    names: dict[str, Any] = {}
    return eval(f"lambda: {expression(event, names)}", names)  # type: ignore[no-any-return]


def expression(value: Any, names: dict[str, Any]) -> str:
    """Write the expression that constructs a value; `names` receives its names."""
    if isinstance(value, list):
        return f"[{', '.join(expression(item, names) for item in value)}]"
    if isinstance(value, ga.RealtimeModel):
        arguments = []
        for name, field in type(value).model_fields.items():
            argument = getattr(value, name)
            if argument != field.default:
                arguments.append(f"{name}={expression(argument, names)}")
        return f"{expression(type(value), names)}({', '.join(arguments)})"
    name = f"value_{len(names)}"
    names[name] = value
    return name


def check_parsers(event: events.Json) -> None:
    """Fail unless each parser makes an event of the same type: other times mean nothing."""
    for name, parse in PARSERS.items():
        parsed = parse(events.to_text(event).encode())
        if isinstance(parsed, dict):
            event_type = parsed["type"]
        else:
            event_type = getattr(parsed, "actual_instance", parsed).type
        if event_type != event["type"]:
            raise RuntimeError(f"{name} parses {event['type']} as {event_type}")


def starting() -> str:
    """Measure new interpreters: their CPU time and their memory."""
    memory: dict[str, float] = {}
    measures: dict[str, Callable[[], float]] = {}
    with TemporaryDirectory() as folder:
        for name, program in PROGRAMS.items():
            # The first run writes the bytecode that later ones read.
            start(program, folder)
            memory[name] = start(program, folder)[1]
            measures[name] = partial(cpu_seconds, program, folder)
        times = in_rounds(measures, START_ROUNDS)
    rows = [(name, quantity(times[name].median), quantity(memory[name], "B")) for name in PROGRAMS]
    return table(("", "CPU", "memory"), rows)


def cpu_seconds(program: str, folder: str) -> float:
    """Return the CPU seconds of one run."""
    return start(program, folder)[0]


def start(program: str, folder: str) -> tuple[float, float]:
    """Run a program in a new interpreter; return its CPU seconds and the most bytes it had."""
    # Installed packages have bytecode, even where the environment forbids writing it.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    # The `ru_maxrss` of a child would count the memory of this process.
    command = [sys.executable, "-c", f"{program}\nprint(open('/proc/self/status').read())"]
    before = getrusage(RUSAGE_CHILDREN)
    output = subprocess.check_output(command, env=environment, cwd=folder, text=True)
    after = getrusage(RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, float(output.partition("VmHWM:")[2].split()[0]) * 1024


def results_table(results: Results, peers: Sequence[str]) -> str:
    """Make a table of our times, and of how many times as long the peers take."""
    rows = []
    for name, times in results.items():
        row = [name, quantity(times[OURS].median)]
        for peer in peers:
            if peer in times:
                row.append(f"{times[peer].ratio(times[OURS]):.2f}x")
            else:
                row.append("")
        rows.append(row)
    return table(("", OURS, *peers), rows)


if __name__ == "__main__":
    main()
