"""Transcription, translation, protocols and paths of the embedded server."""

from __future__ import annotations

import base64
import json

import pytest
from websockets.exceptions import InvalidStatus

from openai_realtime_client import ga
from openai_realtime_client.testing import ReplayServer
from plain_client import COMMIT, LOUD, QUIET, RESPOND, append, client, text, types

TRANSCRIBED = "conversation.item.input_audio_transcription.completed"

# Other kinds of session


def test_a_transcription_session_in_ga(server: ReplayServer) -> None:
    with client(server, "/v1/realtime?intent=transcription", skip=0) as c:
        session = c.recv()["session"]
        assert session["type"] == "transcription"
        assert session["object"] == "realtime.transcription_session"
        listening = {"transcription": {"model": "whisper-1"}}
        updated = c.update(type="transcription", audio={"input": listening})
        transcription = updated["audio"]["input"]["transcription"]
        assert transcription == {"model": "whisper-1", "language": None, "prompt": None}
        c.send(append(LOUD + QUIET), append(QUIET))
        events = c.until(TRANSCRIBED)
        assert c.error(RESPOND)["type"] == "invalid_request_error"
    assert types(events)[0] == "input_audio_buffer.speech_started"
    assert events[-1]["transcript"] == "Audio of 300 ms."


def test_a_transcription_session_in_v1(server: ReplayServer) -> None:
    path = "/v1/realtime?intent=transcription"
    with client(server, path, protocol="v1", skip=0) as c:
        assert [c.recv()["type"], c.recv()["type"]] == [
            "transcription_session.created",
            "conversation.created",
        ]
        session = {"input_audio_transcription": {"model": "whisper-1"}}
        updated = c.answer({"type": "transcription_session.update", "session": session})
        assert updated["type"] == "transcription_session.updated"
        assert updated["session"].items() >= session.items()
        c.send(append(LOUD), COMMIT)
        events = c.until(TRANSCRIBED)
    assert types(events)[:3] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.committed",
        "conversation.item.created",
    ]
    assert events[0]["item_id"] == events[1]["item_id"] == events[2]["item"]["id"]


def test_a_translation_session(server: ReplayServer) -> None:
    path = "/v1/realtime/translations?model=gpt-realtime-translate"
    chunk = {"type": "session.input_audio_buffer.append"}
    with client(server, path, skip=0) as c:
        session = c.recv()["session"]
        assert (session["type"], session["model"]) == ("translation", "gpt-realtime-translate")
        c.connection.send("{")
        assert c.recv()["error"]["code"] == "invalid_json"
        assert c.error(RESPOND)["param"] == "type"
        assert c.error({**chunk, "audio": "?"})["param"] == "audio"
        c.send({**append(LOUD + QUIET), **chunk})
        plain = [c.recv(), c.recv()]
        audio = {"input": {"transcription": {"model": "m"}}, "output": {"language": "es"}}
        updated = c.answer({"type": "session.update", "session": {"audio": audio}})
        assert updated["session"]["audio"]["output"]["language"] == "es"
        c.send({**append(LOUD), **chunk}, {"type": "session.close"})
        rest = c.until("session.closed")
        assert c.closed() == (1000, "")
    translated = ["session.output_transcript.delta", "session.output_audio.delta"]
    assert types(plain) == translated
    assert base64.b64decode(plain[1]["delta"]) == LOUD + QUIET
    assert plain[1]["elapsed_ms"] == 200
    assert types(rest) == ["session.input_transcript.delta", *translated, "session.closed"]
    assert [event["delta"] for event in rest[:2]] == [" source-2", " es-2"]
    assert base64.b64decode(rest[2]["delta"]) == LOUD
    assert {event["elapsed_ms"] for event in rest[:3]} == {400}
    received = server.sessions[0].received
    assert isinstance(received[-1], ga.RealtimeTranslationClientEventSessionClose)


# Which protocol, which path


def test_the_handshake_tells_the_protocol(server: ReplayServer) -> None:
    # Browsers cannot set headers.
    subprotocols = ["realtime", "openai-beta.realtime-v1"]
    with client(server, "/v1/realtime", subprotocols=subprotocols) as c:
        assert c.connection.subprotocol == "realtime"
    with client(server, protocol="v1"), client(server):
        pass
    assert [session.protocol for session in server.sessions] == ["v1", "v1", "ga"]


def test_the_protocol_can_be_fixed() -> None:
    with ReplayServer(protocol="ga") as server, client(server, protocol="v1", skip=0) as c:
        assert c.closed() == (4000, "invalid_request_error.beta_api_shape_disabled")
    with ReplayServer(protocol="v1") as server, client(server, skip=2) as c:
        assert c.answer(text("Hi."))["type"] == "conversation.item.created"


def test_paths_of_other_services(server: ReplayServer) -> None:
    for path, model in (
        ("/openai/v1/realtime?model=mine", "mine"),
        ("/openai/realtime?api-version=2025-04-01-preview&deployment=mine", "mine"),
        ("/realtime", "gpt-realtime-2.1"),
    ):
        with client(server, path, skip=0) as c:
            assert c.recv()["session"]["model"] == model


@pytest.mark.parametrize("path", ["/v1/chat", "/v1/realtime?call_id=rtc_nobody"])
def test_other_paths_refuse_the_handshake(server: ReplayServer, path: str) -> None:
    with pytest.raises(InvalidStatus) as caught, client(server, path):
        pass
    assert caught.value.response.status_code == 404
    assert json.loads(caught.value.response.body)["error"]["message"]
    assert server.sessions == []
