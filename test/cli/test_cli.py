"""The command line: what people and scripts see of it."""

from __future__ import annotations

import base64
import fcntl
import io
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import openai_realtime_client
from openai_realtime_client import deviations, ga, v1
from openai_realtime_client.cli import main
from openai_realtime_client.cli.display import Screen, summarize
from openai_realtime_client.testing import Faults, ReplayServer
from openai_realtime_client.testing.recording import RecordedEvent, read_recording

COMMAND = [sys.executable, "-m", "openai_realtime_client"]
KEY = "sk-test-of-the-command-line"
HOSTILE = "a\x1b[31m\x07\x9b2J\u202eb\x7f\u2028\r\n\tc"
ESCAPED = r"a\x1b[31m\x07\x9b2J\u202eb\x7f\u2028\r\n\tc"

Event = dict[str, Any]


class Done(NamedTuple):
    """What a run has left."""

    status: int
    out: str
    err: str


class Cli:
    """Runs the command line in this process."""

    def __init__(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
    ) -> None:
        self.capsys = capsys
        self.monkeypatch = monkeypatch
        self.folder = folder

    def run(self, *argv: str, stdin: str | bytes = b"") -> Done:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        self.capsys.readouterr()
        return Done(main(argv), *self.capsys.readouterr())

    def inspect(self, *lines: RecordedEvent | Event | str, options: Iterable[str] = ()) -> Done:
        self.monkeypatch.chdir(self.folder)
        return self.run("inspect", *options, recording(self.folder / "s.jsonl", *lines).name)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    # It would hide what buffers do.
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    return Cli(capsys, monkeypatch, tmp_path)


def recording(path: Path, *lines: RecordedEvent | Event | str) -> Path:
    """Write a recording."""
    path.write_text("".join(f"{as_line(line)}\n" for line in lines), "utf-8")
    return path


def as_line(line: RecordedEvent | Event | str) -> str:
    if isinstance(line, RecordedEvent):
        return line.to_json()
    return line if isinstance(line, str) else json.dumps(line)


def server(at_ms: float | None = None, /, **event: Any) -> RecordedEvent:
    event.setdefault("event_id", "event_1")
    return RecordedEvent("server", event, at_ms)


def client(at_ms: float | None = None, /, **event: Any) -> RecordedEvent:
    return RecordedEvent("client", event, at_ms)


def in_shell(command: str, **more: Any) -> Done:
    """Run a shell's command line, in which `$cli` is ours."""
    environment = {**os.environ, "cli": " ".join(COMMAND), **more.pop("env", {})}
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        env=environment,
        capture_output=True,
        timeout=60,
        **more,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def in_terminal(*argv: str, columns: int = 100, **env: str) -> Done:
    """Run it in a terminal of so many columns; what it prints there, errors included."""
    command = ["bash", "-c", f'stty cols {columns}; exec "$@"', "-", *COMMAND, *argv]
    environment = {**os.environ, **env}
    environment.pop("COLUMNS")
    leader, follower = pty.openpty()
    fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, env=environment
    )
    os.close(follower)
    printed = b""
    while True:
        try:
            data = os.read(leader, 65536)
        except OSError:
            break
        if not data:
            break
        printed += data
    os.close(leader)
    return Done(child.wait(60), printed.decode().replace("\r\n", "\n"), "")


CREATED = server(
    0.0,
    type="session.created",
    session={"type": "realtime", "id": "sess_1", "model": "gpt-realtime"},
)
USAGE = {
    "total_tokens": 150,
    "input_tokens": 100,
    "output_tokens": 50,
    "input_token_details": {
        "text_tokens": 60,
        "audio_tokens": 40,
        "cached_tokens": 30,
        "cached_tokens_details": {"text_tokens": 20, "audio_tokens": 10},
    },
    "output_token_details": {"text_tokens": 20, "audio_tokens": 30},
}
AUDIO = base64.b64encode(b"\0" * 100).decode()
IDS = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
MESSAGE = {
    "id": "item_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_audio", "transcript": "Hello there."}],
}


def voice_turn() -> list[RecordedEvent]:
    """A turn in which the server says some things that the schema does not know."""
    appends = [client(10.0 + at, type="input_audio_buffer.append", audio=AUDIO) for at in range(3)]
    words = [
        server(40.0 + at, type=f"response.output_{kind}.delta", delta=delta, **IDS)
        for at in range(2)
        for kind, delta in (("audio_transcript", ["Hello", " there."][at]), ("audio", AUDIO))
    ]
    response = {"id": "resp_1", "object": "realtime.response", "output": [MESSAGE], "usage": USAGE}
    limit = {"name": "tokens", "limit": 1000, "remaining": 900, "reset_seconds": 1.5, "new": 1}
    return [
        CREATED,
        *appends,
        client(20.0, type="response.create"),
        *words,
        server(50.0, type="response.done", response={**response, "status": "completed"}),
        server(51.25, type="rate_limits.updated", rate_limits=[limit, {**limit, "new": 2}]),
        server(60.0, type="response.mood", mood="good"),
        server(
            1060.0,
            type="error",
            error={"type": "invalid_request_error", "code": "no_such", "message": "No such item."},
        ),
    ]


# demo

