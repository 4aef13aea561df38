"""`inspect`: what it shows of recordings, and of files that cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from command_line import (
    AUDIO,
    CREATED,
    IDS,
    INSPECTED,
    USAGE,
    Cli,
    Done,
    client,
    ended,
    recording,
    server,
    voice_turn,
)
from openai_realtime_client import ga, v1
from openai_realtime_client.testing import ReplayServer
from openai_realtime_client.testing.recording import RecordedEvent


def test_inspect(cli: Cli) -> None:
    assert cli.inspect(*voice_turn()) == Done(1, INSPECTED, "")
    quiet = "s.jsonl: protocol ga\n" + INSPECTED[INSPECTED.index("Events") :]
    for option in ("-q", "--quiet"):
        assert cli.inspect(*voice_turn(), options=[option]) == Done(1, quiet, "")


def test_inspect_as_json(cli: Cli) -> None:
    status, out, err = cli.inspect(*voice_turn(), options=["--json"])
    assert (status, err, out.count("\n")) == (1, "", 1)
    summary = json.loads(out)
    types, tokens = summary.pop("types"), summary.pop("tokens")
    assert len(types) == 9
    assert types[0] == {"from": "client", "type": "input_audio_buffer.append", "count": 3}
    assert (tokens["total"], tokens["input_cached_text"], tokens["output_reasoning"]) == (
        150,
        20,
        0,
    )
    error = {"event": "error", "type": "invalid_request_error", "code": "no_such"}
    deviation = {"from": "server", "type": "rate_limits.updated", "path": "rate_limits[*].new"}
    unknown = {"from": "server", "type": "response.mood", "path": "", "kind": "unknown event"}
    assert summary == {
        "file": "s.jsonl",
        "protocol": "ga",
        "events": 13,
        "duration_ms": 1060.0,
        "audio_bytes": {"client": 300, "server": 200},
        "responses": 1,
        "errors": [{**error, "message": "No such item.", "count": 1, "line": 13}],
        "deviations": [
            {**deviation, "kind": "unknown field", "values": ["1", "2"], "count": 2, "line": 11},
            {**unknown, "values": [], "count": 1, "line": 12},
        ],
    }


def test_events_without_time_and_side(cli: Cli) -> None:
    assert cli.inspect({"type": "response.create"}, CREATED.event) == Done(
        0,
        "s.jsonl: protocol ga\n"
        "        → response.create\n"
        "        ← session.created                        gpt-realtime-2.1, sess_1\n"
        "Events: 2\n"
        "      1 → response.create\n"
        "      1 ← session.created\n"
        "Errors: none\n"
        "Deviations: none\n",
        "",
    )


def test_streams_beside_each_other_and_one_after_another(cli: Cli) -> None:
    def delta(item: str, text: str, **more: Any) -> RecordedEvent:
        whose = {**IDS, "item_id": item, **more}
        return server(type="response.output_text.delta", delta=text, **whose)

    done = server(type="response.output_text.done", text="ace", **IDS)
    out = cli.inspect(
        *(delta("i", "a", new=1), delta("j", "b"), delta("i", "c")),
        done,
        *(delta("i", "d"), delta("i", "e"), delta("i", "f", content_index=1)),
    ).out
    assert [" ".join(line.split()) for line in out.splitlines()[1:6]] == [
        '←!response.output_text.delta 2x "ac"',
        '← response.output_text.delta "b"',
        '← response.output_text.done "ace", item_1',
        '← response.output_text.delta 2x "de"',
        '← response.output_text.delta "f"',
    ]


def test_errors_and_deviations_are_grouped(cli: Cli) -> None:
    details = {"type": "failed", "error": {"type": "server_error", "code": "busy"}}
    errors = [{"message": "Again.", "new": "x" * 100 + str(number)} for number in range(3)]
    errors += [{"message": "No.", "new": number} for number in range(4)]
    status, out, _ = cli.inspect(
        CREATED,
        *(server(type="error", error={"type": "t", **error}) for error in errors),
        ended("completed", usage=USAGE),
        ended("completed", usage={**USAGE, "output_tokens": "many", "total_tokens": True}),
        ended("failed", status_details=details),
        server(type="response.done", response={"status": "paused", "output": [{"type": "poem"}]}),
        server(type="rate_limits.updated", rate_limits="none"),
        {"type": "input_audio_buffer.cleared"},
    )
    assert status == 1
    assert "failed, busy, resp_1\n" in out
    assert out[out.index("Tokens") :] == (
        "Tokens: 150 in 4 responses\n"
        "    200 input: text 120, audio 80, cached 60, cached text 40, cached audio 20\n"
        "     50 output: text 40, audio 60\n"
        "Errors: 8\n"
        "      3 t: Again.\n"
        "        error, first on line 2\n"
        "      4 t: No.\n"
        "        error, first on line 5\n"
        "      1 busy:\n"
        "        response.done, line 11\n"
        "Deviations: 13\n"
        "      7 ← error at error.new\n"
        f'          unknown field, first on line 2: "{"x" * 58}…, 0, 1\n'
        "      1 ← response.done at response.usage.total_tokens\n"
        "          wrong type, line 10: true\n"
        "      1 ← response.done at response.usage.output_tokens\n"
        '          wrong type, line 10: "many"\n'
        "      1 ← response.done at response.status\n"
        '          unknown value, line 12: "paused"\n'
        "      1 ← response.done at response.output[*]\n"
        '          unknown member, line 12: {"type": "poem"}\n'
        "      1 ← rate_limits.updated at rate_limits\n"
        '          wrong type, line 13: "none"\n'
        "      1 ← input_audio_buffer.cleared at event_id\n"
        "          missing field, line 14\n"
    )


# Which protocol


def of_server(protocol: str, connect: Any) -> list[RecordedEvent]:
    """A session with the embedded server."""
    with ReplayServer() as replay, connect(base_url=replay.url, api_key="") as connection:
        connection.recv()
        connection.send_audio(b"\1\0" * 4800)
        if protocol == "ga translation":
            connection.send({"type": "session.close"})
        else:
            connection.send({"type": "input_audio_buffer.clear"})
        connection.recv()
    return replay.sessions[0].recording()


@pytest.mark.parametrize(
    ("protocol", "connect"),
    [
        ("ga", ga.connect_sync),
        ("v1", v1.connect_sync),
        ("ga translation", ga.connect_translation_sync),
    ],
)
def test_the_protocol_is_found(cli: Cli, protocol: str, connect: Any) -> None:
    events = of_server(protocol, connect)
    done = cli.inspect(*events)
    assert done.out.startswith(f"s.jsonl: protocol {protocol}, times in ms\n")
    assert done.out.endswith("Deviations: none\n")
    assert done.status == 0
    named = "ga" if protocol.startswith("ga") else "v1"
    assert cli.inspect(*events, options=["--protocol", named]) == done
    other = "v1" if named == "ga" else "ga"
    assert cli.inspect(*events, options=["--protocol", other]).status == 1


APPEND = client(type="input_audio_buffer.append", audio=AUDIO)
V1_ONLY = server(type="response.audio_transcript.delta", delta="x", **IDS)


@pytest.mark.parametrize(
    ("events", "protocol"),
    [
        ([APPEND] * 49 + [V1_ONLY], "v1"),
        ([APPEND] * 50 + [V1_ONLY], "ga"),
        ([server(type="what.no.one.knows"), V1_ONLY], "v1"),
        # A known event with fields of its own is still nearer than an unknown one.
        ([server(type="session.closed", a=1, b=2, c=3)], "ga translation"),
    ],
)
def test_the_first_event_that_decides_the_protocol(
    cli: Cli, events: list[RecordedEvent], protocol: str
) -> None:
    out = cli.inspect(*events, options=["--json"]).out
    assert json.loads(out)["protocol"] == protocol
    assert json.loads(out)["events"] == len(events)


# What cannot be read

SECRET = "ek_secret"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f'{{"type": "{SECRET}', "not JSON"),
        (f'{{"type": "{SECRET}", "a": NaN}}', "no event: Invalid JSON: expected value"),
        (f'{{"type": "{SECRET}", "a": {"[" * 300}{"]" * 300}}}', "no event: Invalid JSON: recurs"),
    ],
)
def test_a_line_that_cannot_be_read(cli: Cli, line: str, message: str) -> None:
    status, out, err = cli.inspect(CREATED, "", APPEND, line, CREATED)
    assert status == 2
    prefix = "python -m openai_realtime_client inspect: s.jsonl: "
    assert err.startswith(f"{prefix}line 4: {message}")
    assert err.count("\n") == 1
    assert SECRET not in out + err
    assert "Events" not in out


def test_files_that_cannot_be_read(cli: Cli) -> None:
    cli.monkeypatch.chdir(cli.folder)
    (cli.folder / "empty.jsonl").write_text("\n\n")
    (cli.folder / "latin.jsonl").write_bytes(b'\n{"type": "\xe4"}\n')
    (cli.folder / "bom.jsonl").write_bytes(b"\xef\xbb\xbf" + CREATED.to_json().encode())
    files = ["missing.jsonl", ".", "empty.jsonl", "latin.jsonl", "a\0b"]
    status, out, err = cli.run("inspect", "-q", *files, "bom.jsonl")
    assert status == 2
    assert [line.removeprefix(f"{' '.join(PROG)} inspect: ") for line in err.splitlines()] == [
        "missing.jsonl: No such file or directory",
        ".: Is a directory",
        "empty.jsonl: there are no events in it",
        "latin.jsonl: line 2: not JSON",
        r"a\x00b: embedded null byte",
    ]
    # The others are shown nevertheless.
    assert out.strip().startswith("bom.jsonl: protocol ga\nEvents: 1 in 0.00 s\n")


def test_a_last_line_that_was_not_finished_is_left_out(cli: Cli) -> None:
    """As a program leaves it that is killed while it records."""
    path = recording(cli.folder / "s.jsonl", *voice_turn())
    with path.open("ab") as file:
        file.write('{"type": "ü'.encode()[:-1])
    summary = INSPECTED[INSPECTED.index("Events") :]
    assert cli.run("inspect", "-q", str(path)).out.endswith(summary)
    assert cli.run("inspect", "-q", "-", stdin=path.read_bytes()).out.endswith(summary)


PROG = ["python", "-m", "openai_realtime_client"]


def test_several_files(cli: Cli) -> None:
    cli.monkeypatch.chdir(cli.folder)
    recording(cli.folder / "a.jsonl", CREATED)
    recording(cli.folder / "b.jsonl", CREATED, server(type="new"))
    status, out, _ = cli.run("inspect", "--quiet", "a.jsonl", "b.jsonl")
    assert status == 1
    assert out.startswith("a.jsonl: protocol ga\n")
    assert "\n\nb.jsonl: protocol ga\n" in out
    status, out, _ = cli.run("inspect", "--json", "b.jsonl", "a.jsonl")
    assert status == 1
    assert [json.loads(line)["file"] for line in out.splitlines()] == ["b.jsonl", "a.jsonl"]
    assert cli.run("inspect", "a.jsonl", "a.jsonl").status == 0


@pytest.mark.parametrize("at_ms", ["NaN", "1e999", "-1.7e308"])
def test_absurd_times_are_ignored(cli: Cli, at_ms: str) -> None:
    line = f'{{"from": "server", "at_ms": {at_ms}, "event": {json.dumps(CREATED.event)}}}'
    times = [CREATED._replace(at_ms=each) for each in (1200.0, 1000.0, 1500.0)]
    status, out, err = cli.inspect(line, *times, options=["--json"])
    assert (status, err) == (0, "")
    assert json.loads(out)["duration_ms"] == 500
    assert cli.inspect(line).out.splitlines()[1].startswith("        ← session.created")
