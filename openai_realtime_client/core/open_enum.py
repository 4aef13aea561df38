"""Enums that accept values newer than themselves."""

from __future__ import annotations

from enum import Enum, EnumMeta
from typing import TYPE_CHECKING, Any

from pydantic import VERSION, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from typing_extensions import Self

__all__ = ["OpenEnum"]

# From 2.14 on, pydantic's compiled table of an enum leaves what it lacks to `_missing_`:
# https://github.com/pydantic/pydantic/issues/12960
_ASKS_MISSING = tuple(int(part) for part in VERSION.split(".")[:2]) >= (2, 14)

# Pydantic's own way goes through the Python property `value`.
_AS_STRING = core_schema.simple_ser_schema("str")


class _OpenEnumMeta(EnumMeta):
    # Before Python 3.12, `"text" in SomeEnum` raises TypeError.
    def __contains__(cls, member: object) -> bool:
        return member in cls._value2member_map_


class OpenEnum(str, Enum, metaclass=_OpenEnumMeta):
    """A string enum that keeps values it does not know.

    Servers add values before their schema is published. `StatusEnum("brand_new")` is therefore
    a value like any other: it equals its string, hashes like it, pickles, and answers `False` to
    `is_known`. Unknown values are not remembered: they do not appear in iteration and use no
    memory after they are dropped.

    A value that is not a string raises `ValueError`.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_ = unknown._value_ = str(value)
        return unknown

    @property
    def is_known(self) -> bool:
        """Whether the schema lists this value."""
        return self._value_ in type(self)._value2member_map_

    @classmethod
    def values(cls) -> list[str]:
        """Return the values that the schema lists, in its order."""
        return [member.value for member in cls]

    def __repr__(self) -> str:
        name = " unknown"
        if self.is_known:
            name = f".{self._name_}"
        return f"<{type(self).__name__}{name}: {self._value_!r}>"

    # Python 3.11 and 3.12 changed what str() and format() of a str enum give; the value always.
    def __str__(self) -> str:
        return str.__str__(self)

    def __format__(self, spec: str) -> str:
        return str.__format__(self, spec)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        known = core_schema.enum_schema(cls, list(cls), sub_type="str")
        if _ASKS_MISSING:
            return core_schema.custom_error_schema(
                known, custom_error_type="string_type", serialization=_AS_STRING
            )
        other = core_schema.no_info_after_validator_function(
            cls, core_schema.str_schema(strict=True)
        )
        return core_schema.union_schema(
            [known, other],
            mode="left_to_right",
            custom_error_type="string_type",
            serialization=_AS_STRING,
        )


if TYPE_CHECKING:
    # mypy narrows a union by `==` and `match` only where no member of an enum takes part. The
    # values of a constant are therefore literal strings to checkers, as the fields with them are.
    class Constant(str):
        """The enum of a field that has one value, such as the `type` of an event."""

        @classmethod
        def values(cls) -> list[str]:
            """Return the values that the schema lists, in its order."""
            ...
else:
    Constant = OpenEnum
