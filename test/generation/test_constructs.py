"""Documents that are refused, and what is generated from every construct that is not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import constructs
import spec
from components import prepared
from docs import without_html
from trees import copy_repository, merge, parsed, printed, run

KITCHEN = Path(__file__).parent / "kitchen.yaml"
MODULES = ("item", "item_group", "simple", "simple_short", "thing", "realtime_webhook_event")


SMALL = parsed("""
openapi: 3.1.0
info: {title: Small, version: '1', description: A small one.}
servers: [{url: 'https://example.com'}]
paths:
  /things:
    get:
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
    RealtimeServerEvent:
      description: Any event.
      x-events: server
      oneOf:
        - $ref: '#/components/schemas/RealtimeServerEventHello'
        - $ref: '#/components/schemas/RealtimeServerEventBye'
      discriminator:
        propertyName: type
        mapping:
          hello: '#/components/schemas/RealtimeServerEventHello'
          bye: '#/components/schemas/RealtimeServerEventBye'
    RealtimeServerEventHello:
      type: object
      description: A greeting.
      required: [type]
      properties:
        type: {type: string, const: hello, description: Its type.}
    RealtimeServerEventBye:
      type: object
      description: Another one.
      required: [type]
      properties:
        type: {type: string, const: bye, description: Its type.}
    Thing:
      type: object
      description: A thing.
      properties:
        type: {type: string, const: thing, description: It.}
        one: {type: string, description: One.}
        two: {$ref: '#/components/schemas/Other', description: Two.}
    Other:
      type: object
      description: Another one.
      required: [type]
      properties:
        type: {type: string, enum: [other], description: Its type.}
    Union:
      description: One or another.
      oneOf:
        - $ref: '#/components/schemas/Thing'
        - $ref: '#/components/schemas/Other'
      discriminator:
        propertyName: type
        mapping: {other: '#/components/schemas/Other', thing: '#/components/schemas/Thing'}
""")
GET = "GET /things"

# For each that is refused: what to merge into the document (`null` removes), and what is said.
REFUSED_OPERATIONS = {
    "no summary": ("{summary: null}", f"{GET}: its summary is missing"),
    "a long summary": (
        "{summary: one two three four five six seven eight nine}",
        f"{GET}: needs a summary of at most 8 words",
    ),
    "no description of an operation": ("{description: null}", f"{GET}: its description is missing"),
    "no description of an answer": (
        "{responses: {'200': {description: ''}}}",
        f"{GET} 200: its description is missing",
    ),
}
REFUSED_DOCUMENTS = {
    "a webhook without a constant type": (
        "{webhooks: {a: {post: {requestBody: {content: {application/json: {schema:"
        " {type: object}}}}}}}}",
        "webhooks.a.post: its body is not a component with a constant `type`",
    ),
    "no description of the protocol": (
        "{info: {description: null}}",
        "info: its description is missing",
    ),
}


def problems(change: Any) -> list[str]:
    """What is said of the small document with a change, a line for each problem."""
    with pytest.raises(spec.SpecError) as caught:
        constructs.check(prepared(merge(SMALL, change)))
    return str(caught.value).splitlines()


def test_the_small_document_is_accepted() -> None:
    constructs.check(prepared(SMALL))


@pytest.mark.parametrize("construct", REFUSED_OPERATIONS)
def test_refused_operation(construct: str) -> None:
    change, expected = REFUSED_OPERATIONS[construct]
    (problem,) = problems({"paths": {"/things": {"get": parsed(change)}}})
    assert problem.startswith(expected)


@pytest.mark.parametrize("construct", REFUSED_DOCUMENTS)
def test_refused_document(construct: str) -> None:
    change, expected = REFUSED_DOCUMENTS[construct]
    (problem,) = problems(parsed(change))
    assert problem.startswith(expected)


# What is supported, generated once


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = copy_repository(
        tmp_path_factory.mktemp("kitchen"), "v1", "ga", "v1.yaml", "ga.yaml", "*.md"
    )
    shutil.copy(KITCHEN, root / "openapi")
    done = run(root, "openapi/generate.py")
    assert done.returncode == 0, done.stderr
    return root


def of_kitchen(root: Path, program: str) -> str:
    return printed(root, "from openai_realtime_client.kitchen import *\n" + program)


def page(root: Path, name: str) -> str:
    return without_html((root / f"docs/kitchen/{name}.md").read_text("utf-8"))


NESTED = {
    "kind": "group",
    "items": [{"kind": "short", "around": {"kind": "long", "text": None}}, {"kind": "new", "a": 1}],
    "named": {"x": {"kind": "group", "items": []}},
}


def test_recursion(kitchen: Path) -> None:
    """Whichever module is imported first, everything fits in everything."""
    program = f"""
