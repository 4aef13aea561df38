"""The check of servers: nothing is found in a good one, and each fault in a faulty one."""

from __future__ import annotations

import contextlib
import copy
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.connection import Connection
from websockets.sync.server import ServerConnection, serve

from openai_realtime_client import ConnectionFailedError, InvalidKeyError
from openai_realtime_client.testing import Faults, Finding, ReplayServer, check, check_server
from openai_realtime_client.testing.check import check_turns
from openai_realtime_client.testing.order import Order
from protocols import ANYTHING, DRAWN

pytest_plugins = ["pytester"]

Event = dict[str, Any]
# What is sent in place of an event: events, text that is none, or a code to close with.
Change = Callable[[Event], list[Event | str | int]]


def pass_on(client: Connection, service: Connection) -> None:
    with contextlib.suppress(ConnectionClosed):
        for message in client:
            service.send(message)
    service.close()


@contextlib.contextmanager
def changed(url: str, change: Change) -> Iterator[str]:
    """Give the base URL of a server whose events are those of another, changed."""

    def hold(client: ServerConnection) -> None:
        request = client.request
        assert request
        beta = request.headers.get("OpenAI-Beta")
        with connect(
            url.replace("http", "ws").removesuffix("/v1") + request.path,
            additional_headers={"OpenAI-Beta": beta} if beta else None,
            proxy=None,
            close_timeout=1,
        ) as service:
            thread = threading.Thread(target=pass_on, args=(client, service))
            thread.start()
            with contextlib.suppress(ConnectionClosed):
                for message in service:
                    for each in change(json.loads(message)):
                        if isinstance(each, int):
                            client.close(each)
                        else:
                            client.send(each if isinstance(each, str) else json.dumps(each))
            client.close()
            thread.join()

    with serve(hold, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        host, port = server.socket.getsockname()[:2]
        try:
            yield f"http://{host}:{port}/v1"
        finally:
            server.shutdown()
            thread.join()


Answer = list[Event | str | int]
PROTOCOLS: list[Literal["ga", "v1"]] = ["ga", "v1"]


@pytest.fixture(scope="module")
def good() -> Iterator[ReplayServer]:
    with ReplayServer(keep_events=False) as server:
        yield server


def found(good: ReplayServer, change: Change, **more: Any) -> list[Finding]:
    """What is found in a server that changes what the good one sends."""
    with changed(good.url, change) as url:
        return check_server(url, **{"timeout": 0.5, **more})


def kinds(findings: list[Finding]) -> set[tuple[str, str]]:
    return {(each.kind, each.type) for each in findings}


def test_another_protocol_cannot_be_checked() -> None:
    with pytest.raises(ValueError, match="cannot check the protocol 'third'; only 'ga' and 'v1'"):
        check_server("http://127.0.0.1:9/v1", protocol="third")  # type: ignore[arg-type]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_is_found_in_the_embedded_server(
    good: ReplayServer, protocol: Literal["ga", "v1"]
) -> None:
    assert check_server(good.url, protocol=protocol) == []
    # Nor is there when it comes through the server that puts the faults in below.
    assert found(good, lambda event: [event], protocol=protocol, timeout=30) == []


def test_every_turn_is_played() -> None:
    with ReplayServer() as server:
        options: Any = {"protocol": "ga", "model": "gpt-x", "api_key": "", "timeout": 30}
        turns = [*check_turns(server.url, **options)]
    names = [turn.name for turn in turns]
    assert names[:6] == ["text", "audio", "tool", "cancel", "truncate", "update"]
    assert [name.partition(",")[0] for name in names[6:]] == ["bad input"] * 8
    assert [turn.events for turn in turns] == [len(session.sent) for session in server.sessions]
    assert "model=gpt-x" in server.sessions[0].request_path
    sent = {event.to_dict()["type"] for session in server.sessions for event in session.received}
    assert sent == {
        *("session.update", "response.create", "response.cancel", "check.unknown"),
        *(f"conversation.item.{name}" for name in ("create", "retrieve", "delete", "truncate")),
        *(f"input_audio_buffer.{name}" for name in ("append", "commit", "clear")),
    }


