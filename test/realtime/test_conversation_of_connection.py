"""`connect(conversation=…)`: what is received and sent is added, whoever sends it."""

from __future__ import annotations

import sys
from threading import Thread

from connections import Kind, error_of, for_asyncio, for_protocols, opened
from openai_realtime_client import Conversation, InvalidEventError
from openai_realtime_client.testing import Faults
from transports import ReplayServer

AUDIO = bytes(300_000)  # 6.25 s, which goes out in several events


@for_protocols
async def test_it_is_kept_by_the_connection(kind: Kind) -> None:
    conversation = Conversation()
    settings = {"turn_detection": None}
    if not kind.is_beta:
        settings = {"type": "realtime", "audio": {"input": settings}}
    delete = {"type": "conversation.item.delete", "event_id": "mine", "item_id": "none"}
    async with (
        ReplayServer() as server,
        opened(kind, server.url, model="m", conversation=conversation) as connection,
    ):
        await connection.send({"type": "session.update", "session": settings})
        await connection.send(delete)
        await connection.until("error")
        await connection.send_audio(AUDIO)
        await connection.send({"type": "input_audio_buffer.commit"})
        await connection.send({"type": "response.create"})
        await connection.until("response.done")
        assert conversation.session == connection.session
    user, assistant = conversation.items
    assert (user.role, user.audio_bytes, user.audio_ms) == ("user", len(AUDIO), 6250)
    assert assistant.role == "assistant"
    assert assistant.audio_ms > 0
    assert [each.status for each in conversation.responses.values()] == ["completed"]


@for_asyncio
async def test_what_is_no_event_is_not_added(kind: Kind) -> None:
    conversation = Conversation()
    async with (
        ReplayServer(faults=Faults(garbage_after=0)) as server,
        opened(kind, server.url, conversation=conversation) as connection,
    ):
        await error_of(InvalidEventError, connection.recv())
        await connection.recv()
        assert conversation.session_id == connection.session_id is not None


async def test_close_after_next_session_began_keeps_its_state(kind: Kind) -> None:
    conversation = Conversation()
    async with (
        ReplayServer() as server,
        opened(kind, server.url, conversation=conversation) as earlier,
        opened(kind, server.url, conversation=conversation) as later,
    ):
        await earlier.until("session.created")
        await later.until("session.created")
        await later.send({"type": "response.create"})
        await later.until("response.created")
        await earlier.close()
        assert len(conversation.active) == 1


def test_threads_may_add_and_read() -> None:
    interval = sys.getswitchinterval()
    conversation = Conversation()

    def add(name: str) -> None:
        for number in range(100):
            item = {"id": f"{name}{number}", "type": "message", "role": "user", "content": []}
            conversation.add({"type": "conversation.item.created", "item": item})
            if number % 2:
                conversation.add({"type": "conversation.item.deleted", "item_id": item["id"]})
            conversation.add({"type": "input_audio_buffer.append", "audio": "AAAA"})
            conversation.add({"type": "response.created", "response": {"id": f"{name}{number}"}})

    threads = [Thread(target=add, args=(name,)) for name in "abc"]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            # Each thread may not have deleted its last item yet.
            assert len(conversation.items) <= 150 + len(threads)
            assert len(conversation.active) <= 300
    finally:
        sys.setswitchinterval(interval)
    kept = [f"{name}{number}" for name in "abc" for number in range(0, 100, 2)]
    assert sorted(item.id for item in conversation.items) == sorted(kept)
    assert len(conversation.active) == 300
    conversation.add({"type": "input_audio_buffer.commit"})
    conversation.add({"type": "input_audio_buffer.committed", "item_id": "said"})
    assert conversation.items[-1].audio_bytes == 900
