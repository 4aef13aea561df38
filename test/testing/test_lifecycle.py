"""What sessions remember, and how the embedded server starts and stops."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from websockets.asyncio.client import connect as connect_async

from openai_realtime_client import RealtimeConnectionError, ga
from openai_realtime_client.testing import Faults, ReplayServer
from plain_client import RESPOND, client, connected, session_with, wait_for_end, ws_url

pytest_plugins = ["pytester"]

# What a session remembers


def test_a_session_remembers(server: ReplayServer) -> None:
    with client(server) as c:
        c.turn()
        [session] = server.sessions
        assert session.close_code is None
        assert isinstance(session.received[0], ga.RealtimeClientEventResponseCreate)
        assert isinstance(session.sent[-1], ga.RealtimeServerEventRateLimitsUpdated)
        c.connection.close(4321, "Enough.")
    assert (session.close_code, session.close_reason) == (4321, "Enough.")


def test_a_session_need_not_remember() -> None:
    with session_with(keep_events=False) as c:
        c.turn()
    [session] = c.server.sessions
    assert session.received == session.sent == session.recording() == []


# Starting and stopping


def test_leaving_closes_connections_of_the_same_loop() -> None:
    async def hold() -> None:
        async with ReplayServer() as server:
            # A client that keeps everything: one that stops reading would not see the close frame.
            url = ws_url(server, "/v1/realtime")
            connection = await connect_async(url, proxy=None, max_queue=None)
            await connection.send(json.dumps(RESPOND))
            first = [json.loads(await connection.recv())["type"] for _ in range(2)]
            assert first == ["session.created", "response.created"]
            went_on = asyncio.Event()
            asyncio.get_running_loop().call_soon(went_on.set)
        # Leaving does not block the loop.
        assert went_on.is_set()
        await connection.wait_closed()
        assert connection.close_code == server.sessions[0].close_code == 1001
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(hold())


def test_leaving_closes_connections_of_a_blocked_client() -> None:
    with ExitStack() as stack:
        with ReplayServer() as server:
            raw = stack.enter_context(connected(server, is_websocket=True))
            idle = stack.enter_context(connected(server))
        # Neither answers the close frame.
        wait_for_end(raw)
        wait_for_end(idle)
    assert server.sessions[0].close_code == 1001


def test_a_client_that_answers_no_close_frame_is_cut() -> None:
    with ReplayServer(api_key="another") as server, connected(server, is_websocket=True) as raw:
        wait_for_end(raw)


def test_a_server_can_be_started_again_but_not_twice() -> None:
    with ReplayServer(host="localhost", faults=Faults(delay=0.01)) as server:
        url = server.url
        assert url == f"{server.azure_endpoint}/v1"
        assert url.startswith("http://localhost:")
        with pytest.raises(RuntimeError, match="is running"):
            server.__enter__()
        with pytest.raises(OSError, match="in use"):
            ReplayServer(host="localhost", port=urlsplit(url).port or 0).__enter__()
        with client(server) as c:
            c.send(RESPOND)
            c.until("response.created")
            # In the middle of a response.
            server.__exit__(None, None, None)
            assert c.closed()[0] == 1001
        server.__enter__()
        assert server.url == url
        with client(server) as c:
            c.turn()


def test_tls() -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with ReplayServer(ssl=context) as server:
        assert server.url.startswith("https://127.0.0.1:")
        # A client that does not know the authority, and one without TLS.
        with pytest.raises(RealtimeConnectionError):
            ga.connect_sync("m", base_url=server.url, api_key="").open()
        with connected(server) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            wait_for_end(plain)
        with client(server, ssl=trusting) as c:
            c.turn()


def open_files() -> int:
    folder = Path("/proc/self/fd")  # of Linux
    return len([*folder.iterdir()]) if folder.exists() else 0


def leave_in_every_way() -> None:
    with ExitStack() as stack, ReplayServer(faults=Faults(delay=0.01)) as server:
        stack.enter_context(client(server)).send(RESPOND)
    with ReplayServer() as server:
        aside = {"type": "response.create", "response": {"conversation": "none"}}
        for _ in range(10):
            with client(server) as c:
                c.send(aside, aside, aside)
                c.connection.socket.shutdown(socket.SHUT_RDWR)

    async def hold() -> None:
        async with ReplayServer():
            await asyncio.sleep(60)

    async def cancel() -> None:
        for rounds in range(4):
            task = asyncio.create_task(hold())
            # Cancelled before, while and after it starts.
            for _ in range(rounds):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert task.cancelled()

    asyncio.run(cancel())


def test_nothing_is_left_behind() -> None:
    leave_in_every_way()
    gc.collect()
    threads, files = {*threading.enumerate()}, open_files()
    leave_in_every_way()
    gc.collect()
    deadline = time.monotonic() + 20
    while open_files() > files and time.monotonic() < deadline:
        time.sleep(0.01)
    assert open_files() <= files
    assert {*threading.enumerate()} <= threads
    assert not any(thread.name == "ReplayServer" for thread in threads)


# Fixtures and packaging

PLUGIN = "openai_realtime_client.testing.pytest_plugin"
USES_OF_FIXTURES = """
import pytest
from openai_realtime_client import ga
from openai_realtime_client.testing import Faults

pytestmark = pytest.mark.realtime_server(protocol="ga", answers=["of the module"])

def answer(server):
    with ga.connect_sync("m", base_url=server.url, api_key="sk-test") as connection:
        connection.send({"type": "response.create"})
        for event in connection:
            if event.type == "response.done":
                return event.response.output[0].content[0].transcript

def test_module_marker_and_answers_set_in_a_test(realtime_server):
    assert answer(realtime_server) == "of the module"
    realtime_server.answers = ["set", "twice"]
    assert answer(realtime_server) == answer(realtime_server) == "set"
    with pytest.raises(AttributeError, match="'answer' cannot be set"):
        realtime_server.answer = ["ignored?"]

@pytest.mark.realtime_server(answers=["of the test"])
def test_own_marker_is_stronger(realtime_server):
    assert answer(realtime_server) == "of the test"

@pytest.mark.realtime_server(no_such=1)
def test_unknown_option(realtime_server):
    pass

@pytest.mark.realtime_server("positional")
def test_positional_option(realtime_server):
    pass

def test_check(realtime_server, check_realtime_server):
    realtime_server.faults = Faults(garbage_after=2)
    findings = check_realtime_server(realtime_server.url)
    assert not findings, "\\n".join(map(str, findings))
"""


def test_the_fixtures(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    # The package may be installed, and pytest know the plugin by its entry point.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(USES_OF_FIXTURES)
    result = pytester.runpytest("-p", PLUGIN, "--strict-markers")
    result.assert_outcomes(passed=2, failed=1, errors=2)
    for line in (
        "*realtime_server: *unexpected keyword argument 'no_such'",
        "*realtime_server takes keyword arguments only",
        "*text: deviation: message: not an event: *",
    ):
        result.stdout.fnmatch_lines(line)


IMPORTED = f"""
import openai_realtime_client
assert 'openai_realtime_client.testing' not in sys.modules
import pytest, {PLUGIN}
assert not {{'pydantic', 'websockets', 'asyncio.streams'}} & sys.modules.keys()
sys.modules['websockets'] = None
try:
    from openai_realtime_client.testing import ReplayServer
except ImportError as error:
    print(error)
"""


def test_what_an_import_loads() -> None:
    command = [sys.executable, "-c", f"import sys\n{IMPORTED}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == 'the embedded server needs websockets: pip install "websockets>=15"\n'
