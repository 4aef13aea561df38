"""What differs between two OpenAPI documents: structure, with references followed on both sides."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from spec import component, members, only, operations, reference, references, webhooks, without

Schema = dict[str, Any]

LIMITS = {
    *("nullable", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("pattern", "minLength", "maxLength", "minItems", "maxItems", "default", "deprecated"),
}
PROSE = {"description", "title", "example", "examples"}
# What distinguishes the objects of a union, whether or not a discriminator says so.
TAGS = ("type", "role", "object")


@dataclass(frozen=True)
class Row:
    """One difference.

    `sign` is `+` for what only the other document has, `-` for what only this one has, and `~` for
    what both have and describe differently.
    """

    sign: str
    # The schema and the field, as in `RealtimeSession.audio.input`.
    place: str
    fact: str
    ours: Any = None
    theirs: Any = None

    @property
    def value(self) -> Any:
        """What stands in the one document that has it; in both, what the other has."""
        if self.sign == "-":
            return self.ours
        return self.theirs

    @property
    def key(self) -> str:
        """What makes it the same difference in another comparison: what is there now."""
        value = self.theirs
        if self.fact in ("value", "member"):
            value = self.value
        return json.dumps([self.sign, self.place, self.fact, _without_prose(value)])

    @property
    def change(self) -> str:
        """What differs, wherever it does."""
        if self.sign == "~":
            return f"{self.fact} {described(self.ours)} → {described(self.theirs)}"
        if self.value is None:
            return self.fact
        return f"{self.fact} {described(self.value)}"

    def __str__(self) -> str:
        return f"{self.sign} {self.place}: {self.change}"


def described(value: Any) -> str:
    """Return a value for a report: a schema by its type or name, a list with commas."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nothing"
    if isinstance(value, dict):
        return f"({component(value) or value.get('type') or 'any'})"
    if value is None:
        return "none"
    return str(value)


