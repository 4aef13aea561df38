"""The events that restore a conversation in a new session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openai_realtime_client.conversation.items import ConversationItem, ConversationResponse

__all__ = ["history_events"]

Item = dict[str, Any]

# The longest id that the service takes.
_MAX_ID = 32
_BYTES_PER_TOKEN = 3  # in English about 4: rather too few items than too many


def history_events(
    items: Sequence[ConversationItem],
    responses: Iterable[ConversationResponse],
    outputs: Mapping[str, str],
    *,
    assistant_type: str,
    max_items: int | None,
    max_tokens: int | None,
) -> list[dict[str, Any]]:
    """Make the events of `Conversation.history`.

    `outputs` are those of functions, by `call_id`, and `assistant_type` is the type of an
    assistant's text. Responses may have calls that are no items of the conversation.
    """
    content_types = {"user": "input_text", "system": "input_text", "assistant": assistant_type}
    output_ids = {item.call_id: item.id for item in items if item.type == "function_call_output"}
    # Calls without an item of their own, by the item that they follow.
    calls_after: dict[str, list[ConversationItem]] = {}
    for response in responses:
        placed = [item for item in response.items if item.is_in_conversation]
        if placed:
            unseen = [call for call in response.calls if not call.is_in_conversation]
            calls_after[placed[-1].id] = unseen
    # A call and its output stay together: the service refuses an output without its call.
    groups: list[list[Item]] = []
    for item in items:
        if item.type == "message" and item.role in content_types:
            groups.append(_message(item, content_types[item.role]))
        calls = calls_after.get(item.id, [])
        if item.type == "function_call":
            calls = [item, *calls]
        for call in calls:
            if call.call_id and call.call_id in outputs:
                groups.append(_pair(call, outputs[call.call_id], output_ids.get(call.call_id)))
    # From the end, so that the latest items are kept.
    kept: list[Item] = []
    tokens = 0
    # A group that does not fit ends the history: a gap would mislead the model.
    for group in reversed(groups):
        tokens += sum(map(_tokens, group))
        if max_items is not None and len(kept) + len(group) > max_items:
            break
        if max_tokens is not None and tokens > max_tokens:
            break
        kept = group + kept
    ids: set[str] = set()
    for sent in reversed(kept):
        # Servers may use an id again in a later session, but take it once.
        if sent.get("id") in ids:
            del sent["id"]
        ids.add(sent.get("id", ""))
    return [{"type": "conversation.item.create", "item": item} for item in kept]


def _message(item: ConversationItem, content_type: str) -> list[Item]:
    content: list[dict[str, str]] = []
    for part in item.parts.values():
        # Audio that was not heard at all is not part of the conversation for the user.
        text = part.text or part.transcript
        if text and part.truncated_ms != 0:
            content.append({"type": content_type, "text": text})
    if not content:
        return []
    message: Item = {"type": "message", "role": item.role, "content": content}
    return [_with_id(message, item.id)]


def _pair(call: ConversationItem, output: str, output_id: str | None) -> list[Item]:
    name = {"name": call.name or "", "arguments": call.arguments or "{}"}
    call_item: Item = {"type": "function_call", "call_id": call.call_id, **name}
    output_item: Item = {"type": "function_call_output", "call_id": call.call_id, "output": output}
    return [_with_id(call_item, call.id), _with_id(output_item, output_id)]


def _with_id(item: Item, item_id: str | None) -> Item:
    if item_id and len(item_id) <= _MAX_ID:
        return {"id": item_id, **item}
    return item


def _tokens(item: Item) -> int:
    texts = [item.get("arguments", ""), item.get("output", "")]
    for part in item.get("content", []):
        texts.append(part["text"])
    return len("".join(texts).encode(errors="replace")) // _BYTES_PER_TOKEN + 1
