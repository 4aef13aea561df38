from __future__ import annotations

import json
import socket
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
import urllib3

from http_server import Answer, HttpServer, Request, json_answer
from openai_realtime_client import (
    ApiClient,
    ApiConnectionError,
    ApiError,
    BadRequestError,
    Configuration,
    ConflictError,
    ForbiddenError,
    InvalidResponseError,
    NotFoundError,
    RateLimitError,
    RealtimeApi,
    RealtimeModel,
    RealtimeSessionCreateRequest,
    RealtimeSessionCreateResponse,
    RealtimeTranscriptionSessionCreateRequest,
    RealtimeTranscriptionSessionCreateResponse,
    ServiceError,
    UnauthorizedError,
    UnprocessableEntityError,
)

KEY = "sk-test-0123456789abcdefghij"
SESSION = {"client_secret": {"value": "ek_abc123", "expires_at": 1735689600}}
ERROR = {"type": "some_type", "code": "some_code", "message": "Some message.", "param": None}


class Operation(NamedTuple):
    name: str
    path: str
    request: type[RealtimeModel]
    answer: type[Any]


OPERATIONS = [
    Operation(
        "create_realtime_session",
        "/realtime/sessions",
        RealtimeSessionCreateRequest,
        RealtimeSessionCreateResponse,
    ),
    Operation(
        "create_realtime_transcription_session",
        "/realtime/transcription_sessions",
        RealtimeTranscriptionSessionCreateRequest,
        RealtimeTranscriptionSessionCreateResponse,
    ),
]
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.name)


@pytest.fixture
def api(server: HttpServer) -> Iterator[RealtimeApi]:
    with ApiClient(Configuration(host=server.url, access_token=KEY)) as client:
        yield RealtimeApi(client)


def exchange(server: HttpServer, configuration: Configuration) -> Request:
    """The request that a call with `configuration` gives."""
    server.answers.append(json_answer(SESSION))
    with ApiClient(configuration) as client:
        RealtimeApi(client).create_realtime_session({})
    return server.requests[-1]


def failure(api: RealtimeApi, kind: type[ApiError] = ApiError, **kwargs: Any) -> ApiError:
    """What a call raises, which must be exactly a `kind`."""
    with pytest.raises(ApiError) as caught:
        api.create_realtime_session({}, **kwargs)
    assert caught.type is kind
    return caught.value


def shown(error: BaseException) -> str:
    """Everything of an exception that gets into logs."""
    return "".join([str(error), repr(error), repr(error.args), *traceback.format_exception(error)])


# Requests


@each_operation
@pytest.mark.parametrize("suffix", ["", "_with_http_info"])
def test_each_operation_posts_to_its_path(
    api: RealtimeApi, server: HttpServer, operation: Operation, suffix: str
) -> None:
    server.answers.append(json_answer(SESSION))
    getattr(api, operation.name + suffix)(operation.request(), headers={"X-Call": "1"}, timeout=5)
    [request] = server.requests
    assert (request.method, request.path) == ("POST", operation.path)
    assert request.headers.get_all("Authorization") == [f"Bearer {KEY}"]
    assert request.headers.get_all("Content-Type") == ["application/json"]
    assert request.headers.get_all("Accept") == ["application/json"]
    assert request.headers["User-Agent"].startswith("openai-realtime-openapi/")
    assert request.headers["X-Call"] == "1"


@each_operation
@pytest.mark.parametrize("make", [dict, MappingProxyType, None], ids=["dict", "mapping", "model"])
def test_the_body_holds_what_is_set_and_only_that(
    api: RealtimeApi,
    server: HttpServer,
    operation: Operation,
    make: Callable[[Mapping[str, Any]], Any] | None,
) -> None:
    fields = {"turn_detection": None, "modalities": ["text"], "x_new": "é"}
    server.answers.append(json_answer(SESSION))
    getattr(api, operation.name)(make(fields) if make else operation.request(**fields))
    assert server.requests[0].json() == fields


