"""What differs between two OpenAPI documents: structure, with references followed on both sides."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from spec import REFERENCE, members, operations

Schema = dict[str, Any]

LIMITS = {
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "pattern"),
    *("minLength", "maxLength", "minItems", "maxItems", "default", "deprecated"),
}
PROSE = {"description", "title", "example", "examples"}
# What distinguishes the objects of a union, whether or not a discriminator says so.
TAGS = ("type", "role", "object")


@dataclass(frozen=True)
class Row:
    """One difference. What both lack or have alike in several copies of a schema is one row.

    `sign` is `+` for what only the other document has, `-` for what only this one has, and `~` for
    what both have and describe differently.
    """

    sign: str
    owner: str
    path: tuple[str, ...]
    fact: str
    ours: Any = None
    theirs: Any = None
    also: tuple[str, ...] = ()
    # What it is in, to find copies of one schema.
    around: Any = None

    @property
    def place(self) -> str:
        """The schema and the field, as in `RealtimeSession.audio.input`."""
        return ".".join([self.owner, *self.path])

    def __str__(self) -> str:
        one = self.theirs if self.sign == "+" else self.ours
        both = f"{shown(self.ours)} → {shown(self.theirs)}"
        change = both if self.sign == "~" else "" if one is None else shown(one)
        text = f"{self.sign} {self.place}: {self.fact} {change}".rstrip()
        return f"{text} (and in {', '.join(self.also)})" if self.also else text


def shown(value: Any) -> str:
    """A value in a report: a schema by its type or name, a list with commas."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nothing"
    if isinstance(value, dict):
        name = value.get("$ref", "").removeprefix(REFERENCE) or value.get("type") or "any"
        return f"({name})"
    return "none" if value is None else str(value)


@dataclass
class Shape:
    """What a schema accepts, whatever the way in which that is said."""

    kinds: set[str] = field(default_factory=set)
    values: list[Any] = field(default_factory=list)
    nullable: bool = False
    limits: dict[str, Any] = field(default_factory=dict)
    objects: dict[tuple[str, ...], tuple[str | None, Schema]] = field(default_factory=dict)
    items: Schema | None = None
    entries: Schema | None = None


class Document:
    """A simplified document in which schemas can be looked up.

    Args:
        document: The document.
        is_lossy: It was made from Python types, which have neither limits nor defaults.
    """

    def __init__(self, document: dict[str, Any], *, is_lossy: bool = False) -> None:
        self.document = document
        self.schemas: dict[str, Schema] = document["components"]["schemas"]
        self.is_lossy = is_lossy

    def target(self, schema: Schema) -> tuple[str | None, Schema]:
        """The schema that is referred to, with its name."""
        name = None
        while True:
            reference = schema.get("$ref") or (
                schema["allOf"][0].get("$ref") if len(schema.get("allOf", [])) == 1 else None
            )
            if not reference or reference.removeprefix(REFERENCE) not in self.schemas:
                return name, schema
            name = reference.removeprefix(REFERENCE)
            schema = self.schemas[name]

    def shape(self, schema: Schema) -> Shape:
        shape = Shape(nullable=bool(schema.get("nullable")))
        self._add(schema, None, shape)
        # A string is any string, whether or not some are known.
        shape.values = sorted(set(shape.values), key=str)
        return shape

    def _add(self, schema: Schema, name: str | None, shape: Shape) -> None:
        found, target = self.target(schema)
        name = found or name
        shape.nullable |= bool(target.get("nullable"))
        for each in (target, schema):
            shape.limits |= {key: each[key] for key in LIMITS if key in each}
        if members(target):
            for member in members(target):
                self._add(member, None, shape)
        elif "enum" in target or "const" in target:
            shape.kinds.add(target.get("type", "string"))
            shape.values += target.get("enum", [target.get("const")])
        elif "properties" in target:
            shape.kinds.add("object")
            shape.objects[self._tag(target)] = (name, target)
        elif target.get("type") == "array":
            shape.kinds.add("array")
            shape.items = target.get("items", {})
        elif target.get("type") == "object":
            shape.kinds.add("map")
            entries = target.get("additionalProperties")
            shape.entries = entries if isinstance(entries, dict) and entries else None
        elif target.get("type") == "null":
            shape.nullable = True
        else:
            kinds = target.get("type", "any")
            shape.kinds.update([kinds] if isinstance(kinds, str) else kinds)

    def _tag(self, schema: Schema) -> tuple[str, ...]:
        tags = []
        for name in TAGS:
            _name, target = self.target(schema["properties"].get(name, {}))
            values = target.get("enum", [target["const"]] if "const" in target else [])
            tags.append(values[0] if len(values) == 1 else "")
        return tuple(map(str, tags))


