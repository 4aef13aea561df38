"""The embedded server, seen by clients that know nothing of this package."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from openai_realtime_client import (
    ApiClient,
    Configuration,
    UnauthorizedError,
    UnknownEvent,
    deviations,
    ga,
)
from openai_realtime_client import RealtimeApi as V1RealtimeApi
from openai_realtime_client.testing import Faults, ReplayServer, ReplaySession
from openai_realtime_client.testing.recording import RecordedEvent, read_recording

pytest_plugins = ["pytester"]

RECORDINGS = Path(__file__).parents[1] / "recordings"
BETA = {"OpenAI-Beta": "realtime=v1"}
KEY = "sk-test-of-the-embedded-server"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
LOUD = b"\x10\x20" * 2400  # 100 ms
QUIET = b"\x00\x00" * 2400

Event = dict[str, Any]


class Client:
    """A connection that sends and receives plain JSON."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, *events: Event) -> None:
        for event in events:
            self.connection.send(json.dumps(event))

    def recv(self) -> Event:
        event: Event = json.loads(self.connection.recv(timeout=10))
        return event

    def until(self, kind: str) -> list[Event]:
        """The events up to the first of a type."""
        events = [self.recv()]
        while events[-1]["type"] != kind:
            events.append(self.recv())
        return events

    def answer(self, *events: Event) -> Event:
        """What the server says first after some events."""
        self.send(*events)
        return self.recv()

    def error(self, *events: Event) -> Event:
        answer = self.answer(*events)
        assert answer["type"] == "error"
        assert answer["error"]["type"] == "invalid_request_error"
        assert answer["error"]["message"]
        error: Event = answer["error"]
        return error

    def turn(self, *events: Event) -> list[Event]:
        self.send(*events)
        return self.until("rate_limits.updated")

    def closed(self) -> tuple[int, str]:
        """Code and reason of the server's close frame; 1006 if there is none."""
        try:
            while True:
                self.connection.recv(timeout=10)
        except ConnectionClosed as closed:
            frame = closed.rcvd
        return (frame.code, frame.reason) if frame else (1006, "")


def ws_url(server: ReplayServer, path: str) -> str:
    return server.azure_endpoint.replace("http", "ws", 1) + path


@contextmanager
def client(
    server: ReplayServer,
    path: str | None = None,
    *,
    skip: int | None = None,
    **kwargs: Any,
) -> Iterator[Client]:
    """Connect, and read the events with which a session begins."""
    is_v1 = kwargs.get("additional_headers") == BETA
    skip = skip if skip is not None else 1 + is_v1
    if path is None:
        path = f"/v1/realtime?model={'gpt-4o-realtime-preview' if is_v1 else 'gpt-realtime'}"
    with connect(ws_url(server, path), proxy=None, **kwargs) as connection:
        connected = Client(connection)
        for _ in range(skip):
            connected.recv()
        yield connected


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer() as server:
        yield server
    for session in server.sessions:
        check_sent(session)


# What the wire of v1 has and its documented schema does not.
WIRE_ONLY = {"status": "in_progress", "type": "audio"}


def check_sent(session: ReplaySession) -> None:
    """All that was sent fits the schema, and ids of events differ."""
    for event in session.sent:
        if session.protocol == "v1" and isinstance(event, UnknownEvent):
            assert event.type == "transcription_session.created"
            continue
        for found in deviations(event):
            field = found.path.rpartition(".")[2]
            assert session.protocol == "v1", found
            assert (found.kind, found.value) == ("unknown value", WIRE_ONLY[field]), found
    ids = [event.to_dict()["event_id"] for event in session.sent]
    assert len(ids) == len(set(ids))


def text(words: str, role: str = "user") -> Event:
    kind = "output_text" if role == "assistant" else "input_text"
    return item(type="message", role=role, content=[{"type": kind, "text": words}])


def item(**fields: Any) -> Event:
    return {"type": "conversation.item.create", "item": fields}


def append(data: bytes) -> Event:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(data).decode()}


def update(**session: Any) -> Event:
    return {"type": "session.update", "session": {"type": "realtime", **session}}


def respond(**params: Any) -> Event:
    return {"type": "response.create", "response": params}


COMMIT = {"type": "input_audio_buffer.commit"}
CANCEL = {"type": "response.cancel"}
RESPOND = {"type": "response.create"}


def types(events: list[Event]) -> list[str]:
    """The types in their order, runs of one type as one."""
    found: list[str] = []
    for event in events:
        if found[-1:] != [event["type"]]:
            found.append(event["type"])
    return found


def only(events: list[Event], kind: str) -> Event:
    [event] = [event for event in events if event["type"] == kind]
    return event


def joined(events: list[Event], kind: str) -> str:
    return "".join(event["delta"] for event in events if event["type"] == kind)


# A turn


def test_a_ga_session_begins_with_its_settings(server: ReplayServer) -> None:
    with client(server, skip=0) as c:
        event = c.recv()
    session = event["session"]
    assert event["type"] == "session.created"
    assert session["object"] == "realtime.session"
    assert session["id"].startswith("sess_")
    assert session["model"] == "gpt-realtime"
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
    [limit] = events[-1]["rate_limits"]
    assert limit["remaining"] == limit["limit"] - usage["total_tokens"]


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
    assert session["audio"]["output"] == {
        "format": {"type": "audio/pcm", "rate": 24000},
        "voice": "ash",
        "speed": 1.0,
    }
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
    response = only(events, "response.done")["response"]
    assert response["audio"]["output"]["voice"] == "voice_1"


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
    assert session.items() >= {**settings, "voice": "ash", "input_audio_format": "pcm16"}.items()


def test_a_response_has_settings_of_its_own(server: ReplayServer) -> None:
    with client(server) as c:
        params = {"output_modalities": ["text"], "metadata": {"a": "b"}}
        first = c.turn(text("Hi."), respond(**params))
        second = c.turn(RESPOND)
    response = only(first, "response.done")["response"]
    assert response["metadata"] == {"a": "b"}
    assert response["output_modalities"] == ["text"]
    response = only(second, "response.done")["response"]
    assert response["metadata"] is None
    assert response["output_modalities"] == ["audio"]


