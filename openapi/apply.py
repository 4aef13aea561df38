"""Write what a fragment lacks into it, with descriptions that a person has to write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from differences import LIMITS, PROSE, Document, Row
from spec import REFERENCE, members

# `generate` refuses it, and names the place.
MISSING = "TODO"


def apply(fragment: Path, rows: list[Row], source: dict[str, Any]) -> Iterator[str]:
    """Write the facts of `rows`, which come from the simplified document `source`.

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
    writer = _Writer(document["components"]["schemas"], Document(source))
    for row in rows:
        for owner, path in ((row.owner, row.path), *(_split(place) for place in row.also)):
            try:
                done = writer.write(row, owner, path)
            except (KeyError, StopIteration, TypeError):
                done = False
            place = ".".join([owner, *path])
            yield f"{'written' if done else 'by hand'}: {row.sign} {place}: {row.fact}"
    with fragment.open("w", encoding="utf-8") as file:
        yaml.dump(document, file)


def _split(place: str) -> tuple[str, tuple[str, ...]]:
    owner, *path = place.split(".")
    return owner, tuple(path)


class _Writer:
    def __init__(self, schemas: CommentedMap, source: Document) -> None:
        self.schemas = schemas
        self.source = source

    def write(self, row: Row, owner: str, path: tuple[str, ...]) -> bool:
        """Write one fact; returns whether it could be."""
        if row.sign == "+" and row.fact in ("field", "required field"):
            parent = _holder(self._node(owner, path[:-1]), "properties")
            parent["properties"][path[-1]] = self._converted(row.theirs, owner, path[-1])
            if row.fact == "required field":
                parent.setdefault("required", CommentedSeq()).append(path[-1])
        elif row.sign == "+" and row.fact == "value":
            _holder(self._node(owner, path), "enum")["enum"].append(row.theirs)
        elif row.sign == "+" and row.fact == "member":
            return self._add_member(self._node(owner, path), str(row.theirs))
        elif row.sign == "~" and row.fact == "is":
            parent = _holder(self._node(owner, path[:-1]), "properties")
            required = parent.setdefault("required", CommentedSeq())
            (required.append if row.theirs == "required" else required.remove)(path[-1])
        elif row.sign == "~" and row.fact in {*LIMITS, "nullable"}:
            node = self._node(owner, path)
            if row.theirs is None or row.theirs is False:
                del node[row.fact]
            else:
                node[row.fact] = row.theirs
        elif row.sign == "~" and row.fact == "type" and len(row.theirs) == 1:
            node = self._node(owner, path)
            if not isinstance(node.get("type"), str) or {"properties", "items"} & set(node):
                return False
            node["type"] = row.theirs[0]
        else:
            return False
        return True

    def _node(self, owner: str, path: tuple[str, ...]) -> CommentedMap:
        node = self.schemas[owner]
        keys = {"[]": "items", "{}": "additionalProperties"}
        for part in path:
            key = keys.get(part, "properties")
            node = _holder(node, key)[key]
            node = node if part in keys else node[part]
        return node

    def _add_member(self, union: CommentedMap, name: str) -> bool:
        key = "anyOf" if "anyOf" in union else "oneOf"
        reference = {"$ref": REFERENCE + name}
        schema = self.source.schemas[name]
        discriminator = union.get("discriminator", {})
        tag = schema.get("properties", {}).get(discriminator.get("propertyName"), {})
        if name not in self.schemas:
            self._converted(reference, "", name)
        union[key].append(CommentedMap(reference))
        for value in tag.get("enum", []):
            discriminator["mapping"][value] = REFERENCE + name
        return True

    def _converted(self, schema: dict[str, Any], owner: str, field: str) -> CommentedMap:
        """A schema for the fragment: objects and unions are components, all text is missing."""
        name, target = self.source.target(schema)
        if "properties" in target or len(members(target)) > 1:
            if name is None or not re.fullmatch("[A-Z][A-Za-z0-9]*", name):
                words = re.split(r"[\W_]+", field)
                name = owner + "".join(word[:1].upper() + word[1:] for word in words)
            if name not in self.schemas:
                self.schemas[name] = CommentedMap()
                self.schemas[name].update(self._component(target, name))
            result = CommentedMap({"$ref": REFERENCE + name})
            return CommentedMap(description=MISSING, **result) if owner else result
        result = CommentedMap(description=MISSING)
        for key, value in target.items():
            if key == "items":
                inner = self._converted(value, owner, field)
                inner.pop("description", None)
                result["items"] = inner
            elif key not in PROSE and not key.startswith("x-"):
                result[key] = value
        if schema.get("nullable"):
            result["nullable"] = True
        return result

    def _component(self, schema: dict[str, Any], name: str) -> CommentedMap:
        result = CommentedMap(description=MISSING)
        for key, value in schema.items():
            if key == "properties":
                result[key] = CommentedMap(
                    {field: self._converted(each, name, field) for field, each in value.items()}
                )
            elif key in ("anyOf", "oneOf"):
                result[key] = CommentedSeq(
                    self._converted(each, name, str(number)) for number, each in enumerate(value)
                )
            elif key not in PROSE and not key.startswith("x-"):
                result[key] = value
        return result


def _holder(node: CommentedMap, key: str) -> CommentedMap:
    """The part of a schema that has a keyword: itself, or a member beside `null`."""
    if key in node:
        return node
    parts = [*node.get("anyOf", []), *node.get("oneOf", []), *node.get("allOf", [])]
    return next(part for part in parts if key in part)