class Comparison:
    """Collects the rows; `compare` begins with a pair of schemas."""

    def __init__(self, ours: Document, theirs: Document) -> None:
        self.ours = ours
        self.theirs = theirs
        self.is_lossy = ours.is_lossy or theirs.is_lossy
        self.rows: list[Row] = []
        self.prose: list[Row] = []
        self._seen: set[tuple[int, int]] = set()
        self._around: Schema = {}

    def compare(self, ours: Schema, theirs: Schema, owner: str, path: tuple[str, ...] = ()) -> None:
        our_name, our_target = self.ours.target(ours)
        their_name, their_target = self.theirs.target(theirs)
        a, b = self.ours.shape(ours), self.theirs.shape(theirs)
        self._compare_use(a, b, owner, path)
        self._compare_prose(ours, theirs, owner, path)
        # What became another thing did so where it is used, unless it still has its name.
        if not (our_name and their_name) and not self._have_one_type(a, b, owner, path):
            return
        if our_name:
            owner, path = our_name, ()
        pair = (id(our_target), id(their_target))
        if our_name or their_name:
            if pair in self._seen:
                return
            self._seen.add(pair)
            self._compare_prose(our_target, their_target, owner, path)
        self._around = our_target
        if not self._have_one_type(a, b, owner, path):
            return
        self._compare_values(a, b, owner, path)
        self._compare_objects(a, b, owner, path)
        for inner, (x, y) in {"[]": (a.items, b.items), "{}": (a.entries, b.entries)}.items():
            if x is not None and y is not None:
                self.compare(x, y, owner, (*path, inner))
            elif x != y and inner == "{}" and a.kinds == b.kinds and not self.is_lossy:
                self._add("~", owner, path, "type of the values", x, y)

    def _add(
        self, sign: str, owner: str, path: tuple[str, ...], fact: str, ours: Any, theirs: Any
    ) -> None:
        self.rows.append(Row(sign, owner, path, fact, ours, theirs, around=self._around))

    def _compare_use(self, a: Shape, b: Shape, owner: str, path: tuple[str, ...]) -> None:
        """What may differ from one use of a schema to another."""
        if self.is_lossy:
            return
        if a.nullable != b.nullable:
            self._add("~", owner, path, "nullable", a.nullable, b.nullable)
        for key in sorted(LIMITS):
            if a.limits.get(key) != b.limits.get(key):
                self._add("~", owner, path, key, a.limits.get(key), b.limits.get(key))

    def _compare_prose(self, ours: Schema, theirs: Schema, owner: str, path: Any) -> None:
        a, b = (" ".join(each.get("description", "").split()) for each in (ours, theirs))
        if b and a != b:
            self.prose.append(Row("~", owner, path, "description", a, b))

    def _have_one_type(self, a: Shape, b: Shape, owner: str, path: tuple[str, ...]) -> bool:
        kinds_a, kinds_b = ({"object" if k == "map" else k for k in each.kinds} for each in (a, b))
        if self.is_lossy:  # In Python, an integer is a number, and `object` is any JSON.
            if "any" in kinds_a | kinds_b:
                return True
            kinds_a, kinds_b = (
                {"number" if k == "integer" else k for k in each} for each in (kinds_a, kinds_b)
            )
        if kinds_a != kinds_b:
            self._add("~", owner, path, "type", sorted(kinds_a), sorted(kinds_b))
        return kinds_a == kinds_b

    def _compare_values(self, a: Shape, b: Shape, owner: str, path: tuple[str, ...]) -> None:
        for value in b.values:
            if value not in a.values and not (self.is_lossy and not a.values):
                self._add("+", owner, path, "value", None, value)
        for value in a.values:
            if value not in b.values and not (self.is_lossy and not b.values):
                self._add("-", owner, path, "value", value, None)

    def _compare_objects(self, a: Shape, b: Shape, owner: str, path: tuple[str, ...]) -> None:
        ours, theirs = a.objects, b.objects
        if len(ours) == len(theirs) == 1:
            ours = {(): next(iter(ours.values()))}
            theirs = {(): next(iter(theirs.values()))}
        pairs = dict(_matched(ours, theirs))
        for tag, (name, _schema) in theirs.items():
            if tag not in pairs.values():
                self._add("+", owner, path, "member", None, name or _label(tag))
        for tag, (name, schema) in ours.items():
            if tag not in pairs:
                self._add("-", owner, path, "member", name or _label(tag), None)
                continue
            _their_name, other = theirs[pairs[tag]]
            pair = (id(schema), id(other))
            if name and pair in self._seen and (name != owner or path):
                continue
            self._seen.add(pair)
            place = (name, ()) if name else (owner, path)
            self._compare_fields(schema, other, *place)

    def _compare_fields(
        self, ours: Schema, theirs: Schema, owner: str, path: tuple[str, ...]
    ) -> None:
        for name in [each for each in theirs["properties"] if each not in ours["properties"]]:
            is_required = name in theirs.get("required", [])
            fact = "required field" if is_required else "field"
            self._around = ours
            self._add("+", owner, (*path, name), fact, None, theirs["properties"][name])
        for name, schema in ours["properties"].items():
            self._around = ours
            if name not in theirs["properties"]:
                self._add("-", owner, (*path, name), "field", schema, None)
                continue
            a, b = (name in each.get("required", []) for each in (ours, theirs))
            if a != b:
                words = ("optional", "required")
                self._add("~", owner, (*path, name), "is", words[a], words[b])
            self.compare(schema, theirs["properties"][name], owner, (*path, name))


