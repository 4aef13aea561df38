"""Input audio in the embedded server: what is speech, and what becomes of it."""

from __future__ import annotations

import math
import struct
from random import Random
from typing import Any

import pytest

from openai_realtime_client.core import g711
from openai_realtime_client.core.audio import RATES
from openai_realtime_client.testing import Answer, audio
from plain_client import (
    CANCEL,
    COMMIT,
    LOUD,
    QUIET,
    Client,
    Event,
    append,
    joined,
    respond,
    response,
    said,
    session_with,
    sound,
    types,
)

CLEAR = {"type": "input_audio_buffer.clear"}
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


def no_turns(c: Client, **settings: Any) -> None:
    """Turn off the detection of turns."""
    c.update(output_modalities=["text"], audio={"input": {"turn_detection": None, **settings}})


def test_audio_is_committed_and_transcribed(c: Client) -> None:
    no_turns(c, transcription={"model": "whisper-1"})
    c.send(append(LOUD), append(LOUD), COMMIT)
    events = c.until(TRANSCRIBED)
    delta = "conversation.item.input_audio_transcription.delta"
    assert types(events) == [
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        *(delta, TRANSCRIBED),
    ]
    committed, added, completed = events[0], events[1]["item"], events[-1]
    assert committed["previous_item_id"] is None
    assert committed["item_id"] == added["id"] == completed["item_id"]
    assert added["content"] == [{"type": "input_audio", "transcript": None}]
    assert completed["transcript"] == joined(events, delta) == "Audio of 200 ms."
    assert completed["usage"] == {"type": "duration", "seconds": 0.2}
    assert said(c.turn()) == "You said: Audio of 200 ms."


def test_an_empty_buffer_cannot_be_committed(c: Client) -> None:
    no_turns(c)
    assert c.error(COMMIT)["code"] == "input_audio_buffer_commit_empty"
    assert c.answer(append(LOUD), CLEAR)["type"] == "input_audio_buffer.cleared"
    # The service wants 100 ms.
    c.send(append(LOUD[:-2]))
    assert c.error(COMMIT)["code"] == "input_audio_buffer_commit_empty"
    assert c.answer(append(LOUD[:2]), COMMIT)["type"] == "input_audio_buffer.committed"


def test_speech_starts_anew_after_the_buffer_is_cleared(c: Client) -> None:
    for _ in range(2):
        assert c.answer(append(LOUD))["type"] == "input_audio_buffer.speech_started"
        assert c.answer(CLEAR)["type"] == "input_audio_buffer.cleared"


def test_audio_that_is_too_long_is_refused(c: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "_APPEND_LIMIT", 3000)
    assert c.answer(append(LOUD[:3000]))["type"] == "input_audio_buffer.speech_started"
    error = c.error(append(LOUD[:3006]))
    assert (error["code"], error["param"]) == ("string_above_max_length", "audio")


def test_silence_ends_each_turn(c: Client) -> None:
    c.update(output_modalities=["text"])
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
    assert (started["audio_start_ms"], stopped["audio_end_ms"]) == (0, 500)
    assert started["item_id"] == stopped["item_id"] == committed["item_id"]
    assert said(events) == "You said: Audio of 500 ms."
    c.send(append(QUIET * 4), append(LOUD + QUIET + QUIET))
    started, stopped, committed = c.until("rate_limits.updated")[:3]
    assert (started["audio_start_ms"], stopped["audio_end_ms"]) == (900 - 300, 1200)
    assert committed["previous_item_id"] == response(events)["output"][0]["id"]


ENCODINGS = ["audio/pcm", "audio/pcmu", "audio/pcma"]
PAUSE = [0.0] * 24000


def speech(seconds: float, loudness: float = 3000) -> list[float]:
    return [loudness * math.sin(at / 10) for at in range(round(seconds * 24000))]


def encode(samples: list[float], encoding: str = "audio/pcm", noise: float = 3) -> bytes:
    """Samples of 24 kHz with noise, in the encoding and at its rate."""
    random = Random(1)
    if encoding != "audio/pcm":
        samples = samples[::3]
    noisy = [round(sample + random.gauss(0, noise)) for sample in samples]
    return g711.encode(struct.pack(f"<{len(noisy)}h", *noisy), encoding)


def form(encoding: str) -> Event:
    return {"type": encoding} | ({"rate": 24000} if encoding == "audio/pcm" else {})


