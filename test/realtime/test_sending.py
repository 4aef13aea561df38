"""Sending: what arrives, and what an interrupted `send` raises."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from array import array
from types import MappingProxyType
from typing import Any

import pytest
from websockets.frames import Opcode

from connections import (
    ANY_REASON,
    AUDIO,
    CHUNK,
    EVENT,
    KEY,
    LARGE,
    TRANSLATION,
    Kind,
    assert_closed,
    assert_over,
    collects,
    error_of,
    for_dialects,
    for_loops,
    for_protocols,
    for_threads,
    opened,
    serving,
    soon,
    turns,
)
from openai_realtime_client import (
    ConnectionClosedError,
    ConnectionLostError,
    InvalidKeyError,
    ga,
)
from peers import Peer, answering_pings, peer
from transports import ReplayServer


@for_protocols
async def test_event_arrives_as_it_is(kind: Kind) -> None:
    update = {"type": "session.update", "session": {"type": "realtime", "a": None, "x_new": ["é"]}}
    model = kind.protocol.RealtimeClientEventSessionUpdate.from_dict(update)
    nested = MappingProxyType({"type": "session.update", "session": model.session})
    received: list[Any] = []
    async with serving(collects(received)) as url, opened(kind, url) as connection:
        for event in (update, model, nested, kind.protocol.parse_client_event(update), EVENT):
            await connection.send(event)
            await connection.recv()
    assert received == [update] * 4 + [EVENT]


NOT_EVENTS: list[Any] = [
    {},
    {"type": 5},
    {"type": "x", "a": [float("inf")]},
    {"type": "x", "a": object()},
    ga.parse_client_event('{"type":"x","a":1e400}'),
]


async def test_what_is_not_an_event_is_not_sent(kind: Kind) -> None:
    received: list[Any] = []
    async with serving(collects(received)) as url, opened(kind, url) as connection:
        for event in NOT_EVENTS:
            with pytest.raises(ValueError, match=r"."):
                await connection.send(event)
        with pytest.raises(TypeError, match="not str"):
            await connection.send("text")
        await connection.send_raw(json.dumps(EVENT))
        await connection.recv()
    assert received == [EVENT]


SIZES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 5)
AUDIOS: list[Any] = [
    *(AUDIO[:size] for size in SIZES),
    bytearray(AUDIO),
    memoryview(bytearray(AUDIO))[3:-5],
    memoryview(array("h", AUDIO)),
]


@for_dialects
async def test_audio_arrives_byte_for_byte(kind: Kind) -> None:
    # The event of translations has a name of its own.
    prefix = "session." if kind is TRANSLATION else ""
    received: list[Any] = []
    async with serving(collects(received)) as url, opened(kind, url) as connection:
        for audio in AUDIOS:
            expected = bytes(audio)
            count = -(-len(expected) // CHUNK)
            await connection.send_audio(audio)
            for _ in range(count):
                await connection.recv()
            assert len(received) == count
            assert {event["type"] for event in received} <= {f"{prefix}input_audio_buffer.append"}
            assert all(event.keys() == {"type", "audio"} for event in received)
            chunks = [base64.b64decode(event["audio"], validate=True) for event in received]
            assert b"".join(chunks) == expected
            assert all(len(chunk) == CHUNK for chunk in chunks[:-1])
            received.clear()


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


async def cut(other: Peer, connection: Any) -> None:
    other.cut()


async def close(other: Peer, connection: Any) -> None:
    await connection.close()
    assert other.is_connected


async def refuse(other: Peer, connection: Any) -> None:
    other.protocol.send_close(3000, f"why {KEY}")
    await other.flush()
    await turns(50)
    other.cut()


@pytest.mark.parametrize(
    ("end", "error", "code", "reason"),
    [
        (cut, ConnectionLostError, 1006, ANY_REASON),
        (close, ConnectionLostError, 1006, ANY_REASON),
        (refuse, InvalidKeyError, 3000, "why ***"),
    ],
    ids=["cut", "close", "refuse"],
)
async def test_server_that_does_not_read_holds_the_sender_until_the_end(
    kind: Kind, end: Any, error: type[ConnectionClosedError], code: int, reason: str
) -> None:
    options = {"close_timeout": 0.02}
    async with peer() as other, opened(kind, other.url, options=options) as connection:
        sending = asyncio.create_task(connection.send(LARGE))
        await other.readable()
        await turns(50)
        assert not sending.done()
        await end(other, connection)
        assert_closed(await error_of(error, soon(sending)), code, reason, "x")


@for_loops
async def test_error_counts_the_audio_that_was_sent(kind: Kind) -> None:
    audio = AUDIO[:CHUNK] * 90
    async with peer() as other, opened(kind, other.url) as connection:
        sending = asyncio.create_task(connection.send_audio(audio))
        await other.readable() if not kind.is_async else await turns(500)
        # The loop does not run meanwhile.
        frames = other.taken() if kind.is_async else []
        other.cut()
        error = await error_of(ConnectionLostError, soon(sending))
        assert_closed(error, 1006, ANY_REASON, "input_audio_buffer.append", error.audio_sent)
        await assert_over(connection, ConnectionLostError, 1006, ANY_REASON)
    assert error.audio_sent % CHUNK == 0
    assert error.audio_sent < len(audio)
    if kind.is_async:
        # Between TLS and TCP there is a buffer.
        buffered = 1 if kind.is_tls else 0
        assert 0 <= error.audio_sent // CHUNK - len(frames) <= buffered
        assert frames


@pytest.mark.parametrize("limit", [0, None, 2**15], ids=["0", "default", "own"])
@for_loops
async def test_sending_does_not_wait_for_the_server_to_speak(kind: Kind, limit: Any) -> None:
    options = {} if limit is None else {"write_limit": limit}
    async with (
        peer() as other,
        opened(kind, other.url, options=options) as connection,
        answering_pings(other) as frames,
    ):
        for _ in range(50):
            await soon(connection.send_audio(b"\0" * 960))
        await connection.close()
    assert [frame.opcode for frame in frames] == [Opcode.TEXT] * 50 + [Opcode.CLOSE]
