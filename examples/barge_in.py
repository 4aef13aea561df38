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

from openai_realtime_client import Conversation, Playback, error_details, ga

FRAME = 960  # 20 ms of PCM16 at 24 kHz


async def main(question: str, interruption: str) -> None:
    """Ask, interrupt the answer, and print what the conversation is then."""
    conversation = Conversation()
    playback = Playback(conversation=conversation)
    async with ga.connect("gpt-realtime-2.1", conversation=conversation) as connection:

        async def interrupt() -> None:
            while playback.milliseconds < 100:  # as the callback of an audio device does
                playback.take(FRAME)
                await asyncio.sleep(0.02)
            if conversation.active:
                await connection.send({"type": "response.cancel"})
            for truncate in conversation.interrupted(playback.clear()):
                await connection.send(truncate)
            await connection.send(ga.user_text(interruption))

        await connection.send(ga.user_text(question))
        await connection.send({"type": "response.create"})
        interrupting = asyncio.create_task(interrupt())
        async for event in connection:
            if event.type == "response.output_audio.delta":
                playback.add(event.item_id, base64.b64decode(event.delta))
            elif event.type == "response.done":
                response = conversation.responses[event.response.id or ""]
                if response.status in ("failed", "incomplete"):
                    interrupting.cancel()
                    sys.exit(str(error_details(event)))
                if sum(item.audio_ms for item in response.items) < 100:
                    interrupting.cancel()
                    sys.exit("The answer is too short to interrupt.")
            elif event.type == "error":
                details = error_details(event)
                if details.code != "response_cancel_not_active":  # it ended meanwhile
                    sys.exit(str(details))
            if [item.role for item in conversation.items].count("user") == 2:
                break
        else:
            interrupting.cancel()
            sys.exit("The session ended before the interruption.")
    for item in conversation.items:
        print(f"{item.role}: {item.text or f'{item.audio_ms} ms of audio'}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit('usage: barge_in.py "QUESTION" "INTERRUPTION"')
    asyncio.run(main(*sys.argv[1:]))
