"""Sessions over WebSocket: each behaviour in both protocols, for asyncio and for threads."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
import functools
import gc
import json
import logging
import os
import pickle
import signal
import socket
import threading
import time
import traceback
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from inspect import iscoroutinefunction
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import pytest
import uvloop
import websockets
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

import http_server
import openai_realtime_client
import transports
from http_server import Answer, json_answer
from kinds import Kind
from openai_realtime_client import (
    AsyncConnection,
    Connection,
    ConnectionClosedError,
    ConnectionFailedError,
    ConnectionLostError,
    ConnectionSettingsError,
    HandshakeRefusedError,
    InvalidEventError,
    InvalidKeyError,
    MessageTooBigError,
    ProtocolRefusedError,
    RealtimeConnectionError,
    SessionExpiredError,
    UnknownEvent,
    azure,
    ga,
)
from openai_realtime_client.testing import Faults
from protocols import DRAWN, PROTOCOLS
from transports import HttpServer, ReplayServer

KEY = "sk-test-0123456789abcdefghij"
CHUNK = 96 * 1024
EVENT = {"type": "not.published.yet", "event_id": "e1", "a": [1, None, {"b": "é"}]}


@dataclass(frozen=True)
class Wired(Kind):
    """A `connect` function, over a transport and in an event loop."""

    is_tls: bool = False
    is_uvloop: bool = False

    def __str__(self) -> str:
        loop = "-uvloop" if self.is_uvloop else ""
        return f"{super().__str__()}{loop}-{'tls' if self.is_tls else 'plain'}"


def over(*transports: bool, **kwargs: Any) -> list[Wired]:
    """For asyncio and for threads, over plain TCP (false) or TLS (true)."""
    arguments = {"protocol": ga, **kwargs}
    return [
        Wired(is_async=is_async, is_tls=is_tls, **arguments)
        for is_tls in transports
        for is_async in (True, False)
    ]


# Protocols differ in little that concerns connections: one of them goes over each transport.
KINDS = over(False, True)
PROTOCOL_KINDS = over(False, protocol=openai_realtime_client.v1) + over(True)
TRANSLATIONS = over(True, name="connect_translation")
ASYNC = [kind for kind in KINDS if kind.is_async]
THREADS = [kind for kind in KINDS if not kind.is_async]
UVLOOP = [replace(kind, is_uvloop=True) for kind in ASYNC]

# It hands records to no one.
LOOP = asyncio.get_running_loop
QUIET = logging.Logger("quiet", logging.CRITICAL)

Handler = Callable[[ServerConnection], Awaitable[None]]
AnyConnection = AsyncConnection[Any, Any] | Connection[Any, Any]

for_protocols = pytest.mark.parametrize("kind", PROTOCOL_KINDS, ids=str)
for_loops = pytest.mark.parametrize("kind", KINDS + UVLOOP, ids=str)
for_asyncio = pytest.mark.parametrize("kind", ASYNC, ids=str)
for_threads = pytest.mark.parametrize("kind", THREADS, ids=str)
for_translations = pytest.mark.parametrize("kind", TRANSLATIONS, ids=str)


def scenario(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is a coroutine function; it may leave no task."""

    async def limited(*args: Any, **kwargs: Any) -> None:
        await asyncio.wait_for(test(*args, **kwargs), 20)
        # So that those end that have been cancelled.
        await turns(3)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        kind = kwargs.get("kind")
        run = uvloop.run if isinstance(kind, Wired) and kind.is_uvloop else asyncio.run
        run(limited(*args, **kwargs))

    return run


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


class Peer:
    """The other end of one connection, which reads and sends only when it is told to."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._wire = transports.Wire()
        self.url = f"{transports.scheme('ws')}://127.0.0.1:{listener.getsockname()[1]}/v1"
        self.protocol = ServerProtocol(max_size=None, logger=QUIET)
        self.socket = socket.socket()

    async def accept(self) -> None:
        loop = asyncio.get_running_loop()
        self.socket.close()
        self.socket, _ = await loop.sock_accept(self._listener)
        await self._wire.open(self.socket)
        self.protocol.receive_data(self._wire.decoded(b""))  # It may have come with the handshake.
        while not (requests := self.protocol.events_received()):
            await self.receive()
        [request] = requests
        assert isinstance(request, Request)
        self.protocol.send_response(self.protocol.accept(request))
        await self.flush()

    async def receive(self) -> None:
        """Read once, and let the protocol have it."""
        data = await asyncio.get_running_loop().sock_recv(self.socket, 2**16)
        if not data:
            raise ConnectionError
        self.protocol.receive_data(self._wire.decoded(data))

    async def hears(self) -> None:
        """Wait until something was sent."""
        heard = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self.socket, heard.set)
        await heard.wait()
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
        await asyncio.get_running_loop().sock_sendall(self.socket, self._wire.encoded(data))

    def cut(self) -> None:
        self.socket.close()


class Mumbling(Peer):
    """Answers the handshake with half a record of TLS."""

    async def accept(self) -> None:
        self.socket.close()
        self.socket, _ = await LOOP().sock_accept(self._listener)
        await self._wire.open(self.socket)
        await half_a_record(self, None)


@contextlib.asynccontextmanager
async def peer(kind: type[Peer] = Peer) -> AsyncIterator[Peer]:
    """A `Peer` that takes little before it reads."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**16)
        listener.setblocking(False)
        other = kind(listener)
        accepting = asyncio.create_task(other.accept())
        # So that a test that fails ends, even where the client waits for what never comes.
        ending = asyncio.get_running_loop().call_later(5, other.cut)
        try:
            yield other
        finally:
            ending.cancel()
            other.cut()
            accepting.cancel()


def open_sockets() -> int:
    """How many sockets this process has, where the system tells."""
    found = 0
    with contextlib.suppress(FileNotFoundError):
        for entry in os.listdir("/proc/self/fd"):
            with contextlib.suppress(FileNotFoundError):
                found += os.readlink(f"/proc/self/fd/{entry}").startswith("socket:")
    return found


