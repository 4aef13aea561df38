"""The state of a conversation, kept from its events without I/O."""

from __future__ import annotations

from base64 import b64decode
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal, cast

from typing_extensions import NotRequired, TypedDict

from openai_realtime_client.conversation.history import history_events
from openai_realtime_client.conversation.items import (
    ConversationItem,
    ConversationPart,
    ConversationResponse,
    GrowingText,
)
from openai_realtime_client.conversation.playback import Dropped
from openai_realtime_client.conversation.session_state import SESSION_EVENTS, SessionState
from openai_realtime_client.conversation.usage import Usage
from openai_realtime_client.core.audio import PCM, AudioFormat, base64_size, format_of
from openai_realtime_client.core.json_types import is_array, is_object
from openai_realtime_client.core.model import RealtimeModel

__all__ = ["Conversation", "ConversationItem", "ConversationPart", "ConversationResponse"]

Event = RealtimeModel | Mapping[str, Any]
Fields = Mapping[str, Any]
TextName = Literal["text", "transcript"]

# Remember this many deleted ids to ignore late events, and so many unconfirmed sent events.
_MAX_DELETED = 1_000
_MAX_PENDING = 1_000
_TRANSCRIPTION = "conversation.item.input_audio_transcription"
# The field that the `.delta` and `.done` events of each kind extend, under the names of v1 and GA.
_TEXTS: dict[str, TextName] = {
    "response.text": "text",
    "response.output_text": "text",
    "response.audio_transcript": "transcript",
    "response.output_audio_transcript": "transcript",
    _TRANSCRIPTION: "transcript",
}
_ARGUMENTS = {
    "response.function_call_arguments": "function_call",
    "response.mcp_call_arguments": "mcp_call",
}
# Statuses of calls that the model did not finish.
_UNFINISHED = ("incomplete", "cancelled", "failed")


class TruncateEvent(TypedDict):
    """A `conversation.item.truncate`, as `send` of both protocols takes it."""

    type: Literal["conversation.item.truncate"]
    event_id: NotRequired[str | None]
    item_id: str
    content_index: int
    audio_end_ms: int


@dataclass
class _Creation:
    """A sent item of which something is not in the server's event: its place, or its audio."""

    event_id: Any
    item: dict[str, Any]
    is_first: bool
    audio_sizes: dict[int, int]


