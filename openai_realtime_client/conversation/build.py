"""What most programs send: what the user says, and functions for the model.

They are dictionaries, whose types each protocol gives.
"""

from __future__ import annotations

import inspect
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from openai_realtime_client.core.json_types import is_object, path_text

__all__ = ["Builders", "FunctionTool"]

Create = TypeVar("Create")
Tool = TypeVar("Tool")


class Builders(Generic[Create]):
    """Functions that make the event that adds an item to the conversation."""

    def user_text(self, text: str) -> Create:
        """Make the event that adds a message of the user.

        Args:
            text: What the user says.
        """
        return self._message({"type": "input_text", "text": text})

    def user_image(self, image: bytes | str, *, media_type: str = "image/png") -> Create:
        """Make the event that shows an image to the model.

        Args:
            image: Its URL, or its bytes.
            media_type: What the bytes are, such as `image/jpeg`.
        """
        if isinstance(image, bytes):
            image = f"data:{media_type};base64,{b64encode(image).decode()}"
        return self._message({"type": "input_image", "image_url": image})

    def user_audio(self, audio: bytes) -> Create:
        """Make the event that adds a spoken message as a whole.

        Args:
            audio: Its bytes, in the session's input format and without a header.
        """
        return self._message({"type": "input_audio", "audio": b64encode(audio).decode()})

    def function_output(self, call_id: str, output: object) -> Create:
        """Make the event that gives the model what a function returned.

        Args:
            call_id: The `call_id` of the call.
            output: A string, which is sent as it is, or anything that pydantic dumps as JSON.
        """
        text = output if isinstance(output, str) else to_json(output).decode()
        return self._item({"type": "function_call_output", "call_id": call_id, "output": text})

    def _message(self, part: dict[str, Any]) -> Create:
        return self._item({"type": "message", "role": "user", "content": [part]})

    def _item(self, item: dict[str, Any]) -> Create:
        event: Any = {"type": "conversation.item.create", "item": item}
        created: Create = event
        return created


class FunctionTool(Generic[Create, Tool]):
    """A Python function that the model may call, in any protocol."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = function.__name__
        self._adapter = TypeAdapter[Any](_evaluated(function))
        parameters = self._adapter.json_schema()
        if parameters.get("type") != "object":
            raise TypeError(f"{self.name}: the model passes arguments by name only")
        definition: Any = {
            "type": "function",
            "name": self.name,
            "description": inspect.getdoc(function) or "",
            "parameters": parameters,
        }
        self.definition: Tool = definition
        self._is_async = inspect.iscoroutinefunction(function)

    def run(self, call: Any) -> Create:
        """Validate the arguments of a call, and call the function.

        Args:
            call: The item of the call: of a `Conversation`, a model or a dictionary.

        Returns:
            The event with the output. Of a call of another function, of arguments that do not fit
            and of exceptions, the model reads `Error: …`.

        Raises:
            TypeError: The function is a coroutine function, which `run_async` is for.
        """
        if self._is_async:
            raise TypeError(f"{self.name} is a coroutine function: use run_async")
        try:
            return self._output(call, self._call(call))
        except Exception as error:  # Whatever goes wrong, the model waits for the output.
            return self._output(call, _text(error))

    async def run_async(self, call: Any) -> Create:
        """Do the same as `run`, also for a coroutine function.

        Args:
            call: The item of the call, as `run` takes it.

        Returns:
            The event with the output or the error.
        """
        try:
            output = self._call(call)
            return self._output(call, await output if self._is_async else output)
        except Exception as error:
            return self._output(call, _text(error))

    def _call(self, call: Any) -> Any:
        if (name := _field(call, "name")) not in (None, self.name):
            raise LookupError(f"there is no function {name}")
        return self._adapter.validate_json(_field(call, "arguments") or "{}")

    def _output(self, call: Any, output: object) -> Create:
        return Builders[Create]().function_output(_field(call, "call_id") or "", output)


def _evaluated(function: Callable[..., Any]) -> Any:
    """The same function, with annotations that are not strings: pydantic evaluates none of methods.

    It is a schema to pydantic, though not to type checkers.
    """

    def call(**arguments: Any) -> Any:
        return function(**arguments)

    signature = inspect.signature(function, eval_str=True)
    given = {each.name: each.annotation for each in signature.parameters.values()}
    call.__annotations__ = {
        name: each for name, each in given.items() if each is not signature.empty
    }
    call.__signature__ = signature  # type: ignore[attr-defined]
    return call


def _field(call: Any, name: str) -> Any:
    return call.get(name) if is_object(call) else getattr(call, name, None)


def _text(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return f"Error: {str(error) or type(error).__name__}"
    found = [(path_text(each["loc"]), each["msg"]) for each in error.errors()]
    texts = [f"{path}: {problem}" if path else problem for path, problem in found]
    return f"Error: {'; '.join(texts)}"
