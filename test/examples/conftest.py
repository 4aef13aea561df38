"""What tests of several examples use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from example_programs import KEY, check, write_wav
from openai_realtime_client.testing import ReplayServer


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer(api_key=KEY) as server:
        yield server
    check(server)


@pytest.fixture
def question(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "question.wav")
