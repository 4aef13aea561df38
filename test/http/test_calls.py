"""A call: its settings, its request, its answer and its failures, which no operation changes."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
from openai_realtime_client.http.response import Created
from openai_realtime_client.v1 import RealtimeApi, RealtimeSessionCreateRequest

# Text that no layer may normalize: CRLF, white space at the ends, UTF-8, what looks like a form.
OFFER = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=é \r\n\r\n--x\r\na=offer\r\n"
SESSION_SETTINGS = {"type": "realtime", "id": "sess_1", "object": "realtime.session"}
ERROR = {"type": "some_type", "code": "some_code", "message": "Some message.", "param": None}


# Settings


@pytest.mark.parametrize(
    ("end", "path"),
    [
        ("/", "/realtime/sessions"),
        ("/a/v1//", "/a/v1/realtime/sessions"),
        ("/v1/?a=1&a=2&b=&c=%20", "/v1/realtime/sessions?a=1&a=2&b=&c=+"),
    ],
)
def test_the_path_is_appended_to_that_of_the_host(server: HttpServer, end: str, path: str) -> None:
    assert exchange(server, Configuration(server.url + end, KEY)).path == path


def test_host_and_key_come_from_the_environment_unless_they_are_given(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url + "/env/")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    own = Configuration(server.url + "/mine", KEY)
    for configuration, path, key in ((Configuration(), "/env", "sk-env"), (own, "/mine", KEY)):
        request = exchange(server, configuration)
        assert request.path == f"{path}/realtime/sessions"
        assert request.headers["Authorization"] == f"Bearer {key}"
    server.answers.append(json_answer(SESSION))
    api = RealtimeApi()
    with api.api_client:
        api.create_realtime_session({})
    assert len(server.requests) == 3


def test_without_an_environment_there_is_the_documented_host_and_no_key(server: HttpServer) -> None:
    assert Configuration().host == "https://api.openai.com/v1"
    assert exchange(server, Configuration(server.url)).headers["Authorization"] is None


@pytest.mark.parametrize(
    ("headers", "sent"),
    [({}, ("org-1", "proj-1")), ({"openai-project": "proj-2"}, ("org-1", "proj-2"))],
    ids=["environment", "own_header"],
)
def test_organization_and_project_of_the_environment_are_sent(
    server: HttpServer,
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
    sent: tuple[str, str],
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    request = exchange(server, Configuration(server.url, KEY, headers=headers))
    assert (request.headers["OpenAI-Organization"], request.headers["OpenAI-Project"]) == sent


def test_a_function_gives_the_key_of_each_request(server: HttpServer) -> None:
    keys = iter(["first", "second"])
    configuration = Configuration(server.url, lambda: next(keys))
    for key in ("first", "second"):
        assert exchange(server, configuration).headers["Authorization"] == f"Bearer {key}"


def test_an_api_key_header_takes_the_place_of_the_key(server: HttpServer) -> None:
    request = exchange(server, Configuration(server.url, KEY, headers={"API-Key": "mine"}))
    assert (request.headers["Authorization"], request.headers["api-key"]) == (None, "mine")


@pytest.mark.parametrize("name", ["authorization", "USER-AGENT", "accept"])
@pytest.mark.parametrize("place", ["configuration", "call"])
def test_a_given_header_replaces_the_default_in_any_case(
    server: HttpServer, name: str, place: str
) -> None:
    always, once = ({name: "mine"} if each == place else {} for each in ("configuration", "call"))
    request = exchange(server, Configuration(server.url, KEY, headers=always), headers=once)
    assert request.headers.get_all(name) == ["mine"]


def test_headers_of_a_call_win_and_are_sent_once_only(server: HttpServer) -> None:
    configuration = Configuration(server.url, KEY, headers={"X-A": "always", "X-B": "always"})
    for once, sent in (({"X-B": "once"}, "once"), (None, "always")):
        request = exchange(server, configuration, headers=once)
        assert (request.headers["X-A"], request.headers["X-B"]) == ("always", sent)


# Requests


FIELDS = {"turn_detection": None, "modalities": ["text"], "x_new": "é"}


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (FIELDS, FIELDS),
        (MappingProxyType(FIELDS), FIELDS),
        (RealtimeSessionCreateRequest(**FIELDS), FIELDS),
        (RealtimeSessionCreateRequest(), {}),
    ],
    ids=["dict", "mapping", "model", "empty"],
)
def test_the_body_holds_what_is_set_and_only_that(
    api: RealtimeApi, server: HttpServer, body: Any, sent: dict[str, Any]
) -> None:
    server.answers.append(json_answer(SESSION))
    api.create_realtime_session(body)
    assert server.requests[0].json() == sent


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("of", [RealtimeSessionCreateRequest.model_construct, dict])
def test_a_body_that_cannot_be_json_is_refused_with_the_path(
    api: RealtimeApi, server: HttpServer, of: Callable[..., Any], value: float
) -> None:
    body = of(speed=value)
    form = [("sdp", "application/sdp", "v=0"), ("session", "application/json", body)]
    for request in ({"body": body}, {"parts": form}):
        with pytest.raises(ValueError, match=r"^speed: (NaN|Infinity) is not JSON$"):
            api.api_client.call("POST", "/x", bytes, **request)
    assert server.requests == []


@pytest.mark.parametrize(
    ("call_id", "quoted"),
    [
        ("rtc_1-a.b~c", "rtc_1-a.b~c"),
        ("../../x", "..%2F..%2Fx"),
        ("a?b=1#c", "a%3Fb%3D1%23c"),
        ("a b+c", "a%20b%2Bc"),
        ("%2f", "%252f"),
        ("é", "%C3%A9"),
        ("{call_id}", "%7Bcall_id%7D"),
        ("a\r\nX-A: 1", "a%0D%0AX-A%3A%201"),
    ],
)
def test_a_parameter_is_one_part_of_the_path(
    calls: ga.RealtimeApi, server: HttpServer, call_id: str, quoted: str
) -> None:
    server.answers.append(Answer())
    calls.hangup_realtime_call(call_id)
    assert server.requests[0].path == f"/realtime/calls/{quoted}/hangup"


# The server or a proxy would take these for other paths, however they are quoted.
@pytest.mark.parametrize("call_id", ["", ".", ".."])
def test_a_parameter_that_would_change_the_path_is_not_sent(
    calls: ga.RealtimeApi, server: HttpServer, call_id: str
) -> None:
    with pytest.raises(ValueError, match="call_id"):
        calls.hangup_realtime_call(call_id)
    assert server.requests == []


@pytest.mark.parametrize(
    ("bodies", "sent", "kind"),
    [
        ((), b"", None),
        ((ga.RealtimeCallRejectRequest(),), b"{}", "application/json"),
        (({},), b"{}", "application/json"),
    ],
    ids=["none", "model", "dict"],
)
def test_an_optional_body_with_nothing_set_is_an_empty_object_and_none_is_none(
    calls: ga.RealtimeApi, server: HttpServer, bodies: Any, sent: bytes, kind: str | None
) -> None:
    server.answers.append(Answer())
    calls.reject_realtime_call("rtc_1", *bodies)
    [request] = server.requests
    names = ("Content-Type", "Transfer-Encoding", "Content-Length")
    assert [request.headers[name] for name in names] == [kind, None, str(len(sent))]
    assert request.body == sent


def test_an_offer_alone_is_sent_bare(calls: ga.RealtimeApi, server: HttpServer) -> None:
    server.answers.append(Answer(201))
    calls.create_realtime_call(OFFER)
    [request] = server.requests
    assert request.headers.get_all("Content-Type") == ["application/sdp"]
    assert request.body == OFFER.encode()


@pytest.mark.parametrize("fields", [{"model": "m", "tracing": None, "x_new": [1]}, {}])
@pytest.mark.parametrize("of", [ga.RealtimeSessionCreateRequestGA, dict], ids=["model", "dict"])
def test_an_offer_with_a_session_is_a_form(
    calls: ga.RealtimeApi, server: HttpServer, of: Callable[..., Any], fields: dict[str, Any]
) -> None:
    session = of(type="realtime", **fields)
    server.answers.append(Answer(201))
    calls.create_realtime_call(OFFER, session)
    parts = form(server.requests[0])
    # A part with a file name would be an upload.
    assert [(str(p["Content-Disposition"]), str(p["Content-Type"])) for p in parts] == [
        ('form-data; name="sdp"', "application/sdp"),
        ('form-data; name="session"', "application/json"),
    ]
    assert parts[0].get_payload(decode=True) == OFFER.encode()
    assert json.loads(parts[1].get_content()) == {"type": "realtime", **fields}


def form(request: Request) -> list[EmailMessage]:
    """The parts of a form, by a parser that is not the client's."""
    [kind] = request.headers.get_all("Content-Type", [])
    header = f"Content-Type: {kind}\r\n\r\n".encode()
    message = message_from_bytes(header + request.body, EmailMessage, policy=HTTP)
    assert message.get_content_type() == "multipart/form-data"
    assert not message.defects
    return list(message.iter_parts())


