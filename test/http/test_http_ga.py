from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import HTTP
from typing import Any, NamedTuple

import pytest

from http_server import Answer, HttpServer, Request, json_answer
from openai_realtime_client.ga import (
    ApiClient,
    ApiConnectionError,
    ApiError,
    BadRequestError,
    Configuration,
    Created,
    InvalidResponseError,
    NotFoundError,
    RateLimitError,
    RealtimeApi,
    RealtimeCallReferRequest,
    RealtimeCallRejectRequest,
    RealtimeCreateClientSecretRequest,
    RealtimeCreateClientSecretResponse,
    RealtimeSessionCreateRequest,
    RealtimeSessionCreateRequestGA,
    RealtimeSessionCreateResponse,
    RealtimeSessionCreateResponseGA,
    RealtimeTranscriptionSessionCreateRequest,
    RealtimeTranscriptionSessionCreateResponse,
    RealtimeTranscriptionSessionCreateResponseGA,
    RealtimeTranslationClientSecretCreateRequest,
    RealtimeTranslationClientSecretCreateResponse,
    ServiceError,
    UnauthorizedError,
    UnknownModel,
)
from protocols import GA

KEY = "sk-test-0123456789abcdefghij"

# Text that no layer may normalize: CRLF, white space at the ends, UTF-8, what looks like a form.
OFFER = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=é \r\n\r\n--x\r\na=offer\r\n"
ANSWER = "v=0\r\no=- 3 4 IN IP4 127.0.0.1\r\ns=ü \r\na=answer\r\n"

EPHEMERAL_KEY = {"value": "ek_abc123", "expires_at": 1735689600}
SESSION = {
    "type": "realtime",
    "model": "gpt-realtime-2.1",
    "instructions": "Sé breve.",
    "tracing": None,
    "x_new": [1],
}
FLAT_SESSION = {"client_secret": EPHEMERAL_KEY, "modalities": ["text"], "x_new": [1]}
FLAT_TRANSCRIPTION = {"input_audio_format": "pcm16", "turn_detection": None, "x_new": [1]}
TRANSLATION = {"model": "gpt-realtime-translate", "x_new": [1]}
# What the answers add to what was asked for.
CREATED = {"id": "sess_1", "expires_at": 1735689600, "object": "realtime.session"}


class Operation(NamedTuple):
    """A call and what it sends: JSON, text or nothing. It gives a `result` from `answer`."""

    name: str
    path: str
    arguments: tuple[Any, ...]
    sent: dict[str, Any] | str | None
    answer: Answer
    result: type[Any]


