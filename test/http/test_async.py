"""The HTTP endpoints for asyncio: the same methods in threads, and calls that are cancelled."""

from __future__ import annotations

import asyncio
import inspect
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from exposure import KEY, places_of
from http_server import Answer, HttpServer, json_answer
from openai_realtime_client import ApiClient, Configuration, NotFoundError, ServiceError
from openai_realtime_client.ga import AsyncRealtimeApi, RealtimeApi
from openai_realtime_client.http import threads

ANSWER = Answer(201, b"v=0", {"Location": "/v1/realtime/calls/rtc_1"})
# Far longer than anything takes, and than a test may wait for a thread that is cut.
LONG = 60.0
SOON = 20.0

Silence = tuple[dict[str, Any], Callable[[], socket.socket]]


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes connections and requests, and answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(SOON)
        yield listening


@pytest.fixture(params=["http", "https"])
def silence(request: pytest.FixtureRequest, silent: socket.socket, tmp_path: Path) -> Silence:
    """The same, over TCP and over TLS: how to reach it, and how it accepts a connection."""
    url = url_of(silent, request.param)
    if request.param == "http":
        return {"host": url}, lambda: silent.accept()[0]
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    settings = {"host": url, "ca_certs": str(tmp_path / "ca.pem")}
    return settings, lambda: context.wrap_socket(silent.accept()[0], server_side=True)


def api_of(host: str, **settings: Any) -> AsyncRealtimeApi:
    configuration = Configuration(host=host, access_token=KEY, timeout=LONG, **settings)
    return AsyncRealtimeApi(ApiClient(configuration))


def url_of(listening: socket.socket, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{listening.getsockname()[1]}"


def wait_until(is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + SOON
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.01)


def methods(api: type) -> dict[str, Any]:
    return {n: getattr(api, n) for n in dir(api) if not n.startswith("_")}


def test_each_method_is_there_with_its_signature_and_docstring() -> None:
    waiting, asynchronous = methods(RealtimeApi), methods(AsyncRealtimeApi)
    assert waiting.keys() == asynchronous.keys()
    for name, method in asynchronous.items():
        assert inspect.iscoroutinefunction(method)
        assert inspect.signature(method) == inspect.signature(waiting[name])
        assert method.__doc__ == waiting[name].__doc__


def test_a_call_returns_and_raises_what_the_waiting_one_does(server: HttpServer) -> None:
    server.answers += [ANSWER, json_answer({"error": {"message": "No."}}, 404)]
    api = api_of(server.url)
    created = asyncio.run(api.create_realtime_call("v=0", headers={"X-Call": "1"}))
    assert (created.data, server.requests[0].headers["X-Call"]) == ("v=0", "1")
    with pytest.raises(NotFoundError, match=r"No\."):
        asyncio.run(api.hangup_realtime_call("c"))


def test_calls_run_at_the_same_time(server: HttpServer) -> None:
    met = threading.Barrier(3)
    handle = server.RequestHandlerClass._handle  # type: ignore[attr-defined]

    class Meeting(server.RequestHandlerClass):  # type: ignore[name-defined, misc]
        def do_POST(self) -> None:
            met.wait(SOON)
            handle(self)

    server.RequestHandlerClass = Meeting
    server.answers += [ANSWER] * 3
    api = api_of(server.url)

    async def main() -> list[Any]:
        return await asyncio.gather(*(api.create_realtime_call("v=0") for _ in range(3)))

    assert [each.data for each in asyncio.run(main())] == ["v=0"] * 3


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
def test_cancelling_closes_the_connection_and_ends_the_thread(
    silent: socket.socket, silence: Silence, sent: bytes
) -> None:
    settings, accept = silence
    api = api_of(**settings, retries=3)

    async def main() -> None:
        call = asyncio.create_task(api.hangup_realtime_call("c"))
        connection = await asyncio.to_thread(accept)
        with connection:
            connection.settimeout(SOON)
            assert b"/hangup" in await asyncio.to_thread(connection.recv, 65536)
            connection.sendall(sent)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            # TLS may have something to send first, such as session tickets.
            with suppress(BrokenPipeError):
                assert await asyncio.to_thread(connection.recv, 65536) == b""

    started = time.monotonic()
    # Its end waits for all threads.
    asyncio.run(main())
    assert time.monotonic() - started < LONG / 2
    silent.settimeout(0.1)
    with pytest.raises(TimeoutError):  # nothing is tried again
        silent.accept()


def test_a_time_limit_of_asyncio_ends_a_call(silent: socket.socket) -> None:
    api = api_of(url_of(silent))

    async def main() -> None:
        await asyncio.wait_for(api.hangup_realtime_call("c"), 0.1)

    started = time.monotonic()
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(main())
    assert time.monotonic() - started < LONG / 2


def test_a_connection_that_comes_too_late_is_not_used(
    silent: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_connecting, goes_on = threading.Event(), threading.Event()
    connect = threads.HTTPConnection.connect

    def slow(self: Any) -> None:
        is_connecting.set()
        goes_on.wait(SOON)
        connect(self)

    monkeypatch.setattr(threads.HTTPConnection, "connect", slow)
    api = api_of(url_of(silent), retries=3)

    async def main() -> None:
        call = asyncio.create_task(api.hangup_realtime_call("c"))
        await asyncio.to_thread(is_connecting.wait, SOON)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        goes_on.set()

    asyncio.run(main())
    connection, _ = silent.accept()
    with connection:
        connection.settimeout(SOON)
        assert connection.recv(65536) == b""


def test_after_a_cancelled_call_the_client_goes_on(server: HttpServer) -> None:
    server.answers += [Answer(fault="hold"), ANSWER]
    api = api_of(server.url)

    async def main() -> str:
        call = asyncio.create_task(api.hangup_realtime_call("c"))
        await asyncio.to_thread(wait_until, lambda: bool(server.requests))
        call.cancel()
        return (await api.create_realtime_call("v=0")).data

    assert asyncio.run(main()) == "v=0"


def test_a_call_that_is_over_leaves_the_connection_to_the_next() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = threads._Watched("localhost")
        connection.sock = ours
        first, second = threads._Call(), threads._Call()
        first.take(connection)
        second.take(connection)
        first.abandon()
        theirs.sendall(b"answer")
        assert ours.recv(6) == b"answer"
        second.abandon()
        assert ours.recv(6) == b""


def test_a_key_in_the_headers_is_in_no_variable(server: HttpServer) -> None:
    server.answers.append(Answer(500, b"{}"))
    api = api_of(server.url)
    with pytest.raises(ServiceError) as caught:
        asyncio.run(api.hangup_realtime_call("c", headers={"Authorization": f"Bearer {KEY}"}))
    seen = list(places_of(caught.value))
    assert len(seen) > 10
    assert [place for place, text in seen if KEY in text] == []
