"""JSON whose shape is not known: type guards, paths, and the error in an HTTP response."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from typing_extensions import TypeIs

__all__ = ["Path", "at", "error_in", "is_array", "is_object", "path_text"]

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


def at(value: Any, *path: str) -> Any:
    """Return the value at a path of keys in JSON objects; `None` where there is none."""
    for name in path:
        if not is_object(value):
            return None
        value = value.get(name)
    return value


def error_in(body: bytes) -> Any:
    """Return the `error` of an HTTP response's body, mostly an object; `None` without one.

    Gateways, such as that of Azure, have the text of a message in its place.
    """
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not is_object(fields):
        return None
    for name in ("message", "detail"):
        if "error" not in fields and isinstance(fields.get(name), str):
            return fields[name]
    return fields.get("error")
