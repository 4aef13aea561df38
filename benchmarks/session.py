"""One event over a WebSocket and whole sessions, beside `websockets` alone and the official SDK.

`make bench` runs it after parse.py, and writes its sections of RESULTS.md and of the README.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import websockets.asyncio.client
import websockets.sync.client
from measure import (
    HERE,
    Samples,
    in_rounds,
    quantity,
    setting,
    table,
    write_section,
)
from openai import AsyncOpenAI, OpenAI
from server import AUDIO, DELTA, PER_SECOND, allow_sockets, paced, serving

from openai_realtime_client import ga

TLS = ssl.SSLContext | None
# A coroutine function, or a plain function of a client for threads.
Action = Callable[[], Any]
Append = ga.RealtimeClientEventInputAudioBufferAppend

RECEIVE, SEND, SEND_AUDIO = "receive", "send", "send audio"
BARE, OURS, SDK = "`websockets`", "ours", "SDK"
THREADS = ", threads"
EVENTS = 200
ROUNDS = 25

# Enough to come near to a full core: with few sessions, each event costs a wake-up of its own.
SESSIONS = 200
SECONDS = 2
SESSION_ROUNDS = 3

RESULTS = """\
{setting}

CPU time of one event of 4 KB in the client, against a server in another process that floods it or
discards what it sends; medians of interleaved rounds. `websockets` receives bytes, and sends text
that is ready; the others receive typed events, and construct what they send.

{events}

One core holds so many sessions in which both sides speak all the time: each sends 20 ms of audio
{per_second} times a second, and each append is answered by a delta of 4 KB.

