"""Annotations of unions: how their members are distinguished."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from openai_realtime_client.core.errors import MEMBER
from openai_realtime_client.core.json_types import at, is_object
from openai_realtime_client.core.model import BY_CLASS, RealtimeModel, UnknownModel, lossless

__all__ = ["BestFit", "Discriminator", "Lossless"]


class Lossless:
    """Annotation of a union of plain values: its members convert nothing."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema: CoreSchema = lossless(handler(source))
        return schema


@dataclass(frozen=True, eq=False)
class Discriminator:
    """Annotation of a union: `Annotated[A | B | UnknownModel, Discriminator("type")]`.

    `field` is the discriminator. `members` maps each of its values to a member; by default, members
    are found by their constants. The value alone decides, in one pass. Members that are not objects
    are tried before. An object with another value, or none, becomes the union's `UnknownModel`; one
    whose value is known but whose fields do not fit is an error, never a wrong sibling.
    """

    field: str
    members: dict[str, Any] | None = None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        field = self.field
        members = self.members
        if members is None:
            members = _by_constant(source, field)
        by_value: dict[str, CoreSchema] = {}
        # For Python objects, whose errors have to tell the names of members from those of fields.
        names: dict[str, str] = {}
        by_name: dict[Any, CoreSchema] = {}
        for value, member in members.items():
            names[value] = f"{MEMBER}{value}"
            by_value[value] = by_name[names[value]] = handler.generate_schema(member)
        by_class = {model: handler.generate_schema(model) for model in _classes(members.values())}

        # An instance is found by its class: pydantic's way to read its `type` takes far longer.
        def tag(value: Any) -> Any:
            value_class: Any = value.__class__
            if value_class in by_class:
                return value_class
            discriminator = getattr(value, field, None)
            if is_object(value):
                discriminator = value.get(field)
            if isinstance(discriminator, str):
                return names.get(discriminator)
            return None

        tagged = core_schema.json_or_python_schema(
            core_schema.tagged_union_schema(by_value, discriminator=field),
            core_schema.tagged_union_schema(by_name | by_class, discriminator=tag),
            serialization=BY_CLASS,
        )
        plain: list[CoreSchema] = []
        unknown: list[CoreSchema] = []
        for member in get_args(source):
            if isinstance(member, type) and issubclass(member, UnknownModel):
                unknown.append(self._guard(members, handler.generate_schema(member)))
            elif member not in members.values():
                plain.append(lossless(handler.generate_schema(member)))
        if not plain and not unknown:
            return tagged
        serialization: Any = BY_CLASS
        if plain:  # Plain values are dumped faster by their own schemas.
            serialization = None
        return core_schema.union_schema(
            [(choice, MEMBER) for choice in (*plain, tagged, *unknown)],
            mode="left_to_right",
            serialization=serialization,
        )

    def _guard(self, members: Mapping[str, Any], unknown: CoreSchema) -> CoreSchema:
        def refuse_known(value: Any) -> Any:
            tag = at(value, self.field)
            if isinstance(tag, str) and tag in members:
                raise PydanticCustomError("known_tag", "the member exists")
            return value

        return core_schema.no_info_before_validator_function(refuse_known, unknown)


def _by_constant(union: Any, field: str) -> dict[str, Any]:
    """Return the member of each constant that a field has, also in unions that are members."""
    members: dict[str, Any] = {}
    for member in get_args(union):
        origin = get_origin(member)
        if origin is Annotated:
            members |= dict.fromkeys(_by_constant(get_args(member)[0], field), member)
        elif origin is None and issubclass(member, RealtimeModel):
            for name, info in member.model_fields.items():
                if field in (name, info.alias) and isinstance(info.default, str):
                    members[info.default] = member
    return members


@dataclass(frozen=True, eq=False)
class BestFit:
    """Annotation of a union whose members are tried in order: `Annotated[A | B, BestFit()]`.

    Of the members whose required fields an object has, and whose constants it does not contradict,
    the one that knows most of its fields wins; the first, if several do. If none fits, the object
    becomes the union's `UnknownModel`, or its dictionary. Plain values come before objects.

    `constants` are the required constants of classes, by their names: as fields, these have a
    default.
    """

    constants: dict[str, list[str]] | None = None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        models: list[type[RealtimeModel]] = []
        plain: list[CoreSchema] = []
        rest: list[CoreSchema] = []
        for member in get_args(source):
            classes = [item for item in _classes([member]) if issubclass(item, RealtimeModel)]
            if member is UnknownModel or get_origin(member) is dict:
                rest.append(lossless(handler.generate_schema(member)))
            elif classes:
                models += [model for model in classes if not issubclass(model, UnknownModel)]
            else:
                plain.append(lossless(handler.generate_schema(member)))

        def best(value: Any) -> Any:
            if not is_object(value):
                return value.__class__
            best_name, best_count = None, -1
            for model in models:
                count = _known_fields(model, value, constants.get(model.__name__, ()))
                if count > best_count:
                    best_name, best_count = names[model], count
            return best_name

        constants = self.constants or {}
        names = {model: f"{MEMBER}{model.__name__}" for model in models}
        if models:
            # Instances are found by their class, objects by the name that `best` returns.
            choices: dict[Any, CoreSchema] = {}
            for model in models:
                choices[model] = choices[names[model]] = handler.generate_schema(model)
            plain.append(
                core_schema.tagged_union_schema(choices, discriminator=best, serialization=BY_CLASS)
            )
        return core_schema.union_schema(
            [(choice, MEMBER) for choice in (*plain, *rest)],
            mode="left_to_right",
            serialization=BY_CLASS,
        )


def _known_fields(
    model: type[RealtimeModel], value: Mapping[str, Any], constants: Sequence[str]
) -> int:
    """Count the fields of an object that a model has; -1 if the object cannot be one."""
    count = 0
    for name, field in model.model_fields.items():
        key = field.alias or name
        if key in value:
            constant = model.__constants__.get(name, value[key])
            # In Python `1 == True`.
            if value[key] != constant or isinstance(value[key], bool) != isinstance(constant, bool):
                return -1
            count += 1
        elif field.is_required() or name in constants:
            return -1
    return count


def _classes(members: Iterable[Any]) -> Iterator[type]:
    """Yield the classes of members, and those of the unions among them."""
    for member in members:
        if isinstance(member, type):
            yield member
        elif get_args(member):
            yield from _classes(get_args(get_args(member)[0]))
