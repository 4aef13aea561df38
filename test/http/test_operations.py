"""Every operation of the Realtime API: what it sends, and what it makes of the answer."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

import spec
from exposure import KEY
from http_server import Answer, HttpServer, json_answer
from mutation import same
from openai_realtime_client import ApiClient, Configuration, ga
from openai_realtime_client.http.response import Created
from protocols import REALTIME, Protocol

OFFER, SDP = "v=0\r\ns=é \r\na=offer\r\n", "v=0\r\ns=ü \r\na=answer\r\n"
# As part of the path it has to be quoted.
PARAMETER, QUOTED = "a/b", "a%2Fb"
OPERATIONS = [
    pytest.param(protocol, place, definition, id=f"{protocol.name}-{definition['operationId']}")
    for protocol in REALTIME
    for place, definition in spec.operations(protocol.document)
]


def json_schema(described: dict[str, Any]) -> str:
    """The schema of the JSON of a body or an answer, or an empty string."""
    content = described.get("content", {})
    return spec.component(content.get("application/json", {}).get("schema", {}))


@pytest.mark.parametrize(("protocol", "place", "definition"), OPERATIONS)
def test_operation_sends_its_request_and_keeps_the_answer(
    server: HttpServer, protocol: Protocol, place: str, definition: dict[str, Any]
) -> None:
    [(status, documented)] = definition["responses"].items()
    media_types = ", ".join(documented.get("content", {}))
    body, result = json_schema(definition.get("requestBody", {})), json_schema(documented)
    answer = Answer(int(status), SDP.encode() if media_types else b"", {"X-Request-Id": "req_1"})
    if result:
        answer = json_answer(*protocol.instances(result, count=1), int(status))
    arguments: list[Any] = [PARAMETER for _ in definition.get("parameters", [])]
    models = list(arguments)
    if body:
        arguments += protocol.instances(body, count=1)
        models.append(getattr(protocol.module, body).from_dict(arguments[-1]))
    elif "requestBody" in definition:
        arguments, models = [*arguments, OFFER], [*models, OFFER]
    server.answers += [answer, Answer(299, answer.body, {"X-Request-ID": "req_1"})]
    with ApiClient(Configuration(server.url, KEY)) as client:
        api = getattr(protocol.module, f"{definition['tags'][0]}Api")(client)
        name = definition["operationId"].replace("-", "_")
        plain = getattr(api, name)(*arguments, timeout=15)
        with_http_info = getattr(api, f"{name}_with_http_info")
        response = with_http_info(*models, headers={"X-Call": "1"})
    for request in server.requests:
        assert f"{request.method} {request.path}" == re.sub(r"{\w+}", QUOTED, place)
        assert request.headers.get_all("Authorization") == [f"Bearer {KEY}"]
        assert request.headers["User-Agent"].startswith("openai-realtime-openapi/")
        assert request.headers.get_all("Accept") == [media_types or "application/json"]
        if body:
            assert request.headers.get_all("Content-Type") == ["application/json"]
            assert same(request.json(), arguments[-1])
    assert [request.headers["X-Call"] for request in server.requests] == [None, "1"]
    # As in `ApiError`: a proxy may change the case of names.
    assert (response.status_code, response.headers["x-request-id"]) == (299, "req_1")
    assert response.raw_data == answer.body
    if result:
        assert type(plain) is getattr(protocol.module, result)
        assert same(plain.to_dict(), json.loads(answer.body))
    elif media_types:
        assert plain == Created(SDP, None)
    else:
        assert plain is None
    assert response.data == (plain.data if isinstance(plain, Created) else plain)


def test_answer_without_content_is_none_whatever_it_holds(
    calls: ga.RealtimeApi, server: HttpServer
) -> None:
    for body in (b"{}", b"OK", b"\xff"):
        server.answers.append(Answer(200, body))
        assert calls.hangup_realtime_call("c") is None
