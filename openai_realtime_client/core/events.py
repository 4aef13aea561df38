"""Text from the wire to typed events, without I/O.

A JSON object with a string `type` never raises: what does not fit the schema stays as received.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from importlib import import_module
from itertools import count
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Generic,
    NamedTuple,
    TypeVar,
    Union,
    cast,
    get_args,
)

from pydantic import TypeAdapter, ValidationError
from pydantic_core import SchemaValidator, from_json

from openai_realtime_client.core.errors import InvalidEventError, problems
from openai_realtime_client.core.json_types import Path, is_object
from openai_realtime_client.core.model import RealtimeModel, UnknownModel

__all__ = ["EventParser", "Mismatch", "UnknownEvent", "fit"]

Event = TypeVar("Event")

# Of one list, that are replaced one by one.
_MOST_ITEMS = 10


class UnknownEvent(UnknownModel):
    """An event whose `type` the schema does not know. Its other fields are attributes, too."""

    if TYPE_CHECKING:  # They would make one of the fields.

        def __init__(self, *, type: str, **data: Any) -> None: ...

    else:  # To them it is a constant, see `UnknownModel`.
        type: str


class EventParser(Generic[Event]):
    """Parses the events of one union, such as `RealtimeServerEvent` of a package.

    The union is imported when it is first used.
    """

    def __init__(self, package: str, union: str) -> None:
        self._package = package
        self._union = union

    @cached_property
    def _validator(self) -> SchemaValidator:
        members, discriminator = get_args(getattr(import_module(self._package), self._union))
        # Without its unknown member, the union is one table from `type` to class.
        known = tuple(member for member in get_args(members) if member is not UnknownEvent)
        union: Any = Annotated[Union[known], discriminator]  # noqa: UP007
        return cast(SchemaValidator, TypeAdapter(union).validator)

    @cached_property
    def _validate(self) -> Callable[[str | bytes], Any]:
        return self._validator.validate_json

    def parse(self, data: str | bytes) -> Event | UnknownEvent:
        """Parse one event, a JSON object with a string `type`.

        Returns:
            An event of the class that its `type` names. A field that does not fit the schema stays
            as received; so does a list as a whole when more than ten of its items do not fit.

        Raises:
            InvalidEventError: For anything else.
        """
        try:
            # What fits, as nearly all does, is parsed in one call of compiled code.
            return cast(Event, self._validate(data))
        except (ValidationError, UnicodeError):
            pass
        wire = _object(data)
        event, mismatches = fit(self._validator.validate_python, wire, in_union=True)
        if event is None:
            return _unknown_event(wire)
        for mismatch in reversed(mismatches):
            _put_back(event, mismatch)
        return cast(Event, event)


class Mismatch(NamedTuple):
    """A value that the schema does not accept, or a required field that is missing."""

    path: Path
    is_missing: bool
    value: Any


def _object(data: str | bytes) -> dict[str, Any]:
    try:
        text = data.encode() if isinstance(data, str) else data
        wire = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        reason = "not Unicode" if isinstance(error, UnicodeError) else error
        raise InvalidEventError("event", [("", f"Invalid JSON: {reason}")]) from None
    if not is_object(wire):
        raise InvalidEventError("event", [("", "Input should be an object")])
    if not isinstance(wire.get("type"), str):
        raise InvalidEventError("event", [("type", "Input should be a string")])
    return wire


def fit(
    validate: Callable[[Any], Any], wire: dict[str, Any], *, in_union: bool
) -> tuple[Any, list[Mismatch]]:
    """Validate with `null`, which every field accepts, in place of what does not fit.

    Args:
        validate: Raises pydantic's `ValidationError`, with one wrong item of each list.
        wire: What to validate, which has all values again afterwards.
        in_union: Whether it is validated as the member of a union.

    Returns:
        What `validate` returns, and what was replaced in it; `None` where that does not help, as
        when the `type` is unknown. What was replaced later may contain what was replaced earlier.
    """
    mismatches: list[Mismatch] = []
    result: Any = None
    for attempt in count(1):
        try:
            result = validate(wire)
            break
        except ValidationError as error:
            paths: Iterable[Path] = problems(error, wire, in_union=in_union)
            # A hostile event can have a million wrong items.
            if attempt > _MOST_ITEMS:
                paths = dict.fromkeys(map(_outermost_list, paths))
            taken = [_replace_by_null(path, wire) for path in paths if path]
            if not any(taken):
                break
            mismatches += filter(None, taken)
    for mismatch in reversed(mismatches):
        _put_back(wire, mismatch)
    return result, mismatches


def _outermost_list(path: Path) -> Path:
    lists = (path[:at] for at, part in enumerate(path) if isinstance(part, int))
    return next(lists, path)


def _unknown_event(wire: dict[str, Any]) -> UnknownEvent:
    event = UnknownEvent.model_construct(type=wire.pop("type"))
    cast(dict[str, Any], event.__pydantic_extra__).update(wire)
    return event


def _replace_by_null(path: Path, wire: dict[str, Any]) -> Mismatch | None:
    *parents, last = path
    container: Any = wire
    for part in parents:
        container = container[part]
    is_missing = is_object(container) and last not in container
    if not is_missing and container[last] is None:
        # Even null did not do, so what is around it goes.
        return _replace_by_null(path[:-1], wire) if parents else None
    mismatch = Mismatch(path, is_missing, None if is_missing else container[last])
    container[last] = None
    return mismatch


def _put_back(event: Any, mismatch: Mismatch) -> None:
    *parents, last = mismatch.path
    node = event
    for part in parents:
        node = _children(node, part)[part]
    if not mismatch.is_missing:
        _children(node, last)[last] = mismatch.value
    elif isinstance(node, RealtimeModel):
        node.__pydantic_fields_set__.discard(str(last))
    else:
        node.pop(last, None)


def _children(node: Any, key: str | int) -> Any:
    """What holds the value of `key`: the fields of a model, its unknown fields, or `node`."""
    if not isinstance(node, RealtimeModel):
        return node
    return node.__dict__ if key in node.__dict__ else node.__pydantic_extra__
