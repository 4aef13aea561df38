"""What the pages say of each event happens in sessions with the embedded server.

A clause of a page, such as "the client sent `response.cancel`", has a session here that shows it,
or stands in `NOT_SHOWN`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from docs import EVENT_PAGES, Page, event_type, facts
from openai_realtime_client import ApiClient, Configuration, ga
from openai_realtime_client.testing import Answer, Call, McpTool, ReplayServer
from plain_client import (
    CANCEL,
    COMMIT,
    LOUD,
    QUIET,
    RESPOND,
    WEATHER,
    Client,
    Event,
    append,
    client,
    item,
    text,
)

Step = Event | str | Callable[[list[Event]], Event]
# What the embedded server cannot show, by clause, or by clause and the event's page.
NOT_SHOWN: set[str | tuple[str, str]] = {
    # Faults of the service itself.
    "the audio of a user could not be transcribed",
    "fails itself",
    # What the embedded server does not do.
    "begins, as the published reference says",
    "a segment of a transcription that tells speakers apart is ready",
    "the caller presses a key of the phone",
    "nobody spoke for `idle_timeout_ms` after a response",
    # What only other servers send, or only the published reference has.
    "right after `session.created`, by servers that also speak `realtime=v1`",
    "an item enters the conversation, by servers that also speak `realtime=v1`",
    "the client sent `response.cancel` to a compatible server",
    ("the client sent `transcription_session.update`", "ga"),
    ("transcription_session.update", "ga"),
    # Its calls are GA.
    ("output_audio_buffer.clear", "v1"),
    ("the client sent `output_audio_buffer.clear`", "v1"),
    ("turn detection interrupts playback", "v1"),
    ("the server begins to play audio to the client", "v1"),
    ("all audio of a response was played", "v1"),
}


class Session:
    """What a client does: events that it sends, and the types of events that it waits for.

    A function makes an event of what was received before.
    """

    def __init__(self, *steps: Step, kind: str = "realtime", **options: Any) -> None:
        self.steps, self.kind, self.options = steps, kind, options

    def then(self, *steps: Step) -> Session:
        return Session(*self.steps, *steps, kind=self.kind, **self.options)


@contextmanager
def opened(protocol: str, server: ReplayServer, kind: str) -> Iterator[Client]:
    path = {
        "transcription": "/v1/realtime?intent=transcription",
        "translation": "/v1/realtime/translations?model=gpt-realtime-translate",
    }
    if kind == "call":
        with ApiClient(Configuration(host=server.url, access_token="k")) as http:
            settings = ga.RealtimeSessionCreateRequestGA(model="gpt-realtime-2.1")
            call = ga.RealtimeApi(http).create_realtime_call("v=0", session=settings)
        path[kind] = f"/v1/realtime?call_id={call.id}"
    with client(server, path.get(kind), protocol=protocol, skip=0) as connection:
        yield connection


def played(protocol: str, shown: Session, awaited: set[str]) -> tuple[list[Event], list[Event]]:
    """What came before the last step, and after it until all that is awaited came."""
    before: list[Event] = []
    after: list[Event] = []
    missing = set(awaited)
    with (
        ReplayServer(mcp={"docs": TOOLS}, **shown.options) as server,
        opened(protocol, server, shown.kind) as connection,
    ):
        for step in shown.steps:
            if isinstance(step, str):
                before += connection.until(step)
            else:
                connection.send(step(before) if callable(step) else step)
        while missing:
            after.append(connection.recv())
            missing.discard(after[-1]["type"])
    return before, after


TOOLS = [McpTool("search", "Three pages."), McpTool("fail", lambda _: str(1 / 0))]
DOCS_SERVER = {"type": "mcp", "server_label": "docs", "server_url": "https://mcp.test"}
LONG = Answer("word " * 500, audio=25.0, real_time=True)
LONG_CALL = Answer(calls=[Call("look_up", '"' + "word " * 500 + '"')], real_time=True)
SPEECH, SILENCE = append(LOUD * 3), append(QUIET * 10)
CREATE = item(id="item_a", type="message", role="user", content=[])
CLEAR, CLEAR_OUTPUT = {"type": "input_audio_buffer.clear"}, {"type": "output_audio_buffer.clear"}
TRANSLATE = {"type": "session.input_audio_buffer.append", "audio": append(LOUD * 2)["audio"]}
CLOSE = {"type": "session.close"}


def about(kind: str, **fields: Any) -> Event:
    return {"type": f"conversation.item.{kind}", "item_id": "item_a", **fields}


def truncate(received: list[Event], end_ms: int = 0) -> Event:
    """The event that cuts the item that a response has made."""
    item_id = next(e["item"]["id"] for e in received if e["type"] == "response.output_item.added")
    return about("truncate", item_id=item_id, content_index=0, audio_end_ms=end_ms)


def translation(**audio: Any) -> Event:
    return {"type": "session.update", "session": {"audio": audio}}


class Script:
    """The sessions of a protocol."""

    def __init__(self, protocol: str) -> None:
        self.is_v1 = protocol == "v1"
        spoken, written = "response.output_audio.delta", "response.output_text.delta"
        if self.is_v1:
            spoken, written = spoken.replace("output_", ""), written.replace("output_", "")
        only_text = {"modalities" if self.is_v1 else "output_modalities": ["text"]}
        write = {"type": "response.create", "response": only_text}
        self.ask_lost_server = self.set(tools=[{**DOCS_SERVER, "server_label": "lost"}])
        self.manual = Session(self.listen("turn_detection", None))
        self.turn = Session(text("Hi."), RESPOND)
        self.long = Session(text("Hi."), RESPOND, spoken, answers=[LONG])
        self.written = Session(text("Hi."), write)
        self.cut_text = Session(text("Hi."), write, written, CANCEL, answers=[LONG])
        self.tool = Session(self.set(tools=[WEATHER]), text("The weather in Oslo?"), RESPOND)
        delta = "response.function_call_arguments.delta"
        self.cut_call = Session(RESPOND, delta, CANCEL, answers=[LONG_CALL])
        self.mcp = Session(self.set(tools=[{**DOCS_SERVER, "require_approval": "never"}]))
        self.heard = Session(self.listen("transcription", {"model": "whisper-1"}), SPEECH, SILENCE)
        self.on_call = Session(RESPOND, kind="call")
        begun = "output_audio_buffer.started"
        self.long_call = Session(RESPOND, begun, kind="call", answers=[LONG])
        self.translation = Session(kind="translation")

    def set(self, **settings: Any) -> Event:
        kind = {} if self.is_v1 else {"type": "realtime"}
        return {"type": "session.update", "session": {**kind, **settings}}

    def listen(self, name: str, value: Any) -> Event:
        """An update of a setting of the input."""
        if self.is_v1:
            return self.set(**{name.replace("trans", "input_audio_trans"): value})
        return self.set(audio={"input": {name: value}})

    def called(self, words: str) -> Session:
        """A call of an MCP tool."""
        return self.mcp.then("mcp_list_tools.completed", text(words), RESPOND)

    def confirmed(self) -> dict[str, Session]:
        """Sessions that end in an event of the client, by its type."""
        update = {"type": "transcription_session.update"}
        update |= {"session": {"input_audio_transcription": {"model": "whisper-1"}}}
        return {
            "conversation.item.create": Session(CREATE),
            "conversation.item.delete": Session(CREATE, about("delete")),
            "conversation.item.retrieve": Session(CREATE, about("retrieve")),
            "conversation.item.truncate": self.turn.then("response.done", truncate),
            "input_audio_buffer.append": Session(SPEECH),
            "input_audio_buffer.clear": Session(CLEAR),
            "input_audio_buffer.commit": self.manual.then(SPEECH, COMMIT),
            "output_audio_buffer.clear": self.long_call.then(CLEAR_OUTPUT),
            "response.cancel": self.long.then(CANCEL),
            "response.create": self.turn,
            "session.update": Session(self.set(instructions="Be brief.")),
            "transcription_session.update": Session(update, kind="transcription"),
            "session.input_audio_buffer.append": self.translation.then(TRANSLATE),
            "session.close": self.translation.then(CLOSE),
            "translation session.update": self.translation.then(
                translation(output={"language": "es"})
            ),
        }

    def sent(self) -> dict[str, Session]:
        """Sessions whose last step brings an event of the server, by the clause of its page."""
        refused = "the server refuses an event of the client, named by `event_id` if that had one"
        spanish = translation(output={"language": "es"})
        client_sent = {
            f"the client sent `{kind}`": each
            for kind, each in self.confirmed().items()
            if not kind.startswith("translation")
        }
        return client_sent | {
            "the client sent `session.close`, as the last event": self.translation.then(CLOSE),
            "a connection opens, as the first event, of translation": self.translation,
            "the client sent `session.update`, of translation": self.translation.then(spanish),
            "the client created an item": Session(CREATE),
            "audio was committed": self.manual.then(SPEECH, COMMIT),
            "turn detection found the end of a turn": Session(SPEECH, SILENCE),
            refused: Session(CANCEL | {"event_id": "event_a"}),
            "a response ends, whatever its status": self.long.then(CANCEL),
            "its response ends early": self.long.then(CANCEL),
            "its response ends early, of text": self.cut_text,
            "its response ends early, of function_call_arguments": self.cut_call,
            "an MCP server did not list its tools": Session(self.ask_lost_server),
            "an MCP call failed; the item has its `error`": self.called("Fail."),
            "turn detection interrupts playback": self.long_call.then(SPEECH),
        }

    def usual(self, event_type: str) -> Session:
        """A session with an event of the server whose page names no special case."""
        source = translation(input={"transcription": {"model": "gpt-4o-mini-transcribe"}})
        sessions = {
            "input_audio": self.heard,
            "mcp_list_tools": self.mcp,
            "mcp_call": self.called("Search."),
            "function_call": self.tool,
            r"response\.(output_)?text": self.written,
            "output_audio_buffer": self.on_call,
            r"session\.(input|output)": self.translation.then(source, TRANSLATE),
        }
        for pattern, shown in sessions.items():
            if re.search(pattern, event_type):
                return shown
        return self.turn


SCRIPTS = {"v1": Script("v1"), "ga": Script("ga")}


def protocol_of(page: Page) -> str:
    return page.path.parent.name


def variant(page: Page) -> str:
    """What tells pages with the same clause apart."""
    if page.path.stem.startswith("RealtimeTranslation"):
        return "translation"
    return event_type(page).split(".")[-2:][0].removeprefix("output_")


def clauses(label: str) -> Iterator[tuple[Page, str]]:
    """The pages with a fact, and the parts of it that `, or ` separates."""
    for page in EVENT_PAGES:
        yield from ((page, each) for each in facts(page).get(label, "").split(", or ") if each)


CLIENT_PAGES = [
    page
    for page in EVENT_PAGES
    if "Confirmed by" in facts(page) and (event_type(page), protocol_of(page)) not in NOT_SHOWN
]


@pytest.mark.parametrize("page", CLIENT_PAGES, ids=lambda page: page.name)
def test_client_events_are_confirmed_as_their_pages_say(page: Page) -> None:
    said, kind = facts(page)["Confirmed by"], event_type(page)
    sessions = SCRIPTS[protocol_of(page)].confirmed()
    shown = sessions.get(f"{variant(page)} {kind}") or sessions[kind]
    expected = set(re.findall(r"`(\w+\.[\w.]+)`", said))
    assert expected
    before, after = played(protocol_of(page), shown, expected)
    assert "error" not in [event["type"] for event in (*before, *after)]
    if status := re.search(r"the status `(\w+)`", said):
        [done] = [event for event in after if event["type"] in expected]
        assert done["response"]["status"] == status[1]


@pytest.mark.parametrize(
    ("page", "clause"),
    [
        pytest.param(page, clause, id=f"{page.name}: {clause}")
        for page, clause in clauses("Sent when")
        if clause not in NOT_SHOWN and (clause, protocol_of(page)) not in NOT_SHOWN
    ],
)
def test_server_events_are_sent_when_their_pages_say(page: Page, clause: str) -> None:
    sessions, kind = SCRIPTS[protocol_of(page)].sent(), event_type(page)
    shown = sessions.get(f"{clause}, of {variant(page)}") or sessions.get(clause)
    shown = shown or SCRIPTS[protocol_of(page)].usual(kind)
    awaited = {kind, "response.done"} if "ends early" in clause else {kind}
    before, after = played(protocol_of(page), shown, awaited)
    transport = "WebRTC" if shown.kind == "call" else "WebSocket"
    assert transport in facts(page)["Available"].partition(";")[0]
    kinds = [event["type"] for event in (*before, *after)]
    # The example of the page is what the server sends.
    sent = next(event for event in (*before, *after)[::-1] if event["type"] == kind)
    assert json.loads(page.examples[0].json or "").keys() == sent.keys()
    if named := re.match("the client sent `([^`]+)`", clause):
        last = shown.steps[-1]
        assert (last(before) if callable(last) else last)["type"] == named[1]
        assert kind not in kinds[: len(before)]
    if "ends early" in clause:
        [done] = [event["response"] for event in after if event["type"] == "response.done"]
        assert done["status"] == "cancelled"
    if "first event" in clause:
        assert kinds[0] == kind
    if follows := re.match("right after `([^`]+)`", clause):
        assert kinds[kinds.index(kind) - 1] == follows[1]


def test_what_is_not_shown_stands_on_a_page() -> None:
    labels = ("Confirmed by", "Sent when")
    said: set[Any] = {clause for label in labels for _, clause in clauses(label)}
    said |= {(clause, protocol_of(page)) for label in labels for page, clause in clauses(label)}
    said |= {(event_type(page), protocol_of(page)) for page in EVENT_PAGES}
    assert NOT_SHOWN - said == set()