@pytest.fixture(scope="module", autouse=True)
def _quick_collection() -> Iterator[None]:
    """What outlives a test is not looked at again in the next."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    threads, sockets = set(threading.enumerate()), open_sockets()
    yield
    # What was not closed warns, and so fails the test.
    gc.collect()
    gc.freeze()
    for thread in set(threading.enumerate()) - threads:
        while thread.ident is None:  # It is just being started, by one that ends.
            time.sleep(0.001)
        thread.join(5)
        assert not thread.is_alive()
    assert open_sockets() == sockets


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "authority.pem"
    transports.write_authority(path)
    return path


@pytest.fixture(autouse=True)
def _transport(
    request: pytest.FixtureRequest, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """TLS where the kind of connection says so. Clients trust what the environment tells."""
    callspec = getattr(request.node, "callspec", None)
    kind = callspec and callspec.params.get("kind")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    transports.use(bool(kind and kind.is_tls))
    yield
    transports.use(False)


@pytest.fixture(params=KINDS, ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


# The handshake


async def handshake(kind: Kind, **kwargs: Any) -> Request:
    """The request with which a session is opened."""
    requests = []

    async def handler(connection: ServerConnection) -> None:
        requests.append(connection.request)
        await connection.wait_closed()

    async with serving(handler) as url, opened(kind, url, **kwargs):
        pass
    [request] = requests
    assert request
    return request


@for_protocols
@scenario
async def test_the_handshake_has_the_settings(kind: Kind) -> None:
    request = await handshake(kind, model="m", headers={"X-A": "1"}, query={"a": "b c"})
    assert request.path == "/v1/realtime?model=m&a=b+c"
    assert request.headers.get_all("Authorization") == [f"Bearer {KEY}"]
    beta = ["realtime=v1"] if kind.is_beta else []
    assert request.headers.get_all("OpenAI-Beta") == beta
    assert request.headers.get_all("X-A") == ["1"]


@for_translations
@scenario
async def test_a_translation_has_its_own_path(kind: Kind) -> None:
    assert (await handshake(kind, model="m")).path == "/v1/realtime/translations?model=m"


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
@scenario
async def test_an_own_header_is_the_only_one(
    kind: Kind, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    request = await handshake(kind, api_key=None, headers={name: "Bearer mine"})
    assert request.headers.get_all("Authorization") == ["Bearer mine"]


@scenario
async def test_an_empty_key_is_not_sent(kind: Kind) -> None:
    assert (await handshake(kind, api_key="")).headers.get_all("Authorization") == []


@scenario
async def test_each_session_has_a_new_key(kind: Kind) -> None:
    keys = iter(["sk-first", "sk-second", "sk-third"])
    with ReplayServer() as server:
        connector = kind.connect(base_url=server.url, api_key=lambda: next(keys))
        for _ in range(2):
            async with entered(connector, kind.is_async):
                pass
        assert next(keys) == "sk-third"
        assert len(server.sessions) == 2


@for_asyncio
@scenario
async def test_a_coroutine_function_gives_the_key(kind: Kind) -> None:
    async def key() -> str:
        await asyncio.sleep(0)
        return KEY

    request = await handshake(kind, api_key=key)
    assert request.headers["Authorization"] == f"Bearer {KEY}"


@scenario
async def test_compression_is_not_offered_by_default(kind: Kind) -> None:
    assert "Sec-WebSocket-Extensions" not in (await handshake(kind)).headers
    asked = await handshake(kind, options={"compression": "deflate"})
    assert "permessage-deflate" in asked.headers["Sec-WebSocket-Extensions"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@scenario
async def test_this_machine_is_reached_without_a_proxy(
    kind: Kind, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(sends(EVENT)) as url:
        with HttpServer() as proxy:
            for name in ("http_proxy", "https_proxy", "all_proxy"):
                monkeypatch.setenv(name, proxy.url)
            async with opened(kind, url.replace("127.0.0.1", host)) as connection:
                assert len(await rest(connection)) == 1
        assert not proxy.requests


@pytest.mark.parametrize("is_own", [False, True])
@scenario
async def test_another_machine_is_reached_by_a_proxy(
    kind: Kind, is_own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(proxy, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        monkeypatch.setenv("https_proxy", "http://wrong.invalid" if is_own else url)
        options = {"proxy": url} if is_own else None
        connector = kind.connect(
            base_url="wss://somewhere.invalid", api_key=KEY, websocket_options=options
        )
        await error_of(ConnectionFailedError, connector.open)
    [head] = asked
    assert head.startswith(b"CONNECT somewhere.invalid:443 ")
    assert KEY.encode() not in head


# Sending


@pytest.mark.parametrize("kind", PROTOCOL_KINDS + TRANSLATIONS, ids=str)
@scenario
async def test_every_event_of_a_client_arrives_as_it_is(kind: Kind) -> None:
    protocol = next(each for each in PROTOCOLS if each.module is kind.protocol)
    is_translation = "translation" in kind.name
    union = "RealtimeTranslationClientEvent" if is_translation else "RealtimeClientEvent"
    _, discriminator = get_args(getattr(protocol.module, union))
    events = list(discriminator.members.values())
    drawn: list[Any] = []

    @settings(DRAWN, max_examples=2)
    @given(st.tuples(*(protocol.instances(event.__name__) for event in events)))
    def draw(wires: tuple[Any, ...]) -> None:
        drawn.extend(zip(events, wires, strict=True))

    draw()
    received: list[Any] = []
    async with serving(collects(received)) as url, opened(kind, url) as connection:
        for event, wire in drawn:
            await do(connection.send, event.from_dict(wire))
            await do(connection.recv)
    assert received == [wire for _, wire in drawn]
    assert {event["type"] for event in received} == set(discriminator.members)


def updates(kind: Kind) -> list[tuple[Any, Any]]:
    """Events to send, and what arrives."""
    package = kind.protocol
    session: Any
    if kind.is_beta:
        session = openai_realtime_client.RealtimeSession(instructions="é", x_new=[1])
    else:
        session = ga.RealtimeSessionCreateRequestGA(instructions="é", x_new=[1])
    plain = session.to_dict()
    update = {"type": "session.update", "session": plain}
    part = {"type": "input_text", "text": "t"}
    return [
        (EVENT, EVENT),
        (update, update),
        ({"type": "session.update", "session": session}, update),
        ({"type": "x", "a": [session, {"b": session}]}, {"type": "x", "a": [plain, {"b": plain}]}),
        ({"type": "x", "a": [part, None, 1.5, True]}, {"type": "x", "a": [part, None, 1.5, True]}),
        (MappingProxyType(EVENT), EVENT),
        (MappingProxyType({"type": "x", "a": MappingProxyType(part)}), {"type": "x", "a": part}),
        (package.parse_client_event('{"type":"new","a":null}'), {"type": "new", "a": None}),
    ]


@pytest.mark.parametrize("index", range(8))
@for_protocols
@scenario
async def test_a_dictionary_arrives_as_it_is(kind: Kind, index: int) -> None:
    event, expected = updates(kind)[index]
    received: list[Any] = []
    async with serving(collects(received)) as url, opened(kind, url) as connection:
        await do(connection.send, event)
        await do(connection.recv)
    assert received == [expected]


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"event_id": "e1"},
        {"type": None},
        {"type": 5},
        {"type": "x", "a": float("nan")},
        {"type": "x", "a": [float("inf")]},
        {"type": "x", "a": object()},
        {"type": "x", "a": b"bytes"},
        {"type": "x", "a": {1, 2}},
        {"type": "x", ("a", "b"): 1},
        ga.parse_client_event('{"type":"x","a":1e400}'),
    ],
)
@scenario
async def test_what_is_no_event_is_not_sent(kind: Kind, event: Any) -> None:
    received: list[Any] = []
    async with serving(collects(received)) as url, opened(kind, url) as connection:
        with pytest.raises(ValueError, match=r"."):
            await do(connection.send, event)
        await do(connection.send, EVENT)
        await do(connection.recv)
    assert received == [EVENT]


AUDIO = bytes(range(256)) * (3 * CHUNK // 256 + 1)


@pytest.mark.parametrize(
    "size", [1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 5, 3 * CHUNK]
)
@pytest.mark.parametrize("kind", PROTOCOL_KINDS + TRANSLATIONS, ids=str)
@scenario
async def test_audio_arrives_byte_for_byte(kind: Kind, size: int) -> None:
    received: list[Any] = []
    async with serving(collects(received)) as url, opened(kind, url) as connection:
        await do(connection.send_audio, AUDIO[:size])
        for _ in range(-(-size // CHUNK)):
            await do(connection.recv)
    name = "input_audio_buffer.append"
    is_translation = "translation" in kind.name
    assert {event["type"] for event in received} == {f"session.{name}" if is_translation else name}
    assert all(event.keys() == {"type", "audio"} for event in received)
    chunks = [base64.b64decode(event["audio"], validate=True) for event in received]
    assert b"".join(chunks) == AUDIO[:size]
    assert [len(chunk) for chunk in chunks[:-1]] == [CHUNK] * ((size - 1) // CHUNK)
    assert len(chunks[-1]) <= CHUNK


@pytest.mark.parametrize(
    "audio",
    [
        AUDIO,
        bytearray(AUDIO),
        memoryview(AUDIO),
        memoryview(bytearray(AUDIO))[3:-5],
        memoryview(array("h", AUDIO)),
        memoryview(array("f", [0.5])),
    ],
    ids=lambda audio: type(audio).__name__,
)
@scenario
async def test_audio_may_be_any_kind_of_bytes(
    kind: Kind, audio: bytes | bytearray | memoryview
) -> None:
    received: list[Any] = []
    async with serving(collects(received)) as url, opened(kind, url) as connection:
        await do(connection.send_audio, audio)
        for _ in range(-(-len(bytes(audio)) // CHUNK)):
            await do(connection.recv)
    assert b"".join(base64.b64decode(event["audio"]) for event in received) == bytes(audio)


@pytest.mark.parametrize("audio", [b"", bytearray(), memoryview(b"")], ids=lambda a: type(a))
@scenario
async def test_no_audio_sends_nothing(kind: Kind, audio: Any) -> None:
    received: list[Any] = []
    async with serving(collects(received)) as url, opened(kind, url) as connection:
        await do(connection.send_audio, audio)
        await do(connection.send, EVENT)
        await do(connection.recv)
    assert received == [EVENT]


@scenario
async def test_several_senders_at_once_do_not_mix_events(kind: Kind) -> None:
    received: list[Any] = []

    async def send(number: int) -> None:
        for count in range(20):
            text = "z" * 10_000 * number
            await do(connection.send, {"type": "x", "by": number, "count": count, "text": text})

    async def receive() -> None:
        for _ in range(5 * 20):
            assert (await do(connection.recv)).type == "got"

    async with serving(collects(received)) as url, opened(kind, url) as connection:
        await asyncio.gather(receive(), *map(send, range(5)))
    for number in range(5):
        mine = [event for event in received if event["by"] == number]
        assert [event["count"] for event in mine] == list(range(20))
        assert {event["text"] for event in mine} == {"z" * 10_000 * number}


# Receiving


@for_protocols
@scenario
async def test_events_are_what_the_server_sent(kind: Kind) -> None:
    async with ReplayServer() as server, opened(kind, server.url, model="m") as connection:
        await do(connection.recv)
        for item in ({"type": "response.create"}, {"type": "wrong"}, EVENT):
            await do(connection.send, item)
        received = [await do(connection.recv) for _ in range(8)]
        sent = server.sessions[0].sent[1:9]
    assert [event.to_dict() for event in received] == [event.to_dict() for event in sent]
    assert [type(event) for event in received] == [type(event) for event in sent]
    assert "response.created" in {event.type for event in received}


WIRES: list[dict[str, Any]] = [
    EVENT,
    {"type": "error", "event_id": "e", "error": {"type": "t", "message": "m", "x_new": None}},
    {"type": "session.created", "event_id": "e", "session": {"id": "s", "x_new": [{}]}},
    {"type": "response.done", "event_id": 5, "response": "text"},
    {"type": ""},
]


@for_protocols
@scenario
async def test_nothing_is_lost_of_an_event(kind: Kind) -> None:
    async with serving(sends(*WIRES)) as url, opened(kind, url) as connection:
        received = await rest(connection)
    assert [event.to_dict() for event in received] == WIRES
    assert isinstance(received[0], UnknownEvent)
    assert type(received[1]) is kind.protocol.RealtimeServerEventError


@scenario
async def test_an_event_may_come_in_a_binary_frame(kind: Kind) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send(json.dumps(EVENT).encode())
        await connection.wait_closed()

    async with serving(handler) as url, opened(kind, url) as connection:
        assert (await do(connection.recv)).to_dict() == EVENT


@scenario
async def test_an_event_may_come_in_fragments(kind: Kind) -> None:
    text = json.dumps(EVENT)

    async def handler(connection: ServerConnection) -> None:
        await connection.send([text[:5], text[5:6], text[6:]])
        await connection.wait_closed()

    async with serving(handler) as url, opened(kind, url) as connection:
        assert (await do(connection.recv)).to_dict() == EVENT


@scenario
async def test_a_large_event_comes_through(kind: Kind) -> None:
    faults = Faults(huge_after=0, huge_size=3 * 2**20)
    async with ReplayServer(faults=faults) as server, opened(kind, server.url) as connection:
        event = await do(connection.recv)
    # The rules of `websockets` are narrower.
    assert len(event.to_json()) > 2 * 2**20


@pytest.mark.parametrize(
    "message",
    [b"\xff\xfe", b'{"type":"\xff"}', "", "no JSON", "[]", "5", "{}", '{"type":5}', '{"type":'],
    ids=repr,
)
@scenario
async def test_a_message_that_is_no_event_does_not_end_the_session(
    kind: Kind, message: str | bytes
) -> None:
    handler = sends(message, EVENT, message, EVENT)
    async with serving(handler) as url, opened(kind, url) as connection:
        await error_of(InvalidEventError, connection.recv)
        assert (await do(connection.recv)).to_dict() == EVENT
        with pytest.raises(InvalidEventError):
            await rest(connection)
        assert [event.to_dict() for event in await rest(connection)] == [EVENT]


@scenario
async def test_an_error_event_does_not_end_the_session(kind: Kind) -> None:
    async with ReplayServer() as server, opened(kind, server.url) as connection:
        await do(connection.send, {"type": "session.update"})
        await until(connection, "error")
        await do(connection.send, {"type": "input_audio_buffer.clear"})
        assert (await do(connection.recv)).type == "input_audio_buffer.cleared"


@for_protocols
@scenario
async def test_the_session_is_what_the_server_said_last(kind: Kind) -> None:
    async with ReplayServer() as server, opened(kind, server.url) as connection:
        assert (connection.session, connection.session_id) == (None, None)
        created = await do(connection.recv)
        assert connection.session is created.session
        assert connection.session_id == created.session.id
        assert created.session.id.startswith("sess_")
        change = {"instructions": "Be brief."} | ({} if kind.is_beta else {"type": "realtime"})
        await do(connection.send, {"type": "session.update", "session": change})
        assert connection.session is created.session
        updated = await until(connection, "session.updated")
        assert connection.session is updated.session
        assert connection.session.instructions == "Be brief."
        assert connection.session_id == created.session.id
        assert f"session {created.session.id}" in repr(connection)
        await do(connection.send, {"type": "input_audio_buffer.clear"})
        await do(connection.recv)
        assert connection.session is updated.session


@for_translations
@scenario
async def test_a_translation_has_a_session_too(kind: Kind) -> None:
    async with ReplayServer() as server, opened(kind, server.url) as connection:
        created = await do(connection.recv)
        assert connection.session is created.session
        assert connection.session_id == created.session.id


@pytest.mark.parametrize("kind", PROTOCOL_KINDS[:2], ids=str)
@pytest.mark.parametrize("name", ["created", "updated"])
@scenario
async def test_a_transcription_has_a_session_too(kind: Kind, name: str) -> None:
    event = {"type": f"transcription_session.{name}", "event_id": "e", "session": {"id": "s1"}}
    async with serving(sends(event)) as url, opened(kind, url) as connection:
        received = await do(connection.recv)
        assert connection.session is received.session
        assert connection.session_id == "s1"


@pytest.mark.parametrize("session", [None, "text", {}, 5], ids=repr)
@scenario
async def test_an_odd_session_is_no_problem(kind: Kind, session: Any) -> None:
    events = [{"type": f"session.{name}", "session": session} for name in ("created", "updated")]
    async with serving(sends(*events)) as url, opened(kind, url) as connection:
        assert [event.to_dict() for event in await rest(connection)] == events
        assert connection.session_id is None


@scenario
async def test_an_update_without_id_leaves_the_id(kind: Kind) -> None:
    events: list[Any] = [
        {"type": "session.created", "session": {"id": "s1"}},
        {"type": "session.updated", "session": {"instructions": "i"}},
    ]
    async with serving(sends(*events)) as url, opened(kind, url) as connection:
        await rest(connection)
        assert connection.session.instructions == "i"
        assert connection.session_id == "s1"


@for_threads
@scenario
async def test_recv_gives_up_after_its_timeout(kind: Kind) -> None:
    async with serving(collects([])) as url, opened(kind, url) as connection:
        for timeout in (0, 0.01):
            with pytest.raises(TimeoutError):
                await do(connection.recv, timeout)
        await do(connection.send, EVENT)
        assert (await do(connection.recv, 10)).type == "got"


# The end


CODES = [
    (1001, SessionExpiredError),
    (1002, ConnectionClosedError),
    (1008, ConnectionClosedError),
    (1009, MessageTooBigError),
    (1011, ConnectionClosedError),
    (3000, InvalidKeyError),
    (3001, ConnectionClosedError),
    (4000, ProtocolRefusedError),
    (4001, ConnectionClosedError),
]


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


@pytest.mark.parametrize(("code", "error"), CODES)
@scenario
async def test_a_close_code_has_its_error(
    kind: Kind, code: int, error: type[ConnectionClosedError]
) -> None:
    faults = Faults(close_after=1, close_code=code, close_reason="why é")
    async with ReplayServer(faults=faults) as server, opened(kind, server.url) as connection:
        assert (await do(connection.recv)).type == "session.created"
        assert_closed(await error_of(error, rest, connection), code, "why é")
        await assert_over(connection, error, code, "why é")


@scenario
async def test_a_normal_close_ends_iteration(kind: Kind) -> None:
    async with serving(sends(EVENT, EVENT)) as url, opened(kind, url) as connection:
        assert [event.to_dict() for event in await rest(connection)] == [EVENT, EVENT]
        assert await rest(connection) == []
        await assert_over(connection, ConnectionClosedError, 1000)


@scenario
async def test_a_close_without_a_code_is_normal(kind: Kind) -> None:
    async def handler(connection: ServerConnection) -> None:
        connection.transport.write(b"\x88\x00")
        await connection.wait_closed()

    async with serving(handler) as url, opened(kind, url) as connection:
        assert await rest(connection) == []
        await assert_over(connection, ConnectionClosedError, 1005)


@pytest.mark.parametrize("is_abrupt", [False, True])
@scenario
async def test_a_cut_connection_is_lost(kind: Kind, is_abrupt: bool) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send('{"type":"x"}')
        await connection.recv()
        connection.transport.abort() if is_abrupt else connection.transport.close()

    async with serving(handler) as url, opened(kind, url) as connection:
        assert (await do(connection.recv)).type == "x"
        await do(connection.send, EVENT)
        assert_closed(await error_of(ConnectionLostError, rest, connection), 1006)
        await assert_over(connection, ConnectionLostError, 1006)


@scenario
async def test_a_server_that_does_not_answer_pings_is_lost(kind: Kind) -> None:
    options = {"ping_interval": 0.02, "ping_timeout": 0.02, "close_timeout": 0.02}
    async with peer() as other, opened(kind, other.url, options=options) as connection:
        assert_closed(await error_of(ConnectionLostError, connection.recv), 1006, ANY_REASON)


class _Any(str):
    """Equals every string, and is in each."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)

    __hash__ = str.__hash__