def drop(kind: str) -> Change:
    return lambda event: [] if event["type"] == kind else [event]


def double(kind: str) -> Change:
    """Send an event of a type twice, with two event ids."""

    def change(event: Event) -> Answer:
        again = {**event, "event_id": f"{event['event_id']}_again"}
        return [event, again] if event["type"] == kind else [event]

    return change


def late(kind: str, until: str) -> Change:
    """Send an event of a type only after one of another type."""
    held: list[Event] = []

    def change(event: Event) -> Answer:
        if event["type"] == kind:
            held.append(event)
            return []
        if event["type"] == until:
            after, held[:] = list(held), []
            return [event, *after]
        return [event]

    return change


def put(kind: str, value: Any, *path: str | int) -> Change:
    """Change a value at a path in all events of a type."""

    def change(event: Event) -> Answer:
        if event["type"] == kind:
            event = copy.deepcopy(event)
            place: Any = event
            for name in path[:-1]:
                place = place[name]
            place[path[-1]] = value
        return [event]

    return change


def instead(kind: str, *others: Event | str | int) -> Change:
    return lambda event: list(others) if event["type"] == kind else [event]


def part_after_its_item(event: Event) -> Answer:
    if event["type"] != "response.output_item.done":
        return [event]
    place = {"item_id": event["item"]["id"], "output_index": event["output_index"]}
    place |= {"content_index": 9, "response_id": event["response_id"]}
    part = {"part": {"type": "text", "text": ""}, "event_id": f"{event['event_id']}_part"}
    return [event, {"type": "response.content_part.added", **place, **part}]


def calls_with(**fields: str) -> Change:
    """Change the calls in the output of a response."""

    def change(event: Event) -> Answer:
        if event["type"] == "response.done":
            for item in event["response"]["output"]:
                item |= fields if item["type"] == "function_call" else {}
        return [event]

    return change


IN_EVERY_TURN = (
    *("session.created", "session.updated", "conversation.item.added"),
    *("response.created", "response.done"),
)
ERROR: Event = {
    "type": "error",
    "event_id": "event_x",
    "error": {"type": "server_error", "message": "Not today."},
}


# Left out, each of these is missed under its own name.
DROPPED = (
    *IN_EVERY_TURN,
    *(f"conversation.item.{name}" for name in ("retrieved", "deleted", "truncated", "done")),
    *(f"input_audio_buffer.{name}" for name in ("committed", "cleared")),
    *(f"response.output_item.{name}" for name in ("added", "done")),
    *(f"response.content_part.{name}" for name in ("added", "done")),
    *(f"response.output_{name}.done" for name in ("text", "audio", "audio_transcript")),
    *("response.output_audio.delta", "response.function_call_arguments.done"),
)
DOUBLED = (
    *("session.updated", "conversation.item.added", "conversation.item.truncated"),
    *("response.created", "response.output_item.added", "response.output_text.done"),
    "response.done",
)
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
        "_".join(["wrong", *map(str, path), "in", name, str(value)]): (
            put(name, value, *path),
            "wrong",
            name,
        )
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
    "part_after_its_item": (part_after_its_item, "out of order", "response.content_part.added"),
    "call_without_name": (calls_with(name=""), "wrong", DONE),
    "call_of_another_function": (calls_with(name="get_wether"), "wrong", DONE),
    "arguments_are_cut": (calls_with(arguments="{"), "wrong", DONE),
    "arguments_are_a_list": (calls_with(arguments="[]"), "wrong", DONE),
    "good_input_refused": (instead("conversation.item.retrieved", ERROR), "refused", "error"),
    "bad_input_not_refused": (drop("error"), "not refused", "error"),
    "closed_after_error": (instead("error", 1011), "closed", "session"),
    "closed_at_response": (instead("response.created", 1008), "closed", "session"),
}