# Answers


@pytest.mark.parametrize("content_type", ["application/sdp", "text/plain; charset=utf-8", None])
def test_the_answer_to_an_offer_is_text_whatever_its_media_type(
    calls: ga.RealtimeApi, server: HttpServer, content_type: str | None
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    server.answers.append(Answer(201, OFFER.encode(), headers))
    assert calls.create_realtime_call(OFFER).data == OFFER


@pytest.mark.parametrize(
    ("location", "call_id"),
    [
        ("/v1/realtime/calls/rtc_1", "rtc_1"),
        ("rtc_1", "rtc_1"),
        ("https://api.openai.com/v1/realtime/calls/rtc_1/", "rtc_1"),
        # The id is the last part of the path alone.
        ("/v1/realtime/calls/rtc_1?api-version=1", "rtc_1"),
        ("/", None),
        (None, None),
    ],
)
def test_the_call_id_comes_from_location(
    calls: ga.RealtimeApi, server: HttpServer, location: str | None, call_id: str | None
) -> None:
    headers = {} if location is None else {"LOCATION": location}
    server.answers += [Answer(201, b"v=0", headers)] * 2
    created = calls.create_realtime_call(OFFER)
    assert created == Created("v=0", call_id)
    if call_id:
        assert created.id == call_id
    else:
        with pytest.raises(InvalidResponseError, match="no id in its header `Location`"):
            _ = created.id
    assert calls.create_realtime_call_with_http_info(OFFER).location_id == call_id


# Failures


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, ApiError),
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
    headers = {"X-REQUEST-ID": "req_1", "Retry-After": "2"}
    answer = json_answer({"error": ERROR}, status, headers=headers, reason="Some Reason")
    server.answers.append(answer)
    error = failure(api, kind)
    assert (error.status, error.reason, error.body) == (status, "Some Reason", answer.body)
    assert (error.error, error.request_id, error.retry_after) == (ERROR, "req_1", 2.0)
    assert str(error) == f"{status} Some Reason: some_code: Some message."


