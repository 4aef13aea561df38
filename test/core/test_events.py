"""From the text of an event to its class."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest
from pydantic import Field

from openai_realtime_client import RealtimeModel, ga
from openai_realtime_client.core.events import put_back, validate_leniently
from openai_realtime_client.v1 import (
    InvalidEventError,
)


@pytest.mark.parametrize("parse", [ga.parse_server_event, ga.parse_client_event])
@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "event_id": "e", "error": {"type": "t", "message": "No."}},
        {"type": "error", "event_id": 5, "error": None},
        {"type": "session.update", "session": {"type": "realtime", "tools": "none"}},
        {"type": "vendor.event", "more": {"a": [1, None]}},
    ],
)
def test_a_dictionary_is_parsed_as_its_text_is(
    parse: Callable[[Any], RealtimeModel], event: dict[str, Any]
) -> None:
    parsed, expected = parse(MappingProxyType(event)), parse(json.dumps(event))
    assert (type(parsed), parsed, repr(parsed)) == (type(expected), expected, repr(expected))
    assert parsed.to_dict() == event


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({}, "event: type: Input should be a string"),
        ({"type": "error", "error": {1, 2}}, "event: error: a value of type set is not JSON"),
        ({"type": "error", "error": float("inf")}, "event: error: Infinity is not JSON"),
    ],
)
def test_a_dictionary_that_is_no_event_is_refused(wrong: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidEventError) as caught:
        ga.parse_server_event(wrong)
    assert str(caught.value) == problem


class Told(RealtimeModel):
    from_: str = Field(alias="from")


@pytest.mark.parametrize("wire", [{"from": 3}, {}], ids=["wrong_value", "missing"])
def test_value_returns_to_a_field_with_an_alias(wire: dict[str, Any]) -> None:
    event, mismatches = validate_leniently(Told.model_validate, dict(wire), in_union=False)
    put_back(event, mismatches)
    assert event.to_dict() == wire
    assert event.from_ == wire.get("from")
