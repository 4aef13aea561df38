"""`demo`: a session of four turns, whose events are printed as they pass."""

from __future__ import annotations

import math
import time
from argparse import Namespace
from base64 import b64encode
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from openai_realtime_client import ga
from openai_realtime_client.cli.display import (
    Row,
    Screen,
    show_error,
    show_event,
    span_text,
    summarize,
)
from openai_realtime_client.core.json_types import at
from openai_realtime_client.shared import (
    ConnectionSettingsError,
    Conversation,
    ConversationResponse,
    InvalidEventError,
    RealtimeConnectionError,
)
from openai_realtime_client.testing.audio import tone

if TYPE_CHECKING:
    from openai_realtime_client.shared import Connection
    from openai_realtime_client.testing import ReplayServer

__all__ = ["run"]

Event = dict[str, Any]

_CLOSE_TIMEOUT = 2
# The pace of the embedded server, in seconds from event to event: time to interrupt it.
_PACE = 0.005


class _DemoError(Exception):
    """The server did not do its part."""


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"Sunny in {city}, 18 degrees."


def run(args: Namespace, out: Screen, err: Screen) -> int:
    """Hold the session and return the exit status."""
    try:
        with ExitStack() as stack:
            _Demo(args, out).hold(args.url or stack.enter_context(_embedded()).url)
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


def _embedded() -> ReplayServer[Any, Any]:
    # Here, because other servers do not need it.
    from openai_realtime_client.testing import Faults, ReplayServer

    return ReplayServer(faults=Faults(delay=_PACE), keep_events=False)


class _Demo:
    """The session, shown while it runs."""

    _connection: Connection[Any, Any]

    def __init__(self, args: Namespace, out: Screen) -> None:
        self._args = args
        self._out = out
        self._count = 0
        self._conversation = Conversation()
        self._began = time.perf_counter()

    def hold(self, url: str) -> None:
        """Connect and hold the session. Raises where it fails."""
        connecting = ga.connect_sync(
            self._args.model,
            base_url=url,
            api_key=self._args.api_key,
            conversation=self._conversation,
            websocket_options={"open_timeout": self._args.timeout, "close_timeout": _CLOSE_TIMEOUT},
        )
        embedded = "the embedded server, without key or network"
        where = urlsplit(url).hostname if self._args.url else embedded
        self._say("A session", f"with {where}; times in ms")
        with connecting as self._connection:
            self._until("session.created")
            self._text_turn()
            self._tool_turn()
            self._spoken_turn()
        took = span_text((time.perf_counter() - self._began) * 1000)
        tokens = self._conversation.usage.total
        self._say("Done", f"{self._count} events and {tokens} tokens in {took}")

    def _text_turn(self) -> None:
        self._say("A text turn")
        self._configure("text", instructions="Answer in one short sentence.")
        self._send(dict(ga.user_text("Hello!")))
        self._respond()

    def _tool_turn(self) -> None:
        self._say("A tool call", "the client runs the function and sends what it returns")
        tool = ga.FunctionTool(get_weather)
        self._configure("text", tools=[tool.definition])
        self._send(dict(ga.user_text("What is the weather in Paris?")))
        calls = self._respond(tool_choice="required").calls
        if not calls:
            raise _DemoError("the model did not call the function")
        for call in calls:
            self._send(dict(tool.run(call)))
        self._respond()

    def _spoken_turn(self) -> None:
        self._say("A spoken turn", "the client interrupts the answer, and says how much was played")
        self._configure("audio", tools=[])
        audio = b64encode(tone("audio/pcm", 600)).decode()
        self._send({"type": "input_audio_buffer.append", "audio": audio})
        self._send({"type": "input_audio_buffer.commit"})
        self._send({"type": "response.create"})
        piece = self._until("response.output_audio.delta")
        # All that has come by then.
        heard = self._conversation.heard(piece.get("item_id"), math.inf)
        self._send({"type": "response.cancel"})
        self._finish("cancelled", "completed")
        if heard:
            self._send(dict(heard))
            self._until("conversation.item.truncated")

    def _configure(self, modality: str, **settings: Any) -> None:
        # Without turn detection: here, the client says when a turn ends.
        audio = {"input": {"turn_detection": None}}
        session = {"type": "realtime", "output_modalities": [modality], "audio": audio, **settings}
        self._send({"type": "session.update", "session": session})
        self._until("session.updated")

    def _respond(self, **params: Any) -> ConversationResponse:
        self._send({"type": "response.create", **({"response": params} if params else {})})
        return self._finish("completed")

    def _finish(self, *statuses: str) -> ConversationResponse:
        done = self._until("response.done")
        response = self._conversation.responses.get(str(at(done, "response", "id")))
        if response is None or response.status not in statuses:
            raise _DemoError(f"a response is {summarize(done)}")
        return response

    def _send(self, event: Event) -> None:
        self._connection.send(event)
        self._show("client", event)

    def _until(self, kind: str) -> Event:
        """Receive up to the first event of a type. Raises for an `error` event."""
        while True:
            try:
                event: Event = self._connection.recv(self._args.timeout).to_dict()
            except TimeoutError:
                raise _DemoError(f"no event came within {self._args.timeout:g} s") from None
            self._show("server", event)
            if event["type"] == kind:
                return event
            # A response may end before it is cancelled.
            code = at(event, "error", "code")
            if event["type"] == "error" and code != "response_cancel_not_active":
                raise _DemoError(f"the server sent an error: {summarize(event)}")

    def _show(self, direction: Literal["client", "server"], event: Event) -> None:
        at_ms = round((time.perf_counter() - self._began) * 1000, 1)
        self._count += 1
        if self._args.json:
            self._out.json_line({"from": direction, "at_ms": at_ms, "event": event})
        else:
            show_event(self._out, Row(at_ms, direction, event["type"], summarize(event)))

    def _say(self, title: str, text: str = "") -> None:
        if not self._args.json:
            self._out.line(("bold", title), ("dim", f": {text}" if text else ""))
