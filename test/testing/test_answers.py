"""Answers that a test gives to the model of the embedded server, and what it waits for."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Literal

import pytest

from openai_realtime_client import ga
from openai_realtime_client.testing import Answer, Call, ReplayServer, text_of
from plain_client import (
    BETA,
    COMMIT,
    LOUD,
    RESPOND,
    WEATHER,
    Client,
    Event,
    append,
    checked,
    client,
    item,
    joined,
    only,
    respond,
    response,
    sound,
    text,
    update,
)


def said(events: list[Event]) -> str:
    return str(only(events, "response.output_audio_transcript.done")["transcript"])


def test_answers_are_given_one_per_turn_and_to_each_session() -> None:
    answers = ["First.", None, Call("get_weather", {"city": "Zürich"})]
    with checked(answers=iter(answers)) as server:
        for _ in range(2):
            with client(server) as c:
                assert said(c.turn(text("Hi."), RESPOND)) == "First."
                assert said(c.turn(RESPOND)) == "You said: Hi."
                done = only(c.turn(RESPOND), "response.function_call_arguments.done")
                assert (done["name"], done["arguments"]) == ("get_weather", '{"city": "Zürich"}')
                assert said(c.turn(RESPOND)) == "You said: Hi."


@pytest.mark.parametrize("option", ["answers", "transcripts", "allowed_origins"])
def test_text_in_place_of_a_list_is_refused(option: str) -> None:
    options: Any = {option: "Hello."}
    with pytest.raises(TypeError, match=rf"{option} must be a list, such as \['Hello.'\]"):
        ReplayServer(**options)


def test_a_function_of_the_conversation_answers() -> None:
    def shout(items: list[Event]) -> Answer | str | None:
        return text_of(items[-1]).upper() if items else None

    with checked(answers=shout) as server, client(server) as c:
        assert said(c.turn(RESPOND)) == "Hello! How can I help you?"
        assert said(c.turn(text("Hi."), RESPOND)) == "HI."


def test_a_function_that_fails_is_loud() -> None:
    def fail(_: list[Event]) -> str:
        raise ValueError("planted")

    with ExitStack() as stack:
        server = stack.enter_context(ReplayServer(answers=fail))
        c = stack.enter_context(client(server))
        c.send(RESPOND)
        assert c.closed()[0] == 1011
        with pytest.raises(RuntimeError) as caught:
            stack.close()
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize(("audio", "size"), [(b"\x01\x02" * 3000, 6000), (1.5, 72000), (0.0, 0)])
def test_how_an_answer_sounds(audio: bytes | float, size: int) -> None:
    with checked(answers=[Answer("Hi.", audio=audio)]) as server, client(server) as c:
        events = c.turn(RESPOND)
    assert len(sound(events)) == size
    assert not isinstance(audio, bytes) or sound(events) == audio
    assert said(events) == joined(events, "response.output_audio_transcript.delta") == "Hi."
    details = response(events)["usage"]["output_token_details"]
    assert details["audio_tokens"] == size // 48 // 50


@pytest.mark.parametrize("headers", [{}, BETA])
def test_text_and_calls_in_one_answer(headers: dict[str, str]) -> None:
    answer = Answer("One moment.", calls=[Call("f", {"a": 1}), Call("g", "{")])
    with checked(answers=[answer]) as server, client(server, additional_headers=headers) as c:
        output = response(c.turn(RESPOND))["output"]
    assert [each["type"] for each in output] == ["message", "function_call", "function_call"]
    assert [each.get("arguments") for each in output] == [None, '{"a": 1}', "{"]
    indexes = {e.output_index for e in server.sessions[0].sent if hasattr(e, "output_index")}
    assert indexes == {0, 1, 2}


def test_usage_and_failure_of_an_answer() -> None:
    error = {"code": "rate_limit_exceeded", "message": "Try later."}
    answers = [Answer("Hi.", usage={"total_tokens": 99})]
    answers += [Answer("Well,", error=error), Answer(error=error)]
    with checked(answers=answers) as server, client(server) as c:
        first, second, third = (response(c.turn(RESPOND)) for _ in answers)
    assert first["usage"]["total_tokens"] == 99
    assert first["usage"]["output_tokens"] > 0
    assert second["status"] == third["status"] == "failed"
    assert second["status_details"]["error"] == {"type": "server_error", **error}
    assert len(second["output"]) == 1
    assert third["output"] == []


def test_rate_limits_of_an_answer() -> None:
    limit = {"name": "requests", "limit": 3, "remaining": 0, "reset_seconds": 60.5}
    answers = [Answer("Hi.", rate_limits=[limit]), Answer("Hi.", rate_limits=())]
    with checked(answers=answers) as server, client(server) as c:
        c.send(RESPOND)
        assert c.until("rate_limits.updated")[-1]["rate_limits"] == [limit]
        c.send(RESPOND)
        c.until("response.done")
        assert c.answer(update())["type"] == "session.updated"


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "get_weather"}])
def test_forced_call_is_repeated_after_output(server: ReplayServer, choice: Any) -> None:
    with client(server) as c:
        c.answer(update(tools=[WEATHER], tool_choice=choice))
        for _ in range(3):
            [call] = response(c.turn(RESPOND))["output"]
            assert call["type"] == "function_call"
            c.answer(item(type="function_call_output", call_id=call["call_id"], output="Foggy."))
        [message] = response(c.turn(respond(tool_choice="auto")))["output"]
    assert message["content"][0]["transcript"] == "The function said: Foggy."


def test_what_the_user_says() -> None:
    with checked(transcripts=["The weather in Oslo?"]) as server, client(server) as c:
        settings = {"turn_detection": None, "transcription": {"model": "whisper-1"}}
        c.answer(update(tools=[WEATHER], audio={"input": settings}))
        c.send(append(LOUD), COMMIT)
        kind = "conversation.item.input_audio_transcription.completed"
        assert c.until(kind)[-1]["transcript"] == "The weather in Oslo?"
        done = only(c.turn(RESPOND), "response.function_call_arguments.done")
        assert json.loads(done["arguments"]) == {"city": "Oslo"}
        c.send(append(LOUD), COMMIT)
        assert c.until(kind)[-1]["transcript"] == "Audio of 100 ms."


@pytest.mark.parametrize("modality", ["audio", "text"])
def test_pace(modality: str) -> None:
    words = "one two three four five six"
    answers = [Answer(words, audio=0.3, real_time=True, delay=1), Answer(words, audio=120.0)]
    with checked(answers=answers) as server, client(server) as c:
        began = time.monotonic()
        c.send(respond(output_modalities=[modality]))
        c.until("response.content_part.added")
        assert time.monotonic() - began > 0.99
        c.until("rate_limits.updated")
        # Six words, or six chunks, of 50 ms each.
        assert time.monotonic() - began > 1 + 0.29
        # The other has twenty seconds of audio a word; the client waits ten for each event.
        c.turn(respond(output_modalities=[modality]))


def test_an_answer_in_real_time_is_interrupted_where_it_is() -> None:
    answer = Answer("word " * 1000, audio=60.0, real_time=True)
    with checked(answers=[answer]) as server, client(server) as c:
        c.send(RESPOND)
        events = [event for _ in range(3) for event in c.until("response.output_audio.delta")]
        c.send(append(LOUD))
        events += c.until("response.done")
    assert response(events)["status_details"]["reason"] == "turn_detected"
    played = [event for event in events if event["type"] == "response.output_audio.delta"]
    assert 3 <= len(played) < 100


def test_a_function_is_not_called_twice_for_the_same_words(server: ReplayServer) -> None:
    with client(server) as c:
        c.answer(update(tools=[WEATHER]))
        call = response(c.turn(text("The weather in Paris?"), RESPOND))["output"][0]
        output = item(type="function_call_output", call_id=call["call_id"], output="Sunny.")
        assert said(c.turn(output, RESPOND)) == "The function said: Sunny."
        assert response(c.turn(RESPOND))["output"][0]["type"] == "message"
        assert response(c.turn(text("The weather in Rome?"), RESPOND))["output"][0]["name"]
        # Before its output comes, too.
        assert response(c.turn(RESPOND))["output"][0]["type"] == "message"


# What a test sees and does


@pytest.fixture
def open_client(server: ReplayServer) -> Iterator[Client]:
    with client(server) as c:
        yield c


def test_a_test_waits_for_events(server: ReplayServer, open_client: Client) -> None:
    [session] = server.sessions
    with pytest.raises(TimeoutError, match="received last: nothing"):
        session.wait_for("response.cancel", timeout=0)
    open_client.send(text("Hi."), RESPOND, text("You."))
    first = session.wait_for(ga.RealtimeClientEventConversationItemCreate)
    second = session.wait_for(ga.RealtimeClientEventConversationItemCreate)
    items = [first.item.to_dict(), second.item.to_dict()]
    assert [text_of(each) for each in items] == ["Hi.", "You."]
    assert session.wait_for("response.create").type == "response.create"
    with pytest.raises(TimeoutError) as caught:
        session.wait_for("response.create", timeout=0.05)
    received = "conversation.item.create, response.create, conversation.item.create"
    assert str(caught.value) == f"expected response.create in 0.05 s; received last: {received}"
    open_client.until("rate_limits.updated")  # A client that does not read closes slowly.
    open_client.connection.close()
    with pytest.raises(TimeoutError, match="before the connection ended"):
        session.wait_for(ga.RealtimeClientEventResponseCancel, timeout=60)


def test_a_test_pushes_events(server: ReplayServer, open_client: Client) -> None:
    [session] = server.sessions
    limits: dict[str, Any] = {"type": "rate_limits.updated", "rate_limits": []}
    session.push(limits)
    session.push(ga.RealtimeServerEventInputAudioBufferCleared(event_id="mine"))
    first, second = open_client.recv(), open_client.recv()
    assert first == {**limits, "event_id": "event_pushed_1"}
    assert second == {"event_id": "mine", "type": "input_audio_buffer.cleared"}
    assert [event.type for event in session.sent[-2:]] == [first["type"], second["type"]]


def test_events_are_pushed_into_scripts() -> None:
    with checked(script=['{"type":"response.create"}']) as server:
        with client(server, skip=0) as c:
            server.sessions[0].push({"type": "error", "error": {"type": "t", "message": "No."}})
            assert c.recv()["error"]["message"] == "No."
            c.send(RESPOND)
            assert c.closed() == (1000, "")
        server.sessions[0].push({"type": "late"})
    assert server.sessions[0].mismatch is None


@pytest.mark.parametrize("protocol", ["ga", "v1"])
@pytest.mark.parametrize("usage", [{"output_tokens": "4"}, {"input_token_details": "none"}])
def test_usage_of_any_shape(protocol: Literal["ga", "v1"], usage: Event) -> None:
    with ReplayServer(protocol=protocol, answers=[Answer("Hi.", usage=usage)]) as server:
        headers = BETA if protocol == "v1" else {}
        with client(server, additional_headers=headers) as c:
            done = c.turn(RESPOND)[-2]
    [name] = usage
    assert done["response"]["usage"][name] == usage[name]
