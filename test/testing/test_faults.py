"""What the embedded server does wrong on purpose."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from openai_realtime_client import deviations, ga
from openai_realtime_client.testing import Faults
from plain_client import RESPOND, checked, client, request, session_with

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


@pytest.mark.parametrize("size", [0, 100_000])
def test_garbage_and_huge_events_do_not_end_a_session(size: int) -> None:
    with session_with(faults=Faults(garbage_after=1, huge_after=1, huge_size=size)) as c:
        with pytest.raises(ValueError, match="Unterminated string"):
            c.recv()
        message = c.connection.recv(timeout=60)
        c.turn()
    assert len(message) == max(size, 71)
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
        server.faults = Faults()
        with client(server) as c:
            c.turn()


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
