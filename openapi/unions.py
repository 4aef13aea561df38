"""Unions: which members they have, and what distinguishes these."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from operator import itemgetter
from typing import Any

from names import class_name
from refusals import Problem, Refused, place_of
from simplify import Schema
from spec import component, mapped, members, only, reference, target, union_key, without

# Members of a union that share values of a field, with these values.
Group = tuple[list[str], list[str]]


def simplified(schema: Schema, place: str, schemas: dict[str, Any]) -> Schema:
    """Return a union with at most one member of each type that is not an object.

    Unions within it are part of it, two lists are one of either's items, two enums one with the
    values of both. A union of one is that member, and one with any JSON is any JSON.
    """
    if not members(schema):
        return schema
    key = union_key(schema)
    beside = without(schema, key)
    parts = list(_flat(schema[key], place.removeprefix("components.schemas.")))
    if not parts:
        raise Refused([Problem(place, "a union of itself alone")])
    if any(part.get("nullable") for part in parts):
        beside["nullable"] = True
    if "any" in map(_sort, parts):
        return without(beside, "discriminator")
    groups: dict[str, list[Schema]] = {}
    for part in _without_clashes(parts, schemas):
        name = _sort(part)
        # Those of one plain type are one, where the first of them stood.
        if name in ("object", "reference"):
            name = json.dumps(part)
        groups.setdefault(name, []).append(part)
    # The first that fits is taken: plain text would take the values of the enum.
    names = list(groups)
    if len(names) > 2 and {"string", "enum"} <= groups.keys():
        text, enum = sorted((names.index("string"), names.index("enum")))
        names[text], names[enum] = "enum", "string"
    parts = [_one(groups[name]) for name in names]
    if len(parts) != 1 or ("discriminator" in schema and "$ref" in parts[0]):
        return {**beside, key: parts}
    (part,) = parts
    beside.pop("discriminator", None)
    # A reference has nothing beside it, in OpenAPI 3.0.
    if "$ref" in part and beside:
        part = {"allOf": [part]}
    return {**part, **beside}


def _flat(parts: Iterable[Schema], own: str) -> Iterator[Schema]:
    """Yield the members of a union and of those within it, without text and repetition."""
    # A union within itself adds nothing.
    seen = {reference(own)["$ref"]}
    for part in parts:
        inner = [part]
        if component(part):
            inner = [{**reference(component(part)), **only(part, ["nullable"])}]
        elif members(part) and "discriminator" not in part:
            inner = list(_flat(members(part), own))
        for member in inner:
            text = member.get("$ref") or json.dumps(_structure(member), sort_keys=True)
            if text not in seen:
                seen.add(text)
                yield member


def _structure(schema: Schema) -> Schema:
    """Return a schema without what does not change which values fit it."""
    return without(schema, "title", "description", "example", "default", "x-name")


def _without_clashes(parts: list[Schema], schemas: dict[str, Any]) -> Iterator[Schema]:
    """Yield members with the content of references to strings, where there are several of these."""
    # The union as a whole is nullable, which its members need not repeat.
    parts = [without(part, "nullable") for part in parts]
    texts = [part for part in parts if _is_text(part, schemas)]
    has_number = "number" in map(_sort, parts)
    for part in parts:
        # In JSON, an integer is a number, too.
        if _sort(part) == "integer" and has_number:
            yield {**part, "type": "number"}
        elif "$ref" in part and part in texts and len(texts) > 1:
            enum = target(part, schemas)
            yield from members(enum) or [enum]
        else:
            yield part


def _is_text(part: Schema, schemas: dict[str, Any]) -> bool:
    """Return whether a string may be a value, and no object can be."""
    schema = target(part, schemas)
    parts = members(schema) or [schema]
    if any("$ref" in member or "properties" in member for member in parts):
        return False
    return any(member.get("type") == "string" for member in parts)


def _sort(part: Schema) -> str:
    """Return what distinguishes a member of a union: its type, and whether it is an enum."""
    if "$ref" in part:
        return "reference"
    if "properties" in part or members(part):
        return "object"
    if part.get("type") == "string" and "enum" in part:
        return "enum"
    if part.get("type") == "object":
        return "map"
    return str(part.get("type", "any"))


def _one(parts: list[Schema]) -> Schema:
    """Return one member for all of a sort."""
    sort = _sort(parts[0])
    if sort in ("object", "reference"):
        return parts[0]
    first = _structure(parts[0])
    if sort == "string":
        return {"type": "string"}
    if len(parts) == 1:
        return first
    key = {"array": "items", "map": "additionalProperties"}.get(sort)
    if key:
        held = [part.get(key, {}) for part in parts]
        return {"type": first["type"], key: simplified({"anyOf": held}, "", {})}
    one: Schema = {"type": first["type"]}
    # A part without them takes any value.
    if all("enum" in part for part in parts):
        values = chain.from_iterable(map(itemgetter("enum"), parts))
        one["enum"] = list(dict.fromkeys(values))
    return one


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
    objects = [part for part in map(component, members(schema)) if part and leaves(part, schemas)]
    has_map = "map" in map(_sort, members(schema))
    known = mapped(schema)
    explicit = schema.pop("discriminator", None)
    if not objects or (len(objects) == 1 and not explicit and not has_map):
        return
    fields = list(schemas[leaves(objects[0], schemas)[0]]["properties"])
    # A map may have any key, also that of a discriminator.
    if has_map:
        fields = []
    elif explicit:
        fields = [explicit["propertyName"]]
        place = place_of(f"components.schemas.{name}", schemas)
        _add_constants(place, fields[0], known, objects, schemas)
    # A property that tells all members apart comes before one that tells some.
    for minimum in (len(objects), 2):
        for field in fields:
            groups = _groups(objects, field, schemas)
            if len(groups) >= minimum:
                _set_discriminator(name, field, groups, known, schemas)
                return
    # The most specific members come first.
    schema[union_key(schema)].sort(key=lambda part: _specificity(part, schemas), reverse=True)
    schema["x-untagged"] = True


def leaves(name: str, schemas: dict[str, Any], within: tuple[str, ...] = ()) -> list[str]:
    """Return the classes of objects that a component may be: itself, or the members of a union."""
    if "properties" in schemas[name]:
        return [name]
    inner = []
    for part in map(component, members(schemas[name])):
        if part and part not in within:
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


def _groups(objects: list[str], field: str, schemas: dict[str, Any]) -> list[Group]:
    """Return members with their values of a field, together where they share one; [] if not all."""
    groups: list[Group] = []
    for name in objects:
        values = constants(name, field, schemas)
        if not values:
            return []
        names = [name]
        for group in list(groups):
            if set(group[1]) & set(values):
                groups.remove(group)
                names = [*group[0], *names]
                values = list(dict.fromkeys([*group[1], *values]))
        groups.append((names, values))
    return groups


def _set_discriminator(
    name: str, field: str, groups: list[Group], known: Iterable[str], schemas: dict[str, Any]
) -> None:
    """Write a discriminator, its values in the order of a mapping, if there is one."""
    schema = schemas[name]
    key = union_key(schema)
    targets: dict[str, str] = {}
    for names, values in groups:
        model = names[0]
        if len(names) > 1:
            # Members that share a value become a union of their own, in their place.
            model = _inner(name, names, values[0], schemas)
            schema[key] = [part for part in schema[key] if component(part) not in names[1:]]
            for part in schema[key]:
                if component(part) == names[0]:
                    part |= reference(model)
        targets |= dict.fromkeys(values, reference(model)["$ref"])
    mapping = only(targets, (*known, *targets))
    schema["discriminator"] = {"propertyName": field, "mapping": mapping}


def _inner(name: str, names: list[str], value: str, schemas: dict[str, Any]) -> str:
    """Make a union of the members that share a value, called after it."""
    inner = "".join(filter(str.isalnum, name + class_name(value)))
    if inner in schemas:
        inner += "Union"
    schemas[inner] = {
        "description": schemas[name].get("description", ""),
        "anyOf": list(map(reference, names)),
        "x-place": place_of(f"components.schemas.{name}", schemas),
    }
    distinguish(inner, schemas)
    return inner


def _add_constants(
    place: str, field: str, known: dict[str, str], objects: list[str], schemas: dict[str, Any]
) -> None:
    """Check a mapping, and give members the constant that it, or their name, has for them."""
    for name in known.values():
        if name not in objects:
            raise Refused([Problem(place, f"`mapping` leads to {name}, which is not a member")])
    of_members = {name: constants(name, field, schemas) for name in objects}
    for name, values in of_members.items():
        wanted = [value for value in known if known[value] == name]
        # Without a mapping, OpenAPI takes the name of the schema in the document.
        own = schemas[name].get("x-place", name).removeprefix("components.schemas.")
        # An inline one has only that of its class.
        if own.endswith("]"):
            own = name
        # Members may share an enum, and the mapping or the names say which of its values are whose.
        is_shared = bool(wanted) and any(known.get(value, name) != name for value in values)
        if not wanted and sum(own in other for other in of_members.values()) > 1:
            is_shared = own in values
        if (is_shared or not values) and "properties" in schemas[name]:
            properties = schemas[name]["properties"]
            if field not in properties:
                reason = f"its member {name} has no property {field!r}, the discriminator"
                raise Refused([Problem(place, reason)])
            # The package finds a member by text alone.
            if target(properties[field], schemas).get("type") != "string":
                raise Refused([Problem(place, f"{field!r} of its member {name} is not text")])
            constant = {"type": "string", "enum": wanted or [own]}
            # A default or an example may be the value of another member.
            kept = without(properties[field], "$ref", "allOf", "default", "example")
            properties[field] = {**kept, **constant}
        elif not set(wanted) <= set(values):
            reason = f"`mapping` has {wanted} for {name}, whose {field} has {values}"
            raise Refused([Problem(place, reason)])


def _specificity(part: Schema, schemas: dict[str, Any]) -> tuple[int, int, int]:
    # Plain values are found by their type; a map takes what no class does.
    if _sort(part) == "map":
        return (-1, 0, 0)
    best = (0, 0, 0)
    if "$ref" in part:
        for leaf in leaves(component(part), schemas):
            required = schemas[leaf].get("required", [])
            best = max(best, (1, len(required), len(schemas[leaf]["properties"])))
    return best
