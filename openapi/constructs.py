"""Refuse, before Java starts, what the pipeline cannot express: openapi/README.md lists it.

Each rule yields the place and the reason of what it refuses, in a simplified document.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import names
import operations as plans
from spec import (
    REFERENCE,
    SpecError,
    event_unions,
    members,
    operations,
    public_schemas,
    reachable,
    walk,
    webhooks,
)

Problems = Iterator[tuple[str, str]]

COMPONENT = "make it a component"
UNSUPPORTED = {
    "$defs": f"{COMPONENT} of each",
    "$dynamicRef": "only `$ref` is followed",
    "$id": "only `$ref` is followed",
    "contains": "a list is checked item by item",
    "dependentRequired": "fields cannot depend on each other",
    "dependentSchemas": "fields cannot depend on each other",
    "else": "use a union with a discriminator",
    "if": "use a union with a discriminator",
    "not": "a type cannot exclude values",
    "patternProperties": "use `additionalProperties`",
    "prefixItems": "the items of a list have one type",
    "propertyNames": "use `additionalProperties`",
    "then": "use a union with a discriminator",
    "unevaluatedProperties": "every model keeps unknown fields",
    "xml": "only JSON is sent",
}
KINDS = {"string", "integer", "number", "boolean", "array", "object"}
MOST_WORDS_IN_SUMMARY = 8
MOST_SHOWN = 20


def check(document: dict[str, Any]) -> None:
    """Raise `SpecError` with a line for each thing in a simplified document that is refused."""
    rules = (_check_schema, _check_union, _check_properties, _check_enum)
    problems = list(dict.fromkeys(_check_document(document)))
    for place, schema, is_component in _schemas(document):
        if not isinstance(schema, dict):
            problems.append((place, "a schema of `true` or `false`; write `{}` for any JSON"))
            continue
        for rule in rules:
            problems += rule(place, schema, document, is_component=is_component)
    if problems:
        lines = [f"{place}: {reason}" for place, reason in problems[:MOST_SHOWN]]
        if len(problems) > MOST_SHOWN:
            lines.append(f"… and {len(problems) - MOST_SHOWN} more")
        raise SpecError("\n".join(lines))


def _schemas(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Every schema of the components, with its place, and whether it is one of them itself."""
    for name, schema in document["components"]["schemas"].items():
        place = f"components.schemas.{name}"
        yield place, schema, True
        if isinstance(schema, dict):
            yield from ((inner, child, False) for inner, child in _nested(place, schema))


