"""Say each thing of an OpenAPI document in one way, which the generator understands."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any

from refusals import Problem, Refused, dialect
from spec import NAMES, REFERENCE, is_value, members, operations, resolve, walk, webhooks

Schema = dict[str, Any]

# What makes a schema beside `allOf` more than a reference with a description.
STRUCTURE = {"properties", "required", "additionalProperties"}
# What is about the use of a schema, and does not pass on to what is derived from it.
OWN = {"allOf", "properties", "required", "deprecated", "example", "default", "title", "nullable"}
# Keywords of one type of values; where a schema has several types, each takes its own.
OF_TYPE = {
    "string": ("format", "minLength", "maxLength", "pattern"),
    "number": ("format", "minimum", "maximum", "x-more-than", "x-less-than", "multipleOf"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems"),
    "object": ("properties", "required", "additionalProperties", "minProperties", "maxProperties"),
    "boolean": (),
}
OF_TYPE["integer"] = OF_TYPE["number"]


def simplified(document: dict[str, Any]) -> dict[str, Any]:
    """Return a merged document as plain OpenAPI 3.0, in which each thing is said in one way.

    References stand alone (in `allOf` where something stands beside them) and name schemas;
    other `allOf` are one object; `null` is `nullable`, a constant an `enum` of one, several types
    are a union; parameters stand in their operation. What is not read is left out.
    """
    document = copy.deepcopy(document)
    for name, schema in document["components"]["schemas"].items():
        _refuse_circular_alias(name, schema, document)
    for key in document.keys() & {"paths", "webhooks", "components"}:
        is_names = key != "components"
        document[key] = _followed(document[key], document, key, of_names=is_names)
    document.setdefault("paths", {})
    _gather_parameters(document)
    kept = document["components"].keys() & {"schemas", "securitySchemes"}
    document["components"] = {key: document["components"][key] for key in sorted(kept)}
    for holder, key, place in slots(document):
        holder[key] = transformed(holder[key], _normal, place)
    document = _read(document, dialect())
    document["info"] = _read(document.get("info", {}), dialect()["$defs"]["info"])
    document["openapi"] = "3.0.3"
    _add_webhook_union(document)
    schemas = document["components"]["schemas"]
    for holder, key, place in slots(document):
        is_component = holder is schemas

        def merge(schema: Schema, at: str, top: str = place, own: bool = is_component) -> Schema:
            return _merged(schema, schemas, at, is_component=own and at == top)

        holder[key] = transformed(holder[key], merge, place)
    return document


def _read(node: Schema, definition: dict[str, Any]) -> Schema:
    """Return what is read of a node: extensions of others, for example, are left out."""
    known = definition["properties"]
    dropped = definition.get("x-dropped", ())
    kept = {}
    for key, value in node.items():
        # A name that is nearly one of ours stays, to be refused.
        is_ours = not key.startswith("x-") or get_close_matches(key, known, cutoff=0.9)
        if key not in dropped and is_ours:
            kept[key] = value
    return kept


# Walking schemas


def slots(document: dict[str, Any]) -> list[tuple[Any, str, str]]:
    """Return where schemas stand that are in no other schema: a mapping, its key, and the place."""
    schemas = document["components"]["schemas"]
    found = [(schemas, name, f"components.schemas.{name}") for name in schemas]
    for key in ("paths", "webhooks"):
        for place, node in walk(document.get(key, {}), key, of_names=True):
            if isinstance(node.get("schema"), (dict, bool)):
                found.append((node, "schema", f"{place}.schema"))
    return found


def children(schema: Schema) -> Iterator[tuple[Any, Any, str]]:
    """Yield where schemas stand directly in a schema: a holder, its key, and the path."""
    for field in schema.get("properties", {}):
        yield schema["properties"], field, f".properties.{field}"
    for key in ("items", "additionalProperties"):
        if key in schema and not (key == "additionalProperties" and schema[key] is False):
            yield schema, key, f".{key}"
    for key in ("allOf", "anyOf", "oneOf", "prefixItems"):
        for index in range(len(schema.get(key, []))):
            yield schema[key], index, f".{key}[{index}]"


def transformed(schema: Any, change: Callable[[Schema, str], Any], place: str) -> Any:
    """Return a schema after `change` of all schemas in it, from the inside out."""
    if schema is True:
        schema = {}
    if not isinstance(schema, dict):
        return schema
    for holder, key, path in children(schema):
        holder[key] = transformed(holder[key], change, place + path)
    return change(schema, place)


# References


def _refuse_circular_alias(name: str, schema: Any, document: dict[str, Any]) -> None:
    """Refuse a component that is nothing but a reference to itself, through however many."""
    seen = set()
    place = f"components.schemas.{name}"
    while isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
        if schema["$ref"] in seen:
            raise Refused([Problem(place, "its reference leads back to itself")])
        seen.add(schema["$ref"])
        schema = resolve(document, schema["$ref"])


def _followed(
    node: Any,
    document: dict[str, Any],
    place: str,
    within: tuple[str, ...] = (),
    *,
    of_names: bool = False,
) -> Any:
    """Put copies in place of references to anything but a component's schema."""
    if isinstance(node, list):
        return [
            _followed(item, document, f"{place}[{index}]", within)
            for index, item in enumerate(node)
        ]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str) and not of_names:
        is_schema = reference.startswith(REFERENCE) and "/" not in reference[len(REFERENCE) :]
        if is_schema:
            return node
        if reference in within:
            raise Refused([Problem(place, f"'{reference}' contains itself")])
        beside = {key: value for key, value in node.items() if key != "$ref"}
        found = copy.deepcopy(resolve(document, reference))
        if isinstance(found, dict):
            return _followed({**found, **beside}, document, place, (*within, reference))
        return found
    followed = {}
    for key, value in node.items():
        # A property may be called `default`.
        if of_names or not is_value(key):
            is_names = not of_names and key in NAMES
            value = _followed(value, document, f"{place}.{key}", within, of_names=is_names)
        followed[key] = value
    return followed


