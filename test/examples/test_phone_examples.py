"""The examples for telephone calls, each in a process of its own."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import urllib3
from websockets.sync.client import ClientConnection

from example_programs import (
    KEY,
    Event,
    Relay,
    check,
    closed,
    eventually,
    heard,
    recv,
    relaying,
    scripted,
    spoken,
    types,
    wires,
)
from openai_realtime_client import ApiClient, Configuration, NotFoundError, ga
from openai_realtime_client.testing import Answer, Faults, ReplayServer
from openai_realtime_client.testing.recording import RecordedEvent

# phone.py


LOUD, SILENT = b"\x00\x80" * 80, b"\xff" * 160  # 20 ms of G.711 each


def speak(phone: ClientConnection, frame: bytes, count: int) -> None:
    payload = base64.b64encode(frame).decode()
    for _ in range(count):
        phone.send(json.dumps({"event": "media", "media": {"payload": payload}}))


def messages(phone: ClientConnection, last: str) -> list[Event]:
    """What the stream gets, up to the first message of a kind."""
    return recv(phone, last, "event")


def test_a_caller_is_answered_and_may_interrupt(server: ReplayServer) -> None:
    with relaying(server, "phone") as relay, relay.open("/stream") as phone:
        phone.send(json.dumps({"event": "connected"}))
        phone.send(json.dumps({"event": "start", "streamSid": "MZ1"}))
        speak(phone, LOUD, 25)
        speak(phone, SILENT, 50)
        media, mark = messages(phone, "mark")
        eventually(lambda: "response.done" in types(relay.session.sent))
        played = len(base64.b64decode(media["media"]["payload"]))
        assert (media["event"], media["streamSid"]) == ("media", "MZ1")
        phone.send(json.dumps(mark))
        speak(phone, LOUD, 25)
        *cleared, clear = messages(phone, "clear")
        assert clear == {"event": "clear", "streamSid": "MZ1"}
        # The stream gives the marks of what it has cleared back while the next answer begins, of
        # which nothing is played before the caller interrupts again.
        speak(phone, SILENT, 50)
        messages(phone, "mark")
        for late in cleared:
            if late["event"] == "mark":
                phone.send(json.dumps(late))
        speak(phone, LOUD, 25)
        messages(phone, "clear")
        session = relay.session
        eventually(lambda: types(session.sent).count("conversation.item.truncated") == 2)
        phone.send(json.dumps({"event": "stop"}))
        assert closed(phone) == 1000
    assert eventually(lambda: session.close_code) == 1000
    cut = [e for e in wires(session.received) if e["type"] == "conversation.item.truncate"]
    assert [event["audio_end_ms"] for event in cut] == [played // 8, 0]
    assert cut[0]["item_id"] != cut[1]["item_id"]
    assert heard(session) == (LOUD * 25 + SILENT * 50) * 2 + LOUD * 25
    assert len(spoken(session)) > played


STORY = "Tell me a long story about a dragon, a knight and the end of all the world's winters."


def interrupted_answer(server: ReplayServer) -> list[RecordedEvent]:
    """A script of an answer that the caller interrupts after the first of its deltas."""
    with ga.connect_sync("m", api_key=KEY, base_url=server.url) as connection:
        connection.send({"type": "session.update", "session": {"type": "realtime"}})
        connection.send(ga.user_text(STORY))
        connection.send({"type": "response.create"})
        for event in connection:
            if event.type == "response.done":
                break
    script = [
        each
        for each in server.sessions.pop().recording()
        if each.direction == "server" or each.event["type"] == "session.update"
    ]
    kinds = [each.event["type"] for each in script]
    first = kinds.index("response.output_audio.delta")
    assert kinds.count("response.output_audio.delta") > 1
    started = {"event_id": "e", "audio_start_ms": 0, "item_id": "item_next"}
    speech: Event = {"type": "input_audio_buffer.speech_started", **started}
    truncate = {"type": "conversation.item.truncate"}
    interruption = [RecordedEvent("server", speech, 0), RecordedEvent("client", truncate, 0)]
    return [*script[: first + 1], *interruption, *script[first + 1 :]]


def test_what_comes_after_an_interruption_is_not_played(server: ReplayServer) -> None:
    with (
        scripted(interrupted_answer(server)) as other,
        relaying(other, "phone") as relay,
        relay.open("/stream") as phone,
    ):
        phone.send(json.dumps({"event": "start", "streamSid": "MZ1"}))
        # The service ends the session when all was said.
        assert [json.loads(each)["event"] for each in phone] == ["media", "mark", "clear"]
        assert types(other.sessions[0].sent).count("response.output_audio.delta") > 1


def test_the_session_ends_when_the_caller_hangs_up(server: ReplayServer) -> None:
    with relaying(server, "phone") as relay:
        with relay.open("/stream"):
            eventually(lambda: server.sessions and server.sessions[0].received)
        assert eventually(lambda: server.sessions[0].close_code) == 1000


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        (Faults(cut_after=2), "the connection was lost"),
        (Faults(close_after=1, close_code=1001), "the session expired"),
        (Faults(refuse=401), "refused with HTTP 401"),
    ],
    ids=["cut", "expired", "refused"],
)
def test_phone_is_closed_when_the_service_fails(
    server: ReplayServer, faults: Faults, said: str
) -> None:
    server.faults = faults
    with relaying(server, "phone") as relay, relay.open("/stream") as phone:
        assert closed(phone) == 1000
        assert eventually(lambda: [line for line in relay.log if "ended the call" in line])
    [line] = [line for line in relay.log if "ended the call" in line]
    assert said in line


def test_failed_answer_is_logged_and_the_call_goes_on() -> None:
    error = {"type": "t", "code": "insufficient_quota", "message": "No more."}
    with (
        ReplayServer(api_key=KEY, answers=lambda items: Answer(error=error)) as server,
        relaying(server, "phone") as relay,
        relay.open("/stream") as phone,
    ):
        phone.send(json.dumps({"event": "start", "streamSid": "MZ1"}))
        speak(phone, LOUD, 25)
        speak(phone, SILENT, 50)
        assert eventually(lambda: any("insufficient_quota" in line for line in relay.log))
        phone.send(json.dumps({"event": "stop"}))
        assert closed(phone) == 1000


# sip.py


SECRET = base64.b64encode(b"the secret of the webhook").decode()


def call_webhook(
    relay: Relay,
    event: Event,
    *,
    webhook_id: str = "wh_1",
    secret: str = SECRET,
    age: int = 0,
    signature: str | None = None,
) -> int:
    """Send a signed event as the service does; gives the status of the answer."""
    body, sent = json.dumps(event).encode(), str(int(time.time()) - age)
    digest = hmac.digest(
        base64.b64decode(secret), f"{webhook_id}.{sent}.".encode() + body, "sha256"
    )
    signed = f"v1,{base64.b64encode(digest).decode()}"
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": sent,
        "webhook-signature": f"v1,b3RoZXI= {signed}" if signature is None else signature,
    }
    with urllib3.PoolManager() as pool:
        return pool.request("POST", f"{relay.url}/webhook", body=body, headers=headers).status


def incoming(call_id: str) -> Event:
    return {"type": "realtime.call.incoming", "data": {"call_id": call_id}}


def test_a_call_is_accepted_and_logged() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(ReplayServer(api_key=KEY))
        with ApiClient(Configuration(host=server.url, access_token=KEY)) as client:
            call_id = ga.RealtimeApi(client).create_realtime_call("v=0").id or ""
        secret = f"whsec_{SECRET}"
        with relaying(server, "sip", OPENAI_WEBHOOK_SECRET=secret) as relay:
            assert call_webhook(relay, incoming(call_id)) == 200
            assert eventually(lambda: any("assistant: " in line for line in relay.log))
            [session] = server.sessions
            assert session.request_path.endswith(f"/realtime?call_id={call_id}")
            assert types(session.received) == ["response.create"]
            # Delivered again, as when the response was lost.
            assert call_webhook(relay, incoming(call_id)) == 200
            # A call that is gone is no reason to end.
            assert call_webhook(relay, incoming("rtc_none"), webhook_id="wh_2") == 200
            assert eventually(lambda: any("rtc_none ended" in line for line in relay.log))
            assert not any(f"{call_id} ended" in line for line in relay.log)
            assert len(server.sessions) == 1
            stack.close()  # The service hangs up.
    check(server)


@pytest.fixture
def call_id(server: ReplayServer) -> str:
    with ApiClient(Configuration(host=server.url, access_token=KEY)) as client:
        return ga.RealtimeApi(client).create_realtime_call("v=0").id


@pytest.fixture
def sip(server: ReplayServer) -> Iterator[Relay]:
    with relaying(server, "sip", OPENAI_WEBHOOK_SECRET=f"whsec_{SECRET}") as relay:
        yield relay


def test_program_ends_at_once_while_a_call_is_held(
    server: ReplayServer, sip: Relay, call_id: str
) -> None:
    assert call_webhook(sip, incoming(call_id)) == 200
    assert eventually(lambda: any("assistant: " in line for line in sip.log))
    started = time.monotonic()
    sip.stop()
    assert time.monotonic() - started < 3


def test_call_whose_session_is_not_there_yet_is_tried_again(
    server: ReplayServer, sip: Relay, call_id: str
) -> None:
    server.faults = Faults(refuse=404)
    assert call_webhook(sip, incoming(call_id)) == 200
    time.sleep(0.5)
    assert server.sessions == []
    server.faults = Faults()
    assert eventually(lambda: any("assistant: " in line for line in sip.log))


def test_caller_is_not_left_alone(server: ReplayServer, sip: Relay, call_id: str) -> None:
    server.faults = Faults(refuse=403)
    assert call_webhook(sip, incoming(call_id)) == 200
    assert eventually(lambda: any(f"{call_id} ended" in line for line in sip.log))
    with ApiClient(Configuration(host=server.url, access_token=KEY)) as client:
        api = ga.RealtimeApi(client)
        # It was hung up.
        assert eventually(lambda: is_gone(api, call_id))


def is_gone(api: ga.RealtimeApi, call_id: str) -> bool:
    try:
        api.refer_realtime_call(call_id, {"target_uri": "tel:+1"})
    except NotFoundError:
        return True
    return False


def test_a_webhook_without_a_good_signature_is_refused(server: ReplayServer, sip: Relay) -> None:
    other = base64.b64encode(b"another secret").decode()
    wrong: list[dict[str, Any]] = [{"secret": other}, {"age": 301}, {"age": -301}]
    wrong += [{"signature": ""}, {"signature": "v1,other"}]
    for settings in wrong:
        assert call_webhook(sip, incoming("rtc_1"), **settings) == 401
    assert sip.request("POST", "/webhook").status == 401
    assert call_webhook(sip, {"type": "other"}) == 200
    assert server.sessions == []
