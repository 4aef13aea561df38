"""Write `params.py`: what a client sends, as `TypedDict`s for type checkers."""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from typing import Any

from examples import literal
from spec import component, event_unions, mapped, members, operations, references

PYTHON_TYPES = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "object": "Mapping[str, Any]",
}
# What the annotations name. In a class that has a key of this name, they would mean the key.
NAMES = {"str", "int", "float", "bool", "list", "models"}


class Params:
    """The dictionaries of one protocol."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.schemas: dict[str, Any] = document["components"]["schemas"]
        self._always: dict[str, set[str]] = {}
        for schema in self.schemas.values():
            self._require_discriminator(schema)
        self._seen = set[str]()
        # A union stands after its members.
        self.sent: dict[str, None] = {}
        for name in self._roots(document):
            self._add(name)

    def source(self) -> str:
        """Return the Python source of all, empty if a client sends nothing."""
        classes, aliases = [], []
        for name in self.sent:
            if "properties" in self.schemas[name]:
                classes.append(self._class(name))
            else:
                aliases.append(self._alias(name))
        # An alias is evaluated where it stands, so the classes that it names come first.
        return "\n\n\n".join([*classes, *aliases])

    def _require_discriminator(self, schema: dict[str, Any]) -> None:
        """Note the key of members: a checker cannot tell them apart by one that may be missing."""
        for name in mapped(schema).values():
            self._always.setdefault(name, set()).add(schema["discriminator"]["propertyName"])

    def _roots(self, document: dict[str, Any]) -> Iterator[str]:
        for name, direction in event_unions(self.schemas).items():
            if direction == "client":
                yield name
        for _place, operation in operations(document):
            for argument in operation["x-arguments"]:
                yield from references(argument["schema"])

    def _add(self, name: str) -> None:
        schema = self.schemas[name]
        if name in self._seen:
            return
        self._seen.add(name)
        # A mapping repeats the members, and an example may have a key called `$ref`.
        for part in references({**schema, "discriminator": None, "example": None}):
            self._add(part)
        if "properties" in schema or members(schema):
            self.sent[name] = None

    def _class(self, name: str) -> str:
        schema = self.schemas[name]
        required = {*schema.get("required", []), *self._always.get(name, ())}
        keys = {}
        for key, child in schema["properties"].items():
            annotation = self._held(child, name)
            if key in required:
                annotation = f"Required[{annotation}]"
            keys[key] = annotation
        # A key such as `from` cannot be written as a field.
        if not all(map(_is_plain, keys)):
            return f'{name}Param = TypedDict("{name}Param", {literal(keys)}, total=False)'
        lines = [f"class {name}Param(TypedDict, total=False):", f"    {schema['x-docstring']}"]
        for key, annotation in keys.items():
            text = schema["properties"][key]["x-docstring"]
            lines += ["", f"    {key}: {annotation}", f"    {text}"]
        return "\n".join(lines)

    def _alias(self, name: str) -> str:
        schema = self.schemas[name]
        types = " | ".join(self._type(member, name) for member in members(schema))
        return f"{name}Param: TypeAlias = {types}\n{schema['x-docstring']}"

    def _type(self, schema: dict[str, Any], owner: str) -> str:
        """Return the type of a value. `owner` is the class whose field it is, or the union."""
        name = component(schema)
        if name in self.sent:
            return f"{name}Param"
        if name:
            return self._type(self.schemas[name], name)
        if "items" in schema:
            item = self._held(schema["items"], owner)
            # A `str` is a sequence of strings, too.
            if item.startswith("str"):
                return f"list[{item}]"
            return f"Sequence[{item}]"
        if "x-enum-varnames" in schema:
            return self._enum(schema, owner)
        if isinstance(schema.get("additionalProperties"), dict):
            return f"Mapping[str, {self._held(schema['additionalProperties'], owner)}]"
        return PYTHON_TYPES.get(schema.get("type", ""), "Any")

    def _held(self, schema: dict[str, Any], owner: str) -> str:
        """Return the type of what a field, a list or a map holds, which may be `null`."""
        held = self._type(schema, owner)
        if schema.get("nullable"):
            return f"{held} | None"
        return held

    def _enum(self, schema: dict[str, Any], owner: str) -> str:
        values = f"Literal[{', '.join(map(literal, schema['enum']))}]"
        if "x-constant" in schema:
            return values
        if "x-enum-name" in schema:
            return f"{values} | models.{owner}.{schema['x-enum-name']}"
        # The enum of a union is a class beside it, that of a component is the component.
        if members(self.schemas[owner]):
            owner += "Enum"
        return f"{values} | models.{owner}"


def _is_plain(key: str) -> bool:
    """Return whether a key can be written as a field of a class."""
    is_name = key.isidentifier() and not keyword.iskeyword(key)
    return is_name and not key.startswith("__") and key not in NAMES
