"""Builders of what is sent: each gives an event that the protocols know."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from typing import Annotated, Any

import pytest
from pydantic import Field

from openai_realtime_client import (
    Conversation,
    FunctionTool,
    deviations,
    function_output,
    ga,
    user_audio,
    user_image,
    user_text,
    v1,
)

Event = dict[str, Any]


@pytest.mark.parametrize(
    ("event", "item"),
    [
        (user_text("Hi"), {"content": [{"type": "input_text", "text": "Hi"}]}),
        (user_audio(b"\0\1\2"), {"content": [{"type": "input_audio", "audio": "AAEC"}]}),
        (
            user_image(b"\0", media_type="image/jpeg"),
            {"content": [{"type": "input_image", "image_url": "data:image/jpeg;base64,AA=="}]},
        ),
        (
            user_image("https://example.com/a.png"),
            {"content": [{"type": "input_image", "image_url": "https://example.com/a.png"}]},
        ),
        (function_output("c", "done"), {"call_id": "c", "output": "done"}),
        (function_output("c", {"a": [1, date(2026, 1, 2)]}), {"output": '{"a":[1,"2026-01-02"]}'}),
    ],
)
def test_events_are_of_the_protocols(event: Event, item: Event) -> None:
    assert item.items() <= event["item"].items()
    for parse in (ga.parse_client_event, v1.parse_client_event):
        typed = parse(json.dumps(event))
        assert typed.to_dict() == event
        if "image" not in json.dumps(event) or parse is ga.parse_client_event:
            assert deviations(typed) == []


def get_weather(
    city: Annotated[str, Field(description="Name of the city.")], day: date | None = None
) -> Any:
    """Look up the weather.

    In any city.
    """
    if city == "Atlantis":
        raise LookupError("no such city")
    return {"city": city, "day": day}


def test_a_function_is_described_by_its_signature() -> None:
    definition = FunctionTool(get_weather).definition
    parameters = definition.pop("parameters")
    assert definition == {
        "type": "function",
        "name": "get_weather",
        "description": "Look up the weather.\n\nIn any city.",
    }
    assert parameters["required"] == ["city"]
    assert parameters["properties"]["city"]["description"] == "Name of the city."
    assert list(parameters["properties"]) == ["city", "day"]
    tool = ga.RealtimeFunctionTool.from_dict(FunctionTool(get_weather).definition)
    assert deviations(tool) == []


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        ('{"city": "Oslo"}', '{"city":"Oslo","day":null}'),
        ('{"city": "Oslo", "day": "2026-01-02"}', '{"city":"Oslo","day":"2026-01-02"}'),
        ('{"city": "Atlantis"}', "Error: no such city"),
        ("{}", "Error: city: Missing required argument"),
        ("", "Error: city: Missing required argument"),
        ('{"city": "Oslo", "town": 1}', "Error: town: Unexpected keyword argument"),
        ('{"city": 5}', "Error: city: Input should be a valid string"),
    ],
)
def test_calls_are_validated_and_run(arguments: str, output: str) -> None:
    tool = FunctionTool(get_weather)
    call: Event = {"id": "i", "type": "function_call", "call_id": "c", "arguments": arguments}
    expected = function_output("c", output)
    conversation = Conversation()
    conversation.add({"type": "conversation.item.done", "item": call})
    typed = ga.RealtimeConversationItemFunctionCall.from_dict({**call, "name": tool.name})
    for each in (call, conversation.items[0], typed):
        assert tool.run(each) == expected

    async def weather(city: str, day: date | None = None) -> Any:
        return get_weather(city, day)

    assert asyncio.run(FunctionTool(weather).run_async(call)) == expected


def test_arguments_that_are_not_json_are_an_error() -> None:
    event = FunctionTool(get_weather).run({"call_id": "c", "arguments": '{"city":'})
    assert event["item"]["output"].startswith("Error: Invalid JSON")
