"""JSON whose shape is not known: type guards, paths, and the error in an HTTP answer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from typing_extensions import TypeIs

__all__ = ["Path", "error_in", "is_array", "is_object", "path_text"]

Path = tuple[str | int, ...]


def is_object(value: Any) -> TypeIs[dict[Any, Any]]:
    """Whether `value` is a JSON object."""
    return isinstance(value, dict)


def is_array(value: Any) -> TypeIs[list[Any]]:
    """Whether `value` is a JSON array."""
    return isinstance(value, list)


def path_text(path: Iterable[str | int]) -> str:
    """A path as people write it: `output[0].status`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def error_in(body: bytes) -> Any:
    """The `error` of an HTTP answer's body, mostly an object; `None` for a body without."""
    try:
        return json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
