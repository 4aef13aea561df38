"""Servers that are silent, slow or dead: pings, and a `close` that ends in time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from websockets.frames import Opcode

from connections import (
    AUDIO,
    EVENT,
    Kind,
    assert_closed,
    do,
    error_of,
    for_loops,
    opened,
    within,
)
from openai_realtime_client import ConnectionClosedError, ConnectionLostError, InvalidKeyError
from peers import QUICK, Peer, answering_pings, half_a_record, peer


@for_loops
async def test_a_dead_server_is_noticed_while_receiving(kind: Kind) -> None:
    async with peer() as other, opened(kind, other.url, options=QUICK) as connection:
        error = await error_of(ConnectionLostError, within, 0.2, do(connection.recv))
        assert_closed(error, 1006, "the server did not answer a ping")
        assert other.socket.fileno() >= 0


@for_loops
async def test_a_dead_server_is_noticed_while_sending(kind: Kind, no_user_timeout: None) -> None:
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
async def test_a_silent_server_that_answers_pings_is_alive(kind: Kind) -> None:
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
    assert [each for each in opcodes if each != Opcode.PING] == [Opcode.TEXT, Opcode.CLOSE]


async def test_a_server_that_talks_needs_no_pings(kind: Kind) -> None:
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


async def test_a_reader_that_is_busy_does_not_make_a_server_dead(kind: Kind) -> None:
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
    await other.readable()
    # Until nothing goes out any more.
    await asyncio.sleep(0.05)


async def half_closed(other: Peer, connection: Any) -> None:
    other.protocol.send_close(1000)
    await other.flush()
    await other.readable()


async def half_a_frame(other: Peer, connection: Any) -> None:
    await other.write(b"\x81\x7e\xff\xff{")


_kept: set[asyncio.Task[None]] = set()


def keep(coroutine: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(coroutine)
    _kept.add(task)
    task.add_done_callback(_kept.discard)


@pytest.mark.parametrize(
    "behaviour", [silent, flooding, stuck, half_closed, half_a_frame, half_a_record]
)
@for_loops
async def test_close_ends_in_time(
    kind: Kind, behaviour: Callable[[Peer, Any], Awaitable[None]]
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
        for task in list(_kept):
            await within(1, task)
        other.cut()


async def test_a_close_that_cuts_what_was_sent_says_so(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"close_timeout": 0.1, "ping_interval": None}
    async with peer() as other, opened(kind, other.url, options=options) as connection:
        # More than the peer's system takes, and less than ours does.
        for _ in range(8):
            await within(1, do(connection.send_audio, AUDIO[:40_000]))
        await within(0.1, do(connection.close))
        error = await error_of(ConnectionLostError, connection.recv)
        sent = await error_of(ConnectionLostError, connection.send, EVENT)
        other.cut()
    said = "the server did not answer the close frame in time; "
    for each in (error, sent):
        assert isinstance(each, ConnectionLostError)
        assert each.reason.startswith(said)
    [warning] = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "bytes of what was sent had not been passed on" in warning.getMessage()


@for_loops
async def test_half_a_close_ends_in_time_without_pings(kind: Kind) -> None:
    """The server's close frame came, but TCP stays open: what waits for an event ends."""
    options = {"close_timeout": 0.1, "ping_interval": None}
    async with peer() as other, opened(kind, other.url, options=options) as connection:
        receiving = asyncio.create_task(do(connection.recv))
        other.protocol.send_close(3000, "why")
        await other.flush()
        error = await error_of(InvalidKeyError, within, 0.2, receiving)
        assert_closed(error, 3000, "why")
        assert other.socket.fileno() >= 0
