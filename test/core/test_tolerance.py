"""Nothing is lost of a JSON object with a string `type`; anything else is refused."""

from __future__ import annotations

import copy
import gc
import json
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from drawing import Drawing
from mutation import places, replaced, same
from openai_realtime_client import Deviation, InvalidEventError, UnknownEvent, deviations, ga, v1
from protocols import PROTOCOLS, Protocol

Parse = Callable[[str | bytes], Any]
PARSERS: list[Any] = [
    pytest.param(protocol, union, parser, id=f"{protocol.name}-{parser}")
    for protocol in PROTOCOLS
    for union, parser in protocol.parsers.items()
]

DONE: dict[str, Any] = {
    "type": "response.done",
    "event_id": "event_1",
    "response": {
        "status": "completed",
        "usage": {"total_tokens": 5},
        "output": [
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Hi"}],
            },
            {"type": "function_call", "name": "f", "arguments": "{}"},
        ],
        "metadata": {"a": "b"},
    },
}
SESSION: dict[str, Any] = {
    "type": "session.updated",
    "event_id": "event_2",
    "session": {
        "type": "realtime",
        "id": "sess_1",
        "object": "realtime.session",
        "audio": {
            "input": {"format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": None},
            "output": {"voice": "marin"},
        },
        "tools": [{"type": "function", "name": "f", "parameters": {"required": None}}],
        "tool_choice": "auto",
        "truncation": {"type": "retention_ratio", "retention_ratio": 0.5},
        "max_output_tokens": "inf",
    },
}


def changed(wire: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    result: dict[str, Any] = replaced(copy.deepcopy(wire), path, value)
    return result


def assert_kept(parse: Parse, wire: dict[str, Any]) -> Any:
    text = json.dumps(wire)
    event = parse(text)
    for each in (event, parse(text.encode())):
        assert type(each) is type(event)
        assert same(each.to_dict(), wire)
        assert same(json.loads(each.to_json()), wire)
    return event


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("event_id",), 5),
        (("response",), "text"),
        (("response", "usage", "total_tokens"), "5"),
        (("response", "usage", "total_tokens"), True),
        (("response", "output"), {}),
        (("response", "output", 0), 5),
        (("response", "output", 0, "content", 0), ["text"]),
        (("response", "output", 0, "content", 0, "text"), {"deep": [1]}),
        (("response", "metadata", "a"), {"b": "c"}),
        (("response", "status"), ["completed"]),
    ],
)
def test_a_field_that_does_not_fit_is_kept_alone(path: tuple[Any, ...], value: Any) -> None:
    event = assert_kept(ga.parse_server_event, changed(DONE, path, value))
    assert type(event) is ga.RealtimeServerEventResponseDone
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    assert deviations(event) == [Deviation(text.removeprefix("."), "wrong type", value)]
    if "content" in path:
        assert type(event.response.output[1]) is ga.RealtimeConversationItemFunctionCall


def test_a_missing_field_is_none_and_not_sent() -> None:
    event = assert_kept(v1.parse_server_event, {"type": "error", "error": {"type": "x"}})
    assert isinstance(event, v1.RealtimeServerEventError)
    assert (event.event_id, event.error.message) == (None, None)
    assert deviations(event) == [
        Deviation("event_id", "missing field", None),
        Deviation("error.message", "missing field", None),
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("session", "tools", 0), {"type": "web_search", "depth": 1}),
        (("session", "tool_choice"), {"type": "web_search"}),
        (("session", "audio", "input", "turn_detection"), {"type": "lip_reading"}),
        (("session", "truncation"), {"type": "summary"}),
        (("session",), {"type": "dance", "steps": [1, 2]}),
        (("session",), {"no": "type"}),
    ],
)
def test_unknown_members_are_open_models(path: tuple[Any, ...], value: dict[str, Any]) -> None:
    event = assert_kept(ga.parse_server_event, changed(SESSION, path, value))
    (deviation,) = deviations(event)
    assert (deviation.kind, deviation.value) == ("unknown member", value)
    member: Any = event
    for part in path:
        member = member[part] if isinstance(part, int) else getattr(member, part)
    assert type(member) is ga.UnknownModel


@pytest.mark.parametrize("role", ["narrator", None, 5, {"role": "user"}])
def test_a_message_of_an_unknown_role_is_not_taken_for_another(role: Any) -> None:
    wire = changed(DONE, ("response", "output", 0, "role"), role)
    event = assert_kept(ga.parse_server_event, wire)
    assert type(event.response.output[0]) is ga.UnknownModel


