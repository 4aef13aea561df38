"""What one event costs in a session: the CPU of this process, against a server in another.

Each peer holds one connection on which the server floods it with audio deltas of 4 KB, and one on
which it appends as much audio. They take turns, some hundred events each.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import picows
import websockets.asyncio.client
import websockets.sync.client
from echo_server import DELTA
from measure import Samples
from openai import AsyncOpenAI, OpenAI
from openai.types.realtime import InputAudioBufferAppendEventParam
from servers import serving

from openai_realtime_client import ga

EVENTS = 200
ROUNDS = 25
AUDIO = bytes(len(DELTA) // 4 * 3)
DICTIONARY: InputAudioBufferAppendEventParam = {
    "type": "input_audio_buffer.append",
    "audio": DELTA,
}
TEXT = json.dumps(DICTIONARY)
RECEIVE, SEND, READY, DICT, SEND_AUDIO = (
    "receive",
    "construct and send",
    "send a ready event",
    "send a dictionary",
    "`send_audio`",
)
Append = ga.RealtimeClientEventInputAudioBufferAppend
READY_EVENT = Append(audio=DELTA)

BARE, BARE_THREADS = "`websockets`", "`websockets`, threads"
JSON = "`websockets`, `json`"
OURS, OURS_THREADS = "ours", "ours, threads"
SDK, SDK_THREADS = "SDK", "SDK, threads"
AIOHTTP, PICOWS = "`aiohttp`, our parser", "`picows`, our parser"

AsyncTasks = dict[str, Callable[[], Awaitable[object]]]
Tasks = dict[str, Callable[[], object]]
# CPU seconds for one event, by what is done and by whom.
Costs = dict[str, dict[str, Samples]]


# Each opens its two connections, and returns what it can do with them.


async def open_bare(url: str, tls: ssl.SSLContext | None) -> AsyncTasks:
    """`websockets`: bytes in, text that is ready out."""
    flood, sink = await open_websockets(url, tls)
    return {RECEIVE: lambda: flood.recv(decode=False), SEND: lambda: sink.send(TEXT)}


async def open_json(url: str, tls: ssl.SSLContext | None) -> AsyncTasks:
    """`websockets` with the standard library's `json`."""
    flood, sink = await open_websockets(url, tls)

    async def receive() -> object:
        return json.loads(await flood.recv())

    return {RECEIVE: receive, SEND: lambda: sink.send(json.dumps(DICTIONARY))}


async def open_websockets(url: str, tls: ssl.SSLContext | None) -> list[Any]:
    """The two connections of `websockets`."""
    connect = websockets.asyncio.client.connect
    options = websockets_options(tls)
    return [await connect(f"{url}/{path}", **options) for path in ("flood", "sink")]


def open_bare_threads(url: str, tls: ssl.SSLContext | None) -> Tasks:
    """The same for threads."""
    connect = websockets.sync.client.connect
    options = websockets_options(tls)
    flood, sink = (connect(f"{url}/{path}", **options).__enter__() for path in ("flood", "sink"))
    return {RECEIVE: lambda: flood.recv(decode=False), SEND: lambda: sink.send(TEXT)}


def websockets_options(tls: ssl.SSLContext | None) -> dict[str, Any]:
    """Its defaults, but for what the package changes; no pings, which nobody answers in time."""
    options = {"compression": None, "max_size": 2**26, "proxy": None, "ping_interval": None}
    return {**options, "ssl": tls}


async def open_ours(url: str, tls: ssl.SSLContext | None) -> AsyncTasks:
    """The package."""
    connectors = [ga.connect(**ours(f"{url}/{path}", tls)) for path in ("flood", "sink")]
    flood, sink = [await connector.open() for connector in connectors]
    return {
        RECEIVE: flood.__anext__,
        SEND: lambda: sink.send(Append(audio=DELTA)),
        READY: lambda: sink.send(READY_EVENT),
        DICT: lambda: sink.send(DICTIONARY),
        SEND_AUDIO: lambda: sink.send_audio(AUDIO),
    }


def open_ours_threads(url: str, tls: ssl.SSLContext | None) -> Tasks:
    """The same for threads."""
    connectors = [ga.connect_sync(**ours(f"{url}/{path}", tls)) for path in ("flood", "sink")]
    flood, sink = [connector.open() for connector in connectors]
    return {
        RECEIVE: flood.__next__,
        SEND: lambda: sink.send(Append(audio=DELTA)),
        READY: lambda: sink.send(READY_EVENT),
        DICT: lambda: sink.send(DICTIONARY),
        SEND_AUDIO: lambda: sink.send_audio(AUDIO),
    }


def ours(url: str, tls: ssl.SSLContext | None) -> dict[str, Any]:
    """The arguments of `connect`."""
    options = {"ssl": tls} if tls else {}
    return {"model": "m", "base_url": url, "api_key": "", "websocket_options": options}


