"""The conversation of a session of the embedded server: its items, and the events about them."""

from __future__ import annotations

import copy
from typing import Any

from openai_realtime_client.testing.errors import Refusal
from openai_realtime_client.testing.settings import Event, Outbox

__all__ = ["Conversation"]

_FINISHED = ("message", "function_call", "function_call_output")


class Conversation:
    """Items in their order, as they are on the wire. Changes emit the events about them.

    An item that a client names and that does not exist raises `Refusal`.
    """

    def __init__(self, outbox: Outbox) -> None:
        self.id = outbox.new_id("conv")
        self.items: list[Event] = []
        # The duration of an item's audio, in milliseconds, by its id.
        self.audio_ms: dict[str, int] = {}
        self._outbox = outbox

    def find(self, item_id: str, action: str) -> Event:
        """Return the item with an id; `action` is for the error if there is none."""
        return self.items[self._index(item_id, action)]

    def _index(self, item_id: str, action: str, param: str = "item_id") -> int:
        for index, item in enumerate(self.items):
            if item["id"] == item_id:
                return index
        message = f"Error: cannot {action} item, the item with id '{item_id}' does not exist."
        raise Refusal(f"item_{action}_invalid_{param}", message, param)

    def create(self, event: Event) -> None:
        """Insert an item of the client."""
        previous, index = event.get("previous_item_id"), len(self.items)
        # Without it, an item is added to the end.
        if previous == "root":
            index = 0
        elif previous is not None:
            index = self._index(previous, "create", "previous_item_id") + 1
        item = {**event["item"], "id": event["item"].get("id") or self._outbox.new_id("item")}
        if any(other["id"] == item["id"] for other in self.items):
            message = f"An item with id '{item['id']}' exists already."
            raise Refusal("item_create_duplicate_id", message, "item.id")
        if item["type"] in _FINISHED:
            item["status"] = "completed"
        self.begin(item, index)
        self.finish(item)

    def begin(self, item: Event, index: int | None = None) -> None:
        """Insert an item that is not complete yet, by default at the end."""
        if index is None:
            index = len(self.items)
        self.items.insert(index, item)
        self._emit_item("conversation.item.added", index)

    def finish(self, item: Event) -> None:
        """Replace an item by what it has become; no event if it was deleted meanwhile."""
        for index, other in enumerate(self.items):
            if other["id"] == item["id"]:
                self.items[index] = item
                self._emit_item("conversation.item.done", index)

    def previous_id(self, index: int) -> str | None:
        """Return the id of the item before an index."""
        if not index:
            return None
        return str(self.items[index - 1]["id"])

    def _emit_item(self, event_type: str, index: int) -> None:
        # A copy, because the item may change before the event is sent.
        item = dict(self.items[index])
        self._outbox.emit(event_type, previous_item_id=self.previous_id(index), item=item)

    def retrieve(self, event: Event) -> None:
        """Emit an item."""
        item = self.find(event["item_id"], "retrieve")
        self._outbox.emit("conversation.item.retrieved", item=item)

    def delete(self, event: Event) -> None:
        """Remove an item."""
        del self.items[self._index(event["item_id"], "delete")]
        self._outbox.emit("conversation.item.deleted", item_id=event["item_id"])

    def truncate(self, event: Event) -> None:
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
        self._outbox.emit("conversation.item.truncated", **place)
