"""Servers that are silent, slow or dead: pings, and a `close` that ends in time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from connections import (
    AUDIO,
    EVENT,
    LARGE,
    Kind,
    assert_closed,
    error_of,
    for_asyncio,
    for_loops,
    opened,
    soon,
)
from openai_realtime_client import ConnectionClosedError, ConnectionLostError, InvalidKeyError
from peers import HALF_A_RECORD, Peer, answering_pings, peer

QUICK = {"ping_interval": 0.1, "ping_timeout": 0.1, "close_timeout": 10}
# On a slow machine, a pong may take long.
PATIENT = {"ping_interval": 0.05, "ping_timeout": 15}


@for_loops
async def test_dead_server_is_noticed_while_receiving(kind: Kind) -> None:
    async with peer() as other, opened(kind, other.url, options=QUICK) as connection:
        error = await error_of(ConnectionLostError, soon(connection.recv()))
        assert_closed(error, 1006, "the server did not answer a ping")
        assert other.is_connected


async def test_dead_server_is_noticed_while_sending(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on systems that do not end a stuck connection themselves.
    monkeypatch.delattr(socket, "TCP_USER_TIMEOUT", raising=False)
    async with peer() as other, opened(kind, other.url, options=QUICK) as connection:
        error = await error_of(ConnectionLostError, soon(connection.send(LARGE)))
        assert_closed(error, 1006, "the server did not answer a ping", "x")
        assert other.is_connected


async def test_silent_server_that_answers_pings_is_alive(kind: Kind) -> None:
    async with (
        peer() as other,
        opened(kind, other.url, options=PATIENT) as connection,
        answering_pings(other) as frames,
    ):
        while len(frames) < 3:
            await asyncio.sleep(0.01)
        await connection.send(EVENT)
        await connection.close()
    opcodes = [frame.opcode for frame in frames]
    assert opcodes[:3] == [Opcode.PING] * 3
    assert [code for code in opcodes if code != Opcode.PING] == [Opcode.TEXT, Opcode.CLOSE]


@for_asyncio
async def test_server_that_talks_need_not_answer_pings(kind: Kind) -> None:
    """A pong may come late: after seconds of audio that wait to be read."""
    async with peer() as other, opened(kind, other.url, options=PATIENT) as connection:
        pings = 0
        while pings < 3:
            await other.receive()
            pings += sum(isinstance(event, Frame) for event in other.protocol.events_received())
            # Without the pong, which the protocol has made.
            other.protocol.data_to_send()
            await other.send(json.dumps(EVENT).encode())
            assert (await connection.recv()).to_dict() == EVENT
        other.cut()


async def test_busy_reader_does_not_make_a_server_dead(kind: Kind) -> None:
    text = json.dumps({"type": "x", "a": "z" * 10_000}).encode()
    options = QUICK | {"ping_timeout": 0.2, "max_queue": 2}

    async def send() -> None:
        for _ in range(40):
            await other.send(text)

    async with peer() as other, opened(kind, other.url, options=options) as connection:
        keep(send())
        # With what fills the queue, more than the pong can wait.
        await asyncio.sleep(0.6)
        for _ in range(40):
            assert (await connection.recv()).type == "x"
        other.cut()


async def flooding(other: Peer, connection: Any) -> None:
    async def flood() -> None:
        text = b'{"type":"x","a":"%s"}' % (b"z" * 1000)
        with contextlib.suppress(OSError):
            while True:
                await other.send(text)

    keep(flood())
    await connection.recv()


async def stuck(other: Peer, connection: Any) -> None:
    async def send() -> None:
        with contextlib.suppress(ConnectionClosedError):
            await connection.send(LARGE)

    keep(send())
    await other.readable()
    # Until nothing goes out any more.
    await asyncio.sleep(0.05)


async def half_closed(other: Peer, connection: Any) -> None:
    other.protocol.send_close(1000)
    await other.flush()
    await other.readable()


_kept: set[asyncio.Task[None]] = set()


def keep(coroutine: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(coroutine)
    _kept.add(task)
    task.add_done_callback(_kept.discard)


BEHAVIOURS: dict[str, Callable[[Peer, Any], Awaitable[None]]] = {
    "silent": lambda *_: asyncio.sleep(0),
    "flooding": flooding,
    "stuck": stuck,
    "half_closed": half_closed,
    "half_a_frame": lambda other, _: other.write(b"\x81\x7e\xff\xff{"),
    "half_a_record": lambda other, _: other.write_raw(HALF_A_RECORD),
}


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
@for_loops
async def test_close_ends_in_time(kind: Kind, behaviour: str) -> None:
    options = {"close_timeout": 0.1, "ping_interval": None, "max_queue": 4}
    async with peer() as other, opened(kind, other.url, options=options) as connection:
        await BEHAVIOURS[behaviour](other, connection)
        await soon(connection.close())
        assert other.is_connected
        await soon(connection.close())
        for call in (connection.recv(), connection.send(EVENT)):
            with pytest.raises(ConnectionClosedError):
                await soon(call)
        for task in list(_kept):
            await soon(task)
        other.cut()


async def test_close_that_cuts_what_was_sent_says_so(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"close_timeout": 0.1, "ping_interval": None}
    async with peer() as other, opened(kind, other.url, options=options) as connection:
        # More than the peer's system takes, and less than ours does.
        for _ in range(8):
            await soon(connection.send_audio(AUDIO[:40_000]))
        await soon(connection.close())
        received = await error_of(ConnectionLostError, connection.recv())
        sent = await error_of(ConnectionLostError, connection.send(EVENT))
        other.cut()
    for error in (received, sent):
        assert error.reason.startswith("the server did not answer the close frame in time; ")
    [warning] = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "bytes of what was sent had not been passed on" in warning.getMessage()


async def test_half_a_close_ends_in_time_without_pings(kind: Kind) -> None:
    """The server's close frame came, but TCP stays open: what waits for an event ends."""
    options = {"close_timeout": 0.1, "ping_interval": None}
    async with peer() as other, opened(kind, other.url, options=options) as connection:
        receiving = asyncio.create_task(connection.recv())
        other.protocol.send_close(3000, "why")
        await other.flush()
        assert_closed(await error_of(InvalidKeyError, soon(receiving)), 3000, "why")
        assert other.is_connected
