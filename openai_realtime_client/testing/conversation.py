"""The conversation of a session of the embedded server: its items, and the events about them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from openai_realtime_client.testing.errors import Refusal
from openai_realtime_client.testing.settings import Event, Ids

__all__ = ["Conversation"]

_FINISHED = ("message", "function_call", "function_call_output")


class Conversation:
    """Items in their order, as they are on the wire. Changes return the events about them.

    An item that a client names and that does not exist raises `Refusal`.
    """

    def __init__(self, ids: Ids) -> None:
        self.id = ids("conv")
        self.items: list[Event] = []
        # The duration of an item's audio, in milliseconds, by its id.
        self.audio_ms: dict[str, int] = {}
        self._ids = ids

    def find(self, item_id: str, action: str, param: str = "item_id") -> Event:
        """Return the item with an id; `action` and `param` are for the error if there is none."""
        return self.items[self._index(item_id, action, param)]

    def _index(self, item_id: str, action: str, param: str = "item_id") -> int:
        for index, item in enumerate(self.items):
            if item["id"] == item_id:
                return index
        message = f"Error: cannot {action} item, the item with id '{item_id}' does not exist."
        raise Refusal(f"item_{action}_invalid_{param}", message, param)

    def create(self, event: Event) -> Sequence[Event]:
        """Insert an item of the client."""
        previous, index = event.get("previous_item_id"), len(self.items)
        # Without it, an item is added to the end.
        if previous is not None:
            index = 0
            if previous != "root":
                index = self._index(previous, "create", "previous_item_id") + 1
        item = {**event["item"], "id": event["item"].get("id") or self._ids("item")}
        if any(other["id"] == item["id"] for other in self.items):
            message = f"An item with id '{item['id']}' exists already."
            raise Refusal("item_create_duplicate_id", message, "item.id")
        if item["type"] in _FINISHED:
            item["status"] = "completed"
        return self.insert(item, index)

    def insert(self, item: Event, index: int | None = None) -> Sequence[Event]:
        """Insert an item that is complete, by default at the end."""
        if index is None:
            index = len(self.items)
        return [self.begin(item, index), self._item_event("conversation.item.done", index)]

    def begin(self, item: Event, index: int | None = None) -> Event:
        """Insert an item that is not complete yet, by default at the end."""
        if index is None:
            index = len(self.items)
        self.items.insert(index, item)
        return self._item_event("conversation.item.added", index)

    def finish(self, item: Event) -> Sequence[Event]:
        """Replace an item by what it has become; no event if it was deleted meanwhile."""
        for index, other in enumerate(self.items):
            if other["id"] == item["id"]:
                self.items[index] = item
                return [self._item_event("conversation.item.done", index)]
        return []

    def last_id(self) -> str | None:
        """Return the id of the last item."""
        return self._previous_id(len(self.items))

    def _previous_id(self, index: int) -> str | None:
        if not index:
            return None
        return str(self.items[index - 1]["id"])

    def _item_event(self, event_type: str, index: int) -> Event:
        # A copy, because the item may change before the event is sent.
        previous, item = self._previous_id(index), dict(self.items[index])
        return self._ids.event(event_type, previous_item_id=previous, item=item)

    def retrieve(self, event: Event) -> Sequence[Event]:
        """Return an item."""
        item = self.find(event["item_id"], "retrieve")
        return [self._ids.event("conversation.item.retrieved", item=item)]

    def delete(self, event: Event) -> Sequence[Event]:
        """Remove an item."""
        del self.items[self._index(event["item_id"], "delete")]
        return [self._ids.event("conversation.item.deleted", item_id=event["item_id"])]

    def truncate(self, event: Event) -> Sequence[Event]:
        """Remove the audio of an item from a time on."""
        index = self._index(event["item_id"], "truncate")
        item, at, end_ms = self.items[index], event["content_index"], event["audio_end_ms"]
        parts: list[Any] = copy.deepcopy(item.get("content") or [])
        if not 0 <= at < len(parts) or parts[at].get("type") != "output_audio":
            message = "Only audio of the assistant can be truncated."
            raise Refusal("invalid_value", message, "content_index")
        length_ms = self.audio_ms.get(item["id"], 0)
        # The service refuses to cut behind the end; a client that rounds up sees that here.
        if not 0 <= end_ms <= length_ms:
            message = f"Audio content of {length_ms}ms is already shorter than {end_ms}ms"
            raise Refusal("invalid_value", message, "audio_end_ms")
        self.audio_ms[item["id"]] = end_ms
        # As the service does: it cannot know which words were played.
        parts[at].pop("transcript", None)
        self.items[index] = {**item, "content": parts}
        place = {"item_id": item["id"], "content_index": at, "audio_end_ms": end_ms}
        return [self._ids.event("conversation.item.truncated", **place)]
