"""Keys and the HTTP endpoints of the embedded server."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from openai_realtime_client import (
    ApiClient,
    BadRequestError,
    Configuration,
    UnauthorizedError,
    deviations,
    ga,
    v1,
)
from openai_realtime_client.testing import ReplayServer
from plain_client import KEY, Event, checked, client, request


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def keyed() -> Iterator[ReplayServer]:
    with checked(api_key=KEY) as server:
        yield server


@pytest.fixture
def http(keyed: ReplayServer) -> Iterator[ApiClient]:
    with ApiClient(Configuration(host=keyed.url, access_token=KEY)) as http:
        yield http


# Keys


@pytest.mark.parametrize(
    "headers", [bearer(KEY), {"api-key": KEY}, {"authorization": f"bearer {KEY}"}]
)
def test_the_right_key_is_taken(keyed: ReplayServer, headers: dict[str, str]) -> None:
    with client(keyed, additional_headers=headers) as c:
        c.turn()


def test_browsers_send_their_key_as_a_subprotocol(keyed: ReplayServer) -> None:
    offered = ["realtime", f"openai-insecure-api-key.{KEY}"]
    with client(keyed, subprotocols=offered) as c:
        c.turn()
    assert KEY not in repr(keyed.sessions[0].headers)


@pytest.mark.parametrize("headers", [{}, bearer("sk-wrong"), {"api-key": "sk-wrong"}])
def test_another_key_is_closed_with_3000(keyed: ReplayServer, headers: dict[str, str]) -> None:
    with client(keyed, additional_headers=headers, skip=0) as c:
        assert c.closed() == (3000, "invalid_request_error.invalid_api_key")
    assert keyed.sessions[0].close_code == 3000


def test_secrets_do_not_show(keyed: ReplayServer) -> None:
    headers = {**bearer(KEY), "api-key": KEY, "Cookie": KEY}
    with client(keyed, additional_headers=headers):
        pass
    session = keyed.sessions[0]
    shown = f"{keyed!r} {session!r} {session.headers!r} {session.headers} {vars(session)}"
    assert KEY not in shown
    assert "host" in shown
    # It is there for who asks.
    assert session.headers["api-key"] == session.headers["API-Key"] == KEY


# HTTP


def test_client_secrets_expire(
    keyed: ReplayServer, http: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = ga.RealtimeApi(http).create_realtime_client_secret
    after = ga.RealtimeClientSecretExpiresAfter(seconds=60)
    now = time.time()
    secret = create(ga.RealtimeCreateClientSecretRequest(expires_after=after))
    usual = create(ga.RealtimeCreateClientSecretRequest())
    with pytest.raises(BadRequestError) as caught:
        create({"expires_after": {"anchor": "created_at", "seconds": 9}})
    assert caught.value.error["param"] == "expires_after.seconds"
    assert secret.expires_at == pytest.approx(now + 60, abs=30)
    assert usual.expires_at == pytest.approx(now + 600, abs=30)
    with client(keyed, additional_headers=bearer(secret.value)) as c:
        assert secret.value not in repr(vars(keyed.sessions[0]))
        later = "openai_realtime_client.testing.endpoints.time.time"
        monkeypatch.setattr(later, lambda: secret.expires_at)
        # A session that is open goes on.
        c.turn()
        with client(keyed, additional_headers=bearer(secret.value), skip=0) as late:
            assert late.closed()[0] == 3000
        with client(keyed, additional_headers=bearer(usual.value)) as other:
            other.turn()


def test_v1_sessions_open_sessions(keyed: ReplayServer, http: ApiClient) -> None:
    voice = v1.RealtimeApi(http).create_realtime_session({"voice": "ash"})
    transcription = v1.RealtimeApi(http).create_realtime_transcription_session({})
    begun: list[Event] = []
    for session in (voice, transcription):
        assert deviations(session) == []
        assert session.client_secret is not None
        headers = bearer(session.client_secret.value)
        with client(keyed, protocol="v1", additional_headers=headers, skip=0) as c:
            begun.append(c.recv())
    assert begun[0]["session"]["voice"] == "ash"
    assert begun[1]["type"] == "transcription_session.created"


def test_translation_secrets_open_sessions(keyed: ReplayServer, http: ApiClient) -> None:
    wanted = ga.RealtimeTranslationClientSecretCreateRequest.from_dict(
        {"session": {"model": "m", "audio": {"output": {"language": "fr"}}}}
    )
    secret = ga.RealtimeApi(http).create_realtime_translation_client_secret(wanted)
    assert deviations(secret) == []
    path, headers = "/v1/realtime/translations", bearer(secret.value)
    for _ in range(2):
        with client(keyed, path, additional_headers=headers, skip=0) as c:
            assert c.recv()["session"]["audio"]["output"] == {"language": "fr"}
            changed = {"audio": {"output": {"language": "es"}}}
            c.answer({"type": "session.update", "session": changed})


@pytest.mark.parametrize("settings", [None, {"type": "realtime", "instructions": "Be brief."}])
def test_calls(keyed: ReplayServer, http: ApiClient, settings: Event | None) -> None:
    calls = ga.RealtimeApi(http)
    created = calls.create_realtime_call("v=0\r\n", settings)
    call_id = created.id
    assert call_id.startswith("rtc_")
    assert created.data.startswith("v=0\r\n")
    path, headers = f"/v1/realtime?call_id={call_id}", bearer(KEY)
    with client(keyed, path, additional_headers=headers, skip=0) as c:
        session = c.recv()["session"]
        assert session["instructions"].startswith("Be brief." if settings else "You are")
        c.turn()
    calls.accept_realtime_call(call_id, ga.RealtimeSessionCreateRequestGA())
    calls.hangup_realtime_call(call_id)
    for action in ("accept", "hangup", "refer", "reject", "x"):
        path = f"/realtime/calls/{call_id}/{action}"
        assert request(keyed, "POST", path, headers=headers).status == 404


def test_a_call_is_a_201_of_sdp_with_its_location(server: ReplayServer) -> None:
    headers = {"Content-Type": "application/sdp"}
    response = request(server, "POST", "/realtime/calls", body=b"v=0\r\n", headers=headers)
    assert response.status == 201
    assert response.headers["Content-Type"] == "application/sdp"
    assert response.headers["Location"].startswith("/v1/realtime/calls/rtc_")
    assert request(server, "POST", response.headers["Location"][3:] + "/reject").status == 200


def test_http_wants_the_key_too(keyed: ReplayServer) -> None:
    wrong = ApiClient(Configuration(host=keyed.url, access_token="sk-wrong"))
    with wrong as http, pytest.raises(UnauthorizedError) as caught:
        ga.RealtimeApi(http).create_realtime_client_secret(ga.RealtimeCreateClientSecretRequest())
    assert caught.value.error["code"] == "invalid_api_key"
    assert caught.value.request_id
    assert "sk-wrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/realtime/client_secrets", b"", 404),
        ("GET", "/realtime?model=m", b"", 404),
        ("POST", "/models", b"{}", 404),
        ("POST", "/realtime/nothing", b"{}", 404),
        ("POST", "/realtime/client_secrets", b"{", 400),
        ("POST", "/realtime/client_secrets", b"[]", 400),
        ("POST", "/realtime/client_secrets", b'{"session":{"type":"realtime","tools":1}}', 400),
        ("POST", "/realtime/client_secrets", b'{"session":{"type":"x"}}', 400),
        ("POST", "/realtime/sessions", b'{"modalities":1}', 400),
        ("POST", "/realtime/transcription_sessions", b'{"x":1}', 400),
        ("POST", "/realtime/translations/client_secrets", b"{}", 400),
        ("POST", "/realtime/client_secrets", b"", 200),
    ],
)
def test_other_requests(
    server: ReplayServer, method: str, path: str, body: bytes, status: int
) -> None:
    response = request(server, method, path, body=body)
    assert response.status == status
    if status != 200:
        assert response.json()["error"].keys() == {"message", "type", "param", "code"}
