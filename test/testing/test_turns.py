"""Turns of the embedded server, spoken and written, and answers that a test gives to its model."""

from __future__ import annotations

import json
import math
import struct
import time
from random import Random
from typing import Any

import pytest

from openai_realtime_client import ga
from openai_realtime_client.core import g711
from openai_realtime_client.core.audio import RATES
from openai_realtime_client.testing import Answer, Call, ReplayServer, audio, text_of
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
    types,
)

for_protocols = pytest.mark.parametrize("protocol", ["ga", "v1"])

CHOSEN = {"type": "function", "name": "get_weather"}
BEGINNING = ["response.created", "response.output_item.added", "conversation.item.added"]
END = ["conversation.item.done", "response.output_item.done", "response.done"]
# Between these, runs of one type as one. That each belongs to the item that is open, and that
# deltas are together what comes at the end, is checked of all that servers in tests send.
PART = ["response.content_part.added", "response.content_part.done"]
TEXT, SPEECH = "response.output_text", "response.output_audio"
ARGUMENTS = "response.function_call_arguments"
WORDS = f"{SPEECH}_transcript"
TURNS: dict[str, tuple[Event, list[str]]] = {
    "text": ({"output_modalities": ["text"]}, [PART[0], f"{TEXT}.delta", f"{TEXT}.done", PART[1]]),
    "audio": (
        {},
        [PART[0], f"{WORDS}.delta", f"{SPEECH}.delta", f"{SPEECH}.done", f"{WORDS}.done", PART[1]],
    ),
    "call": (
        {"tools": [WEATHER], "tool_choice": "required"},
        [f"{ARGUMENTS}.delta", f"{ARGUMENTS}.done"],
    ),
}


@pytest.mark.parametrize(("params", "inner"), TURNS.values(), ids=TURNS)
def test_the_order_of_a_turn(c: Client, params: Event, inner: list[str]) -> None:
    events = types(c.turn(**params))
    assert [*dict.fromkeys(events)] == [*BEGINNING, *inner, *END, "rate_limits.updated"]


