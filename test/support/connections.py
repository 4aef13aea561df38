"""Sessions over each kind of connection and transport, and the servers they talk to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from inspect import iscoroutinefunction
from types import ModuleType
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

import transports
from openai_realtime_client import (
    AsyncConnection,
    Connection,
    ConnectionClosedError,
    ConnectionFailedError,
    ga,
    v1,
)

KEY = "sk-test-0123456789abcdefghij"
CHUNK = 96 * 1024
EVENT = {"type": "not.published.yet", "event_id": "e1", "a": [1, None, {"b": "é"}]}
AUDIO = bytes(range(256)) * (3 * CHUNK // 256 + 1)


@dataclass(frozen=True)
class Kind:
    """A `connect` function: of a protocol, for asyncio or threads, over a transport."""

    protocol: ModuleType
    is_async: bool
    name: str = "connect"
    is_tls: bool = False
    is_uvloop: bool = False

    @property
    def is_beta(self) -> bool:
        return self.protocol is v1

    @property
    def path(self) -> str:
        return "/realtime/translations" if "translation" in self.name else "/realtime"

    @property
    def connect(self) -> Callable[..., Any]:
        """The function itself."""
        name = self.name if self.is_async else f"{self.name}_sync"
        connect: Callable[..., Any] = getattr(self.protocol, name)
        return connect

    def __str__(self) -> str:
        protocol = "v1" if self.is_beta else "ga"
        loop = "uvloop" if self.is_uvloop else "asyncio" if self.is_async else "threads"
        return f"{protocol}-{self.name}-{loop}-{'tls' if self.is_tls else 'plain'}"


# Both kinds of programs, over TLS, as programs run.
PROGRAMS = [Kind(ga, is_async, is_tls=True) for is_async in (True, False)]
PROTOCOL_KINDS = [*PROGRAMS, Kind(v1, is_async=False)]
TRANSLATIONS = [replace(kind, name="connect_translation") for kind in PROGRAMS]
# What depends on the event loop, or on the buffers of TLS.
PLAIN, UVLOOP = Kind(ga, is_async=True), replace(PROGRAMS[0], is_uvloop=True)

# It hands records to no one.
LOOP = asyncio.get_running_loop
QUIET = logging.Logger("quiet", logging.CRITICAL)
Handler = Callable[[ServerConnection], Awaitable[None]]
AnyConnection = AsyncConnection[Any, Any] | Connection[Any, Any]
for_protocols = pytest.mark.parametrize("kind", PROTOCOL_KINDS, ids=str)
for_loops = pytest.mark.parametrize("kind", [*PROGRAMS, PLAIN, UVLOOP], ids=str)
for_asyncio = pytest.mark.parametrize("kind", PROGRAMS[:1], ids=str)
for_transports = pytest.mark.parametrize("kind", [PROGRAMS[0], PLAIN], ids=str)
for_threads = pytest.mark.parametrize("kind", PROGRAMS[1:], ids=str)
for_translations = pytest.mark.parametrize("kind", TRANSLATIONS, ids=str)


async def limited(test: Awaitable[None]) -> None:
    """Run a test that is a coroutine; it may leave no task."""
    await asyncio.wait_for(test, 20)
    # So that those end that have been cancelled.
    await turns(3)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def turns(count: int) -> None:
    """Let everything else that is ready have so many turns."""
    for _ in range(count):
        await asyncio.sleep(0)


async def in_thread(function: Callable[..., Any], *args: Any) -> Any:
    """What a function gives that blocks; it does not keep a test that fails from ending."""
    future: Future[Any] = Future()

    def run() -> None:
        future.set_running_or_notify_cancel()
        try:
            result = function(*args)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        result = await asyncio.wrap_future(future)
    finally:
        if future.done():
            thread.join()
    return result


async def do(function: Callable[..., Any], *args: Any) -> Any:
    """Call what is a coroutine function, or blocks."""
    if iscoroutinefunction(function):
        return await function(*args)
    return await in_thread(function, *args)


async def rest(connection: AnyConnection) -> list[Any]:
    """Iterate to the end."""
    if isinstance(connection, AsyncConnection):
        return [event async for event in connection]
    events: list[Any] = await in_thread(list, connection)
    return events


async def until(connection: AnyConnection, name: str) -> Any:
    """The next event of a type."""
    while True:
        event = await do(connection.recv)
        if event.type == name:
            return event
        assert event.type != "error", event


@contextlib.asynccontextmanager
async def entered(connector: Any, is_async: bool) -> AsyncIterator[Any]:
    """`async with connector`, or in a thread of its own `with connector`."""
    if is_async:
        async with connector as connection:
            yield connection
        return
    opened: Future[Any] = Future()
    leaving = threading.Event()

    def hold() -> None:
        with connector as connection:
            opened.set_result(connection)
            leaving.wait()

    holding = asyncio.create_task(in_thread(hold))
    entering = asyncio.wrap_future(opened)
    await asyncio.wait([holding, entering], return_when=asyncio.FIRST_COMPLETED)
    if not entering.done():
        await holding
    try:
        yield entering.result()
    finally:
        leaving.set()
        await holding


def opened(
    kind: Kind, base_url: str, *, options: dict[str, Any] | None = None, **kwargs: Any
) -> contextlib.AbstractAsyncContextManager[Any]:
    """A session. What does not answer is not waited for long at its end."""
    kwargs = {"base_url": base_url, "api_key": KEY, **kwargs}
    connector = kind.connect(websocket_options={"close_timeout": 1, **(options or {})}, **kwargs)
    return entered(connector, kind.is_async)


async def error_of(
    kind: type[BaseException], function: Callable[..., Any], *args: Any
) -> BaseException:
    """What a call raises, which must be exactly a `kind`."""
    with pytest.raises(kind) as caught:
        await do(function, *args)
    assert caught.type is kind
    return caught.value


async def within(seconds: float, awaitable: Awaitable[Any]) -> Any:
    """Wait, with far more patience than what is promised."""
    return await asyncio.wait_for(awaitable, seconds + 3)


@contextlib.asynccontextmanager
async def serving(handler: Handler, **options: Any) -> AsyncIterator[str]:
    """The base URL of a WebSocket server, where nothing of ours is in the way."""
    options = {"logger": QUIET, "compression": None, "close_timeout": 1, **options}
    async with serve(handler, "127.0.0.1", 0, ssl=transports.context(), **options) as server:
        yield f"{transports.scheme('ws')}://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/v1"


def sends(*messages: str | bytes | dict[str, Any], close: int | None = 1000) -> Handler:
    """A server that sends messages and closes; a dictionary is sent as JSON."""

    async def handler(connection: ServerConnection) -> None:
        for message in messages:
            await connection.send(
                json.dumps(message) if isinstance(message, dict) else message, text=True
            )
        if close is not None:
            await connection.close(close)
        await connection.wait_closed()

    return handler


def collects(received: list[Any]) -> Handler:
    """A server that keeps what it receives, as JSON, and answers each with an event."""

    async def handler(connection: ServerConnection) -> None:
        async for message in connection:
            assert isinstance(message, str)
            received.append(json.loads(message))
            await connection.send('{"type":"got"}')

    return handler


async def waits(connection: ServerConnection) -> None:
    await connection.wait_closed()


def closing(code: int) -> Handler:
    async def handler(connection: ServerConnection) -> None:
        await connection.close(code, f"Wrong: {KEY}.")

    return handler


@contextlib.asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """A server with one answer for everything, after which it closes."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read(2**16)
            writer.write(answer)
            writer.close()
            await writer.wait_closed()

    tls = transports.context()
    async with await asyncio.start_server(handler, "127.0.0.1", 0, ssl=tls) as server:
        yield f"{transports.scheme('ws')}://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@contextlib.asynccontextmanager
