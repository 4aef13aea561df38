"""Many sessions at once, and sessions cut at random points: `make load`.

Each session sends 20 ms of audio 50 times a second, and each append is answered by an event: the
events are counted, and must come in order. Fails if one is lost, or if a session leaves something.
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
from collections import Counter, deque
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from measure import HERE, resident_bytes, setting, table, write_section
from server import AUDIO, PER_SECOND, paced, serving

from openai_realtime_client import InvalidEventError, RealtimeConnectionError, ga
from openai_realtime_client.testing import Faults, ReplayServer

SESSIONS = 200
SECONDS = 60
CUT_SESSIONS = 1000
SEED = 20261123
SMALL = {"max_size": 2**20}
# After these the client asks for a response.
TURNS = ("session.created", "response.done")

RESULTS = """\
{setting}

One process holds {sessions} sessions for {seconds} s, against a server in another process. Each
sends 20 ms of audio {rate} times a second, and each append is answered by a delta of 4 KB.

{loads}

{cut:,} sessions are cut, closed, refused, cancelled or left at random points, or receive garbage;
three in four with asyncio, the others with threads. Left behind: {left}. They ended as follows.

{outcomes}"""

Connection = ga.AsyncConnection[ga.RealtimeServerEvent, ga.RealtimeClientEvent]


@dataclass
class Load:
    """The counts and times of all sessions."""

    sent: int = 0
    received: int = 0
    out_of_order: int = 0
    milliseconds: list[float] = field(default_factory=list[float])
    megabytes: list[float] = field(default_factory=list[float])


def main() -> None:
    """Measure, print and write everything."""
    loads = {}
    for name, is_tls in (("plain", False), ("TLS", True)):
        with serving(is_tls) as (url, tls):
            loads[name] = asyncio.run(hold(url, tls))
    outcomes, left = cut_sessions()
    text = RESULTS.format(
        setting=setting("pydantic", "websockets"),
        sessions=SESSIONS,
        seconds=SECONDS,
        rate=PER_SECOND,
        loads=load_table(loads),
        cut=CUT_SESSIONS,
        left=", ".join(f"{number} {name}" for name, number in left.items()),
        outcomes=table(("", ""), [(name, str(count)) for name, count in outcomes.most_common()]),
    )
    write_section(HERE / "RESULTS.md", "load", text)
    if any(load.received != load.sent or load.out_of_order for load in loads.values()):
        sys.exit("events were lost, or out of order")
    if any(left.values()):
        sys.exit("sessions left something behind")


async def hold(url: str, tls: ssl.SSLContext | None) -> Load:
    """Hold all sessions at once."""
    load = Load()
    options = {"ssl": tls} if tls else None
    async with AsyncExitStack() as stack:
        connections = []
        for _ in range(SESSIONS):
            manager = ga.connect("m", base_url=url, api_key="", websocket_options=options)
            connections.append(await stack.enter_async_context(manager))
        sessions = [asyncio.create_task(hold_one(each, load)) for each in connections]
        await asyncio.sleep(SECONDS / 6)
        load.megabytes.append(resident_bytes() / 1e6)
        await asyncio.gather(*sessions)
        load.megabytes.append(resident_bytes() / 1e6)
    return load


async def hold_one(connection: Connection, load: Load) -> None:
    """Send and receive in one session."""
    await connection.recv()
    starts: deque[float] = deque()
    sending = asyncio.create_task(send(connection, starts, load))
    for expected in range(SECONDS * PER_SECOND):
        event = await connection.recv()
        load.milliseconds.append((time.perf_counter() - starts.popleft()) * 1000)
        load.received += 1
        if getattr(event, "event_id", "") != str(expected):
            load.out_of_order += 1
    await sending


async def send(connection: Connection, starts: deque[float], load: Load) -> None:
    """Send at the pace of real time."""
    async for number in paced(SECONDS):
        starts.append(time.perf_counter())
        await connection.send(
            ga.RealtimeClientEventInputAudioBufferAppend(event_id=str(number), audio=AUDIO)
        )
        load.sent += 1


def cut_sessions() -> tuple[Counter[str], dict[str, int]]:
    """Cut sessions, and return how they ended and what they left behind."""
    chance = random.Random(SEED)
    outcomes: Counter[str] = Counter()
    with ReplayServer(keep_events=False) as server:
        sockets = census()["sockets"]
        # The first sessions load what stays loaded.
        asyncio.run(cut_async(server, chance, 5, Counter()))
        outcomes[cut_sync(server, chance)] += 1
        wait_until_closed(sockets)
        before = census()
        asyncio.run(cut_async(server, chance, CUT_SESSIONS * 3 // 4, outcomes))
        for _ in range(CUT_SESSIONS // 4 - 1):
            outcomes[cut_sync(server, chance)] += 1
        gc.collect()
        wait_until_closed(before["sockets"])
        left = {name: number - before[name] for name, number in census().items()}
    left["tasks"] = outcomes.pop("tasks", 0)
    return outcomes, left


async def cut_async(
    server: ReplayServer, chance: random.Random, count: int, outcomes: Counter[str]
) -> None:
    """Cut sessions of asyncio, five at a time."""
    for _ in range(0, count, 5):
        server.faults = random_faults(chance)
        outcomes.update(await asyncio.gather(*(cut_one(server.url, chance) for _ in range(5))))
    await asyncio.sleep(0)
    outcomes["tasks"] = len(asyncio.all_tasks()) - 1


async def cut_one(url: str, chance: random.Random) -> str:
    """Hold a session until the server cuts it, or cancel it after a while."""
    timeout = chance.choice([0.002, 0.02, 0.2, 0.5])
    try:
        await asyncio.wait_for(ask(url), timeout)
    except asyncio.TimeoutError:
        return "cancelled"
    except (RealtimeConnectionError, InvalidEventError) as error:
        return type(error).__name__
    return "ended"


async def ask(url: str) -> None:
    """Ask for response after response."""
    manager = ga.connect("m", base_url=url, api_key="", websocket_options=SMALL)
    async with manager as connection:
        async for event in connection:
            if event.type in TURNS:
                await connection.send_audio(bytes(9600))
                await connection.send({"type": "response.create"})


def cut_sync(server: ReplayServer, chance: random.Random) -> str:
    """Do the same with threads: leave after some events instead of cancelling."""
    server.faults = random_faults(chance)
    events_left = chance.randint(1, 80)
    manager = ga.connect_sync("m", base_url=server.url, api_key="", websocket_options=SMALL)
    try:
        with manager as connection:
            for event in connection:
                events_left -= 1
                if events_left == 0:
                    return "left"
                if event.type in TURNS:
                    connection.send({"type": "response.create"})
    except (RealtimeConnectionError, InvalidEventError) as error:
        return type(error).__name__
    return "ended"


def random_faults(chance: random.Random) -> Faults:
    """Choose one fault at a random point of a session."""
    after = chance.randint(0, 40)
    faults = [
        Faults(cut_after=after),
        Faults(close_after=after, close_code=chance.choice([1000, 1001, 1011, 3000, 4000])),
        Faults(broken_frame_after=after),
        Faults(garbage_after=after),
        Faults(huge_after=after, huge_size=2**21),
        Faults(refuse=chance.choice([401, 429, 503])),
        Faults(delay=0.005),
    ]
    return chance.choice(faults)


def census() -> dict[str, int]:
    """Count the threads and the open files of this process, nearly all of which are sockets."""
    return {"threads": threading.active_count(), "sockets": len(os.listdir("/proc/self/fd"))}


def wait_until_closed(sockets: int) -> None:
    """Give the server, which is in this process, time to see its last sessions end."""
    deadline = time.monotonic() + 5
    while census()["sockets"] > sockets and time.monotonic() < deadline:
        time.sleep(0.05)


def load_table(loads: dict[str, Load]) -> str:
    """Make a table with a row for each transport."""
    rows = []
    for name, load in loads.items():
        percentiles = statistics.quantiles(load.milliseconds, n=100)
        row = [name, f"{load.sent:,}", f"{load.received:,}", str(load.out_of_order)]
        row += [f"{percentiles[49]:.1f} ms", f"{percentiles[98]:.1f} ms"]
        row.append(f"{load.megabytes[0]:.0f} to {load.megabytes[-1]:.0f} MB")
        rows.append(row)
    head = ("", "sent", "received", "out of order", "latency, median", "99th percentile", "memory")
    return table(head, rows)


if __name__ == "__main__":
    main()
