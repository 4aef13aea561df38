"""The server that requests go to, and an environment that has no key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exposure import KEY, clear_environment
from http_server import HttpServer
from openai_realtime_client import ApiClient, Configuration, ga
from openai_realtime_client.v1 import RealtimeApi


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    clear_environment(monkeypatch)


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as server:
        yield server


@pytest.fixture
def client(server: HttpServer) -> Iterator[ApiClient]:
    with ApiClient(Configuration(server.url, KEY)) as client:
        yield client


@pytest.fixture
def api(client: ApiClient) -> RealtimeApi:
    return RealtimeApi(client)


@pytest.fixture
def calls(client: ApiClient) -> ga.RealtimeApi:
    return ga.RealtimeApi(client)
