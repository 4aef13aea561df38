"""Every generated class has the types of its schema, and gives back the JSON it was given."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, get_type_hints

import pytest
from pydantic import TypeAdapter

import spec
from mutation import json_of, mutations
from protocols import PROTOCOLS, Protocol


def assert_round_trip(adapter: TypeAdapter[Any], wire: Any) -> None:
    expected = json_of(wire)
    for parsed in (adapter.validate_json(expected), adapter.validate_python(wire)):
        if hasattr(parsed, "to_json"):
            assert json_of(json.loads(parsed.to_json())) == expected
            assert json_of(parsed.to_dict()) == expected
        else:
            assert json_of(json.loads(adapter.dump_json(parsed))) == expected


each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
SCALARS = {"string": str, "integer": int, "number": float, "boolean": bool}


def type_of(schema: dict[str, Any], enum: Any, protocol: Protocol) -> Any:
    """What a field is annotated with; `enum` is the enum of its values."""
    name = spec.component(schema)
    if name in protocol.module.__all__:
        return getattr(protocol.module, name)
    schema = spec.target(schema, protocol.schemas)
    if enum and "enum" in schema:
        return enum
    if schema.get("type") == "array":
        return list[type_of(schema["items"], enum, protocol)]  # type: ignore[misc]
    if schema.get("type") == "object":
        return dict[str, type_of(schema.get("additionalProperties", {}), None, protocol)]  # type: ignore[misc]
    return SCALARS.get(schema.get("type", ""), Any)


@each_protocol
def test_a_field_has_the_type_of_its_schema(protocol: Protocol) -> None:
    checked = 0
    for name in protocol.public():
        fields = protocol.schemas[name].get("properties", {})
        model = getattr(protocol.module, name)
        hints = get_type_hints(model, include_extras=True) if fields else {}
        for (field, schema), hint in zip(fields.items(), hints.values(), strict=True):
            enum = getattr(model, field.title().replace("_", "") + "Enum", None)
            typed = type_of(schema, enum, protocol)
            constant = Annotated[Literal[tuple(schema.get("enum", ""))], enum]
            assert hint in (typed, None if typed is Any else typed | None, constant), (name, field)
            checked += 1
    assert checked


@each_protocol
def test_instances_and_their_mutations_come_back(protocol: Protocol) -> None:
    for name in protocol.public():
        # Some schemas, such as that of turn detection, are null as a whole.
        adapter: TypeAdapter[Any] = TypeAdapter(getattr(protocol.module, name) | None)
        for number, wire in enumerate(protocol.instances(name, count=8)):
            assert_round_trip(adapter, wire)
            for mutated in mutations(wire) if number < 3 else ():
                assert_round_trip(adapter, mutated)
