"""A conversation of the embedded server, its items and responses, event by event."""

from __future__ import annotations

import base64
import copy
import time
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from openai_realtime_client.core.audio import PCM, format_of, split_audio
from openai_realtime_client.testing import audio
from openai_realtime_client.testing.answers import (
    Answer,
    Call,
    McpServers,
    find_approval,
    needs_approval,
    text_of,
    words,
)
from openai_realtime_client.testing.errors import Refusal
from openai_realtime_client.testing.settings import Event, Outbox, voice_name

__all__ = ["USER_TOKEN_MS", "Conversation", "Response"]

_FINISHED = ("message", "function_call", "function_call_output")
# Milliseconds of audio per token.
USER_TOKEN_MS = 100
_ASSISTANT_TOKEN_MS = 50
_RATE_LIMIT = {"name": "tokens", "limit": 100_000, "remaining": 99_000, "reset_seconds": 0.5}


class Conversation:
    """Items in their order, as they are on the wire. Changes emit the events about them.

    An item that a client names and that does not exist raises `Refusal`.
    """

    def __init__(self, outbox: Outbox, mcp: McpServers, *, is_call: bool) -> None:
        self.id = outbox.new_id("conv")
        self.outbox = outbox
        self.mcp = mcp
        self.is_call = is_call  # by WebRTC or SIP: audio is not sent as events
        self.items: list[Event] = []
        # The duration of an item's audio, in milliseconds, by its id.
        self.audio_ms: dict[str, int] = {}

    def find(self, item_id: str, action: str) -> Event:
        """Return the item with an id; `action` is for the error if it is missing."""
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
        item = {**event["item"], "id": event["item"].get("id") or self.outbox.new_id("item")}
        if any(other["id"] == item["id"] for other in self.items):
            message = f"An item with id '{item['id']}' exists already."
            raise Refusal("item_create_duplicate_id", message, "item.id")
        call_id = item.get("call_id")
        calls = [other.get("call_id") for other in self.items if other["type"] == "function_call"]
        if item["type"] == "function_call_output" and call_id not in calls:
            message = f"Tool call ID '{call_id}' not found in conversation."
            raise Refusal("invalid_tool_call_id", message, "item.call_id")
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
        self.outbox.emit(event_type, previous_item_id=self.previous_id(index), item=item)

    def retrieve(self, event: Event) -> None:
        """Emit an item."""
        item = self.find(event["item_id"], "retrieve")
        self.outbox.emit("conversation.item.retrieved", item=item)

    def delete(self, event: Event) -> None:
        """Remove an item."""
        del self.items[self._index(event["item_id"], "delete")]
        self.outbox.emit("conversation.item.deleted", item_id=event["item_id"])

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
        self.outbox.emit("conversation.item.truncated", **place)


