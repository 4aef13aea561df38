"""Scratch copies of the repository, in which fragments are changed and packages generated."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

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
