"""Speech to text: a session that transcribes, and answers nothing.

    python examples/transcription.py speech.wav

The key is in OPENAI_API_KEY. Without one, put `python examples/without_key.py` in place of
`python`, and it talks to the embedded server.
"""

from __future__ import annotations

import asyncio
import sys
import wave

from openai_realtime_client import Conversation, ga

TRANSCRIPTION = "conversation.item.input_audio_transcription"
SESSION: ga.RealtimeTranscriptionSessionCreateRequestGAParam = {
    "type": "transcription",
    "audio": {
        "input": {
            "transcription": {"model": "gpt-4o-transcribe", "language": "en"},
            "turn_detection": None,  # the whole file is one turn
        },
    },
}


def read_wav(path: str) -> bytes:
    """The audio of a file, without its header: mono, PCM16, 24 kHz."""
    try:
        with wave.open(path, "rb") as file:
            if file.getparams()[:3] != (1, 2, 24_000):
                sys.exit(f"{path} is not PCM16 at 24 kHz, mono. See examples/README.md.")
            return file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        sys.exit(f"{path} cannot be read as a WAV file: {str(error) or 'it is empty'}")


async def main(path: str) -> None:
    """Print what is said in a file, as it comes and then as a whole."""
    audio, conversation = read_wav(path), Conversation()
    async with ga.connect(intent="transcription", conversation=conversation) as connection:
        await connection.send({"type": "session.update", "session": SESSION})
        await connection.send_audio(audio)
        await connection.send({"type": "input_audio_buffer.commit"})
        async for event in connection:
            if event.type == f"{TRANSCRIPTION}.delta":
                print("…", conversation.items[0].transcript, flush=True)
            elif event.type in (f"{TRANSCRIPTION}.completed", f"{TRANSCRIPTION}.failed"):
                break
            elif event.type == "error":
                sys.exit(event.error.message)
    [item] = conversation.items
    if failure := item.parts[0].transcription_error:
        sys.exit(failure.get("message") or "The audio was not transcribed.")
    print(item.transcript)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: transcription.py SPEECH.wav")
    asyncio.run(main(sys.argv[1]))
