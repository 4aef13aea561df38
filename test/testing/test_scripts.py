"""Recordings that the embedded server replays."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from openai_realtime_client.testing import Faults, ReplayServer
from openai_realtime_client.testing.recording import RecordedEvent, read_recording
from plain_client import (
    BETA,
    CANCEL,
    COMMIT,
    LOUD,
    RESPOND,
    Event,
    append,
    check_sent,
    client,
    text,
)

RECORDINGS = Path(__file__).parents[1] / "recordings"


def greeting() -> list[str]:
    return (RECORDINGS / "ga_text_turn.jsonl").read_text("utf-8").splitlines()


@pytest.mark.parametrize(("protocol", "headers"), [("ga", {}), ("v1", BETA)])
def test_a_recording_is_replayed(protocol: str, headers: dict[str, str]) -> None:
    path = RECORDINGS / f"{protocol}_text_turn.jsonl"
    recorded = [*read_recording(path)]
    with ReplayServer(script=path) as server:
        for _ in range(2):
            with client(server, skip=0, additional_headers=headers) as c:
                for line in recorded:
                    if line.direction == "client":
                        c.send(line.event)
                    else:
                        assert c.recv() == line.event
                assert c.closed() == (1000, "")
        first, second = server.sessions
    assert first.mismatch is second.mismatch is None
    assert first.close_code == 1000
    sent = [line.event for line in recorded if line.direction == "client"]
    assert [event.to_dict() for event in first.received] == sent
    assert first.sent == second.sent
    assert first.sent[0].type == "session.created"
    check_sent(first)


def test_a_recording_may_be_lines_or_entries() -> None:
    event = {"type": "conversation.created", "event_id": "e", "conversation": {"id": "c"}}
    script: list[str | RecordedEvent] = [json.dumps(event), RecordedEvent("client", RESPOND)]
    with ReplayServer(script=script) as server, client(server, skip=0) as c:
        assert c.answer(RESPOND) == event
        assert c.closed() == (1000, "")
        assert server.sessions[0].mismatch is None


def test_ids_need_not_match_a_script() -> None:
    delete = {"type": "conversation.item.delete", "item_id": "a", "event_id": "b"}
    script = [RecordedEvent("client", delete)]
    with ReplayServer(script=script) as server, client(server, skip=0) as c:
        c.send({**delete, "item_id": "x", "event_id": "y"})
        assert c.closed() == (1000, "")
        assert server.sessions[0].mismatch is None


@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_audio_may_be_cut_differently_than_in_a_script(pieces: int) -> None:
    started = {"type": "input_audio_buffer.speech_started", "event_id": "e"}
    script = [
        RecordedEvent("client", append(LOUD)),
        RecordedEvent("client", append(LOUD)),
        RecordedEvent("server", started),
        RecordedEvent("client", append(LOUD)),
        RecordedEvent("client", COMMIT),
    ]
    with ReplayServer(script=script) as server, client(server, skip=0) as c:
        c.send(*[append(LOUD)] * pieces, COMMIT)
        assert c.recv() == started
        assert c.closed() == (1000, "")
        assert server.sessions[0].mismatch is None


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ([RESPOND], "line 3: expected session.update, received response.create"),
        (
            [{"type": "session.update", "session": {}}, CANCEL],
            "line 5: expected conversation.item.",
        ),
        ([{"no": "event"}], "line 3: expected session.update, received no event"),
        ([append(LOUD)], "line 3: expected session.update, received input_audio_buffer.append"),
    ],
)
def test_a_client_that_departs_from_the_script(sent: list[Event], reason: str) -> None:
    with ReplayServer(script=["", *greeting()]) as server:
        with client(server) as c:
            c.send(*sent)
            code, said = c.closed()
        session = server.sessions[0]
    assert code == session.close_code == 1011
    assert said.startswith(reason)
    assert said == session.close_reason
    first, expected, received = (session.mismatch or "").splitlines()
    assert first == said
    kind = reason.partition("expected ")[2].partition(",")[0]
    assert expected.startswith(f'  expected: {{"type": "{kind}')
    assert received.startswith(f"  received: {json.dumps(sent[-1])[:60]}")
    assert len(received) < 500


def test_a_client_that_leaves_before_the_script_ends() -> None:
    with ReplayServer(script=greeting()) as server, client(server):
        pass
    mismatch = server.sessions[0].mismatch
    assert (mismatch or "").splitlines() == [
        "line 2: expected session.update, the connection ended",
        f"  expected: {json.dumps(json.loads(greeting()[1])['event'])}",
        "  received: nothing more",
    ]
    assert server.sessions[0].close_code == 1000


def test_what_is_sent_after_the_end_of_a_script_does_not_matter() -> None:
    with ReplayServer(script=[RecordedEvent("client", RESPOND)]) as server:
        with client(server, skip=0) as c:
            c.send(RESPOND)
            # The close frame may have come already.
            with suppress(ConnectionClosed):
                c.send(RESPOND, RESPOND)
            assert c.closed() == (1000, "")
        assert server.sessions[0].mismatch is None


def test_faults_happen_in_scripts_too() -> None:
    faults = Faults(cut_after=1)
    with ReplayServer(script=greeting(), faults=faults) as server, client(server) as c:
        assert c.closed() == (1006, "")


def test_a_session_can_be_saved_and_replayed(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    with ReplayServer() as server:
        with client(server, skip=0) as c:
            first = [c.recv(), *c.turn(text("Grüße."), RESPOND)]
        recording = server.sessions[0].recording()
    path.write_text("".join(f"{line.to_json()}\n" for line in recording), "utf-8")
    assert [line[:3] for line in read_recording(path)] == [line[:3] for line in recording]
    times = [line.at_ms for line in recording]
    assert times == sorted(times, key=lambda time: time or 0)
    with ReplayServer(script=path) as server, client(server, skip=0) as c:
        assert [c.recv(), *c.turn(text("Hallo."), RESPOND)] == first
        assert c.closed() == (1000, "")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{secret", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('["secret"]', "not an object"),
        ('{"secret":1}', 'no event with a string "type"'),
        ('{"type":1}', 'no event with a string "type"'),
        ('{"from":"client","event":{"secret":1}}', 'no event with a string "type"'),
        ('{"from":"client","event":"secret"}', 'no event with a string "type"'),
        ('{"from":"secret","event":{"type":"t"}}', '"from" is neither "client" nor "server"'),
        ('{"from":"client","event":{"type":"t"},"at_ms":"secret"}', '"at_ms" is not a number'),
        ('{"from":"client","event":{"type":"t"},"at_ms":true}', '"at_ms" is not a number'),
    ],
)
def test_a_line_that_is_no_event(line: str, problem: str) -> None:
    with pytest.raises(ValueError, match="line 3: ") as caught:
        ReplayServer(script=["", '{"type":"response.create"}', line])
    assert str(caught.value) == f"line 3: {problem}"
    assert caught.value.__cause__ is None


def test_lines_of_recordings() -> None:
    lines = [
        '{"from":"client","at_ms":1.5,"event":{"type":"a"}}',
        "  ",
        '{"type":"response.create"}',
        '{"type":"session.close"}',
        '{"type":"transcription_session.update"}',
        '{"type":"response.done"}',
        '{"type":"response.text.delta"}',
        '{"type":"session.output_audio.delta"}',
        '{"type":"no.such","event":1}',
    ]
    recorded = [*read_recording(lines)]
    assert recorded[0] == RecordedEvent("client", {"type": "a"}, 1.5, 1)
    assert recorded[0].to_json() == lines[0]
    assert [line.line for line in recorded] == [1, 3, 4, 5, 6, 7, 8, 9]
    assert [line.direction for line in recorded[1:]] == ["client"] * 3 + ["server"] * 4
    assert recorded[-1].event == {"type": "no.such", "event": 1}
    assert recorded[-1].to_json() == '{"from":"server","event":{"type":"no.such","event":1}}'


@pytest.mark.parametrize(("end", "count"), [('{"type":"resp', 1), ('{"type":"response.done"}', 2)])
def test_the_last_line_of_a_file_may_be_cut(tmp_path: Path, end: str, count: int) -> None:
    path = tmp_path / "session.jsonl"
    path.write_text(f'{{"type":"response.create"}}\n{end}', "utf-8")
    assert len([*read_recording(path)]) == count


def test_a_recording_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        ReplayServer(script="no/such/file.jsonl")
