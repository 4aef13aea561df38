"""What the embedded server does wrong on purpose, and clients that do not behave."""

from __future__ import annotations

import gc
import json
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from openai_realtime_client import deviations, ga
from openai_realtime_client.testing import Answer, Faults, ReplayServer
from openai_realtime_client.testing.recording import RecordedEvent
from plain_client import (
    CANCEL,
    LOUD,
    RESPOND,
    UPGRADE,
    append,
    checked,
    client,
    connected,
    request,
    session_with,
    update,
)

TOO_LONG = {"close_code": 1001, "close_reason": "Too long."}
EXPIRED = "Your session hit the maximum duration of 60 minutes."


@pytest.mark.parametrize(
    ("fault", "count", "code", "reason"),
    [
        pytest.param({"cut_after": 0}, 0, 1006, "", id="cut_at_once"),
        pytest.param({"cut_after": 3}, 3, 1006, "", id="cut"),
        pytest.param({"close_after": 2, **TOO_LONG}, 2, 1001, "Too long.", id="closed"),
        # With an error before the end.
        pytest.param({"expire_after": 3}, 4, 1001, EXPIRED, id="expired"),
    ],
)
def test_a_session_ends_after_so_many_events(
    fault: Any, count: int, code: int, reason: str
) -> None:
    with session_with(faults=Faults(**fault), skip=0) as c:
        with suppress(ConnectionClosed):
            c.send(RESPOND)
        events = [c.recv() for _ in range(count)]
        assert c.closed() == (code, reason)
    assert "expire_after" not in fault or events[-1]["error"]["code"] == "session_expired"
    [session] = c.server.sessions
    assert (session.close_code, session.close_reason) == (code, reason)
    assert [event.to_dict() for event in session.sent] == events


@pytest.mark.parametrize(
    ("fault", "sent", "close_code"),
    [
        pytest.param({"broken_frame_after": 1}, 1002, 1006, id="broken_frame"),
        pytest.param({"huge_after": 1, "huge_size": 5000}, 1009, 1009, id="more_than_a_limit"),
    ],
)
def test_a_client_ends_the_session(fault: Any, sent: int, close_code: int) -> None:
    with checked(faults=Faults(**fault)) as server, client(server, max_size=4999) as c:
        with pytest.raises(ConnectionClosed) as caught:
            c.recv()
        assert caught.value.sent
        assert caught.value.sent.code == sent
    assert server.sessions[0].close_code == close_code


def test_garbage_and_huge_events_do_not_end_a_session() -> None:
    with session_with(faults=Faults(garbage_after=1, huge_after=1, huge_size=100_000)) as c:
        with pytest.raises(ValueError, match="Unterminated string"):
            c.recv()
        message = c.connection.recv(timeout=60)
        c.turn()
    assert len(message) == 100_000
    assert deviations(ga.parse_server_event(message)) == []


@pytest.mark.parametrize(
    ("status", "body", "content_type"),
    [
        pytest.param(429, '{"error":{}}', "application/json", id="json"),
        pytest.param(599, "Busy.", "text/plain", id="text_and_an_unknown_status"),
    ],
)
def test_a_refused_handshake(status: int, body: str, content_type: str) -> None:
    with checked(faults=Faults(refuse=status, refuse_body=body)) as server:
        with pytest.raises(InvalidStatus) as caught, client(server):
            pass
        response = caught.value.response
        assert (response.status_code, response.body) == (status, body.encode())
        assert response.headers["Content-Type"] == content_type
        assert server.sessions == []


def test_faults_are_those_of_new_sessions() -> None:
    faults = [Faults(cut_after=1), Faults(refuse=503), Faults()]
    with checked(faults=faults) as server:
        # This is no session, and takes none of them.
        assert request(server, "POST", "/realtime/client_secrets", body=b"{}").status == 200
        with client(server) as c:
            assert c.closed()[0] == 1006
        with pytest.raises(InvalidStatus):
            client(server).__enter__()
        with client(server) as first, client(server) as second:
            server.faults = [Faults(cut_after=0)]
            first.turn()
            second.turn()
            with client(server, skip=0) as third:
                assert third.closed() == (1006, "")
        with client(server) as c:
            c.turn()


def test_a_client_can_leave_while_the_server_takes_its_time() -> None:
    with checked(faults=Faults(delay=3600)) as server:
        with client(server, skip=0, close_timeout=20):
            pass
        assert server.sessions[0].close_code == 1000
        assert server.sessions[0].sent == []


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
