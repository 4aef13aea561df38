"""The pytest fixtures `realtime_server` and `check_realtime_server`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from openai_realtime_client.testing.check import Finding
    from openai_realtime_client.testing.server import ReplayServer


@pytest.fixture
def realtime_server() -> Iterator[ReplayServer]:
    """A `ReplayServer` with the default rules, which serves until the test is over."""
    # Here, because pytest imports plugins in every run.
    from openai_realtime_client.testing.server import ReplayServer

    with ReplayServer() as server:
        yield server


@pytest.fixture
def check_realtime_server() -> Callable[..., list[Finding]]:
    """Give `check_server`, for a test such as `assert check_realtime_server(url) == []`."""
    from openai_realtime_client.testing.check import check_server

    return check_server
