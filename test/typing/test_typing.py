"""What mypy and pyright, both strict, say of programs as users write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from comparison import mypy, pyright, table

from protocols import ROOT

HERE = Path(__file__).parent
PROGRAMS = (
    "accepted.py",
    "mistakes.py",
    "narrowed_mistakes.py",
    "narrowing.py",
    "sample_program.py",
    "sent.py",
    "sent_mistakes.py",
    "server.py",
)


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_every_mistake_is_reported_and_nothing_else(checker: str, tmp_path: Path) -> None:
    expected: set[tuple[str, int]] = set()
    for name in PROGRAMS:
        text = (HERE / name).read_text("utf-8")
        (tmp_path / name).write_text(text, "utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            if checker in line.partition("# error: ")[2]:
                expected.add((name, number))
    found = {"mypy": mypy, "pyright": pyright}[checker](tmp_path, *PROGRAMS)
    assert {"not reported": expected - found, "not expected": found - expected} == {
        "not reported": set(),
        "not expected": set(),
    }


def test_the_guide_has_the_table_of_mistakes_that_are_reported(tmp_path: Path) -> None:
    assert table(tmp_path) in (ROOT / "docs/guides/typing.md").read_text("utf-8")
