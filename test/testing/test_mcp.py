"""MCP tools of the embedded server: their lists, calls and approvals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from openai_realtime_client.testing import Call, McpTool
from plain_client import Client, Event, item, only, response, said, session_with, types, update

SCHEMA = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
TOOLS = [
    McpTool(
        "list_events", lambda arguments: f"Nothing on {arguments['day']}.", SCHEMA, read_only=True
    ),
    McpTool("add_event", "Added.", description="Add an event."),
    McpTool("lose_event", lambda arguments: str(1 / 0)),
]
SERVER = {"type": "mcp", "server_label": "calendar", "server_url": "https://mcp.test"}
LISTING = ["conversation.item.added", "mcp_list_tools.in_progress"]


@pytest.fixture
def c() -> Iterator[Client]:
    with session_with(mcp={"calendar": TOOLS}) as c:
        yield c


def configured(c: Client, **settings: Any) -> list[Event]:
    """Offer the tools, and return the events up to the end of their list."""
    c.send(update(tools=[{**SERVER, **settings}], output_modalities=["text"]))
    events = [c.recv()]
    while not events[-1]["type"].endswith(("completed", "failed")):
        events.append(c.recv())
    return events


def test_tools_are_listed_once(c: Client) -> None:
    events = configured(c)
    ended = ["conversation.item.done", "mcp_list_tools.completed"]
    assert types(events) == ["session.updated", *LISTING, *ended]
    assert events[1]["item"]["tools"] == []
    listed = events[3]["item"]
    assert (listed["type"], listed["server_label"]) == ("mcp_list_tools", "calendar")
    assert listed["id"] == events[2]["item_id"] == events[4]["item_id"]
    assert [tool["name"] for tool in listed["tools"]] == ["list_events", "add_event", "lose_event"]
    assert listed["tools"][0]["input_schema"] == SCHEMA
    assert listed["tools"][0]["annotations"] == {"readOnlyHint": True}
    assert listed["tools"][1]["description"] == "Add an event."
    c.update(tools=events[0]["session"]["tools"])
    assert c.turn()[0]["type"] == "response.created"
    unknown = types(configured(c, server_label="other"))
    assert unknown == ["session.updated", *LISTING, "mcp_list_tools.failed"]


def test_a_tool_is_called(c: Client) -> None:
    configured(c, require_approval="never")
    events = c.turn("List the events on Monday.")
    event_types = types(events)
    begun = event_types.index("response.mcp_call_arguments.delta")
    assert event_types[begun : begun + 4] == [
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.done",
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
    ]
    call = response(events)["output"][0]
    assert (call["type"], call["name"]) == ("mcp_call", "list_events")
    assert (call["arguments"], call["output"]) == ('{"day": "Monday"}', "Nothing on Monday.")
    assert call["error"] is None
    assert said(events) == "The function said: Nothing on Monday."


def test_a_tool_that_fails(c: Client) -> None:
    configured(c, require_approval="never")
    events = c.turn("Use lose_event.")
    assert only(events, "response.mcp_call.failed")["output_index"] == 0
    [call] = response(events)["output"]
    assert call["error"] == {"type": "tool_execution_error", "message": "division by zero"}


@pytest.mark.parametrize("approve", [True, False])
def test_a_call_waits_for_approval(c: Client, approve: bool) -> None:
    configured(c)  # `require_approval` is "always" by default
    [request] = c.response("List the events on Monday.")["output"]
    assert (request["type"], request["name"]) == ("mcp_approval_request", "list_events")
    request_id = request["id"]
    approval = {"type": "mcp_approval_response", "id": "mine", "approval_request_id": request_id}
    events = c.turn(item(**approval, approve=approve))
    if approve:
        called = response(events)["output"][0]
        assert called["approval_request_id"] == request_id
        assert called["output"] == "Nothing on Monday."
    else:
        assert said(events) == "The call was not approved."
        assert len(response(events)["output"]) == 1


APPROVAL, CALL, NOTHING = "mcp_approval_request", "mcp_call", "message"
NEVER_READING = {"require_approval": {"never": {"read_only": True}}}
# Settings of the server, a tool that the user asks for, and what the model does then.
CALLS: list[tuple[Event, str, str]] = [
    ({"require_approval": {"never": {"tool_names": ["list_events"]}}}, "list_events", CALL),
    (NEVER_READING, "list_events", CALL),
    (NEVER_READING, "add_event", APPROVAL),
    ({"require_approval": {"always": {"tool_names": ["add_event"]}}}, "list_events", APPROVAL),
    ({"allowed_tools": ["list_events"]}, "list_events", CALL),
    ({"allowed_tools": ["add_event"]}, "list_events", NOTHING),
    ({"allowed_tools": {"read_only": True}}, "list_events", CALL),
    ({"allowed_tools": []}, "list_events", NOTHING),
]


def test_which_calls_are_offered_and_need_approval(c: Client) -> None:
    configured(c)
    for settings, tool, item_type in CALLS:
        server = {**SERVER, "require_approval": "never", **settings}
        c.update(tools=[server])
        [first, *_] = c.response(f"Use {tool} for Monday.")["output"]
        assert first["type"] == item_type, (settings, tool)


def test_a_call_of_a_tool_that_is_unknown_fails() -> None:
    with session_with(mcp={"calendar": TOOLS}, answers=[Call("no_such", {}, "calendar")]) as c:
        [call] = c.response()["output"]
    assert call["error"]["type"] == "protocol_error"
