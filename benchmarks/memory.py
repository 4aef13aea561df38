"""What sessions and parsed events take in memory, and whether millions of events leave any.

`memory.py sessions PEER URL` and `memory.py millions` measure in a new process.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import payloads
from clients import BARE, OURS, PEERS, RECEIVE, SDK
from measure import resident
from openai.resources.realtime.realtime import RealtimeConnection
from server import DELTA, serving

from openai_realtime_client import ga

SESSIONS = 100
EVENTS = 10_000_000
SAMPLES = 10


def of_events() -> dict[str, float]:
    """The bytes that one parsed event of the mix holds, by parser."""
    sdk: Any = RealtimeConnection(None)  # type: ignore[arg-type]
    parsers: dict[str, Callable[[bytes], object]] = {
        "`json`": json.loads,
        OURS: ga.parse_server_event,
        SDK: sdk.parse_event,
    }
    texts = [payloads.dumped(event).encode() for event in payloads.mix()]
    found = {}
    for name, parse in parsers.items():
        for text in texts:
            parse(text)  # The first may build what later ones use.
        gc.collect()
        tracemalloc.start()
        held = [parse(text) for text in texts * 10]
        found[name] = tracemalloc.get_traced_memory()[0] / len(held)
        tracemalloc.stop()
    return found


def of_sessions() -> dict[str, float]:
    """The bytes that one open session holds in a new process, by client."""
    with serving(is_tls=False) as (url, _):
        return {name: float(in_process("sessions", name, url)) for name in (BARE, OURS, SDK)}


def of_millions() -> list[float]:
    """The megabytes of a new process that parses millions of events, in the course of time."""
    return [float(each) for each in in_process("millions").split()]


def in_process(*arguments: str) -> str:
    """What this program prints."""
    command = [sys.executable, __file__, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


async def hold(name: str, url: str) -> None:
    """Print what one of many sessions holds."""
    peer = PEERS[name]
    kept = [await peer.open(url, None)]
    before = resident()
    for _ in range(SESSIONS):
        kept.append(await peer.open(url, None))
        await peer.tasks(kept[-1], DELTA)[RECEIVE]()
    print((resident() - before) / SESSIONS, flush=True)
    os._exit(0)  # The server need not see a hundred sessions closed.


def parse_millions() -> None:
    """Print the memory after each tenth of the events."""
    mix = payloads.mix()
    # What the schema does not know takes other ways.
    mix.append({"type": "vendor.event", "field": [1]})
    mix.append(payloads.with_wrong_type(payloads.audio_delta(), "output_index"))
    texts = [payloads.dumped(event).encode() for event in mix]
    for _ in range(SAMPLES):
        for _ in range(EVENTS // SAMPLES // len(texts)):
            for text in texts:
                ga.parse_server_event(text)
        print(resident() / 1e6, flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "sessions":
        asyncio.run(hold(*sys.argv[2:]))
    parse_millions()