DEMO = """\
A session: with the embedded server, without key or network; times in ms
  ← session.created                        gpt-realtime, audio, sess_N
Settings: text instead of audio, and a function that the model may call
  → session.update                         text, tools get_weather
  ← session.updated                        gpt-realtime, text, tools get_weather, sess_N
A text turn
  → conversation.item.create               user "Hello!"
  → response.create
  ← conversation.item.added                user "Hello!", item_N
  ← conversation.item.done                 user "Hello!", item_N
  ← response.created                       in_progress, resp_N
  ← response.output_item.added             assistant, in_progress, item_N
  ← conversation.item.added                assistant, in_progress, item_N
  ← response.content_part.added            [text], item_N
  ← response.output_text.delta             "You"
  ← response.output_text.delta             " said:"
  ← response.output_text.delta             " Hello!"
  ← response.output_text.done              "You said: Hello!", item_N
  ← response.content_part.done             "You said: Hello!", item_N
  ← conversation.item.done                 assistant "You said: Hello!", item_N
  ← response.output_item.done              assistant "You said: Hello!", item_N
  ← response.done                          completed, 1+3 tokens, "You said: Hello!", resp_N
A tool call: the client runs the function and sends what it gives
  → conversation.item.create               user "What is the weather in Paris?"
  → response.create                        tool choice required
  ← conversation.item.added                user "What is the weather in Paris?", item_N
  ← conversation.item.done                 user "What is the weather in Paris?", item_N
  ← response.created                       in_progress, resp_N
  ← response.output_item.added             get_weather(), in_progress, item_N
  ← conversation.item.added                get_weather(), in_progress, item_N
  ← response.function_call_arguments.delta "{"city":"
  ← response.function_call_arguments.delta " "Paris"}"
  ← response.function_call_arguments.done  get_weather({"city": "Paris"}), item_N
  ← conversation.item.done                 get_weather({"city": "Paris"}), item_N
  ← response.output_item.done              get_weather({"city": "Paris"}), item_N
  ← response.done                          completed, 10+2 tokens, get_weather({"city": "Paris"}), resp_N
  → conversation.item.create               output Sunny in Paris, 18 degrees.
  → response.create
  ← conversation.item.added                output Sunny in Paris, 18 degrees., item_N
  ← conversation.item.done                 output Sunny in Paris, 18 degrees., item_N
  ← response.created                       in_progress, resp_N
  ← response.output_item.added             assistant, in_progress, item_N
  ← conversation.item.added                assistant, in_progress, item_N
  ← response.content_part.added            [text], item_N
  ← response.output_text.delta             "The"
  ← response.output_text.delta             " function"
  ← response.output_text.delta             " said:"
  ← response.output_text.delta             " Sunny"
  ← response.output_text.delta             " in"
  ← response.output_text.delta             " Paris,"
  ← response.output_text.delta             " 18"
  ← response.output_text.delta             " degrees."
  ← response.output_text.done              "The function said: Sunny in Paris, 18 degrees.", item_N
  ← response.content_part.done             "The function said: Sunny in Paris, 18 degrees.", item_N
  ← conversation.item.done                 assistant "The function said: Sunny in Paris, 18 degrees.", item_N
  ← response.output_item.done              assistant "The function said: Sunny in Paris, 18 degrees.", item_N
  ← response.done                          completed, 15+8 tokens, "The function said: Sunny in Paris, 18 degrees.", resp_N
"""  # noqa: E501


def test_the_demo(cli: Cli) -> None:
    cli.monkeypatch.setenv("COLUMNS", "200")
    status, out, err = cli.run("demo")
    assert (status, err) == (0, "")
    *lines, last = out.splitlines()
    assert re.fullmatch(r"Done: 5\d events and 39 tokens in \d+ ms", last)
    times = [int(line[:7]) for line in lines if line.startswith(" ")]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] < 60_000
    masked = [re.sub(r"_\d{12}", "_N", re.sub(r"^ *\d+ ", "  ", line)) for line in lines]
    # They come beside what the client does next.
    limits = [line for line in masked if "rate_limits" in line]
    assert 2 <= len(limits) <= 3
    assert "".join(f"{line}\n" for line in masked if line not in limits) == DEMO


def test_the_demo_asks_for_no_key_and_sends_none(cli: Cli) -> None:
    cli.monkeypatch.setenv("OPENAI_API_KEY", "this is refused by `connect`")
    cli.monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    assert cli.run("demo").status == 0


def test_a_demo_is_recorded_inspected_and_replayed(cli: Cli) -> None:
    status, out, err = cli.run("demo", "--json")
    assert (status, err) == (0, "")
    events = [*read_recording(out.splitlines())]
    assert len(events) == len(out.splitlines()) > 50
    assert [each.to_json() for each in events] == out.splitlines()
    for each in events:
        parse = ga.parse_client_event if each.direction == "client" else ga.parse_server_event
        assert deviations(parse(json.dumps(each.event))) == []

    status, shown, err = cli.run("inspect", "-", stdin=out)
    assert (status, err) == (0, "")
    assert shown.startswith("standard input: protocol ga, times in ms\n")
    assert shown.endswith("Errors: none\nDeviations: none\n")

    cli.monkeypatch.setenv("OPENAI_API_KEY", "")
    with ReplayServer(script=out.splitlines()) as replay:
        status, again, err = cli.run("demo", "--json", "--url", replay.url)
    assert (status, err) == (0, "")
    assert [session.mismatch for session in replay.sessions] == [None]
    server_side = [each.event for each in events if each.direction == "server"]
    replayed = [*read_recording(again.splitlines())]
    assert [each.event for each in replayed if each.direction == "server"] == server_side


