"""Keys, the HTTP endpoints and calls of the embedded server."""

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
from openai_realtime_client import (
    ApiClient,
    BadRequestError,
    Configuration,
    NotFoundError,
    UnauthorizedError,
    deviations,
    ga,
    testing,
    v1,
)
from openai_realtime_client.testing import RealtimeCall, ReplayServer
from plain_client import (
    CANCEL,
    KEY,
    LOUD,
    RESPOND,
    Event,
    append,
    checked,
    client,
    request,
    response,
    types,
)

SECRET = base64.b64encode(b"the secret of the webhook").decode()


def bearer(key: str = KEY) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    long = testing.Answer("word " * 500, audio=25.0, real_time=True)
    with checked(api_key=KEY, answers=[None, long]) as server:
        yield server


@pytest.fixture
def http(server: ReplayServer) -> Iterator[ApiClient]:
    with ApiClient(Configuration(host=server.url, access_token=KEY)) as http:
        yield http


@pytest.fixture
def api(http: ApiClient) -> Any:
    """The GA endpoints, with requests of any type."""
    return ga.RealtimeApi(http)


# Keys


def test_the_right_key_is_taken_and_not_shown(server: ReplayServer) -> None:
    for options in (
        {"additional_headers": bearer()},
        {"additional_headers": {"api-key": KEY}},
        {"additional_headers": {"authorization": f"bearer {KEY}"}},
        {"subprotocols": ["realtime", f"openai-insecure-api-key.{KEY}"]},  # of browsers
    ):
        with client(server, **options) as c:
            c.turn()
        session = server.sessions[-1]
        shown = f"{server!r} {session!r} {session.headers!r} {session.headers} {vars(session)}"
        assert KEY not in shown
        assert "host" in shown
        # It is there for who asks, by names in any case.
        assert any(KEY in value for value in session.headers.values())
        assert session.headers["host"] == session.headers["Host"]


def test_another_key_is_closed_with_3000(server: ReplayServer) -> None:
    for headers in ({}, bearer("sk-wrong"), {"api-key": "sk-wrong"}):
        with client(server, additional_headers=headers, skip=0) as c:
            assert c.closed() == (3000, "invalid_request_error.invalid_api_key")
        assert server.sessions[-1].close_code == 3000


# HTTP


