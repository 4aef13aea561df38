"""The server of the benchmarks, in a process of its own; the path says what it does.

`/flood` sends audio deltas as fast as they are taken, `/sink` drops what it receives, and any other
path answers each append with a delta.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import resource
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import trustme
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

# 64 ms of PCM16 at 24 kHz, as base64.
DELTA = "A" * 4096
CREATED = '{"type":"session.created","event_id":"e0","session":{"type":"realtime","id":"s"}}'
FLOOD_EVENTS = 25
# Of a session: 20 ms of audio 50 times a second.
PER_SECOND = 50
AUDIO = base64.b64encode(bytes(960)).decode()


@contextmanager
def serving(is_tls: bool) -> Iterator[tuple[str, ssl.SSLContext | None]]:
    """Run a server in another process; yield its URL and the TLS context that trusts it."""
    authority = trustme.CA()
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    command = [sys.executable, __file__]
    with tempfile.TemporaryDirectory() as folder:
        if is_tls:
            path = Path(folder) / "server.pem"
            chain = authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem
            chain.write_to_path(str(path))
            command.append(str(path))
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, text=True, **pipes) as process:
            assert process.stdout
            address = f"127.0.0.1:{process.stdout.readline().strip()}"
            try:
                yield (f"wss://{address}", trust) if is_tls else (f"ws://{address}", None)
            finally:
                process.terminate()


def allow_sockets() -> None:
    """Let this process open as many files as the system allows."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def paced(seconds: int) -> AsyncIterator[int]:
    """Count what a session sends, at the pace of real time."""
    # All sessions start in the same 20 ms, but not at the same moment.
    start = time.perf_counter() + random.random() / PER_SECOND
    for number in range(seconds * PER_SECOND):
        await asyncio.sleep(max(start + number / PER_SECOND - time.perf_counter(), 0))
        yield number


async def talk(socket: ServerConnection) -> None:
    """Hold one session."""
    assert socket.request
    if socket.request.path.startswith("/flood"):
        await flood(socket)
    elif socket.request.path.startswith("/sink"):
        # Below `websockets`, so that the client is never waiting for the server.
        socket.transport.set_protocol(asyncio.Protocol())
        socket.transport.resume_reading()
        await asyncio.Future()
    else:
        with suppress(ConnectionClosed):
            await answer(socket)


async def answer(socket: ServerConnection) -> None:
    """Answer each append with a delta of 4 KB, which carries its id."""
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


def delta(event_id: str) -> str:
    """Make the text of a delta."""
    return (
        f'{{"type":"response.output_audio.delta","event_id":"{event_id}","response_id":"r",'
        f'"item_id":"i","output_index":0,"content_index":0,"delta":"{DELTA}"}}'
    )


async def main() -> None:
    """Serve until standard input ends; the first line of the output is the port.

    Over TLS if there is an argument: the path of its key and certificate.
    """
    allow_sockets()
    tls = None
    if len(sys.argv) > 1:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[1])
    # The backlog holds all the sessions that are opened at once. A client that is not measured at
    # the moment answers no pings.
    options = {"compression": None, "backlog": 1024, "ssl": tls, "ping_interval": None}
    async with serve(talk, "127.0.0.1", 0, **options) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        with suppress(EOFError):
            await asyncio.to_thread(input)


if __name__ == "__main__":
    asyncio.run(main())