OPERATIONS = [
    Operation(
        "create_realtime_call",
        "/realtime/calls",
        (OFFER,),
        OFFER,
        Answer(201, ANSWER.encode(), {"Location": "/v1/realtime/calls/rtc_1"}),
        Created,
    ),
    Operation(
        "accept_realtime_call",
        "/realtime/calls/{call_id}/accept",
        ("rtc_1", RealtimeSessionCreateRequestGA(**SESSION)),
        SESSION,
        Answer(),
        type(None),
    ),
    Operation(
        "hangup_realtime_call",
        "/realtime/calls/{call_id}/hangup",
        ("rtc_1",),
        None,
        Answer(),
        type(None),
    ),
    Operation(
        "refer_realtime_call",
        "/realtime/calls/{call_id}/refer",
        ("rtc_1", RealtimeCallReferRequest(target_uri="tel:+14155550123")),
        {"target_uri": "tel:+14155550123"},
        Answer(),
        type(None),
    ),
    Operation(
        "reject_realtime_call",
        "/realtime/calls/{call_id}/reject",
        ("rtc_1", RealtimeCallRejectRequest(status_code=486)),
        {"status_code": 486},
        Answer(),
        type(None),
    ),
    Operation(
        "create_realtime_client_secret",
        "/realtime/client_secrets",
        (RealtimeCreateClientSecretRequest(session=SESSION),),
        {"session": SESSION},
        json_answer({**EPHEMERAL_KEY, "session": {**SESSION, **CREATED}}),
        RealtimeCreateClientSecretResponse,
    ),
    Operation(
        "create_realtime_translation_client_secret",
        "/realtime/translations/client_secrets",
        (RealtimeTranslationClientSecretCreateRequest(session=TRANSLATION),),
        {"session": TRANSLATION},
        json_answer(
            {
                **EPHEMERAL_KEY,
                "session": {**TRANSLATION, **CREATED, "type": "translation", "audio": {}},
            }
        ),
        RealtimeTranslationClientSecretCreateResponse,
    ),
    Operation(
        "create_realtime_session",
        "/realtime/sessions",
        (RealtimeSessionCreateRequest(**FLAT_SESSION),),
        FLAT_SESSION,
        json_answer({**FLAT_SESSION, "x_more": None}),
        RealtimeSessionCreateResponse,
    ),
    Operation(
        "create_realtime_transcription_session",
        "/realtime/transcription_sessions",
        (RealtimeTranscriptionSessionCreateRequest(**FLAT_TRANSCRIPTION),),
        FLAT_TRANSCRIPTION,
        json_answer({**FLAT_TRANSCRIPTION, "client_secret": EPHEMERAL_KEY}),
        RealtimeTranscriptionSessionCreateResponse,
    ),
]


