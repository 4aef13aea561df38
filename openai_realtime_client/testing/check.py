"""Check any Realtime server: play scripted turns and examine its events."""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from openai_realtime_client import ga, v1
from openai_realtime_client.core.audio import PCM
from openai_realtime_client.core.deviations import deviations
from openai_realtime_client.core.errors import (
    ConnectionClosedError,
    InvalidEventError,
    RealtimeConnectionError,
)
from openai_realtime_client.core.json_types import any_index, at, is_array, is_object
from openai_realtime_client.testing.audio import tone
from openai_realtime_client.testing.settings import MODELS
from openai_realtime_client.testing.v1 import v1_settings

if TYPE_CHECKING:
    from openai_realtime_client.realtime.connection import Connection

__all__ = ["Finding", "Order", "Turn", "check_server", "check_turns"]

Protocol = Literal["ga", "v1"]
Event = dict[str, Any]

_CLOSE_TIMEOUT = 2
# A short timeout is for events; a server that is busy may take longer to accept.
_OPEN_TIMEOUT = 5
# A response may have ended before it is cancelled.
_TRIES = 3
_ID = re.compile(r"\b[a-z]+_\w{8,}")
_TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "Give the weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
# The events that confirm those of the client; creating an item is confirmed by its entry.
_CONFIRMATIONS = {
    "session.update": "session.updated",
    "response.create": "response.created",
    "conversation.item.retrieve": "conversation.item.retrieved",
    "conversation.item.delete": "conversation.item.deleted",
    "conversation.item.truncate": "conversation.item.truncated",
    "input_audio_buffer.commit": "input_audio_buffer.committed",
    "input_audio_buffer.clear": "input_audio_buffer.cleared",
}
# Values in recorded sessions of v1 that its published schema lacks.
_WIRE_ONLY = [("v1", "status", "in_progress"), ("v1", "type", "audio")]
# Deviations to report with the value; those of others may be long and add nothing.
_WITH_VALUE = {"unknown value", "wrong type"}
_NO_ITEM = "item_of_no_session"
# Each is invalid in one way. A string is sent as it is, since `send` takes events only.
_BAD: dict[str, str | Event] = {
    "text that is not JSON": "{",
    "JSON that is not an object": "[]",
    "an event without a type": '{"event_id": "check_untyped"}',
    "an unknown type": {"type": "check.unknown"},
    "a missing field": {"type": "conversation.item.create"},
    "a field of the wrong type": {"type": "conversation.item.create", "item": 5},
    "an unknown value": {"type": "conversation.item.create", "item": {"type": "check_unknown"}},
    "an item that does not exist": {"type": "conversation.item.retrieve", "item_id": _NO_ITEM},
}


@dataclass
class Finding:
    """One thing that is wrong with a server, as often as it happened.

    Attributes:
        turn: The turn in which it was first seen, such as "cancel".
        kind: `deviation` from the schema; `missing`, `out of order` or `twice`; `wrong`, where
            events contradict each other or the request; `refused` or `not refused`; or `closed`.
        type: The type of the event.
        about: The fault, in words.
        event: The event as received, or `None` for an event that is missing.
        count: How often it was seen.
    """

    turn: str
    kind: str
    type: str
    about: str
    event: Event | None = None
    count: int = 1

    def __str__(self) -> str:
        text = f"{self.turn}: {self.kind}: {self.type}: {self.about}"
        if self.count > 1:
            text += f" ({self.count} times)"
        return text


# Findings by the key that makes two of them the same.
_Findings = dict[tuple[str, ...], Finding]


class Turn(NamedTuple):
    """One turn of a check: how many events the server sent in it, and what was first found."""

    name: str
    events: int
    findings: list[Finding]