@each_operation
def test_a_model_with_nothing_set_is_an_empty_object(
    api: RealtimeApi, server: HttpServer, operation: Operation
) -> None:
    server.answers.append(json_answer(SESSION))
    getattr(api, operation.name)(operation.request())
    assert server.requests[0].body == b"{}"


@pytest.mark.parametrize("name", ["Authorization", "authorization", "USER-AGENT", "accept"])
@pytest.mark.parametrize("place", ["configuration", "call"])
def test_a_given_header_replaces_the_default_in_any_case(
    server: HttpServer, name: str, place: str
) -> None:
    server.answers.append(json_answer(SESSION))
    headers = {name: "mine"}
    always = headers if place == "configuration" else {}
    with ApiClient(Configuration(server.url, KEY, headers=always)) as client:
        once = headers if place == "call" else None
        RealtimeApi(client).create_realtime_session({}, headers=once)
    assert server.requests[0].headers.get_all(name) == ["mine"]


def test_headers_of_a_call_win_and_are_sent_once_only(server: HttpServer) -> None:
    server.answers += [json_answer(SESSION)] * 2
    always = {"X-A": "always", "X-B": "always"}
    with ApiClient(Configuration(server.url, KEY, headers=always)) as client:
        RealtimeApi(client).create_realtime_session({}, headers={"X-B": "once"})
        RealtimeApi(client).create_realtime_session({})
    sent = [(request.headers["X-A"], request.headers["X-B"]) for request in server.requests]
    assert sent == [("always", "once"), ("always", "always")]


# Configuration


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/", "/a/v1//"])
def test_a_slash_at_the_end_of_the_host_is_one_slash(server: HttpServer, end: str) -> None:
    request = exchange(server, Configuration(server.url + end, KEY))
    assert request.path == end.rstrip("/") + "/realtime/sessions"


def test_host_and_key_come_from_the_environment(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url + "/env/")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    request = exchange(server, Configuration())
    assert request.path == "/env/realtime/sessions"
    assert request.headers["Authorization"] == "Bearer sk-env"


def test_arguments_win_over_the_environment(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url + "/env")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    request = exchange(server, Configuration(server.url + "/mine", KEY))
    assert request.path == "/mine/realtime/sessions"
    assert request.headers["Authorization"] == f"Bearer {KEY}"


