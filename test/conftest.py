"""How many workers run the tests, and in which order each takes its files."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator

import pytest

# What takes longest comes first, so that no worker is left alone with it at the end.
FIRST = (
    "testing/test_check.py",
    "examples/test_text_examples.py",
    "examples/test_voice_examples.py",
    "cli/test_terminal.py",
    "generation/test_generation.py",
    "generation/test_constructs.py",
    "typing/test_typing.py",
    "core/test_conversation.py",
    "examples/test_relay.py",
    "test/test_packaging.py",
    "docs/test_facts.py",
    "realtime/test_unresponsive_peers.py",
    "docs/test_documented_page.py",
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are processors, because some tests wait."""
    return (os.cpu_count() or 1) + 2


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
