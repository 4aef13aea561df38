"""Type guards for parsed JSON, which type checkers otherwise only half know."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypeIs

__all__ = ["is_array", "is_object"]


def is_object(value: Any) -> TypeIs[dict[Any, Any]]:
    """Whether `value` is a JSON object."""
    return isinstance(value, dict)


def is_array(value: Any) -> TypeIs[list[Any]]:
    """Whether `value` is a JSON array."""
    return isinstance(value, list)