def test_a_text_turn_in_ga(c: Client) -> None:
    c.update(output_modalities=["text"])
    c.send(text("Hello there."))
    added, done = c.recv(), c.recv()
    assert types([added, done]) == ["conversation.item.added", "conversation.item.done"]
    assert (added["previous_item_id"], added["item"]) == (None, done["item"])
    events = c.turn()
    ended = response(events)
    begun = {"status": "in_progress", "output": [], "usage": None, "status_details": None}
    assert only(events, "response.created")["response"] == {**ended, **begun}
    assert (ended["status"], ended["output_modalities"]) == ("completed", ["text"])
    assert ended["conversation_id"].startswith("conv_")
    [message] = ended["output"]
    answer = "You said: Hello there."
    assert message["content"] == [{"type": "output_text", "text": answer}]
    assert message["status"] == "completed"
    part = only(events, "response.content_part.done")["part"]
    assert part == {"type": "text", "text": answer}
    for event_type in ("response.output_item.done", "conversation.item.done"):
        assert only(events, event_type)["item"] == message
    assert only(events, "conversation.item.added")["previous_item_id"] == added["item"]["id"]
    usage = ended["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["input_token_details"]["text_tokens"] == usage["input_tokens"] == 2
    assert usage["output_token_details"]["text_tokens"] == usage["output_tokens"] == 4


def test_turns_in_v1() -> None:
    with session_with("v1", skip=0) as c:
        session, begun = c.recv()["session"], c.recv()
        created = c.answer(text("Hello there."))
        in_audio = c.response()
        in_text = c.response(modalities=["text"])
    assert begun["type"] == "conversation.created"
    settings = {"input_audio_format": "pcm16", "voice": "alloy", "temperature": 0.8}
    settings |= {"modalities": ["text", "audio"], "max_response_output_tokens": "inf"}
    assert session.items() >= settings.items()
    assert "audio" not in session
    assert (created["type"], created["previous_item_id"]) == ("conversation.item.created", None)
    said = "You said: Hello there."
    assert in_audio["output"][0]["content"] == [{"type": "audio", "transcript": said}]
    assert in_text["output"][0]["content"] == [{"type": "text", "text": said}]
    assert in_audio["output"][0]["object"] == "realtime.item"
    expected = {"voice": "alloy", "output_audio_format": "pcm16", "modalities": ["text", "audio"]}
    expected["conversation_id"] = begun["conversation"]["id"]
    assert in_audio.items() >= expected.items()
    assert "output_modalities" not in in_audio


@for_protocols
def test_a_tool_call(c: Client, protocol: str) -> None:
    # In v1 the choice of a function is its name.
    choice: Any = CHOSEN if protocol == "ga" else "get_weather"
    settings = {"tools": [WEATHER], "tool_choice": choice}
    assert c.update(**settings).items() >= settings.items()
    events = c.turn("What is the weather in London?")
    call = response(events)["output"][0]
    # It is forced again after its output, as users report of the service.
    assert c.response(output_of(call))["output"][0]["type"] == "function_call"
    after = c.turn(output_of(call), tool_choice="auto")
    done = only(events, f"{ARGUMENTS}.done")
    assert json.loads(done["arguments"]) == {"city": "London"}
    assert done.get("name") == ("get_weather" if protocol == "ga" else None)
    assert done["call_id"] == call["call_id"]
    assert (call["type"], call["status"]) == ("function_call", "completed")
    assert (call["name"], call["arguments"]) == ("get_weather", done["arguments"])
    begun = only(events, "response.output_item.added")["item"]
    assert (begun["status"], begun["arguments"]) == ("in_progress", "")
    assert said(after) == "The function said: Foggy."
    c.send(output_of({"call_id": "call_of_nobody"}))
    assert c.until("error")[-1]["error"]["code"] == "invalid_tool_call_id"


def output_of(call: Event) -> Event:
    return item(type="function_call_output", call_id=call["call_id"], output="Foggy.")


# What the model calls


@pytest.mark.parametrize(
    ("words", "choice", "item_type"),
    [
        pytest.param("Use get_weather please.", "auto", "function_call", id="its_name_was_said"),
        pytest.param("The WEATHER?", "auto", "function_call", id="a_word_of_its_name_was_said"),
        pytest.param("Weathering.", "auto", "message", id="part_of_a_longer_word_was_said"),
        pytest.param("The weather?", "none", "message", id="choice_is_none"),
        pytest.param("Hi.", "required", "function_call", id="choice_is_required"),
        pytest.param("Hi.", CHOSEN, "function_call", id="it_is_chosen"),
        pytest.param("The weather?", {**CHOSEN, "name": "x"}, "message", id="another_is_chosen"),
    ],
)
def test_when_a_tool_is_called(c: Client, words: str, choice: Any, item_type: str) -> None:
    ended = c.response(words, tools=[WEATHER], tool_choice=choice)
    assert ended["output"][0]["type"] == item_type


# The value that fits a schema, in "Take 3 to Rome."
FITTING: list[tuple[Any, Any]] = [
    ({"type": "string", "enum": ["c", "f"]}, "c"),
    ({"const": 7}, 7),
    ({"type": "string", "default": "x"}, "x"),
    ({"type": "integer"}, 3),
    ({"type": "number"}, 3),
    ({"type": ["string", "null"]}, "Rome"),
    ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, True),
    ({"type": "array", "items": {"type": "integer"}}, [3]),
    ({"type": "object", "properties": {"a": {"type": "boolean"}}}, {"a": True}),
    (True, None),
    ({"type": "object", "properties": [], "required": 1}, {}),
    ({"anyOf": 1, "type": []}, None),
]


def test_arguments_fit_the_parameters(c: Client) -> None:
    properties = {str(index): schema for index, (schema, _) in enumerate(FITTING)}
    parameters = {"type": "object", "required": [*properties], "properties": properties}
    parameters["properties"] = {**properties, "optional": {"type": "string"}}
    tool = {"type": "function", "name": "f", "parameters": parameters}
    call = c.response("Take 3 to Rome.", tools=[tool], tool_choice="required")["output"][0]
    arguments = json.loads(call["arguments"])
    assert arguments == {str(index): value for index, (_, value) in enumerate(FITTING)}


# Responses that are not left in peace


def test_responses_at_a_time() -> None:
    """A conversation has one; others beside it are cancelled by their id."""
    short, long = (Answer("Well.", audio=at, real_time=True) for at in (0.3, 60.0))
    with session_with(answers=[short, long]) as c:
        c.send(RESPOND, {**RESPOND, "event_id": "second"})
        c.send(respond(conversation="none", metadata={"n": "3"}))
        events = c.until("response.created") + c.until("response.created")
        first, aside = (e["response"] for e in events if e["type"] == "response.created")
        c.send({**CANCEL, "response_id": aside["id"]})
        cancelled, completed = (c.until("response.done")[-1]["response"] for _ in range(2))
    error = only(events, "error")["error"]
    assert error["code"] == "conversation_already_has_active_response"
    assert error["event_id"] == "second"
    assert (cancelled["id"], cancelled["status"]) == (aside["id"], "cancelled")
    assert (completed["id"], completed["status"]) == (first["id"], "completed")
    assert (cancelled["metadata"], completed["metadata"]) == ({"n": "3"}, None)


