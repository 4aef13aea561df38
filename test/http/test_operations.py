"""Every operation of the Realtime API: what it sends, and what it makes of the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Operation:
    """An operation of a fragment, with values drawn from its schemas."""

    protocol: Protocol
    place: str
    definition: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.protocol.name}-{self.name}"

    @property
    def name(self) -> str:
        return str(self.definition["operationId"].replace("-", "_"))

    @property
    def body(self) -> str:
        """The schema that is sent as JSON, or an empty string."""
        content = self.definition.get("requestBody", {}).get("content", {})
        return spec.component(content.get("application/json", {}).get("schema", {}))

    @property
    def answer(self) -> tuple[int, dict[str, Any]]:
        [(status, answer)] = self.definition["responses"].items()
        return int(status), answer.get("content", {})

    @property
    def result(self) -> str:
        """The schema of the answer's JSON, or an empty string."""
        return spec.component(self.answer[1].get("application/json", {}).get("schema", {}))

    def drawn(self, schema: str) -> Any:
        return next(self.protocol.instances(schema, count=1)) if schema else None

    def arguments(self, make: Callable[[type[Any], Any], Any]) -> list[Any]:
        found: list[Any] = [PARAMETER for _ in self.definition.get("parameters", [])]
        if self.body:
            return [*found, make(getattr(self.protocol.module, self.body), self.drawn(self.body))]
        return [*found, OFFER] if "requestBody" in self.definition else found

    def answered(self) -> Answer:
        status, content = self.answer
        if self.result:
            return json_answer(self.drawn(self.result), status)
        return Answer(status, SDP.encode() if content else b"", {"X-Request-Id": "req_1"})


OPERATIONS = [
    Operation(protocol, place, definition)
    for protocol in REALTIME
    for place, definition in spec.operations(protocol.document)
]


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_operation_sends_its_request_and_keeps_the_answer(
    server: HttpServer, operation: Operation
) -> None:
    answer = operation.answered()
    server.answers += [answer, Answer(299, answer.body, {"X-Request-ID": "req_1"})]
    api = getattr(operation.protocol.module, f"{operation.definition['tags'][0]}Api")
    with ApiClient(Configuration(server.url, KEY)) as client:
        method = getattr(api(client), operation.name)
        with_http_info = getattr(api(client), f"{operation.name}_with_http_info")
        plain = method(*operation.arguments(lambda _, wire: wire), timeout=15)
        arguments = operation.arguments(lambda model, wire: model.from_dict(wire))
        response = with_http_info(*arguments, headers={"X-Call": "1"})
    for request in server.requests:
        assert f"{request.method} {request.path}" == re.sub(r"{\w+}", QUOTED, operation.place)
        assert request.headers.get_all("Authorization") == [f"Bearer {KEY}"]
        assert request.headers["User-Agent"].startswith("openai-realtime-openapi/")
        accepted = ", ".join(operation.answer[1]) or "application/json"
        assert request.headers.get_all("Accept") == [accepted]
        if operation.body:
            assert request.headers.get_all("Content-Type") == ["application/json"]
            assert same(request.json(), operation.drawn(operation.body))
    assert [request.headers["X-Call"] for request in server.requests] == [None, "1"]
    # As in `ApiError`: a proxy may change the case of names.
    assert (response.status_code, response.headers["x-request-id"]) == (299, "req_1")
    assert response.raw_data == answer.body
    if operation.result:
        assert type(plain) is getattr(operation.protocol.module, operation.result)
        assert same(plain.to_dict(), json.loads(answer.body))
    elif operation.answer[1]:
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
