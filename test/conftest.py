"""How many workers run the tests."""

from __future__ import annotations

import os

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Start two more workers than there are processors, because some tests wait."""
    return (os.cpu_count() or 1) + 2
