"""What changed since a release or a revision, what it breaks, and the version that follows.

`make changes` compares with `openapi/released.json`, what the last release offered, or with
`SINCE=revision`. `--check` is for CI: it fails when the version is too low for what changed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import griffe

import spec
from differences import Document, Row, documents, grouped, shown, structure
from simplify import simplified

PACKAGE = "openai_realtime_client"
RELEASED = Path("openapi/released.json")
CONFIG = Path("generator-config.yaml")
# What users import by these names; the connectors stand behind each protocol's `connect`.
PUBLIC_MODULES = ("shared", "testing")
CONNECTORS = ("realtime.connection.AsyncConnector", "realtime.connection.Connector")
# What the modules of lazy names import for themselves.
OURS = {"TYPE_CHECKING", "lazy_names"}

# Whether a change breaks users, by its sign and what it is about. The models are open: what is new
# is kept by programs that do not know it.
RULES = {
    ("-", "class"): True,
    ("+", "class"): False,
    ("-", "field"): True,
    ("+", "field"): False,
    # In what users construct. In what they receive it is a field like others.
    ("+", "required field"): True,
    ("~", "newly required"): True,
    ("~", "no longer required"): False,
    ("-", "value"): True,
    ("+", "value"): False,
    ("-", "member"): True,
    ("+", "member"): False,
    ("~", "type"): True,
    ("~", "type of the values"): True,
    ("~", "nullable"): False,
    ("~", "limit"): False,
    ("-", "operation"): True,
    ("+", "operation"): False,
    ("-", "parameter"): True,
    ("+", "parameter"): False,
    ("+", "required parameter"): True,
    ("-", "answer"): True,
    ("+", "answer"): False,
    ("-", "media type"): True,
    ("+", "media type"): False,
    ("-", "protocol"): True,
    ("+", "protocol"): False,
    ("-", "name"): True,
    ("+", "name"): False,
    ("~", "signature"): True,
}
HEADINGS = {"+": "Added", "~": "Changed", "-": "Removed"}


@dataclass(frozen=True)
class Change:
    """One change, and the rule that says whether it breaks."""

    sign: str
    rule: str
    text: str

    @property
    def is_breaking(self) -> bool:
        return RULES[self.sign, self.rule]


@dataclass
class Offer:
    """What a version offers: the documents of its protocols, and a stub of its public Python."""

    version: str
    documents: dict[str, Any]
    python: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--since", help="a git revision, instead of the last release")
    parser.add_argument("--check", action="store_true", help="fail if the version is too low")
    parser.add_argument("--release", action="store_true", help=f"write {RELEASED}")
    arguments = parser.parse_args()
    try:
        now = offer(Path())
        if arguments.release:
            RELEASED.write_text(json.dumps(vars(now), indent=0, sort_keys=True) + "\n", "utf-8")
            return 0
        before = at_revision(arguments.since) if arguments.since else last_release()
        changes = list(compare(before, now))
        needed = next_version(before.version, changes)
        if not arguments.check:
            print(entry(needed, changes))
            return 0
        return report_check(before.version, now.version, needed, changes)
    except spec.SpecError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def offer(root: Path) -> Offer:
    """What the tree in a folder offers."""
    found = {}
    for fragment in sorted((root / "openapi").glob("*.yaml")):
        overlay = fragment.parent / "overlays" / fragment.name
        # `make check` checks this tree; what an older one has was right by the rules of its day.
        document = simplified(spec.merged(fragment, overlay, checked=False))
        found[fragment.stem] = structure(
            {key: document.get(key, {}) for key in ("paths", "components")}
        )
    return Offer(version(root), found, stub(root))


def version(root: Path) -> str:
    """The version in the configuration; in trees that have none there, the package's."""
    config = spec.load(root / CONFIG)
    stated = config.get("additionalProperties", {}).get("packageVersion")
    if stated:
        return str(stated)
    text = (root / PACKAGE / "version.py").read_text("utf-8")
    return text.partition('__version__ = "')[2].partition('"')[0]


