"""Every operation of the Realtime API: what it sends, and what it makes of the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import spec
from exposure import KEY
from http_server import Answer, HttpServer, json_answer
from mutation import same
from openai_realtime_client import ApiClient, Configuration
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
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=str)


@pytest.fixture
def methods(server: HttpServer, operation: Operation) -> Iterator[Callable[..., Any]]:
    """The operation's method, or with a suffix its other one."""
    api = getattr(operation.protocol.module, f"{operation.definition['tags'][0]}Api")
    with ApiClient(Configuration(server.url, KEY)) as client:
        yield lambda suffix="": getattr(api(client), operation.name + suffix)


@pytest.mark.parametrize("suffix", ["", "_with_http_info"])
@pytest.mark.parametrize("as_model", [True, False], ids=["model", "dict"])
@each_operation
def test_each_operation_sends_its_request(
    server: HttpServer, operation: Operation, methods: Any, suffix: str, as_model: bool
) -> None:
    server.answers.append(operation.answered())
    arguments = operation.arguments(lambda kind, wire: kind.from_dict(wire) if as_model else wire)
    methods(suffix)(*arguments, headers={"X-Call": "1"}, timeout=5)
    [request] = server.requests
    assert f"{request.method} {request.path}" == re.sub(r"{\w+}", QUOTED, operation.place)
    assert request.headers.get_all("Authorization") == [f"Bearer {KEY}"]
    assert request.headers["User-Agent"].startswith("openai-realtime-openapi/")
    assert request.headers["X-Call"] == "1"
    accepted = ", ".join(operation.answer[1]) or "application/json"
    assert request.headers.get_all("Accept") == [accepted]
    if operation.body:
        assert request.headers.get_all("Content-Type") == ["application/json"]
        assert same(request.json(), operation.drawn(operation.body))


@each_operation
def test_each_answer_is_typed_and_keeps_everything(
    server: HttpServer, operation: Operation, methods: Any
) -> None:
    answer = operation.answered()
    server.answers += [answer, Answer(299, answer.body, {"X-Request-ID": "req_1"})]
    arguments = operation.arguments(lambda _, wire: wire)
    plain = methods()(*arguments)
    response = methods("_with_http_info")(*arguments)
    # As in `ApiError`: a proxy may change the case of names.
    assert (response.status_code, response.headers["x-request-id"]) == (299, "req_1")
    assert response.raw_data == answer.body
    if operation.result:
        assert type(plain) is getattr(operation.protocol.module, operation.result)
        assert same(plain.to_dict(), json.loads(answer.body))
    elif operation.answer[1]:
        assert plain == Created(SDP, None)
    assert response.data == (plain.data if isinstance(plain, Created) else plain)


@pytest.mark.parametrize("body", [b"{}", b"OK", b"\xff"])
@pytest.mark.parametrize("operation", [o for o in OPERATIONS if not o.answer[1]], ids=str)
def test_an_answer_without_content_is_none_whatever_it_holds(
    server: HttpServer, operation: Operation, methods: Any, body: bytes
) -> None:
    server.answers.append(Answer(200, body))
    assert methods()(*operation.arguments(lambda _, wire: wire)) is None
