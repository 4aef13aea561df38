"""Operations of fragments that are refused, and other parts around the schemas."""

from __future__ import annotations

from typing import Any

import pytest

import constructs
import spec
from components import prepared
from trees import merge, parsed

SMALL = parsed("""
openapi: 3.1.0
info: {title: Small, version: '1', description: A small one.}
servers: [{url: 'https://example.com'}]
paths:
  /things:
    post:
      tags: [Realtime]
      operationId: get-thing
      summary: Get a thing
      description: Gives it.
      responses:
        '200':
          description: It.
          content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}
components:
  schemas:
    Thing:
      type: object
      description: A thing.
      properties:
        one: {type: string, description: One.}
""")
POST = "POST /things"


def query(schema: str, more: str = "") -> str:
    return f"{{parameters: [{{in: query, name: a, description: A., schema: {schema}{more}}}]}}"


def text(name: str, where: str = "query") -> str:
    return f"{{in: {where}, name: {name}, description: A., schema: {{type: string}}}}"


def operation(tag: str, identity: str) -> str:
    return (
        f"{{get: {{tags: [{tag}], operationId: {identity}, summary: Get, description: It.,"
        " responses: {'200': {description: It.}}}}"
    )


def content(kinds: str) -> str:
    return f"{{responses: {{'200': {{content: {{application/json: null, {kinds}}}}}}}}}"


def body(kinds: str) -> str:
    return f"{{requestBody: {{description: B., content: {{{kinds}}}}}}}"


def form(field: str) -> str:
    schema = (
        "{type: object, description: F., properties:"
        f" {{{field}: {{type: string, description: A.}}}}}}"
    )
    return body(f"multipart/form-data: {{schema: {schema}}}")


def connection(settings: str) -> str:
    fields = "properties: {type: {type: string, const: a, description: T.}}"
    event = f"type: object, description: A., required: [type], {fields}"
    reference = "'#/components/schemas/Event'"
    union = (
        f"description: Any., oneOf: [{{$ref: {reference}}}, {{type: string}}],"
        f" discriminator: {{propertyName: type, mapping: {{a: {reference}}}}}"
    )
    return (
        f"{{components: {{schemas: {{Event: {{{event}}},"
        f" Every: {{{union}, x-connection: {settings}}}}}}}}}"
    )


