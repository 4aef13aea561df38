"""Unions: which members they have, and what distinguishes these."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from refusals import Problem, Refused, place_of
from simplify import Schema
from spec import REFERENCE, component, members

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
    key = "oneOf" if "oneOf" in schema else "anyOf"
    beside = {name: value for name, value in schema.items() if name != key}
    own = place.removeprefix("components.schemas.")
    parts = list(_flat(schema[key], schemas, own))
    if any(part.get("nullable") for part in parts):
        beside["nullable"] = True
    if any("type" not in part and "$ref" not in part and not _is_object(part) for part in parts):
        return {name: value for name, value in beside.items() if name != "discriminator"}
    parts = list(_combined(parts, schemas, place))
    kinds = [_kind(part) for part in parts]
    if len(parts) > 2 and {"string", "enum"} <= set(kinds):
        # The first that fits is taken: plain text would take the values of the enum.
        first, last = sorted((kinds.index("string"), kinds.index("enum")))
        pair = (parts[kinds.index("enum")], parts[kinds.index("string")])
        parts[first], parts[last] = pair
    if len(parts) == 1 and not ("discriminator" in schema and "$ref" in parts[0]):
        beside.pop("discriminator", None)
        (part,) = parts
        return {**({"allOf": [part]} if "$ref" in part and beside else part), **beside}
    return {**beside, key: parts}


def _flat(parts: Iterable[Any], schemas: dict[str, Any], own: str) -> Iterator[Schema]:
    """Yield the members of a union and of those within it, without text and repetition."""
    seen = {REFERENCE + own}
    for part in parts:
        if not isinstance(part, dict):
            yield part
            continue
        name = component(part)
        if name:
            reference = {"$ref": REFERENCE + name}
            if part.get("nullable"):
                reference["nullable"] = True
            found: list[Schema] = [reference]
        elif members(part) and "discriminator" not in part:
            found = list(_flat(members(part), schemas, own))
        else:
            found = [part]
        for member in found:
            text = member.get("$ref") or json.dumps(_structure(member), sort_keys=True)
            if text not in seen:
                seen.add(text)
                yield member


def _structure(schema: Schema) -> Schema:
    text = ("title", "description", "example", "default", "x-name")
    return {key: value for key, value in schema.items() if key not in text}


def _is_object(schema: Schema) -> bool:
    return "properties" in schema or bool(members(schema))


def _combined(parts: list[Schema], schemas: dict[str, Any], place: str) -> Iterator[Schema]:
    """Yield members, those of one plain type combined where the first of them stood."""
    parts = [dict(part) for part in parts]
    for part in parts:
        part.pop("nullable", None)
    parts = list(_without_clashes(parts, schemas))
    done = set[str]()
    for part in parts:
        kind = _kind(part)
        if kind == "object" or "$ref" in part:
            yield part
            continue
        if kind in done:
            continue
        done.add(kind)
        yield _one([other for other in parts if _kind(other) == kind], kind, place)


def _without_clashes(parts: list[Schema], schemas: dict[str, Any]) -> Iterator[Schema]:
    """Yield members with the content of references to strings, where there are several of these."""
    stringy = [part for part in parts if _is_stringy(part, schemas)]
    enums = [part for part in stringy if _kind(part, schemas) != "string"]
    has_number = any(_kind(part) == "number" for part in parts)
    for part in parts:
        if _kind(part) == "integer" and has_number:
            continue
        if "$ref" in part and part in enums and len(stringy) > 1:
            target = schemas[component(part)]
            yield from (dict(member) for member in members(target) or [{**target}])
        else:
            yield part


def _is_stringy(part: Schema, schemas: dict[str, Any]) -> bool:
    target = schemas.get(component(part), part)
    parts = members(target) or [target]
    is_plain = not any("$ref" in member or "properties" in member for member in parts)
    return is_plain and any(member.get("type") == "string" for member in parts)


def _kind(part: Schema, schemas: dict[str, Any] | None = None) -> str:
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


def _one(parts: list[Schema], kind: str, place: str) -> Schema:
    """Return one member for all of a type."""
    first = _structure(parts[0])
    if kind == "string":
        return {"type": "string"}
    if kind == "enum":
        values = [value for part in parts for value in part["enum"]]
        names = [name for part in parts for name in part.get("x-enum-varnames", [])]
        first["enum"] = list(dict.fromkeys(values))
        if len(names) != len(first["enum"]):
            first.pop("x-enum-varnames", None)
        else:
            first["x-enum-varnames"] = names
        return first
    key = {"array": "items", "map": "additionalProperties"}.get(kind)
    if key is None or len(parts) == 1:
        return first
    held = [part.get(key, {}) for part in parts]
    if any(not isinstance(each, dict) or not each for each in held):
        return {"type": first["type"], key: {}}
    inner: Schema = {"anyOf": held}
    return {"type": first["type"], key: simplified(inner, f"{place}.{key}", {})}


# What distinguishes the members


def distinguish(name: str, schemas: dict[str, Any]) -> None:
    """Give a union of objects its discriminator, or order its members.

    The discriminator is a property whose constants differ from member to member. Members that
    share a constant become a union of their own, which another property distinguishes. Where no
    property does, members are in order of how specific they are, and the union is `x-untagged`.
    """
    schema = schemas[name]
    if not isinstance(schema, dict) or not members(schema):
        return
    objects = [part for part in _references(schema) if leaves(part, schemas)]
    has_map = any(_kind(part) == "map" for part in members(schema))
    explicit = schema.pop("discriminator", None)
    if not objects or (len(objects) == 1 and not explicit and not has_map):
        return
    if has_map:
        _mark_untagged(schema, schemas)
        return
    if explicit:
        _add_constants(name, explicit, objects, schemas)
        fields = [explicit["propertyName"]]
    else:
        fields = list(schemas[leaves(objects[0], schemas)[0]]["properties"])
    found = {field: _groups(objects, field, schemas) for field in fields}
    whole = (field for field in fields if len(found[field]) == len(objects))
    part = (field for field in fields if len(found[field]) > 1)
    field = next(whole, None) or next(part, None)
    if field is None:
        _mark_untagged(schema, schemas)
        return
    known = explicit.get("mapping", {}) if explicit else {}
    _set_discriminator(name, field, found[field], known, schemas)


def _references(schema: Schema) -> list[str]:
    return [component(part) for part in members(schema) if "$ref" in part]


def leaves(name: str, schemas: dict[str, Any], within: tuple[str, ...] = ()) -> list[str]:
    """Return the classes of objects that a component may be: itself, or the members of a union."""
    schema = schemas[name]
    if "properties" in schema:
        return [name]
    if name in within:
        return []
    inner = (leaves(part, schemas, (*within, name)) for part in _references(schema))
    return [leaf for found in inner for leaf in found]


def constants(name: str, field: str, schemas: dict[str, Any]) -> list[str]:
    """Return the values that a field has in a class, or in all members of a union; [] if any."""
    found: list[str] = []
    for leaf in leaves(name, schemas):
        values = schemas[leaf]["properties"].get(field) or {}
        # A constant may be an enum of its own, which several classes share.
        values = schemas.get(component(values), values)
        if values.get("type") != "string" or "enum" not in values:
            return []
        found += values["enum"]
    return list(dict.fromkeys(found))


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
        for group in [group for group in groups if set(group[1]) & set(values)]:
            groups.remove(group)
            names = [*group[0], *names]
            shared = [*group[1], *(value for value in shared if value not in group[1])]
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
    key = "oneOf" if "oneOf" in schema else "anyOf"
    targets: dict[str, str] = {}
    for names, values in groups:
        target = names[0] if len(names) == 1 else _inner(name, names, values, schemas)
        targets.update(dict.fromkeys(values, REFERENCE + target))
    plain = [part for part in schema[key] if not _is_object_reference(part, schemas)]
    if len(groups) < len(schema[key]) - len(plain):
        schema[key] = [{"$ref": target} for target in dict.fromkeys(targets.values())] + plain
    mapping = {value: targets[value] for value in (*known, *targets)}
    schema["discriminator"] = {"propertyName": field, "mapping": mapping}


def _inner(name: str, names: list[str], values: list[str], schemas: dict[str, Any]) -> str:
    """Make a union of the members that share a value."""
    inner = name + "".join(word[:1].upper() + word[1:] for word in values[0].split("_"))
    inner = "".join(letter for letter in inner if letter.isalnum())
    if inner in schemas:
        inner += "Union"
    schemas[inner] = {
        "description": schemas[name].get("description", ""),
        "anyOf": [{"$ref": REFERENCE + each} for each in names],
        "x-place": place_of({"components": {"schemas": schemas}}, name),
    }
    distinguish(inner, schemas)
    return inner


def _is_object_reference(part: Schema, schemas: dict[str, Any]) -> bool:
    return "$ref" in part and bool(leaves(component(part), schemas))


def _add_constants(
    name: str, discriminator: Schema, objects: list[str], schemas: dict[str, Any]
) -> None:
    """Check a mapping, and give members the constant that it, or their name, has for them."""
    place = place_of({"components": {"schemas": schemas}}, name)
    field = discriminator["propertyName"]
    mapped: dict[str, list[str]] = {}
    for value, reference in discriminator.get("mapping", {}).items():
        target = reference.removeprefix(REFERENCE)
        if target not in objects:
            raise Refused([Problem(place, f"`mapping` leads to {target}, which is not a member")])
        mapped.setdefault(target, []).append(value)
    for target in objects:
        values = constants(target, field, schemas)
        wanted = mapped.get(target, [])
        if not values and "properties" in schemas[target]:
            child = schemas[target]["properties"].get(field)
            if child is None:
                reason = f"its member {target} has no property {field!r}, the discriminator"
                raise Refused([Problem(place, reason)])
            child.pop("allOf", None)
            child |= {"type": "string", "enum": wanted or [target]}
        elif not set(wanted) <= set(values):
            has = f"is {values}" if values else "has no constant"
            wrong = next(value for value in wanted if value not in values)
            reason = f"`mapping` has {wrong!r} for {target}, whose {field} {has}"
            raise Refused([Problem(place, reason)])


def _mark_untagged(schema: Schema, schemas: dict[str, Any]) -> None:
    key = "oneOf" if "oneOf" in schema else "anyOf"

    def specificity(part: Schema) -> tuple[int, int, int]:
        if not _is_object_reference(part, schemas):
            # Plain values are found by their type; a map takes what no class does.
            return (-1, 0, 0) if _kind(part) == "map" else (0, 0, 0)
        found = [schemas[leaf] for leaf in leaves(component(part), schemas)]
        required = max(len(leaf.get("required", [])) for leaf in found)
        return (1, required, max(len(leaf["properties"]) for leaf in found))

    schema[key] = sorted(schema[key], key=specificity, reverse=True)
    schema["x-untagged"] = True