def test_v1_responses_have_settings_of_their_own(server: ReplayServer) -> None:
    params = {
        "modalities": ["text"],
        "metadata": {"a": "b"},
        "conversation": "none",
        "input": [{"type": "message", "role": "assistant", "content": [{"type": "text"}]}],
        # As in the service's own example.
        "max_output_tokens": 1,
    }
    with client(server, additional_headers=BETA) as c:
        response = only(c.turn(respond(**params)), "response.done")["response"]
    assert response["metadata"] == {"a": "b"}
    assert response["modalities"] == ["text"]
    assert response["max_output_tokens"] == 1
    assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}


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
    assert "conversation_id" not in only(events, "response.done")["response"]
    assert only(events, "response.output_text.done")["text"] == "You said: Second."
    assert only(again, "response.output_text.done")["text"] == "You said: First."


def test_a_limit_on_output_makes_a_response_incomplete(server: ReplayServer) -> None:
    with client(server) as c:
        params = {"output_modalities": ["text"], "max_output_tokens": 2}
        events = c.turn(text("One two three."), respond(**params))
    response = only(events, "response.done")["response"]
    assert response["status"] == "incomplete"
    assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert response["output"][0]["status"] == "incomplete"
    assert only(events, "response.output_text.done")["text"] == "You said:"


def test_the_type_of_a_session_and_a_voice_in_use_cannot_change(server: ReplayServer) -> None:
    with client(server) as c:
        transcription = {"type": "session.update", "session": {"type": "transcription"}}
        assert c.error(transcription)["param"] == "session.type"
        c.turn(text("Hi."), RESPOND)
        error = c.error(update(audio={"output": {"voice": "ash"}}))
        assert error["code"] == "cannot_update_voice"
        updated = c.answer(update(model="other"))
    assert updated["session"]["model"] == "gpt-realtime"


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
        truncate = {
            "type": "conversation.item.truncate",
            "item_id": spoken,
            "content_index": 0,
            "audio_end_ms": 120,
        }
        truncated = c.answer(truncate)
        retrieved = c.answer({"type": "conversation.item.retrieve", "item_id": spoken})
        too_long = c.error({**truncate, "audio_end_ms": 121})
        no_part = c.error({**truncate, "content_index": 1})
        of_user = c.error({**truncate, "item_id": user})
    assert truncated["type"] == "conversation.item.truncated"
    assert truncated["item_id"] == spoken
    assert (truncated["content_index"], truncated["audio_end_ms"]) == (0, 120)
    assert retrieved["item"]["content"] == [{"type": "output_audio"}]
    assert too_long["param"] == "audio_end_ms"
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


# Input audio


def no_turns(**hearing: Any) -> Event:
    return update(output_modalities=["text"], audio={"input": {"turn_detection": None, **hearing}})


def test_audio_is_committed_and_transcribed(server: ReplayServer) -> None:
    with client(server) as c:
        c.answer(no_turns(transcription={"model": "whisper-1"}))
        c.send(append(LOUD), append(LOUD), COMMIT)
        events = c.until("conversation.item.input_audio_transcription.completed")
        answer = c.turn(RESPOND)
    assert types(events) == [
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ]
    item_id = events[0]["item_id"]
    assert events[0]["previous_item_id"] is None
    added = events[1]["item"]
    assert added["id"] == item_id
    assert added["content"] == [{"type": "input_audio", "transcript": None}]
    completed = events[-1]
    assert completed["item_id"] == item_id
    assert completed["transcript"] == "Audio of 200 ms."
    assert completed["usage"] == {"type": "duration", "seconds": 0.2}
    kind = "conversation.item.input_audio_transcription.delta"
    assert joined(events, kind) == completed["transcript"]
    spoken = only(answer, "response.output_text.done")["text"]
    assert spoken == "You said: Audio of 200 ms."


def test_audio_is_committed_without_transcription(server: ReplayServer) -> None:
    with client(server) as c:
        c.answer(no_turns())
        c.send(append(LOUD), COMMIT)
        c.until("conversation.item.done")
        assert (
            c.answer({"type": "input_audio_buffer.clear"})["type"] == "input_audio_buffer.cleared"
        )


def test_an_empty_buffer_cannot_be_committed(server: ReplayServer) -> None:
    with client(server) as c:
        c.answer(no_turns())
        assert c.error(COMMIT)["code"] == "input_audio_buffer_commit_empty"
        c.send(append(LOUD), {"type": "input_audio_buffer.clear"})
        assert c.recv()["type"] == "input_audio_buffer.cleared"
        assert c.error(COMMIT)["code"] == "input_audio_buffer_commit_empty"
        # The service wants 100 ms.
        c.send(append(LOUD[:-2]))
        assert c.error(COMMIT)["code"] == "input_audio_buffer_commit_empty"
        assert c.answer(append(LOUD[:2]), COMMIT)["type"] == "input_audio_buffer.committed"


def test_audio_that_is_no_base64_or_too_long_is_an_error(server: ReplayServer) -> None:
    with client(server) as c:
        error = c.error({"type": "input_audio_buffer.append", "audio": "no base64!"})
        assert (error["code"], error["param"]) == ("invalid_value", "audio")
        error = c.error({"type": "input_audio_buffer.append", "audio": "AAAA" * (5 * 2**20 + 2)})
        assert (error["code"], error["param"]) == ("string_above_max_length", "audio")


def test_silence_ends_a_turn(server: ReplayServer) -> None:
    with client(server) as c:
        c.answer(update(output_modalities=["text"]))
        c.send(append(QUIET), append(LOUD), append(LOUD + QUIET), append(QUIET))
        events = c.until("rate_limits.updated")
    assert types(events)[:6] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    started, stopped, committed = events[:3]
    assert started["audio_start_ms"] == 100
    assert stopped["audio_end_ms"] == 300
    assert started["item_id"] == stopped["item_id"] == committed["item_id"]
    assert only(events, "response.output_text.done")["text"] == "You said: Audio of 500 ms."


def test_turns_follow_each_other(server: ReplayServer) -> None:
    with client(server) as c:
        c.answer(update(output_modalities=["text"]))
        c.send(append(LOUD + QUIET + QUIET))
        first = c.until("rate_limits.updated")
        c.send(append(QUIET), append(LOUD + QUIET + QUIET))
        second = c.until("rate_limits.updated")
    assert second[0]["audio_start_ms"] == 400
    assert second[1]["audio_end_ms"] == 500
    said = only(first, "response.output_item.done")["item"]["id"]
    assert second[2]["previous_item_id"] == said


