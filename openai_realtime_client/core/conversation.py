"""The state of a conversation, kept from its events without I/O."""

# Only `Conversation` changes items and responses, whose parts for users are public.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from base64 import b64decode
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from openai_realtime_client.core.conversation_items import (
    ConversationItem,
    ConversationPart,
    ConversationResponse,
    Finality,
    Text,
)
from openai_realtime_client.core.json_types import at, is_array, is_object
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.core.session_state import SESSION_EVENTS, SessionState
from openai_realtime_client.core.usage import Usage

__all__ = ["Conversation", "ConversationItem", "ConversationPart", "ConversationResponse"]

Event = RealtimeModel | Mapping[str, Any]
Wire = dict[str, Any]
Handler = TypeVar("Handler", bound=Callable[..., Any])

_PCM_24_KHZ = 48_000
_MOST_UNANSWERED = 1_000
_SPEECH = tuple(
    f"input_audio_buffer.{end}" for end in ("speech_started", "speech_stopped", "timeout_triggered")
)
_ITEM_FIELDS = ("type", "role", "status", "name", "call_id", "output", "server_label")
_TRANSCRIPTION = "conversation.item.input_audio_transcription"
# Under the names of v1 and of GA.
_AUDIO_DELTA = ("response.audio.delta", "response.output_audio.delta")
_APPEND = ("input_audio_buffer.append", "session.input_audio_buffer.append")
# These are flat, and so frequent that a deep copy would cost more than all else.
_FLAT = {*_AUDIO_DELTA, *_APPEND}
# What the server sends when it has done what it was asked for.
_CONFIRMS = {
    "conversation.item.deleted": "conversation.item.delete",
    "conversation.item.retrieved": "conversation.item.retrieve",
    "conversation.item.truncated": "conversation.item.truncate",
    "input_audio_buffer.cleared": "input_audio_buffer.clear",
    "input_audio_buffer.committed": "input_audio_buffer.commit",
    "output_audio_buffer.cleared": "output_audio_buffer.clear",
    "session.updated": "session.update",
    "transcription_session.updated": "transcription_session.update",
}
_SENT = {
    *(*_APPEND, *_CONFIRMS.values()),
    *("conversation.item.create", "response.create", "response.cancel"),
}
# The text that grows with `.delta` events of each kind.
_TEXTS = {
    "response.text": "text",
    "response.output_text": "text",
    "response.audio_transcript": "transcript",
    "response.output_audio_transcript": "transcript",
    _TRANSCRIPTION: "transcript",
    "response.function_call_arguments": "arguments",
    "response.mcp_call_arguments": "arguments",
}

_handlers: dict[str, Callable[[Conversation, Any], Any]] = {}


def _handles(*kinds: str) -> Callable[[Handler], Handler]:
    """Let a method take events of some kinds."""

    def register(method: Handler) -> Handler:
        _handlers.update({kind: method for kind in kinds if kind not in _handlers})
        return method

    return register


