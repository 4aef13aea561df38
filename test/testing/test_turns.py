"""Turns of the embedded server, seen by clients that know nothing of this package."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openai_realtime_client.testing import Answer, Faults
from plain_client import (
    CANCEL,
    RESPOND,
    WEATHER,
    Client,
    Event,
    item,
    joined,
    only,
    respond,
    response,
    said,
    session_with,
    sound,
    text,
    types,
)

for_protocols = pytest.mark.parametrize("protocol", ["ga", "v1"])

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


def v1_types(ga_types: list[str]) -> list[str]:
    """The types of the same events in `realtime=v1`."""
    names = []
    for name in ga_types:
        if name == "conversation.item.done":
            continue
        if not name.startswith("response.output_item"):
            name = name.replace("item.added", "item.created").replace("output_", "")
        names.append(name)
    return names


def in_text(protocol: str) -> Event:
    return {"output_modalities" if protocol == "ga" else "modalities": ["text"]}


@for_protocols
@pytest.mark.parametrize("turn", TURNS)
def test_the_order_of_a_turn(c: Client, protocol: str, turn: str) -> None:
    expected = [*BEGINNING, *TURNS[turn], *END, "rate_limits.updated"]
    params = {
        "text": in_text(protocol),
        "audio": {},
        "call": {"tools": [WEATHER], "tool_choice": "required"},
    }
    events = c.turn(**params[turn])
    found = sorted(set(types(events)), key=types(events).index)
    assert found == (v1_types(expected) if protocol == "v1" else expected)


def test_a_ga_session_begins_with_its_settings() -> None:
    with session_with(skip=0) as c:
        created = c.recv()
    session = created["session"]
    assert created["type"] == "session.created"
    assert session["id"].startswith("sess_")
    assert session["expires_at"] > 0
    settings = {"object": "realtime.session", "model": "gpt-realtime-2.1"}
    assert session.items() >= {**settings, "output_modalities": ["audio"]}.items()
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert session["audio"]["output"]["voice"] == "alloy"


def test_a_v1_session_begins_with_its_settings() -> None:
    with session_with("v1", skip=0) as c:
        begun = [c.recv(), c.recv()]
        done = c.response()
    assert types(begun) == ["session.created", "conversation.created"]
    settings = {"input_audio_format": "pcm16", "voice": "alloy", "temperature": 0.8}
    settings |= {"modalities": ["text", "audio"], "max_response_output_tokens": "inf"}
    assert begun[0]["session"].items() >= settings.items()
    assert "audio" not in begun[0]["session"]
    assert done["conversation_id"] == begun[1]["conversation"]["id"]


def test_a_text_turn_in_ga(c: Client) -> None:
    c.update(output_modalities=["text"])
    c.send(text("Hello there."))
    added, done = c.recv(), c.recv()
    events = c.turn()
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
    [message] = ended["output"]
    assert message["content"] == [{"type": "output_text", "text": answer}]
    assert message == only(events, "response.output_item.done")["item"]
    assert message == only(events, "conversation.item.done")["item"]
    assert message["status"] == "completed"
    begun = only(events, "response.output_item.added")["item"]
    assert begun == {**message, "status": "in_progress", "content": []}
    assert only(events, "conversation.item.added")["previous_item_id"] == added["item"]["id"]

    usage = ended["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["input_token_details"]["text_tokens"] == usage["input_tokens"] == 2
    assert usage["output_token_details"]["text_tokens"] == usage["output_tokens"] == 4


def test_an_audio_turn_in_ga(c: Client) -> None:
    events = c.turn("Hi.")
    part = {"type": "audio", "transcript": ""}
    assert only(events, "response.content_part.added")["part"] == part
    ended = response(events)
    content = [{"type": "output_audio", "transcript": "You said: Hi."}]
    assert ended["output"][0]["content"] == content
    assert ended["audio"]["output"]["voice"] == "alloy"
    assert ended["usage"]["output_token_details"]["audio_tokens"] > 0
    assert [e["type"] for e in events].count("response.output_audio.delta") > 1
    assert len(sound(events)) == 9600  # 200 ms
    assert any(sound(events))


@pytest.mark.parametrize("modality", ["text", "audio"])
@pytest.mark.parametrize("protocol", ["v1"])
def test_a_turn_in_v1(c: Client, modality: str) -> None:
    modalities = ["text"] if modality == "text" else ["text", "audio"]
    c.update(modalities=modalities)
    created = c.answer(text("Hello there."))
    ended = c.response()
    assert (created["type"], created["previous_item_id"]) == ("conversation.item.created", None)
    assert (ended["voice"], ended["output_audio_format"]) == ("alloy", "pcm16")
    assert ended["modalities"] == modalities
    assert "output_modalities" not in ended
    [message] = ended["output"]
    assert message["object"] == "realtime.item"
    key = "text" if modality == "text" else "transcript"
    assert message["content"] == [{"type": modality, key: "You said: Hello there."}]


@for_protocols
def test_a_tool_call(c: Client, protocol: str) -> None:
    # In v1 the choice of a function is its name.
    choice: Any = "get_weather"
    if protocol == "ga":
        choice = {"type": "function", "name": "get_weather"}
    settings = {**in_text(protocol), "tools": [WEATHER], "tool_choice": choice}
    assert c.update(**settings).items() >= settings.items()
    events = c.turn("What is the weather in London?")
    call = response(events)["output"][0]
    output = item(type="function_call_output", call_id=call["call_id"], output="Foggy.")
    after = c.turn(output, tool_choice="none")
    done = only(events, "response.function_call_arguments.done")
    assert json.loads(done["arguments"]) == {"city": "London"}
    assert done.get("name") == ("get_weather" if protocol == "ga" else None)
    assert done["call_id"] == call["call_id"]
    assert (call["type"], call["status"]) == ("function_call", "completed")
    assert (call["name"], call["arguments"]) == ("get_weather", done["arguments"])
    begun = only(events, "response.output_item.added")["item"]
    assert (begun["status"], begun["arguments"]) == ("in_progress", "")
    # The items of the conversation are linked: question, call, output, answer.
    assert after[0]["previous_item_id"] == call["id"]
    assert said(after) == "The function said: Foggy."


# What the model calls


def function_choice(name: str) -> Event:
    return {"type": "function", "name": name}


@pytest.mark.parametrize(
    ("words", "choice", "item_type"),
    [
        pytest.param("Use get_weather please.", "auto", "function_call", id="its_name_was_said"),
        pytest.param("The WEATHER?", "auto", "function_call", id="a_word_of_its_name_was_said"),
        pytest.param("Get some rest.", "auto", "message", id="only_the_verb_was_said"),
        pytest.param("Weathering.", "auto", "message", id="part_of_a_longer_word_was_said"),
        pytest.param("The weather?", "none", "message", id="choice_is_none"),
        pytest.param("Hi.", "required", "function_call", id="choice_is_required"),
        pytest.param("Hi.", function_choice("get_weather"), "function_call", id="it_is_chosen"),
        pytest.param("The weather?", function_choice("x"), "message", id="another_is_chosen"),
    ],
)
def test_when_a_tool_is_called(c: Client, words: str, choice: Any, item_type: str) -> None:
    ended = c.response(words, tools=[WEATHER], tool_choice=choice)
    assert ended["output"][0]["type"] == item_type


SCHEMAS: list[tuple[Any, Any]] = [
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
]


@pytest.mark.parametrize(
    ("words", "properties", "arguments"),
    [
        *(pytest.param("Take 3 to Rome.", {"x": s}, {"x": v}, id=str(s)) for s, v in SCHEMAS),
        pytest.param(
            *(None, {"a": {"type": "string"}, "b": {"type": "integer"}}, {"a": "text", "b": 1}),
            id="nothing_was_said",
        ),
    ],
)
def test_arguments_fit_the_parameters(
    c: Client, words: str | None, properties: Event, arguments: Event
) -> None:
    parameters = {"type": "object", "properties": properties}
    if words:
        optional = {"optional": {"type": "string"}}
        parameters = {**parameters, "properties": properties | optional, "required": ["x"]}
    tool = {"type": "function", "name": "f", "parameters": parameters}
    messages = [words] if words else []
    # The other has no name, and can't be called.
    events = c.turn(*messages, tools=[tool, {"type": "function"}], tool_choice="required")
    done = only(events, "response.function_call_arguments.done")
    assert json.loads(done["arguments"]) == arguments


# Responses that are not left in peace


def test_a_conversation_has_one_response_at_a_time() -> None:
    with session_with(faults=Faults(delay=0.01)) as c:
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
    with session_with(faults=Faults(delay=0.01)) as c:
        c.update(output_modalities=["text"])
        words = "one two three four five six seven eight nine ten"
        c.send(text(words), RESPOND)
        created = c.until("response.output_text.delta")
        response_id = only(created, "response.created")["response"]["id"]
        c.send({**CANCEL, "response_id": response_id} if by_id else CANCEL)
        events = c.until("rate_limits.updated")
        assert c.response()["status"] == "completed"
    ended = response(events)
    assert ended["status"] == "cancelled"
    assert ended["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert types(events)[-6:-4] == ["response.output_text.done", "response.content_part.done"]
    assert types(events)[-4:] == [*END, "rate_limits.updated"]
    heard = joined(created + events, "response.output_text.delta")
    assert f"You said: {words}".startswith(heard)
    assert len(heard) < len(words)
    assert said(events) == heard
    assert ended["output"][0]["status"] == "incomplete"


def test_one_of_two_responses_is_cancelled() -> None:
    story = Answer("word " * 20, audio=0.5, real_time=True)
    with session_with(answers=[story] * 2) as c:
        c.send(RESPOND, respond(conversation="none"))
        created = [c.until("response.created")[-1]["response"]["id"] for _ in range(2)]
        c.send({**CANCEL, "response_id": created[1]})
        ended = [c.until("response.done")[-1]["response"] for _ in range(2)]
    statuses = {each["id"]: each["status"] for each in ended}
    assert statuses == dict(zip(created, ["completed", "cancelled"], strict=True))


def test_there_may_be_nothing_to_cancel(c: Client) -> None:
    assert c.error(CANCEL)["code"] == "response_cancel_not_active"
    ended = {"response_id": c.response()["id"], "event_id": "mine"}
    error = c.error({**CANCEL, **ended})
    assert (error["code"], error["event_id"]) == ("response_cancel_not_active", "mine")
