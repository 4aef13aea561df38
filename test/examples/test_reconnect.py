"""The example that continues a conversation in a new session."""

from __future__ import annotations

import asyncio
import importlib
import random
import sys
from types import ModuleType
from typing import Any

import pytest

from example_programs import (
    EXAMPLES,
    KEY,
    recorded,
    run,
    scripted,
    types,
    wires,
)
from openai_realtime_client import ConnectionLostError, HandshakeRefusedError
from openai_realtime_client.testing import Answer, Faults, ReplayServer, ReplaySession

# reconnect.py

QUESTIONS = ["My name is Ada.", "What is my name?", "Thanks."]
ANSWERS = [f"You said: {question}" for question in QUESTIONS]
TURNS = [text for turn in zip(QUESTIONS, ANSWERS, strict=True) for text in turn]


@pytest.fixture
def reconnect(server: ReplayServer, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delitem(sys.modules, "reconnect", raising=False)
    monkeypatch.setattr(random, "uniform", lambda low, high: 0.001)
    return importlib.import_module("reconnect")


def converse(module: Any, questions: list[str] = QUESTIONS) -> None:
    asyncio.run(module.converse(questions))


def said(session: ReplaySession) -> list[str]:
    """The texts of the items that the client has sent, in their order."""
    texts = []
    for item in (wire["item"] for wire in wires(session.received) if "item" in wire):
        [part] = item["content"]
        texts.append(part["text"])
        is_answer = part["text"].startswith("You")
        assert (item["role"] == "assistant") == (part["type"] == "output_text") == is_answer
    return texts


def test_one_session_is_enough_when_nothing_happens(
    server: ReplayServer, reconnect: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    converse(reconnect)
    printed = capsys.readouterr()
    assert (printed.out.splitlines(), printed.err) == (ANSWERS, "")
    [session] = server.sessions
    assert said(session) == QUESTIONS
    assert session.close_code == 1000


@pytest.mark.parametrize("how", ["cut", "expired"])
def test_conversation_goes_on_wherever_a_session_ends(
    how: str, server: ReplayServer, reconnect: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    converse(reconnect)
    events = types(server.sessions.pop().sent)
    last_answer = max(i for i, name in enumerate(events) if name == "response.done")
    for count in (*range(8), *range(8, last_answer + 1, 3)):
        capsys.readouterr()
        server.sessions.clear()
        cut, expired = Faults(cut_after=count), Faults(close_after=count, close_code=1001)
        server.faults = [cut if how == "cut" else expired, Faults()]
        converse(reconnect)
        assert capsys.readouterr().out.splitlines() == ANSWERS
        _, second = server.sessions
        update = {"type": "session.update", "session": reconnect.SESSION}
        assert second.received[0].to_dict() == update
        answered = events[:count].count("response.done")
        # What was said before is restored: each turn, and the question that was not answered with
        # what there is of its answer. No question is asked twice.
        texts = said(second)
        assert texts[: 2 * answered + 1] == TURNS[: 2 * answered + 1]
        assert [text for text in texts if not text.startswith("You")] == QUESTIONS
        assert types(second.received).count("response.create") == len(QUESTIONS) - answered


def test_the_first_and_the_latest_items_are_restored(server: ReplayServer, reconnect: Any) -> None:
    questions = [f"Question {n}." for n in range(12)]
    converse(reconnect, questions)
    server.faults = [Faults(cut_after=len(server.sessions.pop().sent) - 2), Faults()]
    converse(reconnect, questions)
    assert reconnect.REMEMBERED == 20
    opening, *restored = said(server.sessions[1])
    assert opening == questions[0]
    assert questions[1] not in restored
    assert len(restored) == 20


def test_failure_that_stays_ends_it(server: ReplayServer, reconnect: Any) -> None:
    for faults, error, count in (
        (Faults(refuse=403), HandshakeRefusedError, 0),
        (Faults(cut_after=3), ConnectionLostError, 7),
    ):
        server.faults = faults
        with pytest.raises(error):
            converse(reconnect)
        assert len(server.sessions) == count


def test_error_is_not_taken_for_an_answer(
    server: ReplayServer, reconnect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    converse(reconnect)
    error = {"type": "error", "event_id": "e1", "error": {"type": "t", "message": "Not now."}}
    with scripted(recorded(server, {"response.created": lambda _: error})) as other:
        monkeypatch.setenv("OPENAI_BASE_URL", other.url)
        with pytest.raises(RuntimeError, match=r"Not now\."):
            converse(reconnect)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    server.answers = [Answer(error={"type": "t", "message": "Too busy."})]
    with pytest.raises(RuntimeError, match=r"Too busy\."):
        converse(reconnect)


def test_the_program_goes_on_in_a_new_session(server: ReplayServer) -> None:
    server.faults = [Faults(cut_after=3), Faults()]
    done = run(server, "reconnect.py", *QUESTIONS)
    assert (done.stdout.splitlines(), done.status) == (ANSWERS, 0)
    [line] = done.stderr.splitlines()
    assert "the connection was lost" in line
