"""No key is in what a failed or good session says: errors, pickles, logs, reprs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

import http_server
from connections import (
    AUDIO,
    EVENT,
    KEY,
    KINDS,
    Handler,
    Kind,
    answering,
    assert_closed,
    closing,
    collects,
    do,
    entered,
    error_of,
    for_programs,
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
from exposure import assert_hidden, places_in_log
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
    "url_query": lambda url: {"base_url": f"{url}?api-key={KEY}", "api_key": ""},
    "query": lambda url: {"base_url": url, "query": {"api-key": KEY}, "api_key": ""},
    "subprotocol": lambda url: {
        "base_url": url,
        "websocket_options": {"subprotocols": ["realtime", f"openai-insecure-api-key.{KEY}"]},
        "api_key": "",
    },
}


# Ways to fail: while a session is opened


def opening(url: str, **kwargs: Any) -> Failure:
    async def fail(session: Session) -> None:
        async with session(url.format(port=unused_port()), **kwargs):
            pass

    return fail


def refused(answer: Answer) -> Failure:
    async def fail(session: Session) -> None:
        with HttpServer(answer) as server:
            async with session(server.url):
                pass

    return fail


def answered(text: str) -> Failure:
    async def fail(session: Session) -> None:
        async with answering(text.encode()) as url, session(url):
            pass

    return fail


async def no_answer(session: Session) -> None:
    async with holding() as (url, _, _), session(url, options={"open_timeout": 0.2}):
        pass


async def no_tls(session: Session) -> None:
    with http_server.HttpServer(Answer()) as server:
        async with session(server.url.replace("http", "https")):
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


# and while it is used


def used(handler: Handler, use: Callable[[Any], Awaitable[Any]], **options: Any) -> Failure:
    async def fail(session: Session) -> None:
        async with serving(handler) as url, session(url, options=options) as connection:
            await use(connection)

    return fail


async def receive(connection: Any) -> None:
    await do(connection.recv)


async def receive_at_once(connection: Any) -> None:
    if isinstance(connection, AsyncConnection):
        await asyncio.wait_for(connection.recv(), 0)
    else:
        await do(connection.recv, 0)


async def send_after_the_end(connection: Any) -> None:
    await rest(connection)
    await do(connection.send, EVENT)


async def send_no_event(connection: Any) -> None:
    await do(connection.send, {"a": 1})


async def cuts(connection: ServerConnection) -> None:
    connection.transport.abort()


async def breaks_a_frame(connection: ServerConnection) -> None:
    connection.transport.write(b"\xf1\x03bad")
    await connection.wait_closed()


async def cut_while_sending(session: Session) -> None:
    async with peer() as other, session(other.url) as connection:
        sending = asyncio.create_task(do(connection.send_audio, AUDIO * 50))
        await other.readable()
        other.cut()
        await sending


WRONG = json_answer({"error": {"message": f"Wrong: {KEY}."}}, 401, headers={"X-Key": KEY})
FAILURES: dict[str, tuple[Failure, Any]] = {
    "refused": (refused(WRONG), HandshakeRefusedError),
    "refused_with_text": (
        refused(Answer(500, f"Bearer {KEY}".encode(), reason=KEY)),
        HandshakeRefusedError,
    ),
    "redirected": (
        refused(Answer(307, headers={"Location": f"ws://127.0.0.1:1/{KEY}"})),
        HandshakeRefusedError,
    ),
    "nobody": (opening("ws://127.0.0.1:{port}"), ConnectionFailedError),
    "unknown_host": (opening("wss://nowhere.invalid"), ConnectionFailedError),
    "no_answer": (no_answer, ConnectionFailedError),
    "no_tls": (no_tls, ConnectionFailedError),
    "hung_up": (answered(""), ConnectionFailedError),
    "wrong_answer": (
        answered(f"HTTP/1.1 101 {KEY}\r\nUpgrade: {KEY}\r\n\r\n"),
        ConnectionFailedError,
    ),
    "no_http": (answered(f"{KEY}\r\n\r\n"), ConnectionFailedError),
    "cancelled": (cancelled, asyncio.CancelledError),
    "unencrypted": (opening("ws://example.com"), ConnectionSettingsError),
    "wrong_scheme": (opening("ftp://example.com"), ConnectionSettingsError),
    "two_models": (
        opening("wss://example.com", model="m", call_id="c"),
        ConnectionSettingsError,
    ),
    "unknown_option": (opening("ws://127.0.0.1:1", options={"no_such": True}), TypeError),
    "wrong_option": (opening("ws://127.0.0.1:1", options={"compression": "none"}), ValueError),
    "closed_while_receiving": (used(closing(3000), receive), InvalidKeyError),
    "cut_while_sending": (cut_while_sending, ConnectionLostError),
}
# Where the key comes from does not matter to what fails in an open session.
FAILURES_IN_SESSION: dict[str, tuple[Failure, Any]] = {
    "closed_while_iterating": (used(closing(4000), rest), ProtocolRefusedError),
    "closed_before_sending": (used(closing(1000), send_after_the_end), ConnectionClosedError),
    "cut": (used(cuts, receive), ConnectionLostError),
    "too_big": (used(sends(EVENT), receive, max_size=5), MessageTooBigError),
    "broken_frame": (used(breaks_a_frame, receive), ConnectionClosedError),
    "no_event": (used(sends("not JSON"), receive), InvalidEventError),
    "nothing_to_send": (used(waits, send_no_event), ValueError),
    "nothing_received": (used(waits, receive_at_once), (TimeoutError, asyncio.TimeoutError)),
}
# Nor does it depend on the transport.
HOLDERS = [
    (kind, name) for kind in KINDS for name in CREDENTIALS if name == "string" or kind.is_tls
]
CASES = [
    pytest.param(kind, name, *each, id=f"{kind}-{name}-{failure}")
    for kind, name in HOLDERS
    for failure, each in (
        *FAILURES.items(),
        *(FAILURES_IN_SESSION.items() if name == "string" else ()),
    )
    if kind.is_async or failure != "cancelled"
]


class Seen:
    """Sessions that a failure opens, with the objects whose attributes can be seen."""

    def __init__(self, kind: Kind, credential: str) -> None:
        self._kind = kind
        self._credential = CREDENTIALS[credential]
        self._objects: list[Any] = []

    @contextlib.asynccontextmanager
    async def __call__(
        self, url: str, *, options: dict[str, Any] | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        arguments = {**self._credential(url), **kwargs}
        own_options = arguments.pop("websocket_options", {})
        options = {"close_timeout": 1, **own_options, **(options or {})}
        connector = self._kind.connect(websocket_options=options, **arguments)
        self._objects += [connector, arguments.get("azure")]
        async with entered(connector, self._kind.is_async) as connection:
            self._objects.append(connection)
            yield connection

    def assert_hidden(self, error: BaseException | None, records: list[logging.LogRecord]) -> None:
        assert_hidden(error, *places_in_log(records), objects=self._objects)


@pytest.mark.parametrize(("kind", "credential", "failure", "expected"), CASES)
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
    seen.assert_hidden(caught.value, caplog.records)


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
    seen.assert_hidden(None, caplog.records)
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
@for_programs
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
    seen.assert_hidden(caught.value, caplog.records)
    refused = "the proxy to 192.0.2.1:443 refused with HTTP 501"
    assert (refused if is_refused else "[Errno 111]") in str(caught.value)


@for_programs
@scenario
async def test_what_a_server_repeats_of_the_key_is_concealed(kind: Kind) -> None:
    body = {"error": {"message": f"Wrong: {KEY}."}}
    with HttpServer(json_answer(body, 401)) as server:
        error = await refusal(kind, server.url)
    assert str(error) == f"{server.url.rpartition('/')[2]} refused with HTTP 401: Wrong: ***."
    assert isinstance(error, HandshakeRefusedError)
    assert json.loads(error.body) == {"error": {"message": "Wrong: ***."}}
    async with serving(closing(3000)) as url, opened(kind, url) as connection:
        assert_closed(await error_of(InvalidKeyError, connection.recv), 3000, "Wrong: ***.")


@for_programs
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