class Conversation(SessionState):
    """The state that the events of sessions make: items, responses, usage and settings.

    Give it to `connect`, or call `add` with every event in order, those of the server and those
    that were sent. Unknown events change nothing and nothing that a server sends raises. Threads
    may add and read at the same time. It may be copied and pickled, and be given to one session
    after the other: what a later session adds follows. It knows the events of v1 and GA alone;
    those of other protocols change nothing.

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
        self._keep_audio = keep_audio
        self._items: dict[str, ConversationItem] = {}
        self._order: list[ConversationItem] = []
        self._names_conversation = False
        self._outputs: dict[str, str] = {}  # of functions, by `call_id`
        self._is_v1 = False
        self._reset_session()
        self._lock = Lock()
        self._handlers = self._make_handlers()

    def _reset_session(self) -> None:
        """Set what belongs to one session."""
        self._is_begun = False
        self._active: dict[str, ConversationResponse] = {}
        # Function calls without an output, and approval requests without an approval.
        self._calls_due: dict[str, ConversationItem] = {}
        self._approvals_due: dict[str, ConversationItem] = {}
        self._formats = {"input": PCM, "output": PCM}
        # The formats as the server confirmed them, and what later updates change, by event id.
        self._confirmed_formats = dict(self._formats)
        self._updates = deque[tuple[Any, dict[str, AudioFormat]]](maxlen=_MAX_PENDING)
        # Where the items of this session begin, and the ids of items: of those before it, of those
        # among them that were sent again, of those whose place is known, and of those deleted.
        self._start = len(self._order)
        self._earlier = set(self._items)
        self._restored: set[str] = set()
        self._placed: set[str] = set()
        self._deleted: dict[str, None] = {}
        # Sent items, and the metadata of sent requests for out-of-band responses.
        self._creations = deque[_Creation](maxlen=_MAX_PENDING)
        self._asked_out_of_band = deque[tuple[Any, Any]](maxlen=_MAX_PENDING)
        # Responses with a null `conversation_id` before the server named a conversation.
        self._nameless: list[ConversationResponse] = []
        # Bytes of the user's audio: of each unconfirmed commit with its id, and since the last.
        self._commits = deque[tuple[Any, int]](maxlen=_MAX_PENDING)
        self._buffered = 0
        # Where turn detection found speech, by item.
        self._speech: dict[str, dict[str, int]] = {}

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_lock"], state["_handlers"]
        with self._lock:  # Another thread may be adding events.
            return deepcopy(state)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = Lock()
        self._handlers = self._make_handlers()

    def __repr__(self) -> str:
        items = self.items
        # The latest say most, and a repr should fit a line of a log.
        latest = ", ".join(map(repr, items[-3:]))
        if len(items) > 3:
            latest = f"…, {latest}"
        return f"Conversation({len(items)} items: [{latest}])"

    @property
    def items(self) -> list[ConversationItem]:
        """The items of the conversation, in its order."""
        with self._lock:
            return self._order.copy()

    @property
    def active(self) -> list[ConversationResponse]:
        """The responses in progress that belong to the conversation: at most one, normally."""
        return [item for item in list(self._active.values()) if not item.is_out_of_band]

    @property
    def active_out_of_band(self) -> list[ConversationResponse]:
        """The out-of-band responses in progress."""
        return [item for item in list(self._active.values()) if item.is_out_of_band]

    @property
    def calls_due(self) -> list[ConversationItem]:
        """The function calls of completed responses of this session that have no output yet."""
        with self._lock:
            return list(self._calls_due.values())

    @property
    def approvals_due(self) -> list[ConversationItem]:
        """The MCP approval requests of this session that are not decided yet."""
        with self._lock:
            return list(self._approvals_due.values())

    @property
    def output_format(self) -> AudioFormat:
        """The format of the model's audio, such as `("audio/pcm", 48000)`."""
        return self._formats["output"]

    def item(self, item_id: str) -> ConversationItem | None:
        """Find an item by its id.

        Args:
            item_id: The id.

        Returns:
            The item, also where it is out of band, or `None`.
        """
        return self._items.get(item_id)

    def add(self, event: Event) -> None:
        """Take one event.

        Args:
            event: An instance of an event's class, or the same as a dictionary.
        """
        fields = _fields(event)
        event_type = fields.get("type")
        if not isinstance(event_type, str):
            return
        # Events that change nothing do not wait for the lock.
        handler = self._handlers.get(event_type)
        if handler:
            with self._lock:
                handler(fields)

    def end_session(self, session_id: str | None = None) -> None:
        """End what a session left open, once it is closed or lost; `connect` calls it.

        Responses in progress become `incomplete`, with the reason `session_ended`.

        Args:
            session_id: The session that ended. Nothing changes if another one has begun since. By
                default the latest.
        """
        with self._lock:
            if session_id is None or session_id == self._session_id or not self._is_begun:
                self._end_session()

    def heard(self, item_id: str | None, milliseconds: float) -> TruncateEvent | None:
        """Make the event that tells the model how much of an item was heard.

        Args:
            item_id: The item that was being played.
            milliseconds: How much of its audio was heard. What exceeds the audio received is cut
                to it.

        Returns:
            A `conversation.item.truncate` event, or `None` where there is nothing to cut: for an
            item without received audio, that is deleted, or of which all was heard.
        """
        item = self._items.get(item_id or "")
        if item is None or not item.is_in_conversation or item.role == "user":
            return None
        if item.type not in (None, "message"):
            return None
        # Parts play one after the other.
        left = max(milliseconds, 0)
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

    def interrupted(self, dropped: Iterable[Dropped]) -> list[TruncateEvent]:
        """Make the events to send after an interruption.

        Args:
            dropped: What `Playback.clear` returned.

        Returns:
            A `conversation.item.truncate` for each item that was not heard to its end.
        """
        events: list[TruncateEvent] = []
        for item_id, size, milliseconds in dropped:
            # The item's own format is more exact than that of the device.
            item = self._items.get(item_id)
            if item:
                milliseconds = item.format.milliseconds(size)
            event = self.heard(item_id, milliseconds)
            if event:
                events.append(event)
        return events

    def history(self, *, max_items: int | None = None, max_tokens: int | None = None) -> list[Any]:
        """Make the events that restore the conversation in a new session.

        Messages are sent as text, speech by its transcript, and function calls with their outputs.
        Left out are calls without an output, images, MCP items, and what has no text or was not
        heard at all. Items keep their ids, so that the same `Conversation` does not have them
        twice.

        Args:
            max_items: The maximum number of items, from the end.
            max_tokens: The maximum number of tokens, from the end: an estimate, of a token for 3
                bytes of text.

        Returns:
            `conversation.item.create` events in the protocol of the session, in order.
        """
        with self._lock:
            return history_events(
                self._order,
                self.responses.values(),
                self._outputs,
                is_v1=self._is_v1,
                max_items=max_items,
                max_tokens=max_tokens,
            )

    def _make_handlers(self) -> dict[str, Callable[[Fields], None]]:
        """Return the method that takes the events of each type."""
        handlers: dict[str, Callable[[Fields], None]] = {
            "conversation.created": self._conversation_created,
            "conversation.item.created": self._item_added,
            "conversation.item.added": self._item_added,
            "conversation.item.done": self._item_done,
            "conversation.item.retrieved": self._item_done,
            "conversation.item.deleted": self._item_deleted,
            "conversation.item.truncated": self._item_truncated,
            f"{_TRANSCRIPTION}.completed": self._transcribed,
            f"{_TRANSCRIPTION}.failed": self._transcription_failed,
            "input_audio_buffer.committed": self._committed,
            "input_audio_buffer.speech_started": self._speech_found,
            "input_audio_buffer.speech_stopped": self._speech_found,
            "input_audio_buffer.timeout_triggered": self._speech_found,
            "response.created": self._response_created,
            "response.output_item.added": self._output_item,
            "response.output_item.done": self._output_item,
            "response.content_part.added": self._part_updated,
            "response.content_part.done": self._part_updated,
            "response.audio.delta": self._audio_added,
            "response.output_audio.delta": self._audio_added,
            "response.audio.done": self._audio_done,
            "response.output_audio.done": self._audio_done,
            "response.mcp_call.failed": self._mcp_call_failed,
            "response.done": self._response_done,
            "response.cancelled": self._response_done,
            "session.input_transcript.delta": self._translation_text,
            "session.output_transcript.delta": self._translation_text,
            "session.output_audio.delta": self._translation_audio,
            "error": self._refused,
            # Sent events.
            "session.update": self._update_sent,
            "transcription_session.update": self._update_sent,
            "conversation.item.create": self._create_sent,
            "response.create": self._response_create_sent,
            "input_audio_buffer.append": self._append_sent,
            "input_audio_buffer.commit": self._commit_sent,
            "input_audio_buffer.clear": self._clear_sent,
        }
        handlers |= dict.fromkeys(SESSION_EVENTS, self._session_described)
        for name in _TEXTS:
            handlers[f"{name}.delta"] = self._text_added
            handlers[f"{name}.done"] = self._text_done
        for name in _ARGUMENTS:
            handlers[f"{name}.delta"] = self._arguments_added
            handlers[f"{name}.done"] = self._arguments_done
        return handlers

    # The place of items

    def _place(self, item: ConversationItem, event: Fields) -> None:
        """Put an item where an event says: behind `previous_item_id`, or else at the end.

        Some servers send `null` for every item, so that it means the beginning only where there is
        no other item, or where the client asked for it.
        """
        previous_id = event.get("previous_item_id", "")
        index = self._index_after(previous_id, item)
        if item.is_in_conversation:
            # It was put at the end before anything told its place, or where it belongs.
            if index is None or item.id in self._placed:
                return
            self._remove(item)
            index = self._index_after(previous_id, item)
        if index is None:
            self._order.append(item)
            # `null` can be true of the first item of the session alone.
            if previous_id is None and len(self._order) == self._start + 1:
                self._placed.add(item.id)
        else:
            self._order.insert(index, item)
            self._placed.add(item.id)
        item.is_in_conversation = True

    def _index_after(self, previous_id: Any, item: ConversationItem) -> int | None:
        """Return the index behind a known item, which is mostly the last."""
        previous = None
        if isinstance(previous_id, str):
            previous = self._items.get(previous_id)
        if previous is None or previous is item or not previous.is_in_conversation:
            return None
        for index in range(len(self._order), 0, -1):
            if self._order[index - 1] is previous:
                if index <= self._start:
                    # Of an earlier session, of which not all may be restored: items follow in time.
                    return None
                return index
        return None

    def _place_first(self, item: ConversationItem) -> None:
        if item.is_in_conversation:
            self._remove(item)
        self._order.insert(self._start, item)
        self._placed.add(item.id)
        item.is_in_conversation = True

    def _remove(self, item: ConversationItem) -> None:
        index = self._order.index(item)
        del self._order[index]
        # Items of earlier sessions can be deleted, too.
        if index < self._start:
            self._start -= 1
        item.is_in_conversation = False

    # Items

    def _new_item(self, item_id: str, audio_format: AudioFormat) -> ConversationItem:
        item = self._items[item_id] = ConversationItem(item_id, audio_format)
        return item

    def _known_item(self, event: Fields) -> ConversationItem | None:
        item_id = event.get("item_id")
        if isinstance(item_id, str):
            return self._items.get(item_id)
        return None

    def _item_of(self, event: Fields) -> ConversationItem | None:
        """Return the item that an event names by `item_id`.

        Servers may send no event of the item itself, so that it may have to be made here.
        """
        item_id = event.get("item_id")
        if not isinstance(item_id, str) or item_id in self._deleted:
            return None
        if item_id in self._items:
            return self._items[item_id]
        if event["type"].startswith(_TRANSCRIPTION):
            item = self._new_item(item_id, self._formats["input"])
            item.role = "user"
            self._place(item, {})
        else:
            response = self._response({"id": event.get("response_id")})
            item = self._new_item(item_id, self._output_format_of(response))
            item.role = "assistant"
            self._put_out(item, response)
        item.type = "message"
        return item

    def _part_of(self, event: Fields) -> ConversationPart | None:
        """Return the content part that an event is about."""
        item = self._item_of(event)
        index = event.get("content_index") or 0
        if item is None or not isinstance(index, int):
            return None
        return item.part(index)

    def _described_item(
        self, value: Any, response: ConversationResponse | None = None, *, is_final: bool
    ) -> ConversationItem | None:
        """Return the item that the server describes, made or updated."""
        wire = _object(value)
        item_id = wire.get("id")
        if not isinstance(item_id, str) or item_id in self._deleted:
            return None
        if item_id in self._restored:
            # It has more than what was sent of it: audio, and how much was heard.
            return self._items.get(item_id)
        item = self._items.get(item_id)
        if item is None:
            item = self._new_item(item_id, self._output_format_of(response))
        item.update(wire, is_final=is_final)
        if item.role == "user":
            item.use_format(self._formats["input"])
        for index, part in enumerate(_array(wire.get("content"))):
            if is_object(part):
                item.part(index).update(part, is_final=is_final)
        self._follow_calls(item)
        return item

    def _follow_calls(self, item: ConversationItem) -> None:
        """Take an item for the answer to a call or to an approval request."""
        if item.type == "function_call_output" and item.call_id:
            self._outputs[item.call_id] = item.output or ""
            self._calls_due.pop(item.call_id, None)
        elif item.type == "mcp_approval_request":
            self._approvals_due.setdefault(item.id, item)
        elif item.approval_request_id:
            self._approvals_due.pop(item.approval_request_id, None)

    def _item_added(self, event: Fields) -> None:
        # Items of responses and of the user's audio are known before, and were not sent as items.
        item_id = str(_object(event.get("item")).get("id"))
        is_known = item_id in self._items
        self._deleted.pop(item_id, None)
        item = self._described_item(event.get("item"), is_final=False)
        if item is None or item.id in self._restored:
            return
        creation = self._creation_of(item, is_known=is_known)
        if creation:
            self._add_audio_sizes(item, creation.audio_sizes)
        if creation and creation.is_first:
            self._place_first(item)
        else:
            self._place(item, event)

    def _item_done(self, event: Fields) -> None:
        # Also for retrieved items, whose event is the only one with the user's audio.
        item = self._described_item(event.get("item"), is_final=True)
        if item is None or item.id in self._restored:
            return
        self._place(item, event)
        for index, part in enumerate(_array(_object(event.get("item")).get("content"))):
            audio = _object(part).get("audio")
            if isinstance(audio, str):  # It is all of the audio.
                kept = item.part(index)
                kept.audio_bytes, kept.audio, kept.is_audio_done = 0, bytearray(), True
                self._add_audio(kept, audio)

    def _item_deleted(self, event: Fields) -> None:
        item_id = event.get("item_id")
        if not isinstance(item_id, str):
            return
        self._deleted[item_id] = None  # Late events must not bring it back.
        if len(self._deleted) > _MAX_DELETED:
            del self._deleted[next(iter(self._deleted))]
        item = self._items.pop(item_id, None)
        if item and item.is_in_conversation:
            self._remove(item)
        self._placed.discard(item_id)
        self._restored.discard(item_id)

    def _item_truncated(self, event: Fields) -> None:
        end_ms = event.get("audio_end_ms")
        # This event does not make an item, because there is nothing to cut then.
        if isinstance(end_ms, int) and self._known_item(event):
            part = self._part_of(event)
            if part:
                part.truncate(end_ms)

    # Content

    def _text_added(self, event: Fields) -> None:
        part = self._part_of(event)
        if part:
            name = _TEXTS[event["type"].removesuffix(".delta")]
            part.growing(name).add(event.get("delta"))

    def _text_done(self, event: Fields) -> None:
        part = self._part_of(event)
        if part:
            name = _TEXTS[event["type"].removesuffix(".done")]
            part.growing(name).set(event.get(name), is_final=True)

    def _part_updated(self, event: Fields) -> None:
        wire = _object(event.get("part"))
        if wire:
            part = self._part_of(event)
            if part:
                part.update(wire, is_final=event["type"].endswith("done"))

    def _audio_added(self, event: Fields) -> None:
        # Called most often: nothing is decoded unless it is kept.
        part = self._part_of(event)
        if part and not part.is_audio_done:
            self._add_audio(part, event.get("delta"))

    def _audio_done(self, event: Fields) -> None:
        part = self._part_of(event)
        if part:
            part.is_audio_done = True

    def _add_audio(self, part: ConversationPart, audio: Any) -> None:
        part.audio_bytes += base64_size(audio)
        if self._keep_audio and part.truncated_ms is None:
            with suppress(ValueError, TypeError):  # It may not be base64.
                part.audio += b64decode(audio)

    def _add_audio_sizes(self, item: ConversationItem, sizes: dict[int, int]) -> None:
        for index, size in sizes.items():
            part = item.part(index)
            part.audio_bytes, part.is_audio_done = size, True

    # Calls

    def _call_of(self, event: Fields) -> ConversationItem | None:
        """Return the call that an event of arguments is about.

        In servers without events of items, calls may share the `item_id` of the message of their
        response, and differ in `call_id`: these have no item of their own, and stand in the
        response alone.
        """
        item_type = _ARGUMENTS[event["type"].rpartition(".")[0]]
        call_id = event.get("call_id")
        known = self._known_item(event)
        is_other = known is not None and (
            known.type not in (None, item_type)
            or (isinstance(call_id, str) and known.call_id not in (None, call_id))
        )
        if is_other:
            # https://github.com/huggingface/speech-to-speech/issues/457
            if not isinstance(call_id, str):
                return None
            call = self._items.get(call_id)
            if call is None:
                response = self._response({"id": event.get("response_id")})
                call = self._new_item(call_id, PCM)
                self._put_out(call, response, in_order=False)
        else:
            call = self._item_of(event)
            if call is None:
                return None
            if known is None:
                call.role = None  # Only messages have one.
        call.type = item_type
        call.update({"name": event.get("name"), "call_id": call_id}, is_final=False)
        return call

    def _arguments_added(self, event: Fields) -> None:
        call = self._call_of(event)
        if call:
            call.growing_arguments().add(event.get("delta"))

    def _arguments_done(self, event: Fields) -> None:
        call = self._call_of(event)
        if call:
            call.growing_arguments().set(event.get("arguments"), is_final=True)

    def _mcp_call_failed(self, event: Fields) -> None:
        item = self._known_item(event)
        if item:
            item.status = "failed"

    # The user's audio

    def _transcribed(self, event: Fields) -> None:
        part = self._part_of(event)
        usage = Usage.of(_object(event.get("usage")))
        if part is None:
            self.transcription_usage += usage
            return
        part.growing("transcript").set(event.get("transcript"), is_final=True)
        # Counted once, however often it is sent.
        self.transcription_usage += usage - part.transcription_usage
        part.transcription_usage = usage

    def _transcription_failed(self, event: Fields) -> None:
        error = _object(event.get("error"))
        if error:
            part = self._part_of(event)
            if part:
                part.transcription_error = error

    def _speech_found(self, event: Fields) -> None:
        # The item does not exist before the commit, which may never come.
        item_id = event.get("item_id")
        if not isinstance(item_id, str):
            return
        times = self._speech.setdefault(item_id, {})
        for name in ("audio_start_ms", "audio_end_ms"):
            if isinstance(event.get(name), int):
                times[name] = event[name]

    def _committed(self, event: Fields) -> None:
        size = 0
        if self._commits:
            size = self._commits.popleft()[1]
        else:  # Turn detection committed, and what it left out is gone.
            self._buffered = 0
        item_id = event.get("item_id")
        if not isinstance(item_id, str) or item_id in self._deleted:
            return
        item = self._items.get(item_id)
        if item is None:
            item = self._new_item(item_id, self._formats["input"])
        item.type = item.type or "message"
        item.role = item.role or "user"
        item.use_format(self._formats["input"])
        self._place(item, event)
        # What turn detection found is more exact than what was appended, which includes silence.
        speech = self._speech.pop(item.id, {})
        if len(speech) == 2:
            size = item.format.size(speech["audio_end_ms"] - speech["audio_start_ms"])
        if size > 0:
            self._add_audio_sizes(item, {0: size})

    # Responses

    def _output_format_of(self, response: ConversationResponse | None) -> AudioFormat:
        if response and response.format:
            return response.format
        return self._formats["output"]

    def _response(self, wire: Fields) -> ConversationResponse | None:
        """Return the response that the server describes, made if there was none."""
        response_id = wire.get("id")
        if not isinstance(response_id, str):
            return None
        response = self.responses.get(response_id)
        if response is None:
            # Not every server sends `response.created`.
            response = ConversationResponse(response_id)
            self.responses[response_id] = self._active[response_id] = response
        response.format = format_of(wire, "output") or response.format
        if is_object(wire.get("metadata")):
            response.metadata = wire["metadata"]
        if "conversation_id" in wire:
            self._conversation_named(response, wire["conversation_id"])
        return response

    def _conversation_named(self, response: ConversationResponse, conversation_id: Any) -> None:
        """Take a null id for out of band, once the server has named a conversation."""
        if isinstance(conversation_id, str):
            # Those before, of which `null` told nothing yet, are out of band after all.
            self._names_conversation = True
            for nameless in self._nameless:
                self._keep_out(nameless)
            self._nameless.clear()
        elif conversation_id is None and self._names_conversation:
            self._keep_out(response)
        elif conversation_id is None and response not in self._nameless:
            self._nameless.append(response)

    def _keep_out(self, response: ConversationResponse) -> None:
        response.is_out_of_band = True
        # What came before this was known is taken back.
        for item in response.items:
            self._calls_due.pop(item.call_id or "", None)
            self._approvals_due.pop(item.id, None)
            if item.is_in_conversation:
                self._remove(item)

    def _put_out(
        self,
        item: ConversationItem,
        response: ConversationResponse | None,
        *,
        in_order: bool = True,
    ) -> None:
        """Make an item one of a response, and of the conversation if the response is."""
        if response:
            item.response_id = item.response_id or response.id
            # The end of a response names its items; events after that are late.
            if response.id in self._active and item not in response.items:
                response.items.append(item)
        if in_order and not (response and response.is_out_of_band):
            self._place(item, {})

    def _response_created(self, event: Fields) -> None:
        wire = _object(event.get("response"))
        known = len(self.responses)
        response = self._response(wire)
        is_new = len(self.responses) > known
        if response is None or not is_new or isinstance(wire.get("conversation_id"), str):
            return
        # Without equal metadata it may have been begun by turn detection.
        for request in self._asked_out_of_band:
            if request[1] == (response.metadata or {}):
                self._asked_out_of_band.remove(request)
                self._keep_out(response)
                break

    def _output_item(self, event: Fields) -> None:
        response = self._response({"id": event.get("response_id")})
        is_final = event["type"].endswith("done")
        item = self._described_item(event.get("item"), response, is_final=is_final)
        if item:
            self._put_out(item, response)

    def _response_done(self, event: Fields) -> None:
        wire = _object(event.get("response")) or {"id": event.get("response_id")}
        response = self._response(wire)
        usage = Usage.of(wire.get("usage"))
        if response is None:
            self.usage += usage
            return
        if _object(wire.get("usage")):  # Counted once, however often it is sent.
            self.usage += usage - response.usage
            response.usage = usage
        # Some servers send only `response.cancelled`, without a status.
        if event["type"].endswith("cancelled"):
            response.end(wire, "cancelled")
        else:
            response.end(wire, "completed")
        # The last event names all items, unless a server leaves `output` out.
        output: list[ConversationItem] = []
        for value in _array(wire.get("output")):
            item = self._described_item(value, response, is_final=True)
            if item:
                output.append(item)
        if output:
            response.items = output
        for item in response.items:
            # Not every server sends an event of the conversation for it.
            is_own = self._items.get(item.id) is item and item.id != item.call_id
            self._put_out(item, response, in_order=is_own)
        # A response may end twice: `response.cancelled` and `response.done`.
        if self._active.pop(response.id, None) and response.status == "completed":
            self._calls_completed(response)

    def _calls_completed(self, response: ConversationResponse) -> None:
        # The server does not take outputs for calls outside of the conversation.
        if response.is_out_of_band:
            return
        for call in response.calls:
            if call.status == "in_progress":
                call.status = "completed"  # Not every server sends the end of an item.
            is_finished = call.status not in _UNFINISHED
            if call.call_id and is_finished and call.call_id not in self._outputs:
                self._calls_due[call.call_id] = call

    # Sessions

    def _session_described(self, event: Fields) -> None:
        settings = _object(event.get("session"))
        session_id = settings.get("id")
        is_created = event["type"].endswith("created")
        if is_created and self._is_begun and session_id != self.session_id:
            self._end_session()  # Nobody called `end_session`.
        self._is_begun = self._is_begun or is_created
        self._update_session(event.get("session"))
        # Only v1 has these fields, and it names the content of the assistant's items differently.
        if settings:
            self._is_v1 = "modalities" in settings or "output_audio_format" in settings
        # A confirmation may leave out the format that it confirms.
        if self._updates and not is_created:
            self._confirmed_formats |= self._updates.popleft()[1]
        self._confirmed_formats |= _formats_of(settings)
        self._use_formats()

    def _use_formats(self) -> None:
        self._formats = dict(self._confirmed_formats)
        for _, changed in self._updates:
            self._formats |= changed

    def _end_session(self) -> None:
        # No events will come of these: `active` would never be empty again.
        for response in self._active.values():
            response.status, response.reason = "incomplete", "session_ended"
            for item in response.items:
                if item.status == "in_progress":
                    item.status = "incomplete"
        self._reset_session()

    def _conversation_created(self, event: Fields) -> None:
        conversation_id = _object(event.get("conversation")).get("id")
        if isinstance(conversation_id, str):
            self.id = conversation_id

    # Translations, whose events name no items

    def _translation_item(self, direction: str) -> ConversationItem:
        # One item for all that was said, and one for its translation.
        item_id = f"{self.session_id}.{direction}"
        item = self._items.get(item_id)
        if item is None:
            item = self._new_item(item_id, PCM)
            item.type = "translation"
            item.role = "assistant"
            if direction == "input":
                item.role = "user"
            self._place(item, {})
        return item

    def _translation_text(self, event: Fields) -> None:
        direction = event["type"].removeprefix("session.").partition("_")[0]
        part = self._translation_item(direction).part(0)
        part.growing("transcript").add(event.get("delta"))

    def _translation_audio(self, event: Fields) -> None:
        self._add_audio(self._translation_item("output").part(0), event.get("delta"))

    # What was sent counts until the server says otherwise

    def _update_sent(self, event: Fields) -> None:
        changed = _formats_of(_object(event.get("session")))
        self._updates.append((event.get("event_id"), changed))
        self._use_formats()

    def _create_sent(self, event: Fields) -> None:
        item = _object(event.get("item"))
        item_id, call_id = item.get("id"), item.get("call_id")
        # Sent by `history`: the server's event of it will have less than what is known.
        if isinstance(item_id, str) and item_id in self._earlier:
            self._restored.add(item_id)
        # A call is answered from now on, also for servers that send no event of the output.
        if item.get("type") == "function_call_output" and isinstance(call_id, str):
            output = GrowingText()
            output.set(item.get("output"), is_final=True)
            self._outputs[call_id] = str(output)
            self._calls_due.pop(call_id, None)
        request_id = item.get("approval_request_id")
        if isinstance(request_id, str):
            self._approvals_due.pop(request_id, None)
        sizes: dict[int, int] = {}
        for index, part in enumerate(_array(item.get("content"))):
            if isinstance(_object(part).get("audio"), str):
                sizes[index] = base64_size(_object(part)["audio"])
        is_first = event.get("previous_item_id") == "root"
        if is_first or sizes:
            about = {name: item.get(name) for name in ("id", "type", "role")}
            self._creations.append(_Creation(event.get("event_id"), about, is_first, sizes))

    def _creation_of(self, item: ConversationItem, *, is_known: bool) -> _Creation | None:
        """Find what was sent of an item: by its id, or else by its type and role."""
        for creation in self._creations:
            sent = creation.item
            is_like = sent["type"] == item.type and sent["role"] == item.role
            if sent["id"] == item.id or (sent["id"] is None and is_like and not is_known):
                self._creations.remove(creation)
                return creation
        return None

    def _response_create_sent(self, event: Fields) -> None:
        # Not every server sends a null `conversation_id` for it.
        response = _object(event.get("response"))
        if response.get("conversation") == "none":
            metadata = _object(response.get("metadata"))
            self._asked_out_of_band.append((event.get("event_id"), metadata))

    def _append_sent(self, event: Fields) -> None:
        # The server has no event for it.
        self._buffered += base64_size(event.get("audio"))

    def _commit_sent(self, event: Fields) -> None:
        self._commits.append((event.get("event_id"), self._buffered))
        self._buffered = 0

    def _clear_sent(self, _: Fields) -> None:
        # At once: audio that is appended before the confirmation counts.
        self._buffered = 0

    def _refused(self, event: Fields) -> None:
        error = _object(event.get("error"))
        event_id = error.get("event_id")
        # Not every server names the event, but this code can only mean a commit, the oldest.
        is_empty = error.get("code") == "input_audio_buffer_commit_empty"
        for commit in self._commits:
            if is_empty or (event_id and commit[0] == event_id):
                self._commits.remove(commit)
                self._restore_buffer(commit[1])
                break
        if not event_id:
            return
        for update in self._updates:
            if update[0] == event_id:
                self._updates.remove(update)
                self._use_formats()
                break
        for creation in self._creations:
            if creation.event_id == event_id:
                self._creations.remove(creation)
                break
        for request in self._asked_out_of_band:
            if request[0] == event_id:
                self._asked_out_of_band.remove(request)
                break

    def _restore_buffer(self, size: int) -> None:
        """Put audio back of which a commit was refused: it stays in the server's buffer."""
        if self._commits:
            event_id, next_size = self._commits[0]
            self._commits[0] = event_id, next_size + size
        else:
            self._buffered += size