ANY_REASON = _Any()


@scenario
async def test_a_broken_frame_ends_the_session(kind: Kind) -> None:
    faults = Faults(broken_frame_after=1)
    async with ReplayServer(faults=faults) as server, opened(kind, server.url) as connection:
        assert (await do(connection.recv)).type == "session.created"
        assert_closed(await error_of(ConnectionClosedError, rest, connection), 1002, ANY_REASON)


@scenario
async def test_a_message_that_is_too_big_for_us_ends_the_session(kind: Kind) -> None:
    big = {"type": "x", "a": "z" * 2000}
    handler, options = sends(EVENT, big, close=None), {"max_size": 1000}
    async with serving(handler) as url, opened(kind, url, options=options) as connection:
        assert (await do(connection.recv)).to_dict() == EVENT
        error = await error_of(MessageTooBigError, rest, connection)
        assert_closed(error, 1009, ANY_REASON)


@scenario
async def test_a_message_that_is_too_big_for_the_server_ends_the_session(kind: Kind) -> None:
    async with serving(waits, max_size=1000) as url, opened(kind, url) as connection:
        await do(connection.send, {"type": "x", "a": "z" * 2000})
        assert_closed(await error_of(MessageTooBigError, rest, connection), 1009, ANY_REASON)


@scenario
async def test_closing_says_so_to_the_server(kind: Kind) -> None:
    async with ReplayServer() as server, opened(kind, server.url) as connection:
        await do(connection.close)
        await do(connection.close)
    assert server.sessions[0].close_code == 1000
    async with ReplayServer() as server, opened(kind, server.url) as connection:
        await do(connection.close, 4321, "why")
    assert (server.sessions[0].close_code, server.sessions[0].close_reason) == (4321, "why")


