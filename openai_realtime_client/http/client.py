"""Requests from typed arguments, typed results from responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import SecretStr
from typing_extensions import Self
from urllib3.fields import RequestField
from urllib3.filepost import encode_multipart_formdata

from openai_realtime_client.core.credentials import Headers
from openai_realtime_client.core.encoding import dumped
from openai_realtime_client.core.errors import (
    InvalidModelError,
    InvalidResponseError,
    error_for,
)
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.http.configuration import Configuration
from openai_realtime_client.http.response import ApiResponse
from openai_realtime_client.http.rest import RawResponse, Transport
from openai_realtime_client.version import __version__

T = TypeVar("T")

_USER_AGENT = f"openai-realtime-openapi/{__version__}"


class ApiClient:
    """What the API classes share: a configuration and a pool of connections.

    A context manager: leaving it closes the connections.
    """

    def __init__(self, configuration: Configuration | None = None) -> None:
        self.configuration = configuration or Configuration()
        self._transport = Transport(self.configuration)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def call(
        self,
        method: str,
        path: str,
        decode: Callable[[bytes], T],
        *,
        path_parameters: Mapping[str, str] | None = None,
        query: Mapping[str, str | int | float | bool | None] | None = None,
        header_parameters: Mapping[str, str | int | float | bool | None] | None = None,
        headers: Mapping[str, str] | None = None,
        body: RealtimeModel | Mapping[str, Any] | None = None,
        parts: Sequence[tuple[str, str, RealtimeModel | Mapping[str, Any] | str | None]] = (),
        raw_type: str | None = None,
        accept: str = "application/json",
        timeout: float | None = None,
    ) -> ApiResponse[T]:
        """Send one request, and `decode` the body of the response.

        Args:
            method: The HTTP method.
            path: The path after the host, with its parameters in braces.
            decode: Makes the result from a success's body; a `ValueError` means it does not fit.
            path_parameters: The value of each parameter of `path`.
            query: The parameters of the query; `None` leaves one out.
            header_parameters: Headers that are parameters of the operation; `None` leaves one out.
            headers: Added for this call, in place of those of the same name.
            body: Sent as JSON.
            parts: A form, each part with name, media type and value.
            raw_type: The media type with which a part that is the only one is sent bare.
            accept: The header; no response is refused for its media type.
            timeout: Seconds that the call may take, by default the configuration's.

        Raises:
            ApiError: The call failed.
            ConnectionSettingsError: The settings or headers make no safe request. None was sent.
            ValueError: An argument cannot be sent.
        """
        given = _given(query or {})
        url = SecretStr(self._url(path, path_parameters or {}, given))
        content, content_type = _content(body, parts, raw_type)
        defaults = {"Accept": accept, "User-Agent": _USER_AGENT}
        defaults.update(_given(header_parameters or {}))
        if content_type:
            defaults["Content-Type"] = content_type
        sent = self.configuration.authorize(defaults, Headers(headers), given)
        response = self._transport.request(method, url, sent, content, timeout)
        if not 200 <= response.status < 300:
            raise error_for(**_concealed(response, sent))
        if response.is_cut:
            raise InvalidResponseError(
                f"the response has more than {self.configuration.max_size:,} bytes: "
                "raise `Configuration(max_size=…)`",
                **_concealed(response, sent),
            )
        try:
            data = decode(response.data)
        except InvalidModelError as error:
            raise InvalidResponseError(str(error), **_concealed(response, sent)) from None
        except ValueError as error:
            raise InvalidResponseError(
                f"the response cannot be decoded ({type(error).__name__})",
                **_concealed(response, sent),
            ) from None
        return ApiResponse(response.status, response.headers, data, response.data)

    def _url(
        self,
        path: str,
        path_parameters: Mapping[str, str],
        query: Mapping[str, str],
    ) -> str:
        for name, text in path_parameters.items():
            # Even quoted, these change the path: urllib3 and servers take them out of it.
            if text in ("", ".", ".."):
                raise ValueError(f"{name} cannot be {text!r}")
        parameters = {name: quote(text, safe="") for name, text in path_parameters.items()}
        return self.configuration.base.join(path.format(**parameters), query)


def _given(parameters: Mapping[str, str | int | float | bool | None]) -> dict[str, str]:
    """Return the parameters that are given, as text."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in parameters.items()
        if value is not None
    }


def _concealed(response: RawResponse, sent: Headers) -> dict[str, Any]:
    """Return what an error shows of a response, without the credentials that it repeats."""
    return {
        "status": response.status,
        "reason": sent.conceal(response.reason),
        "headers": {name: sent.conceal(value) for name, value in response.headers.items()},
        "body": sent.conceal(response.data.decode("latin-1")).encode("latin-1"),
    }


def _content(
    body: RealtimeModel | Mapping[str, Any] | None,
    parts: Sequence[tuple[str, str, RealtimeModel | Mapping[str, Any] | str | None]],
    raw_type: str | None,
) -> tuple[bytes | None, str | None]:
    """Return the body of a request and its media type."""
    if body is not None:
        return _encode(body), "application/json"
    fields = [(name, kind, _encode(value)) for name, kind, value in parts if value is not None]
    if len(fields) == 1 and raw_type:
        return fields[0][2], raw_type
    if not fields:
        return None, None
    form = [RequestField(name, data) for name, _, data in fields]
    for field, (_, kind, _) in zip(form, fields, strict=True):
        field.make_multipart(content_type=kind)
    return encode_multipart_formdata(form)


def _encode(value: RealtimeModel | Mapping[str, Any] | str) -> bytes:
    if isinstance(value, RealtimeModel):
        return value.to_json().encode()
    return value.encode() if isinstance(value, str) else dumped(value)
