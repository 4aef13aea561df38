"""Departures of an event from its schema."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from openai_realtime_client.core.events import UnknownEvent, validate_leniently
from openai_realtime_client.core.json_types import Path, is_array, is_object, path_text
from openai_realtime_client.core.model import RealtimeModel, UnknownModel
from openai_realtime_client.core.open_enum import OpenEnum

__all__ = ["Deviation", "deviations"]


class Deviation(NamedTuple):
    """One departure from the schema.

    Attributes:
        path: Where it is, such as `response.output[0].status`.
        kind: One of `unknown event`, `unknown member` (of a union), `unknown field`, `unknown
            value` (of an enum), `wrong type` and `missing field`.
        value: What stands there.
    """

    path: str
    kind: str
    value: Any


def deviations(event: RealtimeModel) -> list[Deviation]:
    """List what the schema does not know of an event, or of any model: how its API has changed.

    Args:
        event: An event or a model, received or made.

    Returns:
        The departures from the schema; empty for an event that fits. A list with more than ten
        items that do not fit is one departure.
    """
    if isinstance(event, UnknownEvent):
        return [Deviation("", "unknown event", event.type)]
    invalid = dict(_invalid(event))
    listed = list(invalid.values())
    for path, deviation in _unknown(event, (), type(event)):
        # The schema does not describe what stands below a value of the wrong type.
        if path not in invalid and not _is_below(path, invalid):
            listed.append(deviation)
    return listed


def _is_below(path: Path, places: Container[Path]) -> bool:
    return any(path[:length] in places for length in range(len(path)))


def _invalid(event: RealtimeModel) -> Iterator[tuple[Path, Deviation]]:
    _, mismatches = validate_leniently(type(event).model_validate, event.to_dict(), in_union=False)
    paths = {mismatch.path for mismatch in mismatches}
    for path, is_missing, is_text, value in mismatches:
        # JSON allows half of a surrogate pair, although pydantic does not.
        if is_text or _is_below(path, paths):
            continue
        if is_missing:
            yield path, Deviation(path_text(path), "missing field", value)
        else:
            yield path, Deviation(path_text(path), "wrong type", value)


def _unknown(node: Any, path: Path, annotation: Any) -> Iterator[tuple[Path, Deviation]]:
    """Yield unknown fields, values and members at or below a place, and unexpected nulls."""
    if isinstance(node, UnknownModel):
        yield path, Deviation(path_text(path), "unknown member", node.to_dict())
    elif isinstance(node, RealtimeModel):
        yield from _unknown_in_model(node, path)
    elif isinstance(node, OpenEnum):
        if not node.is_known and str not in _alternatives(annotation):
            yield path, Deviation(path_text(path), "unknown value", str(node))
    elif is_array(node):
        yield from _unknown_in_items(enumerate(node), path, _item_type(annotation, list))
    elif is_object(node):
        yield from _unknown_in_items(node.items(), path, _item_type(annotation, dict))


def _unknown_in_items(
    items: Iterable[tuple[str | int, Any]], path: Path, annotation: Any
) -> Iterator[tuple[Path, Deviation]]:
    if annotation is Any:
        return
    for key, value in items:
        if value is None and NoneType not in _alternatives(annotation):
            yield (*path, key), Deviation(path_text((*path, key)), "wrong type", None)
        yield from _unknown(value, (*path, key), annotation)


def _unknown_in_model(model: RealtimeModel, path: Path) -> Iterator[tuple[Path, Deviation]]:
    for key, value in (model.model_extra or {}).items():
        yield (*path, key), Deviation(path_text((*path, key)), "unknown field", value)
    for name, field in type(model).model_fields.items():
        key, value = field.alias or name, model.__dict__[name]
        if value is not None:
            yield from _unknown(value, (*path, key), field.annotation)
        elif name in model.model_fields_set and name not in model.__nullable__:
            yield (*path, key), Deviation(path_text((*path, key)), "wrong type", None)


def _item_type(annotation: Any, container: type) -> Any:
    """Return the type of the items or values, by the annotation of the field."""
    for alternative in _alternatives(annotation):
        if get_origin(alternative) is container:
            return get_args(alternative)[-1]
    return Any


def _alternatives(annotation: Any) -> list[Any]:
    """Return the members of a union, of unions in it, and of an annotated one."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _alternatives(arguments[0])
    if origin not in (Union, UnionType):
        return [annotation]
    members: list[Any] = []
    for argument in arguments:
        members += _alternatives(argument)
    return members
