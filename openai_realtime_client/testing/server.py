"""The embedded server: a loopback port for WebSocket and HTTP, served by a thread."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import itertools
import socket
import ssl as tls
import threading
import time
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, Generic, Literal, TypedDict, overload
from weakref import WeakSet

from typing_extensions import Self, Unpack

from openai_realtime_client.testing.answers import Answers, McpServers
from openai_realtime_client.testing.endpoints import Endpoints, RealtimeCall, announce, make_error
from openai_realtime_client.testing.errors import Rules
from openai_realtime_client.testing.recording import RecordedEvent, Script, read_recording
from openai_realtime_client.testing.rules import RealtimeRules, Scenario, TranslationRules
from openai_realtime_client.testing.session import Faults, Received, ReplaySession, Sent
from openai_realtime_client.testing.settings import MODELS, Outbox, new_session, new_translation
from openai_realtime_client.testing.v1 import V1Rules
from openai_realtime_client.testing.websocket import (
    HEAD_LIMIT,
    HttpRequest,
    Response,
    WebSocket,
    http_response,
    read_request,
)

if TYPE_CHECKING:
    from openai_realtime_client.testing.session import GaReceived, GaSent, V1Received, V1Sent

__all__ = ["ReplayServer"]

# Seconds for clients to answer close frames before their connections are aborted.
_TIMEOUT = 1.0


class _Options(TypedDict, total=False):
    script: str | PathLike[str] | Iterable[str | RecordedEvent] | None
    answers: Answers
    transcripts: Iterable[str]
    # The keys are those of `ReplayServer.__init__`, which its overloads share.
    mcp: McpServers
    api_key: str | None
    faults: Faults | Sequence[Faults]
    ssl: tls.SSLContext | None
    host: str
    port: int
    allowed_origins: Iterable[str]
    keep_events: bool


def _listed(name: str, values: Any) -> list[Any]:
    # Each letter of a text would be an entry.
    if isinstance(values, str):
        raise TypeError(f"{name} must be a list, such as [{values!r}]")
    return [*values]


class ReplayServer(Generic[Received, Sent]):
    """An embedded Realtime server on loopback, to test voice applications with.

    It is a context manager, for `with` and for `async with` in any asyncio loop; it serves in a
    thread of its own until the context is left, and then closes what is open.

    Attributes:
        sessions: The sessions, in the order of their handshakes.
        answers: The turns of the model in new sessions; can be set at any time.
        faults: The faults of new sessions; can be set at any time.

    Any other option is given when the server is made; setting it later raises `AttributeError`.

    Args:
        script: The path or the lines of a recording that each session replays; by default rules
            answer as the service does.
        answers: The turns of the model in each session, or a function that returns one for
            the items of the conversation: text, a `Call`, an `Answer`, or `None` for the default.
        transcripts: What the user says in each turn of audio, in place of its duration.
        mcp: The tools of MCP servers, by the label that sessions give to the server; listing the
            tools of any other server fails.
        protocol: "ga" or "v1"; by default what the handshake asks for.
        api_key: The only key that it takes, beside the client secrets that it has issued; by
            default it takes any, and none.
        faults: What goes wrong in each session; or a list, for one handshake after the other, after
            which nothing goes wrong.
        ssl: A context with a certificate for `host`: the server is one of TLS then.
        host: The address where it listens.
        port: The port; 0 is a free one.
        allowed_origins: The origins of web pages that may connect, such as
            `http://localhost:3000`; by default none, so that no page in a browser on this machine
            can use the server, and requests with an `Origin` header are refused with 403.
        keep_events: Whether sessions remember their events; false is for long loads.

    Raises:
        ValueError: A script is not one.
        TypeError: A text was given in place of a list of texts.
        OSError: The port is taken; raised where the context is entered.
        RuntimeError: The context is entered twice, or left after a `ReplaySession.failure`.
    """

    @overload
    def __init__(
        self: ReplayServer[GaReceived, GaSent],
        *,
        protocol: Literal["ga"],
        **options: Unpack[_Options],
    ) -> None: ...

    @overload
    def __init__(
        self: ReplayServer[V1Received, V1Sent],
        *,
        protocol: Literal["v1"],
        **options: Unpack[_Options],
    ) -> None: ...

    @overload
    def __init__(
        self: ReplayServer[GaReceived | V1Received, GaSent | V1Sent],
        *,
        protocol: Literal["ga", "v1"] | None = None,
        **options: Unpack[_Options],
    ) -> None: ...

    def __init__(
        self,
        *,
        script: str | PathLike[str] | Iterable[str | RecordedEvent] | None = None,
        answers: Answers = None,
        transcripts: Iterable[str] = (),
        mcp: McpServers | None = None,
        protocol: Literal["ga", "v1"] | None = None,
        api_key: str | None = None,
        faults: Faults | Sequence[Faults] = (),
        ssl: tls.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        allowed_origins: Iterable[str] = (),
        keep_events: bool = True,
    ) -> None:
        self.sessions: list[ReplaySession[Received, Sent]] = []
        self.answers: Answers = answers
        self.faults: Faults | Sequence[Faults] = faults
        self._next_faults: Iterator[Faults]
        self._script: list[RecordedEvent] | None = None
        if script is not None:
            # Read once, so that a bad line fails where the server is made.
            self._script = [*read_recording(script)]
        self._transcripts = _listed("transcripts", transcripts)
        self._mcp = mcp or {}
        self._ssl = ssl
        self._protocol = protocol
        self._api_key = api_key
        self._host = host
        self._port = port
        origins = _listed("allowed_origins", allowed_origins)
        self._allowed_origins = {origin.lower().rstrip("/") for origin in origins}
        self._keep_events = keep_events
        self._endpoints = Endpoints()
        self._requests = 0
        self._thread: threading.Thread | None = None
        # Tasks of connections whose request is awaited, and of sessions.
        self._handshakes: set[asyncio.Task[None]] = set()
        self._served: set[asyncio.Task[None]] = set()
        self._transports: WeakSet[asyncio.Transport] = WeakSet()
        self._loop: asyncio.SelectorEventLoop
        self._listener: socket.socket
        self._stop: asyncio.Event

    def __repr__(self) -> str:
        return f"<ReplayServer {self._host}:{self._port}, {len(self.sessions)} sessions>"

    def __setattr__(self, name: str, value: Any) -> None:
        is_list = value is not None and not callable(value)
        if name == "answers" and is_list:
            value = _listed(name, value)  # each session begins with the first
        elif name == "faults" and isinstance(value, Faults):
            # One value is for all sessions; a list is used up by handshakes, refused ones included.
            self._next_faults = itertools.repeat(value)
        elif name == "faults":
            value = _listed(name, value)
            self._next_faults = itertools.chain(value, itertools.repeat(Faults()))
        elif not name.startswith("_") and name not in ("answers", "sessions"):
            # A misspelt name, or an option that is read at the beginning, must not be ignored.
            raise AttributeError(f"{name!r} cannot be set: give it to ReplayServer(...)")
        super().__setattr__(name, value)

    @property
    def url(self) -> str:
        """The base URL of the API, such as `http://127.0.0.1:49152/v1`."""
        return f"{self.azure_endpoint}/v1"

    @property
    def azure_endpoint(self) -> str:
        """The same server as an Azure endpoint, such as `http://127.0.0.1:49152`."""
        scheme = "http"
        if self._ssl:
            scheme = "https"
        return f"{scheme}://{self._host}:{self._port}"

    @property
    def calls(self) -> Mapping[str, RealtimeCall]:
        """The calls that clients have begun or that were announced, by their ids."""
        return self._endpoints.calls

    def announce_call(
        self, url: str, *, secret: str, sip_headers: Mapping[str, str] | None = None
    ) -> RealtimeCall:
        """Let a SIP call come in: send the webhook `realtime.call.incoming`.

        Args:
            url: The webhook's URL, of the program that is tested.
            secret: The webhook's secret, with or without `whsec_`, with which it is signed.
            sip_headers: Headers of the SIP `INVITE`, such as `From`.

        Returns:
            The call. It rings until the program accepts or rejects it.

        Raises:
            RuntimeError: The webhook was not answered with a status of success.
            ValueError: The secret is not base64.
        """
        headers = {"From": "sip:+14155550100@sip.example.com", **(sip_headers or {})}
        # It exists before the webhook arrives: the program may accept it at once.
        call = RealtimeCall(self._loop)
        self._endpoints.calls[call.id] = call
        announce(call, url, secret, headers)
        return call

    def __enter__(self) -> Self:
        if self._thread:
            raise RuntimeError("the server is running")
        # Listen before the thread runs, so that clients can connect as soon as this returns.
        self._listener = socket.create_server((self._host, self._port), backlog=1024)
        # The loop must not block where the client that made it readable has gone.
        self._listener.setblocking(False)
        self._port = self._listener.getsockname()[1]
        # Its own loop, which a blocked loop of the program under test cannot stop.
        self._loop, self._stop = asyncio.SelectorEventLoop(), asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="ReplayServer", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread:
            self._thread.join()
        self._thread = None
        # What fails in the server's thread would not fail the test otherwise.
        for session in self.sessions:
            if session.failure:
                raise RuntimeError("the embedded server failed") from session.failure

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        # Shielded: the server is not cancelled with the caller.
        await asyncio.shield(asyncio.to_thread(self.__exit__))

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        # Not asyncio's server, which fails on a connection accepted while it closes:
        # https://github.com/python/cpython/issues/109564
        self._loop.add_reader(self._listener, self._accept)
        await self._stop.wait()
        self._loop.remove_reader(self._listener)
        self._listener.close()
        for session in self.sessions:
            session.begin_close(1001)
        if self._served:
            await asyncio.wait({*self._served}, timeout=_TIMEOUT)
        for transport in self._transports:
            transport.abort()
        while self._handshakes or self._served:
            # A task that is cancelled before it begins runs no `finally`.
            await asyncio.sleep(0)
            tasks = [*self._handshakes, *self._served]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self) -> None:
        # accept(2) fails for a client that has reset its connection meanwhile.
        with contextlib.suppress(OSError):
            accepted, _ = self._listener.accept()
            # Nagle's algorithm and delayed ACKs would hold each event back for up to 40 ms.
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._begin(self._answer(accepted), self._handshakes)

    def _begin(self, work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
        task = self._loop.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _answer(self, accepted: socket.socket) -> None:
        """Respond to the request of a connection, or begin the session that it asks for."""
        reader = asyncio.StreamReader(limit=HEAD_LIMIT)
        # A TLS handshake may fail: a client that does not know the CA, or one without TLS.
        with contextlib.suppress(OSError):
            transport, _ = await self._loop.connect_accepted_socket(
                lambda: asyncio.StreamReaderProtocol(reader), accepted, ssl=self._ssl
            )
            self._transports.add(transport)
            request = await read_request(reader)
            if request is None:
                self._respond(transport, make_error(400, None, "Your request is not HTTP."))
                return
            faults = Faults()
            if request.is_handshake:
                # Only handshakes: HTTP requests would use up what a test meant for a session.
                faults = next(self._next_faults)
            connection = WebSocket()
            response = self._choose_response(request, faults) or connection.accept(request)
            if response:
                self._respond(transport, response)
                return
            # The frames of a client that has not waited for the response to its handshake.
            reader.feed_eof()
            received = await reader.read()
            session = self._new_session(connection, request, faults)
            # First, so that it is there when the client has that response.
            self.sessions.append(session)
            connection.open(transport, received)
            self._begin(session.serve(), self._served)

    def _respond(self, transport: asyncio.Transport, response: Response) -> None:
        self._requests += 1
        # As the service has it, so that `request_id` of errors is tested.
        response.headers["x-request-id"] = f"req_{self._requests:08}"
        transport.write(response.serialize())
        transport.close()

    def _choose_response(self, request: HttpRequest, faults: Faults) -> Response | None:
        """Return the response to a request; `None` for a handshake to accept."""
        # Any page in a browser on this machine could reach a loopback port:
        # https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Origin
        origin = request.headers.get("origin")
        if origin is not None and origin.lower() not in self._allowed_origins:
            return make_error(403, None, "Requests of web pages need `allowed_origins`.")
        if request.is_handshake:
            return self._refused_handshake(request, faults)
        if not self._is_key_valid(request.key):
            return make_error(401, "invalid_api_key", "Incorrect API key provided.")
        return self._endpoints.answer(request)

    def _is_key_valid(self, key: str) -> bool:
        # Client secrets are keys that expire; they open sessions, whatever `api_key` is.
        if key in self._endpoints.secrets:
            return self._endpoints.secrets[key][1] > time.time()
        return self._api_key is None or hmac.compare_digest(key.encode(), self._api_key.encode())

    def _refused_handshake(self, request: HttpRequest, faults: Faults) -> Response | None:
        if faults.refuse is not None:
            # Proxies refuse with text, the service with JSON: clients should cope with both.
            body = faults.refuse_body.encode()
            content_type = "text/plain"
            if body.lstrip().startswith((b"{", b"[")):
                content_type = "application/json"
            return http_response(faults.refuse, body, content_type)
        if not request.path.endswith(("/realtime", "/realtime/translations")):
            return make_error(404, None, f"Invalid URL (GET {request.path[:100]})")
        call = self._call(request)
        if "call_id" in request.query and (call is None or call.status != "active"):
            return make_error(404, None, "No such call.")
        return None

    def _call(self, request: HttpRequest) -> RealtimeCall | None:
        return self.calls.get(request.query.get("call_id", ""))

    def _new_session(
        self, connection: WebSocket, request: HttpRequest, faults: Faults
    ) -> ReplaySession[Received, Sent]:
        protocol = self._protocol or "ga"
        if self._protocol is None and request.asks_for_v1:
            protocol = "v1"
        rules, call = self._rules(request, protocol), self._call(request)
        session: ReplaySession[Received, Sent] = ReplaySession(
            request, protocol, connection, rules, faults, keep_events=self._keep_events
        )
        if call:
            call.attach(partial(session.begin_close, 1000, "The call has ended."))
        return session

    def _rules(self, request: HttpRequest, protocol: str) -> Rules:
        outbox = Outbox(len(self.sessions) + 1)
        if not self._is_key_valid(request.key):
            # The service accepts the WebSocket and closes it then, rather than refuse with 401.
            return Rules(outbox, (3000, "invalid_request_error.invalid_api_key"))
        if request.asks_for_v1 and protocol == "ga":
            return Rules(outbox, (4000, "invalid_request_error.beta_api_shape_disabled"))
        if self._script is not None:
            return Script(outbox, self._script)
        name = request.query.get("model") or request.query.get("deployment")
        session_id, call = outbox.new_id("sess"), self._call(request)
        settings, _ = self._endpoints.secrets.get(request.key, (None, 0))
        if call:
            settings = call.settings
        if request.is_translation:
            translation = new_translation(session_id, name or "gpt-realtime-translate")
            return TranslationRules(settings or translation, outbox)
        session_type = "realtime"
        if request.query.get("intent") == "transcription":
            session_type = "transcription"
        settings = settings or new_session(session_id, name or MODELS[protocol], session_type)
        rules = RealtimeRules
        if protocol == "v1":
            rules = V1Rules
        scenario = Scenario(self.answers, self._transcripts, self._mcp)
        return rules(settings, outbox, scenario, is_call=call is not None)
