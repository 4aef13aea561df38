"""What lines do to sessions, beside the official SDK: plain and TLS. `make load` writes it down.

Each figure is for a server that reads and answers pings but says nothing, unless said otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from machine import setting
from openai import AsyncOpenAI, OpenAI
from servers import AUTHORITY, CLIENT_TLS
from websockets.http11 import Request
from websockets.server import ServerProtocol

from openai_realtime_client import ga

PER_SECOND = 50
SECONDS = 8
AUDIO = bytes(960)
BIG = {"type": "x", "text": "z" * 2**24}
PING = {"ping_interval": 1, "ping_timeout": 1}
CLOSE = {"close_timeout": 1, "max_queue": 4}
# What keeps the processor busy is measured alone.
BUSY = {"flooding", "sending", "`send`", "queue"}
GIVE_UP = 6
EVENT = b'{"type":"x"}'
FLOOD = (b"\x81" + bytes([len(EVENT)]) + EVENT) * 100


# A server in a thread, which follows a script


@dataclass
class Server:
    """The port of a server, and what it has received."""

    port: int = 0
    frames: int = 0
    behaviour: str = "silent"


@contextlib.contextmanager
def server(behaviour: str, tls: ssl.SSLContext | None) -> Iterator[Server]:
    """Serve one connection: `silent`, `dead` (reads nothing), `flood`, `half` or `many`."""
    found = Server(behaviour=behaviour)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
    found.port = listener.getsockname()[1]
    leaving = threading.Event()
    thread = threading.Thread(target=serve, args=(listener, found, tls, leaving))
    thread.start()
    try:
        yield found
    finally:
        leaving.set()
        thread.join()
        listener.close()


def serve(
    listener: socket.socket, found: Server, tls: ssl.SSLContext | None, leaving: threading.Event
) -> None:
    """Hold the one connection until the client ends it."""
    listener.settimeout(5)
    raw, _ = listener.accept()
    raw.settimeout(5)
    connection = tls.wrap_socket(raw, server_side=True) if tls else raw
    protocol = ServerProtocol(max_size=None)
    with connection, contextlib.suppress(OSError):
        while not (requests := protocol.events_received()):
            protocol.receive_data(connection.recv(2**16))
        assert isinstance(requests[0], Request)
        protocol.send_response(protocol.accept(requests[0]))
        flush(connection, protocol)
        begin(connection, protocol, found.behaviour)
        connection.settimeout(0.05)
        while not leaving.is_set():
            if found.behaviour in ("dead", "half"):
                leaving.wait(0.05)
                continue
            with contextlib.suppress(TimeoutError):
                if not (data := connection.recv(2**16)):
                    return
                protocol.receive_data(data)
                found.frames += sum(f.opcode == 1 for f in protocol.events_received())  # type: ignore[union-attr]
            if found.behaviour == "flood":
                connection.sendall(FLOOD)
                continue  # It answers no close frame.
            flush(connection, protocol)
            if protocol.close_expected():
                return


def begin(connection: socket.socket, protocol: ServerProtocol, behaviour: str) -> None:
    """What the server does first."""
    if behaviour == "many":
        for _ in range(100):
            protocol.send_text(EVENT)
    if behaviour == "half":
        protocol.send_close(1000)
    flush(connection, protocol)


def flush(connection: socket.socket, protocol: ServerProtocol) -> None:
    """Send what the protocol has to send."""
    connection.settimeout(5)
    connection.sendall(b"".join(protocol.data_to_send()))
    connection.settimeout(0.05)


# Clients


@dataclass(frozen=True)
class Client:
    """A client, its loop and its transport."""

    name: str
    is_tls: bool
    is_async: bool = True
    is_uvloop: bool = False
    is_sdk: bool = False

    def run(self, coroutine: Any) -> Any:
        """Run a coroutine in the client's loop."""
        return uvloop.run(coroutine) if self.is_uvloop else asyncio.run(coroutine)

    @contextlib.asynccontextmanager
    async def opened(self, port: int, options: dict[str, Any]) -> AsyncIterator[Any]:
        """A connection; whoever enters ends it."""
        url = f"{'wss' if self.is_tls else 'ws'}://127.0.0.1:{port}/v1"
        options = {"ssl": CLIENT_TLS, **options} if self.is_tls else options
        yield await self._open(url, options)

    async def _open(self, url: str, options: dict[str, Any]) -> Any:
        common: dict[str, Any] = {"websocket_base_url": url, "api_key": "k"}
        connector: Any
        if self.is_sdk:
            client = AsyncOpenAI(**common) if self.is_async else OpenAI(**common)
            connector = client.realtime.connect(
                model="m",
                websocket_connection_options=options,  # type: ignore[arg-type]
            )
            return await connector.enter() if self.is_async else await call(connector.enter)
        connect: Any = ga.connect if self.is_async else ga.connect_sync
        connector = connect("m", base_url=url, api_key="k", websocket_options=options)
        return await connector.open() if self.is_async else await call(connector.open)

    async def do(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a method, in a thread of its own where it blocks."""
        if self.is_async:
            return await function(*arguments)
        return await call(function, *arguments)


async def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call what blocks; a thread that never ends does not keep the process."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if not future.done():
            future.set_exception(error) if error else future.set_result(result)

    def run() -> None:
        result, failure = None, None
        try:
            result = function(*arguments)
        except BaseException as error:
            failure = error
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, daemon=True).start()
    return await future


# Measurements


async def frames_sent(client: Client) -> str:
    """How many of the frames of 8 s arrive."""
    with server("silent", tls_of(client)) as found:
        async with client.opened(found.port, {}) as connection:
            event = {"type": "input_audio_buffer.append", "audio": "A" * 1280}
            begun = time.perf_counter()
            with contextlib.suppress(asyncio.TimeoutError):
                async with timeout(SECONDS):
                    for number in range(PER_SECOND * SECONDS):
                        wait = begun + number / PER_SECOND - time.perf_counter()
                        await asyncio.sleep(max(wait, 0))
                        await client.do(connection.send, event)
            await asyncio.sleep(0.2)
            with contextlib.suppress(asyncio.TimeoutError):
                async with timeout(GIVE_UP):
                    await client.do(connection.close)
    return str(found.frames)


@contextlib.asynccontextmanager
async def timeout(seconds: float) -> AsyncIterator[None]:
    """As `asyncio.timeout`, which Python 3.10 does not have."""
    task = asyncio.current_task()
    assert task
    timer = asyncio.get_running_loop().call_later(seconds, task.cancel)
    try:
        yield
    except asyncio.CancelledError:
        raise asyncio.TimeoutError from None
    finally:
        timer.cancel()


async def noticed(client: Client, act: Callable[[Any], Awaitable[Any]]) -> str:
    """How long until a call fails that waits for a dead server."""
    with server("dead", tls_of(client)) as found:
        async with client.opened(found.port, {**PING, **CLOSE}) as connection:
            return await seconds_of(act(connection))


async def dead_receiving(client: Client) -> str:
    """How long until `recv` fails."""
    return await noticed(client, lambda connection: client.do(connection.recv))


async def dead_sending(client: Client) -> str:
    """How long until `send` fails."""

    async def send(connection: Any) -> None:
        while True:
            await client.do(connection.send, BIG)

    return await noticed(client, send)


def closing(behaviour: str) -> Callable[[Client], Awaitable[str]]:
    """How long `close` takes."""

    async def measure(client: Client) -> str:
        options = {**CLOSE, "ping_interval": None}
        sending: asyncio.Future[Any] | None = None
        with server("dead" if behaviour == "stuck" else behaviour, tls_of(client)) as found:
            async with client.opened(found.port, options) as connection:
                if behaviour == "stuck":
                    sending = asyncio.ensure_future(client.do(connection.send, BIG))
                if behaviour == "many":
                    sending = asyncio.ensure_future(client.do(connection.recv))
                await asyncio.sleep(0.3)
                taken = await seconds_of(client.do(connection.close))
                if sending:
                    sending.cancel()
                    await asyncio.gather(sending, return_exceptions=True)
        return taken

    return measure


async def seconds_of(awaitable: Awaitable[Any]) -> str:
    """How long it takes, in seconds, whatever comes of it."""
    begun = time.perf_counter()
    try:
        async with timeout(GIVE_UP):
            await awaitable
    except asyncio.TimeoutError:
        return f"over {GIVE_UP} s"
    except Exception:
        pass
    return f"{time.perf_counter() - begun:.1f} s"


MEASUREMENTS: dict[str, Callable[[Client], Awaitable[str]]] = {
    f"frames of {PER_SECOND * SECONDS} that arrive in {SECONDS} s": frames_sent,
    "dead server, while receiving": dead_receiving,
    "dead server, while sending": dead_sending,
    "close, silent server that answers": closing("silent"),
    "close, server that answers nothing": closing("dead"),
    "close, flooding server": closing("flood"),
    "close, half a close": closing("half"),
    "close, stuck in `send`": closing("stuck"),
    "close, reader busy, queue full": closing("many"),
}


def clients() -> list[Client]:
    """Every client over every transport."""
    return [
        Client(name, is_tls, **kind)
        for name, kind in (
            ("asyncio", {}),
            ("uvloop", {"is_uvloop": True}),
            ("threads", {"is_async": False}),
            ("SDK, asyncio", {"is_sdk": True}),
            ("SDK, threads", {"is_sdk": True, "is_async": False}),
        )
        for is_tls in (False, True)
    ]


SERVER_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
AUTHORITY.issue_cert("127.0.0.1").configure_cert(SERVER_TLS)


def tls_of(client: Client) -> ssl.SSLContext | None:
    """What the server needs."""
    return SERVER_TLS if client.is_tls else None


def table() -> str:
    """Measure everything, as markdown."""
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    found: dict[tuple[str, Client], str] = {}
    columns = clients()
    for name, measure in MEASUREMENTS.items():
        # Most is waiting.
        with ThreadPoolExecutor(1 if set(name.split()) & BUSY else 5) as executor:
            measured = executor.map(lambda client, of=measure: client.run(of(client)), columns)
            found |= {(name, client): each for client, each in zip(columns, measured, strict=True)}
    titles = " | ".join(f"{each.name}, {'TLS' if each.is_tls else 'plain'}" for each in columns)
    lines = [f"| | {titles} |", "| --- |" + " --: |" * len(columns)]
    for name in MEASUREMENTS:
        lines.append(f"| {name} | {' | '.join(found[name, each] for each in columns)} |")
    return "\n".join(lines)


def document() -> str:
    """The section of SESSIONS.md."""
    return f"""## Lines

Written by `benchmarks/lines.py`. {setting("websockets", "uvloop", "openai")}

20 ms of audio {PER_SECOND} times a second, to a server that says nothing. A dead server neither
reads nor answers: `ping_interval` and `ping_timeout` are 1 s, so it is to be noticed within 2 s.
`close` has a `close_timeout` of 1 s, and no pings. Measuring gives up after {GIVE_UP} s.

{table()}
"""


if __name__ == "__main__":
    text = document()
    print(text)
    path = Path(__file__).parent / "SESSIONS.md"
    before = path.read_text("utf-8").partition("## Lines")[0].rstrip()
    path.write_text(f"{before}\n\n{text}", "utf-8")
