"""Input audio in the embedded server: what is speech, and what becomes of it."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from openai_realtime_client.core import g711
from openai_realtime_client.testing import Answer, Faults, ReplayServer, audio
from plain_client import (
    CANCEL,
    COMMIT,
    LOUD,
    QUIET,
    RESPOND,
    Event,
    append,
    checked,
    client,
    joined,
    only,
    respond,
    response,
    sound,
    text,
    types,
    update,
)

CLEAR = {"type": "input_audio_buffer.clear"}


def no_turns(**settings: Any) -> Event:
    return update(output_modalities=["text"], audio={"input": {"turn_detection": None, **settings}})


def test_audio_is_committed_and_transcribed(server: ReplayServer) -> None:
    with client(server) as c:
        c.answer(no_turns(transcription={"model": "whisper-1"}))
        c.send(append(LOUD), append(LOUD), COMMIT)
        events = c.until("conversation.item.input_audio_transcription.completed")
        answer = c.turn(RESPOND)
    assert types(events) == [
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ]
    item_id = events[0]["item_id"]
    assert events[0]["previous_item_id"] is None
    added = events[1]["item"]
    assert added["id"] == item_id
    assert added["content"] == [{"type": "input_audio", "transcript": None}]
    completed = events[-1]
    assert completed["item_id"] == item_id
    assert completed["transcript"] == "Audio of 200 ms."
    assert completed["usage"] == {"type": "duration", "seconds": 0.2}
    kind = "conversation.item.input_audio_transcription.delta"
    assert joined(events, kind) == completed["transcript"]
    spoken = only(answer, "response.output_text.done")["text"]
    assert spoken == "You said: Audio of 200 ms."


def test_an_empty_buffer_cannot_be_committed(server: ReplayServer) -> None:
    with client(server) as c:
        c.answer(no_turns())
        assert c.error(COMMIT)["code"] == "input_audio_buffer_commit_empty"
        c.send(append(LOUD), CLEAR)
        assert c.recv()["type"] == "input_audio_buffer.cleared"
        assert c.error(COMMIT)["code"] == "input_audio_buffer_commit_empty"
        # The service wants 100 ms.
        c.send(append(LOUD[:-2]))
        assert c.error(COMMIT)["code"] == "input_audio_buffer_commit_empty"
        assert c.answer(append(LOUD[:2]), COMMIT)["type"] == "input_audio_buffer.committed"


def test_audio_that_is_no_base64_or_too_long_is_an_error(server: ReplayServer) -> None:
    with client(server) as c:
        error = c.error({"type": "input_audio_buffer.append", "audio": "no base64!"})
        assert (error["code"], error["param"]) == ("invalid_value", "audio")
        error = c.error({"type": "input_audio_buffer.append", "audio": "AAAA" * (5 * 2**20 + 2)})
        assert (error["code"], error["param"]) == ("string_above_max_length", "audio")


def test_silence_ends_a_turn(server: ReplayServer) -> None:
    with client(server) as c:
        c.answer(update(output_modalities=["text"]))
        c.send(append(QUIET), append(LOUD), append(LOUD + QUIET), append(QUIET))
        events = c.until("rate_limits.updated")
    assert types(events)[:6] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    started, stopped, committed = events[:3]
    # With the padding before it, of 300 ms, and the silence after it.
    assert started["audio_start_ms"] == 0
    assert stopped["audio_end_ms"] == 500
    assert started["item_id"] == stopped["item_id"] == committed["item_id"]
    assert only(events, "response.output_text.done")["text"] == "You said: Audio of 500 ms."


def test_turns_follow_each_other(server: ReplayServer) -> None:
    with client(server) as c:
        c.answer(update(output_modalities=["text"]))
        c.send(append(LOUD + QUIET + QUIET))
        first = c.until("rate_limits.updated")
        c.send(append(QUIET * 4), append(LOUD + QUIET + QUIET))
        second = c.until("rate_limits.updated")
    assert second[0]["audio_start_ms"] == 700 - 300
    assert second[1]["audio_end_ms"] == 1000
    said = only(first, "response.output_item.done")["item"]["id"]
    assert second[2]["previous_item_id"] == said


def speech(seconds: float, loudness: float) -> list[float]:
    """Voiced syllables, four in a second: harmonics of 120 Hz that swell and fade."""
    rate = 24000
    return [
        loudness
        * abs(math.sin(math.pi * 4 * at / rate))
        * sum(math.sin(2 * math.pi * 120 * n * at / rate) / n for n in (1, 2, 3, 5, 8))
        for at in range(round(seconds * rate))
    ]


def noisy(samples: list[float], noise: float) -> list[int]:
    random = Random(1)
    return [max(-32768, min(32767, round(each + random.gauss(0, noise)))) for each in samples]


def pcm(samples: list[int]) -> bytes:
    return struct.pack(f"<{len(samples)}h", *samples)


# Each encodes samples of 24 kHz.
ENCODED: dict[str, Callable[[list[int]], bytes]] = {
    "audio/pcm": pcm,
    "audio/pcmu": lambda samples: g711.encode(pcm(samples[::3]), "audio/pcmu"),
    "audio/pcma": lambda samples: g711.encode(pcm(samples[::3]), "audio/pcma"),
}


def listening(encoding: str, **detection: Any) -> Event:
    form = {"type": encoding} | ({"rate": 24000} if encoding == "audio/pcm" else {})
    detection = {"type": "server_vad", "create_response": False, **detection}
    return update(audio={"input": {"format": form, "turn_detection": detection}})


def heard(server: ReplayServer, update: Event, data: bytes, piece: int = 937) -> list[Event]:
    """What the server finds in audio that arrives in odd pieces."""
    with client(server) as c:
        c.answer(update)
        c.send(*(append(data[at : at + piece]) for at in range(0, len(data), piece)))
        c.send(CANCEL)  # its error is the last event
        return [e for e in c.until("error") if e["type"].startswith("input_audio_buffer.speech")]


@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize("noise", [0, 3, 60])
def test_speech_is_found_in_noise(server: ReplayServer, encoding: str, noise: float) -> None:
    pause = [0.0] * 24000
    said = noisy(pause + speech(1.5, 3000) + pause + speech(0.5, 3000) + pause, noise)
    events = heard(server, listening(encoding), ENCODED[encoding](said))
    assert [event["type"].rpartition("_")[2] for event in events] == ["started", "stopped"] * 2
    start, stop, again, end = (e.get("audio_start_ms", e.get("audio_end_ms")) for e in events)
    # Syllables begin and end softly, and frames have 20 ms.
    assert start == pytest.approx(1020 - 300, abs=21)
    assert stop == pytest.approx(2480 + 200, abs=41)
    assert again == pytest.approx(3520 - 300, abs=21)
    assert end == pytest.approx(3980 + 200, abs=41)


@pytest.mark.parametrize("encoding", ENCODED)
def test_noise_alone_is_not_speech(server: ReplayServer, encoding: str) -> None:
    said = noisy([0.0] * 48000, 100)
    assert heard(server, listening(encoding), ENCODED[encoding](said)) == []


@pytest.mark.parametrize(("threshold", "is_found"), [(0.2, True), (0.5, True), (0.9, False)])
def test_the_threshold_decides_what_is_loud(
    server: ReplayServer, threshold: float, is_found: bool
) -> None:
    said = ENCODED["audio/pcm"](noisy(speech(0.5, 2000) + [0.0] * 24000, 3))
    events = heard(server, listening("audio/pcm", threshold=threshold), said)
    assert bool(events) is is_found


def test_silence_and_padding_are_those_of_the_session(server: ReplayServer) -> None:
    said = ENCODED["audio/pcm"](noisy([0.0] * 24000 + speech(0.5, 3000) + [0.0] * 24000, 3))
    settings = listening("audio/pcm", prefix_padding_ms=100, silence_duration_ms=700)
    started, stopped = heard(server, settings, said)
    assert 1000 - 100 <= started["audio_start_ms"] <= 1040 - 100
    assert 1500 + 640 <= stopped["audio_end_ms"] <= 1500 + 720
    # A pause that is too short does not end the turn.
    said = ENCODED["audio/pcm"](noisy((speech(0.5, 3000) + [0.0] * 12000) * 3, 3))
    assert len(heard(server, settings, said)) == 1


@pytest.mark.parametrize("encoding", ENCODED)
def test_answers_sound_in_every_format(server: ReplayServer, encoding: str) -> None:
    with client(server) as c:
        form = listening(encoding)["session"]["audio"]["input"]["format"]
        c.answer(update(audio={"output": {"format": form}}))
        said = sound(c.turn(text("Hi."), RESPOND))
    assert audio.duration_ms(len(said), encoding) == 200
    assert audio._mean_square(said, encoding) == pytest.approx(6000**2 / 2, rel=0.02)


def test_audio_is_counted_in_tokens(server: ReplayServer) -> None:
    transcription = {"model": "gpt-4o-transcribe"}
    with client(server) as c:
        c.answer(update(audio={"input": {"turn_detection": None, "transcription": transcription}}))
        c.send(append(LOUD * 12), COMMIT)
        completed = c.until("conversation.item.input_audio_transcription.completed")[-1]
        first = c.turn(RESPOND)
        second = c.turn(RESPOND)
    usage = completed["usage"]
    assert (usage["type"], usage["input_tokens"]) == ("tokens", 12)
    assert usage["total_tokens"] == 12 + usage["output_tokens"]
    usage = response(first)["usage"]
    assert usage["input_token_details"]["audio_tokens"] == 12
    assert usage["output_token_details"]["audio_tokens"] == 4
    # The answer is part of what the next response reads: 200 ms.
    usage = response(second)["usage"]
    assert usage["input_token_details"]["audio_tokens"] == 12 + 4
    assert usage["input_tokens"] == 16


@pytest.mark.parametrize(
    ("detection", "sent"),
    [
        pytest.param(None, [append(LOUD), COMMIT], id="no_turn_detection"),
        pytest.param(
            {"type": "server_vad", "create_response": False, "silence_duration_ms": 100},
            [append(LOUD + QUIET)],
            id="turn_detection_that_only_commits",
        ),
    ],
)
def test_audio_is_committed_without_transcript_and_response(
    server: ReplayServer, detection: Event | None, sent: list[Event]
) -> None:
    with client(server) as c:
        c.answer(update(audio={"input": {"turn_detection": detection}}))
        c.send(*sent)
        c.until("conversation.item.done")
        assert c.answer(CLEAR)["type"] == "input_audio_buffer.cleared"


@pytest.mark.parametrize("interrupts", [True, False, None])
def test_whether_speech_interrupts_is_a_setting(interrupts: bool | None) -> None:
    detection = {"type": "server_vad", "interrupt_response": interrupts}
    with checked(faults=Faults(delay=0.01)) as server, client(server) as c:
        if interrupts is not None:
            c.answer(update(audio={"input": {"turn_detection": detection}}))
        c.send(text("A long answer, please."), RESPOND)
        c.until("response.output_audio.delta")
        c.send(append(LOUD))
        events = c.until("response.done")
    ended = response(events)
    assert "input_audio_buffer.speech_started" in types(events)
    if interrupts is False:
        assert ended["status"] == "completed"
    else:
        assert ended["status"] == "cancelled"
        assert ended["status_details"] == {"type": "cancelled", "reason": "turn_detected"}


def test_speech_does_not_interrupt_what_is_not_of_the_conversation() -> None:
    aside = Answer("One two three four.", audio=0.3, real_time=True)
    with checked(answers=[aside]) as server, client(server) as c:
        c.send(respond(conversation="none"))
        c.until("response.output_audio.delta")
        c.send(append(LOUD))
        assert response(c.until("response.done"))["status"] == "completed"


def test_speech_starts_anew_after_the_buffer_is_cleared(server: ReplayServer) -> None:
    with client(server) as c:
        for _ in range(2):
            assert c.answer(append(LOUD))["type"] == "input_audio_buffer.speech_started"
            assert c.answer(CLEAR)["type"] == "input_audio_buffer.cleared"
