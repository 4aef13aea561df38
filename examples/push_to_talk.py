"""A spoken turn without turn detection: the question is a WAV file, and so is the answer.

    python examples/push_to_talk.py question.wav answer.wav

The key is in OPENAI_API_KEY. Without one, put `python examples/without_key.py` in place of
`python`, and it talks to the embedded server.
"""

from __future__ import annotations

import base64
import sys
import wave

from openai_realtime_client import ga

Transcribed = ga.RealtimeServerEventConversationItemInputAudioTranscriptionCompleted
NotTranscribed = ga.RealtimeServerEventConversationItemInputAudioTranscriptionFailed

# Without turn detection the program says when the user has finished, as with a key held down.
HEARING = ga.RealtimeSessionCreateRequestGAAudioInput(
    turn_detection=None,
    transcription=ga.AudioTranscription(model=ga.AudioTranscriptionModelEnum.GPT_4O_TRANSCRIBE),
)
SESSION = ga.RealtimeSessionCreateRequestGA(
    instructions="Answer in one sentence.",
    audio=ga.RealtimeSessionCreateRequestGAAudio(input=HEARING),
)
FORMAT = (1, 2, 24_000)  # mono, PCM16, 24 kHz: what the service takes and gives by default


def read_wav(path: str) -> bytes:
    """The audio of a file, without its header."""
    try:
        with wave.open(path, "rb") as file:
            if file.getparams()[:3] != FORMAT:
                sys.exit(f"{path} is not PCM16 at 24 kHz, mono. See examples/README.md.")
            return file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        sys.exit(f"{path} cannot be read as a WAV file: {str(error) or 'it is empty'}")


def main(question: str, answer: str) -> None:
    """Ask what is in one file, and write the answer to the other."""
    audio = read_wav(question)
    with ga.connect_sync("gpt-realtime") as connection, wave.open(answer, "wb") as file:
        file.setparams((*FORMAT, 0, "NONE", ""))
        connection.send(ga.RealtimeClientEventSessionUpdate(session=SESSION))
        connection.send_audio(audio)
        connection.send(ga.RealtimeClientEventInputAudioBufferCommit())
        connection.send(ga.RealtimeClientEventResponseCreate())
        # The question is transcribed beside the answer, and may be done before it or after it.
        is_heard = is_answered = False
        while not (is_heard and is_answered):
            match connection.recv():
                case ga.RealtimeServerEventResponseAudioDelta(delta=delta):
                    file.writeframes(base64.b64decode(delta))
                case ga.RealtimeServerEventResponseAudioTranscriptDone(transcript=transcript):
                    print("Assistant:", transcript)
                case Transcribed(transcript=transcript):
                    print("You:", transcript)
                    is_heard = True
                case NotTranscribed(error=failure):
                    print("You were not transcribed:", failure.message)
                    is_heard = True
                case ga.RealtimeServerEventResponseDone(response=response):
                    if response.status != ga.RealtimeResponse.StatusEnum.COMPLETED:
                        sys.exit(f"The response is {response.status}.")
                    is_answered = True
                case ga.RealtimeServerEventError(error=error):
                    sys.exit(error.message)
                case _:
                    pass


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: push_to_talk.py QUESTION.wav ANSWER.wav")
    main(*sys.argv[1:])
