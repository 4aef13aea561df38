"""What goes wrong with JSON that does not fit, told without repeating the JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from typing_extensions import Self

from openai_realtime_client.core.json_types import Path, is_array, is_object, path_text

__all__ = ["InvalidEventError", "InvalidModelError", "problems"]

_MOST_PROBLEMS = 10


class InvalidModelError(ValueError):
    """JSON does not fit a model.

    `problems` holds a pair for each field that does not fit: its path, such as
    `output[0].status`, and what was expected there. Of a list, only the first item that does not
    fit is examined. The path of a problem with the whole is "".
    The message has one line a problem and never a value.
    """

    def __init__(self, name: str, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__(name, self.problems)

    def __str__(self) -> str:
        name, problems = self.args
        lines = [f"{path}: {text}" if path else text for path, text in problems]
        if len(lines) > _MOST_PROBLEMS:
            lines[_MOST_PROBLEMS:] = [f"and {len(lines) - _MOST_PROBLEMS} more"]
        if len(lines) == 1:
            return f"{name}: {lines[0]}"
        return "\n  ".join([f"{name}: {len(problems)} problems", *lines])

    @classmethod
    def of(cls, name: str, error: ValidationError, data: Any) -> Self:
        """Translate pydantic's account of parsing `data`."""
        if isinstance(data, (str, bytes)):
            data = _parsed(data)
        found = problems(error, data, in_union=False)
        return cls(name, [(path_text(path), _text(details)) for path, details in found.items()])


def _parsed(data: str | bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _text(details: list[Any]) -> str:
    return details[0]["msg"] if len(details) == 1 else "Input fits no member of the union"


class InvalidEventError(InvalidModelError):
    """Text from the wire is not an event: no JSON object with a string `type`."""


def problems(error: ValidationError, data: Any, *, in_union: bool) -> dict[Path, list[Any]]:
    """Pydantic's account of parsing `data`, by the place in `data` of what does not fit.

    `in_union` tells whether `data` as a whole was parsed as the member of a union.
    """
    found: dict[Path, list[Any]] = {}
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        if detail["type"] != "known_tag":
            found.setdefault(_path(detail, data, in_union), []).append(detail)
    # Each member of a union says why it is not meant. The one that is says what is wrong deeper.
    around = {path[:length] for path in found for length in range(len(path))}
    return {path: details for path, details in found.items() if path not in around}


def _path(detail: Any, data: Any, in_union: bool) -> Path:
    """Pydantic's location less the names of union members."""
    path: list[str | int] = []
    labels = _labels(data) if in_union else set[Any]()
    for position, part in enumerate(detail["loc"]):
        is_missing = detail["type"] == "missing" and position == len(detail["loc"]) - 1
        if part in labels:
            labels.remove(part)
        elif (is_object(data) and (part in data or is_missing)) or (
            is_array(data) and isinstance(part, int)
        ):
            path.append(part)
            data = None if is_missing else data[part]
            labels = _labels(data)
    return tuple(path)


def _labels(data: Any) -> set[Any]:
    """What pydantic may call `data` as the member of a union."""
    if not is_object(data):
        return set()
    return {value for field in ("type", "role") if isinstance(value := data.get(field), str)}
