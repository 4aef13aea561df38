"""HTTP responses, and how their bodies become models."""

from codecs import BOM_UTF8
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from openai_realtime_client.core.errors import InvalidModelError, InvalidResponseError
from openai_realtime_client.core.events import put_back, validate_leniently
from openai_realtime_client.core.json_types import is_object, path_text
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.core.union import Lossless

T = TypeVar("T")


@dataclass(frozen=True)
class ApiResponse(Generic[T]):
    """The response to a successful call: parsed in `data`, as it came in `raw_data`.

    `headers` are found in any case.
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
    """A new object: the body of the response in `data`, and the `id` that `Location` names.

    `location_id` is the id, or `None` where the response has none.
    """

    data: T
    location_id: str | None

    @property
    def id(self) -> str:
        """The id of the new object, to use in other calls.

        Raises:
            InvalidResponseError: The response has none in its header `Location`.
        """
        if self.location_id is None:
            raise InvalidResponseError("the response has no id in its header `Location`")
        return self.location_id


def decoder(response_type: Any) -> Callable[[bytes], Any]:
    """Make the function that parses the body of a response.

    It is as lenient as the parsing of events: what does not fit the schema stays as received, and
    `deviations` lists it. Only what a response is for has to be there: the first field that the
    schema requires, such as the `value` of a client secret.
    """
    # Models are lossless by their base class, lists and maps by this.
    annotated: Any = Annotated[response_type, Lossless()]
    validator: Any = TypeAdapter[Any](annotated)
    # The name for messages.
    name = "response"
    if isinstance(response_type, type) and issubclass(response_type, RealtimeModel):
        validator, name = response_type.__pydantic_validator__, response_type.__name__

    is_optional = type(None) in get_args(response_type)

    def decode(body: bytes) -> Any:
        # A 204 has none.
        if is_optional and not body:
            return None
        # RFC 8259, section 8.1: a parser may ignore it.
        body = body.removeprefix(BOM_UTF8)
        try:
            parsed = validator.validate_json(body)
        except ValidationError as error:
            parsed = _parse_leniently(validator, body)
            if parsed is None:
                raise InvalidModelError.of(name, error, body) from None
        missing = _missing_path(parsed)
        if missing:
            raise InvalidModelError(name, [(path_text(missing), "Input should not be null")])
        return parsed

    return decode


def _parse_leniently(validator: Any, body: bytes) -> RealtimeModel | None:
    """Parse a model whose fields do not all fit. Return `None` for anything else."""
    try:
        wire = from_json(body, allow_inf_nan=False)
    except ValueError:
        return None
    if not is_object(wire):
        return None
    model, mismatches = validate_leniently(validator.validate_python, wire, in_union=False)
    # What did not fit is null until it is put back.
    if not isinstance(model, RealtimeModel) or _missing_path(model):
        return None
    put_back(model, mismatches)
    return model


def _missing_path(parsed: Any) -> list[str]:
    """Return the path of the first required field if it is null, in a model or the one in it."""
    path = list[str]()
    # A created call or secret may stand in an object of its own.
    while isinstance(parsed, RealtimeModel):
        fields = type(parsed).model_fields
        required = [name for name, field in fields.items() if field.is_required()]
        if not required or required[0] in parsed.__nullable__:
            return []
        path.append(fields[required[0]].alias or required[0])
        parsed = getattr(parsed, required[0])
    if parsed is None:
        return path
    return []
