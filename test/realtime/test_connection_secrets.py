"""No key is shown by any failure, in tracebacks, logs or reprs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets
from websockets.asyncio.server import ServerConnection

import http_server
import openai_realtime_client
from connections import (
    AUDIO,
    EVENT,
    KEY,
    KINDS,
    Kind,
    answering,
    assert_closed,
    closing,
    collects,
    do,
    entered,
    error_of,
    holding,
    opened,
    refusal,
    rest,
    scenario,
    sends,
    serving,
    unused_port,
    waits,
)
from http_server import Answer, json_answer
from openai_realtime_client import (
    AsyncConnection,
    ConnectionClosedError,
    ConnectionFailedError,
    ConnectionLostError,
    ConnectionSettingsError,
    HandshakeRefusedError,
    InvalidEventError,
    InvalidKeyError,
    MessageTooBigError,
    ProtocolRefusedError,
    azure,
)
from peers import peer
from transports import HttpServer

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
        await other.readable()
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
    async with serving(sends("not JSON")) as url, session(url) as connection:
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
# Where the key comes from depends neither on the transport nor, once a session is open, on what
# fails in it.
HOLDERS = [
    (kind, name) for kind in KINDS for name in CREDENTIALS if name == "string" or kind.is_tls
]
OPEN = (closed_while_iterating, closed_before_sending, cut, too_big, broken_frame, no_event)
CASES = [
    (kind, name, failure, error)
    for kind, name in HOLDERS
    for failure, error in FAILURES
    if kind.is_async or failure is not cancelled
    if name == "string" or failure not in (*OPEN, nothing_to_send, nothing_received)
]
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
        self.objects += [connector, arguments.get("azure")]
        async with entered(connector, self._kind.is_async) as connection:
            self.objects.append(connection)
            yield connection

    def places(self) -> Iterator[tuple[str, str]]:
        for each in self.objects:
            yield f"repr of {type(each).__name__}", repr(each)
            yield f"str of {type(each).__name__}", str(each)
            for name, value in getattr(each, "__dict__", {}).items():
                yield f"{type(each).__name__}.{name}", repr(value)


@pytest.mark.parametrize(
    ("kind", "credential", "failure", "expected"),
    CASES,
    ids=[f"{kind}-{credential}-{failure.__name__}" for kind, credential, failure, _ in CASES],
)
def test_no_failure_shows_the_key(
    kind: Kind,
    credential: str,
    failure: Failure,
    expected: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    seen = Seen(kind, credential)
    with pytest.raises(expected) as caught:
        asyncio.run(asyncio.wait_for(failure(seen), 20))
    places = [*places_of(caught.value), *places_in_log(caplog.records), *seen.places()]
    assert [(place, text) for place, text in places if KEY in text] == []
    # It searches what a tool would show.
    assert any(Path(__file__).name in text for place, text in places if "traceback" in place)


@pytest.mark.parametrize(("kind", "credential"), HOLDERS, ids=str)
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


@pytest.mark.parametrize("is_refused", [True, False])
def test_the_password_of_a_proxy_is_not_shown(
    kind: Kind, is_refused: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def session(proxy: str) -> None:
        options = {"proxy": proxy.replace("//", f"//me:{KEY}@"), "open_timeout": 5}
        async with seen("", base_url="wss://192.0.2.1", api_key="", options=options):
            pass

    caplog.set_level(logging.DEBUG)
    seen = Seen(kind, "string")
    nobody_there = f"http://127.0.0.1:{unused_port()}"
    with HttpServer(Answer()) as proxy, pytest.raises(ConnectionFailedError) as caught:
        asyncio.run(session(proxy.url if is_refused else nobody_there))
    places = [*places_of(caught.value), *places_in_log(caplog.records), *seen.places()]
    assert [(place, text) for place, text in places if KEY in text] == []
    assert ("InvalidProxyStatus" if is_refused else "ConnectionRefusedError") in str(caught.value)


@pytest.mark.parametrize("ending", ["\n", " ", "é"])
@pytest.mark.parametrize("is_function", [False, True])
def test_a_key_that_no_header_can_hold_is_not_shown(
    kind: Kind, ending: str, is_function: bool
) -> None:
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
