"""Scratch copies of the repository, in which fragments are changed and packages generated."""

from __future__ import annotations

import fcntl
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from oas_patch.overlay import apply_overlay
from ruamel.yaml import YAML

from protocols import PROTOCOLS, ROOT, V1

INPUTS = (
    "openapi",
    "openai_realtime_client",
    "docs",
    ".openapi-generator-ignore",
    "generator-config.yaml",
    "pyproject.toml",
)
# Beside the tests that generate them.
FRAGMENTS = ("kitchen", "requests")
REMOVED = "RealtimeServerEventOutputAudioBufferStopped"
REMOVED_PROTOCOL = (
    "openai_realtime_client/old/__init__.py",
    "openai_realtime_client/old/models/thing.py",
    "docs/old/README.md",
)
OLD_NAME, NEW_NAME = "LogProbProperties", "TokenLogProbability"
# Java takes two seconds longer when it prepares for a long run.
QUICK_JAVA = {**os.environ, "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}

Result = TypeVar("Result")


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Result]) -> Result:
    """Return what is made in a new folder, by the first of the workers that needs it."""
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    result = folder / f"{name}.pickle"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            (folder / name).mkdir()
            result.write_bytes(pickle.dumps(make(folder / name)))
    made: Result = pickle.loads(result.read_bytes())
    return made


def run(root: Path, *arguments: Any) -> subprocess.CompletedProcess[str]:
    """Run python in a copy, where programs import its package."""
    return subprocess.run(
        [sys.executable, "-B", *arguments],
        env={**QUICK_JAVA, "PYTHONPATH": str(root)},
        cwd=root,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def printed(root: Path, program: str) -> str:
    """What a program prints that imports the package of a copy."""
    done = run(root, "-W", "error", "-c", program)
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass(frozen=True)
class Made:
    """What was generated, and how that changed the tree: "+ added", "~ ...", "- ..."."""

    root: Path
    output: str
    changes: set[str]

    def read(self, path: str) -> str:
        return (self.root / path).read_text("utf-8")

    def generated(self) -> list[str]:
        """The generated files: a folder of the package and one of the docs for each fragment."""
        tops = ("openai_realtime_client", "docs")
        folders = tuple(f"{top}/{name}/" for top in tops for name in ("v1", *FRAGMENTS))
        return sorted(path for path in snapshot(self.root) if path.startswith(folders))


def snapshot(root: Path) -> dict[str, bytes]:
    """The content of each file that is not ignored by git."""
    ignored = {"build", "__pycache__", ".ruff_cache"}
    contents = {}
    for path in root.rglob("*"):
        relative = path.relative_to(root)
        if path.is_file() and not ignored & set(relative.parts):
            contents[relative.as_posix()] = path.read_bytes()
    return contents


def difference(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    return {
        *(f"+ {path}" for path in after.keys() - before.keys()),
        *(f"~ {path}" for path in after.keys() & before.keys() if after[path] != before[path]),
        *(f"- {path}" for path in before.keys() - after.keys()),
    }


def change_fragment(path: Path) -> None:
    document = parsed(path.read_text("utf-8").replace(OLD_NAME, NEW_NAME))
    schemas = document["components"]["schemas"]
    union = schemas["RealtimeServerEvent"]
    union["anyOf"].remove({"$ref": f"#/components/schemas/{REMOVED}"})
    del union["discriminator"]["mapping"]["output_audio_buffer.stopped"]
    del schemas[REMOVED]
    additions = parsed((ROOT / "test/generation/additions.yaml").read_text("utf-8"))
    apply_overlay(document, {"actions": [{"target": "$", "update": additions}]})
    path.write_text(json.dumps(document), "utf-8")


def generate(root: Path) -> Made:
    # One of the protocols, because each takes as long.
    others = [protocol.name for protocol in PROTOCOLS if protocol is not V1]
    ignored = shutil.ignore_patterns("__pycache__", *others, *(f"{name}.yaml" for name in others))
    for name in INPUTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, root)
    change_fragment(root / "openapi/v1.yaml")
    for name in FRAGMENTS:
        shutil.copy(ROOT / f"test/generation/{name}.yaml", root / "openapi")
    for path in REMOVED_PROTOCOL:
        (root / path).parent.mkdir(parents=True)
        (root / path).write_text("# Generated by `make generate` from openapi/old.yaml\n", "utf-8")
    before = snapshot(root)
    done = run(root, "openapi/generate.py")
    assert done.returncode == 0, done.stderr
    return Made(root, done.stdout, difference(before, snapshot(root)))


def parsed(text: str) -> Any:
    return YAML(typ="safe").load(text)


def merge(target: Any, change: Any) -> Any:
    """Change a document: `None` removes."""
    if not isinstance(target, dict) or not isinstance(change, dict):
        return change
    merged = {key: merge(target.get(key), value) for key, value in change.items()}
    return {k: v for k, v in (target | merged).items() if v is not None}
