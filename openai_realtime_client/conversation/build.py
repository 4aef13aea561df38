"""What most programs send: what the user says, and functions for the model.

They are dictionaries, whose types each protocol gives.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Generic, TypeVar

from pydantic_core import to_jsonable_python

from openai_realtime_client.core.encoding import dumped, invalid_part

__all__ = ["Builders"]

Create = TypeVar("Create")


class Builders(Generic[Create]):
    """Functions that make the event that adds an item to the conversation.

    Each protocol has functions of these names, whose docstrings describe the arguments.
    """

    def user_text(self, text: str) -> Create:
        """Make the event that adds a message of the user."""
        return self._message({"type": "input_text", "text": text})

    def user_image(self, image: bytes | str, *, media_type: str = "image/png") -> Create:
        """Make the event that shows an image to the model."""
        if isinstance(image, bytes):
            image = f"data:{media_type};base64,{b64encode(image).decode()}"
        return self._message({"type": "input_image", "image_url": image})

    def user_audio(self, audio: bytes) -> Create:
        """Make the event that adds a spoken message as a whole."""
        return self._message({"type": "input_audio", "audio": b64encode(audio).decode()})

    def function_output(self, call_id: str, output: object) -> Create:
        """Make the event that gives the model what a function returned."""
        if not isinstance(output, str):
            output = _encoded(output)
        return self._item({"type": "function_call_output", "call_id": call_id, "output": output})

    def _message(self, part: dict[str, Any]) -> Create:
        return self._item({"type": "message", "role": "user", "content": [part]})

    def _item(self, item: dict[str, Any]) -> Create:
        event: Any = {"type": "conversation.item.create", "item": item}
        created: Create = event
        return created


def _encoded(output: object) -> str:
    # As the value of a field, so that a message has a path: `output.temperature`.
    held = {"output": output}
    try:
        held = to_jsonable_python(held, inf_nan_mode="constants")
    except UnicodeEncodeError:
        pass  # Half a surrogate pair, as models may repeat it from their input.
    except Exception:  # The message of a serializer's exception may repeat the value.
        problem = invalid_part(held) or "output: cannot be encoded as JSON"
        raise ValueError(problem) from None
    return dumped(held).decode()[len('{"output":') : -1]
