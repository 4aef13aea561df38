"""Events with very many values that do not fit are parsed in bounded time, and nothing is lost."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

import pytest

from openai_realtime_client import Deviation, deviations, ga

GOOD = {"token": "a", "logprob": -0.5, "bytes": [97]}
PATH = "conversation.item.input_audio_transcription.completed"


def completed(logprobs: list[Any]) -> dict[str, Any]:
    usage = {"type": "duration", "seconds": 1}
    where = {"event_id": "e", "item_id": "i", "content_index": 0}
    return {"type": PATH, **where, "transcript": "a", "usage": usage, "logprobs": logprobs}


def parsed(wire: dict[str, Any]) -> Any:
    event = ga.parse_server_event(json.dumps(wire))
    assert isinstance(event, ga.RealtimeServerEventConversationItemInputAudioTranscriptionCompleted)
    assert event.to_dict() == wire
    return event


def test_ten_wrong_items_of_a_list_are_kept_one_by_one() -> None:
    wire = completed([GOOD, *[{**GOOD, "token": number} for number in range(10)], GOOD])
    event = parsed(wire)
    assert all(isinstance(each, ga.LogProbProperties) for each in event.logprobs)
    assert deviations(event) == [
        Deviation(f"logprobs[{number + 1}].token", "wrong type", number) for number in range(10)
    ]


def test_of_a_list_with_more_the_whole_is_kept() -> None:
    wire = completed([GOOD, *[{"token": number} for number in range(11)], GOOD])
    event = parsed(wire)
    assert event.logprobs == wire["logprobs"]
    assert deviations(event) == [Deviation("logprobs", "wrong type", wire["logprobs"])]


@pytest.mark.parametrize("item", [1, {"token": 1, "logprob": "x", "bytes": "y"}], ids=repr)
def test_many_wrong_items_are_not_reported_one_by_one(item: Any) -> None:
    wire = completed([item] * 50_000)
    text = json.dumps(wire)
    calls = Counter[str]()
    sys.setprofile(lambda _frame, event, _argument: calls.update([event]))
    try:
        event = ga.parse_server_event(text)
    finally:
        sys.setprofile(None)
    assert calls["call"] < 10_000
    assert event.to_dict() == wire
