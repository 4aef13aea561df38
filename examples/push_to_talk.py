"""A spoken turn without turn detection: the question is a WAV file, and so is the answer.

    python examples/push_to_talk.py question.wav answer.wav

The key is in OPENAI_API_KEY. Without one, put `python examples/without_key.py` in place of
`python`, and it talks to the embedded server.
"""

from __future__ import annotations

import sys
import wave

from openai_realtime_client import Conversation, error_details, ga

# Without turn detection the program says when the user has finished, as with a key held down.
SESSION: ga.RealtimeSessionUpdateParam = {
    "type": "realtime",
    "audio": {"input": {"turn_detection": None, "transcription": {"model": "gpt-transcribe"}}},
}
FORMAT = (1, 2, 24_000)  # mono, PCM16, 24 kHz: what the service takes and gives by default
TRANSCRIPTION = "conversation.item.input_audio_transcription"
ENDS = ("response.done", f"{TRANSCRIPTION}.completed", f"{TRANSCRIPTION}.failed")


def main(question_path: str, answer_path: str) -> None:
    """Ask what is in one file, and write the answer to the other."""
    with wave.open(question_path, "rb") as file:
        if file.getparams()[:3] != FORMAT:
            sys.exit(f"{question_path} is not PCM16 at 24 kHz, mono. See examples/README.md.")
        audio = file.readframes(file.getnframes())
    conversation = Conversation(keep_audio=True)
    with ga.connect_sync("gpt-realtime-2.1", conversation=conversation) as connection:
        connection.send({"type": "session.update", "session": SESSION})
        connection.send_audio(audio)
        connection.send({"type": "input_audio_buffer.commit"})
        connection.send({"type": "response.create"})
        ended = 0  # the answer, and the transcript of the question, in either order
        while ended < 2:
            event = connection.recv()
            if event.type == "error":
                sys.exit(str(error_details(event)))
            if event.type == "response.done" and event.response.status != "completed":
                sys.exit(str(error_details(event)))
            if event.type in ENDS:
                ended += 1
    for item in conversation.items:
        is_failed = item.parts[0].transcription_error is not None
        print(f"{item.role}: {'not transcribed' if is_failed else item.transcript}")
    with wave.open(answer_path, "wb") as file:
        file.setparams((*FORMAT, 0, "NONE", ""))
        file.writeframes(conversation.items[-1].parts[0].audio)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: push_to_talk.py QUESTION.wav ANSWER.wav")
    main(*sys.argv[1:])
