"""Sessions of threads: Ctrl-C, forks, `close` from elsewhere, and the thread that all share."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

import transports
from connections import EVENT, KEY, LARGE, QUIET, Kind, for_threads, url_of
from openai_realtime_client import ConnectionClosedError, ConnectionLostError, ga
from openai_realtime_client.testing import Answer, Call
from peers import small_listener
from transports import ReplayServer


@contextlib.contextmanager
def ctrl_c(is_waiting: Callable[[], object] = lambda: True) -> Iterator[None]:
    """Interrupt the main thread, a moment after it waits."""
    main = threading.main_thread().ident
    assert main

    def interrupt() -> None:
        while not is_waiting():
            time.sleep(0.01)
        time.sleep(0.3)
        signal.pthread_kill(main, signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            yield
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)


class Reluctant:
    """A server that says one event, and reads and answers when it is told to."""

    def __init__(self) -> None:
        self.received: list[Any] = []
        self.may_read = threading.Event()
        self.url = ""

    def handle(self, connection: ServerConnection) -> None:
        connection.send(json.dumps(EVENT))
        self.may_read.wait(20)
        for message in connection:
            self.received.append(json.loads(message)["number"])
            connection.send(json.dumps(EVENT))


@pytest.fixture
def reluctant(kind: Kind) -> Iterator[Reluctant]:
    peer = Reluctant()
    options: Any = {"logger": QUIET, "max_queue": 1, "max_size": None, "close_timeout": 0.2}
    tls = transports.context()
    with serve(peer.handle, sock=small_listener(), ssl=tls, **options) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        peer.url = f"{url_of(server.socket)}/v1"
        yield peer
        peer.may_read.set()
        server.shutdown()
        serving.join()


def session_with(reluctant: Reluctant, close_timeout: float = 10) -> Any:
    """Open a session, and send what fills the server's queue: it does not see what comes after."""
    options = {"close_timeout": close_timeout}
    connect = ga.connect_sync(base_url=reluctant.url, api_key=KEY, websocket_options=options)
    connection = connect.open()
    for number in range(5):
        connection.send({"type": "x", "number": number})
    return connection


@for_threads
def test_ctrl_c_ends_opening(kind: Kind) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        connector = kind.connect(base_url=url_of(silent), api_key=KEY)
        with ctrl_c():
            connector.open()


@for_threads
def test_ctrl_c_in_recv_loses_no_event(kind: Kind) -> None:
    with ReplayServer() as server, kind.connect(base_url=server.url, api_key="") as connection:
        assert connection.recv().type == "session.created"
        with ctrl_c():
            connection.recv()
        connection.send({"type": "input_audio_buffer.clear"})
        assert connection.recv(15).type == "input_audio_buffer.cleared"


@for_threads
def test_ctrl_c_in_send_goes_on_sending(kind: Kind, reluctant: Reluctant) -> None:
    connection = session_with(reluctant)
    with ctrl_c(lambda: connection._socket._writable):
        connection.send(LARGE)
    reluctant.may_read.set()
    connection.send({"type": "x", "number": 6})
    for _ in range(8):
        assert connection.recv(15).to_dict() == EVENT
    connection.close()
    assert reluctant.received == [0, 1, 2, 3, 4, 5, 6]


@for_threads
def test_ctrl_c_in_close_goes_on_closing(kind: Kind, reluctant: Reluctant) -> None:
    connection = session_with(reluctant)
    with ctrl_c():
        connection.close()
    reluctant.may_read.set()
    connection.close()
    with pytest.raises(ConnectionClosedError) as caught:
        connection.recv()
    assert caught.value.code == 1000


@for_threads
def test_close_ends_calls_in_other_threads(kind: Kind, reluctant: Reluctant) -> None:
    with ThreadPoolExecutor() as executor:
        connection = session_with(reluctant, close_timeout=0.2)
        sending = executor.submit(connection.send, LARGE)
        # Events come in while `send` waits.
        assert connection.recv(15).to_dict() == EVENT
        receiving = executor.submit(list, connection)
        while not connection._socket._receiving.locked():
            time.sleep(0.01)
        with pytest.raises(ga.RealtimeConnectionError, match="another task or thread"):
            connection.recv()
        assert not sending.done()
        closing = [executor.submit(connection.close) for _ in range(2)]
        for call in closing:
            call.result(15)
        for call in (receiving, sending):
            assert isinstance(call.exception(15), ConnectionLostError)


def test_connections_share_one_thread() -> None:
    before = threading.active_count()
    with ReplayServer() as server:
        of_server = threading.active_count() - before
        connect = ga.connect_sync(base_url=server.url, api_key="")
        connections = [connect.open() for _ in range(5)]
        assert threading.active_count() - before - of_server == 1
        for connection in connections:
            connection.close()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_has_connections_of_its_own() -> None:
    with ReplayServer() as server:
        connector = ga.connect_sync(base_url=server.url, api_key="")
        connection = connector.open()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                for call in (connection.recv, lambda: connection.send({"type": "response.cancel"})):
                    with pytest.raises(ConnectionLostError, match="fork"):
                        call()
                connection.close()
                with connector as own:
                    assert own.recv(15).type == "session.created"
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert connection.recv(15).type == "session.created"
        connection.close()
    assert [session.close_code for session in server.sessions] == [1000, 1000]


def test_a_coroutine_function_may_not_block_the_loop_that_runs_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work() -> None:
        connection.send({"type": "response.cancel"})

    with (
        ReplayServer(answers=[Answer(calls=[Call("work")]), "Done."]) as server,
        ga.connect_sync("m", api_key="k", base_url=server.url, tools=ga.Tools(work)) as connection,
    ):
        connection.send(ga.user_text("Hello."))
        connection.send({"type": "response.create"})
        for event in connection:
            if event.type == "response.output_audio.done":
                break
    assert "must not block the loop that runs it" in caplog.text


PROGRAM = """
import atexit, sys
from openai_realtime_client import ga

url, *paths = sys.argv[1:]
for path in paths:
    connection = ga.connect_sync(base_url=url, api_key="", record=path).open()
    print(connection.recv().type)
# No thread can be started then.
atexit.register(connection.close)
"""


def test_program_may_end_without_closing_or_close_as_it_ends(tmp_path: Path) -> None:
    records = [tmp_path / "open.jsonl", tmp_path / "closed.jsonl"]
    with ReplayServer() as server:
        command = [sys.executable, "-X", "dev", "-c", PROGRAM, server.url, *records]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "session.created\n" * 2, "")
    assert server.sessions[1].close_code == 1000
    for record in records:
        [line] = record.read_text("utf-8").splitlines()
        assert "session.created" in line