def each(operations: list[Operation]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("operation", operations, ids=lambda one: one.name)


each_operation = each(OPERATIONS)
each_with_json = each([one for one in OPERATIONS if isinstance(one.sent, dict)])
each_with_a_call_id = each([one for one in OPERATIONS if "{call_id}" in one.path])
each_with_a_model = each([one for one in OPERATIONS if hasattr(one.result, "from_json")])
each_with_nothing = each([one for one in OPERATIONS if one.result is type(None)])
each_variant = pytest.mark.parametrize("suffix", ["", "_with_http_info"])


@pytest.fixture
def api(server: HttpServer) -> Iterator[RealtimeApi]:
    with ApiClient(Configuration(server.url, KEY)) as client:
        yield RealtimeApi(client)


def failure(
    api: RealtimeApi, operation: Operation, kind: type[ApiError], **kwargs: Any
) -> ApiError:
    """What the operation raises, which must be exactly a `kind` and hold no key."""
    with pytest.raises(ApiError) as caught:
        getattr(api, operation.name)(*operation.arguments, **kwargs)
    assert caught.type is kind
    texts = traceback.format_exception(caught.value)
    error: BaseException | None = caught.value
    while error:
        texts += [str(error), repr(error), repr(error.args)]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert KEY not in "".join(texts)
    return caught.value


def form(request: Request) -> list[EmailMessage]:
    """The parts of a form, by a parser that is not the client's."""
    header = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    message = message_from_bytes(header + request.body, EmailMessage, policy=HTTP)
    assert message.get_content_type() == "multipart/form-data"
    assert not message.defects
    return list(message.iter_parts())


def test_each_documented_operation_is_tested_here() -> None:
    paths = GA.document["paths"]
    documented = {
        (path, method, operation["operationId"].replace("-", "_"), *operation["responses"])
        for path, item in paths.items()
        for method, operation in item.items()
        if method != "parameters"
    }
    tested = {(one.path, "post", one.name, str(one.answer.status)) for one in OPERATIONS}
    assert tested == documented


# Requests


@each_operation
@each_variant
def test_each_operation_sends_its_request(
    api: RealtimeApi, server: HttpServer, operation: Operation, suffix: str
) -> None:
    server.answers.append(operation.answer)
    getattr(api, operation.name + suffix)(*operation.arguments, headers={"X-Call": "1"}, timeout=5)
    [request] = server.requests
    assert (request.method, request.path) == ("POST", operation.path.format(call_id="rtc_1"))
    assert request.headers.get_all("Authorization") == [f"Bearer {KEY}"]
    assert request.headers["User-Agent"].startswith("openai-realtime-openapi/")
    assert request.headers["X-Call"] == "1"
    is_offer = operation.name == "create_realtime_call"
    accepted = "application/sdp, text/plain" if is_offer else "application/json"
    assert request.headers.get_all("Accept") == [accepted]


@each_with_json
@pytest.mark.parametrize("as_model", [True, False], ids=["model", "dict"])
def test_json_is_sent_from_a_model_and_from_a_dict(
    api: RealtimeApi, server: HttpServer, operation: Operation, as_model: bool
) -> None:
    server.answers.append(operation.answer)
    *before, model = operation.arguments
    getattr(api, operation.name)(*before, model if as_model else operation.sent)
    [request] = server.requests
    assert request.headers.get_all("Content-Type") == ["application/json"]
    assert request.json() == operation.sent


@each_with_a_call_id
@pytest.mark.parametrize(
    ("call_id", "quoted"),
    [
        ("rtc_1-a.b~c", "rtc_1-a.b~c"),
        ("a/b", "a%2Fb"),
        ("../../x", "..%2F..%2Fx"),
        ("a?b=1#c", "a%3Fb%3D1%23c"),
        ("a b+c", "a%20b%2Bc"),
        ("100%", "100%25"),
        ("%2f", "%252f"),
        ("é", "%C3%A9"),
        ("{call_id}", "%7Bcall_id%7D"),
        ("a\r\nX-A: 1", "a%0D%0AX-A%3A%201"),
    ],
)
def test_a_call_id_is_one_part_of_the_path(
    api: RealtimeApi, server: HttpServer, operation: Operation, call_id: str, quoted: str
) -> None:
    server.answers.append(operation.answer)
    getattr(api, operation.name)(call_id, *operation.arguments[1:])
    assert server.requests[0].path == operation.path.format(call_id=quoted)


# The server or a proxy would take these for other paths, however they are quoted.
@each_with_a_call_id
@pytest.mark.parametrize("call_id", ["", ".", ".."])
def test_a_call_id_that_would_change_the_path_is_not_sent(
    api: RealtimeApi, server: HttpServer, operation: Operation, call_id: str
) -> None:
    server.answers.append(operation.answer)
    with pytest.raises(ValueError, match="call_id"):
        getattr(api, operation.name)(call_id, *operation.arguments[1:])
    assert server.requests == []


@pytest.mark.parametrize("name", ["hangup_realtime_call", "reject_realtime_call"])
def test_without_a_body_none_is_sent(api: RealtimeApi, server: HttpServer, name: str) -> None:
    server.answers.append(Answer())
    getattr(api, name)("rtc_1")
    [request] = server.requests
    assert request.body == b""
    assert request.headers["Content-Type"] is None
    assert request.headers["Transfer-Encoding"] is None
    assert request.headers["Content-Length"] == "0"


@pytest.mark.parametrize("body", [RealtimeCallRejectRequest(), {}], ids=["model", "dict"])
def test_an_optional_body_with_nothing_set_is_an_empty_object(
    api: RealtimeApi, server: HttpServer, body: Any
) -> None:
    server.answers.append(Answer())
    api.reject_realtime_call("rtc_1", body)
    assert server.requests[0].body == b"{}"
    assert server.requests[0].headers["Content-Type"] == "application/json"


def test_an_offer_alone_is_sent_bare(api: RealtimeApi, server: HttpServer) -> None:
    server.answers.append(Answer(201))
    api.create_realtime_call(OFFER)
    [request] = server.requests
    assert request.headers.get_all("Content-Type") == ["application/sdp"]
    assert request.body == OFFER.encode()


@pytest.mark.parametrize(
    ("session", "sent"),
    [(RealtimeSessionCreateRequestGA(**SESSION), SESSION), (SESSION, SESSION), ({}, {})],
    ids=["model", "dict", "empty"],
)
def test_an_offer_with_a_session_is_a_form(
    api: RealtimeApi, server: HttpServer, session: Any, sent: dict[str, Any]
) -> None:
    server.answers.append(Answer(201))
    api.create_realtime_call(OFFER, session)
    [request] = server.requests
    assert len(request.headers.get_all("Content-Type", [])) == 1
    offer, settings = form(request)
    # A part with a file name would be an upload.
    assert [str(part["Content-Disposition"]) for part in (offer, settings)] == [
        'form-data; name="sdp"',
        'form-data; name="session"',
    ]
    assert [str(part["Content-Type"]) for part in (offer, settings)] == [
        "application/sdp",
        "application/json",
    ]
    assert offer.get_payload(decode=True) == OFFER.encode()
    assert json.loads(settings.get_content()) == sent


# Answers


@each_operation
def test_with_http_info_also_gives_what_came_around_the_answer(
    api: RealtimeApi, server: HttpServer, operation: Operation
) -> None:
    headers = {"X-Request-Id": "req_1", **operation.answer.headers}
    server.answers += [operation.answer, Answer(299, operation.answer.body, headers)]
    plain = getattr(api, operation.name)(*operation.arguments)
    response = getattr(api, operation.name + "_with_http_info")(*operation.arguments)
    assert type(plain) is operation.result
    assert response.data == (plain.data if operation.result is Created else plain)
    assert (response.status_code, response.headers["x-request-id"]) == (299, "req_1")
    assert response.raw_data == operation.answer.body


@pytest.mark.parametrize(
    "content_type",
    ["application/sdp", "text/plain", "text/plain; charset=utf-8", None],
)
def test_the_answer_to_an_offer_is_text_whatever_its_media_type(
    api: RealtimeApi, server: HttpServer, content_type: str | None
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    server.answers.append(Answer(201, ANSWER.encode(), headers))
    assert api.create_realtime_call(OFFER).data == ANSWER


@pytest.mark.parametrize(
    ("location", "call_id"),
    [
        ("/v1/realtime/calls/rtc_1", "rtc_1"),
        ("/v1/realtime/calls/rtc_1/", "rtc_1"),
        ("rtc_1", "rtc_1"),
        ("https://api.openai.com/v1/realtime/calls/rtc_1", "rtc_1"),
        ("https://api.openai.com/v1/realtime/calls/rtc_1/", "rtc_1"),
        # The id is the last part of the path alone.
        ("/v1/realtime/calls/rtc_1?api-version=1", "rtc_1"),
        ("/", None),
        ("", None),
        (None, None),
    ],
)
def test_the_call_id_comes_from_location(
    api: RealtimeApi, server: HttpServer, location: str | None, call_id: str | None
) -> None:
    headers = {} if location is None else {"LOCATION": location}
    server.answers += [Answer(201, ANSWER.encode(), headers)] * 2
    created = api.create_realtime_call(OFFER)
    assert created == Created(ANSWER, call_id)
    if call_id:
        assert created.id == call_id
    else:
        with pytest.raises(InvalidResponseError, match="no id in its header `Location`"):
            _ = created.id
    assert api.create_realtime_call_with_http_info(OFFER).location_id == call_id


@each_with_nothing
@pytest.mark.parametrize("body", [b"", b"{}", b"OK", b"\xff"])
def test_an_answer_without_content_is_none_whatever_it_holds(
    api: RealtimeApi, server: HttpServer, operation: Operation, body: bytes
) -> None:
    server.answers.append(Answer(200, body))
    assert getattr(api, operation.name)(*operation.arguments) is None


@each_with_a_model
def test_a_model_keeps_all_of_the_answer(
    api: RealtimeApi, server: HttpServer, operation: Operation
) -> None:
    server.answers.append(operation.answer)
    answer = getattr(api, operation.name)(*operation.arguments)
    assert answer.to_dict() == json.loads(operation.answer.body)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("realtime", RealtimeSessionCreateResponseGA),
        ("transcription", RealtimeTranscriptionSessionCreateResponseGA),
        ("dictation", UnknownModel),
        (None, UnknownModel),
    ],
)
def test_the_session_of_a_client_secret_is_of_its_kind(
    api: RealtimeApi, server: HttpServer, kind: str | None, expected: type[Any]
) -> None:
    session = {**CREATED, "x_new": [1, {}], **({"type": kind} if kind else {})}
    server.answers.append(json_answer({**EPHEMERAL_KEY, "session": session}))
    answer = api.create_realtime_client_secret({})
    assert (answer.value, answer.expires_at) == ("ek_abc123", 1735689600)
    assert type(answer.session) is expected
    assert answer.session.to_dict() == session


