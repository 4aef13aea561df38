"""Generate the package and its docs from the fragments: `make generate`, `make check`.

Everything is made in `build/` first and tried there. The tree is touched only when all went well.
"""

from __future__ import annotations

import argparse
import difflib
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import spec

PROTOCOLS = {"realtime": "generator-config.yaml"}
PACKAGE = Path("openai_realtime_client")
RECORD = Path(".openapi-generator")
BUILD = Path("build")
TREE = BUILD / "tree"
IGNORE = ".openapi-generator-ignore"
# Folders in which every file is generated.
GENERATED = (PACKAGE / "models", PACKAGE / "api")
MOST_DIFF_LINES = 200


class GenerationError(Exception):
    """A step failed. The message says which, and what the tool said."""


@dataclass
class Changes:
    """How the generated files differ from those in the tree."""

    added: list[Path]
    changed: list[Path]
    removed: list[Path]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 if the tree is not up to date"
    )
    check = arguments.parse_args().check
    try:
        documents = build()
        changes = compare()
        if check:
            return report_check(changes)
        apply(changes)
        report(changes, documents)
        return 0
    except (spec.SpecError, GenerationError) as error:
        print(f"error: {error}\nNothing was changed.", file=sys.stderr)
        return 1


# Building


def build() -> list[dict]:
    """Make the generated files in `build/tree`, ready to be copied."""
    documents = [read(protocol) for protocol in PROTOCOLS]
    shutil.rmtree(TREE, ignore_errors=True)
    TREE.mkdir(parents=True)
    shutil.copy(IGNORE, TREE)
    for protocol, config in PROTOCOLS.items():
        step(f"generating {protocol}")
        run("openapi-generator-cli", "generate", "-c", config)
    step("formatting")
    tidy()
    step("importing every public name")
    try_import()
    return documents


def read(protocol: str) -> dict:
    fragment, overlay = Path(f"openapi/{protocol}.yaml"), Path(f"openapi/overlays/{protocol}.yaml")
    step(f"reading {fragment} and {overlay}")
    document = spec.annotated(spec.merged(fragment, overlay), "openai_realtime_client")
    BUILD.mkdir(exist_ok=True)
    # JSON is YAML, and the generator wants that ending.
    (BUILD / f"{protocol}.yaml").write_text(json.dumps(document, indent=1), encoding="utf-8")
    return document


def tidy() -> None:
    """Format, and drop the imports that a template has for all models and this one does not use."""
    python = TREE / PACKAGE
    ruff = ("ruff", "check", "--config", "pyproject.toml", "--fix-only")
    run(*ruff, "--select", "F401,I,RUF022", str(python))
    run("ruff", "format", "--config", "pyproject.toml", str(TREE))
    for page in TREE.glob("docs/**/*.md"):
        page.write_text(collapse_blank_lines(page.read_text(encoding="utf-8")), encoding="utf-8")


def collapse_blank_lines(text: str) -> str:
    lines: list[str] = []
    for line in text.splitlines():
        line = line.rstrip()
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).rstrip() + "\n"


def try_import() -> None:
    shutil.copytree(PACKAGE / "core", TREE / PACKAGE / "core", dirs_exist_ok=True)
    program = (
        "import importlib, sys; sys.path.insert(0, sys.argv[1])\n"
        "for package in sys.argv[2:]:\n"
        "    module = importlib.import_module(package)\n"
        "    for name in module.__all__: getattr(module, name)\n"
    )
    packages = [str(path.parent.relative_to(TREE)) for path in TREE.glob(f"{PACKAGE}/**/models")]
    run(sys.executable, "-B", "-c", program, str(TREE), *(p.replace("/", ".") for p in packages))
    shutil.rmtree(TREE / PACKAGE / "core")


def run(*command: str) -> None:
    program = Path(sys.executable).parent / command[0]
    words = [str(program) if program.exists() else command[0], *command[1:]]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise GenerationError(f"{Path(words[0]).name} failed:\n  " + "\n  ".join(said[-15:]))


# Comparing with the tree


def compare() -> Changes:
    new, old = set(made()), set(recorded())
    present = {path for path in new | old | set(strays()) if path.exists()}
    return Changes(
        added=sorted(new - present),
        changed=sorted(p for p in new & present if p.read_bytes() != (TREE / p).read_bytes()),
        removed=sorted(present - new),
    )


def made() -> Iterator[Path]:
    """The files in `build/tree`, with a fresh record of them."""
    record = TREE / RECORD / "FILES"
    files = [path.relative_to(TREE) for path in TREE.rglob("*") if path.is_file()]
    files.remove(Path(IGNORE))
    listed = sorted(path.as_posix() for path in files if path.parts[0] != RECORD.name)
    record.write_text("\n".join(listed) + "\n", encoding="utf-8")
    yield from files


def recorded() -> Iterator[Path]:
    record = RECORD / "FILES"
    if record.exists():
        yield from (Path(line) for line in record.read_text(encoding="utf-8").splitlines())


def strays() -> Iterator[Path]:
    for folder in GENERATED:
        yield from (path for path in folder.rglob("*") if path.suffix in (".py", ".pyi"))


def apply(changes: Changes) -> None:
    for path in changes.removed:
        path.unlink()
    for path in [*changes.added, *changes.changed]:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(TREE / path, path)


# Telling


def step(text: str) -> None:
    print(f"- {text}", flush=True)


def report(changes: Changes, documents: list[dict]) -> None:
    schemas = [
        schema for document in documents for schema in spec.public_schemas(document).values()
    ]
    kinds = Counter(spec.kind(schema) for schema in schemas)
    operations = sum(1 for document in documents for _ in spec.operations(document))
    pages = sum(1 for path in made() if path.suffix == ".md")
    print(
        f"{kinds['model']} models, {kinds['union']} unions, "
        f"{sum(spec.count_enums(schema) for schema in schemas)} enums, "
        f"{operations} operations, {pages} pages"
    )
    for sign, paths in (("+", changes.added), ("~", changes.changed), ("-", changes.removed)):
        for path in paths:
            print(f"  {sign} {path}")
    print(
        f"{len(changes.added)} files added, {len(changes.changed)} changed, "
        f"{len(changes.removed)} removed"
    )


def report_check(changes: Changes) -> int:
    if not changes:
        print("The generated files are up to date.")
        return 0
    lines = [line for path in changes.changed for line in diff(path)]
    print("\n".join(lines[:MOST_DIFF_LINES]))
    if len(lines) > MOST_DIFF_LINES:
        print(f"… {len(lines) - MOST_DIFF_LINES} more lines")
    for path in changes.added:
        print(f"missing: {path}")
    for path in changes.removed:
        print(f"not generated: {path}")
    print(
        f"error: {len(changes.changed)} generated files differ from what openapi/ gives, "
        f"{len(changes.added)} are missing, {len(changes.removed)} are not generated. "
        "Generated files are not edited: change openapi/, then run `make generate`.",
        file=sys.stderr,
    )
    return 1


def diff(path: Path) -> Iterator[str]:
    old, new = (p.read_text(encoding="utf-8").splitlines() for p in (path, TREE / path))
    yield from difflib.unified_diff(
        old, new, f"{path} (in the tree)", f"{path} (from openapi/)", lineterm="", n=1
    )


if __name__ == "__main__":
    sys.exit(main())
