"""How many sessions one core holds: as a client, and as a relay between browsers and the service.

Each session sends 20 ms of audio 50 times a second, and each append is answered by a delta of 4 KB.
What is measured is the CPU of this process, by the events that it passed.
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
from pathlib import Path
from typing import Any

from measure import Samples
from openai import AsyncOpenAI
from servers import serving
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from openai_realtime_client import ga

PER_SECOND = 50
SESSIONS = 20
SECONDS = 4
ROUNDS = 3
AUDIO = b64encode(bytes(960)).decode()
APPEND = json.dumps({"type": "input_audio_buffer.append", "audio": AUDIO, "event_id": "0"})
OPTIONS: dict[str, Any] = {"compression": None, "max_size": None, "proxy": None}
BARE, OURS, SDK = "`websockets`", "ours", "SDK"

# What waits for the next event, and what sends an append.
Session = tuple[Callable[[], Awaitable[object]], Callable[[], Awaitable[object]]]
# CPU seconds for a second of one session, by peer.
Costs = dict[str, Samples]


# Clients


async def open_bare(url: str) -> Session:
    """`websockets`: bytes in, text that is ready out."""
    socket = await connect(url, **OPTIONS)
    return lambda: socket.recv(decode=False), lambda: socket.send(APPEND)


async def open_ours(url: str) -> Session:
    """The package: events in and out."""
    connection = await ga.connect("m", base_url=url, api_key="").open()
    append = ga.RealtimeClientEventInputAudioBufferAppend
    return connection.recv, lambda: connection.send(append(event_id="0", audio=AUDIO))


async def open_sdk(url: str) -> Session:
    """The official SDK."""
    client = AsyncOpenAI(api_key="k", websocket_base_url=url)
    options: Any = {"proxy": None}
    connector = client.realtime.connect(model="m", websocket_connection_options=options)
    connection = await connector.enter()
    append = connection.input_audio_buffer.append
    return connection.recv, lambda: append(event_id="0", audio=AUDIO)


CLIENTS = {BARE: open_bare, OURS: open_ours, SDK: open_sdk}


async def hold(open_session: Callable[[str], Awaitable[Session]], url: str) -> float:
    """Hold sessions for some seconds. The result is the CPU seconds for a second of one."""
    sessions = [await open_session(url) for _ in range(SESSIONS)]
    for receive, _ in sessions:
        await receive()  # `session.created`
    start = time.process_time()
    await asyncio.gather(*(talk(*session) for session in sessions))
    return (time.process_time() - start) / SESSIONS / SECONDS


async def talk(
    receive: Callable[[], Awaitable[object]], send: Callable[[], Awaitable[object]]
) -> None:
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


def clients() -> Costs:
    """All clients, in turns."""
    costs: dict[str, list[float]] = {name: [] for name in CLIENTS}
    with serving(is_tls=False) as (url, _):
        for _ in range(ROUNDS):
            for name, open_session in CLIENTS.items():
                costs[name].append(asyncio.run(hold(open_session, url)))
    return {name: Samples(each) for name, each in costs.items()}


# Relays


async def relay_bare(browser: ServerConnection, url: str) -> None:
    """Pass texts on, unread."""
    async with connect(url, **OPTIONS) as service:

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


RELAYS = {BARE: relay_bare, OURS: relay_ours}


@asynccontextmanager
async def relaying(relay: Callable[..., Awaitable[None]], url: str) -> AsyncIterator[str]:
    """The URL of a relay in this process."""

    async def handle(browser: ServerConnection) -> None:
        await relay(browser, url)

    async with serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def relay_for(relay: Callable[..., Awaitable[None]], url: str) -> float:
    """Relay the sessions of another process. The result is the CPU seconds for one's second."""
    async with relaying(relay, url) as relay_url:
        start = time.process_time()
        browsers = await asyncio.create_subprocess_exec(
            sys.executable, str(Path(__file__)), relay_url
        )
        if await browsers.wait():
            raise subprocess.SubprocessError("the browsers failed")
        return (time.process_time() - start) / SESSIONS / SECONDS


def relays() -> Costs:
    """Both relays, in turns."""
    costs: dict[str, list[float]] = {name: [] for name in RELAYS}
    with serving(is_tls=False) as (url, _):
        for _ in range(ROUNDS):
            for name, relay in RELAYS.items():
                costs[name].append(asyncio.run(relay_for(relay, url)))
    return {name: Samples(each) for name, each in costs.items()}


if __name__ == "__main__":
    asyncio.run(hold(open_bare, sys.argv[1]))
