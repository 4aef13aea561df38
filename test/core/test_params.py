"""The dictionaries of `params.py`, at run time: pydantic reads what they say."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Iterator
from typing import Any, get_origin, get_type_hints

import pytest
from pydantic import TypeAdapter
from typing_extensions import Required

import spec
from protocols import PROTOCOLS, Protocol


def with_tags(protocol: Protocol) -> Protocol:
    """A protocol whose unions always have what tells their members apart."""
    copied = Protocol(protocol.name, protocol.package)
    copied.__dict__["document"] = protocol.document
    schemas = copied.__dict__["schemas"] = copy.deepcopy(protocol.schemas)
    for union in schemas.values():
        for reference in union.get("discriminator", {}).get("mapping", {}).values():
            required = schemas[reference.removeprefix(spec.REFERENCE)].setdefault("required", [])
            required += {union["discriminator"]["propertyName"]} - {*required}
    return copied


@pytest.fixture(scope="module", params=PROTOCOLS, ids=lambda protocol: protocol.name)
def protocol(request: pytest.FixtureRequest) -> Protocol:
    return with_tags(request.param)


def params(protocol: Protocol) -> list[str]:
    """The schemas of which there is a dictionary."""
    names = importlib.import_module(f"{protocol.package}.params").__all__
    return [name.removesuffix("Param") for name in names]


def hints(protocol: Protocol, **kinds: Any) -> dict[str, Any]:
    """What annotations in `params.py` mean."""
    holder = type("Holder", (), {"__annotations__": kinds})
    module = importlib.import_module(f"{protocol.package}.params")
    return get_type_hints(holder, vars(module))


def sent(protocol: Protocol) -> Iterator[str]:
    """The components that a client sends, found by their references alone."""
    unions = [n for n, side in spec.event_unions(protocol.schemas).items() if side == "client"]
    roots: list[Any] = [{"$ref": spec.REFERENCE + name} for name in unions]
    for _place, operation in spec.operations(protocol.document):
        for kind, body in operation.get("requestBody", {}).get("content", {}).items():
            schema = body.get("schema", {})
            if "form" in kind:
                schema = spec.target(schema, protocol.schemas)["properties"]
            roots.append(schema)
    found: set[str] = set()
    while roots:
        for _place, node in spec.walk(roots.pop()):
            name = str(node.get("$ref", "")).removeprefix(spec.REFERENCE)
            if name and name not in found:
                found.add(name)
                roots.append({k: v for k, v in protocol.schemas[name].items() if k != "example"})
    public = protocol.schemas
    yield from (name for name in found & public.keys() if "enum" not in public[name])


def test_all_that_a_client_sends_is_a_dictionary_too(protocol: Protocol) -> None:
    assert {*params(protocol)} == {*sent(protocol)}


def test_keys_and_what_is_required_are_as_published(protocol: Protocol) -> None:
    for name in params(protocol):
        schema = protocol.schemas[name]
        if "properties" in schema:
            kinds = get_type_hints(getattr(protocol.module, f"{name}Param"), include_extras=True)
            assert kinds.keys() == schema["properties"].keys(), name
            required = {key for key, kind in kinds.items() if get_origin(kind) is Required}
            assert required == {*schema.get("required", [])}, name


def test_what_the_schema_accepts_is_one(protocol: Protocol) -> None:
    for name in params(protocol):
        adapter = TypeAdapter[Any](hints(protocol, value=f"{name}Param | None")["value"])
        for value in protocol.instances(name):
            adapter.validate_python(value)
