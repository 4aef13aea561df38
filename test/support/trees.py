"""Scratch copies of the repository, in which fragments are changed and packages generated."""

from __future__ import annotations

import fcntl
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from ruamel.yaml import YAML

from protocols import ROOT

INPUTS = (
    "openapi",
    "openai_realtime_client",
    "docs",
    ".openapi-generator-ignore",
    "generator-config.yaml",
    "pyproject.toml",
)
# Java takes two seconds longer when it prepares for a long run.
QUICK_JAVA = {**os.environ, "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}

Made = TypeVar("Made")


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Made]) -> Made:
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
    made: Made = pickle.loads(result.read_bytes())
    return made


def copy_repository(to: Path, *left_out: str) -> Path:
    """Copy what `make generate` reads and writes, without files and folders of some names."""
    ignored = shutil.ignore_patterns("__pycache__", *left_out)
    for source in (ROOT / name for name in INPUTS):
        if source.is_dir():
            shutil.copytree(source, to / source.name, ignore=ignored)
        else:
            shutil.copy(source, to)
    return to


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


def parsed(text: str) -> Any:
    return YAML(typ="safe").load(text)


def merge(target: Any, change: Any) -> Any:
    """Change a document: `None` removes."""
    if not isinstance(target, dict) or not isinstance(change, dict):
        return change
    merged = {key: merge(target.get(key), value) for key, value in change.items()}
    return {k: v for k, v in (target | merged).items() if v is not None}
