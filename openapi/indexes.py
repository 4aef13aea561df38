"""The index of a protocol from A to Z."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import spec

INDEX = """\
# From A to Z

Every field and every enum value of the {title}, with the classes that have it.

## Fields

{fields}

## Enum values

{values}

[All models](README.md)
"""


def index(title: str, document: dict[str, Any]) -> str:
    """The page of all fields and enum values of an annotated document."""
    fields: dict[str, set[str]] = defaultdict(set)
    values: dict[str, set[str]] = defaultdict(set)
    for name, schema in spec.public_schemas(document).items():
        for field in schema.get("properties", {}):
            fields[field].add(name)
        parts = [schema, *schema.get("properties", {}).values(), *spec.members(schema)]
        for part in parts:
            known = part.get("enum", []) + part.get("x-known", [])
            for value in known + part.get("items", {}).get("enum", []):
                values[str(value)].add(name)
    return INDEX.format(title=title, fields=_entries(fields), values=_entries(values))


def _entries(names: dict[str, set[str]]) -> str:
    ordered = sorted(names.items(), key=lambda each: (each[0].lower(), each[0]))
    return "\n".join(
        f"- `{name}`: {', '.join(f'[{user}]({user}.md)' for user in sorted(users))}"
        for name, users in ordered
    )
