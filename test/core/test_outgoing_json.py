"""What goes out is JSON: values that JSON lacks are refused with their path."""

from __future__ import annotations

import json
import math
from datetime import date
from functools import reduce
from typing import Any

import pytest

from openai_realtime_client import InvalidEventError, RealtimeModel, ga, to_dict
from openai_realtime_client.core.encoding import dumped, invalid_part

NAN, INFINITY = float("nan"), float("inf")
LONG = 10**4300
NOT_JSON = {
    "nan": (NAN, "NaN is not JSON"),
    "infinity": (INFINITY, "Infinity is not JSON"),
    "minus_infinity": (-INFINITY, "-Infinity is not JSON"),
    "object": (object(), "a value of type object is not JSON"),
}
values = pytest.mark.parametrize(("value", "problem"), NOT_JSON.values(), ids=NOT_JSON)
# Short and long events are tested by different means.
paddings = pytest.mark.parametrize("padding", ["", "A" * 400, "A" * 5000], ids=len)


def update(padding: str = "") -> ga.RealtimeClientEventSessionUpdate:
    return ga.RealtimeClientEventSessionUpdate.from_dict(
        {
            "type": "session.update",
            "event_id": padding,
            "session": {
                "type": "realtime",
                "audio": {"output": {"speed": 1.5}},
                "tools": [{"type": "function", "parameters": {"enum": [1]}}],
            },
        }
    )


def assert_refused(event: RealtimeModel, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        event.to_json()
    assert str(caught.value) == message
    assert invalid_part(event) == message


@values
@paddings
def test_what_is_not_json_is_refused_with_its_path(value: Any, problem: str, padding: str) -> None:
    event: Any = update(padding)
    event.session.tools[0].parameters["enum"].append({"a": (value,)})
    assert_refused(event, f"session.tools[0].parameters.enum[1].a[0]: {problem}")
    for path in ("session.audio.output.speed", "session.instructions", "new"):
        *parents, name = path.split(".")
        event = update(padding)
        setattr(reduce(getattr, parents, event), name, value)
        assert_refused(event, f"{path}: {problem}")


@paddings
def test_a_received_number_that_is_too_large_is_not_relayed(padding: str) -> None:
    text = f'{{"type":"rate_limits.updated","event_id":"{padding}","rate_limits":[{{"a":1e400}}]}}'
    event = ga.parse_server_event(text)
    assert event.to_dict() == json.loads(text)
    assert_refused(event, "rate_limits[0].a: Infinity is not JSON")


@paddings
@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_text_that_reads_like_a_constant_is_sent(text: str, padding: str) -> None:
    event = update(padding)
    event.event_id = f"{text},{padding}"
    # Pydantic can encode this: sending it must not depend on the text beside it.
    event.new = date(2025, 1, 1)  # type: ignore[attr-defined]
    sent = json.loads(event.to_json())
    assert (sent["event_id"], sent["new"]) == (event.event_id, "2025-01-01")


def test_integers_of_more_than_4300_digits() -> None:
    event: Any = update()
    event.session.audio.output.speed = LONG
    assert f'"speed":1{"0" * 4300}' in event.to_json()
    message = r"a.speed: the integer has more digits than Python converts \(4,300 by default\)"
    with pytest.raises(ValueError, match=message):
        dumped({"a": event.session.audio.output})
    with pytest.raises(InvalidEventError, match="number out of range"):
        ga.parse_client_event(event.to_json())
    assert json.loads(dumped({"a": LONG - 1})) == {"a": LONG - 1}


def test_a_dictionary_is_refused_with_the_path() -> None:
    event: Any = update()
    event.session.audio.output.speed = NAN
    circle: dict[str, Any] = {}
    circle["a"] = circle
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for wire, problem in (
        ({"a": [{"b": NAN}]}, "a[0].b: NaN is not JSON"),
        ({"events": [event]}, "events[0].session.audio.output.speed: NaN is not JSON"),
        ({"a": {(1, 2): 3}}, "a key that is not a string is not JSON"),
        ({"a": {"secret"}}, "a: a value of type set is not JSON"),
        (circle, "nested too deeply to be JSON"),
        ({"a": deep}, "nested too deeply to be JSON"),
    ):
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            dumped(wire)
        assert str(caught.value) == problem
        assert caught.value.__context__ is None


@pytest.mark.parametrize("name", ["copy", "json", "to_json", "model_extra", "dict"])
def test_setting_an_unknown_field_named_like_a_method_is_an_error(name: str) -> None:
    event = update()
    with pytest.raises(AttributeError, match=f"set model_extra\\['{name}'\\]"):
        setattr(event, name, 2)
    assert event.model_extra is not None
    event.model_extra[name] = 2
    assert json.loads(event.to_json())[name] == 2


@pytest.mark.parametrize("other", [{}, {"number": 1}])
def test_any_text_in_a_dictionary_comes_back(other: dict[str, Any]) -> None:
    characters = "".join(map(chr, range(0x2100))) + "\U0001f600\ud83d"
    event = {"type": "x", "text": characters, characters: "é", **other}
    assert json.loads(dumped(event)) == event
    assert dumped({"a": [{"b": "å🎙"}]}) == '{"a":[{"b":"å🎙"}]}'.encode()


def test_a_dictionary_that_holds_models_is_made_plain() -> None:
    tool = ga.RealtimeFunctionTool(name="look_up", description=None)
    session = ga.RealtimeSessionCreateRequestGA(output_modalities=["text"], tools=[tool])
    plain = {"type": "function", "name": "look_up", "description": None}
    expected = {"type": "realtime", "output_modalities": ["text"], "tools": [plain]}
    event = {"type": "session.update", "session": session, "more": (tool,)}
    made = to_dict(event)
    assert made == {"type": "session.update", "session": expected, "more": [plain]}
    assert json.loads(dumped(event)) == made
    assert type(made["session"]["output_modalities"][0]) is str
    assert to_dict(session) == expected
    with pytest.raises(ValueError, match=r"^session\.speed: NaN is not JSON$"):
        to_dict({"session": {"speed": math.nan}})
    with pytest.raises(ValueError, match=r"^parameters\.a: NaN is not JSON$"):
        to_dict(ga.RealtimeFunctionTool(parameters={"a": math.nan}))
