"""Propose overlay actions for what recorded sessions have beyond the schema: `make wire`."""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

import names
import spec
from apply import MISSING
from differences import Document
from openai_realtime_client import RealtimeModel, UnknownEvent, deviations
from openai_realtime_client.testing.recording import RecordedEvent, read_recording
from simplify import simplified

SCHEMAS = "$.components.schemas"


@dataclass
class Finding:
    """A deviation at one place of the schema, with the evidence for it."""

    owner: str
    field: str
    kind: str
    value: Any
    first: str
    count: int = 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--protocol", default="ga", help="the fragment's name")
    parser.add_argument("files", nargs="+", type=Path, help="recordings, as `inspect` reads them")
    arguments = parser.parse_args()
    fragment = Path(f"openapi/{arguments.protocol}.yaml")
    try:
        overlay = fragment.parent / "overlays" / fragment.name
        document = simplified(spec.merged(fragment, overlay, checked=False))
        found = findings(arguments.protocol, document, arguments.files)
    except (spec.SpecError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    actions = [action for each in found for action in proposed(each, Document(document))]
    if not actions:
        print("The recordings have nothing that the schema lacks.")
        return 0
    yaml = YAML()
    yaml.width = 100
    yaml.indent(mapping=2, sequence=4, offset=2)
    info = {"title": f"Proposed for {arguments.protocol}", "version": "1.0.0"}
    yaml.dump({"overlay": "1.0.0", "info": info, "actions": actions}, sys.stdout)
    return 1


def findings(protocol: str, document: dict[str, Any], files: Iterable[Path]) -> list[Finding]:
    """The deviations of all events, those at one place of the schema as one."""
    package = importlib.import_module(f"openai_realtime_client.{protocol}")
    unions = spec.event_unions(document["components"]["schemas"])
    found: dict[tuple[str, str, str, str], Finding] = {}
    for file in files:
        for recorded in read_recording(file):
            event = _parsed(package, unions, recorded)
            for path, kind, value in deviations(event):
                owner, field = _place(event, path)
                if kind == "unknown event":
                    owner, value = recorded.direction, recorded.event
                named = value["type"] if kind == "unknown event" else value
                key = (owner, field, kind, str(named) if kind.endswith(("value", "event")) else "")
                first = f"{file.name}:{recorded.line} {'.'.join(filter(None, [event.type, path]))}"
                found.setdefault(key, Finding(owner, field, kind, value, first)).count += 1
    return list(found.values())


def _parsed(package: Any, unions: dict[str, str], recorded: RecordedEvent) -> Any:
    event: Any = None
    for union, direction in unions.items():
        if direction == recorded.direction:
            parse = getattr(package, names.parser_name(union))
            event = parse(recorded.to_json().partition('"event":')[2][:-1])
            if not isinstance(event, UnknownEvent):
                break
    return event


def _place(event: RealtimeModel, path: str) -> tuple[str, str]:
    """The class that a deviation is in, and its field there."""
    node: Any = event
    owner, field = type(event).__name__, ""
    for part in re.findall(r"[^.\[\]]+", path):
        if isinstance(node, RealtimeModel):
            owner, field = type(node).__name__, part
            names = {each.alias or name: name for name, each in type(node).model_fields.items()}
            node = getattr(node, names.get(part, part), None)
        elif isinstance(node, list) and part.isdigit():
            node = node[int(part)]
        elif isinstance(node, dict):
            node = node.get(part)
    return owner, field


# Actions


def proposed(found: Finding, document: Document) -> Iterator[dict[str, Any]]:
    """The overlay actions that make the schema say what was seen."""
    times = "once" if found.count == 1 else f"{found.count} times"
    why = f"{MISSING} say why. Seen {times}, first in {found.first}."
    target = f"{SCHEMAS}.{found.owner}"
    if found.kind == "unknown field":
        update: Any = {found.field: _schema_of(found.value)}
        yield {"target": f"{target}.properties", "description": why, "update": update}
    elif found.kind == "wrong type" and found.value is None:
        field = f"{target}.properties.{found.field}"
        yield {"target": field, "description": why, "update": {"nullable": True}}
    elif found.kind == "missing field":
        required = document.schemas[found.owner]["required"]
        rest = [name for name in required if name != found.field]
        yield {"target": f"{target}.required", "description": why, "remove": True}
        if rest:
            update = {"required": rest}
            yield {"target": target, "description": f"{why} All others.", "update": update}
    elif found.kind == "unknown value":
        enum = _enum(found, document)
        yield {"target": enum, "description": why, "update": [found.value]}
    elif found.kind == "unknown event":
        yield from _new_event(found, why)
    else:
        place = f"{target}.properties.{found.field}"
        text = f"{why} A {found.kind}: write by hand what it is."
        yield {"target": place, "description": text, "update": {}}


def _new_event(found: Finding, why: str) -> Iterator[dict[str, Any]]:
    direction = found.owner.title()
    kind = str(found.value["type"])
    words = "".join(word.title() for word in re.split(r"[\W_]+", kind))
    name = f"Realtime{direction}Event{words}"
    schema = {
        "type": "object",
        "description": MISSING,
        "required": ["type"],
        "properties": {
            **{field: _schema_of(value) for field, value in found.value.items()},
            "type": {"type": "string", "description": MISSING, "enum": [kind]},
        },
    }
    reference = spec.REFERENCE + name
    yield {"target": SCHEMAS, "description": why, "update": {name: schema}}
    update = {"anyOf": [{"$ref": reference}], "discriminator": {"mapping": {kind: reference}}}
    union = f"{SCHEMAS}.Realtime{direction}Event"
    yield {"target": union, "description": f"{why} A member.", "update": update}


def _enum(found: Finding, document: Document) -> str:
    """The path of the enum of a field, which may be that of a component, or of a list's items."""
    place = f"{SCHEMAS}.{found.owner}.properties.{found.field}"
    schema = document.schemas[found.owner]["properties"][found.field]
    while "enum" not in schema:
        name, target = document.target(schema)
        if name:
            place, schema = f"{SCHEMAS}.{name}", target
        elif "items" in schema:
            place, schema = f"{place}.items", schema["items"]
        else:
            key = "anyOf" if "anyOf" in schema else "oneOf"
            number, schema = next((n, m) for n, m in enumerate(schema[key]) if "enum" in m)
            place = f"{place}.{key}[{number}]"
    return f"{place}.enum"


def _schema_of(value: Any) -> dict[str, Any]:
    """The schema of one value, which may have others, too."""
    schema: dict[str, Any] = {"description": MISSING}
    if value is None:
        return schema
    if isinstance(value, list):
        items = _schema_of(value[0]) if value else {}
        items.pop("description", None)
        return {"type": "array", **schema, "items": items}
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object"}
    return {"type": kinds[type(value)], **schema}


if __name__ == "__main__":
    sys.exit(main())
