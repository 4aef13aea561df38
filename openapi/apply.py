"""Write what a fragment lacks into it, with descriptions that a person has to write."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from components import class_name
from differences import LIMITS, PROSE, Document, Row
from spec import component, reference, union_key

# `generate` refuses it, and names the place.
MISSING = "TODO"


def apply(fragment: Path, rows: Iterable[Row], source: Document) -> Iterator[str]:
    """Write the facts of `rows`, which come from `source`.

    Yields a line for each: what was written, or what a person has to do.
    """
    # So that what is not touched stays byte for byte.
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = fragment.read_text("utf-8")
    yaml.width = max(map(len, text.splitlines())) - 1
    document = yaml.load(text)
    writer = _Writer(document["components"]["schemas"], source)
    for row in rows:
        for place in (row.place, *row.also):
            outcome = "by hand"
            if writer.write(row, *place.split(".")):
                outcome = "written"
            yield f"{outcome}: {row.sign} {place}: {row.fact}"
    with fragment.open("w", encoding="utf-8") as file:
        yaml.dump(document, file)


class _Writer:
    def __init__(self, schemas: CommentedMap, source: Document) -> None:
        self.schemas = schemas
        self.source = source

    def write(self, row: Row, owner: str, *path: str) -> bool:
        """Write one fact; return whether it could be."""
        try:
            return self._write(row, owner, path)
        # The fragment has no such place, or says something else there.
        except (KeyError, StopIteration, TypeError):
            return False

    def _write(self, row: Row, owner: str, path: tuple[str, ...]) -> bool:
        if row.sign == "+" and row.fact in ("field", "required field"):
            parent = _holder(self._node(owner, path[:-1]), "properties")
            parent["properties"][path[-1]] = self._copied(row.theirs)
            if row.fact == "required field":
                parent.setdefault("required", CommentedSeq()).append(path[-1])
        elif row.sign == "+" and row.fact == "value":
            _holder(self._node(owner, path), "enum")["enum"].append(row.theirs)
        elif row.sign == "+" and row.fact == "member":
            self._add_member(self._node(owner, path), str(row.theirs))
        elif row.sign == "~" and row.fact == "is":
            parent = _holder(self._node(owner, path[:-1]), "properties")
            required = parent.setdefault("required", CommentedSeq())
            if row.theirs == "required":
                required.append(path[-1])
            else:
                required.remove(path[-1])
        elif row.sign == "~" and row.fact in {*LIMITS, "nullable"}:
            node = self._node(owner, path)
            if row.theirs is None or row.theirs is False:
                del node[row.fact]
            else:
                node[row.fact] = row.theirs
        elif row.sign == "~" and row.fact == "type" and len(row.theirs) == 1:
            node = self._node(owner, path)
            # What the keywords of the old type say would be wrong.
            if not isinstance(node.get("type"), str) or {"properties", "items"} & set(node):
                return False
            node["type"] = row.theirs[0]
        else:
            return False
        return True

    def _node(self, owner: str, path: tuple[str, ...]) -> CommentedMap:
        """Return the schema at a place of the fragment."""
        node = self.schemas[owner]
        keys = {"[]": "items", "{}": "additionalProperties"}
        for part in path:
            key = keys.get(part, "properties")
            node = _holder(node, key)[key]
            if part not in keys:
                node = node[part]
        return node

    def _add_member(self, union: CommentedMap, name: str) -> None:
        """Add a component to a union, and its constants to the mapping."""
        members = union[union_key(union)]
        # Without a schema in the source there is nothing to refer to.
        member = reference(self._component_name(name, self.source.schemas[name]))
        members.append(CommentedMap(member))
        discriminator = union.get("discriminator")
        if discriminator:
            mapping = discriminator.setdefault("mapping", CommentedMap())
            for value in self._constants(reference(name), discriminator["propertyName"]):
                mapping[value] = member["$ref"]

    def _constants(self, schema: dict[str, Any], field: str) -> list[Any]:
        """Return the constants of a field in an object, or in all members of a union."""
        constants = []
        for _name, target in self.source.shape(schema).objects.values():
            constants += self.source.shape(target["properties"].get(field, {})).values
        return constants

    # Schemas of the source, for the fragment

    def _copied(self, schema: dict[str, Any], *, is_described: bool = True) -> CommentedMap:
        """Return a schema without prose, whose references lead to components of the fragment.

        Objects and unions in it stay where they are, and unions have no discriminator:
        `make generate` names the one and infers the other.
        """
        result = CommentedMap()
        if is_described:
            result["description"] = MISSING
        name = component(schema)
        if name:
            result.update(reference(self._component_name(name, self.source.schemas[name])))
        for key, value in schema.items():
            if key == "properties":
                result[key] = CommentedMap()
                for field, child in value.items():
                    result[key][field] = self._copied(child)
            elif key in ("oneOf", "anyOf"):
                result[key] = CommentedSeq()
                for member in value:
                    result[key].append(self._copied(member, is_described=False))
            elif key in ("items", "additionalProperties") and isinstance(value, dict):
                result[key] = self._copied(value, is_described=False)
            elif key not in _LEFT_OUT and not key.startswith("x-"):
                # YAML would refer to what stands at two places.
                result[key] = copy.deepcopy(value)
        return result

    def _component_name(self, name: str, schema: dict[str, Any]) -> str:
        """Return what a component of the source is called in the fragment, which gets it."""
        if name not in self.schemas:
            name = class_name(name)
        # The fragment may have it, perhaps with corrections.
        if name not in self.schemas:
            self.schemas[name] = CommentedMap()  # It may lead to itself.
            self.schemas[name].update(self._copied(schema))
        return name


_LEFT_OUT = {*PROSE, "$ref", "allOf", "discriminator"}


def _holder(node: CommentedMap, key: str) -> Any:
    """Return the part of a schema that has a keyword: itself, or a member beside `null`."""
    if key in node:
        return node
    parts = [*node.get("anyOf", []), *node.get("oneOf", []), *node.get("allOf", [])]
    return next(part for part in parts if key in part)
