"""What a session costs, beside its peers: `make cost`. Writes COST.md."""

from __future__ import annotations

import asyncio
import os
import random
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import clients as by
import memory
import relay
from clients import DICT, OURS, PEERS, READY, RECEIVE, SEND, SEND_AUDIO, Peer
from measure import Samples, in_rounds, setting
from report import (
    Verdict,
    at_most,
    faster,
    quantity,
    table,
    verdict_table,
    write,
    write_section,
)
from server import DELTA, allow_sockets, serving

EVENTS = 200
ROUNDS = 25
TRANSPORTS = {"plain": False, "TLS": True}

# Of a session: exchanges, of 20 ms of audio and a delta of 4 KB.
PER_SECOND = 50
# As many as come near to a full core: with few, each event costs a wake-up of its own.
SESSIONS = 200
SECONDS = 2
SESSION_ROUNDS = 3
AUDIO = b64encode(bytes(960)).decode()
CLIENTS = (by.BARE, OURS, by.SDK, by.BARE_UVLOOP, by.OURS_UVLOOP)

# CPU seconds of one event, by what is done and by whom.
Costs = dict[str, dict[str, Samples]]

DOCUMENT = """\
# The cost of a session

Written by `make cost`. {setting}

CPU times of one client process, against a server in another; medians over rounds in which all take
turns, and medians of each round's ratio. An event is 4 KB. `websockets` is given bytes in and text
that is ready out, at its defaults but without compression; `SDK` is `openai`.

## Targets

{verdicts}

The last column, measured in the same run and held against the same peer, is what `websockets` takes
for the same by the plainest code. Where that does not reach a target, what is below or beside the
package does not let it:

- To receive: `websockets` alone, with nothing parsed.
- To construct and send: the text of our class, from its `to_json`.
- `send_audio`: base64 of the standard library, in an f-string.
- A session: `websockets` alone. Waking up for events and the system calls take most of the time,
  and all code in between finds the processor's caches cold.

## One event

A server floods the client, or takes all that it sends.

{events}

## Sessions on one core

{sessions}

Each sends 20 ms of audio {per_second} times a second, and each append is answered by a delta of
4 KB. Each client holds {held} at once; their CPU time is scaled to a full core, which some of them
would exceed.

{relays}

[How relays scale out](../docs/guides/scaling.md) says what to do with more.

## Memory

{memory}

In a process that parses 10 million events, some of which deviate, the memory after each million:
{millions} MB.

## Another transport?

{transports}"""

RELAYS = """\
One core, with {held:,} live sessions between browsers and the service, each with {rate} exchanges a
second, of 20 ms of audio and a delta of 4 KB:

{table}
"""

TRANSPORT = """\
No. Over TLS, `picows` takes {picows[0]:.2f} of our time to receive and {picows[1]:.2f} to send,
`aiohttp` {aiohttp[0]:.2f} and {aiohttp[1]:.2f}. With `picows`, an exchange on a nearly full core
would save at most {saved} of its {exchange}. Few programs have a core full of sessions, and for all
it would mean:

- Maintenance: each promise (bounded waits, nothing lost, close codes, pings) would have to hold and
  be tested twice. `picows` leaves flow control and queues to its users.
- Threads: `picows` and `aiohttp` are for asyncio alone; `connect_sync` would keep `websockets`.
- Windows, and whatever else has no wheel: both are compiled, and there has to be a wheel for each
  platform and each new Python. `websockets` is pure Python where no wheel fits.
- Proxies (HTTP, SOCKS, those of the system), TLS inside of them, and the options that users pass as
  `websocket_options` are those of `websockets`.

A faster event loop needs no decision: with uvloop, which the tests cover, an exchange of ours takes
{uvloop:.2f} of its time. And a relay that needs another transport can have it without the package's
connections: `parse_server_event` takes the bytes of a message, and `to_json` gives the text of one.
"""

README = """\
- Receiving an event over a WebSocket and parsing it takes {receive} times what `websockets` takes
  for its bytes alone, and is {received} times as fast as with the SDK. Constructing and sending one
  takes {send} times what ready text takes, and is {sent} times as fast.
- A session holds {session}, the SDK's {sdk_session}. One core carries {sessions} sessions with
  {rate} events a second both ways, {sdk_sessions} with the SDK."""


