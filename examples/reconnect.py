"""A conversation that outlives its sessions, which may be cut, and which expire.

    python examples/reconnect.py "My name is Ada." "What is my name?"

A new session has no memory, so that it is given the settings and the conversation anew. The key is
in OPENAI_API_KEY. Without one, put `python examples/without_key.py` in place of `python`, and it
talks to the embedded server.
"""

from __future__ import annotations

import asyncio
import random
import sys

from openai_realtime_client import (
    AsyncConnection,
    ConnectionFailedError,
    ConnectionLostError,
    Conversation,
    ConversationItem,
    HandshakeRefusedError,
    SessionExpiredError,
    ga,
)

SESSION: ga.RealtimeSessionUpdateParam = {
    "type": "realtime",
    "instructions": "Answer in one sentence.",
    "output_modalities": ["text"],
}
TRIES = 6  # in a row without an answer
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0  # seconds
REMEMBERED = 20  # items; each costs tokens in every session
Service = AsyncConnection[ga.RealtimeServerEvent, ga.RealtimeClientEventParam]


def again(item: ConversationItem) -> ga.RealtimeClientEventConversationItemCreate:
    """What was said in an earlier session, to send. Spoken answers are sent as text, too."""
    kind = "input_text" if item.role == "user" else "output_text"
    part = {"type": kind, "text": item.text or item.transcript}
    said = {"type": "message", "role": item.role, "content": [part]}
    event = {"type": "conversation.item.create", "item": said}
    return ga.RealtimeClientEventConversationItemCreate.from_dict(event)


async def ask(service: Service, conversation: Conversation, question: str) -> str:
    """The answer to a question."""
    await service.send(ga.user_text(question))
    await service.send({"type": "response.create"})
    while True:
        event = await service.recv()
        if event.type == "error":
            raise RuntimeError(event.error.message)
        if event.type == "response.done":
            response = conversation.responses[event.response.id or ""]
            if response.status != "completed":
                raise RuntimeError(f"the response is {response.status}")
            return response.text


async def converse(questions: list[str]) -> None:
    """Ask one question after the other, in as many sessions as that takes."""
    left, said, failures = list(questions), list[ConversationItem](), 0
    while left:
        conversation = Conversation()
        try:
            async with ga.connect("gpt-realtime-2.1", conversation=conversation) as service:
                await service.send({"type": "session.update", "session": SESSION})
                for item in said[-REMEMBERED:]:
                    await service.send(again(item))
                while left:
                    print(await ask(service, conversation, left[0]))
                    del left[0]
                    said, failures = conversation.items, 0
        # No others: InvalidKeyError and ProtocolRefusedError, say, would only come again.
        except (ConnectionLostError, SessionExpiredError, ConnectionFailedError) as error:
            failures += 1
            status = error.status if isinstance(error, HandshakeRefusedError) else 500
            if failures == TRIES or (status < 500 and status not in (408, 429)):
                raise
            # At random, so that not all clients of a server that has gone come back at once.
            delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (failures - 1)) * random.uniform(0.5, 1)
            print(f"{error}; again in {delay:.1f} s", file=sys.stderr)
            await asyncio.sleep(delay)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit('usage: reconnect.py "QUESTION" …')
    asyncio.run(converse(sys.argv[1:]))
