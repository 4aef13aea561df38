"""Compare a fragment with what is published now: `make upstream`.

With `SPEC`, an OpenAPI document; without it, the newest `openai` wheel, and the one that the
fragment notes as its last in `x-reconciled`. Exit code 1 says that facts differ.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apply
import spec
import wheel
from differences import Comparison, Document, Row, documents, grouped
from simplify import simplified

MOST_PROSE = 20


@dataclass
class Report:
    """What was found, under headings."""

    title: str
    # What is to be done: the rows of these headings make the exit code 1.
    facts: dict[str, list[Row]] = field(default_factory=dict)
    # What is to be known.
    notes: dict[str, list[Row]] = field(default_factory=dict)
    prose: list[Row] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        return any(self.facts.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fragment", type=Path, default=Path("openapi/ga.yaml"))
    parser.add_argument("--spec", type=Path, help="an OpenAPI document to compare with")
    parser.add_argument("--base", type=Path, help="the one before it, to see what prose changed")
    parser.add_argument("--version", help="the openai wheel to compare with, not the newest")
    parser.add_argument("--apply", action="store_true", help="write the facts into the fragment")
    parser.add_argument("--format", choices=["text", "markdown", "json"], default="text")
    arguments = parser.parse_args()
    try:
        if arguments.spec:
            report = against_document(arguments.fragment, arguments.spec, arguments.base)
            source = simplified(spec.load(arguments.spec))
        else:
            version = arguments.version or wheel.newest()
            report, source = against_wheel(arguments.fragment, version)
        print(FORMATS[arguments.format](report))
        if arguments.apply:
            rows = [row for rows in report.facts.values() for row in rows]
            for line in apply.apply(arguments.fragment, rows, source):
                print(line)
        return int(report.differs)
    except spec.SpecError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def against_document(fragment: Path, other: Path, base: Path | None = None) -> Report:
    """Compare with an OpenAPI document; schemas are found by their names."""
    theirs = Document(simplified(_part(fragment, spec.load(other))))
    alone = documents(Document(simplified(spec.load(fragment))), theirs)
    merged = documents(Document(_merged(fragment)), theirs)
    report = Report(f"{fragment} and {other}")
    _sort(report, alone, merged)
    if base:
        before = Document(simplified(_part(fragment, spec.load(base))))
        report.prose = documents(before, theirs).prose
    else:
        report.prose = alone.prose
    return report


def against_wheel(fragment: Path, version: str) -> tuple[Report, dict[str, Any]]:
    """Compare the wheel that the fragment was last reconciled with, `version`, and the fragment."""
    document = spec.load(fragment)
    last = str(document.get("x-reconciled", {}).get("openai", ""))
    if not last:
        raise spec.SpecError(f"{fragment}: x-reconciled names no version of openai")
    before, after = wheel.document(last), wheel.document(version)
    old, new = (Document(simplified(each), is_lossy=True) for each in (before, after))
    changed = _compare_roots(old, new)
    ours, merged = Document(simplified(document)), Document(_merged(fragment))
    report = Report(f"{fragment}, openai {last} and openai {version}")
    report.notes[f"changed from openai {last} to {version}"] = grouped(changed.rows)
    # What already differed from the last wheel was looked at when the fragment followed it.
    known = {_key(row) for row in _compare_roots(ours, old).rows}
    lacking = [row for row in _compare_roots(ours, new).rows if _key(row) not in known]
    overlaid = {_key(row) for row in _compare_roots(merged, new).rows}
    report.facts["the fragment differs"] = grouped(r for r in lacking if _key(r) in overlaid)
    report.facts["the overlay has it: move it to the fragment"] = grouped(
        row for row in lacking if _key(row) not in overlaid
    )
    report.prose = grouped(changed.prose)
    return report, new.document


def _compare_roots(ours: Document, theirs: Document) -> Comparison:
    comparison = Comparison(ours, theirs)
    for name in wheel.ROOTS:
        names = [
            next((each for each in (f"root:{name}", name) if each in document.schemas), None)
            for document in (ours, theirs)
        ]
        a, b = (each and {"$ref": spec.REFERENCE + each} for each in names)
        if a and b:
            comparison.compare(a, b, name)
        elif a or b:
            comparison.rows.append(Row("+" if b else "-", name, (), "schema"))
    a, b = ({place for place, _ in spec.operations(each.document)} for each in (ours, theirs))
    comparison.rows += [Row("+", place, (), "operation") for place in sorted(b - a)]
    comparison.rows += [Row("-", place, (), "operation") for place in sorted(a - b)]
    return comparison


def _merged(fragment: Path) -> dict[str, Any]:
    overlay = fragment.parent / "overlays" / fragment.name
    # `make generate`, which follows, checks both.
    return simplified(spec.merged(fragment, overlay, checked=False))


def _part(fragment: Path, document: dict[str, Any]) -> dict[str, Any]:
    """What belongs to the protocol of a fragment in a document of a whole service."""
    if not isinstance(document.get("components", {}).get("schemas"), dict):
        raise spec.SpecError("the document to compare with has no components.schemas")
    ours = spec.load(fragment)
    roots = {path.split("/")[1] for path in ours["paths"]}
    paths = {p: item for p, item in document.get("paths", {}).items() if p.split("/")[1] in roots}
    hooks = {
        name: item
        for name, item in document.get("webhooks", {}).items()
        if name.split(".")[0] in roots
    }
    schemas = document["components"]["schemas"]
    names = (*ours["components"]["schemas"], *spec.references({"paths": paths, "webhooks": hooks}))
    seen = spec.reachable(names, lambda name: spec.references(schemas.get(name, {})))
    components = {
        **document["components"],
        "schemas": {n: schemas[n] for n in schemas if n in seen},
    }
    return {**document, "paths": paths, "webhooks": hooks, "components": components}


def _sort(report: Report, alone: Comparison, merged: Comparison) -> None:
    """Tell what the fragment lacks from what the overlay adds or has already."""
    fragment, overlay = ({_key(row) for row in each.rows} for each in (alone, merged))
    report.facts["the fragment differs"] = grouped(r for r in alone.rows if _key(r) in overlay)
    report.facts["the overlay has it: move it to the fragment"] = grouped(
        row for row in alone.rows if _key(row) not in overlay
    )
    report.notes["what the overlay explains"] = grouped(
        row for row in merged.rows if _key(row) not in fragment
    )


def _key(row: Row) -> tuple[str, str, str, str]:
    value = row.theirs if row.sign == "+" and row.fact in ("value", "member") else ""
    return (row.sign, row.place, row.fact, str(value or row.ours if row.fact == "value" else value))


# Writing it down


def _text(report: Report) -> str:
    lines = [report.title]
    for heading, rows in {**report.facts, **report.notes}.items():
        if rows:
            lines += ["", f"{heading} ({len(rows)})", *(f"  {row}" for row in rows)]
    if report.prose:
        lines += ["", f"prose that changed ({len(report.prose)})"]
        lines += [f"  {row.place}" for row in report.prose[:MOST_PROSE]]
        if len(report.prose) > MOST_PROSE:
            lines.append(f"  … and {len(report.prose) - MOST_PROSE} more, with FORMAT=markdown")
    if not report.differs:
        lines += ["", "The facts are the same."]
    return "\n".join(lines)


def _markdown(report: Report) -> str:
    lines = [f"# {report.title}"]
    for heading, rows in {**report.facts, **report.notes}.items():
        lines += ["", f"## {heading[0].upper()}{heading[1:]}", "", *_table(rows)]
    lines += ["", "## Prose that changed", ""]
    for row in report.prose:
        lines += [f"- `{row.place}`: {row.theirs}"]
    return "\n".join(lines)


def _table(rows: Iterable[Row]) -> list[str]:
    lines = ["| | Place | Fact | Here | There |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        places = ", ".join(f"`{place}`" for place in (row.place, *row.also))
        cells = (row.sign, places, row.fact, _cell(row.ours), _cell(row.theirs))
        lines.append(f"| {' | '.join(cells)} |")
    return lines if len(lines) > 2 else ["None."]


def _cell(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _json(report: Report) -> str:
    def plain(row: Row) -> dict[str, Any]:
        values = {key: value for key, value in vars(row).items() if key != "around"}
        return {**values, "place": row.place}

    content = {
        part: {heading: [plain(row) for row in rows] for heading, rows in found.items()}
        for part, found in (("facts", report.facts), ("notes", report.notes))
    }
    return json.dumps({**content, "prose": [plain(row) for row in report.prose]}, indent=1)


FORMATS = {"text": _text, "markdown": _markdown, "json": _json}

if __name__ == "__main__":
    sys.exit(main())
