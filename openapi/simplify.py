"""Say each thing of an OpenAPI document in one way, which the generator understands."""

from __future__ import annotations

import copy
import json
import re
from difflib import get_close_matches
from typing import Any

import spec
from names import class_name
from operations import unite_answers
from refusals import Problem, Refused, dialect
from spec import REFERENCE, component, members, only, transform, union_key, without

Schema = dict[str, Any]

# Keywords that make a schema beside `allOf` more than a reference with a description.
STRUCTURE = {"properties", "required", "additionalProperties"}
NO_TEXT = {*STRUCTURE, "allOf", "type", "enum", "items", "anyOf", "oneOf"}
# Keywords about the use of a schema, which schemas derived from it do not inherit.
OWN = {"allOf", "properties", "required", "deprecated", "example", "default", "title", "nullable"}
# Keywords of one type of values; where a schema has several types, each takes its own.
OF_TYPE: dict[str, list[str]] = dialect()["x-keywords"]
OF_ANY_TYPE = set().union(*OF_TYPE.values()) - {"format"}
# Mappings of names among which extensions of others may stand.
EXTENSIBLE = {"paths", "webhooks", "responses"}


def simplified(document: dict[str, Any]) -> dict[str, Any]:
    """Return a merged document as plain OpenAPI 3.0, in which each thing is said in one way.

    References stand alone (in `allOf` where something stands beside them) and name schemas;
    other `allOf` are one object; `null` is `nullable`, a constant an `enum` of one, several types
    are a union; parameters stand in their operation. What is not read is left out.
    """
    # A copy, in which the anchors of YAML share nothing any more.
    document = {"paths": {}, **json.loads(json.dumps(document, default=str))}
    _follow(document)
    _complete_operations(document["paths"])
    document["components"] = only(document["components"], ("schemas", "securitySchemes"))
    transform(document, _normal)
    document = _read(document, dialect())
    document["info"] = _read(document.get("info", {}), dialect()["$defs"]["info"])
    document["openapi"] = "3.0.3"
    schemas = document["components"]["schemas"]
    _unite_heirs(document)
    transform(document, lambda schema, place: _merged(schema, schemas, place))
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


def _follow(document: dict[str, Any]) -> None:
    """Put copies in place of references to anything but a component's schema."""
    followed: list[tuple[str, str]] = []
    aliases = {}
    for place, node in spec.walk(document):
        for key in EXTENSIBLE & node.keys():
            node[key] = without(node[key], *spec.extensions(node[key]))
        while "$ref" in node:
            pointer = node["$ref"]
            # A deeper one, such as `#/components/schemas/Thing/properties/name`, has no class.
            if "/" not in pointer.removeprefix(REFERENCE):
                aliases[place] = f"components.schemas.{component(node)}"
                break
            for outer, other in followed:
                if pointer == other and f"{place}.".startswith(f"{outer}."):
                    raise Refused([Problem(place, f"'{pointer}' contains itself")])
            followed.append((place, pointer))
            copied = copy.deepcopy(spec.resolve(document, pointer))
            if copied is True:
                copied = {}
            if not isinstance(copied, dict):
                raise Refused([Problem(place, f"'{pointer}' is not a mapping")])
            beside = without(node, "$ref")
            node.clear()
            # It is visited next, with the references in it.
            node.update({**copied, **beside})
    for place, end in aliases.items():
        if place in spec.reachable([end], lambda name: only(aliases, [name]).values()):
            raise Refused([Problem(place, "its reference leads back to itself")])


def _complete_operations(paths: dict[str, Any]) -> None:
    """Give each operation the parameters of its path, and one result."""
    for path, item in paths.items():
        shared = item.pop("parameters", [])
        for place, operation in spec.operations({"paths": {path: item}}):
            own = operation.get("parameters", [])
            names = [(parameter.get("in"), parameter.get("name")) for parameter in own]
            inherited = []
            for parameter in copy.deepcopy(shared):
                # The place is part of the identity: a header may be called like a part of the path.
                if (parameter.get("in"), parameter.get("name")) not in names:
                    inherited.append(parameter)
            operation["parameters"] = [*inherited, *own]
            if any("$ref" in parameter for parameter in operation["parameters"]):
                raise Refused([Problem(place, "the reference does not lead to a parameter")])
            unite_answers(operation)
            method = place.partition(" ")[0].lower()
            item[method] = _read(operation, dialect()["$defs"]["operation"])


