"""Recordings that the embedded server replays."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from openai_realtime_client.testing import ReplayServer, ReplaySession
from openai_realtime_client.testing.recording import RecordedEvent, read_recording
from plain_client import COMMIT, LOUD, RESPOND, Event, append, check_sent, client

RECORDINGS = Path(__file__).parents[1] / "recordings"
GREETING = (RECORDINGS / "ga_text_turn.jsonl").read_text("utf-8").splitlines()


def replay(script: Any, protocol: str = "ga") -> ReplaySession[Any]:
    """Play the side of the client as a script has it, and return the session of the server."""
    with ReplayServer(script=script) as server, client(server, skip=0, protocol=protocol) as c:
        for line in read_recording(script):
            if line.direction == "client":
                c.send(line.event)
            else:
                assert c.recv() == line.event
        assert c.closed() == (1000, "")
    [session] = server.sessions
    assert session.close_code == 1000
    assert session.mismatch is None
    return session


@pytest.mark.parametrize("protocol", ["ga", "v1"])
def test_a_recording_is_replayed(protocol: str) -> None:
    path = RECORDINGS / f"{protocol}_text_turn.jsonl"
    session = replay(path, protocol)
    sent = [line.event for line in read_recording(path) if line.direction == "client"]
    assert [event.to_dict() for event in session.received] == sent
    assert session.sent[0].type == "session.created"
    check_sent(session)


STARTED = {"type": "input_audio_buffer.speech_started", "event_id": "e"}
DELETE = {"type": "conversation.item.delete", "item_id": "a", "event_id": "b"}
SPOKEN = [append(LOUD), append(LOUD), STARTED, append(LOUD), COMMIT]


@pytest.mark.parametrize(
    ("script", "sent", "received"),
    [
        pytest.param([STARTED, RESPOND], [RESPOND], [STARTED], id="as_recorded"),
        pytest.param(
            [DELETE], [{**DELETE, "item_id": "x", "event_id": "y"}], [], id="ids_need_not_match"
        ),
        pytest.param(SPOKEN, [append(LOUD), COMMIT], [STARTED], id="audio_in_one_piece"),
        pytest.param(SPOKEN, [append(LOUD)] * 7 + [COMMIT], [STARTED], id="audio_in_more_pieces"),
        # The close frame may come before them.
        pytest.param([RESPOND], [RESPOND] * 3, [], id="more_after_the_end"),
    ],
)
def test_a_client_may_depart_from_the_script(
    script: list[Event], sent: list[Event], received: list[Event]
) -> None:
    lines = [json.dumps(event) for event in script]
    with ReplayServer(script=lines) as server, client(server, skip=0) as c:
        with suppress(ConnectionClosed):
            c.send(*sent)
        assert [c.recv() for _ in received] == received
        assert c.closed() == (1000, "")
        assert server.sessions[0].mismatch is None


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (RESPOND, "line 3: expected session.update, received response.create"),
        ({"no": "event"}, "line 3: expected session.update, received no event"),
        (append(LOUD), "line 3: expected session.update, received input_audio_buffer.append"),
    ],
    ids=["another_event", "no_event", "audio"],
)
def test_a_client_that_departs_from_the_script(sent: Event, reason: str) -> None:
    with ReplayServer(script=["", *GREETING]) as server:
        with client(server) as c:
            c.send(sent)
            assert c.closed() == (1011, reason)
        session = server.sessions[0]
    assert (session.close_code, session.close_reason) == (1011, reason)
    first, expected, received = (session.mismatch or "").splitlines()
    assert first == reason
    assert expected.startswith('  expected: {"type": "session.update"')
    assert received.startswith(f"  received: {json.dumps(sent)[:60]}")
    assert len(received) < 500


def test_a_client_that_leaves_before_the_script_ends() -> None:
    with ReplayServer(script=GREETING) as server, client(server):
        pass
    [session] = server.sessions
    assert (session.mismatch or "").splitlines() == [
        "line 2: expected session.update, the connection ended",
        f"  expected: {json.dumps(json.loads(GREETING[1])['event'])}",
        "  received: nothing more",
    ]
    assert session.close_code == 1000


def test_a_session_can_be_saved_and_replayed(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    with ReplayServer() as server, client(server) as c:
        c.turn("Grüße.")
        recording = server.sessions[0].recording()
    path.write_text("".join(f"{line.to_json()}\n" for line in recording), "utf-8")
    assert [line[:3] for line in read_recording(path)] == [line[:3] for line in recording]
    times = [line.at_ms or 0 for line in recording]
    assert times == sorted(times)
    replay(path)


# Lines


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{secret", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('["secret"]', "not an object"),
        ('{"secret":1}', 'no event with a string "type"'),
        ('{"from":"client","event":"secret"}', 'no event with a string "type"'),
        ('{"from":"secret","event":{"type":"t"}}', '"from" is neither "client" nor "server"'),
        ('{"from":"client","event":{"type":"t"},"at_ms":"secret"}', '"at_ms" is not a number'),
    ],
    ids=lambda value: value[:60],
)
def test_a_line_that_is_no_event(line: str, problem: str) -> None:
    with pytest.raises(ValueError, match="line 3: ") as caught:
        ReplayServer(script=["", '{"type":"response.create"}', line])
    assert str(caught.value) == f"line 3: {problem}"
    assert caught.value.__cause__ is None


def test_lines_of_recordings() -> None:
    lines = ['{"from":"client","at_ms":1.5,"event":{"type":"a"}}', "  "]
    sides: dict[str, Any] = {
        **dict.fromkeys(("response.create", "session.close"), "client"),
        "transcription_session.update": "client",
        **dict.fromkeys(("response.done", "response.text.delta", "no.such"), "server"),
    }
    events = [{"type": name, "event": 1} for name in sides]
    first, *others = read_recording([*lines, *map(json.dumps, events)])
    assert first == RecordedEvent("client", {"type": "a"}, 1.5, 1)
    assert first.to_json() == lines[0]
    for number, (event, side, other) in enumerate(zip(events, sides.values(), others, strict=True)):
        assert other == RecordedEvent(side, event, None, 3 + number)
        assert json.loads(other.to_json()) == {"from": side, "event": event}


def test_a_recording_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        ReplayServer(script="no/such/file.jsonl")
