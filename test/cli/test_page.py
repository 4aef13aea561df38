"""`inspect --html`: the turns of a session, and the page that shows them.

`make browser` looks at the page in a browser.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from command_line import HOSTILE, Cli, client, server, voice_turn
from openai_realtime_client.testing.recording import RecordedEvent

Event = dict[str, Any]


def data_of(page: str) -> Any:
    """What a page shows."""
    [text] = re.findall(r'<script type="application/json" id="session">(.*)</script>', page)
    return json.loads(text)


def turns(cli: Cli, *lines: RecordedEvent) -> list[Event]:
    """The turns of a session on its page."""
    status, _, err = cli.inspect(*lines, options=["-q", "--html", "page.html"])
    assert (status in (0, 1), err) == (True, "")
    found: list[Event] = data_of((cli.folder / "page.html").read_text("utf-8"))["turns"]
    return found


def configured(**audio: Any) -> RecordedEvent:
    session = {"type": "realtime", "id": "s", "audio": audio}
    return server(0, type="session.updated", session=session)


def append(at_ms: float, data: bytes) -> RecordedEvent:
    audio = base64.b64encode(data).decode()
    return client(at_ms, type="input_audio_buffer.append", audio=audio)


def said(at_ms: float, text: str) -> RecordedEvent:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    return client(at_ms, type="conversation.item.create", item=item)


def created(at_ms: float, name: str = "r1") -> RecordedEvent:
    return server(at_ms, type="response.created", response={"id": name})


def done(at_ms: float, name: str = "r1", status: str = "completed") -> RecordedEvent:
    response = {"id": name, "status": status, "usage": {"total_tokens": 7}}
    return server(at_ms, type="response.done", response=response)


def delta(at_ms: float, kind: str, text: str, name: str = "r1") -> RecordedEvent:
    place = {"response_id": name, "item_id": f"item_{name}", "content_index": 0}
    return server(at_ms, type=f"response.{kind}.delta", delta=text, output_index=0, **place)


def sound(said: Event) -> bytes:
    return base64.b64decode(said["pcm"])


MS = b"\1\0" * 24  # of PCM


def test_a_text_turn(cli: Cli) -> None:
    [turn] = turns(
        cli,
        said(900, "Well."),
        said(1000, "Hello."),
        created(1200),
        delta(1250, "output_text", "Hi"),
        delta(1300, "output_text", " there."),
        done(1400),
    )
    assert [each["text"] for each in turn["user"]] == ["Well.", "Hello."]
    assert turn["latency"] == 250
    [answer] = turn["answers"]
    assert (answer["text"], answer["status"], answer["tokens"]) == ("Hi there.", "completed", 7)
    # In milliseconds since the first event.
    assert (answer["start"], answer["first"], answer["end"]) == (300, 350, 500)


def test_detected_speech_and_an_interrupted_answer(cli: Cli) -> None:
    """What the user said is what lies between the times that the server found, not all audio."""
    spoken = {"item_id": "u1", "audio_start_ms": 100}
    two = base64.b64encode(MS * 2).decode()
    transcribed = "conversation.item.input_audio_transcription.completed"
    first, second = turns(
        cli,
        configured(),
        *(append(10.0 + 100 * n, bytes([n, 0]) * 24 * 100) for n in range(4)),
        server(320, type="input_audio_buffer.speech_started", **spoken),
        server(330, type="input_audio_buffer.speech_stopped", item_id="u1", audio_end_ms=300),
        server(331, type="input_audio_buffer.committed", item_id="u1"),
        created(340),
        server(350, type=transcribed, item_id="u1", content_index=0, transcript="A story."),
        delta(360, "output_audio_transcript", "Once"),
        delta(400, "output_audio", two),
        append(410, MS * 100),
        server(420, type="input_audio_buffer.speech_started", item_id="u2", audio_start_ms=400),
        delta(421, "output_audio", two),
        done(430, status="cancelled"),
        server(440, type="conversation.item.truncated", item_id="item_r1", audio_end_ms=3),
    )
    [user] = first["user"]
    assert user["text"] == "A story."
    assert sound(user) == b"\1\0" * 2400 + b"\2\0" * 2400
    # It ended with the third piece, before the server found out.
    assert (user["start"], user["end"]) == (110, 210)
    assert first["latency"] == 190
    [answer] = first["answers"]
    assert (answer["text"], sound(answer), answer["rate"]) == ("Once", MS * 4, 24000)
    assert (answer["status"], answer["played_ms"]) == ("cancelled", 3)
    assert second["answers"] == []
    assert second["latency"] is None


def test_committed_audio_is_what_was_not_cleared(cli: Cli) -> None:
    [turn] = turns(
        cli,
        append(0, b"\5\0" * 24),
        client(5, type="input_audio_buffer.clear"),
        append(10, MS),
        append(20, MS),
        client(30, type="input_audio_buffer.commit"),
        server(31, type="input_audio_buffer.committed", item_id="u1"),
        created(50),
        delta(80, "output_audio", ""),
        done(90),
    )
    assert [sound(each) for each in turn["user"]] == [MS * 2]
    assert (turn["user"][0]["start"], turn["user"][0]["end"]) == (10, 30)
    assert turn["latency"] == 50


def test_a_tool_is_part_of_the_turn(cli: Cli) -> None:
    call = {"type": "function_call", "id": "i", "call_id": "c", "name": "f", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "Sunny."}
    lines = [
        said(0, "Weather?"),
        created(10),
        server(20, type="response.output_item.done", response_id="r1", item=call),
        done(25),
        client(520, type="conversation.item.create", item=output),
        created(530, "r2"),
        delta(540, "output_text", "Sunny.", "r2"),
        done(550, "r2"),
        created(600, "r3"),
    ]
    first, second = turns(cli, *lines)
    assert first["calls"] == [
        {"name": "f", "arguments": "{}", "start": 20, "output": "Sunny.", "end": 520}
    ]
    assert [each["text"] for each in first["answers"]] == ["", "Sunny."]
    assert first["latency"] == 540
    # One without anything new from the user.
    assert second["user"] == []
    assert len(second["answers"]) == 1
    # The model may say something before.
    lines.insert(2, delta(15, "output_text", "Well."))
    first, second = turns(cli, *lines)
    assert [each["text"] for each in first["answers"]] == ["Well.", "Sunny."]
    assert first["latency"] == 15


def test_v1_has_the_same_turns(cli: Cli) -> None:
    session = {"id": "s", "input_audio_format": "g711_ulaw", "output_audio_format": "pcm16"}
    [turn] = turns(
        cli,
        server(0, type="session.created", session=session),
        append(1, b"\xff" * 8),
        client(2, type="input_audio_buffer.commit"),
        created(3),
        delta(4, "audio_transcript", "Hi."),
        delta(5, "audio", base64.b64encode(MS).decode()),
        done(6),
    )
    assert (sound(turn["user"][0]), turn["user"][0]["rate"]) == (b"\0\0" * 8, 8000)
    assert (turn["answers"][0]["text"], sound(turn["answers"][0])) == ("Hi.", MS)


def test_a_session_without_times_or_audio(cli: Cli) -> None:
    """As `record` writes it with `audio=False`."""
    lines = [
        append(0, b""),
        client(0, type="input_audio_buffer.commit"),
        created(0),
        delta(0, "output_audio", ""),
        done(0),
    ]
    [turn] = turns(cli, *(line._replace(at_ms=None) for line in lines))
    assert turn["latency"] is None
    assert turn["user"][0]["pcm"] == turn["answers"][0]["pcm"] == ""


def test_the_page_is_written_beside_what_is_printed(cli: Cli) -> None:
    plain = cli.inspect(*voice_turn())
    assert cli.inspect(*voice_turn(), options=["--html", "page.html"]) == plain
    page = (cli.folder / "page.html").read_text("utf-8")
    # It loads nothing.
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|\bsrc=|\bhref=|@import|\burl\(", page)
    data = data_of(page)
    assert data["summary"] == json.loads(cli.inspect(*voice_turn(), options=["--json"]).out)
    marked = {row["event_type"]: row["is_marked"] for row in data["events"]}
    assert [*marked][:2] == ["session.created", "input_audio_buffer.append"]
    assert [name for name in marked if marked[name]] == ["rate_limits.updated", "response.mood"]


def test_nothing_in_a_session_ends_the_script(cli: Cli) -> None:
    evil = f"</script><!--<script>{HOSTILE}"
    [turn] = turns(cli, said(0, evil))
    assert turn["user"][0]["text"] == evil
    page = (cli.folder / "page.html").read_text("utf-8")
    assert page.count("</script>") == 2
    assert "<!--" not in page


def test_a_page_that_cannot_be_written(cli: Cli) -> None:
    status, _, err = cli.inspect(*voice_turn(), options=["-q", "--html", "no/page.html"])
    assert status == 2
    assert err.endswith("s.jsonl: cannot write no/page.html: No such file or directory\n")
    status, out, err = cli.run("inspect", "--html", "page.html", "s.jsonl", "s.jsonl")
    assert (status, out) == (2, "")
    assert err == "python -m openai_realtime_client inspect: --html is for one FILE\n"
    recorded = (cli.folder / "s.jsonl").read_text("utf-8")
    status, _, err = cli.run("inspect", "--html", "./s.jsonl", "s.jsonl")
    assert (status, "would replace FILE" in err) == (2, True)
    assert (cli.folder / "s.jsonl").read_text("utf-8") == recorded
