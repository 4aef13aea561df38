"""What is generated from every construct of a fragment, and what its methods send."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from docs import without_html
from trees import copy_repository, once, printed, run

MODULES = ("item", "item_group", "simple", "simple_short", "thing", "realtime_webhook_event")


def generate(root: Path) -> Path:
    """Generate the packages of these two fragments alone."""
    copy_repository(root, "v1", "ga", "v1.yaml", "ga.yaml", "*.md")
    for name in ("kitchen.yaml", "requests.yaml"):
        shutil.copy(Path(__file__).with_name(name), root / "openapi")
    done = run(root, "openapi/generate.py")
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "constructs", generate)


def of_kitchen(root: Path, program: str) -> str:
    return printed(root, "from openai_realtime_client.kitchen import *\n" + program)


def page(root: Path, name: str) -> str:
    return without_html((root / f"docs/kitchen/{name}.md").read_text("utf-8"))


NESTED = {
    "kind": "group",
    "items": [{"kind": "short", "around": {"kind": "long", "text": None}}, {"kind": "new", "a": 1}],
    "named": {"x": {"kind": "group", "items": []}},
}


def test_recursion(generated: Path) -> None:
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
    assert printed(generated, program).splitlines() == [
        f"{module} ItemGroup SimpleShort UnknownModel SimpleLong ItemGroup" for module in MODULES
    ]


def test_all_of_with_siblings(generated: Path) -> None:
    program = """
import inspect
print(*Thing.model_fields)
print(*(name for name, field in Thing.model_fields.items() if field.is_required()))
"""
    fields = "id type size color const ref old words parent tags extra self_ mro_ n2nd rate"
    assert of_kitchen(generated, program) == f"{fields}\nid size\n"


def test_unions_of_unions(generated: Path) -> None:
    program = """
from pydantic import TypeAdapter
for kind in ("short", "long", "group", "new"):
    print(type(TypeAdapter(Item).validate_python({"kind": kind, "text": "", "items": []})).__name__)
"""
    assert of_kitchen(generated, program).split() == [
        *("SimpleShort", "SimpleLong", "ItemGroup", "UnknownModel")
    ]


def test_parameters_and_answers(generated: Path) -> None:
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
    lines = of_kitchen(generated, program).splitlines()
    assert lines[0] == "t1 is_full=true"
    assert lines[1] == "id='a' size=1"
    assert lines[2:4] == ["None ", "1"]
    assert lines[4] == "[Thing(id='a', size=1)]"
    assert lines[5] == "{'a': 1}"
    assert lines[6] == "kind=<KindEnum.LONG: 'long'> text=None"
    assert "a: " in lines[7]
    assert len(lines) == 9


def test_webhooks(generated: Path) -> None:
    program = """
event = parse_webhook_event(b'{"type":"kitchen.opened","at":1}')
print(type(event).__name__, event.at)
print(type(parse_webhook_event('{"type":"new"}')).__name__)
"""
    assert of_kitchen(generated, program) == "WebhookKitchenOpened 1\nUnknownEvent\n"
    index = page(generated, "README")
    table, section = index.partition("### Webhooks\n\n")[2].split("\n\n")[:2]
    assert table.endswith("](WebhookKitchenOpened.md) | The kitchen opened |")
    assert section.splitlines() == [
        "- [RealtimeWebhookEvent](RealtimeWebhookEvent.md): "
        "Any event that the service posts to a webhook",
    ]
    assert "**Event**: `kitchen.opened`, sent by the webhook" in page(
        generated, "WebhookKitchenOpened"
    )


def test_deprecated_classes_and_methods(generated: Path) -> None:
    program = generated / "program.py"
    program.write_text(
        "from openai_realtime_client.kitchen import OldThing, RealtimeApi, Thing\n"
        "print(OldThing(size='a'), RealtimeApi().get_thing('a'), Thing(id='a', size=1))\n"
        # Of another server than OpenAI's, the client is one of its own.
        "from openai_realtime_client.requests import ApiClient, client\n"
        "own: type[client.ApiClient] = ApiClient\n",
        "utf-8",
    )
    (generated / "pyrightconfig.json").write_text('{"reportDeprecated": "error"}', "utf-8")
    done = run(generated, "-m", "pyright", "--outputjson", str(program))
    found = json.loads(done.stdout)["generalDiagnostics"]
    said = [each["message"] for each in found if each["rule"] == "reportDeprecated"]
    assert {each["rule"] for each in found} == {"reportDeprecated"}
    assert len([text for text in said if "OldThing" in text]) == 2
    assert any("get_thing" in text and "use list_things" in text for text in said)
    assert not any('"Thing"' in text for text in said)
    assert "**Deprecated:** use list_things." in page(generated, "RealtimeApi")
    assert "**Deprecated:** the service may remove it." in page(generated, "OldThing")


def test_deprecated_values_and_properties(generated: Path) -> None:
    thing = page(generated, "Thing")
    assert "| RED | `red`, deprecated: shuts down on 2027-01-20 |" in thing
    assert "|**old** | **str** | No longer used. | [optional] [deprecated] |" in thing
    source = (generated / "openai_realtime_client/kitchen/models/thing.py").read_text("utf-8")
    assert 'RED = "red"\n        """Deprecated: shuts down on 2027-01-20."""' in source


def test_properties_called_like_keywords_and_odd_types(generated: Path) -> None:
    text = (
        '{"id":"a","size":1,"const":"c","$ref":"r","tags":["u"],"extra":[{"a":null}],'
        '"self":"s","mro":"m","2nd":"b","rate":48000}'
    )
    program = f"""
