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
from spec import children, component, reference, union_key

# `generate` refuses it, and names the place.
MISSING = "TODO"
LEFT_OUT = {*PROSE, "$ref", "allOf", "discriminator"}


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
        outcome = "by hand"
        try:
            if writer.write(row, *row.place.split(".")):
                outcome = "written"
        # The fragment has no such place, or says something else there.
        except (KeyError, StopIteration, TypeError, ValueError):
            pass
        yield f"{outcome}: {row.sign} {row.place}: {row.fact}"
    with fragment.open("w", encoding="utf-8") as file:
        yaml.dump(document, file)


class _Writer:
    def __init__(self, schemas: CommentedMap, source: Document) -> None:
        self.schemas = schemas
        self.source = source

    def write(self, row: Row, owner: str, *path: str) -> bool:
        """Write one fact; return whether there is a way to write it."""
        # A field is written into the object that has it.
        if row.fact in ("field", "required field", "is"):
            return row.sign != "-" and self._write_field(
                row, self._node(owner, path[:-1]), path[-1]
            )
        node = self._node(owner, path)
        if (row.sign, row.fact) == ("+", "value"):
            _holder(node, "enum")["enum"].append(row.theirs)
        elif (row.sign, row.fact) == ("+", "member"):
            self._add_member(node, row.theirs)
        elif row.fact in LIMITS:
            node[row.fact] = row.theirs
            if row.theirs is None or row.theirs is False:
                del node[row.fact]
        # What the keywords of the old type say would be wrong.
        elif row.fact == "type" and not {"properties", "items"} & node.keys():
            if not isinstance(node.get("type"), str):
                return False
            (node["type"],) = row.theirs
        else:
            return False
        return True

    def _write_field(self, row: Row, node: CommentedMap, name: str) -> bool:
        parent = _holder(node, "properties")
        if row.sign == "+":
            parent["properties"][name] = self._copied(row.theirs)
        if row.fact == "required field" or row.theirs == "required":
            parent.setdefault("required", CommentedSeq()).append(name)
        elif row.fact == "is":
            parent["required"].remove(name)
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
        # Without a schema in the source there is nothing to refer to.
        member = reference(self._component_name(name, self.source.schemas[name]))
        union[union_key(union)].append(CommentedMap(member))
        discriminator = union.get("discriminator")
        if discriminator:
            mapping = discriminator.setdefault("mapping", CommentedMap())
            for target in self.source.shape(reference(name)).objects:
                child = target.schema["properties"].get(discriminator["propertyName"], {})
                for value in self.source.shape(child).values:
                    mapping[value] = member["$ref"]

    def _copied(self, schema: dict[str, Any], *, is_described: bool = True) -> CommentedMap:
        """Return a schema of the source without prose, with components of the fragment.

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
            if key not in LEFT_OUT and not key.startswith("x-"):
                # YAML would refer to what stands at two places.
                result[key] = copy.deepcopy(value)
        for holder, key, place in children(result):
            if isinstance(holder[key], dict):
                is_field = place.startswith(".properties")
                holder[key] = self._copied(holder[key], is_described=is_field)
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


def _holder(node: CommentedMap, key: str) -> Any:
    """Return the part of a schema that has a keyword: itself, or a member beside `null`."""
    if key in node:
        return node
    parts = [*node.get("anyOf", []), *node.get("oneOf", []), *node.get("allOf", [])]
    return next(part for part in parts if key in part)
