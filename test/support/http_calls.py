"""One call of the HTTP client, as its tests make it, and what came of it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from exposure import assert_hidden
from http_server import HttpServer, Request, json_answer
from openai_realtime_client import ApiClient, ApiError, Configuration
from openai_realtime_client.v1 import RealtimeApi

SESSION = {"client_secret": {"value": "ek_abc123", "expires_at": 1735689600}}


def exchange(server: HttpServer, configuration: Configuration, **kwargs: Any) -> Request:
    """The request of a call that succeeds, after which nothing shows a key."""
    server.answers.append(json_answer(SESSION))
    with ApiClient(configuration) as client:
        RealtimeApi(client).create_realtime_session({}, **kwargs)
        assert_hidden(None, objects=[configuration, client])
    return server.requests[-1]


def failure(
    of: RealtimeApi | Configuration, kind: type[Exception] = ApiError, **kwargs: Any
) -> Any:
    """What a call raises, which must be exactly a `kind` and show no key."""
    if isinstance(of, Configuration):
        with ApiClient(of) as client:
            return failure(RealtimeApi(client), kind, **kwargs)
    error = error_of(functools.partial(of.create_realtime_session, {}), kind, **kwargs)
    assert_hidden(None, objects=[of])
    return error


def error_of(call: Callable[..., Any], kind: type[Exception], *args: Any, **kwargs: Any) -> Any:
    with pytest.raises(kind) as caught:
        call(*args, **kwargs)
    assert caught.type is kind
    assert_hidden(caught.value)
    return caught.value


def assert_no_answer(error: ApiError) -> None:
    assert (error.status, error.reason, error.headers, error.body) == (None, "", {}, b"")
    assert (error.error, error.request_id, error.retry_after) == ({}, None, None)
