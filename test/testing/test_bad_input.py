"""Events that the embedded server refuses."""

from __future__ import annotations

from typing import Any

import pytest

from openai_realtime_client import ga, v1
from plain_client import CANCEL, WEATHER, Client, Event, item, said, text, update

for_protocols = pytest.mark.parametrize("protocol", ["ga", "v1"])


@for_protocols
@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ("{", "invalid_json", None),
        ("[]", "invalid_json", None),
        (b"\xff\x00", "invalid_json", None),
        (b'{"type":"response.create"}', "invalid_json", None),
        ("{}", "invalid_event", "type"),
        ('{"type":1}', "invalid_event", "type"),
        ('{"type":"no.such","event_id":"e"}', "invalid_value", "type"),
        ('{"type":"response.cancel","event_id":5}', "invalid_type", "event_id"),
        ('{"type":"response.cancel","x":1,"event_id":"e"}', "unknown_parameter", "x"),
        ('{"type":"conversation.item.create"}', "missing_required_parameter", "item"),
        ('{"type":"conversation.item.create","item":null}', "invalid_type", "item"),
        ('{"type":"conversation.item.delete","item_id":1}', "invalid_type", "item_id"),
        ('{"type":"input_audio_buffer.append","audio":null}', "invalid_type", "audio"),
        (
            '{"type":"session.update","session":{"type":"realtime","tools":{}},"event_id":"e"}',
            "invalid_type",
            "session.tools",
        ),
        ('{"type":"session.update","session":null}', "invalid_type", "session"),
    ],
)
def test_bad_input_is_an_error_and_the_session_goes_on(
    c: Client, protocol: str, message: str | bytes, code: str, param: str | None
) -> None:
    if protocol == "v1" and isinstance(message, str):
        message = message.replace('"type":"realtime",', "")
    c.connection.send(message)
    error = c.recv()["error"]
    assert (error["code"], error["param"]) == (code, param)
    assert error["event_id"] == ("e" if '"e"' in str(message) else None)
    assert error["message"]
    c.turn()


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        pytest.param(
            {"type": "session.update", "session": {"instructions": "Hi."}},
            *("missing_required_parameter", "session.type"),
            id="no_session_type",
        ),
        pytest.param(
            item(type="no_such"), "invalid_value", "item.type", id="unknown_type_of_an_item"
        ),
        pytest.param(
            {**CANCEL, "event_id": "e" * 513},
            *("string_above_max_length", "event_id"),
            id="long_event_id",
        ),
        pytest.param(
            {"type": "output_audio_buffer.clear"}, "invalid_value", "type", id="not_on_a_call"
        ),
    ],
)
def test_ga_says_which_union_member_is_wrong(
    c: Client, event: Event, code: str, param: str
) -> None:
    error = c.error(event)
    assert (error["code"], error["param"]) == (code, param)


def test_messages_may_come_in_fragments(c: Client) -> None:
    c.connection.send(['{"type":', '"response', '.create"}'])
    assert c.until("rate_limits.updated")[0]["type"] == "response.created"


@for_protocols
def test_null_stands_for_absence(c: Client, protocol: str) -> None:
    params = (v1 if protocol == "v1" else ga).RealtimeResponseCreateParams
    changed = {"instructions": "Be brief.", "tools": [WEATHER]}
    c.update(**changed)
    updated = c.answer({**update(protocol, **dict.fromkeys(changed)), "event_id": None})
    c.send({**text("Hi."), "previous_item_id": None, "event_id": None})
    c.send({"type": "response.create", "response": None, "event_id": None})
    first = c.until("rate_limits.updated")
    second = c.turn(**dict.fromkeys(params.__nullable__))
    error = c.error({**CANCEL, "response_id": None})
    assert updated["session"]["instructions"] == "You are a helpful assistant."
    assert updated["session"]["tools"] == []
    assert said(first) == said(second) == "You said: Hi."
    assert error["code"] == "response_cancel_not_active"


def test_null_restores_settings_of_audio(c: Client) -> None:
    before = c.update()["audio"]
    changed = {"input": {"turn_detection": None}, "output": {"voice": "ash", "speed": 1.5}}
    assert c.update(audio=changed)["audio"] != before
    nothing = {"input": {"format": None}, "output": {"voice": None, "speed": None}}
    after = c.update(audio=nothing)["audio"]
    assert after["output"] == before["output"]
    # Here, null has a meaning of its own.
    assert after["input"] == {**before["input"], "turn_detection": None}
    assert c.update(audio={"input": None, "output": None})["audio"] == after


def at(param: str, value: Any) -> Event:
    """Settings with a value at a path."""
    for name in reversed(param.split(".")):
        value = {name: value}
    return value  # type: ignore[no-any-return]


BELOW, ABOVE = "integer_below_min_value", "integer_above_max_value"
FEW, LARGE, SMALL = "array_below_min_length", "decimal_above_max_value", "decimal_below_min_value"
TURNS = "audio.input.turn_detection"
SERVER_VAD = {"type": "server_vad"}
CALLERS = {"type": "mcp", "server_label": "a", "allowed_callers": []}
# Settings that the pages exclude: protocol, parameter, value, code, place in the value.
EXCLUDED: list[tuple[str, str, Any, str, str]] = [
    ("ga", "output_modalities", ["smell"], "invalid_value", "[0]"),
    ("ga", "output_modalities", ["text", "audio"], "invalid_value", ""),
    ("ga", "output_modalities", [], "invalid_value", ""),
    ("ga", "max_output_tokens", 0, BELOW, ""),
    ("ga", "max_output_tokens", 4097, ABOVE, ""),
    ("ga", "audio.output.speed", 1.6, LARGE, ""),
    ("ga", TURNS, {**SERVER_VAD, "threshold": 1.1}, LARGE, ".threshold"),
    ("ga", TURNS, {**SERVER_VAD, "idle_timeout_ms": 4999}, BELOW, ".idle_timeout_ms"),
    ("ga", "audio.input.transcription.languages", [], FEW, ""),
    ("ga", "tools", [CALLERS], FEW, "[0].allowed_callers"),
    ("v1", "modalities", ["audio"], "invalid_value", ""),
    ("v1", "temperature", 1.3, LARGE, ""),
    ("v1", "temperature", 0, BELOW, ""),
    ("v1", "max_response_output_tokens", 4097, ABOVE, ""),
    ("v1", "turn_detection", {**SERVER_VAD, "threshold": -0.1}, SMALL, ".threshold"),
]


@pytest.mark.parametrize(
    ("protocol", "param", "value", "code", "place"),
    EXCLUDED,
    ids=["_".join([row[0], row[1] + row[4], row[3], str(row[2])[:9]]) for row in EXCLUDED],
)
def test_settings_that_the_pages_exclude_are_refused(
    c: Client, protocol: str, param: str, value: Any, code: str, place: str
) -> None:
    error = c.error(update(protocol, **at(param, value)))
    assert (error["code"], error["param"]) == (code, f"session.{param}{place}")


@for_protocols
def test_settings_near_the_excluded_are_taken(c: Client, protocol: str) -> None:
    # A tool's own names are not those of the API.
    tool = {**WEATHER, "parameters": {"speed": 9, "output_modalities": []}}
    assert c.update(tools=[tool])["tools"] == [tool]
    if protocol == "v1":
        both = c.update(modalities=["audio", "text"])["modalities"]
        assert both == ["text", "audio"]
