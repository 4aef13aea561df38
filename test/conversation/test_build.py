"""Builders of what is sent: each gives an event that the protocols know."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from openai_realtime_client import deviations, ga, v1

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


@dataclass
class Reading:
    celsius: float


def test_an_output_that_is_not_json_is_refused_with_its_path() -> None:
    for output, problem in (
        ({"a": [1, float("nan")]}, "output.a[1]: NaN is not JSON"),
        (Reading(float("inf")), "output.celsius: Infinity is not JSON"),
        ([object()], "output[0]: a value of type object is not JSON"),
    ):
        with pytest.raises(ValueError, match=re.escape(problem)):
            ga.function_output("c", output)
