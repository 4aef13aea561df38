"""Write `params.py`: what a client sends, as `TypedDict`s for type checkers."""

from __future__ import annotations

import keyword
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from python_types import GivenTypes, literal
from spec import event_unions, mapped, members, operations, references

# Names in annotations. In a class that has a key of this name, they would mean the key.
NAMES = {"str", "int", "float", "bool", "list", "models"}


class Params(GivenTypes):
    """The dictionaries of one protocol, and the types of their keys."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.schemas: dict[str, Any] = document["components"]["schemas"]
        # A checker cannot tell members of a union apart by a key that may be missing.
        self._always: dict[str, set[str]] = defaultdict(set)
        for schema in self.schemas.values():
            for name in mapped(schema).values():
                self._always[name].add(schema["discriminator"]["propertyName"])
        self._seen = set[str]()
        # The class whose keys are written, or the union.
        self._owner = ""
        # A union stands after its members.
        self.sent: dict[str, None] = {}
        for name in self._roots(document):
            self._add(name)

    def describe(self) -> dict[str, list[dict[str, Any]]]:
        """Return what the template prints: the classes, and the unions of them."""
        classes, unions = [], []
        for name in self.sent:
            schema, self._owner = self.schemas[name], name
            described = {"name": f"{name}Param", "docstring": schema["x-docstring"]}
            if members(schema):
                types = " | ".join(map(self.of, members(schema)))
                unions.append({**described, "type": types})
                continue
            keys = []
            for key, child in schema["properties"].items():
                annotation = self.held(child)
                if key in schema.get("required", []) or key in self._always[name]:
                    annotation = f"Required[{annotation}]"
                keys.append(
                    {"key": key, "annotation": annotation, "docstring": child["x-docstring"]}
                )
            # A key such as `from` cannot be written as a field.
            if not all(_is_plain(key["key"]) for key in keys):
                described["dictionary"] = literal({key["key"]: key["annotation"] for key in keys})
            classes.append({**described, "keys": keys})
        return {"classes": classes, "unions": unions}

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

    def of_class(self, name: str) -> str:
        if name in self.sent:
            return f"{name}Param"
        return f"{super().of_enum(self.schemas[name])} | models.{name}"

    def of_enum(self, schema: dict[str, Any]) -> str:
        values = super().of_enum(schema)
        if "x-constant" in schema:
            return values
        # The enum of a union is a class beside it.
        enum = f"{self._owner}Enum"
        if "x-enum-name" in schema:
            enum = f"{self._owner}.{schema['x-enum-name']}"
        return f"{values} | models.{enum}"


def _is_plain(key: str) -> bool:
    """Return whether a key can be written as a field of a class."""
    is_name = key.isidentifier() and not keyword.iskeyword(key)
    return is_name and not key.startswith("__") and key not in NAMES
