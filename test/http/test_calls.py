"""A call: its settings, its request, its answer and its failures, which no operation changes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import HTTP
from email.utils import format_datetime
from types import MappingProxyType
from typing import Any

import pytest
import urllib3

from exposure import KEY
from http_calls import SESSION, assert_no_answer, error_of, exchange, failure
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
    ServiceError,
    UnauthorizedError,
    UnprocessableEntityError,
    deviations,
    ga,
)
from openai_realtime_client.http import rest
from openai_realtime_client.http.response import Created
from openai_realtime_client.v1 import RealtimeApi, RealtimeSessionCreateRequest

# Text that no layer may normalize: CRLF, white space at the ends, UTF-8, what looks like a form.
OFFER = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=é \r\n\r\n--x\r\na=offer\r\n"
SESSION_SETTINGS = {"type": "realtime", "id": "sess_1", "object": "realtime.session"}
ERROR = {"type": "some_type", "code": "some_code", "message": "Some message.", "param": None}


# Settings


def test_host_and_key_come_from_the_environment_unless_they_are_given(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Configuration().host == "https://api.openai.com/v1"
    assert exchange(server, Configuration(server.url)).headers["Authorization"] is None
    monkeypatch.setenv("OPENAI_BASE_URL", server.url + "/env/?a=1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    own = Configuration(server.url + "/mine", KEY)
    keys = iter(["first", "second"])
    rotating = Configuration(server.url, lambda: next(keys))
    cases = [(Configuration(), "/env/realtime/sessions?a=1", "sk-env")]
    cases += [(own, "/mine/realtime/sessions", KEY)]
    cases += [(rotating, "/realtime/sessions", key) for key in ("first", "second")]
    for configuration, path, key in cases:
        request = exchange(server, configuration)
        assert (request.path, request.headers["Authorization"]) == (path, f"Bearer {key}")
    # A user in the URL takes the place of a key.
    request = exchange(server, Configuration(server.url.replace("//", "//me:p%40ss@")))
    assert request.headers.get_all("Authorization") == ["Basic bWU6cEBzcw=="]
    server.answers.append(json_answer(SESSION))
    api = RealtimeApi()
    with api.api_client:
        api.create_realtime_session({})


def test_organization_and_project_of_the_environment_are_sent(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    for headers, project in (({}, "proj-1"), ({"openai-project": "proj-2"}, "proj-2")):
        sent = exchange(server, Configuration(server.url, KEY, headers=headers)).headers
        assert (sent["OpenAI-Organization"], sent["OpenAI-Project"]) == ("org-1", project)


def test_headers_of_a_call_win_over_those_of_the_client(server: HttpServer) -> None:
    always = {"authorization": "always", "USER-AGENT": "always", "X-A": "always"}
    configuration = Configuration(server.url, KEY, headers=always)
    for once in ({"x-a": "once", "accept": "once"}, {}):
        request = exchange(server, configuration, headers=once)
        for name in ("Authorization", "User-Agent"):
            assert request.headers.get_all(name) == ["always"]
        assert request.headers.get_all("X-A") == ["once" if once else "always"]
        assert request.headers.get_all("Accept") == ["once" if once else "application/json"]
    request = exchange(server, Configuration(server.url, KEY, headers={"API-Key": "mine"}))
    assert (request.headers["Authorization"], request.headers["api-key"]) == (None, "mine")


# Requests


FIELDS = {"turn_detection": None, "modalities": ["text"], "x_new": "é"}


def test_body_holds_what_is_set_and_only_that(api: RealtimeApi, server: HttpServer) -> None:
    model = RealtimeSessionCreateRequest
    bodies = [FIELDS, MappingProxyType(FIELDS), model(**FIELDS), model()]
    for body, sent in zip(bodies, [FIELDS, FIELDS, FIELDS, {}], strict=True):
        server.answers.append(json_answer(SESSION))
        api.create_realtime_session(body)
        assert server.requests[-1].json() == sent


@pytest.mark.parametrize("of", [RealtimeSessionCreateRequest.model_construct, dict])
def test_body_that_cannot_be_json_is_refused_with_the_path(
    api: RealtimeApi, server: HttpServer, of: Callable[..., Any]
) -> None:
    body = of(speed=float("nan"))
    form = [("sdp", "application/sdp", "v=0"), ("session", "application/json", body)]
    for request in ({"body": body}, {"parts": form}):
        with pytest.raises(ValueError, match=r"^speed: NaN is not JSON$"):
            api.api_client.call("POST", "/x", bytes, **request)
    assert server.requests == []


def test_parameter_is_one_part_of_the_path(calls: ga.RealtimeApi, server: HttpServer) -> None:
    server.answers.append(Answer())
    calls.hangup_realtime_call("../a?b=1#c d+%2f\r\né")
    assert server.requests[0].path == (
        "/realtime/calls/..%2Fa%3Fb%3D1%23c%20d%2B%252f%0D%0A%C3%A9/hangup"
    )
    # The server or a proxy would take these for other paths, however they are quoted.
    for call_id in ("", ".", ".."):
        with pytest.raises(ValueError, match="call_id"):
            calls.hangup_realtime_call(call_id)
    assert len(server.requests) == 1


def test_optional_body_is_left_out_or_an_object(calls: ga.RealtimeApi, server: HttpServer) -> None:
    server.answers += [Answer(), Answer()]
    calls.reject_realtime_call("rtc_1")
    calls.reject_realtime_call("rtc_1", ga.RealtimeCallRejectRequest())
    names = ("Content-Type", "Transfer-Encoding", "Content-Length")
    sent = [[request.headers[name] for name in names] for request in server.requests]
    assert sent == [[None, None, "0"], ["application/json", None, "2"]]
    assert [request.body for request in server.requests] == [b"", b"{}"]


def test_offer_is_sent_bare_and_with_a_session_as_a_form(
    calls: ga.RealtimeApi, server: HttpServer
) -> None:
    server.answers += [Answer(201), Answer(201)]
    calls.create_realtime_call(OFFER)
    [request] = server.requests
    assert request.headers.get_all("Content-Type") == ["application/sdp"]
    assert request.body == OFFER.encode()
    fields = {"type": "realtime", "model": "m", "tracing": None, "x_new": [1]}
    calls.create_realtime_call(OFFER, ga.RealtimeSessionCreateRequestGA.from_dict(fields))
    parts = form(server.requests[-1])
    # A part with a file name would be an upload.
    assert [(str(p["Content-Disposition"]), str(p["Content-Type"])) for p in parts] == [
        ('form-data; name="sdp"', "application/sdp"),
        ('form-data; name="session"', "application/json"),
    ]
    assert parts[0].get_payload(decode=True) == OFFER.encode()
    assert json.loads(parts[1].get_content()) == fields


def form(request: Request) -> list[EmailMessage]:
    """The parts of a form, by a parser that is not the client's."""
    [kind] = request.headers.get_all("Content-Type", [])
    header = f"Content-Type: {kind}\r\n\r\n".encode()
    message = message_from_bytes(header + request.body, EmailMessage, policy=HTTP)
    assert message.get_content_type() == "multipart/form-data"
    assert not message.defects
    return list(message.iter_parts())