def test_a_response_is_cancelled() -> None:
    words = "word " * 1000
    with session_with(answers=[Answer(words, real_time=True)]) as c:
        c.update(output_modalities=["text"])
        c.send(RESPOND)
        begun = c.until(f"{TEXT}.delta")
        c.send(CANCEL)
        events = c.until("rate_limits.updated")
        assert c.response()["status"] == "completed"
        error = c.error({**CANCEL, "response_id": response(events)["id"], "event_id": "mine"})
    assert (error["code"], error["event_id"]) == ("response_cancel_not_active", "mine")
    ended = response(events)
    assert ended["status"] == "cancelled"
    assert ended["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert types(events)[-6:] == [f"{TEXT}.done", PART[1], *END, "rate_limits.updated"]
    heard = joined(begun + events, f"{TEXT}.delta")
    assert words.startswith(heard)
    assert len(heard) < len(words)
    assert said(events) == heard
    assert ended["output"][0]["status"] == "incomplete"


# Answers that a test gives


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
    server = ReplayServer(answers=lambda items: items[0]).__enter__()
    with client(server) as c:
        c.send(RESPOND)
        assert c.closed()[0] == 1011
    with pytest.raises(RuntimeError) as caught:
        server.__exit__(None, None, None)
    assert isinstance(caught.value.__cause__, IndexError)


@pytest.mark.parametrize(
    ("audio", "size"),
    [(b"\x01\x02" * 3000, 6000), (1.5, 72000), (0.0, 0)],
    ids=["bytes", "seconds", "no_sound"],
)
def test_how_an_answer_sounds(audio: bytes | float, size: int) -> None:
    with session_with(answers=[Answer("Hi.", audio=audio)]) as c:
        events = c.turn()
    chunks = [event for event in events if event["type"] == f"{SPEECH}.delta"]
    assert len(chunks) == -(-size // 2400)  # of 50 ms
    assert len(sound(events)) == size
    assert not isinstance(audio, bytes) or sound(events) == audio
    assert said(events) == joined(events, f"{WORDS}.delta") == "Hi."
    ended = response(events)
    assert ended["output"][0]["content"] == [{"type": "output_audio", "transcript": "Hi."}]
    assert ended["usage"]["output_token_details"]["audio_tokens"] == size // 48 // 50


def test_text_and_calls_in_one_answer() -> None:
    answer = Answer("One moment.", calls=[Call("f", {"a": 1}), Call("g", "{")])
    with session_with(answers=[answer]) as c:
        output = c.response()["output"]
    assert [each["type"] for each in output] == ["message", "function_call", "function_call"]
    assert [each.get("arguments") for each in output] == [None, '{"a": 1}', "{"]
    sent = c.server.sessions[0].sent
    assert {e.output_index for e in sent if hasattr(e, "output_index")} == {0, 1, 2}


def test_failures_usage_and_rate_limits_of_answers() -> None:
    error = {"code": "rate_limit_exceeded", "message": "Try later."}
    limit = {"name": "requests", "limit": 3, "remaining": 0, "reset_seconds": 60.5}
    answers = [
        Answer("Well,", error=error, usage={"output_tokens": 77}),
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
    assert (begun["usage"]["output_tokens"], begun["usage"]["input_tokens"]) == (77, 0)
    assert len(begun["output"]) == 1
    assert failed["output"] == []
    assert events[-1]["rate_limits"] == [limit]


def test_a_function_is_not_called_twice_for_the_same_words(c: Client) -> None:
    c.update(tools=[WEATHER])
    [call] = c.response("The weather in Paris?")["output"]
    # Before its output comes, too.
    assert c.response()["output"][0]["type"] == "message"
    assert said(c.turn(output_of(call))) == "The function said: Foggy."
    assert c.response("The weather in Rome?")["output"][0]["name"]


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


def test_pace() -> None:
    paced = Answer("one two three four five six", audio=0.3, real_time=True, delay=0.2)
    with session_with(answers=[paced, Answer("word " * 1200, audio=60.0)]) as c:
        began = time.monotonic()
        c.send(RESPOND)
        c.until("response.content_part.added")
        assert time.monotonic() - began > 0.19
        c.until("rate_limits.updated")
        # Six words, or six chunks, of 50 ms each.
        assert time.monotonic() - began > 0.2 + 0.29
        began = time.monotonic()
        c.turn()
        # At the pace of speech it would take a minute.
        assert time.monotonic() - began < 50


# What a test sees and does


def test_a_test_waits_for_events(c: Client) -> None:
    [session] = c.server.sessions
    with pytest.raises(TimeoutError, match="received last: nothing"):
        session.wait_for("response.cancel", timeout=0)
    c.send(text("Hi."), RESPOND, text("You."))
    for words in ("Hi.", "You."):
        event = session.wait_for(ga.RealtimeClientEventConversationItemCreate, 60)
        assert text_of(event.item.to_dict()) == words
    assert session.wait_for("response.create", 60).type == "response.create"
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


# Input audio: what is speech, and what becomes of it

CLEAR = {"type": "input_audio_buffer.clear"}
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


def no_turns(c: Client, **settings: Any) -> None:
    """Turn off the detection of turns."""
    c.update(output_modalities=["text"], audio={"input": {"turn_detection": None, **settings}})


def test_audio_is_committed_and_transcribed(c: Client) -> None:
    no_turns(c, transcription={"model": "whisper-1"})
    c.send(append(LOUD), append(LOUD), COMMIT)
    events = c.until(TRANSCRIBED)
    delta = "conversation.item.input_audio_transcription.delta"
    assert types(events) == [
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        *(delta, TRANSCRIBED),
    ]
    committed, added, completed = events[0], events[1]["item"], events[-1]
    assert committed["previous_item_id"] is None
    assert committed["item_id"] == added["id"] == completed["item_id"]
    assert added["content"] == [{"type": "input_audio", "transcript": None}]
    assert completed["transcript"] == joined(events, delta) == "Audio of 200 ms."
    assert completed["usage"] == {"type": "duration", "seconds": 0.2}
    assert said(c.turn()) == "You said: Audio of 200 ms."


def test_an_empty_buffer_cannot_be_committed(c: Client) -> None:
    no_turns(c)
    assert c.error(COMMIT)["code"] == "input_audio_buffer_commit_empty"
    assert c.answer(append(LOUD), CLEAR)["type"] == "input_audio_buffer.cleared"
    # The service wants 100 ms.
    c.send(append(LOUD[:-2]))
    assert c.error(COMMIT)["code"] == "input_audio_buffer_commit_empty"
    assert c.answer(append(LOUD[:2]), COMMIT)["type"] == "input_audio_buffer.committed"


def test_speech_starts_anew_after_the_buffer_is_cleared(c: Client) -> None:
    for _ in range(2):
        assert c.answer(append(LOUD))["type"] == "input_audio_buffer.speech_started"
        assert c.answer(CLEAR)["type"] == "input_audio_buffer.cleared"


def test_audio_that_is_too_long_is_refused(c: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "_APPEND_LIMIT", 3000)
    assert c.answer(append(LOUD[:3000]))["type"] == "input_audio_buffer.speech_started"
    error = c.error(append(LOUD[:3006]))
    assert (error["code"], error["param"]) == ("string_above_max_length", "audio")


def test_silence_ends_each_turn(c: Client) -> None:
    c.update(output_modalities=["text"])
    c.send(append(QUIET), append(LOUD), append(LOUD + QUIET), append(QUIET))
    events = c.until("rate_limits.updated")
    assert types(events)[:6] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    started, stopped, committed = events[:3]
    # With the padding before it, of 300 ms, and the silence after it.
    assert (started["audio_start_ms"], stopped["audio_end_ms"]) == (0, 500)
    assert started["item_id"] == stopped["item_id"] == committed["item_id"]
    assert said(events) == "You said: Audio of 500 ms."
    c.send(append(QUIET * 4), append(LOUD + QUIET + QUIET))
    started, stopped, committed = c.until("rate_limits.updated")[:3]
    assert (started["audio_start_ms"], stopped["audio_end_ms"]) == (900 - 300, 1200)
    assert committed["previous_item_id"] == response(events)["output"][0]["id"]


ENCODINGS = ["audio/pcm", "audio/pcmu", "audio/pcma"]
PAUSE = [0.0] * 24000


def speech(seconds: float, loudness: float = 3000) -> list[float]:
    return [loudness * math.sin(at / 10) for at in range(round(seconds * 24000))]


def encode(samples: list[float], encoding: str = "audio/pcm", noise: float = 3) -> bytes:
    """Samples of 24 kHz with noise, in the encoding and at its rate."""
    random = Random(1)
    if encoding != "audio/pcm":
        samples = samples[::3]
    noisy = [round(sample + random.gauss(0, noise)) for sample in samples]
    return g711.encode(struct.pack(f"<{len(noisy)}h", *noisy), encoding)


def form(encoding: str) -> Event:
    return {"type": encoding} | ({"rate": 24000} if encoding == "audio/pcm" else {})


def heard(c: Client, data: bytes, encoding: str = "audio/pcm", **detection: Any) -> list[Event]:
    """What the server finds in audio that arrives in odd pieces."""
    detection = {"type": "server_vad", "create_response": False, **detection}
    c.update(audio={"input": {"format": form(encoding), "turn_detection": detection}})
    c.send(*(append(data[at : at + 937]) for at in range(0, len(data), 937)))
    c.send(CANCEL)  # its error is the last event
    return [e for e in c.until("error") if e["type"].startswith("input_audio_buffer.speech")]


@pytest.mark.parametrize(("encoding", "noise"), [*zip(ENCODINGS, (60, 3, 0), strict=True)])
def test_speech_is_found_in_noise(c: Client, encoding: str, noise: float) -> None:
    samples = [*PAUSE, *speech(0.5), *PAUSE]
    started, stopped = heard(c, encode(samples, encoding, noise), encoding)
    # Frames have 20 ms.
    assert started["audio_start_ms"] == pytest.approx(1000 - 300, abs=20)
    assert stopped["audio_end_ms"] == pytest.approx(1500 + 200, abs=20)
    assert heard(c, encode(PAUSE, encoding, noise=100), encoding) == []


def test_levels_are_those_of_the_session(c: Client) -> None:
    # A pause that is too short does not end the turn.
    samples = [*PAUSE, *speech(0.25), *PAUSE[:12000], *speech(0.25), *PAUSE]
    levels = {"prefix_padding_ms": 100, "silence_duration_ms": 700}
    started, stopped = heard(c, encode(samples), threshold=0.2, **levels)
    assert started["audio_start_ms"] == pytest.approx(1000 - 100, abs=20)
    assert stopped["audio_end_ms"] == pytest.approx(2000 + 700, abs=20)
    assert heard(c, encode(samples), threshold=0.9) == []


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_answers_sound_in_every_format(c: Client, encoding: str) -> None:
    c.update(audio={"output": {"format": form(encoding)}})
    data = sound(c.turn("Hi."))
    assert len(data) == RATES[encoding] // 5  # 200 ms
    samples = struct.iter_unpack("<h", g711.decode(data, encoding))
    assert max(sample for (sample,) in samples) == pytest.approx(6000, rel=0.03)


def test_audio_is_counted_in_tokens(c: Client) -> None:
    no_turns(c, transcription={"model": "gpt-4o-transcribe"})
    c.update(output_modalities=["audio"])
    c.send(append(LOUD * 12), COMMIT)
    usage = c.until(TRANSCRIBED)[-1]["usage"]
    assert (usage["type"], usage["input_tokens"]) == ("tokens", 12)
    assert usage["total_tokens"] == 12 + usage["output_tokens"]
    usage = c.response()["usage"]
    assert usage["input_token_details"]["audio_tokens"] == 12
    assert usage["output_token_details"]["audio_tokens"] == 4
    # The answer is part of what the next response reads: 200 ms.
    usage = c.response()["usage"]
    assert usage["input_token_details"]["audio_tokens"] == usage["input_tokens"] == 12 + 4


def test_turn_detection_may_only_commit(c: Client) -> None:
    detection = {"type": "server_vad", "create_response": False, "silence_duration_ms": 100}
    c.update(audio={"input": {"turn_detection": detection}})
    c.send(append(LOUD + QUIET))
    c.until("conversation.item.done")
    # Without a transcript and a response, and nothing is left.
    assert c.error(COMMIT)["code"] == "input_audio_buffer_commit_empty"


@pytest.mark.parametrize(
    ("detection", "params", "status"),
    [
        pytest.param({}, {}, "cancelled", id="default"),
        pytest.param({"interrupt_response": False}, {}, "completed", id="unset"),
        pytest.param({}, {"conversation": "none"}, "completed", id="out_of_band"),
    ],
)
def test_when_speech_interrupts(detection: Event, params: Event, status: str) -> None:
    seconds = 60.0 if status == "cancelled" else 0.3
    with session_with(answers=[Answer("Well.", audio=seconds, real_time=True)]) as c:
        c.update(audio={"input": {"turn_detection": {"type": "server_vad", **detection}}})
        c.send(respond(**params))
        c.until("response.output_audio.delta")
        c.send(append(LOUD))
        events = c.until("input_audio_buffer.speech_started")
        if status == "completed":
            events += c.until("response.done")
        else:
            events += c.until("rate_limits.updated")
    ended = response(events)
    assert ended["status"] == status
    if status == "cancelled":
        assert ended["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