def last_release() -> Offer:
    return Offer(**json.loads(RELEASED.read_text("utf-8")))


def at_revision(revision: str) -> Offer:
    """What a revision offered, from a copy in `build/`."""
    return offer(checkout(revision))


def checkout(revision: str) -> Path:
    """A copy of a revision's tree in `build/`."""
    done = subprocess.run(["git", "archive", revision], capture_output=True, check=False)
    if done.returncode:
        raise spec.SpecError(f"git has no revision {revision!r}")
    folder = Path("build/since") / revision.replace("/", "_")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


# Documents


def compare(before: Offer, now: Offer) -> Iterator[Change]:
    """Every change from one version to another."""
    for name in sorted({*before.documents, *now.documents}):
        if name not in now.documents:
            yield Change("-", "protocol", f"`{name}`")
        elif name not in before.documents:
            yield Change("+", "protocol", f"`{name}`")
        else:
            yield from _compare_documents(name, before.documents[name], now.documents[name])
    yield from _compare_python(before.python, now.python)


def _compare_documents(name: str, before: Any, now: Any) -> Iterator[Change]:
    old, new = spec.public_schemas(before), spec.public_schemas(now)
    for each in sorted(old.keys() - new.keys()):
        yield Change("-", "class", f"`{name}.{each}`")
    for each in sorted(new.keys() - old.keys()):
        yield Change("+", "class", f"`{name}.{each}`")
    constructed = _constructed(now)
    for row in grouped(documents(Document(before), Document(now)).rows):
        if row.fact == "schema":
            continue  # It is reported as a class.
        places = ", ".join(f"`{name}.{place}`" for place in (row.place, *row.also))
        one = row.theirs if row.sign == "+" else row.ours
        both = f"{shown(row.ours)} → {shown(row.theirs)}"
        value = both if row.sign == "~" else "" if one is None else f"`{shown(one)}`"
        text = f"{places}: {row.fact} {value}".rstrip()
        yield Change(row.sign, _rule(row, is_constructed=row.owner in constructed), text)


def _rule(row: Row, *, is_constructed: bool) -> str:
    """The rule that a difference falls under."""
    kind = row.fact.partition(" ")[0] if row.fact.startswith("media") else row.fact
    if row.fact == "required field":
        return "required field" if is_constructed else "field"
    if row.fact == "is":
        must = row.theirs == "required" and (is_constructed or " " in row.owner)
        return "newly required" if must else "no longer required"
    if row.fact.endswith("parameter"):
        return "required parameter" if row.fact.startswith("required") else "parameter"
    if row.fact.startswith("media type"):
        return "media type"
    return kind if (row.sign, kind) in RULES else "limit"


def _constructed(document: Any) -> set[str]:
    """The schemas that users construct: those of client events and of bodies of requests."""
    schemas = document["components"]["schemas"]
    roots = [n for n, way in spec.event_unions(schemas).items() if way == "client"]
    bodies = [each.get("requestBody", {}) for _place, each in spec.operations(document)]
    names = (*roots, *spec.references(bodies))
    return spec.reachable(names, lambda name: spec.references(schemas.get(name, {})))


# Python


def stub(root: Path) -> str:
    """The public classes and functions that are written by hand, as a stub without docstrings."""
    package: Any = griffe.load(PACKAGE, search_paths=[str(root.resolve())])
    found: dict[str, Any] = {}
    for module in PUBLIC_MODULES:
        for name, member in package[module].members.items():
            if not name.startswith("_") and member.is_alias and name not in OURS:
                found[name] = member.final_target
    for path in CONNECTORS:
        found[path.rpartition(".")[2]] = package[path]
    text = "".join(_stub(name, each, "") for name, each in sorted(found.items()))
    for protocol, module in sorted(package.members.items()):
        if (root / f"openapi/{protocol}.yaml").exists() and "build" in module.members:
            helpers = [
                _stub(name, each, "    ")
                for name, each in sorted(module["build"].members.items())
                if not each.is_alias and not name.startswith("_")
            ]
            text += f"class {protocol}():\n{''.join(helpers)}"
    return text


