"""Two pages about a whole protocol: an index from A to Z, and all pages in one."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
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
WHOLE = """\
# {title}, all of it

All pages of this folder in one file, for tools that read whole files. The [index](README.md) leads
to the single pages.

{pages}
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


def whole(title: str, folder: Path) -> str:
    """All class pages of a folder as one page."""
    pages = [page for page in sorted(folder.glob("[A-Z]*.md")) if page.stem != "README"]
    names = {page.stem for page in pages}
    texts = [_chapter(page.read_text("utf-8"), names) for page in pages]
    return WHOLE.format(title=title, pages="\n\n".join(texts))


def _chapter(text: str, names: set[str]) -> str:
    """A page as a chapter: without header and footer, its headings a level lower."""
    text = re.sub(
        r"\A<!--.*?-->\s*|\s*\[All models\]\(README\.md\)\s*\Z", "", text, flags=re.DOTALL
    )
    parts = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)
    parts[::2] = [_moved(part, names) for part in parts[::2]]
    return "".join(parts)


def _listed(table: re.Match[str]) -> str:
    """A table as a list, which needs no width and fewer words."""
    lines = table[0].splitlines()
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines[2:]]
    entries = [[cell.strip().replace("\\|", "|") for cell in row] for row in rows]
    if "Description" in lines[0]:
        entries = [[f"{name} ({kind})", f"{text} {notes}"] for name, kind, text, notes in entries]
    return "".join(f"- {': '.join(row).strip()}\n" for row in entries)


def _moved(text: str, names: set[str]) -> str:
    text = re.sub(r"(?:^\|.*\n)+", _listed, text, flags=re.MULTILINE)
    text = re.sub(r"^(#+ )", r"#\1", text, flags=re.MULTILINE).replace("<wbr>", "")
    # What a page has for itself, its enums, has no heading of its own name here.
    text = re.sub(r"\[(\*\*[^\]]*(?:\[[^\]]*\])?[^\]]*\*\*)\]\(#enum-\w+\)", r"\1", text)

    def link(match: re.Match[str]) -> str:
        return f"](#{match[1].lower()})" if match[1] in names else match[0]

    return re.sub(r"\]\((\w+)\.md(?:#\w+)?\)", link, text)
