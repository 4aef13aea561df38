"""How events are summarized, and how text from servers is escaped."""

from __future__ import annotations

import io
import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from command_line import AUDIO, ESCAPED, HOSTILE, IDS, Cli, Event, ended, recording, server
from mutation import places, replaced
from openai_realtime_client.cli.display import Screen, summarize
from openai_realtime_client.cli.page import Page
from openai_realtime_client.testing.check import Order
from openai_realtime_client.testing.recording import RecordedEvent, read_recording
from protocols import DRAWN

TRANSCRIPTION = "conversation.item.input_audio_transcription"


USER_SPEAKS = "user [ of 100 bytes]"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ({"type": "x"}, ""),
        ({"type": "x", "event_id": "e", "item_id": "item_1", "response_id": "r"}, "item_1"),
        ({"type": "x", "item_id": "i", "audio_end_ms": 5}, "item_id=i audio_end_ms=5"),
        ({"type": "x", "response_id": "resp_1"}, "resp_1"),
        ({"type": "x", "a": {"b": [1, None]}}, 'a={"b": [1, null]}'),
        ({"type": "session.update", "session": {"type": "realtime", "a": 1}}, "a=1"),
        (
            {"type": "x", "session": {"modalities": ["text", 1], "tools": [{"name": "f"}]}},
            "text+1, f",
        ),
        ({"type": "conversation.created", "conversation": {"id": "conv_1"}}, "conv_1"),
        ({"type": "x", "response": {"id": "resp_1", "tool_choice": "auto"}}, "resp_1"),
        ({"type": "x", "response": {"status": "s", "status_details": {"reason": "r"}}}, "s, r"),
        ({"type": "x", "item": {"type": "mcp_call", "name": "f", "arguments": "{}"}}, "f({})"),
        ({"type": "x", "item": {"role": "user", "content": [{"audio": AUDIO}]}}, USER_SPEAKS),
        ({"type": "x", "item": {"type": "mcp_list_tools", "id": "i"}}, "mcp_list_tools, i"),
        ({"type": "x.audio.delta", "delta": "AAAA"}, "3 bytes"),
        ({"type": "x.audio.delta", "delta": 5}, "5"),
        ({"type": "session.input_audio_buffer.append", "audio": "A" * 4000}, "3,000 bytes"),
        ({"type": "x", "part": {"type": "text", "text": ""}, "item_id": "i"}, "[text], i"),
        ({"type": "x", "transcript": "Hi.", "item_id": "i"}, '"Hi.", i'),
        ({"type": "x.failed", "error": {"message": "Oh."}, "item_id": "i"}, "Oh."),
        ({"type": "x", "rate_limits": [{"name": "a", "limit": 2, "remaining": 1}]}, "a 1 of 2"),
        ({"type": "x", "text": "y" * 5000}, f'"{"y" * 299}…"'),
    ],
)
def test_the_summary(event: Event, text: str) -> None:
    assert summarize(event) == text


# Also what only a session with speech and an interruption has.
SPOKEN: list[Event] = [
    {"type": "input_audio_buffer.speech_started", "item_id": "u", "audio_start_ms": 1},
    {"type": "input_audio_buffer.append", "audio": AUDIO},
    {"type": "input_audio_buffer.speech_stopped", "item_id": "u", "audio_end_ms": 2},
    {"type": "input_audio_buffer.committed", "item_id": "u", "previous_item_id": "i"},
    {"type": f"{TRANSCRIPTION}.completed", "item_id": "u", "transcript": "Hi."},
    {"type": "response.output_audio.delta", **IDS, "delta": AUDIO},
    {"type": "conversation.item.truncated", "item_id": "i", "audio_end_ms": 1},
    {"type": "session.update", "session": {"modalities": ["text"], "tools": [{"name": "f"}]}},
    {"type": "error", "error": {"type": "t", "code": "c", "message": "m"}},
    {"type": "x", "item": {"type": "function_call_output", "output": "o"}, "part": {"text": "t"}},
]
VALUES: list[Any] = [None, True, -1, 1e300, "x", [], {}, [5, "x", [], {}], {"type": 5}]


def test_events_of_any_shape(tmp_path: Path) -> None:
    """What summarizes, checks the order of, or makes a page of events takes any JSON in them."""
    recordings = Path(__file__).parents[1] / "recordings"
    recorded = [line.event for line in read_recording(recordings / "ga_tool_call.jsonl")]
    page, order = Page(), Order("ga")
    for wire in [*recorded, *SPOKEN]:
        paths = [path for path, _ in places(wire) if path not in ((), ("type",))]
        for event in [wire, *(replaced(wire, *change) for change in product(paths, VALUES))]:
            assert isinstance(summarize(event), str)
            for problem in order.follow(event):
                assert all(isinstance(text, str) for text in problem)
            page.follow(RecordedEvent("server", event, 1.0))
    page.write(str(tmp_path / "page.html"), {})
    assert {problem.kind for problem in order.left_open()} == {"missing"}
    assert [*order.left_open()] == []


@settings(DRAWN, max_examples=25)
@given(st.text(), st.sampled_from(["utf-8", "latin-1", "ascii"]))
def test_what_is_printed_has_no_control_characters(text: str, encoding: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    screen = Screen(stream)
    screen.line(("red", text))
    screen.line(rest=text)
    screen.json_line(text)
    stream.seek(0)
    whole, cut, as_json = stream.read().split("\n")[:-1]
    for line in (whole, cut, as_json):
        assert all(char.isprintable() or char in "\u200c\u200d" for char in line)
    assert len(cut) <= 120
    assert json.loads(as_json) == text


def test_hostile_text_is_escaped_everywhere(cli: Cli) -> None:
    error = {"type": "t", "code": HOSTILE, "message": HOSTILE}
    events = [
        server(type=HOSTILE, **{HOSTILE: HOSTILE}),
        server(type="error", error=error),
        *[server(type="response.output_text.delta", delta=HOSTILE, **IDS)] * 2,
        ended(HOSTILE),
        ended("completed", **{HOSTILE: {HOSTILE: HOSTILE}}),
    ]
    name = f"{HOSTILE}.jsonl"
    recording(cli.folder / name, *events)
    cli.monkeypatch.chdir(cli.folder)
    cli.monkeypatch.setenv("COLUMNS", "1000")
    for options in (["--json"], []):
        status, out, err = cli.run("inspect", *options, name, f"no{name}")
        assert status == 2
        assert all(line.isprintable() for line in out.split("\n") + err.split("\n"))
    assert out.startswith(f"{ESCAPED}.jsonl: protocol ga")
    assert f'2x "{ESCAPED}{ESCAPED}"' in out
    assert f"at response.{ESCAPED}" in out
    assert out.count(ESCAPED) > 12
