"""The dictionaries of `params.py`, at run time: pydantic reads what they say."""

from __future__ import annotations

import copy
import importlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from typing_extensions import Required

import spec
from protocols import DRAWN, GA, PROTOCOLS, Protocol


def with_tags(protocol: Protocol) -> Protocol:
    """A protocol whose unions always have what tells their members apart."""
    copied = Protocol(protocol.name, protocol.package)
    schemas = copied.__dict__["schemas"] = copy.deepcopy(protocol.schemas)
    for union in schemas.values():
        for reference in union.get("discriminator", {}).get("mapping", {}).values():
            required = schemas[reference.removeprefix(spec.REFERENCE)].setdefault("required", [])
            required += {union["discriminator"]["propertyName"]} - {*required}
    return copied


PARAMS = [
    pytest.param(protocol, name.removesuffix("Param"), id=f"{protocol.name}-{name}")
    for protocol in map(with_tags, PROTOCOLS)
    for name in importlib.import_module(f"{protocol.package}.params").__all__
]


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
            schema = spec.target(body["schema"], protocol.schemas)
            roots.append(schema["properties"] if "multipart" in kind else body["schema"])
    found: set[str] = set()
    while roots:
        for _place, node in spec.walk(roots.pop()):
            name = str(node.get("$ref", "")).removeprefix(spec.REFERENCE)
            if name and name not in found:
                found.add(name)
                roots.append({k: v for k, v in protocol.schemas[name].items() if k != "example"})
    public = spec.public_schemas({"components": {"schemas": protocol.schemas}})
    yield from (name for name in found & public.keys() if "enum" not in public[name])


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_all_that_a_client_sends_is_a_dictionary_too(protocol: Protocol) -> None:
    names = {each.values[1] for each in PARAMS if each.values[0].name == protocol.name}
    assert names == set(sent(protocol))


@pytest.mark.parametrize(("protocol", "name"), PARAMS)
def test_keys_and_what_is_required_are_as_published(protocol: Protocol, name: str) -> None:
    schema = protocol.schemas[name]
    if "properties" in schema:
        kinds = get_type_hints(getattr(protocol.module, f"{name}Param"), include_extras=True)
        assert kinds.keys() == schema["properties"].keys()
        required = {key for key, kind in kinds.items() if get_origin(kind) is Required}
        assert required == {*schema.get("required", [])}


@pytest.mark.parametrize(("protocol", "name"), PARAMS)
@DRAWN
@given(st.data())
def test_what_the_schema_accepts_is_one(protocol: Protocol, name: str, data: st.DataObject) -> None:
    kind = hints(protocol, value=f"{name}Param | None")["value"]
    TypeAdapter(kind).validate_python(data.draw(protocol.instances(name)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "response.done"},
        {"type": "input_audio_buffer.append"},
        {"type": "session.update", "session": {"type": "realtime", "output_modalities": "text"}},
        {"type": "session.update", "session": {"type": "realtime", "audio": []}},
        {"type": "conversation.item.create", "item": {"type": "message", "role": "user"}},
    ],
)
def test_what_it_does_not_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(GA.module.RealtimeClientEventParam).validate_python(wrong)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_only_who_names_one_imports_them(protocol: Protocol) -> None:
    program = (
        f"import sys; from {protocol.package} import connect, RealtimeApi\n"
        f"import {protocol.package} as package; package.models, package.parse_server_event\n"
        f"print('{protocol.package}.params' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout == "False\n"
