"""The order of a conversation's items, whatever the order in which they arrive."""

from __future__ import annotations

from typing import Any

from openai_realtime_client.conversation.items import ConversationItem

__all__ = ["ItemOrder"]


class _Place:
    """Where an item stands, will stand once it arrives, or stood until it was deleted."""

    __slots__ = ("followers", "is_taken", "item", "item_id", "previous")

    def __init__(self, item_id: str | None) -> None:
        self.item_id = item_id
        self.item: ConversationItem | None = None
        # Whether an item has arrived. The first item follows a place of none.
        self.is_taken = item_id is None
        self.previous: _Place | None = None
        # Each was put directly after this one, so that the last comes first.
        self.followers: dict[_Place, None] = {}


class ItemOrder:
    """Items, each of which names the one before it. Neither has to arrive first."""

    def __init__(self) -> None:
        self._start = _Place(None)
        self._places: dict[str | None, _Place] = {None: self._start}
        # The places without a known one before them, in order of arrival. They are the last.
        self._loose: dict[_Place, None] = {}
        self._sorted: list[ConversationItem] | None = None

    def put(self, item: ConversationItem, previous_id: Any) -> None:
        """Put an item where it belongs, unless that was said before.

        Args:
            item: The item, new or not.
            previous_id: What an event calls the item before it: its id, `None` for the first, or ""
                if the event does not say.
        """
        place = self._place(item.id)
        if not place.is_taken:
            place.item, place.is_taken, item.is_in_conversation = item, True, True
            self._loose[place] = None
            for follower in place.followers:
                self._loose.pop(follower, None)
        if place.previous is None and (previous_id is None or _is_id(previous_id)):
            place.previous = previous = self._place(previous_id)
            previous.followers[place] = None
            if previous.is_taken:
                self._loose.pop(place, None)
        self._sorted = None

    def remove(self, item: ConversationItem) -> None:
        """Remove an item. What follows it stays where it is."""
        place = self._places.get(item.id)
        if place and place.is_taken:
            del self._places[item.id]
            place.item, item.is_in_conversation, self._sorted = None, False, None
            self._drop(place)

    def items(self) -> list[ConversationItem]:
        """The items in order."""
        if self._sorted is None:
            self._sorted = [place.item for place in self._walked() if place.item]
        return self._sorted.copy()

    def _place(self, item_id: str | None) -> _Place:
        if item_id not in self._places:
            self._places[item_id] = _Place(item_id)
        return self._places[item_id]

    def _drop(self, place: _Place) -> None:
        """Forget an empty place if nothing follows it, or if what follows can take its place."""
        previous = place.previous
        if not place.followers:
            self._loose.pop(place, None)
            if previous:
                del previous.followers[place]
                if not previous.is_taken and not previous.followers:
                    del self._places[previous.item_id]  # Nothing waits for its item any more.
        elif previous and previous.is_taken and len(place.followers) == 1:
            [follower] = place.followers
            if next(reversed(previous.followers)) is place is not follower:
                del previous.followers[place]
                previous.followers[follower] = None
                follower.previous = previous

    def _walked(self) -> dict[_Place, None]:
        """All places in order."""
        walked: dict[_Place, None] = {}
        # Items that name each other in a circle, as only a faulty server has them, follow neither
        # the start nor what is loose.
        for root in (self._start, *self._loose, *self._places.values()):
            left = [root]
            while left:
                place = left.pop()
                if place not in walked:
                    walked[place] = None
                    left += place.followers
        return walked


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and value != ""
