"""A relay between browsers and the service: what passing an exchange on costs, of live sessions.

The relay is this process, and the service `server.py`. The browsers are this program in another
process: `relay.py URL SESSIONS`.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from clients import BARE, OURS, open_bare
from measure import Samples, in_rounds
from server import allow_sockets, serving
from websockets.asyncio.server import ServerConnection, serve

from openai_realtime_client import ga

SESSIONS = 1000
# Each session's exchanges: 20 ms of audio, which is answered by a delta of 4 KB.
PER_SECOND = 8
SECONDS = 5
ROUNDS = 3
AUDIO = b64encode(bytes(960)).decode()


async def relay_bare(browser: ServerConnection, url: str) -> None:
    """Pass texts on, unread."""
    async with await open_bare(url, None) as service:

        async def up() -> None:
            async for message in browser:
                await service.send(message)

        async def down() -> None:
            async for message in service:
                await browser.send(message)

        await until_one_ends(up(), down())


async def relay_ours(browser: ServerConnection, url: str) -> None:
    """Pass typed events on, that were parsed and are encoded again."""
    async with ga.connect("m", base_url=url, api_key="") as service:

        async def up() -> None:
            async for message in browser:
                await service.send(ga.parse_client_event(message))

        async def down() -> None:
            async for event in service:
                await browser.send(event.to_json())

        await until_one_ends(up(), down())


async def until_one_ends(*directions: Coroutine[Any, Any, None]) -> None:
    """Relay both ways until one side has gone."""
    tasks = [asyncio.create_task(direction) for direction in directions]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def exchanges() -> dict[str, Samples]:
    """The CPU seconds of one exchange, by relay, in turns."""
    allow_sockets(2 * SESSIONS)
    relays = {BARE: relay_bare, OURS: relay_ours}
    with serving(is_tls=False) as (url, _):
        return in_rounds(
            {
                name: lambda relay=relay: asyncio.run(measured(relay, url))  # type: ignore[misc]
                for name, relay in relays.items()
            },
            ROUNDS,
        )


async def measured(relay: Callable[[ServerConnection, str], Awaitable[None]], url: str) -> float:
    """Relay the sessions of the browsers. The result is the CPU seconds of one exchange."""
    async with relaying(relay, url) as relay_url:
        command = [sys.executable, __file__, relay_url, str(SESSIONS)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        browsers = await asyncio.create_subprocess_exec(*command, **pipes)
        assert browsers.stdin
        assert browsers.stdout
        # All are open, and all have talked.
        for line in (b"open\n", b"done\n"):
            start = time.process_time()
            if await browsers.stdout.readline() != line:
                raise subprocess.SubprocessError("the browsers failed")
            seconds = time.process_time() - start
            browsers.stdin.write(b"\n")
        await browsers.wait()
        return seconds / SESSIONS / PER_SECOND / SECONDS


@asynccontextmanager
async def relaying(relay: Callable[..., Awaitable[None]], url: str) -> AsyncIterator[str]:
    """The URL of a relay in this process."""

    async def handle(browser: ServerConnection) -> None:
        await relay(browser, url)

    options: dict[str, Any] = {"compression": None, "ping_interval": None, "backlog": SESSIONS}
    async with serve(handle, "127.0.0.1", 0, **options) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


# The browsers


async def browse(url: str, sessions: int) -> None:
    """Open all sessions, and once all are open let them talk."""
    allow_sockets(sessions)
    sockets = []
    for _ in range(sessions):
        sockets.append(await open_bare(url, None))
        await sockets[-1].recv()  # `session.created`
    await report("open")
    await asyncio.gather(*map(talk, sockets))
    await report("done")


async def report(what: str) -> None:
    """Tell the relay, and wait for it to go on."""
    print(what, flush=True)
    await asyncio.to_thread(sys.stdin.readline)


async def talk(socket: Any) -> None:
    """Send at a steady pace. What comes back must be complete and in order."""

    async def speak() -> None:
        # All start in the same period, but not at the same moment.
        begun = time.perf_counter() + random.random() / PER_SECOND
        for number in range(PER_SECOND * SECONDS):
            await asyncio.sleep(max(begun + number / PER_SECOND - time.perf_counter(), 0))
            append = {"type": "input_audio_buffer.append", "event_id": str(number), "audio": AUDIO}
            await socket.send(json.dumps(append))

    speaking = asyncio.create_task(speak())
    for number in range(PER_SECOND * SECONDS):
        if f'"event_id":"{number}"' not in await socket.recv():
            raise RuntimeError("an event is lost, or out of order")
    await speaking


if __name__ == "__main__":
    asyncio.run(browse(sys.argv[1], int(sys.argv[2])))
