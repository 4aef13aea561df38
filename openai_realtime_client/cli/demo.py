"""`demo`: a session with a text turn and a tool call, whose events one sees pass."""

from __future__ import annotations

import json
import os
import time
from argparse import Namespace
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import urlsplit

from openai_realtime_client import (
    ConnectionSettingsError,
    InvalidEventError,
    RealtimeConnectionError,
    RealtimeModel,
    ga,
)
from openai_realtime_client.cli.display import Screen, show_error, show_event, span_text, summarize
from openai_realtime_client.core.json_types import is_object
from openai_realtime_client.testing.recording import RecordedEvent

if TYPE_CHECKING:
    from openai_realtime_client import Connection

__all__ = ["run"]

Event = TypeVar("Event")
Direction = Literal["client", "server"]

_INSTRUCTIONS = "Answer in one short sentence."
_CLOSE_TIMEOUT = 2
_TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "Tell the weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


class _DemoError(Exception):
    """The server did not do its part."""


def run(args: Namespace, out: Screen, err: Screen) -> int:
    """Hold the session and return the exit status."""
    key = _key(args)
    if key is None:
        hint = 'set the variable, or set it to "" for a server that needs no key'
        show_error(err, args.prog, f"there is no key in {args.api_key_env}: {hint}")
        return 2
    try:
        with _server(args.url) as url:
            _Demo(args, out).hold(url, key)
    except ConnectionSettingsError as error:
        show_error(err, args.prog, str(error))
        return 2
    except (_DemoError, ImportError) as error:
        show_error(err, args.prog, str(error))
        return 1
    except (RealtimeConnectionError, InvalidEventError, OSError) as error:
        show_error(err, args.prog, f"{type(error).__name__}: {error}")
        return 1
    return 0


def _key(args: Namespace) -> str | None:
    return os.environ.get(args.api_key_env) if args.url else ""


@contextmanager
def _server(url: str | None) -> Generator[str, None, None]:
    """The URL of the server, which is the embedded one where none is given."""
    if url is not None:
        yield url
        return
    from openai_realtime_client.testing import ReplayServer

    with ReplayServer(keep_events=False) as server:
        yield server.url


class _Demo:
    """The session, shown while it runs."""

    def __init__(self, args: Namespace, out: Screen) -> None:
        self._args = args
        self._out = out
        self._is_json: bool = args.json
        self._count = 0
        self._tokens = 0
        self._began = 0.0

    def hold(self, url: str, key: str) -> None:
        """Connect and hold the session. Raises where it fails."""
        options = {"open_timeout": self._args.timeout, "close_timeout": _CLOSE_TIMEOUT}
        connecting = ga.connect_sync(
            self._args.model, base_url=url, api_key=key, websocket_options=options
        )
        embedded = "the embedded server, without key or network"
        where = urlsplit(url).hostname if self._args.url else embedded
        self._say("A session", f"with {where}; times in ms")
        self._began = time.perf_counter()
        with connecting as connection:
            session = _Session(connection, self._show, self._args.timeout)
            session.until(ga.RealtimeServerEventSessionCreated)
            self._say("Settings", "text instead of audio, and a function that the model may call")
            self._configure(session)
            self._say("A text turn")
            session.send(_said("Hello!"))
            self._respond(session)
            self._say("A tool call", "the client runs the function and sends what it gives")
            session.send(_said("What is the weather in Paris?"))
            choice = ga.RealtimeResponseCreateParams(tool_choice=ga.ToolChoiceOptions.REQUIRED)
            self._run_calls(session, self._respond(session, choice))
            self._respond(session)
        took = span_text((time.perf_counter() - self._began) * 1000)
        self._say("Done", f"{self._count} events and {self._tokens} tokens in {took}")

    def _configure(self, session: _Session) -> None:
        settings = ga.RealtimeSessionCreateRequestGA(
            output_modalities=[ga.RealtimeSessionCreateRequestGA.OutputModalitiesEnum.TEXT],
            instructions=_INSTRUCTIONS,
            tools=[ga.RealtimeFunctionTool.from_dict(_TOOL)],
        )
        session.send(ga.RealtimeClientEventSessionUpdate(session=settings))
        session.until(ga.RealtimeServerEventSessionUpdated)

    def _respond(
        self, session: _Session, params: ga.RealtimeResponseCreateParams | None = None
    ) -> ga.RealtimeResponse:
        create = ga.RealtimeClientEventResponseCreate
        session.send(create(response=params) if params else create())
        response = session.until(ga.RealtimeServerEventResponseDone).response
        if response.status != "completed":
            raise _DemoError(
                f"a response is {summarize({'type': '', 'response': response.to_dict()})}"
            )
        usage = response.usage
        self._tokens += (usage and usage.total_tokens) or 0
        return response

    def _run_calls(self, session: _Session, response: ga.RealtimeResponse) -> None:
        calls = [
            item
            for item in response.output or []
            if isinstance(item, ga.RealtimeConversationItemFunctionCall)
        ]
        if not calls:
            raise _DemoError("the model did not call the function")
        for call in calls:
            item = ga.RealtimeConversationItemFunctionCallOutput(
                call_id=call.call_id or "", output=_weather(call.arguments)
            )
            session.send(ga.RealtimeClientEventConversationItemCreate(item=item))

    def _show(self, direction: Direction, event: RealtimeModel) -> None:
        at_ms = round((time.perf_counter() - self._began) * 1000, 1)
        wire = event.to_dict()
        self._count += 1
        if self._is_json:
            self._out.json_line(RecordedEvent(direction, wire, at_ms).to_json())
        else:
            show_event(self._out, at_ms, direction, wire["type"], summarize(wire))

    def _say(self, title: str, text: str = "") -> None:
        if not self._is_json:
            self._out.line(("bold", title), ("dim", f": {text}" if text else ""))


class _Session:
    """A connection whose events are shown as they pass."""

    def __init__(
        self,
        connection: Connection[ga.RealtimeServerEvent, ga.RealtimeClientEvent],
        show: Callable[[Direction, RealtimeModel], None],
        timeout: float,
    ) -> None:
        self._connection = connection
        self._show = show
        self._timeout = timeout

    def send(self, event: ga.RealtimeClientEvent) -> None:
        """Send an event."""
        self._connection.send(event)
        self._show("client", event)

    def until(self, kind: type[Event]) -> Event:
        """Receive up to the first event of a class. Raises for an `error` event."""
        while True:
            try:
                event = self._connection.recv(self._timeout)
            except TimeoutError:
                raise _DemoError(f"no event came within {self._timeout:g} s") from None
            self._show("server", event)
            if isinstance(event, kind):
                return event
            if isinstance(event, ga.RealtimeServerEventError):
                raise _DemoError(f"the server sent an error: {summarize(event.to_dict())}")


def _said(text: str) -> ga.RealtimeClientEventConversationItemCreate:
    content = ga.RealtimeConversationItemMessageUserContent.from_dict(
        {"type": "input_text", "text": text}
    )
    item = ga.RealtimeConversationItemMessageUser(content=[content])
    return ga.RealtimeClientEventConversationItemCreate(item=item)


def _weather(arguments: str | None) -> str:
    try:
        asked = json.loads(arguments or "")
    except (ValueError, RecursionError):
        asked = None
    city = asked.get("city") if is_object(asked) else None
    return f"Sunny in {city}, 18 degrees."
