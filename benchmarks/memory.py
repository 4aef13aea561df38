"""What sessions and parsed events take in memory, and whether millions of events leave any."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import capacity
import payloads
from machine import resident
from openai.resources.realtime.realtime import RealtimeConnection
from servers import serving

from openai_realtime_client import ga

SESSIONS = 100
EVENTS = 10_000_000
SAMPLES = 10

sdk: Any = RealtimeConnection(None)  # type: ignore[arg-type]
PARSERS: dict[str, Callable[[bytes], object]] = {
    "`json`": json.loads,
    capacity.OURS: ga.parse_server_event,
    capacity.SDK: sdk.parse_event,
}


def of_events() -> dict[str, float]:
    """The bytes that one parsed event of the mix holds, by parser."""
    texts = [payloads.dumped(event).encode() for event in payloads.mix()]
    found = {}
    for name, parse in PARSERS.items():
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
        return {name: float(_run("sessions", name, url)) for name in capacity.CLIENTS}


def of_millions() -> list[float]:
    """The megabytes of a new process that parses millions of events, in the course of time."""
    return [float(each) for each in _run("millions").split()]


def _run(*arguments: str) -> str:
    command = [sys.executable, str(Path(__file__)), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


async def _open(name: str, url: str) -> None:
    open_session = capacity.CLIENTS[name]
    kept = [await open_session(url)]
    before = resident()
    for _ in range(SESSIONS):
        kept.append(await open_session(url))
        await kept[-1][0]()
    print((resident() - before) / SESSIONS, flush=True)
    os._exit(0)  # The server need not see a hundred sessions closed.


def _parse() -> None:
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
        asyncio.run(_open(*sys.argv[2:]))
    _parse()