def _without_prose(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_prose(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_prose(value[key]) for key in sorted(value.keys() - PROSE)}
    return value


def grouped(rows: Iterable[Row]) -> list[str]:
    """Return a line for each row, and one for what is the same change of fields of one name."""
    groups: dict[tuple[str, ...], dict[str, Row]] = defaultdict(dict)
    for row in rows:
        # Two facts of one place may be the same, too.
        groups[row.sign, row.place.rpartition(".")[2], row.change][row.place] = row
    lines = []
    for group in sorted(groups.values(), key=min):
        first, *also = sorted(group)
        line = str(group[first])
        if also:
            line += f" (and in {', '.join(also)})"
        lines.append(line)
    return lines


class Member(NamedTuple):
    """An object that a schema accepts, with its name and the constants that distinguish it."""

    name: str
    tags: tuple[str, ...]
    schema: Schema

    @property
    def label(self) -> str:
        return self.name or " ".join(filter(None, self.tags)) or "object"


@dataclass
class Shape:
    """The values that a schema accepts, however it is written."""

    types: set[str] = field(default_factory=set)
    values: list[Any] = field(default_factory=list)
    limits: dict[str, Any] = field(default_factory=dict)
    objects: list[Member] = field(default_factory=list)
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
        # Keywords beside a reference come after those of its target.
        for source in (target, schema):
            shape.limits |= only(source, LIMITS)
        schema_type = target.get("type", "any")
        for member in members(target):
            self._add(member, shape)
        if members(target):
            return
        shape.types.add(schema_type)
        shape.values += target.get("enum", [])
        if "properties" in target:
            tags = []
            for tag in TAGS:
                values = self.shape(target["properties"].get(tag, {})).values
                # Of several values, none distinguishes it.
                if len(values) != 1:
                    values = [""]
                tags.append(str(values[0]))
            shape.objects.append(Member(name, tuple(tags), target))
        elif schema_type == "array":
            shape.inner["[]"] = target.get("items", {})
        # `{}` allows any value.
        elif target.get("additionalProperties"):
            shape.inner["{}"] = target["additionalProperties"]


class Comparison:
    """Collects the rows; `compare` begins with a pair of schemas."""

    def __init__(self, ours: Document, theirs: Document) -> None:
        self.ours = ours
        self.theirs = theirs
        self.is_lossy = ours.is_lossy or theirs.is_lossy
        self.rows: list[Row] = []
        self.prose: list[Row] = []
        self._seen: set[tuple[int, int]] = set()

    def compare(self, ours: Schema, theirs: Schema, place: str) -> None:
        """Compare two schemas, which stand at a place, and what they refer to."""
        our_name, our_target = self.ours.target(ours)
        their_name, their_target = self.theirs.target(theirs)
        our_shape, their_shape = self.ours.shape(ours), self.theirs.shape(theirs)
        # Python types have no limits, and say `Optional` of what may be absent.
        if not self.is_lossy:
            for key in sorted(LIMITS):
                limit, other = our_shape.limits.get(key), their_shape.limits.get(key)
                if limit != other:
                    self.add("~", place, key, limit, other)
        self._compare_prose(ours, theirs, place)
        used = place
        # A row by that name would be read as one about their schema of the same name.
        if our_name and (our_name == their_name or our_name not in self.theirs.schemas):
            place = our_name
        # What became another thing did so where it is used, unless it still has its name.
        if our_name and their_name:
            used = place
        if our_name or their_name:
            # A component gives its rows once, and a recursion ends here.
            if self._is_seen(our_target, their_target):
                return
            self._compare_prose(our_target, their_target, place)
        if not self._have_one_type(our_shape, their_shape, used):
            return
        # In Python, an open enum may have become `str`.
        if not self.is_lossy or (our_shape.values and their_shape.values):
            for value in their_shape.values:
                if value not in our_shape.values:
                    self.add("+", place, "value", None, value)
            for value in our_shape.values:
                if value not in their_shape.values:
                    self.add("-", place, "value", value, None)
        if not (our_shape.objects or their_shape.objects or self.is_lossy):
            entries, others = our_shape.inner.get("{}"), their_shape.inner.get("{}")
            if (entries is None) != (others is None):
                self.add("~", place, "type of the values", entries, others)
        self._compare_objects(our_shape.objects, their_shape.objects, place, our_target)
        for key in our_shape.inner.keys() & their_shape.inner.keys():
            self.compare(our_shape.inner[key], their_shape.inner[key], f"{place}.{key}")

    def add(self, sign: str, place: str, fact: str, ours: Any = None, theirs: Any = None) -> None:
        """Note a difference."""
        self.rows.append(Row(sign, place, fact, ours, theirs))

    def _is_seen(self, ours: Schema, theirs: Schema) -> bool:
        """Return whether two schemas were compared before, and note that they are."""
        pair = (id(ours), id(theirs))
        is_seen = pair in self._seen
        self._seen.add(pair)
        return is_seen

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
            for types in (ours, theirs):
                if "integer" in types:
                    types.remove("integer")
                    types.add("number")
        if ours != theirs:
            self.add("~", place, "type", sorted(ours), sorted(theirs))
        return ours == theirs

    def _compare_objects(
        self, ours: list[Member], theirs: list[Member], place: str, target: Schema
    ) -> None:
        """Compare the objects of two schemas: one object of each, or the members of two unions."""
        pairs = _take_pairs(ours, theirs)
        for member in theirs:
            self.add("+", place, "member", None, member.label)
        for member in ours:
            self.add("-", place, "member", member.label)
        for member, other in pairs:
            within = place
            # A member of a union has a name of its own, and gives its rows once.
            if member.name and member.schema is not target:
                if self._is_seen(member.schema, other.schema):
                    continue
                within = member.name
                self._compare_prose(member.schema, other.schema, within)
            self._compare_fields(member.schema, other.schema, within)

    def _compare_fields(self, ours: Schema, theirs: Schema, place: str) -> None:
        for name, child in theirs["properties"].items():
            if name not in ours["properties"]:
                # Parts of operations are no fields.
                fact = child.get("x-fact", "field")
                if name in theirs.get("required", []):
                    fact = f"required {fact}"
                self.add("+", f"{place}.{name}", fact, None, child)
        words = {True: "required", False: "optional"}
        for name, child in ours["properties"].items():
            if name not in theirs["properties"]:
                self.add("-", f"{place}.{name}", child.get("x-fact", "field"), child)
                continue
            was = name in ours.get("required", [])
            is_required = name in theirs.get("required", [])
            if was != is_required:
                self.add("~", f"{place}.{name}", "is", words[was], words[is_required])
            self.compare(child, theirs["properties"][name], f"{place}.{name}")


def _take_pairs(ours: list[Member], theirs: list[Member]) -> list[tuple[Member, Member]]:
    """Remove the objects that two schemas share from both, and return them."""
    if len(ours) == len(theirs) == 1:
        return [(ours.pop(), theirs.pop())]
    pairs: list[tuple[Member, Member]] = []
    # What matches exactly is no candidate any more for what is only alike.
    for is_match in (_have_one_name, _have_one_tag, _are_alike):
        for member in list(ours):
            alike = [other for other in theirs if is_match(member, other)]
            # Of several, none is more likely than the others.
            if len(alike) == 1:
                pairs.append((member, alike[0]))
                ours.remove(member)
                theirs.remove(alike[0])
    return pairs


def _have_one_name(member: Member, other: Member) -> bool:
    return bool(member.name) and member.name == other.name


def _have_one_tag(member: Member, other: Member) -> bool:
    return member.tags == other.tags


def _are_alike(member: Member, other: Member) -> bool:
    """Return whether two objects have the same tags, as far as both have them."""
    common = [pair for pair in zip(member.tags, other.tags, strict=True) if all(pair)]
    return bool(common) and all(ours == theirs for ours, theirs in common)


# Whole documents


def documents(ours: Document, theirs: Document, roots: Iterable[str] = ()) -> Comparison:
    """Compare what schemas of the same name lead to, and operations of the same path.

    Without `roots`, these are all schemas.
    """
    comparison = Comparison(ours, theirs)
    used = {*references(ours.document), *references(theirs.document)}
    for name in list(roots) or {**ours.schemas, **theirs.schemas}:
        if name in ours.schemas and name in theirs.schemas:
            comparison.compare(reference(name), reference(name), name)
        # A schema in use gives a row where it is used.
        elif name in ours.schemas and name not in used:
            comparison.add("-", name, "schema", ours.schemas[name])
        elif name not in used:
            comparison.add("+", name, "schema")
    requests, others = _requests(ours), _requests(theirs)
    for place in {**requests, **others}:
        if place not in others:
            comparison.add("-", place, "operation")
        elif place not in requests:
            comparison.add("+", place, "operation")
        elif not comparison.is_lossy:
            comparison.compare(requests[place], others[place], place)
    return comparison


def _requests(document: Document) -> dict[str, Schema]:
    """Return the operations and webhooks as objects, whose fields are what they take and return."""
    requests = {}
    for place, operation in operations(document.document):
        requests[place] = _as_object(operation)
    # A wheel has no webhooks.
    if not document.is_lossy:
        for place, operation in webhooks(document.document):
            # Underscores and dots: OpenAI's document and its pages differ in this.
            requests[place.replace("_", ".")] = _as_object(without(operation, "responses"))
    return requests


def _as_object(operation: dict[str, Any]) -> Schema:
    properties: dict[str, Schema] = {}
    required = []
    for parameter in operation.get("parameters", []):
        name = parameter["name"]
        properties[name] = {**parameter.get("schema", {}), "x-fact": f"{parameter['in']} parameter"}
        if parameter.get("required"):
            required.append(name)
    bodies = {"body": operation.get("requestBody", {})}
    for status, response in operation.get("responses", {}).items():
        # Errors have one type for all operations.
        if status.startswith("2"):
            bodies[status] = response
    for name, body in bodies.items():
        contents = {}
        for media_type, content in body.get("content", {}).items():
            contents[media_type] = {**content.get("schema", {}), "x-fact": "media type"}
        properties[name] = {"type": "object", "properties": contents, "x-fact": "answer"}
    return {"type": "object", "properties": properties, "required": required}
