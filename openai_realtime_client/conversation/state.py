"""The state of a conversation, kept from its events without I/O."""

# Only `Conversation` changes items and responses, whose parts for users are public.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from base64 import b64decode
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Lock
from typing import Any, Literal, TypeVar

from typing_extensions import NotRequired, TypedDict

from openai_realtime_client.conversation.item_order import ItemOrder
from openai_realtime_client.conversation.items import (
    ConversationItem,
    ConversationPart,
    ConversationResponse,
)
from openai_realtime_client.conversation.sent_events import SentEvents
from openai_realtime_client.conversation.session_state import SESSION_EVENTS, SessionState
from openai_realtime_client.conversation.usage import Usage
from openai_realtime_client.core.encoding import copied
from openai_realtime_client.core.json_types import at, is_array, is_object
from openai_realtime_client.core.model import RealtimeModel

__all__ = ["Conversation", "ConversationItem", "ConversationPart", "ConversationResponse"]

Event = RealtimeModel | Mapping[str, Any]
Fields = Mapping[str, Any]
Handler = TypeVar("Handler", bound=Callable[..., Any])

_PCM_24_KHZ = 48_000
# Late events may come of that many deleted items.
_MOST_DELETED = 1_000
# What the server says when it has done what it was asked for, such as `session.update`.
_DONE = {
    **{"cleared": "clear", "committed": "commit", "deleted": "delete"},
    **{"retrieved": "retrieve", "truncated": "truncate", "updated": "update"},
}
# How the types of all events end that are sent.
_SENT = {*_DONE.values(), "append", "cancel", "create"}
_TRANSCRIPTION = "conversation.item.input_audio_transcription"
# What grows with the `.delta` events of each kind, under the names of v1 and of GA.
_TEXTS = {
    "response.text": "text",
    "response.output_text": "text",
    "response.audio_transcript": "transcript",
    "response.output_audio_transcript": "transcript",
    _TRANSCRIPTION: "transcript",
    "response.function_call_arguments": "arguments",
    "response.mcp_call_arguments": "arguments",
}
_AUDIO = ("response.audio", "response.output_audio")
_SPEECH = ("speech_started", "speech_stopped", "timeout_triggered")

_handlers: dict[str, Callable[[Conversation, Fields], Fields | None]] = {}


def _on(*kinds: str) -> Callable[[Handler], Handler]:
    """Let a method handle events of some kinds; it may return the sent event that they answer."""

    def register(method: Handler) -> Handler:
        _handlers.update(dict.fromkeys(kinds, method))
        return method

    return register


class TruncateEvent(TypedDict):
    """A `conversation.item.truncate`, as `send` of both protocols takes it."""

    type: Literal["conversation.item.truncate"]
    event_id: NotRequired[str | None]
    item_id: str
    content_index: int
    audio_end_ms: int


