"""Annotations of unions: how their members are distinguished."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from openai_realtime_client.core.json_types import is_object
from openai_realtime_client.core.model import AS_HELD, UnknownModel, lossless

__all__ = ["Discriminator", "Lossless"]


class Lossless:
    """Annotation of a union of plain values: its members convert nothing."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema: CoreSchema = lossless(handler(source))
        return schema


@dataclass(frozen=True, eq=False)
class Discriminator:
    """Annotation of a union: `Annotated[A | B | UnknownModel, Discriminator("type", {"a": A})]`.

    `field` is the discriminator, `members` the member of each of its values. The member is found
    by that value alone, in one pass. Members that are not objects are tried before. An object
    with a value outside `members`, or none, becomes the union's `UnknownModel`; one whose value is
    known but whose fields do not fit is an error, never a wrong sibling.
    """

    field: str
    members: dict[str, Any]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        by_value = {k: handler.generate_schema(member) for k, member in self.members.items()}
        by_class = {each: handler.generate_schema(each) for each in _classes(self.members.values())}
        field = self.field

        # An instance is found by its class: pydantic's way to read its `type` takes far longer.
        def tag(value: Any) -> Any:
            kind: Any = value.__class__
            if kind is dict or is_object(value):
                return value.get(field)
            return kind if kind in by_class else getattr(value, field, None)

        tagged = core_schema.json_or_python_schema(
            core_schema.tagged_union_schema(by_value, discriminator=field),
            core_schema.tagged_union_schema({**by_value, **by_class}, discriminator=tag),
            serialization=AS_HELD,
        )
        plain: list[CoreSchema] = []
        unknown: list[CoreSchema] = []
        for member in get_args(source):
            if isinstance(member, type) and issubclass(member, UnknownModel):
                unknown.append(self._guard(handler.generate_schema(member)))
            elif member not in self.members.values():
                plain.append(lossless(handler.generate_schema(member)))
        if not plain and not unknown:
            return tagged
        return core_schema.union_schema(
            [*plain, tagged, *unknown],
            mode="left_to_right",
            # What is plain is dumped faster by its own schema.
            serialization=None if plain else AS_HELD,
        )

    def _guard(self, unknown: CoreSchema) -> CoreSchema:
        def refuse_known(value: Any) -> Any:
            tag = value.get(self.field) if is_object(value) else None
            if isinstance(tag, str) and tag in self.members:
                raise PydanticCustomError("known_tag", "the member exists")
            return value

        return core_schema.no_info_before_validator_function(refuse_known, unknown)


def _classes(members: Iterable[Any]) -> Iterator[type]:
    """The classes of members, and those of the unions among them."""
    for member in members:
        if isinstance(member, type):
            yield member
        else:
            yield from _classes(get_args(get_args(member)[0]))
