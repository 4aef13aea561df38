"""A real HTTP server on loopback that records requests and answers what a test scripted."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Literal

from typing_extensions import Self


@dataclass(frozen=True)
class Request:
    """A request as it arrived; `headers` finds names in any case."""

    method: str
    path: str
    headers: Message
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What to answer, or how to fail.

    `fault` is "cut" to break the connection in the middle of the body, "close" to close it
    without an answer, "hold" to do so late: when the server stops, or after five seconds.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None
    fault: Literal["cut", "close", "hold"] | None = None


def json_answer(value: Any, status: int = 200, **kwargs: Any) -> Answer:
    return Answer(status, json.dumps(value).encode(), **kwargs)


class HttpServer(ThreadingHTTPServer):
    """Gives each request the next of `answers`; a request too many gets a 500.

    A context manager: it serves until it is left.
    """

    # Leaving waits for the threads of all requests.
    daemon_threads = False

    def __init__(self, *answers: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = deque(answers)
        self.requests: list[Request] = []
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.005,))

    def server_bind(self) -> None:
        # HTTPServer's own asks the network for the name of the host.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: HttpServer
    protocol_version = "HTTP/1.1"
    # Of a client that connects and says nothing.
    timeout = 10

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append(Request(self.command, self.path, self.headers, body))
        answers = self.server.answers
        answer = answers.popleft() if answers else Answer(500, reason="No Answer Scripted")
        self.close_connection = True
        if answer.fault == "hold":
            self.server.stopping.wait(5)
        elif answer.fault != "close":
            self._send(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status, answer.reason)
        headers = {"Content-Length": str(len(answer.body)), "Connection": "close"}
        for name, value in {**headers, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        cut = len(answer.body) // 2 if answer.fault == "cut" else None
        self.wfile.write(answer.body[:cut])

    def log_message(self, *_: object) -> None:
        pass
