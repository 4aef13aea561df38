"""The one base of all generated models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import EnumMeta
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, PydanticKnownError, core_schema
from typing_extensions import Self

from openai_realtime_client.core.encoding import dumped, invalid_part, parse_json, plain_model
from openai_realtime_client.core.errors import MEMBER, InvalidModelError
from openai_realtime_client.core.json_types import is_array, is_object
from openai_realtime_client.core.secrets import without_secrets

__all__ = ["BY_CLASS", "RealtimeModel", "UnknownModel", "json_bytes", "lossless"]

# Characters of a text that a repr shows.
_MAX_SHOWN = 100

# Serialize by runtime type instead of trying each union member. This also keeps `true` in a field
# for integers.
BY_CLASS = core_schema.simple_ser_schema("any")


def lossless(schema: Any) -> Any:
    """Make pydantic's schema of one field accept `null` and convert nothing.

    Models and enums have schemas of their own; this changes the containers around them.
    """
    schema_type = schema["type"]
    if schema_type == "default":
        return {**schema, "schema": lossless(schema["schema"])}
    if schema_type == "nullable":
        return lossless(schema["schema"])
    return core_schema.nullable_schema(_unconverted(schema_type, schema))


def _unconverted(schema_type: str, schema: Any) -> Any:
    if schema_type in ("str", "bool"):
        return {**schema, "strict": True}
    if schema_type == "int":
        return _INTEGER
    if schema_type == "float":
        return _NUMBER
    if schema_type == "any":
        return _ANY_JSON
    if schema_type == "literal":
        # In Python `1 == True`: pydantic would make one of the other.
        if isinstance(schema["expected"][0], bool):
            return core_schema.bool_schema(strict=True)
        return _INTEGER
    if schema_type == "list" and "items_schema" in schema:
        # A list of a million wrong items would take seconds to report.
        return {**schema, "items_schema": lossless(schema["items_schema"]), "fail_fast": True}
    if schema_type == "dict" and "values_schema" in schema:
        # Keys of JSON are strings. Pydantic would replace half a surrogate pair in them.
        values = lossless(schema["values_schema"])
        return {**schema, "values_schema": values, "keys_schema": core_schema.any_schema()}
    if schema_type == "union":
        if isinstance(schema["choices"][0], tuple):
            return schema  # It was made here before.
        choices = [(lossless(choice), MEMBER) for choice in schema["choices"]]
        return {**schema, "choices": choices}
    return schema


_INTEGER = core_schema.int_schema(strict=True, serialization=BY_CLASS)
# Any number, in the type it came in: pydantic's float would round large integers.
_NUMBER = core_schema.union_schema(
    [_INTEGER, core_schema.float_schema(strict=True, allow_inf_nan=False)],
    mode="left_to_right",
    custom_error_type="float_type",
    serialization=BY_CLASS,
)


def _finite(value: Any) -> Any:
    """Refuse `NaN` and infinities, which pydantic's parser reads although they are not JSON."""
    value_class: type[object] = value.__class__
    members: Iterable[Any] = ()
    if issubclass(value_class, dict):
        members = value.values()
    elif issubclass(value_class, list):
        members = value
    elif issubclass(value_class, float) and not isfinite(value):
        raise PydanticKnownError("finite_number")
    for member in members:
        # Most members are text, and a call would cost more than this test.
        if not isinstance(member, str):
            _finite(member)
    return value


# Any JSON, as in unknown fields. Checked here, because a look at the text costs more than parsing.
# Constructed models may hold anything: encoding refuses it.
_ANY_JSON = core_schema.json_or_python_schema(
    json_schema=core_schema.no_info_after_validator_function(_finite, core_schema.any_schema()),
    python_schema=core_schema.any_schema(),
)


def _find_fields(schema: Any) -> dict[str, Any]:
    # They are within the schemas of the model and of its validators.
    while schema["type"] != "model-fields":
        schema = schema["schema"]
    fields: dict[str, Any] = schema
    return fields