@pytest.mark.parametrize("code", [1000, 1011, 4321])
@scenario
async def test_after_closing_errors_have_its_code(kind: Kind, code: int) -> None:
    async with serving(waits) as url, opened(kind, url) as connection:
        await do(connection.close, code, "why")
        await assert_over(connection, ConnectionClosedError, code, "why")


@scenario
async def test_closing_ends_an_iteration_elsewhere(kind: Kind) -> None:
    async with serving(waits) as url, opened(kind, url) as connection:
        receiving = asyncio.create_task(rest(connection))
        await turns(5)
        await do(connection.close)
        assert await receiving == []


@scenario
async def test_what_was_not_received_does_not_keep_from_closing(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(connection: ServerConnection) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                await connection.send(json.dumps(EVENT))
                await turns(1)

    caplog.set_level(logging.DEBUG)
    async with serving(handler) as url, opened(kind, url) as connection:
        await do(connection.recv)
        await do(connection.close)
    # It is 1006 where the server's close frame was not waited for.
    assert caplog.messages[-1].startswith("closed with 1000, session ")


@scenario
async def test_an_exception_closes_the_session(kind: Kind) -> None:
    with ReplayServer() as server:
        with pytest.raises(ZeroDivisionError):
            async with opened(kind, server.url) as connection:
                raise ZeroDivisionError
        await assert_over(connection, ConnectionClosedError, 1000)
    assert server.sessions[0].close_code == 1000


@scenario
async def test_a_connector_has_one_block_at_a_time(kind: Kind) -> None:
    async with ReplayServer() as server:
        connector = kind.connect(base_url=server.url, api_key=KEY)
        for _ in range(2):
            async with entered(connector, kind.is_async) as connection:
                with pytest.raises(RuntimeError, match="open"):
                    async with entered(connector, kind.is_async):
                        pass
                await do(connection.send, {"type": "input_audio_buffer.clear"})
                await until(connection, "input_audio_buffer.cleared")
    assert [session.close_code for session in server.sessions] == [1000, 1000]


@scenario
async def test_a_connector_that_did_not_connect_may_try_again(kind: Kind) -> None:
    async with ReplayServer(faults=Faults(refuse=503)) as server:
        connector = kind.connect(base_url=server.url, api_key=KEY)
        for _ in range(2):
            with pytest.raises(HandshakeRefusedError):
                async with entered(connector, kind.is_async):
                    pass
        server.faults = Faults()
        async with entered(connector, kind.is_async) as connection:
            await until(connection, "session.created")


@scenario
async def test_a_connector_holds_one_session_at_a_time(kind: Kind) -> None:
    async with ReplayServer() as server:
        connector = kind.connect(base_url=server.url, api_key=KEY)
        async with entered(connector, kind.is_async) as connection:
            with pytest.raises(RuntimeError, match="call `connect` again"):
                async with entered(connector, kind.is_async):
                    pass
            assert (await do(connection.recv)).type == "session.created"
        async with entered(connector, kind.is_async):
            pass
        assert len(server.sessions) == 2


def test_errors_can_be_distinguished_by_class() -> None:
    for _, error in CODES:
        assert issubclass(error, ConnectionClosedError)
    for each in (ConnectionClosedError, ConnectionFailedError):
        assert issubclass(each, RealtimeConnectionError)
    assert issubclass(HandshakeRefusedError, ConnectionFailedError)


@pytest.mark.parametrize(
    "error",
    [
        InvalidKeyError(3000, "why", "session.update", 5),
        ConnectionFailedError("no connection"),
        HandshakeRefusedError(401, {"X-Request-Id": "r"}, b'{"error":{"message":"m"}}'),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize(
    "again", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))], ids=["copy", "pickle"]
)
def test_errors_can_be_copied_and_pickled(error: Any, again: Callable[[Any], Any]) -> None:
    other = again(error)
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert vars(other) == vars(error)


# Handshakes that fail


async def refusal(kind: Kind, url: str, **options: Any) -> ConnectionFailedError:
    connector = kind.connect(base_url=url, api_key=KEY, websocket_options=options)
    with pytest.raises(ConnectionFailedError) as caught:
        await do(connector.open)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 429, 500, 503])
@scenario
async def test_a_refusal_tells_the_servers_answer(kind: Kind, status: int) -> None:
    body = {"error": {"message": "Some message.", "code": "c"}}
    headers = {"X-Request-ID": "req_1", "Retry-After": "2"}
    with HttpServer(json_answer(body, status, headers=headers)) as server:
        error = await refusal(kind, server.url)
    assert isinstance(error, HandshakeRefusedError)
    assert error.status == status
    assert error.headers["x-request-id"] == error.request_id == "req_1"
    assert error.headers["retry-after"] == "2"
    assert json.loads(error.body) == body
    assert str(error) == f"the server refused with HTTP {status}: Some message."
    assert repr(error) == f"HandshakeRefusedError({status})"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", ""),
        (b"\xff\xfe<html>", ""),
        (b'{"error": "denied"}', ": denied"),
        (b'{"error": {"message": 5}}', ""),
        (b'{"error": null}', ""),
        (b'{"detail": "denied"}', ""),
        (b"[1]", ""),
        (b"[" * 100_000, ""),
        (json.dumps({"error": {"message": "m" * 1000}}).encode(), ": " + "m" * 200),
    ],
    ids=lambda value: repr(value)[:20],
)
@scenario
async def test_a_refusal_with_any_body_is_shown_in_short(
    kind: Kind, body: bytes, told: str
) -> None:
    with HttpServer(Answer(403, body)) as server:
        error = await refusal(kind, server.url)
    assert isinstance(error, HandshakeRefusedError)
    assert error.body == body
    assert error.request_id is None
    assert str(error) == f"the server refused with HTTP 403{told}"


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("is_here", [False, True])
@scenario
async def test_a_redirect_is_not_followed(kind: Kind, status: int, is_here: bool) -> None:
    with HttpServer() as other, HttpServer() as server:
        location = f"{server.url if is_here else other.url}/v2".replace("http", "ws")
        server.answers.append(Answer(status, headers={"Location": location}))
        error = await refusal(kind, server.url)
        assert isinstance(error, HandshakeRefusedError)
        assert error.status == status
        assert error.headers["location"] == location
        assert (len(server.requests), len(other.requests)) == (1, 0)


@scenario
async def test_a_key_that_is_not_accepted_may_show_after_the_handshake(kind: Kind) -> None:
    async with ReplayServer(api_key="sk-other") as server, opened(kind, server.url) as connection:
        error = await error_of(InvalidKeyError, connection.recv)
        assert_closed(error, 3000, "invalid_request_error.invalid_api_key")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("ws://127.0.0.1:{port}", "127.0.0.1"),
        ("ws://localhost:{port}", "localhost"),
        ("wss://nowhere.invalid/v1", "nowhere.invalid"),
        ("wss://a..invalid/v1", "a..invalid"),
        (f"wss://{'a' * 70}.invalid/v1", "a" * 70),
    ],
)
@scenario
async def test_a_server_that_is_not_there_is_an_error(kind: Kind, url: str, host: str) -> None:
    error = await refusal(kind, url.format(port=unused_port()))
    assert type(error) is ConnectionFailedError
    assert f"no connection to {host}" in str(error)