# One schema


def _normal(schema: Any, _place: str) -> Schema:
    """Return a schema that says each thing in one way; those within it do already."""
    if schema is True:
        return {}
    schema = _read(schema, dialect()["$defs"]["schema"])
    if "$ref" in schema:
        beside = without(schema, "$ref")
        # OpenAPI 3.0 ignores what stands beside a reference.
        if beside:
            return {"allOf": [only(schema, ["$ref"])], **beside}
        return schema
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    _rename_exclusive_limits(schema)
    types = _types(schema)
    if None in schema.get("enum", []):
        schema["enum"] = [value for value in schema["enum"] if value is not None]
        schema["nullable"] = True
        if not schema["enum"]:
            return {**without(schema, "enum"), "type": "null"}
    if "null" in types and len(types) > 1:
        schema["nullable"] = True
        types.remove("null")
    # JSON has one type for numbers, of which integers are some.
    if {"integer", "number"} <= set(types):
        types.remove("integer")
    if len(types) == 1:
        schema["type"] = types[0]
    elif types:
        schema = _as_union(schema, types)
    # Keywords of another type say nothing.
    schema = without(schema, *OF_ANY_TYPE.difference(OF_TYPE.get(schema.get("type"), OF_ANY_TYPE)))
    if "prefixItems" in schema:
        schema["items"] = _items_of_tuple(schema)
    if schema.get("type") == "array" and not schema.get("items"):
        schema["items"] = {}
    if schema.get("properties") == {}:
        del schema["properties"]
    _leave_open(schema)
    mapping = schema.get("discriminator", {}).get("mapping", {})
    # OpenAPI allows the bare name of a schema, too.
    for value, name in mapping.items():
        mapping[value] = REFERENCE + spec.component_name(name)
    # Members that only require some of the properties; others are refused beside these.
    if "properties" in schema and members(schema):
        del schema[union_key(schema)]
    if members(schema):
        schema = _without_null(schema)
    # The rest of a union of one, or of an `allOf` in an `allOf`, is merged.
    parts = schema.get("allOf", [])
    while len(parts) == 1 and list(parts[0]) == ["allOf"]:
        parts = schema["allOf"] = parts[0]["allOf"]
    return schema


def _leave_open(schema: Schema) -> None:
    """Leave out the schema of an object's other fields: every model keeps them, of any type."""
    if "properties" in schema or schema.get("additionalProperties") is False:
        schema.pop("additionalProperties", None)


def _items_of_tuple(schema: Schema) -> Schema:
    """Return what a list of given items may hold, at whichever place."""
    parts = list(schema.pop("prefixItems"))
    rest = schema.get("items", {})
    # Unless the list ends there, any JSON may follow.
    if rest is not False and schema.get("maxItems", len(parts) + 1) > len(parts):
        parts.append(rest)
    return _normal({"anyOf": parts}, "")


def _rename_exclusive_limits(schema: Schema) -> None:
    """Write exclusive limits in one way: a number of 3.1, or `true` beside the limit of 3.0."""
    for limit, name in (("Minimum", "x-more-than"), ("Maximum", "x-less-than")):
        value = schema.pop(f"exclusive{limit}", False)
        if value is True:
            value = schema.pop(limit.lower(), False)
        if value is not False:
            schema[name] = value


def _types(schema: Schema) -> list[str]:
    """Return the types that a schema has, or that its keywords or values imply."""
    if isinstance(schema.get("type"), str):
        return [schema["type"]]
    if "type" in schema:
        return list(schema["type"])
    if "enum" in schema:
        return list(dict.fromkeys(map(_type_of, schema["enum"])))
    if "items" in schema or "prefixItems" in schema:
        return ["array"]
    if "properties" in schema or isinstance(schema.get("additionalProperties"), dict):
        return ["object"]
    return []


