"""The user interrupts: the answer stops, and the model knows how much of it was heard.

    python examples/barge_in.py "Tell me a story." "Stop. What time is it?"

The second question is asked after 100 ms of the answer to the first. The key is in OPENAI_API_KEY.
Without one, put `python examples/without_key.py` in place of `python`, and it talks to the embedded
server.
"""

from __future__ import annotations

import asyncio
import base64
import sys

from openai_realtime_client import Conversation, Playback, ga

FRAME = 960  # 20 ms of PCM16 at 24 kHz


async def play(playback: Playback, until_ms: int) -> None:
    """Take a frame every 20 ms, as the callback of an audio device does."""
    while playback.milliseconds < until_ms:
        playback.take(FRAME)
        await asyncio.sleep(0.02)


async def main(question: str, interruption: str) -> None:
    """Ask, interrupt the answer, and print what the conversation is then."""
    conversation, playback = Conversation(), Playback()
    async with ga.connect("gpt-realtime") as connection:

        async def send(event: ga.RealtimeClientEventParam) -> None:
            conversation.add(event)
            await connection.send(event)

        async def interrupt() -> None:
            await play(playback, until_ms=100)
            playback.clear()
            if conversation.active:
                await send({"type": "response.cancel"})
            if truncate := conversation.heard(playback.item_id or "", playback.milliseconds):
                await send(truncate)
            print(f"Interrupted after {playback.milliseconds} ms.")
            await send(ga.user_text(interruption))

        await send(ga.user_text(question))
        await send({"type": "response.create"})
        interrupting: asyncio.Task[None] | None = None
        async for event in connection:
            conversation.add(event)
            if event.type == "response.output_audio.delta":
                if not interrupting:
                    interrupting = asyncio.create_task(interrupt())
                if not interrupting.done():
                    playback.add(event.item_id, base64.b64decode(event.delta))
            elif event.type == "conversation.item.done" and interrupting and interrupting.done():
                if event.item.to_dict().get("role") == "user":
                    break
            elif event.type == "error":
                sys.exit(event.error.message)
    for item in conversation.items:
        print(f"{item.role}: {item.text or f'{item.audio_ms} ms of audio'}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit('usage: barge_in.py "QUESTION" "INTERRUPTION"')
    asyncio.run(main(*sys.argv[1:]))
