"""Text from the wire to typed events, without I/O."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar, Union, get_args

from pydantic import TypeAdapter, ValidationError

from openai_realtime_client.core.errors import InvalidEventError
from openai_realtime_client.core.model import UnknownModel

__all__ = ["EventParser", "UnknownEvent"]

Event = TypeVar("Event")


class UnknownEvent(UnknownModel):
    """An event whose `type` the schema does not know. Its other fields are attributes, too."""

    type: str


class EventParser(Generic[Event]):
    """Parses the events of one union, such as `RealtimeServerEvent`."""

    def __init__(self, union: Any) -> None:
        self._union = union

    @cached_property
    def _adapter(self) -> TypeAdapter[Event]:
        # Without its unknown member, the union is one table from `type` to class.
        members, discriminator = get_args(self._union)
        known = tuple(member for member in get_args(members) if member is not UnknownEvent)
        union: Any = Annotated[Union[known], discriminator]  # noqa: UP007
        return TypeAdapter(union)

    def parse(self, data: str | bytes) -> Event | UnknownEvent:
        """The event in `data`, one JSON object; an unknown `type` gives an `UnknownEvent`.

        Raises `InvalidEventError` where there is no such object, or a field does not fit.
        """
        try:
            return self._adapter.validate_json(data)
        except ValidationError as error:
            if error.errors()[0]["type"] != "union_tag_invalid":
                raise InvalidEventError.of("event", error, data) from None
        return _parse_unknown(data)


def _parse_unknown(data: str | bytes) -> UnknownEvent:
    try:
        event = UnknownEvent.model_validate_json(data)
    except ValidationError as error:
        raise InvalidEventError.of("event", error, data) from None
    if vars(event)["type"] is None:
        raise InvalidEventError("event", [("type", "Input should be a valid string")])
    return event
