"""The order of a conversation's items, in whatever order their events arrive."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from openai_realtime_client import Conversation

Event = dict[str, Any]

KINDS = ["added", "created", "done"]


def stands(item_id: str, previous_id: str | None, kind: str = "added") -> Event:
    item = {"id": item_id, "type": "message", "role": "user", "content": []}
    return {"type": f"conversation.item.{kind}", "previous_item_id": previous_id, "item": item}


def deleted(item_id: str) -> Event:
    return {"type": "conversation.item.deleted", "item_id": item_id}


def ordered(*events: Event) -> list[str]:
    conversation = Conversation()
    for event in events:
        conversation.add(event)
        _ = conversation.items  # Reading in between changes nothing.
    return [item.id for item in conversation.items]


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[str], list[Event]]:
    """A conversation's items in order, and one to three events of each, in any order."""
    ids = [str(number) for number in range(draw(st.integers(1, 12)))]
    events = [
        stands(item_id, previous, kind)
        for previous, item_id in zip([None, *ids], ids, strict=False)
        for kind in draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3))
    ]
    return ids, draw(st.permutations(events))


@given(arrivals())
@settings(deadline=None)
def test_items_stand_where_the_previous_ids_say(arrived: tuple[list[str], list[Event]]) -> None:
    ids, events = arrived
    assert ordered(*events) == ids


@given(arrivals(), st.data())
@settings(deadline=None)
def test_what_follows_an_item_that_never_comes_is_the_last(
    arrived: tuple[list[str], list[Event]], data: st.DataObject
) -> None:
    ids, events = arrived
    missing = data.draw(st.sets(st.sampled_from(ids)))
    events = [event for event in events if event["item"]["id"] not in missing]
    arrival = {event["item"]["id"]: at for at, event in reversed([*enumerate(events)])}
    # Without what is missing, runs of items remain that follow each other. All but the run of the
    # first item are at the end, in the order of arrival of what they begin with.
    runs: list[list[str]] = []
    for previous, item_id in zip([None, *ids], ids, strict=False):
        if item_id not in missing:
            if previous is None or previous in missing:
                runs.append([])
            runs[-1].append(item_id)
    runs.sort(key=lambda run: -1 if run[0] == ids[0] else arrival[run[0]])
    assert ordered(*events) == [item_id for run in runs for item_id in run]


@given(arrivals(), st.data())
@settings(deadline=None)
def test_an_event_without_a_place_gives_way_to_one_with_it(
    arrived: tuple[list[str], list[Event]], data: st.DataObject
) -> None:
    ids, events = arrived
    for item_id in data.draw(st.lists(st.sampled_from(ids))):
        event = stands(item_id, None)
        del event["previous_item_id"]
        events.insert(data.draw(st.integers(0, len(events))), event)
    assert ordered(*events) == ids


@given(arrivals(), st.data())
@settings(deadline=None)
def test_items_come_and_go_as_in_a_list(
    arrived: tuple[list[str], list[Event]], data: st.DataObject
) -> None:
    ids, events = arrived
    for number in range(data.draw(st.integers(0, 15))):
        if ids and data.draw(st.booleans()):
            ids.remove(gone := data.draw(st.sampled_from(ids)))
            events.append(deleted(gone))
        else:
            previous = data.draw(st.sampled_from([None, *ids]))
            ids.insert(ids.index(previous) + 1 if previous else 0, new := f"new {number}")
            events.append(stands(new, previous))
    assert ordered(*events) == ids


def test_what_waits_may_be_deleted() -> None:
    waiting = [stands("c", "b"), stands("d", "c"), stands("e", "c")]
    known = [stands("a", None), stands("z", "a"), stands("b", "a")]
    assert ordered(*waiting, deleted("c"), *known) == ["a", "b", "e", "d", "z"]
    assert ordered(*waiting, *known, deleted("b"), stands("b", "d")) == [
        "a",
        "c",
        "e",
        "d",
        "b",
        "z",
    ]
    assert ordered(stands("x", "gone"), deleted("x"), stands("y", "gone")) == ["y"]


def test_of_those_that_name_the_same_item_the_last_comes_first() -> None:
    followers = [stands(each, "a") for each in "bcd"]
    assert ordered(stands("a", None), *followers) == ["a", "d", "c", "b"]
    assert ordered(*followers) == ["b", "c", "d"]
    assert ordered(*followers, stands("a", None)) == ["a", "d", "c", "b"]


def test_an_item_stays_where_it_was_put() -> None:
    events = [stands("a", None), stands("b", "a"), stands("c", "b")]
    assert ordered(*events, stands("c", None, "done"), stands("b", "c")) == ["a", "b", "c"]


def test_a_circle_loses_no_item() -> None:
    assert ordered(stands("a", "a"), stands("b", None)) == ["b", "a"]
    circle = [stands("a", "c"), stands("b", "a"), stands("c", "b")]
    assert sorted(ordered(*circle, stands("d", "b"))) == ["a", "b", "c", "d"]
    assert ordered(*circle, deleted("a"), stands("a", None))[0] == "a"


def lines_run(function: Callable[[], object]) -> int:
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    gc.disable()  # Others may call functions while it collects.
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
        gc.enable()
    return count


def test_an_item_may_wait_for_one_that_stays_out_of_the_conversation() -> None:
    apart = {"type": "response.output_item.done", "response_id": "r", "item": {"id": "x"}}
    waiting = [apart, stands("a", "x"), deleted("x")]
    assert ordered(*waiting, deleted("a")) == []
    assert ordered(*waiting, stands("b", None), stands("x", "b")) == ["b", "x", "a"]


def test_deleted_items_leave_nothing_behind() -> None:
    def cost(size: int) -> int:
        """The lines run to find the order of three items, with many deleted before."""
        conversation = Conversation()
        for number in range(size):
            conversation.add(stands(str(number), str(number - 1) if number else None))
            conversation.add(deleted(str(number - 3)))
            conversation.add(stands(f"waiting {number}", f"gone {number}"))
            conversation.add(deleted(f"waiting {number}"))
        return lines_run(lambda: conversation.items)

    assert cost(5) == cost(2000)


def test_an_event_costs_the_same_however_many_items_there_are() -> None:
    def cost(size: int) -> set[int]:
        """The lines run for events late and in order, with many items before and after them."""
        conversation, ids = Conversation(), [str(number) for number in range(size)]
        early = [stands(each, str(int(each) - 1)) for each in reversed(ids[1:])]
        late = [stands("0", None), stands("end", ids[-1]), deleted("end"), deleted(ids[size // 2])]
        for event in early:
            conversation.add(event)
        return {lines_run(lambda event=event: conversation.add(event)) for event in late}

    assert cost(3) == cost(3000)