def check_server(
    url: str,
    *,
    protocol: Protocol = "ga",
    model: str | None = None,
    api_key: str = "",
    timeout: float = 30.0,
) -> list[Finding]:
    """Play scripted turns against a Realtime server, and list what is wrong with it.

    The reference is the published schema, recordings of sessions and the embedded server. What
    they do not show is not checked: what a model says and how well, turn detection, transcription,
    rate limits, and how fast anything comes.

    Args:
        url: The base URL of the server, such as `http://127.0.0.1:8000/v1`.
        protocol: The protocol of the server, `ga` or `v1`.
        model: The model, by default `gpt-realtime-2.1` or `gpt-4o-realtime-preview`.
        api_key: The key; "" sends none.
        timeout: How long to wait for an event that has to come, in seconds; and to connect, for
            which there are at least 5.

    Returns:
        The findings, in the order of the turns; empty for a server without any.

    Raises:
        RealtimeConnectionError: No session could be opened at all.
        ValueError: `protocol` is another: only `ga` and `v1` can be checked.
    """
    if protocol not in MODELS:
        raise ValueError(f"cannot check the protocol {protocol!r}; only 'ga' and 'v1'")
    turns = check_turns(url, protocol=protocol, model=model, api_key=api_key, timeout=timeout)
    return [finding for turn in turns for finding in turn.findings]


def check_turns(
    url: str, *, protocol: Protocol, model: str | None, api_key: str, timeout: float
) -> Iterator[Turn]:
    """Check a server turn by turn; the arguments are those of `check_server`."""
    connect: Callable[..., Any] = ga.connect_sync
    if protocol == "v1":
        connect = v1.connect_sync
    # A server that hangs must not hang the check: it has many sessions to play.
    options = {"open_timeout": max(timeout, _OPEN_TIMEOUT), "close_timeout": _CLOSE_TIMEOUT}
    settings: Event = {"base_url": url, "api_key": api_key, "websocket_options": options}
    findings: _Findings = {}
    for name, play in _TURNS.items():
        session = _Session(protocol, name, findings, timeout)
        before = len(findings)
        try:
            session.connection = connect(model or MODELS[protocol], **settings).open()
        except RealtimeConnectionError as error:
            if name == "text":  # The first: a wrong URL or key, not a fault of the server.
                raise
            session.report("closed", "session.created", f"no session: {error}")
        else:
            session.play(play)
        yield Turn(name, session.events, list(findings.values())[before:])


