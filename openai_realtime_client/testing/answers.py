"""Answers of the embedded server's model, scripted or chosen by rules, and the tools it calls."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from openai_realtime_client.core.json_types import is_array, is_object
from openai_realtime_client.testing.settings import Event

__all__ = [
    "Answer",
    "Answers",
    "Call",
    "McpServers",
    "McpTool",
    "default_answer",
    "find_approval",
    "needs_approval",
    "offered_tools",
    "text_of",
    "words",
]


@dataclass(frozen=True)
class Call:
    """A call of a function, or of a tool of an MCP server if there is a `server_label`.

    `arguments` are an object, or JSON text as it is to be sent.
    """

    name: str
    arguments: Mapping[str, Any] | str = "{}"
    server_label: str | None = None

    @property
    def json(self) -> str:
        """The arguments as JSON text."""
        if isinstance(self.arguments, str):
            return self.arguments
        return json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True)
class Answer:
    """One turn of the model: its text, calls or error.

    Args:
        text: The text that it says. Without text, and with calls or an error, it says nothing.
        audio: How that sounds: bytes in the session's output format, or a tone of that many
            seconds. In a text response it is ignored.
        calls: The functions that it calls after that.
        rate_limits: The limits of the `rate_limits.updated` event that follows the response, such
            as `{"name": "requests", "limit": 100, "remaining": 0, "reset_seconds": 60.0}`; with an
            empty sequence there is none.
        usage: Fields of the response's `usage`, in place of those that are counted.
        error: The response fails after what it says, with this error in its `status_details`, such
            as `{"code": "rate_limit_exceeded", "message": "Try later."}`.
        delay: Seconds before the first output.
        real_time: Whether output takes the time that it takes to play, so that it can be
            interrupted; without audio, 50 ms for each word. By default it is sent at once.
    """

    text: str | None = None
    audio: bytes | float = 0.2
    calls: Sequence[Call] = ()
    usage: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    delay: float = 0.0
    rate_limits: Sequence[Mapping[str, Any]] | None = None
    real_time: bool = False


_TOOL_ITEMS = ("function_call", "function_call_output", "mcp_call")

# For each turn, or a function of the conversation's items; `None` is the default answer.
Answers = (
    Iterable["Answer | Call | str | None"]
    | Callable[[list[Event]], "Answer | Call | str | None"]
    | None
)


def words(text: str) -> list[str]:
    """Split a text into words with the space before them, so that they join to the same text."""
    return re.findall(r"\s*\S+|\s+$", text)


def text_of(item: Event) -> str:
    """Return the text of an item and the transcripts of its audio, or its output."""
    if item.get("type") in ("function_call_output", "mcp_call"):
        return str(item.get("output") or "")
    parts: list[Event] = item.get("content") or []
    texts = [part.get("text") or part.get("transcript") for part in parts]
    return " ".join(filter(None, texts))


def default_answer(items: Sequence[Event], tools: list[Event], tool_choice: Any) -> Answer:
    """Return the answer to a conversation: a call, or an echo of its last user or tool."""
    call = _choose_call(items, tools, tool_choice)
    if call:
        return Answer(calls=[call])
    for item in reversed(items):
        if item["type"] in ("function_call_output", "mcp_call"):
            return Answer(f"The function said: {text_of(item)}")
        if item.get("role") == "user":
            return Answer(f"You said: {text_of(item)}")
    return Answer("Hello! How can I help you?")


def _choose_call(items: Sequence[Event], tools: list[Event], tool_choice: Any) -> Call | None:
    """Return the call that the model makes, or `None`.

    It calls what `tool_choice` names, or the first tool if a call is required, after a tool's
    output, too: the service is reported to do so, and a test should find the loop that follows.
    Otherwise it calls, once for the same words, the first tool of which the user's last words
    contain the name or the name's last word: `get_weather` is called by "What is the weather in
    Paris?".
    """
    # The last words of the user, and whether a tool was called since.
    text, has_called = "", False
    for item in items:
        if item.get("role") == "user":
            text, has_called = text_of(item), False
        elif item["type"] in _TOOL_ITEMS:
            has_called = True
    for tool in tools:
        name: str = tool.get("name") or ""
        if is_object(tool_choice):
            is_chosen = name == tool_choice.get("name")
        elif tool_choice == "auto":
            is_chosen = not has_called and _is_called(name, text)
        else:
            is_chosen = tool_choice == "required"
        if is_chosen:
            arguments = _fit_value(tool.get("parameters") or {}, text)
            return Call(name, arguments or {}, tool.get("server_label"))
    return None


def _is_called(name: str, text: str) -> bool:
    # The last word of snake_case, camelCase or kebab-case.
    last = re.findall(r"[A-Za-z][a-z]*|\d+", name)[-1:]
    names = "|".join(re.escape(word) for word in [name, *last] if word)
    return bool(names) and re.search(rf"(?<!\w)({names})(?!\w)", text, re.IGNORECASE) is not None


def _fit_value(schema: Any, text: str) -> Any:
    """Return a value that fits a JSON schema; strings and numbers are taken from the text."""
    if not is_object(schema):
        return None
    if is_array(schema.get("enum")) and schema["enum"]:
        return schema["enum"][0]
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("anyOf", "oneOf", "allOf"):
        if is_array(schema.get(key)) and schema[key]:
            return _fit_value(schema[key][0], text)
    schema_type: Any = schema.get("type", "object")
    if is_array(schema_type) and schema_type:  # such as ["string", "null"]
        schema_type = schema_type[0]
    if schema_type == "object":
        return _fit_object(schema, text)
    if schema_type == "array":
        return [_fit_value(schema.get("items", {"type": "string"}), text)]
    # The simplest value that fits; keywords such as `format` and `minimum` are ignored.
    number = _last_number(text)
    values = {"string": _last_name(text), "integer": number, "number": number, "boolean": True}
    return values.get(str(schema_type))


def _fit_object(schema: dict[Any, Any], text: str) -> Event:
    """Return an object with the required properties, or all if the schema has no `required`."""
    properties: Any = schema.get("properties")
    if not is_object(properties):
        properties = {}
    names: Any = schema.get("required")
    if not is_array(names):
        names = list(properties)
    return {str(name): _fit_value(properties.get(name, {"type": "string"}), text) for name in names}


def _last_name(text: str) -> str:
    """Return the last name in a text, or else its last word."""
    all_words: list[str] = re.findall(r"[^\W_]+", text)
    # The first word of a sentence is in upper case, too, and so is "I".
    names = [word for word in all_words[1:] if word[0].isupper() and len(word) > 1]
    return (names or all_words or ["text"])[-1]


def _last_number(text: str) -> int:
    numbers = re.findall(r"\d+", text)
    if not numbers:
        return 1
    return int(numbers[-1][:9])  # fits into 32 bits


# MCP servers: lists of tools that a test gives


@dataclass(frozen=True)
class McpTool:
    """A tool of an MCP server.

    Args:
        name: Its name.
        output: Its output, or a function that makes it of the call's arguments; an exception of
            the function makes the call fail, with its text.
        input_schema: The JSON schema of its arguments.
        description: Its description for the model.
        read_only: Whether it only reads, which `allowed_tools` and `require_approval` may ask for.
    """

    name: str
    output: str | Callable[[dict[str, Any]], str] = "Done."
    input_schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "object"})
    description: str | None = None
    read_only: bool = False

    def listed(self) -> Event:
        """Return the tool as an item lists it."""
        return {
            "name": self.name,
            "description": self.description,
            "input_schema": dict(self.input_schema),
            "annotations": {"readOnlyHint": self.read_only},
        }

    def run(self, arguments: str) -> Event:
        """Call the tool, and return the fields of the `mcp_call` item."""
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


def find_approval(context: Sequence[Event]) -> Event | None:
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
