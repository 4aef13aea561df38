"""`connect(conversation=…)`: what is received and sent is added, whoever sends it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest

from openai_realtime_client import Conversation, InvalidEventError, ga, v1
from openai_realtime_client.testing import Faults, ReplayServer

AUDIO = bytes(300_000)  # 6.25 s, which goes out in several events
WITHOUT_TURNS: dict[str, Any] = {
    "ga": {"type": "realtime", "audio": {"input": {"turn_detection": None}}},
    "v1": {"turn_detection": None},
}


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer() as server:
        yield server


def opened(server: ReplayServer, conversation: Conversation) -> dict[str, Any]:
    return {"base_url": server.url, "api_key": "sk-test", "conversation": conversation}


def talk(name: str) -> list[dict[str, Any]]:
    update = {"type": "session.update", "session": WITHOUT_TURNS[name]}
    delete = {"type": "conversation.item.delete", "event_id": "mine", "item_id": "none"}
    return [update, delete]


def hold_sync(protocol: Any, name: str, server: ReplayServer, conversation: Conversation) -> Any:
    answered = None
    settings = opened(server, conversation)
    with protocol.connect_sync("m", **settings) as connection:
        for event in talk(name):
            connection.send(event)
        connection.send_audio(AUDIO)
        connection.send({"type": "input_audio_buffer.commit"})
        connection.send({"type": "response.create"})
        for event in connection:
            answered = conversation.answered if event.type == "error" else answered
            if event.type == "response.done":
                assert conversation.session == connection.session
                break
    return answered


def hold_async(protocol: Any, name: str, server: ReplayServer, conversation: Conversation) -> Any:
    async def main() -> Any:
        answered = None
        settings = opened(server, conversation)
        async with protocol.connect("m", **settings) as connection:
            for event in talk(name):
                await connection.send(event)
            await connection.send_audio(AUDIO)
            await connection.send({"type": "input_audio_buffer.commit"})
            await connection.send({"type": "response.create"})
            async for event in connection:
                answered = conversation.answered if event.type == "error" else answered
                if event.type == "response.done":
                    assert conversation.session == connection.session
                    break
        return answered

    return asyncio.run(main())


@pytest.mark.parametrize("hold", [hold_sync, hold_async])
@pytest.mark.parametrize(("protocol", "name"), [(ga, "ga"), (v1, "v1")], ids=["ga", "v1"])
def test_it_is_kept_by_the_connection(
    server: ReplayServer, hold: Any, protocol: Any, name: str
) -> None:
    conversation = Conversation()
    answered = hold(protocol, name, server, conversation)
    assert answered == talk(name)[1]
    user, assistant = conversation.items
    assert (user.role, user.audio_bytes, user.audio_ms) == ("user", len(AUDIO), 6250)
    assert assistant.role == "assistant"
    assert assistant.audio_ms > 0
    assert [each.status for each in conversation.responses.values()] == ["completed"]


def test_what_was_sent_is_added_without_decoding_it(server: ReplayServer) -> None:
    added: list[Any] = []

    class Noted(Conversation):
        def add(self, event: Any) -> Any:
            added.append(event)
            return super().add(event)

    settings = opened(server, Noted())
    sent = [ga.user_text("Hello."), ga.RealtimeClientEventResponseCreate()]
    with ga.connect_sync("m", **settings) as connection:
        for event in sent:
            connection.send(event)
        connection.send_audio(b"\0\1\2")
    assert added[0] is sent[0]
    assert added[1] is sent[1]
    assert added[2] == {"type": "input_audio_buffer.append", "audio": "AAEC"}


def test_what_is_no_event_is_not_added(server: ReplayServer) -> None:
    conversation = Conversation()
    server.faults = Faults(garbage_after=0)
    with ga.connect_sync("m", **opened(server, conversation)) as connection:
        with pytest.raises(InvalidEventError):
            connection.recv()
        connection.recv()
    assert conversation.session_id == connection.session_id is not None


@pytest.fixture
def _threads_take_turns_often() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_threads_take_turns_often")
def test_threads_may_add_and_read() -> None:
    conversation = Conversation()

    def add(name: str) -> None:
        for number in range(500):
            item = {"id": f"{name}{number}", "type": "message", "role": "user", "content": []}
            conversation.add({"type": "conversation.item.created", "item": item})
            if number % 2:
                conversation.add({"type": "conversation.item.deleted", "item_id": item["id"]})
            conversation.add({"type": "input_audio_buffer.append", "audio": "AAAA"})
            conversation.add({"type": "response.created", "response": {"id": f"{name}{number}"}})

    threads = [Thread(target=add, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert len({item.id for item in conversation.items}) <= 750 + len(
            threads
        )  # which have not deleted theirs yet
        assert len(conversation.active) <= 1500
    assert sorted(item.id for item in conversation.items) == sorted(
        f"{name}{number}" for name in "abc" for number in range(0, 500, 2)
    )
    assert len(conversation.active) == 1500
    conversation.add({"type": "input_audio_buffer.commit"})
    conversation.add({"type": "input_audio_buffer.committed", "item_id": "said"})
    assert conversation.items[-1].audio_bytes == 4500
