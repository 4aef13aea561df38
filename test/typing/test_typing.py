"""What mypy and pyright, both strict, say of programs as users write them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

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
BIN = Path(sys.executable).parent


def lines_of_mypy(folder: Path) -> set[tuple[str, int]]:
    """File and line of each error of mypy."""
    options = ["--strict", "--no-error-summary", f"--cache-dir={folder}"]
    done = subprocess.run(
        [str(BIN / "mypy"), *options, "--config-file=", *PROGRAMS],
        cwd=folder,
        env={"MYPYPATH": str(ROOT), "PATH": str(BIN)},
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r"^(\w+\.py):(\d+): error", done.stdout, re.MULTILINE)
    assert found, done.stdout + done.stderr
    return {(name, int(line)) for name, line in found}


def lines_of_pyright(folder: Path) -> set[tuple[str, int]]:
    """File and line of each error of pyright."""
    config = {"typeCheckingMode": "strict", "extraPaths": [str(ROOT)]}
    # What a program does with a name that is an error already.
    quiet = ("UnknownVariableType", "UnknownMemberType", "UnusedExpression", "UnusedImport")
    config |= {f"report{name}": False for name in quiet}
    (folder / "pyrightconfig.json").write_text(json.dumps(config), "utf-8")
    done = subprocess.run(
        [str(BIN / "pyright"), "--outputjson", "--pythonpath", sys.executable, "-p", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {(Path(each["file"]).name, each["range"]["start"]["line"] + 1) for each in found}


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_every_mistake_is_reported_and_nothing_else(checker: str, tmp_path: Path) -> None:
    expected: set[tuple[str, int]] = set()
    for name in PROGRAMS:
        text = (HERE / name).read_text("utf-8")
        (tmp_path / name).write_text(text, "utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            if checker in line.partition("# error: ")[2]:
                expected.add((name, number))
    found = {"mypy": lines_of_mypy, "pyright": lines_of_pyright}[checker](tmp_path)
    assert {"not reported": expected - found, "not expected": found - expected} == {
        "not reported": set(),
        "not expected": set(),
    }