def test_the_demo_with_another_server_and_a_key(cli: Cli) -> None:
    with ReplayServer(api_key=KEY) as replay:
        cli.monkeypatch.setenv("OPENAI_API_KEY", KEY)
        status, out, err = cli.run("demo", "--url", replay.url, "--model", "gpt-other")
        assert (status, err) == (0, "")
        assert out.startswith("A session: with 127.0.0.1; times in ms\n")
        assert "gpt-other" in replay.sessions[0].request_path

        cli.monkeypatch.setenv("OPENAI_API_KEY", "wrong")
        cli.monkeypatch.setenv("OTHER_KEY", KEY)
        assert cli.run("demo", "--url", replay.url, "--api-key-env", "OTHER_KEY").status == 0
        status, out, err = cli.run("demo", "--url", replay.url)
    assert status == 1
    assert err == (
        "python -m openai_realtime_client demo: InvalidKeyError: the key was not accepted "
        "(3000: invalid_request_error.invalid_api_key)\n"
    )


def test_the_demo_without_the_key_that_it_needs(cli: Cli) -> None:
    status, out, err = cli.run("demo", "--url", "ws://127.0.0.1:1", "--api-key-env", "NOT_THERE")
    assert (status, out) == (2, "")
    assert err == (
        "python -m openai_realtime_client demo: there is no key in NOT_THERE: set the variable, "
        'or set it to "" for a server that needs no key\n'
    )


def test_the_demo_does_not_send_a_key_unencrypted(cli: Cli) -> None:
    cli.monkeypatch.setenv("OPENAI_API_KEY", KEY)
    status, _, err = cli.run("demo", "--url", "ws://example.invalid/v1")
    assert status == 2
    assert "unencrypted" in err
    assert KEY not in err


REFUSED = json.dumps({"error": {"message": "Not\x1b[2J today."}})


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        (Faults(cut_after=3), "ConnectionLostError: the connection was lost (1006)"),
        (Faults(cut_after=0), "ConnectionLostError: the connection was lost (1006)"),
        (
            Faults(close_after=9, close_code=1001, close_reason="b\x1b]0;ye"),
            r"SessionExpiredError: the session expired (1001: b\x1b]0;ye)",
        ),
        (
            Faults(refuse=401, refuse_body=REFUSED),
            r"HandshakeRefusedError: the server refused with HTTP 401: Not\x1b[2J today.",
        ),
        (Faults(garbage_after=4), "InvalidEventError: event: Invalid JSON: EOF while"),
        # It is lost where websockets sends at the moment in which it is to refuse the frame.
        (
            Faults(broken_frame_after=2),
            (
                "ConnectionClosedError: the session is closed (1002",
                "ConnectionLostError: the connection was lost (1006)",
            ),
        ),
        (Faults(delay=20), "no event came within 0.25 s"),
    ],
)
def test_the_demo_with_a_faulty_server(
    cli: Cli, faults: Faults, message: str | tuple[str, ...]
) -> None:
    cli.monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ReplayServer(faults=faults) as replay:
        timeout = "0.25" if faults.delay else "10"
        status, out, err = cli.run("demo", "--url", replay.url, "--timeout", timeout)
    assert status == 1
    # It may be noticed when the client receives or when it sends.
    err = re.sub(r"[a-z_.]+ may not have arrived: ", "", err)
    program, said = err[:39], err[39:]
    assert program == "python -m openai_realtime_client demo: "
    assert said.startswith(message)
    assert err.count("\n") == 1
    assert KEY not in out + err


def test_the_demo_without_a_server(cli: Cli) -> None:
    cli.monkeypatch.setenv("OPENAI_API_KEY", "")
    status, _, err = cli.run("demo", "--url", "http://127.0.0.1:1/v1")
    assert status == 1
    assert "ConnectionFailedError: no connection to 127.0.0.1: ConnectionRefused" in err
    assert err.count("\n") == 1


UPDATED = server(type="session.updated", session={"type": "realtime"})
CREATE = client(type="conversation.item.create")
RESPOND = client(type="response.create")


def ended(status: str, **more: Any) -> RecordedEvent:
    return server(type="response.done", response={"id": "resp_1", "status": status, **more})


FAILED = {"type": "failed", "error": {"type": "server_error", "code": HOSTILE}}


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            [server(type="error", error={"code": "no", "message": HOSTILE})],
            f"the server sent an error: no: {ESCAPED}",
        ),
        (
            [UPDATED, CREATE, RESPOND, ended("failed", status_details=FAILED)],
            f"a response is failed, {ESCAPED}, resp_1",
        ),
        (
            [UPDATED, CREATE, RESPOND, ended("completed"), CREATE, RESPOND, ended("completed")],
            "the model did not call the function",
        ),
        (
            [server(type="error", error={"code": "no", "message": None})],
            "the server sent an error: no",
        ),
    ],
)
def test_the_demo_with_a_server_that_does_not_go_on(
    cli: Cli, script: list[RecordedEvent], message: str
) -> None:
    cli.monkeypatch.setenv("OPENAI_API_KEY", "")
    whole = [CREATED, client(type="session.update"), *script, client(type="response.cancel")]
    with ReplayServer(script=whole) as replay:
        status, _, err = cli.run("demo", "--url", replay.url)
    assert (status, err) == (1, f"python -m openai_realtime_client demo: {message}\n")


