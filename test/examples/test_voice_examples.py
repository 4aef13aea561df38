"""The examples that speak and listen."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from example_programs import (
    EXAMPLES,
    TONE,
    Event,
    failure,
    heard,
    moved,
    only,
    output,
    recorded,
    scripted,
    spoken,
    types,
    write_wav,
)
from openai_realtime_client.testing import Answer, ReplayServer

# push_to_talk.py


TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


def read_wav(path: Path) -> bytes:
    with wave.open(str(path), "rb") as file:
        assert file.getparams()[:3] == (1, 2, 24000)
        return file.readframes(file.getnframes())


def test_push_to_talk_asks_and_is_answered(server: ReplayServer, tmp_path: Path) -> None:
    question = EXAMPLES / "question.wav"
    assert question.stat().st_size <= 100_000
    lines = output(server, "push_to_talk.py", question, tmp_path / "answer.wav")
    said = f"Audio of {len(read_wav(question)) // 48} ms."
    assert lines == [f"user: {said}", f"assistant: You said: {said}"]
    [session] = server.sessions
    assert read_wav(tmp_path / "answer.wav") == spoken(session) != b""
    assert heard(session) == read_wav(question)
    rest = ["input_audio_buffer.append", "input_audio_buffer.commit", "response.create"]
    assert types(session.received) == ["session.update", *rest]
    audio_input = session.received[0].to_dict()["session"]["audio"]["input"]
    assert audio_input["turn_detection"] is None
    assert session.request_path == "/v1/realtime?model=gpt-realtime-2.1"
    assert session.close_code == 1000


def not_transcribed(event: Event) -> Event:
    kept = {name: event[name] for name in ("event_id", "item_id", "content_index")}
    kind = "conversation.item.input_audio_transcription.failed"
    return {**kept, "type": kind, "error": {"type": "t", "message": "Too much noise."}}


def test_push_to_talk_waits_for_the_transcript_of_the_question_or_its_failure(
    server: ReplayServer, question: Path, tmp_path: Path
) -> None:
    answer, late = tmp_path / "answer.wav", tmp_path / "late.wav"
    expected = output(server, "push_to_talk.py", question, answer)
    with scripted(moved(recorded(server, {}), TRANSCRIBED, after="rate_limits.updated")) as other:
        assert output(other, "push_to_talk.py", question, late) == expected
    assert read_wav(late) == read_wav(answer)
    with scripted(recorded(server, {TRANSCRIBED: not_transcribed})) as other:
        lines = output(other, "push_to_talk.py", question, answer)
    assert lines == ["user: not transcribed", "assistant: You said: Audio of 300 ms."]


@pytest.mark.parametrize("name", ["push_to_talk.py", "transcription.py"])
def test_wav_files_that_are_short_or_of_another_format_are_refused(
    server: ReplayServer, name: str, tmp_path: Path
) -> None:
    answer = tmp_path / "answer.wav"
    more = [answer] if name == "push_to_talk.py" else []
    short = write_wav(tmp_path / "short.wav", TONE[:96])
    assert "buffer too small" in failure(server, name, short, *more)
    server.sessions.clear()
    path = tmp_path / "question.wav"
    for shape in [(2, 2, 24000), (1, 1, 24000), (1, 2, 16000)]:
        write_wav(path, shape=shape)
        assert failure(server, name, path, *more) == (
            f"{path} is not PCM16 at 24 kHz, mono. See examples/README.md."
        )
    assert server.sessions == []
    assert not answer.exists()


# transcription.py


def test_transcription_prints_pieces_and_the_whole(server: ReplayServer, question: Path) -> None:
    lines = output(server, "transcription.py", question)
    pieces = ["Audio", "Audio of", "Audio of 300", "Audio of 300 ms."]
    assert [line.removeprefix("… ") for line in lines[:-1]] == pieces
    assert lines[-1] == "Audio of 300 ms."
    [session] = server.sessions
    assert session.request_path == "/v1/realtime?intent=transcription"
    assert session.sent[0].to_dict()["session"]["type"] == "transcription"
    assert heard(session) == TONE
    audio_input = only(session.sent, "session.updated")["session"]["audio"]["input"]
    assert audio_input["transcription"]["model"] == "gpt-transcribe"
    assert audio_input["turn_detection"] is None
    with scripted(recorded(server, {TRANSCRIBED: not_transcribed})) as other:
        assert failure(other, "transcription.py", question) == "Too much noise."


# barge_in.py

STORY = "Tell me a story, please, and let it be a very long one, about a dragon and a knight."


def test_an_interruption_cuts_what_was_not_heard(server: ReplayServer) -> None:
    lines = output(server, "barge_in.py", STORY, "Stop.")
    [session] = server.sessions
    truncate = only(session.received, "conversation.item.truncate")
    assert only(session.sent, "conversation.item.truncated")["item_id"] == truncate["item_id"]
    shown = truncate["audio_end_ms"]
    assert 100 <= shown < len(spoken(session)) / 48
    assert lines == [f"user: {STORY}", f"assistant: {shown} ms of audio", "user: Stop."]


def test_an_answer_may_be_interrupted_before_it_is_complete(server: ReplayServer) -> None:
    server.answers = [Answer("Once.", audio=30.0, real_time=True)]
    lines = output(server, "barge_in.py", STORY, "Stop.")
    [session] = server.sessions
    kinds = types(session.received)
    assert kinds.index("response.cancel") < kinds.index("conversation.item.truncate")
    assert only(session.sent, "response.done")["response"]["status"] == "cancelled"
    assert lines[-1] == "user: Stop."
