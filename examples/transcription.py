"""Speech to text: a session that transcribes, and answers nothing.

    python examples/transcription.py speech.wav

The key is in OPENAI_API_KEY. Without one, put `python examples/without_key.py` in place of
`python`, and it talks to the embedded server.
"""

from __future__ import annotations

import asyncio
import sys
import wave

from openai_realtime_client import ga

Delta = ga.RealtimeServerEventConversationItemInputAudioTranscriptionDelta
Transcribed = ga.RealtimeServerEventConversationItemInputAudioTranscriptionCompleted
NotTranscribed = ga.RealtimeServerEventConversationItemInputAudioTranscriptionFailed

HEARING = ga.RealtimeTranscriptionSessionCreateRequestGAAudioInput(
    transcription=ga.AudioTranscription(
        model=ga.AudioTranscriptionModelEnum.GPT_4O_TRANSCRIBE, language="en"
    ),
    turn_detection=None,  # the whole file is one turn
)
SESSION = ga.RealtimeTranscriptionSessionCreateRequestGA(
    audio=ga.RealtimeTranscriptionSessionCreateRequestGAAudio(input=HEARING)
)


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
    audio = read_wav(path)
    async with ga.connect(intent="transcription") as connection:
        await connection.send(ga.RealtimeClientEventSessionUpdate(session=SESSION))
        await connection.send_audio(audio)
        await connection.send(ga.RealtimeClientEventInputAudioBufferCommit())
        while True:
            match await connection.recv():
                case Delta(delta=delta):
                    print("…", delta, flush=True)
                case Transcribed(transcript=transcript):
                    print(transcript)
                    return
                case NotTranscribed(error=failure):
                    sys.exit(failure.message or "The audio was not transcribed.")
                case ga.RealtimeServerEventError(error=error):
                    sys.exit(error.message)
                case _:
                    pass


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: transcription.py SPEECH.wav")
    asyncio.run(main(sys.argv[1]))
