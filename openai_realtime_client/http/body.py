"""Bodies of requests: JSON, text, bytes and forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeGuard, cast
from urllib.parse import urlencode

from urllib3.fields import RequestField
from urllib3.filepost import encode_multipart_formdata

from openai_realtime_client.core.encoding import dumped
from openai_realtime_client.core.model import RealtimeModel

__all__ = ["Body", "File", "Scalar", "Values", "as_pairs", "joined"]

Scalar: TypeAlias = str | int | float | bool
File: TypeAlias = bytes | tuple[str, bytes]
"""A file of a form: its bytes, or a pair of its name and bytes."""

Values: TypeAlias = Mapping[str, Scalar | Sequence[Scalar] | None]


class Body(NamedTuple):
    """The body of a request and its media type, `None` for no body."""

    content: bytes | None
    media_type: str | None

    @classmethod
    def of(cls, value: Any, media_type: str) -> Body:
        """Encode a value: as JSON, or text and bytes as they are for another media type."""
        if value is None:
            return cls(None, None)
        if "json" in media_type:
            return cls(_encode_json(value), media_type)
        return cls(_encode_part(value), media_type)

    @classmethod
    def of_form(cls, values: Values) -> Body:
        """Encode a form as `application/x-www-form-urlencoded`."""
        pairs = as_pairs(values)
        if not pairs:
            return cls(None, None)
        return cls(urlencode(pairs).encode(), "application/x-www-form-urlencoded")

    @classmethod
    def of_parts(cls, parts: Sequence[tuple[str, str, Any]], raw_type: str | None) -> Body:
        """Encode a form as `multipart/form-data`.

        Args:
            parts: The name, media type and value of each part. `None` leaves one out, and of a
                list each item is a part.
            raw_type: The media type of the part that is sent bare where it is the only one.
        """
        items = list[tuple[str, str, Any]]()
        for name, media_type, value in parts:
            if isinstance(value, (list, tuple)) and not _is_file(value):
                items += [(name, media_type, item) for item in cast(list[Any], value)]
            elif value is not None:
                items.append((name, media_type, value))
        if not items:
            return cls(None, None)
        # The service takes an SDP offer without settings as the whole body.
        if len(items) == 1 and items[0][1] == raw_type:
            return cls(_encode_part(items[0][2]), raw_type)
        return cls(*encode_multipart_formdata([_form_field(*item) for item in items]))


def as_pairs(values: Values) -> list[tuple[str, str]]:
    """Return the parameters that are not `None` as text, one for each item of a list."""
    pairs = list[tuple[str, str]]()
    for name, value in values.items():
        if isinstance(value, (str, int, float)):
            value = [value]
        for item in value or ():
            if item is not None:  # pyright: ignore[reportUnnecessaryComparison]
                pairs.append((name, _scalar_text(item)))
    return pairs


def joined(values: Sequence[Scalar] | None) -> str | None:
    """Return a list as one parameter, separated by commas."""
    if values is None:
        return None
    return ",".join(map(_scalar_text, values))


def _scalar_text(value: Scalar) -> str:
    # As in JSON: `true` and `false`.
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _is_file(value: Any) -> TypeGuard[tuple[str, bytes]]:
    """Return whether a value is the name and the bytes of a file."""
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], bytes)  # pyright: ignore


def _form_field(name: str, media_type: str, value: Any) -> RequestField:
    filename = None
    if _is_file(value):
        filename, value = value
    elif isinstance(value, bytes):
        filename = name  # Servers take a part for a file only if it has a file name.
    field = RequestField(name, _encode_part(value), filename)
    field.make_multipart(content_type=media_type)
    return field


def _encode_part(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, (str, int, float)):
        return _scalar_text(value).encode()
    return _encode_json(value)


def _encode_json(value: Any) -> bytes:
    if isinstance(value, RealtimeModel):
        return value.to_json().encode()
    return dumped(value)
