"""Types of Python for schemas, by one rule for code and pages: text stays text."""

from __future__ import annotations

from typing import Any

from spec import component, members

PYTHON_TYPES = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "object": "dict[str, Any]",
}


def is_class(schema: dict[str, Any]) -> bool:
    """Return whether a component becomes a class or union; a plain map becomes `dict`."""
    return bool("properties" in schema or "enum" in schema or members(schema))


def type_name(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """Return the Python type of an annotated schema, as the generated class names it."""
    name = component(schema)
    if name:
        if is_class(schemas[name]):
            return name
        # What is no class stands for what it consists of.
        return type_name(schemas[name], schemas)
    if "items" in schema:
        return f"list[{_held_type(schema['items'], schemas)}]"
    if "x-enum-name" in schema:
        return str(schema["x-enum-name"])
    values = schema.get("additionalProperties")
    if isinstance(values, dict) and values:
        return f"dict[str, {_held_type(values, schemas)}]"
    if schema.get("type") == "object" or values:
        return "dict[str, Any]"
    return PYTHON_TYPES.get(schema.get("type", ""), "Any")


def _held_type(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """Return the type of what a list or a map holds, which may be `null`."""
    name = type_name(schema, schemas)
    # `Any` holds `None` already.
    if schema.get("nullable") and name != "Any":
        return f"{name} | None"
    return name
