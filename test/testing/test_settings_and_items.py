"""Settings and items in the embedded server."""

from __future__ import annotations

import pytest

from openai_realtime_client.testing import ReplayServer
from openai_realtime_client.testing.conversation import Conversation
from openai_realtime_client.testing.settings import Ids
from plain_client import (
    BETA,
    RESPOND,
    WEATHER,
    Event,
    client,
    item,
    only,
    respond,
    response,
    text,
    types,
    update,
)

# Settings of a session and of a response


def test_updates_are_merged(server: ReplayServer) -> None:
    with client(server) as c:
        first = c.answer(update(instructions="Be brief.", audio={"output": {"voice": "ash"}}))
        detection = {"type": "semantic_vad"}
        second = c.answer(update(audio={"input": {"turn_detection": detection}}, tools=[WEATHER]))
        third = c.answer(update(audio={"input": {"turn_detection": None}}))
    assert first["type"] == "session.updated"
    session = second["session"]
    assert session["instructions"] == "Be brief."
    pcm = {"type": "audio/pcm", "rate": 24000}
    assert session["audio"]["output"] == {"format": pcm, "voice": "ash", "speed": 1.0}
    assert session["audio"]["input"]["turn_detection"]["eagerness"] == "auto"
    assert session["audio"]["input"]["format"]["type"] == "audio/pcm"
    assert session["tools"] == [WEATHER]
    assert third["session"]["audio"]["input"]["turn_detection"] is None


def test_settings_are_returned_as_the_schema_has_them(server: ReplayServer) -> None:
    voice = {"audio": {"output": {"voice": {"id": "voice_1"}}}}
    with client(server) as c:
        updated = c.answer(update(parallel_tool_calls=False, **voice))
        events = c.turn(respond(**voice))
    assert updated["session"]["audio"]["output"]["voice"] == "voice_1"
    assert "parallel_tool_calls" not in updated["session"]
    ended = response(events)
    assert ended["audio"]["output"]["voice"] == "voice_1"


def test_v1_updates_are_merged(server: ReplayServer) -> None:
    settings = {
        "input_audio_transcription": {"model": "whisper-1"},
        "turn_detection": None,
        "input_audio_noise_reduction": {"type": "near_field"},
        "output_audio_format": "g711_ulaw",
        "temperature": 0.6,
        "max_response_output_tokens": 50,
        "tool_choice": "none",
    }
    with client(server, additional_headers=BETA) as c:
        c.answer({"type": "session.update", "session": settings})
        session = c.answer({"type": "session.update", "session": {"voice": "ash"}})["session"]
        default = c.answer({"type": "session.update", "session": {"temperature": None}})
        responses = [response(c.turn(respond(temperature=each))) for each in (0.7, None)]
    assert default["session"]["temperature"] == 0.8
    assert [each["temperature"] for each in responses] == [0.7, 0.8]
    assert session.items() >= {**settings, "voice": "ash", "input_audio_format": "pcm16"}.items()


@pytest.mark.parametrize("headers", [{}, BETA], ids=["ga", "v1"])
def test_a_response_has_settings_of_its_own(server: ReplayServer, headers: dict[str, str]) -> None:
    name = "modalities" if headers else "output_modalities"
    params = {name: ["text"], "metadata": {"a": "b"}}
    with client(server, additional_headers=headers) as c:
        first = response(c.turn(text("Hi."), respond(**params)))
        second = response(c.turn(RESPOND))
    assert (first["metadata"], first[name]) == ({"a": "b"}, ["text"])
    assert (second["metadata"], second[name][-1]) == (None, "audio")


