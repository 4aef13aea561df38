"""`make changes`: what breaks, what was added, and the version that follows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import griffe
import pytest

import changes

# The modules of a package, each below its path.
PACKAGE = """\
=== __init__.py
__version__ = "0.3.1"
from openai_realtime_client.base import Base as Base
=== base.py
class Base:
    pass
=== extra.py
=== cli/__init__.py
=== cli/show.py
def show(text: str) -> None: ...
=== ga/__init__.py
=== ga/models/__init__.py
=== ga/models/note.py
class Note:
    pass
=== thing.py
from openai_realtime_client.base import Base

class Thing(Base):
    class StatusEnum:
        DONE = "done"
        FAILED = "failed"

    id: str
    name: str | None = None

    def __init__(self, *, id: str, name: str | None = ...) -> None: ...
    def send(self, *, text: str, size: int = 1) -> None: ...
    def close(self, *, code: int = 1000) -> None: ...
    def _prepare(self) -> None: ...

class Other:
    size: int = 1

def _helper() -> None: ...
"""
CHANGED = "Type was changed"
REMOVED, ADDED = "Public object was removed", "Public object was added"
IMPORT = "from openai_realtime_client.base import Base as Base\n"
FIELD = "    name: str | None = None\n"
# What is replaced, by what, and what is said of it.
BREAKING = [
    (IMPORT, "", f"`base.Base`: {REMOVED}"),
    ("=== extra.py\n", "", f"`extra`: {REMOVED}"),
    ("class Other:\n    size: int = 1\n", "", f"`thing.Other`: {REMOVED}"),
    (FIELD, "", f"`thing.Thing.name`: {REMOVED}"),
    ("    id: str\n", "    id: int\n", f"`thing.Thing.id`: {CHANGED}: `str`, now `int`"),
    (
        "size: int = 1) -> None",
        "size: int = 1) -> int",
        f"`thing.Thing.send`: {CHANGED}: `None`, now `int`",
    ),
    ("text: str, ", "", "`thing.Thing.send(text)`: Parameter was removed"),
    ("=== ga/models/note.py\nclass Note:\n    pass\n", "", f"`ga.Note`: {REMOVED}"),
    ('        FAILED = "failed"\n', "", f"`thing.Thing.StatusEnum.FAILED`: {REMOVED}"),
    ("str | None = ...", "str", "`thing.Thing.__init__(name)`: Parameter is now required"),
    (
        "code: int",
        "more: int, code: int",
        "`thing.Thing.close(more)`: Parameter was added as required",
    ),
]
ADDITIONS = [
    ("=== extra.py\n", "=== extra.py\n=== new.py\n", f"`new`: {ADDED}"),
    ('"done"\n', '"done"\n        PAUSED = ""\n', f"`thing.Thing.StatusEnum.PAUSED`: {ADDED}"),
    (FIELD, f"{FIELD}    size: int = 1\n", f"`thing.Thing.size`: {ADDED}"),
    ("1000", "1000, more: int = 0", "`thing.Thing.close(more)`: Parameter was added"),
]
PRIVATE = [
    ("def _helper() -> None: ...\n", ""),
    ("    def _prepare(self) -> None: ...\n", ""),
    ("=== extra.py\n", "=== extra.py\n=== _new.py\nx = 1\n"),
    ("show(text: str)", "show(value: int)"),
    # A field that moves to the base class is still there.
    (FIELD, ""),
    ("class Base:\n    pass\n", f"class Base:\n{FIELD}"),
]


def write_package(root: Path, *replaced: tuple[str, ...]) -> Path:
    text = PACKAGE
    for old, new, *_ in replaced:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    for module in text.split("=== ")[1:]:
        name, _, code = module.partition("\n")
        path = root / changes.PACKAGE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, "utf-8")
    return root


@pytest.mark.parametrize(
    ("replaced", "broken", "added"),
    [
        (BREAKING, [expected for *_, expected in BREAKING], []),
        (ADDITIONS, [], [expected for *_, expected in ADDITIONS]),
        (PRIVATE, [], []),
    ],
    ids=["breaking", "added", "private"],
)
def test_changes(
    tmp_path: Path, replaced: list[tuple[str, ...]], broken: list[str], added: list[str]
) -> None:
    # The packages that are imported here, or stand in this folder, are others.
    old, new = (
        griffe.load(changes.PACKAGE, search_paths=[folder], try_relative_path=False)
        for folder in (write_package(tmp_path / "old"), write_package(tmp_path / "new", *replaced))
    )
    assert changes.compare(old, new) == (sorted(broken), sorted(added))


# The whole command


def git(*arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in a repository whose one commit is released as v0.3.1."""
    monkeypatch.chdir(write_package(tmp_path))
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "Release")
    git("tag", "v0.3.1")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["changes.py", *arguments])
        return changes.main(), *capsys.readouterr()

    return run


def test_change_is_listed_and_needs_a_version(tmp_path: Path, run: Run) -> None:
    """The version may stand in a module of its own."""
    imported = "from openai_realtime_client.version import __version__ as __version__"
    for stated, errors in (
        ("0.3.1", "error: __version__ is 0.3.1, and what changed since v0.3.1 needs 0.3.2"),
        ("0.3.2", ""),
    ):
        module = f'=== version.py\n__version__ = "{stated}"\n=== base.py'
        write_package(tmp_path, ('__version__ = "0.3.1"', imported), ("=== base.py", module))
        summary = "Since v0.3.1: 0 breaking, 1 added. 0.3.2 or later follows.\n"
        assert run() == (0, f"### Added\n\n- `version`: {ADDED}\n\n{summary}", "")
        status, _, found = run("--check")
        assert (status, found.partition(";")[0]) == (int(stated == "0.3.1"), errors)


def test_without_release_every_version_does(tmp_path: Path, run: Run) -> None:
    git("tag", "-d", "v0.3.1")
    write_package(tmp_path, BREAKING[0])
    status, out, _ = run("--check")
    assert (status, out.startswith("Nothing has been released")) == (0, True)


def test_unknown_revision_is_an_error(run: Run) -> None:
    reason = "error: git has no revision 'nope', or this is no repository\n"
    assert run("--since", "nope") == (2, "", reason)


@pytest.mark.parametrize(
    ("last", "broken", "added", "follows"),
    [
        ("0.3.9", ["x"], ["y"], "0.4.0"),
        ("0.3.9", [], ["y"], "0.3.10"),
        ("1.2.3", ["x"], ["y"], "2.0.0"),
        ("1.2.3", [], ["y"], "1.3.0"),
        ("1.2.3", [], [], "1.2.3"),
        ("1.2.3rc1", [], ["y"], "1.3.0"),
    ],
)
def test_next_version(last: str, broken: list[str], added: list[str], follows: str) -> None:
    assert changes.next_version(last, broken, added) == follows
