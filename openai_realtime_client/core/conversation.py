"""The state of a conversation, kept from its events without I/O."""

# Items, parts and responses are for users to read; only `Conversation` changes them.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from base64 import b64decode
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, cast

from openai_realtime_client.core.json_types import at, is_array, is_object
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.core.session_state import SessionState
from openai_realtime_client.core.usage import Usage

__all__ = [
    "Conversation",
    "ConversationItem",
    "ConversationPart",
    "ConversationResponse",
]

Event = RealtimeModel | Mapping[str, Any]

_PCM_24_KHZ = 48_000
# Sent events that wait for an answer: of each kind, and in all those that have an `event_id`.
_MOST_UNANSWERED = 1_000


class _Text:
    """Text that grows by deltas, joined only when it is read."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self.is_done = False

    def __str__(self) -> str:
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, delta: Any) -> None:
        if isinstance(delta, str) and delta and not self.is_done:
            self._pieces.append(delta)

    def set(self, text: Any, *, is_done: bool) -> None:
        # What is incomplete never replaces what came by deltas, nor what is complete.
        if isinstance(text, str) and (is_done or not (self.is_done or self._pieces)):
            self._pieces = [text] if text else []
            self.is_done = is_done

    def remove(self) -> None:
        self._pieces, self.is_done = [], True


class ConversationPart:
    """One content part of an item.

    Attributes:
        type: Such as `input_text` or `output_audio`, as the server last called it.
        audio_bytes: The size of the audio received, decoded, before any truncation.
        audio: The audio itself, if `Conversation` keeps it.
        truncated_ms: Where the server truncated the audio, in milliseconds, or `None`.
        is_audio_done: Whether all audio was received.
        transcription_error: The `error` of a failed transcription.
    """

    def __init__(self, bytes_per_second: int) -> None:
        self.type: str | None = None
        self.audio_bytes = 0
        self.audio = bytearray()
        self.truncated_ms: int | None = None
        self.is_audio_done = False
        self.transcription_error: dict[str, Any] | None = None
        self._text = _Text()
        self._transcript = _Text()
        self._bytes_per_second = bytes_per_second

    @property
    def text(self) -> str:
        """The text, as far as it was received."""
        return str(self._text)

    @property
    def transcript(self) -> str:
        """The transcript of the audio, as far as it was received; empty after truncation."""
        return str(self._transcript)

    @property
    def audio_ms(self) -> int:
        """The duration of the audio received in milliseconds, less what was truncated."""
        received = self.audio_bytes * 1000 // self._bytes_per_second
        return received if self.truncated_ms is None else min(received, self.truncated_ms)

    def _update(self, wire: dict[str, Any], *, is_done: bool) -> None:
        if isinstance(wire.get("type"), str):
            self.type = str(wire["type"])
        self._text.set(wire.get("text"), is_done=is_done)
        if self.truncated_ms is None:
            self._transcript.set(wire.get("transcript"), is_done=is_done)

    def _truncate(self, end_ms: int) -> None:
        self.truncated_ms = max(end_ms, 0)
        del self.audio[self.truncated_ms * self._bytes_per_second // 1000 :]
        self._transcript.remove()


class ConversationItem:
    """One item: a message, a function call and its output, or what a vendor adds.

    Attributes:
        type, role, status, name, call_id, output, server_label: As the server last sent them, or
            `None`.
        is_in_conversation: False for items of out-of-band responses, and once it was deleted.
    """

    def __init__(self, id: str) -> None:
        self.id = id
        self.type: str | None = None
        self.role: str | None = None
        self.status: str | None = None
        self.name: str | None = None
        self.call_id: str | None = None
        self.output: str | None = None
        self.server_label: str | None = None
        self.is_in_conversation = False
        self._arguments = _Text()
        self._parts: dict[int, ConversationPart] = {}
        self._previous: ConversationItem | None = None
        self._next: ConversationItem | None = None

    def __repr__(self) -> str:
        return f"<ConversationItem {self.id}: {self.role or self.type}, {self.status}>"

    @property
    def parts(self) -> dict[int, ConversationPart]:
        """The content parts by `content_index`, in order."""
        return dict(sorted(self._parts.items()))

    @property
    def text(self) -> str:
        """The text of all parts."""
        return "".join(part.text for part in self.parts.values())

    @property
    def transcript(self) -> str:
        """The transcripts of all parts."""
        return "".join(part.transcript for part in self.parts.values())

    @property
    def arguments(self) -> str:
        """The arguments of a function or MCP call, as JSON, as far as they were received."""
        return str(self._arguments)

    @property
    def audio_bytes(self) -> int:
        """The size of the audio of all parts."""
        return sum(part.audio_bytes for part in self._parts.values())

    @property
    def audio_ms(self) -> int:
        """The duration of the audio of all parts, in milliseconds."""
        return sum(part.audio_ms for part in self._parts.values())


_ITEM_FIELDS = ("type", "role", "status", "name", "call_id", "output", "server_label")


class ConversationResponse:
    """One response.

    Attributes:
        status: `in_progress` until it ended, then `completed`, `cancelled`, `failed` or so.
        reason: Why it ended so, such as `turn_detected`, or `None`.
        error: The error of a failed one, or `None`.
        is_out_of_band: Whether it is kept out of the conversation.
        usage: What it used, once it ended.
        metadata: As it was sent with `response.create`, or `None`.
    """

    def __init__(self, id: str) -> None:
        self.id = id
        self.status: str | None = "in_progress"
        self.reason: str | None = None
        self.error: dict[str, Any] | None = None
        self.is_out_of_band = False
        self.usage = Usage()
        self.metadata: dict[str, Any] | None = None
        self._items: dict[str, ConversationItem] = {}
        self._bytes_per_second: int | None = None

    def __repr__(self) -> str:
        return f"<ConversationResponse {self.id}: {self.status}>"

    @property
    def items(self) -> list[ConversationItem]:
        """Its output items, in order."""
        return list(self._items.values())


class Conversation:
    """What the events of a session amount to: items, responses, usage and settings.

    Call `add` with every event in order, those of the server and those that were sent. Unknown
    events change nothing and nothing that a server sends raises.

    Attributes:
        id: The id of the conversation, or `None`.
        responses: All responses, by id.
        usage: What all responses used.
        transcription_usage: What all transcriptions of the user's audio used.

    Args:
        keep_audio: Whether to keep received audio in `ConversationPart.audio`. It is counted
            either way.
    """

    def __init__(self, *, keep_audio: bool = False) -> None:
        self.id: str | None = None
        self.responses: dict[str, ConversationResponse] = {}
        self.usage = Usage()
        self.transcription_usage = Usage()
        self._state = SessionState()
        self._keep_audio = keep_audio
        self._bytes_per_second = _PCM_24_KHZ
        self._items: dict[str, ConversationItem] = {}
        self._deleted: set[str] = set()
        self._first: ConversationItem | None = None
        self._last: ConversationItem | None = None
        self._active: dict[str, ConversationResponse] = {}
        self._transcribed: dict[tuple[str, int], Usage] = {}
        self._by_event_id: dict[str, Event] = {}
        self._unconfirmed: dict[str, deque[Event]] = {}
        self._names_conversation = False

    @property
    def session(self) -> Any:
        """The latest settings, as `connection.session` has them, or `None`."""
        return self._state.settings

    @property
    def session_id(self) -> str | None:
        """The server's id of the session, or `None` until `session.created` was added."""
        return self._state.id

    @property
    def items(self) -> list[ConversationItem]:
        """The items of the conversation, in its order."""
        return list(self._walk())

    @property
    def active(self) -> list[ConversationResponse]:
        """The responses in progress that belong to the conversation: at most one, normally."""
        return [each for each in self._active.values() if not each.is_out_of_band]

    @property
    def active_out_of_band(self) -> list[ConversationResponse]:
        """The out-of-band responses in progress."""
        return [each for each in self._active.values() if each.is_out_of_band]

    def item(self, item_id: str) -> ConversationItem | None:
        """The item with an id, out-of-band ones included, or `None`."""
        return self._items.get(item_id)

    def add(self, event: Event) -> Event | None:
        """Take one event.

        Args:
            event: An instance of an event's class, or the same as a dictionary.

        Returns:
            The sent event that this one answers, or `None`. An `error` answers by `event_id`.
            Confirmations do not carry it; the oldest that waits for one of this kind, and for this
            item where there is one, is confirmed.
        """
        wire: Any = event
        is_model = isinstance(event, RealtimeModel)
        kind = getattr(event, "type", None) if is_model else wire.get("type")
        handle = _HANDLERS.get(kind) if isinstance(kind, str) else None
        if handle is None:
            return None
        if is_model and handle not in _UNCOPIED:
            wire = wire.to_dict()
        return cast("Event | None", handle(self, wire))

    def heard(self, item_id: str, milliseconds: float) -> Any:
        """Make the event to send after an interruption, so that the model knows what was heard.

        Args:
            item_id: The item that was being played.
            milliseconds: How much of its audio was heard, such as from `Playback`. What exceeds
                the audio received is cut to it.

        Returns:
            A `conversation.item.truncate` event, or `None` where there is nothing to cut: for an
            item without audio, that is deleted, or of which all was heard.
        """
        item = self._items.get(item_id)
        if item is None or not item.is_in_conversation:
            return None
        parts = [(i, part) for i, part in item.parts.items() if part.audio_bytes]
        left = max(milliseconds, 0)
        for index, part in parts:
            if left < part.audio_ms:
                return _truncate(item_id, index, int(left))
            left -= part.audio_ms
        if not parts or parts[-1][1].is_audio_done or parts[-1][1].truncated_ms is not None:
            return None
        return _truncate(item_id, parts[-1][0], parts[-1][1].audio_ms)

    # Items

    def _walk(self) -> Iterator[ConversationItem]:
        item = self._first
        while item:
            yield item
            item = item._next

    def _found(self, item_id: Any) -> ConversationItem | None:
        """The item with an id, made if there was none, unless it was deleted."""
        if not isinstance(item_id, str) or item_id in self._deleted:
            return None
        if item_id not in self._items:
            self._items[item_id] = ConversationItem(item_id)
        return self._items[item_id]

    def _part(self, event: dict[str, Any]) -> ConversationPart | None:
        index, item = event.get("content_index", 0), self._found(event.get("item_id"))
        if item is None or not isinstance(index, int):
            return None
        return self._part_of(item, index, event.get("response_id"))

    def _part_of(
        self, item: ConversationItem, index: int, response_id: Any = None
    ) -> ConversationPart:
        if index not in item._parts:
            response = self.responses.get(response_id) if isinstance(response_id, str) else None
            own = response._bytes_per_second if response else None
            item._parts[index] = ConversationPart(own or self._bytes_per_second)
        return item._parts[index]

    def _updated(
        self, wire: Any, *, is_done: bool, response_id: Any = None
    ) -> ConversationItem | None:
        item = self._found(wire.get("id")) if is_object(wire) else None
        if item is None:
            return None
        is_late = not is_done and item.status not in (None, "in_progress")
        for name in _ITEM_FIELDS:
            value = wire.get(name)
            if isinstance(value, str) and not (is_late and name == "status"):
                setattr(item, name, str(value))
        item._arguments.set(wire.get("arguments"), is_done=is_done)
        content = wire.get("content")
        for index, part in enumerate(content if is_array(content) else []):
            if is_object(part):
                found = self._part_of(item, index, response_id)
                found._update(part, is_done=is_done)
        return item

    def _place(self, item: ConversationItem, previous: ConversationItem | None) -> None:
        """Link an item in after another, or as the first."""
        following = previous._next if previous else self._first
        item._previous, item._next = previous, following
        if previous:
            previous._next = item
        else:
            self._first = item
        if following:
            following._previous = item
        else:
            self._last = item
        item.is_in_conversation = True

    def _place_by(self, event: dict[str, Any], item: ConversationItem) -> None:
        if item.is_in_conversation:
            return
        previous_id = event.get("previous_item_id", "")
        previous = self._items.get(previous_id) if isinstance(previous_id, str) else None
        if previous is None or not previous.is_in_conversation:
            # `null` says that it is the first. Of an item that is not known, nothing follows.
            previous = None if previous_id is None else self._last
        self._place(item, previous)

    def _on_item_added(self, event: dict[str, Any]) -> Event | None:
        wire = event.get("item")
        if not is_object(wire) or not isinstance(wire.get("id"), str):
            return None
        self._deleted.discard(wire["id"])
        if item := self._updated(wire, is_done=False):
            self._place_by(event, item)
        return self._confirm(f"item {wire['id']}") or self._confirm("item")

    def _on_item_done(self, event: dict[str, Any]) -> None:
        if item := self._updated(event.get("item"), is_done=True):
            self._place_by(event, item)

    def _on_committed(self, event: dict[str, Any]) -> Event | None:
        if item := self._found(event.get("item_id")):
            item.type, item.role = item.type or "message", item.role or "user"
            self._place_by(event, item)
        return self._confirm("input_audio_buffer.committed")

    def _on_deleted(self, event: dict[str, Any]) -> Event | None:
        item_id = event.get("item_id")
        if not isinstance(item_id, str):
            return None
        self._deleted.add(item_id)
        item = self._items.pop(item_id, None)
        if item and item.is_in_conversation:
            item.is_in_conversation = False
            if item._previous:
                item._previous._next = item._next
            else:
                self._first = item._next
            if item._next:
                item._next._previous = item._previous
            else:
                self._last = item._previous
            item._previous = item._next = None
        return self._confirm(f"deleted {item_id}")

    def _on_truncated(self, event: dict[str, Any]) -> Event | None:
        end_ms = event.get("audio_end_ms")
        if isinstance(end_ms, int) and (part := self._part(event)):
            part._truncate(end_ms)
        return self._confirm(f"truncated {event.get('item_id')}")

    def _on_retrieved(self, event: dict[str, Any]) -> Event | None:
        wire = event.get("item")
        item = self._updated(wire, is_done=True)
        if item is None:
            return None
        self._place_by({}, item)
        content = wire.get("content") if is_object(wire) else None
        for index, each in enumerate(content if is_array(content) else []):
            audio = each.get("audio") if is_object(each) else None
            if isinstance(audio, str):
                part = self._part_of(item, index)
                part.audio_bytes, part.is_audio_done = 0, True
                part.audio.clear()
                self._hear(part, audio)
        return self._confirm(f"retrieved {item.id}")

    # Content

    def _on_audio_delta(self, event: Any) -> None:
        if isinstance(event, RealtimeModel):
            item_id = getattr(event, "item_id", None)
            index = getattr(event, "content_index", None)
            delta = getattr(event, "delta", None)
        else:
            item_id, index = event.get("item_id"), event.get("content_index")
            delta = event.get("delta")
        if not isinstance(item_id, str) or not isinstance(delta, str):
            return
        item = self._items.get(item_id)
        part = (
            item._parts.get(index or 0) if item and isinstance(index, (int, type(None))) else None
        )
        if part is None:
            response_id = _field(event, "response_id")
            part = self._part(
                {"item_id": item_id, "content_index": index or 0, "response_id": response_id}
            )
        if part and not part.is_audio_done:
            self._hear(part, delta)

    def _hear(self, part: ConversationPart, audio: str) -> None:
        part.audio_bytes += len(audio) * 3 // 4 - audio.count("=", -2)
        if self._keep_audio and part.truncated_ms is None:
            with suppress(ValueError):  # What is not base64 is not audio.
                part.audio += b64decode(audio)

    def _on_audio_done(self, event: dict[str, Any]) -> None:
        if part := self._part(event):
            part.is_audio_done = True

    def _on_text_delta(self, event: dict[str, Any]) -> None:
        if part := self._part(event):
            part._text.add(event.get("delta"))

    def _on_text_done(self, event: dict[str, Any]) -> None:
        if part := self._part(event):
            part._text.set(event.get("text"), is_done=True)

    def _on_transcript_delta(self, event: dict[str, Any]) -> None:
        if part := self._part(event):
            part._transcript.add(event.get("delta"))

    def _on_transcript_done(self, event: dict[str, Any]) -> None:
        part = self._part(event)
        if part and part.truncated_ms is None:
            part._transcript.set(event.get("transcript"), is_done=True)

    def _on_transcribed(self, event: dict[str, Any]) -> None:
        self._on_transcript_done(event)
        usage, key = (
            Usage.of(event.get("usage")),
            (event.get("item_id"), event.get("content_index")),
        )
        if isinstance(key[0], str) and isinstance(key[1], (int, type(None))):
            # Counted once, however often it is sent.
            place = (key[0], key[1] or 0)
            self.transcription_usage += usage - self._transcribed.get(place, Usage())
            self._transcribed[place] = usage

    def _on_not_transcribed(self, event: dict[str, Any]) -> None:
        error = event.get("error")
        if is_object(error) and (part := self._part(event)):
            part.transcription_error = error

    def _on_part(self, event: dict[str, Any]) -> None:
        wire = event.get("part")
        if is_object(wire) and (part := self._part(event)):
            part._update(wire, is_done=event["type"].endswith("done"))

    def _on_arguments_delta(self, event: dict[str, Any]) -> None:
        if item := self._found(event.get("item_id")):
            item._arguments.add(event.get("delta"))

    def _on_arguments_done(self, event: dict[str, Any]) -> None:
        if item := self._found(event.get("item_id")):
            item._arguments.set(event.get("arguments"), is_done=True)

    # Responses

    def _response(self, response_id: Any) -> ConversationResponse | None:
        if not isinstance(response_id, str):
            return None
        if response_id not in self.responses:
            found = self.responses[response_id] = ConversationResponse(response_id)
            self._active[response_id] = found
        return self.responses[response_id]

    def _on_response_created(self, event: dict[str, Any]) -> Event | None:
        wire = event.get("response")
        response = self._response(wire.get("id")) if is_object(wire) else None
        if response is None or not is_object(wire):
            return None
        self._update_response(response, wire)
        if isinstance(wire.get("conversation_id"), str):
            self._names_conversation = True
        elif "conversation_id" not in wire:
            # Some servers leave it out instead of sending `null`; others never send it.
            is_asked = "response none" in self._unconfirmed and "response" not in self._unconfirmed
            response.is_out_of_band = self._names_conversation or is_asked
        sent = self._confirm("response none") if response.is_out_of_band else None
        return sent or self._confirm("response")

    def _update_response(self, response: ConversationResponse, wire: Any) -> None:
        own = _byte_rate(wire)
        response._bytes_per_second = own or response._bytes_per_second
        if is_object(wire.get("metadata")):
            response.metadata = wire["metadata"]
        if "conversation_id" in wire and not response._items:
            response.is_out_of_band = wire["conversation_id"] is None

    def _on_output_item(self, event: dict[str, Any]) -> None:
        response, response_id = self._response(event.get("response_id")), event.get("response_id")
        is_done = event["type"].endswith("done")
        item = self._updated(event.get("item"), is_done=is_done, response_id=response_id)
        # Those that come after its end are late: the end has named all.
        if response and item and response.id in self._active:
            response._items[item.id] = item

    def _on_response_done(self, event: dict[str, Any]) -> None:
        wire = event.get("response")
        if not is_object(wire):
            return
        usage = Usage.of(wire.get("usage"))
        response = self._response(wire.get("id"))
        if response is None:
            self.usage += usage
            return
        self._update_response(response, wire)
        # Counted once, however often it is sent.
        self.usage += usage - response.usage
        response.usage = usage
        status, details = wire.get("status"), wire.get("status_details")
        response.status = str(status) if isinstance(status, str) else "completed"
        reason, error = at(details, "reason"), at(details, "error")
        response.reason = str(reason) if isinstance(reason, str) else None
        response.error = error if is_object(error) else None
        self._active.pop(response.id, None)
        output = wire.get("output")
        final: dict[str, ConversationItem] = {}
        for each in output if is_array(output) else []:
            if item := self._updated(each, is_done=True, response_id=response.id):
                final[item.id] = item
        response._items = final or response._items
        if not response.is_out_of_band:
            for item in response.items:
                # Not every server sends an event of the conversation for it.
                if item.id in self._items:
                    self._place_by({}, item)

    def _on_response_cancelled(self, event: dict[str, Any]) -> None:
        found = event.get("response_id") or at(event.get("response"), "id")
        if response := self._response(found):
            response.status = "cancelled"
            self._active.pop(response.id, None)

    # The session, and what was sent

    def _on_session(self, event: Any) -> Event | None:
        self._state.add(event)
        wire = event.to_dict() if isinstance(event, RealtimeModel) else event
        self._bytes_per_second = _byte_rate(wire.get("session")) or self._bytes_per_second
        return self._confirm("session") if wire["type"].endswith("updated") else None

    def _on_conversation(self, event: dict[str, Any]) -> None:
        found = at(event.get("conversation"), "id")
        self.id = found if isinstance(found, str) else self.id

    def _on_cleared(self, event: dict[str, Any]) -> Event | None:
        return self._confirm(event["type"])

    def _on_error(self, event: dict[str, Any]) -> Event | None:
        event_id = at(event.get("error"), "event_id")
        sent = self._by_event_id.pop(event_id, None) if isinstance(event_id, str) else None
        for key, waiting in list(self._unconfirmed.items()) if sent is not None else []:
            left = [each for each in waiting if each is not sent]
            self._unconfirmed[key] = deque(left, _MOST_UNANSWERED)
            if not left:
                del self._unconfirmed[key]
        return sent

    def _on_sent(self, event: Any) -> None:
        kind, event_id = str(_field(event, "type")), _field(event, "event_id")
        if kind in _AUDIO_SENT:
            # Its audio is not kept.
            event = {"type": kind, "event_id": event_id}
        if isinstance(event_id, str):
            self._by_event_id[event_id] = event
            if len(self._by_event_id) > _MOST_UNANSWERED:
                del self._by_event_id[next(iter(self._by_event_id))]
        if key := _confirmation(kind, event):
            self._unconfirmed.setdefault(key, deque(maxlen=_MOST_UNANSWERED)).append(event)

    def _confirm(self, key: str) -> Event | None:
        waiting = self._unconfirmed.get(key)
        if not waiting:
            return None
        sent = waiting.popleft()
        if not waiting:
            del self._unconfirmed[key]
        event_id = _field(sent, "event_id")
        if isinstance(event_id, str):
            self._by_event_id.pop(event_id, None)
        return sent