# RFC 9110 wants recipients to read all three forms of dates.
SOON = datetime.now(timezone.utc) + timedelta(hours=1)


@pytest.mark.parametrize(
    ("value", "minimum", "maximum"),
    [
        ("0", 0, 0),
        ("17", 17, 17),
        ("1.5", 1.5, 1.5),
        ("-3", 0, 0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0, 0),
        ("Sun, 06 Nov 1994 08:49:37 XYZ", 0, 0),
        (format_datetime(SOON, usegmt=True), 60, 3600),
        (SOON.strftime("%A, %d-%b-%y %H:%M:%S GMT"), 60, 3600),
        (datetime.ctime(SOON), 60, 3600),
        *((value, None, None) for value in ("", "soon", "nan", "inf", "9" * 400)),
        ("Wed, 99 Foo 2099 07:28:00 GMT", None, None),
    ],
    # With dates of now, names of cases would differ between processes.
    ids=range(15),
)
def test_retry_after_is_seconds_or_none(
    api: RealtimeApi, server: HttpServer, value: str, minimum: float | None, maximum: float | None
) -> None:
    server.answers.append(Answer(429, headers={"Retry-After": value}))
    found = failure(api, RateLimitError).retry_after
    if minimum is None or maximum is None:
        assert found is None
    else:
        assert minimum <= found <= maximum


