"""Refusals, and the base class of session rules."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from openai_realtime_client import ga
from openai_realtime_client.core.deviations import Deviation, deviations
from openai_realtime_client.core.errors import InvalidEventError
from openai_realtime_client.core.json_types import Path, is_array, path_text
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing.settings import Event, Outbox

__all__ = ["Refusal", "Rules", "refuse_text", "validate_event"]

# Combinations that the API reference allows; the schema only has the members.
_MODALITIES = {
    "output_modalities": (["text"], ["audio"]),
    "modalities": (["text"], ["audio", "text"]),
}
# Names of JSON types in error codes, and whether limits are of the value or its length.
_LIMITED = {
    "int": ("integer", "value"),
    "float": ("decimal", "value"),
    "str": ("string", "length"),
    "list": ("array", "length"),
}
# The code and the message for each kind of deviation.
_DEVIATIONS = {
    "missing field": ("missing_required_parameter", "Missing required parameter: '{path}'."),
    "unknown field": ("unknown_parameter", "Unknown parameter: '{path}'."),
    "wrong type": ("invalid_type", "Invalid type for '{path}': got {value}."),
}
_INVALID_VALUE = ("invalid_value", "Invalid value for '{path}': {value}.")


@dataclass(eq=False)
class Refusal(Exception):
    """The server refuses an event of the client, with this `error` event."""

    code: str
    message: str
    param: str | None = None


def validate_event(event: RealtimeModel, *, allowed: str | None = None) -> Event:
    """Check an event, or a request, against its schema and the documented limits.

    Args:
        event: The event or request of the client.
        allowed: The path of a field that is accepted although it is not in the schema.

    Returns:
        Its JSON object.

    Raises:
        Refusal: For the first deviation.
    """
    for deviation in deviations(event):
        # The service names one thing that is wrong at a time, and so do tests of errors.
        if deviation.path != allowed:
            raise _refuse_deviation(deviation)
    _check_limits(event, ())
    return event.to_dict()


def refuse_text(error: InvalidEventError) -> Refusal:
    """Return the refusal of a text that is not an event."""
    path, problem = error.problems[0]
    if path == "type":
        message = "The 'type' field is missing or not a string."
        return Refusal("invalid_event", message, "type")
    return Refusal("invalid_json", f"The message is not an event: {problem}.")


def _check_limits(node: Any, path: Path) -> None:
    if isinstance(node, RealtimeModel):
        fields = type(node).model_fields
        for name, minimum, maximum in node.__limits__:
            param = path_text((*path, fields[name].alias or name))
            _check_size(node.__dict__[name], minimum, maximum, param)
        # The schema leaves it optional, for the settings that servers report.
        if isinstance(node, ga.RealtimeAudioFormatsPcm) and node.rate is None and "session" in path:
            raise _refuse_deviation(Deviation(path_text((*path, "rate")), "missing field", None))
        for name, field in fields.items():
            _check_limits(node.__dict__[name], (*path, field.alias or name))
    elif is_array(node):
        if path[-1] in _MODALITIES:
            _check_modalities([str(item) for item in node], path)
        for index, item in enumerate(node):
            _check_limits(item, (*path, index))


def _check_size(value: Any, minimum: float | None, maximum: float | None, param: str) -> None:
    # By name, so that a bool is no int.
    if type(value).__name__ not in _LIMITED:
        return  # such as "inf", in place of a number
    json_type, measure = _LIMITED[type(value).__name__]
    size = value
    if measure == "length":
        size = len(value)
    if minimum is not None and size < minimum:
        message = f"Invalid '{param}': expected a {measure} of at least {minimum}, got {size}."
        raise Refusal(f"{json_type}_below_min_{measure}", message, param)
    if maximum is not None and size > maximum:
        message = f"Invalid '{param}': expected a {measure} of at most {maximum}, got {size}."
        raise Refusal(f"{json_type}_above_max_{measure}", message, param)


def _check_modalities(given: list[str], path: Path) -> None:
    supported = _MODALITIES[str(path[-1])]
    if sorted(given) not in supported:
        names = " and ".join(map(str, supported))
        message = f"Invalid modalities: {given}. Supported combinations are: {names}."
        raise Refusal("invalid_value", message, path_text(path))


def _refuse_deviation(deviation: Deviation) -> Refusal:
    path, kind, value = deviation
    if kind == "unknown event":
        path = "type"
    elif kind == "unknown member":
        # The service complains about the `type` that selects the member.
        path, value = f"{path}.type", value.get("type")
        if value is None:
            kind = "missing field"
    code, message = _DEVIATIONS.get(kind, _INVALID_VALUE)
    text = json.dumps(value, ensure_ascii=False)
    # Values may be audio.
    if len(text) > 60:
        text = f"{text[:60]}…"
    return Refusal(code, message.format(path=path, value=text), path)


class Rules:
    """The server's part of a session, which answers the client's events by those that it emits.

    Attributes:
        outbox: What to send.
        closing: The code and the reason with which the server closes the connection now.
        mismatch: Where the client departed from a script.
        streams: Generators that emit more events, until the session takes them. They yield pauses,
            in seconds.
    """

    def __init__(self, outbox: Outbox, closing: tuple[int, str] | None = None) -> None:
        self.outbox = outbox
        self.closing = closing
        self.mismatch: str | None = None
        self.streams: list[Iterator[float]] = []
        # By the type of the client's event. Rules without a handler refuse it.
        self._handlers: dict[str, Callable[[Event], None]] = {}

    def begin(self) -> None:
        """Emit the events with which a session begins."""

    def receive(self, event: RealtimeModel) -> None:
        """Answer an event of the client, with an `error` event if it is refused."""
        try:
            wire = self._check(event)
            if wire["type"] not in self._handlers:
                message = f"'{wire['type']}' is not for this session."
                raise Refusal("invalid_value", message, "type")
            self._handlers[wire["type"]](wire)
        # The session goes on after an error.
        except Refusal as refusal:
            self._emit_error(refusal, getattr(event, "event_id", None))

    def refuse(self, refusal: Refusal, text: str) -> None:
        """Answer a message that is not an event."""
        self._emit_error(refusal)

    def to_protocol(self, event: Event) -> Event | None:
        """Return an event in the protocol of the session; `None` if that has no such event."""
        return event

    def note_end(self) -> None:
        """Handle the end of the connection."""

    def _check(self, event: RealtimeModel) -> Event:
        """Return an event of the client in the shape of GA; raise `Refusal` if it is invalid."""
        return validate_event(event)

    def _emit_error(self, refusal: Refusal, event_id: Any = None) -> None:
        # Null where the client's event has none: clients look it up.
        if not isinstance(event_id, str):
            event_id = None
        error = {"type": "invalid_request_error", **vars(refusal), "event_id": event_id}
        self.outbox.emit("error", error=error)