def _type_of(value: Any) -> str:
    names = {str: "string", bool: "boolean", int: "integer", float: "number"}
    return names.get(type(value), "null")


def _as_union(schema: Schema, types: list[str]) -> Schema:
    """Return a schema of several types as a union, in which each has its keywords."""
    values = schema.pop("enum", None)
    parts = []
    rest = without(schema, "type")
    for name in types:
        part: Schema = {"type": name, **only(schema, OF_TYPE[name])}
        rest = without(rest, *OF_TYPE[name])
        if values is not None:
            fitting = {"number": ("number", "integer")}.get(name, (name,))
            part["enum"] = [value for value in values if _type_of(value) in fitting]
            # A type that no value has cannot occur.
            if not part["enum"]:
                continue
        parts.append(_normal(part, ""))
    return {**rest, "anyOf": parts}


def _without_null(schema: Schema) -> Schema:
    """Turn a `null` member of a union into `nullable`, and a union of one into its member."""
    if schema.get("type") == "object":
        del schema["type"]
    key = union_key(schema)
    rest = []
    for member in schema[key]:
        if member.get("type") == "null" or member.pop("nullable", False):
            schema["nullable"] = True
        if member.get("type") != "null":
            rest.append(member)
    if not rest:
        return {"type": "null"}
    if len(rest) != 1 or "discriminator" in schema:
        return {**schema, key: rest}
    (member,) = rest
    if "$ref" in member:
        member = {"allOf": [member]}
    return {**member, **without(schema, key)}


# allOf


def _unite_heirs(document: dict[str, Any]) -> None:
    """Let a union stand for an object with a discriminator, of those that extend it by `allOf`."""
    schemas = document["components"]["schemas"]

    def parents(name: str) -> list[str]:
        return [component(part) for part in schemas[name].get("allOf", []) if "$ref" in part]

    heirs: dict[str, list[str]] = {}
    for base, schema in schemas.items():
        found = [name for name in schemas if base in spec.reachable(parents(name), parents)]
        if "discriminator" in schema and not members(schema) and found:
            heirs[base] = found
            # The object itself is one of them only where the mapping says so.
            if base in spec.mapped(schema).values():
                heirs[base].append(base)
    extended = set().union(*heirs.values())

    def used(part: Schema, place: str) -> Schema:
        owner = re.fullmatch(r"components\.schemas\.(.+)\.allOf\[\d+]", place)
        base = spec.component_name(part.get("$ref", ""))
        if base in heirs and not (owner and owner[1] in extended):
            return spec.reference(_union_name(base, schemas))
        return part

    transform(document, used)
    for base, found in heirs.items():
        moved = ("discriminator", "nullable", "deprecated", "x-deprecated", "x-events", "x-wire")
        schemas[_union_name(base, schemas)] = {
            **only(schemas[base], ["description", *moved]),
            "anyOf": list(map(spec.reference, found)),
        }
        schemas[base] = without(schemas[base], *moved)


def _union_name(base: str, schemas: dict[str, Any]) -> str:
    name = f"Any{class_name(base)}"
    if name in schemas:
        reason = f"the union of what extends it would be called {name}, like another component"
        raise Refused([Problem(f"components.schemas.{base}", reason)])
    return name


def _merged(schema: Schema, schemas: dict[str, Any], place: str) -> Schema:
    """Make one object of an `allOf` that says more than which schema is meant."""
    if "allOf" not in schema:
        return schema
    references = [part for part in schema["allOf"] if "$ref" in part]
    words = [part for part in schema["allOf"] if "$ref" not in part]
    # Whether nothing but text stands beside the reference, here and in other parts.
    is_text = not STRUCTURE & schema.keys() and not NO_TEXT & set().union(*words)
    if is_text and len(references) == 1:
        meant = schemas.get(component(schema), {})
        is_component = place.removeprefix("components.schemas.") in schemas
        # A component with another's properties and a text of its own is a class of its own.
        if not is_component or not {"properties", "allOf"} & meant.keys():
            for part in words:
                schema = {**part, **schema}
            if meant.get("nullable"):
                schema["nullable"] = True
            return {**schema, "allOf": references}
    merged: Schema = {}
    _collect(schema, schemas, place, merged, ())
    _leave_open(merged)
    return merged


