"""What the service refuses, and what all rules of sessions have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from openai_realtime_client.core.deviations import Deviation, deviations
from openai_realtime_client.core.errors import InvalidEventError
from openai_realtime_client.core.json_types import Path, is_array, path_text
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing.settings import Event, Ids

__all__ = ["Refusal", "Rules", "check", "not_an_event"]

# What the pages of the API say of lists, and a schema cannot.
_MODALITIES = {
    "output_modalities": (["text"], ["audio"]),
    "modalities": (["text"], ["audio", "text"]),
}
# What errors call a value that has limits, by the name of its type, and what of it is limited.
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
    _check_limits(event, ())
    return event.to_dict()


def not_an_event(error: InvalidEventError) -> Refusal:
    """Return what the server says of a text that is not an event."""
    path, problem = error.problems[0]
    if path == "type":
        message = "The 'type' field is missing or not a string."
        return Refusal("invalid_event", message, "type")
    return Refusal("invalid_json", f"The message is not an event: {problem}.")


def _check_limits(node: Any, path: Path) -> None:
    if isinstance(node, RealtimeModel):
        fields = type(node).model_fields
        for name, least, most in node.__limits__:
            place = path_text((*path, fields[name].alias or name))
            _check_size(node.__dict__[name], least, most, place)
        for name, field in fields.items():
            _check_limits(node.__dict__[name], (*path, field.alias or name))
    elif is_array(node):
        if path[-1] in _MODALITIES:
            _check_modalities([str(each) for each in node], path)
        for index, each in enumerate(node):
            _check_limits(each, (*path, index))


def _check_size(value: Any, least: float | None, most: float | None, param: str) -> None:
    kind, what = _LIMITED.get(type(value).__name__, ("", ""))
    size = len(value) if what == "length" else value
    if kind and least is not None and size < least:
        message = f"Invalid '{param}': expected a {what} of at least {least}, got {size}."
        raise Refusal(f"{kind}_below_min_{what}", message, param)
    if kind and most is not None and size > most:
        message = f"Invalid '{param}': expected a {what} of at most {most}, got {size}."
        raise Refusal(f"{kind}_above_max_{what}", message, param)


def _check_modalities(given: list[str], path: Path) -> None:
    supported = _MODALITIES[str(path[-1])]
    if sorted(given) not in supported:
        names = " and ".join(map(str, supported))
        message = f"Invalid modalities: {given}. Supported combinations are: {names}."
        raise Refusal("invalid_value", message, path_text(path))


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

    def refuse(self, refusal: Refusal, text: str) -> Iterable[Event]:
        """Answer a message that is not an event."""
        return self._refused(refusal)

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
