"""Functions for the model: how they are described, called and what the model reads of errors."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from openai_realtime_client import Conversation, ToolError, deviations, ga, v1

Event = dict[str, Any]

PROTOCOLS = pytest.mark.parametrize("protocol", [ga, v1], ids=["ga", "v1"])


def get_weather(
    city: Annotated[str, Field(description="Name of the city.")], day: date | None = None
) -> Any:
    """Look up the weather.

    In any city.
    """
    if city == "Atlantis":
        raise ToolError("no such city")
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
        ("null", "Error: city: Missing required argument"),
        ('{"city": "Oslo", "town": 1}', "Error: town: Unexpected keyword argument"),
        ('{"city": 5}', "Error: city: Input should be a valid string"),
        ('{"city":', "Error: Invalid JSON: EOF while parsing a value at line 1 column 8"),
    ],
)
def test_calls_are_validated_and_run(arguments: str, output: str) -> None:
    tool = ga.FunctionTool(get_weather)
    call: Event = {"id": "i", "type": "function_call", "call_id": "c", "arguments": arguments}
    expected = ga.function_output("c", output)
    conversation = Conversation()
    conversation.add({"type": "conversation.item.done", "item": call})
    typed = ga.RealtimeConversationItemFunctionCall.from_dict({**call, "name": tool.name})
    for form in (call, conversation.items[0], typed):
        assert tool.run(form) == expected

    async def weather(city: str, day: date | None = None) -> Any:
        return get_weather(city, day)

    assert asyncio.run(ga.FunctionTool(weather).run_async(call)) == expected


@pytest.mark.parametrize(
    ("returned", "output"),
    [
        pytest.param(object(), "Error: output: a value of type object is not JSON", id="object"),
        pytest.param([float("nan")], "Error: output[0]: NaN is not JSON", id="nan"),
        pytest.param({"a": "\ud83d"}, '{"a":"\\ud83d"}', id="half_a_surrogate_pair"),
        pytest.param(10**5000, "Error: output: the integer has more digits than", id="long"),
        pytest.param({1, 2}, "[1,2]", id="set"),
    ],
)
def test_output_is_json_or_an_error(returned: object, output: str) -> None:
    tool = ga.FunctionTool(lambda: returned, name="returns")
    assert output_of(tool.run({"call_id": "c"})).startswith(output)


def test_coroutine_functions_are_awaited() -> None:
    async def fail() -> str:
        raise LookupError("not today")

    def work() -> str:
        return "done"

    with pytest.raises(TypeError, match="fail is a coroutine function: use run_async"):
        ga.FunctionTool(fail).run({"call_id": "c"})
    for function, output in [(fail, "Error: LookupError"), (work, "done")]:
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
    # What it waits for may be cancelled, and not the call.
    event = asyncio.run(ga.Tools(cancelled).run_async({"call_id": "c", "name": "cancelled"}))
    assert output_of(event) == "Error: RuntimeError"


def test_a_function_that_ends_the_program_does_not_end_a_loop_in_another_thread() -> None:
    async def stop() -> None:
        sys.exit()

    def stop_in_thread() -> None:
        sys.exit()

    for function in (stop, stop_in_thread):
        tool = ga.FunctionTool(function)
        with pytest.raises(SystemExit):
            asyncio.run(tool.run_async({"call_id": "c"}))
        with ThreadPoolExecutor() as pool:
            event = pool.submit(asyncio.run, tool.run_async({"call_id": "c"})).result()
        assert output_of(event) == "Error: RuntimeError"


def test_a_call_of_another_function_is_an_error() -> None:
    call = {"call_id": "c", "name": "get_time", "arguments": '{"city": "Oslo"}'}
    expected = ga.function_output("c", "Error: there is no function get_time")
    assert ga.FunctionTool(get_weather).run(call) == expected
    assert ga.FunctionTool(get_weather).run({**call, "name": "get_weather"}) != expected


def output_of(event: Any) -> str:
    output: str = event["item"]["output"]
    return output


CALL = {"call_id": "c", "arguments": '{"city": "Oslo"}'}


def weather(city: str, unit: str = "C") -> str:
    """Look up the weather."""
    return f"{city} in {unit}"


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


async def weather_async(city: str) -> str:
    """Look up the weather."""
    await asyncio.sleep(0)
    return f"{city} in C"


class Weather:
    """A station."""

    def __call__(self, city: str) -> str:
        """Look up the weather."""
        return f"{city} in C"

    def look_up(self, city: Literal["Oslo"], days: Annotated[int, Field(ge=1)] = 1) -> str:
        """Look up the weather."""
        return self(city) * days


class AsyncWeather:
    async def __call__(self, city: str) -> str:
        """Look up the weather."""
        return f"{city} in C"


@pytest.mark.parametrize(
    ("function", "name", "is_async"),
    [
        pytest.param(weather, "weather", False, id="function"),
        pytest.param(functools.partial(weather, unit="C"), "weather", False, id="partial"),
        pytest.param(traced(weather), "weather", False, id="decorated"),
        pytest.param(Weather(), "Weather", False, id="callable_object"),
        pytest.param(Weather().look_up, "look_up", False, id="method"),
        pytest.param(weather_async, "weather_async", True, id="coroutine_function"),
        pytest.param(traced(weather_async), "weather_async", True, id="decorated_coroutine"),
        pytest.param(functools.partial(weather_async), "weather_async", True, id="partial_async"),
        pytest.param(AsyncWeather(), "AsyncWeather", True, id="async_callable_object"),
    ],
)
def test_callables_of_all_kinds_are_tools(
    function: Callable[..., Any], name: str, *, is_async: bool
) -> None:
    tool = ga.FunctionTool(function)
    definition: Any = tool.definition
    assert (tool.name, tool.is_async) == (name, is_async)
    assert definition["description"] == "Look up the weather."
    assert definition["parameters"]["required"] == ["city"]
    assert output_of(asyncio.run(tool.run_async(CALL))) == "Oslo in C"
    if not is_async:
        assert output_of(tool.run(CALL)) == "Oslo in C"


def test_a_coroutine_that_nobody_announced_is_awaited_or_refused() -> None:
    tool = ga.FunctionTool(lambda city: weather_async(city), name="hidden")
    assert output_of(asyncio.run(tool.run_async(CALL))) == "Oslo in C"
    with pytest.raises(TypeError, match="hidden returned an awaitable: use run_async"):
        tool.run(CALL)


def test_name_and_description_can_be_given() -> None:
    tool = ga.FunctionTool(lambda city: city, name="echo", description="Say it again.")
    definition: Any = tool.definition
    assert (definition["name"], definition["description"]) == ("echo", "Say it again.")


class Documented:
    """Get the weather."""

    def __call__(self, city: str) -> str:
        return city


class DocumentedCall(Documented):
    def __call__(self, city: str) -> str:
        """Get it now."""
        return city


@pytest.mark.parametrize(
    ("function", "description"),
    [(Documented(), "Get the weather."), (DocumentedCall(), "Get it now.")],
    ids=["class", "call"],
)
def test_object_is_described_by_its_call_or_its_class(function: Any, description: str) -> None:
    definition: Any = ga.FunctionTool(function, name="weather").definition
    assert definition["description"] == description


def positional(city: str, /) -> str:
    return city


def any_number(*cities: str) -> str:
    return " ".join(cities)


async def generate(city: str) -> AsyncIterator[str]:
    yield city


def undefined(city: Undefined) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Have an annotation that only a type checker could know."""


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        pytest.param(positional, "positional: .* by name only, and city has none", id="positional"),
        pytest.param(any_number, "any_number: .* by name only, and cities has", id="variadic"),
        pytest.param(generate, "generate is an asynchronous generator", id="generator"),
        pytest.param(undefined, "undefined: name 'Undefined' is not defined", id="undefined"),
        pytest.param(max, "max: no signature found", id="no_signature"),
        pytest.param(lambda city: city, "'<lambda>' cannot be the name of a tool", id="lambda"),
    ],
)
def test_other_callables_are_refused_when_the_tool_is_made(
    function: Callable[..., Any], problem: str
) -> None:
    with pytest.raises(TypeError, match=problem):
        ga.FunctionTool(function)


