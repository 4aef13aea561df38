"""Turns of the embedded server, seen by clients that know nothing of this package."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openai_realtime_client.testing import Answer, Faults, ReplayServer
from plain_client import (
    BETA,
    CANCEL,
    RESPOND,
    WEATHER,
    Event,
    checked,
    client,
    item,
    joined,
    only,
    respond,
    response,
    sound,
    text,
    types,
    update,
)

# A turn

BEGINNING = ["response.created", "response.output_item.added", "conversation.item.added"]
END = ["conversation.item.done", "response.output_item.done", "response.done"]
# Between these, in GA; runs of one type as one. That each belongs to the item that is open, and
# that deltas are together what comes at the end, is checked of all that servers in tests send.
PART = ["response.content_part.added", "response.content_part.done"]
TEXT, SPEECH = "response.output_text", "response.output_audio"
ARGUMENTS = "response.function_call_arguments"
WORDS = f"{SPEECH}_transcript"
TURNS = {
    "text": [PART[0], f"{TEXT}.delta", f"{TEXT}.done", PART[1]],
    "audio": [
        *(PART[0], f"{WORDS}.delta", f"{SPEECH}.delta"),
        *(f"{SPEECH}.done", f"{WORDS}.done", PART[1]),
    ],
    "call": [f"{ARGUMENTS}.delta", f"{ARGUMENTS}.done"],
}


def v1_types(kinds: list[str]) -> list[str]:
    """The types of the same events in `realtime=v1`."""
    named = (kind.replace("item.added", "item.created").replace("output_", "") for kind in kinds)
    return [
        name if "response.output_item" not in kind else kind
        for kind, name in zip(kinds, named, strict=True)
        if kind != "conversation.item.done"
    ]


@pytest.mark.parametrize("headers", [{}, BETA])
@pytest.mark.parametrize("turn", TURNS)
def test_the_order_of_a_turn(server: ReplayServer, headers: dict[str, str], turn: str) -> None:
    expected = [*BEGINNING, *TURNS[turn], *END, "rate_limits.updated"]
    modality = "modalities" if headers else "output_modalities"
    params: Event = {modality: ["text"]} if turn == "text" else {}
    if turn == "call":
        params |= {"tools": [WEATHER], "tool_choice": "required"}
    with client(server, additional_headers=headers) as c:
        events = c.turn(respond(**params))
    found = sorted(set(types(events)), key=types(events).index)
    assert found == (v1_types(expected) if headers else expected)


def test_a_ga_session_begins_with_its_settings(server: ReplayServer) -> None:
    with client(server, skip=0) as c:
        event = c.recv()
    session = event["session"]
    assert event["type"] == "session.created"
    assert session["id"].startswith("sess_")
    assert session["expires_at"] > 0
    settings = {"object": "realtime.session", "model": "gpt-realtime-2.1"}
    assert session.items() >= {**settings, "output_modalities": ["audio"]}.items()
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert session["audio"]["output"]["voice"] == "alloy"


def test_a_v1_session_begins_with_its_settings(server: ReplayServer) -> None:
    with client(server, additional_headers=BETA, skip=0) as c:
        begun = [c.recv(), c.recv()]
        done = response(c.turn(RESPOND))
    assert types(begun) == ["session.created", "conversation.created"]
    settings = {"input_audio_format": "pcm16", "voice": "alloy", "temperature": 0.8}
    settings |= {"modalities": ["text", "audio"], "max_response_output_tokens": "inf"}
    assert begun[0]["session"].items() >= settings.items()
    assert "audio" not in begun[0]["session"]
    assert done["conversation_id"] == begun[1]["conversation"]["id"]


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
    answer = "You said: Hello there."
    part = only(events, "response.content_part.done")["part"]
    assert part == {"type": "text", "text": answer}

    created, ended = only(events, "response.created")["response"], response(events)
    assert created["status"] == "in_progress"
    assert (created["output"], created["usage"], created["status_details"]) == ([], None, None)
    assert ended["status"] == "completed"
    assert ended["id"] == created["id"]
    assert ended["conversation_id"].startswith("conv_")
    assert ended["output_modalities"] == ["text"]
    [said] = ended["output"]
    assert said["content"] == [{"type": "output_text", "text": answer}]
    assert said == only(events, "response.output_item.done")["item"]
    assert said == only(events, "conversation.item.done")["item"]
    assert said["status"] == "completed"
    begun = only(events, "response.output_item.added")["item"]
    assert begun == {**said, "status": "in_progress", "content": []}
    assert only(events, "conversation.item.added")["previous_item_id"] == added["item"]["id"]

    usage = ended["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["input_token_details"]["text_tokens"] == usage["input_tokens"] == 2
    assert usage["output_token_details"]["text_tokens"] == usage["output_tokens"] == 4


def test_an_audio_turn_in_ga(server: ReplayServer) -> None:
    with client(server) as c:
        events = c.turn(text("Hi."), RESPOND)
    part = {"type": "audio", "transcript": ""}
    assert only(events, "response.content_part.added")["part"] == part
    ended = response(events)
    said = {"type": "output_audio", "transcript": "You said: Hi."}
    assert ended["output"][0]["content"] == [said]
    assert ended["audio"]["output"]["voice"] == "alloy"
    assert ended["usage"]["output_token_details"]["audio_tokens"] > 0
    assert len([e for e in events if e["type"] == "response.output_audio.delta"]) > 1
    assert len(sound(events)) == 9600  # 200 ms
    assert any(sound(events))


@pytest.mark.parametrize("modality", ["text", "audio"])
def test_a_turn_in_v1(server: ReplayServer, modality: str) -> None:
    modalities = ["text"] if modality == "text" else ["text", "audio"]
    with client(server, additional_headers=BETA) as c:
        c.answer({"type": "session.update", "session": {"modalities": modalities}})
        created = c.answer(text("Hello there."))
        ended = response(c.turn(RESPOND))
    assert (created["type"], created["previous_item_id"]) == ("conversation.item.created", None)
    assert (ended["voice"], ended["output_audio_format"]) == ("alloy", "pcm16")
    assert ended["modalities"] == modalities
    assert "output_modalities" not in ended
    [said] = ended["output"]
    assert said["object"] == "realtime.item"
    key = "text" if modality == "text" else "transcript"
    assert said["content"] == [{"type": modality, key: "You said: Hello there."}]


@pytest.mark.parametrize("headers", [{}, BETA])
def test_a_tool_call(server: ReplayServer, headers: dict[str, str]) -> None:
    modality = "modalities" if headers else "output_modalities"
    session: Event = {modality: ["text"], "tools": [WEATHER]}
    # In v1 the choice of a function is its name.
    session |= {"tool_choice": "get_weather"} if headers else {"type": "realtime"}
    with client(server, additional_headers=headers) as c:
        updated = c.answer({"type": "session.update", "session": session})
        events = c.turn(text("What is the weather in London?"), RESPOND)
        call = response(events)["output"][0]
        output = item(type="function_call_output", call_id=call["call_id"], output="Foggy.")
        after = c.turn(output, respond(tool_choice="none"))
    assert updated["session"].items() >= session.items()
    done = only(events, "response.function_call_arguments.done")
    assert json.loads(done["arguments"]) == {"city": "London"}
    assert done.get("name") == (None if headers else "get_weather")
    assert done["call_id"] == call["call_id"]
    assert (call["type"], call["status"]) == ("function_call", "completed")
    assert (call["name"], call["arguments"]) == ("get_weather", done["arguments"])
    begun = only(events, "response.output_item.added")["item"]
    assert (begun["status"], begun["arguments"]) == ("in_progress", "")
    # The items of the conversation are linked: question, call, output, answer.
    assert after[0]["previous_item_id"] == call["id"]
    spoken = only(after, "response.text.done" if headers else "response.output_text.done")["text"]
    assert spoken == "The function said: Foggy."


# What the model says and calls


def function_choice(name: str) -> Event:
    return {"type": "function", "name": name}


@pytest.mark.parametrize(
    ("said", "choice", "is_called"),
    [
        pytest.param("Use get_weather please.", "auto", True, id="its_name_was_said"),
        pytest.param("The WEATHER?", "auto", True, id="a_word_of_its_name_was_said"),
        pytest.param("Get some rest.", "auto", False, id="only_the_verb_was_said"),
        pytest.param("Weathering.", "auto", False, id="part_of_a_longer_word_was_said"),
        pytest.param("The weather?", "none", False, id="choice_is_none"),
        pytest.param("Anything.", "required", True, id="choice_is_required"),
        pytest.param("Anything.", function_choice("get_weather"), True, id="it_is_chosen"),
        pytest.param("The weather?", function_choice("other"), False, id="another_is_chosen"),
    ],
)
def test_when_a_tool_is_called(
    server: ReplayServer, said: str, choice: Any, is_called: bool
) -> None:
    with client(server) as c:
        events = c.turn(text(said), respond(tools=[WEATHER], tool_choice=choice))
    item_type = response(events)["output"][0]["type"]
    assert item_type == ("function_call" if is_called else "message")


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
    with checked(faults=Faults(delay=0.01)) as server, client(server) as c:
        c.send(RESPOND, {**RESPOND, "event_id": "second"})
        c.send(respond(conversation="none", metadata={"n": "3"}))
        events = c.until("rate_limits.updated") + c.until("rate_limits.updated")
    error = only(events, "error")["error"]
    assert error["code"] == "conversation_already_has_active_response"
    assert error["event_id"] == "second"
    done = [event["response"] for event in events if event["type"] == "response.done"]
    assert {each["status"] for each in done} == {"completed"}
    assert sorted(str(each["metadata"]) for each in done) == ["None", "{'n': '3'}"]


@pytest.mark.parametrize("by_id", [False, True])
def test_a_response_is_cancelled(by_id: bool) -> None:
    with checked(faults=Faults(delay=0.01)) as server, client(server) as c:
        c.answer(update(output_modalities=["text"]))
        words = "one two three four five six seven eight nine ten"
        c.send(text(words), RESPOND)
        created = c.until("response.output_text.delta")
        response_id = only(created, "response.created")["response"]["id"]
        c.send({**CANCEL, "response_id": response_id} if by_id else CANCEL)
        events = c.until("rate_limits.updated")
        again = c.turn(RESPOND)
    ended = response(events)
    assert ended["status"] == "cancelled"
    assert ended["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert types(events)[-6:-4] == ["response.output_text.done", "response.content_part.done"]
    assert types(events)[-4:] == [*END, "rate_limits.updated"]
    said = joined(created + events, "response.output_text.delta")
    assert f"You said: {words}".startswith(said)
    assert len(said) < len(words)
    [output] = ended["output"]
    assert output["status"] == "incomplete"
    assert output["content"][0]["text"] == said
    assert response(again)["status"] == "completed"


def test_one_of_two_responses_is_cancelled() -> None:
    story = Answer("word " * 100, audio=1.0, real_time=True)
    with checked(answers=[story] * 2) as server, client(server) as c:
        c.send(RESPOND, respond(conversation="none"))
        created = [c.until("response.created")[-1]["response"]["id"] for _ in range(2)]
        c.send({**CANCEL, "response_id": created[1]})
        ended = [c.until("response.done")[-1]["response"] for _ in range(2)]
    statuses = {each["id"]: each["status"] for each in ended}
    assert statuses == dict(zip(created, ["completed", "cancelled"], strict=True))


def test_there_may_be_nothing_to_cancel(server: ReplayServer) -> None:
    with client(server) as c:
        assert c.error(CANCEL)["code"] == "response_cancel_not_active"
        events = c.turn(RESPOND)
        response_id = response(events)["id"]
        error = c.error({**CANCEL, "response_id": response_id, "event_id": "mine"})
        assert error["code"] == "response_cancel_not_active"
        assert error["event_id"] == "mine"