def heard(c: Client, data: bytes, encoding: str = "audio/pcm", **detection: Any) -> list[Event]:
    """What the server finds in audio that arrives in odd pieces."""
    detection = {"type": "server_vad", "create_response": False, **detection}
    c.update(audio={"input": {"format": form(encoding), "turn_detection": detection}})
    c.send(*(append(data[at : at + 937]) for at in range(0, len(data), 937)))
    c.send(CANCEL)  # its error is the last event
    return [e for e in c.until("error") if e["type"].startswith("input_audio_buffer.speech")]


@pytest.mark.parametrize(("encoding", "noise"), [*zip(ENCODINGS, (60, 3, 0), strict=True)])
def test_speech_is_found_in_noise(c: Client, encoding: str, noise: float) -> None:
    samples = [*PAUSE, *speech(0.5), *PAUSE]
    started, stopped = heard(c, encode(samples, encoding, noise), encoding)
    # Frames have 20 ms.
    assert started["audio_start_ms"] == pytest.approx(1000 - 300, abs=20)
    assert stopped["audio_end_ms"] == pytest.approx(1500 + 200, abs=20)
    assert heard(c, encode(PAUSE, encoding, noise=100), encoding) == []


def test_levels_are_those_of_the_session(c: Client) -> None:
    # A pause that is too short does not end the turn.
    samples = [*PAUSE, *speech(0.25), *PAUSE[:12000], *speech(0.25), *PAUSE]
    levels = {"prefix_padding_ms": 100, "silence_duration_ms": 700}
    started, stopped = heard(c, encode(samples), threshold=0.2, **levels)
    assert started["audio_start_ms"] == pytest.approx(1000 - 100, abs=20)
    assert stopped["audio_end_ms"] == pytest.approx(2000 + 700, abs=20)
    assert heard(c, encode(samples), threshold=0.9) == []


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_answers_sound_in_every_format(c: Client, encoding: str) -> None:
    c.update(audio={"output": {"format": form(encoding)}})
    data = sound(c.turn("Hi."))
    assert len(data) == RATES[encoding] // 5  # 200 ms
    samples = struct.iter_unpack("<h", g711.decode(data, encoding))
    assert max(sample for (sample,) in samples) == pytest.approx(6000, rel=0.03)


def test_audio_is_counted_in_tokens(c: Client) -> None:
    no_turns(c, transcription={"model": "gpt-4o-transcribe"})
    c.update(output_modalities=["audio"])
    c.send(append(LOUD * 12), COMMIT)
    usage = c.until(TRANSCRIBED)[-1]["usage"]
    assert (usage["type"], usage["input_tokens"]) == ("tokens", 12)
    assert usage["total_tokens"] == 12 + usage["output_tokens"]
    usage = c.response()["usage"]
    assert usage["input_token_details"]["audio_tokens"] == 12
    assert usage["output_token_details"]["audio_tokens"] == 4
    # The answer is part of what the next response reads: 200 ms.
    usage = c.response()["usage"]
    assert usage["input_token_details"]["audio_tokens"] == usage["input_tokens"] == 12 + 4


def test_turn_detection_may_only_commit(c: Client) -> None:
    detection = {"type": "server_vad", "create_response": False, "silence_duration_ms": 100}
    c.update(audio={"input": {"turn_detection": detection}})
    c.send(append(LOUD + QUIET))
    c.until("conversation.item.done")
    # Without a transcript and a response, and nothing is left.
    assert c.error(COMMIT)["code"] == "input_audio_buffer_commit_empty"


@pytest.mark.parametrize(
    ("detection", "params", "status"),
    [
        pytest.param({}, {}, "cancelled", id="default"),
        pytest.param({"interrupt_response": False}, {}, "completed", id="unset"),
        pytest.param({}, {"conversation": "none"}, "completed", id="out_of_band"),
    ],
)
def test_when_speech_interrupts(detection: Event, params: Event, status: str) -> None:
    seconds = 60.0 if status == "cancelled" else 0.3
    with session_with(answers=[Answer("Well.", audio=seconds, real_time=True)]) as c:
        c.update(audio={"input": {"turn_detection": {"type": "server_vad", **detection}}})
        c.send(respond(**params))
        c.until("response.output_audio.delta")
        c.send(append(LOUD))
        events = c.until("input_audio_buffer.speech_started")
        if status == "completed":
            events += c.until("response.done")
        else:
            events += c.until("rate_limits.updated")
    ended = response(events)
    assert ended["status"] == status
    if status == "cancelled":
        assert ended["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