@pytest.mark.parametrize(("change", "kind", "name"), FAULTS.values(), ids=FAULTS)
def test_each_fault_is_found_under_its_name(
    good: ReplayServer, change: Change, kind: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Others test bad input.
    turns = {name: turn for name, turn in check._TURNS.items() if not name.startswith("bad input")}
    if kind == "missing" and name in IN_EVERY_TURN:
        turns = {"text": turns["text"]}  # The others would wait for it, too.
    monkeypatch.setattr(check, "_TURNS", turns)
    timeout = 0.5 if kind == "missing" else 30
    assert (kind, name) in kinds(found(good, change, timeout=timeout))


def test_a_fault_is_found_once_with_its_event_and_how_often_it_came(good: ReplayServer) -> None:
    [finding] = found(good, put("session.updated", 1, "session", "new"), timeout=30)
    assert (finding.turn, finding.kind, finding.type) == ("text", "deviation", "session.updated")
    assert finding.about == "unknown field at session.new"
    assert finding.event
    assert finding.event["session"]["new"] == 1
    assert finding.count > 20
    assert str(finding) == (
        f"text: deviation: session.updated: unknown field at session.new ({finding.count} times)"
    )


def test_responses_without_what_was_asked_for(good: ReplayServer) -> None:
    findings = found(good, put("response.done", [], "response", "output"), timeout=30)
    assert {each.about for each in findings if each.kind == "missing"} == {
        "no message in a text turn",
        "no message in an audio turn",
        "no function_call, though tool_choice is required",
        "no message after the output of a function",
    }


def test_what_is_missing_is_found_once(good: ReplayServer) -> None:
    findings = found(good, drop("response.output_text.done"))
    assert [(each.kind, each.type, each.about) for each in findings] == [
        ("missing", "response.output_text.done", "before response.content_part.done")
    ]


def test_findings_that_differ_in_ids_or_indices_are_one(good: ReplayServer) -> None:
    limit = {"name": "tokens", "limit": 1, "remaining": 1, "reset_seconds": 1.0, "new": 1}

    def change(event: Event) -> Answer:
        if event["type"] == "rate_limits.updated":
            event["rate_limits"] = [limit, limit]
            return [event, event]
        return [event]

    deviation, twice = found(good, change, timeout=30)
    assert deviation.about == "unknown field at rate_limits[0].new"
    assert twice.about.startswith("an event_id that was there before: event_")
    assert deviation.count == 4 * twice.count > 4


def test_a_cancelled_response_ends_with_that_status() -> None:
    def cancelled(event: Event) -> Answer:
        if event["type"] == "response.done" and event["response"]["status"] == "cancelled":
            event["response"]["status"] = "completed"
        return [event]

    # Slow, so that the cancel comes while the response is on its way.
    with ReplayServer(faults=Faults(delay=0.005), keep_events=False) as server:
        assert check_server(server.url) == []
        findings = found(server, cancelled, timeout=30)
    assert [str(each) for each in findings] == [
        "cancel: not refused: error: a cancel that came too late"
    ]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_bad_input_that_is_not_refused_is_found(
    good: ReplayServer, protocol: Literal["ga", "v1"]
) -> None:
    findings = found(good, drop("error"), protocol=protocol, timeout=30)
    missed = [each for each in findings if each.turn.startswith("bad input")]
    assert {each.kind for each in missed} == {"not refused"}
    assert [each.turn for each in missed] == [f"bad input, {each.about}" for each in missed]
    assert len(missed) == 8
    elsewhere = {each.turn for each in findings if each.kind == "not refused"}
    assert elsewhere >= {"text", "audio", "cancel", "truncate"}


def test_a_session_that_is_closed_is_found_in_each_turn(good: ReplayServer) -> None:
    turns = ["text", "audio", "tool", "cancel", "truncate"]
    findings = found(good, instead("response.created", 1008), timeout=30)
    assert [each.turn for each in findings if each.kind == "closed"] == turns
    findings = found(good, instead("error", ERROR, 1011), timeout=30)
    closed = [each for each in findings if each.kind == "closed"]
    assert len([each for each in closed if each.turn.startswith("bad input")]) == 8
    text = str(closed[-1])
    assert text.startswith(
        "bad input, an item that does not exist: closed: session: by an item that does not exist: "
    )
    # The close frame may come before what is sent last.
    assert text.endswith("the session is closed (1011)")


def test_v1_has_its_own_schema(good: ReplayServer) -> None:
    def abouts(*change: Any) -> set[str]:
        return {each.about for each in found(good, put("response.done", *change), protocol="v1")}

    assert abouts(1, "response", "new") == {"unknown field at response.new"}
    assert 'unknown value "on" at response.status' in abouts("on", "response", "status")
    # What the wire has beyond the schema is known by its value, not by its kind.
    wrong = {'wrong type "4" at response.usage.output_tokens'}
    assert abouts("4", "response", "usage", "output_tokens") == wrong


@pytest.mark.parametrize(
    ("change", "kind", "name"),
    [
        (drop, "missing", "conversation.item.created"),
        (double, "twice", "conversation.item.created"),
        (drop, "missing", "response.text.done"),
    ],
    ids=["item_dropped", "item_doubled", "text_dropped"],
)
def test_v1_has_its_own_names(
    good: ReplayServer, monkeypatch: pytest.MonkeyPatch, change: Any, kind: str, name: str
) -> None:
    monkeypatch.setattr(check, "_TURNS", {"text": check._TURNS["text"]})
    assert (kind, name) in kinds(found(good, change(name), protocol="v1"))


def test_a_server_that_speaks_the_other_protocol() -> None:
    with ReplayServer(protocol="v1") as server:
        findings = check_server(server.url, timeout=0.2)
    assert ("deviation", "session.created") in kinds(findings)
    assert ("deviation", "response.audio.delta") in kinds(findings)


def test_a_server_that_says_nothing_does_not_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "_TURNS", dict([*check._TURNS.items()][:3]))
    with ReplayServer(script=[json.dumps({"from": "client", "event": {"type": "x"}})]) as server:
        findings = check_server(server.url, timeout=1)
    assert kinds(findings) == {("missing", "session.created")}
    assert findings[0].count == 3


