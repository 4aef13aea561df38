"""Opening a session: the request, and what servers answer."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request

import transports
from connections import (
    EVENT,
    KEY,
    Kind,
    answering,
    entered,
    for_asyncio,
    for_dialects,
    opened,
    refusal,
    sends,
    serving,
    soon,
    turns,
    unused_port,
)
from http_server import Answer, json_answer
from openai_realtime_client import ConnectionFailedError, HandshakeRefusedError
from peers import HalfRecord, peer
from transports import HttpServer, ReplayServer


async def handshake(kind: Kind, **kwargs: Any) -> Request:
    """The request with which a session is opened."""
    requests = []

    async def handler(connection: ServerConnection) -> None:
        requests.append(connection.request)
        await connection.wait_closed()

    async with serving(handler) as url, opened(kind, url, **kwargs):
        pass
    [request] = requests
    assert request
    return request


@for_dialects
async def test_handshake_has_the_settings(kind: Kind) -> None:
    request = await handshake(kind, model="m", headers={"X-A": "1"}, query={"a": "b c"})
    assert request.path == f"/v1{kind.path}?model=m&a=b+c"
    assert request.headers.get_all("Authorization") == [f"Bearer {KEY}"]
    beta = ["realtime=v1"] if kind.is_beta else []
    assert request.headers.get_all("OpenAI-Beta") == beta
    assert request.headers.get_all("X-A") == ["1"]
    assert "Sec-WebSocket-Extensions" not in request.headers
    asked = await handshake(kind, options={"compression": "deflate"})
    assert "permessage-deflate" in asked.headers["Sec-WebSocket-Extensions"]


async def test_each_session_has_a_new_key(kind: Kind) -> None:
    keys = iter(["sk-first", "sk-second", "sk-third"])
    with ReplayServer() as server:
        connector = kind.connect(base_url=server.url, api_key=lambda: next(keys))
        for _ in range(2):
            async with entered(connector):
                pass
        assert next(keys) == "sk-third"
        assert len(server.sessions) == 2


@for_asyncio
async def test_this_machine_is_reached_without_a_proxy(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
    async with serving(sends(EVENT)) as url:
        for host in ("127.0.0.1", "localhost"):
            async with opened(kind, url.replace("127.0.0.1", host)) as connection:
                assert len(await connection.rest()) == 1


@pytest.mark.parametrize("is_own", [False, True], ids=["environment", "own"])
async def test_another_machine_is_reached_by_a_proxy(
    kind: Kind, is_own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(proxy, "127.0.0.1", 0) as server:
        url = f"http://me:p%40ss%C3%A9@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        monkeypatch.setenv("https_proxy", "http://wrong.invalid" if is_own else url)
        options = {"proxy": url} if is_own else {}
        error = await refusal(kind, "wss://somewhere.invalid", **options)
    assert str(error) == "the proxy to somewhere.invalid:443 refused with HTTP 403"
    [head] = asked
    assert head.startswith(b"CONNECT somewhere.invalid:443 ")
    # Decoded, and as UTF-8.
    assert b64encode("me:p@ssé".encode()) in head
    assert KEY.encode() not in head


@for_asyncio
async def test_socks_proxy_without_its_package_says_what_to_install(kind: Kind) -> None:
    error = await refusal(kind, "wss://a.invalid", proxy=f"socks5h://me:{KEY}@127.0.0.1:1")
    assert str(error).endswith('one more package: pip install "python-socks[asyncio]"')


async def test_refusal_has_the_servers_answer(kind: Kind) -> None:
    body = {"error": {"message": "Some message.", "code": "c"}}
    headers = {"X-Request-ID": "req_1", "Retry-After": "2"}
    statuses = [200, 401, 503]
    answers = [json_answer(body, status, headers=headers) for status in statuses]
    with HttpServer(*answers) as server:
        for status in statuses:
            error = await refusal(kind, server.url)
            assert isinstance(error, HandshakeRefusedError)
            assert error.status == status
            assert error.headers["x-request-id"] == error.request_id == "req_1"
            assert (error.headers["Retry-After"], error.retry_after) == ("2", 2.0)
            assert json.loads(error.body) == body
            assert str(error) == f"{error.where} refused with HTTP {status}: Some message."
            assert server.url.endswith(f"//{error.where}")
            assert repr(error) == f"HandshakeRefusedError({status})"
    assert len(server.requests) == len(statuses)


@for_asyncio
async def test_redirect_is_not_followed(kind: Kind) -> None:
    with HttpServer() as other, HttpServer() as server:
        for status, target in ((301, server), (307, other)):
            location = f"{target.url}/v2".replace("http", "ws")
            server.answers.append(Answer(status, headers={"Location": location}))
            error = await refusal(kind, server.url)
            assert (error.status, error.headers["location"]) == (status, location)
            assert str(error).endswith(f" refused with HTTP {status}, location: {location}")
        assert (len(server.requests), len(other.requests)) == (2, 0)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("ws://127.0.0.1:{port}", "127.0.0.1"),
        ("wss://nowhere.invalid/v1", "nowhere.invalid"),
        ("wss://a..invalid/v1", "a..invalid"),
    ],
    ids=["refused", "unknown", "no_name"],
)
async def test_server_that_is_not_there_is_an_error(kind: Kind, url: str, host: str) -> None:
    error = await refusal(kind, url.format(port=unused_port()))
    assert type(error) is ConnectionFailedError
    assert f"no connection to {host}" in str(error)


async def test_certificate_of_an_unknown_authority_is_an_error(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with HttpServer() as server:
        error = await refusal(kind, server.url)
    assert type(error) is ConnectionFailedError
    assert "certificate verify failed: unable to get local issuer certificate" in str(error)
    assert not server.requests


async def test_half_an_answer_is_an_error_in_time(kind: Kind) -> None:
    async with peer(HalfRecord) as other:
        error = await soon(refusal(kind, other.url, open_timeout=0.5))
        assert type(error) is ConnectionFailedError
        assert "timed out" in str(error)
        assert other.is_connected


ANSWERS = [
    b"",
    b"garbage\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: wrong\r\n\r\n",
    b"HTTP/1.1 200",
    b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123",
    b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 1000,
    b"\x16\x03\x01\x00\x05",
]


@pytest.mark.parametrize("is_expected", [False, True], ids=["other_transport", "transport"])
async def test_server_that_answers_wrong_is_an_error(kind: Kind, is_expected: bool) -> None:
    transports.use(is_expected == kind.is_tls)
    for answer in ANSWERS:
        async with answering(answer) as url:
            error = await refusal(kind, url.replace("ws:", "wss:"))
        assert "no connection to 127.0.0.1" in str(error)


@for_asyncio
@pytest.mark.parametrize("delay", [0, 2, None])
async def test_cancelling_open_leaves_nothing(kind: Kind, delay: int | None) -> None:
    came = asyncio.Event()
    async with answering(None, came) as url:
        opening = asyncio.create_task(kind.connect(base_url=url, api_key=KEY).open())
        if delay is None:
            await came.wait()
        else:
            await turns(delay)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await turns(10)
