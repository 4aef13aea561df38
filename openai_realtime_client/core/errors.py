"""What goes wrong with JSON that does not fit, told without repeating the JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError
from typing_extensions import Self

__all__ = ["InvalidEventError", "InvalidModelError"]

_MOST_PROBLEMS = 10


class InvalidModelError(ValueError):
    """JSON does not fit a model.

    `problems` holds a pair for each field that does not fit: its path, such as
    `output[0].status`, and what was expected there. The path of a problem with the whole is "".
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
        return cls(name, list(_problems(error, data)))


class InvalidEventError(InvalidModelError):
    """Text from the wire is not an event: no JSON object with a string `type`."""


def _problems(error: ValidationError, data: Any) -> Iterator[tuple[str, str]]:
    details = error.errors(include_url=False, include_context=False, include_input=False)
    if isinstance(data, (str, bytes)) and details[0]["type"] != "json_invalid":
        data = json.loads(data)
    messages: dict[str, list[str]] = {}
    for detail in details:
        if detail["type"] != "known_tag":
            messages.setdefault(_path(detail["loc"], data), []).append(detail["msg"])
    for path, texts in messages.items():
        # Each member of a union gives its own reason; together they say only this.
        yield path, texts[0] if len(texts) == 1 else "Input fits no member of the union"


def _path(location: tuple[str | int, ...], data: Any) -> str:
    """Where in `data` a problem is: pydantic's location less the names of union members."""
    path = ""
    for position, part in enumerate(location):
        is_last = position == len(location) - 1
        if isinstance(data, dict) and (part in data or is_last):
            path += f".{part}" if path else f"{part}"
            data = data.get(part)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        elif isinstance(data, list) and isinstance(part, int):
            path += f"[{part}]"
            data = data[part]  # pyright: ignore[reportUnknownVariableType]
    return path
