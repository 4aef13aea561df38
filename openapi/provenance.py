"""Note at each schema, property and operation what an overlay says of it, as `x-wire`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

UNPUBLISHED = "Not in the published schema."

Place = tuple[str, ...]


class Provenance:
    """Follows a document from action to action."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.before = _facts(document)
        self.last = self.before
        self.reasons: dict[Place, list[dict[str, Any]]] = {}

    def follow(self, action: dict[str, Any], document: dict[str, Any]) -> None:
        """Remember what an action changed; `document` is what it gives."""
        facts = _facts(document)
        for place, part in facts.items():
            # Any change is due to this action: one is followed at a time.
            if part != self.last.get(place):
                self.reasons.setdefault(place, []).append(action)
        self.last = facts

    def note(self, document: dict[str, Any]) -> None:
        """Write the reasons into the document that the last action gives."""
        for place, node, fact in _parts(document):
            is_new = place not in self.before
            # Of a new schema, the reason stands at the schema and not at each property.
            is_within = is_new and place[:-1] in self.reasons
            if place not in self.reasons or fact == self.before.get(place) or is_within:
                continue
            texts = [" ".join(action["description"].split()) for action in self.reasons[place]]
            # A removal that only makes room for an update is none of the readers' business.
            lasting = [text for text in texts if "next action" not in text] or texts
            if is_new:
                lasting = [UNPUBLISHED, *lasting]
            node["x-wire"] = lasting


def _facts(document: dict[str, Any]) -> dict[Place, Any]:
    return {place: fact for place, _node, fact in _parts(document)}


def _parts(document: dict[str, Any]) -> Iterator[tuple[Place, dict[str, Any], Any]]:
    """Yield each operation, schema and property, with what it says."""
    for path, item in document.get("paths", {}).items():
        for method, operation in item.items():
            yield (path, method), operation, operation
    for name, schema in document["components"]["schemas"].items():
        # That a property is required is said of the property, not of its schema.
        required = schema.get("required", [])
        alone = {key: schema[key] for key in schema if key not in ("properties", "required")}
        yield (name,), schema, alone
        for field, child in schema.get("properties", {}).items():
            yield (name, field), child, (field in required, child)
