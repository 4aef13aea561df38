"""What the tests of the embedded server share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from openai_realtime_client.testing import ReplayServer
from plain_client import Client, checked, client


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    """A server of which all that it sends fits the schema."""
    with checked() as server:
        yield server


@pytest.fixture
def protocol() -> str:
    """The protocol of `c`, unless a test names others."""
    return "ga"


@pytest.fixture
def c(server: ReplayServer, protocol: str) -> Iterator[Client]:
    """A session whose first events are read."""
    with client(server, protocol=protocol) as c:
        yield c
