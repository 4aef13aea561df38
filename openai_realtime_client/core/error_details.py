"""The errors that events report, in any shape that servers use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openai_realtime_client.core.json_types import at, is_object
from openai_realtime_client.core.model import RealtimeModel

__all__ = ["ErrorDetails", "error_details"]

_FIELDS = ("code", "type", "param", "event_id")
_MAX_MESSAGE = 500


@dataclass(frozen=True)
class ErrorDetails:
    """The error that an event reports. Its text is the message, with the code in parentheses.

    Attributes:
        message: The message, or what there is in its place; never empty.
        code: The code, such as `response_cancel_not_active`, or `None`.
        type: The type, such as `invalid_request_error`, or `None`.
        param: The parameter that is wrong, or `None`.
        event_id: The id of the client event that is refused, or `None`.
    """

    message: str
    code: str | None = None
    type: str | None = None
    param: str | None = None
    event_id: str | None = None

    def __str__(self) -> str:
        if self.code is None:
            return self.message
        return f"{self.message} ({self.code})"


def error_details(event: RealtimeModel | Mapping[str, Any]) -> ErrorDetails:
    """Read an `error` event, a `response.done` that failed, or another event with an `error`.

    Compatible servers send `error` as an object, as text, as `null`, or its fields beside `type`.
    All of these are read, where `event.error.message` would raise for some.

    Args:
        event: The event, as it was received or as a dictionary.
    """
    if isinstance(event, RealtimeModel):
        event = event.to_dict()
    wire: Mapping[str, Any] = event
    error = wire.get("error")
    response = wire.get("response")
    # All fields but those that every event has.
    beside = {name: wire[name] for name in ("message", "detail", "code", "param") if name in wire}
    if error is None and is_object(response):
        error = _error_of_response(response)
    elif error is None:
        error = beside
    if not is_object(error):
        error = {**beside, "message": error}
    fields = dict[str, str]()
    for name in _FIELDS:
        if error.get(name) is not None:
            fields[name] = str(error[name])
    message = _shortened(error.get("message")) or _shortened(error.get("detail"))
    return ErrorDetails(message or fields.get("code") or "no reason given", **fields)


def _error_of_response(response: dict[Any, Any]) -> Any:
    """Return the error of a response, or else why it ended."""
    error = at(response, "status_details", "error")
    reason = at(response, "status_details", "reason") or f"the response is {response.get('status')}"
    if is_object(error):
        return {"message": reason, **error}
    return error or reason


def _shortened(value: Any) -> str:
    if value is None:
        return ""
    return str(value)[:_MAX_MESSAGE]
