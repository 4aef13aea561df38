"""Events to send that every program writes: what the user says, and functions for the model.

They are dictionaries of type `Any`, because `send` of each protocol takes that protocol's types.
"""

from __future__ import annotations

import inspect
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from openai_realtime_client.core.json_types import is_object, path_text

__all__ = ["FunctionTool", "function_output", "user_audio", "user_image", "user_text"]


def user_text(text: str) -> Any:
    """Make the event that adds a message of the user."""
    return _message({"type": "input_text", "text": text})


def user_image(image: bytes | str, *, media_type: str = "image/png") -> Any:
    """Make the event that shows an image to the model, in the GA protocol.

    Args:
        image: Its URL, or its bytes.
        media_type: What the bytes are, such as `image/jpeg`.
    """
    if isinstance(image, bytes):
        image = f"data:{media_type};base64,{b64encode(image).decode()}"
    return _message({"type": "input_image", "image_url": image})


def user_audio(audio: bytes) -> Any:
    """Make the event that adds a spoken message as a whole, in the session's input format."""
    return _message({"type": "input_audio", "audio": b64encode(audio).decode()})


def function_output(call_id: str, output: object) -> Any:
    """Make the event that gives the model what a function returned.

    Args:
        call_id: The `call_id` of the call.
        output: A string, which is sent as it is, or anything that pydantic dumps as JSON.
    """
    text = output if isinstance(output, str) else to_json(output).decode()
    return _create({"type": "function_call_output", "call_id": call_id, "output": text})


class FunctionTool:
    """A Python function that the model may call.

    Its name, docstring and annotations are what the model knows of it. A parameter is described by
    `Annotated[str, Field(description="…")]`.

    Attributes:
        name: The name of the function.
        definition: The entry of `tools` in a session or response.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = function.__name__
        schema: Any = function  # It is one to pydantic, though not to type checkers.
        self._adapter = TypeAdapter[Any](schema)
        self.definition: Any = {
            "type": "function",
            "name": self.name,
            "description": inspect.getdoc(function) or "",
            "parameters": self._adapter.json_schema(),
        }

    def run(self, call: Any) -> Any:
        """Validate the arguments of a call, and call the function.

        Args:
            call: The item of the call: of a `Conversation`, a model or a dictionary.

        Returns:
            The event with the output. Of arguments that do not fit and of exceptions, the model
            reads `Error: …`.
        """
        try:
            output = self._adapter.validate_json(_field(call, "arguments") or "{}")
        except Exception as error:  # Whatever goes wrong, the model waits for the output.
            output = _error(error)
        return function_output(_field(call, "call_id") or "", output)

    async def run_async(self, call: Any) -> Any:
        """Do the same for a coroutine function."""
        try:
            output = await self._adapter.validate_json(_field(call, "arguments") or "{}")
        except Exception as error:
            output = _error(error)
        return function_output(_field(call, "call_id") or "", output)


def _field(call: Any, name: str) -> Any:
    return call.get(name) if is_object(call) else getattr(call, name, None)


def _error(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return f"Error: {str(error) or type(error).__name__}"
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    texts = [f"{path_text(each['loc'])}: {each['msg']}".removeprefix(": ") for each in problems]
    return f"Error: {'; '.join(texts)}"


def _message(part: dict[str, Any]) -> dict[str, Any]:
    return _create({"type": "message", "role": "user", "content": [part]})


def _create(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "conversation.item.create", "item": item}
