"""A client of the embedded server that knows nothing of this package: plain JSON."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import urllib3
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from openai_realtime_client import UnknownEvent, deviations
from openai_realtime_client.testing import ReplayServer, ReplaySession
from openai_realtime_client.testing.check import Order

BETA = {"OpenAI-Beta": "realtime=v1"}
KEY = "sk-test-of-the-embedded-server"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
LOUD = b"\x10\x20" * 2400  # 100 ms
QUIET = b"\x00\x00" * 2400

Event = dict[str, Any]


class Client:
    """A session of a server that sends and receives plain JSON."""

    def __init__(
        self, connection: ClientConnection, server: ReplayServer, protocol: str = "ga"
    ) -> None:
        self.connection = connection
        self.server = server
        self.protocol = protocol

    def send(self, *events: Event) -> None:
        for event in events:
            self.connection.send(json.dumps(event))

    def recv(self) -> Event:
        event: Event = json.loads(self.connection.recv(timeout=60))
        return event

    def until(self, event_type: str) -> list[Event]:
        """The events up to the first of a type."""
        events = [self.recv()]
        while events[-1]["type"] != event_type:
            events.append(self.recv())
        return events

    def answer(self, *events: Event) -> Event:
        """What the server says first after some events."""
        self.send(*events)
        return self.recv()

    def error(self, *events: Event) -> Event:
        answer = self.answer(*events)
        assert answer["type"] == "error"
        assert answer["error"]["type"] == "invalid_request_error"
        assert answer["error"]["message"]
        error: Event = answer["error"]
        return error

    def update(self, **settings: Any) -> Event:
        """Update the session, and return the settings that it has then."""
        answer = self.answer(update(self.protocol, **settings))
        assert answer["type"] == "session.updated"
        session: Event = answer["session"]
        return session

    def turn(self, *events: str | Event, **params: Any) -> list[Event]:
        """All events of a response with these parameters, after messages and other events."""
        for event in events:
            self.send(text(event) if isinstance(event, str) else event)
        self.send(respond(**params) if params else RESPOND)
        return self.until("rate_limits.updated")

    def response(self, *events: str | Event, **params: Any) -> Event:
        """The response of a turn, as it is at its end."""
        return response(self.turn(*events, **params))

    def closed(self) -> tuple[int, str]:
        """Code and reason of the server's close frame; 1006 if there is none."""
        try:
            while True:
                self.connection.recv(timeout=60)
        except ConnectionClosed as closed:
            frame = closed.rcvd
        return (frame.code, frame.reason) if frame else (1006, "")


def ws_url(server: ReplayServer, path: str) -> str:
    return server.azure_endpoint.replace("http", "ws", 1) + path


@contextmanager
def client(
    server: ReplayServer,
    path: str | None = None,
    *,
    protocol: str = "ga",
    skip: int | None = None,
    **kwargs: Any,
) -> Iterator[Client]:
    """Connect, and read the events with which a session begins."""
    is_v1 = protocol == "v1"
    if is_v1:
        kwargs["additional_headers"] = {**BETA, **kwargs.get("additional_headers", {})}
    if skip is None:
        skip = 1 + is_v1
    if path is None:
        path = f"/v1/realtime?model={'gpt-4o-realtime-preview' if is_v1 else 'gpt-realtime-2.1'}"
    # What is not read must not keep the close frame from being read. No pings: their thread may
    # outlive a connection that is cut.
    options = {"proxy": None, "max_queue": None, "ping_interval": None, **kwargs}
    with connect(ws_url(server, path), **options) as connection:
        connected = Client(connection, server, protocol)
        for _ in range(skip):
            connected.recv()
        yield connected


@contextmanager
def session_with(protocol: str = "ga", skip: int | None = None, **options: Any) -> Iterator[Client]:
    """A session with a server of its own, of which all that it sends is checked."""
    with checked(**options) as server, client(server, protocol=protocol, skip=skip) as connected:
        yield connected


