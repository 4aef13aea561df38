"""The server of the benchmarks, in a process of its own; the path says what it does.

`/flood` sends audio deltas as fast as they are taken, `/sink` drops what it receives, and any other
path answers each append with a delta.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from contextlib import suppress

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

# 64 ms of PCM16 at 24 kHz, as base64.
DELTA = "A" * 4096
CREATED = '{"type":"session.created","event_id":"e0","session":{"type":"realtime","id":"s"}}'
FLOOD_EVENTS = 25


def delta(event_id: str) -> str:
    """A delta of 4 KB, that carries the id of what was appended."""
    return (
        f'{{"type":"response.output_audio.delta","event_id":"{event_id}","response_id":"r",'
        f'"item_id":"i","output_index":0,"content_index":0,"delta":"{DELTA}"}}'
    )


async def talk(socket: ServerConnection) -> None:
    """Hold one session."""
    assert socket.request
    if socket.request.path.startswith("/flood"):
        await flood(socket)
    elif socket.request.path.startswith("/sink"):
        # Below `websockets`, so that the client is never waiting for the server.
        socket.transport.set_protocol(Sink())
        socket.transport.resume_reading()
        await asyncio.Future()
    else:
        with suppress(ConnectionClosed):
            await echo(socket)


async def echo(socket: ServerConnection) -> None:
    """Answer each append."""
    await socket.send(CREATED)
    async for message in socket:
        await socket.send(delta(json.loads(message)["event_id"]))


async def flood(socket: ServerConnection) -> None:
    """Send deltas until the client has gone."""
    frame = Frame(Opcode.TEXT, delta("e").encode()).serialize(mask=False)
    socket.transport.set_write_buffer_limits(FLOOD_EVENTS * len(frame))
    while not socket.transport.is_closing():
        socket.transport.write(frame * FLOOD_EVENTS)
        await socket.drain()


class Sink(asyncio.Protocol):
    """Reads, and does nothing with it."""


async def main() -> None:
    """Serve until standard input ends; the first line of the output is the port.

    Over TLS if there is an argument: the path of its key and certificate.
    """
    tls = None
    if len(sys.argv) > 1:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[1])
    # The backlog holds all the sessions that are opened at once. A client that is not measured at
    # the moment answers no pings.
    options = {"compression": None, "backlog": 1024, "ssl": tls, "ping_interval": None}
    async with serve(talk, "127.0.0.1", 0, **options) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(input)


if __name__ == "__main__":
    with suppress(EOFError):
        asyncio.run(main())
