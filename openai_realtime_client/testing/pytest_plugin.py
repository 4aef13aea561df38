"""The pytest fixtures `realtime_server`, with its marker, and `check_realtime_server`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from openai_realtime_client.testing.check import Finding
    from openai_realtime_client.testing.server import ReplayServer

_MARKER = "realtime_server(**options): the arguments of the ReplayServer of the fixture"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def realtime_server(request: pytest.FixtureRequest) -> Iterator[ReplayServer]:
    """A `ReplayServer` that serves until the test is over.

    The marker `@pytest.mark.realtime_server(answers=["Hello!"])` gives it options; that of a test
    adds to those of its class and module.
    """
    # Imported here because pytest imports plugins in every run.
    from openai_realtime_client.testing.server import ReplayServer

    # Its overloads can't be resolved for options that are not known here.
    make_server: Any = ReplayServer
    options: dict[str, Any] = {}
    for marker in request.node.iter_markers("realtime_server"):
        if marker.args:
            pytest.fail("the marker realtime_server takes keyword arguments only", pytrace=False)
        options = {**marker.kwargs, **options}
    try:
        server: ReplayServer = make_server(**options)
    except TypeError as error:
        pytest.fail(f"the marker realtime_server: {error}", pytrace=False)
    with server:
        yield server


@pytest.fixture
def check_realtime_server() -> Callable[..., list[Finding]]:
    """Give `check_server`, for a test such as `assert check_realtime_server(url) == []`."""
    from openai_realtime_client.testing.check import check_server

    return check_server
