"""The examples that speak and listen."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from example_programs import (
    EXAMPLES,
    TONE,
    Event,
    failed_response,
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
from openai_realtime_client.testing import Faults, ReplayServer

# push_to_talk.py


TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


def test_push_to_talk_asks_and_is_answered(
    server: ReplayServer, question: Path, tmp_path: Path
) -> None:
    lines = output(server, "push_to_talk.py", question, tmp_path / "answer.wav")
    assert lines == ["user: Audio of 300 ms.", "assistant: You said: Audio of 300 ms."]
    [session] = server.sessions
    with wave.open(str(tmp_path / "answer.wav"), "rb") as answer:
        assert answer.getparams()[:3] == (1, 2, 24000)
        audio = answer.readframes(answer.getnframes())
    assert audio == spoken(session)
    assert len(audio) == 9600  # 200 ms
    assert heard(session) == TONE
    update, append, *rest = types(session.received)
    assert (update, append) == ("session.update", "input_audio_buffer.append")
    assert rest == ["input_audio_buffer.commit", "response.create"]
    audio_input = session.received[0].to_dict()["session"]["audio"]["input"]
    assert audio_input["turn_detection"] is None
    assert session.request_path == "/v1/realtime?model=gpt-realtime-2.1"
    assert session.close_code == 1000


def test_spoken_question_that_comes_along_is_answered(server: ReplayServer, tmp_path: Path) -> None:
    question = EXAMPLES / "question.wav"
    assert question.stat().st_size <= 100_000
    with wave.open(str(question), "rb") as file:
        audio = file.readframes(file.getnframes())
    lines = output(server, "push_to_talk.py", question, tmp_path / "answer.wav")
    milliseconds = len(audio) // 48
    assert lines[1] == f"assistant: You said: Audio of {milliseconds} ms."
    assert heard(server.sessions[0]) == audio


def test_push_to_talk_takes_long_questions(server: ReplayServer, tmp_path: Path) -> None:
    audio = bytes(range(256)) * 1000
    question = write_wav(tmp_path / "long.wav", audio)
    lines = output(server, "push_to_talk.py", question, tmp_path / "answer.wav")
    assert lines[0] == "user: Audio of 5333 ms."
    [session] = server.sessions
    assert types(session.received).count("input_audio_buffer.append") == 3
    assert heard(session) == audio


def test_push_to_talk_waits_for_the_transcript_of_the_question(
    server: ReplayServer, question: Path, tmp_path: Path
) -> None:
    output(server, "push_to_talk.py", question, tmp_path / "answer.wav")
    late = moved(recorded(server, {}), TRANSCRIBED, after="rate_limits.updated")
    with scripted(late) as other:
        lines = output(other, "push_to_talk.py", question, tmp_path / "late.wav")
    assert lines == ["user: Audio of 300 ms.", "assistant: You said: Audio of 300 ms."]
    assert (tmp_path / "late.wav").read_bytes() == (tmp_path / "answer.wav").read_bytes()


def not_transcribed(event: Event) -> Event:
    kept = {name: event[name] for name in ("event_id", "item_id", "content_index")}
    kind = "conversation.item.input_audio_transcription.failed"
    return {**kept, "type": kind, "error": {"type": "t", "message": "Too much noise."}}


def test_push_to_talk_does_without_a_transcript_and_reports_a_failed_response(
    server: ReplayServer, question: Path, tmp_path: Path
) -> None:
    answer = tmp_path / "answer.wav"
    output(server, "push_to_talk.py", question, answer)
    with scripted(recorded(server, {TRANSCRIBED: not_transcribed})) as other:
        lines = output(other, "push_to_talk.py", question, answer)
    assert lines == ["user: not transcribed", "assistant: You said: Audio of 300 ms."]
    with scripted(recorded(server, {"response.done": failed_response})) as other:
        said = failure(other, "push_to_talk.py", question, answer)
    assert said == "the response is failed"


def test_transcription_reports_that_it_failed(server: ReplayServer, question: Path) -> None:
    output(server, "transcription.py", question)
    with scripted(recorded(server, {TRANSCRIBED: not_transcribed})) as other:
        assert failure(other, "transcription.py", question) == "Too much noise."


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
    sent = ["input_audio_buffer.append", "input_audio_buffer.commit"]
    assert types(session.received) == ["session.update", *sent]
    audio_input = only(session.sent, "session.updated")["session"]["audio"]["input"]
    assert audio_input["transcription"]["model"] == "gpt-transcribe"
    assert audio_input["turn_detection"] is None


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
    server.faults = Faults(delay=0.05)
    lines = output(server, "barge_in.py", STORY, "Stop.")
    [session] = server.sessions
    kinds = types(session.received)
    assert kinds.index("response.cancel") < kinds.index("conversation.item.truncate")
    assert only(session.sent, "response.done")["response"]["status"] == "cancelled"
    assert lines[-1] == "user: Stop."