class Conversation(SessionState):
    """What the events of a session amount to: items, responses, usage and settings.

    Give it to `connect`, or call `add` with every event in order, those of the server and those
    that were sent. Unknown events change nothing and nothing that a server sends raises. Threads
    may add and read at the same time.

    Attributes:
        id: The id of the conversation, or `None`.
        responses: All responses, by id.
        usage: What all responses used.
        transcription_usage: What all transcriptions of the user's audio used.
        answered: What `add` returned for the latest event of the server.

    Args:
        keep_audio: Whether to keep received audio in `ConversationPart.audio`. It is counted
            either way.
    """

    def __init__(self, *, keep_audio: bool = False) -> None:
        self.id: str | None = None
        self.responses: dict[str, ConversationResponse] = {}
        self.usage = Usage()
        self.transcription_usage = Usage()
        self.answered: Fields | None = None
        self._keep_audio = keep_audio
        self._lock = Lock()
        self._rates = {"input": _PCM_24_KHZ, "output": _PCM_24_KHZ}  # bytes a second
        self._order = ItemOrder()
        self._items: dict[str, ConversationItem] = {}
        self._deleted: dict[str, None] = {}
        self._active: dict[str, ConversationResponse] = {}
        self._names_conversation = False
        self._unanswered = SentEvents()
        # Bytes of the user's audio: of each commit without an answer, and since the last.
        self._buffered = deque([0])
        # Where turn detection found speech in it, by item.
        self._speech: dict[str, dict[str, int]] = {}

    @property
    def items(self) -> list[ConversationItem]:
        """The items of the conversation, in its order."""
        with self._lock:
            return self._order.items()

    @property
    def active(self) -> list[ConversationResponse]:
        """The responses in progress that belong to the conversation: at most one, normally."""
        return [each for each in list(self._active.values()) if not each.is_out_of_band]

    @property
    def active_out_of_band(self) -> list[ConversationResponse]:
        """The out-of-band responses in progress."""
        return [each for each in list(self._active.values()) if each.is_out_of_band]

    def item(self, item_id: str) -> ConversationItem | None:
        """Find an item by its id.

        Args:
            item_id: The id.

        Returns:
            The item, also where it is out of band, or `None`.
        """
        return self._items.get(item_id)

    def add(self, event: Event) -> Fields | None:
        """Take one event.

        Args:
            event: An instance of an event's class, or the same as a dictionary.

        Returns:
            The sent event that this one answers, copied as a dictionary, or `None`. An `error`
            answers by `event_id`. Confirmations do not carry it; the oldest that waits for one of
            this kind, and for this item where there is one, is confirmed.
        """
        fields = _fields(event)
        kind = fields.get("type")
        if not isinstance(kind, str):
            return None
        with self._lock:
            subject, _, end = kind.rpartition(".")
            if end in _SENT:
                self._sent(kind, fields, event)
                return None
            handle = _handlers.get(kind)
            self.answered = handle(self, fields) if handle else None
            if end in _DONE:
                self.answered = self._unanswered.take_oldest(
                    f"{subject}.{_DONE[end]}", _item_id(fields), ""
                )
            return self.answered

    def heard(self, item_id: str | None, milliseconds: float) -> TruncateEvent | None:
        """Make the event to send after an interruption, so that the model knows what was heard.

        Args:
            item_id: The item that was being played.
            milliseconds: How much of its audio was heard, such as from `Playback`. What exceeds
                the audio received is cut to it.

        Returns:
            A `conversation.item.truncate` event, or `None` where there is nothing to cut: for an
            item without received audio, that is deleted, or of which all was heard.
        """
        item, left = self._items.get(item_id or ""), max(milliseconds, 0)
        if item is None or not item.is_in_conversation or item.role == "user":
            return None
        parts = {index: part for index, part in item.parts.items() if part.audio_bytes}
        for index, part in parts.items():
            is_growing = not part.is_audio_done and part.truncated_ms is None
            if left < part.audio_ms or (is_growing and index == max(parts)):
                return {
                    "type": "conversation.item.truncate",
                    "item_id": item.id,
                    "content_index": index,
                    "audio_end_ms": int(min(left, part.audio_ms)),
                }
            left -= part.audio_ms
        return None

    # Items

    def _item(
        self, item_id: Any, response: ConversationResponse | None = None
    ) -> ConversationItem | None:
        """The item with an id, made if there was none, unless it was deleted."""
        if not isinstance(item_id, str) or item_id in self._deleted:
            return None
        if item_id not in self._items:
            rate = (response and response._bytes_per_second) or self._rates["output"]
            self._items[item_id] = ConversationItem(item_id, rate)
        return self._items[item_id]

    def _part(self, event: Fields) -> ConversationPart | None:
        """The content part that an event is about."""
        index, item = event.get("content_index") or 0, self._item(event.get("item_id"))
        return item._part(index) if item and isinstance(index, int) else None

    def _updated(
        self, value: Any, response: ConversationResponse | None = None, *, is_final: bool
    ) -> ConversationItem | None:
        """The item that an event describes, as it does."""
        wire = _object(value)
        item = self._item(wire.get("id"), response)
        if item is None:
            return None
        item._update(wire, is_final=is_final)
        if item.role == "user":
            item._bytes_per_second = self._rates["input"]
        for index, part in enumerate(_array(wire.get("content"))):
            if is_object(part):
                item._part(index)._update(part, is_final=is_final)
        return item

    @_on("conversation.item.created", "conversation.item.added")
    def _item_added(self, event: Fields) -> Fields | None:
        item_id = _item_id({"item": event.get("item")})
        # What a response or the user's audio made is known before, and was not sent as an item.
        abouts = [item_id] if item_id in self._items else [item_id, ""]
        self._deleted.pop(item_id, None)
        if not (item := self._updated(event.get("item"), is_final=False)):
            return None
        self._order.put(item, event.get("previous_item_id", ""))
        if sent := self._unanswered.take_oldest("conversation.item.create", *abouts):
            self._replace_audio(item, sent.get("item"))
        return sent

    @_on("conversation.item.done", "conversation.item.retrieved")
    def _item_done(self, event: Fields) -> None:
        if item := self._updated(event.get("item"), is_final=True):
            self._order.put(item, event.get("previous_item_id", ""))
            self._replace_audio(item, event.get("item"))

    @_on("conversation.item.deleted")
    def _item_deleted(self, event: Fields) -> None:
        item_id = _item_id(event)
        self._deleted[item_id] = None
        if len(self._deleted) > _MOST_DELETED:
            del self._deleted[next(iter(self._deleted))]
        if item := self._items.pop(item_id, None):
            self._order.remove(item)

    @_on("conversation.item.truncated")
    def _item_truncated(self, event: Fields) -> None:
        end_ms = event.get("audio_end_ms")
        if isinstance(end_ms, int) and (part := self._part(event)):
            part._truncate(end_ms)

    # Content

    @_on(*(f"{kind}.{end}" for kind in _TEXTS for end in ("delta", "done")))
    def _text(self, event: Fields) -> None:
        kind, _, end = event["type"].rpartition(".")
        name = _TEXTS[kind]
        if owner := self._item(event.get("item_id")) if name == "arguments" else self._part(event):
            text = getattr(owner, f"_{name}")
            if end == "delta":
                text.add(event.get("delta"))
            else:
                text.set(event.get(name), is_final=True)

    @_on("response.content_part.added", "response.content_part.done")
    def _part_updated(self, event: Fields) -> None:
        wire = _object(event.get("part"))
        if wire and (part := self._part(event)):
            part._update(wire, is_final=event["type"].endswith("done"))

    @_on(*(f"{kind}.delta" for kind in _AUDIO))
    def _audio_added(self, event: Fields) -> None:
        part = self._part(event)
        if part and not part.is_audio_done:
            self._add_audio(part, event.get("delta"))

    @_on(*(f"{kind}.done" for kind in _AUDIO))
    def _audio_done(self, event: Fields) -> None:
        if part := self._part(event):
            part.is_audio_done = True

    def _add_audio(self, part: ConversationPart, audio: Any) -> None:
        part.audio_bytes += _size(audio)
        if self._keep_audio and part.truncated_ms is None:
            with suppress(ValueError, TypeError):  # What is not base64 is not audio.
                part.audio += b64decode(audio)

    def _replace_audio(self, item: ConversationItem, value: Any) -> None:
        """Take the audio that stands in an item, which is all of it."""
        for index, each in enumerate(_array(_object(value).get("content"))):
            if isinstance(audio := _object(each).get("audio"), str):
                part = item._part(index)
                part.audio_bytes, part.audio, part.is_audio_done = 0, bytearray(), True
                self._add_audio(part, audio)

    # The user's audio

    @_on(f"{_TRANSCRIPTION}.completed")
    def _transcribed(self, event: Fields) -> None:
        self._text(event)
        part, usage = self._part(event), Usage.of(_object(event.get("usage")))
        # Counted once, however often it is sent.
        self.transcription_usage += usage - part.transcription_usage if part else usage
        if part:
            part.transcription_usage = usage

    @_on(f"{_TRANSCRIPTION}.failed")
    def _transcription_failed(self, event: Fields) -> None:
        error = _object(event.get("error"))
        if error and (part := self._part(event)):
            part.transcription_error = error

    @_on(*(f"input_audio_buffer.{end}" for end in _SPEECH))
    def _speech_found(self, event: Fields) -> None:
        found = {name: event.get(name) for name in ("audio_start_ms", "audio_end_ms")}
        times = {name: each for name, each in found.items() if isinstance(each, int)}
        self._speech.setdefault(_item_id(event), {}).update(times)

    @_on("input_audio_buffer.committed")
    def _committed(self, event: Fields) -> None:
        if len(self._buffered) > 1:
            size = self._buffered.popleft()
        else:  # Turn detection did it, and what it left out is gone.
            size = self._buffered[0] = 0
        if item := self._item(event.get("item_id")):
            item.type, item.role = item.type or "message", item.role or "user"
            item._bytes_per_second = self._rates["input"]
            self._order.put(item, event.get("previous_item_id", ""))
            speech = self._speech.pop(item.id, {})
            if len(speech) == 2:
                milliseconds = speech["audio_end_ms"] - speech["audio_start_ms"]
                size = milliseconds * self._rates["input"] // 1000
            if size > 0:
                part = item._part(0)
                part.audio_bytes, part.is_audio_done = size, True

    # Responses

    def _response(self, wire: Fields) -> ConversationResponse | None:
        """The response that an event describes, made if there was none."""
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
        if "conversation_id" in wire:
            response.is_out_of_band = conversation_id is None
        return response

    @_on("response.created")
    def _response_created(self, event: Fields) -> Fields | None:
        wire, create = _object(event.get("response")), "response.create"
        is_new = _string(wire.get("id")) not in self.responses
        response = self._response(wire)
        if response is None:
            return None
        if "conversation_id" not in wire:
            # Some servers leave it out instead of sending `null`; others never send it.
            waits = self._unanswered.has
            is_asked = waits(create, "none") and not waits(create, "")
            response.is_out_of_band |= self._names_conversation or (is_new and is_asked)
        abouts = ["none", ""] if response.is_out_of_band else [""]
        return self._unanswered.take_oldest(create, *abouts) if is_new else None

    @_on("response.output_item.added", "response.output_item.done")
    def _output_item(self, event: Fields) -> None:
        response = self._response({"id": event.get("response_id")})
        item = self._updated(event.get("item"), response, is_final=event["type"].endswith("done"))
        # Those that come after its end are late: the end has named all.
        if response and item and response.id in self._active:
            response._items[item.id] = item

    @_on("response.done", "response.cancelled")
    def _response_done(self, event: Fields) -> None:
        wire = _object(event.get("response")) or {"id": event.get("response_id")}
        response, usage = self._response(wire), Usage.of(wire.get("usage"))
        if response is None:
            self.usage += usage
            return
        self._active.pop(response.id, None)
        if _object(wire.get("usage")):  # Counted once, however often it is sent.
            self.usage += usage - response.usage
            response.usage = usage
        # Some servers send only `response.cancelled`, without a status.
        is_cancelled = event["type"].endswith("cancelled")
        response.status = _string(wire.get("status")) or (
            "cancelled" if is_cancelled else "completed"
        )
        response.reason = _string(at(wire, "status_details", "reason"))
        response.error = _object(at(wire, "status_details", "error")) or None
        output = [
            self._updated(each, response, is_final=True) for each in _array(wire.get("output"))
        ]
        response._items = {item.id: item for item in output if item} or response._items
        for item in [] if response.is_out_of_band else response.items:
            # Not every server sends an event of the conversation for it.
            if item.id in self._items:
                self._order.put(item, "")

    # The session, and what was sent

    @_on(*SESSION_EVENTS)
    def _session_changed(self, event: Fields) -> None:
        self._update_session(event.get("session"))
        settings = _object(event.get("session"))
        for direction, old in self._rates.items():
            self._rates[direction] = _byte_rate(settings, direction) or old

    @_on("conversation.created")
    def _conversation_created(self, event: Fields) -> None:
        self.id = _string(_object(event.get("conversation")).get("id")) or self.id

    def _sent(self, kind: str, fields: Fields, event: Event) -> None:
        """Wait for the answer to a sent event."""
        if kind.endswith(".append"):
            self._buffered[-1] += _size(fields.get("audio"))
            if event_id := fields.get("event_id"):  # Otherwise nothing answers it.
                self._unanswered.add({"type": kind, "event_id": event_id}, "")
            return
        if kind == "input_audio_buffer.commit":
            self._buffered.append(0)
        elif kind == "input_audio_buffer.clear":
            self._buffered[-1] = 0
        # A copy, because whoever sent it may change it.
        sent = event.to_dict() if isinstance(event, RealtimeModel) else copied(event)
        is_out_of_band = at(sent, "response", "conversation") == "none"
        self._unanswered.add(sent, "none" if is_out_of_band else _item_id(sent))

    @_on("error")
    def _error(self, event: Fields) -> Fields | None:
        error, commit = _object(event.get("error")), "input_audio_buffer.commit"
        sent = self._unanswered.take(_string(error.get("event_id")))
        if sent is None and error.get("code") == "input_audio_buffer_commit_empty":
            sent = self._unanswered.take_oldest(commit, "")
        if sent is not None and sent["type"] == commit and len(self._buffered) > 1:
            refused = self._buffered.popleft()
            self._buffered[0] += refused  # It stays in the buffer.
        return sent