@scenario
async def test_a_server_that_does_not_answer_is_an_error(kind: Kind) -> None:
    with HttpServer(Answer(fault="hold")) as server:
        error = await refusal(kind, server.url, open_timeout=0.02)
    assert type(error) is ConnectionFailedError
    assert "Timeout" in str(error)


@scenario
async def test_half_an_answer_is_an_error_in_time(kind: Wired) -> None:
    async with peer(Mumbling) as other:
        error = await within(0.1, refusal(kind, other.url, open_timeout=0.1))
        assert type(error) is ConnectionFailedError
        assert other.socket.fileno() >= 0


ANSWERS = [
    b"",
    b"garbage\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: wrong\r\n\r\n",
    b"HTTP/1.1 200",
    b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123",
    b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 1000,
    b"\x16\x03\x01\x00\x05",
]


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


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: repr(answer[:30]))
@pytest.mark.parametrize("is_expected", [False, True])
@scenario
async def test_a_server_that_answers_wrong_is_an_error(
    kind: Wired, answer: bytes, is_expected: bool
) -> None:
    transports.use(is_expected == kind.is_tls)
    async with answering(answer) as url:
        address = url.partition(":")[2]
        error = await refusal(kind, f"{'wss' if kind.is_tls else 'ws'}:{address}")
    assert "no connection to 127.0.0.1" in str(error)


# What was not sent


@scenario
async def test_a_server_that_does_not_read_slows_the_sender_down(kind: Kind) -> None:
    event = {"type": "x", "a": "z" * 2**24}
    async with peer() as other, opened(kind, other.url) as connection:
        sending = asyncio.create_task(do(connection.send, event))
        await other.hears()
        await turns(50)
        assert not sending.done()
        other.cut()
        error = await error_of(ConnectionLostError, asyncio.wait_for, sending, 10)
        assert_closed(error, 1006, "", "x")


@scenario
async def test_the_error_tells_how_much_audio_was_sent(kind: Kind) -> None:
    audio = AUDIO[:CHUNK] * 150
    async with peer() as other, opened(kind, other.url) as connection:
        sending = asyncio.create_task(do(connection.send_audio, audio))
        await other.hears() if not kind.is_async else await turns(500)
        # The loop does not run meanwhile.
        frames = other.taken() if kind.is_async else []
        other.cut()
        error = await error_of(ConnectionLostError, asyncio.wait_for, sending, 10)
        assert isinstance(error, ConnectionClosedError)
        assert_closed(error, 1006, "", "input_audio_buffer.append", error.audio_sent)
        await assert_over(connection, ConnectionLostError, 1006)
    assert error.audio_sent % CHUNK == 0
    assert error.audio_sent < len(audio)
    if kind.is_async:
        assert error.audio_sent == len(frames) * CHUNK > 0


@for_asyncio
@scenario
async def test_what_was_sent_is_on_its_way(kind: Wired) -> None:
    returned = []

    async def send() -> None:
        for number in range(2000):
            await connection.send({"type": "x", "number": number, "a": "z" * 20_000})
            returned.append(number)

    async with peer() as other, opened(kind, other.url) as connection:
        sending = asyncio.create_task(send())
        before = -1
        while before < len(returned):
            before = len(returned)
            await turns(50)
        assert 0 < before < 2000
        taken = [json.loads(bytes(frame.data))["number"] for frame in other.taken()]
        # Between TLS and TCP there is a buffer of 64 KiB.
        buffered = 5 if kind.is_tls else 0
        assert taken == list(range(len(taken)))
        assert before - buffered <= len(taken) <= before + 1
        other.cut()
        error = await error_of(ConnectionLostError, asyncio.wait_for, sending, 10)
        assert_closed(error, 1006, "", "x")


@for_asyncio
@scenario
async def test_each_of_several_pending_sends_says_so(kind: Kind) -> None:
    async with peer() as other, opened(kind, other.url) as connection:
        events = [{"type": f"x{number}", "a": "z" * 2**22} for number in range(3)]
        sending = [asyncio.create_task(connection.send(event)) for event in events]
        await other.hears()
        await turns(50)
        assert not any(task.done() for task in sending)
        other.cut()
        for number, task in enumerate(sending):
            error = await error_of(ConnectionLostError, asyncio.wait_for, task, 10)
            assert_closed(error, 1006, "", f"x{number}")


@for_asyncio
@scenario
async def test_a_pending_send_ends_with_unanswered_pings(kind: Kind) -> None:
    options = {"ping_interval": 0.02, "ping_timeout": 0.02, "close_timeout": 0.02}
    async with peer() as other, opened(kind, other.url, options=options) as connection:
        error = await error_of(ConnectionLostError, connection.send_audio, AUDIO * 50)
        assert other.socket.fileno() >= 0
        assert isinstance(error, ConnectionClosedError)
        assert error.unsent == "input_audio_buffer.append"
        assert error.audio_sent % CHUNK == 0


@for_asyncio
@scenario
async def test_a_pending_send_ends_with_close(kind: Kind) -> None:
    options = {"close_timeout": 0.02}
    async with peer() as other, opened(kind, other.url, options=options) as connection:
        sending = asyncio.create_task(connection.send({"type": "x", "a": "z" * 2**24}))
        await other.hears()
        await connection.close()
        assert other.socket.fileno() >= 0
        with pytest.raises(ConnectionClosedError) as caught:
            await sending
        assert caught.value.unsent == "x"


@for_asyncio
@scenario
async def test_a_pending_send_tells_why_the_server_closed(kind: Kind) -> None:
    async with peer() as other, opened(kind, other.url) as connection:
        sending = asyncio.create_task(connection.send({"type": "x", "a": "z" * 2**24}))
        await other.hears()
        other.protocol.send_close(3000, f"why {KEY}")
        await other.flush()
        await turns(50)
        other.cut()
        error = await error_of(InvalidKeyError, asyncio.wait_for, sending, 10)
        assert_closed(error, 3000, "why ***", "x")


@scenario
async def test_a_slow_reader_slows_the_server_down(kind: Kind) -> None:
    text = json.dumps({"type": "x", "a": "z" * 10_000}).encode()
    sent = 0

    async def send() -> None:
        nonlocal sent
        for _ in range(5000):
            await other.send(text)
            sent += 1

    async with peer() as other, opened(kind, other.url) as connection:
        sending = asyncio.create_task(send())
        for received in (100, 300):
            for _ in range(received):
                await do(connection.recv)
            # It stops by itself, after what the operating system and the queue take.
            await asyncio.wait([sending], timeout=0.1)
            assert not sending.done()
        assert 400 <= sent < 400 + 2000
        sending.cancel()
        other.cut()


# Peers that are silent, slow or dead


QUICK = {"ping_interval": 0.1, "ping_timeout": 0.1, "close_timeout": 10}


async def within(seconds: float, awaitable: Awaitable[Any]) -> Any:
    """Wait, with far more patience than what is promised."""
    return await asyncio.wait_for(awaitable, seconds + 3)


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


@for_loops
@scenario
async def test_sending_does_not_wait_for_the_server_to_speak(kind: Wired) -> None:
    async with (
        peer() as other,
        opened(kind, other.url) as connection,
        answering_pings(other) as frames,
    ):
        for _ in range(200):
            await within(1, do(connection.send_audio, b"\0" * 960))
        await do(connection.close)
    assert [frame.opcode for frame in frames] == [Opcode.TEXT] * 200 + [Opcode.CLOSE]


@pytest.mark.parametrize("limit", [0, 1, 2**15])
@for_asyncio
@scenario
async def test_no_write_limit_makes_sending_wait(kind: Wired, limit: int) -> None:
    options = {"write_limit": limit}
    async with (
        peer() as other,
        opened(kind, other.url, options=options) as connection,
        answering_pings(other),
    ):
        for _ in range(5):
            await within(1, connection.send(EVENT))
        await connection.close()


@for_loops
@scenario
async def test_a_dead_server_is_noticed_while_receiving(kind: Wired) -> None:
    async with peer() as other, opened(kind, other.url, options=QUICK) as connection:
        error = await error_of(ConnectionLostError, within, 0.2, do(connection.recv))
        assert_closed(error, 1006, "the server did not answer a ping")
        assert other.socket.fileno() >= 0


