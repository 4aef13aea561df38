"""The official SDK, a client that no one here wrote, holds sessions with the embedded server.

What it received is compared with what the server sent, and the reverse, event by event. Then our
own clients hold the same sessions, and receive the same.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import reduce
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.beta.realtime import RealtimeServerEvent as V1ServerEvent
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from websockets.exceptions import ConnectionClosed

from openai_realtime_client import deviations, ga, v1
from openai_realtime_client.realtime.connector import AsyncConnector, Connector
from openai_realtime_client.testing import Answer, ReplayServer, ReplaySession
from plain_client import (
    CANCEL,
    COMMIT,
    LOUD,
    QUIET,
    RESPOND,
    WEATHER,
    WIRE_ONLY,
    Event,
    append,
    item,
    only,
    text,
    update,
)

# The SDK opens connections for threads in a way that websockets has begun to discourage.
pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used:DeprecationWarning")

KEY = "sk-test-of-the-official-sdk"
MODEL = "gpt-realtime-2.1"
V1_MODEL = "gpt-4o-realtime-preview"

# An event to send, or what makes one of what was received; and the type of event to wait for then.
Step = Event | Callable[[list[Event]], Event] | str


def named(item_id: str, words: str) -> Event:
    event = text(words)
    return {**event, "item": {"id": item_id, **event["item"]}}


def function_output(received: list[Event]) -> Event:
    [call] = [e for e in received if e["type"] == "response.function_call_arguments.done"]
    return item(type="function_call_output", call_id=call["call_id"], output="Foggy.")


def truncate(received: list[Event]) -> Event:
    [said] = [e for e in received if e["type"].endswith("audio.done")]
    place = {"item_id": said["item_id"], "content_index": 0, "audio_end_ms": 100}
    return {"type": "conversation.item.truncate", **place}


DONE = "rate_limits.updated"
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"
TRANSCRIPTION = {"model": "whisper-1"}


def scenes(protocol: str) -> dict[str, list[Step]]:
    """Sessions by what they are about; those of `v1` have its names for settings and events."""
    if protocol == "ga":
        in_text: Event = {"output_modalities": ["text"]}
        no_turns: Event = {
            "audio": {"input": {"turn_detection": None, "transcription": TRANSCRIPTION}}
        }
        settings, added = {"type": "realtime"}, "conversation.item.done"
        remembered: Event = {"type": "item_reference", "id": "remembered"}
    else:
        in_text = {"modalities": ["text"]}
        no_turns = {"turn_detection": None, "input_audio_transcription": TRANSCRIPTION}
        settings, added = {"voice": "ash"}, "conversation.item.created"
        remembered = text("Remember this.")["item"]  # it has no references
    aside = {"conversation": "none", "metadata": {"topic": "summary"}, "input": [remembered]}

    def configure(**more: Any) -> list[Step]:
        return [{"type": "session.update", "session": settings | more}, "session.updated"]

    return {
        "text": [
            *configure(**in_text),
            text("Hello there."),
            RESPOND,
            DONE,
            named("mine", "And again."),
            RESPOND,
            DONE,
        ],
        "audio": [
            *configure(**no_turns),
            append(LOUD),
            append(LOUD),
            COMMIT,
            TRANSCRIBED,
            RESPOND,
            DONE,
        ],
        "turn detection": [append(LOUD + QUIET * 2), DONE],
        "tool call": [
            *configure(**in_text, tools=[WEATHER]),
            text("What is the weather in London?"),
            RESPOND,
            DONE,
            function_output,
            RESPOND,
            DONE,
        ],
        "error": [
            {"type": "conversation.item.delete", "item_id": "nobody", "event_id": "mine"},
            "error",
            {**CANCEL, "event_id": "mine_too"},
            "error",
            {**COMMIT, "event_id": "empty"},
            "error",
            text("Hello."),
            RESPOND,
            DONE,
        ],
        "out of band": [
            named("remembered", "Remember this."),
            added,
            {"type": "response.create", "response": {**in_text, **aside}},
            DONE,
            RESPOND,
            DONE,
        ],
        "items": [
            named("one", "One."),
            added,
            {**named("zero", "Zero."), "previous_item_id": "root"},
            added,
            {"type": "conversation.item.retrieve", "item_id": "one"},
            "conversation.item.retrieved",
            {"type": "conversation.item.delete", "item_id": "zero"},
            "conversation.item.deleted",
            RESPOND,
            DONE,
            truncate,
            "conversation.item.truncated",
            append(LOUD),
            {"type": "input_audio_buffer.clear"},
            "input_audio_buffer.cleared",
        ],
    }


# What is answered in each, in text or as the transcript of audio.
SAID = {
    "text": ["You said: Hello there.", "You said: And again."],
    "audio": ["You said: Audio of 200 ms."],
    "turn detection": ["You said: Audio of 300 ms."],
    "tool call": ["The function said: Foggy."],
    "error": ["You said: Hello."],
    "out of band": ["You said: Remember this."] * 2,
    "items": ["You said: One."],
    "session update": [],
}
UPDATE = update(
    instructions="Be brief.",
    output_modalities=["text"],
    max_output_tokens=100,
    tool_choice="auto",
    audio={
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "noise_reduction": {"type": "near_field"},
            "turn_detection": {"type": "semantic_vad", "eagerness": "low"},
        },
        "output": {"voice": "marin", "speed": 1.5},
    },
)
SCENES = {**scenes("ga"), "session update": [UPDATE, "session.updated"]}
V1_SCENES = scenes("v1")


class Client:
    """One of the clients: `send` and `recv` take and give plain JSON."""

    def __init__(
        self,
        send: Callable[[Event], Awaitable[Any]],
        recv: Callable[[], Awaitable[Event]],
    ) -> None:
        self.send = send
        self.recv = recv
        self.sent: list[Event] = []
        self.received: list[Event] = []

    async def until(self, kind: str) -> None:
        while not self.received or self.received[-1]["type"] != kind:
            self.received.append(await self.recv())

    async def play(self, scene: list[Step]) -> None:
        for step in scene:
            if isinstance(step, str):
                self.received.append(await self.recv())
                await self.until(step)
            else:
                self.sent.append(step if isinstance(step, dict) else step(self.received))
                await self.send(self.sent[-1])


def call(connection: Any, event: Event) -> Any:
    """Send an event with the SDK's method for it: `conversation.item.create` is one, and so on."""
    *path, method = event["type"].split(".")
    arguments = {name: value for name, value in event.items() if name != "type"}
    return getattr(reduce(getattr, path, connection), method)(**arguments)