def test_turn_detection_need_not_create_a_response(server: ReplayServer) -> None:
    detection = {"type": "server_vad", "create_response": False, "silence_duration_ms": 100}
    with client(server) as c:
        c.answer(update(audio={"input": {"turn_detection": detection}}))
        c.send(append(LOUD + QUIET))
        c.until("conversation.item.done")
        assert (
            c.answer({"type": "input_audio_buffer.clear"})["type"] == "input_audio_buffer.cleared"
        )


def test_speech_interrupts_a_response() -> None:
    with ReplayServer(faults=Faults(delay=0.02)) as server, client(server) as c:
        c.send(text("A long answer, please."), RESPOND)
        c.until("response.output_audio.delta")
        c.send(append(LOUD))
        events = c.until("response.done")
    response = events[-1]["response"]
    assert response["status"] == "cancelled"
    assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    kinds = types(events)
    assert "input_audio_buffer.speech_started" in kinds
    assert kinds.index("input_audio_buffer.speech_started") < kinds.index("response.done")


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


# Bad input


@pytest.mark.parametrize("headers", [{}, BETA])
@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ("{", "invalid_json", None),
        ("[]", "invalid_json", None),
        (b"\xff\x00", "invalid_json", None),
        ("{}", "invalid_event", "type"),
        ('{"type":1}', "invalid_event", "type"),
        ('{"type":"no.such","event_id":"e"}', "invalid_value", "type"),
        ('{"type":"response.cancel","x":1,"event_id":"e"}', "unknown_parameter", "x"),
        (
            '{"type":"conversation.item.create","event_id":"e"}',
            "missing_required_parameter",
            "item",
        ),
        (
            '{"type":"conversation.item.delete","item_id":1,"event_id":"e"}',
            "invalid_type",
            "item_id",
        ),
        (
            '{"type":"session.update","session":{"type":"realtime","tools":{}},"event_id":"e"}',
            "invalid_type",
            "session.tools",
        ),
        (
            '{"type":"session.update","session":{"type":"realtime","instructions":null}}',
            "invalid_type",
            "session.instructions",
        ),
    ],
)
def test_bad_input_is_an_error_and_the_session_goes_on(
    server: ReplayServer,
    headers: dict[str, str],
    message: str | bytes,
    code: str,
    param: str | None,
) -> None:
    if headers and isinstance(message, str):
        message = message.replace('"type":"realtime",', "")
    with client(server, additional_headers=headers) as c:
        c.connection.send(message)
        error = c.recv()["error"]
        assert (error["code"], error["param"]) == (code, param)
        assert error["event_id"] == ("e" if b'"e"' in str(message).encode() else None)
        assert error["message"]
        c.turn(RESPOND)


def test_ga_says_which_union_member_is_wrong(server: ReplayServer) -> None:
    with client(server) as c:
        error = c.error({"type": "session.update", "session": {"instructions": "Hi."}})
        assert error["code"] == "missing_required_parameter"
        assert error["param"] == "session.type"
        error = c.error(item(type="no_such"))
        assert (error["code"], error["param"]) == ("invalid_value", "item.type")
        error = c.error(update(output_modalities=["smell"]))
        assert (error["code"], error["param"]) == ("invalid_value", "session.output_modalities[0]")
        error = c.error({"type": "output_audio_buffer.clear"})
        assert (error["code"], error["param"]) == ("invalid_value", "type")


def test_messages_may_come_in_fragments(server: ReplayServer) -> None:
    with client(server) as c:
        c.connection.send(['{"type":', '"response', '.create"}'])
        assert c.until("rate_limits.updated")[0]["type"] == "response.created"


# Other kinds of session


def test_a_transcription_session_in_ga(server: ReplayServer) -> None:
    with client(server, "/v1/realtime?intent=transcription", skip=0) as c:
        created = c.recv()
        hearing = {"transcription": {"model": "whisper-1"}}
        session = {"type": "transcription", "audio": {"input": hearing}}
        updated = c.answer({"type": "session.update", "session": session})
        c.send(append(LOUD + QUIET), append(QUIET))
        events = c.until("conversation.item.input_audio_transcription.completed")
        assert c.error(RESPOND)["type"] == "invalid_request_error"
    assert created["session"]["type"] == "transcription"
    assert created["session"]["object"] == "realtime.transcription_session"
    assert updated["session"]["audio"]["input"]["transcription"]["model"] == "whisper-1"
    assert types(events)[0] == "input_audio_buffer.speech_started"
    assert events[-1]["transcript"] == "Audio of 300 ms."


def test_a_transcription_session_in_v1(server: ReplayServer) -> None:
    path = "/v1/realtime?intent=transcription"
    with client(server, path, additional_headers=BETA, skip=0) as c:
        assert c.recv()["type"] == "transcription_session.created"
        assert c.recv()["type"] == "conversation.created"
        session = {"input_audio_transcription": {"model": "whisper-1"}}
        updated = c.answer({"type": "transcription_session.update", "session": session})
        c.send(append(LOUD), COMMIT)
        events = c.until("conversation.item.input_audio_transcription.completed")
    assert updated["type"] == "transcription_session.updated"
    assert updated["session"].items() >= session.items()
    assert types(events)[:3] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.committed",
        "conversation.item.created",
    ]


def test_a_translation_session(server: ReplayServer) -> None:
    path = "/v1/realtime/translations?model=gpt-realtime-translate"
    chunk = {"type": "session.input_audio_buffer.append"}
    with client(server, path, skip=0) as c:
        created = c.recv()
        c.send({**chunk, "audio": base64.b64encode(LOUD + QUIET).decode()})
        plain = [c.recv(), c.recv()]
        audio = {"input": {"transcription": {"model": "m"}}, "output": {"language": "es"}}
        updated = c.answer({"type": "session.update", "session": {"audio": audio}})
        c.send({**chunk, "audio": base64.b64encode(LOUD).decode()}, {"type": "session.close"})
        rest = c.until("session.closed")
        assert c.closed() == (1000, "")
    assert created["session"]["type"] == "translation"
    assert created["session"]["model"] == "gpt-realtime-translate"
    assert types(plain) == ["session.output_transcript.delta", "session.output_audio.delta"]
    assert base64.b64decode(plain[1]["delta"]) == LOUD + QUIET
    assert plain[1]["elapsed_ms"] == 200
    assert updated["session"]["audio"]["output"]["language"] == "es"
    assert types(rest) == [
        "session.input_transcript.delta",
        "session.output_transcript.delta",
        "session.output_audio.delta",
        "session.closed",
    ]
    assert base64.b64decode(rest[2]["delta"]) == LOUD
    received = server.sessions[0].received
    assert isinstance(received[-1], ga.RealtimeTranslationClientEventSessionClose)


