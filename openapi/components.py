"""Make a class of each part that needs a name, and of nothing else.

Objects and unions within other schemas become components, called as openapi-generator calls them;
components that are no class (text, lists, maps) are copied to where they are used.
"""

from __future__ import annotations

import copy
import json
import keyword
import re
from typing import Any

import names
import spec
import unions
from openai_realtime_client import shared
from refusals import Problem, Refused, place_of
from simplify import Schema, simplified
from spec import children, component, innermost, members, only, reference, union_key, without

# Keywords about the use of a class, which stay where it is used.
OF_USE = {"default", "deprecated", "example", "nullable", "readOnly", "writeOnly", "x-wire"}


def prepared(document: dict[str, Any]) -> dict[str, Any]:
    """Return a simplified document in which every component is a class, and every class is one."""
    document = _renamed(simplified(document))
    schemas = document["components"]["schemas"]
    # By the first round, unions may become plain: those of one member, or of any JSON.
    for _round in range(2):
        spec.transform(document, lambda schema, place: unions.simplified(schema, place, schemas))
        _copy_plain(document)
    for name in list(schemas):
        _cut_recursion(reference(name), schemas, ())
    _add_webhook_union(document)
    naming = _Naming(schemas)
    for name in list(schemas):
        naming.name_parts(name)
    for place, operation in spec.operations(document):
        naming.name_bodies(place, operation)
    for name in list(schemas):
        unions.distinguish(name, schemas)
    _relax_required(document)
    # They were only hints for the names of classes.
    spec.transform(document, lambda schema, _place: without(schema, "title", "x-name"))
    return document


def _relax_required(document: dict[str, Any]) -> None:
    """Make `readOnly` fields of what is sent optional, and `writeOnly` ones of what is received.

    OpenAPI requires them in the other direction alone.
    """
    schemas = document["components"]["schemas"]
    going: dict[str, set[str]] = {"readOnly": set(), "writeOnly": set()}
    for _place, operation in spec.operations(document):
        going["readOnly"].update(spec.references(operation.get("requestBody", {})))
        going["writeOnly"].update(spec.references(operation.get("responses", {})))
    for name, direction in spec.event_unions(schemas).items():
        going["readOnly" if direction == "client" else "writeOnly"].add(name)
    for key, roots in going.items():
        # A keyword that will be refused may refer to what was copied.
        for name in spec.reachable(roots, lambda name: spec.references(schemas.get(name, {}))):
            schema = schemas.get(name, {})
            for field in list(schema.get("required", [])):
                if schema.get("properties", {}).get(field, {}).get(key):
                    schema["required"].remove(field)


# Names of components


def class_name(text: str) -> str:
    """Return a text as the name of a class, with openapi-generator's `Model` before one of ours."""
    name = names.class_name(text)
    # A module that is called like a keyword cannot be imported.
    is_keyword = keyword.iskeyword(names.snake_case(name))
    if name in shared.__all__ or name in names.MODULE_NAMES or is_keyword:
        return f"Model{name}"
    return name


