"""The order of a conversation's items, whatever the order in which they arrive."""

from __future__ import annotations

from typing import Any

from openai_realtime_client.core.conversation_items import ConversationItem

__all__ = ["ItemOrder"]


class _Place:
    """Where an item stands, will stand once it arrives, or stood until it was deleted."""

    __slots__ = ("followers", "has_previous", "is_taken", "item")

    def __init__(self, *, is_taken: bool = False) -> None:
        self.item: ConversationItem | None = None
        self.is_taken = is_taken  # by an item that has arrived
        self.has_previous = False  # known, whether it has arrived or not
        # Each was put directly after this one, so that the last comes first.
        self.followers: list[_Place] = []


class ItemOrder:
    """Items, each of which names the one before it. Neither has to arrive first."""

    def __init__(self) -> None:
        self._start = _Place(is_taken=True)  # The first item is put directly after it.
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
        if not place.has_previous and (previous_id is None or _is_id(previous_id)):
            previous = self._place(previous_id)
            previous.followers.append(place)
            place.has_previous = True
            if previous.is_taken:
                self._loose.pop(place, None)
        self._sorted = None

    def remove(self, item: ConversationItem) -> None:
        """Remove an item. What follows it stays where it is."""
        item.is_in_conversation = False
        if place := self._places.pop(item.id, None):
            place.item = self._sorted = None
            if not place.followers:
                self._loose.pop(place, None)

    def items(self) -> list[ConversationItem]:
        """The items in order."""
        if self._sorted is None:
            self._sorted = [place.item for place in self._walked() if place.item]
        return self._sorted.copy()

    def _place(self, item_id: str | None) -> _Place:
        if item_id not in self._places:
            self._places[item_id] = _Place()
        return self._places[item_id]

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