class _Unanswered:
    """The latest sent events that the server did not answer."""

    def __init__(self) -> None:
        self._events: dict[object, tuple[str, str, Event]] = {}

    def add(self, kind: str, about: str, event: Event, event_id: str | None) -> None:
        """Wait for the answer to an event, about one item or (with "") about any."""
        self._events[event_id or object()] = kind, about, event
        if len(self._events) > _MOST_UNANSWERED:
            del self._events[next(iter(self._events))]

    def has(self, kind: str, about: str) -> bool:
        """Whether such an event waits."""
        return any(each[:2] == (kind, about) for each in self._events.values())

    def take(self, kind: str, *abouts: str) -> Event | None:
        """Remove and return the oldest of a kind, about the first of `abouts` that there is."""
        for about in abouts:
            for name, (*key, event) in self._events.items():
                if key == [kind, about]:
                    del self._events[name]
                    return event
        return None

    def take_refused(self, event_id: Any) -> Event | None:
        """Remove and return the event with an id."""
        found = self._events.pop(event_id, None) if isinstance(event_id, str) else None
        return found[2] if found else None


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
        self._bytes_per_second = {"input": _PCM_24_KHZ, "output": _PCM_24_KHZ}
        self._ring = ConversationItem("")  # between the last item and the first
        self._items: dict[str, ConversationItem] = {}
        self._deleted: set[str] = set()
        self._active: dict[str, ConversationResponse] = {}
        self._names_conversation = False
        self._transcribed: dict[tuple[str, int], Usage] = {}
        self._unanswered = _Unanswered()
        # Bytes of the user's audio: of each commit without an answer, and since the last.
        self._buffered = deque([0])
        # Where turn detection found speech in it, by item.
        self._speech: dict[str, dict[str, int]] = {}

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
        items, item = list[ConversationItem](), self._ring._next
        while item is not self._ring:
            items.append(item)
            item = item._next
        return items

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
        if isinstance(event, RealtimeModel):
            kind: Any = getattr(event, "type", None)
        else:
            kind = event.get("type")
        handle = _handlers.get(kind) if isinstance(kind, str) else None
        if handle is None:
            return None
        wire = _wire(event, kind)
        if kind in _SENT:
            self._wait(kind, event, wire)
        elif kind in SESSION_EVENTS:
            self._state.add(event)
        answered: Event | None = handle(self, wire)
        if confirmed := _CONFIRMS.get(kind):
            answered = self._unanswered.take(confirmed, _about(wire), "")
        return answered

    def heard(self, item_id: str, milliseconds: float) -> Any:
        """Make the event to send after an interruption, so that the model knows what was heard.

        Args:
            item_id: The item that was being played.
            milliseconds: How much of its audio was heard, such as from `Playback`. What exceeds
                the audio received is cut to it.

        Returns:
            A `conversation.item.truncate` event, or `None` where there is nothing to cut: for an
            item without received audio, that is deleted, or of which all was heard.
        """
        item, left = self._items.get(item_id), max(milliseconds, 0)
        if item is None or not item.is_in_conversation or item.role == "user":
            return None
        parts = [(index, part) for index, part in item.parts.items() if part.audio_bytes]
        for index, part in parts:
            is_growing = not part.is_audio_done and part.truncated_ms is None
            if left < part.audio_ms or (is_growing and part is parts[-1][1]):
                return {
                    "type": "conversation.item.truncate",
                    "item_id": item_id,
                    "content_index": index,
                    "audio_end_ms": int(min(left, part.audio_ms)),
                }
            left -= part.audio_ms
        return None

    # Items

    def _found(self, item_id: Any) -> ConversationItem | None:
        """The item with an id, made if there was none, unless it was deleted."""
        if not isinstance(item_id, str) or item_id in self._deleted:
            return None
        if item_id not in self._items:
            self._items[item_id] = ConversationItem(item_id)
        return self._items[item_id]

    def _part(self, event: Wire) -> ConversationPart | None:
        index, item = event.get("content_index") or 0, self._found(event.get("item_id"))
        if item is None or not isinstance(index, int):
            return None
        return self._part_of(item, index, event.get("response_id"))

    def _part_of(
        self, item: ConversationItem, index: int, response_id: Any = None
    ) -> ConversationPart:
        if index not in item._parts:
            response = self.responses.get(response_id) if isinstance(response_id, str) else None
            rate = self._bytes_per_second["input" if item.role == "user" else "output"]
            item._parts[index] = ConversationPart((response and response._bytes_per_second) or rate)
        return item._parts[index]

    def _updated(
        self, value: Any, finality: Finality, response_id: Any = None
    ) -> ConversationItem | None:
        wire = _object(value)
        item = self._found(wire.get("id"))
        if item is None:
            return None
        is_late = not finality and item.status not in (None, "in_progress")
        for name in _ITEM_FIELDS:
            if isinstance(wire.get(name), str) and not (is_late and name == "status"):
                setattr(item, name, wire[name])
        item._arguments.set(wire.get("arguments"), finality)
        for index, part in enumerate(_array(wire.get("content"))):
            if is_object(part):
                self._part_of(item, index, response_id)._update(part, finality)
        return item

    def _place(self, item: ConversationItem, previous_id: Any = "") -> None:
        """Put an item where it belongs, unless it has its place."""
        if item.is_in_conversation:
            return
        previous = self._items.get(previous_id) if isinstance(previous_id, str) else None
        if previous is None or not previous.is_in_conversation:
            # `null` says that it is the first. Of an item that is not known, nothing follows.
            previous = self._ring if previous_id is None else self._ring._previous
        item._insert_after(previous)

    @_handles("conversation.item.created", "conversation.item.added")
    def _item_added(self, event: Wire) -> Event | None:
        item_id = _about({"item": event.get("item")})
        # What a response or the user's audio made is known before, and was not sent as an item.
        abouts = [item_id] if item_id in self._items else [item_id, ""]
        self._deleted.discard(item_id)
        item = self._updated(event.get("item"), Finality.GROWING)
        if item is None:
            return None
        self._place(item, event.get("previous_item_id", ""))
        sent = self._unanswered.take("conversation.item.create", *abouts)
        if sent is not None:
            self._replace_audio(item, at(_wire(sent), "item", "content"))
        return sent

    @_handles("conversation.item.done", "conversation.item.retrieved")
    def _item_done(self, event: Wire) -> None:
        if item := self._updated(event.get("item"), Finality.FINAL):
            self._place(item, event.get("previous_item_id", ""))
            self._replace_audio(item, at(event, "item", "content"))

    @_handles("conversation.item.deleted")
    def _item_deleted(self, event: Wire) -> None:
        self._deleted.add(_about(event))
        if item := self._items.pop(_about(event), None):
            item._remove()

    @_handles("conversation.item.truncated")
    def _item_truncated(self, event: Wire) -> None:
        end_ms = event.get("audio_end_ms")
        if isinstance(end_ms, int) and (part := self._part(event)):
            part._truncate(end_ms)

    # Content

    @_handles(*(f"{kind}.{end}" for kind in _TEXTS for end in ("delta", "done")))
    def _text(self, event: Wire) -> None:
        kind, _, end = event["type"].rpartition(".")
        name = _TEXTS[kind]
        held = self._found(event.get("item_id")) if name == "arguments" else self._part(event)
        if held:
            text: Text = getattr(held, f"_{name}")
            if end == "delta":
                text.add(event.get("delta"))
            else:
                text.set(event.get(name), Finality.FINAL)

    @_handles("response.content_part.added", "response.content_part.done")
    def _part_updated(self, event: Wire) -> None:
        if is_object(event.get("part")) and (part := self._part(event)):
            part._update(event["part"], _finality(event))

    @_handles(*_AUDIO_DELTA, "response.audio.done", "response.output_audio.done")
    def _audio(self, event: Wire) -> None:
        part = self._part(event)
        if part and not part.is_audio_done:
            self._add_audio(part, event.get("delta"))
            part.is_audio_done = event["type"].endswith("done")

    def _add_audio(self, part: ConversationPart, audio: Any) -> None:
        part.audio_bytes += _size(audio)
        if self._keep_audio and part.truncated_ms is None:
            with suppress(ValueError, TypeError):  # What is not base64 is not audio.
                part.audio += b64decode(audio)

    def _replace_audio(self, item: ConversationItem, content: Any) -> None:
        """Take the audio of an item as a whole."""
        for index, each in enumerate(_array(content)):
            if isinstance(audio := at(each, "audio"), str):
                part = self._part_of(item, index)
                part.audio_bytes, part.audio, part.is_audio_done = 0, bytearray(), True
                self._add_audio(part, audio)

    @_handles(f"{_TRANSCRIPTION}.completed")
    def _transcribed_whole(self, event: Wire) -> None:
        self._text(event)
        place = _about(event), event.get("content_index") or 0
        if place[0] and isinstance(place[1], int):
            # Counted once, however often it is sent.
            usage = Usage.of(event.get("usage"))
            self.transcription_usage += usage - self._transcribed.get(place, Usage())
            self._transcribed[place] = usage

    @_handles(f"{_TRANSCRIPTION}.failed")
    def _transcription_failed(self, event: Wire) -> None:
        if is_object(event.get("error")) and (part := self._part(event)):
            part.transcription_error = event["error"]

    # The user's audio

    @_handles(*_APPEND, "input_audio_buffer.commit", "input_audio_buffer.clear")
    def _user_audio(self, event: Wire) -> None:
        if event["type"].endswith("commit"):
            self._buffered.append(0)
        elif event["type"].endswith("clear"):
            self._buffered[-1] = 0
        else:
            self._buffered[-1] += _size(event.get("audio"))

    @_handles(*_SPEECH)
    def _speech_found(self, event: Wire) -> None:
        times = self._speech.setdefault(_about(event), {})
        for name in ("audio_start_ms", "audio_end_ms"):
            if isinstance(event.get(name), int):
                times[name] = event[name]

    @_handles("input_audio_buffer.committed")
    def _committed(self, event: Wire) -> None:
        if len(self._buffered) > 1:
            size = self._buffered.popleft()
        else:  # Turn detection did it, and what it left out is gone.
            size = self._buffered[0] = 0
        if item := self._found(event.get("item_id")):
            item.type, item.role = item.type or "message", item.role or "user"
            self._place(item, event.get("previous_item_id", ""))
            speech = self._speech.pop(item.id, {})
            if len(speech) == 2:
                milliseconds = speech["audio_end_ms"] - speech["audio_start_ms"]
                size = milliseconds * self._bytes_per_second["input"] // 1000
            if size > 0:
                part = self._part_of(item, 0)
                part.audio_bytes, part.is_audio_done = size, True

    # Responses

    def _response(self, wire: Wire) -> ConversationResponse | None:
        response_id, conversation_id = wire.get("id"), wire.get("conversation_id")
        if not isinstance(response_id, str):
            return None
        if response_id not in self.responses:
            new = ConversationResponse(response_id)
            self.responses[response_id] = self._active[response_id] = new
        response = self.responses[response_id]
        response._bytes_per_second = _byte_rate(wire, "output") or response._bytes_per_second
        if is_object(wire.get("metadata")):
            response.metadata = wire["metadata"]
        self._names_conversation |= isinstance(conversation_id, str)
        if "conversation_id" in wire and not response._items:
            response.is_out_of_band = conversation_id is None
        return response

    @_handles("response.created")
    def _response_created(self, event: Wire) -> Event | None:
        wire, create = _object(event.get("response")), "response.create"
        is_new = _string(wire.get("id")) not in self.responses
        response = self._response(wire)
        if response is None:
            return None
        if "conversation_id" not in wire:
            # Some servers leave it out instead of sending `null`; others never send it.
            is_asked = self._unanswered.has(create, "none") and not self._unanswered.has(create, "")
            response.is_out_of_band |= self._names_conversation or (is_new and is_asked)
        if not is_new:
            return None
        return self._unanswered.take(create, *(["none"] if response.is_out_of_band else []), "")

    @_handles("response.output_item.added", "response.output_item.done")
    def _output_item(self, event: Wire) -> None:
        response = self._response({"id": event.get("response_id")})
        item = self._updated(event.get("item"), _finality(event), event.get("response_id"))
        # Those that come after its end are late: the end has named all.
        if response and item and response.id in self._active:
            response._items[item.id] = item

    @_handles("response.done")
    def _response_done(self, event: Wire) -> None:
        wire = _object(event.get("response"))
        response, usage = self._response(wire), Usage.of(wire.get("usage"))
        # Counted once, however often it is sent.
        self.usage += usage - response.usage if response else usage
        if response is None:
            return
        self._active.pop(response.id, None)
        response.usage = usage
        response.status = _string(wire.get("status")) or "completed"
        response.reason = _string(at(wire, "status_details", "reason"))
        response.error = _object(at(wire, "status_details", "error")) or None
        output = [
            self._updated(each, Finality.FINAL, response.id) for each in _array(wire.get("output"))
        ]
        response._items = {item.id: item for item in output if item} or response._items
        for item in [] if response.is_out_of_band else response.items:
            # Not every server sends an event of the conversation for it.
            if item.id in self._items:
                self._place(item)

    @_handles("response.cancelled")
    def _response_cancelled(self, event: Wire) -> None:
        found = event.get("response_id") or at(event, "response", "id")
        if response := self._response({"id": found}):
            response.status = "cancelled"
            self._active.pop(response.id, None)

    # The session, and what was sent

    @_handles(*SESSION_EVENTS)
    def _session_updated(self, event: Wire) -> None:
        for direction, old in self._bytes_per_second.items():
            self._bytes_per_second[direction] = _byte_rate(event.get("session"), direction) or old

    @_handles("conversation.created")
    def _conversation_created(self, event: Wire) -> None:
        self.id = _string(at(event, "conversation", "id")) or self.id

    @_handles("error")
    def _error(self, event: Wire) -> Event | None:
        commit = "input_audio_buffer.commit"
        sent = self._unanswered.take_refused(at(event, "error", "event_id"))
        if sent is None and at(event, "error", "code") == "input_audio_buffer_commit_empty":
            sent = self._unanswered.take(commit, "")
        if sent is not None and len(self._buffered) > 1 and _wire(sent)["type"] == commit:
            refused = self._buffered.popleft()
            self._buffered[0] += refused  # It stays in the buffer.
        return sent

    @_handles(*_SENT, "input_audio_buffer.cleared", "output_audio_buffer.cleared")
    def _nothing_more(self, event: Wire) -> None:
        """Change nothing but what was sent, and is answered."""

    def _wait(self, kind: str, event: Event, wire: Wire) -> None:
        """Wait for the answer to a sent event."""
        event_id = _string(wire.get("event_id"))
        if kind in _APPEND:
            event = {"type": kind, "event_id": event_id}  # Its audio is not kept.
        if event_id or kind not in _APPEND:
            is_out_of_band = at(wire, "response", "conversation") == "none"
            self._unanswered.add(kind, "none" if is_out_of_band else _about(wire), event, event_id)


