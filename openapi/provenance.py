"""Note at each schema, property and operation what an overlay says of it, as `x-wire`."""

from __future__ import annotations

import json
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
        for place, actions in self.reasons.items():
            is_new = place not in self.before
            # Of a new schema, the reason stands at the schema and not at each property.
            if self.last[place] == self.before.get(place) or (
                is_new and place[:-1] in self.reasons
            ):
                continue
            texts = [" ".join(action["description"].split()) for action in actions]
            # A removal that only makes room for an update is none of the readers' business.
            lasting = [text for text in texts if "next action" not in text] or texts
            _node(document, place)["x-wire"] = [UNPUBLISHED, *lasting] if is_new else lasting


def _facts(document: dict[str, Any]) -> dict[Place, str]:
    """Return each operation, schema without properties, and property with `required`."""
    facts = {
        (path, method): json.dumps(operation)
        for path, item in document.get("paths", {}).items()
        for method, operation in item.items()
    }
    for name, schema in document["components"]["schemas"].items():
        # That a property is required is said of the property, not of its schema.
        required = schema.get("required", [])
        alone = {key: schema[key] for key in schema if key not in ("properties", "required")}
        facts[(name,)] = json.dumps(alone)
        for field, child in schema.get("properties", {}).items():
            facts[name, field] = json.dumps([field in required, child])
    return facts


def _node(document: dict[str, Any], place: Place) -> dict[str, Any]:
    if place[0] in document.get("paths", {}):
        operation: dict[str, Any] = document["paths"][place[0]][place[1]]
        return operation
    schema: dict[str, Any] = document["components"]["schemas"][place[0]]
    # A place of one name is the schema itself.
    if len(place) > 1:
        schema = schema["properties"][place[1]]
    return schema
