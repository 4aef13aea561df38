"""Text from the wire to typed events, without I/O.

A JSON object with a string `type` never raises: what does not fit the schema stays as received.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, cast

from pydantic import ValidationError
from pydantic_core import SchemaValidator, core_schema

from openai_realtime_client.core.encoding import dumped, parse_json
from openai_realtime_client.core.errors import InvalidEventError, problems
from openai_realtime_client.core.json_types import Path, is_object
from openai_realtime_client.core.model import RealtimeModel, UnknownModel

__all__ = ["EventParser", "Mismatch", "UnknownEvent", "put_back", "validate_leniently"]

Event = TypeVar("Event")

# Replace at most this many invalid items per list individually.
_MAX_ITEMS = 10


class UnknownEvent(UnknownModel):
    """An event whose `type` the schema does not know.

    Attributes:
        type: The type, as a string. The other fields are attributes, too.
    """

    if TYPE_CHECKING:  # Checkers would derive the signature from the fields.

        def __init__(self, *, type: str, **data: Any) -> None: ...

    else:  # Checkers see the constant of `UnknownModel`.
        type: str


class EventParser(Generic[Event]):
    """Parses the events of one union, such as `RealtimeServerEvent` of a package.

    Each class is imported, and added to the validator, when the first event of its type comes.
    """

    def __init__(self, package: str, classes: Mapping[str, str]) -> None:
        """Map each `type` to the name of its class in `package`, which is imported when needed."""
        self._package = package
        self._classes = classes
        self._members: dict[str, type[RealtimeModel]] = {}
        self._validator = _union({})
        self._lock = Lock()

    def parse(self, data: str | bytes | Mapping[str, Any]) -> Event | UnknownEvent:
        """Parse one event, a JSON object with a string `type`, or the same as a dictionary.

        Returns:
            An event of the class that its `type` names. A field that does not fit the schema stays
            as received; so does a list as a whole when more than ten of its items do not fit.

        Raises:
            InvalidEventError: For anything else.
        """
        try:
            # Fast path: nearly all events fit. A mapping is refused here, and parsed below.
            parsed: Event = self._validator.validate_json(data)  # type: ignore[arg-type]
            return parsed
        except (ValidationError, UnicodeError):
            pass
        if isinstance(data, Mapping):
            return self.parse(_encoded(data))
        wire = _object(data)
        event_type: str = wire["type"]
        if self._add(event_type):
            return self.parse(data)
        event, mismatches = validate_leniently(self._validator.validate_python, wire, in_union=True)
        if event is None:
            unvalidated: Event = _unvalidated(self._members.get(event_type, UnknownEvent), wire)
            return unvalidated
        put_back(event, mismatches)
        return cast(Event, event)

    def _add(self, event_type: str) -> bool:
        """Add the class of a `type` to the validator, unless it is there or unknown."""
        if event_type in self._members or event_type not in self._classes:
            return False
        with self._lock:
            if event_type not in self._members:
                model = getattr(import_module(self._package), self._classes[event_type])
                members = {**self._members, event_type: model}
                self._validator = _union(members)
                # Last: whichever thread finds the class here finds it in the validator, too.
                self._members = members
        return True


def _union(members: Mapping[str, type[RealtimeModel]]) -> SchemaValidator:
    """Make one table from `type` to class, from the schemas that the classes have already."""
    choices: dict[str, Any] = {}
    definitions: dict[str, Any] = {}
    for event_type, model in members.items():
        schema: Any = model.__pydantic_core_schema__
        # Classes share definitions, which one schema may have only once.
        if schema["type"] == "definitions":
            for definition in schema["definitions"]:
                definitions[definition["ref"]] = definition
            schema = schema["schema"]
        choices[event_type] = schema
    union = core_schema.tagged_union_schema(choices, discriminator="type")
    return SchemaValidator(core_schema.definitions_schema(union, list(definitions.values())))


class Mismatch(NamedTuple):
    """A value that the schema does not accept, or a required field that is missing."""

    path: Path
    is_missing: bool
    is_text: bool  # with half of a surrogate pair
    value: Any


def _encoded(event: Mapping[str, Any]) -> bytes:
    try:
        return dumped(event)
    except ValueError as error:
        raise InvalidEventError("event", [("", str(error))]) from None


def _object(data: str | bytes) -> dict[str, Any]:
    try:
        wire = parse_json(data)
    except ValueError as error:
        raise InvalidEventError("event", [("", f"Invalid JSON: {error}")]) from None
    if not is_object(wire):
        raise InvalidEventError("event", [("", "Input should be an object")])
    if not isinstance(wire.get("type"), str):
        raise InvalidEventError("event", [("type", "Input should be a string")])
    return wire


def validate_leniently(
    validate: Callable[[Any], Any], wire: dict[str, Any], *, in_union: bool
) -> tuple[Any, list[Mismatch]]:
    """Validate with `null`, which every field accepts, in place of what does not fit.

    `wire` has all its values again afterwards.

    Returns:
        What `validate` returns, and what was replaced in it; `None` where that does not help, as
        when the `type` is unknown. Later replacements may contain earlier ones.
    """
    mismatches: list[Mismatch] = []
    result: Any = None
    for attempt in count(1):
        try:
            result = validate(wire)
            break
        except ValidationError as error:
            taken: list[Mismatch] = []
            for path, is_text in _mismatched(error, wire, in_union, attempt).items():
                mismatch = _replace_by_null(path, is_text, wire)
                if mismatch:
                    taken.append(mismatch)
            if not taken:
                break
            mismatches += taken
    put_back(wire, mismatches)
    return result, mismatches


def _mismatched(
    error: ValidationError, wire: dict[str, Any], in_union: bool, attempt: int
) -> dict[Path, bool]:
    """Return where to put null, and whether a text stands there that pydantic does not take."""
    places: dict[Path, bool] = {}
    for path, details in problems(error, wire, in_union=in_union).items():
        is_text = {detail["type"] for detail in details} == {"string_unicode"}
        if attempt > _MAX_ITEMS:
            # A hostile event can have a million wrong items.
            path, is_text = _outermost_list(path), False
        if path:
            places[path] = is_text
    return places


def _outermost_list(path: Path) -> Path:
    for length, part in enumerate(path):
        if isinstance(part, int):
            return path[:length]
    return path


def _unvalidated(model: type[RealtimeModel], wire: dict[str, Any]) -> Any:
    """Make an event whose fields are as received."""
    event: Any = model.model_construct()
    # Constants are set by now, which may not have been received.
    event.__pydantic_fields_set__.clear()
    event.__dict__.update(dict.fromkeys(model.model_fields))
    for key, value in wire.items():
        name = _field_name(event, key)
        if name in model.model_fields:
            event.__dict__[name] = value
            event.__pydantic_fields_set__.add(name)
        else:
            event.__pydantic_extra__[key] = value
    return event


def _replace_by_null(path: Path, is_text: bool, wire: dict[str, Any]) -> Mismatch | None:
    *parents, last = path
    container: Any = wire
    for part in parents:
        container = container[part]
    is_missing = is_object(container) and last not in container
    if not is_missing and container[last] is None:
        # Null was refused, too: replace the enclosing value.
        if not parents:
            return None
        return _replace_by_null(path[:-1], False, wire)
    value = None
    if not is_missing:
        value = container[last]
    container[last] = None
    return Mismatch(path, is_missing, is_text, value)


def put_back(event: Any, mismatches: Sequence[Mismatch]) -> None:
    """Give an event, or its JSON, the values that `validate_leniently` replaced."""
    # Later ones may contain earlier ones.
    for mismatch in reversed(mismatches):
        *parents, last = mismatch.path
        node = event
        for part in parents:
            name = _field_name(node, part)
            node = _children(node, name)[name]
        last = _field_name(node, last)
        if not mismatch.is_missing:
            _children(node, last)[last] = mismatch.value
        elif isinstance(node, RealtimeModel):
            node.__pydantic_fields_set__.discard(str(last))
        else:
            node.pop(last, None)


def _field_name(node: Any, key: str | int) -> str | int:
    """Return what a model calls the field of a key in JSON: `from_` for `from`."""
    if isinstance(node, RealtimeModel):
        for name, field in type(node).model_fields.items():
            if field.alias == key:
                return name
    return key


def _children(node: Any, key: str | int) -> Any:
    """Return what holds the value of `key`: the fields of a model, unknown ones, or `node`."""
    if not isinstance(node, RealtimeModel):
        return node
    if key in node.__dict__:
        return node.__dict__
    return node.__pydantic_extra__
