"""Audio of the embedded server: what it says, and what it makes of what it hears."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from functools import lru_cache

from openai_realtime_client.testing.errors import Refusal

__all__ = ["CHUNK_MS", "decoded", "duration_ms", "spoken", "trailing_silence"]

CHUNK_MS = 50
_CHUNKS = 4
_APPEND_LIMIT = 15 * 2**20
# The encodings of no sound.
_SILENCE = {"audio/pcmu": b"\xff", "audio/pcma": b"\xd5"}


@lru_cache
def spoken(encoding: str) -> tuple[bytes, ...]:
    """What is heard of any answer, in chunks of 50 ms: a tone as PCM, or else silence.

    `encoding` is the `type` of an audio format: `audio/pcm`, `audio/pcmu` or `audio/pcma`.
    """
    if encoding in _SILENCE:
        return (_SILENCE[encoding] * (8 * CHUNK_MS),) * _CHUNKS
    # 400 Hz, so that a chunk holds whole periods and they join without a click.
    steps = (2 * math.pi * 400 * sample / 24000 for sample in range(24 * CHUNK_MS))
    samples = [round(6000 * math.sin(step)) for step in steps]
    return (struct.pack(f"<{len(samples)}h", *samples),) * _CHUNKS


def duration_ms(data_size: int, encoding: str) -> int:
    """How long `data_size` bytes of audio sound, in milliseconds."""
    return data_size // (8 if encoding in _SILENCE else 48)


def trailing_silence(data: bytes, encoding: str) -> int:
    """How many bytes at the end of audio are silence: samples of zero."""
    return len(data) - len(data.rstrip(_SILENCE.get(encoding, b"\0")))


def decoded(data: str) -> bytes:
    """The bytes of base64 text; raises `Refusal` for what is none, or too long."""
    if len(data) > _APPEND_LIMIT * 4 // 3 + 4:
        message = "Invalid 'audio': the most is 15 MiB in one event."
        raise Refusal("string_above_max_length", message, "audio")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        message = "Invalid 'audio'. Expected base64-encoded audio bytes, but got an invalid value."
        raise Refusal("invalid_value", message, "audio") from None
