"""Check the order of a server's events: opened once, inside what is open, and ended once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from openai_realtime_client.core.json_types import at, is_array

__all__ = ["Order", "Problem"]

_Key = tuple[Any, ...]


class Problem(NamedTuple):
    """What is wrong about an event: `missing`, `out of order`, `twice` or `wrong`."""

    kind: str
    type: str
    about: str


class _Stem(NamedTuple):
    """The part of a type before its last dot, in which a `.done` ends what it is about.

    `ids` is how many of response, item and content part it takes to name one of them; `opener` is
    the step that begins one, and `None` for text that begins with any delta. `text` is the field
    that holds all of its deltas at the end.
    """

    parent: str | None
    ids: int
    opener: str | None = "added"
    text: str | None = None


_RESPONSE, _ITEM, _PART = "response", "response.output_item", "response.content_part"
_ARGUMENTS = "response.function_call_arguments"
_ENTRY = "conversation.item"


class Order:
    """Follows the events of one session of a protocol, "ga" or "v1"."""

    def __init__(self, protocol: str) -> None:
        # The events of v1 lack `output_` and call an added item created.
        prefix, added = "response.output_", "added"
        if protocol == "v1":
            prefix, added = "response.", "created"
        text, audio, transcript = f"{prefix}text", f"{prefix}audio", f"{prefix}audio_transcript"
        self._in_parts = {"text": [text], "audio": [audio, transcript]}
        self._stems = {
            _RESPONSE: _Stem(None, 1, "created"),
            _ITEM: _Stem(_RESPONSE, 2),
            _PART: _Stem(_ITEM, 3),
            _ARGUMENTS: _Stem(_ITEM, 2, None, "arguments"),
            text: _Stem(_PART, 3, None, "text"),
            audio: _Stem(_PART, 3, None),
            transcript: _Stem(_PART, 3, None, "transcript"),
            # In v1 an item is complete when it is created, and has no `.done`.
            _ENTRY: _Stem(None, 1, added),
        }
        self._is_open: dict[_Key, bool] = {}
        # Opened without an event of their own, because something inside came; reported once.
        self._implied: set[_Key] = set()
        self._deltas: dict[_Key, str] = {}
        self._event_ids: set[str] = set()

    def follow(self, event: dict[str, Any]) -> Iterator[Problem]:
        """Follow an event and yield its problems."""
        event_type: str = event["type"]
        event_id = event.get("event_id")
        if isinstance(event_id, str):
            if event_id in self._event_ids:
                yield Problem("twice", event_type, f"an event_id that was there before: {event_id}")
            self._event_ids.add(event_id)
        name, _, step = event_type.rpartition(".")
        stem = self._stems.get(name)
        if stem is None:
            return
        key = (name, *_ids(name, event)[: stem.ids])
        if step == (stem.opener or "delta"):
            yield from self._follow_opened(key, stem, event_type)
            delta = event.get("delta")
            if isinstance(delta, str) and stem.text:
                self._deltas[key] = self._deltas.get(key, "") + delta
            # It is complete then: no `.done` follows in v1.
            if event_type == "conversation.item.created":
                self._is_open[key] = False
        elif step == "done":
            yield from self._follow_ended(key, stem, event)

    def left_open(self) -> Iterator[Problem]:
        """Yield a problem for everything that is still open at the end of the session."""
        for key, is_open in self._is_open.items():
            if is_open:
                yield Problem("missing", f"{key[0]}.done", "it was begun and never ended")
        self._is_open.clear()

    def _follow_opened(self, key: _Key, stem: _Stem, event_type: str) -> Iterator[Problem]:
        is_open = self._is_open.get(key)
        if key in self._implied:
            self._implied.remove(key)
            yield Problem("out of order", event_type, "after what is in it")
        elif is_open is not None and stem.opener:
            yield Problem("twice", event_type, "for the same id")
        elif is_open is False:
            yield Problem("out of order", event_type, f"after {key[0]}.done")
            return
        if is_open is None:
            self._is_open[key] = True
            yield from self._inside(key, stem, event_type)

    def _inside(self, key: _Key, stem: _Stem, event_type: str) -> Iterator[Problem]:
        """What contains it has to be open."""
        if stem.parent is None:
            return
        outer = self._stems[stem.parent]
        parent = (stem.parent, *key[1 : outer.ids + 1])
        is_open = self._is_open.get(parent)
        if is_open is None:
            yield Problem("missing", f"{stem.parent}.{outer.opener}", f"before {event_type}")
            self._is_open[parent] = True
            self._implied.add(parent)
        elif not is_open:
            yield Problem("out of order", event_type, f"after {stem.parent}.done")

    def _follow_ended(self, key: _Key, stem: _Stem, event: dict[str, Any]) -> Iterator[Problem]:
        event_type, is_open = event["type"], self._is_open.get(key)
        if is_open is False:
            yield Problem("twice", event_type, "for the same id")
            return
        if is_open is None:
            if stem.opener:
                yield Problem("missing", f"{key[0]}.{stem.opener}", f"before {event_type}")
            else:
                yield from self._inside(key, stem, event_type)
        self._is_open[key] = False
        yield from self._close_inside(key, event_type)
        yield from self._absent(key, event)
        if stem.text and event.get(stem.text) != self._deltas.get(key, ""):
            yield Problem(
                "wrong", event_type, f"its {stem.text} is not that of the deltas before it"
            )
        if key[0] == _RESPONSE:
            yield from self._other_output(key, event)

    def _close_inside(self, key: _Key, event_type: str) -> Iterator[Problem]:
        for other, is_open in self._is_open.items():
            if is_open and self._is_in(other, key):
                yield Problem("missing", f"{other[0]}.done", f"before {event_type}")
                self._is_open[other] = False

    def _is_in(self, key: _Key, outer: _Key) -> bool:
        parent = self._stems[key[0]].parent
        while parent:
            if parent == outer[0]:
                return key[1 : len(outer)] == outer[1:]
            parent = self._stems[parent].parent
        return False

    def _absent(self, key: _Key, event: dict[str, Any]) -> Iterator[Problem]:
        """What has to have been before an item or a part ends."""
        due: list[tuple[_Key, str]] = []
        if key[0] == _PART:
            names = self._in_parts.get(str(at(event, "part", "type")), [])
            due = [((name, *key[1:]), f"{name}.done") for name in names]
        elif key[0] == _ITEM:
            due = [((_ENTRY, key[2]), f"{_ENTRY}.{self._stems[_ENTRY].opener}")]
            if at(event, "item", "type") == "function_call":
                due.append(((_ARGUMENTS, *key[1:]), f"{_ARGUMENTS}.done"))
        for other, name in due:
            if other not in self._is_open:
                yield Problem("missing", name, f"before {event['type']}")

    def _other_output(self, key: _Key, event: dict[str, Any]) -> Iterator[Problem]:
        output = at(event, "response", "output")
        output_ids: list[Any] = []
        if is_array(output):
            output_ids = [at(item, "id") for item in output]
        # Dictionaries keep the order in which the items were added.
        ended_ids = [other[2] for other in self._is_open if other[:2] == (_ITEM, *key[1:])]
        if output_ids != ended_ids:
            yield Problem("wrong", event["type"], "its output is not the items that came before")


def _ids(name: str, event: dict[str, Any]) -> tuple[Any, ...]:
    """Return the ids of the response, item and part that an event is about."""
    ids: tuple[Any, ...]
    if name == _RESPONSE:
        ids = (at(event, "response", "id"),)
    elif name == _ENTRY:
        ids = (at(event, "item", "id"),)
    elif name == _ITEM:
        ids = (event.get("response_id"), at(event, "item", "id"))
    else:
        ids = (event.get("response_id"), event.get("item_id"), event.get("content_index"))
    # A server may send JSON objects and arrays as ids, which cannot be keys.
    return tuple(map(_hashable_id, ids))


def _hashable_id(value: Any) -> Any:
    if isinstance(value, (str, int)):
        return value
    return repr(value)
