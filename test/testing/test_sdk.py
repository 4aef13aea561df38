"""The official SDK, a client that no one here wrote, holds sessions with the embedded server.

What it received is compared with what the server sent, and the reverse, event by event.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta.realtime import RealtimeServerEvent as V1ServerEvent
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from openai_realtime_client import deviations, ga
from openai_realtime_client.testing import ReplayServer
from plain_client import (
    COMMIT,
    LOUD,
    QUIET,
    WEATHER,
    Client,
    Event,
    append,
    checked,
    item,
    response,
    said,
)

# The SDK opens connections for threads in a way that websockets has begun to discourage.
pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used:DeprecationWarning")

KEY = "sk-test-of-the-official-sdk"
MODELS = {"ga": "gpt-realtime-2.1", "v1": "gpt-4o-realtime-preview"}
TYPES: dict[str, TypeAdapter[Any]] = {
    "ga": TypeAdapter(RealtimeServerEvent),
    "v1": TypeAdapter(V1ServerEvent),
}
TRANSCRIPTION = {"model": "whisper-1"}
IN_TEXT: dict[str, Event] = {"ga": {"output_modalities": ["text"]}, "v1": {"modalities": ["text"]}}
WITHOUT_TURNS: dict[str, Event] = {
    "ga": {"audio": {"input": {"turn_detection": None, "transcription": TRANSCRIPTION}}},
    "v1": {"turn_detection": None, "input_audio_transcription": TRANSCRIPTION},
}


class SdkClient(Client):
    """A client that sends with the SDK's methods, and reads what the SDK has made of an event."""

    def __init__(self, connection: Any, server: ReplayServer, protocol: str) -> None:
        super().__init__(connection, server, protocol)
        self.sent: list[Event] = []
        self.received: list[Event] = []

    def send(self, *events: Event) -> None:
        for event in events:
            self.sent.append(event)
            *path, method = event["type"].split(".")
            arguments = {name: value for name, value in event.items() if name != "type"}
            getattr(reduce(getattr, path, self.connection), method)(**arguments)

    def recv(self) -> Event:
        event: Any = self.connection.recv()
        wire: Event = event.to_dict(mode="json")
        assert type(TYPES[self.protocol].validate_python(wire)) is type(event)
        self.received.append(wire)
        return wire


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with checked(api_key=KEY) as server:
        yield server


@pytest.fixture
def sdk(server: ReplayServer) -> Iterator[OpenAI]:
    # The beta knows only `wss` where it makes the URL from that of HTTP.
    websocket = server.url.replace("http", "ws", 1)
    with OpenAI(api_key=KEY, base_url=server.url, websocket_base_url=websocket) as sdk:
        yield sdk


@pytest.mark.parametrize("protocol", ["ga", "v1"])
def test_both_sides_receive_all_that_the_other_sends(
    server: ReplayServer, sdk: OpenAI, protocol: str
) -> None:
    realtime: Any = sdk.realtime if protocol == "ga" else sdk.beta.realtime
    with realtime.connect(model=MODELS[protocol]) as connection:
        c = SdkClient(connection, server, protocol)
        c.until("session.created" if protocol == "ga" else "conversation.created")
        c.send(append(LOUD + QUIET * 2))
        assert said(c.until("rate_limits.updated")) == "You said: Audio of 300 ms."
        c.update(**WITHOUT_TURNS[protocol])
        c.send(append(LOUD), append(LOUD), COMMIT)
        c.until("conversation.item.input_audio_transcription.completed")
        spoken = c.turn()
        assert said(spoken) == "You said: Audio of 200 ms."
        place = {"item_id": response(spoken)["output"][0]["id"], "content_index": 0}
        c.send({"type": "conversation.item.truncate", **place, "audio_end_ms": 100})
        c.until("conversation.item.truncated")
        c.update(**IN_TEXT[protocol], tools=[WEATHER])
        [call] = response(c.turn("What is the weather in London?"))["output"]
        output = item(type="function_call_output", call_id=call["call_id"], output="Foggy.")
        assert said(c.turn(output)) == "The function said: Foggy."
        assert c.error({"type": "conversation.item.delete", "item_id": "nobody", "event_id": "e"})
    [session] = server.sessions
    assert [event.to_dict() for event in session.sent] == c.received
    assert [event.to_dict() for event in session.received] == c.sent
    assert [found for event in session.received for found in deviations(event)] == []
    assert (session.protocol, session.close_code) == (protocol, 1000)
    assert session.request_path == f"/v1/realtime?model={MODELS[protocol]}"
    assert ("openai-beta" in session.headers) is (protocol == "v1")


# HTTP


def test_the_sdk_gets_client_secrets_and_uses_them(server: ReplayServer, sdk: OpenAI) -> None:
    secret = sdk.realtime.client_secrets.create(
        expires_after={"anchor": "created_at", "seconds": 60},
        session={"type": "realtime", "instructions": "Be brief.", "model": "gpt-realtime-mini"},
    )
    assert secret.value.startswith("ek_")
    parsed = ga.RealtimeCreateClientSecretResponse.from_dict(secret.to_dict(mode="json"))
    assert deviations(parsed) == []
    with sdk.copy(api_key=secret.value).realtime.connect() as connection:
        created: Any = connection.recv()
    assert created.session.instructions == "Be brief."
    assert created.session.model == "gpt-realtime-mini"
    assert created.session.to_dict()["id"] == secret.session.to_dict()["id"]


def test_the_sdk_makes_a_call_and_listens_in(server: ReplayServer, sdk: OpenAI) -> None:
    session: Any = {"type": "realtime", "instructions": "Be brief."}
    made = sdk.realtime.calls.create(sdp="v=0\r\n", session=session)
    assert made.read().startswith(b"v=0")
    call_id = made.response.headers["location"].rpartition("/")[2]
    with sdk.realtime.connect(call_id=call_id) as connection:
        created: Any = connection.recv()
    sdk.realtime.calls.hangup(call_id)
    assert created.session.instructions == "Be brief."
    assert server.sessions[0].request_path == f"/v1/realtime?call_id={call_id}"