@for_loops
@scenario
async def test_a_dead_server_is_noticed_while_sending(kind: Wired, no_user_timeout: None) -> None:
    async with peer() as other, opened(kind, other.url, options=QUICK) as connection:
        with pytest.raises(ConnectionLostError) as caught:
            await within(0.2, do(connection.send_audio, AUDIO * 50))
        assert caught.value.unsent == "input_audio_buffer.append"
        assert other.socket.fileno() >= 0


@pytest.fixture
def no_user_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on systems that do not end a stuck connection themselves."""
    monkeypatch.delattr(socket, "TCP_USER_TIMEOUT", raising=False)


@for_loops
@scenario
async def test_a_silent_server_that_answers_pings_is_alive(kind: Wired) -> None:
    async with (
        peer() as other,
        opened(kind, other.url, options=QUICK) as connection,
        answering_pings(other) as frames,
    ):
        while len(frames) < 4:
            await asyncio.sleep(0.05)
        await do(connection.send, EVENT)
        await do(connection.close)
    opcodes = [frame.opcode for frame in frames]
    assert opcodes[:4] == [Opcode.PING] * 4
    assert opcodes[-2:] == [Opcode.TEXT, Opcode.CLOSE]


@scenario
async def test_a_server_that_talks_needs_no_pings(kind: Wired) -> None:
    """A pong may come late: after seconds of audio that wait to be read."""
    async with peer() as other, opened(kind, other.url, options=QUICK) as connection:
        for _ in range(8):
            await other.send(json.dumps(EVENT).encode())
            assert (await do(connection.recv)).to_dict() == EVENT
            await asyncio.sleep(0.05)
        other.cut()


async def send(other: Peer, texts: list[bytes]) -> None:
    for text in texts:
        await other.send(text)


@scenario
async def test_a_reader_that_is_busy_does_not_make_a_server_dead(kind: Wired) -> None:
    text = json.dumps({"type": "x", "a": "z" * 10_000}).encode()
    options = QUICK | {"ping_timeout": 0.2, "max_queue": 2}
    async with peer() as other, opened(kind, other.url, options=options) as connection:
        keep(send(other, [text] * 40))
        # With what fills the queue, more than the pong can wait.
        await asyncio.sleep(0.6)
        for _ in range(40):
            assert (await do(connection.recv)).type == "x"
        other.cut()


async def silent(other: Peer, connection: Any) -> None:
    pass


async def flooding(other: Peer, connection: Any) -> None:
    async def flood() -> None:
        text = b'{"type":"x","a":"%s"}' % (b"z" * 1000)
        with contextlib.suppress(OSError):
            while True:
                await other.send(text)

    keep(flood())
    await do(connection.recv)


async def stuck(other: Peer, connection: Any) -> None:
    async def send() -> None:
        with contextlib.suppress(ConnectionClosedError):
            await do(connection.send, {"type": "x", "a": "z" * 2**24})

    keep(send())
    await other.hears()
    # Until nothing goes out any more.
    await asyncio.sleep(0.05)


async def half_closed(other: Peer, connection: Any) -> None:
    other.protocol.send_close(1000)
    await other.flush()
    await other.hears()


async def half_a_frame(other: Peer, connection: Any) -> None:
    await other.write(b"\x81\x7e\xff\xff{")


async def half_a_record(other: Peer, connection: Any) -> None:
    await LOOP().sock_sendall(other.socket, b"\x17\x03\x03\x40\x00half")


_kept: set[asyncio.Task[None]] = set()


def keep(coroutine: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(coroutine)
    _kept.add(task)
    task.add_done_callback(_kept.discard)


@pytest.mark.parametrize(
    "behaviour", [silent, flooding, stuck, half_closed, half_a_frame, half_a_record]
)
@for_loops
@scenario
async def test_close_ends_in_time(
    kind: Wired, behaviour: Callable[[Peer, Any], Awaitable[None]]
) -> None:
    options = {"close_timeout": 0.1, "ping_interval": None, "max_queue": 4}
    async with peer() as other, opened(kind, other.url, options=options) as connection:
        await behaviour(other, connection)
        await within(0.1, do(connection.close))
        assert other.socket.fileno() >= 0
        await within(0.1, do(connection.close))
        with pytest.raises(ConnectionClosedError):
            await within(0, do(connection.recv))
        with pytest.raises(ConnectionClosedError):
            await within(0, do(connection.send, EVENT))
        other.cut()
        for task in list(_kept):
            await within(1, task)


@for_loops
@scenario
async def test_half_a_close_ends_in_time_without_pings(kind: Wired) -> None:
    """The server's close frame came, but TCP stays open: what waits for an event ends."""
    options = {"close_timeout": 0.1, "ping_interval": None}
    async with peer() as other, opened(kind, other.url, options=options) as connection:
        receiving = asyncio.create_task(do(connection.recv))
        other.protocol.send_close(3000, "why")
        await other.flush()
        error = await error_of(InvalidKeyError, within, 0.2, receiving)
        assert_closed(error, 3000, "why")
        assert other.socket.fileno() >= 0


@for_loops
@scenario
async def test_close_passes_a_reader_that_is_busy(kind: Wired) -> None:
    """The reader waits when `close` begins, takes one event, and never comes again."""
    began = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        await connection.recv()
        for _ in range(100):
            await connection.send(json.dumps(EVENT))
        await connection.wait_closed()

    options = {"close_timeout": 15, "max_queue": 2}
    async with serving(handler) as url, opened(kind, url, options=options) as connection:

        async def read() -> None:
            began.set()
            await do(connection.recv)

        reading = asyncio.create_task(read())
        await began.wait()
        await do(connection.send, EVENT)
        await turns(3)
        await within(3, do(connection.close))
        assert connection._socket.close_code == 1000
        with contextlib.suppress(ConnectionClosedError):
            await within(0, reading)
        await error_of(ConnectionClosedError, connection.recv)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1000, "é" * 62),
        (1000, "z" * 124),
        (1000, "\ud800"),
        *((code, "") for code in (-1, 0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 70_000)),
    ],
    ids=repr,
)
@scenario
async def test_what_no_close_frame_can_hold_is_refused(kind: Wired, code: int, reason: str) -> None:
    async with serving(sends(EVENT, close=None)) as url, opened(kind, url) as connection:
        with pytest.raises(ValueError, match=r"close frame|reason|surrogates"):
            await do(connection.close, code, reason)
        assert (await do(connection.recv)).to_dict() == EVENT
        await do(connection.send, EVENT)
        await do(connection.close, 1000, "é" * 61)
        await assert_over(connection, ConnectionClosedError, 1000, "é" * 61)


@for_threads
def test_an_interrupted_send_loses_the_connection(kind: Wired) -> None:
    """Half a frame is out: what was sent after it would be the rest of its payload."""
    listening: Future[str] = Future()
    is_over = threading.Event()

    async def serve() -> list[Frame]:
        async with peer() as other:
            listening.set_result(other.url)
            await in_thread(is_over.wait, 4)
            return other.taken()

    def interrupt() -> None:
        main = threading.main_thread().ident
        assert main
        # OpenSSL goes on after the first.
        while not is_interrupted.wait(0.2):
            signal.pthread_kill(main, signal.SIGINT)

    def interrupted(*_: object) -> None:
        if not is_interrupted.is_set():
            is_interrupted.set()
            raise KeyboardInterrupt

    is_interrupted = threading.Event()
    before = signal.signal(signal.SIGINT, interrupted)
    with ThreadPoolExecutor(2) as executor:
        frames = executor.submit(lambda: asyncio.run(serve()))
        connection = kind.connect(base_url=listening.result(), api_key=KEY).open()
        interrupting = executor.submit(interrupt)
        sent = 0
        try:
            while True:
                connection.send({"type": "x", "number": sent, "a": "z" * 2**20})
                sent += 1
        except KeyboardInterrupt:
            pass
        for _ in range(2):
            with pytest.raises(ConnectionLostError):
                connection.send({"type": "x", "number": "after", "a": "z" * 2**21})
        with pytest.raises(ConnectionLostError):
            connection.recv(5)
        is_over.set()
        connection.close()
        interrupting.result()
        signal.signal(signal.SIGINT, before)
        received = [json.loads(bytes(frame.data))["number"] for frame in frames.result()]
    # Half of another may have arrived, or all of it.
    assert received == list(range(len(received)))
    assert sent <= len(received) <= sent + 1


@for_loops
@scenario
async def test_a_message_of_many_fragments_comes_through(kind: Wired) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send(['{"type":"x","a":"', *["z"] * 10_000, *[""] * 1000, '"}'])
        await connection.send(json.dumps(EVENT))
        await connection.wait_closed()

    async with serving(handler) as url, opened(kind, url) as connection:
        assert (await do(connection.recv)).a == "z" * 10_000
        assert (await do(connection.recv)).to_dict() == EVENT


