"""What the tests of the embedded server share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from openai_realtime_client.testing import ReplayServer
from plain_client import check_sent


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    """A server of which all that it sends fits the schema."""
    with ReplayServer() as server:
        yield server
    for session in server.sessions:
        check_sent(session)