class RealtimeModel(BaseModel):
    """Base of every generated model: JSON in, typed attributes, the same JSON out.

    Nothing that the schema lacks is lost: unknown fields become attributes, unknown enum values
    stay what they are (`OpenEnum`), `null` and absence remain distinct. A field that was never
    set is not sent; `model.field = None` sends `null`. Numbers are not converted: `1` stays `1`
    in a field of type `float`.
    """

    model_config = ConfigDict(
        extra="allow",
        # Enums of other modules, by the name that a nested one would have.
        ignored_types=(EnumMeta,),
        populate_by_name=True,
        protected_namespaces=(),
        hide_input_in_errors=True,
        # `to_json` finds `NaN` and infinities as constants, and refuses them.
        ser_json_inf_nan="constants",
    )

    # Not annotated, because pydantic would evaluate the annotations again for each generated class.
    # The fields that hold a schema constant (`type` of an event), with that constant.
    __constants__ = dict[str, Any]()
    # The fields that may be `null`. The others accept it, too, and `deviations` lists it.
    __nullable__ = frozenset[str]()
    # The fields that have limits: the minimum and maximum of a number, or of the length of a text
    # or a list. Values outside the limits are kept.
    __limits__ = tuple[tuple[str, float | None, float | None], ...]()

    def __init__(self, /, **data: Any) -> None:
        try:
            super().__init__(**(self.__constants__ | data))
        except ValidationError as error:
            raise InvalidModelError.of(type(self).__name__, error, data) from None

    # Without this mark (see `pydantic/main.py`), pydantic calls `__init__` for each object that it
    # parses. Parsing would take twice as long, and add constants that the server left out.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        # Generated fields have no default but `None`, save for constants.
        constants = dict[str, Any]()
        for name, field in cls.model_fields.items():
            if not field.is_required() and field.default is not None:
                constants[name] = field.default
        cls.__constants__ = constants

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        if cls.__pydantic_complete__:
            return schema  # It was made here before.
        fields = _find_fields(handler.resolve_ref_schema(schema))
        fields["extras_schema"] = _ANY_JSON
        for field in fields["fields"].values():
            field["schema"] = lossless(field["schema"])
        return schema

    if not TYPE_CHECKING:  # checkers know the fields

        def __setattr__(self, name: str, value: Any) -> None:
            # Pydantic would set it beside the fields, and never send it.
            if name in _METHODS and name not in type(self).model_fields:
                raise AttributeError(
                    f"{name!r} is a method or property of the model: to send an unknown field of "
                    f"this name, set model_extra[{name!r}]"
                )
            super().__setattr__(name, value)

        # Received values are kept although their type is wrong, of which pydantic would warn.

        def model_dump(self, **options: Any) -> dict[str, Any]:  # noqa: D102
            return super().model_dump(**{"warnings": False, **options})

        def model_dump_json(self, **options: Any) -> str:  # noqa: D102
            return super().model_dump_json(**{"warnings": False, **options})

    @classmethod
    def from_json(cls, data: str | bytes) -> Self:
        """Parse one JSON object.

        Args:
            data: The JSON text.

        Raises:
            InvalidModelError: Something does not fit; each such field is named.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError:
            pass
        # Again as plain JSON: for half a surrogate pair, and for errors with unambiguous paths.
        try:
            parsed = parse_json(data)
        except ValueError as error:
            problem = f"Invalid JSON: {error}"
            raise InvalidModelError(cls.__name__, [("", problem)]) from None
        return cls._validated(parsed)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Parse a mapping as `json.loads` gives it.

        Args:
            data: The mapping, which is not changed.

        Raises:
            InvalidModelError: Something does not fit; each such field is named.
        """
        return cls._validated(dict(data))

    @classmethod
    def _validated(cls, data: Any) -> Self:
        try:
            model: Self = cls.__pydantic_validator__.validate_python(data)
        except ValidationError as error:
            raise InvalidModelError.of(cls.__name__, error, data) from None
        return model

    def to_json(self) -> str:
        """Encode as JSON what was received or set, by its JSON names, without white space.

        Raises:
            ValueError: A value cannot be JSON: `NaN`, an infinity (also from a received number
                that is too large for a float, such as `1e400`), an object of some other type.
                The message has its path, and not the value. Integers may have any length,
                although received ones, and those in dictionaries, have at most 4,300 digits.
        """
        return json_bytes(self).decode()

    def to_dict(self) -> dict[str, Any]:
        """Return the same as `to_json`, as a dictionary of plain JSON values.

        Numbers that JSON lacks are kept: an infinity, as `json.loads` gives it for `1e400`.
        """
        return plain_model(self)

    def __eq__(self, other: object) -> bool:
        """Compare what is sent: `null` differs from an absent field."""
        return (
            isinstance(other, RealtimeModel)
            and super().__eq__(other)
            # Unknown fields are among them when they were parsed, but not when they were assigned.
            and (self.__pydantic_fields_set__ ^ other.__pydantic_fields_set__).isdisjoint(
                type(self).__pydantic_fields__
            )
        )

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        """Show what is sent, and of long text, such as audio, the start and the length."""
        for name, value in self.__dict__.items():
            if name in self.__pydantic_fields_set__:
                yield name, _repr_value(name, value)
        for name, value in (self.__pydantic_extra__ or {}).items():
            yield name, _repr_value(name, value)


def json_bytes(model: RealtimeModel) -> bytes:
    """Encode a model as `to_json` does, as UTF-8."""
    try:
        data = model.__pydantic_serializer__.to_json(
            model, by_alias=True, exclude_unset=True, warnings=False
        )
    except ValueError:  # of pydantic, also for half a surrogate pair
        problem = invalid_part(model)
        if problem:
            raise ValueError(problem) from None
        return dumped(model)
    # Text may contain these letters, so the values decide. Audio events have only text: searching
    # their 4 KB would take as long as encoding them.
    if _has_only_texts(model):
        return data
    if b"NaN" in data or b"Infinity" in data:
        problem = invalid_part(model, constants_only=True)
        if problem:
            raise ValueError(problem)
    return data


def _has_only_texts(model: RealtimeModel) -> bool:
    for value in model.__dict__.values():
        if value is not None and not isinstance(value, str):
            return False
    return not model.__pydantic_extra__


_METHODS = frozenset(name for name in dir(RealtimeModel) if not name.startswith("_"))


def _repr_value(name: str, value: Any) -> Any:
    """Return a value for a repr, with secrets left out and long text shortened."""
    value = without_secrets(name, value)
    if isinstance(value, str) and len(value) > _MAX_SHOWN:
        return _Shortened(value)
    if is_array(value):
        return [_repr_value(name, item) for item in value]
    if is_object(value):
        return {key: _repr_value(str(key), item) for key, item in value.items()}
    return value


class _Shortened(str):
    """Text whose repr is its start and its length."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{self[:_MAX_SHOWN]!r}… {len(self)} characters>"


class UnknownModel(RealtimeModel):
    """A member of a union that the schema does not know. Its fields are attributes.

    Type checkers take `type` and `role` for constants of this class, as they are of the known
    classes: so `item.type == "message"` narrows a union to one of them. To compare with what only
    a vendor sends, make a string of it: `str(item.type) == "vendor.item"`.
    """

    if TYPE_CHECKING:
        type: Literal["(unknown)"]
        role: Literal["(unknown)"]

        def __init__(self, *, type: str = ..., **data: Any) -> None: ...

        def __getattr__(self, name: str) -> Any: ...