def test_a_call_with_arguments_that_are_no_json_is_answered(cli: Cli) -> None:
    cli.monkeypatch.setenv("OPENAI_API_KEY", "")
    call = {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": "{oh"}
    script = [CREATED, client(type="session.update"), UPDATED, CREATE, RESPOND, ended("completed")]
    script += [CREATE, RESPOND, ended("completed", output=[call]), CREATE, RESPOND]
    with ReplayServer(script=[*script, ended("completed")]) as replay:
        status, out, err = cli.run("demo", "--url", replay.url)
    assert (status, err) == (0, "")
    assert "output Sunny in None, 18 degrees." in out


# inspect

INSPECTED = """\
s.jsonl: protocol ga, times in ms
      0 ← session.created                        gpt-realtime, sess_1
     10 → input_audio_buffer.append              3x 300 bytes
     20 → response.create
     40 ← response.output_audio_transcript.delta 2x "Hello there."
     40 ← response.output_audio.delta            2x 200 bytes
     50 ← response.done                          completed, 100+50 tokens, "Hello there.", resp_1
     51 ←!rate_limits.updated                    tokens 900 of 1000, tokens 900 of 1000
     60 ←!response.mood                          mood=good
   1060 ← error                                  no_such: No such item.
Events: 13 in 1060 ms
      3 → input_audio_buffer.append
      1 → response.create
      2 ← response.output_audio.delta
      2 ← response.output_audio_transcript.delta
      1 ← error
      1 ← rate_limits.updated
      1 ← response.done
      1 ← response.mood
      1 ← session.created
Audio: → 300 bytes, ← 200 bytes
Tokens: 150 in 1 response
    100 input: text 60, audio 40, cached 30, cached text 20, cached audio 10
     50 output: text 20, audio 30
Errors: 1
      1 no_such: No such item.
        error, line 13
Deviations: 3
      2 ← rate_limits.updated at rate_limits[*].new
          unknown field, first on line 11: 1, 2
      1 ← response.mood
          unknown event, line 12
"""


def test_inspect(cli: Cli) -> None:
    assert cli.inspect(*voice_turn()) == Done(1, INSPECTED, "")


def test_inspect_quietly_shows_the_summary_alone(cli: Cli) -> None:
    timeline = INSPECTED.splitlines(keepends=True)[:10]
    expected = "s.jsonl: protocol ga\n" + INSPECTED.removeprefix("".join(timeline))
    for option in ("-q", "--quiet"):
        assert cli.inspect(*voice_turn(), options=[option]) == Done(1, expected, "")


def test_inspect_as_json(cli: Cli) -> None:
    status, out, err = cli.inspect(*voice_turn(), options=["--json"])
    assert (status, err, out.count("\n")) == (1, "", 1)
    summary = json.loads(out)
    assert len(summary.pop("types")) == 9
    assert summary == {
        "file": "s.jsonl",
        "protocol": "ga",
        "events": 13,
        "duration_ms": 1060.0,
        "audio_bytes": {"client": 300, "server": 200},
        "responses": 1,
        "tokens": {
            "total": 150,
            "input": 100,
            "input_text": 60,
            "input_audio": 40,
            "input_image": 0,
            "input_cached": 30,
            "input_cached_text": 20,
            "input_cached_audio": 10,
            "input_cached_image": 0,
            "output": 50,
            "output_text": 20,
            "output_audio": 30,
            "output_reasoning": 0,
        },
        "errors": [
            {
                "event": "error",
                "type": "invalid_request_error",
                "code": "no_such",
                "message": "No such item.",
                "count": 1,
                "line": 13,
            }
        ],
        "deviations": [
            {
                "from": "server",
                "type": "rate_limits.updated",
                "path": "rate_limits[*].new",
                "kind": "unknown field",
                "values": ["1", "2"],
                "count": 2,
                "line": 11,
            },
            {
                "from": "server",
                "type": "response.mood",
                "path": "",
                "kind": "unknown event",
                "values": [],
                "count": 1,
                "line": 12,
            },
        ],
    }


def test_events_without_time_and_side(cli: Cli) -> None:
    assert cli.inspect({"type": "response.create"}, CREATED.event) == Done(
        0,
        "s.jsonl: protocol ga\n"
        "        → response.create\n"
        "        ← session.created                        gpt-realtime, sess_1\n"
        "Events: 2\n"
        "      1 → response.create\n"
        "      1 ← session.created\n"
        "Errors: none\n"
        "Deviations: none\n",
        "",
    )


def test_streams_beside_each_other_and_one_after_another(cli: Cli) -> None:
    def delta(item: str, text: str) -> RecordedEvent:
        return server(type="response.output_text.delta", delta=text, **{**IDS, "item_id": item})

    done = server(type="response.output_text.done", text="ace", **IDS)
    out = cli.inspect(
        delta("i", "a"), delta("j", "b"), delta("i", "c"), done, delta("i", "d"), delta("i", "e")
    ).out
    assert [line.split(maxsplit=2)[1:] for line in out.splitlines()[1:5]] == [
        ["response.output_text.delta", '2x "ac"'],
        ["response.output_text.delta", '"b"'],
        ["response.output_text.done", '"ace", item_1'],
        ["response.output_text.delta", '2x "de"'],
    ]


def test_values_and_errors_are_grouped(cli: Cli) -> None:
    events = [
        server(type="error", error={"type": "t", "message": "Again.", "new": "x" * 100 + str(i)})
        for i in range(3)
    ]
    events += [
        server(type="error", error={"type": "t", "message": "No.", "new": i}) for i in range(4)
    ]
    status, out, _ = cli.inspect(CREATED, *events)
    assert status == 1
    assert out[out.index("Errors") :] == (
        "Errors: 7\n"
        "      3 t: Again.\n"
        "        error, first on line 2\n"
        "      4 t: No.\n"
        "        error, first on line 5\n"
        "Deviations: 7\n"
        "      7 ← error at error.new\n"
        f'          unknown field, first on line 2: "{"x" * 58}…, 0, 1\n'
    )


def test_all_kinds_of_deviations(cli: Cli) -> None:
    status, out, _ = cli.inspect(
        CREATED,
        server(type="response.done", response={"status": "paused", "output": [{"type": "poem"}]}),
        server(type="rate_limits.updated", rate_limits="none"),
        {"type": "input_audio_buffer.cleared"},
    )
    assert status == 1
    assert out[out.index("Deviations") :] == (
        "Deviations: 4\n"
        "      1 ← response.done at response.status\n"
        '          unknown value, line 2: "paused"\n'
        "      1 ← response.done at response.output[*]\n"
        '          unknown member, line 2: {"type": "poem"}\n'
        "      1 ← rate_limits.updated at rate_limits\n"
        '          wrong type, line 3: "none"\n'
        "      1 ← input_audio_buffer.cleared at event_id\n"
        "          missing field, line 4\n"
    )


def test_errors_of_responses_and_tokens_of_several(cli: Cli) -> None:
    details = {"type": "failed", "error": {"type": "server_error", "code": "busy"}}
    out = cli.inspect(
        CREATED,
        ended("completed", usage=USAGE),
        ended("completed", usage={**USAGE, "output_tokens": "many", "total_tokens": True}),
        ended("failed", status_details=details),
    ).out
    assert "failed, busy, resp_1\n" in out
    assert (
        "Tokens: 150 in 3 responses\n"
        "    200 input: text 120, audio 80, cached 60, cached text 40, cached audio 20\n"
        "     50 output: text 40, audio 60\n"
        "Errors: 1\n"
        "      1 busy: \n".replace(": \n", ":\n")
        + "        response.done, line 4\n"
    ) in out


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
        ([APPEND], "ga"),
        ([server(type="what.no.one.knows"), V1_ONLY], "v1"),
        # A known event with fields of its own is still nearer than an unknown one.
        ([server(type="session.closed", a=1, b=2, c=3)], "ga translation"),
        ([server(type="conversation.item.added", a=1, b=2, c=3)], "ga"),
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
        (f'["{SECRET}"]', "not an object"),
        (f'{{"kind": "{SECRET}"}}', 'no event with a string "type"'),
        (
            f'{{"from": "{SECRET}", "event": {{"type": "a"}}}}',
            '"from" is neither "client" nor "server"',
        ),
        (f'{{"type": "{SECRET}", "a": NaN}}', "no event: Invalid JSON: expected value"),
        (f'{{"type": "{SECRET}", "a": "\\ud800"}}', "no event: Invalid JSON: unexpected end"),
        (f'{{"type": "{SECRET}", "a": {"[" * 300}{"]" * 300}}}', "no event: Invalid JSON: recurs"),
        (f'{{"type": "{SECRET}", "a": {"[" * 100_000}{"]" * 100_000}}}', "not JSON"),
    ],
)
@pytest.mark.parametrize("before", [[], [CREATED, "", APPEND]])
def test_a_line_that_cannot_be_read(cli: Cli, before: list[Any], line: str, message: str) -> None:
    status, out, err = cli.inspect(*before, line, CREATED)
    assert status == 2
    prefix = "python -m openai_realtime_client inspect: s.jsonl: "
    assert err.startswith(f"{prefix}line {len(before) + 1}: {message}")
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
        "latin.jsonl: line 2: not UTF-8",
        r"a\x00b: embedded null byte",
    ]
    # The others are shown nevertheless.
    assert out.strip().startswith("bom.jsonl: protocol ga\nEvents: 1 in 0 ms\n")


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


