"""Clients of a session: the package and its peers, each used as its own documentation says."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import picows
import uvloop
import websockets.asyncio.client
import websockets.sync.client
from openai import AsyncOpenAI, OpenAI

from openai_realtime_client import ga

RECEIVE, READY, SEND, DICT, SEND_AUDIO = (
    "receive",
    "send what is ready",
    "construct and send",
    "send a dictionary",
    "`send_audio`",
)
BARE, OURS, SDK = "`websockets`", "ours", "SDK"
BARE_THREADS, OURS_THREADS, SDK_THREADS = (f"{name}, threads" for name in (BARE, OURS, SDK))
BARE_UVLOOP, OURS_UVLOOP = (f"{name}, uvloop" for name in (BARE, OURS))
JSON = "`websockets`, `json`"
AIOHTTP, PICOWS = "`aiohttp`, our parser", "`picows`, our parser"

Trust = ssl.SSLContext | None
# What can be done with an open connection. A coroutine function, unless it is one for threads.
Tasks = dict[str, Callable[[], Any]]
Append = ga.RealtimeClientEventInputAudioBufferAppend


@dataclass(frozen=True)
class Peer:
    """How a client opens a connection, and what it does with one."""

    open: Callable[[str, Trust], Any]
    tasks: Callable[[Any, str], Tasks]
    loop: Callable[[], asyncio.AbstractEventLoop] | None = asyncio.new_event_loop


# No pings: a client that is not measured at the moment answers none.
OPTIONS: dict[str, Any] = {"compression": None, "max_size": 2**26, "ping_interval": None}


async def open_bare(url: str, tls: Trust) -> Any:
    """`websockets`."""
    return await websockets.asyncio.client.connect(url, ssl=tls, proxy=None, **OPTIONS)


def open_bare_threads(url: str, tls: Trust) -> Any:
    """The same for threads."""
    return websockets.sync.client.connect(url, ssl=tls, proxy=None, **OPTIONS).__enter__()


def bare(socket: Any, audio: str) -> Tasks:
    """Bytes in, text that is ready out; and what an event, or base64, costs at least."""
    text = json.dumps(dictionary(audio))
    data = base64.b64decode(audio)
    head, tail = text.split(audio)
    return {
        RECEIVE: lambda: socket.recv(decode=False),
        READY: lambda: socket.send(text),
        SEND: lambda: socket.send(Append(event_id="0", audio=audio).to_json()),
        SEND_AUDIO: lambda: socket.send(head + base64.b64encode(data).decode() + tail),
    }


def with_json(socket: Any, audio: str) -> Tasks:
    """Dictionaries in and out, by the standard library."""

    async def receive() -> object:
        return json.loads(await socket.recv())

    event = dictionary(audio)
    return {RECEIVE: receive, DICT: lambda: socket.send(json.dumps(event))}


async def open_ours(url: str, tls: Trust) -> Any:
    """The package."""
    return await ga.connect("m", base_url=url, api_key="", websocket_options=with_tls(tls)).open()


def open_ours_threads(url: str, tls: Trust) -> Any:
    """The same for threads."""
    return ga.connect_sync("m", base_url=url, api_key="", websocket_options=with_tls(tls)).open()


def ours(connection: Any, audio: str) -> Tasks:
    """Typed events in and out."""
    ready, event, data = (
        Append(event_id="0", audio=audio),
        dictionary(audio),
        base64.b64decode(audio),
    )
    return {
        RECEIVE: connection.recv,
        READY: lambda: connection.send(ready),
        SEND: lambda: connection.send(Append(event_id="0", audio=audio)),
        DICT: lambda: connection.send(event),
        SEND_AUDIO: lambda: connection.send_audio(data),
    }


async def open_sdk(url: str, tls: Trust) -> Any:
    """The official SDK."""
    client = AsyncOpenAI(api_key="k", websocket_base_url=url)
    options: Any = {"proxy": None, **with_tls(tls)}
    return await client.realtime.connect(model="m", websocket_connection_options=options).enter()


def open_sdk_threads(url: str, tls: Trust) -> Any:
    """The same for threads."""
    client = OpenAI(api_key="k", websocket_base_url=url)
    options: Any = {"proxy": None, **with_tls(tls)}
    return client.realtime.connect(model="m", websocket_connection_options=options).enter()


def sdk(connection: Any, audio: str) -> Tasks:
    """Typed events in, dictionaries out."""
    event = dictionary(audio)
    return {
        RECEIVE: connection.recv,
        SEND: lambda: connection.input_audio_buffer.append(event_id="0", audio=audio),
        DICT: lambda: connection.send(event),
    }


def dictionary(audio: str) -> dict[str, str]:
    """An append as a dictionary."""
    return {"type": "input_audio_buffer.append", "event_id": "0", "audio": audio}


def with_tls(tls: Trust) -> dict[str, Any]:
    """The options of `websockets` that the package and the SDK pass on."""
    return {"ping_interval": None, **({"ssl": tls} if tls else {})}


async def open_aiohttp(url: str, tls: Trust) -> Any:
    """What the package could be with aiohttp below it."""
    return await aiohttp.ClientSession().ws_connect(url, ssl=tls or True, max_msg_size=0)


def aiohttp_tasks(socket: Any, audio: str) -> Tasks:
    """Typed events in and out."""

    async def receive() -> object:
        return ga.parse_server_event((await socket.receive()).data)

    return {
        RECEIVE: receive,
        SEND: lambda: socket.send_str(Append(event_id="0", audio=audio).to_json()),
    }


async def open_picows(url: str, tls: Trust) -> Any:
    """What the package could be with picows below it."""
    _, listener = await picows.ws_connect(Listener, url, ssl_context=tls)
    return listener


def picows_tasks(listener: Listener, audio: str) -> Tasks:
    """Typed events in and out."""

    async def send() -> None:
        data = Append(event_id="0", audio=audio).to_json().encode()
        listener.websocket.send(picows.WSMsgType.TEXT, data)
        await listener.writable.wait()

    return {RECEIVE: listener.receive, SEND: send}


class Listener(picows.WSListener):
    """The queue and the flow control that picows leaves to its users."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[bytes] = asyncio.Queue()
        self.writable = asyncio.Event()
        self.writable.set()
        self.is_reading = True

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Keep the transport, and the one below."""
        self.websocket, self.transport = transport, transport.underlying_transport
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
        data = await self.events.get()
        if not self.is_reading and self.events.qsize() < 4:
            self.is_reading = True
            self.transport.resume_reading()
        return ga.parse_server_event(data)


PEERS = {
    BARE: Peer(open_bare, bare),
    JSON: Peer(open_bare, with_json),
    OURS: Peer(open_ours, ours),
    SDK: Peer(open_sdk, sdk),
    BARE_UVLOOP: Peer(open_bare, bare, uvloop.new_event_loop),
    OURS_UVLOOP: Peer(open_ours, ours, uvloop.new_event_loop),
    AIOHTTP: Peer(open_aiohttp, aiohttp_tasks),
    PICOWS: Peer(open_picows, picows_tasks),
    BARE_THREADS: Peer(open_bare_threads, bare, None),
    OURS_THREADS: Peer(open_ours_threads, ours, None),
    SDK_THREADS: Peer(open_sdk_threads, sdk, None),
}
