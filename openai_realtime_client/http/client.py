"""Requests from typed arguments, typed results from responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import SecretStr
from typing_extensions import Self

from openai_realtime_client.core.credentials import Headers
from openai_realtime_client.core.errors import (
    InvalidModelError,
    InvalidResponseError,
    error_for,
)
from openai_realtime_client.http.body import Body, Scalar, Values, as_pairs
from openai_realtime_client.http.configuration import Configuration
from openai_realtime_client.http.response import ApiResponse
from openai_realtime_client.http.rest import RawResponse, Transport
from openai_realtime_client.version import __version__

T = TypeVar("T")

_USER_AGENT = f"openai-realtime-openapi/{__version__}"


class ApiClient:
    """The configuration and the pool of connections that API classes share.

    A context manager: leaving it closes the connections.
    """

    # A package with another server has its own.
    _settings: type[Configuration] = Configuration

    def __init__(self, configuration: Configuration | None = None) -> None:
        self.configuration = configuration or self._settings()
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
        path_parameters: Mapping[str, Scalar] | None = None,
        query: Values | None = None,
        header_parameters: Values | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        parts: Sequence[tuple[str, str, Any]] = (),
        raw_type: str | None = None,
        form: Values | None = None,
        key: tuple[str, str] | None = None,
        accept: str = "application/json",
        timeout: float | None = None,
    ) -> ApiResponse[T]:
        """Send one request, and `decode` the body of the response.

        A parameter that is `None` is left out, and a list is sent once for each item.

        Args:
            method: The HTTP method.
            path: The path after the host, with its parameters in braces.
            decode: Makes the result from a success's body; a `ValueError` means it does not fit.
            path_parameters: The value of each parameter of `path`.
            query: The parameters of the query.
            header_parameters: Headers that are parameters of the operation.
            headers: Added for this call, in place of those of the same name.
            body: Sent as JSON, or text and bytes as they are.
            content_type: The media type of `body`.
            parts: A form, each part with name, media type and value.
            raw_type: The media type with which a part that is the only one is sent bare.
            form: A form to send as `application/x-www-form-urlencoded`.
            key: `header` or `query`, and the name under which the key goes there.
            accept: The header; no response is refused for its media type.
            timeout: Seconds that the call may take, by default the configuration's.

        Raises:
            ApiError: The call failed.
            ConnectionSettingsError: The settings or headers make no safe request. None was sent.
            ValueError: An argument cannot be sent.
        """
        query_pairs = as_pairs(query or {})
        defaults = {"Accept": accept, "User-Agent": _USER_AGENT}
        if parts:
            content, media_type = Body.of_parts(parts, raw_type)
        elif form:
            content, media_type = Body.of_form(form)
        else:
            content, media_type = Body.of(body, content_type)
        if media_type:
            defaults["Content-Type"] = media_type
        # Headers of the call win over its parameters.
        call_headers = Headers(dict(as_pairs(header_parameters or {}))).merge(Headers(headers))
        sent = self.configuration.authorize(defaults, call_headers, query_pairs, key)
        url = self.configuration.base.join(path, dict(as_pairs(path_parameters or {})), query_pairs)
        response = self._transport.request(method, SecretStr(url), sent, content, timeout)
        # Redirects are errors, too: a key must not follow them to another server.
        if not 200 <= response.status < 300:
            raise error_for(**_error_fields(response, sent))
        if response.is_cut:
            problem = (
                f"the response has more than {self.configuration.max_size:,} bytes: "
                "raise `Configuration(max_size=…)`"
            )
        else:
            try:
                data = decode(response.data)
                return ApiResponse(response.status, response.headers, data, response.data)
            except InvalidModelError as error:
                problem = str(error)
            except ValueError as error:
                problem = f"the response cannot be decoded ({type(error).__name__})"
        raise InvalidResponseError(problem, **_error_fields(response, sent))


def _error_fields(response: RawResponse, sent: Headers) -> dict[str, Any]:
    """Return what an error shows of a response, without the credentials that it repeats."""
    headers, body = sent.conceal_response(response.headers.items(), response.data)
    reason = sent.conceal(response.reason)
    return {"status": response.status, "reason": reason, "headers": headers, "body": body}