thing = Thing.from_json({text!r})
assert thing.to_json() == {text!r}
assert OfKind().to_dict() == {{"kind": "b"}}
print(thing.const, thing.ref, thing.tags, thing.extra, thing.self_, thing.n2nd.name, thing.rate)
print(len(deviations(thing)))
"""
    assert of_kitchen(generated, program) == "c r ['u'] [{'a': None}] s B 48000\n0\n"


def test_limits(generated: Path) -> None:
    program = """
thing = Thing.from_json('{"id":"a","size":-1,"$ref":"longer","tags":[]}')
print(sorted(Thing.__limits__), deviations(thing), SimpleShort.__limits__)
"""
    limits = [("ref", None, 4), ("size", 0, None), ("tags", 1, 9)]
    assert of_kitchen(generated, program) == f"{limits} [] ()\n"
    assert "| [optional] [fewest `1`] [most `9`] [no repeats] |" in page(generated, "Thing")


def test_quotes_and_pipes_on_pages(generated: Path) -> None:
    thing = page(generated, "Thing")
    assert 'A thing that says "hello".' in thing
    assert '| Ends with a "quote." | [optional] [matches `a\\|b`] |' in thing


# What methods and connections send

# For each case: a call, and what the server receives, or what the call returns.
CALLS = {
    "path_of_scalars": ("api.read_part_things__thing_id__get(5, True)", "/things/5/parts/true"),
    "list_in_query": (
        'api.read_part_things__thing_id__get(5, False, tags=["a", "b"])',
        "/things/5/parts/false?tags%5B%5D=a&tags%5B%5D=b",
    ),
    "parameter_called_like_a_function": (
        'api.read_part_things__thing_id__get(5, False, decoder_="a")',
        "/things/5/parts/false?decoder=a",
    ),
    "union_in_query": (
        'api.read_part_things__thing_id__get(5, False, either="a")',
        "/things/5/parts/false?either=a",
    ),
    "keyword_as_parameter": (
        'api.read_part_things__thing_id__get(5, False, class_="c", sort="down", limit=3)',
        "/things/5/parts/false?sort=down&class=c&limit=3",
    ),
    "key_in_header": ("api.read_part_things__thing_id__get(5, False)", {"x-key": "k" * 16}),
    "no_bearer_beside_key": (
        "api.read_part_things__thing_id__get(5, False)",
        {"authorization": None},
    ),
    "authorization_replaces_key": (
        'api.read_part_things__thing_id__get(5, False, authorization="Token abc")',
        {"authorization": "Token abc", "x-key": None},
    ),
    "list_in_form": ('api.send_form(names=["a", "b"])', ('name="names"\r\n', 2)),
    "bytes_in_form": (r'api.send_form(files=[b"\x00\xff"])', ("\r\n\r\n\x00\xff\r\n", 1)),
    "file_name_in_form": (
        'api.send_form(files=[("x.bin", b"1"), b"2"])',
        ('name="files"; filename="x.bin"', 1),
    ),
    "file_without_name_in_form": ('api.send_form(files=[b"2"])', ('filename="files"', 1)),
    "first_type_of_encoding": ('api.send_form(sheet=b"1,2")', ("Content-Type: text/csv\r\n", 1)),
    "number_in_form": ("api.send_form(count=3)", ("\r\n\r\n3\r\n", 1)),
    "object_in_form": (
        'api.send_form(login=Login(user_name="n"))',
        ('Content-Type: application/json\r\n\r\n{"userName":"n"}', 1),
    ),
    "optional_form": ("api.send_form()", {"content-type": None, "content-length": "0"}),
    "urlencoded_form": (
        'api.login("a b", is_admin=True)',
        ("userName=a+b&isAdmin=true", 1),
    ),
    "no_key_where_security_is_empty": ('api.login("a")', {"x-key": None, "authorization": None}),
    "key_in_query": (r'api.put_raw(b"\x01")', f"/raw?token={'k' * 16}"),
    "raw_body": (r'api.put_raw(b"\x01")', {"content-type": "application/octet-stream"}),
    "list_as_body": (
        'api.patch_raw([Form(count=1), {"count": 2}])',
        ('[{"count":1},{"count":2}]', 1),
    ),
    "media_type_of_json": ("api.patch_raw([])", {"content-type": "application/merge-patch+json"}),
    "bearer_for_oauth2": ("api.patch_raw()", {"authorization": f"Bearer {'k' * 16}"}),
    "accepted_type_with_quotes": ("api.patch_raw()", {"accept": 'text/plain; charset="utf-8"'}),
    "quoted_path": ('api.import_("a/b")', "/it's/a%2Fb"),
    "text_as_json_body": ('api.import_("a", body="x")', ('"x"', 1)),
}
PROGRAM = """
import http.server, json, sys, threading
from openai_realtime_client.requests import *
log = []
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode("latin-1")
        headers = {name.lower(): value for name, value in self.headers.items()}
        log.append({"path": self.path, "headers": headers, "body": body})
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    do_GET = do_POST = do_PUT = do_PATCH = answer
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
api = AllThingsApi(ApiClient(Configuration(url, "k" * 16)))
for call in json.loads(sys.argv[1]):
    eval(call)
