"""The other end of a connection, which reads and sends only on request."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from websockets.frames import Frame
from websockets.http11 import Request
from websockets.server import ServerProtocol

import transports
from connections import QUIET, url_of


class Peer:
    """The other end of one connection, which reads and sends only on request."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._wire = transports.Wire()
        self.url = url_of(listener) + "/v1"
        self.protocol = ServerProtocol(max_size=None, logger=QUIET)
        self.socket = socket.socket()

    @property
    def is_connected(self) -> bool:
        """Whether this end has not been closed."""
        return self.socket.fileno() >= 0

    async def accept(self) -> None:
        await self.accept_transport()
        self.protocol.receive_data(self._wire.decoded(b""))  # It may have come with the handshake.
        while not (requests := self.protocol.events_received()):
            await self.receive()
        [request] = requests
        assert isinstance(request, Request)
        self.protocol.send_response(self.protocol.accept(request))
        await self.flush()

    async def accept_transport(self) -> None:
        self.socket.close()
        self.socket, _ = await asyncio.get_running_loop().sock_accept(self._listener)
        await self._wire.open(self.socket)

    async def receive(self) -> None:
        """Read once, and let the protocol have it."""
        data = await asyncio.get_running_loop().sock_recv(self.socket, 2**16)
        if not data:
            raise ConnectionError
        self.protocol.receive_data(self._wire.decoded(data))

    async def readable(self) -> None:
        """Wait until something was sent."""
        ready = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self.socket, ready.set)
        await ready.wait()
        loop.remove_reader(self.socket)

    def taken(self) -> list[Frame]:
        """The whole frames that the operating system has taken from the client."""
        self.socket.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            while data := self.socket.recv(2**20):
                self.protocol.receive_data(self._wire.decoded(data))
        self.socket.setblocking(False)
        return [event for event in self.protocol.events_received() if isinstance(event, Frame)]

    async def send(self, text: bytes) -> None:
        self.protocol.send_text(text)
        await self.flush()

    async def flush(self) -> None:
        """Send what the protocol has to send."""
        await self.write(b"".join(self.protocol.data_to_send()))

    async def write(self, data: bytes) -> None:
        """Send bytes past the protocol."""
        await self.write_raw(self._wire.encoded(data))

    async def write_raw(self, data: bytes) -> None:
        """Send bytes past TLS."""
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    def cut(self) -> None:
        self.socket.close()


HALF_A_RECORD = b"\x17\x03\x03\x40\x00half"


class HalfRecord(Peer):
    """Answers the handshake with half a record of TLS."""

    async def accept(self) -> None:
        await self.accept_transport()
        await self.write_raw(HALF_A_RECORD)


def small_listener() -> socket.socket:
    """A listener whose connections take little before they are read."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**16)
    return listener


@contextlib.asynccontextmanager
async def peer(kind: type[Peer] = Peer) -> AsyncIterator[Peer]:
    """A `Peer` that takes little before it reads."""
    with small_listener() as listener:
        listener.setblocking(False)
        other = kind(listener)
        accepting = asyncio.create_task(other.accept())
        # So that a test that fails ends, even where the client waits for what never comes.
        ending = asyncio.get_running_loop().call_later(20, other.cut)
        try:
            yield other
        finally:
            ending.cancel()
            other.cut()
            accepting.cancel()


@contextlib.asynccontextmanager
async def answering_pings(other: Peer) -> AsyncIterator[list[Frame]]:
    """A peer that reads and answers pings and close frames, and says nothing else."""
    frames: list[Frame] = []

    async def read() -> None:
        with contextlib.suppress(OSError):
            while True:
                await other.receive()
                frames.extend(f for f in other.protocol.events_received() if isinstance(f, Frame))
                await other.flush()
                if other.protocol.close_expected():
                    other.cut()

    reading = asyncio.create_task(read())
    try:
        yield frames
    finally:
        reading.cancel()
        await asyncio.wait([reading])
