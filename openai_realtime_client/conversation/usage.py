"""What responses and transcriptions use."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from openai_realtime_client.core.json_types import at

__all__ = ["Usage"]

# More than any count. Sums of such numbers can have more digits than Python prints.
_MOST = 10**15


def _count(*path: str) -> int:
    """A field that stands at a path of the `usage` that a server sends."""
    count: int = field(default=0, metadata={"path": path})
    return count


@dataclass
class Usage:
    """Tokens by modality. Each `cached` count is a part of the `input` count of its modality.

    `seconds` is the audio of transcriptions that are charged by duration instead.
    """

    total: int = _count("total_tokens")
    input: int = _count("input_tokens")
    input_text: int = _count("input_token_details", "text_tokens")
    input_audio: int = _count("input_token_details", "audio_tokens")
    input_image: int = _count("input_token_details", "image_tokens")
    input_cached: int = _count("input_token_details", "cached_tokens")
    input_cached_text: int = _count("input_token_details", "cached_tokens_details", "text_tokens")
    input_cached_audio: int = _count("input_token_details", "cached_tokens_details", "audio_tokens")
    input_cached_image: int = _count("input_token_details", "cached_tokens_details", "image_tokens")
    output: int = _count("output_tokens")
    output_text: int = _count("output_token_details", "text_tokens")
    output_audio: int = _count("output_token_details", "audio_tokens")
    output_reasoning: int = _count("output_token_details", "reasoning_tokens")
    seconds: float = _count("seconds")

    @classmethod
    def of(cls, wire: Any) -> Usage:
        """Read the `usage` of a response or a transcription; what is not a count is left out."""
        found = {each.name: at(wire, *each.metadata["path"]) for each in fields(cls)}
        return cls(**{name: value for name, value in found.items() if _is_count(name, value)})

    def __add__(self, other: Usage) -> Usage:
        return self._combined(other, 1)

    def __sub__(self, other: Usage) -> Usage:
        return self._combined(other, -1)

    def _combined(self, other: Usage, sign: int) -> Usage:
        names = [each.name for each in fields(self)]
        return Usage(**{name: getattr(self, name) + sign * getattr(other, name) for name in names})


def _is_count(name: str, value: Any) -> bool:
    kinds = (int, float) if name == "seconds" else int
    return isinstance(value, kinds) and not isinstance(value, bool) and abs(value) < _MOST