def main() -> None:
    """Measure, print and write everything."""
    costs = {name: events(is_tls) for name, is_tls in TRANSPORTS.items()}
    sessions, relays = seconds_of_sessions(), relay.exchanges()
    events_held, sessions_held = memory.of_events(), memory.of_sessions()
    write(
        "COST.md",
        DOCUMENT.format(
            setting=setting("pydantic", "websockets", "openai", "aiohttp", "picows", "uvloop"),
            verdicts=verdict_table(verdicts(costs, sessions)),
            events="\n\n".join(event_table(name, each) for name, each in costs.items()),
            sessions=table(("", *sessions), [("sessions", *map(per_core, sessions.values()))]),
            per_second=PER_SECOND,
            held=SESSIONS,
            relays=relay_text(relays),
            memory=memory_table({"an open session": sessions_held, "a parsed event": events_held}),
            millions=", ".join(f"{each:.1f}" for each in memory.of_millions()),
            transports=transport_text(costs["TLS"], sessions),
        ),
    )
    write_section("docs/guides/scaling.md", "make cost", relay_text(relays))
    both = costs.values()
    write_section(
        "README.md",
        "make cost",
        README.format(
            receive=span([each[RECEIVE][OURS].over(each[RECEIVE][by.BARE]) for each in both]),
            send=span([each[SEND][OURS].over(each[READY][by.BARE]) for each in both]),
            received=span([each[RECEIVE][by.SDK].over(each[RECEIVE][OURS]) for each in both], 0),
            sent=span([each[SEND][by.SDK].over(each[SEND][OURS]) for each in both], 0),
            session=quantity(sessions_held[OURS], "B"),
            sdk_session=quantity(sessions_held[by.SDK], "B"),
            rate=PER_SECOND,
            sessions=per_core(sessions[OURS]),
            sdk_sessions=per_core(sessions[by.SDK]),
        ),
    )
    os._exit(0)  # Connections that threads hold open would keep the process.


# One event


def events(is_tls: bool) -> Costs:
    """What one event takes, of a flood and in one, by every peer in turns."""
    runs: dict[tuple[str, str], Callable[[], float]] = {}
    with serving(is_tls) as (url, tls):
        for name, peer in PEERS.items():
            # With a loop of its own, so that it stands still while others are measured.
            loop = peer.loop() if peer.loop else None
            if loop:
                # Nobody closes the connections, which `aiohttp` would report.
                loop.set_exception_handler(lambda *_: None)
            flood, sink = [open_in(loop, peer, f"{url}/{path}", tls) for path in ("flood", "sink")]
            tasks = {**peer.tasks(sink, DELTA), RECEIVE: peer.tasks(flood, DELTA)[RECEIVE]}
            runs |= {(what, name): partial(seconds_of, loop, act) for what, act in tasks.items()}
        measured = in_rounds(runs, ROUNDS)
    costs: Costs = {what: {} for what in (RECEIVE, READY, SEND, DICT, SEND_AUDIO)}
    for (what, name), samples in measured.items():
        costs[what][name] = samples
    return costs


def open_in(loop: asyncio.AbstractEventLoop | None, peer: Peer, *arguments: Any) -> Any:
    """A connection that is open."""
    opening = peer.open(*arguments)
    return loop.run_until_complete(opening) if loop else opening


def seconds_of(loop: asyncio.AbstractEventLoop | None, act: Callable[[], Any]) -> float:
    """The CPU seconds of doing it once."""

    async def repeat_async(count: int) -> None:
        for _ in range(count):
            await act()

    def repeat(count: int) -> None:
        for _ in range(count):
            act()

    for count in (20, EVENTS):  # The first are those that were read ahead.
        start = time.process_time()
        loop.run_until_complete(repeat_async(count)) if loop else repeat(count)
    return (time.process_time() - start) / EVENTS


# Sessions


def seconds_of_sessions() -> dict[str, Samples]:
    """The CPU seconds of a second of one session, by every client in turns."""
    allow_sockets(SESSIONS)
    with serving(is_tls=False) as (url, _):

        def measured(peer: Peer) -> float:
            with asyncio.Runner(loop_factory=peer.loop) as runner:
                return runner.run(hold(peer, url))

        return in_rounds({name: partial(measured, PEERS[name]) for name in CLIENTS}, SESSION_ROUNDS)


async def hold(peer: Peer, url: str) -> float:
    """Hold sessions for some seconds. The result is the CPU seconds for a second of one."""
    sessions = [peer.tasks(await peer.open(url, None), AUDIO) for _ in range(SESSIONS)]
    for tasks in sessions:
        await tasks[RECEIVE]()  # `session.created`
    # What `websockets` alone sends is ready.
    sending = READY if peer.tasks is by.bare else SEND
    start = time.process_time()
    await asyncio.gather(*(talk(tasks[RECEIVE], tasks[sending]) for tasks in sessions))
    return (time.process_time() - start) / SESSIONS / SECONDS


