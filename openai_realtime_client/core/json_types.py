"""JSON whose shape is not known: type guards and paths."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from typing_extensions import TypeIs

__all__ = ["Path", "any_index", "at", "is_array", "is_object", "path_text"]

Path = tuple[str | int, ...]


def is_object(value: Any) -> TypeIs[dict[Any, Any]]:
    """Return whether `value` is a JSON object."""
    return isinstance(value, dict)


def is_array(value: Any) -> TypeIs[list[Any]]:
    """Return whether `value` is a JSON array."""
    return isinstance(value, list)


def path_text(path: Iterable[str | int]) -> str:
    """Format a path, e.g. `output[0].status`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}"
    return text.removeprefix(".")


def any_index(text: str) -> str:
    """Replace the indices of paths by `[*]`, so that all items of a list have the same path."""
    return re.sub(r"\[\d+\]", "[*]", text)


def at(value: Any, *path: str) -> Any:
    """Return the value at a path of keys in JSON objects, or `None` if it is missing."""
    for name in path:
        if not is_object(value):
            return None
        value = value.get(name)
    return value
