"""Speech to text: a session that transcribes, and answers nothing.

    python examples/transcription.py speech.wav

The key is in OPENAI_API_KEY. Without one, put `python examples/without_key.py` in place of
`python`, and it talks to the embedded server.
"""

from __future__ import annotations

import asyncio
import sys
import wave

from openai_realtime_client import Conversation, error_details, ga

SESSION: ga.RealtimeTranscriptionSessionCreateRequestGAParam = {
    "type": "transcription",
    "audio": {
        "input": {
            "transcription": {"model": "gpt-transcribe", "language": "en"},
            "turn_detection": None,  # the whole file is one turn
        }
    },
}


async def main(path: str) -> None:
    """Print what is said in a file, as it comes and then as a whole."""
    with wave.open(path, "rb") as file:
        if file.getparams()[:3] != (1, 2, 24_000):
            sys.exit(f"{path} is not PCM16 at 24 kHz, mono. See examples/README.md.")
        audio = file.readframes(file.getnframes())
    conversation = Conversation()
    async with ga.connect(intent="transcription", conversation=conversation) as connection:
        await connection.send({"type": "session.update", "session": SESSION})
        await connection.send_audio(audio)
        await connection.send({"type": "input_audio_buffer.commit"})
        async for event in connection:
            if event.type == "conversation.item.input_audio_transcription.delta":
                print("…", conversation.items[0].transcript, flush=True)
            elif event.type == "conversation.item.input_audio_transcription.completed":
                print(event.transcript)
                return
            elif event.type in ("conversation.item.input_audio_transcription.failed", "error"):
                sys.exit(str(error_details(event)))
    sys.exit("The session ended without a transcript.")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: transcription.py SPEECH.wav")
    asyncio.run(main(sys.argv[1]))
