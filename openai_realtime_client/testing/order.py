"""Check the order of a server's events: begun once, inside what is open, and ended once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from openai_realtime_client.core.json_types import at, is_array

__all__ = ["Order", "Problem"]

# What an event is about: the part of its type before the last dot, and ids.
_Key = tuple[Any, ...]


class Problem(NamedTuple):
    """What is wrong about an event: `missing`, `out of order`, `twice` or `wrong`."""

    kind: str
    type: str
    about: str


class _Stem(NamedTuple):
    """The part of a type before its last dot, in which a `.done` ends what it is about.

    `ids` are the paths of the ids that name one of them, from the outside in. `opener` is the step
    that begins one, and `None` for text that begins with any delta. `text` is the field that holds
    all of its deltas at the end.
    """

    ids: tuple[str, ...]
    parent: str | None = None
    opener: str | None = None
    text: str | None = None


_RESPONSE, _ITEM, _PART = "response", "response.output_item", "response.content_part"
_ARGUMENTS = "response.function_call_arguments"
_ENTRY = "conversation.item"
_PART_IDS = ("response_id", "item_id", "content_index")


class Order:
    """Follows the events of one session of a protocol, "ga" or "v1"."""

    def __init__(self, protocol: str) -> None:
        # The events of v1 lack `output_` and call an added item created.
        prefix, added = "response.output_", "added"
        if protocol == "v1":
            prefix, added = "response.", "created"
        text, audio, transcript = f"{prefix}text", f"{prefix}audio", f"{prefix}audio_transcript"
        # What ends before a content part of a type does.
        self._in_parts = {"text": [text], "audio": [audio, transcript]}
        self._entry_added = f"{_ENTRY}.{added}"
        self._stems = {
            _RESPONSE: _Stem(("response.id",), opener="created"),
            _ITEM: _Stem(("response_id", "item.id"), _RESPONSE, "added"),
            _PART: _Stem(_PART_IDS, _ITEM, "added"),
            _ARGUMENTS: _Stem(_PART_IDS[:2], _ITEM, text="arguments"),
            text: _Stem(_PART_IDS, _PART, text="text"),
            audio: _Stem(_PART_IDS, _PART),
            transcript: _Stem(_PART_IDS, _PART, text="transcript"),
            _ENTRY: _Stem(("item.id",), opener=added),
        }
        # All that has begun, in this order, and whether it has not ended.
        self._is_open: dict[_Key, bool] = {}
        # What has begun with an event of its own, rather than by something inside it.
        self._opened: set[_Key] = set()
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
        ids = [at(event, *path.split(".")) for path in stem.ids]
        key = (name, *map(_hashable_id, ids))
        if step == "done":
            yield from self._end(key, stem, event)
        elif step == stem.opener:
            yield from self._open(key, event_type)
        elif step == "delta" and stem.opener is None:
            yield from self._add_delta(key, event)

    def left_open(self) -> Iterator[Problem]:
        """Yield a problem for everything that is still open at the end of the session."""
        for key, is_open in self._is_open.items():
            if is_open:
                yield Problem("missing", f"{key[0]}.done", "it was begun and never ended")
        self._is_open.clear()

    def _open(self, key: _Key, event_type: str) -> Iterator[Problem]:
        if key in self._opened:
            yield Problem("twice", event_type, "for the same id")
        elif key in self._is_open:
            yield Problem("out of order", event_type, "after what is in it")
        else:
            yield from self._begin(key, event_type)
        self._opened.add(key)
        # In v1 an item is complete when it is created, and has no `.done`.
        if event_type == "conversation.item.created":
            self._is_open[key] = False

    def _add_delta(self, key: _Key, event: dict[str, Any]) -> Iterator[Problem]:
        event_type, delta = event["type"], event.get("delta")
        if key not in self._is_open:
            yield from self._begin(key, event_type)
        elif not self._is_open[key]:
            yield Problem("out of order", event_type, f"after {key[0]}.done")
        if isinstance(delta, str):
            self._deltas[key] = self._deltas.get(key, "") + delta

    def _begin(self, key: _Key, event_type: str) -> Iterator[Problem]:
        """Note that it is open; what contains it has to be open, too."""
        self._is_open[key] = True
        name = self._stems[key[0]].parent
        if name is None:
            return
        stem = self._stems[name]
        parent = (name, *key[1 : len(stem.ids) + 1])
        if parent not in self._is_open:
            # Taken as open from now on, so that it is reported once.
            self._is_open[parent] = True
            yield Problem("missing", f"{name}.{stem.opener}", f"before {event_type}")
        elif not self._is_open[parent]:
            yield Problem("out of order", event_type, f"after {name}.done")

    def _end(self, key: _Key, stem: _Stem, event: dict[str, Any]) -> Iterator[Problem]:
        name, event_type = key[0], event["type"]
        if self._is_open.get(key) is False:
            yield Problem("twice", event_type, "for the same id")
            return
        if key not in self._is_open:
            if stem.opener:
                yield Problem("missing", f"{name}.{stem.opener}", f"before {event_type}")
            else:
                yield from self._begin(key, event_type)
        self._is_open[key] = False
        for missing in self._missing(key, event):
            yield Problem("missing", missing, f"before {event_type}")
        if stem.text and event.get(stem.text) != self._deltas.get(key, ""):
            about = f"its {stem.text} is not that of the deltas before it"
            yield Problem("wrong", event_type, about)
        if name == _RESPONSE and _output_ids(event) != self._ended_items(key):
            yield Problem("wrong", event_type, "its output is not the items that came before")

    def _missing(self, key: _Key, event: dict[str, Any]) -> Iterator[str]:
        """Yield the events that have to be before the end of a response, an item or a part."""
        name = key[0]
        if self._stems[name].opener and name != _ENTRY:
            for other, is_open in self._is_open.items():
                if is_open and other[0] != _ENTRY and other[1 : len(key)] == key[1:]:
                    self._is_open[other] = False
                    yield f"{other[0]}.done"
        due: list[str] = []
        if name == _PART:
            due = self._in_parts.get(str(at(event, "part", "type")), [])
        elif name == _ITEM:
            if (_ENTRY, key[2]) not in self._is_open:
                yield self._entry_added
            if at(event, "item", "type") == "function_call":
                due = [_ARGUMENTS]
        for inner in due:
            if (inner, *key[1:]) not in self._is_open:
                yield f"{inner}.done"

    def _ended_items(self, response: _Key) -> list[Any]:
        return [key[2] for key in self._is_open if key[:2] == (_ITEM, response[1])]


def _output_ids(event: dict[str, Any]) -> list[Any]:
    output = at(event, "response", "output")
    if not is_array(output):
        return []
    return [at(item, "id") for item in output]


def _hashable_id(value: Any) -> Any:
    # A server may send JSON objects and arrays as ids, which cannot be keys.
    if isinstance(value, (str, int)):
        return value
    return repr(value)