STRING = "{type: string}"
PARAMETER = "paths./things.post.parameters[0]."
REFUSED = {
    "no_summary": ("{summary: null}", f"{POST}: its summary is missing"),
    "long_summary": (
        "{summary: one two three four five six seven eight nine}",
        f"{POST}: needs a summary of at most 8 words",
    ),
    "no_description": ("{description: null}", f"{POST}: its description is missing"),
    "answer_without_description": (
        "{responses: {'200': {description: ''}}}",
        f"{POST} 200: its description is missing",
    ),
    "cookie": (
        f"{{parameters: [{text('a', 'cookie')}]}}",
        f"{PARAMETER}in: a parameter is in the query, the path or a header",
    ),
    "object_in_query": (
        query("{type: object, properties: {b: {type: string}}}"),
        f"{POST} a: a parameter is a string, a number or",
    ),
    "list_in_header": (
        "{parameters: [{in: header, name: a, description: A., schema: {type: array, items: {}}}]}",
        f"{POST} a: a parameter is a string, a number or a boolean",
    ),
    "list_of_objects": (query("{type: array, items: {type: object}}"), f"{POST} a: the items of"),
    "list_in_one_parameter": (
        query("{type: array, items: {type: string}}", ", explode: false"),
        f"{POST} a: `explode: false`",
    ),
    "style": (
        query(STRING, ", style: deepObject"),
        f"{PARAMETER}style: only `style: form` is supported here",
    ),
    "allow_reserved": (
        query(STRING, ", allowReserved: true"),
        f"{PARAMETER}allowReserved: not supported",
    ),
    "parameter_of_any_content": (
        "{parameters: [{in: query, name: a, description: A., content: {}}]}",
        "paths./things.post.parameters[0]: a parameter needs a `schema`",
    ),
    "no_operation_id": ("{operationId: null}", f"{POST}: its operationId is missing"),
    "parameter_called_timeout": (
        f"{{parameters: [{text('timeout')}]}}",
        f"{POST}: an argument cannot be called timeout",
    ),
    "part_called_headers": (form("headers"), f"{POST}: an argument cannot be"),
    "parameter_called_body_beside_body": (
        f"{{parameters: [{text('body')}], requestBody: {{description: B., content:"
        " {application/json: {}}}}",
        f"{POST}: an argument cannot be called body",
    ),
    "parameters_with_one_name": (
        f"{{parameters: [{text('aB')}, {text('A-B', 'header')}]}}",
        f"{POST}: an argument cannot be called a_b",
    ),
    "parameters_with_one_normalized_name": (
        f"{{parameters: [{text('ﬁle')}, {text('file')}]}}",
        f"{POST}: an argument cannot be called file",
    ),
    "parameter_without_letters": (
        f"{{parameters: [{text('$')}]}}",
        f"{POST} $: no Python name can be made of it",
    ),
    "answers_that_differ": (
        "{responses: {'202': {description: Later.}}}",
        f"{POST}: has 2 answers of success, 200, 202, that differ",
    ),
    "no_success": (
        "{responses: {'200': null, '302': {description: Elsewhere.}}}",
        f"{POST}: has no answer of success; write one",
    ),
    "binary_answer": (
        content("audio/wav: {schema: {type: string, format: binary}}"),
        f"{POST} 200: audio/wav cannot be parsed: only JSON and text",
    ),
    "answer_of_events": (
        content("text/event-stream: {schema: {type: string}}"),
        f"{POST} 200: text/event-stream cannot be parsed: only JSON and text",
    ),
    "xml_body": (body("application/xml: {}"), f"{POST} requestBody: application/xml cannot be"),
    "form_of_a_list": (
        body("multipart/form-data: {schema: {type: array, items: {type: string}}}"),
        f"{POST} requestBody: a form is an object with properties",
    ),
    "tag_without_letters": ("{tags: ['-']}", f"{POST}: of the tag '-' no class name can be made"),
    "callbacks": ("{callbacks: {done: {}}}", "paths./things.post.callbacks: not supported"),
    "servers_of_an_operation": (
        "{servers: [{url: 'https://example.org'}]}",
        "paths./things.post.servers: not supported",
    ),
    "operation_id_without_letters": ("{operationId: '-'}", f"{POST}: of the operationId '-' no"),
}
REFUSED_DOCUMENTS = {
    "webhook_without_constant_type": (
        "{webhooks: {a: {post: {requestBody: {content: {application/json: {schema:"
        " {type: object, properties: {a: {type: string}}}}}}}}}}",
        "webhooks.a.post: its body is not a component with a constant `type`",
    ),
    "protocol_without_description": (
        "{info: {description: null}}",
        "info: its description is missing",
    ),
    "one_method_twice": (
        f"{{paths: {{/others: {operation('Realtime', 'getThing')}}}}}",
        "GET /others: its method would be called get_thing, like that of POST /things",
    ),
    "tags_that_differ_in_case": (
        f"{{paths: {{/others: {operation('REALTIME', 'other')}}}}}",
        "GET /others: the class of the tag 'REALTIME' would have the files of that of 'Realtime'",
    ),
    "parameter_that_is_missing": (
        f"{{paths: {{/things: null, '/things/{{id}}': {operation('Realtime', 'other')}}}}}",
        "GET /things/{id}: the path has {id}, which is not a parameter",
    ),
    "servers_of_a_path": (
        "{paths: {/things: {servers: [{url: 'https://example.org'}]}}}",
        "paths./things.servers: not supported",
    ),
    "server_variable_without_value": (
        "{servers: [{url: 'https://{region}.example.com'}]}",
        "servers[0]: 'https://{region}.example.com' has a variable without a value",
    ),
    "basic_authentication": (
        "{security: [{login: []}], components: {securitySchemes:"
        " {login: {type: http, scheme: basic}}}}",
        f"{POST}: security login: only one key is sent, in a header or the query",
    ),
    "two_keys_at_once": (
        "{security: [{a: [], b: []}], components: {securitySchemes:"
        " {a: {type: apiKey, in: header, name: A}, b: {type: apiKey, in: header, name: B}}}}",
        f"{POST}: security a and b: only one key is sent",
    ),
    "events_without_discriminator": (
        "{components: {schemas: {Every: {description: Any., x-events: server,"
        " anyOf: [{type: string}, {type: integer}]}}}}",
        "components.schemas.Every: a union of events has a `discriminator` for `type`",
    ),
    "connection_without_client": (
        connection("{about: Open, path: /a, append: b}"),
        "components.schemas.Every: `x-connection` needs `client`",
    ),
    "connection_without_path": (
        connection("{about: Open, append: b, client: Every}"),
        "components.schemas.Every.x-connection: `path` is missing",
    ),
    "connection_with_an_unknown_key": (
        connection("{about: Open, path: /a, append: b, client: Every, protocol: q}"),
        "components.schemas.Every.x-connection: `protocol`: not a keyword that is read",
    ),
    "parameter_that_is_not_in_the_path": (
        "{paths: {/things: {parameters: [{in: path, name: id, description: I., required: true,"
        " schema: {type: string}}]}}}",
        f"{POST} id: is not in the path",
    ),
    "nothing_at_all": (
        "{paths: null, components: {schemas: {Thing: null}}}",
        "the document: it has neither schemas nor operations",
    ),
    "connection_with_a_name_of_its_own": (
        connection("{about: Open, path: /a, append: b, client: Every, name: open}"),
        "components.schemas.Every.x-connection.name: the `name` is connect",
    ),
    "connection_with_a_setting_in_its_path": (
        connection("{about: Open, path: '/{model}', append: b, client: Every}"),
        "components.schemas.Every: an argument of connect cannot be called model",
    ),
    "schema_called_like_the_asynchronous_class": (
        "{components: {schemas: {AsyncRealtimeApi: {type: object, description: A.,"
        " properties: {a: {type: string, description: A.}}}}}}",
        "components.schemas.AsyncRealtimeApi: the package has another thing of this name",
    ),
}


def problems(change: Any) -> list[str]:
    """Return what is said of the small document with a change, a line for each problem."""
    document = merge(SMALL, change)
    found = spec.problems(document)
    if found:
        return [f"{problem.place}: {problem.reason}" for problem in found]
    with pytest.raises(spec.SpecError) as caught:
        constructs.check(prepared(document))
    return str(caught.value).splitlines()


def test_small_document_is_accepted() -> None:
    constructs.check(prepared(SMALL))


@pytest.mark.parametrize(("change", "expected"), REFUSED.values(), ids=REFUSED)
def test_refused_operation(change: str, expected: str) -> None:
    (problem,) = problems({"paths": {"/things": {"post": parsed(change)}}})
    assert problem.startswith(expected)


@pytest.mark.parametrize(("change", "expected"), REFUSED_DOCUMENTS.values(), ids=REFUSED_DOCUMENTS)
def test_refused_document(change: str, expected: str) -> None:
    (problem,) = problems(parsed(change))
    assert problem.startswith(expected)
