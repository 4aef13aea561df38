"""One generation for all tests of what is generated: v1 changed, and two new fragments."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import openai_realtime_client
from trees import FRAGMENTS, Made, generate, once


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return once(tmp_path_factory, "generation", generate)


@pytest.fixture
def generated(made: Made, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let a test import the new packages, as if nothing of them had been imported before."""
    package = openai_realtime_client
    folder = str(made.root / package.__name__)
    monkeypatch.setattr(package, "__path__", [*package.__path__, folder])
    yield made.root
    for name in FRAGMENTS:
        vars(package).pop(name, None)
        for module in list(sys.modules):
            if module.startswith(f"{package.__name__}.{name}"):
                del sys.modules[module]
