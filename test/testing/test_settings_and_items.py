"""Settings and items in the embedded server, and events that it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from openai_realtime_client import ga, v1
from plain_client import (
    CANCEL,
    WEATHER,
    Client,
    Event,
    item,
    respond,
    response,
    said,
    text,
    types,
    update,
)

for_protocols = pytest.mark.parametrize("protocol", ["ga", "v1"])
for_v1 = pytest.mark.parametrize("protocol", ["v1"])

# Settings of a session and of a response


def test_updates_are_merged(c: Client) -> None:
    c.update(instructions="Be brief.", audio={"output": {"voice": "ash"}})
    detection = {"type": "semantic_vad"}
    session = c.update(audio={"input": {"turn_detection": detection}}, tools=[WEATHER])
    last = c.update(audio={"input": {"turn_detection": None}})
    assert session["instructions"] == "Be brief."
    pcm = {"type": "audio/pcm", "rate": 24000}
    assert session["audio"]["output"] == {"format": pcm, "voice": "ash", "speed": 1.0}
    assert session["audio"]["input"]["turn_detection"]["eagerness"] == "auto"
    assert session["audio"]["input"]["format"]["type"] == "audio/pcm"
    assert session["tools"] == [WEATHER]
    assert last["audio"]["input"]["turn_detection"] is None


def test_settings_are_returned_as_the_schema_has_them(c: Client) -> None:
    voice = {"audio": {"output": {"voice": {"id": "voice_1"}}}}
    session = c.update(parallel_tool_calls=False, **voice)
    assert session["audio"]["output"]["voice"] == "voice_1"
    assert "parallel_tool_calls" not in session
    assert c.response(**voice)["audio"]["output"]["voice"] == "voice_1"


@for_v1
def test_v1_updates_are_merged(c: Client) -> None:
    settings = {
        "input_audio_transcription": {"model": "whisper-1"},
        "turn_detection": None,
        "output_audio_format": "g711_ulaw",
        "temperature": 0.6,
        "max_response_output_tokens": 50,
        "tool_choice": "none",
    }
    c.update(**settings)
    merged = {**settings, "voice": "ash", "input_audio_format": "pcm16"}
    assert c.update(voice="ash").items() >= merged.items()
    assert c.update(temperature=None)["temperature"] == 0.8
    assert c.response(temperature=0.7)["temperature"] == 0.7


@for_protocols
def test_a_response_has_settings_of_its_own(c: Client, protocol: str) -> None:
    name = "modalities" if protocol == "v1" else "output_modalities"
    first = c.response("Hi.", **{name: ["text"], "metadata": {"a": "b"}})
    second = c.response()
    assert (first["metadata"], first[name]) == ({"a": "b"}, ["text"])
    assert (second["metadata"], second[name][-1]) == (None, "audio")


@for_v1
def test_v1_limits_the_output_of_a_response_as_the_services_example_does(c: Client) -> None:
    ended = c.response(max_output_tokens=1)
    assert ended["max_output_tokens"] == 1
    assert ended["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}


def test_a_limit_on_output_makes_a_response_incomplete(c: Client) -> None:
    events = c.turn("One two three.", output_modalities=["text"], max_output_tokens=2)
    ended = response(events)
    assert ended["status"] == ended["output"][0]["status"] == "incomplete"
    assert ended["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert said(events) == "You said:"


def test_an_out_of_band_response_leaves_the_conversation_alone(c: Client) -> None:
    first = c.answer(text("First."))["item"]["id"]
    c.recv()
    reference = {"type": "item_reference", "id": first}
    own = text("Second.")["item"]
    events = c.turn(conversation="none", input=[reference, own])
    assert not {"conversation.item.added", "conversation.item.done"}.intersection(types(events))
    assert "conversation_id" not in response(events)
    assert said(events) == "You said: Second."
    assert said(c.turn(conversation="none", input=[own, reference])) == "You said: First."
    assert c.answer(text("Third."))["previous_item_id"] == first


def test_a_voice_in_use_cannot_change(c: Client) -> None:
    c.turn("Hi.")
    error = c.error(update(audio={"output": {"voice": "ash"}}))
    param = "session.audio.output.voice"
    assert (error["code"], error["param"]) == ("cannot_update_voice", param)
    # Naming it again does not change it.
    c.update(audio={"output": {"voice": "alloy"}})


@for_v1
def test_refusals_of_v1_name_its_settings(c: Client) -> None:
    c.turn("Hi.")
    assert c.error(update("v1", voice="ash"))["param"] == "session.voice"


def test_the_type_and_model_of_a_session_cannot_change(c: Client) -> None:
    assert c.error(update(type="transcription"))["param"] == "session.type"
    error = c.error(update("v1", instructions="Hi."))
    assert (error["code"], error["param"]) == ("missing_required_parameter", "session.type")
    assert c.update(model="other")["model"] == "gpt-realtime-2.1"


# Items


def test_items_are_put_in_order(c: Client) -> None:
    added = []
    for place, words in ((None, "Last."), ("root", "First."), ("mine", "Between."), (None, "End.")):
        event = text(words)
        if place == "root":
            event = item(id="mine", **event["item"])
        if place:
            event["previous_item_id"] = place
        added.append(c.answer(event))
        c.recv()
    last, first, between, end = added
    assert first["previous_item_id"] is None
    assert first["item"]["id"] == between["previous_item_id"] == "mine"
    assert end["previous_item_id"] == last["item"]["id"]


def test_items_are_retrieved_and_deleted(c: Client) -> None:
    item_id = c.answer(text("Hi."))["item"]["id"]
    c.recv()
    retrieve = {"type": "conversation.item.retrieve", "item_id": item_id}
    retrieved = c.answer(retrieve)
    deleted = c.answer({"type": "conversation.item.delete", "item_id": item_id})
    assert retrieved["type"] == "conversation.item.retrieved"
    assert retrieved["item"]["content"] == [{"type": "input_text", "text": "Hi."}]
    assert (deleted["type"], deleted["item_id"]) == ("conversation.item.deleted", item_id)
    assert c.error(retrieve)["code"] == "item_retrieve_invalid_item_id"


def test_spoken_items_are_truncated(c: Client) -> None:
    events = c.turn("Hi.")
    user, spoken = (e["item"]["id"] for e in events if e["type"] == "conversation.item.done")
    place = {"item_id": spoken, "content_index": 0, "audio_end_ms": 120}
    truncate = {"type": "conversation.item.truncate", **place}
    truncated = c.answer(truncate)
    assert truncated["type"] == "conversation.item.truncated"
    assert truncated.items() >= place.items()
    retrieved = c.answer({"type": "conversation.item.retrieve", "item_id": spoken})
    assert retrieved["item"]["content"] == [{"type": "output_audio"}]
    assert c.error({**truncate, "audio_end_ms": 121})["param"] == "audio_end_ms"
    assert c.error({**truncate, "audio_end_ms": -1})["param"] == "audio_end_ms"
    assert c.error({**truncate, "content_index": 1})["param"] == "content_index"
    assert c.error({**truncate, "item_id": user})["param"] == "content_index"


@for_protocols
@pytest.mark.parametrize("action", ["delete", "retrieve", "truncate"])
def test_unknown_items_are_errors(c: Client, action: str) -> None:
    place = {"content_index": 0, "audio_end_ms": 0} if action == "truncate" else {}
    ids = {"item_id": "nobody", "event_id": "mine"}
    error = c.error({"type": f"conversation.item.{action}", **ids, **place})
    assert error["code"] == f"item_{action}_invalid_item_id"
    assert (error["param"], error["event_id"]) == ("item_id", "mine")


@for_v1
def test_v1_items_have_a_type_and_their_content_need_not(c: Client) -> None:
    message = {"role": "assistant", "content": [{"text": "Hi."}]}
    assert c.error(item(**message))["param"] == "item.type"
    assert c.error(respond(input=[message]))["param"] == "response.input[0].type"
    created = c.answer(item(type="message", **message))["item"]
    assert created["content"] == [{"type": "text", "text": "Hi."}]
    c.turn()


def test_unknown_neighbours_and_references_are_errors(c: Client) -> None:
    error = c.error({**text("Hi."), "previous_item_id": "nobody"})
    assert error["param"] == "previous_item_id"
    reference = {"type": "item_reference", "id": "nobody"}
    assert c.error(respond(input=[reference]))["code"] == "item_reference_invalid_item_id"
    mine = item(id="mine", **text("Hi.")["item"])
    c.answer(mine), c.recv()
    assert c.error(mine)["code"] == "item_create_duplicate_id"
    assert len(c.turn()) > 1


# Events that are refused


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
        ('{"type":"input_audio_buffer.append","audio":null}', "invalid_type", "audio"),
        (
            '{"type":"session.update","session":{"type":"realtime","tools":{}},"event_id":"e"}',
            "invalid_type",
            "session.tools",
        ),
        ('{"type":"conversation.item.create","item":{"type":"x"}}', "invalid_value", "item.type"),
        ('{"type":"input_audio_buffer.append","audio":"no base64!"}', "invalid_value", "audio"),
        ('{"type":"output_audio_buffer.clear"}', "invalid_value", "type"),  # it is no call
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
    c.update(audio={"output": {"voice": "ash", "speed": 1.5}})
    nothing = {"turn_detection": None, "format": None}
    after = c.update(audio={"input": nothing, "output": {"voice": None, "speed": None}})["audio"]
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
