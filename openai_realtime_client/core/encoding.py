"""JSON text that is always valid, or an error with the path of what JSON lacks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import isfinite
from typing import Any, cast

from pydantic import BaseModel
from pydantic_core import from_json

from openai_realtime_client.core.json_types import Path, is_object, path_text

__all__ = ["dumped", "invalid_part", "parse_json", "plain_model", "to_dict"]

# An escaped surrogate, on its own or in a pair.
_HALF = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_CONSTANTS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def parse_json(data: str | bytes) -> Any:
    """Parse JSON text, which may hold half of a surrogate pair, as in `"\\ud83d"`.

    Servers in JavaScript, Java and C# split texts between the halves.

    Raises:
        ValueError: It is not JSON. The message does not repeat it.
    """
    try:
        if isinstance(data, str):
            data = data.encode()
        return from_json(data, allow_inf_nan=False)
    except UnicodeError:
        raise ValueError("not Unicode") from None
    except ValueError as error:
        if "hex escape" not in str(error):
            raise
    # Check the rest as strictly, with the surrogates replaced: `json` is more lenient.
    from_json(_HALF.sub(rb"\\u0020", cast(bytes, data)), allow_inf_nan=False)
    return json.loads(data)


def dumped(value: BaseModel | Mapping[str, Any]) -> bytes:
    """Encode a model or dictionary as JSON without white space. Models in it are encoded, too.

    Raises:
        ValueError: A value cannot be JSON: `NaN`, an infinity, an object of some other type, or an
            integer of more digits than `sys.get_int_max_str_digits()`, by default 4,300. The
            message has its path, and not the value.
    """
    try:
        return _encode(value).encode()
    except UnicodeEncodeError:
        return _encode_ascii(value).encode()  # Half a surrogate pair has to be escaped.
    except (TypeError, ValueError, RecursionError) as error:
        problem = invalid_part(value)
        if problem is None and isinstance(error, TypeError):
            problem = "a key that is not a string is not JSON"
    if problem is None:
        problem = "nested too deeply to be JSON"
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


def plain_model(model: BaseModel) -> dict[str, Any]:
    """Return what was received or set in a model, as plain JSON values."""
    try:
        data: dict[str, Any] = model.__pydantic_serializer__.to_python(
            model, mode="json", by_alias=True, exclude_unset=True, warnings=False
        )
    except UnicodeEncodeError:  # The name of a field has half a surrogate pair.
        data = json.loads(json.dumps(model, default=lambda held: dict(_members(held))))
    return data


def _members(model: BaseModel) -> Iterator[tuple[str, Any]]:
    """Yield the JSON names and the values of what was received or set."""
    fields = type(model).model_fields
    for name, value in model:
        if name not in fields:
            yield name, value
        elif name in model.model_fields_set:
            yield fields[name].alias or name, value


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return plain_model(value)
    if isinstance(value, Mapping):
        return dict(cast(Mapping[str, Any], value))
    raise TypeError


_encode_ascii = json.JSONEncoder(default=_plain, allow_nan=False, separators=(",", ":")).encode
_encode = json.JSONEncoder(
    default=_plain, allow_nan=False, separators=(",", ":"), ensure_ascii=False
).encode


def invalid_part(value: Any, *, constants_only: bool = False) -> str | None:
    """Find the first value in `value` that cannot be JSON, or only the first `NaN` or infinity.

    Returns:
        Its path and what it is, such as `session.speed: NaN is not JSON`, or `None`.
    """
    check = _find_problem
    if constants_only:
        check = _find_non_finite
    try:
        invalid = _search(value, check)
    except RecursionError:
        return "nested too deeply to be JSON"
    if invalid is None:
        return None
    path, problem = invalid
    if not path:
        return problem
    return f"{path_text(path)}: {problem}"


def _search(value: Any, check: Callable[[Any], str | None]) -> tuple[Path, str] | None:
    """Return the path and the problem of the first value in `value` that fails the check."""
    items = _items(value)
    if items is None:
        problem = check(value)
        if problem:
            return (), problem
        return None
    for key, member in items:
        # Most values are text. Calling for each would cost more than this.
        if member.__class__ is str or member is None:
            continue
        invalid = _search(member, check)
        if invalid:
            path, problem = invalid
            return (key, *path), problem
    return None


def _items(value: Any) -> Iterable[tuple[Any, Any]] | None:
    """Return the keys and values of a container; `None` for anything else."""
    if is_object(value):
        return value.items()
    if isinstance(value, (list, tuple)):
        return enumerate(cast(list[Any], value))
    if isinstance(value, (str, int, float)):
        return None
    if isinstance(value, BaseModel):
        return _members(value)
    other: Any = value
    if isinstance(value, Mapping):  # Last, because this test is slow.
        return list(other.items())
    return None


def _find_non_finite(value: Any) -> str | None:
    if not isinstance(value, float) or isfinite(value):
        return None
    return f"{_CONSTANTS[str(float(value))]} is not JSON"


def _find_problem(value: Any) -> str | None:
    if value is None or isinstance(value, (str, float)):
        return _find_non_finite(value)
    if isinstance(value, int):
        try:
            str(value)
        except ValueError:
            return "the integer has more digits than Python converts (4,300 by default)"
        return None
    return f"a value of type {type(value).__name__} is not JSON"