import importlib, os, pydantic, sys

def use_first(module):
    importlib.import_module("openai_realtime_client.kitchen.models." + module)
    from openai_realtime_client.kitchen import Item, ItemGroup, SimpleLong, SimpleShort, Thing
    text = {json.dumps(NESTED, separators=(",", ":"))!r}
    group = pydantic.TypeAdapter(Item).validate_json(text)
    print(module, type(group).__name__, *(type(item).__name__ for item in group.items),
          type(group.items[0].around).__name__, type(group.named["x"]).__name__, flush=True)
    assert group.to_json() == text and ItemGroup.from_json(text) == group
    assert SimpleShort(around=SimpleLong(text="a")).around.text == "a"
    assert Thing(id="a", size=1, parent=Thing(id="b", size=2)).parent.size == 2

for module in {MODULES}:
    if not (child := os.fork()):
        use_first(module)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""
    assert printed(kitchen, program).splitlines() == [
        f"{module} ItemGroup SimpleShort UnknownModel SimpleLong ItemGroup" for module in MODULES
    ]


def test_all_of_with_siblings(kitchen: Path) -> None:
    program = """
import inspect
print(*Thing.model_fields)
print(*(name for name, field in Thing.model_fields.items() if field.is_required()))
"""
    fields = "id type size color const ref old words parent tags extra rate"
    assert of_kitchen(kitchen, program) == f"{fields}\nid size\n"


def test_unions_of_unions(kitchen: Path) -> None:
    program = """
from pydantic import TypeAdapter
for kind in ("short", "long", "group", "new"):
    print(type(TypeAdapter(Item).validate_python({"kind": kind, "text": "", "items": []})).__name__)
"""
    assert of_kitchen(kitchen, program).split() == [
        *("SimpleShort", "SimpleLong", "ItemGroup", "UnknownModel")
    ]


def test_parameters_and_answers(kitchen: Path) -> None:
    """Those of the path, the header and the query arrive, and lists, maps and unions come back."""
    program = """
import threading, http.server, json, warnings
warnings.simplefilter("ignore")
ANSWERS = {
    "/things/a%20b": {"id": "a", "size": 1}, "/item": {"kind": "long", "text": None},
    "/things": [{"id": "a", "size": 1}], "POST": {"a": 1},
}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path.startswith("/things/"):
            print(self.headers["X-Trace"], query)
        self.answer(ANSWERS[path])
    def do_POST(self):
        self.answer(ANSWERS["POST"])
    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
configuration = Configuration(host=f"http://127.0.0.1:{server.server_port}")
with ApiClient(configuration) as client:
    api = RealtimeApi(client)
    print(api.get_thing("a b", x_trace="t1", is_full=True))
    print(api.get_thing("a b").size)
    print(api.list_things())
    print(api.count_things(Thing(id="a", size=1)))
    print(api.get_item())
    for wrong in ({"a": "x"}, [1]):
        ANSWERS["POST"] = wrong
        try:
            api.count_things(Thing(id="a", size=1))
        except InvalidResponseError as error:
            print(error)
"""
    lines = of_kitchen(kitchen, program).splitlines()
    assert lines[0] == "t1 is_full=true"
    assert lines[1] == "id='a' size=1"
    assert lines[2:4] == ["None ", "1"]
    assert lines[4] == "[Thing(id='a', size=1)]"
    assert lines[5] == "{'a': 1}"
    assert lines[6] == "kind=<KindEnum.LONG: 'long'> text=None"
    assert "a: " in lines[7]
    assert len(lines) == 9


