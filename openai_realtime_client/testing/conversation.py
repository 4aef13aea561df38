"""The conversation of a session of the embedded server: its items, and the events about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from openai_realtime_client import ga
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing.errors import Refusal
from openai_realtime_client.testing.settings import Ids

__all__ = ["Conversation", "rebuilt"]


class Conversation:
    """Items in their order. What changes them gives the events that tell of the change.

    An item of the client that is not there raises `Refusal`.
    """

    def __init__(self, ids: Ids) -> None:
        self.id = ids("conv")
        self.items: list[Any] = []
        # How long the assistant's audio is, in milliseconds, by item.
        self.audio_ms: dict[str, int] = {}
        self._ids = ids

    def find(self, item_id: str, action: str, param: str = "item_id") -> Any:
        """The item with an id; `action` and `param` are for the error if there is none."""
        return self.items[self._index(item_id, action, param)]

    def _index(self, item_id: str, action: str, param: str = "item_id") -> int:
        for index, item in enumerate(self.items):
            if item.id == item_id:
                return index
        message = f"Error: cannot {action} item, the item with id '{item_id}' does not exist."
        raise Refusal(f"item_{action}_invalid_{param}", message, param)

    def create(
        self, event: ga.RealtimeClientEventConversationItemCreate
    ) -> Sequence[RealtimeModel]:
        """Put in an item of the client."""
        previous = event.previous_item_id
        index = len(self.items)
        if previous is not None:
            after = (
                self._index(previous, "create", "previous_item_id") if previous != "root" else -1
            )
            index = after + 1
        return self.insert(self._finished(event.item), index)

    def _finished(self, item: RealtimeModel) -> Any:
        wire = item.to_dict()
        wire["id"] = wire.get("id") or self._ids("item")
        if any(each.id == wire["id"] for each in self.items):
            message = f"An item with id '{wire['id']}' exists already."
            raise Refusal("item_create_duplicate_id", message, "item.id")
        if "status" in type(item).model_fields:
            wire["status"] = "completed"
        return rebuilt(item, wire)

    def insert(self, item: Any, index: int) -> list[RealtimeModel]:
        """Put in a whole item."""
        self.items.insert(index, item)
        return [self._added(index), self._done(index)]

    def begin(self, item: Any) -> RealtimeModel:
        """Append an item that is still to be filled."""
        self.items.append(item)
        return self._added(len(self.items) - 1)

    def finish(self, item: Any) -> Sequence[RealtimeModel]:
        """Replace an item by what it has become; no event if it was deleted meanwhile."""
        for index, each in enumerate(self.items):
            if each.id == item.id:
                self.items[index] = item
                return [self._done(index)]
        return []

    def last_id(self) -> str | None:
        """The id of the last item."""
        return self._previous_id(len(self.items))

    def _previous_id(self, index: int) -> str | None:
        return self.items[index - 1].id if index else None

    def _added(self, index: int) -> RealtimeModel:
        return ga.RealtimeServerEventConversationItemAdded(
            event_id=self._ids("event"),
            previous_item_id=self._previous_id(index),
            item=self.items[index],
        )

    def _done(self, index: int) -> RealtimeModel:
        return ga.RealtimeServerEventConversationItemDone(
            event_id=self._ids("event"),
            previous_item_id=self._previous_id(index),
            item=self.items[index],
        )

    def retrieve(
        self, event: ga.RealtimeClientEventConversationItemRetrieve
    ) -> Sequence[RealtimeModel]:
        """Tell an item."""
        item = self.find(event.item_id, "retrieve")
        return [
            ga.RealtimeServerEventConversationItemRetrieved(event_id=self._ids("event"), item=item)
        ]

    def delete(
        self, event: ga.RealtimeClientEventConversationItemDelete
    ) -> Sequence[RealtimeModel]:
        """Take an item out."""
        del self.items[self._index(event.item_id, "delete")]
        return [
            ga.RealtimeServerEventConversationItemDeleted(
                event_id=self._ids("event"), item_id=event.item_id
            )
        ]

    def truncate(
        self, event: ga.RealtimeClientEventConversationItemTruncate
    ) -> Sequence[RealtimeModel]:
        """Forget the audio of an item from a time on."""
        index = self._index(event.item_id, "truncate")
        wire = self.items[index].to_dict()
        parts: list[Any] = wire.get("content") or []
        at = event.content_index
        if not 0 <= at < len(parts) or parts[at].get("type") != "output_audio":
            message = "Only audio of the assistant can be truncated."
            raise Refusal("invalid_value", message, "content_index")
        length_ms = self.audio_ms.get(event.item_id, 0)
        if event.audio_end_ms > length_ms:
            message = (
                f"Audio content of {length_ms}ms is already shorter than {event.audio_end_ms}ms"
            )
            raise Refusal("invalid_value", message, "audio_end_ms")
        self.audio_ms[event.item_id] = event.audio_end_ms
        # As the service does: it cannot tell which words were heard.
        parts[at].pop("transcript", None)
        self.items[index] = rebuilt(self.items[index], wire)
        return [
            ga.RealtimeServerEventConversationItemTruncated(
                event_id=self._ids("event"),
                item_id=event.item_id,
                content_index=event.content_index,
                audio_end_ms=event.audio_end_ms,
            )
        ]


def rebuilt(item: RealtimeModel, wire: dict[str, Any]) -> Any:
    """An item of the same class, with other fields."""
    return type(item).from_dict(wire)
