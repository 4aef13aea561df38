"""JSON values that differ in one place."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

# With sorted keys: of the same value it is the same text, which differs for `1`, `1.0` and `True`.
json_of = json.JSONEncoder(sort_keys=True).encode


def same(one: Any, other: Any) -> bool:
    """Equality that distinguishes `1` from `True` and `1.0`, at every depth."""
    return json_of(one) == json_of(other)


def mutations(wire: Any) -> Iterator[Any]:
    """Copies with an unknown field, an unknown value or a null, one for each place in `wire`."""
    for path, node in places(wire):
        if isinstance(node, dict):
            yield replaced(wire, path, {**node, "brand_new": "brand_new"})
        if path:
            yield replaced(wire, path, None)
            if isinstance(node, str):
                yield replaced(wire, path, "brand_new")


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    yield path, node
    if isinstance(node, (dict, list)):
        for key, child in node.items() if isinstance(node, dict) else enumerate(node):
            yield from places(child, (*path, key))


def replaced(wire: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    wire = copy.copy(wire)
    wire[path[0]] = replaced(wire[path[0]], path[1:], value)
    return wire