def test_v1_limits_the_output_of_a_response_as_the_services_example_does(
    server: ReplayServer,
) -> None:
    said = {"type": "message", "role": "assistant", "content": [{"type": "text"}]}
    params = {"conversation": "none", "input": [said], "max_output_tokens": 1}
    with client(server, additional_headers=BETA) as c:
        ended = response(c.turn(respond(**params)))
    assert ended["max_output_tokens"] == 1
    assert ended["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}


def test_an_out_of_band_response_leaves_the_conversation_alone(server: ReplayServer) -> None:
    with client(server) as c:
        c.send(text("First."))
        first = c.recv()["item"]["id"]
        c.recv()
        reference = {"type": "item_reference", "id": first}
        own = text("Second.")["item"]
        params = {"conversation": "none", "output_modalities": ["text"]}
        events = c.turn(respond(**params, input=[reference, own]))
        again = c.turn(respond(**params, input=[own, reference]))
        c.send(text("Third."))
        assert c.recv()["previous_item_id"] == first
    assert "conversation.item.added" not in types(events)
    assert "conversation.item.done" not in types(events)
    assert "conversation_id" not in response(events)
    assert only(events, "response.output_text.done")["text"] == "You said: Second."
    assert only(again, "response.output_text.done")["text"] == "You said: First."


def test_a_limit_on_output_makes_a_response_incomplete(server: ReplayServer) -> None:
    with client(server) as c:
        params = {"output_modalities": ["text"], "max_output_tokens": 2}
        events = c.turn(text("One two three."), respond(**params))
    ended = response(events)
    assert ended["status"] == "incomplete"
    assert ended["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert ended["output"][0]["status"] == "incomplete"
    assert only(events, "response.output_text.done")["text"] == "You said:"


def test_the_type_of_a_session_and_a_voice_in_use_cannot_change(server: ReplayServer) -> None:
    with client(server) as c:
        transcription = {"type": "session.update", "session": {"type": "transcription"}}
        assert c.error(transcription)["param"] == "session.type"
        c.turn(text("Hi."), RESPOND)
        error = c.error(update(audio={"output": {"voice": "ash"}}))
        assert error["code"] == "cannot_update_voice"
        # Naming it again does not change it.
        updated = c.answer(update(model="other", audio={"output": {"voice": "alloy"}}))
    assert updated["session"]["model"] == "gpt-realtime-2.1"


# Items


def test_items_are_put_in_order(server: ReplayServer) -> None:
    with client(server) as c:
        last = c.answer(text("Last."))
        c.recv()
        first = c.answer({**text("First."), "previous_item_id": "root"})
        c.recv()
        between = c.answer({**text("Between."), "previous_item_id": first["item"]["id"]})
        c.recv()
        own = c.answer(item(id="mine", **text("Own.")["item"]))
    assert first["previous_item_id"] is None
    assert between["previous_item_id"] == first["item"]["id"]
    assert own["previous_item_id"] == last["item"]["id"]
    assert own["item"]["id"] == "mine"


def test_items_are_retrieved_and_deleted(server: ReplayServer) -> None:
    with client(server) as c:
        item_id = c.answer(text("Hi."))["item"]["id"]
        c.recv()
        retrieved = c.answer({"type": "conversation.item.retrieve", "item_id": item_id})
        deleted = c.answer({"type": "conversation.item.delete", "item_id": item_id})
        error = c.error({"type": "conversation.item.retrieve", "item_id": item_id})
    assert retrieved["type"] == "conversation.item.retrieved"
    assert retrieved["item"]["content"] == [{"type": "input_text", "text": "Hi."}]
    assert (deleted["type"], deleted["item_id"]) == ("conversation.item.deleted", item_id)
    assert error["code"] == "item_retrieve_invalid_item_id"


def test_spoken_items_are_truncated(server: ReplayServer) -> None:
    with client(server) as c:
        events = c.turn(text("Hi."), RESPOND)
        user, spoken = (e["item"]["id"] for e in events if e["type"] == "conversation.item.done")
        place = {"item_id": spoken, "content_index": 0, "audio_end_ms": 120}
        truncate = {"type": "conversation.item.truncate", **place}
        truncated = c.answer(truncate)
        retrieved = c.answer({"type": "conversation.item.retrieve", "item_id": spoken})
        too_long = c.error({**truncate, "audio_end_ms": 121})
        before = c.error({**truncate, "audio_end_ms": -1})
        no_part = c.error({**truncate, "content_index": 1})
        of_user = c.error({**truncate, "item_id": user})
    assert truncated["type"] == "conversation.item.truncated"
    assert truncated["item_id"] == spoken
    assert (truncated["content_index"], truncated["audio_end_ms"]) == (0, 120)
    assert retrieved["item"]["content"] == [{"type": "output_audio"}]
    assert too_long["param"] == before["param"] == "audio_end_ms"
    assert no_part["param"] == of_user["param"] == "content_index"


@pytest.mark.parametrize("headers", [{}, BETA])
@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"type": "conversation.item.delete"}, "item_delete_invalid_item_id"),
        ({"type": "conversation.item.retrieve"}, "item_retrieve_invalid_item_id"),
        (
            {"type": "conversation.item.truncate", "content_index": 0, "audio_end_ms": 0},
            "item_truncate_invalid_item_id",
        ),
    ],
)
def test_unknown_items_are_errors(
    server: ReplayServer, headers: dict[str, str], event: Event, code: str
) -> None:
    with client(server, additional_headers=headers) as c:
        error = c.error({**event, "item_id": "nobody", "event_id": "mine"})
    assert error["code"] == code
    assert error["param"] == "item_id"
    assert error["event_id"] == "mine"


def test_v1_items_have_a_type_and_their_content_need_not(server: ReplayServer) -> None:
    said = {"role": "assistant", "content": [{"text": "Hi."}]}
    with client(server, additional_headers=BETA) as c:
        assert c.error(item(**said))["param"] == "item.type"
        assert c.error(respond(input=[said]))["param"] == "response.input[0].type"
        created = c.answer(item(type="message", **said))["item"]
        assert created["content"] == [{"type": "text", "text": "Hi."}]
        c.turn(RESPOND)


def test_events_have_items_as_they_were() -> None:
    item: Event = {"id": "mine", "type": "function_call", "arguments": ""}
    event = Conversation(Ids(1)).begin(item)
    item["arguments"] += "{}"
    assert event["item"]["arguments"] == ""


def test_unknown_neighbours_and_references_are_errors(server: ReplayServer) -> None:
    with client(server) as c:
        error = c.error({**text("Hi."), "previous_item_id": "nobody"})
        assert error["param"] == "previous_item_id"
        reference = {"type": "item_reference", "id": "nobody"}
        assert c.error(respond(input=[reference]))["code"] == "item_reference_invalid_item_id"
        c.send(item(id="mine", **text("Hi.")["item"]))
        c.recv(), c.recv()
        error = c.error(item(id="mine", **text("Hi.")["item"]))
        assert error["code"] == "item_create_duplicate_id"
        assert len(c.turn(RESPOND)) > 1
