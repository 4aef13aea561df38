"""Calls over WebRTC and SIP: announced, accepted, attached to, and ended in every way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from http_server import Answer, HttpServer
from openai_realtime_client import ApiClient, Configuration, NotFoundError, ga, testing
from openai_realtime_client.testing import RealtimeCall, ReplayServer
from plain_client import CANCEL, KEY, LOUD, RESPOND, Event, append, checked, client, response, types

SECRET = base64.b64encode(b"the secret of the webhook").decode()


@pytest.fixture
def webhook() -> Iterator[HttpServer]:
    with HttpServer(Answer(200)) as webhook:
        yield webhook


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    long = testing.Answer("word " * 500, audio=25.0, real_time=True)
    with checked(answers=[None, long]) as server:
        yield server


@pytest.fixture
def call(server: ReplayServer, webhook: HttpServer) -> RealtimeCall:
    return server.announce_call(webhook.url, secret=SECRET)


@pytest.fixture
def api(server: ReplayServer) -> Iterator[Any]:
    with ApiClient(Configuration(host=server.url, access_token=KEY)) as http:
        yield ga.RealtimeApi(http)


def attached(server: ReplayServer, call: RealtimeCall, **options: Any) -> Any:
    return client(server, f"/v1/realtime?call_id={call.id}", **options)


@pytest.mark.parametrize("prefix", ["", "whsec_"])
def test_a_call_is_announced_and_signed(
    server: ReplayServer, webhook: HttpServer, prefix: str
) -> None:
    call = server.announce_call(webhook.url, secret=prefix + SECRET, sip_headers={"To": "sip:us"})
    [request] = webhook.requests
    event = json.loads(request.body)
    assert event["type"] == "realtime.call.incoming"
    assert abs(event["created_at"] - time.time()) < 60
    assert event["data"]["call_id"] == call.id
    headers = {each["name"]: each["value"] for each in event["data"]["sip_headers"]}
    assert headers["To"] == "sip:us"
    assert headers["From"].startswith("sip:")
    assert request.headers["webhook-id"] == event["id"]
    sent = f"{event['id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    digest = hmac.new(base64.b64decode(SECRET), sent, hashlib.sha256).digest()
    assert request.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert server.calls == {call.id: call}
    assert call.status == "ringing"


def test_a_webhook_that_refuses(server: ReplayServer, webhook: HttpServer) -> None:
    webhook.answers[0] = Answer(500)
    with pytest.raises(RuntimeError, match="answered with 500"):
        server.announce_call(webhook.url, secret=SECRET)
    with pytest.raises(ValueError, match=r"."):
        server.announce_call(webhook.url, secret="not base64!")


def test_a_call_is_accepted_with_its_settings(
    server: ReplayServer, call: RealtimeCall, api: Any
) -> None:
    with pytest.raises(InvalidStatus), attached(server, call):
        pass
    api.accept_realtime_call(call.id, {"type": "realtime", "instructions": "Be brief."})
    assert call.status == "active"
    with attached(server, call, skip=0) as c:
        assert c.recv()["session"]["instructions"] == "Be brief."
        events = c.turn("Hi.") + c.until("output_audio_buffer.stopped")
    event_types = types(events)
    # The audio is on the call.
    assert "response.output_audio.delta" not in event_types
    started = event_types.index("output_audio_buffer.started")
    assert started < event_types.index("response.done")
    played = [e for e in events if e["type"].startswith("output_audio_buffer")]
    assert [e["response_id"] for e in played] == [response(events)["id"]] * 2


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param([append(LOUD)], id="speech"),
        pytest.param([CANCEL, {"type": "output_audio_buffer.clear"}], id="client"),
    ],
)
def test_what_plays_is_cleared(
    server: ReplayServer, call: RealtimeCall, api: Any, sent: list[Event]
) -> None:
    api.accept_realtime_call(call.id, {"type": "realtime"})
    with attached(server, call) as c:
        c.send(RESPOND)
        c.until("output_audio_buffer.stopped")
        c.send(RESPOND)
        response_id = c.until("output_audio_buffer.started")[-1]["response_id"]
        c.send(*sent)
        events = c.until("output_audio_buffer.cleared")
        assert response(events)["status"] == "cancelled"
        assert events[-1]["response_id"] == response_id
        assert "output_audio_buffer.stopped" not in types(events)


@pytest.mark.parametrize("how", ["hangup", "refer", "caller"])
def test_the_end_of_a_call_closes_its_connections(
    server: ReplayServer, call: RealtimeCall, api: Any, how: str
) -> None:
    target = "tel:+14155550123" if how == "refer" else None
    api.accept_realtime_call(call.id, {"type": "realtime"})
    with attached(server, call) as first, attached(server, call) as second:
        if how == "hangup":
            api.hangup_realtime_call(call.id)
        elif how == "refer":
            api.refer_realtime_call(call.id, {"target_uri": target})
        else:
            call.hang_up()
        assert first.closed() == second.closed() == (1000, "The call has ended.")
    call.hang_up()  # It has ended, and how does not change.
    with pytest.raises(NotFoundError):
        api.hangup_realtime_call(call.id)
    assert call.status == ("referred" if how == "refer" else "ended")
    assert call.target_uri == target
    with pytest.raises(InvalidStatus), attached(server, call):
        pass


@pytest.mark.parametrize("code", [None, 486])
def test_a_call_is_rejected(call: RealtimeCall, api: Any, code: int | None) -> None:
    with pytest.raises(NotFoundError):
        api.refer_realtime_call(call.id, {"target_uri": "tel:+14155550123"})
    assert call.status == "ringing"
    api.reject_realtime_call(call.id, {"status_code": code} if code else None)
    assert (call.status, call.status_code) == ("rejected", code or 603)
    with pytest.raises(NotFoundError):
        api.accept_realtime_call(call.id, {"type": "realtime"})
