"""Answers that a test gives to the model of the embedded server, and what it waits for."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from typing import Any

import pytest

from openai_realtime_client import ga
from openai_realtime_client.testing import Answer, Call, ReplayServer, text_of
from plain_client import (
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
    said,
    session_with,
    sound,
    text,
)


def test_answers_are_given_one_per_turn_and_to_each_session() -> None:
    answers = ["First.", None, Call("get_weather", {"city": "Zürich"})]
    with checked(answers=iter(answers)) as server:
        for _ in range(2):
            with client(server) as c:
                assert said(c.turn("Hi.")) == "First."
                assert said(c.turn()) == "You said: Hi."
                done = only(c.turn(), "response.function_call_arguments.done")
                assert (done["name"], done["arguments"]) == ("get_weather", '{"city": "Zürich"}')
                assert said(c.turn()) == "You said: Hi."


@pytest.mark.parametrize("option", ["answers", "transcripts", "allowed_origins"])
def test_text_in_place_of_a_list_is_refused(option: str) -> None:
    options: Any = {option: "Hello."}
    with pytest.raises(TypeError, match=rf"{option} must be a list, such as \['Hello.'\]"):
        ReplayServer(**options)


def test_a_function_of_the_conversation_answers() -> None:
    def shout(items: list[Event]) -> Answer | str | None:
        return text_of(items[-1]).upper() if items else None

    with session_with(answers=shout) as c:
        assert said(c.turn()) == "Hello! How can I help you?"
        assert said(c.turn("Hi.")) == "HI."


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
    with session_with(answers=[Answer("Hi.", audio=audio)]) as c:
        events = c.turn()
    assert len(sound(events)) == size
    assert not isinstance(audio, bytes) or sound(events) == audio
    assert said(events) == joined(events, "response.output_audio_transcript.delta") == "Hi."
    details = response(events)["usage"]["output_token_details"]
    assert details["audio_tokens"] == size // 48 // 50


@pytest.mark.parametrize("protocol", ["ga", "v1"])
def test_text_and_calls_in_one_answer(protocol: str) -> None:
    answer = Answer("One moment.", calls=[Call("f", {"a": 1}), Call("g", "{")])
    with session_with(protocol, answers=[answer]) as c:
        output = c.response()["output"]
    assert [each["type"] for each in output] == ["message", "function_call", "function_call"]
    assert [each.get("arguments") for each in output] == [None, '{"a": 1}', "{"]
    sent = c.server.sessions[0].sent
    assert {e.output_index for e in sent if hasattr(e, "output_index")} == {0, 1, 2}


def test_failures_and_rate_limits_of_answers() -> None:
    error = {"code": "rate_limit_exceeded", "message": "Try later."}
    limit = {"name": "requests", "limit": 3, "remaining": 0, "reset_seconds": 60.5}
    answers = [
        Answer("Well,", error=error),
        Answer(error=error, rate_limits=[limit]),
        Answer("Hi.", rate_limits=()),
    ]
    with session_with(answers=answers) as c:
        begun = c.response()
        events = c.turn()
        c.send(RESPOND)
        c.until("response.done")
        c.update()  # no event comes before the answer
    failed = response(events)
    assert begun["status"] == failed["status"] == "failed"
    assert begun["status_details"]["error"] == {"type": "server_error", **error}
    assert len(begun["output"]) == 1
    assert failed["output"] == []
    assert events[-1]["rate_limits"] == [limit]


@pytest.mark.parametrize("protocol", ["ga", "v1"])
@pytest.mark.parametrize(
    "usage", [{"total_tokens": 99}, {"output_tokens": "4"}, {"input_token_details": "none"}]
)
def test_usage_of_an_answer_has_any_shape(protocol: str, usage: Event) -> None:
    answers = [Answer("Hi.", usage=usage)]
    with ReplayServer(answers=answers) as server, client(server, protocol=protocol) as c:
        found = c.response()["usage"]
    assert found == {**found, **usage}
    assert len(found) > 3


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "get_weather"}])
def test_forced_call_is_repeated_after_output(c: Client, choice: Any) -> None:
    c.update(tools=[WEATHER], tool_choice=choice)
    for _ in range(3):
        [call] = c.response()["output"]
        assert call["type"] == "function_call"
        c.answer(item(type="function_call_output", call_id=call["call_id"], output="Foggy."))
    assert said(c.turn(tool_choice="auto")) == "The function said: Foggy."


def test_a_function_is_not_called_twice_for_the_same_words(c: Client) -> None:
    c.update(tools=[WEATHER])
    [call] = c.response("The weather in Paris?")["output"]
    output = item(type="function_call_output", call_id=call["call_id"], output="Sunny.")
    assert said(c.turn(output)) == "The function said: Sunny."
    assert c.response()["output"][0]["type"] == "message"
    assert c.response("The weather in Rome?")["output"][0]["name"]
    # Before its output comes, too.
    assert c.response()["output"][0]["type"] == "message"


def test_what_the_user_says() -> None:
    with session_with(transcripts=["The weather in Oslo?"]) as c:
        settings = {"turn_detection": None, "transcription": {"model": "whisper-1"}}
        c.update(tools=[WEATHER], audio={"input": settings})
        completed = "conversation.item.input_audio_transcription.completed"
        c.send(append(LOUD), COMMIT)
        assert c.until(completed)[-1]["transcript"] == "The weather in Oslo?"
        [call] = c.response()["output"]
        assert json.loads(call["arguments"]) == {"city": "Oslo"}
        c.send(append(LOUD), COMMIT)
        assert c.until(completed)[-1]["transcript"] == "Audio of 100 ms."


@pytest.mark.parametrize("modality", ["audio", "text"])
def test_pace(modality: str) -> None:
    words = "one two three four five six"
    answers = [Answer(words, audio=0.3, real_time=True, delay=1), Answer(words, audio=120.0)]
    with session_with(answers=answers) as c:
        began = time.monotonic()
        c.send(respond(output_modalities=[modality]))
        c.until("response.content_part.added")
        assert time.monotonic() - began > 0.99
        c.until("rate_limits.updated")
        # Six words, or six chunks, of 50 ms each.
        assert time.monotonic() - began > 1 + 0.29
        # The other has twenty seconds of audio a word; the client waits ten for each event.
        c.turn(output_modalities=[modality])


def test_an_answer_in_real_time_is_interrupted_where_it_is() -> None:
    answer = Answer("word " * 1000, audio=60.0, real_time=True)
    with session_with(answers=[answer]) as c:
        c.send(RESPOND)
        events = [event for _ in range(3) for event in c.until("response.output_audio.delta")]
        c.send(append(LOUD))
        events += c.until("response.done")
    assert response(events)["status_details"]["reason"] == "turn_detected"
    assert 3 <= [event["type"] for event in events].count("response.output_audio.delta") < 100


# What a test sees and does


def test_a_test_waits_for_events(c: Client) -> None:
    [session] = c.server.sessions
    with pytest.raises(TimeoutError, match="received last: nothing"):
        session.wait_for("response.cancel", timeout=0)
    c.send(text("Hi."), RESPOND, text("You."))
    for words in ("Hi.", "You."):
        event = session.wait_for(ga.RealtimeClientEventConversationItemCreate)
        assert text_of(event.item.to_dict()) == words
    assert session.wait_for("response.create").type == "response.create"
    with pytest.raises(TimeoutError) as caught:
        session.wait_for("response.create", timeout=0.05)
    received = "conversation.item.create, response.create, conversation.item.create"
    assert str(caught.value) == f"expected response.create in 0.05 s; received last: {received}"
    c.until("rate_limits.updated")  # A client that does not read closes slowly.
    c.connection.close()
    with pytest.raises(TimeoutError, match="before the connection ended"):
        session.wait_for(ga.RealtimeClientEventResponseCancel, timeout=60)


def test_a_test_pushes_events(c: Client) -> None:
    [session] = c.server.sessions
    limits: dict[str, Any] = {"type": "rate_limits.updated", "rate_limits": []}
    session.push(limits)
    session.push(ga.RealtimeServerEventInputAudioBufferCleared(event_id="mine"))
    assert c.recv() == {**limits, "event_id": "event_pushed_1"}
    assert c.recv() == {"event_id": "mine", "type": "input_audio_buffer.cleared"}
    pushed = [event.type for event in session.sent[-2:]]
    assert pushed == ["rate_limits.updated", "input_audio_buffer.cleared"]


def test_events_are_pushed_into_scripts() -> None:
    with checked(script=['{"type":"response.create"}']) as server:
        with client(server, skip=0) as c:
            server.sessions[0].push({"type": "error", "error": {"type": "t", "message": "No."}})
            assert c.recv()["error"]["message"] == "No."
            c.send(RESPOND)
            assert c.closed() == (1000, "")
        server.sessions[0].push({"type": "late"})
    assert server.sessions[0].mismatch is None
