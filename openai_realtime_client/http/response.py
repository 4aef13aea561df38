"""An answer with what came around it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from openai_realtime_client.core.errors import InvalidModelError, InvalidResponseError
from openai_realtime_client.core.union import Lossless

T = TypeVar("T")


@dataclass(frozen=True)
class ApiResponse(Generic[T]):
    """The answer to a successful call: parsed in `data`, as it came in `raw_data`.

    The names of `headers` are in lower case.
    """

    status_code: int
    headers: Mapping[str, str]
    data: T
    raw_data: bytes

    @property
    def location_id(self) -> str | None:
        """The last part of the path in `Location`: the id of what the call created."""
        path = self.headers.get("location", "").partition("?")[0]
        return path.rstrip("/").rpartition("/")[2] or None


@dataclass(frozen=True)
class Created(Generic[T]):
    """What a call created: the answer's body in `data`, and the `id` of the new object.

    `location_id` is the id, or `None` where the answer has none.
    """

    data: T
    location_id: str | None

    @property
    def id(self) -> str:
        """The id of the new object, to use in other calls.

        Raises:
            InvalidResponseError: The answer has none in its header `Location`.
        """
        if self.location_id is None:
            raise InvalidResponseError("the answer has no id in its header `Location`")
        return self.location_id


def decoder(kind: Any) -> Callable[[bytes], Any]:
    """Make the function that parses answers that are a list or a map."""
    answer: Any = Annotated[kind, Lossless()]
    adapter = TypeAdapter[Any](answer)

    def decode(data: bytes) -> Any:
        try:
            return adapter.validate_json(data)
        except ValidationError as error:
            raise InvalidModelError.of("answer", error, data) from None

    return decode