def test_deviations_name_what_the_schema_does_not_know() -> None:
    wire = changed(DONE, ("response", "status"), "paused")
    wire["response"]["output"][0]["content"][0]["new"] = {"x": None}
    for event, expected in (
        (DONE, []),
        ({"type": "ping"}, [("", "unknown event", "ping")]),
        (changed(DONE, ("response", "output"), None), [("response.output", "wrong type", None)]),
        (changed(DONE, ("response", "usage"), None), []),
        (
            wire,
            [
                ("response.status", "unknown value", "paused"),
                ("response.output[0].content[0].new", "unknown field", {"x": None}),
            ],
        ),
    ):
        assert deviations(ga.parse_server_event(json.dumps(event))) == expected


@pytest.mark.parametrize(("protocol", "union", "parser"), PARSERS)
def test_nothing_of_a_mutated_event_is_lost(protocol: Protocol, union: str, parser: str) -> None:
    parse: Parse = getattr(protocol.module, parser)
    drawing = Drawing({}, union)
    for wire in protocol.instances(union, count=100):
        path = drawing.choice([path for path, _ in places(wire) if path])
        if path != ("type",):
            wire = replaced(wire, path, drawing.anything())
        deviations(assert_kept(parse, wire))
        assert_kept(parse, {key: each for key, each in wire.items() if key in ("type", path[0])})


@pytest.mark.parametrize(("protocol", "union", "parser"), PARSERS)
def test_events_that_fit_do_not_deviate(protocol: Protocol, union: str, parser: str) -> None:
    """Other than in what the drawn instances add, which is unknown fields."""
    for wire in protocol.instances(union, count=100):
        event = getattr(protocol.module, parser)(json.dumps(wire))
        assert type(event) is not UnknownEvent
        for path, kind, value in deviations(event):
            # A member of a union whose `type` is optional cannot be known without it.
            is_untagged = kind == "unknown member" and "type" not in value
            assert kind == "unknown field" or is_untagged, path


# What the message says in its one line, and the texts that it is about.
REFUSED: dict[str, list[str | bytes]] = {
    "object": ["[]", "5", '"text"', "null"],
    "type": [
        *("{}", '{"event_id":"e"}', '{"type":null}', '{"type":5}', '{"type":["error"]}'),
    ],
    "JSON": [
        *("", " ", "not json", b"\xff", "{'type':'ping'}"),
        '{"type":"error"',
        '{"type":"error"}{}',
        '{"type":"input_audio_buffer.cleared","event_id":"fits but for this","x":NaN}',
        b'{"type":"input_audio_buffer.clear","event_id":"fits but for this","x":-Infinity}',
        '{"type":"ping","x":[-Infinity]}',
        b'{"type":"ping","x":Infinity}',
        b'{"type":"ping","x":"\xff"}',
        b"\xff\xfe{\x00}\x00",
        '{"type":"ping","x":' + "[" * 10_000 + "]" * 10_000 + "}",
        '{"type":"ping","x":' + '{"a":' * 10_000 + "1" + "}" * 10_001,
        '{"type":"ping","s":"\\ud83d","x":' + "[" * 1000 + "]" * 1000 + "}",
        '{"type":"ping","s":"\\ud83d","x":NaN}',
        '{"type":"ping","x":0123}',
        '{"type":"ping","x":"\n"}',
    ],
}


@pytest.mark.parametrize("parse", [v1.parse_server_event, ga.parse_client_event])
@pytest.mark.parametrize(
    ("word", "data"),
    [(word, each) for word, several in REFUSED.items() for each in several],
    ids=lambda value: repr(value[:30]),
)
def test_hostile_input_is_refused_in_one_line(parse: Parse, word: str, data: str | bytes) -> None:
    with pytest.raises(InvalidEventError, match=word) as caught:
        parse(data)
    message = str(caught.value)
    assert len(message) <= 200
    assert "\n" not in message


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"ping","x":1e999}',
        '{"type":"session.created","session":{"temperature":-1e999,"new":[{"a":1e999}]}}',
        '{"type":"session.update","session":{"tools":[{"parameters":{"a":[1e999]}}]}}',
        # The last of equal keys wins.
        '{"type":"ping","x":1,"type":"error","x":2,"event_id":5}',
    ],
)
def test_unusual_json_is_what_it_is_to_python(text: str) -> None:
    for parse in (v1.parse_server_event, v1.parse_client_event):
        assert parse(text).to_dict() == json.loads(text)
    wire = {"type": "ping", "x": [2**64, -(2**100), 5e-324, -0.0, "NaN", "-Infinity"]}
    assert_kept(v1.parse_server_event, wire)