# Answers


@pytest.mark.parametrize(
    ("location", "call_id"),
    [
        ("rtc_1", "rtc_1"),
        # The id is the last part of the path alone.
        ("https://api.openai.com/v1/realtime/calls/rtc_1/?api-version=1", "rtc_1"),
        ("/", None),
        (None, None),
    ],
    ids=["id", "url", "root", "none"],
)
def test_call_has_the_answer_and_the_id_of_location(
    calls: ga.RealtimeApi, server: HttpServer, location: str | None, call_id: str | None
) -> None:
    headers = {} if location is None else {"LOCATION": location, "Content-Type": "text/plain"}
    server.answers += [Answer(201, OFFER.encode(), headers)] * 2
    created = calls.create_realtime_call(OFFER)
    assert created == Created(OFFER, call_id)
    if call_id:
        assert created.id == call_id
    else:
        with pytest.raises(InvalidResponseError, match="no id in its header `Location`"):
            _ = created.id
    assert calls.create_realtime_call_with_http_info(OFFER).location_id == call_id


# Failures


STATUSES: dict[int, type[ApiError]] = {
    302: ApiError,
    400: BadRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    418: ApiError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    500: ServiceError,
    503: ServiceError,
}


def test_each_status_has_its_exception(api: RealtimeApi, server: HttpServer) -> None:
    headers = {"X-REQUEST-ID": "req_1", "Retry-After": "2"}
    for status, kind in STATUSES.items():
        answer = json_answer({"error": ERROR}, status, headers=headers, reason="Some Reason")
        server.answers.append(answer)
        error = failure(api, kind)
        assert (error.status, error.reason, error.body) == (status, "Some Reason", answer.body)
        assert (error.error, error.request_id, error.retry_after) == (ERROR, "req_1", 2.0)
        assert str(error) == f"{status} Some Reason: some_code: Some message."