def _fields(event: Event) -> Fields:
    """The fields that an event has, by name. What they hold may be models."""
    if not isinstance(event, RealtimeModel):
        return event
    extra = event.__pydantic_extra__
    fields = {**event.__dict__, **extra} if extra else event.__dict__
    # The attribute of an absent field is `None`, but only `null` says that an item is the first.
    previous = "previous_item_id"
    if fields.get(previous, "") is None and previous not in event.__pydantic_fields_set__:
        return {**fields, previous: ""}
    return fields


def _object(value: Any) -> dict[str, Any]:
    """A JSON object as a dictionary; {} for what is none."""
    if isinstance(value, RealtimeModel):
        return value.to_dict()
    return value if is_object(value) else {}


def _array(value: Any) -> list[Any]:
    return value if is_array(value) else []


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _item_id(event: Fields) -> str:
    """The id of the item that an event is about, or ""."""
    return _string(event.get("item_id") or _object(event.get("item")).get("id")) or ""


def _size(audio: Any) -> int:
    """The size in bytes of what base64 encodes."""
    return len(audio) * 3 // 4 - audio.count("=", -2) if isinstance(audio, str) else 0


def _byte_rate(settings: Fields, direction: str) -> int | None:
    """Bytes a second of the audio of a session or response; `None` if it does not say."""
    found = at(settings, "audio", direction, "format") or at(settings, f"{direction}_audio_format")
    kind = found.get("type") if is_object(found) else found
    if kind in ("g711_ulaw", "g711_alaw", "audio/pcmu", "audio/pcma"):
        return 8_000
    if kind not in ("pcm16", "audio/pcm"):
        return None
    rate = at(found, "rate")
    return 2 * rate if isinstance(rate, int) and rate > 0 else _PCM_24_KHZ