class _Session:
    """One session of a turn, whose events are all examined."""

    connection: Connection[Any, Any]

    def __init__(self, protocol: Protocol, turn: str, findings: _Findings, timeout: float) -> None:
        self.protocol = protocol
        self.events = 0
        self.audio_size = 0
        self.entry = "conversation.item.added"
        if protocol == "v1":
            self.entry = "conversation.item.created"
        self._confirmations = {**_CONFIRMATIONS, "conversation.item.create": self.entry}
        self._turn = turn
        self._findings = findings
        self._timeout = timeout
        self._order = Order(protocol)
        # Confirmations that are still due, by their type.
        self._due: Counter[str] = Counter()
        # The invalid event to blame if the server closes the session.
        self._cause = ""

    def play(self, turn: Callable[[_Session], None]) -> None:
        """Play a turn from `session.created` to the end of the session."""
        try:
            if self.until("session.created"):
                turn(self)
                # A barrier: its confirmation comes after everything that was asked for before.
                self.configure()
                for problem in self._order.left_open():
                    self.report(*problem)
        except ConnectionClosedError as error:
            self.report("closed", "session", f"{self._cause}{error}")
        finally:
            self.connection.close()

    def report(self, kind: str, name: str, about: str, event: Event | None = None) -> None:
        """Note something that is wrong."""
        # The same fault in another turn, item or index is not another finding.
        key = [kind, name, _ID.sub("ID", any_index(about))]
        if kind == "closed":  # Its cause is in the turn.
            key.append(self._turn)
        finding = Finding(self._turn, kind, name, about, event, count=0)
        self._findings.setdefault(tuple(key), finding).count += 1

    def ask(self, event: Event) -> Event | None:
        """Send an event and wait for its confirmation."""
        confirmation = self._confirmations[event["type"]]
        self._due[confirmation] += 1
        self.connection.send(event)
        return self.until(confirmation)

    def configure(self, *, modality: str = "text", **settings: Any) -> Event | None:
        """Update the session, and return the confirmation with its settings."""
        wire: Event = {"instructions": "Answer in one short sentence.", **settings}
        detection = {"input": {"turn_detection": None}}
        wire |= {"type": "realtime", "output_modalities": [modality], "audio": detection}
        if self.protocol == "v1":
            wire = v1_settings(wire)
        return self.ask({"type": "session.update", "session": wire})

    def say(self, text: str) -> Any:
        """Add a message of the user and return the id of its item."""
        return at(self.ask(dict(v1.user_text(text))), "item", "id")

    def respond(self, item_type: str, missing: str) -> list[Event]:
        """Ask for a response and return its items of a type; report if it has none."""
        self.ask({"type": "response.create"})
        done = self.finished("completed")
        output = at(done, "response", "output")
        items: list[Event] = []
        if is_array(output):
            items = [item for item in output if at(item, "type") == item_type]
        if done and not items:
            self.report("missing", "response.output_item.done", missing)
        return items

    def finished(self, *statuses: str) -> Event | None:
        """Wait for the end of a response; report any status but these."""
        done = self.until("response.done")
        status = at(done, "response", "status")
        if done and status not in statuses:
            self.report("wrong", "response.done", f"its status is {status}", done)
        return done

    def compare(self, event: Event | None, value: Any, *path: str) -> None:
        """Report an event that has not the value that was sent."""
        if event and at(event, *path) != value:
            self.report("wrong", event["type"], f"{path[-1]} is not what was sent", event)

    def refuses(self, event: str | Event, what: str) -> None:
        """Send an invalid event; report if no `error` answers it or the session ends."""
        self._cause = f"by {what}: "
        if isinstance(event, str):
            self.connection.send_raw(event)
            self.gets_error(what)
        else:
            event_id = f"check_{event['type']}"
            self.connection.send({**event, "event_id": event_id})
            self.gets_error(what, event_id)
        self._cause = ""

    def gets_error(self, what: str, event_id: str | None = None) -> bool:
        """Return whether an `error` answers the last event; report if it does not."""
        # A barrier: without an error, this update, which changes nothing, is confirmed first, and
        # nothing times out.
        self._due["session.updated"] += 1
        same = {}
        if self.protocol == "ga":
            same = {"type": "realtime"}
        self.connection.send({"type": "session.update", "session": same})
        received = self.until("error", "session.updated")
        if at(received, "type") == "session.updated":
            self.report("not refused", "error", what)
            return False
        if received:
            if event_id and at(received, "error", "event_id") != event_id:
                self.report("wrong", "error", "its event_id is not that of the event", received)
            self.until("session.updated")
        return received is not None

    def until(self, *event_types: str) -> Event | None:
        """Receive up to an event of one of these types; report and return `None` if none comes.

        Raises:
            ConnectionClosedError: The session has ended.
        """
        deadline = time.monotonic() + self._timeout
        while time.monotonic() < deadline:
            try:
                received = self.connection.recv(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                break
            except InvalidEventError as error:
                self.report("deviation", "message", f"not an event: {error}")
                continue
            event: Event = received.to_dict()
            self._examine(event, received)
            if event["type"] in event_types:
                return event
            # It takes the place of the event, which will not come then.
            if event["type"] == "error":
                about = f"{event_types[0]} was due: {at(event, 'error', 'message')}"
                self.report("refused", "error", about, event)
                return None
        self.report("missing", event_types[0], f"it did not come within {self._timeout:g} s")
        return None

    def _examine(self, event: Event, received: Any) -> None:
        event_type: str = event["type"]
        if not self.events and event_type not in ("session.created", "error"):
            self.report("out of order", event_type, "before session.created", event)
        self.events += 1
        for path, about, value in deviations(received):
            if (self.protocol, path.rpartition(".")[2], value) in _WIRE_ONLY:
                continue
            if path and about in _WITH_VALUE:
                about += f" {json.dumps(value):.40}"
            if path:
                about += f" at {path}"
            self.report("deviation", event_type, about, event)
        for problem in self._order.follow(event):
            self.report(*problem, event)
        # Items are added by responses, too.
        if event_type in _CONFIRMATIONS.values():
            if not self._due[event_type]:
                self.report("twice", event_type, "more often than it was asked for", event)
            self._due[event_type] = max(0, self._due[event_type] - 1)
        if event_type.endswith("audio.delta"):
            self._count_audio(event)

    def _count_audio(self, event: Event) -> None:
        try:
            self.audio_size += len(base64.b64decode(event.get("delta") or "", validate=True))
        except (binascii.Error, ValueError, TypeError):
            self.report("wrong", event["type"], "its delta is not base64", event)


def _play_text(session: _Session) -> None:
    session.configure()
    item_id = session.say("Say hello.")
    session.respond("message", "no message in a text turn")
    if not isinstance(item_id, str):
        return
    retrieve = {"type": "conversation.item.retrieve", "item_id": item_id}
    session.compare(session.ask(retrieve), item_id, "item", "id")
    deleted = session.ask({"type": "conversation.item.delete", "item_id": item_id})
    session.compare(deleted, item_id, "item_id")
    session.refuses(retrieve, "to retrieve an item that was deleted")


def _play_audio(session: _Session) -> None:
    session.configure(modality="audio")
    session.connection.send_audio(tone(PCM, 600))
    committed = session.ask({"type": "input_audio_buffer.commit"})
    if committed:
        item = session.until(session.entry)
        session.compare(item, committed.get("item_id"), "item", "id")
    session.respond("message", "no message in an audio turn")
    if not session.audio_size:
        event_type = "response.output_audio.delta"
        if session.protocol == "v1":
            event_type = "response.audio.delta"
        session.report("missing", event_type, "no audio in an audio turn")
    session.connection.send_audio(tone(PCM, 200))
    session.ask({"type": "input_audio_buffer.clear"})
    session.refuses({"type": "input_audio_buffer.commit"}, "to commit an empty buffer")
    append = {"type": "input_audio_buffer.append", "audio": "*"}
    session.refuses(append, "audio that is not base64")


def _play_tool(session: _Session) -> None:
    session.configure(tools=[_TOOL], tool_choice="required")
    session.say("What is the weather in Paris?")
    calls = session.respond("function_call", "no function_call, though tool_choice is required")
    for call in calls:
        if call.get("name") != _TOOL["name"] or not _is_json_object(call.get("arguments")):
            about = "a call of no known function, or whose arguments are not a JSON object"
            session.report("wrong", "response.done", about)
        session.ask(dict(v1.function_output(str(call.get("call_id")), "Sunny, 18 degrees.")))
    # With a choice of "required", the model would call it again.
    session.configure(tools=[_TOOL], tool_choice="none")
    session.respond("message", "no message after the output of a function")


def _play_cancel(session: _Session) -> None:
    session.configure()
    session.say("Count from one to two hundred, in words.")
    for _ in range(_TRIES):
        session.ask({"type": "response.create"})
        session.connection.send({"type": "response.cancel"})
        done = session.finished("cancelled", "completed")
        is_late = at(done, "response", "status") == "completed"
        if not is_late or not session.gets_error("a cancel that came too late"):
            break
    session.refuses({"type": "response.cancel"}, "a cancel without a response")


def _play_truncate(session: _Session) -> None:
    session.configure(modality="audio")
    session.say("Say hello.")
    for message in session.respond("message", "no message in an audio turn")[:1]:
        place = {"item_id": message.get("id"), "content_index": 0}
        truncate = {"type": "conversation.item.truncate", **place}
        truncated = session.ask({**truncate, "audio_end_ms": 10})
        session.compare(truncated, place["item_id"], "item_id")
        session.compare(truncated, 10, "audio_end_ms")
        session.refuses({**truncate, "audio_end_ms": 10**7}, "to truncate after the end of audio")


def _play_update(session: _Session) -> None:
    modalities = "output_modalities"
    if session.protocol == "v1":
        modalities = "modalities"
    updated = session.configure(instructions="Be brief.", tools=[_TOOL], tool_choice="none")
    session.compare(updated, ["text"], "session", modalities)
    session.compare(updated, "none", "session", "tool_choice")
    session.compare(updated, "Be brief.", "session", "instructions")
    kept = session.configure(instructions="Be polite.")
    session.compare(kept, "Be polite.", "session", "instructions")
    for confirmation in (updated, kept):
        tools = at(confirmation, "session", "tools")
        is_kept = is_array(tools) and [at(tool, "name") for tool in tools] == [_TOOL["name"]]
        if confirmation and not is_kept:
            about = "tools is not what was sent"
            session.report("wrong", confirmation["type"], about, confirmation)


_TURNS: dict[str, Callable[[_Session], None]] = {
    "text": _play_text,
    "audio": _play_audio,
    "tool": _play_tool,
    "cancel": _play_cancel,
    "truncate": _play_truncate,
    "update": _play_update,
    # Each in a session of its own, for some end it.
    **{
        f"bad input, {what}": partial(_Session.refuses, event=event, what=what)
        for what, event in _BAD.items()
    },
}


def _is_json_object(text: Any) -> bool:
    try:
        return is_object(json.loads(text))
    except (ValueError, TypeError, RecursionError):
        return False


# The order of events: begun once, inside what is open, and ended once

# The subject of an event: the part of its type before the last dot, and ids.
_Key = tuple[Any, ...]


class Problem(NamedTuple):
    """A fault in the order of events: `missing`, `out of order`, `twice` or `wrong`."""

    kind: str
    type: str
    about: str


class _Stem(NamedTuple):
    """The part of a type before its last dot, in which a `.done` ends what it is about.

    `ids` are the paths of the ids that name one of them, from the outside in. `opener` is the step
    that begins one, and `None` for text that begins with any delta. `text` is the field that holds
    all of its deltas at the end.
    """

    ids: tuple[str, ...]
    parent: str | None = None
    opener: str | None = None
    text: str | None = None


_RESPONSE, _ITEM, _PART = "response", "response.output_item", "response.content_part"
_ARGUMENTS = "response.function_call_arguments"
_ENTRY = "conversation.item"
_PART_IDS = ("response_id", "item_id", "content_index")


class Order:
    """Follows the events of one session of a protocol, "ga" or "v1"."""

    def __init__(self, protocol: str) -> None:
        # The events of v1 lack `output_` and call an added item created.
        prefix, added = "response.output_", "added"
        if protocol == "v1":
            prefix, added = "response.", "created"
        text, audio, transcript = f"{prefix}text", f"{prefix}audio", f"{prefix}audio_transcript"
        # What ends before a content part of a type does.
        self._in_parts = {"text": [text], "audio": [audio, transcript]}
        self._entry_added = f"{_ENTRY}.{added}"
        self._stems = {
            _RESPONSE: _Stem(("response.id",), opener="created"),
            _ITEM: _Stem(("response_id", "item.id"), _RESPONSE, "added"),
            _PART: _Stem(_PART_IDS, _ITEM, "added"),
            _ARGUMENTS: _Stem(_PART_IDS[:2], _ITEM, text="arguments"),
            text: _Stem(_PART_IDS, _PART, text="text"),
            audio: _Stem(_PART_IDS, _PART),
            transcript: _Stem(_PART_IDS, _PART, text="transcript"),
            _ENTRY: _Stem(("item.id",), opener=added),
        }
        # All that has begun, in this order, and whether it has not ended.
        self._is_open: dict[_Key, bool] = {}
        # Subjects begun by an event of their own, rather than by something inside them.
        self._opened: set[_Key] = set()
        self._deltas: dict[_Key, str] = {}
        self._event_ids: set[str] = set()

    def follow(self, event: Event) -> Iterator[Problem]:
        """Follow an event and yield its problems."""
        event_type: str = event["type"]
        event_id = event.get("event_id")
        if isinstance(event_id, str):
            if event_id in self._event_ids:
                yield Problem("twice", event_type, f"an event_id that was there before: {event_id}")
            self._event_ids.add(event_id)
        name, _, step = event_type.rpartition(".")
        stem = self._stems.get(name)
        if stem is None:
            return
        ids = [at(event, *path.split(".")) for path in stem.ids]
        key = (name, *map(_hashable_id, ids))
        if step == "done":
            yield from self._end(key, stem, event)
        elif step == stem.opener:
            yield from self._open(key, event_type)
        elif step == "delta" and stem.opener is None:
            yield from self._add_delta(key, event)

    def left_open(self) -> Iterator[Problem]:
        """Yield a problem for everything that is still open at the end of the session."""
        for key, is_open in self._is_open.items():
            if is_open:
                yield Problem("missing", f"{key[0]}.done", "it was begun and never ended")
        self._is_open.clear()

    def _open(self, key: _Key, event_type: str) -> Iterator[Problem]:
        if key in self._opened:
            yield Problem("twice", event_type, "for the same id")
        elif key in self._is_open:
            yield Problem("out of order", event_type, "after what is in it")
        else:
            yield from self._begin(key, event_type)
        self._opened.add(key)
        # In v1 an item is complete when it is created, and has no `.done`.
        if event_type == "conversation.item.created":
            self._is_open[key] = False

    def _add_delta(self, key: _Key, event: Event) -> Iterator[Problem]:
        event_type, delta = event["type"], event.get("delta")
        if key not in self._is_open:
            yield from self._begin(key, event_type)
        elif not self._is_open[key]:
            yield Problem("out of order", event_type, f"after {key[0]}.done")
        if isinstance(delta, str):
            self._deltas[key] = self._deltas.get(key, "") + delta

    def _begin(self, key: _Key, event_type: str) -> Iterator[Problem]:
        """Note that it is open; what contains it has to be open, too."""
        self._is_open[key] = True
        name = self._stems[key[0]].parent
        if name is None:
            return
        stem = self._stems[name]
        parent = (name, *key[1 : len(stem.ids) + 1])
        if parent not in self._is_open:
            # Taken as open from now on, so that it is reported once.
            self._is_open[parent] = True
            yield Problem("missing", f"{name}.{stem.opener}", f"before {event_type}")
        elif not self._is_open[parent]:
            yield Problem("out of order", event_type, f"after {name}.done")

    def _end(self, key: _Key, stem: _Stem, event: Event) -> Iterator[Problem]:
        name, event_type = key[0], event["type"]
        if self._is_open.get(key) is False:
            yield Problem("twice", event_type, "for the same id")
            return
        if key not in self._is_open:
            if stem.opener:
                yield Problem("missing", f"{name}.{stem.opener}", f"before {event_type}")
            else:
                yield from self._begin(key, event_type)
        self._is_open[key] = False
        for missing in self._missing(key, event):
            yield Problem("missing", missing, f"before {event_type}")
        if stem.text and event.get(stem.text) != self._deltas.get(key, ""):
            about = f"its {stem.text} is not that of the deltas before it"
            yield Problem("wrong", event_type, about)
        if name == _RESPONSE and _output_ids(event) != self._ended_items(key):
            yield Problem("wrong", event_type, "its output is not the items that came before")

    def _missing(self, key: _Key, event: Event) -> Iterator[str]:
        """Yield the events that have to be before the end of a response, an item or a part."""
        name = key[0]
        if self._stems[name].opener and name != _ENTRY:
            for other, is_open in self._is_open.items():
                if is_open and other[0] != _ENTRY and other[1 : len(key)] == key[1:]:
                    self._is_open[other] = False
                    yield f"{other[0]}.done"
        due: list[str] = []
        if name == _PART:
            due = self._in_parts.get(str(at(event, "part", "type")), [])
        elif name == _ITEM:
            if (_ENTRY, key[2]) not in self._is_open:
                yield self._entry_added
            if at(event, "item", "type") == "function_call":
                due = [_ARGUMENTS]
        for inner in due:
            if (inner, *key[1:]) not in self._is_open:
                yield f"{inner}.done"

    def _ended_items(self, response: _Key) -> list[Any]:
        return [key[2] for key in self._is_open if key[:2] == (_ITEM, response[1])]


def _output_ids(event: Event) -> list[Any]:
    output = at(event, "response", "output")
    if not is_array(output):
        return []
    return [at(item, "id") for item in output]


def _hashable_id(value: Any) -> Any:
    # A server may send JSON objects and arrays as ids, which cannot be keys.
    if isinstance(value, (str, int)):
        return value
    return repr(value)
