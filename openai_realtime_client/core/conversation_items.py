"""What a conversation consists of: items, their content parts, and responses."""

# Only `Conversation` changes them.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from openai_realtime_client.core.usage import Usage

__all__ = ["ConversationItem", "ConversationPart", "ConversationResponse", "Finality", "Text"]


class Finality(IntEnum):
    """How final a text is: what is less final does not replace it."""

    GROWING, FINAL, REMOVED = range(3)


class Text:
    """Text that grows by deltas, joined when it is read."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._finality = Finality.GROWING

    def __str__(self) -> str:
        return "".join(self._pieces)

    def add(self, delta: Any) -> None:
        """Append a delta, unless the whole text is known."""
        if isinstance(delta, str) and delta and self._finality is Finality.GROWING:
            self._pieces.append(delta)

    def set(self, text: Any, finality: Finality) -> None:
        """Replace the text, but neither by one that is less final nor deltas by their beginning."""
        is_late = finality < self._finality or (not finality and self._pieces)
        if isinstance(text, str) and not is_late:
            self._pieces, self._finality = [text] if text else [], finality


@dataclass(eq=False)
class ConversationPart:
    """One content part of an item.

    Attributes:
        type: Such as `input_text` or `output_audio`, as the server last called it.
        audio_bytes: The size of the audio, decoded and before any truncation: what was received of
            the model's, and what the server took of the user's.
        audio: The audio received, if `Conversation` keeps it.
        truncated_ms: Where the server truncated the audio, in milliseconds, or `None`.
        is_audio_done: Whether that is all audio.
        transcription_error: The `error` of a failed transcription, or `None`.
    """

    _bytes_per_second: int
    type: str | None = None
    audio_bytes: int = 0
    audio: bytearray = field(default_factory=bytearray, repr=False)
    truncated_ms: int | None = None
    is_audio_done: bool = False
    transcription_error: dict[str, Any] | None = None
    _text: Text = field(default_factory=Text, repr=False)
    _transcript: Text = field(default_factory=Text, repr=False)

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
        """The duration of the audio in milliseconds, less what was truncated."""
        duration = self.audio_bytes * 1000 // self._bytes_per_second
        return duration if self.truncated_ms is None else min(duration, self.truncated_ms)

    def _update(self, wire: dict[str, Any], finality: Finality) -> None:
        self.type = wire["type"] if isinstance(wire.get("type"), str) else self.type
        self._text.set(wire.get("text"), finality)
        self._transcript.set(wire.get("transcript"), finality)

    def _truncate(self, end_ms: int) -> None:
        self.truncated_ms = max(end_ms, 0)
        del self.audio[self.truncated_ms * self._bytes_per_second // 1000 :]
        self._transcript.set("", Finality.REMOVED)


@dataclass(eq=False, repr=False)
class ConversationItem:
    """One item: a message, a function call and its output, or what a vendor adds.

    Its fields are as the server last sent them.
    """

    id: str
    type: str | None = None
    role: str | None = None
    status: str | None = None
    name: str | None = None
    call_id: str | None = None
    output: str | None = None
    server_label: str | None = None
    _arguments: Text = field(default_factory=Text)
    _parts: dict[int, ConversationPart] = field(default_factory=dict[int, ConversationPart])

    def __post_init__(self) -> None:
        # The items of a conversation form a ring; one that is in none is its own neighbor.
        self._previous = self._next = self

    def __repr__(self) -> str:
        return f"<ConversationItem {self.id}: {self.role or self.type}, {self.status}>"

    @property
    def is_in_conversation(self) -> bool:
        """False for items of out-of-band responses, and for deleted ones."""
        return self._next is not self

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

    def _insert_after(self, previous: ConversationItem) -> None:
        self._previous, self._next = previous, previous._next
        previous._next = self._next._previous = self

    def _remove(self) -> None:
        self._previous._next, self._next._previous = self._next, self._previous
        self._previous = self._next = self


@dataclass(eq=False, repr=False)
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
    usage: Usage = field(default_factory=Usage)
    metadata: dict[str, Any] | None = None
    _items: dict[str, ConversationItem] = field(default_factory=dict[str, ConversationItem])
    _bytes_per_second: int | None = None

    def __repr__(self) -> str:
        return f"<ConversationResponse {self.id}: {self.status}>"

    @property
    def items(self) -> list[ConversationItem]:
        """Its output items, in order."""
        return list(self._items.values())
