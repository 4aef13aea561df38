"""What responses and transcriptions use."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from openai_realtime_client.core.json_types import at

__all__ = ["Usage"]

# Above any count. Sums of larger numbers could have more digits than Python prints.
_MAX = 10**15


def _count(*path: str) -> int:
    """Declare a field that is read from this path of the server's `usage`."""
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
        """Read the `usage` of a response or a transcription, as far as it consists of counts.

        Some servers send the counts as floats.
        """
        usage = cls()
        for count in fields(cls):
            value = at(wire, *count.metadata["path"])
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                continue
            if not abs(value) < _MAX:  # NaN is not below it.
                continue
            if count.name != "seconds":
                value = int(value)
            setattr(usage, count.name, value)
        return usage

    def __add__(self, other: Usage) -> Usage:
        return self._combined(other, 1)

    def __sub__(self, other: Usage) -> Usage:
        return self._combined(other, -1)

    def _combined(self, other: Usage, sign: int) -> Usage:
        combined = Usage()
        for count in fields(self):
            value = getattr(self, count.name) + sign * getattr(other, count.name)
            setattr(combined, count.name, value)
        return combined