def test_webhooks(kitchen: Path) -> None:
    program = """
event = parse_webhook_event(b'{"type":"kitchen.opened","at":1}')
print(type(event).__name__, event.at)
print(type(parse_webhook_event('{"type":"new"}')).__name__)
"""
    assert of_kitchen(kitchen, program) == "WebhookKitchenOpened 1\nUnknownEvent\n"
    index = page(kitchen, "README")
    table, section = index.partition("### Webhooks\n\n")[2].split("\n\n")[:2]
    assert table.endswith("](WebhookKitchenOpened.md) | The kitchen opened |")
    assert section.splitlines() == [
        "- [RealtimeWebhookEvent](RealtimeWebhookEvent.md): "
        "Any event that the service posts to a webhook",
    ]
    assert "**Event**: `kitchen.opened`, sent by the webhook" in page(
        kitchen, "WebhookKitchenOpened"
    )


def test_deprecated_classes_and_methods(kitchen: Path) -> None:
    program = kitchen / "program.py"
    program.write_text(
        "from openai_realtime_client.kitchen import OldThing, RealtimeApi, Thing\n"
        "print(OldThing(size='a'), RealtimeApi().get_thing('a'), Thing(id='a', size=1))\n",
        "utf-8",
    )
    (kitchen / "pyrightconfig.json").write_text('{"reportDeprecated": "error"}', "utf-8")
    done = run(kitchen, "-m", "pyright", "--outputjson", str(program))
    found = json.loads(done.stdout)["generalDiagnostics"]
    said = [each["message"] for each in found if each["rule"] == "reportDeprecated"]
    assert len([text for text in said if "OldThing" in text]) == 2
    assert any("get_thing" in text and "use list_things" in text for text in said)
    assert not any('"Thing"' in text for text in said)
    assert "**Deprecated:** use list_things." in page(kitchen, "RealtimeApi")
    assert "**Deprecated:** the service may remove it." in page(kitchen, "OldThing")


def test_deprecated_values_and_properties(kitchen: Path) -> None:
    thing = page(kitchen, "Thing")
    assert "| RED | `red`, deprecated: shuts down on 2027-01-20 |" in thing
    assert "|**old** | **str** | No longer used. | [optional] [deprecated] |" in thing
    source = (kitchen / "openai_realtime_client/kitchen/models/thing.py").read_text("utf-8")
    assert 'RED = "red"\n        """Deprecated: shuts down on 2027-01-20."""' in source


def test_properties_called_like_keywords_and_odd_types(kitchen: Path) -> None:
    text = (
        '{"id":"a","size":1,"const":"c","$ref":"r","tags":["u"],"extra":[{"a":null}],"rate":48000}'
    )
    program = f"""
thing = Thing.from_json({text!r})
assert thing.to_json() == {text!r}
print(thing.const, thing.ref, thing.tags, thing.extra, thing.rate, len(deviations(thing)))
"""
    assert of_kitchen(kitchen, program) == "c r ['u'] [{'a': None}] 48000 0\n"


def test_limits(kitchen: Path) -> None:
    program = """
thing = Thing.from_json('{"id":"a","size":-1,"$ref":"longer","tags":[]}')
print(sorted(Thing.__limits__), deviations(thing), SimpleShort.__limits__)
"""
    limits = [("ref", None, 4), ("size", 0, None), ("tags", 1, 9)]
    assert of_kitchen(kitchen, program) == f"{limits} [] ()\n"
    assert "| [optional] [fewest `1`] [most `9`] [no repeats] |" in page(kitchen, "Thing")


def test_quotes_and_pipes_on_pages(kitchen: Path) -> None:
    thing = page(kitchen, "Thing")
    assert 'A thing that says "hello".' in thing
    assert '| Ends with a "quote." | [optional] [matches `a\\|b`] |' in thing
