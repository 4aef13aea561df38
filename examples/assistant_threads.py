"""A voice assistant with threads: microphone and loudspeaker, interruptions, and functions.

    pip install "websockets>=15" miniaudio
    python examples/assistant_threads.py

Speak, and end with Ctrl-C. Use headphones: the microphone must not hear the loudspeaker. The key is
in OPENAI_API_KEY. Without one, put `python examples/without_key.py` in place of `python`, and it
talks to the embedded server. assistant.py is the same with asyncio.
"""

import base64
import sys
from threading import Thread

from openai_realtime_client import (
    ConnectionClosedError,
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


def main() -> None:
    """Talk until the session ends."""
    conversation, tools = Conversation(), ga.Tools(get_weather, get_hotels)
    playback = Playback(conversation=conversation)
    with (
        ga.connect_sync("gpt-realtime-2.1", conversation=conversation, tools=tools) as connection,
        Microphone() as microphone,
        Speaker(playback),
    ):

        def listen() -> None:
            try:
                for audio in microphone:
                    connection.send_audio(audio)
            except ConnectionClosedError:
                pass  # The loop over events says why.
            except RealtimeError as error:
                print(error)
            connection.close()

        connection.send(
            {"type": "session.update", "session": {"type": "realtime", "tools": tools.params}}
        )
        Thread(target=listen, daemon=True).start()
        for event in connection:
            if event.type == "response.output_audio.delta":
                playback.add(event.item_id, base64.b64decode(event.delta))
            elif event.type == "input_audio_buffer.speech_started":
                for truncate in conversation.interrupted(playback.clear()):
                    connection.send(truncate)
            elif event.type == "response.output_audio_transcript.done":
                print(event.transcript)
            elif event.type == "error" or (
                event.type == "response.done" and event.response.status == "failed"
            ):
                print(error_details(event))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
    except RealtimeError as error:
        sys.exit(str(error))
