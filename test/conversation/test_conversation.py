"""`Conversation`: the state that follows from events, typed and as dictionaries."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import tracemalloc
from collections.abc import Callable, Iterator
from threading import Thread
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openai_realtime_client import Conversation, Usage, ga, v1
from openai_realtime_client.core.json_types import is_object
from protocols import ANYTHING, REALTIME, ROOT

RECORDINGS = sorted((ROOT / "test/recordings").glob("*.jsonl"))
TRANSCRIPTION = "conversation.item.input_audio_transcription"
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


# Events


def message(item_id: str | None, role: str = "assistant", **more: Any) -> Event:
    return {"id": item_id, "type": "message", "role": role, "content": [], **more}


def added(item_id: str, previous: str | None = None, **more: Any) -> Event:
    item = message(item_id, **{"role": "user", **more})
    return {"type": "conversation.item.created", "previous_item_id": previous, "item": item}


def item_done(**item: Any) -> Event:
    return {"type": "conversation.item.done", "item": item}


def item_sent(item: Event, **more: Any) -> Event:
    return {"type": "conversation.item.create", "event_id": "mine", "item": item, **more}


def first(item_id: str | None) -> Event:
    return item_sent(message(item_id, "user"), previous_item_id="root")


def deleted(item_id: str) -> Event:
    return {"type": "conversation.item.deleted", "item_id": item_id}


def session(kind: str = "created", **settings: Any) -> Event:
    return {"type": f"session.{kind}", "session": settings}


def created(response_id: str, **more: Any) -> Event:
    return {"type": "response.created", "response": {"id": response_id, **more}}


def done(response_id: str | None = "r", **more: Any) -> Event:
    response = {"id": response_id, "status": "completed", "output": [], **more}
    return {"type": "response.done", "response": response}


def on_item(kind: str, **more: Any) -> Event:
    where = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}
    return {"type": kind, **where, **more}


def output_item(response_id: str, item: Event, end: str = "added") -> Event:
    return {"type": f"response.output_item.{end}", "response_id": response_id, "item": item}


def text(end: str, **more: Any) -> Event:
    return on_item(f"response.text.{end}", **more)


def part(end: str, **more: Any) -> Event:
    return on_item(f"response.content_part.{end}", part={"type": "text", **more})


def arguments(end: str, **more: Any) -> Event:
    return on_item(f"response.function_call_arguments.{end}", **{"call_id": "c", **more})


def truncated(milliseconds: int) -> Event:
    return on_item("conversation.item.truncated", audio_end_ms=milliseconds)


def transcribed(end: str, **more: Any) -> Event:
    return on_item(f"{TRANSCRIPTION}.{end}", **more)


def audio(size: int) -> str:
    return base64.b64encode(bytes(size)).decode()


def audio_delta(size: int, **more: Any) -> Event:
    return on_item("response.output_audio.delta", delta=audio(size), **more)


def spoken(size: int, *more: Event, **response: Any) -> list[Event]:
    """An answer of which `size` bytes of audio were received."""
    return [
        created("r", conversation_id="c", **response),
        output_item("r", message("i")),
        added("i", role="assistant", status="in_progress"),
        audio_delta(size),
        *more,
    ]


def append(size: int) -> Event:
    return {"type": "input_audio_buffer.append", "audio": audio(size)}


def buffer(kind: str, **more: Any) -> Event:
    return {"type": f"input_audio_buffer.{kind}", **more}


def speech(item_id: str, start: int, end: int | None = None) -> list[Event]:
    events = [buffer("speech_started", item_id=item_id, audio_start_ms=start)]
    if end is not None:
        events.append(buffer("speech_stopped", item_id=item_id, audio_end_ms=end))
    return events


def said(item_id: str = "i", previous: str | None = None) -> Event:
    return buffer("committed", item_id=item_id, previous_item_id=previous)


def update(output_format: str, event_id: str = "mine") -> Event:
    settings = {"output_audio_format": output_format}
    return {"type": "session.update", "event_id": event_id, "session": settings}


def output(kind: str, **more: Any) -> Event:
    return {"audio": {"output": {"format": {"type": f"audio/{kind}", **more}}}}


def error(**fields: Any) -> Event:
    return {"type": "error", "error": {"type": "invalid", "message": "", **fields}}


def out_of_band(**metadata: str) -> Event:
    response: Event = {"conversation": "none"}
    if metadata:
        response["metadata"] = metadata
    return {"type": "response.create", "event_id": "mine", "response": response}


def called(call_id: str = "c", **more: Any) -> Event:
    call = {"type": "function_call", "name": "f", "call_id": call_id, "arguments": "{}"}
    return {"id": f"item_{call_id}", "status": "completed", **call, **more}


def returned(call_id: str = "c") -> Event:
    return item_sent({"type": "function_call_output", "call_id": call_id, "output": "done"})


def requested(item_id: str = "a") -> Event:
    item_type = "mcp_approval_request"
    return {"id": item_id, "type": item_type, "name": "f", "arguments": "{}", "server_label": "l"}


def approved(request_id: str = "a") -> Event:
    item = {"type": "mcp_approval_response", "id": "b", "approval_request_id": request_id}
    return item_sent({**item, "approve": True})


REFUSED = error(event_id="mine")
EMPTY = error(code="input_audio_buffer_commit_empty")
ULAW = session(output_audio_format="g711_ulaw")
ULAW_SENT = update("g711_ulaw")
SHORT, LONG = spoken(960), spoken(4800)
MORE_AUDIO = audio_delta(960)
HEL, LO = text("delta", delta="Hel"), text("delta", delta="lo")
ENDED = {"type": "response.done", "response": {"id": "r", "status": "completed", "output": None}}
SILENT = [{"type": "input_audio", "transcript": None}]
RETRIEVED = {
    "type": "conversation.item.retrieved",
    "item": message("i", content=[{"type": "audio", "transcript": "Hi.", "audio": audio(4800)}]),
}
HEARD = transcribed("completed", item_id="u", transcript="Hi.")
TRANSCRIPT = "response.output_audio_transcript"
SURE = on_item(f"{TRANSCRIPT}.done", transcript="Sure!")
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
TOKENS = {"type": "tokens", "total_tokens": 12, "input_tokens": 9, "output_tokens": 3}


def ids(found: Any) -> list[str]:
    return [item.id for item in found]


# What a case expects under a name; other names are those of attributes of items.
FACTS: dict[str, Callable[[Conversation], Any]] = {
    "order": lambda it: " ".join(ids(it.items)),
    "active": lambda it: ids(it.active),
    "active_out_of_band": lambda it: ids(it.active_out_of_band),
    "due": lambda it: [call.call_id for call in it.calls_due],
    "approvals_due": lambda it: ids(it.approvals_due),
    "format": lambda it: it.output_format.type,
    "usage": lambda it: it.usage,
    "transcription_usage": lambda it: it.transcription_usage,
    "ends": lambda it: [(response.status, response.reason) for response in it.responses.values()],
    "of_response": lambda it: ids(it.responses["r"].items),
    "audio": lambda it: [part.audio for item in it.items for part in item.parts.values()],
    "truncate": lambda it: end_of(it.heard("i", 1500)),
}


def fact(conversation: Conversation, name: str) -> Any:
    if name in FACTS:
        return FACTS[name](conversation)
    return [getattr(item, name) for item in conversation.items]


def end_of(truncate: Any) -> tuple[int, int] | None:
    return truncate and (truncate["content_index"], truncate["audio_end_ms"])


def case(case_id: str, *events: Event, **expected: Any) -> Any:
    """Return a case in which facts follow from events."""
    return pytest.param(events, expected, id=case_id)


S, T = session(id="s"), session(id="t")
A, B, C = added("a"), added("b", "a"), added("c", "b")
CALLED = done(output=[called()])
PLACES = [
    case("behind_previous", A, B, added("c", "a"), order="a c b"),
    case("unknown_previous_is_the_end", A, added("b", "x"), order="a b"),
    case("place_is_kept", A, B, added("c", "a"), added("c", "b"), order="a c b"),
    case("null_is_the_end", *map(added, "abc"), order="a b c"),
    case("root_is_the_start", A, first("b"), added("b"), order="b a"),
    case("root_without_id", A, first(None), added("b"), added("c"), order="b a c"),
    case("refused_root", A, first(None), REFUSED, added("b"), order="a b"),
    case("commit_has_a_place", A, B, said("u", "a"), added("u"), order="a u b"),
    case("deleted", A, B, deleted("a"), C, order="b c"),
    case("late_delta_of_deleted", added("i"), deleted("i"), HEL, order=""),
    case("added_after_deletion", A, deleted("a"), A, order="a"),
    case("behind_deleted_is_the_end", A, deleted("a"), B, order="b"),
]
CONTENT = [
    case("text_deltas_joined", added("i"), HEL, LO, text=["Hello"]),
    case("delta_after_done_ignored", HEL, text("done", text="Hello."), LO, text=["Hello."]),
    case("part_done_replaces_text", HEL, part("done", text="Hi."), text=["Hi."]),
    case("empty_final_text_keeps_what_came", HEL, LO, text("done", text=""), text=["Hello"]),
    case("late_part_ignored", HEL, part("added", text=""), LO, text=["Hello"]),
    case("empty_text_is_final", text("done", text=""), part("added", text="Hel"), text=[""]),
    case(
        "late_in_progress_ignored",
        *(item_done(id="i", status="completed"), added("i", status="in_progress")),
        status=["completed"],
    ),
    case("parts_not_objects_ignored", added("i", content=[None, 1]), parts=[{}]),
    case("part_that_is_a_list", on_item("response.content_part.added", part=[1]), text=[""]),
    case(
        "argument_done_is_all",
        *(arguments("delta", delta="{"), arguments("done", arguments="[]")),
        arguments=["[]"],
    ),
    case("arguments_object", item_done(**called(arguments={"a": "Å"})), arguments=['{"a":"Å"}']),
    case("retrieved_audio_is_all", *SHORT, RETRIEVED, audio_ms=[100], transcript=["Hi."]),
    case("audio_cut_by_truncate", *SHORT, truncated(10), audio=[bytes(480)]),
    case("audio_after_truncate_ignored", *SHORT, truncated(10), MORE_AUDIO, audio=[bytes(480)]),
    case("negative_truncate_cuts_all", *SHORT, truncated(-5), audio_ms=[0], audio=[b""]),
    case(
        "audio_after_done_ignored",
        *(*SHORT, on_item("response.output_audio.done"), MORE_AUDIO),
        audio_bytes=[960],
    ),
    case("pcm_48_khz", session(**output("pcm", rate=48000)), *LONG, audio_ms=[50]),
    case("ulaw_kept_by_other_update", ULAW, session("updated", speed=1.5), *LONG, audio_ms=[600]),
    case("format_of_response", *spoken(4800, **output("pcma")), audio_ms=[600]),
]
TRANSCRIPTIONS = [
    case(
        "late_transcript_kept_and_counted_once",
        added("i", content=SILENT),
        added("answer", "i", role="assistant"),
        transcribed("delta", delta="Good"),
        *[transcribed("completed", transcript="Good day.", usage=TOKENS)] * 2,
        item_done(id="i", content=SILENT),
        transcript=["Good day.", ""],
        transcription_usage=Usage(total=12, input=9, output=3),
    ),
    case(
        "charged_by_duration",
        transcribed("completed", transcript="Hi", usage={"seconds": 3}),
        transcription_usage=Usage(seconds=3),
    ),
]
# What the user says: 4,800 bytes in a commit, of which the refusals of others come late.
APPENDED = [append(999), buffer("clear"), append(4000), append(800)]
COMMIT = buffer("commit", event_id="mine")
PCMU_IN = session(audio={"input": {"format": {"type": "audio/pcmu"}}})
SPOKEN_ITEM = message("i", "user", content=[{"type": "input_audio", "audio": audio(4800)}])
WAITED = buffer("timeout_triggered", item_id="i", audio_start_ms=0, audio_end_ms=100)
USERS_AUDIO = [
    case("committed", *APPENDED, COMMIT, append(48), said(), audio_ms=[100], audio=[b""]),
    case("committed_pcmu", PCMU_IN, *APPENDED, COMMIT, said(), audio_ms=[600], truncate=None),
    case(
        "two_turns",
        *(append(10), COMMIT, append(20), buffer("commit"), said("a"), said("b")),
        audio_bytes=[10, 20],
    ),
    case("sent_whole", item_sent(SPOKEN_ITEM), added("i", content=SILENT), audio_bytes=[4800]),
    case(
        "commit_refused_by_its_code",
        *(append(48), COMMIT, append(52), buffer("commit"), EMPTY, said()),
        audio_bytes=[100],
    ),
    case(
        "refused_commit_was_cleared",
        *(append(48), COMMIT, buffer("clear"), REFUSED, append(52), buffer("commit"), said()),
        audio_bytes=[52],
    ),
    case("turn_detection", append(96_000), *speech("i", 1000, 1250), said(), audio_ms=[250]),
    case(
        "turn_detection_empties_the_buffer",
        *(append(960), *speech("a", 0, 10), said("a"), append(48), COMMIT, said("b")),
        audio_bytes=[480, 48],
    ),
    case("timeout", WAITED, said(), audio_ms=[100]),
]
TEXT_BETWEEN = text("delta", delta="between", content_index=1)
HEARD_UNTIL = [
    case("end_of_what_arrived", *spoken(48_000), truncate=(0, 1000)),
    case(
        "other_part",
        *spoken(48_000, TEXT_BETWEEN, audio_delta(48_000, content_index=2)),
        truncate=(2, 500),
    ),
    case("all_heard", *spoken(48_000), on_item("response.output_audio.done"), truncate=None),
    case("unknown", truncate=None),
    case("deleted", *spoken(96_000), deleted("i"), truncate=None),
    case("truncated", *spoken(96_000), truncated(250), truncate=None),
    case("earlier_session", S, *spoken(96_000), T, truncate=None),
    case("ulaw_without_confirmation", ULAW_SENT, *spoken(16_000), truncate=(0, 1500)),
    case("deltas_alone", audio_delta(96_000), truncate=(0, 1500)),
]
CANCELLED = {"type": "response.cancelled", "response_id": "r"}
DETAILS = {"type": "cancelled", "reason": "turn_detected"}
THE_END = message("i", status="completed", content=[{"type": "audio", "transcript": "The end."}])
RESPONSES = [
    case("in_progress", *SHORT, active=["r"], of_response=["i"]),
    case(
        "cancelled",
        *(*SHORT, done(status="cancelled", status_details=DETAILS)),
        **{"active": [], "ends": [("cancelled", "turn_detected")]},
    ),
    case("cancelled_without_status", *SHORT, CANCELLED, active=[], ends=[("cancelled", None)]),
    case("output_replaces_items", *SHORT, done(output=[message("x")]), of_response=["x"]),
    case("null_output_keeps_items", *SHORT, ENDED, of_response=["i"]),
    case(
        "late_item", done(output=[message("i")]), output_item("r", message("x")), of_response=["i"]
    ),
    case("output_is_placed", A, done(output=[message("x")]), order="a x"),
    case(
        "usage_once_a_response",
        *(done("a", usage=USAGE), done("b", usage=USAGE), done("a", usage=USAGE), done("c")),
        usage=ONCE + ONCE,
    ),
    case("usage_without_an_id", done(None, usage=USAGE), usage=ONCE),
    case("usage_stays_after_cancelled", done(usage=USAGE), CANCELLED, usage=ONCE),
]
ABOUT_T = out_of_band(topic="t")
NAMELESS = created("a", conversation_id=None)
OUT_OF_BAND = [
    case(
        "null_where_conversations_are_named",
        *(*SHORT, NAMELESS, done("a", conversation_id=None, output=[message("x")])),
        **{"order": "i", "active": ["r"], "active_out_of_band": []},
    ),
    case("null_alone", NAMELESS, output_item("a", message("x")), order="x", active=["a"]),
    case(
        "null_before_the_name",
        *(NAMELESS, output_item("a", message("x")), created("b", conversation_id="c")),
        **{"order": "", "active": ["b"], "active_out_of_band": ["a"]},
    ),
    case(
        "call_before_the_name",
        *(NAMELESS, done("a", output=[called()]), created("b", conversation_id="c")),
        due=[],
    ),
    case(
        "behind_its_item_is_the_end",
        *(out_of_band(), created("r"), done(output=[message("x")]), A, added("b", "x")),
        order="a b",
    ),
    case("absent_id", *SHORT, created("c"), active=["r", "c"]),
    case("asked", out_of_band(), created("r"), created("s"), active=["s"]),
    case("same_metadata", ABOUT_T, created("r", metadata={"topic": "t"}), active=[]),
    case("begun_by_turn_detection", ABOUT_T, created("r"), active=["r"]),
    case("named", out_of_band(), created("r", conversation_id="c"), created("s"), active=["r"]),
    case("refused", out_of_band(), REFUSED, created("r"), active=["r"]),
    case(
        "call_needs_no_output",
        ABOUT_T,
        created("r", metadata={"topic": "t"}),
        CALLED,
        due=[],
        order="",
    ),
]
FORMATS = [
    case("sent_before_created", ULAW_SENT, session(), format="audio/pcmu"),
    case(
        "refused", update("g711_ulaw", "other"), update("g711_alaw"), REFUSED, format="audio/pcmu"
    ),
    case("confirmed", ULAW_SENT, session("updated", speed=1.5), format="audio/pcmu"),
    case(
        "server_has_the_last_word",
        *(ULAW_SENT, session("updated", output_audio_format="pcm16")),
        format="audio/pcm",
    ),
]
CALLS_DUE = [
    case("completed", CALLED, due=["c"]),
    case("one_returned", done(output=[called("a"), called("b")]), returned("a"), due=["b"]),
    case("returned", CALLED, returned(), due=[]),
    case("call_incomplete", done(output=[called(status="incomplete")]), due=[]),
    *(
        case(f"response_{status}", done(status=status, output=[called()]), due=[])
        for status in ("cancelled", "failed", "incomplete")
    ),
    case("ended_again", CALLED, returned(), CALLED, due=[]),
    case("returned_before_the_end", output_item("r", called(), "done"), returned(), CALLED, due=[]),
    case("same_session", CALLED, S, due=["c"]),
    case("session_ended", S, CALLED, T, due=[]),
    case("approval", done(output=[requested()]), approvals_due=["a"], due=[]),
    case("approved", done(output=[requested()]), approved(), approvals_due=[]),
    case(
        "approved_before_its_end",
        *(output_item("r", requested()), approved(), done(output=[requested()])),
        approvals_due=[],
    ),
]
CALL = arguments("done", name="f", arguments="{}")
# Servers that leave out events of items.
EVENTS_LEFT_OUT = [
    case(
        "deltas",
        *(HEARD, created("r"), on_item(f"{TRANSCRIPT}.delta", delta="Hel"), ENDED),
        **{"role": ["user", "assistant"], "transcript": ["Hi.", "Hel"], "of_response": ["i"]},
    ),
    case("arguments", CALL, ENDED, role=[None], name=["f"], due=["c"]),
    case(
        "calls_that_share_the_item_of_a_message",
        *(created("r"), SURE, CALL, arguments("done", call_id="d", name="g"), ENDED),
        **{"order": "i", "of_response": ["i", "c", "d"], "due": ["c", "d"]},
    ),
    case("calls_that_share_an_item", CALL, arguments("done", call_id="d"), ENDED, due=["c", "d"]),
    case(
        "events_that_only_mention_an_item",
        *(*speech("i", 0), truncated(1), on_item("response.mcp_call.failed")),
        order="",
    ),
]
NEXT = [created("r"), text("delta", delta="New."), added("i", role="assistant"), done()]
RESTORED = message("i", content=[{"type": "output_text", "text": "Restored."}])
SESSIONS = [
    case(
        "next_session_follows",
        *(S, *SHORT, T, added("b"), C),
        **{"order": "i b c", "active": [], "ends": [("incomplete", "session_ended")]},
    ),
    case(
        "earlier_item_deleted",
        *(S, A, T, added("b"), deleted("a")),
        *(first("c"), added("c")),
        order="c b",
    ),
    case(
        "same_ids_in_the_next_session",
        *(S, *LONG, done(usage=USAGE), T, *NEXT),
        **{"order": "i i", "text": ["", "New."], "audio_ms": [100, 0], "usage": ONCE},
    ),
    case(
        "restored_item_stays_as_it_is",
        *(S, *spoken(48_000, truncated(250)), done(), T),
        *(item_sent(RESTORED), {**added("i"), "item": RESTORED}, HEL, added("b", "i")),
        **{"order": "i b", "text": ["", ""], "audio_ms": [250, 0]},
    ),
    case(
        "behind_restored_is_the_end",
        *(S, A, added("picture", "a"), T),
        *(item_sent(message("a", "user")), A, B),
        order="a picture b",
    ),
    # Outputs that are sent again without an id get new items, each behind a restored call.
]
CASES = {
    **{"place": PLACES, "content": CONTENT, "transcription": TRANSCRIPTIONS},
    **{"users_audio": USERS_AUDIO, "heard": HEARD_UNTIL, "response": RESPONSES},
    **{"out_of_band": OUT_OF_BAND, "format": FORMATS, "due": CALLS_DUE},
    **{"left_out": EVENTS_LEFT_OUT, "session": SESSIONS},
}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param(*param.values, id=f"{name}-{param.id}")
        for name, cases in CASES.items()
        for param in cases
    ],
)
def test_facts_follow_from_events(add: Add, events: list[Event], expected: Event) -> None:
    conversation = add(*events, conversation=Conversation(keep_audio=True))
    assert {name: fact(conversation, name) for name in expected} == expected


# Items


def test_errors_of_items_and_parts_are_kept(add: Add) -> None:
    for failure in ("Unclear.", {"message": "Unclear."}):
        [item] = add(said(), transcribed("failed", error=failure)).items
        assert item.parts[0].transcription_error == {"message": "Unclear."}
    call = {"id": "i", "type": "mcp_call", "server_label": "l", "name": "f", "arguments": "{}"}
    for error in ({"type": "http_error", "code": 502, "message": "Bad gateway"}, None):
        [item] = add(item_done(**call, error=error), on_item("response.mcp_call.failed")).items
        assert (item.error, item.status) == (error, "failed")


def test_what_is_sent_may_hold_models_and_mappings() -> None:
    content = ga.RealtimeConversationItemMessageUserContent(type="input_audio", audio=audio(4800))
    user = ga.RealtimeConversationItemMessageUser(role="user", id="i", content=[content])
    for item in (user, {**user.to_dict(), "content": [content]}):
        conversation = Conversation()
        conversation.add({"type": "conversation.item.create", "item": item})
        conversation.add(added("i"))
        assert conversation.items[0].audio_bytes == 4800
    asked = MappingProxyType({"conversation": "none"})
    conversation.add(MappingProxyType({"type": "response.create", "response": asked}))
    conversation.add(created("r"))
    assert conversation.active == []


def test_what_was_sent_may_be_nested_deeply() -> None:
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    Conversation().add({"type": "session.update", "session": nested})


# Interruption


def test_heard_returns_truncate_event_and_transcript_stays(add: Add) -> None:
    begun = on_item(f"{TRANSCRIPT}.delta", delta="A long story")
    conversation = add(*spoken(48_000, begun))
    assert end_of(conversation.heard("i", -5)) == (0, 0)
    event = conversation.heard("i", 250.9)
    truncate = {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0}
    assert event == {**truncate, "audio_end_ms": 250}
    assert ga.parse_client_event(json.dumps(event)).type == event["type"]
    add(truncated(250), conversation=conversation)
    [item] = conversation.items
    # Nobody knows which words were heard, so the transcript stays.
    assert (item.audio_ms, item.parts[0].truncated_ms) == (250, 250)
    assert item.transcript == "A long story"
    ended = on_item(f"{TRANSCRIPT}.done", transcript="A long story.")
    assert add(ended, conversation=conversation).items[0].transcript == "A long story."


# Responses


def test_responses_say_what_their_items_say(add: Add) -> None:
    text, speech = {"type": "text", "text": "One. "}, {"type": "audio", "transcript": "Two."}
    output = [message("a", content=[text, speech]), called(), message("c", content=[text])]
    response = add(done(output=output, metadata={"topic": "t"})).responses["r"]
    assert (response.text, response.transcript) == ("One. One. ", "Two.")
    assert ([call.name for call in response.calls], response.metadata) == (["f"], {"topic": "t"})


def test_a_failed_response_has_its_error(add: Add) -> None:
    details = {"type": "failed", "error": {"type": "server_error", "code": "busy"}}
    error = add(done(status="failed", status_details=details)).responses["r"].error
    assert error
    assert error["code"] == "busy"


def test_usage_that_is_no_number_is_left_out() -> None:
    assert Usage.of({"total_tokens": 7.0}) == Usage(total=7)
    assert Usage.of({"total_tokens": True, "input_tokens": "1", "output_tokens": None}) == Usage()
    assert Usage.of({"total_tokens": 10**5000, "input_tokens": 10**15}) == Usage()
    assert Usage.of(None) == Usage()


# One session after the other


def test_end_of_a_session_ends_what_it_left_open(add: Add) -> None:
    conversation = add(session(id="s", **output("pcmu")), *SHORT)
    conversation.end_session()
    assert (conversation.active, conversation.items[0].status) == ([], "incomplete")
    assert conversation.output_format.type == "audio/pcm"
    # What is sent before `session.created` comes belongs to the new session.
    add(ULAW_SENT, append(48), session(id="t"), COMMIT, said("x"), conversation=conversation)
    assert conversation.output_format.type == "audio/pcmu"
    assert conversation.items[-1].audio_bytes == 48


def test_end_of_earlier_session_keeps_current_one(add: Add) -> None:
    conversation = add(session(id="s"), added("a"), session(id="t"), *SHORT)
    conversation.end_session("s")
    assert ids(conversation.active) == ["r"]
    conversation.end_session("t")
    assert conversation.active == []


def test_end_of_session_that_never_began_drops_sent_update(add: Add) -> None:
    conversation = add(session(id="s"))
    conversation.end_session("s")
    add(ULAW_SENT, conversation=conversation)
    conversation.end_session("")
    assert conversation.output_format.type == "audio/pcm"


@pytest.mark.parametrize("copy", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_copy_changes_apart_from_the_original(
    add: Add, copy: Callable[[Any], Conversation]
) -> None:
    conversation = add(session(id="s"), *SHORT)
    copied = copy(conversation)
    add(MORE_AUDIO, done(), conversation=copied)
    assert (copied.items[0].audio_bytes, copied.active) == (1920, [])
    assert conversation.items[0].audio_bytes == 960
    assert ids(conversation.active) == ["r"]


def test_repr_shows_text_and_is_short(add: Add) -> None:
    conversation = add(*(added(item_id, content=[{"text": "Hello."}]) for item_id in "abcd"))
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
    assert ids(conversation.items) == list(final)
    for item in conversation.items:
        wire = final[item.id]
        names = ("type", "role", "status", "name", "call_id", "output")
        assert [getattr(item, name) for name in names] == [wire.get(name) for name in names]
        assert item.arguments == wire.get("arguments", "")
        assert item.text == "".join(part.get("text", "") for part in wire.get("content", []))
    assert conversation.active == []


# Threads


class Pausing(dict[str, Any]):
    """An event that starts a thread while it is added, which must not end before that."""

    def get(self, name: str, default: Any = None) -> Any:
        if name == "item_id":
            self["other"].start()
            self["other"].join(0.1)
            self["waits"] = self["other"].is_alive()
        return super().get(name, default)


def test_others_wait_while_an_event_is_added() -> None:
    conversation = Conversation()
    for work in (lambda: conversation.add(said("b")), lambda: conversation.items):
        event = Pausing(type="conversation.item.deleted", other=Thread(target=work))
        conversation.add(event)
        event["other"].join()
        assert event["waits"]


# Anything


NAMES = st.sampled_from(["i", "j", "r", "", "c"]) | ANYTHING
KINDS = ["response.cancelled", "vendor.made.it.up"]
for protocol in REALTIME:
    for union in protocol.parsers:
        KINDS += protocol.schemas[union]["discriminator"]["mapping"]
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