@pytest.mark.parametrize("status", ["incomplete", "in_progress", "cancelled"])
def test_a_call_that_is_not_finished_is_not_run(status: str) -> None:
    ran = list[str]()

    def end_call(reason: str = "done") -> None:
        ran.append(reason)

    tool = ga.FunctionTool(end_call)
    call = {"call_id": "c", "name": "end_call", "arguments": "", "status": status}
    assert output_of(tool.run(call)) == "Error: the call is not complete"
    assert ran == []
    tool.run({**call, "status": "completed"})
    assert ran == ["done"]


def test_arguments_may_be_an_object() -> None:
    call = {**CALL, "arguments": {"city": "Ås"}}
    assert output_of(ga.FunctionTool(weather).run(call)) == "Ås in C"


class Password(BaseModel):
    value: int


def leak(city: str) -> str:
    return {"password=hunter2": city}["?"]


def leak_invalid(city: str) -> str:
    return str(Password.model_validate({"value": "hunter2"}))


@pytest.mark.parametrize(
    ("function", "told"),
    [
        pytest.param(leak, "Error: KeyError", id="exception"),
        pytest.param(leak_invalid, "Error: ValidationError", id="validation_in_the_function"),
        pytest.param(get_weather, "Error: no such city", id="tool_error"),
    ],
)
def test_an_exception_is_logged_and_its_text_is_kept_from_the_model(
    function: Callable[..., Any], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    call = {"call_id": "c", "arguments": '{"city": "Atlantis"}'}
    assert output_of(ga.FunctionTool(function).run(call)) == told
    [record] = caplog.records
    assert record.getMessage() == f"function {function.__name__} failed"
    assert record.exc_info
    decided = ga.FunctionTool(function, on_error=lambda error: f"No {type(error).__name__}.")
    expected = f"No {record.exc_info[0].__name__}." if record.exc_info[0] else ""
    assert output_of(asyncio.run(decided.run_async(call))) == expected


def test_a_blocking_function_does_not_block_the_loop() -> None:
    loop_ran = threading.Event()

    def wait() -> bool:
        return loop_ran.wait(20)

    async def main() -> Any:
        asyncio.get_running_loop().call_later(0.01, loop_ran.set)
        return await ga.FunctionTool(wait).run_async({"call_id": "c"})

    assert output_of(asyncio.run(main())) == "true"


def test_a_function_that_raises_stop_iteration_ends() -> None:
    tool = ga.FunctionTool(lambda: next(iter(())), name="empty")
    assert output_of(asyncio.run(tool.run_async({"call_id": "c"}))) == "Error: RuntimeError"


OPTIMIZED = """
from openai_realtime_client import ga
def f(city: str) -> str:
    "Not kept."
    return city
tool = ga.FunctionTool(f)
event = tool.run({"arguments": '{"city": "Oslo"}'})
print(tool.definition["description"] == "", event["item"]["output"])
"""


def test_tools_work_without_docstrings() -> None:
    command = [sys.executable, "-OO", "-c", OPTIMIZED]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "True Oslo\n"


# Several tools


@PROTOCOLS
def test_tools_run_the_function_of_a_call(protocol: Any) -> None:
    mcp = {"type": "mcp", "server_label": "l", "server_url": "https://example.com"}
    transfer = {"type": "function", "name": "transfer", "parameters": {"type": "object"}}
    tools = protocol.Tools(weather, protocol.FunctionTool(weather_async), transfer, mcp)
    assert [tool.get("name") for tool in tools.params] == [
        "weather",
        "weather_async",
        "transfer",
        None,
    ]
    for name in ("weather", "weather_async"):
        event = asyncio.run(tools.run_async({**CALL, "name": name}))
        assert output_of(event) == "Oslo in C"
    assert output_of(tools.run({**CALL, "name": "weather"})) == "Oslo in C"
    assert output_of(tools.run({**CALL, "name": "other"})) == "Error: there is no function other"
    names = ("weather", "other", "transfer", None)
    found = [tools.is_run_here({"name": name}) for name in names]
    assert found == [True, True, False, True]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(traced(weather), id="function"),
        pytest.param(ga.FunctionTool(weather), id="tool"),
        pytest.param({"type": "function", "name": "weather"}, id="definition"),
        pytest.param(ga.RealtimeFunctionTool(name="weather"), id="model"),
    ],
)
def test_two_tools_of_one_name_are_refused(other: Any) -> None:
    for tools in ([weather, other], [other, weather]):
        with pytest.raises(ValueError, match="two tools are called weather"):
            ga.Tools(*tools)


def test_a_call_takes_no_longer_than_the_timeout(caplog: pytest.LogCaptureFixture) -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    event = asyncio.run(ga.Tools(forever, timeout=0.01).run_async({"name": "forever"}))
    assert output_of(event) == "Error: forever took longer than 0.01 s"
    assert caplog.records[-1].levelno == logging.ERROR
