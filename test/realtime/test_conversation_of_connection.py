"""`connect(conversation=…)`: what is received and sent is added, whoever sends it."""

from __future__ import annotations

from connections import Kind, for_protocols, opened
from openai_realtime_client import Conversation
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
