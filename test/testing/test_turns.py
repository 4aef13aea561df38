"""Turns of the embedded server, seen by clients that know nothing of this package."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from openai_realtime_client.testing import Faults, ReplayServer
from plain_client import (
    BETA,
    CANCEL,
    RESPOND,
    WEATHER,
    check_sent,
    client,
    item,
    joined,
    only,
    respond,
    text,
    types,
    update,
)

# A turn


def test_a_ga_session_begins_with_its_settings(server: ReplayServer) -> None:
    with client(server, skip=0) as c:
        event = c.recv()
    session = event["session"]
    assert event["type"] == "session.created"
    assert session["object"] == "realtime.session"
    assert session["id"].startswith("sess_")
    assert session["model"] == "gpt-realtime-2.1"
    assert session["expires_at"] > 0
    assert session["output_modalities"] == ["audio"]
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert session["audio"]["output"]["voice"] == "alloy"


def test_a_text_turn_in_ga(server: ReplayServer) -> None:
    with client(server) as c:
        c.answer(update(output_modalities=["text"]))
        c.send(text("Hello there."))
        added, done = c.recv(), c.recv()
        events = c.turn(RESPOND)
    assert types([added, done]) == ["conversation.item.added", "conversation.item.done"]
    assert added["previous_item_id"] is None
    assert added["item"] == done["item"]
    assert added["item"]["status"] == "completed"
    assert types(events) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    answer = "You said: Hello there."
    assert joined(events, "response.output_text.delta") == answer
    assert only(events, "response.output_text.done")["text"] == answer
    part = only(events, "response.content_part.done")["part"]
    assert part == {"type": "text", "text": answer}

    created = only(events, "response.created")["response"]
    response = only(events, "response.done")["response"]
    assert created["status"] == "in_progress"
    assert (created["output"], created["usage"], created["status_details"]) == ([], None, None)
    assert response["status"] == "completed"
    assert response["id"] == created["id"]
    assert response["conversation_id"].startswith("conv_")
    assert response["output_modalities"] == ["text"]
    [said] = response["output"]
    assert said["content"] == [{"type": "output_text", "text": answer}]
    assert said == only(events, "response.output_item.done")["item"]
    assert said == only(events, "conversation.item.done")["item"]
    assert said["status"] == "completed"

    begun = only(events, "response.output_item.added")["item"]
    assert begun["id"] == said["id"]
    assert (begun["status"], begun["content"]) == ("in_progress", [])
    for event in events:
        assert event.get("item_id", said["id"]) == said["id"]
        assert event.get("response_id", response["id"]) == response["id"]
        assert event.get("previous_item_id", added["item"]["id"]) == added["item"]["id"]

    usage = response["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["input_token_details"]["text_tokens"] == usage["input_tokens"] == 2
    assert usage["output_token_details"]["text_tokens"] == usage["output_tokens"] == 4


def test_an_audio_turn_in_ga(server: ReplayServer) -> None:
    with client(server) as c:
        events = c.turn(text("Hi."), RESPOND)[2:]
    assert sorted(set(types(events)), key=types(events).index) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    answer = "You said: Hi."
    assert joined(events, "response.output_audio_transcript.delta") == answer
    assert only(events, "response.output_audio_transcript.done")["transcript"] == answer
    assert only(events, "response.content_part.added")["part"] == {
        "type": "audio",
        "transcript": "",
    }
    response = only(events, "response.done")["response"]
    assert response["output"][0]["content"] == [{"type": "output_audio", "transcript": answer}]
    assert response["audio"]["output"]["voice"] == "alloy"
    assert response["usage"]["output_token_details"]["audio_tokens"] > 0
    chunks = [e["delta"] for e in events if e["type"] == "response.output_audio.delta"]
    sound = b"".join(map(base64.b64decode, chunks))
    assert len(chunks) > 1
    assert len(sound) == 9600  # 200 ms
    assert any(sound)


@pytest.mark.parametrize("encoding", ["audio/pcmu", "audio/pcma"])
def test_telephone_audio_is_eight_bytes_a_millisecond(server: ReplayServer, encoding: str) -> None:
    with client(server) as c:
        c.answer(update(audio={"output": {"format": {"type": encoding}}}))
        events = c.turn(text("Hi."), RESPOND)
    chunks = [e["delta"] for e in events if e["type"] == "response.output_audio.delta"]
    assert sum(len(base64.b64decode(chunk)) for chunk in chunks) == 1600


def test_a_tool_call_in_ga(server: ReplayServer) -> None:
    with client(server) as c:
        c.answer(update(output_modalities=["text"], tools=[WEATHER]))
        events = c.turn(text("What is the weather in London?"), RESPOND)[2:]
        call = only(events, "response.done")["response"]["output"][0]
        output = item(type="function_call_output", call_id=call["call_id"], output="Foggy.")
        after = c.turn(output, RESPOND)
    assert types(events) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    done = only(events, "response.function_call_arguments.done")
    assert json.loads(done["arguments"]) == {"city": "London"}
    assert joined(events, "response.function_call_arguments.delta") == done["arguments"]
    assert done["name"] == call["name"] == "get_weather"
    assert done["call_id"] == call["call_id"]
    assert (call["type"], call["status"]) == ("function_call", "completed")
    assert call["arguments"] == done["arguments"]
    begun = only(events, "response.output_item.added")["item"]
    assert (begun["status"], begun["arguments"]) == ("in_progress", "")
    # The items of the conversation are linked: question, call, output, answer.
    assert after[0]["previous_item_id"] == call["id"]
    spoken = only(after, "response.output_text.done")["text"]
    assert spoken == "The function said: Foggy."


def test_a_text_turn_in_v1(server: ReplayServer) -> None:
    with client(server, additional_headers=BETA, skip=0) as c:
        begun = [c.recv(), c.recv()]
        updated = c.answer({"type": "session.update", "session": {"modalities": ["text"]}})
        created = c.answer(text("Hello there."))
        events = c.turn(RESPOND)
    assert types(begun) == ["session.created", "conversation.created"]
    assert begun[0]["session"]["modalities"] == ["text", "audio"]
    assert begun[0]["session"]["input_audio_format"] == "pcm16"
    assert begun[0]["session"]["voice"] == "alloy"
    assert begun[0]["session"]["temperature"] == 0.8
    assert begun[0]["session"]["max_response_output_tokens"] == "inf"
    assert "audio" not in begun[0]["session"]
    assert updated["session"]["modalities"] == ["text"]
    assert created["type"] == "conversation.item.created"
    assert created["previous_item_id"] is None
    assert types(events) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
        "response.text.delta",
        "response.text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    response = only(events, "response.done")["response"]
    assert only(events, "response.created")["response"]["status"] == "in_progress"
    assert response["modalities"] == ["text"]
    assert response["conversation_id"] == begun[1]["conversation"]["id"]
    assert "output_modalities" not in response
    [said] = response["output"]
    assert said["object"] == "realtime.item"
    assert said["content"] == [{"type": "text", "text": "You said: Hello there."}]


def test_an_audio_turn_in_v1(server: ReplayServer) -> None:
    with client(server, additional_headers=BETA) as c:
        events = c.turn(text("Hi."), RESPOND)[1:]
    assert sorted(set(types(events)), key=types(events).index) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
        "response.audio_transcript.delta",
        "response.audio.delta",
        "response.audio.done",
        "response.audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    response = only(events, "response.done")["response"]
    assert (response["voice"], response["output_audio_format"]) == ("alloy", "pcm16")
    [content] = response["output"][0]["content"]
    assert content == {"type": "audio", "transcript": "You said: Hi."}


def test_a_tool_call_in_v1(server: ReplayServer) -> None:
    with client(server, additional_headers=BETA) as c:
        session = {"modalities": ["text"], "tools": [WEATHER], "tool_choice": "get_weather"}
        updated = c.answer({"type": "session.update", "session": session})
        events = c.turn(text("And in Paris?"), RESPOND)[1:]
        call = only(events, "response.done")["response"]["output"][0]
        output = item(type="function_call_output", call_id=call["call_id"], output="Sunny.")
        after = c.turn(output, RESPOND)
    assert updated["session"]["tool_choice"] == "get_weather"
    assert types(events) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.created",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    done = only(events, "response.function_call_arguments.done")
    assert "name" not in done
    assert json.loads(done["arguments"]) == {"city": "Paris"}
    assert only(after, "response.text.done")["text"] == "The function said: Sunny."


# What the model says and calls


def test_nothing_said_is_answered_by_a_greeting(server: ReplayServer) -> None:
    with client(server) as c:
        events = c.turn(respond(output_modalities=["text"]))
    assert only(events, "response.output_text.done")["text"] == "Hello! How can I help you?"


@pytest.mark.parametrize(
    ("said", "choice", "is_called"),
    [
        ("Use get_weather please.", "auto", True),
        ("The WEATHER?", "auto", True),
        ("Get some rest.", "auto", False),
        ("Weathering.", "auto", False),
        ("The weather?", "none", False),
        ("Anything.", "required", True),
        ("Anything.", {"type": "function", "name": "get_weather"}, True),
        ("The weather?", {"type": "function", "name": "other"}, False),
    ],
)
def test_when_a_tool_is_called(
    server: ReplayServer, said: str, choice: Any, is_called: bool
) -> None:
    with client(server) as c:
        events = c.turn(text(said), respond(tools=[WEATHER], tool_choice=choice))
    kind = only(events, "response.done")["response"]["output"][0]["type"]
    assert kind == ("function_call" if is_called else "message")


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "Rome"),
        ({"type": "string", "enum": ["c", "f"]}, "c"),
        ({"const": 7}, 7),
        ({"type": "string", "default": "x"}, "x"),
        ({"type": "integer"}, 3),
        ({"type": "number"}, 3),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["string", "null"]}, "Rome"),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, True),
        ({"type": "array", "items": {"type": "integer"}}, [3]),
        ({"type": "object", "properties": {"a": {"type": "boolean"}}}, {"a": True}),
        (True, None),
        ({"type": "object", "properties": [], "required": 1}, {}),
        ({"anyOf": 1, "type": []}, None),
    ],
)
def test_arguments_fit_the_parameters(server: ReplayServer, schema: Any, value: Any) -> None:
    parameters = {
        "type": "object",
        "properties": {"x": schema, "optional": {"type": "string"}},
        "required": ["x"],
    }
    tool = {"type": "function", "name": "f", "parameters": parameters}
    with client(server) as c:
        request = respond(tools=[tool], tool_choice="required")
        events = c.turn(text("Take 3 to Rome now."), request)
    done = only(events, "response.function_call_arguments.done")
    assert json.loads(done["arguments"]) == {"x": value}


def test_arguments_come_from_somewhere_when_nothing_was_said(server: ReplayServer) -> None:
    properties = {"a": {"type": "string"}, "b": {"type": "integer"}}
    tool = {"type": "function", "name": "f", "parameters": {"properties": properties}}
    with client(server) as c:
        events = c.turn(respond(tools=[tool, {"type": "function"}], tool_choice="required"))
    done = only(events, "response.function_call_arguments.done")
    assert json.loads(done["arguments"]) == {"a": "text", "b": 1}


# Responses that are not left in peace


def test_a_conversation_has_one_response_at_a_time() -> None:
    with ReplayServer(faults=Faults(delay=0.01)) as server, client(server) as c:
        c.send(RESPOND, {**RESPOND, "event_id": "second"})
        c.send(respond(conversation="none", metadata={"n": "3"}))
        events = c.until("rate_limits.updated") + c.until("rate_limits.updated")
        check_sent(server.sessions[0])
    error = only(events, "error")["error"]
    assert error["code"] == "conversation_already_has_active_response"
    assert error["event_id"] == "second"
    done = [event["response"] for event in events if event["type"] == "response.done"]
    assert {each["status"] for each in done} == {"completed"}
    assert sorted(str(each["metadata"]) for each in done) == ["None", "{'n': '3'}"]


@pytest.mark.parametrize("by_id", [False, True])
def test_a_response_is_cancelled(by_id: bool) -> None:
    with ReplayServer(faults=Faults(delay=0.01)) as server, client(server) as c:
        c.answer(update(output_modalities=["text"]))
        words = "one two three four five six seven eight nine ten"
        c.send(text(words), RESPOND)
        created = c.until("response.output_text.delta")
        response_id = only(created, "response.created")["response"]["id"]
        c.send({**CANCEL, "response_id": response_id} if by_id else CANCEL)
        events = c.until("rate_limits.updated")
        again = c.turn(RESPOND)
        check_sent(server.sessions[0])
    response = only(events, "response.done")["response"]
    assert response["status"] == "cancelled"
    assert response["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert types(events)[-6:] == [
        "response.output_text.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    said = joined(created + events, "response.output_text.delta")
    assert f"You said: {words}".startswith(said)
    assert len(said) < len(words)
    [output] = response["output"]
    assert output["status"] == "incomplete"
    assert output["content"][0]["text"] == said
    assert only(again, "response.done")["response"]["status"] == "completed"


def test_there_may_be_nothing_to_cancel(server: ReplayServer) -> None:
    with client(server) as c:
        assert c.error(CANCEL)["code"] == "response_cancel_not_active"
        events = c.turn(RESPOND)
        response_id = only(events, "response.done")["response"]["id"]
        error = c.error({**CANCEL, "response_id": response_id, "event_id": "mine"})
        assert error["code"] == "response_cancel_not_active"
        assert error["event_id"] == "mine"
