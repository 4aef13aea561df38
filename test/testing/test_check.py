"""The check of servers: nothing is found in a good one, and each fault in a faulty one."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

import pytest

from openai_realtime_client import ConnectionClosedError, ga, v1
from openai_realtime_client.core.errors import InvalidEventError
from openai_realtime_client.testing import Faults, Finding, ReplayServer, check, check_server
from openai_realtime_client.testing.check import check_turns
from openai_realtime_client.testing.errors import refuse_text
from openai_realtime_client.testing.recording import DIALECTS
from openai_realtime_client.testing.rules import RealtimeRules, Scenario
from openai_realtime_client.testing.settings import MODELS, Outbox, new_session
from openai_realtime_client.testing.v1 import V1Rules
from plain_client import Event, append

# What is sent in place of an event: events, text that is none, or a code to close with.
Sent = list[Event | str | int]
Change = Callable[[Event], Sent]
# The findings of a server that changes what it sends.
Find = Callable[..., list[Finding]]

for_protocols = pytest.mark.parametrize("protocol", ["ga", "v1"])


class Session:
    """A session with the embedded server's rules in this process, which changes what they send.

    Where nothing is left to receive, waiting ends at once.
    """

    def __init__(self, protocol: str, change: Change) -> None:
        rules = {"ga": RealtimeRules, "v1": V1Rules}[protocol]
        self.rules = rules(
            new_session("sess_1", MODELS[protocol]), Outbox(1), Scenario(None, (), {})
        )
        self.parse_client = DIALECTS[protocol]["client"]
        self.parse_server = DIALECTS[protocol]["server"]
        self.change = change
        self.sent: deque[Event | str | int] = deque()
        self.rules.begin()
        self.take()

    def take(self) -> None:
        events = self.rules.outbox.events
        while events:
            wire = self.rules.to_protocol(events.popleft())
            if wire is not None:
                self.sent += self.change(wire)

    def open(self) -> Session:
        return self

    def close(self) -> None:
        pass

    def send(self, event: Event) -> None:
        self.send_raw(json.dumps(event))

    def send_audio(self, audio: bytes) -> None:
        self.send(append(audio))

    def send_raw(self, text: str) -> None:
        self.go_on()
        try:
            event = self.parse_client(text)
        except InvalidEventError as error:
            self.rules.refuse(refuse_text(error), text)
        else:
            self.rules.receive(event)
        self.take()

    def go_on(self) -> None:
        """Let the response that is on its way go on by a step."""
        streams = self.rules.streams
        if streams and next(streams[0], None) is None:
            del streams[0]
        self.take()

    def recv(self, _: float) -> Any:
        while self.rules.streams and not self.sent:
            self.go_on()
        if not self.sent:
            raise TimeoutError
        sent = self.sent.popleft()
        if isinstance(sent, int):
            raise ConnectionClosedError(sent)
        return self.parse_server(sent if isinstance(sent, str) else json.dumps(sent))


@pytest.fixture
def find(monkeypatch: pytest.MonkeyPatch) -> Find:
    def find(change: Change, protocol: Any = "ga", timeout: float = 30) -> list[Finding]:
        def connect(*_: object, **__: object) -> Session:
            return Session(protocol, change)

        for module in (ga, v1):
            monkeypatch.setattr(module, "connect_sync", connect)
        return check_server("ws://x", protocol=protocol, timeout=timeout)

    return find


def without_count(finding: Finding) -> str:
    return f"{finding.turn}: {finding.kind}: {finding.type}: {finding.about}"


def kinds(findings: list[Finding]) -> set[tuple[str, str]]:
    return {(finding.kind, finding.type) for finding in findings}


# With a server on the line


def test_another_protocol_cannot_be_checked() -> None:
    with pytest.raises(ValueError, match="cannot check the protocol 'third'; only 'ga' and 'v1'"):
        check_server("http://127.0.0.1:9/v1", protocol="third")  # type: ignore[arg-type]


@for_protocols
def test_nothing_is_found_in_every_turn_of_a_slow_server(protocol: Literal["ga", "v1"]) -> None:
    options: Any = {"protocol": protocol, "api_key": "sk-check", "timeout": 30}
    options["model"] = "gpt-4o-mini-realtime-preview"
    with ReplayServer(faults=Faults(delay=0.001), api_key="sk-check") as server:
        turns = [*check_turns(server.url, **options)]
    assert [finding for turn in turns for finding in turn.findings] == []
    assert [turn.events for turn in turns] == [len(session.sent) for session in server.sessions]
    assert "model=gpt-4o-mini" in server.sessions[0].request_path
    sent = {event.to_dict()["type"] for session in server.sessions for event in session.received}
    assert sent == {
        *("session.update", "response.create", "response.cancel", "check.unknown"),
        *(f"conversation.item.{name}" for name in ("create", "retrieve", "delete", "truncate")),
        *(f"input_audio_buffer.{name}" for name in ("append", "commit", "clear")),
    }


def test_no_session_later() -> None:
    with ReplayServer(faults=[Faults(), Faults(refuse=503)]) as server:
        [finding] = check_server(server.url)
    assert str(finding).startswith("audio: closed: session.created: no session: 127.0.0.1:")
    assert str(finding).endswith(" refused with HTTP 503")


def test_a_server_that_says_nothing_does_not_stop_it() -> None:
    with ReplayServer(script=[json.dumps({"from": "client", "event": {"type": "x"}})]) as server:
        [finding] = check_server(server.url, timeout=0.01)
    assert (finding.kind, finding.type, finding.count) == ("missing", "session.created", 14)


# Faults


def on(event_type: str, change: Change) -> Change:
    """Change the events of a type alone."""
    return lambda event: change(event) if event["type"] == event_type else [event]


def drop(event_type: str) -> Change:
    return on(event_type, lambda event: [])


def instead(event_type: str, *others: Event | str | int) -> Change:
    return on(event_type, lambda event: list(others))


def double(event_type: str) -> Change:
    """Send an event twice, with two event ids."""
    return on(event_type, lambda event: [event, {**event, "event_id": event["event_id"] + "_"}])


def late(event_type: str, until: str) -> Change:
    """Send an event of a type only after one of another type."""
    held: Sent = []

    def change(event: Event) -> Sent:
        if event["type"] == event_type:
            held.append(event)
            return []
        if event["type"] == until:
            sent = [event, *held]
            held.clear()
            return sent
        return [event]

    return change


def put(event_type: str, value: Any, *path: str | int) -> Change:
    """Change a value at a path."""

    def change(event: Event) -> Sent:
        place: Any = event
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value
        return [event]

    return on(event_type, change)


ERROR: Event = {
    "type": "error",
    "event_id": "event_x",
    "error": {"type": "server_error", "message": "Not today."},
}
# Left out, each of these is missed under its own name.
DROPPED = [
    *("session.created", "session.updated", "conversation.item.added"),
    *("response.created", "response.done"),
    *(f"conversation.item.{name}" for name in ("retrieved", "deleted", "truncated", "done")),
    *("input_audio_buffer.committed", "input_audio_buffer.cleared"),
    *("response.output_item.added", "response.output_item.done"),
    *("response.content_part.added", "response.content_part.done"),
    *(f"response.output_{name}.done" for name in ("text", "audio", "audio_transcript")),
    *("response.output_audio.delta", "response.function_call_arguments.done"),
]
DOUBLED = [
    *("session.updated", "conversation.item.added", "conversation.item.truncated"),
    *("response.created", "response.output_item.added", "response.output_text.done"),
    "response.done",
]
# Two changes in the order of events, and what is then the matter with the first.
LATE = (
    ("session.created", "session.updated", "missing"),
    ("response.output_text.delta", "response.output_text.done", "out of order"),
    ("response.content_part.added", "response.done", "out of order"),
    ("response.output_item.done", "response.done", "missing"),
)
# Values that are wrong where they stand: type of the event, value, path.
WRONG: tuple[tuple[Any, ...], ...] = (
    ("response.output_text.done", "No.", "text"),
    ("response.output_audio_transcript.done", "No.", "transcript"),
    ("response.function_call_arguments.done", "{}", "arguments"),
    ("response.done", [], "response", "output"),
    ("response.done", "item_x", "response", "output", 0, "id"),
    ("response.done", "{", "response", "output", 0, "arguments"),
    ("response.done", "[]", "response", "output", 0, "arguments"),
    ("response.done", "", "response", "output", 0, "name"),
    ("response.done", "get_wether", "response", "output", 0, "name"),
    ("response.done", "failed", "response", "status"),
    ("response.output_audio.delta", "!", "delta"),
    ("session.updated", "Be rude.", "session", "instructions"),
    ("session.updated", [], "session", "tools"),
    ("session.updated", ["audio"], "session", "output_modalities"),
    ("session.updated", "auto", "session", "tool_choice"),
    ("conversation.item.retrieved", "item_x", "item", "id"),
    ("conversation.item.deleted", "item_x", "item_id"),
    ("conversation.item.truncated", "item_x", "item_id"),
    ("conversation.item.truncated", 9, "audio_end_ms"),
    ("error", None, "error", "event_id"),
)
DONE, CREATED = "response.done", "session.created"
CALL = "response.output_item.done"  # of which there is none in a turn that needs one
ADDED = "conversation.item.added"
COMMITTED, LIMITS = "input_audio_buffer.committed", "rate_limits.updated"
TEXT = "response.output_text"
FAULTS: dict[str, tuple[Change, str, str]] = {
    **{f"{name}_dropped": (drop(name), "missing", name) for name in DROPPED},
    **{f"{name}_doubled": (double(name), "twice", name) for name in DOUBLED},
    **{f"{name}_after_{until}": (late(name, until), kind, name) for name, until, kind in LATE},
    **{
        f"{name}_{'.'.join(map(str, path))}_is_{value}": (put(name, value, *path), "wrong", name)
        for name, value, *path in WRONG
    },
    "unknown_field": (put(CREATED, ["a"], "session", "new"), "deviation", CREATED),
    "unknown_status": (put(DONE, "half", "response", "status"), "deviation", DONE),
    "id_is_null": (put(DONE, None, "response", "id"), "deviation", DONE),
    "unknown_event": (instead(LIMITS, {"type": "not.known"}), "deviation", "not.known"),
    "no_json": (instead(LIMITS, "{"), "deviation", "message"),
    "deltas_without_text": (drop(f"{TEXT}.delta"), "wrong", f"{TEXT}.done"),
    "deltas_twice": (double(f"{TEXT}.delta"), "wrong", f"{TEXT}.done"),
    "event_id_again": (put("session.updated", "event_1", "event_id"), "twice", "session.updated"),
    "another_item_committed": (put(COMMITTED, "item_x", "item_id"), "wrong", ADDED),
    "no_call": (put(DONE, "message", "response", "output", 0, "type"), "missing", CALL),
    "good_input_refused": (instead("conversation.item.retrieved", ERROR), "refused", "error"),
    "bad_input_not_refused": (drop("error"), "not refused", "error"),
    "closed_after_error": (instead("error", 1011), "closed", "session"),
    "closed_at_response": (instead("response.created", 1008), "closed", "session"),
}


# Each bad input has a turn of its own, which other faults do without.
GOOD_TURNS = {name: turn for name, turn in check._TURNS.items() if "bad input" not in name}


@pytest.mark.parametrize(("change", "kind", "name"), FAULTS.values(), ids=FAULTS)
def test_each_fault_is_found_under_its_name(
    find: Find, change: Change, kind: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "_TURNS", GOOD_TURNS)
    assert (kind, name) in kinds(find(change))


V1_FAULTS: dict[str, Change] = {
    "missing: conversation.item.created": drop("conversation.item.created"),
    "missing: response.text.done": drop("response.text.done"),
    # What the wire has beyond the schema is known by its value, not by its kind.
    f'deviation: {DONE}: unknown value "on" at response.status': put(
        DONE, "on", "response", "status"
    ),
}


@pytest.mark.parametrize(("expected", "change"), V1_FAULTS.items(), ids=V1_FAULTS)
def test_v1_has_its_own_names_and_schema(find: Find, expected: str, change: Change) -> None:
    findings = find(change, "v1")
    assert any(str(finding).startswith(f"text: {expected}") for finding in findings)


def test_a_fault_is_found_once_with_its_event_and_how_often_it_came(find: Find) -> None:
    [finding] = find(put("session.updated", 1, "session", "new"))
    assert (finding.turn, finding.kind, finding.type) == ("text", "deviation", "session.updated")
    assert finding.about == "unknown field at session.new"
    assert finding.event
    assert finding.event["session"]["new"] == 1
    assert finding.count > 20
    assert str(finding) == f"{without_count(finding)} ({finding.count} times)"


RATE_LIMITS: Event = {"type": LIMITS, "event_id": "event_x", "rate_limits": []}
LIMIT = {"name": "tokens", "limit": 1, "remaining": 1, "reset_seconds": 1.0, "new": 1}
# All that is found, ids as "ID".
FOUND: dict[str, tuple[Change, list[str]]] = {
    "part_not_added": (
        drop("response.content_part.added"),
        [
            f"text: missing: response.content_part.added: before {TEXT}.delta",
            "audio: missing: response.content_part.added: before "
            "response.output_audio_transcript.delta",
        ],
    ),
    "output_empty": (
        put(DONE, [], "response", "output"),
        [
            f"text: wrong: {DONE}: its output is not the items that came before",
            f"text: missing: {CALL}: no message in a text turn",
            f"audio: missing: {CALL}: no message in an audio turn",
            f"tool: missing: {CALL}: no function_call, though tool_choice is required",
            f"tool: missing: {CALL}: no message after the output of a function",
        ],
    ),
    "event_before_the_session": (
        on(CREATED, lambda event: [RATE_LIMITS, event]),
        [f"text: out of order: {LIMITS}: before {CREATED}"],
    ),
    "ids_and_indices_differ": (
        on(LIMITS, lambda event: [event | {"rate_limits": [LIMIT, LIMIT]}] * 2),
        [
            f"text: deviation: {LIMITS}: unknown field at rate_limits[0].new",
            f"text: twice: {LIMITS}: an event_id that was there before: ID",
        ],
    ),
    "cancelled_is_completed": (
        put(DONE, "completed", "response", "status"),
        ["cancel: not refused: error: a cancel that came too late"],
    ),
}


@pytest.mark.parametrize(("change", "expected"), FOUND.values(), ids=FOUND)
def test_each_fault_is_found_once(find: Find, change: Change, expected: list[str]) -> None:
    findings = find(change)
    assert [re.sub(r"event_\w+$", "ID", without_count(each)) for each in findings] == expected


@for_protocols
def test_each_bad_input_that_is_not_refused_is_found(find: Find, protocol: str) -> None:
    findings = find(drop("error"), protocol)
    assert {each.kind for each in findings} == {"not refused"}
    missed = [each for each in findings if each.turn.startswith("bad input")]
    assert [each.turn for each in missed] == [f"bad input, {each.about}" for each in missed]
    assert len(missed) == 8
    assert {each.turn for each in findings} >= {"text", "audio", "cancel", "truncate"}


def test_a_session_that_is_closed_is_found_in_each_turn(find: Find) -> None:
    findings = find(instead("response.created", 1008))
    turns = [each.turn for each in findings if each.kind == "closed"]
    assert turns == ["text", "audio", "tool", "cancel", "truncate"]
    # What is wrong about the error is found, too, unless the close frame comes before it.
    closed = [each for each in find(instead("error", ERROR, 1011)) if each.kind == "closed"]
    about = "an item that does not exist"
    assert str(closed[-1]).startswith(f"bad input, {about}: closed: session: by {about}: ")
    assert str(closed[-1]).endswith("the session is closed (1011)")


def test_a_server_that_never_stops(find: Find) -> None:
    """Each wait has an end, however much comes in it."""
    endless = [RATE_LIMITS] * 5_000
    findings = find(instead(CREATED, *endless), timeout=0.01)
    assert kinds(findings) >= {("missing", CREATED), ("twice", LIMITS)}