def test_a_translation_session_answers_bad_input(server: ReplayServer) -> None:
    with client(server, "/v1/realtime/translations") as c:
        c.connection.send("{")
        assert c.recv()["error"]["code"] == "invalid_json"
        assert c.error(RESPOND)["param"] == "type"
        error = c.error({"type": "session.input_audio_buffer.append", "audio": "?"})
        assert error["param"] == "audio"


# Which protocol, which path


def test_the_handshake_tells_the_protocol(server: ReplayServer) -> None:
    subprotocols = ["realtime", "openai-beta.realtime-v1"]
    with client(server, "/v1/realtime", subprotocols=subprotocols) as c:
        assert c.connection.subprotocol == "realtime"
    with client(server, additional_headers=BETA):
        pass
    with client(server):
        pass
    assert [session.protocol for session in server.sessions] == ["v1", "v1", "ga"]


def test_the_protocol_can_be_fixed() -> None:
    with ReplayServer(protocol="ga") as server:
        with client(server, additional_headers=BETA, skip=0) as c:
            code, reason = c.closed()
        assert (code, server.sessions[0].close_code) == (4000, 4000)
        assert reason
        assert server.sessions[0].sent == []
        with client(server) as c:
            c.turn(RESPOND)
    with ReplayServer(protocol="v1") as server, client(server, skip=2) as c:
        assert c.answer(text("Hi."))["type"] == "conversation.item.created"


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/openai/v1/realtime?model=mine", "mine"),
        ("/openai/realtime?api-version=2025-04-01-preview&deployment=mine", "mine"),
        ("/any/prefix/realtime?model=mine", "mine"),
        ("/realtime", "gpt-realtime"),
    ],
)
def test_paths_of_other_services(server: ReplayServer, path: str, model: str) -> None:
    with client(server, path, skip=0) as c:
        assert c.recv()["session"]["model"] == model


@pytest.mark.parametrize("path", ["/v1/chat", "/v1/realtime?call_id=rtc_nobody"])
def test_other_paths_refuse_the_handshake(server: ReplayServer, path: str) -> None:
    with pytest.raises(InvalidStatus) as caught, client(server, path):
        pass
    assert caught.value.response.status_code == 404
    assert json.loads(caught.value.response.body)["error"]["message"]
    assert server.sessions == []


# Keys


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    "headers", [bearer(KEY), {"api-key": KEY}, {"authorization": f"bearer {KEY}"}]
)
def test_the_right_key_is_taken(headers: dict[str, str]) -> None:
    with ReplayServer(api_key=KEY) as server, client(server, additional_headers=headers) as c:
        c.turn(RESPOND)


def test_browsers_send_their_key_as_a_subprotocol() -> None:
    offered = ["realtime", f"openai-insecure-api-key.{KEY}"]
    with ReplayServer(api_key=KEY) as server:
        with client(server, subprotocols=offered) as c:
            c.turn(RESPOND)
        assert KEY not in repr(server.sessions[0].headers)


@pytest.mark.parametrize("headers", [{}, bearer("sk-wrong"), {"api-key": "sk-wrong"}])
def test_another_key_is_closed_with_3000(headers: dict[str, str]) -> None:
    with ReplayServer(api_key=KEY) as server:
        with client(server, additional_headers=headers, skip=0) as c:
            code, reason = c.closed()
        assert (code, reason) == (3000, "invalid_request_error.invalid_api_key")
        assert server.sessions[0].close_code == 3000


def test_v1_names_its_own_parameters(server: ReplayServer) -> None:
    with client(server, additional_headers=BETA) as c:
        c.turn(text("Hi."), RESPOND)
        error = c.error({"type": "session.update", "session": {"voice": "ash"}})
    assert (error["code"], error["param"]) == ("cannot_update_voice", "session.voice")


def test_secrets_do_not_show() -> None:
    headers = {**bearer(KEY), "api-key": KEY, "Cookie": KEY}
    with ReplayServer(api_key=KEY) as server:
        with client(server, additional_headers=headers):
            pass
        session = server.sessions[0]
        shown = f"{server!r} {session!r} {session.headers!r} {session.headers} {vars(session)}"
        assert KEY not in shown
        assert "host" in shown
        # It is there for who asks.
        assert session.headers["api-key"] == KEY


# HTTP


def api(server: ReplayServer, key: str | None = KEY) -> ga.RealtimeApi:
    return ga.RealtimeApi(ApiClient(Configuration(host=server.url, access_token=key)))


def request(
    server: ReplayServer, method: str, path: str, **kwargs: Any
) -> urllib3.BaseHTTPResponse:
    with urllib3.PoolManager() as pool:
        return pool.request(method, server.url + path, retries=False, timeout=10, **kwargs)


def test_client_secrets_open_sessions() -> None:
    with ReplayServer(api_key=KEY) as server:
        settings = ga.RealtimeSessionCreateRequestGA(instructions="Be brief.")
        wanted = ga.RealtimeCreateClientSecretRequest(session=settings)
        with ApiClient(Configuration(host=server.url, access_token=KEY)) as http:
            secret = ga.RealtimeApi(http).create_realtime_client_secret(wanted)
        assert secret.value.startswith("ek_")
        assert secret.expires_at > 0
        assert deviations(secret) == []
        with client(server, additional_headers=bearer(secret.value), skip=0) as c:
            created = c.recv()["session"]
        assert created["id"] == secret.session.id
        assert created["instructions"] == "Be brief."
        assert secret.value not in repr(vars(server.sessions[0]))


