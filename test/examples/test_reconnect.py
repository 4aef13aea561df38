"""The example that continues a conversation in a new session."""

from __future__ import annotations

import asyncio
import importlib
import re
import socket
import subprocess
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from example_programs import (
    EXAMPLES,
    KEY,
    failed_response,
    recorded,
    scripted,
    settings,
    types,
    wires,
)
from openai_realtime_client import (
    ConnectionFailedError,
    ConnectionLostError,
    HandshakeRefusedError,
    InvalidKeyError,
    ProtocolRefusedError,
)
from openai_realtime_client.testing import Faults, ReplayServer, ReplaySession

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
    update = {"type": "session.update", "session": reconnect.SESSION}
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
        reason = r"the session expired \(1001\)"
        if how == "cut":
            reason = r"the connection was lost \(1006: .+\)"
        assert re.search(rf"{reason}; again in 0\.5 s\n$", printed.err)
        first, second = server.sessions
        assert first.close_code == (1006 if how == "cut" else 1001)
        update = {"type": "session.update", "session": reconnect.SESSION}
        assert second.received[0].to_dict() == update
        # What was answered is shown, what was not is asked, and nothing twice.
        answered = events[:count].count("response.done")
        shown = [text for turn in zip(questions, answers, strict=True) for text in turn]
        assert texts(second) == shown[: 2 * answered] + questions[answered:]
        assert types(second.received).count("response.create") == len(questions) - answered
    # Each began anew with the shortest delay.
    assert reconnect.waits == [0.5] * (last_answer + 1)


def test_what_is_passed_on_has_the_roles_of_who_said_it(
    server: ReplayServer, reconnect: Any
) -> None:
    converse(reconnect)
    turns = types(server.sessions.pop().sent)
    server.faults = Faults(cut_after=len(turns) - 2)
    converse(reconnect)
    items = [wire["item"] for wire in wires(server.sessions[1].received) if "item" in wire]
    content = [(item["role"], item["content"][0]["type"]) for item in items]
    assert content == [("user", "input_text"), ("assistant", "output_text")] * 2 + [
        ("user", "input_text")
    ]


def test_only_the_latest_items_are_passed_on(server: ReplayServer, reconnect: Any) -> None:
    questions = [f"Question {n}." for n in range(12)]
    converse(reconnect, questions)
    server.faults = Faults(cut_after=len(server.sessions.pop().sent) - 2)
    converse(reconnect, questions)
    shown = texts(server.sessions[1])
    assert len(shown) == reconnect.REMEMBERED + 1
    assert shown[0] == "Question 1."
    assert shown[-2:] == ["You said: Question 10.", "Question 11."]


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


def test_an_answer_resets_the_count_of_tries(server: ReplayServer, reconnect: Any) -> None:
    converse(reconnect, QUESTIONS[:1])
    # Enough for one answer in each session: of those after the first, with what is shown before.
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
        assert (
            "the connection was lost (1006: unexpected EOF, no close frame); again in 0."
            in program.stderr.readline()
        )
        server.faults = Faults()
        out, err = program.communicate(timeout=60)
    assert (out.splitlines(), err) == (ANSWERS, "")
    assert program.returncode == 0