def test_memory_does_not_grow_with_distinct_unknowns() -> None:
    def parse_many(numbers: range) -> int:
        for number in numbers:
            v1.parse_server_event(f'{{"type":"new_{number}","field_{number}":1}}')
            v1.parse_server_event(
                f'{{"type":"response.done","event_id":"e","response":{{"status":"v_{number}"}}}}'
            )
        gc.collect()
        return sys.getallocatedblocks()

    # The first round fills caches that have a size.
    before = parse_many(range(14_000))
    after = parse_many(range(14_000, 18_000))
    assert after - before < 2000


HALVES = ["\ud83d", "\ude00", "a\ud83db", "\ud83d\ud83d"]


@pytest.mark.parametrize("half", HALVES, ids=ascii)
@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.output_text.delta", "event_id": "e", "delta": "HALF"},
        {"type": "response.text.delta", "event_id": "HALF"},
        {"type": "response.done", "response": {"status": "HALF", "output": [{"type": "HALF"}]}},
        {"type": "response.done", "response": {"output": [{"type": "message", "role": "HALF"}]}},
        {"type": "vendor.event", "text": "HALF", "HALF": {"HALF": 1}},
        {"type": "response.done", "response": {"metadata": {"HALF": "a"}}},
        {"type": "error", "HALF": 1, "error": {"HALF": "HALF"}},
        {"type": "HALF"},
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("parse", [ga.parse_server_event, v1.parse_server_event])
def test_half_a_surrogate_pair_is_kept(parse: Parse, event: dict[str, Any], half: str) -> None:
    wire = json.loads(json.dumps(event).replace("HALF", half.encode("unicode_escape").decode()))
    received = assert_kept(parse, wire)
    assert type(received) is type(parse(json.dumps(event)))
    # Nothing is told of an enum, or where the name of an event's field has half a pair.
    if "response" not in wire and half not in wire:
        found = {deviation.kind for deviation in deviations(received)}
        assert found == {deviation.kind for deviation in deviations(parse(json.dumps(event)))}


@pytest.mark.parametrize("field", ["type", "role"])
@pytest.mark.parametrize(
    "value", ["error", "item", "transcription", "usage", "event_id", "message"]
)
def test_a_known_event_is_one_whatever_its_fields_are_called(field: str, value: str) -> None:
    failed = {
        "type": "conversation.item.input_audio_transcription.failed",
        "event_id": " ",
        "item_id": 5,
        "error": " ",
    }
    item = {"type": "message", "role": "user", "content": " ", "error": 1, "item": 2}
    for wire, path in (
        ({**failed, "role": value}, None),
        ({"type": "conversation.item.added", "item": {**item, field: value}}, "item"),
        ({"type": "error", "error": {field: value, value: 5}}, "error"),
    ):
        event = assert_kept(ga.parse_server_event, wire)
        assert type(event) is not UnknownEvent
        assert path is None or path in event.model_fields_set


# Lists with many values that do not fit

GOOD = {"token": "a", "logprob": -0.5, "bytes": [97]}


def completed(logprobs: list[Any]) -> dict[str, Any]:
    usage = {"type": "duration", "seconds": 1}
    where = {"event_id": "e", "item_id": "i", "content_index": 0}
    event_type = "conversation.item.input_audio_transcription.completed"
    return {"type": event_type, **where, "transcript": "a", "usage": usage, "logprobs": logprobs}


def test_ten_wrong_items_of_a_list_are_kept_one_by_one() -> None:
    wire = completed([GOOD, *[{**GOOD, "token": number} for number in range(10)], GOOD])
    event = assert_kept(ga.parse_server_event, wire)
    assert all(isinstance(each, ga.LogProbProperties) for each in event.logprobs)
    assert deviations(event) == [
        Deviation(f"logprobs[{number + 1}].token", "wrong type", number) for number in range(10)
    ]


def test_of_a_list_with_more_the_whole_is_kept() -> None:
    wire = completed([GOOD, *[{"token": number} for number in range(11)], GOOD])
    event = assert_kept(ga.parse_server_event, wire)
    assert event.logprobs == wire["logprobs"]
    assert deviations(event) == [Deviation("logprobs", "wrong type", wire["logprobs"])]


@pytest.mark.parametrize("item", [1, {"token": 1, "logprob": "x", "bytes": "y"}], ids=repr)
def test_many_wrong_items_are_not_reported_one_by_one(item: Any) -> None:
    wire = completed([item] * 50_000)
    text = json.dumps(wire)
    calls = Counter[str]()
    sys.setprofile(lambda _frame, event, _argument: calls.update([event]))
    try:
        event = ga.parse_server_event(text)
    finally:
        sys.setprofile(None)
    assert calls["call"] < 10_000
    assert event.to_dict() == wire