{sessions}"""
README = """\
- Receiving and parsing an event takes {receive:.1f} times what `websockets` takes for its bytes
  alone. One core holds {sessions} sessions that speak all the time, {sdk_sessions} with the SDK."""


@dataclass(frozen=True)
class Client:
    """How a client opens a session, and what it can do with one."""

    open: Callable[[str, TLS], Any]
    actions: Callable[[Any, str], dict[str, Action]]


# No pings: a client that is not measured at the moment answers none.
BARE_OPTIONS: dict[str, Any] = {"compression": None, "proxy": None, "ping_interval": None}


def options(tls: TLS) -> dict[str, Any]:
    """Return the options of `websockets` that the package and the SDK pass on."""
    if tls:
        return {"ping_interval": None, "ssl": tls}
    return {"ping_interval": None}


async def open_bare(url: str, tls: TLS) -> Any:
    """Connect `websockets`."""
    return await websockets.asyncio.client.connect(url, ssl=tls, **BARE_OPTIONS)


def open_bare_threads(url: str, tls: TLS) -> Any:
    """Connect `websockets` for threads."""
    return websockets.sync.client.connect(url, ssl=tls, **BARE_OPTIONS).__enter__()


def bare_actions(socket: Any, audio: str) -> dict[str, Action]:
    """Receive bytes, and send text that is ready."""
    text = json.dumps({"type": "input_audio_buffer.append", "event_id": "0", "audio": audio})
    return {RECEIVE: partial(socket.recv, decode=False), SEND: partial(socket.send, text)}


def open_ours(connect: Any, url: str, tls: TLS) -> Any:
    """Connect the package, for asyncio or threads."""
    return connect("m", base_url=url, api_key="", websocket_options=options(tls)).open()


def our_actions(connection: Any, audio: str) -> dict[str, Action]:
    """Receive typed events, construct and send one, and send the bytes of audio."""
    data = base64.b64decode(audio)

    def send() -> Any:
        return connection.send(Append(event_id="0", audio=audio))

    return {RECEIVE: connection.recv, SEND: send, SEND_AUDIO: partial(connection.send_audio, data)}


def open_sdk(client_class: Any, url: str, tls: TLS) -> Any:
    """Connect the SDK, for asyncio or threads."""
    client = client_class(api_key="k", websocket_base_url=url)
    connect_options = {"proxy": None, **options(tls)}
    return client.realtime.connect(model="m", websocket_connection_options=connect_options).enter()


def sdk_actions(connection: Any, audio: str) -> dict[str, Action]:
    """Receive typed events, and send one."""
    append = partial(connection.input_audio_buffer.append, event_id="0", audio=audio)
    return {RECEIVE: connection.recv, SEND: append}


CLIENTS = {
    BARE: Client(open_bare, bare_actions),
    OURS: Client(partial(open_ours, ga.connect), our_actions),
    SDK: Client(partial(open_sdk, AsyncOpenAI), sdk_actions),
    BARE + THREADS: Client(open_bare_threads, bare_actions),
    OURS + THREADS: Client(partial(open_ours, ga.connect_sync), our_actions),
    SDK + THREADS: Client(partial(open_sdk, OpenAI), sdk_actions),
}


def main() -> None:
    """Measure, print and write everything."""
    plain, tls = event_times(is_tls=False), event_times(is_tls=True)
    sessions = session_seconds()
    text = RESULTS.format(
        setting=setting("pydantic", "websockets", "openai"),
        events=event_table({"plain": plain, "TLS": tls}),
        per_second=PER_SECOND,
        sessions=table(
            ("", "sessions on one core"),
            [(name, per_core(seconds)) for name, seconds in sessions.items()],
        ),
    )
    write_section(HERE / "RESULTS.md", "sessions", text)
    line = README.format(
        receive=tls[RECEIVE, OURS].ratio(tls[RECEIVE, BARE]),
        sessions=per_core(sessions[OURS]),
        sdk_sessions=per_core(sessions[SDK]),
    )
    write_section(HERE.parent / "README.md", "sessions", line)
    # Threads of open connections would keep the process alive.
    os._exit(0)


# One event


def event_times(*, is_tls: bool) -> dict[tuple[str, str], Samples]:
    """Measure the CPU seconds of one event, by action and client."""
    measures: dict[tuple[str, str], Callable[[], float]] = {}
    with serving(is_tls) as (url, tls):
        for name, client in CLIENTS.items():
            loop = None
            if not name.endswith(THREADS):
                # A loop of its own stands still while other clients are measured.
                loop = asyncio.new_event_loop()
            flood = run(loop, partial(client.open, f"{url}/flood", tls))
            sink = run(loop, partial(client.open, f"{url}/sink", tls))
            actions = client.actions(sink, DELTA)
            actions[RECEIVE] = client.actions(flood, DELTA)[RECEIVE]
            for action_name, action in actions.items():
                measures[action_name, name] = partial(seconds_per_event, loop, action)
        return in_rounds(measures, ROUNDS)


def run(loop: asyncio.AbstractEventLoop | None, action: Action) -> Any:
    """Run an action, on a loop where the client is one for asyncio."""
    if loop:
        return loop.run_until_complete(action())
    return action()


def seconds_per_event(loop: asyncio.AbstractEventLoop | None, action: Action) -> float:
    """Return the CPU seconds of an action. A client for threads may use threads of its own."""

    async def repeat_async(count: int) -> None:
        for _ in range(count):
            await action()

    def repeat(count: int) -> None:
        for _ in range(count):
            action()

    # The first events were received before the measurement began.
    for count in (20, EVENTS):
        start = time.process_time()
        if loop:
            loop.run_until_complete(repeat_async(count))
        else:
            repeat(count)
    return (time.process_time() - start) / EVENTS


def event_table(transports: dict[str, dict[tuple[str, str], Samples]]) -> str:
    """Make a table of all actions: a row for each client and transport."""
    rows = []
    for transport, times in transports.items():
        for name in CLIENTS:
            row = [f"{name}, {transport}"]
            for action in (RECEIVE, SEND, SEND_AUDIO):
                row.append("")
                if (action, name) in times:
                    row[-1] = quantity(times[action, name].median)
            rows.append(row)
    return table(("", RECEIVE, SEND, SEND_AUDIO), rows)


# Sessions


def session_seconds() -> dict[str, Samples]:
    """Measure the CPU seconds of a second of one session."""
    allow_sockets()
    with serving(is_tls=False) as (url, _):
        measures = {name: partial(run_sessions, CLIENTS[name], url) for name in (BARE, OURS, SDK)}
        return in_rounds(measures, SESSION_ROUNDS)


def run_sessions(client: Client, url: str) -> float:
    """Hold many sessions, on a loop of their own."""
    return asyncio.run(hold_sessions(client, url))


async def hold_sessions(client: Client, url: str) -> float:
    """Hold sessions for some seconds, and return the CPU seconds for a second of one."""
    sessions = [client.actions(await client.open(url, None), AUDIO) for _ in range(SESSIONS)]
    for actions in sessions:
        await actions[RECEIVE]()  # `session.created`
    start = time.process_time()
    await asyncio.gather(*(speak_and_listen(actions) for actions in sessions))
    return (time.process_time() - start) / SESSIONS / SECONDS


async def speak_and_listen(actions: dict[str, Action]) -> None:
    """Send and receive in one session."""
    speaking = asyncio.create_task(speak(actions[SEND]))
    for _ in range(PER_SECOND * SECONDS):
        await actions[RECEIVE]()
    await speaking


async def speak(send: Action) -> None:
    """Send at the pace of real time."""
    async for _ in paced(SECONDS):
        await send()


def per_core(seconds: Samples) -> str:
    """Return how many sessions one core holds."""
    return f"{1 / seconds.median:.0f}"


if __name__ == "__main__":
    main()
