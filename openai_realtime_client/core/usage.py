"""What responses and transcriptions use."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from openai_realtime_client.core.json_types import at

__all__ = ["Usage"]


@dataclass
class Usage:
    """Tokens by modality. Each `cached` count is a part of the `input` count of its modality.

    `seconds` is the audio of transcriptions that are charged by duration instead.
    """

    total: int = 0
    input: int = 0
    input_text: int = 0
    input_audio: int = 0
    input_image: int = 0
    input_cached: int = 0
    input_cached_text: int = 0
    input_cached_audio: int = 0
    input_cached_image: int = 0
    output: int = 0
    output_text: int = 0
    output_audio: int = 0
    output_reasoning: int = 0
    seconds: float = 0

    @classmethod
    def of(cls, wire: Any) -> Usage:
        """Read the `usage` of a response or a transcription; what is not a count is left out."""
        found = {name: at(wire, *path) for name, path in _USAGE.items()}
        return cls(**{name: value for name, value in found.items() if _is_number(value, name)})

    def __add__(self, other: Usage) -> Usage:
        return self._combined(other, 1)

    def __sub__(self, other: Usage) -> Usage:
        return self._combined(other, -1)

    def _combined(self, other: Usage, sign: int) -> Usage:
        names = [each.name for each in fields(self)]
        return Usage(**{name: getattr(self, name) + sign * getattr(other, name) for name in names})


# More than any count. Sums of such numbers can have more digits than Python prints.
_MOST = 10**15
_CACHED = ("input_token_details", "cached_tokens_details")
_USAGE = {
    "total": ("total_tokens",),
    "input": ("input_tokens",),
    "input_text": ("input_token_details", "text_tokens"),
    "input_audio": ("input_token_details", "audio_tokens"),
    "input_image": ("input_token_details", "image_tokens"),
    "input_cached": ("input_token_details", "cached_tokens"),
    "input_cached_text": (*_CACHED, "text_tokens"),
    "input_cached_audio": (*_CACHED, "audio_tokens"),
    "input_cached_image": (*_CACHED, "image_tokens"),
    "output": ("output_tokens",),
    "output_text": ("output_token_details", "text_tokens"),
    "output_audio": ("output_token_details", "audio_tokens"),
    "output_reasoning": ("output_token_details", "reasoning_tokens"),
    "seconds": ("seconds",),
}


def _is_number(value: Any, name: str) -> bool:
    kinds = (int, float) if name == "seconds" else int
    return isinstance(value, kinds) and not isinstance(value, bool) and abs(value) < _MOST
