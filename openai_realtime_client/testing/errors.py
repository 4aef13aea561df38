"""What the service refuses, and how its `error` events describe it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from openai_realtime_client.core.deviations import Deviation, deviations
from openai_realtime_client.core.errors import InvalidEventError
from openai_realtime_client.core.json_types import is_array, is_object
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing.settings import Event, Ids

__all__ = ["Refusal", "Rules", "StrictRules", "check", "error_event"]

# What the pages of the API say of values beyond their types.
_RANGES = {
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
_JSON_NAMES: dict[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}
_FREE = ("metadata", "parameters", "variables")  # Below these, names are the client's own.


class Refusal(Exception):
    """What an `error` event says of an event of the client."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(code, message, param)
        self.code = code
        self.message = message
        self.param = param


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
    for path, name, value in _values(wire, ""):
        _check_value(path, name, value)
    return wire


def _values(node: Any, path: str) -> Iterator[tuple[str, str, Any]]:
    if is_array(node):
        for index, value in enumerate(node):
            yield from _values(value, f"{path}[{index}]")
    elif is_object(node):
        for name, value in node.items():
            place = f"{path}.{name}" if path else str(name)
            yield place, str(name), value
            if name not in _FREE:
                yield from _values(value, place)


def _check_value(path: str, name: str, value: Any) -> None:
    if name in _RANGES and isinstance(value, (int, float)):
        least, most = _RANGES[name]
        if value < least:
            message = f"Invalid '{path}': expected a value >= {least}, got {value}."
            raise Refusal("integer_below_min_value", message, path)
        if value > most:
            message = f"Invalid '{path}': expected a value <= {most}, got {value}."
            raise Refusal("integer_above_max_value", message, path)
    if name in _MODALITIES and is_array(value) and sorted(value) not in _MODALITIES[name]:
        supported = " and ".join(str(each) for each in _MODALITIES[name])
        message = f"Invalid modalities: {value}. Supported combinations are: {supported}."
        raise Refusal("invalid_value", message, path)
    if path == "event_id" and isinstance(value, str) and len(value) > _ID_LENGTH:
        message = f"Invalid 'event_id': string too long. Expected at most {_ID_LENGTH} characters."
        raise Refusal("string_above_max_length", message, path)


def _refusal(found: Deviation) -> Refusal:
    path, value = found.path, found.value
    if found.kind == "missing field" or (found.kind == "unknown member" and "type" not in value):
        path = path if found.kind == "missing field" else f"{path}.type"
        return Refusal("missing_required_parameter", f"Missing required parameter: '{path}'.", path)
    if found.kind == "unknown field":
        return Refusal("unknown_parameter", f"Unknown parameter: '{path}'.", path)
    if found.kind == "wrong type":
        message = f"Invalid type for '{path}': got {_JSON_NAMES[type(value)]} instead."
        return Refusal("invalid_type", message, path)
    if found.kind == "unknown event":
        path = "type"
    elif found.kind == "unknown member":
        path, value = f"{path}.type", value["type"]
    return Refusal("invalid_value", f"Invalid value: '{_short(value)}'.", path)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def error_event(ids: Ids, refusal: Refusal, event: RealtimeModel | None = None) -> Event:
    """Make the `error` event for a refused event of the client."""
    event_id = getattr(event, "event_id", None)
    error = {
        "type": "invalid_request_error",
        "code": refusal.code,
        "message": refusal.message,
        "param": refusal.param,
        "event_id": event_id if isinstance(event_id, str) else None,
    }
    return ids.event("error", error=error)


class Rules:
    """What a server does in a session. Events that a method returns are sent in their order.

    Attributes:
        closing: The code and the reason with which the server closes the connection now.
        mismatch: Where the client departed from a script.
        streams: What has begun and is to be sent beside the answers, until the session takes it. A
            number between the events is a pause, in seconds.
    """

    def __init__(self, closing: tuple[int, str] | None = None) -> None:
        self.closing = closing
        self.mismatch: str | None = None
        self.streams: list[Iterator[Event | float]] = []

    def start(self) -> Iterable[Event]:
        """The events with which a session begins."""
        return []

    def receive(self, event: RealtimeModel) -> Iterable[Event]:
        """The answer to an event of the client."""
        return []

    def refuse(self, error: InvalidEventError, text: str) -> Iterable[Event]:
        """The answer to a message that is not an event."""
        return []

    def sent(self, event: Event) -> Event | None:
        """An event as the protocol has it; `None` if it has none."""
        return event

    def end(self) -> None:
        """Take it that the connection has ended."""


class StrictRules(Rules):
    """Rules with a method for each event of the client, and errors for the rest."""

    def __init__(self, ids: Ids) -> None:
        super().__init__()
        self._ids = ids

    def receive(self, event: RealtimeModel) -> Sequence[Event]:
        """Answer an event of the client, with an `error` event where it is refused."""
        try:
            wire = self._checked(event)
            found = self._handlers().get(wire["type"])
            if found is None:
                message = f"'{wire['type']}' is not for this session."
                raise Refusal("invalid_value", message, "type")
            return found(wire)
        except Refusal as refusal:
            return [error_event(self._ids, refusal, event)]

    def refuse(self, error: InvalidEventError, text: str) -> Sequence[Event]:
        """Answer a message that is not an event."""
        path, problem = error.problems[0]
        if path == "type":
            about = "The 'type' field is missing or not a string."
            return [error_event(self._ids, Refusal("invalid_event", about, "type"))]
        refusal = Refusal("invalid_json", f"The message is not an event: {problem}.")
        return [error_event(self._ids, refusal)]

    def _checked(self, event: RealtimeModel) -> Event:
        """An event of the client, in the shape of GA; raises `Refusal`."""
        return check(event)

    def _handlers(self) -> Mapping[str, Callable[[Event], Sequence[Event]]]:
        """What answers an event, by its type."""
        raise NotImplementedError