async def talk(receive: Callable[[], Any], send: Callable[[], Any]) -> None:
    """Send and receive in one session."""

    async def speak() -> None:
        # All start in the same 20 ms, but not at the same moment.
        begun = time.perf_counter() + random.random() / PER_SECOND
        for number in range(PER_SECOND * SECONDS):
            await asyncio.sleep(max(begun + number / PER_SECOND - time.perf_counter(), 0))
            await send()

    speaking = asyncio.create_task(speak())
    for _ in range(PER_SECOND * SECONDS):
        await receive()
    await speaking


# The report


def verdicts(costs: dict[str, Costs], sessions: dict[str, Samples]) -> Iterator[Verdict]:
    """Everything that has a target."""
    for transport, cost in costs.items():
        for suffix in ("", ", threads"):
            ours, bare, sdk = (f"{name}{suffix}" for name in (OURS, by.BARE, by.SDK))
            for what, most in ((RECEIVE, 1.5), (SEND, 1.6), (DICT, 1.8), (SEND_AUDIO, 1.4)):
                base = cost[RECEIVE if what == RECEIVE else READY][bare]
                values = {ours: cost[what][ours], bare: base}
                bound = ""
                if what in (SEND, SEND_AUDIO):
                    bound = f"{bare}, `to_json`" if what == SEND else f"{bare}, base64"
                    values[bound] = cost[what][bare]
                name = f"{what}, {transport}{suffix}"
                yield at_most(name, values, ours, bare, most, bound)
                if what in (RECEIVE, SEND):
                    bound = bare if what == RECEIVE else ""
                    yield faster(name, cost[what], ours, sdk, 8, bound)
    yield faster("a second of one session", sessions, OURS, by.SDK, 4, by.BARE)


def event_table(title: str, cost: Costs) -> str:
    """All that was measured over one transport."""
    rows = [
        (name, *(quantity(each[name].median) if name in each else "" for each in cost.values()))
        for name in PEERS
    ]
    return table((title, *cost), rows)


def relay_text(exchanges: dict[str, Samples]) -> str:
    """What relays take."""
    rows = [
        ("CPU of one exchange", *(quantity(each.median) for each in exchanges.values())),
        (
            f"share of the core at {relay.PER_SECOND} exchanges a second in each session",
            *(
                f"{each.median * relay.SESSIONS * relay.PER_SECOND:.0%}"
                for each in exchanges.values()
            ),
        ),
        (
            f"exchanges a second in each of {relay.SESSIONS:,} sessions, at most",
            *(f"{1 / each.median / relay.SESSIONS:.1f}" for each in exchanges.values()),
        ),
        (
            f"sessions with {PER_SECOND} exchanges a second, at most",
            *(f"{1 / each.median / PER_SECOND:.0f}" for each in exchanges.values()),
        ),
    ]
    names = {by.BARE: "texts passed on unread, by `websockets`", OURS: "events parsed and typed"}
    return RELAYS.format(
        held=relay.SESSIONS,
        rate=relay.PER_SECOND,
        table=table(("", *(names[name] for name in exchanges)), rows),
    ).rstrip()


def memory_table(found: dict[str, dict[str, float]]) -> str:
    """What sessions and events hold."""
    names = dict.fromkeys(name for each in found.values() for name in each)
    return table(
        ("", *names),
        [
            (what, *(quantity(each[name], "B") if name in each else "" for name in names))
            for what, each in found.items()
        ],
    )


def transport_text(cost: Costs, sessions: dict[str, Samples]) -> str:
    """What other transports would give."""

    def ratios(name: str) -> Sequence[float]:
        return [cost[what][name].over(cost[what][OURS]) for what in (RECEIVE, SEND)]

    saved = sum(cost[what][OURS].beyond(cost[what][by.PICOWS]) for what in (RECEIVE, SEND))
    return TRANSPORT.format(
        picows=ratios(by.PICOWS),
        aiohttp=ratios(by.AIOHTTP),
        saved=quantity(saved),
        exchange=quantity(sessions[OURS].median / PER_SECOND),
        uvloop=sessions[by.OURS_UVLOOP].over(sessions[OURS]),
    )


def per_core(seconds: Samples) -> str:
    """How many sessions one core holds."""
    return f"{1 / seconds.median:.0f}"


def span(values: Sequence[float], digits: int = 1) -> str:
    """The least and the most."""
    return " to ".join(dict.fromkeys(f"{each:.{digits}f}" for each in (min(values), max(values))))


if __name__ == "__main__":
    main()