@pytest.mark.parametrize("at_ms", ["NaN", "-Infinity", "1e999", "1" + "0" * 400])
def test_times_that_are_none(cli: Cli, at_ms: str) -> None:
    line = f'{{"from": "server", "at_ms": {at_ms}, "event": {json.dumps(CREATED.event)}}}'
    status, out, err = cli.inspect(line, CREATED, options=["--json"])
    assert (status, err) == (0, "")
    assert json.loads(out)["duration_ms"] == 0
    assert cli.inspect(line).out.splitlines()[1].startswith("        ← session.created")


@pytest.mark.parametrize("first", ["1.7e308", "1" + "7" * 308, "1e300"])
def test_times_whose_difference_is_too_large(cli: Cli, first: str) -> None:
    event = json.dumps(CREATED.event)
    lines = [
        f'{{"from": "server", "at_ms": {at}, "event": {event}}}' for at in (f"-{first}", first)
    ]
    status, out, err = cli.inspect(*lines, options=["--json"])
    assert (status, err) == (0, "")
    duration_ms = json.loads(out, parse_constant=pytest.fail)["duration_ms"]
    assert duration_ms == (2e300 if first == "1e300" else None)
    assert cli.inspect(*lines).status == 0


def test_token_counts_that_are_absurd_are_not_summed(cli: Cli) -> None:
    usage = {"input_tokens": 10**4300 - 1, "output_tokens": 5, "total_tokens": 10**4300 - 1}
    lines = [ended("completed", usage=usage), ended("completed", usage=usage)]
    status, out, err = cli.inspect(CREATED, *lines)
    assert (status, err) == (0, "")
    assert "Tokens: 0 in 2 responses\n      0 input: " in out
    assert "\n     10 output: " in out
    assert json.loads(cli.inspect(*lines, options=["--json"]).out)["tokens"]["output"] == 10