# Failures


@each_operation
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestError),
        (401, UnauthorizedError),
        (404, NotFoundError),
        (429, RateLimitError),
        (500, ServiceError),
    ],
)
def test_each_operation_raises_the_exception_of_the_status(
    api: RealtimeApi,
    server: HttpServer,
    operation: Operation,
    status: int,
    kind: type[ApiError],
) -> None:
    sent = {"type": "some_type", "code": "some_code", "message": f"Key {KEY}.", "param": None}
    headers = {"X-Request-Id": "req_1"}
    if status == 429:
        headers["Retry-After"] = "1.5"
    server.answers.append(json_answer({"error": sent}, status, headers=headers))
    error = failure(api, operation, kind)
    concealed = {**sent, "message": "Key ***."}
    assert (error.status, error.error, error.request_id) == (status, concealed, "req_1")
    assert error.retry_after == (1.5 if status == 429 else None)
    assert str(error).endswith(": some_code: Key ***.")
    assert len(server.requests) == 1


@each_with_a_model
@pytest.mark.parametrize("body", [f'{{"value": "{KEY}', f'["{KEY}"]', KEY])
def test_a_success_that_does_not_fit_its_model_is_invalid(
    api: RealtimeApi, server: HttpServer, operation: Operation, body: str
) -> None:
    server.answers.append(Answer(200, body.encode(), {"X-Request-Id": "req_1"}))
    assert_invalid(failure(api, operation, InvalidResponseError), 200, body.encode())