def _renamed(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document in which each component has the name of its class."""
    classes: dict[str, str] = {}
    by_class: dict[str, str] = {}
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        classes[name] = class_name(schema.get("x-name", name))
        # The dictionaries of Thing are called ThingParam.
        if name.endswith("Param") and name.removesuffix("Param") in schemas:
            classes[name] = f"Model{classes[name]}"
        other = by_class.setdefault(classes[name], name)
        if other != name:
            reason = f"its class would be called {classes[name]}, like that of '{other}'"
            raise Refused([Problem(f"components.schemas.{name}", reason)])
        # Messages say where the fragment has it.
        schema["x-place"] = f"components.schemas.{name}"

    def renamed_reference(found: re.Match[str]) -> str:
        name = spec.component_name(found[1])
        return f'"{spec.REFERENCE}{classes.get(name, name)}"'

    # In references and mappings alike, each of which is a whole string.
    text = json.dumps(document, ensure_ascii=False)
    document = json.loads(re.sub(f'"{spec.REFERENCE}([^"]+)"', renamed_reference, text))
    schemas = document["components"]["schemas"]
    document["components"]["schemas"] = {classes[name]: schemas[name] for name in schemas}
    return document


# Components that are no class


def is_class(schema: Schema) -> bool:
    """Return whether a component becomes a class: an object, an enum of strings, or a union."""
    is_enum = "enum" in schema and schema.get("type") == "string"
    return "properties" in schema or is_enum or bool(members(schema))


def _copy_plain(document: dict[str, Any]) -> None:
    """Copy each component that is no class to where it is used, and remove it."""
    schemas: dict[str, Any] = document["components"]["schemas"]
    plain = {name for name, schema in schemas.items() if not is_class(schema)}

    def replaced(schema: Schema, within: tuple[str, ...]) -> Schema:
        name = component(schema)
        # Keywords beside the reference are about this use.
        beside = without(schema, "$ref", "allOf")
        if name in within:
            # A list of itself, however deep: what it holds may be any JSON.
            return {}
        if name in plain:
            return {**replaced(copy.deepcopy(schemas[name]), (*within, name)), **beside}
        if name and schemas[name].get("nullable"):
            # A class cannot be `null`; a field of the class can.
            return {**beside, "allOf": [reference(name)], "nullable": True}
        for holder, key, _path in children(schema):
            holder[key] = replaced(holder[key], within)
        return schema

    for holder, key, place in spec.roots(document):
        if holder is not schemas or key not in plain:
            holder[key] = replaced(holder[key], ())
        enum = schemas.get(component(holder[key]), {})
        # The enum of a parameter is only a list of texts.
        if "enum" in enum and re.search(r"parameters\[\d+\]\.schema$", place):
            holder[key] = without(enum, *spec.extensions(enum))
    for name in plain:
        del schemas[name]
    for schema in schemas.values():
        schema.pop("nullable", None)


def _cut_recursion(schema: Schema, schemas: dict[str, Any], above: tuple[str, ...]) -> None:
    """Let a union that contains itself, with no object between, hold any JSON there.

    A recursion needs a class: the name of a union stands for what it consists of.
    """
    name = component(schema)
    if name:
        schema, above = schemas[name], (*above, name)
        if not members(schema):
            return
        key = union_key(schema)
        schema[key] = [part for part in schema[key] if component(part) not in above]
    for holder, key, path in children(schema):
        # The class of an object ends a recursion.
        if path.startswith(".properties"):
            continue
        if component(holder[key]) in above:
            holder[key] = {}
        else:
            _cut_recursion(holder[key], schemas, above)


def _add_webhook_union(document: dict[str, Any]) -> None:
    """Make a union of what the service posts to webhooks, which gets a parser like other events."""
    schemas = document["components"]["schemas"]
    bodies, problems = {}, []
    for place, operation in spec.webhooks(document):
        content = operation.get("requestBody", {}).get("content", {})
        name = component(content.get("application/json", {}).get("schema", {}))
        if not name or not unions.constants(name, "type", schemas):
            problems.append(Problem(place, "its body is not a component with a constant `type`"))
        bodies[name] = reference(name)
    if problems:
        raise Refused(problems)
    if bodies:
        schemas["RealtimeWebhookEvent"] = {
            "description": "Any event that the service posts to a webhook.",
            "x-events": "webhook",
            "anyOf": list(bodies.values()),
            "discriminator": {"propertyName": "type"},
        }


# Parts


class _Naming:
    """Makes components of objects and unions within schemas, bodies and answers."""

    def __init__(self, schemas: dict[str, Any]) -> None:
        self.schemas = schemas
        # Inline schemas that have a name already, by what they say.
        self.named: dict[str, str] = {}

    def name_bodies(self, place: str, operation: dict[str, Any]) -> None:
        base = names.class_name(operation.get("operationId", place))
        for media in operation.get("requestBody", {}).get("content", {}).values():
            where = f"{place} requestBody"
            media["schema"] = self._used(media.get("schema", {}), f"{base}Request", where)
        for status, response in operation.get("responses", {}).items():
            name = f"{base}{status.title()}Response"
            for media in response.get("content", {}).values():
                schema = media.get("schema", {})
                media["schema"] = self._used(schema, name, f"{place} {status}", has_enum=False)

    def name_parts(self, name: str) -> None:
        schema = self.schemas[name]
        place = place_of(f"components.schemas.{name}", self.schemas)
        enums: set[str] = set()
        for field, child in schema.get("properties", {}).items():
            part = name + names.class_name(f"_{field}")
            where = f"{place}.properties.{field}"
            # An enum becomes a component where it would hide another enum, or a class.
            enum = names.enum_name(field)
            has_enum = enum not in enums and enum not in self.schemas
            used = self._used(child, part, where, has_enum=has_enum)
            schema["properties"][field] = used
            if is_class(innermost(used)):
                enums.add(enum)
        if not members(schema):
            return
        key = union_key(schema)
        text = schema.get("description", "")
        has_enum = any("enum" in member for member in schema[key])
        for index, member in enumerate(schema[key]):
            part = f"{name}{key[0].upper()}{key[1:]}{index or ''}"
            where = f"{place}.{key}[{index}]"
            # The enum of a union is written beside its alias.
            if "enum" not in member:
                used = self._used(member, part, where, text, has_enum=not has_enum)
                if component(used):
                    used = reference(component(used))
                schema[key][index] = used

    def _used(
        self, schema: Any, name: str, place: str, text: str | None = None, *, has_enum: bool = True
    ) -> Any:
        """Return a schema as it is used: a reference where it became a component.

        `text` describes a part of a list, a map or a union, whose `title` is the name of a class
        and not of a field; `has_enum` says that an enum has its class here.
        """
        if component(schema):
            return schema
        description = schema.get("description", text or "")
        if is_class(schema) and not ("enum" in schema and has_enum):
            title = class_name(schema.get("title", ""))
            # A title of two different schemas names the first of them.
            is_first = title not in self.schemas or self.named.get(_content(schema)) == title
            if text is not None and re.fullmatch(names.CLASS_NAME, title) and is_first:
                name = title
            name = class_name(schema.get("x-name", name))
            return self._component(schema, name, place, description)
        for key, suffix in (("items", "Inner"), ("additionalProperties", "Value")):
            if key in schema:
                part, where = f"{name}{suffix}", f"{place}.{key}"
                is_enum = has_enum and key == "items"
                schema[key] = self._used(schema[key], part, where, description, has_enum=is_enum)
        return schema

    def _component(self, schema: Schema, name: str, place: str, text: str) -> Schema:
        content = _content(schema)
        if content in self.named:
            name = self.named[content]
        else:
            # Whatever the case: files are called after classes.
            taken = set(map(str.lower, self.schemas))
            wanted, number = name, 0
            while name.lower() in taken:
                number += 1
                name = f"{wanted}{number}"
            self.named[content] = name
            kept = {**without(schema, *OF_USE), "x-place": place}
            if text:
                kept = {"description": text, **kept}
            # It stands there before its parts, which may not take its name.
            self.schemas[name] = kept
            self.name_parts(name)
        use = only(schema, [key for key in schema if key in OF_USE or key == "description"])
        if use:
            return {"allOf": [reference(name)], **use}
        return reference(name)


def _content(schema: Schema) -> str:
    """Return what a schema says, whatever it is called and wherever it is used."""
    return json.dumps(without(schema, *OF_USE, "title", "x-name", "x-place"), sort_keys=True)
