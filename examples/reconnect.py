"""A conversation that outlives its sessions, which may be cut, and which expire.

    python examples/reconnect.py "My name is Ada." "What is my name?"

A new session has no memory, so it is given the settings and the conversation again. The key is in
OPENAI_API_KEY. Without one, put `python examples/without_key.py` in place of `python`, and it talks
to the embedded server.
"""

from __future__ import annotations

import asyncio
import sys

from openai_realtime_client import (
    AsyncConnection,
    ConnectionClosedError,
    Conversation,
    ConversationItem,
    error_details,
    ga,
)

SESSION: ga.RealtimeSessionUpdateParam = {
    "type": "realtime",
    "instructions": "Answer in one sentence.",
    "output_modalities": ["text"],
}
REMEMBERED = 20  # items; each costs tokens in every session
RETRIES = 6  # in a row
Service = AsyncConnection[ga.RealtimeServerEvent, ga.RealtimeClientEventParam]


def again(item: ConversationItem) -> ga.RealtimeClientEventConversationItemCreate:
    """Return the event that restores a message, a spoken one by its transcript."""
    content_type = "input_text"
    if item.role == "assistant":
        content_type = "output_text"
    part = {"type": content_type, "text": item.text or item.transcript}
    message = {"type": "message", "id": item.id, "role": item.role, "content": [part]}
    event = {"type": "conversation.item.create", "item": message}
    return ga.RealtimeClientEventConversationItemCreate.from_dict(event)


async def answer(service: Service, conversation: Conversation) -> str:
    """Return the text of the next response."""
    await service.send({"type": "response.create"})
    while True:
        event = await service.recv()
        if event.type == "response.done":
            if event.response.status != "completed":
                raise RuntimeError(str(error_details(event)))
            return conversation.responses[event.response.id or ""].text
        if event.type == "error":
            details = error_details(event)
            if details.code != "session_expired":  # The session is closed after that.
                raise RuntimeError(str(details))


async def converse(questions: list[str]) -> None:
    """Ask one question after the other, in as many sessions as that takes."""
    conversation, answered = Conversation(), 0
    connector = ga.connect("gpt-realtime-2.1", conversation=conversation, retries=RETRIES)
    async for service in connector:
        try:
            await service.send({"type": "session.update", "session": SESSION})
            history = conversation.history(max_items=REMEMBERED)
            remembered = {event["item"].get("id") for event in history}
            # The first item stays, since it says what the others are about.
            for item in conversation.items[:1]:
                if item.text and item.id not in remembered:
                    await service.send(again(item))
            for event in history:
                await service.send(event)
            while answered < len(questions):
                asked = [item for item in conversation.items if item.role == "user"]
                if len(asked) == answered:
                    await service.send(ga.user_text(questions[answered]))
                print(await answer(service, conversation))
                answered += 1
            return
        except ConnectionClosedError:
            pass  # The next turn waits, or raises what will not pass, such as a wrong key.


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit('usage: reconnect.py "QUESTION" …')
    asyncio.run(converse(sys.argv[1:]))
