"""What a session costs, beside its peers: `make cost`. Writes COST.md."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import capacity
import memory
import wire
from machine import setting
from measure import Samples
from tables import Verdict, at_most, faster, quantity, table, verdict_table
from wire import DICT, OURS, OURS_THREADS, RECEIVE, SDK, SDK_THREADS, SEND, SEND_AUDIO, Costs

HERE = Path(__file__).parent
TITLES = {False: "plain", True: "TLS"}
# At most so many times what `websockets` takes alone.
MOST = {RECEIVE: 1.5, SEND: 1.6, DICT: 1.8, SEND_AUDIO: 1.4}
LEAST = 8
LEAST_SESSIONS = 4

DOCUMENT = """\
# The cost of a session

Written by `make cost`. {setting}

CPU times of one client process, against a server in another; medians over rounds in which all take
turns, and medians of each round's ratio. An event is 4 KB. `websockets` is given bytes in and text
that is ready out, at its defaults; `SDK` is `openai`.

## Targets

{verdicts}

{bounds}

## One event

A server floods the client, or takes all that it sends.

{events}

## Sessions on one core

{sessions}

Each sends 20 ms of audio 50 times a second, and each append is answered by a delta of 4 KB. A relay
passes both on between a browser and the service: {relay}

[How relays scale out](../docs/guides/scaling.md) says what to do with more.

## Memory

{memory}

In a process that parses 10 million events, some of which deviate, the memory after each million:
{millions} MB.

{transports}"""

BOUNDS = """\
What bounds what is not reached:

- Receiving: `websockets` alone, with nothing parsed, is not eight times as fast as the SDK.
- Sessions on one core: waking up for each event and the system calls take most of the time, and
  all of our code finds the processor's caches cold. `websockets` alone hardly reaches four times
  the SDK.
- `send_audio`: base64 of 3 KB takes 3.7 µs in the standard library.
- Threads, beside `websockets` with threads: 5 µs of encoding against 7 µs of sending. In absolute
  terms it is the cheapest way to send."""

TRANSPORTS = """\
## Another transport?

No. Over TLS, `picows` would halve the cost of receiving a flood, and save a third of sending;
`aiohttp` would save a third and a fifth. In a session of 50 events a second both ways that is 16 µs
of the 130 µs that each exchange takes, because waking up for an event costs more than its frame.
Against that:

- `picows` and `aiohttp` are for asyncio alone: `connect_sync` would keep `websockets`, and each
  promise (bounded waits, nothing lost, close codes, pings) would have to hold and be tested twice.
- `picows` is compiled and leaves flow control and queues to its users; there has to be a wheel for
  each platform and each new Python. `websockets` is pure Python where no wheel fits.
- Proxies (HTTP, SOCKS, those of the system), TLS inside of them, and the options that users pass as
  `websocket_options` are those of `websockets`.

Whoever needs it can have it without the package's connections: `parse_server_event` takes the bytes
of a message, and `to_json` gives the text of one.
"""


def main() -> None:
    """Measure, print and write everything."""
    costs = {is_tls: wire.measure(is_tls) for is_tls in TITLES}
    clients, relays = capacity.clients(), capacity.relays()
    text = DOCUMENT.format(
        setting=setting("pydantic", "websockets", "openai", "aiohttp", "picows"),
        verdicts=verdict_table([*event_verdicts(costs), session_verdict(clients)]),
        bounds=BOUNDS,
        events="\n\n".join(event_table(TITLES[is_tls], each) for is_tls, each in costs.items()),
        sessions=table(("", *clients), [("sessions", *map(per_core, clients.values()))]),
        relay=", ".join(f"{per_core(each)} with {name}" for name, each in relays.items()) + ".",
        memory=memory_table(),
        millions=", ".join(f"{each:.1f}" for each in memory.of_millions()),
        transports=TRANSPORTS,
    )
    (HERE / "COST.md").write_text(text, "utf-8")
    print(text, flush=True)
    os._exit(0)  # Connections that threads hold open would keep the process.


def event_verdicts(costs: dict[bool, Costs]) -> Iterator[Verdict]:
    """What one event may cost."""
    for is_tls, by_task in costs.items():
        for ours, bare, sdk in (
            (OURS, wire.BARE, SDK),
            (OURS_THREADS, wire.BARE_THREADS, SDK_THREADS),
        ):
            for task, most in MOST.items():
                base = by_task[RECEIVE if task == RECEIVE else SEND][bare]
                values = {ours: by_task[task][ours], bare: base}
                where = f"{task}, {TITLES[is_tls]}{', threads' * (ours == OURS_THREADS)}"
                yield at_most(where, values, ours, bare, most)
                if task in (RECEIVE, SEND):
                    yield faster(where, by_task[task], ours, sdk, LEAST)


def session_verdict(clients: capacity.Costs) -> Verdict:
    """How many sessions one core holds."""
    return faster("a second of one session", clients, capacity.OURS, capacity.SDK, LEAST_SESSIONS)


def event_table(title: str, by_task: Costs) -> str:
    """All that was measured over one transport."""
    names = dict.fromkeys(name for by_name in by_task.values() for name in by_name)
    rows = [
        (name, *(quantity(each[name].median) if name in each else "" for each in by_task.values()))
        for name in names
    ]
    return table((title, *by_task), rows)


def per_core(seconds: Samples) -> str:
    """How many sessions one core holds."""
    return f"{1 / seconds.median:.0f}"


def memory_table() -> str:
    """What sessions and events hold."""
    events, sessions = memory.of_events(), memory.of_sessions()
    names = dict.fromkeys([*sessions, *events])
    return table(
        ("", *names),
        [
            (what, *(quantity(found[name], "B") if name in found else "" for name in names))
            for what, found in (("an open session", sessions), ("a parsed event", events))
        ],
    )


if __name__ == "__main__":
    main()