def test_combining_marks_do_not_make_a_line_longer(cli: Cli) -> None:
    marks = "a" + "\u0301" * 20_000
    status, out, _ = cli.inspect(
        CREATED, server(type=marks, text=marks), server(type="error", error={"message": marks})
    )
    assert status == 1
    assert max(map(len, out.splitlines())) <= 2 * 8 * 120
    # Writing that uses many marks is shown as it is.
    text = "e\u0301" * 20 + "\u0e01\u0e34\u0e48" * 20
    assert text in cli.inspect(server(type="x", text=text)).out


# The summarize of an event


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ({"type": "x"}, ""),
        ({"type": "x", "event_id": "e", "item_id": "item_1", "response_id": "r"}, "item_1"),
        ({"type": "x", "item_id": "i", "audio_end_ms": 5}, "item_id=i audio_end_ms=5"),
        ({"type": "x", "response_id": "resp_1"}, "resp_1"),
        ({"type": "x", "a": {"b": [1, None]}}, 'a={"b": [1, null]}'),
        ({"type": "session.update", "session": {"type": "realtime", "a": 1}}, "a=1"),
        ({"type": "session.created", "session": {"modalities": ["text", 1]}}, "text+1"),
        ({"type": "session.updated", "session": {"type": "transcription"}}, "transcription"),
        ({"type": "conversation.created", "conversation": {"id": "conv_1"}}, "conv_1"),
        ({"type": "response.create"}, ""),
        (
            {"type": "response.create", "response": {"tool_choice": {"name": "f"}}},
            "tool choice f",
        ),
        (
            {
                "type": "response.done",
                "response": {"status": "cancelled", "status_details": {"reason": "turn_detected"}},
            },
            "cancelled, turn_detected",
        ),
        (
            {"type": "x", "item": {"type": "mcp_call", "name": "f", "arguments": "{}"}},
            "f({})",
        ),
        (
            {"type": "x", "item": {"role": "user", "content": [{"text": "a"}, {"audio": AUDIO}]}},
            'user "a" [ of 100 bytes]',
        ),
        ({"type": "x", "item": {"type": "mcp_list_tools", "id": "i"}}, "mcp_list_tools, i"),
        ({"type": "x.audio.delta", "delta": "AAAA"}, "3 bytes"),
        ({"type": "x.audio.delta", "delta": "AA=="}, "1 bytes"),
        ({"type": "x.audio.delta", "delta": ""}, "0 bytes"),
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


GIST_FIELDS = [
    "error",
    "session",
    "response",
    "item",
    "part",
    "delta",
    "audio",
    "text",
    "rate_limits",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *GIST_FIELDS,
                    "type",
                    "usage",
                    "output",
                    "content",
                    "tools",
                    "name",
                    "status_details",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)
TYPES = st.sampled_from(["response.create", "response.done", "a.audio.delta", "error", "x"])


@given(
    TYPES,
    st.dictionaries(st.sampled_from(["error", "session", "response", "item"]) | st.text(), JSON),
)
def test_the_summary_of_anything(kind: str, event: Event) -> None:
    assert isinstance(summarize({**event, "type": kind}), str)


