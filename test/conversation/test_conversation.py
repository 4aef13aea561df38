"""`Conversation`: the state that follows from events, typed and as dictionaries."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from threading import Lock, Thread
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openai_realtime_client import Conversation, Usage, ga, v1
from openai_realtime_client.conversation import state as conversation_module
from openai_realtime_client.core.json_types import is_object
from protocols import ANYTHING, ROOT

RECORDINGS = sorted((ROOT / "test/recordings").glob("*.jsonl"))
TRANSCRIPTION = "conversation.item.input_audio_transcription"
REFUSED = {"type": "error", "error": {"type": "invalid", "message": "", "event_id": "mine"}}
SENT = ("conversation.item.create", "response.create", "session.update", "response.cancel")
SENT += tuple(f"input_audio_buffer.{name}" for name in ("append", "commit", "clear"))

Event = dict[str, Any]
Form = Callable[[Event], Any]
# Takes events and, by name, the conversation to add them to, or else a new one.
Add = Callable[..., Conversation]


def typed(protocol: Any) -> Form:
    def form(event: Event) -> Any:
        is_sent = event["type"].startswith(SENT) and not event["type"].endswith("ed")
        parse = protocol.parse_client_event if is_sent else protocol.parse_server_event
        return parse(json.dumps(event))

    return form


def plain(event: Event) -> Event:
    return event


@pytest.fixture(params=[plain, typed(ga), typed(v1)], ids=["dictionaries", "ga", "v1"])
def add(request: pytest.FixtureRequest) -> Add:
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


def first(item_id: str | None) -> Event:
    item = added(item_id or "")["item"]
    if item_id is None:
        del item["id"]
    create = {"type": "conversation.item.create", "event_id": "mine", "item": item}
    return {**create, "previous_item_id": "root"}


def deleted(item_id: str) -> Event:
    return {"type": "conversation.item.deleted", "item_id": item_id}


def message(item_id: str, **more: Any) -> Event:
    return {"id": item_id, "type": "message", "role": "assistant", "content": [], **more}


def session(kind: str = "created", **settings: Any) -> Event:
    return {"type": f"session.{kind}", "session": settings}


def created(response_id: str, **more: Any) -> Event:
    return {"type": "response.created", "response": {"id": response_id, **more}}


def on_item(kind: str, **more: Any) -> Event:
    where = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}
    return {"type": kind, **where, **more}


def audio(size: int) -> str:
    return base64.b64encode(bytes(size)).decode()


def spoken(size: int, *more: Event, item_id: str = "i") -> list[Event]:
    """An answer of which `size` bytes of audio were received."""
    return [
        created("r", conversation_id="c"),
        {"type": "response.output_item.added", "response_id": "r", "item": message(item_id)},
        added(item_id, role="assistant", status="in_progress"),
        on_item("response.output_audio.delta", delta=audio(size), item_id=item_id),
        *more,
    ]


def append(size: int) -> Event:
    return {"type": "input_audio_buffer.append", "audio": audio(size)}


def buffer(kind: str, **more: Any) -> Event:
    return {"type": f"input_audio_buffer.{kind}", **more}


def said(item_id: str = "said") -> Event:
    return buffer("committed", item_id=item_id, previous_item_id=None)


def ids(conversation: Conversation) -> list[str]:
    return [item.id for item in conversation.items]


# Items


def test_items_are_ordered_by_previous_item_id(add: Add) -> None:
    events = [added("a"), added("b", "a"), added("c", "a"), added("end", "b")]
    assert ids(add(*events)) == ["a", "c", "b", "end"]
    assert ids(add(added("a"), added("b", "a"), added("c", "gone"))) == ["a", "b", "c"]
    # A second event does not move an item whose place is known.
    assert ids(add(*events, added("end", "a"))) == ["a", "c", "b", "end"]


def test_null_previous_item_is_the_start_only_if_it_was_asked_for(add: Add) -> None:
    assert ids(add(*map(added, "abc"))) == ["a", "b", "c"]
    assert ids(add(added("a"), first("b"), added("b"))) == ["b", "a"]
    without_id = first(None)
    assert ids(add(added("a"), without_id, added("b"), added("c"))) == ["b", "a", "c"]
    # An answer is not the item that was asked for.
    answer = added("x", role="assistant")
    assert ids(add(added("a"), without_id, answer, added("b"))) == ["b", "a", "x"]
    assert ids(add(added("a"), without_id, REFUSED, added("b"))) == ["a", "b"]


def test_event_without_place_is_moved_by_one_with_it(add: Add) -> None:
    done = {"type": "conversation.item.done", "item": message("b")}
    assert ids(add(added("a"), done)) == ["a", "b"]
    assert ids(add(added("a"), done, added("c", "b"), added("b", "a"))) == ["a", "b", "c"]
    assert ids(add(done, added("a"), added("b", "a"))) == ["a", "b"]
    assert ids(add(added("a"), added("a", "a"))) == ["a"]


@given(st.lists(st.tuples(st.sampled_from(["add", "delete"]), st.randoms()), max_size=20))
@settings(deadline=None, max_examples=50)
def test_items_are_added_and_deleted_as_in_a_list(steps: list[tuple[str, Any]]) -> None:
    conversation, expected = Conversation(), list[str]()
    for number, (step, random) in enumerate(steps):
        if step == "add":
            at = random.randint(1, len(expected)) if expected else 0
            conversation.add(added(str(number), expected[at - 1] if at else None))
            expected.insert(at, str(number))
        elif expected:
            gone = random.choice(expected)
            expected.remove(gone)
            conversation.add(deleted(gone))
        assert ids(conversation) == expected


def test_committed_audio_has_its_place_before_its_item_arrives(add: Add) -> None:
    conversation = add(said(), added("answer", "said", role="assistant"))
    add(added("said", None, status="completed"), conversation=conversation)
    assert ids(conversation) == ["said", "answer"]
    assert conversation.items[0].role == "user"


@pytest.mark.parametrize(
    ("item_id", "left"), [("a", ["b", "c"]), ("b", ["a", "c"]), ("c", ["a", "b"])]
)
def test_deleted_items_are_gone_and_late_deltas_ignored(
    add: Add, item_id: str, left: list[str]
) -> None:
    conversation = add(added("a"), added("b", "a"), added("c", "b"))
    gone = conversation.item(item_id)
    # What comes late does not bring it back.
    late = on_item("response.text.delta", item_id=item_id, delta="x")
    add(deleted(item_id), late, conversation=conversation)
    assert ids(conversation) == left
    assert conversation.item(item_id) is None
    assert gone is not None
    assert not gone.is_in_conversation
    add(added("new", left[-1]), conversation=conversation)
    assert ids(conversation) == [*left, "new"]
    add(added(item_id, "new"), conversation=conversation)
    assert ids(conversation) == [*left, "new", item_id]


def test_items_may_be_deleted_until_none_is_left(add: Add) -> None:
    conversation = add(added("a"), added("b", "a"), added("c", "b"))
    for each in ("b", "c", "a"):
        add(deleted(each), added(f"after {each}", "gone"), conversation=conversation)
    assert ids(conversation) == ["after b", "after c", "after a"]


# Content


def text(end: str, **more: Any) -> Event:
    return on_item(f"response.text.{end}", **more)


def part(end: str, **more: Any) -> Event:
    return on_item(f"response.content_part.{end}", part={"type": "text", **more})


def part_delta(index: int, delta: str) -> Event:
    return on_item("response.output_text.delta", delta=delta, content_index=index)


def arguments(end: str, **more: Any) -> Event:
    return on_item(f"response.function_call_arguments.{end}", call_id="c", **more)


def truncated(milliseconds: int) -> Event:
    return on_item("conversation.item.truncated", audio_end_ms=milliseconds)


def output(kind: str, **more: Any) -> Event:
    return {"audio": {"output": {"format": {"type": f"audio/{kind}", **more}}}}


def with_format(**own: Any) -> list[Event]:
    """Return an answer whose response has settings of its own."""
    first, *more = spoken(4800)
    return [{**first, "response": {**first["response"], **own}}, *more]


CALL = {"id": "i", "type": "function_call", "name": "f", "call_id": "c", "arguments": ""}
CALLED = {"type": "conversation.item.created", "previous_item_id": None, "item": CALL}
NO_OBJECT = on_item("response.content_part.added", part=["text"])
RETRIEVED = {
    "type": "conversation.item.retrieved",
    "item": message("i", content=[{"type": "audio", "transcript": "Hi.", "audio": audio(4800)}]),
}
MORE_AUDIO = on_item("response.output_audio.delta", delta=audio(960))
COMPLETED = {"type": "conversation.item.done", "item": {"id": "i", "status": "completed"}}
IN_PROGRESS = added("i", status="in_progress")
HEL, LO = text("delta", delta="Hel"), text("delta", delta="lo")
EMPTY, HELLO = text("done", text=""), text("done", text="Hello.")
ENDED = on_item("response.output_audio.done")
ADDED, SHORT, LONG = added("i"), spoken(960), spoken(4800)
ULAW = session(output_audio_format="g711_ulaw")


def case(case_id: str, *events: Event, **expected: Any) -> Any:
    """Return a case in which events make an item of which some attributes are known."""
    return pytest.param(events, expected, id=case_id)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        case("text_deltas_joined", ADDED, HEL, LO, text="Hello"),
        case("text_delta_after_done_ignored", ADDED, HEL, HELLO, LO, text="Hello."),
        case("part_done_replaces_text", ADDED, HELLO, part("done", text="Hi."), text="Hi."),
        case("late_part_ignored", ADDED, HEL, part("added", text=""), text="Hel"),
        case(
            "late_part_after_empty_text_ignored", ADDED, EMPTY, part("added", text="Hel"), text=""
        ),
        case("late_in_progress_ignored", ADDED, COMPLETED, IN_PROGRESS, status="completed"),
        case("parts_in_order_of_index", ADDED, part_delta(1, "b"), part_delta(0, "a"), text="ab"),
        case("parts_not_objects_ignored", added("i", content=[None, 1]), NO_OBJECT, text=""),
        case("call_created", CALLED, name="f", call_id="c", arguments=""),
        case("argument_deltas_joined", CALLED, arguments("delta", delta='{"a"'), arguments='{"a"'),
        case("argument_done_is_all", CALLED, arguments("done", arguments="{}"), arguments="{}"),
        case("retrieved_audio_is_all", *SHORT, RETRIEVED, audio_ms=100, transcript="Hi."),
        *(case(f"audio_of_{size}_bytes", *spoken(size), audio_bytes=size) for size in range(6)),
        case("audio_kept", *SHORT, audio=bytes(960)),
        case("audio_cut_by_truncate", *SHORT, truncated(10), audio=bytes(480)),
        case("audio_after_truncate_ignored", *SHORT, truncated(10), MORE_AUDIO, audio=bytes(480)),
        case("negative_truncate_cuts_all", *SHORT, truncated(-5), audio_ms=0, audio=b""),
        case("audio_after_done_ignored", *SHORT, ENDED, MORE_AUDIO, audio_bytes=960),
        case("default_format_is_pcm", session(), *LONG, audio_ms=100),
        case("v1_pcm16", session(output_audio_format="pcm16"), *LONG, audio_ms=100),
        case("ga_pcm", session(**output("pcm", rate=24000)), *LONG, audio_ms=100),
        case("ga_pcm_48_khz", session(**output("pcm", rate=48000)), *LONG, audio_ms=50),
        case("v1_ulaw", ULAW, *LONG, audio_ms=600),
        case("ga_pcmu", session(**output("pcmu")), *LONG, audio_ms=600),
        case("ga_pcma", session(**output("pcma")), *LONG, audio_ms=600),
        case("ulaw_kept_by_other_update", ULAW, session("updated", speed=1.5), *LONG, audio_ms=600),
        case("v1_format_of_response", *with_format(output_audio_format="g711_alaw"), audio_ms=600),
        case("ga_format_of_response", *with_format(**output("pcma")), audio_ms=600),
    ],
)
def test_content_follows_from_events(add: Add, events: list[Event], expected: Event) -> None:
    [item] = add(*events, conversation=Conversation(keep_audio=True)).items
    kept = item.parts[0].audio if item.parts else b""
    assert {n: kept if n == "audio" else getattr(item, n) for n in expected} == expected


def test_a_part_has_the_type_that_the_server_gave_last(add: Add) -> None:
    ended = on_item("response.content_part.done", part={"type": "audio", "transcript": "Hi."})
    [item] = add(added("i"), part("added", text=""), ended).items
    assert {index: each.type for index, each in item.parts.items()} == {0: "audio"}


def test_late_transcription_is_kept_and_counted_once(add: Add) -> None:
    silent = [{"type": "input_audio", "transcript": None}]
    usage = {"type": "tokens", "total_tokens": 12, "input_tokens": 9, "output_tokens": 3}
    completed = on_item(f"{TRANSCRIPTION}.completed", transcript="Good day.", usage=usage)
    conversation = add(
        added("i", content=silent),
        added("answer", "i", role="assistant"),
        on_item(f"{TRANSCRIPTION}.delta", delta="Good"),
        completed,
        completed,  # It is sent twice, and counted once.
        {"type": "conversation.item.done", "item": {"id": "i", "content": silent}},
    )
    assert [item.transcript for item in conversation.items] == ["Good day.", ""]
    assert conversation.transcription_usage == Usage(total=12, input=9, output=3)
    failure = {"type": "transcription_error", "message": "Unclear.", "code": "x", "param": None}
    add(on_item(f"{TRANSCRIPTION}.failed", error=failure), conversation=conversation)
    error = conversation.items[0].parts[0].transcription_error
    assert error
    assert error["message"] == "Unclear."
    by_time = {"type": "duration", "seconds": 3}
    completed = on_item(f"{TRANSCRIPTION}.completed", transcript="Hi", usage=by_time)
    assert add(completed).transcription_usage == Usage(seconds=3)


# What the user says


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 100),
        ({"input_audio_format": "g711_alaw", "output_audio_format": "pcm16"}, 600),
        ({"audio": {"input": {"format": {"type": "audio/pcmu"}}}}, 600),
    ],
)
def test_the_audio_of_the_user_is_counted(add: Add, settings: Event, expected: int) -> None:
    dropped = [append(999), buffer("clear"), buffer("cleared")]
    early = append(48)  # of the next turn, as it is sent after the commit
    events = [*dropped, append(4000), append(800), buffer("commit"), early, said()]
    conversation = add(session(**settings), *events)
    [item] = conversation.items
    # The audio itself is kept only if asked for.
    assert (item.audio_bytes, item.audio_ms, item.parts[0].audio) == (4800, expected, b"")
    assert conversation.heard("said", 10) is None
    add(buffer("commit"), said("next"), conversation=conversation)
    assert conversation.items[-1].audio_bytes == 48
    content = [{"type": "input_audio", "audio": audio(4800)}]
    item = message("i", role="user", content=content)
    create = {"type": "conversation.item.create", "item": item}
    echo = added("i", content=[{"type": "input_audio", "transcript": None}])
    [found] = add(session(**settings), create, echo).items
    assert (found.audio_bytes, found.audio_ms) == (4800, expected)


@pytest.mark.parametrize(
    "error", [{"event_id": "c"}, {"code": "input_audio_buffer_commit_empty", "message": "Empty."}]
)
def test_audio_stays_in_the_buffer_when_its_commit_is_refused(add: Add, error: Event) -> None:
    # More is sent before the server refuses.
    events = [append(48), buffer("commit", event_id="c"), append(52)]
    events += [{"type": "error", "error": error}, append(4700), buffer("commit"), said()]
    assert add(*events).items[0].audio_bytes == 4800


def test_turn_detection_tells_how_long_speech_was(add: Add) -> None:
    started = buffer("speech_started", item_id="said", audio_start_ms=1000)
    stopped = buffer("speech_stopped", item_id="said", audio_end_ms=1250)
    conversation = add(append(96_000), started, stopped, said())
    assert (conversation.items[0].audio_bytes, conversation.items[0].audio_ms) == (12_000, 250)
    # It had no need of a commit. What was sent before is not in the buffer any more.
    add(append(48), buffer("commit"), said("next"), conversation=conversation)
    assert conversation.items[-1].audio_bytes == 48
    waited = buffer("timeout_triggered", item_id="none", audio_start_ms=0, audio_end_ms=100)
    assert add(waited, said("none")).items[0].audio_ms == 100
    # Without both ends it is not known.
    assert add(append(48), started, said()).items[0].parts == {}


# Interruption


def test_heard_returns_truncate_event_and_transcript_stays(add: Add) -> None:
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
    # Nobody knows which words were heard, so the transcript stays.
    assert (item.audio_ms, item.parts[0].truncated_ms) == (250, 250)
    assert (item.audio_ms, item.transcript) == (250, "A long story")
    done = on_item("response.output_audio_transcript.done", transcript="A long story.")
    assert add(done, conversation=conversation).items[0].transcript == "A long story."
    assert conversation.heard("i", 250) is None
    assert conversation.heard("i", 900) is None


@pytest.mark.parametrize(("milliseconds", "end"), [(-5, 0), (0, 0), (999, 999), (5000, 1000)])
def test_the_end_is_within_the_audio(add: Add, milliseconds: float, end: int) -> None:
    event = add(*spoken(48_000)).heard("i", milliseconds)
    assert event
    assert event["audio_end_ms"] == end


def test_heard_is_none_if_nothing_is_to_cut(add: Add) -> None:
    conversation = add(*spoken(48_000, on_item("response.output_audio.done")), added("silent"))
    assert conversation.heard("silent", 10) is None
    assert conversation.heard("none", 10) is None
    assert conversation.heard("i", 1000) is None
    assert conversation.heard("i", 999)
    add(deleted("i"), conversation=conversation)
    assert conversation.heard("i", 10) is None


def test_heard_cuts_the_part_in_which_playback_was(add: Add) -> None:
    second = on_item("response.output_audio.delta", delta=audio(24_000), content_index=2)
    text = on_item("response.output_text.delta", delta="between", content_index=1)
    conversation = add(*spoken(48_000, text, second))
    found = [conversation.heard("i", each) or {} for each in (700, 1200, 9000)]
    assert [(each["content_index"], each["audio_end_ms"]) for each in found] == [
        (0, 700),
        (2, 200),
        (2, 500),
    ]


# Responses


def done(response_id: str = "r", **more: Any) -> Event:
    response = {"id": response_id, "status": "completed", "output": [], **more}
    return {"type": "response.done", "response": response}


def names(found: Iterable[Any]) -> list[str]:
    return [each.id for each in found]


def test_responses_end_for_a_reason(add: Add) -> None:
    conversation = add(*spoken(48_000))
    [response] = conversation.active
    assert (response.id, response.status, names(response.items)) == ("r", "in_progress", ["i"])
    details = {"type": "cancelled", "reason": "turn_detected"}
    add(done(status="cancelled", status_details=details), conversation=conversation)
    assert (response.status, response.reason) == ("cancelled", "turn_detected")
    assert (conversation.active, response.items[0].parts[0].audio) == ([], b"")
    error = {"type": "server_error", "code": "busy"}
    failed = done("f", status="failed", status_details={"type": "failed", "error": error})
    found = add(failed, conversation=conversation).responses["f"].error
    assert found
    assert found["code"] == "busy"


def test_output_of_response_done_replaces_its_items(add: Add) -> None:
    content = [{"type": "audio", "transcript": "The end."}]
    item = message("i", status="completed", content=content)
    conversation = add(*spoken(96), done(output=[item]))
    [found] = conversation.items
    assert (found.transcript, found.status) == ("The end.", "completed")
    other = add(*spoken(96), done(output=[message("other")]))
    assert names(other.responses["r"].items) == ["other"]
    late = {"type": "response.output_item.added", "response_id": "r", "item": {"id": "x"}}
    assert names(add(late).responses["r"].items) == ["x"]
    assert add(late, conversation=conversation).responses["r"].items == [found]


def test_a_response_keeps_its_items(add: Add) -> None:
    assert names(add(*spoken(96), done(output=[])).responses["r"].items) == ["i"]
    assert ids(add(*spoken(96), deleted("i"), done(output=[]))) == []
    # A server may send no event of the conversation.
    assert ids(add(added("a"), done(output=[message("x")]))) == ["a", "x"]


def test_responses_say_what_their_items_say(add: Add) -> None:
    text, speech = {"type": "text", "text": "One. "}, {"type": "audio", "transcript": "Two."}
    call = {"id": "b", "type": "function_call", "name": "f"}
    output = [message("a", content=[text, speech]), call, message("c", content=[text])]
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
def test_response_without_status_has_that_of_its_event(add: Add, end: Event, status: str) -> None:
    conversation = add(*spoken(96), end)
    assert (conversation.responses["r"].status, conversation.active) == (status, [])
    used = add(done(usage=USAGE), end, conversation=conversation).usage
    assert used == ONCE


def test_out_of_band_responses_stay_apart(add: Add) -> None:
    begun = created("o", conversation_id=None, metadata={"topic": "t"})
    conversation = add(*spoken(96), begun)
    assert names(conversation.active) == ["r"]
    assert names(conversation.active_out_of_band) == ["o"]
    end = done("o", conversation_id=None, output=[message("x")])
    add(end, conversation=conversation)
    assert (ids(conversation), conversation.active_out_of_band) == (["i"], [])
    response = conversation.responses["o"]
    assert (response.is_out_of_band, response.metadata) == (True, {"topic": "t"})
    assert names(response.items) == ["x"]
    assert not response.items[0].is_in_conversation
    assert conversation.item("x") is response.items[0]


def out_of_band(**metadata: str) -> Event:
    response = {"conversation": "none", **({"metadata": metadata} if metadata else {})}
    return {"type": "response.create", "event_id": "mine", "response": response}


ABOUT_T = out_of_band(topic="t")


def test_null_is_out_of_band_once_the_server_names_conversations(add: Add) -> None:
    nameless = created("a", conversation_id=None)
    item = {"type": "response.output_item.added", "response_id": "a", "item": message("x")}
    conversation = add(nameless, item)
    assert (names(conversation.active), ids(conversation)) == (["a"], ["x"])
    add(created("b", conversation_id="conv"), conversation=conversation)
    assert names(conversation.active) == ["b"]
    assert (names(conversation.active_out_of_band), ids(conversation)) == (["a"], [])
    # Absence says nothing.
    assert names(add(created("c"), conversation=conversation).active) == ["b", "c"]


@pytest.mark.parametrize(
    ("sent", "response", "expected"),
    [
        pytest.param(out_of_band(), {}, True, id="asked_out_of_band"),
        pytest.param(ABOUT_T, {"metadata": {"topic": "t"}}, True, id="same_metadata"),
        pytest.param(ABOUT_T, {}, False, id="begun_by_turn_detection"),
        pytest.param(ABOUT_T, {"metadata": {"topic": "u"}}, False, id="other_metadata"),
        pytest.param(out_of_band(), {"conversation_id": "c"}, False, id="conversation_named"),
        pytest.param({"type": "response.create"}, {}, False, id="conversation_not_named"),
    ],
)
def test_a_sent_request_makes_a_response_out_of_band(
    add: Add, sent: Event, response: Event, *, expected: bool
) -> None:
    conversation = add(sent, created("r", **response))
    assert conversation.responses["r"].is_out_of_band is expected
    # Its request is used up.
    add(created("s"), conversation=conversation)
    assert conversation.responses["s"].is_out_of_band is (sent == out_of_band() and not expected)


def test_a_refused_request_makes_no_response_out_of_band(add: Add) -> None:
    assert names(add(out_of_band(), REFUSED, created("r")).active) == ["r"]


# A different number for each, where the server has it.
USAGE = {
    "total_tokens": 1,
    "input_tokens": 2,
    "input_token_details": {
        "text_tokens": 3,
        "audio_tokens": 4,
        "image_tokens": 5,
        "cached_tokens": 6,
        "cached_tokens_details": {"text_tokens": 7, "audio_tokens": 8, "image_tokens": 9},
    },
    "output_tokens": 10,
    "output_token_details": {"text_tokens": 11, "audio_tokens": 12, "reasoning_tokens": 13},
}
ONCE = Usage(*range(1, 14))


def test_usage_is_counted_once_a_response(add: Add) -> None:
    conversation = add(done("a", usage=USAGE), done("b", usage=USAGE), done("a", usage=USAGE))
    assert conversation.usage == ONCE + ONCE
    assert conversation.responses["a"].usage == ONCE
    assert add(done("c", usage=None), conversation=conversation).usage - ONCE == ONCE
    # Some servers give responses no id.
    without_id = {"type": "response.done", "response": {"usage": USAGE}}
    assert add(without_id, conversation=conversation).usage == ONCE + ONCE + ONCE


def test_usage_that_is_no_number_is_left_out() -> None:
    assert Usage.of({"total_tokens": True, "input_tokens": "1", "output_tokens": None}) == Usage()
    assert Usage.of({"total_tokens": 10**5000, "input_tokens": 10**15}) == Usage()
    assert Usage.of(None) == Usage()


# What was sent


def update(output_format: str, event_id: str = "mine") -> Event:
    settings = {"output_audio_format": output_format}
    return {"type": "session.update", "event_id": event_id, "session": settings}


ULAW_SENT = update("g711_ulaw")
PCM_SET = session("updated", output_audio_format="pcm16")


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([ULAW_SENT], "audio/pcmu", id="update_sent"),
        pytest.param([ULAW_SENT, session()], "audio/pcmu", id="sent_before_created"),
        pytest.param([ULAW_SENT, REFUSED], "audio/pcm", id="update_refused"),
        pytest.param(
            [ULAW_SENT, session("updated", speed=1.5)], "audio/pcmu", id="confirmed_by_other_update"
        ),
        pytest.param([ULAW_SENT, PCM_SET], "audio/pcm", id="server_has_the_last_word"),
        pytest.param(
            [update("g711_ulaw", "other"), update("g711_alaw"), REFUSED],
            "audio/pcmu",
            id="second_update_refused",
        ),
    ],
)
def test_what_was_sent_counts_until_the_server_says_otherwise(
    add: Add, events: list[Event], expected: str
) -> None:
    assert add(*events).output_format.type == expected


def test_interrupted_g711_is_measured_without_a_confirmation(add: Add) -> None:
    # 2 s of G.711, of which 1.5 s were heard.
    event = add(update("g711_ulaw"), *spoken(16_000)).heard("i", 1500)
    assert event
    assert event["audio_end_ms"] == 1500


def test_what_is_sent_may_hold_models_and_mappings() -> None:
    content = {"type": "input_audio", "audio": audio(4800)}
    item = {"type": "message", "role": "user", "id": "i", "content": [content]}
    conversation = Conversation()
    sent = ga.RealtimeConversationItemMessageUser.from_dict(item)
    conversation.add({"type": "conversation.item.create", "item": sent})
    conversation.add(added("i"))
    assert conversation.items[0].audio_bytes == 4800
    for none in (
        ga.RealtimeResponseCreateParams(conversation="none"),
        MappingProxyType({"conversation": "none"}),
    ):
        conversation.add(MappingProxyType({"type": "response.create", "response": none}))
    conversation.add(created("r"))
    conversation.add(created("s"))
    assert conversation.active == []


def test_what_was_sent_may_be_nested_deeply() -> None:
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    Conversation().add({"type": "session.update", "session": nested})


# Calls


def called(call_id: str = "c", **more: Any) -> Event:
    call = {"type": "function_call", "name": "f", "call_id": call_id, "arguments": "{}"}
    return {"id": f"item_{call_id}", "status": "completed", **call, **more}


def returned(call_id: str = "c") -> Event:
    item = {"type": "function_call_output", "call_id": call_id, "output": "done"}
    return {"type": "conversation.item.create", "item": item}


def due(conversation: Conversation) -> list[str | None]:
    return [call.call_id for call in conversation.calls_due]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([done(output=[called()])], ["c"], id="response_completed"),
        pytest.param(
            [done(output=[called("a"), called("b")]), returned("a")],
            ["b"],
            id="one_of_two_returned",
        ),
        pytest.param([done(output=[called()]), returned()], [], id="output_sent"),
        pytest.param([done(output=[called(status="incomplete")])], [], id="call_incomplete"),
        *(
            pytest.param([done(status=status, output=[called()])], [], id=f"response_{status}")
            for status in ("cancelled", "failed", "incomplete")
        ),
        pytest.param(
            [created("x", conversation_id="y"), done(conversation_id=None, output=[called()])],
            [],
            id="out_of_band",
        ),
        pytest.param(
            [done(output=[called()]), session(id="other")], ["c"], id="session_is_the_first"
        ),
        pytest.param(
            [session(id="s"), done(output=[called()]), session(id="other")], [], id="session_ended"
        ),
        pytest.param([done(output=[called()]), done(output=[called()])], ["c"], id="ended_twice"),
        pytest.param(
            [done(output=[called()]), returned(), done(output=[called()])],
            [],
            id="ended_again_after_output",
        ),
    ],
)
def test_calls_are_due_until_they_have_an_output(
    add: Add, events: list[Event], expected: list[str]
) -> None:
    assert due(add(*events)) == expected


def test_approvals_are_due_until_they_are_decided(add: Add) -> None:
    request = {"id": "a", "type": "mcp_approval_request", "name": "f", "arguments": "{}"}
    conversation = add(done(output=[{**request, "server_label": "l"}]))
    assert names(conversation.approvals_due) == ["a"]
    item = {"type": "mcp_approval_response", "id": "b", "approval_request_id": "a", "approve": True}
    add({"type": "conversation.item.create", "item": item}, conversation=conversation)
    assert conversation.approvals_due == []


def test_error_of_mcp_call_is_kept(add: Add) -> None:
    call = {"id": "i", "type": "mcp_call", "server_label": "l", "name": "f", "arguments": "{}"}
    error = {"type": "http_error", "code": 502, "message": "Bad gateway"}
    done = {"type": "conversation.item.done", "item": {**call, "error": error}}
    [item] = add({"type": "response.mcp_call.failed", "item_id": "i"}, done).items
    assert item.error
    assert item.error["message"] == "Bad gateway"
    add({**done, "item": {**call, "error": None}}, conversation=(conversation := Conversation()))
    assert conversation.items[0].error is None


def test_arguments_object_and_float_usage_are_read(add: Add) -> None:
    call = called(arguments={"city": "Ås"})
    usage = {"total_tokens": 7.0, "input_tokens": 3.0}
    conversation = add(done(output=[call], usage=usage))
    assert conversation.items[0].arguments == '{"city":"Ås"}'
    assert conversation.usage == Usage(total=7, input=3)


# Servers that leave out events of items


WHERE = {"response_id": "r", "item_id": "a", "output_index": 0}
ENDED = {"type": "response.done", "response": {"id": "r", "status": "completed", "output": None}}


def test_deltas_make_items(add: Add) -> None:
    heard = {"item_id": "u", "content_index": 0, "transcript": "Hi."}
    conversation = add(
        {"type": f"{TRANSCRIPTION}.completed", **heard},
        created("r"),
        {"type": "response.output_audio.delta", **WHERE, "delta": audio(48_000)},
        {"type": "response.output_audio_transcript.delta", **WHERE, "delta": "Hel"},
    )
    assert [(item.role, item.transcript) for item in conversation.items] == [
        ("user", "Hi."),
        ("assistant", "Hel"),
    ]
    event = conversation.heard("a", 500)  # in the middle of the answer
    assert event
    assert event["audio_end_ms"] == 500
    add(ENDED, conversation=conversation)
    assert names(conversation.responses["r"].items) == ["a"]
    assert conversation.active == []


def call_done(call_id: str, **more: Any) -> Event:
    kind = "response.function_call_arguments.done"
    return {"type": kind, **WHERE, "call_id": call_id, "name": "f", "arguments": "{}", **more}


def test_arguments_make_calls(add: Add) -> None:
    delta = on_item("response.function_call_arguments.delta", delta='{"a"', call_id="c")
    conversation = add(delta, call_done("c", item_id="i", arguments='{"a":1}'), ENDED)
    assert [(item.role, item.name, item.arguments) for item in conversation.items] == [
        (None, "f", '{"a":1}')
    ]
    assert due(conversation) == ["c"]


def test_calls_may_share_the_item_of_a_message(add: Add) -> None:
    speech = {"type": "response.output_audio_transcript.done", **WHERE, "transcript": "Sure!"}
    conversation = add(created("r"), speech, call_done("c"), call_done("d"), ENDED)
    assert ids(conversation) == ["a"]
    assert [call.call_id for call in conversation.responses["r"].calls] == ["c", "d"]
    assert due(conversation) == ["c", "d"]


def test_events_that_only_mention_an_item_make_none(add: Add) -> None:
    conversation = add(
        buffer("speech_started", item_id="u", audio_start_ms=0),
        on_item("conversation.item.truncated", audio_end_ms=1),
        on_item("response.mcp_call.failed"),
    )
    assert ids(conversation) == []


# One session after the other


def test_a_conversation_outlives_its_session(add: Add) -> None:
    conversation = add(session(id="s", **output("pcmu")), *spoken(960))
    conversation.end_session()
    [response] = conversation.responses.values()
    assert (response.status, response.reason) == ("incomplete", "session_ended")
    assert (conversation.active, conversation.items[0].status) == ([], "incomplete")
    assert conversation.output_format.type == "audio/pcm"
    add(session(id="t"), added("b", None), added("c", "b"), conversation=conversation)
    assert ids(conversation) == ["i", "b", "c"]
    add(first("d"), added("d"), deleted("i"), first("e"), added("e"), conversation=conversation)
    assert ids(conversation) == ["e", "d", "b", "c"]


def test_a_session_that_nobody_ended_is_ended_by_the_next(add: Add) -> None:
    conversation = add(session(id="s"), *spoken(960), session(id="t"))
    assert conversation.active == []
    # What was sent before `session.created` came belongs to the new session.
    conversation.end_session()
    add(update("g711_ulaw"), append(48), session(id="u"), conversation=conversation)
    assert conversation.output_format.type == "audio/pcmu"
    add(buffer("commit"), said("x"), conversation=conversation)
    assert conversation.items[-1].audio_bytes == 48


def test_end_of_earlier_session_keeps_current_one(add: Add) -> None:
    conversation = add(session(id="s"), added("a"), session(id="t"), *spoken(960))
    conversation.end_session("s")
    assert names(conversation.active) == ["r"]
    conversation.end_session("t")
    assert conversation.active == []


def test_end_of_session_that_never_began_drops_sent_update(add: Add) -> None:
    conversation = add(session(id="s"))
    conversation.end_session("s")
    add(update("g711_ulaw"), conversation=conversation)
    conversation.end_session("")
    assert conversation.output_format.type == "audio/pcm"


def test_restored_items_stay_as_they_are(add: Add) -> None:
    conversation = add(session(id="s"), *spoken(48_000, truncated(250)), done())
    conversation.end_session()
    add(session(id="t"), conversation=conversation)
    content = [{"type": "output_text", "text": "Restored."}]
    item = message("i", content=content)
    add({"type": "conversation.item.create", "item": item}, conversation=conversation)
    add({**added("i"), "item": item}, added("b", "i"), conversation=conversation)
    assert [(item.id, item.text, item.audio_ms) for item in conversation.items] == [
        ("i", "", 250),
        ("b", "", 0),
    ]


def test_new_items_follow_those_that_were_not_restored(add: Add) -> None:
    conversation = add(session(id="s"), added("a"), added("picture", "a"))
    conversation.end_session()
    restore = {"type": "conversation.item.create", "item": added("a")["item"]}
    add(session(id="t"), restore, added("a"), added("b", "a"), conversation=conversation)
    assert ids(conversation) == ["a", "picture", "b"]


@pytest.mark.parametrize("copy", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_copy_changes_apart_from_the_original(
    add: Add, copy: Callable[[Any], Conversation]
) -> None:
    conversation = add(session(id="s"), *spoken(960))
    copied = copy(conversation)
    add(MORE_AUDIO, done(), conversation=copied)
    assert (copied.items[0].audio_bytes, copied.active) == (1920, [])
    assert conversation.items[0].audio_bytes == 960
    assert names(conversation.active) == ["r"]


def test_repr_shows_text_and_is_short(add: Add) -> None:
    conversation = add(*(added(each, content=[{"text": "Hello."}]) for each in "abcd"))
    item = "ConversationItem(id='d', type='message', role='user', text='Hello.')"
    assert repr(conversation.items[-1]) == item
    assert repr(conversation).startswith("Conversation(4 items: […, ")
    assert repr(conversation).endswith(f"{item}])")
    add(text("delta", item_id="d", delta="x" * 1000), conversation=conversation)
    assert len(repr(conversation.items[-1])) < 300


def test_translations_are_kept() -> None:
    conversation = Conversation()
    for kind, delta in [
        ("input_transcript", "Hello"),
        ("output_transcript", "Hol"),
        ("output_audio", audio(4800)),
        ("output_transcript", "a"),
    ]:
        text = json.dumps({"type": f"session.{kind}.delta", "event_id": "e", "delta": delta})
        conversation.add(ga.parse_translation_server_event(text))
    assert [(item.role, item.transcript, item.audio_ms) for item in conversation.items] == [
        ("user", "Hello", 0),
        ("assistant", "Hola", 100),
    ]
    assert conversation.heard(conversation.items[1].id, 10) is None


# The session, and whole recordings


def test_the_session_is_the_latest(add: Add) -> None:
    conversation = add(
        session(id="s", instructions="a"),
        {"type": "conversation.created", "conversation": {"id": "c"}},
        session("updated", instructions="b"),
        {"type": "session.updated"},
    )
    settings = conversation.session
    found = settings["instructions"] if is_object(settings) else settings.instructions
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


def test_a_delta_of_audio_is_not_decoded() -> None:
    text = json.dumps(on_item("response.output_audio.delta", event_id="e", delta=audio(4_800_000)))
    event, conversation = ga.parse_server_event(text), Conversation()
    tracemalloc.start()
    try:
        conversation.add(event)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert conversation.items[0].audio_bytes == 4_800_000
    assert peak < 1_000_000


def test_items_behind_restored_ones_follow_in_time() -> None:
    """Outputs that are sent again without an id get new items, each behind a restored call."""
    conversation = Conversation()

    def add(item_id: str, previous_id: str | None) -> None:
        item = {"id": item_id, "type": "message", "role": "user", "content": []}
        event = {"type": "conversation.item.added", "previous_item_id": previous_id, "item": item}
        conversation.add(event)

    add("call_1", None)
    add("call_2", "call_1")
    conversation.end_session()
    conversation.add({"type": "session.created", "session": {"id": "sess_2"}})
    add("output_1", "call_1")
    add("output_2", "call_2")
    add("answer", "output_2")
    ids = [item.id for item in conversation.items]
    assert ids == ["call_1", "call_2", "output_1", "output_2", "answer"]
