"""Audio of the embedded server: tones for its voice, and speech detection in its input."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Iterator
from functools import lru_cache

from openai_realtime_client.core import g711
from openai_realtime_client.core.audio import PCM, AudioFormat
from openai_realtime_client.testing.errors import Refusal
from openai_realtime_client.testing.settings import Event

__all__ = ["CHUNK_MS", "InputBuffer", "decode_audio", "tone"]

# The duration of the chunks in which audio is sent.
CHUNK_MS = 50
# Speech detection looks at frames of this duration, as telephony does.
_FRAME_MS = 20
_APPEND_LIMIT = 15 * 2**20


@lru_cache
def tone(audio_format: AudioFormat, duration_ms: int) -> bytes:
    """Return a tone of 400 Hz."""
    rate = audio_format.sample_rate
    steps = (2 * math.pi * 400 * sample / rate for sample in range(rate // 400))
    period = [round(6000 * math.sin(step)) for step in steps]
    data = g711.encode(struct.pack(f"<{len(period)}h", *period), audio_format.type)
    size = audio_format.size(duration_ms)
    return (data * (size // len(data) + 1))[:size]


def decode_audio(data: str) -> bytes:
    """Decode base64.

    Raises:
        Refusal: It is not base64, or too long.
    """
    # The limit of the API reference, before anything is decoded.
    if len(data) > _APPEND_LIMIT * 4 // 3 + 4:
        message = "Invalid 'audio': the maximum is 15 MiB per event."
        raise Refusal("string_above_max_length", message, "audio")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        message = "Invalid 'audio'. Expected base64-encoded audio bytes, but got an invalid value."
        raise Refusal("invalid_value", message, "audio") from None


class InputBuffer:
    """Audio of the user that is not committed yet, and where speech is in it, by its energy.

    Times are in milliseconds of all audio that was received. The `threshold` of the session is
    -70 dB of full scale at 0, -40 dB at 0.5 and -10 dB at 1.
    """

    def __init__(self) -> None:
        self.start_ms = 0
        self._format = PCM
        self._size = 0  # in bytes; the audio itself is not needed
        self._rest = b""  # the beginning of a frame
        self._is_speech = False
        self._quiet_ms = 0

    @property
    def end_ms(self) -> int:
        """Where the audio ends."""
        return self.start_ms + self._format.milliseconds(self._size)

    def clear(self) -> None:
        """Drop the audio, and speech that has begun in it."""
        self.start_ms, self._size, self._rest = self.end_ms, 0, b""
        self._is_speech, self._quiet_ms = False, 0

    def cut(self, at_ms: int) -> None:
        """Drop the audio before a time."""
        self._size -= self._format.size(at_ms - self.start_ms)
        self.start_ms = at_ms

    def append(
        self, data: bytes, audio_format: AudioFormat, levels: Event | None
    ) -> Iterator[tuple[bool, int]]:
        """Take the next audio.

        Yields:
            True and where speech starts, padding included, or false and where it stops, in ms.
            Nothing without `levels`, the settings of the session's turn detection.
        """
        self._format = audio_format
        self._size += len(data)
        if levels is None:
            return
        data = self._rest + data
        # The square of an amplitude, so that no root is taken for each frame.
        minimum = (32768 * 10 ** (3 * levels["threshold"] - 3.5)) ** 2
        size = audio_format.size(_FRAME_MS)
        at_ms = self.end_ms - audio_format.milliseconds(len(data))
        end = len(data) - len(data) % size
        self._rest = data[end:]
        for start in range(0, end, size):
            is_loud = _mean_square(data[start : start + size], audio_format.type) >= minimum
            self._quiet_ms += _FRAME_MS
            if is_loud:
                self._quiet_ms = 0
            if is_loud and not self._is_speech:
                self._is_speech = True
                yield True, max(at_ms - levels["prefix_padding_ms"], self.start_ms)
            at_ms += _FRAME_MS
            if self._is_speech and self._quiet_ms >= levels["silence_duration_ms"]:
                self._is_speech = False
                yield False, at_ms


def _mean_square(frame: bytes, encoding: str) -> float:
    data = g711.decode(frame, encoding)
    # A third of the samples tells the loudness as well, at a third of the cost.
    samples: list[int] = [*struct.unpack(f"<{len(data) // 2}h", data)[::3]]
    return sum(sample * sample for sample in samples) / len(samples)