def test_client_secrets_expire(
    server: ReplayServer, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = api.create_realtime_client_secret
    now = time.time()
    secret = create({"expires_after": {"anchor": "created_at", "seconds": 60}})
    usual = create({})
    with pytest.raises(BadRequestError) as caught:
        create({"expires_after": {"anchor": "created_at", "seconds": 9}})
    assert caught.value.error["param"] == "expires_after.seconds"
    assert secret.expires_at == pytest.approx(now + 60, abs=30)
    assert usual.expires_at == pytest.approx(now + 600, abs=30)
    with client(server, additional_headers=bearer(secret.value)) as c:
        assert secret.value not in repr(vars(server.sessions[0]))
        later = "openai_realtime_client.testing.endpoints.time.time"
        monkeypatch.setattr(later, lambda: secret.expires_at)
        # A session that is open goes on.
        c.turn()
        with client(server, additional_headers=bearer(secret.value), skip=0) as late:
            assert late.closed()[0] == 3000
        with client(server, additional_headers=bearer(usual.value)) as other:
            other.turn()


def test_v1_sessions_open_sessions(server: ReplayServer, http: ApiClient) -> None:
    voice = v1.RealtimeApi(http).create_realtime_session({"voice": "ash"})
    transcription = v1.RealtimeApi(http).create_realtime_transcription_session({})
    begun: list[Event] = []
    for session in (voice, transcription):
        assert deviations(session) == []
        assert session.client_secret is not None
        headers = bearer(session.client_secret.value)
        with client(server, protocol="v1", additional_headers=headers, skip=0) as c:
            begun.append(c.recv())
    assert begun[0]["session"]["voice"] == "ash"
    assert begun[1]["type"] == "transcription_session.created"


def test_translation_secrets_open_sessions(server: ReplayServer, api: Any) -> None:
    settings = {"model": "m", "audio": {"output": {"language": "fr"}}}
    secret = api.create_realtime_translation_client_secret({"session": settings})
    assert deviations(secret) == []
    path, headers = "/v1/realtime/translations", bearer(secret.value)
    for _ in range(2):
        with client(server, path, additional_headers=headers, skip=0) as c:
            assert c.recv()["session"]["audio"]["output"] == {"language": "fr"}
            changed = {"audio": {"output": {"language": "es"}}}
            c.answer({"type": "session.update", "session": changed})


REQUESTS = [
    ("GET", "client_secrets", b"", 404),
    ("POST", "nothing", b"{}", 404),
    ("POST", "calls/nobody/hangup", b"", 404),
    ("POST", "client_secrets", b"{", 400),
    ("POST", "client_secrets", b'{"session":{"type":"realtime","tools":1}}', 400),
    ("POST", "client_secrets", b'{"session":{"type":"x"}}', 400),
    ("POST", "client_secrets", b"[" * 200_000, 400),
    ("POST", "sessions", b'{"modalities":1}', 400),
    ("POST", "transcription_sessions", b'{"x":1}', 400),
    ("POST", "translations/client_secrets", b"{}", 400),
    ("POST", "client_secrets", b"", 200),
]


def test_bad_requests_get_an_error(server: ReplayServer) -> None:
    for method, name, body, status in REQUESTS:
        response = request(server, method, f"/realtime/{name}", body=body, headers=bearer())
        assert response.status == status, (name, body[:80])
        if status != 200:
            assert response.json()["error"].keys() == {"message", "type", "param", "code"}


def test_http_wants_the_key_too(server: ReplayServer) -> None:
    wrong = ApiClient(Configuration(host=server.url, access_token="sk-wrong"))
    with wrong as http, pytest.raises(UnauthorizedError) as caught:
        ga.RealtimeApi(http).create_realtime_client_secret({})
    assert caught.value.error["code"] == "invalid_api_key"
    assert caught.value.request_id
    assert "sk-wrong" not in str(caught.value)


# Calls that are announced


@pytest.fixture
def webhook() -> Iterator[HttpServer]:
    with HttpServer(Answer(200)) as webhook:
        yield webhook


@pytest.fixture
def call(server: ReplayServer, webhook: HttpServer) -> RealtimeCall:
    return server.announce_call(webhook.url, secret=SECRET)


def attached(server: ReplayServer, call: RealtimeCall, **options: Any) -> Any:
    return client(server, f"/v1/realtime?call_id={call.id}", additional_headers=bearer(), **options)


def test_a_call_is_announced_and_signed(server: ReplayServer, webhook: HttpServer) -> None:
    secret = f"whsec_{SECRET}"
    call = server.announce_call(webhook.url, secret=secret, sip_headers={"To": "sip:us"})
    [delivery] = webhook.requests
    event = json.loads(delivery.body)
    assert event["type"] == "realtime.call.incoming"
    assert abs(event["created_at"] - time.time()) < 60
    assert event["data"]["call_id"] == call.id
    headers = {each["name"]: each["value"] for each in event["data"]["sip_headers"]}
    assert (headers["To"], headers["From"][:4]) == ("sip:us", "sip:")
    assert delivery.headers["webhook-id"] == event["id"]
    sent = f"{event['id']}.{delivery.headers['webhook-timestamp']}.".encode() + delivery.body
    digest = hmac.new(base64.b64decode(SECRET), sent, hashlib.sha256).digest()
    assert delivery.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
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


def test_what_plays_is_cleared(server: ReplayServer, call: RealtimeCall, api: Any) -> None:
    api.accept_realtime_call(call.id, {"type": "realtime"})
    by_client = [CANCEL, {"type": "output_audio_buffer.clear"}]
    for sent in (by_client, [append(LOUD)]):  # speech clears it, too
        with attached(server, call) as c:
            c.send(RESPOND)
            c.until("output_audio_buffer.stopped")
            c.send(RESPOND)
            response_id = c.until("output_audio_buffer.started")[-1]["response_id"]
            c.send(*sent)
            events = c.until("output_audio_buffer.cleared")
        assert response(events)["status"] == "cancelled"
        assert events[-1]["response_id"] == response_id


def test_the_end_of_a_call_closes_its_connections(
    server: ReplayServer, webhook: HttpServer, api: Any
) -> None:
    refer = api.refer_realtime_call
    for end, status, target in (
        (lambda call: call.hang_up(), "ended", None),  # by the caller
        (lambda call: api.hangup_realtime_call(call.id), "ended", None),
        (lambda call: refer(call.id, {"target_uri": "tel:1"}), "referred", "tel:1"),
    ):
        webhook.answers.append(Answer(200))
        call = server.announce_call(webhook.url, secret=SECRET)
        with pytest.raises(NotFoundError):
            refer(call.id, {"target_uri": "tel:1"})
        api.accept_realtime_call(call.id, {"type": "realtime"})
        with attached(server, call) as first, attached(server, call) as second:
            end(call)
            assert first.closed() == second.closed() == (1000, "The call has ended.")
        call.hang_up()  # It has ended, and how does not change.
        with pytest.raises(NotFoundError):
            api.hangup_realtime_call(call.id)
        assert (call.status, call.target_uri) == (status, target)
        with pytest.raises(InvalidStatus), attached(server, call):
            pass


@pytest.mark.parametrize("code", [None, 486])
def test_a_call_is_rejected(call: RealtimeCall, api: Any, code: int | None) -> None:
    api.reject_realtime_call(call.id, {"status_code": code} if code else None)
    assert (call.status, call.status_code) == ("rejected", code or 603)
    with pytest.raises(NotFoundError):
        api.accept_realtime_call(call.id, {"type": "realtime"})