class Response:
    """One response, from the settings of the session and those of `response.create`.

    `steps` emits its events, from `response.created` to `response.done`, and yields pauses in
    seconds; `is_active` ends with the latter. `is_in_band` says whether its output belongs to the
    conversation.
    """

    def __init__(
        self, conversation: Conversation, context: list[Event], settings: Event, answer: Answer
    ) -> None:
        self.id = conversation.outbox.new_id("resp")
        self.is_active = True
        self.is_in_band = settings.get("conversation") != "none"
        self.is_playing = False
        self._outbox = conversation.outbox
        self._conversation = conversation
        self._context = context
        self._answer = answer
        self._end: Event | None = None  # the `status_details` where it is not completed
        self._text_tokens = 0
        self._audio_ms = 0
        # Set again with the first audio: playback takes place at the pace of speech.
        self._began = time.monotonic()
        self._tools: list[Event] = settings["tools"]
        self._format = format_of(settings, "output") or PCM
        self._wire = self._initial(settings)
        # Even without a pause the client may cancel or interrupt between two steps.
        self._pause = 0.0
        if answer.real_time:
            self._pause = audio.CHUNK_MS / 1000
        # A generator, so that a cancelled response still sends the events that end it.
        self.steps = self._run()

    def cancel(self, reason: str) -> None:
        """End it for a reason, such as "client_cancelled", with the events that are left of it."""
        self._end = {"type": "cancelled", "reason": reason}
        for _ in self.steps:
            pass

    @property
    def playback_left(self) -> float:
        """The seconds until its audio has been played."""
        return max(0.0, self._began + self._audio_ms / 1000 - time.monotonic())

    def stop_playing(self, how: str) -> None:
        """End playback on a call: it has "stopped", or is "cleared"."""
        if self.is_playing:
            self.is_playing = False
            self._outbox.emit(f"output_audio_buffer.{how}", response_id=self.id)

    def emit_rate_limits(self) -> None:
        """Emit the event that follows the response, unless the answer has it left out."""
        limits = self._answer.rate_limits
        if limits is None:
            limits = [_RATE_LIMIT]
        if limits:
            self._outbox.emit("rate_limits.updated", rate_limits=[dict(limit) for limit in limits])

    def _initial(self, settings: Event) -> Event:
        output = settings["audio"]["output"]
        wire: Event = {
            "object": "realtime.response",
            "id": self.id,
            "status": "in_progress",
            "status_details": None,
            "output": [],
            "output_modalities": settings["output_modalities"],
            "max_output_tokens": settings["max_output_tokens"],
            "audio": {"output": {"format": output["format"], "voice": voice_name(output["voice"])}},
            "usage": None,
            "metadata": settings.get("metadata"),
        }
        if self.is_in_band:
            wire["conversation_id"] = self._conversation.id
        if "temperature" in settings:  # of v1 only
            wire["temperature"] = settings["temperature"]
        return wire

    def _emit(self, event_type: str, **fields: Any) -> None:
        """Emit an event of this response."""
        self._outbox.emit(f"response.{event_type}", response_id=self.id, **fields)

    def _run(self) -> Iterator[float]:
        self._outbox.emit("response.created", response=dict(self._wire))
        yield self._answer.delay
        if self._answer.text is not None and not self._end:
            yield from self._say(self._answer.text)
        for call in self._answer.calls:
            if not self._end:
                if call.server_label:
                    yield from self._call_tool(call)
                else:
                    yield from self._call_function(call)
        if self._answer.error is not None and not self._end:
            error = {"type": "server_error", **self._answer.error}
            self._end = {"type": "failed", "error": error}
        self.is_active = False
        self._wire["status"] = "completed"
        if self._end:
            self._wire["status"] = self._end["type"]
        self._wire["status_details"] = self._end
        self._wire["usage"] = {**self._usage(), **(self._answer.usage or {})}
        self._outbox.emit("response.done", response=self._wire)

    def _usage(self) -> Event:
        durations = self._conversation.audio_ms
        # Counted like the service's: everything in the context is read again for each response.
        text_in = audio_in = 0
        for item in self._context:
            length_ms = durations.get(item.get("id", ""), 0)
            # An item with audio is read as such: its transcript counts no tokens.
            if not length_ms:
                text_in += len(words(text_of(item)))
            elif item.get("role") == "user":
                audio_in += length_ms // USER_TOKEN_MS
            else:
                audio_in += length_ms // _ASSISTANT_TOKEN_MS
        text_out, audio_out = self._text_tokens, self._audio_ms // _ASSISTANT_TOKEN_MS
        nothing = {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0}
        taken = {**nothing, "text_tokens": text_in, "audio_tokens": audio_in}
        cached = {"cached_tokens": 0, "cached_tokens_details": nothing}
        return {
            "total_tokens": text_in + audio_in + text_out + audio_out,
            "input_tokens": text_in + audio_in,
            "output_tokens": text_out + audio_out,
            "input_token_details": {**taken, **cached},
            "output_token_details": {"text_tokens": text_out, "audio_tokens": audio_out},
        }

    def _open(self, item: Event) -> Event:
        """Begin an item; return where it is, for the events about it."""
        index = len(self._wire["output"])
        self._emit("output_item.added", output_index=index, item=dict(item))
        if self.is_in_band:
            self._conversation.begin(item)
        return {"item_id": item["id"], "output_index": index}

    def _close(self, item: Event) -> None:
        # MCP items have no status.
        if "status" in item:
            item = {**item, "status": "completed"}
            if self._end:
                item["status"] = "incomplete"
        index = len(self._wire["output"])
        self._wire["output"] = [*self._wire["output"], item]
        self._conversation.finish(item)
        self._emit("output_item.done", output_index=index, item=item)

    def _pieces(self, text: str) -> Iterator[str]:
        """Yield the words of a text until the response has ended or reached its token limit."""
        limit = self._wire["max_output_tokens"]
        for piece in words(text):
            if isinstance(limit, int) and self._text_tokens >= limit and not self._end:
                self._end = {"type": "incomplete", "reason": "max_output_tokens"}
            if self._end:
                return
            # A word is a token here.
            self._text_tokens += 1
            yield piece

    # Calls

    def _call_function(self, call: Call) -> Iterator[float]:
        call_id = self._outbox.new_id("call")
        fields = {"name": call.name, "call_id": call_id, "arguments": ""}
        item = self._outbox.new_item("function_call", status="in_progress", **fields)
        place = {**self._open(item), "call_id": call_id}
        yield from self._stream_arguments(item, call, place)
        fields["arguments"] = item["arguments"]
        self._emit("function_call_arguments.done", **{**place, **fields})
        self._close(item)

    def _stream_arguments(self, item: Event, call: Call, place: Event) -> Iterator[float]:
        for piece in self._pieces(call.json):
            item["arguments"] += piece
            self._emit(f"{item['type']}_arguments.delta", **place, delta=piece)
            yield self._pause

    def _call_tool(self, call: Call) -> Iterator[float]:
        """Call a tool of an MCP server and say its output, or ask for approval."""
        label = call.server_label or ""
        tools = {tool.name: tool for tool in self._conversation.mcp.get(label, ())}
        tool = tools.get(call.name)
        about: Event = {"server_label": label, "name": call.name}
        approved = find_approval(self._context)
        if tool and not approved and needs_approval(self._tools, label, tool):
            item = self._outbox.new_item("mcp_approval_request", **about, arguments=call.json)
            self._open(item)
            self._close(item)
            return
        item = self._outbox.new_item("mcp_call", **about, arguments="", output=None, error=None)
        item["approval_request_id"] = approved and approved["approval_request_id"]
        place = self._open(item)
        yield from self._stream_arguments(item, call, place)
        self._emit("mcp_call_arguments.done", **place, arguments=item["arguments"])
        self._outbox.emit("response.mcp_call.in_progress", **place)
        if tool:
            item |= tool.run(call.json)
        else:
            # "Invalid params", the code of the MCP specification for an unknown tool:
            # https://modelcontextprotocol.io/specification/2025-06-18/server/tools#error-handling
            item["error"] = {"type": "protocol_error", "code": -32602, "message": "Unknown tool."}
        outcome = "completed"
        if item["error"]:
            outcome = "failed"
        self._outbox.emit(f"response.mcp_call.{outcome}", **place)
        self._close(item)
        if outcome == "completed":
            yield from self._say(f"The function said: {text_of(item)}")

    # Speech and text

    def _say(self, text: str) -> Iterator[float]:
        part_type, key, stem = "text", "text", "output_text"
        chunks: Iterator[bytes] = iter(())
        is_audio = "audio" in self._wire["output_modalities"]
        if is_audio:
            part_type, key, stem = "audio", "transcript", "output_audio_transcript"
            chunks = self._sound()
        item = self._outbox.new_item("message", status="in_progress", role="assistant", content=[])
        place = {**self._open(item), "content_index": 0}
        part = {"type": part_type, key: ""}
        self._emit("content_part.added", **place, part=dict(part))
        # Transcript and sound interleave, as they do in sessions with the service.
        for piece, chunk in zip_longest(self._pieces(text), chunks):
            if piece is not None:
                part[key] += piece
                self._emit(f"{stem}.delta", **place, delta=piece)
            if chunk is not None and not self._end:
                self._play(chunk, place)
            yield self._pause
        if is_audio:
            self._emit("output_audio.done", **place)
        self._emit(f"{stem}.done", **place, **{key: part[key]})
        self._emit("content_part.done", **place, part=part)
        self._close({**item, "content": [{**part, "type": f"output_{part_type}"}]})

    def _sound(self) -> Iterator[bytes]:
        sound = self._answer.audio
        if not isinstance(sound, bytes):
            sound = audio.tone(self._format, round(sound * 1000))
        return split_audio(sound, self._format, audio.CHUNK_MS)

    def _play(self, chunk: bytes, place: Event) -> None:
        length_ms = self._format.milliseconds(len(chunk))
        if not self._audio_ms:
            self._began = time.monotonic()
        self._audio_ms += length_ms
        lengths, item_id = self._conversation.audio_ms, place["item_id"]
        lengths[item_id] = lengths.get(item_id, 0) + length_ms
        # On a call the audio goes over WebRTC or SIP, and events only tell that it plays.
        if not self._conversation.is_call:
            data = base64.b64encode(chunk).decode()
            self._emit("output_audio.delta", **place, delta=data)
        elif not self.is_playing:
            self.is_playing = True
            self._outbox.emit("output_audio_buffer.started", response_id=self.id)