def _field(event: Any, name: str) -> Any:
    if isinstance(event, RealtimeModel) or not hasattr(event, "get"):
        return getattr(event, name, None)
    return event.get(name)


def _truncate(item_id: str, index: int, end_ms: int) -> dict[str, Any]:
    return {
        "type": "conversation.item.truncate",
        "item_id": item_id,
        "content_index": index,
        "audio_end_ms": end_ms,
    }


def _byte_rate(settings: Any) -> int | None:
    """Bytes a second of the output audio of a session or response; `None` if it does not say."""
    found = at(settings, "audio", "output", "format") or at(settings, "output_audio_format")
    kind = found.get("type") if is_object(found) else found
    if kind in ("g711_ulaw", "g711_alaw", "audio/pcmu", "audio/pcma"):
        return 8_000
    if kind not in ("pcm16", "audio/pcm"):
        return None
    rate = at(found, "rate")
    return 2 * rate if isinstance(rate, int) and rate > 0 else _PCM_24_KHZ


def _confirmation(kind: str, event: Any) -> str | None:
    """What a sent event waits for, if there is an event that confirms it."""
    if kind == "conversation.item.create":
        item_id = _field(_field(event, "item") or {}, "id")
        return f"item {item_id}" if isinstance(item_id, str) else "item"
    if kind == "response.create":
        conversation = _field(_field(event, "response") or {}, "conversation")
        return "response none" if conversation == "none" else "response"
    named = _CONFIRMED_BY_ITEM.get(kind)
    return f"{named} {_field(event, 'item_id')}" if named else _CONFIRMED.get(kind)