def _collect(
    schema: Schema, schemas: dict[str, Any], place: str, merged: Schema, within: tuple[str, ...]
) -> None:
    """Put what a schema and those in its `allOf` say into `merged`; what comes later wins."""
    if "$ref" in schema:
        name = component(schema)
        if name in within:
            raise Refused([Problem(place, f"'{name}' is part of itself")])
        _collect(schemas[name], schemas, place, merged, (*within, name))
        return
    for part in schema.get("allOf", []):
        _collect(part, schemas, place, merged, within)
    if members(schema):
        reason = "an `allOf` of a union; write each member with all its properties"
        raise Refused([Problem(place, reason)])
    for field, child in schema.get("properties", {}).items():
        properties = merged.setdefault("properties", {})
        other = properties.get(field, child)
        both = _both(other, child, schemas, place, f" of {field!r}")
        properties[field] = copy.deepcopy(both)
    _check_types(merged, schema, place)
    if "items" in merged and "items" in schema:
        items = _both(merged["items"], schema["items"], schemas, place, " of `items`")
        schema = {**schema, "items": items}
    if "required" in schema:
        required = [*merged.get("required", []), *schema["required"]]
        merged["required"] = list(dict.fromkeys(required))
    own = {"allOf", "properties", "required"}
    if within:
        own = {*OWN, "discriminator"}
    for key, value in schema.items():
        if key not in own and not (within and key.startswith("x-")):
            merged[key] = copy.deepcopy(value)


def _check_types(other: Schema, child: Schema, place: str, of: str = "") -> None:
    """Refuse parts of an `allOf` that have no value in common."""
    types = {other.get("type", child.get("type")), child.get("type", other.get("type"))}
    if len(types) > 1 and types != {"integer", "number"}:
        raise Refused([Problem(place, f"the parts of its `allOf` differ in the type{of}")])


def _both(other: Schema, child: Schema, schemas: dict[str, Any], place: str, of: str) -> Schema:
    """Return what a property of two parts has to be; the later part often only narrows it."""
    _check_types(other, child, place, of)
    is_reference = bool(component(other)), bool(component(child))
    are_objects = all(STRUCTURE & spec.target(part, schemas).keys() for part in (other, child))
    # Two classes may contain themselves, without end: the later is the narrower one.
    if are_objects and not all(is_reference):
        merged: Schema = {}
        for part in (other, child):
            _collect(part, schemas, place, merged, ())
        return merged
    if not NO_TEXT & child.keys() and "$ref" not in child:
        if "$ref" in other:
            return {"allOf": [other], **child}
        return {**other, **child}
    # A constant may stand before the enum that it is of.
    if component(child) and "enum" in other and "enum" in spec.target(child, schemas):
        other, child = {"allOf": [child]}, other
    elif any(is_reference) or members(other) or members(child):
        return {**only(other, ["description"]), **child}
    both = {**without(other, "allOf"), **child}
    # Every integer is a number.
    if "integer" in (other.get("type"), child.get("type")):
        both["type"] = "integer"
    values = spec.target(other, schemas).get("enum", [])
    if values and "enum" in child:
        both["enum"] = [value for value in child["enum"] if value in values]
        if not both["enum"]:
            raise Refused([Problem(place, f"the parts of its `allOf` share no value{of}")])
    for key in ("items", "additionalProperties"):
        if isinstance(other.get(key), dict) and isinstance(child.get(key), dict):
            both[key] = _both(other[key], child[key], schemas, place, of)
    # A default or an example of one part may not fit the other.
    for key in ("default", "example"):
        if "enum" in both and both.get(key) not in both["enum"]:
            both.pop(key, None)
    return both