def _gather_parameters(document: dict[str, Any]) -> None:
    """Give each operation the parameters of its path."""
    for path, item in document["paths"].items():
        shared = item.pop("parameters", [])
        for place, operation in operations({"paths": {path: item}}):
            own = operation.get("parameters", [])
            names = [(parameter.get("in"), parameter.get("name")) for parameter in own]
            inherited = [p for p in shared if (p.get("in"), p.get("name")) not in names]
            if inherited:
                operation["parameters"] = [*copy.deepcopy(inherited), *own]
            for parameter in operation.get("parameters", []):
                if not {"name", "in"} <= parameter.keys():
                    raise Refused([Problem(place, "a reference to what is not a parameter")])


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
            "x-events": "webhook",
            "anyOf": [{"$ref": reference} for reference in dict.fromkeys(mapping.values())],
            "discriminator": {"propertyName": "type", "mapping": mapping},
        }


# One schema


def _normal(schema: Schema, place: str) -> Schema:
    schema = _read(schema, dialect()["$defs"]["schema"])
    if "$ref" in schema:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return {"allOf": [{"$ref": schema["$ref"]}], **beside} if beside else schema
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    _rename_exclusive_limits(schema)
    if isinstance(schema.get("type"), list):
        schema = _without_null_type(schema)
    if None in schema.get("enum", []):
        schema["enum"] = [value for value in schema["enum"] if value is not None]
        schema["nullable"] = True
        if not schema["enum"]:
            return {**schema, "type": "null"}
    if "type" not in schema:
        schema = _with_type(schema)
    if isinstance(schema.get("type"), list):
        schema = _as_union(schema)
    if "prefixItems" in schema:
        schema["items"] = _items_of_tuple(schema)
    if schema.get("type") == "array":
        schema.setdefault("items", {})
    if schema.get("properties") == {}:
        del schema["properties"]
    if "discriminator" in schema:
        mapping = schema["discriminator"].get("mapping", {})
        for value, name in mapping.items():
            if not name.startswith("#"):
                mapping[value] = REFERENCE + name
    for key in ("oneOf", "anyOf"):
        if key in schema:
            schema = _without_null(schema, key)
    if members(schema) and schema.get("type") == "object":
        del schema["type"]
    # What is left of a union of one, or of an `allOf` in an `allOf`, is said once.
    while [list(part) for part in schema.get("allOf", [])] == [["allOf"]]:
        schema["allOf"] = schema["allOf"][0]["allOf"]
    return schema


def _items_of_tuple(schema: Schema) -> Any:
    """Return what a list of given items may hold, at whichever place."""
    parts = schema.pop("prefixItems")
    rest = schema.get("items", {})
    is_closed = rest is False or schema.get("maxItems", len(parts) + 1) <= len(parts)
    return _normal({"anyOf": parts if is_closed else [*parts, rest]}, "")


def _rename_exclusive_limits(schema: Schema) -> None:
    """Write exclusive limits in one way: a number of 3.1, or `true` beside the limit of 3.0."""
    for key, limit, name in (
        ("exclusiveMinimum", "minimum", "x-more-than"),
        ("exclusiveMaximum", "maximum", "x-less-than"),
    ):
        value = schema.pop(key, False)
        if value is True and limit in schema:
            schema[name] = schema.pop(limit)
        elif not isinstance(value, bool):
            schema[name] = value


def _without_null_type(schema: Schema) -> Schema:
    types = [name for name in schema["type"] if name != "null"]
    if len(types) < len(schema["type"]):
        schema["nullable"] = True
    if not types:
        return {**schema, "type": "null"}
    return {**schema, "type": types[0] if len(types) == 1 else types}


