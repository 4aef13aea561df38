"""What differs between two OpenAPI documents: structure, with references followed on both sides."""

from __future__ import annotations

import json
import operator
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from spec import component, members, only, operations, reference, references, webhooks

Schema = dict[str, Any]
Tag = tuple[str, ...]
Objects = dict[Tag, tuple[str, Schema]]

LIMITS = {
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "pattern"),
    *("minLength", "maxLength", "minItems", "maxItems", "default", "deprecated"),
}
PROSE = {"description", "title", "example", "examples"}
# What distinguishes the objects of a union, whether or not a discriminator says so.
TAGS = ("type", "role", "object")


@dataclass(frozen=True)
class Row:
    """One difference. What differs alike in several copies of a schema is one row.

    `sign` is `+` for what only the other document has, `-` for what only this one has, and `~` for
    what both have and describe differently.
    """

    sign: str
    # The schema and the field, as in `RealtimeSession.audio.input`.
    place: str
    fact: str
    ours: Any = None
    theirs: Any = None
    also: tuple[str, ...] = ()
    # What it is in, to find copies of one schema.
    around: Any = None

    @property
    def value(self) -> Any:
        """Return what stands in the one document that has it; in both, what the other has."""
        if self.sign == "-":
            return self.ours
        return self.theirs

    @property
    def key(self) -> str:
        """Return what makes it the same difference in another comparison: what is there now."""
        value = structure(self.theirs)
        if self.fact in ("value", "member"):
            value = self.value
        return json.dumps([self.sign, self.place, self.fact, value])

    def __str__(self) -> str:
        change = ""
        if self.sign == "~":
            change = f"{described(self.ours)} → {described(self.theirs)}"
        elif self.value is not None:
            change = described(self.value)
        text = f"{self.sign} {self.place}: {self.fact} {change}".rstrip()
        if self.also:
            text += f" (and in {', '.join(self.also)})"
        return text