def plain(event: Any, adapter: TypeAdapter[Any]) -> Event:
    """What the SDK has read of an event, which is to fit the type that the SDK has for it."""
    wire: Event = event.to_dict(mode="json")
    assert type(adapter.validate_python(wire)) is type(event)
    return wire


def sdk(connection: Any, adapter: TypeAdapter[Any]) -> Client:
    async def recv() -> Event:
        return plain(await asyncio.wait_for(connection.recv(), 30), adapter)

    return Client(lambda event: call(connection, event), recv)


def sdk_sync(connection: Any, adapter: TypeAdapter[Any]) -> Client:
    async def recv() -> Event:
        return plain(await asyncio.to_thread(connection.recv), adapter)

    return Client(lambda event: asyncio.to_thread(call, connection, event), recv)


GA_EVENTS: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
V1_EVENTS: TypeAdapter[Any] = TypeAdapter(V1ServerEvent)


def websocket_url(server: ReplayServer) -> str:
    return server.url.replace("http", "ws", 1)


@asynccontextmanager
async def sdk_ga(server: ReplayServer) -> AsyncIterator[Client]:
    client = AsyncOpenAI(api_key=KEY, base_url=server.url)
    async with client, client.realtime.connect(model=MODEL) as connection:
        yield sdk(connection, GA_EVENTS)


@asynccontextmanager
async def sdk_ga_sync(server: ReplayServer) -> AsyncIterator[Client]:
    client = OpenAI(api_key=KEY, base_url=server.url)
    with client, client.realtime.connect(model=MODEL) as connection:
        yield sdk_sync(connection, GA_EVENTS)


# The beta knows only `wss` where it makes the URL from that of HTTP.
@asynccontextmanager
async def sdk_v1(server: ReplayServer) -> AsyncIterator[Client]:
    client = AsyncOpenAI(api_key=KEY, websocket_base_url=websocket_url(server))
    async with client, client.beta.realtime.connect(model=V1_MODEL) as connection:
        yield sdk(connection, V1_EVENTS)


@asynccontextmanager
async def sdk_v1_sync(server: ReplayServer) -> AsyncIterator[Client]:
    client = OpenAI(api_key=KEY, websocket_base_url=websocket_url(server))
    with client, client.beta.realtime.connect(model=V1_MODEL) as connection:
        yield sdk_sync(connection, V1_EVENTS)


@asynccontextmanager
async def ours(
    connector: AsyncConnector[Any, Any], parse: Callable[[str], Any]
) -> AsyncIterator[Client]:
    async with connector as connection:

        async def recv() -> Event:
            event: Event = (await asyncio.wait_for(connection.recv(), 30)).to_dict()
            return event

        yield Client(lambda event: connection.send(parse(json.dumps(event))), recv)


