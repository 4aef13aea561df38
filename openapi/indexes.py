"""Pages about a whole protocol: its index, and its fields and values from A to Z."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import spec
from pages import anchor, breakable

# The titles of groups of events by who sends them, and of other classes.
EVENTS = {"client": "Client events", "server": "Server events", "webhook": "Webhooks"}
OLDER = "Older shapes"
MODELS = ["Session", "Conversation", "Response", "Tools", "HTTP", "Shared", OLDER]
EVERYWHERE = ("type", "event_id")


def describe(document: dict[str, Any]) -> None:
    """Add what the templates of both pages print to an annotated document."""
    schemas = document["components"]["schemas"]
    groups = _groups(schemas)
    document["x-index-text"] = " ".join(document["info"]["description"].split())
    document["x-index-events"] = list(spec.only(groups, EVENTS.values()).values())
    document["x-index-models"] = list(spec.only(groups, MODELS).values())
    document["x-index-endpoints"] = []
    # By path, and only then by method.
    endpoints = sorted(spec.operations(document), key=lambda pair: pair[0].split()[::-1])
    for place, operation in endpoints:
        page = f"{operation['x-api']}.md#{operation['x-method']}"
        endpoint = {"place": place, "page": page, "summary": operation["summary"]}
        document["x-index-endpoints"].append(endpoint)
    fields: dict[str, set[str]] = defaultdict(set)
    values: dict[str, set[str]] = defaultdict(set)
    for name, schema in schemas.items():
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
    document["x-index-fields"] = _entries(fields)
    document["x-index-values"] = _entries(values)


def _groups(schemas: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the groups of classes by their titles, with events in the order of their types."""
    groups: dict[str, dict[str, Any]] = {}
    for name, schema in sorted(schemas.items()):
        title = _title(name, schema)
        group = groups.setdefault(title, {"title": title, "events": [], "classes": []})
        entry = {"name": name, "cell": breakable(name), "summary": schema["x-summary"]}
        if "x-event-type" in schema:
            is_older = schema.get("x-older", False)
            group["events"].append({**entry, "type": schema["x-event-type"], "is_older": is_older})
        else:
            group["classes"].append(entry)
    for group in groups.values():
        group["events"].sort(key=lambda event: (event["is_older"], event["type"]))
    return groups


def _title(name: str, schema: dict[str, Any]) -> str:
    """Return the group of a class: that of the events whose part it is, or what it is about."""
    if "x-direction" in schema:
        return EVENTS[schema["x-direction"]]
    event = re.match(r"Realtime\w*?(Client|Server)Event", name)
    if event:
        return EVENTS[event[1].lower()]
    if name.startswith("Webhook"):
        return EVENTS["webhook"]
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


def _known(schema: dict[str, Any]) -> list[str]:
    """Return the values of an enum, or of a list of them."""
    known = schema.get("enum", []) + schema.get("x-known", [])
    known += schema.get("items", {}).get("enum", [])
    return [str(value) for value in known]


def _entries(users_by_name: dict[str, set[str]]) -> list[dict[str, str]]:
    entries = []
    # Names that differ in their case alone keep an order of their own.
    for name in sorted(users_by_name, key=lambda name: (name.lower(), name)):
        entries.append({"name": name, "users": ", ".join(sorted(users_by_name[name]))})
    return entries
