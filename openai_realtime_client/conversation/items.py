"""The parts of a conversation: items, their content parts, and responses.

Read-only for programs; `update`, `part`, `truncate` and `use_format` are for `Conversation`.
"""

from __future__ import annotations

import json
from base64 import b64decode
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from openai_realtime_client.conversation.usage import Usage
from openai_realtime_client.core.audio import PCM, AudioFormat, base64_size
from openai_realtime_client.core.json_types import at, is_array, is_object

__all__ = [
    "FAILED_STATUSES",
    "ConversationItem",
    "ConversationPart",
    "ConversationResponse",
    "GrowingText",
    "error_object",
]

# Fields of items that are strings, or absent.
_STRINGS = ("type", "role", "status", "name", "call_id", "server_label", "approval_request_id")
# Statuses of calls that the model did not finish.
FAILED_STATUSES = ("incomplete", "cancelled", "failed")
# Characters of a text that a repr has.
_MAX_SHOWN = 100


class GrowingText:
    """Text that grows by deltas, joined when it is read."""

    __slots__ = ("_is_final", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._is_final = False

    def __str__(self) -> str:
        return "".join(self._pieces)

    def add(self, delta: Any) -> None:
        """Append a delta, unless the text is final."""
        if isinstance(delta, str) and delta and not self._is_final:
            self._pieces.append(delta)

    def set(self, text: Any, *, is_final: bool) -> None:
        """Replace the text. Only a final text replaces an existing one, unless it is empty.

        Some servers leave out, in this way, what they have sent before.
        """
        if is_object(text) or is_array(text):
            # Some servers send arguments and outputs that are not yet encoded.
            text = json.dumps(text, ensure_ascii=False, separators=(",", ":"))
        if not isinstance(text, str):
            return
        if is_final or not (self._is_final or self._pieces):
            if text:
                self._pieces = [text]
            self._is_final = is_final


@dataclass(slots=True, eq=False)
class ConversationPart:
    """One content part of an item.

    Attributes:
        format: The format of the audio.
        type: Such as `input_text` or `output_audio`, as the server last called it.
        audio_bytes: The size of the audio, decoded and before any truncation: what was received of
            the model's, and what the server took of the user's.
        audio: The audio received, if `Conversation` keeps it.
        truncated_ms: Where the server truncated the audio, in milliseconds, or `None`. The text and
            transcript stay as received, since nobody knows which words were heard.
        is_audio_done: Whether all audio has arrived.
        is_audio_kept: Whether `audio` is kept.
        transcription_usage: What transcribing the user's audio used.
        transcription_error: The `error` of a failed transcription, or `None`.
    """

    format: AudioFormat = field(default=PCM, repr=False)
    type: str | None = None
    audio_bytes: int = 0
    audio: bytearray = field(default_factory=bytearray, repr=False)
    truncated_ms: int | None = None
    is_audio_done: bool = False
    is_audio_kept: bool = field(default=False, repr=False)
    transcription_usage: Usage = field(default_factory=Usage, repr=False)
    transcription_error: dict[str, Any] | None = None
    _text: GrowingText = field(default_factory=GrowingText, repr=False)
    _transcript: GrowingText = field(default_factory=GrowingText, repr=False)

    @property
    def text(self) -> str:
        """The text, as far as it was received."""
        return str(self._text)

    @property
    def transcript(self) -> str:
        """The transcript of the audio, as far as it was received, also after truncation."""
        return str(self._transcript)

    @property
    def audio_ms(self) -> int:
        """The duration of the audio in milliseconds, less what was truncated."""
        duration = self.format.milliseconds(self.audio_bytes)
        if self.truncated_ms is None:
            return duration
        return min(duration, self.truncated_ms)

    def growing(self, name: str) -> GrowingText:
        """Return the text that the deltas of one kind extend."""
        if name == "text":
            return self._text
        return self._transcript

    def update(self, wire: dict[str, Any], *, is_final: bool) -> None:
        """Take the fields of a part that the server sent."""
        if isinstance(wire.get("type"), str):
            self.type = wire["type"]
        self._text.set(wire.get("text"), is_final=is_final)
        self._transcript.set(wire.get("transcript"), is_final=is_final)
        # Here it is all of the audio, which some servers leave empty.
        if is_final and wire.get("audio") and self.truncated_ms is None:
            self.audio, self.audio_bytes, self.is_audio_done = bytearray(), 0, False
            self.add_audio(wire["audio"])
            self.is_audio_done = True

    def hold(self, size: int) -> None:
        """Take the size of audio that was sent as a whole."""
        if size:
            self.audio_bytes, self.is_audio_done = size, True

    def add_audio(self, audio: Any) -> None:
        """Append audio in base64, unless all has arrived. It is decoded only if it is kept."""
        if self.is_audio_done:
            return
        self.audio_bytes += base64_size(audio)
        if self.is_audio_kept and self.truncated_ms is None:
            with suppress(ValueError, TypeError):  # It may not be base64.
                self.audio += b64decode(audio)

    def truncate(self, end_ms: int) -> None:
        """Cut the audio after that many milliseconds."""
        self.truncated_ms = max(end_ms, 0)
        del self.audio[self.format.size(self.truncated_ms) :]


@dataclass(slots=True, eq=False, repr=False)
class ConversationItem:
    """One item: a message, a function call or its output, or what a vendor adds.

    Its fields are as the server last sent them.

    Attributes:
        response_id: The response that made it, or `None`.
        error: The error of a failed MCP call, or `None`.
        approval_request_id: The approval request that an MCP call or an approval belongs to.
        is_in_conversation: False for items of out-of-band responses, and for deleted ones.
    """

    id: str
    format: AudioFormat = PCM
    type: str | None = None
    role: str | None = None
    status: str | None = None
    name: str | None = None
    call_id: str | None = None
    server_label: str | None = None
    approval_request_id: str | None = None
    error: dict[str, Any] | None = None
    response_id: str | None = None
    is_in_conversation: bool = False
    is_audio_kept: bool = False
    _arguments: GrowingText = field(default_factory=GrowingText)
    _output: GrowingText | None = None
    _parts: dict[int, ConversationPart] = field(default_factory=dict[int, ConversationPart])

    def __repr__(self) -> str:
        names = ("id", "type", "role", "status", "name", "call_id", "arguments", "output", "error")
        fields: list[str] = []
        for name in (*names, "text", "transcript"):
            value = getattr(self, name)
            if value is not None and value != "":
                fields.append(f"{name}={_shortened(value)}")
        return f"ConversationItem({', '.join(fields)})"

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
    def output(self) -> str | None:
        """The output of a function or MCP call, or `None`."""
        if self._output is None:
            return None
        return str(self._output)

    @property
    def audio_bytes(self) -> int:
        """The size of the audio of all parts."""
        return sum(part.audio_bytes for part in self.parts.values())

    @property
    def audio_ms(self) -> int:
        """The duration of the audio of all parts, in milliseconds."""
        return sum(part.audio_ms for part in self.parts.values())

    def growing_arguments(self) -> GrowingText:
        """Return the text that the deltas of arguments extend."""
        return self._arguments

    def part(self, index: int) -> ConversationPart:
        """Return the part with an index, made if there was none."""
        if index not in self._parts:
            self._parts[index] = ConversationPart(self.format, is_audio_kept=self.is_audio_kept)
        return self._parts[index]

    def use_format(self, audio_format: AudioFormat) -> None:
        """Take the audio for one of another format."""
        # Whether an item is the user's may be known only after its first event.
        self.format = audio_format
        for part in self._parts.values():
            part.format = audio_format

    def update(self, wire: dict[str, Any], *, is_final: bool) -> None:
        """Take the fields of an item that the server sent."""
        # Events of the beginning can come after those of the end.
        is_late = not is_final and self.status not in (None, "in_progress")
        for name in _STRINGS:
            if isinstance(wire.get(name), str) and not (is_late and name == "status"):
                setattr(self, name, wire[name])
        self.error = error_object(wire.get("error")) or self.error
        # The output of a function is a text, or a list of content parts.
        if wire.get("output") is not None:
            self._output = GrowingText()
            self._output.set(wire["output"], is_final=True)
        self._arguments.set(wire.get("arguments"), is_final=is_final)
        if is_array(wire.get("content")):
            for index, part in enumerate(wire["content"]):
                if is_object(part):
                    self.part(index).update(part, is_final=is_final)


@dataclass(slots=True, eq=False)
class ConversationResponse:
    """One response.

    Attributes:
        status: `in_progress` until it ends, then `completed`, `cancelled`, `failed` or
            `incomplete`.
        reason: Why it ended, such as `turn_detected`, or `session_ended` where its session ended
            before it; or `None`.
        error: The error of a failed one, or `None`.
        is_out_of_band: Whether it is kept out of the conversation.
        usage: The tokens that it used, once it ended.
        metadata: As it was sent with `response.create`, or `None`.
        items: Its output items, in order.
        format: The format of its audio, where the server says so.
    """

    id: str
    status: str = "in_progress"
    reason: str | None = None
    error: dict[str, Any] | None = None
    is_out_of_band: bool = False
    usage: Usage = field(default_factory=Usage, repr=False)
    metadata: dict[str, Any] | None = None
    items: list[ConversationItem] = field(default_factory=list[ConversationItem], repr=False)
    format: AudioFormat | None = field(default=None, repr=False)

    @property
    def text(self) -> str:
        """The text of all items."""
        return "".join(item.text for item in self.items)

    @property
    def transcript(self) -> str:
        """The transcripts of all items."""
        return "".join(item.transcript for item in self.items)

    @property
    def calls(self) -> list[ConversationItem]:
        """The functions that it calls, in order."""
        return [item for item in self.items if item.type == "function_call"]

    def end(self, wire: dict[str, Any], default_status: str) -> None:
        """Take how the response ended, from the `response` of its last event."""
        self.status = default_status
        if isinstance(wire.get("status"), str):
            self.status = wire["status"]
        reason = at(wire, "status_details", "reason")
        if isinstance(reason, str):
            self.reason = reason
        error = at(wire, "status_details", "error")
        if is_object(error):
            self.error = error


def error_object(error: Any) -> dict[str, Any] | None:
    """Return the error of a call or a transcription, for which some servers send a text."""
    if isinstance(error, str):
        return {"message": error}
    if is_object(error):
        return error
    return None


def _shortened(value: Any) -> str:
    text = repr(value)
    if len(text) > _MAX_SHOWN:
        return f"{text[:_MAX_SHOWN]}…"
    return text
