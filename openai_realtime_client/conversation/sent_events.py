"""The sent events that wait for what the server says of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["SentEvents"]

Fields = Mapping[str, Any]

_MOST = 1_000


class SentEvents:
    """The latest thousand sent events that were neither confirmed nor refused.

    An error names the event that it refuses. A confirmation does not; it is of the oldest event of
    a kind that is about the same: an item's id, or "" where it names none.
    """

    def __init__(self) -> None:
        # By `event_id`, or by an object of their own.
        self._events: dict[object, tuple[tuple[str, str], Fields]] = {}
        # The names of those that the same confirmation may be of, oldest first.
        self._names: dict[tuple[str, str], dict[object, None]] = {}

    def add(self, event: Fields, about: str) -> None:
        """Add an event, which takes the place of one with the same `event_id`."""
        event_id, key = event.get("event_id"), (event["type"], about)
        name = event_id if event_id and isinstance(event_id, str) else object()
        self.take(name)
        self._events[name] = key, event
        self._names.setdefault(key, {})[name] = None
        if len(self._events) > _MOST:
            self.take(next(iter(self._events)))

    def has(self, kind: str, about: str) -> bool:
        """Whether an event of a kind waits that is about something."""
        return (kind, about) in self._names

    def take(self, event_id: object) -> Fields | None:
        """Remove and return the event with an id."""
        if event_id not in self._events:
            return None
        key, event = self._events.pop(event_id)
        del self._names[key][event_id]
        if not self._names[key]:
            del self._names[key]
        return event

    def take_oldest(self, kind: str, *abouts: str) -> Fields | None:
        """Remove and return the oldest of a kind, about the first of `abouts` that there is."""
        for about in abouts:
            if names := self._names.get((kind, about)):
                return self.take(next(iter(names)))
        return None
