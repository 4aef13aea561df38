"""G.711: the 8-bit audio of telephones, as 16-bit samples."""

from __future__ import annotations

import struct
from bisect import bisect
from functools import cache
from itertools import pairwise

__all__ = ["SAMPLES", "decode", "encode"]


# ITU-T G.711: a sign, an exponent of 3 bits and a mantissa of 4. Codes go out inverted, u-law in
# all bits and A-law in every second one.
def _ulaw(code: int) -> int:
    code = ~code
    # 0x84 is the bias that gives every size an exponent.
    size = ((code & 0x0F) << 3) + 0x84 << (code >> 4 & 7)
    if code & 0x80:
        return 0x84 - size
    return size - 0x84


def _alaw(code: int) -> int:
    code ^= 0x55
    exponent = code >> 4 & 7
    size = (code & 0x0F) << 4
    if exponent:
        size = size + 0x108 << exponent - 1
    else:
        size += 8
    if code & 0x80:
        return size
    return -size


# The sample that each code stands for.
SAMPLES = {
    "audio/pcmu": [_ulaw(code) for code in range(256)],
    "audio/pcma": [_alaw(code) for code in range(256)],
}


@cache
def _steps(encoding: str) -> tuple[list[int], list[float]]:
    """Return the codes by rising sample, and the limits between one and the next."""
    samples = SAMPLES[encoding]
    codes = sorted(range(256), key=samples.__getitem__)
    limits = [(samples[low] + samples[high]) / 2 for low, high in pairwise(codes)]
    return codes, limits


def decode(data: bytes, encoding: str) -> bytes:
    """Return audio as 16-bit samples, which `audio/pcm` has already."""
    if encoding not in SAMPLES:
        return data
    samples = SAMPLES[encoding]
    return struct.pack(f"<{len(data)}h", *(samples[code] for code in data))


def encode(data: bytes, encoding: str) -> bytes:
    """Return 16-bit samples in an encoding, each by the code that is nearest to it."""
    if encoding not in SAMPLES:
        return data
    codes, limits = _steps(encoding)
    samples = struct.unpack(f"<{len(data) // 2}h", data)
    return bytes(codes[bisect(limits, sample)] for sample in samples)