def _nested(place: str, schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    children = {f"properties.{name}": each for name, each in schema.get("properties", {}).items()}
    for key in ("items", "additionalProperties"):
        if key in schema and not (key == "additionalProperties" and schema[key] in (True, False)):
            children[key] = schema[key]
    for key in ("anyOf", "oneOf"):
        children |= {f"{key}[{i}]": each for i, each in enumerate(schema.get(key, []))}
    for key, child in children.items():
        yield f"{place}.{key}", child
        if isinstance(child, dict):
            yield from _nested(f"{place}.{key}", child)


# Schemas


def _check_schema(
    place: str, schema: Any, document: dict[str, Any], *, is_component: bool
) -> Problems:
    for key in UNSUPPORTED.keys() & schema.keys():
        yield place, f"`{key}` is not supported: {UNSUPPORTED[key]}"
    kind = schema.get("type")
    if isinstance(kind, list):
        yield place, f"`type: [{', '.join(map(str, kind))}]`: make a union of them a component"
    elif kind == "null":
        yield place, "only `null`: a value that can be something else is `nullable`"
    elif kind is not None and kind not in KINDS:
        yield place, f"there is no type {kind!r}"
    if "properties" in schema and not is_component:
        yield place, f"an object in another schema has no name: {COMPONENT}"
    if not is_component and len(members(schema)) > 1:
        yield place, f"a union in another schema has no name: {COMPONENT}"
    if kind == "array" and "items" not in schema:
        yield place, "a list without `items`; write `items: {}` for any JSON"
    if is_component and set(schema) <= {"description", "$ref", "allOf"} and "$ref" in schema:
        yield place, "only a reference: refer to its target instead"
    for key in ("items", "additionalProperties"):
        inner = schema.get(key)
        if isinstance(inner, dict) and inner.get("nullable"):
            yield (
                f"{place}.{key}",
                "`null` among the values of a list or map, whose type leaves it out",
            )
    values = schema.get("additionalProperties")
    if isinstance(values, dict):
        if "properties" in schema:
            yield place, "`additionalProperties` beside `properties`: unknown fields have any type"
        if "enum" in values:
            yield f"{place}.additionalProperties", f"an enum in a map has no name: {COMPONENT}"


def _check_union(
    place: str, schema: Any, document: dict[str, Any], *, is_component: bool
) -> Problems:
    discriminator = schema.get("discriminator")
    if not members(schema):
        if "oneOf" in schema or "anyOf" in schema:
            yield place, "a union without members"
        if discriminator:
            yield place, "a `discriminator` without `oneOf` or `anyOf`"
        return
    schemas = document["components"]["schemas"]
    if "oneOf" in schema and "anyOf" in schema:
        yield place, "both `oneOf` and `anyOf`"
    if "properties" in schema:
        yield place, "a union with properties; write them in each member"
    references = [
        each["$ref"].removeprefix(REFERENCE) for each in members(schema) if "$ref" in each
    ]
    repeated = [name for name, count in Counter(references).items() if count > 1]
    if repeated:
        yield place, f"{repeated[0]} is twice a member"
    for name in references:
        if name not in public_schemas(document):
            yield place, f"its member {name} is not a class; write its type in its place"
    objects = [
        name for name in references if "properties" in schemas[name] or members(schemas[name])
    ]
    kinds = Counter(each.get("type", "") for each in members(schema) if "$ref" not in each)
    if kinds["array"] > 1:
        yield place, "two lists, which nothing distinguishes"
    if kinds["object"] and (objects or kinds["object"] > 1):
        yield place, "a map and another object, which nothing distinguishes"
    if sum("enum" in each for each in members(schema)) > 1:
        yield place, "two enums, which would have one name; make them one"
    if discriminator:
        yield from _check_mapping(place, schema, schemas, objects)
    elif len([name for name in objects if not _is_plain(schemas[name])]) > 1:
        yield place, "a union of objects without a `discriminator`"


def _is_plain(schema: dict[str, Any]) -> bool:
    """Whether a schema is a union of values that are not objects."""
    return bool(members(schema)) and not any("$ref" in each for each in members(schema))


def _check_mapping(
    place: str, schema: dict[str, Any], schemas: dict[str, Any], objects: list[str]
) -> Problems:
    """Each member has to be found by its constant, and by no other value."""
    field = schema["discriminator"].get("propertyName")
    mapping = schema["discriminator"].get("mapping") or {}
    targets = {value: ref.removeprefix(REFERENCE) for value, ref in mapping.items()}
    for name in objects:
        if name not in targets.values():
            yield place, f"its member {name} is missing in the `mapping` of the discriminator"
    for value, name in targets.items():
        if name not in objects:
            yield place, f"`mapping` leads to {name}, which is not a member"
        elif value not in (values := _constants(name, field, schemas)):
            has = f"is {values}" if values else "has no constant"
            yield place, f"`mapping` has {value!r} for {name}, whose {field} {has}"


def _constants(name: str, field: str, schemas: dict[str, Any]) -> list[Any]:
    """The values of a discriminator that mean a schema; of a union, those of all its members."""
    schema = schemas[name]
    if members(schema):
        mapping = schema.get("discriminator", {}).get("mapping", {})
        if schema.get("discriminator", {}).get("propertyName") == field:
            return list(mapping)
        references = [each["$ref"] for each in members(schema) if "$ref" in each]
        return [
            value
            for reference in references
            for value in _constants(reference.removeprefix(REFERENCE), field, schemas)
        ]
    values: list[Any] = schema.get("properties", {}).get(field, {}).get("enum", [])
    return values


def _check_properties(
    place: str, schema: Any, document: dict[str, Any], *, is_component: bool
) -> Problems:
    properties = schema.get("properties", {})
    if properties == {} and "properties" in schema:
        yield place, "`properties` without a property; leave it out for any object"
    for field in schema.get("required", []):
        if field not in properties:
            yield place, f"`required` names {field!r}, which is not a property"


def _check_enum(
    place: str, schema: Any, document: dict[str, Any], *, is_component: bool
) -> Problems:
    if "const" in schema:
        yield place, "only a string can be a constant; write an `enum` of one known value"
    values = schema.get("enum")
    if values is None:
        return
    if not values:
        yield place, "an `enum` without values"
    elif all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        if is_component:
            yield place, "an enum of numbers cannot be a class; write it where it is used"
    elif not all(isinstance(value, str) for value in values):
        yield place, "the values of an `enum` are either all strings or all numbers"
    else:
        yield from _check_constants(place, schema)
    for value in schema.get("x-deprecated-values", {}):
        if value not in (values or []):
            yield place, f"`x-deprecated-values` has {value!r}, which is not in `enum`"


def _check_constants(place: str, schema: dict[str, Any]) -> Problems:
    values = schema["enum"]
    for value in values:
        if not value.isprintable() or set('"\\|`') & set(value):
            yield place, f"the value {value!r} has a character that cannot be shown on a page"


# The document


def _check_document(document: dict[str, Any]) -> Problems:
    if not document.get("info", {}).get("description"):
        yield "info", "no description; the index of the pages begins with it"
    yield from names.problems(document)
    yield from _check_descriptions(document)
    yield from _check_events(document)
    yield from _check_recursion(document)
    yield from plans.problems(document)
    for place, operation in webhooks(document):
        content = operation.get("requestBody", {}).get("content", {})
        reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
        name = reference.removeprefix(REFERENCE)
        if not _constants(name, "type", document["components"]["schemas"]) if name else True:
            yield place, "its body is not a component with a constant `type`"


def _check_descriptions(document: dict[str, Any]) -> Problems:
    """Whatever a page of the docs shows a description of has one."""
    for place, node in _described(document):
        text = node.get("description", "").strip()
        if not text or text.startswith("TODO"):
            yield place, "its description is missing"
        elif not text.rstrip("\"')").endswith("."):
            yield place, "its description is not a sentence with a full stop"
    for place, operation in operations(document):
        summary = operation.get("summary", "")
        if not 1 <= len(summary.split()) <= MOST_WORDS_IN_SUMMARY or summary.endswith("."):
            yield place, f"needs a summary of at most {MOST_WORDS_IN_SUMMARY} words, without stop"


def _described(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, schema in document["components"]["schemas"].items():
        if isinstance(schema, dict):
            yield f"components.schemas.{name}", schema
            for field, child in schema.get("properties", {}).items():
                if isinstance(child, dict):
                    yield f"components.schemas.{name}.properties.{field}", child
    for place, operation in operations(document):
        yield place, operation
        for parameter in operation.get("parameters", []):
            yield f"{place} {parameter['name']}", parameter
        if "requestBody" in operation:
            yield f"{place} requestBody", operation["requestBody"]
        for status, response in operation.get("responses", {}).items():
            yield f"{place} {status}", response


def _check_events(document: dict[str, Any]) -> Problems:
    schemas = document["components"]["schemas"]
    unions = event_unions(schemas)
    used = {node["$ref"] for _place, node in walk(document) if "$ref" in node}
    for name, schema in schemas.items():
        place = f"components.schemas.{name}"
        if re.search(r"(Server|Client)Event$", name) and name not in unions and members(schema):
            yield place, "a union of events has a `discriminator` for `type`"
        elif name in unions and schema["discriminator"].get("propertyName") != "type":
            yield place, "events are distinguished by `type`"
        elif re.search(r"(Server|Client)Event\w", name) and REFERENCE + name not in used:
            yield place, "an event that is in no union of events"
        connection = schema.get("x-connection")
        if connection is not None:
            missing = {"about", "path", "append"} - set(connection)
            if missing:
                yield place, f"`x-connection` lacks {', '.join(sorted(missing))}"
            if name.replace("ServerEvent", "ClientEvent") not in unions:
                yield place, "a connection without a union of client events"


def _check_recursion(document: dict[str, Any]) -> Problems:
    """A schema may contain itself, but not always: no finite value would fit it."""
    schemas = document["components"]["schemas"]
    always = {name: set(_always(schema)) for name, schema in schemas.items()}
    for name in schemas:
        if name in reachable(always[name], lambda each: always.get(each, ())):
            yield f"components.schemas.{name}", "every value would contain another one, without end"


def _always(schema: Any) -> Iterator[str]:
    """The schemas that every value of a schema contains one of."""
    required = [
        schema["properties"].get(f) for f in schema.get("required", []) if "properties" in schema
    ]
    # A union contains itself without end if it is its own member.
    for child in [*filter(None, required), *members(schema)]:
        reference = child.get("$ref") or child.get("allOf", [{}])[0].get("$ref")
        if reference and not child.get("nullable"):
            yield reference.removeprefix(REFERENCE)
