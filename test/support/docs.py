"""Reads the pages of `docs/`."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ +(.+?)[ #]*$", re.MULTILINE)
_LINK = re.compile(r'\]\(([^)\s]+)\)|^\[[^\]]+\]: +(\S+)|(?:href|src)="([^"]+)"', re.MULTILINE)
_TABLE = re.compile(r"(?:^\|.*\n?)+", re.MULTILINE)
_INLINE_CODE = re.compile(r"`[^`\n]*`")


@dataclass(frozen=True)
class Example:
    """A `python` block.

    `section` is the text above it, `output` the `text` block below it, and `json` the `json` block
    right above it, which the program has as `text`.
    """

    line: int
    code: str
    section: str
    output: str | None
    json: str | None = None


@dataclass(frozen=True)
class Page:
    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(DOCS.parent).with_suffix("").as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def prose(self) -> str:
        """All but the fenced blocks, where `#` and `|` mean something else."""
        return _FENCED.sub("", self.text)

    @cached_property
    def headings(self) -> list[str]:
        return _HEADING.findall(self.prose)

    @cached_property
    def anchors(self) -> set[str]:
        """What GitHub calls the headings, and the rows of tables that have an anchor."""
        seen: Counter[str] = Counter()
        anchors = set(re.findall(r'<a id="([^"]+)"></a>', self.prose))
        for heading in self.headings:
            text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
            anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            anchors.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
            seen[anchor] += 1
        return anchors

    @cached_property
    def links(self) -> list[tuple[Path, str]]:
        """File and anchor of each link within the repository."""
        targets = ["".join(match) for match in _LINK.findall(_INLINE_CODE.sub("", self.prose))]
        local = [target for target in targets if not re.match(r"\w+:", target)]
        parts = [target.partition("#") for target in local]
        return [(self._resolve(file), anchor) for file, _, anchor in parts]

    def _resolve(self, file: str) -> Path:
        return (self.path.parent / file).resolve() if file else self.path

    @cached_property
    def tables(self) -> list[list[list[str]]]:
        """The cells of the rows of each table; a bar after a backslash is text."""
        tables = [table.splitlines() for table in _TABLE.findall(self.prose)]
        return [[re.split(r"(?<!\\)\|", row.strip())[1:-1] for row in table] for table in tables]

    @cached_property
    def examples(self) -> list[Example]:
        blocks = [None, *_FENCED.finditer(self.text), None]
        return [
            Example(
                line=self.text.count("\n", 0, block.start()) + 1,
                code=block[2],
                section=re.split(r"^#+ ", self.text[: block.start()], flags=re.MULTILINE)[-1],
                output=self._output(block, after),
                json=before[2] if before and before[1] == "json" else None,
            )
            for before, block, after in zip(blocks, blocks[1:], blocks[2:], strict=False)
            if block and block[1] == "python"
        ]

    def _output(self, block: re.Match[str], after: re.Match[str] | None) -> str | None:
        if after is None or after[1] != "text":
            return None
        return None if _HEADING.search(self.text, block.end(), after.start()) else after[2]


def without_html(text: str) -> str:
    """A text without its anchors and the places where a name may break."""
    return re.sub(r"</?(?:a|wbr)\b[^>]*>", "", text)


def without_links(text: str) -> str:
    return re.sub(r"\[(`[^`]*`)\]\([^)]*\)", r"\1", text)


def facts(page: Page) -> dict[str, str]:
    """The list at the top of a page, without its links."""
    text = without_links(page.text.partition("\n## ")[0])
    return dict(re.findall(r"^- \*\*([^*]+)\*\*: (.+)$", text, re.MULTILINE))


def event_type(page: Page) -> str:
    """Return the `type` of the event that a page is about."""
    return facts(page)["Event"].split("`")[1]


@cache
def page_at(path: Path) -> Page:
    """The page in a file, which is read once."""
    return Page(path)


PAGES = [page_at(path) for path in sorted(DOCS.rglob("*.md"))]
# Those of the Realtime API, whose facts are known.
EVENT_PAGES = [
    page
    for page in PAGES
    if page.path.parent.name in ("v1", "ga") and "\n- **Event**: " in page.text
]
GUIDES = [page for page in PAGES if page.path.parent == DOCS / "guides"]


def run(page: Page, example: Example, **names: Any) -> dict[str, Any]:
    """Run an example, which has these names; the names it leaves."""
    # With its line numbers, so that a traceback points into the page.
    code = "\n" * example.line + example.code
    names |= {"__name__": "__main__", "text": example.json}
    exec(compile(code, page.path, "exec", dont_inherit=True), names)
    return names
