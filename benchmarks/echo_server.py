"""The server of `sessions.py`, in a process of its own: it answers each append with a delta."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from contextlib import suppress

from websockets.asyncio.server import ServerConnection, serve

# 64 ms of PCM16 at 24 kHz, as base64.
DELTA = "A" * 4096
CREATED = '{"type":"session.created","event_id":"e0","session":{"type":"realtime","id":"s"}}'


def answer(message: str) -> str:
    """The delta that carries the number of what was appended."""
    number = json.loads(message)["event_id"]
    return (
        f'{{"type":"response.output_audio.delta","event_id":"{number}","response_id":"r",'
        f'"item_id":"i","output_index":0,"content_index":0,"delta":"{DELTA}"}}'
    )


async def talk(socket: ServerConnection) -> None:
    """Hold one session."""
    await socket.send(CREATED)
    async for message in socket:
        assert isinstance(message, str)
        await socket.send(answer(message))


async def main() -> None:
    """Serve until standard input ends; the first line of the output is the port.

    Over TLS if there is an argument: the path of its key and certificate.
    """
    tls = None
    if len(sys.argv) > 1:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[1])
    # The backlog holds all the sessions that are opened at once.
    options = {"compression": None, "backlog": 1024, "ssl": tls}
    async with serve(talk, "127.0.0.1", 0, **options) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(input)


if __name__ == "__main__":
    with suppress(EOFError):
        asyncio.run(main())
