"""`ToolRunner`: the functions of a session run, and a response follows their outputs."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Any

import pytest

from connections import Kind, opened
from openai_realtime_client import ConnectionClosedError, Conversation, ga
from openai_realtime_client.core.errors import closed_error
from openai_realtime_client.realtime.tools import ToolRunner
from openai_realtime_client.testing import Answer, Call, Faults
from transports import ReplayServer

Event = dict[str, Any]


class Session:
    """A session without a server: what is sent is kept, and received events are given."""

    def __init__(self, *functions: Any, **settings: Any) -> None:
        self.conversation = Conversation()
        self.sent: list[Event] = []
        self.is_closed = False
        self.tools = ga.Tools(*functions, **settings)
        self.runner = ToolRunner(self.tools, self.conversation, self.send)

    async def send(self, event: Event) -> None:
        if self.is_closed:
            raise closed_error(1006, "")
        self.sent.append(event)
        self.conversation.add(event)

    async def receive(self, event: Event) -> None:
        typed = ga.parse_server_event(event)
        self.conversation.add(typed)
        self.runner.note_received(typed)
        await settled()

    def outputs(self) -> list[tuple[str, str]]:
        items = [event["item"] for event in self.sent if event["type"] != "response.create"]
        return [(item["call_id"], item["output"]) for item in items]

    def requests(self) -> list[str]:
        return [event["event_id"] for event in self.sent if event["type"] == "response.create"]


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def call(call_id: str, name: str = "work", **more: Any) -> Event:
    called = {"type": "function_call", "call_id": call_id, "name": name, "arguments": "{}"}
    return {"id": f"item_{call_id}", "status": "completed", **called, **more}


def created(response_id: str = "r") -> Event:
    response = {"id": response_id, "conversation_id": "c", "status": "in_progress"}
    return {"type": "response.created", "response": response}


def done(*items: Event, response_id: str = "r", status: str = "completed") -> Event:
    response = {"id": response_id, "conversation_id": "c", "status": status, "output": [*items]}
    return {"type": "response.done", "response": response}


async def test_calls_run_at_the_same_time_and_one_response_follows() -> None:
    both, running = asyncio.Event(), list[str]()

    async def work() -> str:
        running.append("")
        if len(running) == 2:
            both.set()
        await both.wait()
        return "done"

    session = Session(work)
    await session.receive(created())
    await session.receive(done(call("a"), call("b"), call("c", "unknown")))
    assert sorted(session.outputs()) == [
        ("a", "done"),
        ("b", "done"),
        ("c", "Error: there is no function unknown"),
    ]
    assert session.sent[-1]["type"] == "response.create"
    assert len(session.requests()) == 1
    # The same end again changes nothing.
    await session.receive(done(call("a"), call("b")))
    assert (len(session.outputs()), len(session.requests())) == (3, 1)


async def test_plain_functions_run_in_threads() -> None:
    main = threading.get_ident()
    tool = ga.FunctionTool(lambda: threading.get_ident() != main, name="where", description="")
    session = Session(tool)
    await session.receive(done(call("a", "where")))
    while not session.requests():
        await asyncio.sleep(0.001)
    assert session.outputs() == [("a", "true")]


async def work() -> str:
    return "done"


async def test_the_response_waits_for_the_active_one() -> None:
    session = Session(work)
    await session.receive(created())
    # Turn detection begins another response as the first ends.
    session.conversation.add(created("other"))
    await session.receive(done(call("a")))
    assert (session.outputs(), session.requests()) == ([("a", "done")], [])
    await session.receive(done(response_id="other"))
    assert len(session.requests()) == 1


async def test_a_refused_response_is_asked_for_again_when_none_is_active() -> None:
    session = Session(work)
    await session.receive(done(call("a")))
    [event_id] = session.requests()
    # Another had begun meanwhile.
    await session.receive(created("other"))
    error = {"type": "invalid_request_error", "code": "conversation_already_has_active_response"}
    refused = {"type": "error", "error": {**error, "message": "", "event_id": event_id}}
    await session.receive(refused)
    assert len(session.requests()) == 1
    await session.receive(done(response_id="other"))
    assert len(session.requests()) == 2
    # A refusal for another reason, or of another event, is left alone.
    other = {**refused["error"], "code": "other", "event_id": session.requests()[1]}
    await session.receive({"type": "error", "error": other})
    await session.receive(refused)
    await session.receive(done(response_id="third"))
    assert len(session.requests()) == 2


@pytest.mark.parametrize("status", ["cancelled", "incomplete"])
async def test_calls_of_an_unfinished_response_do_not_run(status: str) -> None:
    session = Session(work)
    await session.receive(created())
    await session.receive(done(call("a"), status=status))
    assert session.sent == []


async def test_the_program_may_answer_itself() -> None:
    session = Session(work, {"type": "function", "name": "transfer"})
    await session.receive(created())
    await session.receive(done(call("a"), call("b", "transfer")))
    assert (session.outputs(), session.requests()) == ([("a", "done")], [])
    await session.send(ga.function_output("b", "later"))
    session.runner.note_sent()
    await settled()
    assert len(session.requests()) == 1


async def test_a_call_that_the_program_answered_is_not_answered_twice() -> None:
    gate = asyncio.Event()

    async def slow() -> str:
        await gate.wait()
        return "late"

    session = Session(slow)
    await session.receive(done(call("a", "slow")))
    await session.send(ga.function_output("a", "early"))
    gate.set()
    await settled()
    assert session.outputs() == [("a", "early")]
    assert len(session.requests()) == 1


async def test_the_response_waits_for_approvals() -> None:
    session = Session(work)
    request = {"id": "q", "type": "mcp_approval_request", "server_label": "l", "name": "f"}
    await session.receive(done(call("a"), {**request, "arguments": "{}"}))
    assert (len(session.outputs()), session.requests()) == (1, [])
    answer = {"id": "x", "type": "mcp_approval_response", "approval_request_id": "q"}
    await session.receive({"type": "conversation.item.added", "item": {**answer, "approve": True}})
    assert len(session.requests()) == 1


async def test_the_response_can_be_held_back() -> None:
    session = Session(work, follow_up=False)
    await session.receive(done(call("a")))
    assert (session.outputs(), session.requests()) == ([("a", "done")], [])
    session.tools.follow_up = True
    await session.receive(done(call("b"), response_id="s"))
    assert len(session.requests()) == 1


async def test_a_call_without_an_id_asks_for_no_response(caplog: pytest.LogCaptureFixture) -> None:
    session = Session(work)
    nameless = {**call("a"), "call_id": None}
    for _ in range(2):
        await session.receive(done(nameless))
    assert session.sent == []
    (record,) = caplog.records
    assert record.getMessage() == "calls without a call_id cannot be answered: response r"


async def test_what_runs_is_cancelled_when_the_session_ends() -> None:
    cancelled = list[str]()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append("forever")
            raise

    session, tasks = Session(forever), asyncio.all_tasks()
    await session.receive(done(call("a", "forever")))
    await session.runner.aclose()
    await session.runner.aclose()
    assert cancelled == ["forever"]
    await session.receive(done(call("b", "forever"), response_id="s"))
    assert session.sent == []
    assert asyncio.all_tasks() == tasks


async def test_a_connection_that_is_lost_makes_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    session = Session(work)
    session.is_closed = True
    await session.receive(done(call("a")))
    assert caplog.records == []


# Through a connection


def weather(city: str) -> str:
    """Look up the weather."""
    return f"Sunny in {city}."


CALLS = [Call("weather", {"city": "Oslo"}), Call("work")]
SETTINGS = {"type": "realtime", "output_modalities": ["text"]}


async def test_a_connection_runs_its_tools(kind: Kind) -> None:
    tools, conversation = ga.Tools(weather, work), Conversation()
    update: Any = {"type": "session.update", "session": {**SETTINGS, "tools": tools.params}}
    settings: Any = {"model": "m", "conversation": conversation, "tools": tools}
    async with (
        ReplayServer(answers=[Answer(calls=CALLS), "Sunny."]) as server,
        opened(kind, server.url, **settings) as connection,
    ):
        await connection.send(update)
        await connection.send({"type": "response.create"})
        await connection.until("response.output_text.done")
    outputs = [item.output for item in conversation.items if item.type == "function_call_output"]
    assert sorted(map(str, outputs)) == ["Sunny in Oslo.", "done"]
    assert conversation.items[-1].text == "Sunny."


@pytest.mark.parametrize("first_cut", [3, 13])
async def test_sessions_may_be_cut_while_functions_run(first_cut: int) -> None:
    running, conversation = list[str](), Conversation()

    async def slow(number: int = 0) -> str:
        running.append("")
        try:
            await asyncio.sleep(0.001 * number)
            return "done"
        finally:
            running.pop()

    tools = ga.Tools(slow)
    update: Any = {"type": "session.update", "session": {**SETTINGS, "tools": tools.params}}
    calls = [Call("slow", {"number": number}) for number in range(3)]
    settings: Any = {"model": "m", "conversation": conversation, "tools": tools}
    with ReplayServer(answers=[Answer(calls=calls), "Hello."]) as server:
        for cut in (first_cut, first_cut + 5, first_cut + 15, None):
            server.faults = Faults(cut_after=cut)
            with suppress(ConnectionClosedError):
                async with opened(Kind(ga, True), server.url, **settings) as connection:
                    # Ask, unless that was done before, until the last response comes.
                    await connection.send(update)
                    for event in conversation.history():
                        await connection.send(event)
                    if not conversation.items:
                        await connection.send(ga.user_text("Hi."))
                    await connection.send({"type": "response.create"})
                    await connection.until("response.output_text.done")
            assert (running, conversation.active, conversation.calls_due) == ([], [], [])
        sent = [[event.to_dict() for event in session.received] for session in server.sessions]
    for events in sent:
        items = [event.get("item", {}) for event in events]
        ids = [item["call_id"] for item in items if item.get("type") == "function_call_output"]
        assert len(ids) == len(set(ids))
    assert [item.text for item in conversation.items if item.role == "user"] == ["Hi."]
    assert conversation.items[-1].text == "Hello."
