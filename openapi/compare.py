"""The page of what two protocols share and where they differ."""

from __future__ import annotations

from typing import Any

import spec
from pages import TITLES, breakable

ABSENT = "-"
# Beside two long types of events.
NARROW = 28

PAGE = """\
# From {old_title} to {new_title}, event by event

What this means for an application is in [the guide](../guides/protocols.md). Pages of all classes:
[{old_title}](../{old}/README.md), [{new_title}](README.md).

## Events

A class has the same name in both packages.

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
        old_title=TITLES.get(old_name, old_name),
        new_title=TITLES.get(new_name, new_name),
        events=_events(names, old, new),
        fields=_fields(names, old, new),
    )


def _events(names: tuple[str, str], old: dict[str, Any], new: dict[str, Any]) -> str:
    """The events of both, sorted by what became of them."""
    renamed, gone, come, same = [], [], [], []
    before, after = _types(old), _types(new)
    for name in sorted({*before, *after}):
        link, was, now = _link(name, old, new), before.get(name), after.get(name)
        if was == now:
            same.append((f"`{was}`", link))
        elif was and now:
            renamed.append((f"`{was}`", f"`{now}`", link))
        else:
            (gone if was else come).append((f"`{was or now}`", link))
    tables = [
        ("Renamed", (*names, "Class"), renamed),
        (f"Only in {names[0]}", ("Event", "Class"), gone),
        (f"Only in {names[1]}", ("Event", "Class"), come),
        ("The same in both", ("Event", "Class"), same),
    ]
    return "\n\n".join(
        f"### {title}\n\n{_table(head, rows)}" for title, head, rows in tables if rows
    )


def _fields(names: tuple[str, str], old: dict[str, Any], new: dict[str, Any]) -> str:
    """The fields that one of two classes of the same name has and the other lacks."""
    before, after = (spec.public_schemas(document) for document in (old, new))
    rows = []
    for name in sorted(before.keys() & after.keys()):
        if "properties" in before[name] and "properties" in after[name]:
            gone, come = _differences(before[name]["properties"], after[name]["properties"])
            if gone or come:
                rows.append((_link(name, old, new), _listed(gone), _listed(come)))
    return _table(("Class", *(f"only in {name}" for name in names)), rows)


def _link(name: str, old: dict[str, Any], new: dict[str, Any]) -> str:
    """The link of a class's page, in the folder of the new protocol if it has the class."""
    folder = "" if name in new["components"]["schemas"] else f"../{old['x-protocol']}/"
    return f"[{breakable(name, NARROW)}]({folder}{name}.md)"


def _types(document: dict[str, Any]) -> dict[str, str]:
    """The `type` of each event, by class."""
    schemas = document["components"]["schemas"]
    return {
        reference.removeprefix(spec.REFERENCE): value
        for union in spec.event_unions(schemas)
        for value, reference in schemas[union]["discriminator"]["mapping"].items()
    }


def _differences(old: dict[str, Any], new: dict[str, Any]) -> tuple[list[str], list[str]]:
    return [each for each in old if each not in new], [each for each in new if each not in old]


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or ABSENT


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
