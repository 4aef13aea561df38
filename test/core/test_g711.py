"""G.711, against the values of ITU-T's tables."""

from __future__ import annotations

import struct

import pytest

from openai_realtime_client.core import g711


def samples(codes: bytes, encoding: str) -> list[int]:
    return [*struct.unpack(f"<{len(codes)}h", g711.decode(codes, encoding))]


@pytest.mark.parametrize(
    ("encoding", "codes", "expected"),
    [
        ("audio/pcmu", b"\x00\x80\xff\x7f\xfe\x7e", [-32124, 32124, 0, 0, 8, -8]),
        ("audio/pcma", b"\x2a\xaa\xd5\x55\xd4\x54", [-32256, 32256, 8, -8, 24, -24]),
    ],
)
def test_samples_of_codes(encoding: str, codes: bytes, expected: list[int]) -> None:
    assert samples(codes, encoding) == expected


@pytest.mark.parametrize("encoding", ["audio/pcmu", "audio/pcma"])
def test_each_sample_gets_the_nearest_code(encoding: str) -> None:
    known = g711.SAMPLES[encoding]
    data = struct.pack("<9h", -32768, -1000, -7, 0, 1, 9, 1000, 20000, 32767)
    for sample, decoded in zip(
        struct.unpack("<9h", data), samples(g711.encode(data, encoding), encoding), strict=True
    ):
        assert abs(decoded - sample) == min(abs(value - sample) for value in known)


@pytest.mark.parametrize("encoding", ["audio/pcmu", "audio/pcma"])
def test_round_trip_of_all_codes(encoding: str) -> None:
    codes = bytes(range(256))
    again = g711.encode(g711.decode(codes, encoding), encoding)
    assert samples(again, encoding) == samples(codes, encoding)


def test_pcm_is_left_as_it_is() -> None:
    assert g711.encode(b"\x01\x02", "audio/pcm") == b"\x01\x02"
    assert g711.decode(b"\x01\x02", "audio/pcm") == b"\x01\x02"
