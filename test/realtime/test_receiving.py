"""Receiving: events of any kind and size, and the state of the session."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from connections import (
    ANY_REASON,
    EVENT,
    Kind,
    assert_closed,
    collects,
    error_of,
    for_asyncio,
    for_dialects,
    for_protocols,
    for_threads,
    opened,
    sends,
    serving,
    turns,
)
from openai_realtime_client import InvalidEventError, MessageTooBigError, UnknownEvent
from peers import peer

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
        received = await connection.rest()
    assert [event.to_dict() for event in received] == WIRES
    assert isinstance(received[0], UnknownEvent)
    assert type(received[1]) is kind.protocol.RealtimeServerEventError


TEXT = json.dumps(EVENT)
MESSAGES = {"binary": TEXT.encode(), "fragments": [TEXT[:5], *TEXT[5:], *[""] * 1500, " "]}


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES.keys())
async def test_event_in_a_binary_frame_or_in_many_fragments(
    kind: Kind, message: bytes | list[str]
) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send(message)
        await connection.wait_closed()

    async with serving(handler) as url, opened(kind, url) as connection:
        assert (await connection.recv()).to_dict() == EVENT


@for_asyncio
async def test_text_up_to_max_size_comes_through(kind: Kind) -> None:
    start, end = b'{"type":"x","a":"', b'"}'
    # More than the default of `websockets`.
    size = 2**21
    fill = size - len(start) - len(end)
    text = start + b"z" * fill + end

    async def handler(connection: ServerConnection) -> None:
        for message in (text, text + b" "):
            await connection.send([message[: 2**14], message[2**14 :]], text=True)
        await connection.wait_closed()

    async with serving(handler) as url:
        async with opened(kind, url) as connection:
            assert (await connection.recv()).a == "z" * fill
        async with opened(kind, url, options={"max_size": size}) as connection:
            assert (await connection.recv()).a == "z" * fill
            error = await error_of(MessageTooBigError, connection.recv())
            assert_closed(error, 1009, ANY_REASON)


NOT_EVENTS: list[str | bytes] = [b"\xff\xfe", b'{"type":"\xff"}', "", "not JSON", "[]", "5", "{}"]
NOT_EVENTS += ['{"type":5}', '{"type":']


async def test_message_that_is_not_an_event_does_not_end_the_session(kind: Kind) -> None:
    messages = [message for wrong in NOT_EVENTS for message in (wrong, EVENT)]
    async with serving(sends(*messages, NOT_EVENTS[0])) as url, opened(kind, url) as connection:
        for _ in NOT_EVENTS:
            await error_of(InvalidEventError, connection.recv())
            assert (await connection.recv()).to_dict() == EVENT
        await error_of(InvalidEventError, connection.rest())
        assert await connection.rest() == []


@for_dialects
async def test_session_is_what_the_server_said_last(kind: Kind) -> None:
    names = ["session.created", "session.updated"]
    if "translation" not in kind.name:
        names += ["transcription_session.created", "transcription_session.updated"]
    # Any type is accepted, and an update need not repeat the id.
    wrong = [{"type": name, "session": value} for name in names for value in (None, "text", {}, 5)]
    right = [{"type": name, "session": {"id": name, "x_new": name}} for name in names]
    right += [{"type": "session.updated", "session": {"x_new": "i"}}, EVENT]
    async with serving(sends(*wrong, *right)) as url, opened(kind, url) as connection:
        assert (connection.session, connection.session_id) == (None, None)
        for event in wrong:
            assert (await connection.recv()).to_dict() == event
            assert connection.session_id is None
        for name in names:
            received = await connection.recv()
            assert connection.session is received.session
            assert connection.session_id == name
            assert f"session {name}" in repr(connection)
        await connection.rest()
        assert connection.session.x_new == "i"
        assert connection.session_id == names[-1]


@for_threads
async def test_recv_gives_up_after_its_timeout(kind: Kind) -> None:
    async with serving(collects([])) as url, opened(kind, url) as connection:
        for timeout in (0, 0.01):
            with pytest.raises(TimeoutError):
                await connection.recv(timeout)
        await connection.send(EVENT)
        assert (await connection.recv(15)).type == "got"


async def test_slow_reader_slows_the_server_down(kind: Kind) -> None:
    text = json.dumps({"type": "x", "a": "z" * 10_000}).encode()
    sent = 0

    async def send() -> None:
        nonlocal sent
        while True:
            await other.send(text)
            sent += 1

    async with peer() as other, opened(kind, other.url) as connection:
        sending = asyncio.create_task(send())
        for received in (50, 100):
            for _ in range(received):
                await connection.recv()
            # It stops by itself, after what the operating system and the queue take.
            before = -1
            while sent > before:
                before = sent
                await asyncio.sleep(0.1)
        assert 150 <= sent < 150 + 2000
        sending.cancel()
        other.cut()


@for_asyncio
@pytest.mark.parametrize("is_fragmented", [False, True], ids=["whole", "fragments"])
async def test_cancelling_recv_loses_no_event(kind: Kind, is_fragmented: bool) -> None:
    count = 200

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
        assert await connection.rest() == []
    assert received == list(range(count))
    assert cancelled > 20
