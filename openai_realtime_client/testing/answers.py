"""What the embedded server says: the same to the same words, so that tests can expect it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from openai_realtime_client.core.json_types import is_array, is_object
from openai_realtime_client.core.model import RealtimeModel

__all__ = ["Call", "answer", "choose_call", "text_of", "words"]


class Call(NamedTuple):
    """A function to call. `arguments` is JSON text."""

    name: str
    arguments: str


def words(text: str) -> list[str]:
    """The text in pieces of a word each, which together are the text."""
    return re.findall(r"\s*\S+|\s+$", text)


def text_of(item: RealtimeModel) -> str:
    """What an item says: its text and the transcripts of its audio, or its output."""
    wire = item.to_dict()
    if wire.get("type") == "function_call_output":
        return str(wire.get("output", ""))
    parts: list[dict[str, Any]] = wire.get("content") or []
    said = (part.get("text") or part.get("transcript") or "" for part in parts)
    return " ".join(filter(None, said))


def answer(items: Sequence[RealtimeModel]) -> str:
    """The answer to a conversation: what its last user or function said."""
    for item in reversed(items):
        wire = item.to_dict()
        if wire.get("type") == "function_call_output":
            return f"The function said: {text_of(item)}"
        if wire.get("role") == "user":
            return f"You said: {text_of(item)}"
    return "Hello! How can I help you?"


def choose_call(items: Sequence[RealtimeModel], tools: Any, tool_choice: Any) -> Call | None:
    """The function that the model calls, if it does.

    It calls none when the conversation ends in a function's output. Else it calls what
    `tool_choice` names; the first function, if a call is required; or the first function of which
    the user's last words contain the name or the name's last word: `get_weather` is called by
    "What is the weather in Paris?".
    """
    offered: list[dict[str, Any]] = tools or []
    functions = [tool for tool in offered if tool.get("type", "function") == "function"]
    latest = items[-1].to_dict() if items else {}
    if not functions or tool_choice == "none" or latest.get("type") == "function_call_output":
        return None
    users = [item for item in items if item.to_dict().get("role") == "user"]
    said = text_of(users[-1]) if users else ""
    if is_object(tool_choice):
        functions = [each for each in functions if each.get("name") == tool_choice.get("name")]
    elif tool_choice != "required":
        functions = [each for each in functions if _is_called(each.get("name") or "", said)]
    if not functions:
        return None
    arguments = _value(functions[0].get("parameters") or {}, said)
    return Call(functions[0].get("name") or "", json.dumps(arguments, ensure_ascii=False))


def _is_called(name: str, said: str) -> bool:
    last = re.findall(r"[A-Za-z][a-z]*|\d+", name)[-1:]
    names = "|".join(re.escape(each) for each in [name, *last] if each)
    return bool(names) and re.search(rf"(?<!\w)({names})(?!\w)", said, re.IGNORECASE) is not None


def _value(schema: Any, said: str) -> Any:
    """A value that fits a JSON schema; what it leaves open comes from what was said."""
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


def _object(schema: dict[Any, Any], said: str) -> dict[str, Any]:
    """An object with what a schema requires; if it does not say, with all that it has."""
    properties: Any = schema.get("properties")
    known: dict[str, Any] = properties if is_object(properties) else {}
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