@given(st.text(), st.sampled_from(["utf-8", "latin-1", "ascii"]))
def test_what_is_printed_has_no_control_characters(text: str, encoding: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    screen = Screen(stream)
    screen.line(text, whole=True)
    screen.line(("red", text))
    screen.json_line(json.dumps(text, ensure_ascii=False))
    stream.seek(0)
    whole, cut, as_json = stream.read().split("\n")[:-1]
    for line in (whole, cut, as_json):
        assert all(char.isprintable() or char in "\u200c\u200d" for char in line)
    assert len(cut) <= 120
    assert json.loads(as_json) == text


# Hostile servers


def test_hostile_text_is_escaped_everywhere(cli: Cli) -> None:
    error = {"type": "t", "code": HOSTILE, "message": HOSTILE}
    events = [
        CREATED,
        server(type=HOSTILE, **{HOSTILE: HOSTILE}),
        server(type="error", error=error),
        server(type="response.output_text.done", text=HOSTILE, **IDS),
        *[server(type="response.output_text.delta", delta=HOSTILE, **IDS)] * 2,
        ended(HOSTILE),
        ended("completed", **{HOSTILE: {HOSTILE: HOSTILE}}),
    ]
    name = f"{HOSTILE}.jsonl"
    recording(cli.folder / name, *events)
    cli.monkeypatch.chdir(cli.folder)
    cli.monkeypatch.setenv("COLUMNS", "1000")
    for options in ([], ["--json"]):
        status, out, err = cli.run("inspect", *options, name, f"no{name}")
        assert status == 2
        for line in out.split("\n") + err.split("\n"):
            assert line.isprintable()
    status, out, err = cli.run("inspect", name)
    assert out.startswith(f"{ESCAPED}.jsonl: protocol ga")
    assert f'2x "{ESCAPED}{ESCAPED}"' in out
    assert f"at response.{ESCAPED}" in out
    assert out.count(ESCAPED) > 12


def test_a_hostile_server_does_nothing_to_the_terminal_of_the_demo(cli: Cli) -> None:
    cli.monkeypatch.setenv("OPENAI_API_KEY", "")
    script = [
        server(type="session.created", session={"type": "realtime", "model": HOSTILE}),
        client(type="session.update"),
        server(type=HOSTILE),
        server(type="error", error={"message": HOSTILE}),
        client(type="session.update"),
    ]
    for options in ([], ["--json"]):
        with ReplayServer(script=script) as replay:
            status, out, err = cli.run("demo", "--url", replay.url, *options)
        assert status == 1
        assert all(line.isprintable() for line in out.split("\n") + err.split("\n"))
    assert [*read_recording(out.splitlines())][2].event["type"] == HOSTILE


# Terminals, pipes and signals


def test_colour_is_for_terminals(tmp_path: Path) -> None:
    path = str(recording(tmp_path / "s.jsonl", *voice_turn()))
    coloured = in_terminal("inspect", path)
    assert coloured.status == 1
    assert "\x1b[2m      0 \x1b[0m\x1b[32m←\x1b[0m \x1b[32msession.created\x1b[0m" in coloured.out
    assert "\x1b[36m→\x1b[0m \x1b[36mresponse.create\x1b[0m\n" in coloured.out
    assert "\x1b[31m←\x1b[0m \x1b[31merror\x1b[0m" in coloured.out
    assert "\x1b[33m!\x1b[0m" in coloured.out
    plain = re.sub(r"\x1b\[\d*m", "", coloured.out)
    assert "\x1b" not in plain
    assert plain.replace(path, "s.jsonl").splitlines()[2:] == INSPECTED.splitlines()[2:]
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}):
        assert in_terminal("inspect", path, **env).out == plain
    assert in_terminal("inspect", path, NO_COLOR="").out == coloured.out