def test_an_api_without_a_client_takes_one_from_the_environment(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    server.answers.append(json_answer(SESSION))
    api = RealtimeApi()
    with api.api_client:
        api.create_realtime_session({})
    assert len(server.requests) == 1


def test_without_a_key_none_is_sent(server: HttpServer) -> None:
    assert exchange(server, Configuration(server.url)).headers["Authorization"] is None


def test_without_an_environment_the_host_is_the_documented_one() -> None:
    assert Configuration().host == "https://api.openai.com/v1"


def test_a_function_gives_the_key_of_each_request(server: HttpServer) -> None:
    server.answers += [json_answer(SESSION)] * 2
    keys = iter(["sk-first", "sk-second"])
    with ApiClient(Configuration(server.url, lambda: next(keys))) as client:
        RealtimeApi(client).create_realtime_session({})
        RealtimeApi(client).create_realtime_session({})
    sent = [request.headers["Authorization"] for request in server.requests]
    assert sent == ["Bearer sk-first", "Bearer sk-second"]


# Answers


@each_operation
def test_the_answer_is_typed_and_keeps_what_is_unknown(
    api: RealtimeApi, server: HttpServer, operation: Operation
) -> None:
    sent = {**SESSION, "modalities": ["text", "smell"], "turn_detection": None, "x_new": [1, {}]}
    server.answers.append(json_answer(sent))
    answer = getattr(api, operation.name)({})
    assert type(answer) is operation.answer
    assert answer.client_secret.value == "ek_abc123"
    assert [mode.is_known for mode in answer.modalities] == [True, False]
    assert answer.x_new == [1, {}]
    assert answer.to_dict() == sent


@each_operation
@pytest.mark.parametrize("status", [200, 201])
def test_with_http_info_also_gives_what_came_around_the_answer(
    api: RealtimeApi, server: HttpServer, operation: Operation, status: int
) -> None:
    server.answers.append(json_answer(SESSION, status, headers={"X-Request-Id": "req_1"}))
    response = getattr(api, operation.name + "_with_http_info")({})
    assert type(response.data) is operation.answer
    assert response.status_code == status
    assert json.loads(response.raw_data) == SESSION
    # As in ApiError: a proxy may change the case of names.
    assert response.headers["x-request-id"] == "req_1"


# Failures


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, ApiError),
        (307, ApiError),
        (400, BadRequestError),
        (401, UnauthorizedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ConflictError),
        (418, ApiError),
        (422, UnprocessableEntityError),
        (429, RateLimitError),
        (500, ServiceError),
        (503, ServiceError),
    ],
)
def test_each_status_has_its_exception(
    api: RealtimeApi, server: HttpServer, status: int, kind: type[ApiError]
) -> None:
    headers = {"X-REQUEST-ID": "req_1", "Retry-After": "2", "Location": f"{server.url}/other"}
    answer = json_answer({"error": ERROR}, status, headers=headers, reason="Some Reason")
    server.answers += [answer, json_answer(SESSION)]
    error = failure(api, kind)
    assert (error.status, error.reason) == (status, "Some Reason")
    assert error.error == ERROR
    assert (error.request_id, error.retry_after) == ("req_1", 2.0)
    assert error.body == answer.body
    assert str(error) == f"{status} Some Reason: some_code: Some message."
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("17", 17),
        ("1.5", 1.5),
        ("-3", 0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("9" * 400, None),
        ("Wed, 99 Foo 2099 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_none(
    api: RealtimeApi, server: HttpServer, value: str, seconds: float | None
) -> None:
    server.answers.append(Answer(429, headers={"Retry-After": value}))
    assert failure(api, RateLimitError).retry_after == seconds


# RFC 9110 wants recipients to read all three.
@pytest.mark.parametrize(
    "written",
    [
        lambda date: format_datetime(date, usegmt=True),
        lambda date: date.strftime("%A, %d-%b-%y %H:%M:%S GMT"),
        datetime.ctime,
    ],
    ids=["imf-fixdate", "rfc850", "asctime"],
)
def test_retry_after_reads_http_dates(
    api: RealtimeApi, server: HttpServer, written: Callable[[datetime], str]
) -> None:
    date = datetime.now(timezone.utc) + timedelta(seconds=90)
    server.answers.append(Answer(429, headers={"Retry-After": written(date)}))
    seconds = failure(api, RateLimitError).retry_after
    assert seconds is not None
    assert 60 < seconds <= 90


def test_an_unknown_zone_in_retry_after_gives_no_warning(
    api: RealtimeApi, server: HttpServer
) -> None:
    server.answers.append(Answer(429, headers={"Retry-After": "Sun, 06 Nov 1994 08:49:37 XYZ"}))
    assert failure(api, RateLimitError).retry_after in (None, 0)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", {}),
        (b"<html>Bad gateway</html>", {}),
        (b'"overloaded"', {}),
        (b'["overloaded"]', {}),
        (b'{"message": "no error object"}', {}),
        (b'{"error": null}', {}),
        (b'{"error": "overloaded"}', {"message": "overloaded"}),
        (b"\xff\xfe{", {}),
        (b"[" * 100_000, {}),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_an_unusual_error_body_does_not_hide_the_status(
    api: RealtimeApi, server: HttpServer, body: bytes, expected: dict[str, str]
) -> None:
    server.answers.append(Answer(503, body, {"X-Request-Id": "req_1"}, "Overloaded"))
    error = failure(api, ServiceError)
    assert (error.status, error.request_id, error.retry_after) == (503, "req_1", None)
    assert error.error == expected
    assert error.body == body
    assert str(error) == ": ".join(["503 Overloaded", *expected.values()])


def test_a_long_error_message_is_cut(api: RealtimeApi, server: HttpServer) -> None:
    server.answers.append(json_answer({"error": {"message": "x" * 100_000}}, 400))
    assert len(str(failure(api, BadRequestError))) <= 500


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"<html></html>",
        b"[]",
        b"null",
        b"{}",
        b'{"client_secret": {"value": "ek_abc123", "expires_at": "soon"}}',
        b'{"client_secret": "ek_abc123"}',
        b"\xff\xfe{",
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body)[:30],
)
def test_a_success_that_does_not_fit_is_invalid(
    api: RealtimeApi, server: HttpServer, body: bytes
) -> None:
    headers = {"X-Request-Id": "req_1", "Retry-After": "1"}
    server.answers.append(Answer(200, body, headers))
    error = failure(api, InvalidResponseError)
    assert (error.status, error.reason, error.body) == (200, "OK", body)
    assert (error.error, error.request_id, error.retry_after) == ({}, "req_1", 1.0)
    assert "RealtimeSessionCreateResponse" in str(error)
    assert "ek_abc123" not in shown(error)