async def open_sdk(url: str, tls: ssl.SSLContext | None) -> AsyncTasks:
    """The official SDK."""
    flood, sink = [
        await AsyncOpenAI(api_key="k", websocket_base_url=f"{url}/{path}")
        .realtime.connect(model="m", websocket_connection_options=sdk_options(tls))
        .enter()
        for path in ("flood", "sink")
    ]
    return {
        RECEIVE: flood.recv,
        SEND: lambda: sink.input_audio_buffer.append(audio=DELTA),
        DICT: lambda: sink.send(DICTIONARY),
    }


def open_sdk_threads(url: str, tls: ssl.SSLContext | None) -> Tasks:
    """The same for threads."""
    flood, sink = (
        OpenAI(api_key="k", websocket_base_url=f"{url}/{path}")
        .realtime.connect(model="m", websocket_connection_options=sdk_options(tls))
        .enter()
        for path in ("flood", "sink")
    )
    return {
        RECEIVE: flood.recv,
        SEND: lambda: sink.input_audio_buffer.append(audio=DELTA),
        DICT: lambda: sink.send(DICTIONARY),
    }


def sdk_options(tls: ssl.SSLContext | None) -> Any:
    """What the SDK passes on to `websockets`."""
    return {"proxy": None, "ping_interval": None, **({"ssl": tls} if tls else {})}


async def open_aiohttp(url: str, tls: ssl.SSLContext | None) -> AsyncTasks:
    """What the package could be with aiohttp below it."""
    session = aiohttp.ClientSession()
    flood, sink = [
        await session.ws_connect(f"{url}/{path}", ssl=tls or True, max_msg_size=0)
        for path in ("flood", "sink")
    ]

    async def receive() -> object:
        return ga.parse_server_event((await flood.receive()).data)

    return {RECEIVE: receive, SEND: lambda: sink.send_str(Append(audio=DELTA).to_json())}


async def open_picows(url: str, tls: ssl.SSLContext | None) -> AsyncTasks:
    """What the package could be with picows below it."""
    connect = picows.ws_connect
    _, flood = await connect(Listener, f"{url}/flood", ssl_context=tls)
    transport, sink = await connect(Listener, f"{url}/sink", ssl_context=tls)
    assert isinstance(flood, Listener)
    assert isinstance(sink, Listener)

    async def send() -> None:
        transport.send(picows.WSMsgType.TEXT, Append(audio=DELTA).to_json().encode())
        await sink.writable.wait()

    return {RECEIVE: flood.receive, SEND: send}


class Listener(picows.WSListener):
    """The queue and the flow control that picows leaves to its users."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[object] = asyncio.Queue()
        self.writable = asyncio.Event()
        self.writable.set()
        self.is_reading = True

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Keep the transport below."""
        self.transport = transport.underlying_transport
        self.transport.set_write_buffer_limits(1)

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Queue a message, and stop reading when there are many."""
        self.events.put_nowait(frame.get_payload_as_bytes())
        if self.is_reading and self.events.qsize() > 16:
            self.is_reading = False
            self.transport.pause_reading()

    def pause_writing(self) -> None:
        """Let `send` wait."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """Let `send` go on."""
        self.writable.set()

    async def receive(self) -> object:
        """Wait for the next event."""
        data: Any = await self.events.get()
        if not self.is_reading and self.events.qsize() < 4:
            self.is_reading = True
            self.transport.resume_reading()
        return ga.parse_server_event(data)


ASYNC = {
    BARE: open_bare,
    JSON: open_json,
    OURS: open_ours,
    SDK: open_sdk,
    AIOHTTP: open_aiohttp,
    PICOWS: open_picows,
}
THREADS = {
    BARE_THREADS: open_bare_threads,
    OURS_THREADS: open_ours_threads,
    SDK_THREADS: open_sdk_threads,
}


def measure(is_tls: bool) -> Costs:
    """What everybody takes for everything, in turns."""
    runs: dict[tuple[str, str], Callable[[int], None]] = {}
    with serving(is_tls) as (url, tls):
        for name, open_async in ASYNC.items():
            # With a loop of its own, so that it stands still while others are measured.
            loop = asyncio.new_event_loop()
            # Nobody closes the connections, which `aiohttp` would report.
            loop.set_exception_handler(lambda *_: None)
            for task, call in loop.run_until_complete(open_async(url, tls)).items():
                runs[task, name] = lambda n, loop=loop, call=call: loop.run_until_complete(
                    repeat_async(call, n)
                )
        for name, open_threads in THREADS.items():
            for task, act in open_threads(url, tls).items():
                runs[task, name] = lambda n, act=act: repeat(act, n)
        seconds: dict[tuple[str, str], list[float]] = {key: [] for key in runs}
        for _ in range(ROUNDS):
            for key, run in runs.items():
                run(20)  # what was read ahead
                start = time.process_time()
                run(EVENTS)
                seconds[key].append((time.process_time() - start) / EVENTS)
    costs: Costs = {}
    for (task, name), values in seconds.items():
        costs.setdefault(task, {})[name] = Samples(values)
    return costs


async def repeat_async(call: Callable[[], Awaitable[object]], count: int) -> None:
    """Do it so often."""
    for _ in range(count):
        await call()


def repeat(call: Callable[[], object], count: int) -> None:
    """Do it so often."""
    for _ in range(count):
        call()
