"""Requests from typed arguments, typed results from answers."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from typing_extensions import Self
from urllib3 import HTTPHeaderDict
from urllib3.fields import RequestField
from urllib3.filepost import encode_multipart_formdata

from openai_realtime_client.core.encoding import dumped
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.http.configuration import Configuration
from openai_realtime_client.http.errors import InvalidResponseException, exception_for
from openai_realtime_client.http.response import ApiResponse
from openai_realtime_client.http.rest import RESTClientObject, RESTResponse

T = TypeVar("T")

_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class ApiClient:
    """What the API classes share: a configuration and a pool of connections.

    A context manager: leaving it closes the connections.
    """

    def __init__(self, configuration: Configuration | None = None) -> None:
        self.configuration = configuration or Configuration()
        self._rest = RESTClientObject(self.configuration)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._rest.close()

    def call(
        self,
        method: str,
        path: str,
        decode: Callable[[bytes], T],
        *,
        path_parameters: Mapping[str, str] | None = None,
        query: Mapping[str, str | int | float | bool | None] | None = None,
        headers: Mapping[str, str] | None = None,
        body: RealtimeModel | Mapping[str, Any] | None = None,
        parts: Sequence[tuple[str, str, RealtimeModel | Mapping[str, Any] | str | None]] = (),
        raw_type: str | None = None,
        accept: str = "application/json",
        timeout: float | None = None,
    ) -> ApiResponse[T]:
        """Send one request, and `decode` the answer's body.

        `path` has its parameters in braces. The request's body is `body` as JSON, or a form of
        `parts`, each with name, media type and value. A part that is the only one is sent bare,
        with the media type `raw_type`, if that is given. `accept` is for the header, and no answer
        is refused for its media type. `timeout` is in seconds. Raises `ApiException`.
        """
        for name, text in (path_parameters or {}).items():
            # Even quoted, these would change the path: urllib3 and servers take them out of it.
            if text in ("", ".", ".."):
                raise ValueError(f"{name} cannot be {text!r}")
        parameters = {name: quote(text, safe="") for name, text in (path_parameters or {}).items()}
        url = self.configuration.host + path.format(**parameters)
        given = {name: value for name, value in (query or {}).items() if value is not None}
        if given:
            url += "?" + urlencode(given)
        content, content_type = _content(body, parts, raw_type)
        sent = self._headers(accept, content_type, headers or {})
        response = self._rest.request(method, url, sent, content, timeout)
        if not 200 <= response.status < 300:
            secret = sent.get("Authorization", "").removeprefix("Bearer ")
            raise exception_for(
                response.status, response.reason, response.headers, response.data, secret
            )
        return ApiResponse(
            response.status, response.headers, _decoded(response, decode), response.data
        )

    def _headers(
        self, accept: str, content_type: str | None, given: Mapping[str, str]
    ) -> HTTPHeaderDict:
        headers = HTTPHeaderDict({"Accept": accept, "User-Agent": "openai-realtime-client/0.1.0"})
        if content_type:
            headers["Content-Type"] = content_type
        if token := self.configuration.token():
            headers["Authorization"] = f"Bearer {token}"
        for name, value in [*self.configuration.headers.items(), *given.items()]:
            headers[name] = value
        for name, value in headers.items():
            # http.client would repeat the value, which may be the key.
            if not _HEADER_VALUE.fullmatch(value):
                raise ValueError(f"header {name} has a character that HTTP does not allow")
        return headers


def _content(
    body: RealtimeModel | Mapping[str, Any] | None,
    parts: Sequence[tuple[str, str, RealtimeModel | Mapping[str, Any] | str | None]],
    raw_type: str | None,
) -> tuple[bytes | None, str | None]:
    """A request's body and its media type."""
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
    return (value if isinstance(value, str) else dumped(value)).encode()


def _decoded(response: RESTResponse, decode: Callable[[bytes], T]) -> T:
    try:
        return decode(response.data)
    except ValueError as error:
        raise InvalidResponseException(
            str(error),
            status=response.status,
            reason=response.reason,
            headers=response.headers,
            body=response.data,
        ) from None
