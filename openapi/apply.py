"""Write what a fragment lacks into it, with descriptions that a person has to write."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from differences import LIMITS, PROSE, TAGS, Document, Row
from spec import REFERENCE, members

# `generate` refuses it, and names the place.
MISSING = "TODO"


def apply(fragment: Path, rows: Iterable[Row], source: Document) -> Iterator[str]:
    """Write the facts of `rows`, which come from `source`.

    Yields a line for each: what was written, or what a person has to do.
    """
    # So that what is not touched stays byte for byte.
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = fragment.read_text("utf-8")
    yaml.width = max(map(len, text.splitlines())) - 1
    document = yaml.load(text)
    writer = _Writer(document["components"]["schemas"], source)
    for row in rows:
        for place in (row.place, *row.also):
            is_written = writer.write(row, *place.split("."))
            yield f"{'written' if is_written else 'by hand'}: {row.sign} {place}: {row.fact}"
    with fragment.open("w", encoding="utf-8") as file:
        yaml.dump(document, file)


class _Writer:
    def __init__(self, schemas: CommentedMap, source: Document) -> None:
        self.schemas = schemas
        self.source = source

    def write(self, row: Row, owner: str, *path: str) -> bool:
        """Write one fact; return whether it could be."""
        before = set(self.schemas)
        try:
            is_written = self._write(row, owner, path)
        except (KeyError, StopIteration, TypeError):
            is_written = False
        if not is_written:
            # Components made on the way would be left without a use.
            for name in set(self.schemas) - before:
                del self.schemas[name]
        return is_written

    def _write(self, row: Row, owner: str, path: tuple[str, ...]) -> bool:
        if row.sign == "+" and row.fact in ("field", "required field"):
            parent = _holder(self._node(owner, path[:-1]), "properties")
            hint = owner + "".join(_title(part) for part in path if part not in ("[]", "{}"))
            parent["properties"][path[-1]] = self._described(row.theirs, hint)
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
        member = {"$ref": REFERENCE + name}
        # Without a schema in the source there is nothing to refer to.
        list_of_members = union["oneOf" if "oneOf" in union else "anyOf"]
        if name not in self.source.schemas:
            raise KeyError(name)
        written = self._converted(member, name)
        list_of_members.append(written)
        discriminator = union.get("discriminator")
        if discriminator:
            mapping = discriminator.setdefault("mapping", CommentedMap())
            for value in self._constants(member, discriminator["propertyName"]):
                mapping[value] = written["$ref"]

    # Schemas of the source, for the fragment

    def _described(self, schema: dict[str, Any], hint: str) -> CommentedMap:
        return CommentedMap({"description": MISSING, **self._converted(schema, hint)})

    def _converted(self, schema: dict[str, Any], hint: str) -> CommentedMap:
        """Return a schema without prose, whose references lead to components of the fragment.

        Objects and unions become components: called as in the source, or else by `hint`.
        """
        found, target = self.source.target(schema)
        # The fragment has it, perhaps with corrections.
        if found in self.schemas:
            result = CommentedMap({"$ref": REFERENCE + found})
        elif "properties" in target or len(members(target)) > 1:
            name = found if found and re.fullmatch("[A-Z][A-Za-z0-9]*", found) else hint
            if name not in self.schemas:
                self.schemas[name] = CommentedMap()  # It may lead to itself.
                self.schemas[name].update(self._component(target, name))
            result = CommentedMap({"$ref": REFERENCE + name})
        else:
            result = self._plain(target, hint)
        if schema.get("nullable"):
            result["nullable"] = True
        return result

    def _plain(self, schema: dict[str, Any], hint: str) -> CommentedMap:
        result = CommentedMap()
        for key, value in schema.items():
            if key in ("items", "additionalProperties") and isinstance(value, dict):
                result[key] = self._converted(value, hint)
            elif key not in PROSE and not key.startswith("x-"):
                # YAML would refer to what stands at two places.
                result[key] = copy.deepcopy(value)
        return result

    def _component(self, schema: dict[str, Any], name: str) -> CommentedMap:
        properties, union = schema.get("properties", {}), members(schema)
        rest = {key: value for key, value in schema.items() if key not in _NESTED}
        result = CommentedMap({"description": MISSING, **self._plain(rest, name)})
        if properties:
            result["properties"] = CommentedMap()
            for field, child in properties.items():
                result["properties"][field] = self._described(child, name + _title(field))
        if union:
            written = [self._converted(each, name + str(n)) for n, each in enumerate(union, 1)]
            result["oneOf" if "oneOf" in schema else "anyOf"] = CommentedSeq(written)
            discriminator = self._discriminator(schema, written)
            if discriminator:
                result["discriminator"] = discriminator
        return result

    def _discriminator(
        self, schema: dict[str, Any], written: list[CommentedMap]
    ) -> CommentedMap | None:
        """Return the discriminator that the source states, or that follows from constants."""
        stated = schema.get("discriminator", {}).get("propertyName")
        if not stated and sum("$ref" in reference for reference in written) < 2:
            return None
        for name in [stated] if stated else TAGS:
            mapping = CommentedMap()
            values = []
            for member, reference in zip(members(schema), written, strict=True):
                if "$ref" in reference:
                    constants = self._constants(member, name)
                    values += constants or [None]
                    mapping |= dict.fromkeys(constants, reference["$ref"])
            # Each member has a constant, and no two have the same.
            if mapping and len(mapping) == len(values):
                return CommentedMap(propertyName=name, mapping=mapping)
        return None

    def _constants(self, schema: dict[str, Any], field: str) -> list[Any]:
        """Return the constants of a field in an object, or in all members of a union."""
        _name, target = self.source.target(schema)
        if members(target):
            return [value for each in members(target) for value in self._constants(each, field)]
        _name, child = self.source.target(target.get("properties", {}).get(field, {}))
        return list(child.get("enum", []))


_NESTED = {"properties", "anyOf", "oneOf", "discriminator"}


def _title(field: str) -> str:
    """Return a field's name as part of a class's name."""
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[\W_]+", field))


def _holder(node: CommentedMap, key: str) -> Any:
    """Return the part of a schema that has a keyword: itself, or a member beside `null`."""
    if key in node:
        return node
    parts = [*node.get("anyOf", []), *node.get("oneOf", []), *node.get("allOf", [])]
    return next(part for part in parts if key in part)
