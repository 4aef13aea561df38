"""MCP servers of the embedded server: lists of tools that a test gives."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from openai_realtime_client.core.json_types import is_array, is_object
from openai_realtime_client.testing.settings import Event

__all__ = ["McpServers", "McpTool", "approval", "needs_approval", "offered_tools"]


@dataclass(frozen=True)
class McpTool:
    """A tool of an MCP server.

    Args:
        name: Its name.
        output: Its output, or a function that makes it of the call's arguments; an exception of
            the function makes the call fail, with its text.
        input_schema: The JSON schema of its arguments.
        description: What it does.
        read_only: Whether it only reads, which `allowed_tools` and `require_approval` may ask for.
    """

    name: str
    output: str | Callable[[dict[str, Any]], str] = "Done."
    input_schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "object"})
    description: str | None = None
    read_only: bool = False

    def listed(self) -> Event:
        """The tool as it is listed in an item."""
        return {
            "name": self.name,
            "description": self.description,
            "input_schema": dict(self.input_schema),
            "annotations": {"readOnlyHint": self.read_only},
        }

    def run(self, arguments: str) -> Event:
        """Call it: fields of the `mcp_call` item."""
        try:
            output = self.output
            if not isinstance(output, str):
                output = output(json.loads(arguments))
        # Whatever a test's function raises, as an MCP server would report it to the model.
        except Exception as error:
            return {"error": {"type": "tool_execution_error", "message": str(error)}}
        return {"output": output}


# By the label that sessions give to the MCP server.
McpServers = Mapping[str, Sequence[McpTool]]


def offered_tools(tools: list[Event] | None, servers: McpServers) -> list[Event]:
    """Return the functions among a session's tools, and the MCP servers' tools as functions."""
    offered: list[Event] = []
    for tool in tools or []:
        label = tool.get("server_label")
        if label is None:
            offered.append(tool)
        for listed in servers.get(label or "", ()):
            # All tools of a server are offered where the session does not restrict them.
            if _is_selected(tool.get("allowed_tools"), listed, default=True):
                parameters = dict(listed.input_schema)
                function: Event = {"name": listed.name, "parameters": parameters}
                offered.append({**function, "server_label": label})
    return offered


def approval(context: Sequence[Event]) -> Event | None:
    """Return the client's answer to a request for approval, if that is the last item."""
    if context and context[-1].get("type") == "mcp_approval_response":
        return context[-1]
    return None


def needs_approval(tools: list[Event], label: str, called: McpTool) -> bool:
    """Return whether the client has to approve calls of a tool."""
    rule: Any = None
    for tool in tools:
        if tool.get("server_label") == label:
            rule = tool.get("require_approval")
    rule = rule or "always"  # the default of the service
    if is_object(rule):
        return not _is_selected(rule.get("never"), called, default=False)
    return bool(rule == "always")


def _is_selected(selection: Any, tool: McpTool, *, default: bool) -> bool:
    """Return whether a list of names, or a filter, selects a tool."""
    if is_array(selection):
        return tool.name in selection
    if not is_object(selection):
        return default
    names, read_only = selection.get("tool_names"), selection.get("read_only")
    return (names is None or tool.name in names) and (not read_only or tool.read_only)