@scenario
async def test_text_of_64_mib_comes_through(kind: Wired) -> None:
    start, end = b'{"type":"x","a":"', b'"}'
    text = start + b"z" * (2**26 - len(start) - len(end)) + end
    pieces = [text[at : at + 2**14] for at in range(0, len(text), 2**14)]

    async def handler(connection: ServerConnection) -> None:
        await connection.send(text if kind.is_async else pieces, text=True)
        await connection.send([*pieces, b" "], text=True)
        await connection.wait_closed()

    async with serving(handler) as url, opened(kind, url) as connection:
        assert len((await do(connection.recv)).a) == 2**26 - len(start) - len(end)
        await error_of(MessageTooBigError, connection.recv)


# Cancelling


@for_asyncio
@pytest.mark.parametrize("is_fragmented", [False, True])
@scenario
async def test_cancelling_recv_loses_no_event(kind: Kind, is_fragmented: bool) -> None:
    count = 500

    async def handler(connection: ServerConnection) -> None:
        for number in range(count):
            text = json.dumps({"type": "x", "number": number})
            await connection.send([text[:9], text[9:]] if is_fragmented else text)
            await turns(number % 7)
        await connection.close()

    received: list[int] = []
    cancelled = 0
    async with serving(handler) as url, opened(kind, url) as connection:
        while len(received) < count:
            receiving = asyncio.create_task(connection.recv())
            await turns((len(received) + cancelled) % 9)
            receiving.cancel()
            try:
                received.append((await receiving).number)
            except asyncio.CancelledError:
                cancelled += 1
        assert await rest(connection) == []
    assert received == list(range(count))
    assert cancelled > 20


@for_asyncio
@scenario
async def test_a_timeout_of_recv_loses_no_event(kind: Kind) -> None:
    events = [{"type": "x", "number": number} for number in range(200)]
    received: list[int] = []
    async with serving(sends(*events)) as url, opened(kind, url) as connection:
        for attempt in range(10_000):
            with contextlib.suppress(asyncio.TimeoutError):
                event = await asyncio.wait_for(connection.recv(), 0.00005 * (attempt % 5))
                received.append(event.number)
            if len(received) == len(events):
                break
    assert received == list(range(200))


@contextlib.asynccontextmanager
async def holding() -> AsyncIterator[tuple[str, asyncio.Event, asyncio.Event]]:
    """A server that does not answer: its URL, and what tells that a client came, and left."""
    came, left = asyncio.Event(), asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        with contextlib.suppress(OSError):
            await reader.read()
        left.set()
        writer.close()

    tls = transports.context()
    async with await asyncio.start_server(handler, "127.0.0.1", 0, ssl=tls) as server:
        yield (
            f"{transports.scheme('ws')}://127.0.0.1:{server.sockets[0].getsockname()[1]}",
            came,
            left,
        )


@for_asyncio
@pytest.mark.parametrize("delay", [0, 1, 2, 3, None])
@scenario
async def test_cancelling_open_leaves_nothing(kind: Kind, delay: int | None) -> None:
    async with holding() as (url, came, left):
        opening = asyncio.create_task(kind.connect(base_url=url, api_key=KEY).open())
        if delay is None:
            await came.wait()
        else:
            await turns(delay)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await turns(10)
        if delay is None or came.is_set():
            await left.wait()


@for_asyncio
@scenario
async def test_cancelling_the_block_closes_the_session(kind: Kind) -> None:
    async with ReplayServer() as server:
        began = asyncio.Event()

        async def talk() -> None:
            async with opened(kind, server.url) as connection:
                async for _ in connection:
                    began.set()

        talking = asyncio.create_task(talk())
        await began.wait()
        talking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await talking
    assert server.sessions[0].close_code == 1000