def test_v1_sessions_open_sessions() -> None:
    with ReplayServer(api_key=KEY) as server:
        with ApiClient(Configuration(host=server.url, access_token=KEY)) as http:
            v1 = V1RealtimeApi(http)
            session = v1.create_realtime_session({"voice": "ash"})
            transcription = v1.create_realtime_transcription_session({})
        assert session.voice == "ash"
        assert deviations(session) == deviations(transcription) == []
        assert transcription.client_secret is not None
        headers = {**BETA, **bearer(session.client_secret.value)}
        with client(server, additional_headers=headers, skip=0) as c:
            assert c.recv()["session"]["voice"] == "ash"
        headers = {**BETA, **bearer(transcription.client_secret.value)}
        with client(server, additional_headers=headers, skip=0) as c:
            assert c.recv()["type"] == "transcription_session.created"


def test_translation_secrets_open_sessions() -> None:
    with ReplayServer(api_key=KEY) as server:
        wanted = ga.RealtimeTranslationClientSecretCreateRequest.from_dict(
            {"session": {"model": "m", "audio": {"output": {"language": "fr"}}}}
        )
        with ApiClient(Configuration(host=server.url, access_token=KEY)) as http:
            secret = ga.RealtimeApi(http).create_realtime_translation_client_secret(wanted)
        assert deviations(secret) == []
        path, headers = "/v1/realtime/translations", bearer(secret.value)
        for _ in range(2):
            with client(server, path, additional_headers=headers, skip=0) as c:
                assert c.recv()["session"]["audio"]["output"] == {"language": "fr"}
                changed = {"audio": {"output": {"language": "es"}}}
                c.answer({"type": "session.update", "session": changed})


@pytest.mark.parametrize("settings", [None, {"type": "realtime", "instructions": "Be brief."}])
def test_calls(server: ReplayServer, settings: Event | None) -> None:
    with ApiClient(Configuration(host=server.url, access_token=KEY)) as http:
        calls = ga.RealtimeApi(http)
        created = calls.create_realtime_call("v=0\r\n", settings)
        call_id = created.id
        assert call_id.startswith("rtc_")
        assert created.data.startswith("v=0\r\n")
        with client(server, f"/v1/realtime?call_id={call_id}", skip=0) as c:
            session = c.recv()["session"]
            assert session["instructions"].startswith("Be brief." if settings else "You are")
            c.turn(RESPOND)
        calls.accept_realtime_call(call_id, ga.RealtimeSessionCreateRequestGA())
        calls.refer_realtime_call(call_id, ga.RealtimeCallReferRequest(target_uri="tel:+1"))
        calls.hangup_realtime_call(call_id)
    for action in ("accept", "hangup", "refer", "reject", "x"):
        assert request(server, "POST", f"/realtime/calls/{call_id}/{action}").status == 404


def test_a_call_is_a_201_of_sdp_with_its_location(server: ReplayServer) -> None:
    headers = {"Content-Type": "application/sdp"}
    response = request(server, "POST", "/realtime/calls", body=b"v=0\r\n", headers=headers)
    assert response.status == 201
    assert response.headers["Content-Type"] == "application/sdp"
    assert response.headers["Location"].startswith("/v1/realtime/calls/rtc_")
    assert request(server, "POST", response.headers["Location"][3:] + "/reject").status == 200


def test_http_wants_the_key_too() -> None:
    with ReplayServer(api_key=KEY) as server:
        wrong = ApiClient(Configuration(host=server.url, access_token="sk-wrong"))
        with wrong as http, pytest.raises(UnauthorizedError) as caught:
            ga.RealtimeApi(http).create_realtime_client_secret(
                ga.RealtimeCreateClientSecretRequest()
            )
        assert caught.value.error["code"] == "invalid_api_key"
        assert caught.value.request_id
        assert "sk-wrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/realtime/client_secrets", b"", 404),
        ("GET", "/realtime?model=m", b"", 404),
        ("POST", "/models", b"{}", 404),
        ("POST", "/realtime/nothing", b"{}", 404),
        ("POST", "/realtime/client_secrets", b"{", 400),
        ("POST", "/realtime/client_secrets", b"[]", 400),
        ("POST", "/realtime/client_secrets", b'{"session":{"type":"realtime","tools":1}}', 400),
        ("POST", "/realtime/client_secrets", b'{"session":{"type":"x"}}', 400),
        ("POST", "/realtime/sessions", b'{"modalities":1}', 400),
        ("POST", "/realtime/transcription_sessions", b'{"x":1}', 400),
        ("POST", "/realtime/translations/client_secrets", b"{}", 400),
        ("POST", "/realtime/client_secrets", b"", 200),
    ],
)
def test_other_requests(
    server: ReplayServer, method: str, path: str, body: bytes, status: int
) -> None:
    response = request(server, method, path, body=body)
    assert response.status == status
    if status != 200:
        assert response.json()["error"].keys() == {"message", "type", "param", "code"}


def wait_for_end(raw: socket.socket) -> None:
    raw.settimeout(10)
    with suppress(ConnectionResetError):
        while raw.recv(4096):
            pass


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"",
        b"GET /v1/realtime HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
        b"POST /v1/realtime/calls HTTP/1.1\r\nContent-Length: 10\r\n\r\nv=0",
        b"A" * 100_000,
    ],
)
def test_what_is_no_request_harms_no_one(server: ReplayServer, sent: bytes) -> None:
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port)) as raw:
        raw.sendall(sent)
        raw.shutdown(socket.SHUT_WR)
        wait_for_end(raw)
    with client(server) as c:
        c.turn(RESPOND)


# Faults


def test_a_connection_is_cut() -> None:
    with ReplayServer(faults=Faults(cut_after=3)) as server:
        with client(server, skip=0) as c:
            c.send(RESPOND)
            assert len(c.until("response.output_item.added")) == 3
            assert c.closed() == (1006, "")
        assert server.sessions[0].close_code == 1006
        assert len(server.sessions[0].sent) == 3


def test_a_connection_is_cut_before_anything_was_said() -> None:
    with ReplayServer(faults=Faults(cut_after=0)) as server, client(server, skip=0) as c:
        assert c.closed() == (1006, "")
        assert server.sessions[0].sent == []


