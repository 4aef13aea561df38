"""The embedded server with clients that do not behave, and with web pages."""

from __future__ import annotations

import gc
import json
import socket
import struct
from collections.abc import Iterator
from random import Random

import pytest
from websockets.frames import Frame, Opcode

from openai_realtime_client.testing import Answer, ReplayServer
from openai_realtime_client.testing.recording import RecordedEvent
from plain_client import CANCEL, LOUD, RESPOND, UPGRADE, append, checked, connected, update

POST = b"POST /v1/realtime/client_secrets HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def server(caplog: pytest.LogCaptureFixture) -> Iterator[ReplayServer]:
    gc.freeze()  # What is there before the test is not looked at after it.
    with checked(answers=lambda _: Answer("word " * 50, audio=2.0)) as server:
        yield server
    gc.collect()
    gc.unfreeze()
    # Where asyncio reports exceptions that nothing handles.
    records = [*caplog.get_records("call"), *caplog.records]
    assert [record.getMessage() for record in records if record.name == "asyncio"] == []


def answer(server: ReplayServer, request: bytes) -> bytes:
    """The server's answer to bytes after which the client sends no more."""
    with connected(server) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(2**16), b""))


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def masked(opcode: Opcode, data: bytes) -> bytes:
    """A frame of a client."""
    return Frame(opcode, data).serialize(mask=True)


CLOSE = masked(Opcode.CLOSE, b"\x03\xe8")


def test_what_comes_together_with_the_close_frame_is_received() -> None:
    script = [RecordedEvent("client", RESPOND)] * 3
    with checked(script=script) as server, connected(server) as client:
        event = masked(Opcode.TEXT, json.dumps(RESPOND).encode())
        client.sendall(UPGRADE + b"\r\n" + event * 3 + CLOSE)
        while client.recv(2**16):
            pass
    [session] = server.sessions
    assert len(session.received) == 3
    assert session.mismatch is None


def test_clients_that_reset_the_connection_at_a_random_point(server: ReplayServer) -> None:
    random = Random(14)
    audio = append(LOUD * 2)
    events = [update(instructions="Be brief."), audio, RESPOND, CANCEL, {"type": "no.such"}]
    frames = [masked(Opcode.TEXT, json.dumps(event).encode()) for event in events]
    for _ in range(150):
        client = connected(server)
        sent = UPGRADE + b"\r\n" + b"".join(random.choices(frames, k=5))
        size = random.randrange(len(sent))
        # Some are reset in the body of a request.
        client.sendall(sent[:size] if size % 50 else POST)
        if size > len(UPGRADE) + 2 and size % 50 and random.random() < 0.5:
            client.recv(random.randrange(1, 4096))
        reset(client)
    server.__exit__(None, None, None)
    assert len(server.sessions) > 50
    assert {session.close_code for session in server.sessions} <= {1006, 1001}
    assert [session.failure for session in server.sessions if session.failure] == []
    server.__enter__()


BODY = b"\r\n\r\n{}"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"A" * 100_000, b"400"),
        (b"GET http://[ HTTP/1.1\r\n\r\n", b"400"),
        (UPGRADE.replace(b"/v1", b"http://[/v1") + b"\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", b"400"),
        (b"GET /" + b"a" * (2**16 + 100) + b" HTTP/1.1\r\n\r\n", b"400"),
        (POST + b"Content-Length: 10" + BODY, b"400"),
        (POST + b"Content-Length: " + b"9" * 5000 + BODY, b"400"),
        (POST + b"Content-Length: -1" + BODY + b"x", b"400"),
        (POST + b"Content-Length: two" + BODY, b"400"),
        (POST + b"Content-Length: 200000\r\n\r\n" + b"[" * 200_000, b"400"),
        (POST + b"Content-Length: 2\r\n\r\n\xff\xff", b"400"),
        (b"GET /v1/realtime HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", b"426"),
        *((b"", b"400"), (b"GET", b"400"), (UPGRADE, b"400")),
    ],
    ids=lambda value: repr(value[-40:]),
)
def test_requests_that_are_not_valid(server: ReplayServer, request_: bytes, status: bytes) -> None:
    assert answer(server, request_)[:12] == b"HTTP/1.1 " + status
    assert server.sessions == []


@pytest.mark.parametrize(
    ("allowed", "origin", "statuses"),
    [
        ([], b"https://evil.test", [b"403", b"403"]),
        ([], b"null", [b"403", b"403"]),
        (["http://localhost:3000"], b"HTTP://LOCALHOST:3000", [b"101", b"200"]),
        (["http://localhost:3000"], b"http://localhost:30001", [b"403", b"403"]),
    ],
    ids=str,
)
def test_web_pages_can_use_the_server_where_they_are_allowed(
    allowed: list[str], origin: bytes, statuses: list[bytes]
) -> None:
    header = b"Origin: " + origin + b"\r\n\r\n"
    with checked(allowed_origins=allowed) as server:
        answers = [answer(server, request + header) for request in (UPGRADE, POST)]
    assert [each[9:12] for each in answers] == statuses
    if statuses[0] == b"403":
        body = json.loads(answers[0].partition(b"\r\n\r\n")[2])
        assert "allowed_origins" in body["error"]["message"]
        assert server.sessions == []
