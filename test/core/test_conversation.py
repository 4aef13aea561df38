"""`Conversation` and `Playback`: the state that follows from events, typed and as dictionaries."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from threading import Lock, Thread
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openai_realtime_client import Conversation, Playback, Usage, ga, v1
from openai_realtime_client.core import conversation as conversation_module
from openai_realtime_client.core.json_types import is_object
from protocols import ANYTHING, ROOT

RECORDINGS = sorted((ROOT / "test/recordings").glob("*.jsonl"))
SENT = ("conversation.item.create", "response.create", "session.update", "response.cancel")
SENT += tuple(f"input_audio_buffer.{name}" for name in ("append", "commit", "clear"))

Event = dict[str, Any]
Form = Callable[[Event], Any]


def typed(protocol: Any) -> Form:
    def form(event: Event) -> Any:
        is_sent = event["type"].startswith(SENT) and not event["type"].endswith("ed")
        parse = protocol.parse_client_event if is_sent else protocol.parse_server_event
        return parse(json.dumps(event))

    return form


def plain(event: Event) -> Event:
    return event


@pytest.fixture(params=[plain, typed(ga), typed(v1)], ids=["dictionaries", "ga", "v1"])
def add(request: pytest.FixtureRequest) -> Callable[..., Conversation]:
    """Makes a conversation of events, in each form that they may have."""

    def make(*events: Event, conversation: Conversation | None = None) -> Conversation:
        conversation = conversation or Conversation()
        for event in events:
            conversation.add(request.param(event))
        return conversation

    return make


def added(item_id: str, previous: str | None = None, **more: Any) -> Event:
    item = {"id": item_id, "type": "message", "role": "user", "content": [], **more}
    return {"type": "conversation.item.created", "previous_item_id": previous, "item": item}


def on_item(kind: str, **more: Any) -> Event:
    where = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}
    return {"type": kind, **where, **more}


def audio(size: int) -> str:
    return base64.b64encode(bytes(size)).decode()


def spoken(size: int, *more: Event, item_id: str = "i") -> list[Event]:
    """An answer of which `size` bytes of audio were received."""
    return [
        {"type": "response.created", "response": {"id": "r", "conversation_id": "c"}},
        {
            "type": "response.output_item.added",
            "response_id": "r",
            "item": {"id": item_id, "type": "message", "role": "assistant", "content": []},
        },
        added(item_id, role="assistant", status="in_progress"),
        on_item("response.output_audio.delta", delta=audio(size), item_id=item_id),
        *more,
    ]


def ids(conversation: Conversation) -> list[str]:
    return [item.id for item in conversation.items]


# Items


def test_items_stand_where_the_server_puts_them(add: Callable[..., Conversation]) -> None:
    events = [added("a"), added("b", "a"), added("c", "a"), added("first"), added("end", "b")]
    assert ids(add(*events)) == ["first", "a", "c", "b", "end"]


def test_an_item_without_its_place_is_the_last(add: Callable[..., Conversation]) -> None:
    item = {"id": "b", "type": "message", "role": "user", "content": []}
    assert ids(add(added("a"), {"type": "conversation.item.done", "item": item})) == ["a", "b"]


def test_an_item_after_one_that_is_not_known_is_the_last(add: Callable[..., Conversation]) -> None:
    assert ids(add(added("a"), added("b", "a"), added("c", "gone"))) == ["a", "b", "c"]


def test_committed_audio_has_its_place_before_its_item_arrives(
    add: Callable[..., Conversation],
) -> None:
    committed = {
        "type": "input_audio_buffer.committed",
        "item_id": "said",
        "previous_item_id": None,
    }
    conversation = add(committed, added("answer", "said", role="assistant"))
    add(added("said", None, status="completed"), conversation=conversation)
    assert ids(conversation) == ["said", "answer"]
    assert conversation.items[0].role == "user"


@pytest.mark.parametrize(
    ("deleted", "left"), [("a", ["b", "c"]), ("b", ["a", "c"]), ("c", ["a", "b"])]
)
def test_deleted_items_are_gone(
    add: Callable[..., Conversation], deleted: str, left: list[str]
) -> None:
    conversation = add(added("a"), added("b", "a"), added("c", "b"))
    gone = conversation.item(deleted)
    add({"type": "conversation.item.deleted", "item_id": deleted}, conversation=conversation)
    # What comes late does not bring it back.
    add(on_item("response.text.delta", item_id=deleted, delta="x"), conversation=conversation)
    assert ids(conversation) == left
    assert conversation.item(deleted) is None
    assert gone is not None
    assert not gone.is_in_conversation
    add(added("new", left[-1]), conversation=conversation)
    assert ids(conversation) == [*left, "new"]
    add(added(deleted, "new"), conversation=conversation)
    assert ids(conversation) == [*left, "new", deleted]


def test_items_may_be_deleted_until_none_is_left(add: Callable[..., Conversation]) -> None:
    conversation = add(added("a"), added("b", "a"), added("c", "b"))
    for item_id in ("b", "c", "a"):
        add({"type": "conversation.item.deleted", "item_id": item_id}, conversation=conversation)
        add(added(f"after {item_id}", "gone"), conversation=conversation)
    assert ids(conversation) == ["after b", "after c", "after a"]


def test_an_event_of_the_beginning_that_is_late_erases_nothing(
    add: Callable[..., Conversation],
) -> None:
    delta = on_item("response.text.delta", delta="Hello")
    begun = on_item("response.content_part.added", part={"type": "text", "text": ""})
    assert add(added("i"), delta, begun).items[0].text == "Hello"
    ended = {"type": "conversation.item.done", "item": {"id": "i", "status": "completed"}}
    late = added("i", status="in_progress")
    assert add(added("i"), ended, late).items[0].status == "completed"
    empty = on_item("response.text.done", text="")
    begun["part"]["text"] = "Hel"
    assert add(added("i"), empty, begun).items[0].text == ""


def test_text_grows_with_deltas_and_is_final_when_done(add: Callable[..., Conversation]) -> None:
    deltas = [on_item("response.text.delta", delta=each) for each in ("Hel", "lo")]
    conversation = add(added("i"), *deltas)
    item = conversation.items[0]
    assert item.text == "Hello"
    part = {"type": "text", "text": "Hello!"}
    add(
        on_item("response.text.done", text="Hello."),
        on_item("response.text.delta", delta=" late"),
        conversation=conversation,
    )
    assert item.text == "Hello."
    add(on_item("response.content_part.done", part=part), conversation=conversation)
    assert (item.text, item.parts[0].type) == ("Hello!", "text")


def test_each_part_has_its_own_text(add: Callable[..., Conversation]) -> None:
    conversation = add(
        added("i"),
        on_item("response.output_text.delta", delta="two", content_index=1),
        on_item("response.output_text.delta", delta="one ", content_index=0),
    )
    assert conversation.items[0].text == "one two"
    assert list(conversation.items[0].parts) == [0, 1]


def test_the_user_is_transcribed_after_the_answer(add: Callable[..., Conversation]) -> None:
    kind = "conversation.item.input_audio_transcription"
    silent = [{"type": "input_audio", "transcript": None}]
    usage = {"type": "tokens", "total_tokens": 12, "input_tokens": 9, "output_tokens": 3}
    conversation = add(
        added("i", content=silent),
        added("answer", "i", role="assistant"),
        on_item(f"{kind}.delta", delta="Good"),
        on_item(f"{kind}.completed", transcript="Good day.", usage=usage),
        # It is sent twice, and counted once.
        on_item(f"{kind}.completed", transcript="Good day.", usage=usage),
        {"type": "conversation.item.done", "item": {"id": "i", "content": silent}},
    )
    assert [item.transcript for item in conversation.items] == ["Good day.", ""]
    assert conversation.transcription_usage == Usage(total=12, input=9, output=3)
    failure = {"type": "transcription_error", "message": "Unclear.", "code": "x", "param": None}
    add(on_item(f"{kind}.failed", error=failure), conversation=conversation)
    error = conversation.items[0].parts[0].transcription_error
    assert error
    assert error["message"] == "Unclear."


def test_transcription_may_be_charged_by_duration(add: Callable[..., Conversation]) -> None:
    completed = on_item(
        "conversation.item.input_audio_transcription.completed",
        transcript="Hi",
        usage={"type": "duration", "seconds": 3},
    )
    assert add(completed).transcription_usage == Usage(seconds=3)


def test_function_calls_have_name_and_arguments(add: Callable[..., Conversation]) -> None:
    call = {"id": "i", "type": "function_call", "name": "f", "call_id": "c", "arguments": ""}
    conversation = add(
        {"type": "conversation.item.created", "previous_item_id": None, "item": call},
        on_item("response.function_call_arguments.delta", call_id="c", delta='{"a"'),
    )
    [item] = conversation.items
    assert item.arguments == '{"a"'
    done = on_item("response.function_call_arguments.done", call_id="c", arguments='{"a":1}')
    add(done, conversation=conversation)
    assert (item.name, item.call_id, item.arguments) == ("f", "c", '{"a":1}')


def test_audio_that_was_retrieved_is_counted_anew(add: Callable[..., Conversation]) -> None:
    content = [{"type": "audio", "transcript": "Hi.", "audio": audio(4800), "format": "pcm16"}]
    item = {"id": "i", "type": "message", "role": "assistant", "content": content}
    retrieved = {"type": "conversation.item.retrieved", "item": item}
    conversation = add(*spoken(960), retrieved)
    assert (conversation.items[0].audio_ms, conversation.items[0].transcript) == (100, "Hi.")


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        ({}, 100),
        ({"output_audio_format": "pcm16"}, 100),
        ({"output_audio_format": "g711_ulaw"}, 600),
        ({"audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}}}}, 100),
        ({"audio": {"output": {"format": {"type": "audio/pcm", "rate": 48000}}}}, 50),
        ({"audio": {"output": {"format": {"type": "audio/pcmu"}}}}, 600),
        ({"audio": {"output": {"format": {"type": "audio/pcma"}}}}, 600),
    ],
)
def test_audio_lasts_as_long_as_its_format_says(
    add: Callable[..., Conversation], session: Event, expected: int
) -> None:
    created = {"type": "session.created", "session": {"id": "s", **session}}
    [item] = add(created, *spoken(4800)).items
    assert (item.audio_bytes, item.audio_ms) == (4800, expected)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5])
def test_padding_is_not_counted(add: Callable[..., Conversation], size: int) -> None:
    assert add(*spoken(size)).items[0].audio_bytes == size


def test_absent_settings_stay_as_they_are(add: Callable[..., Conversation]) -> None:
    created = {"type": "session.created", "session": {"output_audio_format": "g711_ulaw"}}
    updated = {"type": "session.updated", "session": {"instructions": "Be brief."}}
    assert add(created, updated, *spoken(4800)).items[0].audio_ms == 600


@pytest.mark.parametrize(
    "own",
    [
        {"output_audio_format": "g711_alaw"},
        {"audio": {"output": {"format": {"type": "audio/pcma"}}}},
    ],
)
def test_a_response_may_have_a_format_of_its_own(
    add: Callable[..., Conversation], own: Event
) -> None:
    created, *more = spoken(4800)
    created["response"] |= own
    assert add(created, *more).items[0].audio_ms == 600


def test_nothing_is_left_of_less_than_nothing(add: Callable[..., Conversation]) -> None:
    truncated = on_item("conversation.item.truncated", audio_end_ms=-5)
    kept = add(*spoken(960), truncated, conversation=Conversation(keep_audio=True))
    assert (kept.items[0].audio_ms, kept.items[0].parts[0].audio) == (0, b"")


def test_audio_after_truncation_is_not_kept(add: Callable[..., Conversation]) -> None:
    truncated = on_item("conversation.item.truncated", audio_end_ms=10)
    late = on_item("response.output_audio.delta", delta=audio(960))
    kept = add(*spoken(960), truncated, late, conversation=Conversation(keep_audio=True))
    assert len(kept.items[0].parts[0].audio) == 480


def test_audio_after_its_end_is_not_counted(add: Callable[..., Conversation]) -> None:
    late = on_item("response.output_audio.delta", delta=audio(960))
    [item] = add(*spoken(960, on_item("response.output_audio.done"), late)).items
    assert item.audio_bytes == 960


def test_audio_is_kept_if_asked_for(add: Callable[..., Conversation]) -> None:
    truncated = on_item("conversation.item.truncated", audio_end_ms=10)
    kept = add(*spoken(960), conversation=Conversation(keep_audio=True))
    assert kept.items[0].parts[0].audio == bytes(960)
    add(truncated, conversation=kept)
    assert kept.items[0].parts[0].audio == bytes(480)
    assert add(*spoken(960)).items[0].parts[0].audio == b""


# What the user says


def append(size: int) -> Event:
    return {"type": "input_audio_buffer.append", "audio": audio(size)}


def buffer(kind: str, **more: Any) -> Event:
    return {"type": f"input_audio_buffer.{kind}", **more}


def said(item_id: str = "said") -> Event:
    return buffer("committed", item_id=item_id, previous_item_id=None)


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        ({}, 100),
        ({"input_audio_format": "g711_alaw", "output_audio_format": "pcm16"}, 600),
        ({"audio": {"input": {"format": {"type": "audio/pcmu"}}}}, 600),
    ],
)
def test_committed_audio_is_counted(
    add: Callable[..., Conversation], session: Event, expected: int
) -> None:
    created = {"type": "session.created", "session": {"id": "s", **session}}
    dropped = [append(999), buffer("clear"), buffer("cleared")]
    early = append(48)  # of the next turn, as it is sent after the commit
    events = [*dropped, append(4000), append(800), buffer("commit"), early, said()]
    conversation = add(created, *events)
    [item] = conversation.items
    assert (item.audio_bytes, item.audio_ms, item.parts[0].audio) == (4800, expected, b"")
    assert conversation.heard("said", 10) is None
    add(buffer("commit"), said("next"), conversation=conversation)
    assert conversation.items[0].audio_bytes == 48


@pytest.mark.parametrize(
    "error", [{"event_id": "c"}, {"code": "input_audio_buffer_commit_empty", "message": "Empty."}]
)
def test_audio_stays_in_the_buffer_when_its_commit_is_refused(
    add: Callable[..., Conversation], error: Event
) -> None:
    refused = [buffer("commit", event_id="c"), {"type": "error", "error": error}]
    [item] = add(append(48), *refused, append(4752), buffer("commit"), said()).items
    assert item.audio_bytes == 4800


def test_turn_detection_tells_how_long_speech_was(add: Callable[..., Conversation]) -> None:
    speech = [
        buffer("speech_started", item_id="said", audio_start_ms=1000),
        buffer("speech_stopped", item_id="said", audio_end_ms=1250),
    ]
    conversation = add(append(96_000), *speech, said())
    assert (conversation.items[0].audio_bytes, conversation.items[0].audio_ms) == (12_000, 250)
    # It had no need of a commit. What was sent before is not in the buffer any more.
    add(append(48), buffer("commit"), said("next"), conversation=conversation)
    assert conversation.items[0].audio_bytes == 48
    waited = buffer("timeout_triggered", item_id="none", audio_start_ms=0, audio_end_ms=100)
    assert add(waited, said("none")).items[0].audio_ms == 100
    assert add(append(48), said()).items[0].parts == {}


@pytest.mark.parametrize(("kind", "expected"), [("pcm16", 100), ("g711_ulaw", 600)])
def test_audio_in_an_item_is_counted(
    add: Callable[..., Conversation], kind: str, expected: int
) -> None:
    session = {"id": "s", "input_audio_format": kind, "output_audio_format": "pcm16"}
    content = {"type": "input_audio", "audio": audio(4800)}
    item = {"type": "message", "role": "user", "content": [content]}
    echo = added("i", content=[{"type": "input_audio", "transcript": None}])
    created = {"type": "session.created", "session": session}
    [found] = add(created, {"type": "conversation.item.create", "item": item}, echo).items
    assert (found.audio_bytes, found.audio_ms) == (4800, expected)


# Interruption


def test_what_was_not_heard_is_truncated(add: Callable[..., Conversation]) -> None:
    begun = on_item("response.output_audio_transcript.delta", delta="A long story")
    conversation = add(*spoken(48_000, begun))
    event = conversation.heard("i", 250.9)
    assert event == {
        "type": "conversation.item.truncate",
        "item_id": "i",
        "content_index": 0,
        "audio_end_ms": 250,
    }
    assert ga.parse_client_event(json.dumps(event)).type == event["type"]
    add(on_item("conversation.item.truncated", audio_end_ms=250), conversation=conversation)
    [item] = conversation.items
    # The server removes the transcript, because it does not know what of it was heard.
    assert (item.audio_ms, item.transcript) == (250, "")
    done = on_item("response.output_audio_transcript.done", transcript="A long story.")
    assert add(done, conversation=conversation).items[0].transcript == ""
    assert conversation.heard("i", 250) is None
    assert conversation.heard("i", 900) is None


@pytest.mark.parametrize(("milliseconds", "end"), [(-5, 0), (0, 0), (999, 999), (5000, 1000)])
def test_the_end_is_within_the_audio(
    add: Callable[..., Conversation], milliseconds: float, end: int
) -> None:
    event = add(*spoken(48_000)).heard("i", milliseconds)
    assert event
    assert event["audio_end_ms"] == end


def test_there_is_nothing_to_cut(add: Callable[..., Conversation]) -> None:
    conversation = add(*spoken(48_000, on_item("response.output_audio.done")), added("silent"))
    assert conversation.heard("silent", 10) is None
    assert conversation.heard("none", 10) is None
    assert conversation.heard("i", 1000) is None
    assert conversation.heard("i", 999)
    add({"type": "conversation.item.deleted", "item_id": "i"}, conversation=conversation)
    assert conversation.heard("i", 10) is None


def test_the_right_part_is_cut(add: Callable[..., Conversation]) -> None:
    second = on_item("response.output_audio.delta", delta=audio(24_000), content_index=2)
    text = on_item("response.output_text.delta", delta="between", content_index=1)
    conversation = add(*spoken(48_000, text, second))
    found = [conversation.heard("i", each) or {} for each in (700, 1200, 9000)]
    assert [(each["content_index"], each["audio_end_ms"]) for each in found] == [
        (0, 700),
        (2, 200),
        (2, 500),
    ]


def test_playback_counts_what_the_device_took() -> None:
    playback = Playback()
    assert (playback.item_id, playback.milliseconds, bool(playback)) == (None, 0, False)
    playback.add("a", bytes(960))
    playback.add("a", bytes(960))
    playback.add("b", b"\1" * 960)
    assert (playback.take(1440), playback.item_id, playback.milliseconds) == (bytes(1440), "a", 30)
    assert playback.take(960) == bytes(480) + b"\1" * 480
    assert (playback.item_id, playback.milliseconds) == ("b", 10)
    playback.clear()
    assert (playback.take(100), playback.item_id, playback.milliseconds) == (b"", "b", 10)


def test_an_answer_of_which_nothing_was_played_is_cut_at_its_start() -> None:
    playback = Playback(8_000)
    playback.add("a", bytes(80))
    playback.clear()
    assert (playback.item_id, playback.milliseconds) == ("a", 0)
    playback.add("b", bytes(80))
    playback.take(80)
    playback.add("c", bytes(80))
    playback.clear()
    assert (playback.item_id, playback.milliseconds) == ("c", 0)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.binary(max_size=9))),
    st.lists(st.integers(0, 20), max_size=20),
)
def test_playback_gives_all_audio_in_order(
    chunks: list[tuple[str, bytes]], sizes: list[int]
) -> None:
    playback = Playback(1000)
    for chunk in chunks:
        playback.add(*chunk)
    given_audio = b"".join(chunk for _, chunk in chunks)
    taken = b"".join(playback.take(size) for size in [*sizes, len(given_audio)])
    assert taken == given_audio
    assert not playback


# Responses


def done(response_id: str = "r", **more: Any) -> Event:
    response = {"id": response_id, "status": "completed", "output": [], **more}
    return {"type": "response.done", "response": response}


def test_responses_end_for_a_reason(add: Callable[..., Conversation]) -> None:
    conversation = add(*spoken(48_000))
    [response] = conversation.active
    assert (response.id, response.status) == ("r", "in_progress")
    assert [item.id for item in response.items] == ["i"]
    details = {"type": "cancelled", "reason": "turn_detected"}
    add(done(status="cancelled", status_details=details), conversation=conversation)
    assert (response.status, response.reason) == ("cancelled", "turn_detected")
    assert conversation.active == []
    error = {"type": "server_error", "code": "busy"}
    failed = done("f", status="failed", status_details={"type": "failed", "error": error})
    found = add(failed, conversation=conversation).responses["f"].error
    assert found
    assert found["code"] == "busy"


def test_the_end_of_a_response_has_the_last_word(add: Callable[..., Conversation]) -> None:
    content = [{"type": "audio", "transcript": "The end."}]
    item = {"id": "i", "type": "message", "role": "assistant", "status": "completed"}
    conversation = add(*spoken(96), done(output=[{**item, "content": content}]))
    [found] = conversation.items
    assert (found.transcript, found.status) == ("The end.", "completed")
    other = add(*spoken(96), done(output=[{**item, "id": "other"}])).responses["r"]
    assert [each.id for each in other.items] == ["other"]
    late = {"type": "response.output_item.added", "response_id": "r", "item": {"id": "x"}}
    assert [each.id for each in add(late).responses["r"].items] == ["x"]
    assert add(late, conversation=conversation).responses["r"].items == [found]


def test_a_response_keeps_its_items(add: Callable[..., Conversation]) -> None:
    conversation = add(*spoken(96), done(output=[]))
    assert [each.id for each in conversation.responses["r"].items] == ["i"]
    deleted = {"type": "conversation.item.deleted", "item_id": "i"}
    assert ids(add(*spoken(96), deleted, done(output=[]))) == []


def test_a_server_may_send_no_event_of_the_conversation(add: Callable[..., Conversation]) -> None:
    item = {"id": "x", "type": "message", "role": "assistant", "content": []}
    assert ids(add(added("a"), done(output=[item]))) == ["a", "x"]


def test_responses_say_what_their_items_say(add: Callable[..., Conversation]) -> None:
    def item(item_id: str, kind: str, **more: Any) -> Event:
        return {"id": item_id, "type": kind, "role": "assistant", **more}

    text, speech = {"type": "text", "text": "One. "}, {"type": "audio", "transcript": "Two."}
    output = [item("a", "message", content=[text, speech]), item("b", "function_call", name="f")]
    output.append(item("c", "message", content=[text]))
    response = add(done(output=output)).responses["r"]
    assert (response.text, response.transcript) == ("One. One. ", "Two.")
    assert [call.name for call in response.calls] == ["f"]


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ({"type": "response.done", "response": {"id": "r"}}, "completed"),
        ({"type": "response.cancelled", "response": {"id": "r"}}, "cancelled"),
        ({"type": "response.cancelled", "response_id": "r"}, "cancelled"),
    ],
)
def test_not_every_server_says_how_a_response_ended(
    add: Callable[..., Conversation], end: Event, status: str
) -> None:
    conversation = add(*spoken(96), end)
    assert (conversation.responses["r"].status, conversation.active) == (status, [])
    used = add(done(usage=USAGE), end, conversation=conversation).usage
    assert used == ONCE


def test_out_of_band_responses_stay_apart(add: Callable[..., Conversation]) -> None:
    item = {"id": "x", "type": "message", "role": "assistant", "content": []}
    created = {
        "type": "response.created",
        "response": {"id": "o", "conversation_id": None, "metadata": {"topic": "t"}},
    }
    conversation = add(*spoken(96), created)
    assert [each.id for each in conversation.active] == ["r"]
    assert [each.id for each in conversation.active_out_of_band] == ["o"]
    end = done("o", conversation_id=None, output=[item], metadata={"topic": "t"})
    add(end, conversation=conversation)
    assert (ids(conversation), conversation.active_out_of_band) == (["i"], [])
    response = conversation.responses["o"]
    assert [each.id for each in response.items] == ["x"]
    assert (response.is_out_of_band, response.metadata) == (True, {"topic": "t"})
    found = conversation.item("x")
    assert found
    assert not found.is_in_conversation


def test_out_of_band_is_what_has_no_conversation(add: Callable[..., Conversation]) -> None:
    def created(response_id: str, **more: Any) -> Event:
        return {"type": "response.created", "response": {"id": response_id, **more}}

    # A server that never names the conversation, as some do.
    assert [each.id for each in add(created("a")).active] == ["a"]
    # It is out of band because it was asked for so,
    asked = {"type": "response.create", "response": {"conversation": "none"}}
    assert add(asked, created("b")).active == []
    # though not before those that were asked for before,
    conversation = add({"type": "response.create"}, asked, created("f"), created("g"))
    assert [each.id for each in conversation.active] == ["f"]
    # or because others of the server name it.
    conversation = add(created("c", conversation_id="conv"), created("d"))
    assert [each.id for each in conversation.active] == ["c"]
    assert [each.id for each in conversation.active_out_of_band] == ["d"]
    # Its item may come first.
    item = {"type": "response.output_item.added", "response_id": "e", "item": {"id": "x"}}
    add(item, created("e"), conversation=conversation)
    assert [each.id for each in conversation.active_out_of_band] == ["d", "e"]


USAGE = {
    "total_tokens": 30,
    "input_tokens": 20,
    "output_tokens": 10,
    "input_token_details": {
        "text_tokens": 8,
        "audio_tokens": 12,
        "cached_tokens": 6,
        "cached_tokens_details": {"text_tokens": 2, "audio_tokens": 4},
    },
    "output_token_details": {"text_tokens": 3, "audio_tokens": 7},
}
ONCE = Usage(
    **{"total": 30, "input": 20, "input_text": 8, "input_audio": 12, "input_cached": 6},
    **{"input_cached_text": 2, "input_cached_audio": 4},
    **{"output": 10, "output_text": 3, "output_audio": 7},
)


def test_usage_is_counted_once_a_response(add: Callable[..., Conversation]) -> None:
    conversation = add(done("a", usage=USAGE), done("b", usage=USAGE), done("a", usage=USAGE))
    assert conversation.usage == ONCE + ONCE
    assert conversation.responses["a"].usage == ONCE
    assert add(done("c", usage=None), conversation=conversation).usage - ONCE == ONCE


def test_parts_and_errors_are_objects(add: Callable[..., Conversation]) -> None:
    part = on_item("response.content_part.added", part=["text"])
    failed = on_item("conversation.item.input_audio_transcription.failed", error="Unclear.")
    assert add(added("i", content=[None, 1, "text"]), part, failed).items[0].parts == {}


def test_usage_that_is_no_number_is_left_out() -> None:
    assert Usage.of({"total_tokens": True, "input_tokens": "1", "output_tokens": None}) == Usage()
    assert Usage.of({"total_tokens": 10**5000, "input_tokens": 10**15}) == Usage()
    assert Usage.of(None) == Usage()


# What was sent


ITEM = {"id": "i", "type": "message", "role": "user", "content": []}


@pytest.mark.parametrize("form", [plain, typed(ga)])
@pytest.mark.parametrize(
    ("event", "answer"),
    [
        ({"type": "session.update", "session": {}}, {"type": "session.updated", "session": {}}),
        ({"type": "conversation.item.create", "item": ITEM}, added("i")),
        ({"type": "conversation.item.create", "item": {**ITEM, "id": None}}, added("any")),
        (
            {"type": "conversation.item.delete", "item_id": "i"},
            {"type": "conversation.item.deleted", "item_id": "i"},
        ),
        (
            {"type": "conversation.item.retrieve", "item_id": "i"},
            {"type": "conversation.item.retrieved", "item": ITEM},
        ),
        (
            on_item("conversation.item.truncate", audio_end_ms=1),
            on_item("conversation.item.truncated", audio_end_ms=1),
        ),
        (
            {"type": "input_audio_buffer.commit"},
            {"type": "input_audio_buffer.committed", "item_id": "i"},
        ),
        ({"type": "input_audio_buffer.clear"}, {"type": "input_audio_buffer.cleared"}),
        ({"type": "output_audio_buffer.clear"}, {"type": "output_audio_buffer.cleared"}),
        (
            {"type": "response.create"},
            {"type": "response.created", "response": {"id": "r", "conversation_id": "c"}},
        ),
        (
            {"type": "response.create", "response": {"conversation": "none"}},
            {"type": "response.created", "response": {"id": "r", "conversation_id": None}},
        ),
    ],
)
def test_a_confirmation_gives_what_it_confirms(form: Form, event: Event, answer: Event) -> None:
    conversation, sent = Conversation(), {**event, "event_id": "mine"}
    assert conversation.add(form(sent)) is None
    assert conversation.add(form(answer)) == sent
    assert conversation.add(form(answer)) is None  # a second time it answers nothing
    error = {"type": "error", "error": {"message": "", "event_id": "mine"}}
    assert conversation.add(form(error)) is None


@pytest.mark.parametrize("form", [plain, typed(ga)])
def test_an_error_gives_what_it_refuses(form: Form) -> None:
    error = {"type": "error", "error": {"type": "invalid", "message": "", "event_id": "second"}}
    first, second, third = (
        {"type": "response.create", "event_id": name} for name in ("first", "second", "third")
    )
    conversation = Conversation()
    for event in (first, second, third):
        conversation.add(form(event))
    assert conversation.add(form(error)) == second
    # What was refused is not confirmed any more.
    created = [{"type": "response.created", "response": {"id": each}} for each in "ab"]
    assert [conversation.add(form(each)) for each in created] == [first, third]


@pytest.mark.parametrize("known", [*spoken(9)[:2][1:], buffer("committed", item_id="i")])
def test_items_of_others_confirm_nothing(known: Event) -> None:
    sent = {"type": "conversation.item.create", "item": {"type": "message", "role": "user"}}
    conversation = Conversation()
    for event in (sent, known):
        assert conversation.add(event) is None
    assert conversation.add(added("i")) is None
    assert conversation.add(added("mine")) == sent


def test_a_response_that_is_created_twice_confirms_one_event() -> None:
    first, second = ({"type": "response.create", "event_id": each} for each in "ab")
    conversation = Conversation()
    for event in (first, second):
        conversation.add(event)
    created = [{"type": "response.created", "response": {"id": each}} for each in "rrs"]
    assert [conversation.add(each) for each in created] == [first, None, second]


def test_an_event_id_may_be_sent_again() -> None:
    first, second = ({"type": "session.update", "event_id": each} for each in "ab")
    conversation = Conversation()
    for event in (first, first, second):
        conversation.add(event)
    answers = [conversation.add({"type": "session.updated"}) for _ in range(3)]
    assert answers == [first, second, None]


def test_an_event_may_be_sent_again() -> None:
    commit, conversation = buffer("commit"), Conversation()
    for event in (commit, commit):
        conversation.add(event)
    assert [conversation.add(said(each)) for each in "abc"] == [commit, commit, None]


def test_the_answer_to_another_item_confirms_nothing() -> None:
    conversation = Conversation()
    conversation.add({"type": "conversation.item.delete", "item_id": "a"})
    assert conversation.add({"type": "conversation.item.deleted", "item_id": "b"}) is None


def test_what_is_sent_may_hold_models() -> None:
    content = {"type": "input_audio", "audio": audio(4800)}
    item = {"type": "message", "role": "user", "id": "i", "content": [content]}
    params = ga.RealtimeResponseCreateParams(conversation="none")
    create = {"type": "response.create", "response": params}
    message = ga.RealtimeConversationItemMessageUser.from_dict(item)
    sent = {"type": "conversation.item.create", "item": message}
    conversation = Conversation()
    for event in (create, sent):
        assert conversation.add(event) is None
    assert conversation.add(added("i")) == {"type": "conversation.item.create", "item": item}
    assert conversation.items[0].audio_bytes == 4800
    plain_create = {"type": "response.create", "response": {"conversation": "none"}}
    assert conversation.add({"type": "response.created", "response": {"id": "r"}}) == plain_create
    assert conversation.answered == plain_create
    assert conversation.active == []
    conversation.add({"type": "rate_limits.updated"})
    assert conversation.answered is None


@pytest.mark.parametrize("form", [plain, typed(ga)])
def test_what_was_sent_may_be_changed(form: Form) -> None:
    said = [{"type": "input_text", "text": "Hi."}]
    event = {
        "type": "conversation.item.create",
        "item": {"id": "i", "type": "message", "role": "user"},
    }
    conversation, sent = Conversation(), form({**event, "item": {**event["item"], "content": said}})
    conversation.add(sent)
    if is_object(sent):
        sent["item"]["content"][0]["text"] = sent["item"]["id"] = "other"
    else:
        sent.item.content[0].text = sent.item.id = "other"
    answered: Any = conversation.add(added("i"))
    assert answered["item"]["content"] == [{"type": "input_text", "text": "Hi."}]


def test_what_was_sent_may_be_a_mapping_of_mappings() -> None:
    sent = {"type": "response.create", "response": MappingProxyType({"conversation": "none"})}
    conversation = Conversation()
    conversation.add(MappingProxyType(sent))
    plain_sent = {"type": "response.create", "response": {"conversation": "none"}}
    assert conversation.add({"type": "response.created", "response": {"id": "r"}}) == plain_sent


def test_what_was_sent_may_be_nested_deeply() -> None:
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    conversation = Conversation()
    conversation.add({"type": "session.update", "session": nested, "event_id": "a"})
    assert conversation.add({"type": "error", "error": {"event_id": "a"}})


def test_sent_audio_is_not_held() -> None:
    conversation = Conversation()
    sent = {"type": "input_audio_buffer.append", "audio": audio(99), "event_id": "a"}
    assert conversation.add(sent) is None
    error = {"type": "error", "error": {"event_id": "a"}}
    assert conversation.add(error) == {"type": "input_audio_buffer.append", "event_id": "a"}


def test_what_is_never_answered_does_not_add_up() -> None:
    conversation = Conversation()
    for number in range(1500):
        conversation.add({"type": "response.cancel", "event_id": str(number)})
    errors = [{"type": "error", "error": {"event_id": each}} for each in ("0", "1499")]
    assert [bool(conversation.add(each)) for each in errors] == [False, True]


# The session, and whole recordings


def test_the_session_is_the_latest(add: Callable[..., Conversation]) -> None:
    conversation = add(
        {"type": "session.created", "session": {"id": "s", "instructions": "a"}},
        {"type": "conversation.created", "conversation": {"id": "c"}},
        {"type": "session.updated", "session": {"instructions": "b"}},
    )
    add({"type": "session.updated"}, conversation=conversation)
    session = conversation.session
    found = session["instructions"] if is_object(session) else session.instructions
    assert (conversation.session_id, found, conversation.id) == ("s", "b", "c")


def recorded() -> Iterator[Any]:
    for path in RECORDINGS:
        protocol = v1 if path.name.startswith("v1") else ga
        for form in (plain, typed(protocol)):
            yield pytest.param(path, form, id=f"{path.stem}-{form.__name__}")


@pytest.mark.parametrize(("path", "form"), [*recorded()])
def test_recordings_end_as_the_server_says(path: Any, form: Form) -> None:
    conversation = Conversation()
    final: dict[str, Event] = {}
    for line in path.read_text("utf-8").splitlines():
        event = json.loads(line)["event"]
        conversation.add(form(event))
        if event["type"] in ("conversation.item.created", "conversation.item.done"):
            final[event["item"]["id"]] = event["item"]
        elif event["type"] == "response.done":
            final |= {item["id"]: item for item in event["response"]["output"]}
    assert ids(conversation) == list(final)
    for item in conversation.items:
        wire = final[item.id]
        names = ("type", "role", "status", "name", "call_id", "output")
        assert [getattr(item, name) for name in names] == [wire.get(name) for name in names]
        assert item.arguments == wire.get("arguments", "")
        assert item.text == "".join(part.get("text", "") for part in wire.get("content", []))
    assert conversation.active == []


# Threads


class NotedLock:
    """A lock that notes who waits for it."""

    def __init__(self, seen: SimpleQueue[str]) -> None:
        self._lock = Lock()
        self._seen = seen

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self._seen.put("waits")
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class NotedEvent(dict[str, Any]):
    """An event that calls a function when its item is looked for, which is while it is added."""

    def __init__(self, function: Callable[[], object], **fields: Any) -> None:
        super().__init__(type="input_audio_buffer.committed", **fields)
        self._function = function

    def get(self, name: str, default: Any = None) -> Any:
        if name == "item_id":
            self._function()
        return super().get(name, default)


@pytest.mark.parametrize("does", ["adds", "reads"])
def test_others_wait_while_an_event_is_added(does: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = SimpleQueue[str]()
    monkeypatch.setattr(conversation_module, "Lock", lambda: NotedLock(seen))
    conversation, found = Conversation(), list[str]()

    def work() -> None:
        if does == "adds":
            conversation.add(NotedEvent(lambda: seen.put("adds"), item_id="b"))
        else:
            _ = conversation.items
            seen.put("reads")

    other = Thread(target=work)

    def start() -> None:
        if not found:
            other.start()
            found.append(seen.get(timeout=20))

    conversation.add(NotedEvent(start, item_id="a"))
    other.join()
    assert found == ["waits"]
    assert seen.get(timeout=20) == does


# Anything


NAMES = st.sampled_from(["i", "j", "r", "", "c"]) | ANYTHING
KINDS = sorted(
    {
        json.loads(line)["event"]["type"]
        for path in RECORDINGS
        for line in path.read_text("utf-8").splitlines()
    }
    | {
        *("conversation.item.deleted", "conversation.item.truncated", "input_audio_buffer.append"),
        *("conversation.item.retrieved", "input_audio_buffer.committed", "response.audio.delta"),
        *("response.output_audio.delta", "response.output_audio.done", "response.cancelled"),
        *("response.function_call_arguments.delta", "conversation.item.truncate", "error"),
        "conversation.item.input_audio_transcription.completed",
        *("conversation.item.input_audio_transcription.failed", "vendor.made.it.up"),
    }
)
PARTS = st.lists(
    st.fixed_dictionaries({}, optional={"text": NAMES, "transcript": NAMES}) | ANYTHING
)
ITEMS = st.fixed_dictionaries({}, optional={"id": NAMES, "content": PARTS, "status": ANYTHING})
RESPONSES = st.fixed_dictionaries(
    {}, optional={"id": NAMES, "output": st.lists(ITEMS), "usage": ANYTHING}
)
FIELDS = {
    **dict.fromkeys(("item_id", "response_id", "previous_item_id", "event_id", "delta"), NAMES),
    **dict.fromkeys(("content_index", "audio_end_ms", "usage", "part", "session"), ANYTHING),
    **{"item": ITEMS | ANYTHING, "response": RESPONSES | ANYTHING, "error": ANYTHING},
}
EVENTS = st.builds(
    lambda kind, more: {"type": kind, **more},
    st.sampled_from(KINDS),
    st.fixed_dictionaries({}, optional=FIELDS),
)


def consistent(conversation: Conversation) -> None:
    """Everything can be read, and the order is one list."""
    items = conversation.items
    assert all(conversation.item(item.id) is item and item.is_in_conversation for item in items)
    assert len({item.id for item in items}) == len(items)
    for item in items:
        _ = repr(item), item.text, item.transcript, item.arguments, item.audio_ms
        _ = conversation.heard(item.id, 10)
    for response in conversation.responses.values():
        _ = repr(response), response.items


@given(st.lists(EVENTS, max_size=30))
@settings(deadline=None, max_examples=50)
def test_no_event_raises(events: list[Event]) -> None:
    for form in (plain, typed(ga), typed(v1)):
        conversation = Conversation(keep_audio=True)
        for event in events:
            conversation.add(form(event))
        consistent(conversation)


@given(st.randoms(use_true_random=False), st.sampled_from(RECORDINGS))
@settings(deadline=None, max_examples=50)
def test_events_may_be_doubled_lost_and_out_of_order(random: Any, path: Any) -> None:
    lines = path.read_text("utf-8").splitlines()
    events = [json.loads(line)["event"] for line in lines if random.random() < 0.9]
    events += random.choices(events, k=10)
    for _ in range(10):
        at = random.randrange(len(events) - 1)
        events[at], events[at + 1] = events[at + 1], events[at]
    conversation = Conversation()
    for event in events:
        conversation.add(event)
    consistent(conversation)


def test_a_delta_of_audio_costs_no_more_than_parsing_it() -> None:
    text = json.dumps(on_item("response.output_audio.delta", event_id="e", delta=audio(4800)))
    event, conversation = ga.parse_server_event(text), Conversation()

    def best(function: Callable[[], object]) -> float:
        times = list[float]()
        for _ in range(20):
            start = time.perf_counter()
            for _ in range(200):
                function()
            times.append(time.perf_counter() - start)
        return min(times)

    ratio = best(lambda: conversation.add(event)) / best(lambda: ga.parse_server_event(text))
    assert ratio < 1
