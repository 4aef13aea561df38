"""What the service would refuse, and how it says so."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from openai_realtime_client import ga
from openai_realtime_client.core.deviations import Deviation, deviations
from openai_realtime_client.core.errors import InvalidEventError
from openai_realtime_client.core.events import UnknownEvent
from openai_realtime_client.core.json_types import is_array
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing.settings import Ids

__all__ = ["Refusal", "StrictRules", "check", "error_event"]


class Refusal(Exception):
    """What an `error` event says of an event of the client."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(code, message, param)
        self.code = code
        self.message = message
        self.param = param


def check(event: RealtimeModel, *, allowed: str | None = None) -> None:
    """Raise `Refusal` for the first thing in an event that the schema does not know.

    `allowed` is the path of one that is taken all the same.
    """
    found = [each for each in deviations(event) if each.path != allowed]
    if not found:
        return
    if isinstance(event, UnknownEvent):
        raise Refusal("invalid_value", f"Invalid value: '{_short(event.type)}'.", "type")
    raise _refusal(found[0])


def _refusal(found: Deviation) -> Refusal:
    path, value = found.path, found.value
    if found.kind == "missing field" or (found.kind == "unknown member" and "type" not in value):
        path = path if found.kind == "missing field" else f"{path}.type"
        return Refusal("missing_required_parameter", f"Missing required parameter: '{path}'.", path)
    if found.kind == "unknown field":
        return Refusal("unknown_parameter", f"Unknown parameter: '{path}'.", path)
    if found.kind == "wrong type":
        message = f"Invalid type for '{path}': got {_json_name(value)} instead."
        return Refusal("invalid_type", message, path)
    if found.kind == "unknown member":
        path = f"{path}.type"
        value = value["type"]
    return Refusal("invalid_value", f"Invalid value: '{_short(value)}'.", path)


def _json_name(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if is_array(value) else "an object"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _refusal_of(error: InvalidEventError) -> Refusal:
    """What the `error` event says of what is no event."""
    path, problem = error.problems[0]
    if path == "type":
        return Refusal("invalid_event", "The 'type' field is missing or no string.", "type")
    return Refusal("invalid_json", f"The message is no event: {problem}.")


def error_event(ids: Ids, refusal: Refusal, event: RealtimeModel | None = None) -> RealtimeModel:
    """The `error` event for a refused event of the client."""
    event_id = getattr(event, "event_id", None)
    return ga.RealtimeServerEventError(
        event_id=ids("event"),
        error=ga.RealtimeServerEventErrorError(
            type="invalid_request_error",
            code=refusal.code,
            message=refusal.message,
            param=refusal.param,
            event_id=event_id if isinstance(event_id, str) else None,
        ),
    )


class StrictRules(ABC):
    """Rules of a session that refuse what the schema does not know."""

    def __init__(self, ids: Ids) -> None:
        self.is_over = False
        self._ids = ids

    def receive(self, event: RealtimeModel) -> Sequence[RealtimeModel]:
        """Answer an event of the client, with an `error` event where it is refused."""
        try:
            check(event)
            return self._dispatch(event)
        except Refusal as refusal:
            return [error_event(self._ids, refusal, event)]

    def refuse(self, error: InvalidEventError) -> Sequence[RealtimeModel]:
        """Answer a message that is not an event."""
        return [error_event(self._ids, _refusal_of(error))]

    @abstractmethod
    def _dispatch(self, event: RealtimeModel) -> Sequence[RealtimeModel]:
        """Answer an event that the schema knows, or raise `Refusal`."""