def _matched(ours: dict[Any, Any], theirs: dict[Any, Any]) -> Iterator[tuple[Any, Any]]:
    """The objects of two unions that are the same: by all tags, or else by those that both have."""
    left = [tag for tag in theirs if tag not in ours]
    for tag in ours:
        if tag in theirs:
            yield tag, tag
            continue
        alike = [
            other
            for other in left
            if any(x and x == y for x, y in zip(tag, other, strict=False))
            and not any(x and y and x != y for x, y in zip(tag, other, strict=False))
        ]
        if len(alike) == 1:
            left.remove(alike[0])
            yield tag, alike[0]


def _label(tag: tuple[str, ...]) -> str:
    return " ".join(filter(None, tag)) or "object"


def documents(ours: Document, theirs: Document) -> Comparison:
    """Compare whole documents: schemas of the same name and operations of the same path."""
    comparison = Comparison(ours, theirs)
    for name, schema in ours.schemas.items():
        if name in theirs.schemas:
            comparison.compare({"$ref": REFERENCE + name}, {"$ref": REFERENCE + name}, name)
        elif _is_used_alone(name, ours):
            comparison.rows.append(Row("-", name, (), "schema", schema))
    _compare_operations(comparison, ours, theirs)
    return comparison


def _is_used_alone(name: str, document: Document) -> bool:
    """Whether no other schema leads to one: the row would otherwise be a second one for a fact."""
    text = json.dumps(document.document)
    return text.count(f'"{REFERENCE}{name}"') == 0


def _compare_operations(comparison: Comparison, ours: Document, theirs: Document) -> None:
    a, b = (dict(operations(each.document)) for each in (ours, theirs))
    roots = {place.split(" ")[1].split("/")[1] for place in a}
    for place in b.keys() - a.keys():
        if place.split(" ")[1].split("/")[1] in roots:
            comparison.rows.append(Row("+", place, (), "operation"))
    for place, operation in a.items():
        if place not in b:
            comparison.rows.append(Row("-", place, (), "operation"))
        elif not comparison.is_lossy:
            _compare_operation(comparison, place, operation, b[place])


def _compare_operation(comparison: Comparison, place: str, ours: Any, theirs: Any) -> None:
    a, b = (
        {(each["in"], each["name"]): each for each in operation.get("parameters", [])}
        for operation in (ours, theirs)
    )
    for where, name in b.keys() - a.keys():
        comparison.rows.append(Row("+", place, (name,), f"{where} parameter"))
    for key, parameter in a.items():
        if key not in b:
            comparison.rows.append(Row("-", place, (key[1],), f"{key[0]} parameter"))
            continue
        x, y = (bool(each.get("required")) for each in (parameter, b[key]))
        if x != y:
            words = ("optional", "required")
            comparison.rows.append(Row("~", place, (key[1],), "is", words[x], words[y]))
        comparison.compare(parameter.get("schema", {}), b[key].get("schema", {}), place, (key[1],))
    _compare_content(comparison, place, "body", ours.get("requestBody"), theirs.get("requestBody"))
    answers, others = ours.get("responses", {}), theirs.get("responses", {})
    for status in sorted({*answers, *others}):
        if status.startswith("2"):
            x, y = answers.get(status), others.get(status)
            if (x is None) != (y is None):
                sign = "+" if x is None else "-"
                comparison.rows.append(Row(sign, place, (status,), "answer"))
            else:
                _compare_content(comparison, place, status, x, y)


def _compare_content(comparison: Comparison, place: str, part: str, ours: Any, theirs: Any) -> None:
    a, b = ((each or {}).get("content", {}) for each in (ours, theirs))
    for kind in sorted({*a, *b}):
        if kind not in a or kind not in b:
            sign = "+" if kind not in a else "-"
            comparison.rows.append(Row(sign, place, (part,), f"media type {kind}"))
        else:
            schemas = (a[kind].get("schema", {}), b[kind].get("schema", {}))
            comparison.compare(*schemas, place, (part,))


def grouped(rows: Iterable[Row]) -> list[Row]:
    """One row for what is the same change of the same field in copies of a schema."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        parts = [structure(each) for each in (row.ours, row.theirs, row.around)]
        key = json.dumps([row.sign, row.path[-1:] or row.owner, row.fact, *parts])
        groups[key].append(row)
    result = []
    for group in groups.values():
        first, *others = sorted(group, key=lambda row: row.place)
        also = tuple(dict.fromkeys(row.place for row in others if row.place != first.place))
        result.append(Row(**{**vars(first), "also": also}))
    return sorted(result, key=lambda row: row.place)


def structure(value: Any) -> Any:
    """A schema without its prose."""
    if isinstance(value, dict):
        if [*value] == ["allOf"] and len(value["allOf"]) == 1:
            return structure(value["allOf"][0])
        kept = sorted(value.keys() - PROSE - {"additionalProperties"})
        return {key: structure(value[key]) for key in kept}
    return [structure(each) for each in value] if isinstance(value, list) else value
