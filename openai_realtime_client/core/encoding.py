"""JSON text that is always valid, or an error with the path of what JSON lacks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from math import isfinite
from typing import Any, cast

from pydantic import BaseModel
from pydantic_core import to_json

from openai_realtime_client.core.json_types import Path, is_object, path_text

__all__ = ["copied", "dumped", "invalid_part", "to_dict"]

_TEXT = {str}

_CONSTANTS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def dumped(value: BaseModel | Mapping[str, Any]) -> bytes:
    """Encode a model or dictionary as JSON without white space. Models in it are encoded, too.

    Raises:
        ValueError: A value cannot be JSON: `NaN`, an infinity, an object of some other type, or an
            integer of more digits than `sys.get_int_max_str_digits()`, by default 4,300. The
            message has its path, and not the value.
    """
    data: Any = value  # Pyright would know the class only partially.
    try:
        if data.__class__ is dict and _TEXT.issuperset(map(type, (*data, *data.values()))):
            with suppress(ValueError):  # for half a surrogate pair, which `json` escapes
                return to_json(value)  # Of long text, at a fifth of the cost.
        return _encode(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        problem = invalid_part(value) or f"cannot be encoded as JSON ({type(error).__name__})"
    # Outside the `except`: the error of `json` can repeat the value.
    raise ValueError(problem)


def to_dict(value: BaseModel | Mapping[str, Any]) -> dict[str, Any]:
    """Make plain JSON of a model, or of a dictionary that holds models.

    Args:
        value: A model, or a dictionary as `send` takes it.

    Returns:
        A new dictionary of what `send` sends, with the JSON names of fields.

    Raises:
        ValueError: A value cannot be JSON. The message has its path, and not the value.
    """
    data: dict[str, Any] = json.loads(dumped(value))
    return data


def copied(value: Any) -> Any:
    """Copy a model or dictionary as `to_dict` does, without encoding it.

    Text is shared, which costs far less where there is much of it. What cannot be JSON stays as it
    is, and so does what is nested too deeply.
    """
    try:
        return _copied(value)
    except RecursionError:
        return value


def _copied(value: Any) -> Any:
    if is_object(value):
        # Most values are text. Calling for each would cost more than this.
        return {k: each if each.__class__ is str else _copied(each) for k, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copied(each) for each in cast(list[Any], value)]
    if value is None or isinstance(value, (str, int, float)):
        return value
    try:
        plain = _plain(value)
    except TypeError:
        return value
    return plain if isinstance(value, BaseModel) else _copied(plain)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True, warnings=False)
    if isinstance(value, Mapping):
        return dict(cast(Mapping[str, Any], value))
    raise TypeError


_encode = json.JSONEncoder(default=_plain, allow_nan=False, separators=(",", ":")).encode


def invalid_part(value: Any, *, constants_only: bool = False) -> str | None:
    """Find the first value in `value` that cannot be JSON, or only the first `NaN` or infinity.

    Returns:
        Its path and what it is, such as `session.speed: NaN is not JSON`, or `None`.
    """
    try:
        found = _invalid(value, _constant if constants_only else _problem)
    except RecursionError:
        return "nested too deeply to be JSON"
    if found is None:
        return None
    path, problem = found
    return f"{path_text(path)}: {problem}" if path else problem


def _invalid(value: Any, test: Callable[[Any], str | None]) -> tuple[Path, str] | None:
    items = _items(value)
    if items is None:
        problem = test(value)
        return ((), problem) if problem else None
    for key, each in items:
        # Most values are text. Calling for each would cost more than this.
        if each.__class__ is str or each is None:
            continue
        if found := _invalid(each, test):
            return (key, *found[0]), found[1]
    return None


def _items(value: Any) -> Iterable[tuple[Any, Any]] | None:
    """The keys and values of a container; `None` for anything else."""
    if is_object(value):
        return value.items()
    if isinstance(value, (list, tuple)):
        return enumerate(cast(list[Any], value))
    if isinstance(value, (str, int, float)):
        return None
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        # Fields and unknown fields, both by their JSON names.
        return [((fields[n].alias or n) if n in fields else n, each) for n, each in value]
    other: Any = value
    # Last, because the test is slow.
    return other.items() if isinstance(value, Mapping) else None


def _constant(value: Any) -> str | None:
    is_number = not isinstance(value, float) or isfinite(value)
    return None if is_number else f"{_CONSTANTS[str(float(value))]} is not JSON"


def _problem(value: Any) -> str | None:
    if value is None or isinstance(value, (str, float)):
        return _constant(value)
    if isinstance(value, int):
        try:
            str(value)
        except ValueError:
            return "the integer has more digits than Python converts (4,300 by default)"
        return None
    return f"a value of type {type(value).__name__} is not JSON"