def test_an_answer_to_an_offer_that_is_not_utf_8_is_invalid(
    api: RealtimeApi, server: HttpServer
) -> None:
    body = b"v=0\r\ns=\xe9" + KEY.encode()
    server.answers.append(Answer(201, body, {"X-Request-Id": "req_1"}))
    assert_invalid(failure(api, OPERATIONS[0], InvalidResponseError), 201, body)


def assert_invalid(error: ApiError, status: int, body: bytes) -> None:
    concealed = body.replace(KEY.encode(), b"***")
    assert (error.status, error.body, error.request_id) == (status, concealed, "req_1")
    assert (error.error, error.retry_after) == ({}, None)


@each_operation
@pytest.mark.parametrize("fault", ["cut", "close", "hold"])
def test_without_a_whole_answer_there_is_none(
    api: RealtimeApi, server: HttpServer, operation: Operation, fault: Any
) -> None:
    headers = {"X-Request-Id": "req_1", "Retry-After": "1"}
    body = json.dumps([KEY] * 4).encode()
    server.answers += [Answer(200, body, headers, fault=fault), operation.answer]
    timeout = 0.05 if fault == "hold" else None
    error = failure(api, operation, ApiConnectionError, timeout=timeout)
    assert (error.status, error.error, error.body) == (None, {}, b"")
    assert (error.request_id, error.retry_after) == (None, None)
    assert ("Timeout" in str(error)) == (fault == "hold")
    assert len(server.requests) == 1