# What the wire of v1 has and its documented schema does not.
WIRE_ONLY = {"status": "in_progress", "type": "audio"}


def check_sent(session: ReplaySession) -> None:
    """All that was sent fits the schema, in an order that `check` accepts of any server."""
    order = Order(session.protocol)
    asked = (event.to_dict().get("response") or {} for event in session.received)
    is_aside = any(params.get("conversation") == "none" for params in asked)
    for event in session.sent:
        for problem in order.follow(event.to_dict()):
            # What is not part of the conversation does not come into it.
            is_expected = is_aside and problem.type.startswith("conversation.item.")
            assert is_expected, problem
        if session.protocol == "v1" and isinstance(event, UnknownEvent):
            assert event.type == "transcription_session.created"
            continue
        for found in deviations(event):
            field = found.path.rpartition(".")[2]
            assert session.protocol == "v1", found
            assert (found.kind, found.value) == ("unknown value", WIRE_ONLY[field]), found


@contextmanager
def checked(**options: Any) -> Iterator[ReplayServer]:
    """An embedded server of which all that it sends is checked at the end."""
    with ReplayServer(**options) as server:
        yield server
    for session in server.sessions:
        check_sent(session)


def text(words: str, role: str = "user") -> Event:
    kind = "output_text" if role == "assistant" else "input_text"
    return item(type="message", role=role, content=[{"type": kind, "text": words}])


def item(**fields: Any) -> Event:
    return {"type": "conversation.item.create", "item": fields}


def append(data: bytes) -> Event:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(data).decode()}


def update(protocol: str = "ga", **settings: Any) -> Event:
    if protocol == "ga":
        settings = {"type": "realtime", **settings}
    return {"type": "session.update", "session": settings}


def respond(**params: Any) -> Event:
    return {"type": "response.create", "response": params}


COMMIT = {"type": "input_audio_buffer.commit"}
CANCEL = {"type": "response.cancel"}
RESPOND = {"type": "response.create"}


def types(events: list[Event]) -> list[str]:
    """The types in their order, runs of one type as one."""
    found: list[str] = []
    for event in events:
        if found[-1:] != [event["type"]]:
            found.append(event["type"])
    return found


def only(events: list[Event], event_type: str) -> Event:
    [event] = [event for event in events if event["type"] == event_type]
    return event


def response(events: list[Event]) -> Event:
    """The one response that is done."""
    found: Event = only(events, "response.done")["response"]
    return found


def said(events: list[Event]) -> str:
    """The text of the last item of a response, or what its audio says."""
    [part] = response(events)["output"][-1]["content"]
    return str(part.get("text") or part["transcript"])


def joined(events: list[Event], event_type: str) -> str:
    return "".join(event["delta"] for event in events if event["type"] == event_type)


def sound(events: list[Event]) -> bytes:
    """The audio of an answer, in GA."""
    kind = "response.output_audio.delta"
    return b"".join(base64.b64decode(e["delta"]) for e in events if e["type"] == kind)


def request(
    server: ReplayServer, method: str, path: str, **kwargs: Any
) -> urllib3.BaseHTTPResponse:
    with urllib3.PoolManager() as pool:
        return pool.request(method, server.url + path, retries=False, timeout=60, **kwargs)


UPGRADE = (
    b"GET /v1/realtime?model=m HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
)


def connected(server: ReplayServer, *, is_websocket: bool = False) -> socket.socket:
    """A TCP connection, which after a handshake of WebSocket answers nothing by itself."""
    address = urlsplit(server.url)
    raw = socket.create_connection((address.hostname, address.port), timeout=60)
    if is_websocket:
        raw.sendall(UPGRADE + b"\r\n")
        assert raw.recv(12) == b"HTTP/1.1 101"
    return raw


def wait_for_end(raw: socket.socket) -> None:
    raw.settimeout(60)
    with suppress(ConnectionResetError):
        while raw.recv(4096):
            pass
