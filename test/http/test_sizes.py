"""How much of an answer HTTP reads, decompressed."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import pytest

from http_server import Answer, HttpServer
from openai_realtime_client import (
    ApiClient,
    ApiConnectionError,
    ApiError,
    Configuration,
    InvalidResponseError,
    RateLimitError,
)
from openai_realtime_client.v1 import RealtimeApi

BODY = json.dumps({"client_secret": {"value": "ek_abc123", "expires_at": 1}}).encode()
LIMIT = 2**18


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "GZIP": lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:]),
    "deflate": zlib.compress,
    "Deflate": _raw_deflate,
    "": bytes,
}


@pytest.fixture
def api(server: HttpServer) -> Iterator[RealtimeApi]:
    with ApiClient(Configuration(server.url, "sk-test", max_size=LIMIT)) as client:
        yield RealtimeApi(client)


def answer(encoding: str, body: bytes, status: int = 200) -> Answer:
    return Answer(status, ENCODINGS[encoding](body), {"Content-Encoding": encoding})


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_answer_is_decompressed_up_to_the_limit(
    api: RealtimeApi, server: HttpServer, encoding: str
) -> None:
    fits = BODY + b" " * (LIMIT - len(BODY))
    server.answers += [answer(encoding, fits), answer(encoding, fits + b" ")]
    assert api.create_realtime_session_with_http_info({}).raw_data == fits
    server.answers.append(answer(encoding, fits + b" ", 429))
    for error, about in ((InvalidResponseError, "max_size"), (RateLimitError, "429")):
        with pytest.raises(error, match=about) as caught:
            api.create_realtime_session({})
        assert caught.value.body == fits


def test_memory_is_bounded_whatever_is_compressed(api: RealtimeApi, server: HttpServer) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(16)) + packer.flush()
    server.answers.append(Answer(500, bomb, {"Content-Encoding": "gzip"}))
    tracemalloc.start()
    try:
        with pytest.raises(ApiError, match="500"):
            api.create_realtime_session({})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * LIMIT


def test_what_cannot_be_decompressed_is_an_error(api: RealtimeApi, server: HttpServer) -> None:
    for encoding, body, error in (
        ("gzip", gzip.compress(BODY)[:40], InvalidResponseError),
        ("deflate", b"\x78\x9cnot deflate", ApiConnectionError),
        ("br", b"\x8b\x02\x80", InvalidResponseError),
    ):
        server.answers.append(Answer(200, body, {"Content-Encoding": encoding}))
        with pytest.raises(error):
            api.create_realtime_session({})