def test_a_connection_is_closed() -> None:
    faults = Faults(close_after=1, close_code=1001, close_reason="Too long.")
    with ReplayServer(faults=faults) as server, client(server) as c:
        assert c.closed() == (1001, "Too long.")
        assert server.sessions[0].close_code == 1001
        assert server.sessions[0].close_reason == "Too long."


def test_garbage_does_not_end_a_session() -> None:
    with ReplayServer(faults=Faults(garbage_after=1)) as server, client(server) as c:
        with pytest.raises(ValueError, match="Unterminated string"):
            c.recv()
        c.turn(RESPOND)


def test_a_broken_frame() -> None:
    with ReplayServer(faults=Faults(broken_frame_after=1)) as server, client(server) as c:
        with pytest.raises(ConnectionClosed) as caught:
            c.recv()
        assert caught.value.sent
        assert caught.value.sent.code == 1002
        assert server.sessions[0].close_code == 1006


@pytest.mark.parametrize("size", [0, 200, 100_000])
def test_a_huge_event(size: int) -> None:
    faults = Faults(huge_after=1, huge_size=size)
    with ReplayServer(faults=faults) as server, client(server) as c:
        message = c.connection.recv(timeout=10)
        c.turn(RESPOND)
    assert len(message) == max(size, 71)
    assert deviations(ga.parse_server_event(message)) == []


def test_a_huge_event_is_too_much_for_a_limit() -> None:
    faults = Faults(huge_after=1, huge_size=5000)
    with ReplayServer(faults=faults) as server, client(server, max_size=4999) as c:
        with pytest.raises(ConnectionClosed):
            c.recv()
        assert server.sessions[0].close_code == 1009


@pytest.mark.parametrize(
    ("body", "content_type"), [('{"error":{}}', "application/json"), ("Busy.", "text/plain")]
)
def test_a_refused_handshake(body: str, content_type: str) -> None:
    with ReplayServer(faults=Faults(refuse=429, refuse_body=body)) as server:
        with pytest.raises(InvalidStatus) as caught, client(server):
            pass
        response = caught.value.response
        assert (response.status_code, response.body) == (429, body.encode())
        assert response.headers["Content-Type"] == content_type
        assert server.sessions == []
        # Only the handshake.
        secret = request(server, "POST", "/realtime/client_secrets", body=b"{}")
        assert secret.status == 200
        server.faults = Faults()
        with client(server) as c:
            c.turn(RESPOND)


def test_a_status_that_no_one_knows() -> None:
    with ReplayServer(faults=Faults(refuse=599)) as server:
        with pytest.raises(InvalidStatus) as caught, client(server):
            pass
        assert caught.value.response.status_code == 599


def test_faults_are_those_of_new_sessions() -> None:
    with ReplayServer() as server, client(server) as first:
        server.faults = Faults(cut_after=0)
        first.turn(RESPOND)
        with client(server, skip=0) as second:
            assert second.closed() == (1006, "")


def test_a_client_can_leave_while_the_server_takes_its_time() -> None:
    with ReplayServer(faults=Faults(delay=3600)) as server:
        with client(server, skip=0, close_timeout=20):
            pass
        assert server.sessions[0].close_code == 1000
        assert server.sessions[0].sent == []


def test_a_failure_of_the_server_itself_is_loud(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> str:
        raise KeyError("planted")

    for name in ("responses.answer", "rules.audio.decoded", "session.huge_event"):
        monkeypatch.setattr(f"openai_realtime_client.testing.{name}", fail)
    for event in (RESPOND, append(LOUD), text("Hi.")):
        server = ReplayServer(faults=Faults(huge_after=2))
        with server, client(server) as c:
            c.send(event)
            assert c.closed()[0] == 1011
            with pytest.raises(RuntimeError, match="failed") as caught:
                server.__exit__(None, None, None)
            assert isinstance(caught.value.__cause__, KeyError)
            server.sessions.clear()
            server.__enter__()


# Scripts


def greeting() -> list[str]:
    return (RECORDINGS / "ga_text_turn.jsonl").read_text("utf-8").splitlines()


def test_a_recording_is_replayed() -> None:
    recorded = [*read_recording(greeting())]
    with ReplayServer(script=RECORDINGS / "ga_text_turn.jsonl") as server:
        for _ in range(2):
            with client(server, skip=0) as c:
                for line in recorded:
                    if line.direction == "client":
                        c.send(line.event)
                    else:
                        assert c.recv() == line.event
                assert c.closed() == (1000, "")
        first, second = server.sessions
    assert first.mismatch is second.mismatch is None
    assert first.close_code == 1000
    assert [event.to_dict() for event in first.received] == [
        line.event for line in recorded if line.direction == "client"
    ]
    assert first.sent == second.sent
    assert isinstance(first.sent[0], ga.RealtimeServerEventSessionCreated)
    check_sent(first)


def test_a_recording_may_be_lines_or_entries() -> None:
    event = {"type": "conversation.created", "event_id": "e", "conversation": {"id": "c"}}
    script: list[str | RecordedEvent] = [json.dumps(event), RecordedEvent("client", RESPOND)]
    with ReplayServer(script=script) as server, client(server, skip=0) as c:
        assert c.answer(RESPOND) == event
        assert c.closed() == (1000, "")
        assert server.sessions[0].mismatch is None


def test_a_recording_of_v1_is_replayed() -> None:
    recorded = [*read_recording(RECORDINGS / "v1_text_turn.jsonl")]
    with ReplayServer(script=recorded) as server:
        with client(server, skip=0, additional_headers=BETA) as c:
            c.send(*(line.event for line in recorded if line.direction == "client"))
            for line in recorded:
                if line.direction == "server":
                    assert c.recv() == line.event
            assert c.closed() == (1000, "")
        assert server.sessions[0].mismatch is None
        check_sent(server.sessions[0])


def test_ids_need_not_match_a_script() -> None:
    delete = {"type": "conversation.item.delete", "item_id": "a", "event_id": "b"}
    script = [RecordedEvent("client", delete)]
    with ReplayServer(script=script) as server, client(server, skip=0) as c:
        c.send({**delete, "item_id": "x", "event_id": "y"})
        assert c.closed() == (1000, "")
        assert server.sessions[0].mismatch is None


@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_audio_may_be_cut_differently_than_in_a_script(pieces: int) -> None:
    started = {"type": "input_audio_buffer.speech_started", "event_id": "e"}
    script = [
        RecordedEvent("client", append(LOUD)),
        RecordedEvent("client", append(LOUD)),
        RecordedEvent("server", started),
        RecordedEvent("client", append(LOUD)),
        RecordedEvent("client", COMMIT),
    ]
    with ReplayServer(script=script) as server, client(server, skip=0) as c:
        c.send(*[append(LOUD)] * pieces, COMMIT)
        assert c.recv() == started
        assert c.closed() == (1000, "")
        assert server.sessions[0].mismatch is None


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ([RESPOND], "line 3: expected session.update, received response.create"),
        (
            [{"type": "session.update", "session": {}}, CANCEL],
            "line 5: expected conversation.item.",
        ),
        ([{"no": "event"}], "line 3: expected session.update, received no event"),
        ([append(LOUD)], "line 3: expected session.update, received input_audio_buffer.append"),
    ],
)
def test_a_client_that_departs_from_the_script(sent: list[Event], reason: str) -> None:
    with ReplayServer(script=["", *greeting()]) as server:
        with client(server) as c:
            c.send(*sent)
            code, said = c.closed()
        session = server.sessions[0]
    assert code == session.close_code == 1011
    assert said.startswith(reason)
    assert session.mismatch == said == session.close_reason


