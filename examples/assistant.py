"""A voice assistant: microphone and loudspeaker, interruptions, and functions that it calls.

    pip install "websockets>=15" miniaudio
    python examples/assistant.py

Speak, and end with Ctrl-C. Use headphones: the microphone must not hear the loudspeaker. The key is
in OPENAI_API_KEY. Without one, put `python examples/without_key.py` in place of `python`, and it
talks to the embedded server. assistant_threads.py is the same with threads.
"""

import asyncio
import base64
import sys

from openai_realtime_client import (
    Conversation,
    Playback,
    RealtimeError,
    error_details,
    ga,
)
from openai_realtime_client.audio import Microphone, Speaker


# A real program asks services.
def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"Sunny in {city}, 21 degrees."


def get_hotels(city: str, max_price: int) -> list[str]:
    """Name hotels in a city with a room for at most a price in euros."""
    return [f"Grand Hotel {city}, {max_price} euros"]


async def main() -> None:
    """Talk until the session ends."""
    conversation, tools = Conversation(), ga.Tools(get_weather, get_hotels)
    playback = Playback(conversation=conversation)
    async with (
        ga.connect("gpt-realtime-2.1", conversation=conversation, tools=tools) as connection,
        Microphone() as microphone,
        Speaker(playback),
    ):

        async def listen() -> None:
            async for audio in microphone:
                await connection.send_audio(audio)
            await connection.close()

        async def speak() -> None:
            async for event in connection:
                if event.type == "response.output_audio.delta":
                    playback.add(event.item_id, base64.b64decode(event.delta))
                elif event.type == "input_audio_buffer.speech_started":
                    for truncate in conversation.interrupted(playback.clear()):
                        await connection.send(truncate)
                elif event.type == "response.output_audio_transcript.done":
                    print(event.transcript)
                elif event.type == "error" or (
                    event.type == "response.done" and event.response.status == "failed"
                ):
                    print(error_details(event))

        await connection.send(
            {"type": "session.update", "session": {"type": "realtime", "tools": tools.params}}
        )
        await asyncio.gather(listen(), speak())


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
    except RealtimeError as error:
        sys.exit(str(error))
