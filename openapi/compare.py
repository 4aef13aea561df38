"""Tables of what two protocols share and where they differ, for the guide to moving."""

from __future__ import annotations

from typing import Any

import spec

REFERENCE = "#/components/schemas/"
ABSENT = "-"


def events(old: dict[str, Any], new: dict[str, Any]) -> str:
    """The events of both, paired by class: a class has the same name in both packages."""
    rows = []
    for direction in ("client", "server"):
        before, after = _types(old, direction), _types(new, direction)
        for name in sorted({*before, *after}):
            pair = (before.get(name), after.get(name))
            rows.append((f"`{name}`", *(f"`{each}`" if each else ABSENT for each in pair)))
    return _table(("Class", "`realtime=v1`", "GA"), rows)


def fields(old: dict[str, Any], new: dict[str, Any]) -> str:
    """The fields that one of two classes of the same name has and the other lacks."""
    before, after = (spec.public_schemas(document) for document in (old, new))
    rows = []
    for name in sorted(before.keys() & after.keys()):
        if "properties" in before[name] and "properties" in after[name]:
            gone, come = _differences(before[name]["properties"], after[name]["properties"])
            if gone or come:
                rows.append((f"`{name}`", _listed(gone), _listed(come)))
    return _table(("Class", "only in `realtime=v1`", "only in GA"), rows)


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