def test_a_client_that_leaves_before_the_script_ends() -> None:
    with ReplayServer(script=greeting()) as server, client(server):
        pass
    mismatch = server.sessions[0].mismatch
    assert mismatch == "line 2: expected session.update, the connection ended"
    assert server.sessions[0].close_code == 1000


def test_what_is_sent_after_the_end_of_a_script_does_not_matter() -> None:
    with ReplayServer(script=[RecordedEvent("client", RESPOND)]) as server:
        with client(server, skip=0) as c:
            c.send(RESPOND)
            # The close frame may have come already.
            with suppress(ConnectionClosed):
                c.send(RESPOND, RESPOND)
            assert c.closed() == (1000, "")
        assert server.sessions[0].mismatch is None


def test_faults_befall_scripts_too() -> None:
    faults = Faults(cut_after=1)
    with ReplayServer(script=greeting(), faults=faults) as server, client(server) as c:
        assert c.closed() == (1006, "")


def test_a_session_can_be_saved_and_replayed(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    with ReplayServer() as server:
        with client(server, skip=0) as c:
            first = [c.recv(), *c.turn(text("Grüße."), RESPOND)]
        recording = server.sessions[0].recording()
    path.write_text("".join(f"{line.to_json()}\n" for line in recording), "utf-8")
    assert [line[:3] for line in read_recording(path)] == [line[:3] for line in recording]
    times = [line.at_ms for line in recording]
    assert times == sorted(times, key=lambda time: time or 0)
    with ReplayServer(script=path) as server, client(server, skip=0) as c:
        assert [c.recv(), *c.turn(text("Hallo."), RESPOND)] == first
        assert c.closed() == (1000, "")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{secret", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('["secret"]', "not an object"),
        ('{"secret":1}', 'no event with a string "type"'),
        ('{"type":1}', 'no event with a string "type"'),
        ('{"from":"client","event":{"secret":1}}', 'no event with a string "type"'),
        ('{"from":"client","event":"secret"}', 'no event with a string "type"'),
        ('{"from":"secret","event":{"type":"t"}}', '"from" is neither "client" nor "server"'),
        ('{"from":"client","event":{"type":"t"},"at_ms":"secret"}', '"at_ms" is not a number'),
        ('{"from":"client","event":{"type":"t"},"at_ms":true}', '"at_ms" is not a number'),
    ],
)
def test_a_line_that_is_no_event(line: str, problem: str) -> None:
    with pytest.raises(ValueError, match="line 3: ") as caught:
        ReplayServer(script=["", '{"type":"response.create"}', line])
    assert str(caught.value) == f"line 3: {problem}"
    assert caught.value.__cause__ is None


def test_lines_of_recordings() -> None:
    lines = [
        '{"from":"client","at_ms":1.5,"event":{"type":"a"}}',
        "  ",
        '{"type":"response.create"}',
        '{"type":"session.close"}',
        '{"type":"transcription_session.update"}',
        '{"type":"response.done"}',
        '{"type":"response.text.delta"}',
        '{"type":"session.output_audio.delta"}',
        '{"type":"no.such","event":1}',
    ]
    recorded = [*read_recording(lines)]
    assert recorded[0] == RecordedEvent("client", {"type": "a"}, 1.5, 1)
    assert recorded[0].to_json() == lines[0]
    assert [line.line for line in recorded] == [1, 3, 4, 5, 6, 7, 8, 9]
    assert [line.direction for line in recorded[1:]] == ["client"] * 3 + ["server"] * 4
    assert recorded[-1].event == {"type": "no.such", "event": 1}
    assert recorded[-1].to_json() == '{"from":"server","event":{"type":"no.such","event":1}}'


def test_a_recording_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        ReplayServer(script="no/such/file.jsonl")


# What a session remembers


def test_a_session_remembers(server: ReplayServer) -> None:
    with client(server) as c:
        c.turn(RESPOND)
        session = server.sessions[0]
        assert session.close_code is None
        assert isinstance(session.received[0], ga.RealtimeClientEventResponseCreate)
        assert isinstance(session.sent[-1], ga.RealtimeServerEventRateLimitsUpdated)
        assert session.headers["host"] == urlsplit(server.url).netloc
        assert session.request_path == "/v1/realtime?model=gpt-realtime"
        c.connection.close(4321, "Enough.")
    assert (session.close_code, session.close_reason) == (4321, "Enough.")


def test_a_session_need_not_remember() -> None:
    with ReplayServer(keep_events=False) as server:
        with client(server) as c:
            c.turn(RESPOND)
        session = server.sessions[0]
    assert session.received == session.sent == session.recording() == []
    assert session.close_code == 1000


# Starting and stopping