def _fields(event: Event) -> Fields:
    """Return the fields that an event has, by name. Their values may be models."""
    if not isinstance(event, RealtimeModel):
        return event
    extra = event.__pydantic_extra__
    fields = event.__dict__
    if extra:
        fields = {**fields, **extra}
    # The attribute of an absent field is `None`, but only `null` may mean the first item.
    previous = "previous_item_id"
    if fields.get(previous, "") is None and previous not in event.__pydantic_fields_set__:
        return {**fields, previous: ""}
    return fields


def _object(value: Any) -> dict[str, Any]:
    """Return the value as a dictionary if it is a JSON object, else {}."""
    if isinstance(value, RealtimeModel):
        return value.to_dict()
    if is_object(value):
        return value
    if isinstance(value, Mapping):
        return dict(cast(Mapping[str, Any], value))
    return {}


def _array(value: Any) -> list[Any]:
    """Return the value if it is a list, else []."""
    if is_array(value):
        return value
    return []


def _formats_of(settings: Any) -> dict[str, AudioFormat]:
    """Return the audio formats in settings, by direction."""
    formats: dict[str, AudioFormat] = {}
    for direction in ("input", "output"):
        audio_format = format_of(settings, direction)
        if audio_format:
            formats[direction] = audio_format
    return formats
