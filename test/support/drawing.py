"""Draws JSON values that fit a schema, the same ones each time.

Hypothesis can draw them, too, with ten times the work: it keeps what it needs to make a failing
value smaller, and these are small.
"""

from __future__ import annotations

from random import Random
from typing import Any

import spec

TEXTS = ["", "a", " b", "null", '"\\/', "é\u2028", "\x00\x7f", "\U0001f600", "text " * 4]
INTEGERS = [0, 1, -1, 2**31, -(2**63), 2**64, 10**30]
FLOATS = [0.0, -0.0, 0.1, -1.5, 1e-7, 5e-324, 1e16, 1e22, 1.7976931348623157e308]
# Below this, optional fields are left out and lists are empty.
MAX_DEPTH = 8


class Drawing:
    """Random values: of any kind, or of the schemas of a fragment by their names."""

    def __init__(self, schemas: dict[str, Any], seed: str) -> None:
        self._schemas = schemas
        self._random = Random(seed)
        self.choice = self._random.choice

    def anything(self, depth: int = 0) -> Any:
        """Any JSON value."""
        kinds = ["string", "integer", "number", "boolean", "null", "list", "object"]
        kind = self._random.choice(kinds[: 7 if depth < 2 else 5])
        if kind == "list":
            return [self.anything(depth + 1) for _ in range(self._random.randrange(3))]
        if kind == "object":
            return self._map(lambda: self.anything(depth + 1))
        return self._scalar(kind)

    def instance(self, name: str, depth: int = 0) -> Any:
        """A value of a component: with its optional fields or not, and fields it does not list."""
        return self._value(self._schemas[name], depth)

    def _scalar(self, kind: str) -> Any:
        if kind == "string":
            size = self._random.randrange(1, 8)
            drawn = "".join(chr(self._random.randrange(0x20, 0xD800)) for _ in range(size))
            return self._random.choice([*TEXTS, drawn])
        if kind == "integer" or (kind == "number" and self._random.random() < 0.3):
            return self._random.choice([*INTEGERS, self._random.randrange(-1000, 1000)])
        if kind == "number":
            return self._random.choice([*FLOATS, self._random.uniform(-1000, 1000)])
        return self._random.random() < 0.5 if kind == "boolean" else None

    def _map(self, draw: Any) -> dict[str, Any]:
        return {self._scalar("string"): draw() for _ in range(self._random.randrange(3))}

    def _value(self, schema: dict[str, Any], depth: int) -> Any:
        if schema.get("nullable") and self._random.random() < 0.2:
            return None
        if "$ref" in schema:
            return self.instance(schema["$ref"].rsplit("/", 1)[-1], depth + 1)
        if "allOf" in schema:
            return self._value(schema["allOf"][0], depth)
        if spec.members(schema):
            return self._value(self._random.choice(spec.members(schema)), depth)
        if "enum" in schema:
            return self._random.choice(schema["enum"])
        if "items" in schema:
            count = self._random.randrange(3) if depth < MAX_DEPTH else 0
            return [self._value(schema["items"], depth + 1) for _ in range(count)]
        if "properties" in schema:
            return self._object(schema, depth)
        if isinstance(schema.get("additionalProperties"), dict):
            return self._map(lambda: self._value(schema["additionalProperties"], depth + 1))
        if schema.get("type", "object") == "object":
            return self._map(self.anything)
        return self._scalar(schema["type"])

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        required = schema.get("required", [])
        share = self._random.random() if depth < MAX_DEPTH else 0
        drawn = {
            name: self._value(child, depth + 1)
            for name, child in schema["properties"].items()
            if name in required or self._random.random() < share
        }
        if self._random.random() < 0.3:
            drawn[f"new_{self._scalar('string')}"] = self.anything(1)
        return drawn