@pytest.mark.parametrize("status", [200, 500])
def test_a_cut_connection_is_an_error(api: RealtimeApi, server: HttpServer, status: int) -> None:
    server.answers += [json_answer(SESSION, status, fault="cut"), json_answer(SESSION)]
    assert_no_answer(failure(api, ApiConnectionError))
    # A second POST could make a second session.
    assert len(server.requests) == 1


def test_a_connection_closed_without_an_answer(api: RealtimeApi, server: HttpServer) -> None:
    server.answers += [Answer(fault="close"), json_answer(SESSION)]
    assert_no_answer(failure(api, ApiConnectionError))
    assert len(server.requests) == 1


def test_the_timeout_of_a_call(api: RealtimeApi, server: HttpServer) -> None:
    server.answers.append(Answer(fault="hold"))
    error = failure(api, ApiConnectionError, timeout=0.05)
    assert_no_answer(error)
    assert "Timeout" in str(error)


def test_the_timeout_of_the_configuration(server: HttpServer) -> None:
    server.answers.append(Answer(fault="hold"))
    with ApiClient(Configuration(server.url, KEY, timeout=0.05)) as client:
        error = failure(RealtimeApi(client), ApiConnectionError)
    assert_no_answer(error)
    assert "Timeout" in str(error)


def test_retries_are_those_of_urllib3(server: HttpServer) -> None:
    server.answers += [Answer(fault="close"), Answer(fault="cut", body=b"{}"), json_answer(SESSION)]
    retries = urllib3.Retry(2, allowed_methods=None)
    with ApiClient(Configuration(server.url, KEY, retries=retries)) as client:
        RealtimeApi(client).create_realtime_session({})
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server: HttpServer, status: int) -> None:
    answer = Answer(status, headers={"Location": f"{server.url}/other"})
    server.answers += [answer, json_answer(SESSION)]
    with ApiClient(Configuration(server.url, KEY, retries=3)) as client:
        assert failure(RealtimeApi(client)).status == status
    assert len(server.requests) == 1


def test_no_server() -> None:
    # Bound but not listening: nobody else can take the port meanwhile.
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with ApiClient(Configuration(host, KEY)) as client:
            assert_no_answer(failure(RealtimeApi(client), ApiConnectionError))


def test_a_client_works_after_a_failure(api: RealtimeApi, server: HttpServer) -> None:
    server.answers += [Answer(fault="close"), Answer(500), json_answer(SESSION)]
    failure(api, ApiConnectionError)
    failure(api, ServiceError)
    assert api.create_realtime_session({}).client_secret.value == "ek_abc123"


def assert_no_answer(error: ApiError) -> None:
    assert (error.status, error.reason, error.headers, error.body) == (None, "", {}, b"")
    assert (error.error, error.request_id, error.retry_after) == ({}, None, None)
    assert KEY not in shown(error)