def _with_type(schema: Schema) -> Schema:
    """Return a schema with the type that its keywords or values imply."""
    if "enum" in schema:
        types = list(dict.fromkeys(_type_of(value) for value in schema["enum"]))
        if set(types) == {"integer", "number"}:
            types = ["number"]
        if types:
            schema["type"] = types[0] if len(types) == 1 else types
    elif "items" in schema or "prefixItems" in schema:
        schema["type"] = "array"
    elif "properties" in schema or isinstance(schema.get("additionalProperties"), dict):
        schema["type"] = "object"
    return schema


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names = {str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return names[type(value)]


def _as_union(schema: Schema) -> Schema:
    """Return a schema of several types as a union, in which each has its keywords."""
    types = schema.pop("type")
    if "number" in types:
        types = [name for name in types if name != "integer"]
    values = schema.pop("enum", None)
    parts = []
    for name in types:
        part: Schema = {"type": name}
        part |= {key: schema[key] for key in OF_TYPE[name] if key in schema}
        if values is not None:
            fitting = [value for value in values if _is_of_type(value, name)]
            if not fitting:
                continue
            part["enum"] = fitting
        parts.append(part)
    moved = {key for name in types for key in OF_TYPE[name]}
    rest = {key: value for key, value in schema.items() if key not in moved}
    return {**rest, "anyOf": [transformed(part, lambda s, _: _normal(s, ""), "") for part in parts]}


def _is_of_type(value: Any, name: str) -> bool:
    found = _type_of(value)
    return found == name or (found, name) == ("integer", "number")


def _without_null(schema: Schema, key: str) -> Schema:
    """Turn a `null` member into `nullable`, and a union of one into its member."""
    rest = [member for member in schema[key] if member.get("type") != "null"]
    if len(rest) < len(schema[key]) or any(member.get("nullable") for member in rest):
        schema["nullable"] = True
    for member in rest:
        member.pop("nullable", None)
    if not rest:
        return {"type": "null"}
    if len(rest) != 1 or "discriminator" in schema:
        return {**schema, key: rest}
    (member,) = rest
    beside = {name: value for name, value in schema.items() if name != key}
    return {**({"allOf": [member]} if "$ref" in member else member), **beside}


# allOf


def _merged(schema: Schema, schemas: dict[str, Any], place: str, *, is_component: bool) -> Schema:
    """Make one object of an `allOf` that says more than which schema is meant."""
    if "allOf" not in schema:
        return schema
    parts = schema["allOf"]
    structured = [p for p in parts if "$ref" in p or "allOf" in p or STRUCTURE & set(p)]
    others = [part for part in parts if part not in structured]
    is_text = not any({"type", "enum", "items", "anyOf", "oneOf"} & set(p) for p in others)
    is_bare = not STRUCTURE & set(schema)
    if len(structured) == 1 and "$ref" in structured[0] and is_text and is_bare:
        target = schemas.get(structured[0]["$ref"].removeprefix(REFERENCE), {})
        if not is_component or not _is_object(target, schemas):
            for part in others:
                schema = {**part, **schema}
            if target.get("nullable"):
                schema["nullable"] = True
            return {**schema, "allOf": structured}
    merged: Schema = {"properties": {}}
    _collect(schema, schemas, place, merged, ())
    if not merged["properties"]:
        del merged["properties"]
    return merged


def _is_object(schema: Any, schemas: dict[str, Any]) -> bool:
    if not isinstance(schema, dict):
        return False
    return "properties" in schema or "allOf" in schema


def _collect(
    schema: Schema,
    schemas: dict[str, Any],
    place: str,
    merged: Schema,
    within: tuple[str, ...],
) -> None:
    """Put what a schema and those in its `allOf` say into `merged`; what comes later wins."""
    for part in schema.get("allOf", []):
        name = part.get("$ref", "").removeprefix(REFERENCE)
        if name in within:
            raise Refused([Problem(place, f"'{name}' is part of itself")])
        inner = (*within, name) if name else within
        _collect(schemas.get(name, part) if name else part, schemas, place, merged, inner)
    if "$ref" in schema and "allOf" not in schema:
        name = schema["$ref"].removeprefix(REFERENCE)
        if name in within:
            raise Refused([Problem(place, f"'{name}' is part of itself")])
        _collect(schemas[name], schemas, place, merged, (*within, name))
        return
    if members(schema):
        reason = "an `allOf` of a union; write each member with all its properties"
        raise Refused([Problem(place, reason)])
    for field, child in schema.get("properties", {}).items():
        other = merged["properties"].get(field, child)
        if other.get("type", child.get("type")) != child.get("type", other.get("type")):
            reason = f"the parts of its `allOf` differ in the type of {field!r}"
            raise Refused([Problem(place, reason)])
        text = {key: other[key] for key in ("description",) if key in other}
        merged["properties"][field] = copy.deepcopy({**text, **child})
    if "required" in schema:
        required = [*merged.get("required", []), *schema["required"]]
        merged["required"] = list(dict.fromkeys(required))
    own = {"allOf", "properties", "required"} if not within else {*OWN, "discriminator"}
    for key, value in schema.items():
        if key not in own and not (within and key.startswith("x-")):
            merged[key] = copy.deepcopy(value)
