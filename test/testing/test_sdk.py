"""The official SDK, a client that no one here wrote, holds sessions with the embedded server.

What it received is compared with what the server sent, and the reverse, event by event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.beta.realtime import RealtimeServerEvent as V1ServerEvent
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from websockets.exceptions import ConnectionClosed

from openai_realtime_client import deviations, ga, v1
from openai_realtime_client.testing import ReplayServer
from plain_client import (
    COMMIT,
    LOUD,
    QUIET,
    RESPOND,
    WEATHER,
    Event,
    append,
    checked,
    item,
    only,
    text,
    update,
)

# The SDK opens connections for threads in a way that websockets has begun to discourage.
pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used:DeprecationWarning")

KEY = "sk-test-of-the-official-sdk"
MODELS = {"ga": "gpt-realtime-2.1", "v1": "gpt-4o-realtime-preview"}
TYPES: dict[str, TypeAdapter[Any]] = {
    "ga": TypeAdapter(RealtimeServerEvent),
    "v1": TypeAdapter(V1ServerEvent),
}

# An event to send, or what makes one of what was received; and the type of event to wait for then.
Step = Event | Callable[[list[Event]], Event] | str


def function_output(received: list[Event]) -> Event:
    call = only(received, "response.function_call_arguments.done")
    return item(type="function_call_output", call_id=call["call_id"], output="Foggy.")


def about_item(action: str, item_id: str, **more: Any) -> Event:
    return {"type": f"conversation.item.{action}", "item_id": item_id, **more}


def truncate(received: list[Event]) -> Event:
    item_id = [e["item_id"] for e in received if e["type"].endswith("audio.done")][-1]
    return about_item("truncate", item_id, content_index=0, audio_end_ms=100)


ANSWER: list[Step] = [RESPOND, "rate_limits.updated"]
TRANSCRIPTION = {"model": "whisper-1"}


def scenes(protocol: str) -> dict[str, list[Step]]:
    """Return sessions by what they are about, with a protocol's names for settings and events."""
    mine = item(id="mine", **text("Remember this.")["item"])
    if protocol == "ga":
        settings, added = {"output_modalities": ["text"]}, "conversation.item.done"
        listening = {"turn_detection": None, "transcription": TRANSCRIPTION}
        no_turns: Event = {"audio": {"input": listening}}
    else:
        settings, added = {"modalities": ["text"]}, "conversation.item.created"
        no_turns = {"turn_detection": None, "input_audio_transcription": TRANSCRIPTION}
    return {
        "text": [
            *(update(protocol, **settings, tools=[WEATHER]), "session.updated"),
            *(text("Hello there."), added, *ANSWER, mine, added, *ANSWER),
            *(text("What is the weather in London?"), *ANSWER, function_output, *ANSWER),
            *(about_item("retrieve", "mine"), "conversation.item.retrieved"),
            *(about_item("delete", "mine"), "conversation.item.deleted"),
            *(about_item("delete", "mine", event_id="again"), "error"),
        ],
        "audio": [
            *(append(LOUD + QUIET * 2), "rate_limits.updated"),
            *(update(protocol, **no_turns), "session.updated"),
            *(append(LOUD), append(LOUD), COMMIT),
            "conversation.item.input_audio_transcription.completed",
            *(*ANSWER, truncate, "conversation.item.truncated"),
            *(append(LOUD), {"type": "input_audio_buffer.clear"}, "input_audio_buffer.cleared"),
        ],
    }


# What is answered in each, in text or as the transcript of audio.
SAID = {
    "text": ["You said: Hello there.", "You said: Remember this.", "The function said: Foggy."],
    "audio": ["You said: Audio of 300 ms.", "You said: Audio of 200 ms."],
}


def call(connection: Any, event: Event) -> Any:
    """Send an event with the SDK's method for it: `conversation.item.create` is one, and so on."""
    *path, method = event["type"].split(".")
    arguments = {name: value for name, value in event.items() if name != "type"}
    return getattr(reduce(getattr, path, connection), method)(**arguments)


def plain(event: Any, protocol: str) -> Event:
    """What the SDK has read of an event, which is to fit the type that the SDK has for it."""
    wire: Event = event.to_dict(mode="json")
    assert type(TYPES[protocol].validate_python(wire)) is type(event)
    return wire


def play(
    connection: Any, run: Callable[[Any], Any], protocol: str, scene: list[Step]
) -> tuple[list[Event], list[Event]]:
    """Play a scene; return what was sent, and what was received."""
    sent: list[Event] = []
    received: list[Event] = []
    for step in scene:
        if isinstance(step, str):
            received.append(plain(run(connection.recv()), protocol))
            while received[-1]["type"] != step:
                # An error comes in place of what would be waited for.
                assert received[-1]["type"] != "error"
                received.append(plain(run(connection.recv()), protocol))
        else:
            sent.append(step if isinstance(step, dict) else step(received))
            run(call(connection, sent[-1]))
    return sent, received


