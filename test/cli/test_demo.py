"""`demo`: what it prints, with servers good and bad."""

from __future__ import annotations

import json
import re

import pytest

from command_line import CREATED, ESCAPED, HOSTILE, IDS, KEY, Cli, client, ended, server
from openai_realtime_client import deviations, ga
from openai_realtime_client.testing import Faults, ReplayServer
from openai_realtime_client.testing.recording import RecordedEvent, read_recording

DEMO = """\
A session: with the embedded server, without key or network; times in ms
  ← session.created                        gpt-realtime-2.1, audio, sess_N
A text turn
  → session.update                         text
  ← session.updated                        gpt-realtime-2.1, text, sess_N
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
"""
# Of the events of the server, only some stand here.
MORE = """\
A tool call: the client runs the function and sends what it returns
  → session.update                         text, tools get_weather
  → conversation.item.create               user "What is the weather in Paris?"
  → response.create                        tool choice required
  ← response.function_call_arguments.done  get_weather({"city": "Paris"}), item_N
  ← response.done                          completed, 10+2 tokens, get_weather({"city": "Paris"}), resp_N
  → conversation.item.create               output Sunny in Paris, 18 degrees.
  → response.create
  ← response.done                          completed, 15+8 tokens, "The function said: Sunny in Paris, 18 degrees.", resp_N
A spoken turn: the client interrupts the answer, and says how much was played
  → session.update                         audio
  → input_audio_buffer.append              28,800 bytes
  → input_audio_buffer.commit
  → response.create
  ← input_audio_buffer.committed           previous_item_id=item_N item_id=item_N
  ← response.output_audio.delta            2,400 bytes
  → response.cancel
  → conversation.item.truncate             item_id=item_N audio_end_ms=50
  ← conversation.item.truncated            item_id=item_N audio_end_ms=50
"""  # noqa: E501


def test_the_demo(cli: Cli) -> None:
    cli.monkeypatch.setenv("COLUMNS", "200")
    status, out, err = cli.run("demo")
    assert (status, err) == (0, "")
    *lines, last = out.splitlines()
    assert re.fullmatch(r"Done: \d\d events and \d\d tokens in \d+ ms", last)
    times = [int(line[:7]) for line in lines if line.startswith(" ")]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] < 60_000
    masked = [re.sub(r"_\d{12}", "_N", re.sub(r"^ *\d+ ", "  ", line)) for line in lines]
    # They come beside what the client does next.
    limits = [line for line in masked if "rate_limits" in line]
    assert 3 <= len(limits) <= 4
    shown = [line for line in masked if line not in limits]
    assert shown[: DEMO.count("\n")] == DEMO.splitlines()
    wanted = MORE.splitlines()
    assert [line for line in shown[DEMO.count("\n") :] if line in wanted] == wanted
    [done] = [line for line in shown if "response.done" in line and "cancelled" in line]
    assert re.search(r' cancelled, client_cancelled, \d+\+\d+ tokens, "You', done)
    assert shown.index("  → response.cancel") < shown.index(done) < shown.index(wanted[-2])
    sent = [line for line in shown if not line.startswith("  ←")]
    assert sent == [line for line in (DEMO + MORE).splitlines() if not line.startswith("  ←")]


def test_the_demo_asks_for_no_key_and_sends_none(cli: Cli) -> None:
    cli.monkeypatch.setenv("OPENAI_API_KEY", "this is refused by `connect`")
    cli.monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    assert cli.run("demo").status == 0


def test_a_demo_is_recorded_inspected_and_replayed(cli: Cli) -> None:
    status, out, err = cli.run("demo", "--json")
    assert (status, err) == (0, "")
    events = [*read_recording(out.splitlines())]
    assert len(events) == len(out.splitlines()) > 50
    shown = [json.loads(line) for line in out.splitlines()]
    assert shown == [json.loads(each.to_json()) for each in events]
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


REFUSED = json.dumps({"error": {"message": "Not\x1b[2J today."}})


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        (Faults(cut_after=3), "ConnectionLostError: the connection was lost (1006: unexpected EOF"),
        (Faults(cut_after=0), "ConnectionLostError: the connection was lost (1006: unexpected EOF"),
        (
            Faults(close_after=9, close_code=1001, close_reason="b\x1b]0;ye"),
            r"SessionExpiredError: the session expired (1001: b\x1b]0;ye)",
        ),
        (
            Faults(refuse=401, refuse_body=REFUSED),
            r"HandshakeRefusedError: HOST refused with HTTP 401: Not\x1b[2J today.",
        ),
        (Faults(garbage_after=4), "InvalidEventError: event: Invalid JSON: EOF while"),
        # It is lost where websockets sends at the moment in which it is to refuse the frame.
        (
            Faults(broken_frame_after=2),
            (
                "ConnectionClosedError: the session is closed (1002",
                "ConnectionLostError: the connection was lost (1006: unexpected EOF",
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
    err = re.sub(r"127\.0\.0\.1:\d+", "HOST", err)
    program, said = err[:39], err[39:]
    assert program == "python -m openai_realtime_client demo: "
    assert said.startswith(message)
    assert err.count("\n") == 1
    assert KEY not in out + err


def test_the_demo_without_a_server(cli: Cli) -> None:
    cli.monkeypatch.setenv("OPENAI_API_KEY", "")
    status, _, err = cli.run("demo", "--url", "http://127.0.0.1:1/v1")
    assert status == 1
    assert "ConnectionFailedError: no connection to 127.0.0.1:" in err
    assert err.count("\n") == 1


UPDATED = server(type="session.updated", session={"type": "realtime"})
CREATE = client(type="conversation.item.create")
RESPOND = client(type="response.create")
UPDATE = client(type="session.update")
TEXT_TURN = [UPDATED, CREATE, RESPOND, ended("completed")]
# Of a cancel that came when the response was done.
TOO_LATE = {"type": "invalid_request_error", "code": "response_cancel_not_active", "message": "No."}


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
            [*TEXT_TURN, UPDATE, *TEXT_TURN],
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


def test_a_call_with_arguments_that_are_not_json_is_answered(cli: Cli) -> None:
    cli.monkeypatch.setenv("OPENAI_API_KEY", "")
    call = {"type": "function_call", "id": "i", "name": "get_weather", "arguments": "{oh"}
    script = [CREATED, UPDATE, *TEXT_TURN, UPDATE, UPDATED, CREATE, RESPOND]
    script += [ended("completed", output=[call]), CREATE, RESPOND, ended("completed"), UPDATE]
    script += [
        UPDATED,
        *(client(type=f"input_audio_buffer.{each}") for each in ("append", "commit")),
    ]
    script += [RESPOND, server(type="response.output_audio.delta", delta="AAAA", **IDS)]
    script += [client(type="response.cancel"), server(type="error", error=TOO_LATE)]
    script += [ended("completed"), client(type="conversation.item.truncate")]
    with ReplayServer(script=[*script, server(type="conversation.item.truncated")]) as replay:
        status, out, err = cli.run("demo", "--url", replay.url)
    assert (status, err) == (0, "")
    assert "output Error: Invalid JSON: " in out
    assert "response_cancel_not_active" in out


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
