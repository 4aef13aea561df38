"""The state of a conversation, kept from its events without I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from threading import Lock
from typing import Any, ClassVar, Literal, NamedTuple, cast

from typing_extensions import NotRequired, TypedDict

from openai_realtime_client.conversation.history import history_events
from openai_realtime_client.conversation.items import (
    FAILED_STATUSES,
    ConversationItem,
    ConversationPart,
    ConversationResponse,
    GrowingText,
    error_object,
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

# Remember this many ids whose events are ignored, and so many unconfirmed sent events.
_MAX_IGNORED = 1_000
_MAX_PENDING = 1_000
_TRANSCRIPTION_EVENTS = "conversation.item.input_audio_transcription"
# The field that the `.delta` and `.done` events of each kind extend, under the names of v1 and GA.
_TEXTS = {
    "response.text": "text",
    "response.output_text": "text",
    "response.audio_transcript": "transcript",
    "response.output_audio_transcript": "transcript",
    _TRANSCRIPTION_EVENTS: "transcript",
}
_ARGUMENTS = {
    "response.function_call_arguments": "function_call",
    "response.mcp_call_arguments": "mcp_call",
}
# Some servers send only `response.cancelled`, and some leave out the status.
_STATUSES = {"response.done": "completed", "response.cancelled": "cancelled"}
# Sent events that the server confirms.
_UPDATE = "session.update"
_CREATE = "conversation.item.create"
_REQUEST = "response.create"
_COMMIT = "input_audio_buffer.commit"


class TruncateEvent(TypedDict):
    """A `conversation.item.truncate`, as `send` of both protocols takes it."""

    type: Literal["conversation.item.truncate"]
    event_id: NotRequired[str | None]
    item_id: str
    content_index: int
    audio_end_ms: int


class _Sent(NamedTuple):
    """A sent event that the server has not answered yet."""

    event_type: str
    event_id: Any
    # Identifies the server's event, too: the id of an item, or its type and role, or the metadata
    # of a request for an out-of-band response.
    subject: Any = None
    # The formats that settings change, the item and whether it was put first, or where the audio
    # of a commit begins and ends in all that was appended.
    detail: Any = None


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
        # The items of the session, and of those before it: servers may use ids again.
        self._order: list[ConversationItem] = []
        self._items: dict[str, ConversationItem] = {}
        self._earlier_order: list[ConversationItem] = []
        self._earlier_items: dict[str, ConversationItem] = {}
        self._names_conversation = False
        self._outputs: dict[str, str] = {}  # of functions, by `call_id`
        self._text_type = "output_text"  # of the assistant's content
        self._reset_session()
        self._lock = Lock()

    def _reset_session(self) -> None:
        """Set what belongs to one session."""
        self._is_begun = False
        self._earlier_order += self._order
        self._earlier_items |= self._items
        self._order, self._items = [], {}
        # The ids of deleted items, and of earlier ones that were sent again and have more than
        # what was sent of them: audio, and how much was heard. Events of these are ignored.
        self._ignored: dict[str, None] = {}
        self._session_responses: dict[str, ConversationResponse] = {}
        self._active: dict[str, ConversationResponse] = {}
        # Responses with a null `conversation_id` before the server named a conversation.
        self._nameless: dict[str, ConversationResponse] = {}
        # The ids of calls and approval requests that have an answer, and those that have none.
        self._answered: set[str] = set()
        self._due: dict[str, ConversationItem] = {}
        self._sent = deque[_Sent](maxlen=_MAX_PENDING)
        # The audio formats as the server confirmed them, and as what was sent changes them.
        self._confirmed_formats = {"input": PCM, "output": PCM}
        self._formats = dict(self._confirmed_formats)
        # The user's audio in bytes: what was appended, of that what was cleared, and committed.
        self._appended = self._cleared = self._committed = 0
        # Where turn detection found speech, by item.
        self._speech: dict[str, dict[str, int]] = {}

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_lock"]
        with self._lock:  # Another thread may be adding events.
            return deepcopy(state)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = Lock()

    def __repr__(self) -> str:
        items = self.items
        # The latest matter most, and a repr should fit a line of a log.
        latest = ", ".join(map(repr, items[-3:]))
        if len(items) > 3:
            latest = f"…, {latest}"
        return f"Conversation({len(items)} items: [{latest}])"

    @property
    def items(self) -> list[ConversationItem]:
        """The items of the conversation, in its order."""
        with self._lock:
            return [*self._earlier_order, *self._order]

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
        return self._due_of("function_call")

    @property
    def approvals_due(self) -> list[ConversationItem]:
        """The MCP approval requests of this session that are not decided yet."""
        return self._due_of("mcp_approval_request")

    def _due_of(self, item_type: str) -> list[ConversationItem]:
        with self._lock:
            return [item for item in self._due.values() if item.type == item_type]

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
        return self._items.get(item_id) or self._earlier_items.get(item_id)

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
        if event_type in _CHANGES_OF_PARTS:
            with self._lock:
                part = self._part_of(fields)
                if part:
                    _CHANGES_OF_PARTS[event_type](part, fields)
        elif event_type in self._HANDLERS:
            with self._lock:
                self._HANDLERS[event_type](self, fields)

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
        # Items of an earlier session are text, if the server has them at all.
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
            item = self.item(item_id)
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
                [*self._earlier_order, *self._order],
                self.responses.values(),
                self._outputs,
                assistant_type=self._text_type,
                max_items=max_items,
                max_tokens=max_tokens,
            )

    # Items and their place

    def _place(self, item: ConversationItem, event: Fields, *, is_first: bool = False) -> None:
        """Put an item behind the one that an event names by `previous_item_id`, or at the end.

        Some servers send `null` for every item, so that it means the beginning only where the
        client asked for it.
        """
        if item.is_in_conversation:
            return
        index = len(self._order)
        # None of an earlier session: not all of it may be restored, and items follow in time.
        previous = self._find(event.get("previous_item_id"))
        if is_first:
            index = 0
        elif previous and previous.is_in_conversation:
            while self._order[index - 1] is not previous:  # It is mostly the last.
                index -= 1
        self._order.insert(index, item)
        item.is_in_conversation = True

    def _remove(self, item: ConversationItem) -> None:
        for order in (self._order, self._earlier_order):
            if item in order:
                order.remove(item)
        item.is_in_conversation = False

    def _find(self, item_id: Any) -> ConversationItem | None:
        if isinstance(item_id, str):
            return self._items.get(item_id)
        return None

    def _ignore(self, item_id: str) -> None:
        self._ignored[item_id] = None
        if len(self._ignored) > _MAX_IGNORED:
            del self._ignored[next(iter(self._ignored))]

    def _make_item(
        self, item_id: Any, response: ConversationResponse | None = None
    ) -> ConversationItem | None:
        """Make an item, unless events of its id are to be ignored."""
        if not isinstance(item_id, str) or item_id in self._ignored:
            return None
        audio_format = self._formats["output"]
        if response and response.format:
            audio_format = response.format
        item = ConversationItem(item_id, audio_format, is_audio_kept=self._keep_audio)
        self._items[item_id] = item
        return item

    def _item_of(self, event: Fields, item_type: str = "message") -> ConversationItem | None:
        """Return the item that an event names by `item_id`.

        Servers may send no event of the item itself, so that it may have to be made here.
        """
        item = self._find(event.get("item_id"))
        if item:
            return item
        response = None
        is_from_user = not event["type"].startswith("response.")
        if not is_from_user:
            response = self._response({"id": event.get("response_id")})
        item = self._make_item(event.get("item_id"), response)
        if item:
            item.type = item_type
            if is_from_user:
                item.role = "user"
            elif item_type == "message":
                item.role = "assistant"
            self._add_output(item, response)
        return item

    def _part_of(self, event: Fields) -> ConversationPart | None:
        """Return the content part that an event names by `item_id` and `content_index`."""
        item = self._item_of(event)
        index = event.get("content_index") or 0
        if item is None or not isinstance(index, int):
            return None
        return item.part(index)

    def _update_item(
        self, value: Any, response: ConversationResponse | None = None, *, is_final: bool
    ) -> ConversationItem | None:
        """Return the item that the server describes, made or updated."""
        wire = _object(value)
        item_id = wire.get("id")
        item = self._find(item_id) or self._make_item(item_id, response)
        if item:
            item.update(wire, is_final=is_final)
            if item.role == "user":
                item.use_format(self._formats["input"])
            self._note_answer(item)
        return item

    def _note_answer(self, item: ConversationItem) -> None:
        """Note that an item answers a call or an approval request, or asks for an approval."""
        answered_id = item.approval_request_id
        if item.type == "function_call_output" and item.call_id:
            answered_id = item.call_id
            self._outputs[answered_id] = item.output or ""
        if answered_id:
            self._answered.add(answered_id)
            self._due.pop(answered_id, None)
        if item.type == "mcp_approval_request" and item.id not in self._answered:
            self._due[item.id] = item

    def _item_added(self, event: Fields) -> None:
        wire = _object(event.get("item"))
        item_id = wire.get("id")
        # One that was deleted, and not one that was restored.
        if isinstance(item_id, str) and item_id not in self._earlier_items:
            self._ignored.pop(item_id, None)
        sent = None
        # Items of responses and of the user's audio are known before, and were not sent as items.
        if not self._find(item_id):
            sent = self._pop_sent(_CREATE, item_id, (wire.get("type"), wire.get("role")))
        item = self._update_item(wire, is_final=False)
        if item is None:
            return
        is_first = False
        if sent:
            sent_item, is_first = sent.detail
            for index, part in sent_item.parts.items():
                item.part(index).hold(part.audio_bytes)
        self._place(item, event, is_first=is_first)

    def _item_done(self, event: Fields) -> None:
        item = self._update_item(event.get("item"), is_final=True)
        if item:
            self._place(item, event)

    def _item_deleted(self, event: Fields) -> None:
        item_id = event.get("item_id")
        if not isinstance(item_id, str):
            return
        self._ignore(item_id)  # Late events must not bring it back.
        item = self._items.pop(item_id, None) or self._earlier_items.pop(item_id, None)
        if item and item.is_in_conversation:
            self._remove(item)

    def _item_truncated(self, event: Fields) -> None:
        end_ms = event.get("audio_end_ms")
        # This event does not make an item, because there is nothing to cut then.
        if isinstance(end_ms, int) and self._find(event.get("item_id")):
            part = self._part_of(event)
            if part:
                part.truncate(end_ms)

    # Calls

    def _arguments_changed(self, event: Fields) -> None:
        """Take an event of arguments, which may name the function and the call.

        In servers without events of items, calls may share the `item_id` of the message of their
        response, and differ in `call_id`: these have no item of their own, and stand in the
        response alone. https://github.com/huggingface/speech-to-speech/issues/457
        """
        item_type = _ARGUMENTS[event["type"].rpartition(".")[0]]
        call_id = event.get("call_id")
        call = self._item_of(event, item_type)
        if call is None:
            return
        is_other = isinstance(call_id, str) and call.call_id not in (None, call_id)
        if is_other or call.type not in (None, item_type):
            call = self._call_without_item(call_id, event)
        if call:
            described = {"type": item_type, "name": event.get("name"), "call_id": call_id}
            call.update(described, is_final=False)
            _extend(call.growing_arguments(), event, "arguments")

    def _call_without_item(self, call_id: Any, event: Fields) -> ConversationItem | None:
        response = self._response({"id": event.get("response_id")})
        if response is None or not isinstance(call_id, str):
            return None
        for item in response.items:
            if item.call_id == call_id:
                return item
        call = ConversationItem(call_id)
        self._add_output(call, response)
        return call

    def _mcp_call_failed(self, event: Fields) -> None:
        item = self._find(event.get("item_id"))
        if item:
            item.status = "failed"

    # The user's audio

    def _transcribed(self, event: Fields) -> None:
        part = self._part_of(event)
        usage = Usage.of(_object(event.get("usage")))
        self.transcription_usage += usage
        if part:
            _text_changed(part, event)
            # Counted once, however often it is sent.
            self.transcription_usage -= part.transcription_usage
            part.transcription_usage = usage

    def _speech_found(self, event: Fields) -> None:
        # The item does not exist before the commit, which may never come.
        item_id = event.get("item_id")
        if not isinstance(item_id, str):
            return
        times = self._speech.setdefault(item_id, {})
        for name in ("audio_start_ms", "audio_end_ms"):
            if isinstance(event.get(name), int):
                times[name] = event[name]

    def _audio_committed(self, event: Fields) -> None:
        size = 0
        commit = self._pop_sent(_COMMIT)
        if commit:
            start, end = commit.detail
            # The audio of a refused commit stays in the buffer for the next.
            size = end - max(start, self._committed)
            self._committed = end
        else:  # Turn detection committed, and what it left out is gone.
            self._committed = self._appended
        item_id = event.get("item_id")
        item = self._find(item_id) or self._make_item(item_id)
        if item is None:
            return
        item.type, item.role = "message", "user"
        item.use_format(self._formats["input"])
        self._place(item, event)
        # What turn detection found is more exact than what was appended, which includes silence.
        speech = self._speech.pop(item.id, {})
        if len(speech) == 2:
            size = item.format.size(speech["audio_end_ms"] - speech["audio_start_ms"])
        if size > 0:
            item.part(0).hold(size)

    # Responses

    def _response(self, wire: Fields) -> ConversationResponse | None:
        """Return the response that the server describes, made if there was none."""
        response_id = wire.get("id")
        if not isinstance(response_id, str):
            return None
        response = self._session_responses.get(response_id)
        if response is None:
            # Not every server sends `response.created`.
            response = ConversationResponse(response_id)
            self.responses[response_id] = self._session_responses[response_id] = response
            self._active[response_id] = response
        response.format = format_of(wire, "output") or response.format
        if is_object(wire.get("metadata")):
            response.metadata = wire["metadata"]
        if isinstance(wire.get("conversation_id"), str):
            self._names_conversation = True
        elif wire.get("conversation_id", "") is None:
            self._nameless[response_id] = response
        # Null means out of band only from a server that names conversations.
        if self._names_conversation and self._nameless:
            for nameless in self._nameless.values():
                self._mark_out_of_band(nameless)
            self._nameless.clear()
        return response

    def _mark_out_of_band(self, response: ConversationResponse) -> None:
        response.is_out_of_band = True
        # What came before this was known is taken back.
        for item in response.items:
            self._due.pop(item.call_id or item.id, None)
            if item.is_in_conversation:
                self._remove(item)

    def _add_output(self, item: ConversationItem, response: ConversationResponse | None) -> None:
        """Make an item one of a response, and of the conversation if the response is."""
        if response:
            item.response_id = item.response_id or response.id
            # The end of a response names its items; events after that are late.
            if response.id in self._active and item not in response.items:
                response.items.append(item)
            if response.is_out_of_band:
                return
        # Some calls have no item, see `_arguments_changed`, and others may be deleted by now.
        if self._items.get(item.id) is item:
            self._place(item, {})

    def _response_created(self, event: Fields) -> None:
        wire = _object(event.get("response"))
        known = len(self._session_responses)
        response = self._response(wire)
        is_new = len(self._session_responses) > known
        if response is None or not is_new or isinstance(wire.get("conversation_id"), str):
            return
        # Without equal metadata it may have been begun by turn detection.
        if self._pop_sent(_REQUEST, response.metadata or {}):
            self._mark_out_of_band(response)

    def _output_item(self, event: Fields) -> None:
        response = self._response({"id": event.get("response_id")})
        is_final = event["type"].endswith("done")
        item = self._update_item(event.get("item"), response, is_final=is_final)
        if item:
            self._add_output(item, response)

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
        response.end(wire, _STATUSES[event["type"]])
        # The last event names all items, unless a server leaves `output` out.
        output: list[ConversationItem] = []
        for value in _array(wire.get("output")):
            item = self._update_item(value, response, is_final=True)
            if item:
                output.append(item)
        response.items = output or response.items
        for item in response.items:
            # Not every server sends an event of the conversation for it.
            self._add_output(item, response)
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
            is_finished = call.status not in FAILED_STATUSES
            if call.call_id and is_finished and call.call_id not in self._answered:
                self._due[call.call_id] = call

    # Sessions

    def _session_described(self, event: Fields) -> None:
        settings = _object(event.get("session"))
        is_created = event["type"].endswith("created")
        if is_created and self._is_begun and settings.get("id") != self.session_id:
            self._end_session()  # Nobody called `end_session`.
        self._is_begun = self._is_begun or is_created
        self._update_session(event.get("session"))
        # Only v1 has these fields, and it names the content of the assistant's items differently.
        if "modalities" in settings or "output_audio_format" in settings:
            self._text_type = "text"
        elif settings:
            self._text_type = "output_text"
        # A confirmation may leave out the format that it confirms.
        if not is_created:
            update = self._pop_sent(_UPDATE)
            if update:
                self._confirmed_formats |= update.detail
        self._confirmed_formats |= _formats_of(settings)
        self._use_formats()

    def _use_formats(self) -> None:
        self._formats = dict(self._confirmed_formats)
        for sent in self._sent:
            if sent.event_type == _UPDATE:
                self._formats |= sent.detail

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

    def _translated(self, event: Fields) -> None:
        # The events of translations name no item: there is one for all that was said, and one for
        # its translation.
        direction, _, content = event["type"].removeprefix("session.").partition("_")
        item_id = f"{self.session_id}.{direction}"
        item = self._find(item_id) or self._make_item(item_id)
        if item is None:
            return
        item.type, item.role = "translation", "assistant"
        if direction == "input":
            item.role = "user"
        self._place(item, {})
        if content == "audio.delta":
            item.part(0).add_audio(event.get("delta"))
        else:
            item.part(0).growing("transcript").add(event.get("delta"))

    # Sent events, which count until the server says otherwise

    def _pop_sent(self, event_type: str, *subjects: Any) -> _Sent | None:
        """Remove and return the oldest sent event of a type, about one of the subjects."""
        for sent in self._sent:
            if sent.event_type == event_type and (not subjects or sent.subject in subjects):
                self._sent.remove(sent)
                return sent
        return None

    def _session_update_sent(self, event: Fields) -> None:
        formats = _formats_of(_object(event.get("session")))
        self._sent.append(_Sent(_UPDATE, event.get("event_id"), detail=formats))
        self._use_formats()

    def _item_create_sent(self, event: Fields) -> None:
        wire = _object(event.get("item"))
        item_id = wire.get("id")
        # Sent by `history`.
        if isinstance(item_id, str) and item_id in self._earlier_items:
            self._ignore(item_id)
        item = ConversationItem(str(item_id or ""))
        content = [_object(part) for part in _array(wire.get("content"))]
        item.update({**wire, "content": content}, is_final=True)
        # A call is answered from now on, also for servers that send no event of the output.
        self._note_answer(item)
        is_first = event.get("previous_item_id") == "root"
        # The server's event of it does not have these.
        if is_first or item.audio_bytes:
            subject = item.id or (item.type, item.role)
            self._sent.append(_Sent(_CREATE, event.get("event_id"), subject, (item, is_first)))

    def _response_create_sent(self, event: Fields) -> None:
        # Not every server sends a null `conversation_id` for it.
        response = _object(event.get("response"))
        if response.get("conversation") == "none":
            metadata = _object(response.get("metadata"))
            self._sent.append(_Sent(_REQUEST, event.get("event_id"), metadata))

    def _audio_append_sent(self, event: Fields) -> None:
        # The server has no event for it.
        self._appended += base64_size(event.get("audio"))

    def _audio_commit_sent(self, event: Fields) -> None:
        place = (self._cleared, self._appended)
        self._sent.append(_Sent(_COMMIT, event.get("event_id"), detail=place))

    def _audio_clear_sent(self, _: Fields) -> None:
        # At once: audio that is appended before the confirmation counts.
        self._cleared = self._appended

    def _error_received(self, event: Fields) -> None:
        error = _object(event.get("error"))
        # Not every server names the event, but this code can only mean a commit, the oldest.
        if error.get("code") == "input_audio_buffer_commit_empty":
            self._pop_sent(_COMMIT)
            return
        event_id = error.get("event_id")
        for sent in self._sent:
            if event_id is not None and sent.event_id == event_id:
                self._sent.remove(sent)
                self._use_formats()
                return

    # The method that takes the events of each type.
    _HANDLERS: ClassVar[dict[str, Callable[[Any, Fields], None]]] = {
        "conversation.created": _conversation_created,
        "conversation.item.created": _item_added,
        "conversation.item.added": _item_added,
        "conversation.item.done": _item_done,
        # This event is the only one with the user's audio.
        "conversation.item.retrieved": _item_done,
        "conversation.item.deleted": _item_deleted,
        "conversation.item.truncated": _item_truncated,
        f"{_TRANSCRIPTION_EVENTS}.completed": _transcribed,
        "input_audio_buffer.committed": _audio_committed,
        "input_audio_buffer.speech_started": _speech_found,
        "input_audio_buffer.speech_stopped": _speech_found,
        "input_audio_buffer.timeout_triggered": _speech_found,
        "response.created": _response_created,
        "response.output_item.added": _output_item,
        "response.output_item.done": _output_item,
        "response.function_call_arguments.delta": _arguments_changed,
        "response.function_call_arguments.done": _arguments_changed,
        "response.mcp_call_arguments.delta": _arguments_changed,
        "response.mcp_call_arguments.done": _arguments_changed,
        "response.mcp_call.failed": _mcp_call_failed,
        "response.done": _response_done,
        "response.cancelled": _response_done,
        "session.input_transcript.delta": _translated,
        "session.output_transcript.delta": _translated,
        "session.output_audio.delta": _translated,
        **dict.fromkeys(SESSION_EVENTS, _session_described),
        "error": _error_received,
        # Sent events.
        _UPDATE: _session_update_sent,
        "transcription_session.update": _session_update_sent,
        _CREATE: _item_create_sent,
        _REQUEST: _response_create_sent,
        "input_audio_buffer.append": _audio_append_sent,
        _COMMIT: _audio_commit_sent,
        "input_audio_buffer.clear": _audio_clear_sent,
    }


def _extend(text: GrowingText, event: Fields, name: str) -> None:
    if event["type"].endswith(".delta"):
        text.add(event.get("delta"))
    else:
        text.set(event.get(name), is_final=True)


def _text_changed(part: ConversationPart, event: Fields) -> None:
    name = _TEXTS[event["type"].rpartition(".")[0]]
    _extend(part.growing(name), event, name)


def _part_described(part: ConversationPart, event: Fields) -> None:
    part.update(_object(event.get("part")), is_final=event["type"].endswith("done"))


def _audio_added(part: ConversationPart, event: Fields) -> None:
    part.add_audio(event.get("delta"))


def _audio_done(part: ConversationPart, _: Fields) -> None:
    part.is_audio_done = True


def _transcription_failed(part: ConversationPart, event: Fields) -> None:
    error = event.get("error")
    part.transcription_error = error_object(_object(error) or error)


# Changes to content parts, by the type of the event.
_CHANGES_OF_PARTS: dict[str, Callable[[ConversationPart, Fields], None]] = {
    **dict.fromkeys([f"{name}.delta" for name in _TEXTS], _text_changed),
    **dict.fromkeys([f"{name}.done" for name in _TEXTS], _text_changed),
    f"{_TRANSCRIPTION_EVENTS}.failed": _transcription_failed,
    "response.content_part.added": _part_described,
    "response.content_part.done": _part_described,
    "response.audio.delta": _audio_added,
    "response.output_audio.delta": _audio_added,
    "response.audio.done": _audio_done,
    "response.output_audio.done": _audio_done,
}


def _fields(event: Event) -> Fields:
    """Return the fields that an event has, by name. Their values may be models."""
    if not isinstance(event, RealtimeModel):
        return event
    extra = event.__pydantic_extra__
    if extra:
        return {**event.__dict__, **extra}
    return event.__dict__


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
