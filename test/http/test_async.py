"""The HTTP endpoints for asyncio: the same methods in threads."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from typing import Any

import pytest

from exposure import KEY
from http_server import Answer, HttpServer, json_answer
from openai_realtime_client import ApiClient, Configuration, NotFoundError
from openai_realtime_client.ga import AsyncRealtimeApi, RealtimeApi

ANSWER = Answer(201, b"v=0", {"Location": "/v1/realtime/calls/rtc_1"})
# Seconds: far longer than anything here takes.
LIMIT = 20.0


def api_of(server: HttpServer, **settings: Any) -> AsyncRealtimeApi:
    return AsyncRealtimeApi(ApiClient(Configuration(server.url, KEY, **settings)))


def methods(api: type) -> dict[str, Any]:
    return {name: getattr(api, name) for name in dir(api) if not name.startswith("_")}


def test_methods_have_signature_and_docstring_of_the_blocking_ones() -> None:
    blocking, asynchronous = methods(RealtimeApi), methods(AsyncRealtimeApi)
    assert blocking.keys() == asynchronous.keys()
    for name, method in asynchronous.items():
        assert inspect.iscoroutinefunction(method)
        assert inspect.signature(method) == inspect.signature(blocking[name])
        assert method.__doc__ == blocking[name].__doc__


def test_call_returns_and_raises_as_the_blocking_one(server: HttpServer) -> None:
    server.answers += [ANSWER, json_answer({"error": {"message": "No."}}, 404)]
    api = api_of(server)
    created = asyncio.run(api.create_realtime_call("v=0", headers={"X-Call": "1"}))
    assert (created.data, server.requests[0].headers["X-Call"]) == ("v=0", "1")
    with pytest.raises(NotFoundError, match=r"No\."):
        asyncio.run(api.hangup_realtime_call("c"))


def test_calls_run_at_the_same_time(server: HttpServer) -> None:
    met = threading.Barrier(3)

    def key() -> str:
        met.wait(LIMIT)
        return KEY

    server.answers += [ANSWER] * 3
    api = AsyncRealtimeApi(ApiClient(Configuration(server.url, key)))

    async def main() -> list[Any]:
        return await asyncio.gather(*(api.create_realtime_call("v=0") for _ in range(3)))

    assert [created.data for created in asyncio.run(main())] == ["v=0"] * 3


def test_cancelled_call_ends_in_the_background_at_its_timeout(server: HttpServer) -> None:
    server.answers += [Answer(fault="hold"), ANSWER]
    api = api_of(server, timeout=1, retries=3)

    async def main() -> str:
        call = asyncio.create_task(api.hangup_realtime_call("c"))
        while not server.requests:
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return (await api.create_realtime_call("v=0", timeout=LIMIT)).data

    started = time.monotonic()
    # `run` waits for the threads of all calls.
    assert asyncio.run(main()) == "v=0"
    assert time.monotonic() - started < LIMIT / 2
    assert len(server.requests) == 2