def hold(
    server: ReplayServer, sdk: type[AsyncOpenAI | OpenAI], protocol: str, scene: list[Step]
) -> list[Event]:
    """Hold a session, compare what each side has sent and received, and return the latter."""
    loop = asyncio.new_event_loop()
    # What the methods of one class await, those of the other have done.
    run: Any = loop.run_until_complete if sdk is AsyncOpenAI else lambda result: result
    # The beta knows only `wss` where it makes the URL from that of HTTP.
    websocket = server.url.replace("http", "ws", 1)
    client: Any = sdk(api_key=KEY, base_url=server.url, websocket_base_url=websocket)
    realtime = client.realtime if protocol == "ga" else client.beta.realtime
    connection = run(realtime.connect(model=MODELS[protocol]).enter())
    begun = "session.created" if protocol == "ga" else "conversation.created"
    try:
        sent, received = play(connection, run, protocol, [begun, *scene])
    finally:
        run(connection.close())
        run(client.close())
        loop.close()
    session = server.sessions[-1]
    assert [event.to_dict() for event in session.sent] == received
    assert [event.to_dict() for event in session.received] == sent
    assert [found for event in session.received for found in deviations(event)] == []
    return received


def spoken(received: list[Event]) -> list[str]:
    parts = (e["part"] for e in received if e["type"] == "response.content_part.done")
    return [part.get("text") or part["transcript"] for part in parts]


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with checked(api_key=KEY) as server:
        yield server


@pytest.mark.parametrize(("sdk", "protocol"), [(AsyncOpenAI, "ga"), (OpenAI, "v1")])
@pytest.mark.parametrize("name", SAID)
def test_both_sides_receive_all_that_the_other_sends(
    server: ReplayServer, sdk: Any, protocol: str, name: str
) -> None:
    assert spoken(hold(server, sdk, protocol, scenes(protocol)[name])) == SAID[name]
    [session] = server.sessions
    assert session.protocol == protocol
    assert session.request_path == f"/v1/realtime?model={MODELS[protocol]}"
    assert session.headers["authorization"] == f"Bearer {KEY}"
    assert ("openai-beta" in session.headers) is (protocol == "v1")
    assert session.close_code == 1000


def test_the_sdk_learns_why_it_is_refused() -> None:
    with ReplayServer(api_key="another") as server, pytest.raises(ConnectionClosed) as caught:
        hold(server, OpenAI, "ga", [])
    assert caught.value.rcvd
    assert caught.value.rcvd.code == 3000


# HTTP


@pytest.fixture
def client(server: ReplayServer) -> Iterator[OpenAI]:
    with OpenAI(api_key=KEY, base_url=server.url) as client:
        yield client


def test_the_sdk_gets_client_secrets_and_uses_them(server: ReplayServer, client: OpenAI) -> None:
    secret = client.realtime.client_secrets.create(
        expires_after={"anchor": "created_at", "seconds": 60},
        session={"type": "realtime", "instructions": "Be brief.", "model": "gpt-realtime-mini"},
    )
    assert secret.value.startswith("ek_")
    parsed = ga.RealtimeCreateClientSecretResponse.from_dict(secret.to_dict(mode="json"))
    assert deviations(parsed) == []
    with OpenAI(api_key=secret.value, base_url=server.url).realtime.connect() as connection:
        created: Any = connection.recv()
    assert created.session.instructions == "Be brief."
    assert created.session.model == "gpt-realtime-mini"
    assert created.session.to_dict()["id"] == secret.session.to_dict()["id"]


def test_the_sdk_gets_client_secrets_of_v1(client: OpenAI) -> None:
    session = client.beta.realtime.sessions.create(model=MODELS["v1"], voice="ash")
    assert session.voice == "ash"
    assert session.client_secret.value.startswith("ek_")
    parsed = v1.RealtimeSessionCreateResponse.from_dict(session.to_dict(mode="json"))
    assert deviations(parsed) == []


def test_the_sdk_makes_a_call_and_listens_in(server: ReplayServer, client: OpenAI) -> None:
    session: Any = {"type": "realtime", "instructions": "Be brief."}
    made = client.realtime.calls.create(sdp="v=0\r\n", session=session)
    assert made.read().startswith(b"v=0")
    call_id = made.response.headers["location"].rpartition("/")[2]
    with client.realtime.connect(call_id=call_id) as connection:
        created: Any = connection.recv()
    client.realtime.calls.hangup(call_id)
    assert created.session.instructions == "Be brief."
    assert server.sessions[0].request_path == f"/v1/realtime?call_id={call_id}"
