"""Formats of audio, and the buffers that `send_audio` takes."""

from __future__ import annotations

import ctypes
from array import array
from base64 import b64encode
from typing import Any

import pytest

from openai_realtime_client.core.audio import PCM, AudioFormat, audio_view, base64_size, format_of

SAMPLES = array("h", [1, 2, 3, 4])


@pytest.mark.parametrize(
    ("audio", "expected"),
    [
        pytest.param(b"abc", b"abc", id="bytes"),
        pytest.param(bytearray(b"abc"), b"abc", id="bytearray"),
        pytest.param(memoryview(b"abcd")[1:], b"bcd", id="memoryview"),
        pytest.param(SAMPLES, SAMPLES.tobytes(), id="int16"),
        pytest.param(memoryview(SAMPLES)[::2], array("h", [1, 3]).tobytes(), id="every_second"),
        pytest.param(memoryview(b"abcd").cast("B", (4, 1)), b"abcd", id="column"),
        pytest.param((ctypes.c_int16 * 2)(1, 2), b"\1\0\2\0", id="ctypes_little_endian"),
    ],
)
def test_buffers_are_taken_as_their_bytes(audio: Any, expected: bytes) -> None:
    assert audio_view(audio).tobytes() == expected


@pytest.mark.parametrize(
    ("audio", "problem"),
    [
        pytest.param(array("f", [0.5]), "'f'; convert floats with", id="float32"),
        pytest.param(array("i", [1]), "'i'", id="int32"),
        pytest.param(array("b", [1]), "'b'", id="int8"),
        pytest.param((ctypes.c_int16.__ctype_be__ * 2)(1, 2), "'>h'", id="big_endian"),
        pytest.param(memoryview(b"abcd").cast("B", (2, 2)), "one channel", id="stereo"),
        pytest.param("abc", "not str", id="text"),
        pytest.param(None, "not NoneType", id="nothing"),
    ],
)
def test_other_buffers_are_refused(audio: Any, problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        audio_view(audio)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"input_audio_format": "pcm16"}, PCM),
        ({"input_audio_format": "g711_ulaw"}, AudioFormat("audio/pcmu", 8_000)),
        ({"audio": {"input": {"format": {"type": "audio/pcma"}}}}, ("audio/pcma", 8_000)),
        ({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16_000}}}}, (PCM[0], 32_000)),
        ({"audio": {"input": {"format": {"type": "audio/pcm", "rate": -1}}}}, PCM),
        ({"audio": {"input": {"format": {"type": "audio/opus"}}}}, None),
        ({"audio": {"output": {"format": {"type": "audio/pcm"}}}}, None),
        ({"audio": None}, None),
        (None, None),
    ],
)
def test_settings_name_a_format(settings: Any, expected: AudioFormat | None) -> None:
    assert format_of(settings, "input") == expected


def test_base64_size_is_that_of_the_bytes() -> None:
    assert [base64_size(b64encode(bytes(size)).decode()) for size in range(8)] == [*range(8)]
    assert base64_size(None) == 0


def test_durations_are_of_whole_samples() -> None:
    odd = AudioFormat("audio/pcm", 2 * 11025)
    assert (odd.sample_rate, odd.size(20)) == (11025, 440)
    assert (PCM.sample_rate, PCM.size(20)) == (24_000, 960)