# RFC 9110 wants recipients to read all three forms of dates.
SOON = datetime.now(timezone.utc) + timedelta(hours=1)


RETRIES = {
    **{"1.5": 1.5, "-3": 0, "Sun, 06 Nov 1994 08:49:37 GMT": 0},
    **dict.fromkeys(("", "soon", "nan", "9" * 400, "Wed, 99 Foo 2099 07:28:00 GMT")),
    **dict.fromkeys((format_datetime(SOON, usegmt=True), datetime.ctime(SOON)), 3600),
    SOON.strftime("%A, %d-%b-%y %H:%M:%S GMT"): 3600,
}


def test_retry_after_is_seconds_or_none() -> None:
    for value, expected in RETRIES.items():
        found = RateLimitError("429", headers={"Retry-After": value}).retry_after
        assert found == (expected and pytest.approx(expected, abs=600))
    headers = {"retry-after-ms": "250", "Retry-After": "1"}
    assert RateLimitError("429", headers=headers).retry_after == 0.25
    assert RateLimitError("429", headers={"Retry-After-Ms": "x"}).retry_after is None


ERROR_BODIES: list[tuple[bytes, dict[str, str]]] = [
    (b"", {}),
    (b"<html>Bad gateway</html>", {}),
    (b'["overloaded"]', {}),
    (b'{"message": "no error object"}', {"message": "no error object"}),
    (b'{"detail": [{"loc": ["body"]}]}', {}),
    (b'{"detail": [{"loc": ["body", 0], "msg": "No."}]}', {"message": "body[0]: No."}),
    (b'{"error": null}', {}),
    (b'{"error": "overloaded"}', {"message": "overloaded"}),
    (b"\xff\xfe{", {}),
    (b"[" * 100_000, {}),
]


def test_unusual_error_body_does_not_hide_the_status(api: RealtimeApi, server: HttpServer) -> None:
    for body, expected in ERROR_BODIES:
        server.answers.append(Answer(503, body, {"X-Request-Id": "req_1"}, "Overloaded"))
        error = failure(api, ServiceError)
        assert (error.status, error.request_id, error.retry_after) == (503, "req_1", None)
        assert (error.error, error.body) == (expected, body)
        assert str(error) == ": ".join(["503 Overloaded", *expected.values()])


NOT_SESSIONS = [
    b"",
    b"[]",
    b"null",
    b"{}",
    b'{"client_secret": "ek_abc123"}',
    b'{"client_secret": {"expires_at": 1}}',
    b'{"client_secret": {"value": null, "expires_at": 1}}',
    b'{"client_secret": {"value": 5, "expires_at": 1}}',
    b"\xff\xfe{",
    b"[" * 100_000,
]


def test_success_that_does_not_fit_is_invalid(api: RealtimeApi, server: HttpServer) -> None:
    for body in NOT_SESSIONS:
        server.answers.append(Answer(200, body, {"X-Request-Id": "req_1", "Retry-After": "1"}))
        error = failure(api, InvalidResponseError)
        assert (error.status, error.reason, error.body) == (200, "OK", body)
        assert (error.error, error.request_id, error.retry_after) == ({}, "req_1", 1.0)
        assert "RealtimeSessionCreateResponse" in str(error)
        assert "ek_abc123" not in f"{error} {error!r}"


SECRET = {"value": "ek_abc123", "expires_at": 1790000000}
SECRETS: list[tuple[dict[str, Any], str, str]] = [
    (SECRET, "session", "missing field"),
    ({**SECRET, "session": None}, "session", "wrong type"),
    ({**SECRET, "session": "m"}, "session", "wrong type"),
    (
        {**SECRET, "session": {**SESSION_SETTINGS, "output_modalities": "audio"}},
        "session.output_modalities",
        "wrong type",
    ),
    ({"value": "ek_abc123", "session": SESSION_SETTINGS}, "expires_at", "missing field"),
    ({**SECRET, "expires_at": "a", "session": SESSION_SETTINGS}, "expires_at", "wrong type"),
]