async def holding() -> AsyncIterator[tuple[str, asyncio.Event, asyncio.Event]]:
    """A server that does not answer: its URL, and the events that a client came, and left."""
    came, left = asyncio.Event(), asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()
        left.set()

    tls = transports.context()
    async with await asyncio.start_server(handler, "127.0.0.1", 0, ssl=tls) as server:
        try:
            yield (
                f"{transports.scheme('ws')}://127.0.0.1:{server.sockets[0].getsockname()[1]}",
                came,
                left,
            )
        finally:
            if came.is_set():
                await left.wait()


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


async def refusal(kind: Kind, url: str, **options: Any) -> ConnectionFailedError:
    connector = kind.connect(base_url=url, api_key=KEY, websocket_options=options)
    with pytest.raises(ConnectionFailedError) as caught:
        await do(connector.open)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    return caught.value


class _Any(str):
    """Equals every string, and is in each."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)

    __hash__ = str.__hash__


ANY_REASON = _Any()


def assert_closed(
    error: BaseException, code: int, reason: str = "", unsent: str | None = None, sent: int = 0
) -> None:
    assert isinstance(error, ConnectionClosedError)
    found = (error.code, error.reason, error.unsent, error.audio_sent)
    assert found == (code, reason, unsent, sent)
    assert str(code) in str(error)
    assert reason in str(error)
    assert (unsent or "") in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None


async def assert_over(
    connection: AnyConnection, kind: type[BaseException], code: int, reason: str = ""
) -> None:
    """Nothing can be received or sent any more, and each attempt says why."""
    assert_closed(await error_of(kind, connection.recv), code, reason)
    assert_closed(await error_of(kind, connection.send, EVENT), code, reason, EVENT["type"])
    error = await error_of(kind, connection.send_audio, AUDIO)
    assert_closed(error, code, reason, "input_audio_buffer.append")