def test_async_with_serves_beside_the_loop() -> None:
    async def hold() -> tuple[list[str], ReplayServer]:
        async with ReplayServer() as server:
            kinds: list[str] = []
            async with connect_async(ws_url(server, "/v1/realtime"), proxy=None) as connection:
                await connection.send(json.dumps(RESPOND))
                while kinds[-1:] != ["rate_limits.updated"]:
                    kinds.append(json.loads(await connection.recv())["type"])
        return kinds, server

    kinds, server = asyncio.run(hold())
    assert kinds[:2] == ["session.created", "response.created"]
    assert server.sessions[0].close_code == 1000


def test_leaving_closes_connections_of_the_same_loop() -> None:
    async def hold() -> tuple[int, list[asyncio.Task[Any]]]:
        async with ReplayServer() as server:
            connection = await connect_async(ws_url(server, "/v1/realtime"), proxy=None)
        await connection.wait_closed()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert connection.close_code is not None
        return connection.close_code, others

    assert asyncio.run(hold()) == (1001, [])


@contextmanager
def raw_client(server: ReplayServer) -> Iterator[socket.socket]:
    """A connection that has had its handshake, and from then on answers nothing."""
    address = urlsplit(server.url)
    key = base64.b64encode(b"0123456789abcdef").decode()
    head = [
        "GET /v1/realtime HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    ]
    with socket.create_connection((address.hostname, address.port)) as raw:
        raw.sendall("\r\n".join([*head, "", ""]).encode())
        assert raw.recv(12) == b"HTTP/1.1 101"
        yield raw


def test_leaving_closes_connections_of_a_blocked_client() -> None:
    with ExitStack() as stack:
        with ReplayServer() as server:
            address = urlsplit(server.url)
            raw = stack.enter_context(raw_client(server))
            idle = socket.create_connection((address.hostname, address.port))
            stack.enter_context(idle)
        wait_for_end(raw)
        wait_for_end(idle)
    assert server.sessions[0].close_code == 1001


def test_a_client_that_does_not_answer_a_close_frame_is_left() -> None:
    with ReplayServer(faults=Faults(close_after=1)) as server, raw_client(server) as raw:
        wait_for_end(raw)
        assert server.sessions[0].close_code == 1011


def test_leaving_in_the_middle_of_a_response() -> None:
    with ReplayServer(faults=Faults(delay=0.01)) as server, client(server) as c:
        c.send(RESPOND)
        c.until("response.created")
        server.__exit__(None, None, None)
        assert c.closed()[0] == 1001
        server.__enter__()


def test_a_server_can_be_started_again_but_not_twice() -> None:
    server = ReplayServer()
    with server:
        url = server.url
        with pytest.raises(RuntimeError, match="is running"):
            server.__enter__()
    with server:
        assert server.url == url
        with client(server) as c:
            c.turn(RESPOND)


def test_a_port_that_is_taken() -> None:
    with ReplayServer() as server:
        port = urlsplit(server.url).port or 0
        other = ReplayServer(port=port)
        with pytest.raises(OSError, match="in use"), other:
            pass

        async def enter() -> None:
            async with other:
                pass

        with pytest.raises(OSError, match="in use"):
            asyncio.run(enter())
    with other:
        assert urlsplit(other.url).port == port


def test_urls() -> None:
    with ReplayServer(host="localhost") as server:
        assert server.url == f"{server.azure_endpoint}/v1"
        assert server.azure_endpoint.startswith("http://localhost:")
        with client(server) as c:
            c.turn(RESPOND)


def open_files() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def leave_cut() -> None:
    with ReplayServer(faults=Faults(cut_after=1)) as server, client(server) as c:
        c.closed()


def leave_open() -> None:
    with ExitStack() as stack, ReplayServer(faults=Faults(delay=0.01)) as server:
        stack.enter_context(client(server)).send(RESPOND)


def leave_async() -> None:
    async def hold() -> None:
        async with ReplayServer() as server:
            await connect_async(ws_url(server, "/v1/realtime"), proxy=None)

    asyncio.run(hold())


def leave_cancelled() -> None:
    async def hold() -> None:
        async with ReplayServer():
            await asyncio.sleep(60)

    async def cancel() -> None:
        for rounds in range(4):
            task = asyncio.create_task(hold())
            # Cancelled before, while and after it starts.
            for _ in range(rounds):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancel())


def leave_many() -> None:
    async def hold() -> None:
        async with ReplayServer() as server:
            url = ws_url(server, "/v1/realtime")
            await asyncio.gather(*(connect_async(url, proxy=None) for _ in range(50)))

    asyncio.run(hold())


def leave_at_once() -> None:
    with ReplayServer() as server:
        aside = {"type": "response.create", "response": {"conversation": "none"}}
        for _ in range(200):
            with client(server) as c:
                c.send(aside, aside, aside)
                c.connection.socket.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "leave",
    [leave_cut, leave_open, leave_async, leave_cancelled, leave_many, leave_at_once],
)
def test_nothing_is_left_behind(leave: Callable[[], None]) -> None:
    leave()
    gc.collect()
    threads, files = threading.enumerate(), open_files()
    leave()
    gc.collect()
    assert threading.enumerate() == threads
    assert open_files() == files
    assert not any(thread.name == "ReplayServer" for thread in threads)


# Packaging


PLUGIN = "openai_realtime_client.testing.pytest_plugin"


def test_the_fixture_is_a_started_server(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The package may be installed, and pytest know the plugin by its entry point.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        """
        import urllib3

        def test_it(realtime_server):
            response = urllib3.request("POST", realtime_server.url + "/realtime/client_secrets")
            assert response.json()["value"]
        """
    )
    pytester.runpytest("-p", PLUGIN).assert_outcomes(passed=1)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_plugin_imports_nothing_before_the_fixture_is_used() -> None:
    heavy = ("pydantic", "websockets", "asyncio.streams")
    code = f"import sys, pytest, {PLUGIN}; print([m for m in {heavy} if m in sys.modules])"
    assert run(code) == "[]\n"


def test_the_package_does_not_import_the_server() -> None:
    code = "import sys, openai_realtime_client; print([m for m in sys.modules if 'testing' in m])"
    assert run(code) == "[]\n"


def test_without_websockets_the_error_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['websockets'] = None\n"
        "try:\n    from openai_realtime_client.testing import ReplayServer\n"
        "except ImportError as error: print(error)"
    )
    assert 'pip install "websockets>=15"' in run(code)
