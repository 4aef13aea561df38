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
from connections import EVENT, KEY, QUIET, Kind, for_threads
from openai_realtime_client import ConnectionClosedError, ConnectionLostError, ga
from openai_realtime_client.testing import Answer, Call
from transports import ReplayServer

# More than the system takes while nobody reads.
LARGE: dict[str, Any] = {"type": "x", "number": 5, "a": "z" * 2**24}


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
    """A server that reads and closes when it is told to."""

    def __init__(self) -> None:
        self.received: list[Any] = []
        self.may_read = threading.Event()

    def handle(self, connection: ServerConnection) -> None:
        connection.send(json.dumps(EVENT))
        self.may_read.wait(5)
        for message in connection:
            self.received.append(json.loads(message)["number"])
            connection.send(json.dumps(EVENT))


@contextlib.contextmanager
def reluctant() -> Iterator[tuple[Reluctant, str]]:
    peer = Reluctant()
    options: Any = {"logger": QUIET, "max_queue": 1, "max_size": None, "close_timeout": 0.2}
    with serve(peer.handle, "127.0.0.1", 0, ssl=transports.context(), **options) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        port = server.socket.getsockname()[1]
        yield peer, f"{transports.scheme('ws')}://127.0.0.1:{port}/v1"
        peer.may_read.set()
        server.shutdown()
        serving.join()


def fill(connection: Any) -> None:
    """Send what fills the queue of a `Reluctant`, so that it does not see what comes after it."""
    for number in range(5):
        connection.send({"type": "x", "number": number})


@for_threads
def test_ctrl_c_ends_opening(kind: Kind) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{transports.scheme('ws')}://127.0.0.1:{silent.getsockname()[1]}"
        connector = kind.connect(base_url=url, api_key=KEY)
        with ctrl_c():
            connector.open()


@for_threads
def test_ctrl_c_in_recv_loses_no_event(kind: Kind) -> None:
    with ReplayServer() as server, kind.connect(base_url=server.url, api_key="") as connection:
        assert connection.recv().type == "session.created"
        with ctrl_c():
            connection.recv()
        connection.send({"type": "input_audio_buffer.clear"})
        assert connection.recv(5).type == "input_audio_buffer.cleared"


@for_threads
def test_ctrl_c_in_send_goes_on_sending(kind: Kind) -> None:
    with reluctant() as (peer, url):
        with kind.connect(base_url=url, api_key=KEY) as connection:
            fill(connection)
            with ctrl_c(lambda: connection._socket._writable):
                connection.send(LARGE)
            peer.may_read.set()
            connection.send({"type": "x", "number": 6})
            for _ in range(8):
                assert connection.recv(10).to_dict() == EVENT
        assert peer.received == [0, 1, 2, 3, 4, 5, 6]


@for_threads
def test_ctrl_c_in_close_goes_on_closing(kind: Kind) -> None:
    with reluctant() as (peer, url):
        connection = kind.connect(base_url=url, api_key=KEY).open()
        fill(connection)
        with ctrl_c():
            connection.close()
        peer.may_read.set()
        connection.close()
        with pytest.raises(ConnectionClosedError) as caught:
            connection.recv()
    assert caught.value.code == 1000


@for_threads
def test_events_come_in_while_send_waits(kind: Kind) -> None:
    with reluctant() as (_, url), ThreadPoolExecutor() as executor:
        options = {"close_timeout": 0.2}
        with kind.connect(base_url=url, api_key=KEY, websocket_options=options) as connection:
            fill(connection)
            sending = executor.submit(connection.send, LARGE)
            assert connection.recv(5).to_dict() == EVENT
            with pytest.raises(TimeoutError):
                connection.recv(0.1)
            assert not sending.done()
        with pytest.raises(ConnectionLostError):
            sending.result(5)


@for_threads
def test_close_ends_calls_in_other_threads(kind: Kind) -> None:
    with reluctant() as (_, url), ThreadPoolExecutor() as executor:
        options = {"close_timeout": 0.2}
        connection = kind.connect(base_url=url, api_key=KEY, websocket_options=options).open()
        connection.recv()
        fill(connection)
        receiving = executor.submit(list, connection)
        sending = executor.submit(connection.send, LARGE)
        closing = [executor.submit(connection.close) for _ in range(2)]
        for call in closing:
            call.result(5)
        for call in (receiving, sending):
            assert isinstance(call.exception(5), ConnectionLostError)


@for_threads
def test_a_second_receiver_is_refused(kind: Kind) -> None:
    with reluctant() as (peer, url), ThreadPoolExecutor() as executor:
        with kind.connect(base_url=url, api_key=KEY) as connection:
            connection.recv()
            receiving = executor.submit(list, connection)
            time.sleep(0.1)
            with pytest.raises(ga.RealtimeConnectionError, match="another task or thread"):
                connection.recv()
            peer.may_read.set()
        assert receiving.result(5) == []


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
                    assert own.recv(5).type == "session.created"
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert connection.recv(5).type == "session.created"
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


def test_a_program_may_end_without_closing() -> None:
    program = """
import sys
from openai_realtime_client import ga

connection = ga.connect_sync(base_url=sys.argv[1], api_key="").open()
print(connection.recv().type)
"""
    with ReplayServer() as server:
        command = [sys.executable, "-X", "dev", "-c", program, server.url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "session.created\n", "")


def test_a_program_may_close_as_it_ends(tmp_path: Path) -> None:
    """With a record, although no thread can be started then."""
    program = """
import atexit, sys
from openai_realtime_client import ga

connection = ga.connect_sync(base_url=sys.argv[1], api_key="", record=sys.argv[2]).open()
connection.recv()
atexit.register(connection.close)
"""
    record = tmp_path / "session.jsonl"
    with ReplayServer() as server:
        command = [sys.executable, "-X", "dev", "-c", program, server.url, record]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert server.sessions[0].close_code == 1000
    assert "session.created" in record.read_text("utf-8")
