"""Kinds, settings and items of sessions of the embedded server, and events that it refuses."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from openai_realtime_client import ga, v1
from openai_realtime_client.testing import ReplayServer
from plain_client import (
    CANCEL,
    COMMIT,
    LOUD,
    QUIET,
    RESPOND,
    WEATHER,
    Client,
    Event,
    append,
    client,
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


def settings(param: str, value: Any, protocol: str = "ga") -> Event:
    """An update of the session with a value at a path."""
    for name in reversed(param.split(".")):
        value = {name: value}
    return update(protocol, **value)


def test_updates_are_merged(c: Client) -> None:
    initial = c.update()
    assert initial["id"].startswith("sess_")
    assert initial["expires_at"] > 0
    defaults = {"object": "realtime.session", "output_modalities": ["audio"]}
    assert initial.items() >= defaults.items()
    assert initial["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    c.update(instructions="Be brief.", audio={"output": {"voice": "ash"}})
    detection = {"type": "semantic_vad"}
    # A tool's own names are not those of the API.
    tool = {**WEATHER, "parameters": {"speed": 9, "output_modalities": []}}
    session = c.update(audio={"input": {"turn_detection": detection}}, tools=[tool], model="other")
    last = c.update(audio={"input": {"turn_detection": None}})
    assert session["instructions"] == "Be brief."
    pcm = {"type": "audio/pcm", "rate": 24000}
    assert session["audio"]["output"] == {"format": pcm, "voice": "ash", "speed": 1.0}
    assert session["audio"]["input"]["turn_detection"]["eagerness"] == "auto"
    assert session["audio"]["input"]["format"]["type"] == "audio/pcm"
    assert session["tools"] == [tool]
    # The model is that of the handshake.
    assert session["model"] == "gpt-realtime-2.1"
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
    # In v1, too, where the service's example names it so and the schema does not.
    own = {name: ["text"], "metadata": {"a": "b"}, "max_output_tokens": 2}
    events = c.turn("One two three.", **own)
    first, second = response(events), c.response()
    assert said(events) == "You said:"
    assert first["status"] == first["output"][0]["status"] == "incomplete"
    assert first.items() >= own.items()
    assert first["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert (second["metadata"], second[name][-1]) == (None, "audio")
    assert second["status"] == "completed"


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


@for_protocols
def test_a_voice_in_use_cannot_change(c: Client, protocol: str) -> None:
    path = "voice" if protocol == "v1" else "audio.output.voice"
    c.turn("Hi.")
    error = c.error(settings(path, "ash", protocol))
    assert (error["code"], error["param"]) == ("cannot_update_voice", f"session.{path}")
    # Naming it again does not change it.
    assert c.answer(settings(path, "alloy", protocol))["type"] == "session.updated"


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


@for_v1
def test_content_of_v1_items_needs_no_type(c: Client) -> None:
    message = item(type="message", role="assistant", content=[{"text": "Hi."}])
    assert c.answer(message)["item"]["content"] == [{"type": "text", "text": "Hi."}]
    c.turn()


def test_an_item_exists_once(c: Client) -> None:
    mine = item(id="mine", **text("Hi.")["item"])
    c.answer(mine), c.recv()
    assert c.error(mine)["code"] == "item_create_duplicate_id"
    assert said(c.turn()) == "You said: Hi."


# Events that are refused


def about(action: str, **more: Any) -> Event:
    return {"type": f"conversation.item.{action}", "item_id": "nobody", **more}


BELOW, ABOVE = "integer_below_min_value", "integer_above_max_value"
FEW, LARGE, SMALL = "array_below_min_length", "decimal_above_max_value", "decimal_below_min_value"
UNKNOWN, MISSING = "unknown_parameter", "missing_required_parameter"
VALUE, TYPE = "invalid_value", "invalid_type"
PCM, RATE = {"type": "audio/pcm"}, "audio.input.format.rate"
TURNS, SERVER_VAD = "audio.input.turn_detection", {"type": "server_vad"}
REFERENCE = {"type": "item_reference", "id": "nobody"}
ALONE = {"type": "mcp", "server_label": "a", "allowed_callers": []}
AFTER_NOBODY = {**text("Hi."), "previous_item_id": "nobody"}
CUT = about("truncate", content_index=0, audio_end_ms=0)
# What is sent, as an event or as it is, and the code and parameter of its error.
REFUSED: list[tuple[Event | str | bytes, str, str | None]] = [
    ("{", "invalid_json", None),
    ("[]", "invalid_json", None),
    (b'{"type":"response.create"}', "invalid_json", None),
    ("{}", "invalid_event", "type"),
    ({"type": 1}, "invalid_event", "type"),
    ({"type": "no.such"}, VALUE, "type"),
    ({"type": "output_audio_buffer.clear"}, VALUE, "type"),  # it is no call
    ({**CANCEL, "event_id": 5}, TYPE, "event_id"),
    ({**CANCEL, "x": 1}, UNKNOWN, "x"),
    ({"type": "conversation.item.create"}, MISSING, "item"),
    ({"type": "conversation.item.create", "item": None}, TYPE, "item"),
    (item(type="x"), VALUE, "item.type"),
    (AFTER_NOBODY, "item_create_invalid_previous_item_id", "previous_item_id"),
    (about("retrieve"), "item_retrieve_invalid_item_id", "item_id"),
    (about("delete"), "item_delete_invalid_item_id", "item_id"),
    (CUT, "item_truncate_invalid_item_id", "item_id"),
    (respond(input=[REFERENCE]), "item_reference_invalid_item_id", "item_id"),
    ({"type": "input_audio_buffer.append", "audio": "no base64!"}, VALUE, "audio"),
    (update("v1", instructions="Hi."), MISSING, "session.type"),
    (update(type="transcription"), VALUE, "session.type"),
    # Settings that the pages exclude.
    (settings("tools", {}), TYPE, "session.tools"),
    (settings("output_modalities", ["text", "audio"]), VALUE, "session.output_modalities"),
    (settings("output_modalities", []), VALUE, "session.output_modalities"),
    (settings("max_output_tokens", 0), BELOW, "session.max_output_tokens"),
    (settings("max_output_tokens", 4097), ABOVE, "session.max_output_tokens"),
    (settings("audio.input.format", PCM), MISSING, f"session.{RATE}"),
    (settings("audio.input.format", {**PCM, "rate": 16000}), BELOW, f"session.{RATE}"),
    (settings("audio.input.format", {**PCM, "rate": 48000}), ABOVE, f"session.{RATE}"),
    (settings("audio.output.speed", 1.6), LARGE, "session.audio.output.speed"),
    (settings(TURNS, {**SERVER_VAD, "threshold": 1.1}), LARGE, f"session.{TURNS}.threshold"),
    (settings("tools", [ALONE]), FEW, "session.tools[0].allowed_callers"),
]
REFUSED_BY_V1: list[tuple[Event | str | bytes, str, str | None]] = [
    ("{", "invalid_json", None),
    ({**CANCEL, "x": 1}, UNKNOWN, "x"),
    (CUT, "item_truncate_invalid_item_id", "item_id"),
    (settings("modalities", ["audio"], "v1"), VALUE, "session.modalities"),
    (settings("temperature", 1.3, "v1"), LARGE, "session.temperature"),
    (settings("turn_detection.type", "x", "v1"), VALUE, "session.turn_detection.type"),
    (settings("turn_detection.threshold", -0.1, "v1"), SMALL, "session.turn_detection.threshold"),
    # The type of an item is optional in the schema.
    (item(role="user", content=[]), MISSING, "item.type"),
    (respond(input=[{"role": "user"}]), MISSING, "response.input[0].type"),
]


@for_protocols
def test_bad_input_is_an_error_and_the_session_goes_on(c: Client, protocol: str) -> None:
    for sent, code, param in REFUSED if protocol == "ga" else REFUSED_BY_V1:
        if isinstance(sent, dict):
            sent = json.dumps({"event_id": "mine", **sent})
        c.connection.send(sent)
        error = c.recv()["error"]
        assert (error["code"], error["param"]) == (code, param), sent
        # What is no event has no id that could be quoted.
        is_quoted = '"mine"' in str(sent) and code != "invalid_event"
        assert error["event_id"] == ("mine" if is_quoted else None)
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


TRANSCRIBED = "conversation.item.input_audio_transcription.completed"

# Other kinds of session


def test_a_transcription_session_in_ga(server: ReplayServer) -> None:
    with client(server, "/v1/realtime?intent=transcription", skip=0) as c:
        session = c.recv()["session"]
        assert session["type"] == "transcription"
        assert session["object"] == "realtime.transcription_session"
        listening = {"transcription": {"model": "whisper-1"}}
        updated = c.update(type="transcription", audio={"input": listening})
        transcription = updated["audio"]["input"]["transcription"]
        assert transcription == {"model": "whisper-1", "language": None, "prompt": None}
        c.send(append(LOUD + QUIET), append(QUIET))
        events = c.until(TRANSCRIBED)
        assert c.error(RESPOND)["type"] == "invalid_request_error"
    assert types(events)[0] == "input_audio_buffer.speech_started"
    assert events[-1]["transcript"] == "Audio of 300 ms."


def test_a_transcription_session_in_v1(server: ReplayServer) -> None:
    path = "/v1/realtime?intent=transcription"
    with client(server, path, protocol="v1", skip=0) as c:
        assert [c.recv()["type"], c.recv()["type"]] == [
            "transcription_session.created",
            "conversation.created",
        ]
        session = {"input_audio_transcription": {"model": "whisper-1"}}
        updated = c.answer({"type": "transcription_session.update", "session": session})
        assert updated["type"] == "transcription_session.updated"
        assert updated["session"].items() >= session.items()
        c.send(append(LOUD), COMMIT)
        events = c.until(TRANSCRIBED)
    assert types(events)[:3] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.committed",
        "conversation.item.created",
    ]
    assert events[0]["item_id"] == events[1]["item_id"] == events[2]["item"]["id"]


def test_a_translation_session(server: ReplayServer) -> None:
    path = "/v1/realtime/translations?model=gpt-realtime-translate"
    chunk = {"type": "session.input_audio_buffer.append"}
    with client(server, path, skip=0) as c:
        session = c.recv()["session"]
        assert (session["type"], session["model"]) == ("translation", "gpt-realtime-translate")
        c.connection.send("{")
        assert c.recv()["error"]["code"] == "invalid_json"
        assert c.error(RESPOND)["param"] == "type"
        assert c.error({**chunk, "audio": "?"})["param"] == "audio"
        c.send({**append(LOUD + QUIET), **chunk})
        plain = [c.recv(), c.recv()]
        audio = {"input": {"transcription": {"model": "m"}}, "output": {"language": "es"}}
        updated = c.answer({"type": "session.update", "session": {"audio": audio}})
        assert updated["session"]["audio"]["output"]["language"] == "es"
        c.send({**append(LOUD), **chunk}, {"type": "session.close"})
        rest = c.until("session.closed")
        assert c.closed() == (1000, "")
    translated = ["session.output_transcript.delta", "session.output_audio.delta"]
    assert types(plain) == translated
    assert base64.b64decode(plain[1]["delta"]) == LOUD + QUIET
    assert plain[1]["elapsed_ms"] == 200
    assert types(rest) == ["session.input_transcript.delta", *translated, "session.closed"]
    assert [event["delta"] for event in rest[:2]] == [" source-2", " es-2"]
    assert base64.b64decode(rest[2]["delta"]) == LOUD
    assert {event["elapsed_ms"] for event in rest[:3]} == {400}
    received = server.sessions[0].received
    assert isinstance(received[-1], ga.RealtimeTranslationClientEventSessionClose)


# Which protocol, which path


def test_the_handshake_tells_the_protocol(server: ReplayServer) -> None:
    # Browsers cannot set headers.
    subprotocols = ["realtime", "openai-beta.realtime-v1"]
    with client(server, "/v1/realtime", subprotocols=subprotocols) as c:
        assert c.connection.subprotocol == "realtime"
    with client(server, protocol="v1"), client(server):
        pass
    assert [session.protocol for session in server.sessions] == ["v1", "v1", "ga"]


def test_the_protocol_can_be_fixed() -> None:
    with ReplayServer(protocol="ga") as server, client(server, protocol="v1", skip=0) as c:
        assert c.closed() == (4000, "invalid_request_error.beta_api_shape_disabled")
    with ReplayServer(protocol="v1") as server, client(server, skip=2) as c:
        assert c.answer(text("Hi."))["type"] == "conversation.item.created"


def test_paths_of_other_services(server: ReplayServer) -> None:
    for path, model in (
        ("/openai/v1/realtime?model=mine", "mine"),
        ("/openai/realtime?api-version=2025-04-01-preview&deployment=mine", "mine"),
        ("/realtime", "gpt-realtime-2.1"),
    ):
        with client(server, path, skip=0) as c:
            assert c.recv()["session"]["model"] == model


@pytest.mark.parametrize("path", ["/v1/chat", "/v1/realtime?call_id=rtc_nobody"])
def test_other_paths_refuse_the_handshake(server: ReplayServer, path: str) -> None:
    with pytest.raises(InvalidStatus) as caught, client(server, path):
        pass
    assert caught.value.response.status_code == 404
    assert json.loads(caught.value.response.body)["error"]["message"]
    assert server.sessions == []
