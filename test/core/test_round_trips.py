"""Every generated class gives back the JSON it was given, whatever is in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import TypeAdapter

from mutation import json_of, mutations, places
from protocols import PROTOCOLS, Protocol


def assert_round_trip(adapter: TypeAdapter[Any], wire: Any) -> None:
    expected = json_of(wire)
    for parsed in (adapter.validate_json(expected), adapter.validate_python(wire)):
        if hasattr(parsed, "to_json"):
            assert json_of(json.loads(parsed.to_json())) == expected
            assert json_of(parsed.to_dict()) == expected
        else:
            assert json_of(json.loads(adapter.dump_json(parsed))) == expected


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_instances_and_their_mutations_come_back(protocol: Protocol) -> None:
    for name in protocol.public():
        # Some schemas, such as that of turn detection, are null as a whole.
        adapter: TypeAdapter[Any] = TypeAdapter(getattr(protocol.module, name) | None)
        for number, wire in enumerate(protocol.instances(name)):
            assert_round_trip(adapter, wire)
            for mutated in mutations(wire) if number < 8 else ():
                assert_round_trip(adapter, mutated)


def test_places_and_mutations_reach_every_depth() -> None:
    wire = {"a": [{"b": "text"}]}
    assert [path for path, _ in places(wire)] == [
        (),
        ("a",),
        ("a", 0),
        ("a", 0, "b"),
    ]
    found = [json.dumps(mutated) for mutated in mutations(wire)]
    assert '{"a": [{"b": "brand_new"}]}' in found
    assert '{"a": [{"b": null}]}' in found
    assert '{"a": [null]}' in found
    assert wire == {"a": [{"b": "text"}]}
