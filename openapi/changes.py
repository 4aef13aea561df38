"""Say what changed in the public API since a release, and which version follows.

`make changes` compares with the last release tag (`v1.2.3`), or with `SINCE=revision`. Public is
what griffe takes as public: each name without a leading underscore, except in `cli/`, whose
interface is the command line. With `--check`, a version that is too low is an error. Without a tag
nothing has been released, so that any version does.
"""

from __future__ import annotations

import argparse
import ast
import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import griffe

from names import snake_case

PACKAGE = "openai_realtime_client"
PRIVATE_MODULES = {"cli"}
# What broke from new to old was added from old to new.
ADDED = {
    griffe.BreakageKind.OBJECT_REMOVED: "Public object was added",
    griffe.BreakageKind.PARAMETER_REMOVED: "Parameter was added",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--since", help="a git revision, instead of the last release tag")
    parser.add_argument("--check", action="store_true", help="fail if the version is too low")
    arguments = parser.parse_args()
    since = arguments.since
    # griffe warns of docstrings, which are no part of this.
    logging.getLogger("griffe").setLevel(logging.ERROR)
    try:
        if not since:
            # The newest release tag that the checked-out commit has.
            command = ("git", "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*")
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            since = done.stdout.strip()
        if not since:
            print("Nothing has been released: git has no tag like v1.2.3. SINCE=revision compares.")
            return 0
        old: Any = griffe.load_git(PACKAGE, ref=since)
    except (griffe.GitError, RuntimeError, OSError):
        reason = f"git has no revision {since!r}, or this is no repository"
        if shutil.which("git") is None:
            reason = "git is not installed"
        print(f"error: {reason}", file=sys.stderr)
        return 2
    new: Any = griffe.load(PACKAGE, search_paths=["."])
    broken, added = compare(old, new)
    stated, needed = version(new), next_version(version(old), broken, added)
    if arguments.check and numbers(stated) < numbers(needed):
        print(
            f"error: __version__ is {stated}, and what changed since {since} needs {needed}; "
            f"`make changes SINCE={since}` lists it",
            file=sys.stderr,
        )
        return 1
    for heading, lines in (("Breaking", broken), ("Added", added)):
        if lines and not arguments.check:
            print(f"### {heading}\n", *map("- {}".format, lines), "", sep="\n")
    print(f"Since {since}: {len(broken)} breaking, {len(added)} added. {needed} or later follows.")
    return 0


def compare(old: Any, new: Any) -> tuple[list[str], list[str]]:
    """Return a line for each change that breaks programs, and for each thing that is new."""
    for package in (old, new):
        publish_names(package)
    broken, added = set(type_changes(old, new)), set()
    for breakage in public_breakages(old, new):
        broken.add(f"{place(breakage)}: {breakage.kind.value}")
    moved = moved_members(old, new)
    for breakage in public_breakages(new, old):
        # A new required parameter breaks programs.
        is_required = getattr(breakage.old_value, "required", False)
        if breakage.kind in ADDED and breakage.obj.path not in moved and not is_required:
            added.add(f"{place(breakage)}: {ADDED[breakage.kind]}")
    return sorted(broken), sorted(added)


def publish_names(package: Any) -> None:
    """Mark the names that programs import as public: griffe takes imported names for private."""
    for module in (package, *package.modules.values()):
        if module.is_init_module or module.name == "shared":
            for name, member in module.members.items():
                if member.is_alias and not name.startswith("_"):
                    member.public = True


def public_breakages(old: Any, new: Any) -> Iterator[griffe.Breakage]:
    """Yield what breaks, without modules that nobody imports and names that Python calls."""
    for breakage in griffe.find_breaking_changes(old, new):
        names = breakage.obj.path.split(".")
        is_special = any(name.startswith("__") and name != "__init__" for name in names)
        if names[1] not in PRIVATE_MODULES and not is_special:
            yield breakage


def type_changes(old: Any, new: Any) -> Iterator[str]:
    """Yield the fields and methods that have another type, of which griffe says nothing."""
    after = classes_by_path(new)
    for before in classes(old):
        others: dict[str, Any] = getattr(after.get(before.path), "members", {})
        for name in before.members.keys() & others.keys():
            was, now = type_of(before.members[name]), type_of(others[name])
            # What became something else is found by griffe.
            is_same_kind = before.members[name].kind is others[name].kind
            if is_same_kind and was != now and not name.startswith("_"):
                yield f"`{imported(before.path)}.{name}`: Type was changed: `{was}`, now `{now}`"


def type_of(member: Any) -> str:
    """Return the annotation of a field, or of the result of a method."""
    return str(getattr(member, "annotation", None) or getattr(member, "returns", None))


def moved_members(old: Any, new: Any) -> set[str]:
    """Return the paths of members that moved from a class to one of its base classes."""
    moved = set()
    after = classes_by_path(new)
    for before in classes(old):
        if before.path in after:
            inherited = after[before.path].inherited_members
            for name in before.members.keys() & inherited.keys():
                moved.add(inherited[name].target_path)
    return moved


def classes_by_path(package: Any) -> dict[str, Any]:
    return {found.path: found for found in classes(package)}


def classes(parent: Any) -> Iterator[Any]:
    """Yield the classes in a module or class."""
    for member in parent.members.values():
        # An alias leads to a class that is found where it is written.
        if not member.is_alias:
            yield from classes(member)
            if member.is_class:
                yield member


def place(breakage: griffe.Breakage) -> str:
    """Return the name that users import, and the parameter in parentheses."""
    # A name that is imported from elsewhere is known by where it is written.
    path = imported(breakage.obj.canonical_path)
    # The module of a model has one public name.
    if ".models." in path and breakage.obj.is_module:
        name = next(name for name in breakage.obj.members if snake_case(name) == breakage.obj.name)
        path = imported(f"{path}.{name}")
    parameter = breakage.old_value or breakage.new_value
    if isinstance(parameter, griffe.Parameter):
        return f"`{path}({parameter.name})`"
    return f"`{path}`"


def imported(path: str) -> str:
    """Return where users import what is written in a module of `models`."""
    return re.sub(r"(^|\.)models\.\w+\.", r"\1", path.removeprefix(f"{PACKAGE}."))


def version(package: Any) -> str:
    """Return `__version__`."""
    return str(ast.literal_eval(str(package["__version__"].value)))


def next_version(last: str, broken: list[str], added: list[str]) -> str:
    """Return the lowest version that follows from semantic versioning.

    Before 1.0.0, the second number says that something breaks, and the third all else.
    """
    major, minor, patch = numbers(last)
    if broken and major:
        return f"{major + 1}.0.0"
    if broken or (added and major):
        return f"{major}.{minor + 1}.0"
    if added:
        return f"{major}.{minor}.{patch + 1}"
    return last


def numbers(version: str) -> tuple[int, ...]:
    """Return a version as numbers, which compare."""
    # What follows three numbers, such as `rc1`, counts for nothing here.
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


if __name__ == "__main__":
    sys.exit(main())
