"""Builders of what is sent: each gives an event that the protocols know."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from openai_realtime_client import Conversation, deviations, ga, v1

Event = dict[str, Any]


PROTOCOLS = pytest.mark.parametrize("protocol", [ga, v1], ids=["ga", "v1"])


@PROTOCOLS
@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("user_text", ["Hi"], {"content": [{"type": "input_text", "text": "Hi"}]}),
        ("user_audio", [b"\0\1\2"], {"content": [{"type": "input_audio", "audio": "AAEC"}]}),
        ("function_output", ["c", "done"], {"call_id": "c", "output": "done"}),
        (
            "function_output",
            ["c", {"a": [1, date(2026, 1, 2)]}],
            {"call_id": "c", "output": '{"a":[1,"2026-01-02"]}'},
        ),
    ],
)
def test_events_are_of_the_protocol(
    protocol: Any, name: str, arguments: list[Any], expected: Event
) -> None:
    event = getattr(protocol, name)(*arguments)
    typed = protocol.parse_client_event(json.dumps(event))
    assert type(typed) is protocol.RealtimeClientEventConversationItemCreate
    assert typed.to_dict() == event
    assert deviations(typed) == []
    assert expected.items() <= event["item"].items()


def test_images_are_for_ga() -> None:
    for event, url in [
        (ga.user_image(b"\0", media_type="image/jpeg"), "data:image/jpeg;base64,AA=="),
        (ga.user_image("https://example.com/a.png"), "https://example.com/a.png"),
    ]:
        typed = ga.parse_client_event(json.dumps(event))
        assert deviations(typed) == []
        content = typed.to_dict()["item"]["content"]
        assert content == [{"type": "input_image", "image_url": url}]
    assert not hasattr(v1, "user_image")


def get_weather(
    city: Annotated[str, Field(description="Name of the city.")], day: date | None = None
) -> Any:
    """Look up the weather.

    In any city.
    """
    if city == "Atlantis":
        raise LookupError("no such city")
    return {"city": city, "day": day}


@PROTOCOLS
def test_a_function_is_described_by_its_signature(protocol: Any) -> None:
    definition = dict(protocol.FunctionTool(get_weather).definition)
    create = {"type": "response.create", "response": {"tools": [definition]}}
    assert deviations(protocol.parse_client_event(json.dumps(create))) == []
    parameters = definition.pop("parameters")
    assert definition == {
        "type": "function",
        "name": "get_weather",
        "description": "Look up the weather.\n\nIn any city.",
    }
    assert parameters["required"] == ["city"]
    assert parameters["properties"]["city"]["description"] == "Name of the city."
    assert list(parameters["properties"]) == ["city", "day"]


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
    tool = ga.FunctionTool(get_weather)
    call: Event = {"id": "i", "type": "function_call", "call_id": "c", "arguments": arguments}
    expected = ga.function_output("c", output)
    conversation = Conversation()
    conversation.add({"type": "conversation.item.done", "item": call})
    typed = ga.RealtimeConversationItemFunctionCall.from_dict({**call, "name": tool.name})
    for each in (call, conversation.items[0], typed):
        assert tool.run(each) == expected

    async def weather(city: str, day: date | None = None) -> Any:
        return get_weather(city, day)

    assert asyncio.run(ga.FunctionTool(weather).run_async(call)) == expected


def test_arguments_that_are_not_json_are_an_error() -> None:
    event = v1.FunctionTool(get_weather).run({"call_id": "c", "arguments": '{"city":'})
    item: Any = event["item"]
    assert item["output"].startswith("Error: Invalid JSON")


def test_an_output_that_is_not_json_is_an_error() -> None:
    def handle() -> object:
        return object()

    item: Any = ga.FunctionTool(handle).run({"call_id": "c"})["item"]
    assert item["output"].startswith("Error: Unable to serialize")


def test_coroutine_functions_are_awaited() -> None:
    async def fail() -> str:
        raise LookupError("not today")

    def work() -> str:
        return "done"

    with pytest.raises(TypeError, match="fail is a coroutine function: use run_async"):
        ga.FunctionTool(fail).run({"call_id": "c"})
    for function, output in [(fail, "Error: not today"), (work, "done")]:
        event = asyncio.run(ga.FunctionTool(function).run_async({"call_id": "c"}))
        assert event == ga.function_output("c", output)


def test_what_stops_the_program_is_no_error_of_the_function() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    async def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(KeyboardInterrupt):
        ga.FunctionTool(stop).run({"call_id": "c"})
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(ga.FunctionTool(cancelled).run_async({"call_id": "c"}))


def test_a_call_of_another_function_is_an_error() -> None:
    call = {"call_id": "c", "name": "get_time", "arguments": '{"city": "Oslo"}'}
    expected = ga.function_output("c", "Error: there is no function get_time")
    assert ga.FunctionTool(get_weather).run(call) == expected
    assert ga.FunctionTool(get_weather).run({**call, "name": "get_weather"}) != expected


def test_methods_are_tools() -> None:
    class Kitchen:
        def __init__(self) -> None:
            self.orders: list[tuple[str, date | None]] = []

        def order(self, size: Literal["small", "large"], day: date | None = None) -> int:
            self.orders.append((size, day))
            return len(self.orders)

    kitchen = Kitchen()
    tool = ga.FunctionTool(kitchen.order)
    arguments = '{"size": "small", "day": "2026-01-02"}'
    assert tool.run({"call_id": "c", "arguments": arguments}) == ga.function_output("c", 1)
    assert kitchen.orders == [("small", date(2026, 1, 2))]
    definition: Any = tool.definition
    assert list(definition["parameters"]["properties"]) == ["size", "day"]


def test_a_tool_takes_arguments_by_name() -> None:
    def positional(city: str, /) -> str:
        return city

    with pytest.raises(TypeError, match="positional: the model passes arguments by name only"):
        ga.FunctionTool(positional)
