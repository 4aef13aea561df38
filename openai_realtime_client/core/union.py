"""Annotations of unions: how their members are distinguished."""

from __future__ import annotations

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
        tagged = core_schema.tagged_union_schema(
            {value: handler.generate_schema(member) for value, member in self.members.items()},
            discriminator=self.field,
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
