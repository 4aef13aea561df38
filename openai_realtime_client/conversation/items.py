"""What a conversation consists of: items, their content parts, and responses."""

# Only `Conversation` changes them.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from openai_realtime_client.conversation.usage import Usage

__all__ = ["ConversationItem", "ConversationPart", "ConversationResponse"]

_FIELDS = ("type", "role", "status", "name", "call_id", "output", "server_label")


class _Text:
    """Text that grows by deltas, joined when it is read."""

    __slots__ = ("_is_final", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._is_final = False

    def __str__(self) -> str:
        return "".join(self._pieces)

    def add(self, delta: Any) -> None:
        if isinstance(delta, str) and delta and not self._is_final:
            self._pieces.append(delta)

    def set(self, text: Any, *, is_final: bool) -> None:
        """Replace the text. Only the final one replaces what there is."""
        if isinstance(text, str) and (is_final or not (self._is_final or self._pieces)):
            self._pieces, self._is_final = [text] if text else [], is_final


@dataclass(slots=True, eq=False)
class ConversationPart:
    """One content part of an item.

    Attributes:
        type: Such as `input_text` or `output_audio`, as the server last called it.
        audio_bytes: The size of the audio, decoded and before any truncation: what was received of
            the model's, and what the server took of the user's.
        audio: The audio received, if `Conversation` keeps it.
        truncated_ms: Where the server truncated the audio, in milliseconds, or `None`.
        is_audio_done: Whether that is all audio.
        transcription_usage: What transcribing the user's audio used.
        transcription_error: The `error` of a failed transcription, or `None`.
    """

    _bytes_per_second: int = field(repr=False)
    type: str | None = None
    audio_bytes: int = 0
    audio: bytearray = field(default_factory=bytearray, repr=False)
    truncated_ms: int | None = None
    is_audio_done: bool = False
    transcription_usage: Usage = field(default_factory=Usage, repr=False)
    transcription_error: dict[str, Any] | None = None
    _text: _Text = field(default_factory=_Text, repr=False)
    _transcript: _Text = field(default_factory=_Text, repr=False)

    @property
    def text(self) -> str:
        """The text, as far as it was received."""
        return str(self._text)

    @property
    def transcript(self) -> str:
        """The transcript of the audio, as far as it was received.

        Empty after truncation: the server removes it, not knowing what of it was heard.
        """
        return str(self._transcript) if self.truncated_ms is None else ""

    @property
    def audio_ms(self) -> int:
        """The duration of the audio in milliseconds, less what was truncated."""
        duration = self.audio_bytes * 1000 // self._bytes_per_second
        return duration if self.truncated_ms is None else min(duration, self.truncated_ms)

    def _update(self, wire: dict[str, Any], *, is_final: bool) -> None:
        self.type = wire["type"] if isinstance(wire.get("type"), str) else self.type
        self._text.set(wire.get("text"), is_final=is_final)
        self._transcript.set(wire.get("transcript"), is_final=is_final)

    def _truncate(self, end_ms: int) -> None:
        self.truncated_ms = max(end_ms, 0)
        del self.audio[self.truncated_ms * self._bytes_per_second // 1000 :]


@dataclass(slots=True, eq=False)
class ConversationItem:
    """One item: a message, a function call and its output, or what a vendor adds.

    Its fields are as the server last sent them. `is_in_conversation` is false for items of
    out-of-band responses, and for deleted ones.
    """

    id: str
    _bytes_per_second: int = field(repr=False)
    type: str | None = None
    role: str | None = None
    status: str | None = None
    name: str | None = None
    call_id: str | None = None
    output: str | None = None
    server_label: str | None = None
    is_in_conversation: bool = field(default=False, repr=False)
    _arguments: _Text = field(default_factory=_Text, repr=False)
    _parts: dict[int, ConversationPart] = field(
        default_factory=dict[int, ConversationPart], repr=False
    )

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
        return sum(part.audio_bytes for part in self.parts.values())

    @property
    def audio_ms(self) -> int:
        """The duration of the audio of all parts, in milliseconds."""
        return sum(part.audio_ms for part in self.parts.values())

    def _part(self, index: int) -> ConversationPart:
        if index not in self._parts:
            self._parts[index] = ConversationPart(self._bytes_per_second)
        return self._parts[index]

    def _update(self, wire: dict[str, Any], *, is_final: bool) -> None:
        is_late = not is_final and self.status not in (None, "in_progress")
        for name in _FIELDS:
            if isinstance(wire.get(name), str) and not (is_late and name == "status"):
                setattr(self, name, wire[name])
        self._arguments.set(wire.get("arguments"), is_final=is_final)


@dataclass(slots=True, eq=False)
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

    id: str
    status: str = "in_progress"
    reason: str | None = None
    error: dict[str, Any] | None = None
    is_out_of_band: bool = False
    usage: Usage = field(default_factory=Usage, repr=False)
    metadata: dict[str, Any] | None = None
    _items: dict[str, ConversationItem] = field(
        default_factory=dict[str, ConversationItem], repr=False
    )
    _bytes_per_second: int | None = field(default=None, repr=False)

    @property
    def items(self) -> list[ConversationItem]:
        """Its output items, in order."""
        return list(self._items.values())

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