@asynccontextmanager
async def ours_sync(
    connector: Connector[Any, Any], parse: Callable[[str], Any]
) -> AsyncIterator[Client]:
    with connector as connection:

        async def recv() -> Event:
            event: Event = (await asyncio.to_thread(connection.recv, 30)).to_dict()
            return event

        def send(event: Event) -> Awaitable[None]:
            return asyncio.to_thread(connection.send, parse(json.dumps(event)))

        yield Client(send, recv)


def ours_ga(server: ReplayServer) -> AbstractAsyncContextManager[Client]:
    return ours(ga.connect(MODEL, api_key=KEY, base_url=server.url), ga.parse_client_event)


def ours_ga_sync(server: ReplayServer) -> AbstractAsyncContextManager[Client]:
    connector = ga.connect_sync(MODEL, api_key=KEY, base_url=server.url)
    return ours_sync(connector, ga.parse_client_event)


def ours_v1(server: ReplayServer) -> AbstractAsyncContextManager[Client]:
    return ours(v1.connect(V1_MODEL, api_key=KEY, base_url=server.url), v1.parse_client_event)


def ours_v1_sync(server: ReplayServer) -> AbstractAsyncContextManager[Client]:
    connector = v1.connect_sync(V1_MODEL, api_key=KEY, base_url=server.url)
    return ours_sync(connector, v1.parse_client_event)


Opened = Callable[[ReplayServer], AbstractAsyncContextManager[Client]]


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer(api_key=KEY) as server:
        yield server


def hold(server: ReplayServer, opened: Opened, scene: list[Step]) -> Client:
    """Hold a session, and compare what both sides have sent with what both have received."""

    async def play() -> Client:
        async with opened(server) as client:
            await client.until("session.created")
            if server.sessions[-1].protocol == "v1":
                await client.until("conversation.created")
            await client.play(scene)
            return client

    client = asyncio.run(play())
    session = server.sessions[-1]
    assert [event.to_dict() for event in session.sent] == client.received
    assert [event.to_dict() for event in session.received] == client.sent
    check_deviations(session)
    return client


def check_deviations(session: ReplaySession) -> None:
    for event in session.received:
        assert deviations(event) == []
    for event in session.sent:
        found = deviations(event)
        if session.protocol == "v1":
            found = [each for each in found if each.value not in WIRE_ONLY.values()]
        assert found == []


def said(client: Client) -> list[str]:
    parts = (e["part"] for e in client.received if e["type"] == "response.content_part.done")
    return [part.get("text") or part["transcript"] for part in parts]


SDK_GA = [sdk_ga, sdk_ga_sync]
SDK_V1 = [sdk_v1, sdk_v1_sync]


@pytest.mark.parametrize("opened", [*SDK_GA, ours_ga, ours_ga_sync])
@pytest.mark.parametrize("name", SCENES)
def test_a_session_in_ga(server: ReplayServer, opened: Opened, name: str) -> None:
    assert said(hold(server, opened, SCENES[name])) == SAID[name]
    [session] = server.sessions
    assert session.protocol == "ga"
    assert session.request_path == f"/v1/realtime?model={MODEL}"
    assert session.headers["authorization"] == f"Bearer {KEY}"
    assert session.close_code == 1000


@pytest.mark.parametrize("opened", [*SDK_V1, ours_v1, ours_v1_sync])
@pytest.mark.parametrize("name", V1_SCENES)
def test_a_session_in_v1(server: ReplayServer, opened: Opened, name: str) -> None:
    assert said(hold(server, opened, V1_SCENES[name])) == SAID[name]
    [session] = server.sessions
    assert session.protocol == "v1"
    assert session.request_path == f"/v1/realtime?model={V1_MODEL}"
    assert session.headers["openai-beta"] == "realtime=v1"


@pytest.mark.parametrize("opened", [*SDK_GA, *SDK_V1])
def test_the_user_of_the_sdk_interrupts(opened: Opened) -> None:
    delta = "response.audio.delta" if opened in SDK_V1 else "response.output_audio.delta"
    story = Answer("word " * 1000, audio=60.0, real_time=True)
    with ReplayServer(api_key=KEY, answers=[story]) as server:
        client = hold(server, opened, [RESPOND, delta, append(LOUD), DONE])
    ended = only(client.received, "response.done")["response"]
    assert ended["status_details"] == {"type": "cancelled", "reason": "turn_detected"}


# Our clients in its place


IDS = ("sess_", "conv_", "event_", "item_", "resp_", "call_")


def without_ids(value: Any, known: dict[str, str]) -> Any:
    """The same with ids numbered as they appear, and without times."""
    if isinstance(value, dict):
        # Clients need not keep the order of fields.
        names = sorted(name for name in value if name != "expires_at")
        return {name: without_ids(value[name], known) for name in names}
    if isinstance(value, list):
        return [without_ids(each, known) for each in value]
    if isinstance(value, str) and value.startswith(IDS):
        return known.setdefault(value, f"id {len(known)}")
    return value


