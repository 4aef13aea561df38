"""Receiving: events of any kind and size, and the state of the session."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from connections import (
    EVENT,
    Kind,
    collects,
    do,
    error_of,
    for_asyncio,
    for_loops,
    for_protocols,
    for_threads,
    for_translations,
    opened,
    rest,
    sends,
    serving,
    turns,
    until,
)
from openai_realtime_client import InvalidEventError, MessageTooBigError, UnknownEvent
from peers import peer
from transports import ReplayServer


@for_protocols
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
async def test_nothing_is_lost_of_an_event(kind: Kind) -> None:
    async with serving(sends(*WIRES)) as url, opened(kind, url) as connection:
        received = await rest(connection)
    assert [event.to_dict() for event in received] == WIRES
    assert isinstance(received[0], UnknownEvent)
    assert type(received[1]) is kind.protocol.RealtimeServerEventError


TEXT = json.dumps(EVENT)


@pytest.mark.parametrize("message", [TEXT.encode(), [TEXT[:5], TEXT[5:6], TEXT[6:]]], ids=type)
async def test_an_event_may_come_in_a_binary_frame_or_in_fragments(
    kind: Kind, message: bytes | list[str]
) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send(message)
        await connection.wait_closed()

    async with serving(handler) as url, opened(kind, url) as connection:
        assert (await do(connection.recv)).to_dict() == EVENT


@for_loops
async def test_a_message_of_many_fragments_comes_through(kind: Kind) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send(['{"type":"x","a":"', *["z"] * 10_000, *[""] * 1000, '"}'])
        await connection.send(json.dumps(EVENT))
        await connection.wait_closed()

    async with serving(handler) as url, opened(kind, url) as connection:
        assert (await do(connection.recv)).a == "z" * 10_000
        assert (await do(connection.recv)).to_dict() == EVENT


async def test_text_of_64_mib_comes_through(kind: Kind) -> None:
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


NOT_EVENTS: list[str | bytes] = [b"\xff\xfe", b'{"type":"\xff"}', "", "not JSON", "[]", "5", "{}"]
NOT_EVENTS += ['{"type":5}', '{"type":']


async def test_a_message_that_is_not_an_event_does_not_end_the_session(kind: Kind) -> None:
    messages = [each for wrong in NOT_EVENTS for each in (wrong, EVENT, wrong, EVENT)]
    async with serving(sends(*messages)) as url, opened(kind, url) as connection:
        for _ in NOT_EVENTS:
            await error_of(InvalidEventError, connection.recv)
            assert (await do(connection.recv)).to_dict() == EVENT
            await error_of(InvalidEventError, rest, connection)
            assert (await do(connection.recv)).to_dict() == EVENT
        assert await rest(connection) == []


@for_protocols
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
async def test_a_translation_has_a_session_too(kind: Kind) -> None:
    async with ReplayServer() as server, opened(kind, server.url) as connection:
        created = await do(connection.recv)
        assert connection.session is created.session
        assert connection.session_id == created.session.id


UPDATES = ("created", "updated")


@for_protocols
@pytest.mark.parametrize("name", UPDATES)
async def test_a_transcription_has_a_session_too(kind: Kind, name: str) -> None:
    event = {"type": f"transcription_session.{name}", "event_id": "e", "session": {"id": "s1"}}
    async with serving(sends(event)) as url, opened(kind, url) as connection:
        received = await do(connection.recv)
        assert connection.session is received.session
        assert connection.session_id == "s1"


async def test_a_session_of_a_wrong_type_is_accepted_and_an_update_leaves_the_id(
    kind: Kind,
) -> None:
    wrong = [{"type": f"session.{n}", "session": s} for n in UPDATES for s in (None, "text", {}, 5)]
    right: list[Any] = [
        {"type": "session.created", "session": {"id": "s1"}},
        {"type": "session.updated", "session": {"instructions": "i"}},
    ]
    async with serving(sends(*wrong, *right)) as url, opened(kind, url) as connection:
        for event in wrong:
            assert (await do(connection.recv)).to_dict() == event
            assert connection.session_id is None
        await rest(connection)
        assert connection.session.instructions == "i"
        assert connection.session_id == "s1"


@for_threads
async def test_recv_gives_up_after_its_timeout(kind: Kind) -> None:
    async with serving(collects([])) as url, opened(kind, url) as connection:
        for timeout in (0, 0.01):
            with pytest.raises(TimeoutError):
                await do(connection.recv, timeout)
        await do(connection.send, EVENT)
        assert (await do(connection.recv, 10)).type == "got"


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


@for_asyncio
@pytest.mark.parametrize("is_fragmented", [False, True])
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
