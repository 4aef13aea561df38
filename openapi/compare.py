"""The page of what two protocols share and where they differ."""

from __future__ import annotations

from typing import Any

import spec

REFERENCE = "#/components/schemas/"
ABSENT = "-"


PAGE = """\
# From {old} to {new}, event by event

What this means for an application is in [the guide](../guides/protocols.md). Pages of all classes:
[{old}](../{old}/README.md), [{new}](README.md).

## Events

A class has the same name in both packages; its `type` may differ.

{events}

## Fields

Classes that both packages have, and the fields that only one of them has.

{fields}
"""


def page(old_name: str, old: dict[str, Any], new_name: str, new: dict[str, Any]) -> str:
    """The page, in markdown, from two annotated documents."""
    names = (f"`{old_name}`", f"`{new_name}`")
    return PAGE.format(
        old=old_name,
        new=new_name,
        events=_events(names, old, new),
        fields=_fields(names, old, new),
    )


def _events(names: tuple[str, str], old: dict[str, Any], new: dict[str, Any]) -> str:
    """The events of both, paired by class."""
    rows = []
    for direction in ("client", "server"):
        before, after = _types(old, direction), _types(new, direction)
        for name in sorted({*before, *after}):
            pair = (before.get(name), after.get(name))
            rows.append((f"`{name}`", *(f"`{each}`" if each else ABSENT for each in pair)))
    return _table(("Class", *names), rows)


def _fields(names: tuple[str, str], old: dict[str, Any], new: dict[str, Any]) -> str:
    """The fields that one of two classes of the same name has and the other lacks."""
    before, after = (spec.public_schemas(document) for document in (old, new))
    rows = []
    for name in sorted(before.keys() & after.keys()):
        if "properties" in before[name] and "properties" in after[name]:
            gone, come = _differences(before[name]["properties"], after[name]["properties"])
            if gone or come:
                rows.append((f"`{name}`", _listed(gone), _listed(come)))
    return _table(("Class", *(f"only in {name}" for name in names)), rows)


def _types(document: dict[str, Any], direction: str) -> dict[str, str]:
    schemas = document["components"]["schemas"]
    return {
        reference.removeprefix(REFERENCE): value
        for union, its_direction in spec.event_unions(schemas).items()
        if its_direction == direction
        for value, reference in schemas[union]["discriminator"]["mapping"].items()
    }


def _differences(old: dict[str, Any], new: dict[str, Any]) -> tuple[list[str], list[str]]:
    return [each for each in old if each not in new], [each for each in new if each not in old]


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or ABSENT


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
