"""MCP tools of the embedded server: their lists, calls and approvals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from openai_realtime_client.testing import Call, McpTool
from plain_client import (
    RESPOND,
    Client,
    Event,
    checked,
    client,
    item,
    only,
    response,
    text,
    types,
    update,
)

SCHEMA = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
TOOLS = [
    McpTool(
        "list_events", lambda arguments: f"Nothing on {arguments['day']}.", SCHEMA, read_only=True
    ),
    McpTool("add_event", "Added.", description="Add an event."),
    McpTool("lose_event", lambda arguments: str(1 / 0)),
]


@pytest.fixture
def c() -> Iterator[Client]:
    with checked(mcp={"calendar": TOOLS}) as server, client(server) as c:
        yield c


def calendar(**settings: Any) -> Event:
    return {"type": "mcp", "server_label": "calendar", "server_url": "https://mcp.test", **settings}


def configured(c: Client, **settings: Any) -> list[Event]:
    c.send(update(tools=[calendar(**settings)], output_modalities=["text"]))
    return c.until("mcp_list_tools.completed")


def test_tools_are_listed_once(c: Client) -> None:
    events = configured(c)
    listing = ["conversation.item.added", "mcp_list_tools.in_progress"]
    assert types(events)[:3] == ["session.updated", *listing]
    assert types(events)[3:] == ["conversation.item.done", "mcp_list_tools.completed"]
    assert events[1]["item"]["tools"] == []
    listed = events[3]["item"]
    assert (listed["type"], listed["server_label"]) == ("mcp_list_tools", "calendar")
    assert listed["id"] == events[2]["item_id"] == events[4]["item_id"]
    assert [tool["name"] for tool in listed["tools"]] == ["list_events", "add_event", "lose_event"]
    assert listed["tools"][0]["input_schema"] == SCHEMA
    assert listed["tools"][0]["annotations"] == {"readOnlyHint": True}
    assert listed["tools"][1]["description"] == "Add an event."
    c.answer(update(tools=[calendar()]))
    assert c.answer(RESPOND)["type"] == "response.created"


def test_an_unknown_server_has_no_list(c: Client) -> None:
    c.send(update(tools=[calendar(server_label="other")]))
    listing = ["conversation.item.added", "mcp_list_tools.in_progress"]
    assert types(c.until("mcp_list_tools.failed"))[1:] == [*listing, "mcp_list_tools.failed"]


def test_a_tool_is_called(c: Client) -> None:
    configured(c, require_approval="never")
    events = c.turn(text("List the events on Monday."), RESPOND)[2:]
    kinds = types(events)
    assert kinds[: kinds.index("response.content_part.added")] == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.done",
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
        "conversation.item.done",
        "response.output_item.done",
        "response.output_item.added",
        "conversation.item.added",
    ]
    call, message = response(events)["output"]
    assert (call["type"], call["name"]) == ("mcp_call", "list_events")
    assert (call["arguments"], call["output"]) == ('{"day": "Monday"}', "Nothing on Monday.")
    assert call["error"] is None
    assert message["content"][0]["text"] == "The function said: Nothing on Monday."


def test_a_tool_that_fails(c: Client) -> None:
    configured(c, require_approval="never")
    events = c.turn(text("Use lose_event."), RESPOND)
    assert only(events, "response.mcp_call.failed")["output_index"] == 0
    [call] = response(events)["output"]
    assert call["error"] == {"type": "tool_execution_error", "message": "division by zero"}


@pytest.mark.parametrize("approve", [True, False])
def test_a_call_waits_for_approval(c: Client, approve: bool) -> None:
    configured(c)  # `require_approval` is "always" by default
    events = c.turn(text("List the events on Monday."), RESPOND)
    [request] = response(events)["output"]
    assert (request["type"], request["name"]) == ("mcp_approval_request", "list_events")
    answer = item(
        type="mcp_approval_response", id="mine", approval_request_id=request["id"], approve=approve
    )
    output = response(c.turn(answer, RESPOND))["output"]
    if approve:
        assert output[0]["approval_request_id"] == request["id"]
        assert output[0]["output"] == "Nothing on Monday."
    else:
        [said] = output
        assert said["content"][0]["text"] == "The call was not approved."


APPROVAL, CALL, NOTHING = "mcp_approval_request", "mcp_call", "message"


@pytest.mark.parametrize(
    ("settings", "tool", "item_type"),
    [
        ({"require_approval": "always"}, "list_events", APPROVAL),
        ({"require_approval": "never"}, "list_events", CALL),
        ({"require_approval": {"never": {"tool_names": ["list_events"]}}}, "list_events", CALL),
        ({"require_approval": {"never": {"read_only": True}}}, "list_events", CALL),
        ({"require_approval": {"never": {"read_only": True}}}, "add_event", APPROVAL),
        ({"require_approval": {"never": {"tool_names": ["add_event"]}}}, "list_events", APPROVAL),
        ({"require_approval": {"always": {"tool_names": ["add_event"]}}}, "list_events", APPROVAL),
        ({"allowed_tools": ["list_events"]}, "list_events", CALL),
        ({"allowed_tools": ["add_event"]}, "list_events", NOTHING),
        ({"allowed_tools": {"read_only": True}}, "list_events", CALL),
        ({"allowed_tools": []}, "list_events", NOTHING),
    ],
    ids=repr,
)
def test_which_calls_are_offered_and_need_approval(
    c: Client, settings: Event, tool: str, item_type: str
) -> None:
    configured(c, **{"require_approval": "never", **settings})
    events = c.turn(text(f"Use {tool} for Monday."), RESPOND)
    assert response(events)["output"][0]["type"] == item_type


def test_an_answer_calls_a_tool_that_is_unknown() -> None:
    answers = [Call("no_such", {}, "calendar")]
    with checked(mcp={"calendar": TOOLS}, answers=answers) as server, client(server) as c:
        [call] = response(c.turn(RESPOND))["output"]
    assert call["error"]["type"] == "protocol_error"