def test_a_server_that_never_stops(good: ReplayServer) -> None:
    """Each wait has an end, however much comes in it."""
    flood = {"type": "rate_limits.updated", "event_id": "event_x", "rate_limits": []}

    def change(event: Event) -> Answer:
        return [flood] * 2000 if event["type"] == "session.created" else []

    findings = found(good, change, timeout=0.1)
    assert ("missing", "session.created") in kinds(findings)
    assert ("twice", "rate_limits.updated") in kinds(findings)


def test_no_session_at_all() -> None:
    with pytest.raises(ConnectionFailedError):
        check_server("http://127.0.0.1:1/v1", timeout=1)
    with ReplayServer(faults=Faults(refuse=503)) as server, pytest.raises(ConnectionFailedError):
        check_server(server.url)


def test_no_session_later() -> None:
    with ReplayServer() as server:
        options: Any = {"protocol": "ga", "model": None, "api_key": "", "timeout": 30}
        turns = check_turns(server.url, **options)
        assert next(turns).findings == []
        server.faults = Faults(refuse=503)
        [finding] = next(turns).findings
    assert str(finding).startswith("audio: closed: session.created: no session: 127.0.0.1:")
    assert str(finding).endswith(" refused with HTTP 503")


def test_the_key() -> None:
    with ReplayServer(api_key="sk-check") as server:
        assert check_server(server.url, api_key="sk-check") == []
        findings = check_server(server.url, api_key="sk-other")
    assert {(each.kind, each.turn) for each in findings} >= {("closed", "text")}
    assert str(InvalidKeyError) not in findings[0].about
    assert "sk-other" not in repr(findings)


STEPS = (
    *("created", "output_item.added", "content_part.added"),
    *("content_part.done", "output_item.done", "done"),
)


