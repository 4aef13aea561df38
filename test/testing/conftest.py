"""What the tests of the embedded server share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from openai_realtime_client.testing import ReplayServer
from plain_client import checked


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    """A server of which all that it sends fits the schema."""
    with checked() as server:
        yield server
