"""What mypy and pyright, both strict, say of programs as users write them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from comparison import CHECKERS, Found, table, write_programs

from docs import GUIDES, Page
from protocols import ROOT

HERE = Path(__file__).parent
PROGRAMS = ("accepted.py", "mistakes.py")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    """The errors in all programs, by checker."""
    folder = tmp_path_factory.mktemp("programs")
    for name in PROGRAMS:
        shutil.copy(HERE / name, folder)
    write_programs(folder)
    for page in (Page(ROOT / "README.md"), *GUIDES):
        for example in page.examples:
            name = f"page_{page.path.stem}_{example.line}.py".replace("-", "_")
            (folder / name).write_text(example.code, "utf-8")
    return {name: check(folder) for name, check in CHECKERS.items()}


@pytest.mark.parametrize("checker", CHECKERS)
def test_every_mistake_is_reported_and_nothing_else(checker: str, found: dict[str, Found]) -> None:
    # That includes the programs of the README and the guides.
    expected = {
        (name, number)
        for name in PROGRAMS
        for number, line in enumerate((HERE / name).read_text("utf-8").splitlines(), 1)
        if checker in line.partition("# error: ")[2]
    }
    reported = {each for each in found[checker] if each[0] not in ("ours.py", "sdk.py")}
    assert {"not reported": expected - reported, "not expected": reported - expected} == {
        "not reported": set(),
        "not expected": set(),
    }


def test_the_guide_has_the_table_of_mistakes_that_are_reported(found: dict[str, Found]) -> None:
    assert table(found) in (ROOT / "docs/guides/typing.md").read_text("utf-8")