def test_client_secret_that_does_not_fit_has_its_value(
    calls: ga.RealtimeApi, server: HttpServer
) -> None:
    for answer, path, kind in SECRETS:
        server.answers.append(json_answer(answer))
        secret = calls.create_realtime_client_secret({})
        assert (secret.value, secret.to_dict()) == ("ek_abc123", answer)
        assert [(found.path, found.kind) for found in deviations(secret)] == [(path, kind)]


def test_an_answer_to_an_offer_that_is_not_utf_8_is_invalid(
    calls: ga.RealtimeApi, server: HttpServer
) -> None:
    server.answers.append(Answer(201, b"v=0\r\ns=\xe9"))
    error = error_of(calls.create_realtime_call, InvalidResponseError, OFFER)
    assert (error.status, error.body) == (201, b"v=0\r\ns=\xe9")


@pytest.mark.parametrize("fault", ["cut", "close", "hold"])
def test_without_a_whole_answer_there_is_none(server: HttpServer, fault: Any) -> None:
    headers = {"X-Request-Id": "req_1", "Retry-After": "1"}
    answer = json_answer(SESSION, headers=headers, fault=fault)
    server.answers += [answer, answer, json_answer(SESSION)]
    short = 0.1 if fault == "hold" else 15.0
    with ApiClient(Configuration(server.url, KEY, timeout=short)) as client:
        of_configuration = failure(RealtimeApi(client), ApiConnectionError)
    with ApiClient(Configuration(server.url, KEY)) as client:
        of_call = failure(RealtimeApi(client), ApiConnectionError, timeout=short)
        while len(server.requests) < 2:
            time.sleep(0.01)
        # A second POST could make a second session.
        assert len(server.requests) == 2
        RealtimeApi(client).create_realtime_session({})  # The client goes on.
    for error in (of_configuration, of_call):
        assert_no_answer(error)
        assert ("timed out" in str(error)) == (fault == "hold")


def test_retries_are_those_of_urllib3(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    slept, waits = [], list[float]()
    monkeypatch.setattr(urllib3.Retry, "sleep", lambda retry: slept.append(retry.total))
    monkeypatch.setattr(rest, "sleep", waits.append)
    retries = urllib3.Retry(2, allowed_methods=None, status_forcelist=[429, 503])
    configuration = Configuration(server.url, KEY, retries=retries)
    server.answers += [Answer(fault="close"), Answer(fault="cut", body=b"{}")]
    exchange(server, configuration)
    assert slept == [1, 0]
    for value in ("0", "soon"):
        header = {"Retry-After": value}
        server.answers += [Answer(429, headers=header), Answer(503)]
        exchange(server, configuration)
    server.answers += [Answer(503)] * 3
    failure(configuration, ServiceError)
    # Only a header says how long to wait, also that there is no need to.
    assert (waits, slept) == ([0.0], [1, 0, 0, 1, 0, 1, 0])
    # The call has no time for this.
    server.answers += [Answer(503, headers={"Retry-After": "99"})]
    failure(configuration, ServiceError)
    assert len(server.requests) == 3 + 2 * 3 + 3 + 1


def test_redirect_is_not_followed(server: HttpServer) -> None:
    for status, retries in ((301, False), (303, 3), (308, urllib3.Retry(3))):
        answer = Answer(status, headers={"Location": f"{server.url}/other?key={KEY}"})
        server.answers.append(answer)
        error = failure(Configuration(server.url, KEY, retries=retries))
        assert error.status == status
        assert str(error).endswith(f", location: {server.url}/other")
    assert len(server.requests) == 3


def test_leaving_a_client_closes_its_connection(server: HttpServer) -> None:
    with ApiClient(Configuration(server.url, KEY)) as client:
        server.answers.append(Answer())
        ga.RealtimeApi(client).hangup_realtime_call("c")
        pool: Any = client._transport._pool
        assert len(pool.pools) == 1
    assert len(pool.pools) == 0
