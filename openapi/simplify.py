"""Say each thing of an OpenAPI document in one way, which the generator understands."""

from __future__ import annotations

import copy
from typing import Any

from spec import (
    NAMES,
    REFERENCE,
    SpecError,
    is_value,
    members,
    operations,
    resolve,
    target,
    walk,
    webhooks,
)

# What makes a schema beside `allOf` more than a reference with a description.
STRUCTURE = {"properties", "required", "additionalProperties"}


def simplified(document: dict[str, Any]) -> dict[str, Any]:
    """A merged document as plain OpenAPI 3.0, in which each thing is said in one way.

    References stand alone (in `allOf` where something stands beside them) and name schemas;
    other `allOf` are one object; `null` is `nullable`, a constant an `enum` of one; parameters
    stand in their operation.
    """
    document = copy.deepcopy(document)
    _gather_parameters(document)
    for place, node in list(walk(document)):
        _inline_reference(node, document, place)
    document = {**_simplified(document), "openapi": "3.0.3"}
    _add_webhook_union(document)
    schemas = document["components"]["schemas"]
    for place, node in list(walk(document)):
        if "allOf" in node:
            _merge(node, schemas, place, is_component=place.count(".") == 2)
    for _place, node in walk(document):
        if target(node, schemas).get("nullable") and "allOf" in node:
            node["nullable"] = True
    return document


def _gather_parameters(document: dict[str, Any]) -> None:
    """Give each operation the parameters of its path."""
    for item in document["paths"].values():
        shared = item.pop("parameters", [])
        for _place, operation in operations({"paths": {"": item}}):
            own = operation.get("parameters", [])
            names = [(each.get("in"), each.get("name")) for each in own]
            inherited = [p for p in shared if (p.get("in"), p.get("name")) not in names]
            if inherited:
                operation["parameters"] = [*copy.deepcopy(inherited), *own]


def _add_webhook_union(document: dict[str, Any]) -> None:
    """Make a union of what the service posts to webhooks, which gets a parser like other events."""
    schemas = document["components"]["schemas"]
    mapping = {}
    for _place, operation in webhooks(document):
        content = operation.get("requestBody", {}).get("content", {})
        reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
        schema = schemas.get(reference.removeprefix(REFERENCE), {})
        for value in schema.get("properties", {}).get("type", {}).get("enum", []):
            mapping[value] = reference
    if mapping:
        schemas["RealtimeWebhookEvent"] = {
            "description": "Any event that the service posts to a webhook.",
            "anyOf": [{"$ref": reference} for reference in dict.fromkeys(mapping.values())],
            "discriminator": {"propertyName": "type", "mapping": mapping},
        }


def _inline_reference(node: dict[str, Any], document: dict[str, Any], place: str) -> None:
    """Replace a reference that the generator would not follow, or make a class of, by a copy."""
    reference = node.get("$ref", "")
    is_schema = reference.startswith(REFERENCE) and "/" not in reference[len(REFERENCE) :]
    if reference and (not is_schema or place.endswith("].schema")):
        del node["$ref"]
        found = copy.deepcopy(resolve(document, reference))
        node.update({**found, **node})
        _inline_reference(node, document, place)


def _simplified(node: Any, *, of_names: bool = False) -> Any:
    if isinstance(node, list):
        return [_simplified(each) for each in node]
    if not isinstance(node, dict):
        return node
    if of_names:
        return {key: _simplified(each) for key, each in node.items()}
    node = {
        key: each if is_value(key) else _simplified(each, of_names=key in NAMES)
        for key, each in node.items()
    }
    if isinstance(node.get("const"), str):
        node["enum"] = [node.pop("const")]
    if isinstance(node.get("enum"), list) and None in node["enum"]:
        node["enum"] = [value for value in node["enum"] if value is not None]
        node["nullable"] = True
    if "$ref" in node and len(node) > 1:
        node["allOf"] = [{"$ref": node.pop("$ref")}]
    if isinstance(node.get("type"), list):
        kinds = [kind for kind in node["type"] if kind != "null"]
        if len(kinds) == 1:
            node = {**node, "type": kinds[0], "nullable": len(kinds) < len(node["type"])}
    for key in ("oneOf", "anyOf"):
        if isinstance(node.get(key), list):
            node = _without_null(node, key)
    if members(node) and node.get("type") == "object":
        del node["type"]
    # What is left of a union of one, or of an `allOf` in an `allOf`, is said once.
    while [list(each) for each in node.get("allOf", [])] == [["allOf"]]:
        node["allOf"] = node["allOf"][0]["allOf"]
    return node


def _without_null(node: dict[str, Any], key: str) -> dict[str, Any]:
    """Turn a `null` member into `nullable`, and a union of one into its member."""
    rest = [member for member in node[key] if member.get("type") != "null"]
    if len(rest) < len(node[key]):
        node["nullable"] = True
    if len(rest) != 1:
        return {**node, key: rest}
    (member,) = rest
    del node[key]
    node.pop("discriminator", None)
    return {**({"allOf": [member]} if "$ref" in member else member), **node}


def _merge(
    node: dict[str, Any], schemas: dict[str, Any], place: str, *, is_component: bool
) -> None:
    """Make one object of an `allOf` that says more than which schema is meant."""
    parts = node["allOf"]
    structured = [
        each for each in parts if "$ref" in each or "allOf" in each or STRUCTURE & set(each)
    ]
    if len(structured) == 1 and "$ref" in parts[0] and not (STRUCTURE & set(node) or is_component):
        for each in parts[1:]:
            node.update({**each, **node})
        node["allOf"] = structured
        return
    merged: dict[str, Any] = {"properties": {}}
    _collect(node, schemas, place, merged, ())
    node.clear()
    node.update(merged)


def _collect(
    node: dict[str, Any],
    schemas: dict[str, Any],
    place: str,
    merged: dict[str, Any],
    within: tuple[str, ...],
) -> None:
    """Put what a schema and those in its `allOf` say into `merged`; what comes later wins."""
    for part in node.get("allOf", []):
        name = part.get("$ref", "").removeprefix(REFERENCE)
        if name in within:
            raise SpecError(f"{place}: {name} is part of itself")
        _collect(
            schemas.get(name, part), schemas, place, merged, (*within, name) if name else within
        )
    if members(node):
        raise SpecError(
            f"{place}: an `allOf` of a union; write each member with all its properties"
        )
    for field, schema in node.get("properties", {}).items():
        other = merged["properties"].get(field, schema)
        if other.get("type") != schema.get("type"):
            raise SpecError(f"{place}: the parts of its `allOf` differ in the type of {field!r}")
        merged["properties"][field] = schema
    required = [*merged.get("required", []), *node.get("required", [])]
    rest = {key: value for key, value in node.items() if key not in ("allOf", "properties")}
    merged.update(copy.deepcopy(rest))
    if required:
        merged["required"] = list(dict.fromkeys(required))
