"""The end of a session, whoever closes it."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import logging
import pickle
import socket
import struct
from typing import Any

import pytest
import websockets
from websockets.asyncio.server import ServerConnection

from connections import (
    ANY_REASON,
    EVENT,
    KEY,
    Kind,
    assert_closed,
    assert_over,
    entered,
    error_of,
    for_asyncio,
    opened,
    sends,
    serving,
    turns,
)
from openai_realtime_client import (
    ConnectionClosedError,
    ConnectionFailedError,
    ConnectionLostError,
    HandshakeRefusedError,
    InvalidKeyError,
    InvalidModelError,
    MessageTooBigError,
    ProtocolRefusedError,
    SessionExpiredError,
)
from openai_realtime_client.testing import Faults
from transports import ReplayServer

CODES = [
    (1001, SessionExpiredError),
    (1009, MessageTooBigError),
    (1011, ConnectionClosedError),
    (3000, InvalidKeyError),
    (4000, ProtocolRefusedError),
]


@pytest.mark.parametrize(("code", "error"), CODES)
async def test_close_code_has_its_error(
    kind: Kind, code: int, error: type[ConnectionClosedError]
) -> None:
    handler = sends(EVENT, close=code, reason="why é")
    async with serving(handler) as url, opened(kind, url) as connection:
        assert_closed(await error_of(error, connection.rest()), code, "why é")
        await assert_over(connection, error, code, "why é")


async def without_code(connection: ServerConnection) -> None:
    connection.transport.write(b"\x88\x00")
    await connection.wait_closed()


@pytest.mark.parametrize(
    ("handler", "code", "events"),
    [(sends(EVENT, EVENT), 1000, [EVENT, EVENT]), (without_code, 1005, [])],
    ids=["1000", "no_code"],
)
async def test_normal_close_ends_iteration(
    kind: Kind, handler: Any, code: int, events: list[Any]
) -> None:
    async with serving(handler) as url, opened(kind, url) as connection:
        assert [event.to_dict() for event in await connection.rest()] == events
        assert await connection.rest() == []
        await assert_over(connection, ConnectionClosedError, code)


@pytest.mark.parametrize(
    ("is_abrupt", "reason"),
    [(False, "unexpected EOF, no close frame"), (True, "Connection reset by peer")],
    ids=["ended", "reset"],
)
async def test_cut_connection_is_lost(kind: Kind, is_abrupt: bool, reason: str) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send('{"type":"x"}')
        await connection.recv()
        if is_abrupt:
            tcp = connection.transport.get_extra_info("socket")
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.transport.abort()

    async with serving(handler) as url, opened(kind, url) as connection:
        assert (await connection.recv()).type == "x"
        await connection.send(EVENT)
        assert_closed(await error_of(ConnectionLostError, connection.rest()), 1006, reason)
        await assert_over(connection, ConnectionLostError, 1006, ANY_REASON)


@pytest.mark.parametrize("close", [(), (1011, "why"), (4321, "why")])
async def test_close_tells_the_server_and_later_errors(kind: Kind, close: Any) -> None:
    code, reason = close or (1000, "")
    async with ReplayServer() as server, opened(kind, server.url) as connection:
        await connection.close(*close)
        await connection.close()
        await assert_over(connection, ConnectionClosedError, code, reason)
    assert (server.sessions[0].close_code, server.sessions[0].close_reason) == (code, reason)


async def test_close_ends_iteration_elsewhere(kind: Kind) -> None:
    async with serving(sends(close=None)) as url, opened(kind, url) as connection:
        receiving = asyncio.create_task(connection.rest())
        await turns(5)
        await connection.close()
        assert await receiving == []


async def test_close_with_unread_messages(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    async def handler(connection: ServerConnection) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                await connection.send(json.dumps(EVENT))
                await turns(1)

    caplog.set_level(logging.DEBUG)
    async with serving(handler) as url, opened(kind, url) as connection:
        await connection.recv()
        await connection.close()
    # It is 1006 where the server's close frame was not waited for.
    assert caplog.messages[-1].startswith("closed with 1000, session ")


async def test_what_no_close_frame_can_hold_is_refused(kind: Kind) -> None:
    wrong = [(code, "") for code in (-1, 999, 1004, 1005, 1006, 1015, 2999, 5000, 70_000)]
    wrong += [(1000, reason) for reason in ("é" * 62, "z" * 124, "\ud800")]
    async with serving(sends(EVENT, close=None)) as url, opened(kind, url) as connection:
        for code, reason in wrong:
            with pytest.raises(ValueError, match=r"close frame|reason|surrogates"):
                await connection.close(code, reason)
        assert (await connection.recv()).to_dict() == EVENT
        await connection.send(EVENT)
        await connection.close(1000, "é" * 61)
        await assert_over(connection, ConnectionClosedError, 1000, "é" * 61)


@for_asyncio
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
        assert any(text.startswith("closed with 1000, session ") for text in caplog.messages)
    assert server.sessions[0].close_code == 1000


@pytest.mark.parametrize("error", [ZeroDivisionError, asyncio.CancelledError])
async def test_exception_closes_the_session(kind: Kind, error: type[BaseException]) -> None:
    with ReplayServer() as server:
        with pytest.raises(error):
            async with opened(kind, server.url) as connection:
                raise error
        await assert_over(connection, ConnectionClosedError, 1000)
    assert server.sessions[0].close_code == 1000


async def test_connector_has_one_session_at_a_time(kind: Kind) -> None:
    async with ReplayServer(faults=Faults(refuse=503)) as server:
        connector = kind.connect(base_url=server.url, api_key=KEY)
        with pytest.raises(HandshakeRefusedError):
            async with entered(connector):
                pass
        server.faults = Faults()
        for _ in range(2):
            async with entered(connector) as connection:
                with pytest.raises(RuntimeError, match="already connected"):
                    async with entered(connector):
                        pass
                await connection.until("session.created")
    assert [session.close_code for session in server.sessions] == [1000, 1000]


ERRORS = [
    InvalidKeyError(3000, reason="why", unsent="session.update", audio_sent=5),
    ConnectionFailedError("no connection"),
    InvalidModelError("RealtimeResponse", [("usage", "Input should be an object")]),
    HandshakeRefusedError(401, {"X-Request-Id": "r"}, b'{"error":{"message":"m"}}'),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_can_be_copied_and_pickled(error: Exception) -> None:
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert vars(other) == vars(error)