def _stub(name: str, each: Any, indent: str) -> str:
    if each.is_class:
        members = [
            _stub(inner, member, f"{indent}    ")
            for inner, member in each.members.items()
            if not member.is_alias and (not inner.startswith("_") or inner == "__init__")
        ]
        bases = ", ".join(str(base) for base in each.bases)
        return f"{indent}class {name}({bases}):\n{''.join(members) or f'{indent}    ...' + chr(10)}"
    if each.is_function:
        kind = next((k for k in ("classmethod", "staticmethod") if k in each.labels), None)
        decorator = f"{indent}@{kind}\n" if kind else ""
        signature = each.signature(name=name, return_type=True)
        if each.parent.is_class and kind != "staticmethod":
            # Griffe leaves it out.
            signature = signature.replace("(", "(self, ", 1).replace("(self, )", "(self)", 1)
        word = "async def" if "async" in each.labels else "def"
        return f"{decorator}{indent}{word} {signature}: ...\n"
    if each.is_attribute and indent:
        return f"{indent}{name}: {each.annotation or 'Any'}\n"
    return ""


def _compare_python(before: str, now: str) -> Iterator[Change]:
    old, new = (
        griffe.visit("python", filepath=Path("python.pyi"), code=code) for code in (before, now)
    )
    for name in sorted(new.members.keys() - old.members.keys()):
        yield Change("+", "name", f"`{name}`")
    for breakage in griffe.find_breaking_changes(old, new):
        path = breakage.obj.path.removeprefix("python.")
        if breakage.kind is griffe.BreakageKind.OBJECT_REMOVED:
            yield Change("-", "name", f"`{path}`")
        else:
            name = getattr(breakage.old_value or breakage.new_value, "name", None)
            parameter = f"parameter `{name}`" if name else "parameter"
            what = breakage.kind.value.lower().replace("parameter", parameter, 1)
            yield Change("~", "signature", f"`{path}`: {what}")


# The version and the entry


def next_version(last: str, changes: list[Change]) -> str:
    """The lowest version that says what changed, by semantic versioning.

    Before 1.0.0, the second number says that something breaks.
    """
    major, minor, patch = (int(part) for part in last.split("."))
    if not changes:
        return last
    if any(change.is_breaking for change in changes):
        return f"{major + 1}.0.0" if major else f"0.{minor + 1}.0"
    return f"{major}.{minor + 1}.0" if major else f"0.{minor}.{patch + 1}"


def entry(needed: str, changes: list[Change]) -> str:
    """The entry of the changelog."""
    lines = [f"## {needed} (unreleased)"]
    groups = {"Breaking": [change for change in changes if change.is_breaking]}
    for sign, heading in HEADINGS.items():
        groups[heading] = [c for c in changes if c.sign == sign and not c.is_breaking]
    for heading, group in groups.items():
        if group:
            lines += ["", f"### {heading}", ""]
            words = {"-": "removed: ", "+": "added: "} if heading == "Breaking" else {}
            lines += [f"- {words.get(each.sign, '')}{_text(each)}" for each in group]
    return "\n".join(lines) if changes else "Nothing changed."


def _text(change: Change) -> str:
    return f"{change.rule} {change.text}" if change.rule in ("class", "protocol") else change.text


def report_check(last: str, stated: str, needed: str, changes: list[Change]) -> int:
    if tuple(map(int, stated.split("."))) >= tuple(map(int, needed.split("."))):
        print(f"{len(changes)} changes since {last}: {stated} says so.")
        return 0
    breaking = sum(change.is_breaking for change in changes)
    print(
        f"error: {CONFIG}: packageVersion is {stated}, and {len(changes)} changes since {last}, "
        f"{breaking} of them breaking, need {needed}; `make changes` lists them",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
