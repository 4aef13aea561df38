"""Write `params.py`: what a client sends, as `TypedDict`s for type checkers."""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from typing import Any

from examples import literal
from spec import REFERENCE, component, event_unions, members, operations, references

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
        """The Python source of all, empty if a client sends nothing."""
        models = [name for name in self.sent if "properties" in self.schemas[name]]
        unions = [name for name in self.sent if name not in models]
        return "\n\n\n".join([*map(self._class, models), *map(self._alias, unions)])

    def _require_discriminator(self, schema: dict[str, Any]) -> None:
        """A checker cannot tell members of a union apart by a key that may be missing."""
        discriminator = schema.get("discriminator", {})
        for reference in discriminator.get("mapping", {}).values():
            name = reference.removeprefix(REFERENCE)
            self._always.setdefault(name, set()).add(discriminator["propertyName"])

    def _roots(self, document: dict[str, Any]) -> Iterator[str]:
        yield from (n for n, side in event_unions(self.schemas).items() if side == "client")
        for _place, operation in operations(document):
            for argument in operation["x-arguments"]:
                yield from references(argument["schema"])

    def _add(self, name: str) -> None:
        schema = self.schemas[name]
        if name in self._seen:
            return
        self._seen.add(name)
        for each in references({**schema, "discriminator": None, "example": None}):
            self._add(each)
        if "properties" in schema or members(schema):
            self.sent[name] = None

    def _class(self, name: str) -> str:
        schema = self.schemas[name]
        required = {*schema.get("required", []), *self._always.get(name, ())}
        keys = {}
        for key, child in schema["properties"].items():
            kind = self._type(child, name)
            kind += " | None" if child.get("nullable") else ""
            keys[key] = f"Required[{kind}]" if key in required else kind
        if not all(map(_is_plain, keys)):
            pairs = ", ".join(f"{literal(key)}: {literal(kind)}" for key, kind in keys.items())
            return f'{name}Param = TypedDict("{name}Param", {{{pairs}}}, total=False)'
        lines = [f"class {name}Param(TypedDict, total=False):", f"    {schema['x-docstring']}"]
        for key, kind in keys.items():
            lines += ["", f"    {key}: {kind}", f"    {schema['properties'][key]['x-docstring']}"]
        return "\n".join(lines)

    def _alias(self, name: str) -> str:
        schema = self.schemas[name]
        kinds = " | ".join(self._type(each, name) for each in members(schema))
        return f"{name}Param: TypeAlias = {kinds}\n{schema['x-docstring']}"

    def _type(self, schema: dict[str, Any], owner: str) -> str:
        """The type of a value. `owner` is the class whose field it is, or the union."""
        name = component(schema)
        if name in self.sent:
            return f"{name}Param"
        if name:
            return self._type(self.schemas[name], name)
        if "items" in schema:
            item = self._held(schema["items"], owner)
            # A `str` is a sequence of strings, too.
            return f"list[{item}]" if item.startswith("str") else f"Sequence[{item}]"
        if "x-enum-varnames" in schema:
            return self._enum(schema, owner)
        if isinstance(schema.get("additionalProperties"), dict):
            return f"Mapping[str, {self._held(schema['additionalProperties'], owner)}]"
        return PYTHON_TYPES.get(schema.get("type", ""), "Any")

    def _held(self, schema: dict[str, Any], owner: str) -> str:
        """The type of what a list or a map holds, which may be `null`."""
        held = self._type(schema, owner)
        return f"{held} | None" if schema.get("nullable") else held

    def _enum(self, schema: dict[str, Any], owner: str) -> str:
        values = f"Literal[{', '.join(map(literal, schema['enum']))}]"
        if "x-constant" in schema:
            return values
        if "x-enum-name" in schema:
            return f"{values} | models.{owner}.{schema['x-enum-name']}"
        return f"{values} | models.{owner}{'Enum' if members(self.schemas[owner]) else ''}"


def _is_plain(key: str) -> bool:
    """Whether a key can be written as a field of a class."""
    is_name = key.isidentifier() and not keyword.iskeyword(key)
    return is_name and not key.startswith("__") and key not in NAMES
