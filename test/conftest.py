"""In which order the files are run, when several workers take one each."""

from __future__ import annotations

import pytest

# What takes longest comes first, so that no worker is left alone with it at the end.
FIRST = (
    "generation/test_generation.py",
    "generation/test_upstream.py",
    "typing/test_typing.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        file = "/".join(item.path.parts[-2:])
        return FIRST.index(file) if file in FIRST else len(FIRST)

    items.sort(key=rank)
