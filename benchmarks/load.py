"""Many sessions at once, and sessions that are torn: `make load`. Writes SESSIONS.md.

Each session sends 20 ms of audio 50 times a second, and each append is answered by an event: the
answers are counted, and must come in order.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import ssl
import statistics
import sys
import threading
import time
from array import array
from base64 import b64encode
from collections import Counter, deque
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from measure import resident, setting
from report import table, write, write_section
from server import serving

from openai_realtime_client import InvalidEventError, RealtimeConnectionError, ga
from openai_realtime_client.testing import Faults, ReplayServer

SESSIONS = 200
SECONDS = 60
TORN = 1000
DOCUMENT = """\
# Sessions

Written by `make load`. {setting}

## {sessions} sessions at once

One process holds {sessions} sessions for {seconds} s. Each sends 20 ms of audio {rate} times a
second, and each append is answered by a delta of 4 KB, from a server in another process on the same
machine.

{loads}

## {torn:,} torn sessions

Cut, closed, sent garbage, broken or huge frames, refused, cancelled or left, each at a random
point; three in four with asyncio, the others with threads. Left behind: {left}.

{outcomes}
"""
README = """\
`make load` holds {sessions} sessions in one process for {seconds} s, each with {rate} events a
second both ways, plain and over TLS: of {received:,} answers none is lost or out of order. The
memory goes from {megabytes}. {torn:,} sessions that are torn
at random points leave no task, thread or socket behind
([benchmarks/SESSIONS.md](benchmarks/SESSIONS.md))."""

GaConnection = ga.AsyncConnection[ga.RealtimeServerEvent, ga.RealtimeClientEvent]

PER_SECOND = 50
AUDIO = b64encode(bytes(960)).decode()
SEED = 20261123
SMALL = {"max_size": 2**20}
# After these the client asks for a response.
TURNS = (ga.RealtimeServerEventSessionCreated, ga.RealtimeServerEventResponseDone)


@dataclass
class Load:
    """What was seen of all the sessions."""

    sent: int = 0
    received: int = 0
    out_of_order: int = 0
    late: int = 0
    # As large as it will be from the beginning, because memory is measured, too.
    milliseconds: array[float] = field(default_factory=lambda: array("f"))
    megabytes: list[float] = field(default_factory=list[float])
    cpu: float = 0.0


def main() -> None:
    """Measure, print and write everything."""
    loads = {}
    for name, is_tls in (("plain", False), ("TLS", True)):
        with serving(is_tls) as (url, tls):
            loads[name] = asyncio.run(hold(url, tls))
    outcomes, left = tear()
    text = DOCUMENT.format(
        setting=setting("pydantic", "websockets"),
        sessions=SESSIONS,
        seconds=SECONDS,
        rate=PER_SECOND,
        loads=load_table(loads),
        torn=TORN,
        left=", ".join(f"{number} {kind}" for kind, number in left.items()),
        outcomes=table(("How they ended", ""), [(k, str(n)) for k, n in outcomes.most_common()]),
    )
    write("SESSIONS.md", text)
    if any(load.received != load.sent or load.out_of_order for load in loads.values()):
        sys.exit("events were lost, or out of order")
    if any(left.values()):
        sys.exit("torn sessions left something behind")
    readme = README.format(
        sessions=SESSIONS,
        seconds=SECONDS,
        rate=PER_SECOND,
        received=sum(load.received for load in loads.values()),
        megabytes=", ".join(
            f"{load.megabytes[0]:.0f} to {load.megabytes[-1]:.0f} MB ({name})"
            for name, load in loads.items()
        ),
        torn=TORN,
    )
    write_section("README.md", "make load", readme)


# Many sessions at once


async def hold(url: str, tls: ssl.SSLContext | None) -> Load:
    """Hold all sessions at once."""
    load = Load(milliseconds=array("f", bytes(4 * SESSIONS * SECONDS * PER_SECOND)))
    async with AsyncExitStack() as stack:
        options = {"ssl": tls} if tls else None
        connectors = [
            ga.connect("gpt-realtime", base_url=url, api_key="", websocket_options=options)
            for _ in range(SESSIONS)
        ]
        connections = [await stack.enter_async_context(each) for each in connectors]
        cpu = time.process_time()
        talks = [asyncio.create_task(talk(each, load)) for each in connections]
        for _ in range(6):
            await asyncio.sleep(SECONDS / 6)
            load.megabytes.append(resident() / 1e6)
        await asyncio.gather(*talks)
        load.cpu = (time.process_time() - cpu) / SECONDS
    return load


async def talk(connection: GaConnection, load: Load) -> None:
    """Send and receive in one session."""
    count = SECONDS * PER_SECOND
    await connection.recv()
    # All start in the same 20 ms, but not at the same moment.
    await asyncio.sleep(random.random() / PER_SECOND)
    starts: deque[float] = deque()
    sending = asyncio.create_task(send(connection, count, starts, load))
    for expected in range(count):
        event = await connection.recv()
        load.milliseconds[load.received] = (time.perf_counter() - starts.popleft()) * 1000
        load.received += 1
        load.out_of_order += getattr(event, "event_id", "") != str(expected)
    await sending


async def send(connection: GaConnection, count: int, starts: deque[float], load: Load) -> None:
    """Send 50 appends a second."""
    begun = time.perf_counter()
    for number in range(count):
        wait = begun + number / PER_SECOND - time.perf_counter()
        load.late += wait < -1 / PER_SECOND
        await asyncio.sleep(max(wait, 0))
        starts.append(time.perf_counter())
        await connection.send(
            ga.RealtimeClientEventInputAudioBufferAppend(event_id=str(number), audio=AUDIO)
        )
        load.sent += 1


# Sessions that are torn


def tear() -> tuple[Counter[str], dict[str, int]]:
    """How torn sessions end, and what they leave behind."""
    chance = random.Random(SEED)
    outcomes: Counter[str] = Counter()
    with ReplayServer(keep_events=False) as server:
        sockets = census()["sockets"]
        asyncio.run(torn_async(server, chance, 1, Counter()))  # what is loaded once
        wait_until_closed(sockets)
        before = census()
        asyncio.run(torn_async(server, chance, TORN - TORN // 4, outcomes))
        for _ in range(TORN // 4):
            outcomes[torn_sync(server, chance)] += 1
        gc.collect()
        wait_until_closed(before["sockets"])
        left = {kind: number - before[kind] for kind, number in census().items()}
    return outcomes, left | {"tasks": outcomes.pop("tasks", 0)}


async def torn_async(
    server: ReplayServer, chance: random.Random, count: int, outcomes: Counter[str]
) -> None:
    """Tear sessions of asyncio, 5 at a time."""
    for _ in range(0, count, 5):
        server.faults = random_faults(chance)
        batch = [torn(server.url, chance) for _ in range(min(5, count))]
        outcomes.update(await asyncio.gather(*batch))
        count -= 5
    await asyncio.sleep(0)
    outcomes["tasks"] = len(asyncio.all_tasks()) - 1


async def torn(url: str, chance: random.Random) -> str:
    """Hold one session until it is torn by the server, or cancelled after a while."""
    patience = chance.choice([0.002, 0.02, 0.2, 0.5])
    try:
        await asyncio.wait_for(ask(url), patience)
    except asyncio.TimeoutError:
        return "cancelled"
    except (RealtimeConnectionError, InvalidEventError) as error:
        return type(error).__name__
    return "ended"


async def ask(url: str) -> None:
    """Ask for response after response."""
    async with ga.connect(
        "gpt-realtime", base_url=url, api_key="", websocket_options=SMALL
    ) as connection:
        async for event in connection:
            if isinstance(event, TURNS):
                await connection.send_audio(bytes(9600))
                await connection.send(ga.RealtimeClientEventResponseCreate())


def torn_sync(server: ReplayServer, chance: random.Random) -> str:
    """The same with threads; in place of being cancelled, it leaves after some events."""
    server.faults = random_faults(chance)
    patience = chance.randint(1, 80)
    try:
        with ga.connect_sync(
            "gpt-realtime", base_url=server.url, api_key="", websocket_options=SMALL
        ) as connection:
            for event in connection:
                patience -= 1
                if patience == 0:
                    return "left"
                if isinstance(event, TURNS):
                    connection.send(ga.RealtimeClientEventResponseCreate())
    except (RealtimeConnectionError, InvalidEventError) as error:
        return type(error).__name__
    return "ended"


def random_faults(chance: random.Random) -> Faults:
    """One fault at a random point of a session."""
    after = chance.randint(0, 40)
    return chance.choice(
        [
            Faults(cut_after=after),
            Faults(close_after=after, close_code=chance.choice([1000, 1001, 1011, 3000, 4000])),
            Faults(broken_frame_after=after),
            Faults(garbage_after=after),
            Faults(huge_after=after, huge_size=2**21),
            Faults(refuse=chance.choice([401, 429, 503])),
            Faults(delay=0.005),
        ]
    )


def census() -> dict[str, int]:
    """The threads and the sockets of this process, with the few other files that it has open."""
    return {"threads": threading.active_count(), "sockets": len(os.listdir("/proc/self/fd"))}


def wait_until_closed(sockets: int) -> None:
    """Give the server, which is in this process, time to see its side of the last ones end."""
    deadline = time.monotonic() + 5
    while census()["sockets"] > sockets and time.monotonic() < deadline:
        time.sleep(0.05)


# The report


def load_table(loads: dict[str, Load]) -> str:
    """A column for each transport."""
    columns = [
        {
            "sent": f"{load.sent:,}",
            "answered": f"{load.received:,}",
            "out of order": str(load.out_of_order),
            "sent more than 20 ms late": f"{load.late:,}",
            "from sending to the parsed answer, median": f"{quantiles[49]:.1f} ms",
            "the same, 99th percentile": f"{quantiles[98]:.1f} ms",
            "memory, each sixth of the time": ", ".join(map("{:.0f}".format, load.megabytes))
            + " MB",
            "CPU of the client, of one core": f"{load.cpu:.0%}",
        }
        for load in loads.values()
        for quantiles in [statistics.quantiles(load.milliseconds, n=100)]
    ]
    return table(("", *loads), [(name, *(c[name] for c in columns)) for name in columns[0]])


if __name__ == "__main__":
    main()