def _wire(event: Any, kind: str = "") -> Any:
    if not isinstance(event, RealtimeModel):
        return event
    if kind in _FLAT:
        extra = event.__pydantic_extra__
        return {**event.__dict__, **extra} if extra else event.__dict__
    return event.to_dict()


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _object(value: Any) -> Wire:
    return value if is_object(value) else {}


def _array(value: Any) -> list[Any]:
    return value if is_array(value) else []


def _about(event: Wire) -> str:
    """The id of the item that an event is about, or ""."""
    return _string(event.get("item_id")) or _string(at(event, "item", "id")) or ""


def _finality(event: Wire) -> Finality:
    return Finality.FINAL if event["type"].endswith("done") else Finality.GROWING


def _size(audio: Any) -> int:
    """The size in bytes of what base64 encodes."""
    return len(audio) * 3 // 4 - audio.count("=", -2) if isinstance(audio, str) else 0


def _byte_rate(settings: Any, direction: str) -> int | None:
    """Bytes a second of the audio of a session or response; `None` if it does not say."""
    found = at(settings, "audio", direction, "format") or at(settings, f"{direction}_audio_format")
    kind = found.get("type") if is_object(found) else found
    if kind in ("g711_ulaw", "g711_alaw", "audio/pcmu", "audio/pcma"):
        return 8_000
    if kind not in ("pcm16", "audio/pcm"):
        return None
    rate = at(found, "rate")
    return 2 * rate if isinstance(rate, int) and rate > 0 else _PCM_24_KHZ
