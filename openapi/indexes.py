"""Pages about a whole protocol: its index, and its fields and values from A to Z."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import spec
from pages import anchor, breakable

OVERVIEW = """\
# {title}

{description}

[Guides](../README.md) · [how a page reads](../README.md#how-a-page-reads) ·
[fields and values from A to Z](index.md)
"""
INDEX = """\
# From A to Z

Every field and every enum value of the {title}, with the classes that have it. `type` and
`event_id`, which every event has, are left out. The codes of errors stand in
[Errors by code](../guides/error-codes.md).

## Fields

{fields}

## Enum values

{values}

[All models](README.md)
"""
# The titles of groups of events by who sends them, and of other classes.
EVENTS = {"client": "Client events", "server": "Server events", "webhook": "Webhooks"}
OLDER = "Older shapes"
GROUPS = ["Session", "Conversation", "Response", "Tools", "HTTP", "Shared", OLDER]
# How long a part of a class's name is that does not break, in the tables of events.
WIDEST_CLASS = 14
EVERYWHERE = ("type", "event_id")


def overview(document: dict[str, Any]) -> str:
    """Return the index of an annotated document."""
    info = document["info"]
    description = " ".join(info["description"].split())
    parts = [OVERVIEW.format(title=info["title"], description=description)]
    # Only a protocol with a connection has a diagram.
    if "x-session-diagram" in document:
        diagram = document["x-session-diagram"].rstrip()
        parts.append(f"## A session's life\n\n```mermaid\n{diagram}\n```\n")
    schemas = document["components"]["schemas"]
    parts.append("## Events\n")
    for direction, title in EVENTS.items():
        rows = list(_events(schemas, direction))
        unions = list(_entries_of(schemas, direction))
        if rows:
            rows = ["| Event | Class | Description |", "|---- | ---- | ----|", *rows, ""]
        # A union may have events of another one alone.
        if rows or unions:
            parts.append("\n".join([f"### {title}\n", *rows, *unions, ""]))
    parts.append("## Models\n")
    for title in GROUPS:
        entries = list(_entries_of(schemas, title))
        if entries:
            parts.append("\n".join([f"### {title}\n", *entries, ""]))
    # By path, and only then by method.
    endpoints = sorted(spec.operations(document), key=lambda pair: pair[0].split()[::-1])
    if endpoints:
        parts.append("## HTTP endpoints\n")
    for place, operation in endpoints:
        page = f"{operation['x-api']}.md#{operation['x-method']}"
        parts.append(f"- [`{place}`]({page}): {operation['summary']}")
    return "\n".join(parts)


def _events(schemas: dict[str, Any], direction: str) -> Iterator[str]:
    """Yield the rows of the events that one side sends, in the order of their types."""
    events = []
    for name, schema in schemas.items():
        if schema.get("x-event-type") and schema["x-direction"] == direction:
            events.append((schema.get("x-older", False), schema["x-event-type"], name))
    for _is_older, event_type, name in sorted(events):
        link = f"[{breakable(name, WIDEST_CLASS)}]({name}.md)"
        yield f"|`{event_type}` | {link} | {schemas[name]['x-summary']} |"


def _entries_of(schemas: dict[str, Any], title: str) -> Iterator[str]:
    """Yield the entries of a group of classes that are no events."""
    for name, schema in sorted(schemas.items()):
        if "x-event-type" not in schema and _title(name, schema) == title:
            yield f"- [{name}]({name}.md): {schema['x-summary']}"


def _title(name: str, schema: dict[str, Any]) -> str:
    """Return the group of a class: that of the events whose part it is, or what it is about."""
    if "x-direction" in schema:
        return str(schema["x-direction"])
    event = re.match(r"Realtime\w*?(Client|Server)Event", name)
    if event:
        return event[1].lower()
    if name.startswith("Webhook"):
        return "webhook"
    if schema.get("x-older"):
        return OLDER
    if re.search("MCP|Tool|Function", name):
        return "Tools"
    resource = re.match(r"Realtime\w*?(Session|Conversation|Response)", name)
    if resource:
        return resource[1]
    if name.endswith(("Request", "Response")):
        return "HTTP"
    return "Shared"


def index(document: dict[str, Any]) -> str:
    """Return the page of all fields and enum values of an annotated document."""
    fields: dict[str, set[str]] = defaultdict(set)
    values: dict[str, set[str]] = defaultdict(set)
    for name, schema in document["components"]["schemas"].items():
        for field, child in schema.get("properties", {}).items():
            row = f"[{name}]({name}.md#{anchor(child['x-name'])})"
            # A row of what every event has would list them all.
            if field not in EVERYWHERE:
                fields[field].add(row)
            for value in _known(child):
                values[value].add(row)
        for part in (schema, *spec.members(schema)):
            for value in _known(part):
                values[value].add(f"[{name}]({name}.md)")
    title = document["info"]["title"]
    return INDEX.format(title=title, fields=_entries(fields), values=_entries(values))


def _known(schema: dict[str, Any]) -> list[str]:
    """Return the values of an enum, or of a list of them."""
    known = schema.get("enum", []) + schema.get("x-known", [])
    known += schema.get("items", {}).get("enum", [])
    return [str(value) for value in known]


def _entries(names: dict[str, set[str]]) -> str:
    # Names that differ in their case alone keep an order of their own.
    ordered = sorted(names.items(), key=lambda pair: (pair[0].lower(), pair[0]))
    return "\n".join(f"- `{name}`: {', '.join(sorted(users))}" for name, users in ordered)