print(json.dumps(log))
"""


@pytest.fixture(scope="module")
def received(generated: Path) -> dict[str, Any]:
    """What the server received of each call."""
    calls = [call for call, _ in CALLS.values()]
    done = run(generated, "-W", "error", "-c", PROGRAM, json.dumps(calls))
    assert done.returncode == 0, done.stderr
    return dict(zip(CALLS, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("case", CALLS)
def test_call_sends(received: dict[str, Any], case: str) -> None:
    request, expected = received[case], CALLS[case][1]
    if isinstance(expected, str):
        assert request["path"] == expected
    elif isinstance(expected, dict):
        assert {name: request["headers"].get(name) for name in expected} == expected
    else:
        text, count = expected
        assert request["body"].count(text) == count, request["body"]


def test_page_names_arguments_as_the_method_does(generated: Path) -> None:
    page = (generated / "docs/requests/AllThingsApi.md").read_text("utf-8").replace("<wbr>", "")
    section = page.partition("## read_part_things__thing_id__get\n")[2].partition("\n## ")[0]
    names = re.findall(r"^\|\*\*([^*]+)\*\* \|", section, re.MULTILINE)
    program = """
import inspect
from openai_realtime_client.requests import AllThingsApi
print(*inspect.signature(AllThingsApi.read_part_things__thing_id__get).parameters)
"""
    assert ["self", *names, "headers", "timeout"] == printed(generated, program).split()


def test_page_notes_what_a_parameter_may_be(generated: Path) -> None:
    page = (generated / "docs/requests/AllThingsApi.md").read_text("utf-8")
    assert "| L. | [optional] [at most `9`] |" in page
    assert '| S. | [optional] [default `"up"`] |' in page


def test_example_passes_what_is_optional_by_name(generated: Path) -> None:
    page = (generated / "docs/requests/AllThingsApi.md").read_text("utf-8")
    assert re.search(r'\.import_\("[^"]*", body="[^"]*"\)', page)


def test_client_of_another_server_knows_nothing_of_openai(generated: Path) -> None:
    program = """
import os
os.environ |= {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "https://api.openai.com/v1"}
from openai_realtime_client.requests import ApiClient, Configuration
print(ApiClient().configuration.host, Configuration().credential.key)
"""
    assert printed(generated, program) == "https://eu.example.com/api None\n"


def test_connection_takes_the_parameters_of_its_path(generated: Path) -> None:
    program = """
from openai_realtime_client.requests import connect_channel, connect_channel_sync
print(connect_channel(room_name="a/b", api_key="")._url())
print(connect_channel_sync("m", room_name="a", api_key="")._url())
"""
    assert printed(generated, program).splitlines() == [
        "wss://eu.example.com/api/rooms/a%2Fb/channel",
        "wss://eu.example.com/api/rooms/a/channel?model=m",
    ]


def test_unions_of_events_are_named_by_the_fragment(generated: Path) -> None:
    program = """
import openai_realtime_client.requests as package
print(*sorted(name for name in package.__all__ if name.startswith(("parse_", "connect"))))
print(type(package.parse_notice('{"type":"bye"}')).__name__)
"""
    assert printed(generated, program).splitlines() == [
        "connect_channel connect_channel_sync parse_notice parse_received parse_sent",
        "Bye",
    ]
    page = (generated / "docs/requests/Sent.md").read_text("utf-8")
    assert "`connect_channel` and `connect_channel_sync`" in page
    assert "connect" not in (generated / "docs/requests/Notice.md").read_text("utf-8")


def test_dictionaries_have_any_keys(generated: Path) -> None:
    program = """
from typing_extensions import get_type_hints
from openai_realtime_client import requests
for params in (requests.TellParam, requests.NotesParam):
    print(*(f"{key}: {kind}" for key, kind in get_type_hints(params).items()), sep="; ")
"""
    own = "openai_realtime_client.requests.params.NotesParam"
    assert printed(generated, program).splitlines() == [
        "type: typing.Literal['tell']; from: <class 'str'>; x-to: str | None; "
        f"notes: <class '{own}'>",
        "str: <class 'int'>; text: <class 'str'>; flags: collections.abc.Sequence[bool]",
    ]
