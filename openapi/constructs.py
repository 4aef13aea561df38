"""Refuse what the pipeline cannot express, and find the words that a fragment lacks.

The dialect (dialect.schema.yaml) says what a prepared document may contain. Here are the rules that
a schema cannot say: names, mappings, unions of events, endless recursion, words. Names stand for
words in a draft.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import names
import operations as plans
import protocol_events
from refusals import Problem, Refused, place_of, schema_problems
from spec import component, members, only, operations, schemas_in

Problems = Iterator[tuple[str, str]]

MAX_SUMMARY_WORDS = 8
TO_BE_WRITTEN = "(to be written)"
# The placeholder for words in a draft.
TODO = "TODO"


def check(document: dict[str, Any], *, is_draft: bool = False) -> None:
    """Raise `Refused` with each thing in a prepared document that is refused."""
    schemas = document["components"]["schemas"]
    problems = list(schema_problems(document))
    # The other rules assume that each schema is a mapping.
    if not problems:
        for rule in RULES:
            problems += map(Problem._make, rule(document))
    # Structure comes first: it may explain the rest.
    if not is_draft:
        problems += map(Problem._make, _check_words(document))
    if problems:
        raise Refused([item._replace(place=place_of(item.place, schemas)) for item in problems])


def _check_properties(document: dict[str, Any]) -> Problems:
    for place, schema in schemas_in(document):
        properties = schema.get("properties", {})
        for field in schema.get("required", []):
            if properties and field not in properties:
                yield place, f"`required` names {field!r}, which is not a property"
        for value in schema.get("x-deprecated-values", {}):
            if value not in schema.get("enum", []):
                yield place, f"`x-deprecated-values` has {value!r}, which is not in `enum`"


def _check_recursion(document: dict[str, Any]) -> Problems:
    """Find schemas that always contain themselves: no finite value would fit them."""
    schemas = document["components"]["schemas"]
    finite: set[str] = set()
    before = -1
    # Each round finds those that end with the help of what the last one found.
    while len(finite) > before:
        before = len(finite)
        for name, schema in schemas.items():
            if _can_end(schema, finite):
                finite.add(name)
    for name in schemas:
        if name not in finite:
            yield f"components.schemas.{name}", "every value would contain another one, without end"


def _can_end(schema: dict[str, Any], finite: set[str]) -> bool:
    """Return whether a schema has a value of components that are known to end."""
    name = component(schema)
    if name:
        return name in finite or bool(schema.get("nullable"))
    if members(schema):
        return any(_can_end(member, finite) for member in members(schema))
    # An empty list ends a recursion, and so does an optional property.
    if schema.get("minItems", 0) > 0:
        return _can_end(schema.get("items", {}), finite)
    required = only(schema.get("properties", {}), schema.get("required", []))
    return all(_can_end(child, finite) for child in required.values())


RULES = (
    _check_properties,
    protocol_events.problems,
    _check_recursion,
    names.problems,
    plans.problems,
)


# Words


class Text(NamedTuple):
    """A place for words: a description, a summary, or the tag of an operation."""

    sort: str
    place: str
    node: dict[str, Any]
    key: str
    # The subject of the words, as a name.
    name: str


def _check_words(document: dict[str, Any]) -> Problems:
    """Yield the words that a prepared document lacks, and those of another form than all others."""
    for text in _texts(document):
        words = text.node.get(text.key)
        if _is_missing(words):
            yield text.place, f"its {text.key} is missing"
        elif text.key == "description" and not _is_sentence(words):
            yield text.place, "its description is not a sentence with a full stop"
        elif text.key == "summary" and (len(words.split()) > MAX_SUMMARY_WORDS or words[-1] == "."):
            reason = f"needs a summary of at most {MAX_SUMMARY_WORDS} words, without stop"
            yield text.place, reason


def fill(document: dict[str, Any]) -> dict[str, list[str]]:
    """Put names in the place of missing words; return the places by sort, such as `summaries`."""
    missing: dict[str, dict[str, None]] = defaultdict(dict)
    for text in _texts(document):
        words = text.node.get(text.key)
        if _is_missing(words):
            # A copied parameter stands in several operations.
            missing[text.sort][text.place] = None
            if "$ref" in text.node:
                # Nothing stands beside a reference.
                text.node["allOf"] = [{"$ref": text.node.pop("$ref")}]
            text.node[text.key] = _stand_in(text)
        elif text.key == "description" and not _is_sentence(words):
            text.node[text.key] = words.rstrip() + "."
        elif text.key == "summary":
            text.node[text.key] = words.rstrip(". ")
    return {sort: list(places) for sort, places in missing.items()}


def _is_missing(words: Any) -> bool:
    if isinstance(words, list):
        return not words
    return not words or not words.strip() or words.strip().startswith(TODO)


def _is_sentence(words: str) -> bool:
    # A stop may stand within a quotation or parentheses.
    return words.strip().rstrip("\"')").endswith(".")


def _stand_in(text: Text) -> Any:
    if text.key == "tags":
        return ["Default"]
    if text.key == "operationId":
        return text.name
    words = names.snake_case(text.name).replace("_", " ").split()
    sentence = " ".join(words) or text.sort
    sentence = sentence[:1].upper() + sentence[1:]
    # A summary has no stop.
    if text.key == "summary":
        return sentence
    return f"{sentence} {TO_BE_WRITTEN}."


def _texts(document: dict[str, Any]) -> Iterator[Text]:
    """Yield each place that a page shows the words of."""
    info = document["info"]
    yield Text("the document", "info", info, "description", info.get("title", ""))
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        place = place_of(f"components.schemas.{name}", schemas)
        yield Text("schemas", place, schema, "description", name)
        for field, child in schema.get("properties", {}).items():
            yield Text("properties", f"{place}.properties.{field}", child, "description", field)
    for place, operation in operations(document):
        identity = operation.get("operationId") or re.sub(r"\W+", "_", place)
        yield Text("operationIds", place, operation, "operationId", identity)
        yield Text("tags", place, operation, "tags", "")
        yield Text("summaries", place, operation, "summary", identity)
        yield Text("operations", place, operation, "description", identity)
        # Their descriptions become those of arguments.
        for parameter in operation.get("parameters", []):
            name = parameter["name"]
            yield Text("parameters", f"{place} {name}", parameter, "description", name)
        if "requestBody" in operation:
            where = f"{place} requestBody"
            yield Text("bodies", where, operation["requestBody"], "description", "body")
        for status, response in operation.get("responses", {}).items():
            yield Text("answers", f"{place} {status}", response, "description", f"status_{status}")
