"""In which order the files are run, when several workers take one each."""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest

# What takes longest comes first, so that no worker is left alone with it at the end.
FIRST = (
    "generation/test_generation.py",
    "generation/test_upstream.py",
    "typing/test_typing.py",
)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported stays, and the collector of garbage need not look at it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        file = "/".join(item.path.parts[-2:])
        return FIRST.index(file) if file in FIRST else len(FIRST)

    items.sort(key=rank)
