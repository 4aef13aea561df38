"""What mypy and pyright say of users' programs, line by line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"


def run(*command: str | Path) -> str:
    result = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    # 1 is for programs with errors; more, for a checker that did not run.
    assert result.returncode <= 1, result.stderr
    return result.stdout


def mypy() -> set[tuple[str, int]]:
    output = run(sys.executable, "-m", "mypy", "--strict", "--no-error-summary", PROGRAMS)
    return {
        (Path(found[1]).name, int(found[2]))
        for line in output.splitlines()
        if (found := re.match(r"(.+?):(\d+): error:", line))
    }


def pyright() -> set[tuple[str, int]]:
    output = run(sys.executable, "-m", "pyright", "--outputjson", PROGRAMS)
    return {
        (Path(found["file"]).name, found["range"]["start"]["line"] + 1)
        for found in json.loads(output)["generalDiagnostics"]
        if found["severity"] == "error"
    }


def expected(checker: str) -> set[tuple[str, int]]:
    return {
        (program.name, number)
        for program in PROGRAMS.glob("*.py")
        for number, line in enumerate(program.read_text("utf-8").splitlines(), 1)
        if checker in line.partition("# expect:")[2]
    }


@pytest.mark.parametrize("checker", [mypy, pyright], ids=lambda checker: checker.__name__)
def test_it_reports_each_mistake_and_nothing_else(checker: object) -> None:
    assert callable(checker)
    assert checker() == expected(checker.__name__)


def test_enough_mistakes_are_planted() -> None:
    assert len(expected("mypy") | expected("pyright")) >= 30