def test_retry_after_in_milliseconds_wins(api: RealtimeApi, server: HttpServer) -> None:
    headers = {"retry-after-ms": "250", "Retry-After": "1"}
    server.answers += [Answer(429, headers=headers), Answer(503, headers={"Retry-After-Ms": "x"})]
    assert failure(api, RateLimitError).retry_after == 0.25
    assert failure(api, ServiceError).retry_after is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", {}),
        (b"<html>Bad gateway</html>", {}),
        (b'["overloaded"]', {}),
        (b'{"message": "no error object"}', {"message": "no error object"}),
        (b'{"detail": [{"loc": ["body"]}]}', {}),
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
    assert (error.error, error.body) == (expected, body)
    assert str(error) == ": ".join(["503 Overloaded", *expected.values()])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"client_secret": "ek_abc123"}',
        b'{"client_secret": {"expires_at": 1}}',
        b'{"client_secret": {"value": null, "expires_at": 1}}',
        b'{"client_secret": {"value": 5, "expires_at": 1}}',
        b"\xff\xfe{",
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body)[:30],
)
def test_a_success_that_does_not_fit_is_invalid(
    api: RealtimeApi, server: HttpServer, body: bytes
) -> None:
    server.answers.append(Answer(200, body, {"X-Request-Id": "req_1", "Retry-After": "1"}))
    error = failure(api, InvalidResponseError)
    assert (error.status, error.reason, error.body) == (200, "OK", body)
    assert (error.error, error.request_id, error.retry_after) == ({}, "req_1", 1.0)
    assert "RealtimeSessionCreateResponse" in str(error)
    assert "ek_abc123" not in f"{error} {error!r}"


SECRET = {"value": "ek_abc123", "expires_at": 1790000000}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (SECRET, [("session", "missing field")]),
        ({**SECRET, "session": None}, [("session", "wrong type")]),
        ({**SECRET, "session": "m"}, [("session", "wrong type")]),
        (
            {**SECRET, "session": {**SESSION_SETTINGS, "output_modalities": "audio"}},
            [("session.output_modalities", "wrong type")],
        ),
        ({"value": "ek_abc123", "session": SESSION_SETTINGS}, [("expires_at", "missing field")]),
        (
            {**SECRET, "expires_at": "soon", "session": SESSION_SETTINGS},
            [("expires_at", "wrong type")],
        ),
    ],
    ids=["no_session", "null", "text", "wrong_field", "no_expiry", "expiry_as_text"],
)
def test_client_secret_that_does_not_fit_has_its_value(
    calls: ga.RealtimeApi, server: HttpServer, answer: Any, found: list[tuple[str, str]]
) -> None:
    server.answers.append(json_answer(answer))
    secret = calls.create_realtime_client_secret({})
    assert (secret.value, secret.to_dict()) == ("ek_abc123", answer)
    assert [(deviation.path, deviation.kind) for deviation in deviations(secret)] == found


