"""Audio as sessions carry it: formats, rates, and buffers of samples."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from openai_realtime_client.core.json_types import at, is_object

__all__ = ["PCM", "RATES", "AudioFormat", "audio_view", "base64_size", "format_of", "split_audio"]

# Bytes per second at the rates that the service uses: 24 kHz of 16 bits, and 8 kHz of 8 bits.
RATES = {"audio/pcm": 48_000, "audio/pcmu": 8_000, "audio/pcma": 8_000}
# The names of the same formats in v1.
_V1_NAMES = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
# The codes of `struct` for bytes, and for 16-bit samples in the byte order of the service.
_TAKEN = ["B", "c", "<h"] + ["h", "@h", "=h"] * (sys.byteorder == "little")


class AudioFormat(NamedTuple):
    """A format of mono audio, such as `audio/pcm`, and its bytes per second."""

    type: str
    bytes_per_second: int

    @property
    def sample_size(self) -> int:
        """The size of one sample in bytes."""
        if self.type == "audio/pcm":
            return 2
        return 1

    def milliseconds(self, size: int) -> int:
        """Return the duration of `size` bytes in milliseconds."""
        return size * 1000 // self.bytes_per_second

    @property
    def sample_rate(self) -> int:
        """The number of samples per second."""
        return self.bytes_per_second // self.sample_size

    def size(self, milliseconds: int) -> int:
        """Return the size in bytes of that many milliseconds, in whole samples."""
        return milliseconds * self.sample_rate // 1000 * self.sample_size


PCM = AudioFormat("audio/pcm", RATES["audio/pcm"])


def format_of(settings: Any, direction: str) -> AudioFormat | None:
    """Return the audio format that the settings of a session or response contain.

    Args:
        settings: The settings of either protocol, as plain JSON.
        direction: `input` or `output`.

    Returns:
        The format, or `None` if it is missing or unknown.
    """
    value = at(settings, "audio", direction, "format")
    if value is None:
        value = at(settings, f"{direction}_audio_format")
    name = value
    if is_object(value):
        name = value.get("type")
    if not isinstance(name, str):
        return None
    name = _V1_NAMES.get(name, name)
    if name not in RATES:
        return None
    rate = at(value, "rate")
    if name == "audio/pcm" and isinstance(rate, int) and rate > 0:
        return AudioFormat(name, 2 * rate)
    return AudioFormat(name, RATES[name])


def split_audio(data: bytes, audio_format: AudioFormat, milliseconds: int) -> Iterator[bytes]:
    """Yield audio in chunks of that duration, of which the last may be shorter."""
    size = audio_format.size(milliseconds)
    for start in range(0, len(data), size):
        yield data[start : start + size]


def base64_size(text: Any) -> int:
    """Return the number of bytes that a base64 text encodes; 0 for what is not a text."""
    if not isinstance(text, str):
        return 0
    return len(text) * 3 // 4 - text.count("=", -2)


def audio_view(audio: Any) -> memoryview:
    """Return the bytes of a buffer of audio.

    Args:
        audio: `bytes`, `bytearray`, or another buffer of unsigned bytes or of 16-bit samples in
            little-endian order, of one channel. It need not be contiguous.

    Raises:
        TypeError: It is another kind of object, or holds other samples.
    """
    try:
        view = memoryview(audio)
    except TypeError:
        raise TypeError(
            f"audio must be bytes or a buffer of 16-bit samples, not {type(audio).__name__}"
        ) from None
    if view.format not in _TAKEN:
        raise TypeError(
            f"audio must be bytes or 16-bit little-endian samples, not samples of the format "
            f"{view.format!r}; convert floats with (samples * 32767).astype('<i2'), or open the "
            f"device with 16-bit integers"
        )
    # A device with one channel gives an array of n by 1.
    if view.shape and sum(length > 1 for length in view.shape) > 1:
        raise TypeError(f"audio must have one channel, not the shape {view.shape}")
    # `cast` takes only native formats, and no empty shapes.
    if not view.c_contiguous or view.format.startswith("<") or view.nbytes == 0:
        return memoryview(view.tobytes())
    return view.cast("B")