_CONFIRMED = {
    "session.update": "session",
    "transcription_session.update": "session",
    "input_audio_buffer.commit": "input_audio_buffer.committed",
    "input_audio_buffer.clear": "input_audio_buffer.cleared",
    "output_audio_buffer.clear": "output_audio_buffer.cleared",
}
_CONFIRMED_BY_ITEM = {
    "conversation.item.delete": "deleted",
    "conversation.item.truncate": "truncated",
    "conversation.item.retrieve": "retrieved",
}
_AUDIO_SENT = ("input_audio_buffer.append", "session.input_audio_buffer.append")
_SENT = (
    *_CONFIRMED,
    *_CONFIRMED_BY_ITEM,
    *_AUDIO_SENT,
    "conversation.item.create",
    "response.create",
    "response.cancel",
)
_TRANSCRIPTION = "conversation.item.input_audio_transcription"
_OUTPUT: dict[str, Callable[[Conversation, Any], Any]] = {
    "audio.delta": Conversation._on_audio_delta,
    "audio.done": Conversation._on_audio_done,
    "audio_transcript.delta": Conversation._on_transcript_delta,
    "audio_transcript.done": Conversation._on_transcript_done,
    "text.delta": Conversation._on_text_delta,
    "text.done": Conversation._on_text_done,
}
_HANDLERS: dict[str, Callable[[Conversation, Any], Any]] = {
    **dict.fromkeys(_SENT, Conversation._on_sent),
    **dict.fromkeys(
        (
            "session.created",
            "session.updated",
            "transcription_session.created",
            "transcription_session.updated",
        ),
        Conversation._on_session,
    ),
    "conversation.created": Conversation._on_conversation,
    "conversation.item.created": Conversation._on_item_added,
    "conversation.item.added": Conversation._on_item_added,
    "conversation.item.done": Conversation._on_item_done,
    "conversation.item.deleted": Conversation._on_deleted,
    "conversation.item.truncated": Conversation._on_truncated,
    "conversation.item.retrieved": Conversation._on_retrieved,
    f"{_TRANSCRIPTION}.delta": Conversation._on_transcript_delta,
    f"{_TRANSCRIPTION}.completed": Conversation._on_transcribed,
    f"{_TRANSCRIPTION}.failed": Conversation._on_not_transcribed,
    "input_audio_buffer.committed": Conversation._on_committed,
    "input_audio_buffer.cleared": Conversation._on_cleared,
    "output_audio_buffer.cleared": Conversation._on_cleared,
    "response.created": Conversation._on_response_created,
    "response.done": Conversation._on_response_done,
    "response.cancelled": Conversation._on_response_cancelled,
    "response.output_item.added": Conversation._on_output_item,
    "response.output_item.done": Conversation._on_output_item,
    "response.content_part.added": Conversation._on_part,
    "response.content_part.done": Conversation._on_part,
    "response.function_call_arguments.delta": Conversation._on_arguments_delta,
    "response.function_call_arguments.done": Conversation._on_arguments_done,
    "response.mcp_call_arguments.delta": Conversation._on_arguments_delta,
    "response.mcp_call_arguments.done": Conversation._on_arguments_done,
    "error": Conversation._on_error,
    # The names of v1, and those of GA.
    **{f"response.{name}": handle for name, handle in _OUTPUT.items()},
    **{f"response.output_{name}": handle for name, handle in _OUTPUT.items()},
}
# Those that take events as they are, because a copy would cost too much or is not wanted.
_UNCOPIED = {Conversation._on_audio_delta, Conversation._on_session, Conversation._on_sent}
