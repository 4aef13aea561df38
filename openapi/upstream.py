"""Compare a fragment with what is published now: `make upstream`.

With `SPEC`, an OpenAPI document; without it, the newest `openai` wheel, and the one with which the
fragment was last compared. `x-upstream` in the fragment's head says where its facts come from. Exit
code 1 says that there is something to do.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

import spec
import wheel
from components import class_name
from differences import LIMITS, PROSE, Document, Row, documents, grouped
from fragment import cut, read_published, unions_of
from simplify import simplified
from spec import children, component, reference, union_key

# `generate` refuses it, and names the place.
MISSING = "TODO"
LEFT_OUT = {*PROSE, "$ref", "allOf", "discriminator"}


@dataclass
class Report:
    """The differences found."""

    title: str
    # Facts that the fragment lacks, and those of them that the overlay has. Both are to be done.
    lacking: list[Row]
    overlaid: list[Row]
    # How many differences there are because the overlay corrects what is published.
    explained: int
    # What changed from the last state of upstream: all of it, and the descriptions.
    changed: list[Row] = field(default_factory=list)
    prose: list[Row] = field(default_factory=list)

    def __str__(self) -> str:
        parts = {
            "the fragment differs": self.lacking,
            "the overlay has it: move it to the fragment": self.overlaid,
            "changed upstream": self.changed,
            "prose that changed": self.prose,
        }
        lines = [self.title]
        for heading, rows in parts.items():
            if rows:
                found = grouped(rows)
                lines += ["", f"{heading} ({len(found)})", *map("  {}".format, found)]
        if self.explained:
            lines += ["", f"{self.explained} more differences are what the overlay corrects."]
        facts = len(grouped(self.lacking)) + len(grouped(self.overlaid))
        to_do = f"To do: {facts} facts, and {len(grouped(self.prose))} descriptions to read again."
        if not (facts or self.prose):
            to_do = "The facts are the same."
        return "\n".join([*lines, "", to_do])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fragment", type=Path, default=Path("openapi/ga.yaml"))
    parser.add_argument("--spec", type=Path, help="an OpenAPI document to compare with")
    parser.add_argument("--base", type=Path, help="the one before it, to see what prose changed")
    parser.add_argument("--apply", action="store_true", help="write the facts into the fragment")
    arguments = parser.parse_args()
    try:
        if arguments.spec:
            report, source = against_document(arguments.fragment, arguments.spec, arguments.base)
        else:
            report, source = against_wheel(arguments.fragment)
        print(report)
        if arguments.apply:
            print(*apply(arguments.fragment, report.lacking, source), sep="\n")
        return int(bool(report.lacking or report.overlaid or report.prose))
    except spec.SpecError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def against_document(
    fragment: Path, other: Path, base: Path | None = None
) -> tuple[Report, Document]:
    """Compare with an OpenAPI document; schemas are found by their names."""
    ours = spec.load_fragment(fragment)
    theirs = published(ours, other)
    # Most likely the document of another service.
    if not theirs.schemas.keys() & ours["components"]["schemas"].keys():
        raise spec.SpecError(f"{other} has no schema of {fragment}")
    report = compare(f"{fragment} and {other}", fragment, theirs)
    if base:
        report.prose = documents(published(ours, base), theirs).prose
    return report, theirs


def against_wheel(fragment: Path) -> tuple[Report, Document]:
    """Compare the wheel of the last time, the newest one, and the fragment."""
    ours = spec.load_fragment(fragment)
    source = ours.get("x-upstream", {})
    if not {"openai", "types", "resources"} <= source.keys():
        raise spec.SpecError(f"{fragment}: x-upstream names no wheel; compare with SPEC=file")
    last, version = str(source["openai"]), wheel.newest()
    old = Document(simplified(wheel.document(last, source)), is_lossy=True)
    new = Document(simplified(wheel.document(version, source)), is_lossy=True)
    for name, type_name in source["types"].items():
        if name not in ours["components"]["schemas"]:
            reason = f"x-upstream has a type for {name}, which is no schema"
            raise spec.SpecError(f"{fragment}: {reason}")
        if name not in new.schemas:
            raise spec.SpecError(f"{fragment}: x-upstream: openai {version} has no {type_name}")
    title = f"{fragment}, openai {last} and openai {version}"
    # What already differed from the last wheel was looked at when the fragment followed it.
    report = compare(title, fragment, new, old, source["types"])
    # What changed between the wheels, whether or not the fragment has it.
    changed = documents(old, new, source["types"])
    report.changed, report.prose = changed.rows, changed.prose
    return report, new


def compare(
    title: str,
    fragment: Path,
    theirs: Document,
    known: Document | None = None,
    roots: Iterable[str] = (),
) -> Report:
    """Tell what a fragment lacks, but for what it lacks of a known document, or its overlay has."""
    ours = Document(simplified(spec.load_fragment(fragment)))
    alone = documents(ours, theirs, roots).rows
    overlay = fragment.parent / "overlays" / fragment.name
    # `make generate` checks it.
    merged = simplified(spec.merged(fragment, overlay, checked=False))
    overlaid = documents(Document(merged), theirs, roots).rows
    # What only differs with the overlay is what the overlay corrects.
    explained = len(grouped(new_rows(overlaid, alone)))
    if known:
        alone = new_rows(alone, documents(ours, known, roots).rows)
    solved = new_rows(alone, overlaid)
    return Report(title, new_rows(alone, solved), solved, explained)


def new_rows(rows: Iterable[Row], known: Iterable[Row]) -> list[Row]:
    """Return the rows whose difference is not among the known ones."""
    # Schemas that lead to the same one give the same row.
    by_key = {row.key: row for row in rows}
    for row in known:
        by_key.pop(row.key, None)
    return list(by_key.values())


# Documents of a whole service


def published(ours: dict[str, Any], path: Path) -> Document:
    """Return what belongs to the protocol of a fragment in the document of a whole service.

    These are the operations below its paths, its webhooks, the schemas of its names, the unions
    that begin with its tags, and all that these lead to.
    """
    document = read_published(path)
    source = ours.get("x-upstream", {})
    prefix = source.get("prefix")
    if prefix:
        document = renamed(document, prefix, ours["components"]["schemas"])
    # Without `paths`, the first part of each path, such as `/realtime`.
    paths = source.get("paths") or ["/" + path.split("/")[1] for path in ours.get("paths", {})]

    def is_ours(name: str, _operation: dict[str, Any]) -> bool:
        is_webhook = name.replace("_", ".") in ours.get("webhooks", {})
        # With a slash at the end, `/realtime_sessions` is not below `/realtime`.
        return is_webhook or f"{name}/".startswith(tuple(f"{start}/" for start in paths))

    schemas = document["components"]["schemas"]
    names = list(spec.only(schemas, ours["components"]["schemas"]))
    if not prefix:
        tags = {operation["tags"][0] for _place, operation in spec.operations(ours)}
        for tag in sorted(tags):
            names += unions_of(tag, document)
    return Document(simplified(cut(document, is_ours, names)))


def renamed(document: dict[str, Any], prefix: str, ours: dict[str, Any]) -> dict[str, Any]:
    """Return a document in which a protocol's names are those of its fragment.

    A document calls `RealtimeBetaResponse` what was `RealtimeResponse` before a later protocol
    took the name. The unions of events are those of the later protocol: they are made anew.
    """
    unions = spec.event_unions(ours)
    # What all names begin with, as `Realtime` in `RealtimeServerEvent`.
    base = next(iter(unions)).removesuffix("ServerEvent").removesuffix("ClientEvent")
    text = json.dumps(document, default=str)
    # In references and mappings alike, each of which is a whole string.
    text = text.replace(f'"{spec.REFERENCE}{prefix}', f'"{spec.REFERENCE}{base}')
    result: dict[str, Any] = json.loads(text)
    schemas = result["components"]["schemas"]
    own = {}
    for name, schema in schemas.items():
        if name.startswith(prefix):
            own[base + name.removeprefix(prefix)] = schema
    schemas |= own
    for union in unions:
        names = {name for name in own if name.startswith(union)}
        # Events of the later protocol that the fragment has, too.
        names |= schemas.keys() & set(spec.references(ours[union]))
        schemas[union] = {"anyOf": list(map(reference, sorted(names)))}
    return result


# Writing


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
        # Keywords of the old type would be wrong.
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


if __name__ == "__main__":
    sys.exit(main())
