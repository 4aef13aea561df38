"""Unions: which members they have, and what distinguishes these."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from refusals import Problem, Refused, place_of
from simplify import Schema
from spec import component, mapped, members, reference, target, union_key, without

SCALARS = ("string", "integer", "number", "boolean")


def simplified(schema: Schema, place: str, schemas: dict[str, Any]) -> Schema:
    """Return a union with at most one member of each type that is not an object.

    Unions within it are part of it, two lists are one of either's items, two enums one with the
    values of both. A union of one is that member, and one with any JSON is any JSON.
    """
    if not members(schema):
        return schema
    if "oneOf" in schema and "anyOf" in schema:
        raise Refused([Problem(place, "both `oneOf` and `anyOf`; write one union")])
    if "properties" in schema:
        raise Refused([Problem(place, "a union with properties; write them in each member")])
    key = union_key(schema)
    beside = without(schema, key)
    own = place.removeprefix("components.schemas.")
    parts = list(_flat(schema[key], schemas, own))
    if any(part.get("nullable") for part in parts):
        beside["nullable"] = True
    for part in parts:
        if "type" not in part and "$ref" not in part and not _is_object(part):
            return without(beside, "discriminator")
    # The union as a whole is nullable, which its members need not repeat.
    parts = list(_without_clashes([without(part, "nullable") for part in parts], schemas))
    groups: dict[str, list[Schema]] = {}
    for part in parts:
        name = _sort(part)
        # Those of one plain type are one, where the first of them stood.
        if name in ("object", "reference"):
            name = json.dumps(part)
        groups.setdefault(name, []).append(part)
    parts = [_one(group, place) for group in groups.values()]
    sorts = [_sort(part) for part in parts]
    if len(parts) > 2 and {"string", "enum"} <= set(sorts):
        # The first that fits is taken: plain text would take the values of the enum.
        text, enum = sorts.index("string"), sorts.index("enum")
        if text < enum:
            parts[text], parts[enum] = parts[enum], parts[text]
    if len(parts) != 1 or ("discriminator" in schema and "$ref" in parts[0]):
        return {**beside, key: parts}
    (part,) = parts
    beside.pop("discriminator", None)
    # A reference has nothing beside it, in OpenAPI 3.0.
    if "$ref" in part and beside:
        part = {"allOf": [part]}
    return {**part, **beside}


def _flat(parts: Iterable[Any], schemas: dict[str, Any], own: str) -> Iterator[Schema]:
    """Yield the members of a union and of those within it, without text and repetition."""
    # A union within itself adds nothing.
    seen = {reference(own)["$ref"]}
    for part in parts:
        name = component(part)
        inner: list[Schema] = [part]
        if name:
            inner = [reference(name)]
            if part.get("nullable"):
                inner[0]["nullable"] = True
        elif members(part) and "discriminator" not in part:
            inner = list(_flat(members(part), schemas, own))
        for member in inner:
            text = member.get("$ref") or json.dumps(_structure(member), sort_keys=True)
            if text not in seen:
                seen.add(text)
                yield member


def _structure(schema: Schema) -> Schema:
    """Return a schema without what does not change which values fit it."""
    return without(schema, "title", "description", "example", "default", "x-name")


def _is_object(schema: Schema) -> bool:
    return "properties" in schema or bool(members(schema))


def _without_clashes(parts: list[Schema], schemas: dict[str, Any]) -> Iterator[Schema]:
    """Yield members with the content of references to strings, where there are several of these."""
    texts = [part for part in parts if _is_text(part, schemas)]
    has_number = "number" in map(_sort, parts)
    for part in parts:
        # In JSON, an integer is a number, too.
        if _sort(part) == "integer" and has_number:
            continue
        if "$ref" in part and part in texts and len(texts) > 1:
            enum = target(part, schemas)
            for member in members(enum) or [enum]:
                yield dict(member)
        else:
            yield part


def _is_text(part: Schema, schemas: dict[str, Any]) -> bool:
    """Return whether a string may be a value, and no object can be."""
    schema = target(part, schemas)
    has_string = False
    for member in members(schema) or [schema]:
        if "$ref" in member or "properties" in member:
            return False
        has_string |= member.get("type") == "string"
    return has_string


def _sort(part: Schema) -> str:
    """Return what distinguishes a member of a union: its type, and whether it is an enum."""
    if "$ref" in part:
        return "reference"
    if _is_object(part):
        return "object"
    if part.get("type") == "string" and "enum" in part:
        return "enum"
    if part.get("type") == "object":
        return "map"
    return str(part.get("type"))


def _one(parts: list[Schema], place: str) -> Schema:
    """Return one member for all of a sort."""
    sort = _sort(parts[0])
    if sort in ("object", "reference"):
        return parts[0]
    first = _structure(parts[0])
    if sort == "string":
        return {"type": "string"}
    if sort == "enum":
        values: dict[str, None] = {}
        names: list[str] = []
        for part in parts:
            values |= dict.fromkeys(part["enum"])
            names += part.get("x-enum-varnames", [])
        enum = {**without(first, "x-enum-varnames"), "enum": list(values)}
        # Names of values stay where each has one.
        if len(names) == len(values):
            enum["x-enum-varnames"] = names
        return enum
    key = {"array": "items", "map": "additionalProperties"}.get(sort)
    if key is None or len(parts) == 1:
        return first
    held = []
    for part in parts:
        item = part.get(key, {})
        # One that holds anything makes the others superfluous.
        if not item:
            return {"type": first["type"], key: {}}
        held.append(item)
    return {"type": first["type"], key: simplified({"anyOf": held}, f"{place}.{key}", {})}


# What distinguishes the members


def distinguish(name: str, schemas: dict[str, Any]) -> None:
    """Give a union of objects its discriminator, or order its members.

    The discriminator is a property whose constants differ from member to member. Members that
    share a constant become a union of their own, which another property distinguishes. Where no
    property does, members are in order of how specific they are, and the union is `x-untagged`.
    """
    schema = schemas[name]
    if not members(schema):
        return
    objects = [part for part in _references(schema) if leaves(part, schemas)]
    has_map = "map" in map(_sort, members(schema))
    explicit = schema.pop("discriminator", None)
    if not objects or (len(objects) == 1 and not explicit and not has_map):
        return
    # A map may have any key, also that of a discriminator.
    if has_map:
        _mark_untagged(schema, schemas)
        return
    if explicit:
        _add_constants(name, explicit, objects, schemas)
        fields = [explicit["propertyName"]]
    else:
        fields = list(schemas[leaves(objects[0], schemas)[0]]["properties"])
    groups = {field: _groups(objects, field, schemas) for field in fields}
    # A property that tells all members apart comes before one that tells some.
    whole = [field for field in fields if len(groups[field]) == len(objects)]
    part = [field for field in fields if len(groups[field]) > 1]
    if not whole and not part:
        _mark_untagged(schema, schemas)
        return
    field = (whole or part)[0]
    known = (explicit or {}).get("mapping", {})
    _set_discriminator(name, field, groups[field], known, schemas)


def _references(schema: Schema) -> list[str]:
    """Return the components that are members of a union."""
    return [component(part) for part in members(schema) if "$ref" in part]


def leaves(name: str, schemas: dict[str, Any], within: tuple[str, ...] = ()) -> list[str]:
    """Return the classes of objects that a component may be: itself, or the members of a union."""
    schema = schemas[name]
    if "properties" in schema:
        return [name]
    if name in within:
        return []
    inner = []
    for part in _references(schema):
        inner += leaves(part, schemas, (*within, name))
    return inner


def constants(name: str, field: str, schemas: dict[str, Any]) -> list[str]:
    """Return the values that a field has in a class, or in all members of a union; [] if any."""
    values: list[str] = []
    for leaf in leaves(name, schemas):
        # A constant may be an enum of its own, which several classes share.
        child = target(schemas[leaf]["properties"].get(field) or {}, schemas)
        if child.get("type") != "string" or "enum" not in child:
            return []
        values += child["enum"]
    return list(dict.fromkeys(values))


def _groups(
    objects: list[str], field: str, schemas: dict[str, Any]
) -> list[tuple[list[str], list[str]]]:
    """Return members with their values of a field, together where they share one; [] if not all."""
    groups: list[tuple[list[str], list[str]]] = []
    for name in objects:
        values = constants(name, field, schemas)
        if not values:
            return []
        names, shared = [name], values
        for group in list(groups):
            if set(group[1]) & set(values):
                groups.remove(group)
                names = [*group[0], *names]
                shared = list(dict.fromkeys([*group[1], *shared]))
        groups.append((names, shared))
    return groups


def _set_discriminator(
    name: str,
    field: str,
    groups: list[tuple[list[str], list[str]]],
    known: Iterable[str],
    schemas: dict[str, Any],
) -> None:
    """Write a discriminator, its values in the order of a mapping, if there is one."""
    schema = schemas[name]
    key = union_key(schema)
    targets: dict[str, str] = {}
    parts: list[Schema] = []
    for names, values in groups:
        model = names[0]
        if len(names) > 1:
            model = _inner(name, names, values, schemas)
        parts.append(reference(model))
        targets.update(dict.fromkeys(values, parts[-1]["$ref"]))
    # Members that became a union of their own stand in it, and no longer here.
    grouped = {name for names, _values in groups for name in names}
    if len(groups) < len(grouped):
        schema[key] = parts + [part for part in schema[key] if component(part) not in grouped]
    mapping = {value: targets[value] for value in (*known, *targets)}
    schema["discriminator"] = {"propertyName": field, "mapping": mapping}


def _inner(name: str, names: list[str], values: list[str], schemas: dict[str, Any]) -> str:
    """Make a union of the members that share a value."""
    inner = name
    for word in values[0].split("_"):
        inner += word[:1].upper() + word[1:]
    inner = "".join(filter(str.isalnum, inner))
    if inner in schemas:
        inner += "Union"
    schemas[inner] = {
        "description": schemas[name].get("description", ""),
        "anyOf": list(map(reference, names)),
        "x-place": place_of({"components": {"schemas": schemas}}, name),
    }
    distinguish(inner, schemas)
    return inner


def _add_constants(
    name: str, discriminator: Schema, objects: list[str], schemas: dict[str, Any]
) -> None:
    """Check a mapping, and give members the constant that it, or their name, has for them."""
    place = place_of({"components": {"schemas": schemas}}, name)
    field = discriminator["propertyName"]
    wanted: dict[str, list[str]] = {}
    for value, name in mapped({"discriminator": discriminator}).items():
        if name not in objects:
            raise Refused([Problem(place, f"`mapping` leads to {name}, which is not a member")])
        wanted.setdefault(name, []).append(value)
    for name in objects:
        values = constants(name, field, schemas)
        if not values and "properties" in schemas[name]:
            child = schemas[name]["properties"].get(field)
            if child is None:
                reason = f"its member {name} has no property {field!r}, the discriminator"
                raise Refused([Problem(place, reason)])
            # The package finds a member by text alone.
            if target(child, schemas).get("type", "string") != "string" or component(child):
                raise Refused([Problem(place, f"{field!r} of its member {name} is not text")])
            # Without a mapping, OpenAPI takes the name of the schema for the value.
            child |= {"type": "string", "enum": wanted.get(name, [name])}
            continue
        for value in wanted.get(name, []):
            if value not in values:
                constant = "has no constant"
                if values:
                    constant = f"is {values}"
                reason = f"`mapping` has {value!r} for {name}, whose {field} {constant}"
                raise Refused([Problem(place, reason)])


def _mark_untagged(schema: Schema, schemas: dict[str, Any]) -> None:
    """Order members from the most to the least specific, and mark their union."""

    def specificity(part: Schema) -> tuple[int, int, int]:
        # Plain values are found by their type; a map takes what no class does.
        if _sort(part) == "map":
            return (-1, 0, 0)
        required, properties = 0, 0
        models = []
        if "$ref" in part:
            models = leaves(component(part), schemas)
        for leaf in models:
            required = max(required, len(schemas[leaf].get("required", [])))
            properties = max(properties, len(schemas[leaf]["properties"]))
        return (int(bool(models)), required, properties)

    schema[union_key(schema)].sort(key=specificity, reverse=True)
    schema["x-untagged"] = True
