"""Apply an overlay, and note at each schema, property and operation what it says, as `x-wire`."""

from __future__ import annotations

import json
import re
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonpath_ng.ext.parser import ExtendedJsonPathParser
from jsonschema import Draft202012Validator
from oas_patch.overlay import apply_overlay
from oas_patch.validator import load_schema

from refusals import Problem, Refused, SpecError, dotted, reasons

# Made once: `jsonpath_ng.ext.parse` builds its grammar anew for each path.
JSONPATH = ExtendedJsonPathParser()
UNPUBLISHED = "Not in the published schema."

Place = tuple[str, ...]


def overlaid(
    document: dict[str, Any], overlay: dict[str, Any], path: Path, *, checked: bool
) -> dict[str, Any]:
    """Return a document with the actions of an overlay, which comes from `path`, applied."""
    for error in Draft202012Validator(load_schema("overlay_schema_1.0.0.yml")).iter_errors(overlay):
        place = dotted(error.absolute_path) or "the document"
        raise Refused([Problem(place, next(reasons(error)))], path)
    published = last = _facts(document)
    notes: dict[Place, list[str]] = defaultdict(list)
    # One by one, so that messages and reasons name the action.
    for number, action in enumerate(overlay["actions"], 1):
        place = f"{path}: action {number}"
        # A correction without a reason cannot be checked when upstream changes.
        if not action.get("description"):
            raise SpecError(f"{place}: no description; say why, with the evidence")
        before = json.dumps(document)
        try:
            for target in _single_targets(action["target"]):
                if not JSONPATH.parse(target).find(document):
                    raise LookupError(f"target {target} matches nothing")
            document = apply_overlay(document, {"actions": [action]})
        except Exception as error:  # the parser raises bare Exceptions, too
            raise SpecError(f"{place}: {textwrap.shorten(str(error), 200)}") from None
        after = json.dumps(document)
        if checked and after == before:
            raise SpecError(f"{place} is stale: it changes nothing; remove it")
        # A copy, which keeps what several targets share from being one object.
        document = json.loads(after)
        facts = _facts(document)
        for changed, fact in facts.items():
            if fact != last.get(changed):
                notes[changed].append(" ".join(action["description"].split()))
        last = facts
    for part, node, fact in list(_parts(document)):
        is_new = part not in published
        # Of a new schema, the reason stands at the schema and not at each property.
        if part not in notes or fact == published.get(part) or (is_new and part[:-1] in notes):
            continue
        # Readers need not know of a removal that only makes room for an update.
        node["x-wire"] = [text for text in notes[part] if "next action" not in text] or notes[part]
        if is_new:
            node["x-wire"].insert(0, UNPUBLISHED)
    return document


def _single_targets(target: str) -> Iterator[str]:
    """Yield a target that names several keys, once for each: all of them must exist."""
    keys = re.search(r"\[('[^']*'(?:,\s*'[^']*')+)\]", target)
    if not keys:
        yield target
        return
    for key in keys[1].split(","):
        yield from _single_targets(f"{target[: keys.start()]}[{key.strip()}]{target[keys.end() :]}")


def _facts(document: dict[str, Any]) -> dict[Place, Any]:
    return {place: fact for place, _node, fact in _parts(document)}


def _parts(document: dict[str, Any]) -> Iterator[tuple[Place, dict[str, Any], Any]]:
    """Yield each operation, schema and property, with what it says."""
    for path, item in document.get("paths", {}).items():
        for method, operation in item.items():
            yield (path, method), operation, json.dumps(operation)
    for name, schema in document["components"]["schemas"].items():
        # That a property is required is said of the property, not of its schema.
        alone = {key: schema[key] for key in schema if key not in ("properties", "required")}
        yield (name,), schema, json.dumps(alone)
        for field, child in schema.get("properties", {}).items():
            yield (name, field), child, (field in schema.get("required", []), json.dumps(child))