def step(response: str, name: str, **more: Any) -> Event:
    """An event about a response, its item or a part of that."""
    item = {"id": f"item_of_{response}"}
    place = {"response_id": response, "item_id": item["id"], "content_index": 0, "text": ""}
    whole = {"response": {"id": response, "output": [item]}, "item": item, "part": {}}
    return {"type": f"response.{name}", **place, **whole, **more}


def problems(*events: Event) -> list[tuple[str, str]]:
    order = Order("ga")
    for response in ("r1", "r2"):
        entry = step(response, "", type="conversation.item.added")
        assert [*order.follow(entry)] == []
    return [(found.kind, found.type) for event in events for found in order.follow(event)]


def test_nothing_comes_before_the_session(good: ReplayServer) -> None:
    limits = {"type": "rate_limits.updated", "event_id": "event_x", "rate_limits": []}
    findings = found(
        good,
        lambda event: [limits, event] if event["type"] == "session.created" else [event],
        timeout=30,
    )
    assert [(each.kind, each.type, each.about) for each in findings] == [
        ("out of order", "rate_limits.updated", "before session.created")
    ]


def test_each_response_has_an_order_of_its_own() -> None:
    first, second = ([step(response, name) for name in STEPS] for response in ("r1", "r2"))
    assert problems(*first, *second) == []
    assert problems(*first[:3], *second[:3], *first[3:], *second[3:]) == []


def test_what_has_to_be_there_before_an_item_or_a_part_ends() -> None:
    begun = [step("r1", name) for name in STEPS[:3]]
    text = step("r1", "content_part.done", part={"type": "text"})
    assert problems(*begun, text) == [("missing", "response.output_text.done")]
    call = step("r1", "output_item.done", item={"id": "item_of_r1", "type": "function_call"})
    assert problems(*begun[:2], call) == [("missing", "response.function_call_arguments.done")]
    # Of this response, no item was added to the conversation.
    other = [step("r3", name) for name in ("created", "output_item.added", "output_item.done")]
    assert problems(*other) == [("missing", "conversation.item.added")]


def test_nothing_begins_in_what_has_ended() -> None:
    ended = [step("r1", name) for name in ("created", "output_item.added", "output_item.done")]
    part = step("r1", "content_part.added")
    assert problems(*ended, part) == [("out of order", "response.content_part.added")]
    text = step("r1", "output_text.done")
    assert problems(*ended, text) == [("missing", "response.content_part.added")]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted({*DROPPED, *DOUBLED, f"{TEXT}.delta"})), ANYTHING, ANYTHING
        ),
        max_size=8,
    )
)
@settings(DRAWN, max_examples=100)
def test_the_order_of_events_of_any_shape(events: list[tuple[str, Any, Any]]) -> None:
    order = Order("ga")
    for kind, one, other in events:
        nested = {"id": one, "type": other, "output": [one, other], "content": other}
        whole = {"response": nested, "item": nested, "part": nested}
        ids = {"event_id": other, "response_id": one, "item_id": one, "content_index": other}
        for event in ({**ids, **whole}, {**ids, "response": one, "item": one, "part": other}, {}):
            for problem in order.follow({**event, "delta": one, "text": other, "type": kind}):
                assert all(isinstance(each, str) for each in problem)
    assert {problem.kind for problem in order.left_open()} <= {"missing"}
    assert [*order.left_open()] == []


def test_the_fixture(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        """
        from openai_realtime_client.testing import Faults

        def test_it(realtime_server, check_realtime_server):
            assert check_realtime_server(realtime_server.url, protocol="v1") == []

        def test_what_it_finds(realtime_server, check_realtime_server):
            realtime_server.faults = Faults(garbage_after=2)
            findings = check_realtime_server(realtime_server.url)
            assert not findings, "\\n".join(map(str, findings))
        """
    )
    result = pytester.runpytest("-p", "openai_realtime_client.testing.pytest_plugin")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*text: deviation: message: not an event: *"])