@for_asyncio
@scenario
async def test_cancelling_close_goes_on_closing(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with ReplayServer() as server, opened(kind, server.url) as connection:
        closing = asyncio.create_task(connection.close())
        await turns(1)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await connection.close()
        assert caplog.messages[-1].startswith("closed with 1000, session ")
    assert server.sessions[0].close_code == 1000


# Threads


@for_threads
def test_one_thread_receives_while_others_send(kind: Kind) -> None:
    def send() -> None:
        for _ in range(30):
            connection.send({"type": "input_audio_buffer.clear"})

    def receive() -> None:
        while len(received) < 3 * 30:
            received.extend(event for event in [connection.recv()] if event.type == cleared)

    received: list[Any] = []
    cleared = "input_audio_buffer.cleared"
    with ReplayServer() as server, kind.connect(base_url=server.url, api_key="") as connection:
        threads = [threading.Thread(target=target) for target in (receive, send, send, send)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({event.event_id for event in received}) == 90


# Secrets

Session = Callable[..., contextlib.AbstractAsyncContextManager[Any]]
Failure = Callable[[Session], Awaitable[None]]

CREDENTIALS: dict[str, Callable[[str], dict[str, Any]]] = {
    "string": lambda url: {"base_url": url, "api_key": KEY},
    "function": lambda url: {"base_url": url, "api_key": lambda: KEY},
    "header": lambda url: {"base_url": url, "headers": {"Authorization": f"Bearer {KEY}"}},
    "other header": lambda url: {"base_url": url, "headers": {"api-key": KEY}},
    "azure": lambda url: {"azure": azure(url, "d", api_key=KEY)},
    "token": lambda url: {"azure": azure(url, "d", token=lambda: KEY)},
    "user": lambda url: {"base_url": url.replace("://", f"://me:{KEY}@")},
    "query": lambda url: {"base_url": f"{url}?api-key={KEY}", "api_key": ""},
}


async def refused(session: Session) -> None:
    answer = json_answer({"error": {"message": f"Wrong: {KEY}."}}, 401, headers={"X-Key": KEY})
    with HttpServer(answer) as server:
        async with session(server.url):
            pass


async def refused_with_text(session: Session) -> None:
    with HttpServer(Answer(500, f"Bearer {KEY}".encode(), reason=KEY)) as server:
        async with session(server.url):
            pass


async def redirected(session: Session) -> None:
    with HttpServer(Answer(307, headers={"Location": f"ws://127.0.0.1:1/{KEY}"})) as server:
        async with session(server.url):
            pass


async def nobody(session: Session) -> None:
    async with session(f"ws://127.0.0.1:{unused_port()}"):
        pass


async def unknown_host(session: Session) -> None:
    async with session("wss://nowhere.invalid"):
        pass


async def no_answer(session: Session) -> None:
    async with holding() as (url, _, _), session(url, options={"open_timeout": 0.02}):
        pass


async def no_tls(session: Session) -> None:
    with http_server.HttpServer(Answer()) as server:
        async with session(server.url.replace("http", "https")):
            pass


async def hung_up(session: Session) -> None:
    async with answering(b"") as url, session(url):
        pass


async def wrong_answer(session: Session) -> None:
    answer = f"HTTP/1.1 101 {KEY}\r\nUpgrade: {KEY}\r\n\r\n".encode()
    async with answering(answer) as url, session(url):
        pass


async def no_http(session: Session) -> None:
    async with answering(f"{KEY}\r\n\r\n".encode()) as url, session(url):
        pass


def closing(code: int) -> Handler:
    async def handler(connection: ServerConnection) -> None:
        await connection.close(code, f"Wrong: {KEY}.")

    return handler


async def closed_while_receiving(session: Session) -> None:
    async with serving(closing(3000)) as url, session(url) as connection:
        await do(connection.recv)


async def closed_while_iterating(session: Session) -> None:
    async with serving(closing(4000)) as url, session(url) as connection:
        await rest(connection)


async def closed_before_sending(session: Session) -> None:
    async with serving(closing(1000)) as url, session(url) as connection:
        await rest(connection)
        await do(connection.send, EVENT)


async def cut(session: Session) -> None:
    async def handler(connection: ServerConnection) -> None:
        connection.transport.abort()

    async with serving(handler) as url, session(url) as connection:
        await do(connection.recv)


async def cut_while_sending(session: Session) -> None:
    async with peer() as other, session(other.url) as connection:
        sending = asyncio.create_task(do(connection.send_audio, AUDIO * 50))
        await other.hears()
        other.cut()
        await sending


async def too_big(session: Session) -> None:
    async with serving(sends(EVENT)) as url, session(url, options={"max_size": 5}) as connection:
        await do(connection.recv)


async def broken_frame(session: Session) -> None:
    async def handler(connection: ServerConnection) -> None:
        connection.transport.write(b"\xf1\x03bad")
        await connection.wait_closed()

    async with serving(handler) as url, session(url) as connection:
        await do(connection.recv)


async def no_event(session: Session) -> None:
    async with serving(sends("no JSON")) as url, session(url) as connection:
        await do(connection.recv)


async def nothing_to_send(session: Session) -> None:
    async with serving(waits) as url, session(url) as connection:
        await do(connection.send, {"a": 1})


async def nothing_received(session: Session) -> None:
    async with serving(waits) as url, session(url) as connection:
        if isinstance(connection, AsyncConnection):
            await asyncio.wait_for(connection.recv(), 0)
        else:
            await do(connection.recv, 0)


async def unencrypted(session: Session) -> None:
    async with session("ws://example.com"):
        pass


async def wrong_scheme(session: Session) -> None:
    async with session("ftp://example.com"):
        pass


async def two_models(session: Session) -> None:
    async with session("wss://example.com", model="m", call_id="c"):
        pass


async def unknown_option(session: Session) -> None:
    async with session("ws://127.0.0.1:1", options={"no_such": True}):
        pass


async def wrong_option(session: Session) -> None:
    async with session("ws://127.0.0.1:1", options={"compression": "none"}):
        pass


async def cancelled(session: Session) -> None:
    async def talk() -> None:
        async with session(url):
            pass

    async with holding() as (url, came, _):
        opening = asyncio.create_task(talk())
        await came.wait()
        opening.cancel()
        await opening


FAILURES: list[Any] = [
    (refused, HandshakeRefusedError),
    (refused_with_text, HandshakeRefusedError),
    (redirected, HandshakeRefusedError),
    (nobody, ConnectionFailedError),
    (unknown_host, ConnectionFailedError),
    (no_answer, ConnectionFailedError),
    (no_tls, ConnectionFailedError),
    (hung_up, ConnectionFailedError),
    (wrong_answer, ConnectionFailedError),
    (no_http, ConnectionFailedError),
    (closed_while_receiving, InvalidKeyError),
    (closed_while_iterating, ProtocolRefusedError),
    (closed_before_sending, ConnectionClosedError),
    (cut, ConnectionLostError),
    (cut_while_sending, ConnectionLostError),
    (too_big, MessageTooBigError),
    (broken_frame, ConnectionClosedError),
    (no_event, InvalidEventError),
    (nothing_to_send, ValueError),
    (nothing_received, (TimeoutError, asyncio.TimeoutError)),
    (unencrypted, ConnectionSettingsError),
    (wrong_scheme, ConnectionSettingsError),
    (two_models, ConnectionSettingsError),
    (unknown_option, TypeError),
    (wrong_option, ValueError),
    (cancelled, asyncio.CancelledError),
]
# Where the key comes from does not depend on the protocol or the transport.
HOLDERS = [
    (kind, name)
    for kind in KINDS + PROTOCOL_KINDS[:2]
    for name in CREDENTIALS
    if name == "string" or kind.is_tls
]
each_holder = pytest.mark.parametrize(
    ("kind", "credential"), HOLDERS, ids=[f"{kind}-{name}" for kind, name in HOLDERS]
)
OURS = tuple(
    str(Path(str(package.__file__)).parent) for package in (openai_realtime_client, websockets)
)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it holds."""
    while error is not None:
        yield error
        if error.__cause__ is not None:
            yield from chain(error.__cause__)
        error = error.__context__


def places_of(error: BaseException) -> Iterator[tuple[str, str]]:
    """What a tool that reports errors may show of one: where, and the text."""
    for each in chain(error):
        name = type(each).__name__
        yield f"{name}, str", str(each)
        yield f"{name}, repr", repr(each)
        yield f"{name}, args", repr(each.args)
        yield f"{name}, traceback", "".join(traceback.format_exception(each))
        for frame, line in traceback.walk_tb(each.__traceback__):
            if not frame.f_code.co_filename.startswith(OURS):
                continue
            for variable, value in frame.f_locals.items():
                yield f"{name}, {frame.f_code.co_name}:{line} {variable}", repr(value)


def places_in_log(records: Iterable[logging.LogRecord]) -> Iterator[tuple[str, str]]:
    for record in records:
        yield f"{record.name}, message", record.getMessage()
        yield f"{record.name}, record", repr(vars(record))
        if record.exc_info and record.exc_info[1]:
            yield from places_of(record.exc_info[1])


class Seen:
    """Sessions that a failure opens, with what can be seen of them."""

    def __init__(self, kind: Kind, credential: str) -> None:
        self._kind = kind
        self._credential = CREDENTIALS[credential]
        self.objects: list[Any] = []

    @contextlib.asynccontextmanager
    async def __call__(
        self, url: str, *, options: dict[str, Any] | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        arguments = {**self._credential(url), **kwargs}
        options = {"close_timeout": 1, **(options or {})}
        connector = self._kind.connect(websocket_options=options, **arguments)
        self.objects += [connector, connector._settings, arguments.get("azure")]
        async with entered(connector, self._kind.is_async) as connection:
            self.objects.append(connection)
            yield connection

    def places(self) -> Iterator[tuple[str, str]]:
        for each in self.objects:
            yield f"repr of {type(each).__name__}", repr(each)
            yield f"str of {type(each).__name__}", str(each)
            for name, value in getattr(each, "__dict__", {}).items():
                yield f"{type(each).__name__}.{name}", repr(value)


@each_holder
@pytest.mark.parametrize(
    ("failure", "expected"), FAILURES, ids=[failure.__name__ for failure, _ in FAILURES]
)
def test_no_failure_shows_the_key(
    kind: Kind,
    failure: Failure,
    expected: Any,
    credential: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if failure is cancelled and not kind.is_async:
        return
    caplog.set_level(logging.DEBUG)
    seen = Seen(kind, credential)
    with pytest.raises(expected) as caught:
        asyncio.run(asyncio.wait_for(failure(seen), 20))
    places = [*places_of(caught.value), *places_in_log(caplog.records), *seen.places()]
    assert [(place, text) for place, text in places if KEY in text] == []
    # The frames of the test do hold it, so that the search is one.
    assert any("connection.py" in text for place, text in places if "traceback" in place)


@each_holder
def test_a_session_that_goes_well_does_not_show_the_key(
    kind: Kind, credential: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def talk() -> None:
        async with serving(collects([])) as url, seen(url) as connection:
            await do(connection.send, EVENT)
            await do(connection.send_audio, b"12345")
            assert len([await do(connection.recv), await do(connection.recv)]) == 2

    caplog.set_level(logging.DEBUG)
    seen = Seen(kind, credential)
    asyncio.run(talk())
    places = [*places_in_log(caplog.records), *seen.places()]
    assert [(place, text) for place, text in places if KEY in text] == []
    ours = [each for each in caplog.records if each.name.startswith("openai_realtime_client")]
    assert [record.getMessage() for record in ours] == [
        "connected to 127.0.0.1",
        "sent not.published.yet, session None",
        "sent input_audio_buffer.append, session None",
        "received got, session None",
        "received got, session None",
        "closed with 1000, session None",
    ]
    assert {record.levelno for record in ours} == {logging.DEBUG}


@pytest.mark.parametrize("ending", ["\n", " ", "é"])
@pytest.mark.parametrize("is_function", [False, True])
def test_a_key_that_is_no_header_is_not_shown(kind: Kind, ending: str, is_function: bool) -> None:
    key = (lambda: KEY + ending) if is_function else KEY + ending
    connector = kind.connect(base_url="wss://example.com", api_key=key)
    with pytest.raises(ConnectionSettingsError) as caught:
        asyncio.run(connector.open()) if kind.is_async else connector.open()
    assert [(place, text) for place, text in places_of(caught.value) if KEY in text] == []


@scenario
async def test_what_a_server_repeats_of_the_key_is_concealed(kind: Kind) -> None:
    body = {"error": {"message": f"Wrong: {KEY}."}}
    with HttpServer(json_answer(body, 401)) as server:
        error = await refusal(kind, server.url)
    assert str(error) == "the server refused with HTTP 401: Wrong: ***."
    assert isinstance(error, HandshakeRefusedError)
    assert json.loads(error.body) == {"error": {"message": "Wrong: ***."}}
    async with serving(closing(3000)) as url, opened(kind, url) as connection:
        assert_closed(await error_of(InvalidKeyError, connection.recv), 3000, "Wrong: ***.")


@scenario
async def test_a_key_that_the_close_frame_cuts_off_is_concealed(kind: Kind) -> None:
    """A close frame has room for 123 bytes, which is less than the length of a project's key."""
    key = "sk-proj-" + "0123456789abcdef" * 10

    async def handler(connection: ServerConnection) -> None:
        await connection.close(3000, f"Incorrect API key provided: {key}"[:123])

    async with serving(handler) as url, opened(kind, url, api_key=key) as connection:
        error = await error_of(InvalidKeyError, connection.recv)
    assert isinstance(error, InvalidKeyError)
    assert error.reason.startswith("Incorrect API key provided: ")
    assert key[:20] not in str(error)
