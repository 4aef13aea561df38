"""Text from the wire to typed events, without I/O.

A JSON object with a string `type` never raises: what does not fit the schema stays as received.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, wraps
from importlib import import_module
from types import UnionType
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
    get_origin,
)

from pydantic import TypeAdapter, ValidationError
from pydantic_core import SchemaValidator, from_json

from openai_realtime_client.core.errors import InvalidEventError, Path, path_text, problems
from openai_realtime_client.core.json_types import is_array, is_object
from openai_realtime_client.core.model import RealtimeModel, UnknownModel, building
from openai_realtime_client.core.open_enum import OpenEnum

__all__ = ["Deviation", "EventParser", "UnknownEvent", "deviations"]

Event = TypeVar("Event")
Parse = TypeVar("Parse", bound=Callable[..., Any])


class UnknownEvent(UnknownModel):
    """An event whose `type` the schema does not know. Its other fields are attributes, too."""

    if not TYPE_CHECKING:  # They take it for a constant, see `UnknownModel`.
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
        with building:
            members, discriminator = get_args(getattr(import_module(self._package), self._union))
            # Without its unknown member, the union is one table from `type` to class.
            known = tuple(member for member in get_args(members) if member is not UnknownEvent)
            union: Any = Annotated[Union[known], discriminator]  # noqa: UP007
            return cast(SchemaValidator, TypeAdapter(union).validator)

    def parse_fit(self, parse_unfit: Parse) -> Parse:
        """Decorate a function that parses any event, so that it is called for what does not fit.

        What fits is parsed in one call of compiled code, without so much as looking up a method:
        that would add a tenth to the time of a small event.
        """
        validate: Callable[[str | bytes], Any]

        def build(data: str | bytes) -> Any:
            nonlocal validate
            validate = self._validator.validate_json
            return validate(data)

        validate = build

        @wraps(parse_unfit)
        def parse(data: str | bytes) -> Any:
            try:
                return validate(data)
            except (ValidationError, UnicodeError):
                return parse_unfit(data)

        return cast(Parse, parse)

    def parse_any(self, data: str | bytes) -> Event | UnknownEvent:
        """As the functions `parse_server_event` and the like say."""
        wire = _object(data)
        misfits: list[_Misfit] = []
        while True:
            try:
                event = self._validator.validate_python(wire)
                break
            except ValidationError as error:
                taken = _take_out(problems(error, wire, in_union=True), wire)
                if not taken:
                    return _unknown_event(_restored(wire, misfits))
                misfits += taken
        # In reverse, because what was taken out later may stand around what was before.
        for misfit in reversed(misfits):
            _put_back(event, misfit)
        return cast(Event, event)


class _Misfit(NamedTuple):
    """What the schema does not accept at a path, or that a field is missing there."""

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


def _unknown_event(wire: dict[str, Any]) -> UnknownEvent:
    event = UnknownEvent.model_construct(type=wire.pop("type"))
    cast(dict[str, Any], event.__pydantic_extra__).update(wire)
    return event


def _take_out(paths: Iterable[Path], wire: dict[str, Any]) -> list[_Misfit]:
    """Put `null`, which every field takes, where something does not fit.

    Gives nothing where that cannot help, as when the `type` is unknown.
    """
    taken = (_replace_by_null(path, wire) for path in paths if path)
    return [misfit for misfit in taken if misfit]


def _replace_by_null(path: Path, wire: dict[str, Any]) -> _Misfit | None:
    *parents, last = path
    container: Any = wire
    for part in parents:
        container = container[part]
    is_missing = is_object(container) and last not in container
    if not is_missing and container[last] is None:
        # Even null did not do, so what is around it goes.
        return _replace_by_null(path[:-1], wire) if parents else None
    misfit = _Misfit(path, is_missing, None if is_missing else container[last])
    container[last] = None
    return misfit


def _restored(wire: dict[str, Any], misfits: list[_Misfit]) -> dict[str, Any]:
    for misfit in reversed(misfits):
        _put_back(wire, misfit)
    return wire


def _put_back(event: Any, misfit: _Misfit) -> None:
    *parents, last = misfit.path
    node = event
    for part in parents:
        node = _children(node, part)[part]
    if not misfit.is_missing:
        _children(node, last)[last] = misfit.value
    elif isinstance(node, RealtimeModel):
        node.__pydantic_fields_set__.discard(str(last))
    else:
        del node[last]


def _children(node: Any, key: str | int) -> Any:
    """What holds the value of `key`: the fields of a model, its unknown fields, or `node`."""
    if not isinstance(node, RealtimeModel):
        return node
    return node.__dict__ if key in node.__dict__ else node.__pydantic_extra__


class Deviation(NamedTuple):
    """One departure from the schema: where (`response.output[0].status`), what kind, what value.

    The kinds are `unknown event`, `unknown member` (of a union), `unknown field`, `unknown value`
    (of an enum), `wrong type` and `missing field`.
    """

    path: str
    kind: str
    value: Any


def deviations(event: RealtimeModel) -> list[Deviation]:
    """What the schema does not know of an event, or of any model; empty for one that fits.

    It is how one learns that an API has moved.
    """
    if isinstance(event, UnknownEvent):
        return [Deviation("", "unknown event", event.type)]
    unfit = dict(_unfit(event))
    found = list(unfit.values())
    for path, deviation in _unknown(event, (), type(event)):
        # What stands below a value of the wrong type is not described by the schema.
        if not any(path[:length] in unfit for length in range(len(path) + 1)):
            found.append(deviation)
    return found


def _unfit(event: RealtimeModel) -> Iterator[tuple[Path, Deviation]]:
    wire = event.to_dict()
    try:
        type(event).model_validate(wire)
    except ValidationError as error:
        for path, details in problems(error, wire, in_union=False).items():
            kind = "missing field" if details[0]["type"] == "missing" else "wrong type"
            value: Any = wire
            for part in path:
                value = None if is_object(value) and part not in value else value[part]
            yield path, Deviation(path_text(path), kind, value)


def _unknown(node: Any, path: Path, annotation: Any) -> Iterator[tuple[Path, Deviation]]:
    """The unknown fields, values and members at or below a place, and the nulls not foreseen."""
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
        if value is None:
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
    """What a list or dictionary holds, by the annotation of the field it is in."""
    found = (each for each in _alternatives(annotation) if get_origin(each) is container)
    return next((get_args(each)[-1] for each in found), Any)


def _alternatives(annotation: Any) -> list[Any]:
    """The members of a union, of unions in it, and of an annotated one."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _alternatives(arguments[0])
    if origin in (Union, UnionType):
        return [each for argument in arguments for each in _alternatives(argument)]
    return [annotation]