def described(value: Any) -> str:
    """Return a value for a report: a schema by its type or name, a list with commas."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nothing"
    if isinstance(value, dict):
        return f"({component(value) or value.get('type') or 'any'})"
    if value is None:
        return "none"
    return str(value)


@dataclass
class Shape:
    """What a schema accepts, whatever the way in which that is said."""

    types: set[str] = field(default_factory=set)
    values: list[Any] = field(default_factory=list)
    # The limits, and whether it is nullable.
    limits: dict[str, Any] = field(default_factory=dict)
    objects: Objects = field(default_factory=dict)
    # The schema of the items of a list (`[]`), and of the values of a map (`{}`).
    inner: dict[str, Schema] = field(default_factory=dict)


class Document:
    """A simplified document; one from Python types `is_lossy`: without limits and defaults."""

    def __init__(self, document: dict[str, Any], *, is_lossy: bool = False) -> None:
        self.document = document
        self.schemas: dict[str, Schema] = document["components"]["schemas"]
        self.is_lossy = is_lossy

    def target(self, schema: Schema) -> tuple[str, Schema]:
        """Return the schema that is referred to, with its name."""
        name = ""
        while component(schema) in self.schemas:
            name = component(schema)
            schema = self.schemas[name]
        return name, schema

    def shape(self, schema: Schema) -> Shape:
        """Return what a schema accepts."""
        shape = Shape(limits={"nullable": False})
        self._add(schema, shape)
        shape.values = sorted(set(shape.values), key=str)
        return shape

    def _add(self, schema: Schema, shape: Shape) -> None:
        name, target = self.target(schema)
        for source in (target, schema):
            # What stands beside a reference comes after what it refers to.
            shape.limits |= only(source, LIMITS)
            if source.get("nullable"):
                shape.limits["nullable"] = True
        schema_type = target.get("type", "any")
        if members(target):
            for member in members(target):
                self._add(member, shape)
        elif "enum" in target or "const" in target:
            # A string is any string, whether or not some are known.
            shape.types.add(target.get("type", "string"))
            shape.values += target.get("enum", [target.get("const")])
        elif "properties" in target:
            shape.types.add("object")
            shape.objects[self._tag(target)] = (name, target)
        elif schema_type == "array":
            shape.types.add("array")
            shape.inner["[]"] = target.get("items", {})
        elif schema_type == "object":
            shape.types.add("object")
            entries = target.get("additionalProperties")
            # `true` and `{}` say nothing of the values.
            if isinstance(entries, dict) and entries:
                shape.inner["{}"] = entries
        elif schema_type == "null":
            shape.limits["nullable"] = True
        elif isinstance(schema_type, list):
            shape.types.update(schema_type)
        else:
            shape.types.add(schema_type)

    def _tag(self, schema: Schema) -> Tag:
        """Return the constants that distinguish an object from others."""
        tags = []
        for name in TAGS:
            values = self.shape(schema["properties"].get(name, {})).values
            tag = ""
            if len(values) == 1:
                tag = str(values[0])
            tags.append(tag)
        return tuple(tags)


@dataclass(frozen=True)
class Part:
    """A field of an object, or what an operation takes or returns."""

    name: str
    fact: str
    schema: Schema = field(default_factory=dict)
    is_required: bool = False
    # What a row says of it if only one side has it.
    shown: Schema | None = None


class Comparison:
    """Collects the rows; `compare` begins with a pair of schemas."""

    def __init__(self, ours: Document, theirs: Document) -> None:
        self.ours = ours
        self.theirs = theirs
        self.is_lossy = ours.is_lossy or theirs.is_lossy
        self.rows: list[Row] = []
        self.prose: list[Row] = []
        self._seen: set[tuple[int, int]] = set()
        self._around: Schema | None = None

    def compare(self, ours: Schema, theirs: Schema, place: str) -> None:
        """Compare two schemas, which stand at a place, and what they refer to."""
        our_name, our_target = self.ours.target(ours)
        their_name, their_target = self.theirs.target(theirs)
        a, b = self.ours.shape(ours), self.theirs.shape(theirs)
        for key in ["nullable", *sorted(LIMITS)]:
            # Python types have no limits, and say `Optional` of what may be absent.
            if not self.is_lossy and a.limits.get(key) != b.limits.get(key):
                self.add("~", place, key, a.limits.get(key), b.limits.get(key))
        self._compare_prose(ours, theirs, place)
        # What became another thing did so where it is used, unless it still has its name.
        if not (our_name and their_name) and not self._have_one_type(a, b, place):
            return
        # A row by that name would be read as one about their schema of the same name.
        if our_name and (our_name == their_name or our_name not in self.theirs.schemas):
            place = our_name
        if our_name or their_name:
            pair = (id(our_target), id(their_target))
            # A component gives its rows once, and a recursion ends here.
            if pair in self._seen:
                return
            self._seen.add(pair)
            self._compare_prose(our_target, their_target, place)
        self._around = our_target
        if not self._have_one_type(a, b, place):
            return
        # In Python, an open enum may have become `str`.
        if not self.is_lossy or (a.values and b.values):
            for value in b.values:
                if value not in a.values:
                    self.add("+", place, "value", None, value)
            for value in a.values:
                if value not in b.values:
                    self.add("-", place, "value", value, None)
        self._compare_objects(a, b, place, our_target)
        for key in a.inner.keys() & b.inner.keys():
            self.compare(a.inner[key], b.inner[key], f"{place}.{key}")
        entries, others = a.inner.get("{}"), b.inner.get("{}")
        if (entries is None) != (others is None) and not (a.objects or b.objects or self.is_lossy):
            self.add("~", place, "type of the values", entries, others)

    def add(self, sign: str, place: str, fact: str, ours: Any = None, theirs: Any = None) -> None:
        """Note a difference."""
        self.rows.append(Row(sign, place, fact, ours, theirs, around=self._around))

    def _compare_prose(self, ours: Schema, theirs: Schema, place: str) -> None:
        before = " ".join(ours.get("description", "").split())
        after = " ".join(theirs.get("description", "").split())
        if after and before != after:
            self.prose.append(Row("~", place, "description", before, after))

    def _have_one_type(self, a: Shape, b: Shape, place: str) -> bool:
        ours, theirs = a.types, b.types
        if self.is_lossy:  # In Python, an integer is a number, and `object` is any JSON.
            if "any" in ours | theirs:
                return True
            names = {"integer": "number"}
            ours, theirs = ({names.get(name, name) for name in types} for types in (ours, theirs))
        if ours != theirs:
            self.add("~", place, "type", sorted(ours), sorted(theirs))
        return ours == theirs

    def _compare_objects(self, a: Shape, b: Shape, place: str, target: Schema) -> None:
        pairs = _pairs(a.objects, b.objects)
        for tag, (name, _schema) in b.objects.items():
            if tag not in pairs.values():
                self.add("+", place, "member", None, name or _label(tag))
        for tag, (name, schema) in a.objects.items():
            if tag not in pairs:
                self.add("-", place, "member", name or _label(tag), None)
                continue
            _their_name, other = b.objects[pairs[tag]]
            pair = (id(schema), id(other))
            within = place
            if name and schema is not target:  # A member of a union, which gives its rows once.
                if pair in self._seen:
                    continue
                within = name
                self._compare_prose(schema, other, name)
            self._seen.add(pair)
            self.compare_parts(_fields(schema), _fields(other), within, schema)

    def compare_parts(
        self,
        ours: dict[Any, Part],
        theirs: dict[Any, Part],
        place: str,
        around: Schema | None = None,
    ) -> None:
        """Compare the fields of two objects, or the parts of two operations."""
        self._around = around
        for key, part in theirs.items():
            if key not in ours:
                fact = part.fact
                if part.is_required:
                    fact = f"required {fact}"
                self.add("+", f"{place}.{part.name}", fact, None, part.shown)
        for key, part in ours.items():
            inner = f"{place}.{part.name}"
            self._around = around
            if key not in theirs:
                self.add("-", inner, part.fact, part.shown, None)
                continue
            is_required = theirs[key].is_required
            if part.is_required != is_required:
                words = {True: "required", False: "optional"}
                self.add("~", inner, "is", words[part.is_required], words[is_required])
            self.compare(part.schema, theirs[key].schema, inner)


def _fields(schema: Schema) -> dict[Any, Part]:
    fields = {}
    for name, child in schema["properties"].items():
        is_required = name in schema.get("required", [])
        fields[name] = Part(name, "field", child, is_required, shown=child)
    return fields


def _pairs(ours: Objects, theirs: Objects) -> dict[Tag, Tag]:
    """Return the objects of two unions that are the same.

    By their names, by all tags, or by those that both have.
    """
    if len(ours) == len(theirs) == 1:
        return dict(zip(ours, theirs, strict=True))
    by_name = {name: tag for tag, (name, _schema) in theirs.items() if name}
    pairs = {}
    for tag, (name, _schema) in ours.items():
        if name in by_name:
            pairs[tag] = by_name[name]
    # What matches exactly is no candidate any more for what is only alike.
    for match in (operator.eq, _are_alike):
        for tag in sorted(ours.keys() - pairs.keys()):
            left = theirs.keys() - set(pairs.values())
            alike = [other for other in left if match(tag, other)]
            # Of several, none is more likely than the others.
            if len(alike) == 1:
                pairs[tag] = alike[0]
    return pairs


def _are_alike(tag: Tag, other: Tag) -> bool:
    common = [pair for pair in zip(tag, other, strict=True) if all(pair)]
    return bool(common) and all(ours == theirs for ours, theirs in common)


def _label(tag: Tag) -> str:
    return " ".join(filter(None, tag)) or "object"


# Whole documents


def documents(ours: Document, theirs: Document) -> Comparison:
    """Compare whole documents: schemas of the same name and operations of the same path."""
    comparison = Comparison(ours, theirs)
    used = set(references(ours.document))
    for name, schema in ours.schemas.items():
        if name in theirs.schemas:
            comparison.compare(reference(name), reference(name), name)
        elif name not in used:  # What is used gives a row where it is used.
            comparison.add("-", name, "schema", schema, None)
    used = set(references(theirs.document))
    for name in theirs.schemas.keys() - ours.schemas.keys() - used:
        comparison.add("+", name, "schema")
    compare_operations(comparison)
    return comparison


def compare_operations(comparison: Comparison) -> None:
    """Compare the operations and webhooks of the documents."""
    ours, theirs = _requests(comparison.ours), _requests(comparison.theirs)
    for place in theirs.keys() - ours.keys():
        comparison.add("+", place, "operation")
    for place, operation in ours.items():
        if place not in theirs:
            comparison.add("-", place, "operation")
        elif not comparison.is_lossy:
            a, b = _bodies(place, operation), _bodies(place, theirs[place])
            comparison.compare_parts(_parts(operation, a), _parts(theirs[place], b), place)
            for name in a.keys() & b.keys():
                comparison.compare_parts(_contents(name, a[name]), _contents(name, b[name]), place)


def _requests(document: Document) -> dict[str, Any]:
    requests = dict(operations(document.document))
    # A wheel has no webhooks.
    if not document.is_lossy:
        for place, operation in webhooks(document.document):
            # Underscores and dots: OpenAI's document and its pages differ in this.
            requests[place.replace("_", ".")] = operation
    return requests


def _bodies(place: str, operation: Any) -> dict[str, Any]:
    bodies = {"body": operation.get("requestBody") or {}}
    for status, response in operation.get("responses", {}).items():
        # Errors have one type for all operations.
        if status.startswith("2") and not place.startswith("webhooks"):
            bodies[status] = response
    return bodies


def _parts(operation: Any, bodies: dict[str, Any]) -> dict[Any, Part]:
    parts: dict[Any, Part] = {status: Part(status, "answer") for status in bodies}
    for parameter in operation.get("parameters", []):
        location, name = parameter["in"], parameter["name"]
        is_required = parameter.get("required", False)
        schema = parameter.get("schema", {})
        parts[location, name] = Part(name, f"{location} parameter", schema, is_required)
    return parts


def _contents(name: str, body: Any) -> dict[Any, Part]:
    contents = {}
    for media_type, content in body.get("content", {}).items():
        contents[media_type] = Part(name, f"media type {media_type}", content.get("schema", {}))
    return contents


def grouped(rows: Iterable[Row]) -> list[Row]:
    """Return one row for what is the same change of the same field in copies of a schema."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        parts = [structure(value) for value in (row.ours, row.theirs, row.around)]
        field_name = row.place.rpartition(".")[2]
        groups[json.dumps([row.sign, field_name, row.fact, *parts])].append(row)
    result = []
    for group in groups.values():
        first, *others = sorted(group, key=lambda row: row.place)
        also = dict.fromkeys(row.place for row in others)
        # Two facts of one place may be the same, too.
        also.pop(first.place, None)
        result.append(replace(first, also=tuple(also)))
    return sorted(result, key=lambda row: row.place)


def structure(value: Any) -> Any:
    """Return a schema without its prose."""
    if isinstance(value, list):
        return [structure(item) for item in value]
    if not isinstance(value, dict):
        return value
    # An `allOf` of one part is only there to hold text beside a reference.
    if [*value] == ["allOf"] and len(value["allOf"]) == 1:
        return structure(value["allOf"][0])
    kept = sorted(value.keys() - PROSE - {"additionalProperties"})
    return {key: structure(value[key]) for key in kept}
