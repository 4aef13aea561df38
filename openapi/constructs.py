"""Refuse what the pipeline cannot express.

The dialect (dialect.schema.yaml) says what a prepared document may contain. Here are the rules that
a schema cannot say: names, mappings, unions of events, endless recursion.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import names
import operations as plans
import protocol_events
import words
from refusals import Problem, Refused, place_of, schema_problems
from spec import component, members, only, schemas_in

Problems = Iterator[tuple[str, str]]


def check(document: dict[str, Any], *, is_draft: bool = False) -> None:
    """Raise `Refused` with each thing in a prepared document that is refused."""
    schemas = document["components"]["schemas"]
    problems = list(schema_problems(document))
    # The other rules take it that each schema is one.
    if not problems:
        for rule in RULES:
            problems += [Problem(place, reason) for place, reason in rule(document)]
    # Structure comes first: it may explain the rest.
    if not is_draft:
        problems += words.problems(document)
    if problems:
        raise Refused([p._replace(place=place_of(p.place, schemas)) for p in problems])


def _check_properties(document: dict[str, Any]) -> Problems:
    for place, schema in schemas_in(document):
        properties = schema.get("properties", {})
        for field in schema.get("required", []):
            if properties and field not in properties:
                yield place, f"`required` names {field!r}, which is not a property"
        for value in schema.get("x-deprecated-values", {}):
            if value not in schema.get("enum", []):
                yield place, f"`x-deprecated-values` has {value!r}, which is not in `enum`"


def _check_recursion(document: dict[str, Any]) -> Problems:
    """Find schemas that always contain themselves: no finite value would fit them."""
    schemas = document["components"]["schemas"]
    finite: set[str] = set()
    before = -1
    # Each round finds those that end with the help of what the last one found.
    while len(finite) > before:
        before = len(finite)
        for name, schema in schemas.items():
            if _can_end(schema, finite):
                finite.add(name)
    for name in schemas:
        if name not in finite:
            yield f"components.schemas.{name}", "every value would contain another one, without end"


def _can_end(schema: dict[str, Any], finite: set[str]) -> bool:
    """Return whether a schema has a value of components that are known to end."""
    name = component(schema)
    if name:
        return name in finite or bool(schema.get("nullable"))
    if members(schema):
        return any(_can_end(member, finite) for member in members(schema))
    # An empty list ends a recursion, and so does an optional property.
    if schema.get("minItems", 0) > 0:
        return _can_end(schema.get("items", {}), finite)
    required = only(schema.get("properties", {}), schema.get("required", []))
    return all(_can_end(child, finite) for child in required.values())


RULES = (
    _check_properties,
    protocol_events.problems,
    _check_recursion,
    names.problems,
    plans.problems,
)
