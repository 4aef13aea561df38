"""The examples for telephone calls."""

from __future__ import annotations

import base64
import json
import re
import signal
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from subprocess import PIPE, Popen
from typing import Any

import pytest
import urllib3
from standardwebhooks import Webhook
from websockets.sync.client import ClientConnection

from example_programs import (
    EXAMPLES,
    KEY,
    Event,
    Relay,
    closed,
    environment,
    eventually,
    heard,
    recv,
    relaying,
    spoken,
    types,
    wires,
)
from openai_realtime_client import ApiClient, ga
from openai_realtime_client.testing import Answer, Faults, ReplayServer

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


def test_failed_answer_is_logged_and_the_call_goes_on_until_the_caller_hangs_up() -> None:
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
        assert relay.session.close_code is None
        phone.close()
        assert eventually(lambda: relay.session.close_code) == 1000


# sip.py


SECRET = base64.b64encode(b"the secret of the webhook").decode()


def post(relay: Relay, event: Event, *, age: int = 0, secret: str = SECRET, key: str = "1") -> int:
    """Send a signed event as the service does; gives the status of the response."""
    body, sent = json.dumps(event), datetime.now(timezone.utc) - timedelta(seconds=age)
    headers = {
        "webhook-id": key,
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": Webhook(secret).sign(key, sent, body),
    }
    with urllib3.PoolManager() as pool:
        return pool.request("POST", f"{relay.url}/webhook", body=body, headers=headers).status


def incoming(call_id: str) -> Event:
    return {"type": "realtime.call.incoming", "data": {"call_id": call_id}}


@pytest.fixture
def sip(server: ReplayServer) -> Iterator[Relay]:
    with relaying(server, "sip", OPENAI_WEBHOOK_SECRET=f"whsec_{SECRET}") as relay:
        yield relay


def logged(relay: Relay, text: str) -> bool:
    return eventually(lambda: any(text in line for line in relay.log))  # type: ignore[no-any-return]


def test_a_call_is_accepted_and_logged(server: ReplayServer, sip: Relay) -> None:
    with ApiClient() as client:
        call_id = ga.RealtimeApi(client).create_realtime_call("v=0").id
    assert post(sip, incoming(call_id)) == 200
    assert logged(sip, "assistant: ")
    [session] = server.sessions
    assert session.request_path.endswith(f"/realtime?call_id={call_id}")
    assert types(session.received) == ["response.create"]
    # Delivered again, as when the response was lost.
    assert post(sip, incoming(call_id)) == 200
    # A call that is gone is no reason to end.
    assert post(sip, incoming("rtc_none"), key="2") == 200
    assert logged(sip, "rtc_none ended")
    assert not any(f"{call_id} ended" in line for line in sip.log)
    assert len(server.sessions) == 1


def test_program_ends_while_a_call_is_held(server: ReplayServer) -> None:
    serve = ["-m", "uvicorn", "--app-dir", str(EXAMPLES), "sip:app", "--port", "0"]
    with (
        environment(server, OPENAI_WEBHOOK_SECRET=SECRET),
        Popen([sys.executable, *serve], stderr=PIPE, encoding="utf-8") as process,
    ):
        assert process.stderr
        serving = next(line for line in process.stderr if "running on" in line)
        [url] = re.findall(r"http://[\d.:]+", serving)
        server.announce_call(f"{url}/webhook", secret=SECRET)
        next(line for line in process.stderr if "assistant: " in line)
        # Unlike SIGTERM, it lets the interpreter wait for threads.
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        finally:
            process.kill()


def test_call_whose_session_is_not_there_yet_is_tried_again(
    server: ReplayServer, sip: Relay
) -> None:
    server.faults = [Faults(refuse=404), Faults()]
    server.announce_call(f"{sip.url}/webhook", secret=SECRET)
    assert logged(sip, "assistant: ")


def test_caller_is_not_left_alone(server: ReplayServer, sip: Relay) -> None:
    server.faults = Faults(refuse=403)
    call = server.announce_call(f"{sip.url}/webhook", secret=SECRET)
    assert logged(sip, f"{call.id} ended")
    assert eventually(lambda: call.status == "ended")


def test_a_webhook_without_a_good_signature_is_refused(server: ReplayServer, sip: Relay) -> None:
    other = base64.b64encode(b"another secret").decode()
    wrong: list[dict[str, Any]] = [{"secret": other}, {"age": 301}, {"age": -301}]
    for settings in wrong:
        assert post(sip, incoming("rtc_1"), **settings) == 401
    assert sip.request("POST", "/webhook").status == 401
    assert post(sip, {"type": "other"}) == 200
    assert server.sessions == []