@pytest.mark.parametrize(
    ("theirs", "own"), [(sdk_ga, ours_ga), (sdk_ga_sync, ours_ga_sync), (sdk_ga, sdk_ga_sync)]
)
@pytest.mark.parametrize("name", SCENES)
def test_our_clients_get_what_the_sdk_gets(theirs: Opened, own: Opened, name: str) -> None:
    mirrored(theirs, own, SCENES[name])


@pytest.mark.parametrize(("theirs", "own"), [(sdk_v1, ours_v1), (sdk_v1_sync, ours_v1_sync)])
@pytest.mark.parametrize("name", V1_SCENES)
def test_our_clients_get_what_the_sdk_gets_in_v1(theirs: Opened, own: Opened, name: str) -> None:
    mirrored(theirs, own, V1_SCENES[name])


def mirrored(theirs: Opened, own: Opened, scene: list[Step]) -> None:
    held = []
    for opened in (theirs, own):
        with ReplayServer(api_key=KEY) as server:
            if held:
                hold(server, opened, [])  # so that the ids of the next session are others
            client = hold(server, opened, scene)
        # One numbering for both directions, since each refers to ids of the other.
        held.append(without_ids([client.received, client.sent], {}))
    assert held[0] == held[1]


# Refusals


@pytest.mark.parametrize("opened", SDK_GA)
def test_the_sdk_learns_of_a_wrong_key(opened: Opened) -> None:
    with ReplayServer(api_key="another") as server, pytest.raises(ConnectionClosed) as caught:
        hold(server, opened, [])
    assert caught.value.rcvd
    assert caught.value.rcvd.code == 3000


@pytest.mark.parametrize("opened", SDK_V1)
def test_the_sdk_learns_that_v1_is_gone(opened: Opened) -> None:
    with ReplayServer(protocol="ga") as server, pytest.raises(ConnectionClosed) as caught:
        hold(server, opened, [])
    assert caught.value.rcvd
    assert caught.value.rcvd.code == 4000


# HTTP


def test_the_sdk_gets_client_secrets_and_uses_them(server: ReplayServer) -> None:
    with OpenAI(api_key=KEY, base_url=server.url) as client:
        secret = client.realtime.client_secrets.create(
            expires_after={"anchor": "created_at", "seconds": 60},
            session={"type": "realtime", "instructions": "Be brief.", "model": "gpt-realtime-mini"},
        )
    assert secret.value.startswith("ek_")
    assert secret.session.to_dict()["instructions"] == "Be brief."
    parsed = ga.RealtimeCreateClientSecretResponse.from_dict(secret.to_dict(mode="json"))
    assert deviations(parsed) == []
    client = OpenAI(api_key=secret.value, base_url=server.url)
    with client, client.realtime.connect() as connection:
        created: Any = connection.recv()
    assert created.session.instructions == "Be brief."
    assert created.session.model == "gpt-realtime-mini"
    assert created.session.to_dict()["id"] == secret.session.to_dict()["id"]


def test_the_sdk_gets_client_secrets_in_asyncio(server: ReplayServer) -> None:
    async def get() -> Any:
        async with AsyncOpenAI(api_key=KEY, base_url=server.url) as client:
            session = {"type": "transcription"}
            return await client.realtime.client_secrets.create(session=session)

    secret = asyncio.run(get())
    assert secret.session.type == "transcription"
    connector = ga.connect_sync(api_key=secret.value, base_url=server.url)
    with connector as connection:
        assert connection.recv().session.type == "transcription"


def test_the_sdk_gets_client_secrets_of_v1(server: ReplayServer) -> None:
    with OpenAI(api_key=KEY, base_url=server.url) as client:
        session = client.beta.realtime.sessions.create(model=V1_MODEL, voice="ash")
    assert session.voice == "ash"
    assert session.client_secret.value.startswith("ek_")
    assert (
        deviations(v1.RealtimeSessionCreateResponse.from_dict(session.to_dict(mode="json"))) == []
    )


def test_the_sdk_makes_a_call_and_listens_in(server: ReplayServer) -> None:
    with OpenAI(api_key=KEY, base_url=server.url) as client:
        session = {"type": "realtime", "instructions": "Be brief."}
        call = client.realtime.calls.create(sdp="v=0\r\n", session=session)
        assert call.read().startswith(b"v=0")
        call_id = call.response.headers["location"].rpartition("/")[2]
        with client.realtime.connect(call_id=call_id) as connection:
            created: Any = connection.recv()
        client.realtime.calls.hangup(call_id)
    assert created.session.instructions == "Be brief."
    assert server.sessions[0].request_path == f"/v1/realtime?call_id={call_id}"
