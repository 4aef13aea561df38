"""What the model of the embedded server does in a turn: by default the same for the same words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openai_realtime_client.core.json_types import is_array, is_object
from openai_realtime_client.testing.settings import Event

__all__ = ["Answer", "Answers", "Call", "default_answer", "text_of", "words"]


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
        given = self.arguments
        return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


@dataclass(frozen=True)
class Answer:
    """What the model does in one turn.

    Args:
        text: What it says. Without text, and with calls or an error, it says nothing.
        audio: How that sounds: bytes in the session's output format, or a tone of that many
            seconds. In a text response it is ignored.
        calls: What it calls after that.
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
    """The text in pieces of a word each, which together are the text."""
    return re.findall(r"\s*\S+|\s+$", text)


def text_of(item: Event) -> str:
    """The text of an item and the transcripts of its audio, or its output."""
    if item.get("type") in ("function_call_output", "mcp_call"):
        return str(item.get("output") or "")
    parts: list[Event] = item.get("content") or []
    said = (part.get("text") or part.get("transcript") or "" for part in parts)
    return " ".join(filter(None, said))


def default_answer(items: Sequence[Event], tools: list[Event], tool_choice: Any) -> Answer:
    """The answer to a conversation: a call, or what its last user or tool said."""
    if call := _choose_call(items, tools, tool_choice):
        return Answer(calls=[call])
    for item in reversed(items):
        if item["type"] in ("function_call_output", "mcp_call"):
            return Answer(f"The function said: {text_of(item)}")
        if item.get("role") == "user":
            return Answer(f"You said: {text_of(item)}")
    return Answer("Hello! How can I help you?")


def _choose_call(items: Sequence[Event], tools: list[Event], tool_choice: Any) -> Call | None:
    """The tool that the model calls, if it does.

    It calls what `tool_choice` names, or the first tool if a call is required, after a tool's
    output, too: the service is reported to do so, and a test should find the loop that follows.
    Otherwise it calls, once for the same words, the first tool of which the user's last words
    contain the name or the name's last word: `get_weather` is called by "What is the weather in
    Paris?".
    """
    said, has_called = "", False
    for item in items:
        if item.get("role") == "user":
            said, has_called = text_of(item), False
        elif item["type"] in _TOOL_ITEMS:
            has_called = True
    for tool in tools:
        name: str = tool.get("name") or ""
        if is_object(tool_choice):
            is_chosen = name == tool_choice.get("name")
        elif tool_choice == "auto":
            is_chosen = not has_called and _is_called(name, said)
        else:
            is_chosen = tool_choice == "required"
        if is_chosen:
            arguments = _value(tool.get("parameters") or {}, said)
            return Call(name, arguments or {}, tool.get("server_label"))
    return None


def _is_called(name: str, said: str) -> bool:
    last = re.findall(r"[A-Za-z][a-z]*|\d+", name)[-1:]
    names = "|".join(re.escape(each) for each in [name, *last] if each)
    return bool(names) and re.search(rf"(?<!\w)({names})(?!\w)", said, re.IGNORECASE) is not None


def _value(schema: Any, said: str) -> Any:
    """A value that fits a JSON schema; what the schema leaves open comes from what was said."""
    if not is_object(schema):
        return None
    if is_array(schema.get("enum")) and schema["enum"]:
        return schema["enum"][0]
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("anyOf", "oneOf", "allOf"):
        if is_array(schema.get(key)) and schema[key]:
            return _value(schema[key][0], said)
    kind: Any = schema.get("type", "object")
    match kind[0] if is_array(kind) and kind else kind:
        case "object":
            return _object(schema, said)
        case "array":
            return [_value(schema.get("items", {"type": "string"}), said)]
        case "string":
            return _word(said)
        case "integer" | "number":
            return _number(said)
        case "boolean":
            return True
        case _:
            return None


def _object(schema: dict[Any, Any], said: str) -> Event:
    """An object with what a schema requires; if it does not say, with all that it has."""
    properties: Any = schema.get("properties")
    known: Event = properties if is_object(properties) else {}
    required: Any = schema.get("required")
    names: list[Any] = required if is_array(required) else list(known)
    return {str(name): _value(known.get(str(name), {"type": "string"}), said) for name in names}


def _word(said: str) -> str:
    """The last name in what was said, or else its last word."""
    found: list[str] = re.findall(r"[^\W_]+", said)
    names = [word for word in found[1:] if word[0].isupper() and len(word) > 1]
    return (names or found or ["text"])[-1]


def _number(said: str) -> int:
    found = re.findall(r"\d+", said)
    return int(found[-1][:9]) if found else 1
