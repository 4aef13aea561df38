"""`Conversation.history`: the events that restore a conversation in a new session."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openai_realtime_client import Conversation, deviations, ga, v1
from openai_realtime_client.testing import ReplayServer

Event = dict[str, Any]

PROTOCOLS = pytest.mark.parametrize("protocol", [ga, v1], ids=["ga", "v1"])
SESSIONS = {ga: {"type": "realtime"}, v1: {"modalities": ["text"]}}
AUDIO = "AAAA" * 1600  # 100 ms


def message(item_id: str, role: str, **part: Any) -> Event:
    return {"id": item_id, "type": "message", "role": role, "content": [part]}


def call(item_id: str, call_id: str) -> Event:
    called = {"type": "function_call", "call_id": call_id, "name": "weather", "arguments": "{}"}
    return {"id": item_id, "status": "completed", **called}


def output(item_id: str, call_id: str) -> Event:
    return {"id": item_id, "type": "function_call_output", "call_id": call_id, "output": "Sunny."}


ITEMS = [
    message("system", "system", type="input_text", text="Be brief."),
    message("asked", "user", type="input_text", text="Hi."),
    message("spoken", "user", type="input_audio", transcript="Weather?"),
    message("silent", "user", type="input_audio", transcript=None),
    message("picture", "user", type="input_image", image_url="data:,"),
    call("call", "c"),
    call("lost call", "d"),
    output("output", "c"),
    message("answer", "assistant", type="output_audio", transcript="It is sunny."),
    message("unheard", "assistant", type="output_audio", transcript="And"),
    {"id": "tools", "type": "mcp_list_tools", "server_label": "l", "tools": []},
]
RESTORED = ["system", "asked", "spoken", "call", "output", "answer"]


def conversation_of(protocol: Any, *items: Event) -> Conversation:
    conversation = Conversation()
    conversation.add({"type": "session.created", "session": {"id": "s", **SESSIONS[protocol]}})
    for item in items:
        conversation.add({"type": "conversation.item.added", "item": item})
    cut = {"type": "conversation.item.truncated", "item_id": "unheard", "audio_end_ms": 0}
    conversation.add(cut)
    return conversation


@PROTOCOLS
def test_items_are_restored_as_text(protocol: Any) -> None:
    events = conversation_of(protocol, *ITEMS).history()
    items = [event["item"] for event in events]
    assert [item["id"] for item in items] == RESTORED
    answer_type = "output_text" if protocol is ga else "text"
    assert [item["content"] for item in items if item["type"] == "message"] == [
        [{"type": "input_text", "text": "Be brief."}],
        [{"type": "input_text", "text": "Hi."}],
        [{"type": "input_text", "text": "Weather?"}],
        [{"type": answer_type, "text": "It is sunny."}],
    ]
    assert [item for item in items if item["type"] != "message"] == [
        {name: value for name, value in call("call", "c").items() if name != "status"},
        output("output", "c"),
    ]
    for event in events:
        assert deviations(protocol.parse_client_event(json.dumps(event))) == []


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        pytest.param({"max_items": 0}, [], id="none"),
        pytest.param({"max_items": 1}, ["answer"], id="one"),
        pytest.param({"max_items": 2}, ["answer"], id="pair_is_not_split"),
        pytest.param({"max_items": 3}, ["call", "output", "answer"], id="pair"),
        pytest.param({"max_tokens": 4}, [], id="too_few_tokens"),
        pytest.param({"max_tokens": 5}, ["answer"], id="tokens"),
        pytest.param({"max_tokens": 1000}, RESTORED, id="enough_tokens"),
    ],
)
def test_limits_keep_the_end(limits: dict[str, int], expected: list[str]) -> None:
    events = conversation_of(ga, *ITEMS).history(**limits)
    assert [event["item"]["id"] for event in events] == expected


def test_calls_without_items_follow_their_response() -> None:
    conversation = conversation_of(ga)
    where = {"response_id": "r", "item_id": "a"}
    for event in (
        {"type": "response.output_text.done", **where, "text": "One moment."},
        {"type": "response.function_call_arguments.done", **where, "call_id": "c", "name": "f"},
        {"type": "response.done", "response": {"id": "r"}},
        ga.function_output("c", "done"),
        {"type": "response.output_text.done", "item_id": "b", "text": "Done."},
    ):
        conversation.add(event)
    items = [event["item"] for event in conversation.history()]
    assert [item.get("call_id") or item["id"] for item in items] == ["a", "c", "c", "b"]
    assert items[1:3] == [
        {"id": "c", "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "done"},
    ]


def test_ids_that_are_too_long_are_left_out() -> None:
    conversation = conversation_of(ga, message("i" * 33, "user", type="input_text", text="Hi."))
    [event] = conversation.history()
    assert "id" not in event["item"]


@PROTOCOLS
def test_a_new_session_has_the_conversation(protocol: Any) -> None:
    items = [item for item in ITEMS if item["id"] not in ("picture", "tools")]
    conversation = conversation_of(protocol, *items)
    before = repr(conversation.items)
    conversation.end_session()
    settings = {**SESSIONS[protocol], "type": "realtime"}
    if protocol is ga:
        settings["output_modalities"] = ["text"]
    else:
        del settings["type"]
    with (
        ReplayServer(answers=["Hello again."]) as server,
        protocol.connect_sync(
            "m", base_url=server.url, api_key="sk-test", conversation=conversation
        ) as connection,
    ):
        connection.send({"type": "session.update", "session": settings})
        for event in conversation.history():
            connection.send(event)
        connection.send(protocol.user_text("And now?"))
        connection.send({"type": "response.create"})
        for event in connection:
            assert event.type != "error", event
            if event.type == "response.done":
                break
    assert repr(conversation.items[: len(items)]) == before
    assert [item.text for item in conversation.items[len(items) :]] == ["And now?", "Hello again."]
