"""`make changes`: what breaks, what was added, and the version that follows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import griffe
import pytest

import changes

MODULES = {
    "__init__.py": '__version__ = "0.3.1"\nfrom openai_realtime_client.base import Base as Base\n',
    "base.py": "class Base:\n    pass\n",
    "extra.py": "",
    "cli/__init__.py": "",
    "cli/show.py": "def show(text: str) -> None: ...\n",
    "thing.py": """
from openai_realtime_client.base import Base

class Thing(Base):
    class StatusEnum:
        DONE = "done"
        FAILED = "failed"

    id: str
    name: str | None = None

    def __init__(self, *, id: str, name: str | None = ...) -> None: ...
    def send(self, text: str, _size: int = 1) -> None: ...
    def _prepare(self) -> None: ...

class Other:
    size: int = 1

def _helper() -> None: ...
""",
}
FIELD = "    name: str | None = None\n"
ARGUMENT = "name: str | None = ..."


def change(path: str, old: str, new: str) -> dict[str, str | None]:
    """Return what is written for a module in which one text is replaced."""
    assert old in MODULES[path]
    return {path: MODULES[path].replace(old, new)}


def in_thing(old: str, new: str) -> dict[str, str | None]:
    return change("thing.py", old, new)


def write_package(root: Path, written: dict[str, str | None]) -> None:
    for name, text in {**MODULES, **written}.items():
        path = root / changes.PACKAGE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text, "utf-8")


def git(*arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose one commit is released as v0.3.1."""
    monkeypatch.chdir(tmp_path)
    write_package(tmp_path, {})
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "Release")
    git("tag", "v0.3.1")
    return tmp_path


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(released: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in the released repository; its status, output and errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["changes.py", *arguments])
        return changes.main(), *capsys.readouterr()

    return run


BREAKING = {
    "name_of_a_package_removed": (
        change("__init__.py", "from openai_realtime_client.base import Base as Base\n", ""),
        "`base.Base`: Public object was removed",
    ),
    "class_removed": (
        in_thing("class Other:\n    size: int = 1\n", ""),
        "`thing.Other`: Public object was removed",
    ),
    "field_removed": (in_thing(FIELD, ""), "`thing.Thing.name`: Public object was removed"),
    "enum_member_removed": (
        in_thing('        FAILED = "failed"\n', ""),
        "`thing.Thing.StatusEnum.FAILED`: Public object was removed",
    ),
    "module_removed": ({"extra.py": None}, "`extra`: Public object was removed"),
    "parameter_removed": (
        in_thing("self, text: str, ", "self, "),
        "`thing.Thing.send(text)`: Parameter was removed",
    ),
    "required_parameter_added": (
        in_thing("text: str, ", "text: str, more: int, "),
        "`thing.Thing.send(more)`: Parameter was added as required",
    ),
    "optional_field_made_required": (
        in_thing(ARGUMENT, "name: str"),
        "`thing.Thing.__init__(name)`: Parameter is now required",
    ),
}
ADDITIONS = {
    "field_added": (
        in_thing(FIELD, f"{FIELD}    size: int = 1\n"),
        "`thing.Thing.size`: Public object was added",
    ),
    "enum_member_added": (
        in_thing('DONE = "done"\n', 'DONE = "done"\n        PAUSED = "paused"\n'),
        "`thing.Thing.StatusEnum.PAUSED`: Public object was added",
    ),
    "optional_parameter_added": (
        in_thing("_size: int = 1", "_size: int = 1, more: int = 0"),
        "`thing.Thing.send(more)`: Parameter was added",
    ),
    "module_added": ({"new.py": ""}, "`new`: Public object was added"),
}
NOTHING = {
    "unchanged_tree": {},
    "private_function_removed": in_thing("def _helper() -> None: ...\n", ""),
    "private_method_removed": in_thing("    def _prepare(self) -> None: ...\n", ""),
    "private_module_added": {"_new.py": "x = 1\n"},
    "command_line_changed": change("cli/show.py", "text: str", "value: int"),
    "field_moved_to_base_class": {
        **in_thing(FIELD, ""),
        **change("base.py", "    pass\n", FIELD),
    },
}


def load(folder: Path, written: dict[str, str | None]) -> Any:
    write_package(folder, written)
    # The packages that are imported here, or stand in this folder, are others.
    return griffe.load(changes.PACKAGE, search_paths=[folder], try_relative_path=False)


def compare(folder: Path, written: dict[str, str | None]) -> tuple[list[str], list[str]]:
    return changes.compare(load(folder / "old", {}), load(folder / "new", written))


@pytest.mark.parametrize(("written", "expected"), BREAKING.values(), ids=BREAKING)
def test_breaking_change(tmp_path: Path, written: Any, expected: str) -> None:
    broken, added = compare(tmp_path, written)
    assert expected in broken
    assert added == []
    assert changes.next_version("0.3.1", broken, added) == "0.4.0"


@pytest.mark.parametrize(("written", "expected"), ADDITIONS.values(), ids=ADDITIONS)
def test_addition(tmp_path: Path, written: Any, expected: str) -> None:
    assert compare(tmp_path, written) == ([], [expected])


@pytest.mark.parametrize("written", NOTHING.values(), ids=NOTHING)
def test_private_change_gives_nothing(tmp_path: Path, written: Any) -> None:
    assert compare(tmp_path, written) == ([], [])


# The whole command


def test_change_is_listed_and_needs_a_version(released: Path, run: Run) -> None:
    written, expected = ADDITIONS["field_added"]
    write_package(released, written)
    summary = "Since v0.3.1: 0 breaking, 1 added. 0.3.2 or later follows.\n"
    assert run() == (0, f"### Added\n\n- {expected}\n\n{summary}", "")
    status, _, errors = run("--check")
    text = "error: __version__ is 0.3.1, and what changed since v0.3.1 needs 0.3.2"
    assert (status, errors[: len(text)]) == (1, text)


@pytest.mark.parametrize(("stated", "status"), [("0.3.1", 1), ("0.3.2", 0)])
def test_version_in_a_module_of_its_own(released: Path, run: Run, stated: str, status: int) -> None:
    imported = "from openai_realtime_client.version import __version__ as __version__"
    written = change("__init__.py", '__version__ = "0.3.1"', imported)
    write_package(released, {**written, "version.py": f'__version__ = "{stated}"\n'})
    assert run("--check")[0] == status


def test_without_release_every_version_does(released: Path, run: Run) -> None:
    git("tag", "-d", "v0.3.1")
    write_package(released, {"extra.py": None})
    status, out, _ = run("--check")
    assert (status, out.startswith("Nothing has been released")) == (0, True)


def test_unknown_revision_is_an_error(run: Run) -> None:
    assert run("--since", "nope") == (2, "", "error: git has no revision 'nope'\n")


@pytest.mark.parametrize(
    ("last", "broken", "added", "follows"),
    [
        ("0.3.9", ["x"], ["y"], "0.4.0"),
        ("0.3.9", [], ["y"], "0.3.10"),
        ("1.2.3", ["x"], ["y"], "2.0.0"),
        ("1.2.3", [], ["y"], "1.3.0"),
        ("1.2.3", [], [], "1.2.3"),
    ],
)
def test_next_version(last: str, broken: list[str], added: list[str], follows: str) -> None:
    assert changes.next_version(last, broken, added) == follows