def test_an_answer_to_an_offer_that_is_not_utf_8_is_invalid(
    calls: ga.RealtimeApi, server: HttpServer
) -> None:
    server.answers.append(Answer(201, b"v=0\r\ns=\xe9"))
    error = error_of(calls.create_realtime_call, InvalidResponseError, OFFER)
    assert (error.status, error.body) == (201, b"v=0\r\ns=\xe9")


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("fault", ["cut", "close", "hold"])
def test_without_a_whole_answer_there_is_none(server: HttpServer, fault: Any, status: int) -> None:
    headers = {"X-Request-Id": "req_1", "Retry-After": "1"}
    answer = json_answer(SESSION, status, headers=headers, fault=fault)
    server.answers += [answer, answer, json_answer(SESSION)]
    short = 0.05 if fault == "hold" else 5.0
    with ApiClient(Configuration(server.url, KEY, timeout=short)) as client:
        of_configuration = failure(RealtimeApi(client), ApiConnectionError)
    with ApiClient(Configuration(server.url, KEY)) as client:
        of_call = failure(RealtimeApi(client), ApiConnectionError, timeout=short)
        # A second POST could make a second session.
        assert len(server.requests) == 2
        RealtimeApi(client).create_realtime_session({})  # The client goes on.
    for error in (of_configuration, of_call):
        assert_no_answer(error)
        assert ("timed out" in str(error)) == (fault == "hold")


def test_retries_are_those_of_urllib3(server: HttpServer) -> None:
    slept = []

    class Retry(urllib3.Retry):
        def sleep(self, response: Any = None) -> None:
            slept.append(self.total)

    server.answers += [Answer(fault="close"), Answer(fault="cut", body=b"{}")]
    retries = Retry(2, allowed_methods=None)
    exchange(server, Configuration(server.url, KEY, retries=retries))
    assert len(server.requests) == 3
    assert slept == [1, 0]


@pytest.mark.parametrize(
    ("retry_after", "statuses"),
    [
        ({}, [503, 503, 200]),
        ({"Retry-After": "0"}, [503, 200]),
        ({"Retry-After": "soon"}, [429, 200]),
    ],
    ids=["no_header", "at_once", "invalid_header"],
)
def test_status_is_tried_again(
    server: HttpServer, retry_after: dict[str, str], statuses: list[int]
) -> None:
    server.answers += [Answer(status, headers=retry_after) for status in statuses[:-1]]
    retries = urllib3.Retry(2, allowed_methods=None, status_forcelist=[429, 503])
    exchange(server, Configuration(server.url, KEY, retries=retries))
    assert len(server.requests) == len(statuses)


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "99"}], ids=["tries_used_up", "too_long"])
def test_status_that_is_tried_no_more_is_the_error(
    server: HttpServer, headers: dict[str, str]
) -> None:
    server.answers += [Answer(503, headers=headers)] * 2
    retries = urllib3.Retry(1, allowed_methods=None, status_forcelist=[503])
    failure(Configuration(server.url, KEY, retries=retries, timeout=20), ServiceError)
    assert len(server.requests) == 2 - len(headers)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("retries", [False, 3, urllib3.Retry(3)], ids=["none", "count", "object"])
def test_a_redirect_is_not_followed(server: HttpServer, status: int, retries: Any) -> None:
    answer = Answer(status, headers={"Location": f"{server.url}/other?key={KEY}"})
    server.answers += [answer, json_answer(SESSION)]
    error = failure(Configuration(server.url, KEY, retries=retries))
    assert error.status == status
    assert str(error).endswith(f", location: {server.url}/other")
    assert len(server.requests) == 1


def test_a_client_keeps_its_connection_for_the_next_call_until_it_is_left() -> None:
    def answer() -> socket.socket:
        connection, _ = server.accept()
        connection.settimeout(10)
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        return connection

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        answering = pool.submit(answer)
        host = f"http://127.0.0.1:{server.getsockname()[1]}"
        with ApiClient(Configuration(host, KEY)) as client:
            ga.RealtimeApi(client).hangup_realtime_call("c")
            connection = answering.result()
            connection.setblocking(False)
            with pytest.raises(BlockingIOError):
                connection.recv(1)
        connection.settimeout(10)
        assert connection.recv(1) == b""
        connection.close()
