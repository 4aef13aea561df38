"""Sessions over each kind of connection and transport, and the servers they talk to."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from inspect import iscoroutinefunction
from types import ModuleType
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

import transports
from exposure import KEY
from openai_realtime_client import (
    AsyncConnection,
    ConnectionClosedError,
    ConnectionFailedError,
    ga,
    v1,
)

CHUNK = 96 * 1024
EVENT = {"type": "not.published.yet", "event_id": "e1", "a": [1, None, {"b": "é"}]}
AUDIO = bytes(range(256)) * (3 * CHUNK // 256 + 1)
# More than the system takes while nobody reads: twice what Linux lets a socket have.
LARGE: dict[str, Any] = {"type": "x", "number": 5, "a": "z" * 2**23}


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
        loop = "asyncio" if self.is_async else "threads"
        words = ["v1" if self.is_beta else "ga", self.name, "uvloop" if self.is_uvloop else loop]
        return "-".join([*words, "tls" if self.is_tls else "plain"])


# Both kinds of programs, over TLS, as programs run.
ASYNC, THREADS = PROGRAMS = [Kind(ga, is_async, is_tls=True) for is_async in (True, False)]
V1 = Kind(v1, is_async=False)
TRANSLATION = Kind(ga, is_async=True, name="connect_translation", is_tls=True)
# What depends on the event loop, or on the buffers of TLS.
PLAIN, UVLOOP = Kind(ga, is_async=True), Kind(ga, is_async=True, is_tls=True, is_uvloop=True)

# It hands records to no one.
QUIET = logging.Logger("quiet", logging.CRITICAL)
Handler = Callable[[ServerConnection], Awaitable[None]]
for_protocols = pytest.mark.parametrize("kind", [ASYNC, V1], ids=str)
for_dialects = pytest.mark.parametrize("kind", [ASYNC, V1, TRANSLATION], ids=str)
for_loops = pytest.mark.parametrize("kind", [*PROGRAMS, PLAIN, UVLOOP], ids=str)
for_asyncio = pytest.mark.parametrize("kind", [ASYNC], ids=str)
for_threads = pytest.mark.parametrize("kind", [THREADS], ids=str)


async def limited(test: Awaitable[None]) -> None:
    """Run a test that is a coroutine; it may leave no task."""
    await asyncio.wait_for(test, 60)
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


class Session:
    """A connection of either kind; all its methods are coroutine functions."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.connection, name)
        if callable(found):
            return functools.partial(do, found)
        return found

    def __repr__(self) -> str:
        return repr(self.connection)

    async def rest(self) -> list[Any]:
        """Iterate to the end."""
        if isinstance(self.connection, AsyncConnection):
            return [event async for event in self.connection]
        events: list[Any] = await in_thread(list, self.connection)
        return events

    async def until(self, name: str) -> Any:
        """The next event of a type."""
        while True:
            event = await self.recv()
            if event.type == name:
                return event
            assert event.type != "error", event


@contextlib.asynccontextmanager
async def entered(connector: Any) -> AsyncIterator[Session]:
    """`async with connector`, or with threads `with connector`."""
    if hasattr(connector, "__aenter__"):
        async with connector as connection:
            yield Session(connection)
        return
    connection = await in_thread(connector.__enter__)
    try:
        yield Session(connection)
    finally:
        await in_thread(connector.__exit__, None, None, None)


def opened(
    kind: Kind, base_url: str, *, options: dict[str, Any] | None = None, **kwargs: Any
) -> contextlib.AbstractAsyncContextManager[Session]:
    """A session. What does not answer is not waited for long at its end."""
    kwargs = {"base_url": base_url, "api_key": KEY, **kwargs}
    connector = kind.connect(websocket_options={"close_timeout": 1, **(options or {})}, **kwargs)
    return entered(connector)


async def error_of(kind: type[BaseException], awaitable: Awaitable[Any]) -> Any:
    """What a call raises, which must be exactly a `kind`."""
    with pytest.raises(kind) as caught:
        await awaitable
    assert caught.type is kind
    return caught.value


async def soon(awaitable: Awaitable[Any]) -> Any:
    """Wait for what ends by itself, with patience for a slow machine."""
    return await asyncio.wait_for(awaitable, 15)


@contextlib.asynccontextmanager
async def serving(handler: Handler, **options: Any) -> AsyncIterator[str]:
    """The base URL of a WebSocket server, where nothing of ours is in the way."""
    options = {"logger": QUIET, "compression": None, "close_timeout": 1, **options}
    async with serve(handler, "127.0.0.1", 0, ssl=transports.context(), **options) as server:
        yield f"{url_of(next(iter(server.sockets)))}/v1"


def url_of(listener: Any) -> str:
    return f"{transports.scheme('ws')}://127.0.0.1:{listener.getsockname()[1]}"


def sends(
    *messages: str | bytes | dict[str, Any], close: int | None = 1000, reason: str = ""
) -> Handler:
    """A server that sends messages and closes; a dictionary is sent as JSON."""

    async def handler(connection: ServerConnection) -> None:
        for message in messages:
            text = json.dumps(message) if isinstance(message, dict) else message
            await connection.send(text, text=True)
        if close is not None:
            await connection.close(close, reason)
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


@contextlib.asynccontextmanager
async def answering(answer: bytes | None, came: asyncio.Event | None = None) -> AsyncIterator[str]:
    """A server that closes after one answer for everything, or with `None` when the client does.

    `came` is set when a client comes. Leaving waits for the clients to leave.
    """

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if came is not None:
            came.set()
        with contextlib.suppress(OSError):
            if answer is None:
                await reader.read()
            else:
                await reader.read(2**16)
                writer.write(answer)
            writer.close()
            await writer.wait_closed()
        left.set()

    left = asyncio.Event()
    tls = transports.context()
    async with await asyncio.start_server(handler, "127.0.0.1", 0, ssl=tls) as server:
        yield url_of(server.sockets[0])
        if came is not None and came.is_set():
            await left.wait()


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


async def refusal(kind: Kind, url: str, **options: Any) -> Any:
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
    for shown in (str(code), reason, unsent or ""):
        assert shown in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None


async def assert_over(
    connection: Session, kind: type[BaseException], code: int, reason: str = ""
) -> None:
    """Nothing can be received or sent any more, and each attempt says why."""
    assert_closed(await error_of(kind, connection.recv()), code, reason)
    assert_closed(await error_of(kind, connection.send(EVENT)), code, reason, EVENT["type"])
    error = await error_of(kind, connection.send_audio(AUDIO))
    assert_closed(error, code, reason, "input_audio_buffer.append")
