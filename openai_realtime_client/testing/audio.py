"""Audio of the embedded server: what it says, and where in the user's audio there is speech."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

from openai_realtime_client.testing.errors import Refusal
from openai_realtime_client.testing.settings import Event

__all__ = ["CHUNK_MS", "SAMPLES", "TurnDetector", "chunks", "decoded", "duration_ms", "tone"]

CHUNK_MS = 50
_FRAME_MS = 20
_APPEND_LIMIT = 15 * 2**20


def _ulaw(code: int) -> int:
    code = ~code
    size = ((code & 0x0F) << 3) + 0x84 << (code >> 4 & 7)
    return 0x84 - size if code & 0x80 else size - 0x84


def _alaw(code: int) -> int:
    code ^= 0x55
    exponent, size = code >> 4 & 7, (code & 0x0F) << 4
    size = size + 0x108 << exponent - 1 if exponent else size + 8
    return size if code & 0x80 else -size


# The samples that the bytes of G.711 stand for. `audio/pcm` has 16 bits and 24 kHz instead.
SAMPLES = {
    "audio/pcmu": [_ulaw(code) for code in range(256)],
    "audio/pcma": [_alaw(code) for code in range(256)],
}


def _bytes_per_ms(encoding: str) -> int:
    return 8 if encoding in SAMPLES else 48


def duration_ms(data_size: int, encoding: str) -> int:
    """The duration of `data_size` bytes of audio, in milliseconds.

    `encoding` is the `type` of an audio format: `audio/pcm`, `audio/pcmu` or `audio/pcma`.
    """
    return data_size // _bytes_per_ms(encoding)


@lru_cache
def tone(encoding: str, duration_ms: int) -> bytes:
    """A tone of 400 Hz."""
    rate = 8000 if encoding in SAMPLES else 24000
    steps = (2 * math.pi * 400 * sample / rate for sample in range(rate // 400))
    period = [round(6000 * math.sin(step)) for step in steps]
    if encoding in SAMPLES:
        known = SAMPLES[encoding]
        data = bytes(min(range(256), key=lambda code: abs(known[code] - each)) for each in period)
    else:
        data = struct.pack(f"<{len(period)}h", *period)
    size = duration_ms * _bytes_per_ms(encoding)
    return (data * (size // len(data) + 1))[:size]


def chunks(data: bytes, encoding: str) -> Iterator[bytes]:
    """Audio in the chunks in which it is sent, of 50 ms each."""
    size = CHUNK_MS * _bytes_per_ms(encoding)
    for start in range(0, len(data), size):
        yield data[start : start + size]


def decoded(data: str) -> bytes:
    """Decode base64; raises `Refusal` for what is not base64, or too long."""
    if len(data) > _APPEND_LIMIT * 4 // 3 + 4:
        message = "Invalid 'audio': the most is 15 MiB in one event."
        raise Refusal("string_above_max_length", message, "audio")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        message = "Invalid 'audio'. Expected base64-encoded audio bytes, but got an invalid value."
        raise Refusal("invalid_value", message, "audio") from None


class TurnDetector:
    """Finds speech in audio by its energy, in frames of 20 ms.

    `threshold` is the session's: 0 is -70 dB of full scale, 0.5 is -40 dB, and 1 is -10 dB.
    """

    def __init__(self) -> None:
        self.is_speech = False
        self._quiet_ms = 0
        self._rest = b""

    def reset(self) -> None:
        """Forget what was received."""
        self.is_speech, self._quiet_ms, self._rest = False, 0, b""

    def feed(
        self, data: bytes, end_ms: int, encoding: str, levels: Event
    ) -> Iterator[tuple[Literal["started", "stopped"], int]]:
        """Take the next audio, which ends at `end_ms` of all audio.

        Yields:
            Where speech has started, with the padding before it, or stopped, after silence, in
            milliseconds, by the `levels` of the session's turn detection.
        """
        least = (32768 * 10 ** (3 * levels["threshold"] - 3.5)) ** 2
        size = _FRAME_MS * _bytes_per_ms(encoding)
        data = self._rest + data
        at_ms = end_ms - duration_ms(len(data), encoding)
        whole = len(data) - len(data) % size
        self._rest = data[whole:]
        for start in range(0, whole, size):
            is_loud = _mean_square(data[start : start + size], encoding) >= least
            self._quiet_ms = 0 if is_loud else self._quiet_ms + _FRAME_MS
            if is_loud and not self.is_speech:
                self.is_speech = True
                yield "started", at_ms - levels["prefix_padding_ms"]
            at_ms += _FRAME_MS
            if self.is_speech and self._quiet_ms >= levels["silence_duration_ms"]:
                self.is_speech = False
                yield "stopped", at_ms


def _mean_square(frame: bytes, encoding: str) -> float:
    samples: list[int]
    if known := SAMPLES.get(encoding):
        samples = [known[code] for code in frame]
    else:  # a third of the samples tells how loud it is, too
        samples = [*struct.unpack(f"<{len(frame) // 2}h", frame)[::3]]
    return sum(each * each for each in samples) / len(samples)