def test_colour_in_pipes_is_forced(cli: Cli) -> None:
    assert "\x1b" not in cli.inspect(*voice_turn()).out
    cli.monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[32m←\x1b[0m" in cli.inspect(*voice_turn()).out
    cli.monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in cli.inspect(*voice_turn()).out


def test_lines_are_as_wide_as_the_terminal(tmp_path: Path) -> None:
    text = server(type="response.output_text.done", text="long " * 50, **IDS)
    wide = server(type="response.output_text.done", text="日本" * 50, **IDS)
    path = str(recording(tmp_path / "s.jsonl", CREATED, text, wide))
    for columns in (60, 80, 100, 160):
        lines = in_terminal("inspect", path, columns=columns, NO_COLOR="1").out.splitlines()
        assert len(lines[2]) == columns
        assert lines[2].endswith("…")
        japanese = lines[3].count("日") + lines[3].count("本")
        assert columns - 1 <= len(lines[3]) + japanese <= columns
    lines = in_terminal("inspect", path, columns=80, NO_COLOR="1").out.splitlines()
    assert lines[2].startswith('        ← response.output_text.done   "long long')


def test_the_demo_in_a_terminal() -> None:
    status, out, _ = in_terminal("demo", columns=80)
    assert status == 0
    plain = re.sub(r"\x1b\[\d*m", "", out)
    assert plain != out
    assert max(map(len, plain.splitlines())) <= 80
    assert plain.splitlines()[-1].startswith("Done: ")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_unicode(tmp_path: Path, encoding: str) -> None:
    text = server(type="response.output_text.delta", delta="Grüße 日\U0001f600", **IDS)
    path = str(recording(tmp_path / "s.jsonl", CREATED, text, text, client(type="ü")))
    done = subprocess.run(
        [*COMMAND, "inspect", path],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=60,
    )
    lines = done.stdout.decode(encoding).splitlines()
    assert (done.returncode, done.stderr) == (1, b"")
    said = "Grüße" if encoding == "latin-1" else r"Gr\xfc\xdfe"
    assert lines[2].split(maxsplit=2)[:2] == ["<-", "response.output_text.delta"]
    assert f'2x "{said} \\u65e5\\U0001f600{said}' in lines[2]
    assert lines[3].startswith("        ->!")
    done = subprocess.run(
        [*COMMAND, "inspect", "--json", path],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=60,
    )
    assert json.loads(done.stdout.decode(encoding))["types"][0]["type"] == "ü"


def test_text_that_is_no_ascii_stays_as_it_is(cli: Cli) -> None:
    text = "Grüße, 日本語 👩\u200d👧 \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    assert text in cli.inspect(server(type="response.output_text.done", text=text, **IDS)).out


def test_a_pipe_that_is_closed(tmp_path: Path) -> None:
    path = recording(tmp_path / "s.jsonl", *voice_turn() * 3000)
    for command in (f"$cli inspect {path}", "$cli demo", "$cli demo --json"):
        status, out, err = in_shell(f"{command} | head -n 1")
        assert (status, out.count("\n"), err) == (141, 1, "")
    # All of it fits into the buffer, so that only the end can fail.
    for command in ("$cli --help", "$cli inspect --help"):
        status, _, err = in_shell(f"{command} | sleep 0")
        assert (status, err) in [(0, ""), (141, "")]


def test_an_output_that_is_closed_or_full(tmp_path: Path) -> None:
    path = recording(tmp_path / "s.jsonl", CREATED)
    for command in ("demo", f"inspect {path}", "--help"):
        # There, argparse prints to standard error.
        assert command == "--help" or in_shell(f"$cli {command} >&-") == Done(0, "", "")
        status, _, err = in_shell(f"$cli {command} >/dev/full")
        assert (status, err) == (
            2,
            "python -m openai_realtime_client: cannot write the output: No space left on device\n",
        )
    assert in_shell("$cli inspect missing 2>&-").status == 2
    assert in_shell("$cli inspect - <&-").err.endswith("-: standard input is closed\n")


def test_real_pipes_and_exit_statuses(tmp_path: Path) -> None:
    path = recording(tmp_path / "s.jsonl", *voice_turn())
    status, out, err = in_shell("$cli demo --json | $cli inspect -")
    assert (status, err) == (0, "")
    assert out.endswith("Deviations: none\n")
    assert in_shell(f"$cli inspect {path} > /dev/null").status == 1
    assert in_shell(f"$cli inspect {tmp_path}").status == 2
    assert in_shell("$cli demo --url http://127.0.0.1:1", env={"OPENAI_API_KEY": "x"}).status == 1


def test_events_are_shown_as_they_come_until_ctrl_c() -> None:
    child = subprocess.Popen(
        [*COMMAND, "inspect", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    watchdog = threading.Timer(30, child.kill)
    watchdog.start()
    assert child.stdin
    assert child.stdout
    assert child.stderr
    child.stdin.write(f"{CREATED.to_json()}\n".encode())
    child.stdin.flush()
    assert child.stdout.readline() == b"standard input: protocol ga, times in ms\n"
    assert b"session.created" in child.stdout.readline()
    child.send_signal(signal.SIGINT)
    assert child.wait() == 130
    watchdog.cancel()
    assert (child.stdout.read(), child.stderr.read()) == (b"", b"")
    for pipe in (child.stdin, child.stdout, child.stderr):
        pipe.close()


def test_memory_does_not_grow_with_the_recording(cli: Cli) -> None:
    def peak(turns: int) -> int:
        path = recording(cli.folder / f"{turns}.jsonl", *voice_turn() * turns)
        tracemalloc.start()
        try:
            assert cli.run("inspect", "--json", str(path)).status == 1
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(400) < peak(40) + 200_000


# Usage


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["frobnicate"], "invalid choice: 'frobnicate'"),
        (["inspect"], "the following arguments are required: FILE"),
        (["inspect", "--protocol", "v2", "x"], "invalid choice: 'v2'"),
        (["demo", "--url", KEY], "argument --url: no URL that starts with wss://"),
        (["demo", "--url", "https://"], "argument --url: no URL that"),
        (["demo", "--url", "wss://a:b/v1"], "argument --url: no URL that"),
        (["demo", "--url", "wss://[::1/v1"], "argument --url: no URL that"),
        (["demo", "--timeout", "x"], "argument --timeout: invalid number value: 'x'"),
        (["demo", "--timeout", "nan"], "argument --timeout: not between 0 and 86400"),
        (["demo", "--timeout", "0"], "argument --timeout: not between 0 and 86400"),
        (["demo", "--api-key", KEY], "unrecognized arguments: --api-key"),
    ],
)
def test_wrong_usage(cli: Cli, argv: list[str], message: str) -> None:
    status, out, err = cli.run(*argv)
    assert (status, out) == (2, "")
    assert err.startswith("usage: python -m openai_realtime_client")
    assert message in err


def test_help(cli: Cli) -> None:
    cli.monkeypatch.setenv("COLUMNS", "80")
    for argv in (["--help"], ["demo", "--help"], ["inspect", "-h"]):
        status, out, err = cli.run(*argv)
        assert (status, err) == (0, "")
        assert out.isascii()
        assert max(map(len, out.splitlines())) <= 80
        assert "\nexamples:\n" in out
    version = openai_realtime_client.__version__
    assert cli.run("--version") == Done(0, f"openai-realtime-openapi {version}\n", "")


def test_help_tells_the_keys_of_the_json(cli: Cli) -> None:
    text = cli.run("inspect", "--help").out
    summary = json.loads(cli.inspect(*voice_turn(), options=["--json"]).out)
    for key, value in summary.items():
        assert key in text
        inner = value[0] if isinstance(value, list) else value
        assert all(name in text for name in inner) if isinstance(inner, dict) else True


def test_help_imports_little() -> None:
    code = (
        "import sys; from openai_realtime_client.cli import main; main(['--help']);"
        "assert not {'pydantic', 'websockets', 'asyncio'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


def test_without_websockets(tmp_path: Path) -> None:
    path = recording(tmp_path / "s.jsonl", *voice_turn())
    code = (
        "import sys; sys.modules['websockets'] = None;"
        "from openai_realtime_client.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run([*command, "inspect", path], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, b"")
    environment = {**os.environ, "OPENAI_API_KEY": ""}
    for argv in (["demo"], ["demo", "--url", "ws://127.0.0.1:1"]):
        done = subprocess.run(
            [*command, *argv], capture_output=True, timeout=60, text=True, env=environment
        )
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert 'pip install "websockets>=15"' in done.stderr
