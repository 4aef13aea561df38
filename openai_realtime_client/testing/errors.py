"""What the service refuses, and what all rules of sessions have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from openai_realtime_client.core.deviations import Deviation, deviations
from openai_realtime_client.core.errors import InvalidEventError
from openai_realtime_client.core.json_types import is_array, is_object
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing.settings import Event, Ids

__all__ = ["Refusal", "Rules", "check"]

# What the pages of the API say of values beyond their types, and the schema does not.
_RANGES: dict[str, tuple[float, float]] = {
    "audio_end_ms": (0, 2**31),
    "idle_timeout_ms": (5000, 30000),
    "max_output_tokens": (1, 4096),
    "max_response_output_tokens": (1, 4096),
    "retention_ratio": (0, 1),
    "seconds": (10, 7200),
    "speed": (0.25, 1.5),
    "temperature": (0.6, 1.2),
    "threshold": (0, 1),
}
_MODALITIES = {
    "output_modalities": (["text"], ["audio"]),
    "modalities": (["text"], ["audio", "text"]),
}
_ID_LENGTH = 512
_FREE = ("metadata", "parameters", "variables")  # Below these, names are the client's own.
# The code and the message for each kind of deviation.
_DEVIATIONS = {
    "missing field": ("missing_required_parameter", "Missing required parameter: '{path}'."),
    "unknown field": ("unknown_parameter", "Unknown parameter: '{path}'."),
    "wrong type": ("invalid_type", "Invalid type for '{path}': got {value}."),
}
_INVALID_VALUE = ("invalid_value", "Invalid value for '{path}': {value}.")


@dataclass(eq=False)
class Refusal(Exception):
    """What an `error` event says of an event of the client."""

    code: str
    message: str
    param: str | None = None


def check(event: RealtimeModel, *, allowed: str | None = None) -> Event:
    """Check that an event, or a request, fits its schema and the limits that the pages state.

    Args:
        event: What the client sent.
        allowed: The path of a field that is accepted although it is not in the schema.

    Returns:
        It as it is on the wire.

    Raises:
        Refusal: For the first thing that does not fit.
    """
    for found in deviations(event):
        if found.path != allowed:
            raise _refusal(found)
    wire = event.to_dict()
    _check_values(wire, "")
    return wire


def _check_values(node: Any, place: str) -> None:
    if is_array(node):
        for index, value in enumerate(node):
            _check_values(value, f"{place}[{index}]")
    elif is_object(node):
        for name, value in node.items():
            path = f"{place}.{name}".removeprefix(".")
            _check_value(path, name, value)
            if name not in _FREE:
                _check_values(value, path)


def _check_value(path: str, name: str, value: Any) -> None:
    least, most = _RANGES.get(name, (0, 0))
    if name in _RANGES and isinstance(value, (int, float)) and not least <= value <= most:
        code = "integer_below_min_value" if value < least else "integer_above_max_value"
        message = f"Invalid '{path}': expected a value from {least} to {most}, got {value}."
        raise Refusal(code, message, path)
    if name in _MODALITIES and is_array(value) and sorted(value) not in _MODALITIES[name]:
        supported = " and ".join(str(each) for each in _MODALITIES[name])
        message = f"Invalid modalities: {value}. Supported combinations are: {supported}."
        raise Refusal("invalid_value", message, path)
    if path == "event_id" and isinstance(value, str) and len(value) > _ID_LENGTH:
        message = f"Invalid 'event_id': string too long. Expected at most {_ID_LENGTH} characters."
        raise Refusal("string_above_max_length", message, path)


def _refusal(found: Deviation) -> Refusal:
    path, kind, value = found
    if kind == "unknown event":
        path = "type"
    elif kind == "unknown member":
        path, value = f"{path}.type", value.get("type")
        kind = "missing field" if value is None else kind
    code, message = _DEVIATIONS.get(kind, _INVALID_VALUE)
    shown = json.dumps(value, ensure_ascii=False)
    shown = shown if len(shown) <= 60 else f"{shown[:60]}…"
    return Refusal(code, message.format(path=path, value=shown), path)


class Rules:
    """What a server does in a session. Events that a method returns are sent in their order.

    Attributes:
        closing: The code and the reason with which the server closes the connection now.
        mismatch: Where the client departed from a script.
        streams: What has begun and is to be sent beside the answers, until the session takes it. A
            number between the events is a pause, in seconds.
    """

    def __init__(self, ids: Ids, closing: tuple[int, str] | None = None) -> None:
        self.closing = closing
        self.mismatch: str | None = None
        self.streams: list[Iterator[Event | float]] = []
        self._ids = ids
        # What answers an event of the client, by its type.
        self._handlers: dict[str, Callable[[Event], Iterable[Event]]] = {}

    def start(self) -> Iterable[Event]:
        """The events with which a session begins."""
        return []

    def receive(self, event: RealtimeModel) -> Iterable[Event]:
        """Answer an event of the client, with an `error` event where it is refused."""
        try:
            wire = self._checked(event)
            if wire["type"] not in self._handlers:
                message = f"'{wire['type']}' is not for this session."
                raise Refusal("invalid_value", message, "type")
            return self._handlers[wire["type"]](wire)
        except Refusal as refusal:
            return self._refused(refusal, getattr(event, "event_id", None))

    def refuse(self, error: InvalidEventError, text: str) -> Iterable[Event]:
        """Answer a message that is not an event."""
        path, problem = error.problems[0]
        if path == "type":
            about = "The 'type' field is missing or not a string."
            return self._refused(Refusal("invalid_event", about, "type"))
        return self._refused(Refusal("invalid_json", f"The message is not an event: {problem}."))

    def sent(self, event: Event) -> Event | None:
        """An event as the protocol has it; `None` if it has none."""
        return event

    def end(self) -> None:
        """Take it that the connection has ended."""

    def _checked(self, event: RealtimeModel) -> Event:
        """An event of the client, in the shape of GA; raises `Refusal`."""
        return check(event)

    def _refused(self, refusal: Refusal, event_id: Any = None) -> Sequence[Event]:
        error = {"type": "invalid_request_error", **vars(refusal)}
        error["event_id"] = event_id if isinstance(event_id, str) else None
        return [self._ids.event("error", error=error)]
