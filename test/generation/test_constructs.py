"""What is generated from every construct of a fragment, what methods send, and what pages show."""

from __future__ import annotations

import ast
import inspect
import json
import re
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter
from typing_extensions import get_type_hints

from docs import without_html
from examples import Values
from http_server import Answer, HttpServer, json_answer
from openai_realtime_client import ga
from openai_realtime_client.shared import ApiClient, Configuration, deviations
from protocols import PROTOCOLS, Protocol
from python_types import docstring, literal

PACKAGE = "openai_realtime_client"
KEY = "k" * 16


@pytest.fixture
def kitchen(generated: Path) -> Any:
    return import_module(f"{PACKAGE}.kitchen")


@pytest.fixture
def requests(generated: Path) -> Any:
    return import_module(f"{PACKAGE}.requests")


def page(root: Path, name: str) -> str:
    return without_html((root / f"docs/{name}.md").read_text("utf-8"))


NESTED = {
    "kind": "group",
    "items": [{"kind": "short", "around": {"kind": "long", "text": None}}, {"kind": "new", "a": 1}],
    "named": {"x": {"kind": "group", "items": []}},
}


@pytest.mark.parametrize(
    "module", ["item", "item_group", "simple", "simple_short", "thing", "realtime_webhook_event"]
)
def test_recursion_whichever_module_is_imported_first(generated: Path, module: str) -> None:
    import_module(f"{PACKAGE}.kitchen.models.{module}")
    kitchen = import_module(f"{PACKAGE}.kitchen")
    text = json.dumps(NESTED, separators=(",", ":"))
    group: Any = TypeAdapter(kitchen.Item).validate_json(text)
    short, unknown = group.items
    assert type(group) is type(group.named["x"]) is kitchen.ItemGroup
    assert (type(short), type(short.around)) == (kitchen.SimpleShort, kitchen.SimpleLong)
    assert type(unknown).__name__ == "UnknownModel"
    assert group.to_json() == text
    assert kitchen.ItemGroup.from_json(text) == group
    parent = kitchen.Thing(id="b", size=2)
    assert kitchen.Thing(id="a", size=1, parent=parent).parent.size == 2


def test_all_of_with_siblings(kitchen: Any) -> None:
    fields = kitchen.Thing.model_fields
    expected = "id type size color const ref old words parent tags extra self_ mro_ n2nd rate"
    assert list(fields) == [*expected.split(), "lists", "marks"]
    assert [name for name in fields if fields[name].is_required()] == ["id", "size"]


def test_names_of_values(kitchen: Any) -> None:
    expected = ["AUDIO_PCM", "G711_ULAW", "TWO_WORDS_AND_MORE", "_24KHZ", "CLASS", "EMPTY"]
    assert [value.name for value in kitchen.Thing.N2ndEnum] == expected
    hints = get_type_hints(kitchen.Thing)
    assert hints["lists"] == list[list[kitchen.Thing.ListsEnum]] | None


def test_parameters_and_answers(kitchen: Any) -> None:
    """Those of the path, the header and the query arrive, and lists, maps and unions come back."""
    thing, long = {"id": "a", "size": 1}, {"kind": "long", "text": None}
    values = (thing, [thing], {"a": 1}, long, {"a": "x"})
    with (
        HttpServer(*map(json_answer, values)) as server,
        ApiClient(Configuration(host=server.url)) as client,
    ):
        api = kitchen.RealtimeApi(client)
        with pytest.warns(DeprecationWarning, match="use list_things"):
            found = api.get_thing("a b", x_trace="t1", is_full=True)
        assert found == kitchen.Thing(**thing)
        assert api.list_things() == [found]
        assert api.count_things(found) == {"a": 1}
        assert type(api.get_item()) is kitchen.SimpleLong
        with pytest.raises(kitchen.InvalidResponseError, match="a: "):
            api.count_things(found)
    request = server.requests[0]
    assert (request.path, request.headers["X-Trace"]) == ("/things/a%20b?is_full=true", "t1")


def test_webhooks(generated: Path, kitchen: Any) -> None:
    event = kitchen.parse_webhook_event(b'{"type":"kitchen.opened","at":1}')
    assert (type(event), event.at) == (kitchen.WebhookKitchenOpened, 1)
    unknown = kitchen.parse_webhook_event('{"type":"new"}')
    assert type(unknown).__name__ == "UnknownEvent"
    index = page(generated, "kitchen/README")
    table, section = index.partition("### Webhooks\n\n")[2].split("\n\n")[:2]
    assert table.endswith("](WebhookKitchenOpened.md) | The kitchen opened |")
    assert section.splitlines() == [
        "- [RealtimeWebhookEvent](RealtimeWebhookEvent.md): "
        "Any event that the service posts to a webhook"
    ]
    event_page = page(generated, "kitchen/WebhookKitchenOpened")
    assert "**Event**: `kitchen.opened`, sent by the webhook" in event_page


def test_deprecated_things_say_so(generated: Path, kitchen: Any) -> None:
    api = kitchen.RealtimeApi
    assert api.get_thing.__deprecated__ == "use list_things"
    assert api.get_thing_with_http_info.__deprecated__ == "use list_things"
    assert kitchen.OldThing.__deprecated__ == "the service may remove it"
    for name, text in (
        ("RealtimeApi", "**Deprecated:** use list_things."),
        ("OldThing", "**Deprecated:** the service may remove it."),
        ("Thing", "| RED | `red`, deprecated: shuts down on 2027-01-20 |"),
        ("Thing", "|**old** | **str** | No longer used. | [optional] [deprecated] |"),
    ):
        assert text in page(generated, f"kitchen/{name}")
    source = (generated / PACKAGE / "kitchen/models/thing.py").read_text("utf-8")
    assert 'RED = "red"\n        """Deprecated: shuts down on 2027-01-20."""' in source


def test_properties_called_like_keywords_and_odd_types(kitchen: Any) -> None:
    text = (
        '{"id":"a","size":1,"const":"c","$ref":"r","tags":["u"],"extra":[{"a":null}],'
        '"self":"s","mro":"m","2nd":"24kHz","rate":48000}'
    )
    thing = kitchen.Thing.from_json(text)
    assert thing.to_json() == text
    assert (thing.const, thing.ref, thing.self_, thing.n2nd.name) == ("c", "r", "s", "_24KHZ")
    assert (thing.tags, thing.extra, thing.rate) == (["u"], [{"a": None}], 48000)
    assert kitchen.OfKind().to_dict() == {"kind": "b"}
    # What tells members apart is sent, also where it may be left out.
    assert kitchen.ItemGroup(items=[]).to_dict() == {"kind": "group", "items": []}
    assert list(deviations(thing)) == []


def test_numbers_and_booleans_tell_members_apart(generated: Path, kitchen: Any) -> None:
    for values in ({"is_done": False, "code": 1}, {"is_done": True, "code": 1}):
        step = TypeAdapter(kitchen.Step).validate_python(values)
        assert type(step) is (kitchen.StepDone if values["is_done"] else kitchen.StepFailed)
        assert step.to_dict() == type(step)(code=1).to_dict() == values
    # What tells members apart is sent, also where it may be left out.
    second = TypeAdapter(kitchen.Size).validate_python({"v": 2, "x": "a"})
    assert kitchen.SizeTwo(x="a").to_dict() == second.to_dict() == {"v": 2, "x": "a"}
    assert type(second) is kitchen.SizeTwo
    # In Python, `1 == True`.
    step = TypeAdapter(kitchen.Step).validate_json('{"is_done":1,"code":1}')
    assert (type(step).__name__, step.to_json()) == ("UnknownModel", '{"is_done":1,"code":1}')
    assert "`is_done`: `false` and `code`" in page(generated, "kitchen/Step")
    assert "|**is_done** | **bool** |" in page(generated, "kitchen/StepDone")


def test_limits(generated: Path, kitchen: Any) -> None:
    thing = kitchen.Thing.from_json('{"id":"a","size":-1,"$ref":"longer","tags":[]}')
    assert sorted(kitchen.Thing.__limits__) == [("ref", None, 4), ("size", 0, None), ("tags", 1, 9)]
    assert kitchen.SimpleShort.__limits__ == ()
    assert list(deviations(thing)) == []
    assert "| [optional] [fewest `1`] [most `9`] [no repeats] |" in page(generated, "kitchen/Thing")


def test_quotes_and_pipes_on_pages(generated: Path) -> None:
    thing = page(generated, "kitchen/Thing")
    assert 'A thing that says "hello".' in thing
    assert '| Ends with a "quote." | [optional] [matches `a\\|b`] |' in thing
    assert "| A_B | `a\\|b` |\n| C_D | `` c`d `` |" in thing
    assert '# Some "requests"\n' in page(generated, "requests/README")
    summary = page(generated, "requests/AllThingsApi").partition("| Summary |")[2]
    assert '| Read "a" part \\| \\ it |\n' in summary


# What methods and connections send

# For each case: a call, and what the server receives, or what the call returns.
CALLS = {
    "path_of_scalars": ("read(True)", "/things/5/parts/true"),
    "list_in_query": (
        'read(False, tags=["a", "b"])',
        "/things/5/parts/false?tags%5B%5D=a&tags%5B%5D=b",
    ),
    "list_in_one_parameter": ("api.fixed(ids=[1, 2])", "/parts?ids=1%2C2&all="),
    "query_in_path": ("api.fixed()", "/parts?all="),
    "argument_for_the_query_in_path": ('api.fixed(action="c")', "/parts?action=c&all="),
    "name_of_a_function": ('read(False, decoder_="a")', "/things/5/parts/false?decoder=a"),
    "union_in_query": ('read(False, either="a")', "/things/5/parts/false?either=a"),
    "keyword_as_parameter": (
        'read(False, class_="c", sort="down", limit=3)',
        "/things/5/parts/false?sort=down&class=c&limit=3",
    ),
    "key_in_header": ("read(False)", {"x-key": KEY}),
    "no_bearer_beside_key": ("read(False)", {"authorization": None}),
    "header_replaces_key": (
        'read(False, authorization="a")',
        {"authorization": "a", "x-key": None},
    ),
    "list_in_form": ('send(names=["a", "b"])', ('name="names"\r\n', 2)),
    "bytes_in_form": (r'send(files=[b"\x00\xff"])', ("\r\n\r\n\x00\xff\r\n", 1)),
    "file_name_in_form": ('send(files=[("x", b"1"), b"2"])', ('name="files"; filename="x"', 1)),
    "file_without_name_in_form": ('send(files=[b"2"])', ('filename="files"', 1)),
    "first_type_of_encoding": ('send(sheet=b"1,2")', ("Content-Type: text/csv\r\n", 1)),
    "number_in_form": ("send(count=3)", ("\r\n\r\n3\r\n", 1)),
    "object_in_form": (
        'send(login=package.Login(user_name="n"))',
        ('Content-Type: application/json\r\n\r\n{"userName":"n"}', 1),
    ),
    "enum_in_form": ('send(color="red")', ("Content-Type: text/plain\r\n\r\nred", 1)),
    "optional_form": ("send()", {"content-type": None, "content-length": "0"}),
    "urlencoded_form": ('api.login("a b", is_admin=True)', ("userName=a+b&isAdmin=true", 1)),
    "no_key_where_security_is_empty": ('api.login("a")', {"x-key": None, "authorization": None}),
    "key_in_query": (r'api.put_raw(b"\x01")', f"/raw?token={KEY}"),
    "raw_body": (r'api.put_raw(b"\x01")', {"content-type": "application/octet-stream"}),
    "list_as_body": (
        'api.patch_raw([package.Form(count=1), {"count": 2}])',
        ('[{"count":1},{"count":2}]', 1),
    ),
    "media_type_of_json": ("api.patch_raw([])", {"content-type": "application/merge-patch+json"}),
    "one_token_for_two_schemes": ("api.list_()", {"authorization": f"Bearer {KEY}"}),
    "bearer_for_oauth2": ("api.patch_raw()", {"authorization": f"Bearer {KEY}"}),
    "accepted_type_with_quotes": ("api.patch_raw()", {"accept": 'text/plain; charset="utf-8"'}),
    "quoted_path": ('api.import_("a/b")', "/it's/a%2Fb"),
    "text_as_json_body": ('api.import_("a", body="x")', ('"x"', 1)),
}


@pytest.mark.parametrize(("call", "expected"), CALLS.values(), ids=CALLS)
def test_call_sends(requests: Any, call: str, expected: Any) -> None:
    with HttpServer(json_answer({})) as server:
        api = requests.AllThingsApi(requests.ApiClient(requests.Configuration(server.url, KEY)))
        read = partial(api.read_part_things__thing_id__get, 5)
        eval(call, {"api": api, "read": read, "send": api.send_form, "package": requests})
    (request,) = server.requests
    if isinstance(expected, str):
        assert request.path == expected
    elif isinstance(expected, dict):
        assert {name: request.headers[name] for name in expected} == expected
    else:
        text, count = expected
        assert request.body.decode("latin-1").count(text) == count


def test_binary_text_is_a_file_in_multipart_alone(requests: Any) -> None:
    api = requests.AllThingsApi
    assert inspect.signature(api.login).parameters["user_name"].annotation == "str"
    assert inspect.signature(api.send_form).parameters["sheet"].annotation == "File | None"


def test_answer_without_a_body_tells_what_was_created(requests: Any) -> None:
    with HttpServer(Answer(201, headers={"Location": "/logins/7"})) as server:
        api = requests.AllThingsApi(requests.ApiClient(requests.Configuration(server.url, KEY)))
        created = api.login("a")
    assert (created.id, created.data) == ("7", None)


def test_answers_of_any_media_type_and_status(requests: Any) -> None:
    """Other types than JSON and text are bytes; of several answers each is parsed, or `None`."""
    values = ({"count": 1}, {"userName": "n"}, ["a"], None)
    answers = [Answer(200, b"\0\xff"), Answer(204), *map(json_answer, values)]
    with HttpServer(*answers) as server:
        client = requests.ApiClient(requests.Configuration(server.url, KEY))
        assert requests.AllThingsApi(client).list_() == b"\0\xff"
        api = requests.OtherThingsApi(client)
        found = [api.list_() for _ in range(3)]
        assert [each.data for each in found] == [
            *(None, requests.Form(count=1), requests.Login(user_name="n"))
        ]
        assert server.requests[1].headers["accept"] == "Text/JSON; charset=utf-8, application/json"
        with pytest.warns(DeprecationWarning, match="the service may remove it"):
            assert [api.deprecated_(), api.deprecated_()] == [["a"], None]
    assert api.list_.__annotations__["return"] == "Created[List200Response | None]"
    assert requests.Color.RED == "red"


def test_page_describes_the_arguments_of_a_method(generated: Path, requests: Any) -> None:
    api_page = page(generated, "requests/AllThingsApi")
    section = api_page.partition("## read_part_things__thing_id__get\n")[2].partition("\n## ")[0]
    names = re.findall(r"^\|\*\*([^*]+)\*\* \|", section, re.MULTILINE)
    method = requests.AllThingsApi.read_part_things__thing_id__get
    assert ["self", *names, "headers", "timeout"] == list(inspect.signature(method).parameters)
    assert "| L. | [optional] [at most `9`] |" in section
    assert '| S. | [optional] [known: `"up"`, `"down"`] [default `"up"`] |' in section
    assert "| D. | [optional] [deprecated] |" in section
    assert '.put_raw(body=b"body")' in api_page
    assert '.import_(a_b="a.b", body="body")' in api_page


def test_client_of_another_server_knows_nothing_of_openai(
    requests: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.openai.com/v1")
    configuration = requests.ApiClient().configuration
    assert (configuration.host, configuration.credential.key) == (
        "https://eu.example.com/api",
        None,
    )


def test_connection_takes_the_parameters_of_its_path(requests: Any) -> None:
    base = "wss://eu.example.com/api/rooms"
    connection = requests.connect_channel(room_name="a/b")
    assert connection._url() == f"{base}/a%2Fb/channel"
    # Nothing says that this server needs a key.
    assert "Authorization" not in dict(connection._handshake_headers(None).items())
    connection = requests.connect_channel_sync("m", room_name="a", api_key="")
    assert connection._url() == f"{base}/a/channel?model=m"
    # Beside it, the settings are those of every connection, with their types.
    for connect in (requests.connect_channel, requests.connect_channel_sync):
        parameters = dict(inspect.signature(connect).parameters)
        assert parameters.pop("room_name").annotation == "str"
        assert parameters == dict(inspect.signature(ga.connect).parameters)


def test_unions_of_events_are_named_by_the_fragment(generated: Path, requests: Any) -> None:
    names = [name for name in requests.__all__ if name.startswith(("parse_", "connect"))]
    assert sorted(names) == [
        *("connect_channel", "connect_channel_sync"),
        *("parse_notice", "parse_received", "parse_sent"),
    ]
    assert type(requests.parse_notice('{"type":"farewell"}')) is requests.Bye
    assert "**Event**: `bye` or `farewell`, sent" in page(generated, "requests/Bye")
    sent = page(generated, "requests/Sent")
    assert "`connect_channel` and `connect_channel_sync`" in sent
    assert "connect" not in page(generated, "requests/Notice")


def test_dictionaries_have_any_keys(requests: Any) -> None:
    hints = get_type_hints(requests.TellParam)
    assert list(hints) == ["type", "from", "x-to", "notes"]
    assert get_args(hints["type"]) == ("tell",)
    assert hints["x-to"] == (str | None)
    assert hints["notes"] is requests.NotesParam
    notes = get_type_hints(requests.NotesParam)
    assert (list(notes), notes["str"]) == (["str", "text", "flags"], int)


# What docstrings and examples say

TEXTS = [
    "plain",
    "it's",
    """it's a "quote\"""",
    'ends with a quote"',
    "ends with a backslash\\",
    "'''\"\"\"",
    r"a path \new \u0041",
    "été 🙂",
]


@pytest.mark.parametrize("text", TEXTS)
def test_literals_and_docstrings_say_the_text(text: str) -> None:
    for value in (text, [text], {text: [True, None, 1.5]}):
        assert ast.literal_eval(literal(value)) == value
    for whole in (text, " ".join([text] * 30)):
        said = ast.literal_eval(docstring(whole, "    "))
        assert said.split() == whole.split()
    # With double quotes where that can be.
    assert literal({"a": "b"}) == '{"a": "b"}'
    paragraphs = docstring(f"{'First ' * 30}words. {'Then ' * 60}others.", "    ").splitlines()
    assert 86 < len(paragraphs[0]) <= 96
    assert max(map(len, paragraphs)) <= 100
    assert "" in paragraphs
    assert paragraphs[-1] == '    """'


@pytest.mark.parametrize(
    ("parts", "example", "value", "source"),
    [
        (
            {"items": {"$ref": "#/components/schemas/Part"}},
            {"event_id": "e", "parts": [{"kind": "b"}, {"unknown": 1}]},
            {"parts": [{"kind": "b"}, {"unknown": 1}]},
            'Thing(parts=[Part(), {"unknown": 1}])',
        ),
        (
            {"additionalProperties": {"items": {"$ref": "#/components/schemas/Part"}}},
            {},
            {"parts": {"key": [{"kind": "b"}]}, "own_id": "own_001"},
            'Thing(parts={"key": [Part()]}, own_id="own_001")',
        ),
        (
            {"items": {"$ref": "#/components/schemas/Thing"}},
            {},
            {"parts": [], "own_id": "own_001"},
            'Thing(parts=[], own_id="own_001")',
        ),
        (
            {"$ref": "#/components/schemas/PartOrText"},
            {"parts": {"kind": "b"}},
            {"parts": {"kind": "b"}},
            "Thing(parts=Part())",
        ),
    ],
    ids=["with_an_event_id_and_an_unknown_field", "map_of_lists", "recursion", "object_or_text"],
)
def test_an_example_of_an_object(parts: Any, example: Any, value: Any, source: str) -> None:
    text = {"type": "string"}
    thing: Any = {"properties": {"parts": parts, "event_id": text, "own_id": dict(text)}}
    thing["required"] = ["parts", "own_id"]
    part = {"properties": {"kind": {"x-constant": '"b"', "x-value": "b"}}}
    for schema in (thing, part):
        for name, child in schema["properties"].items():
            child["x-name"] = name
    if example:
        thing["example"] = example
    either = {"anyOf": [{"$ref": "#/components/schemas/Part"}, {"type": "string"}]}
    values = Values({"Thing": thing, "Part": part, "PartOrText": either})
    assert values.value("Thing") == value
    assert values.source({"$ref": "#/components/schemas/Thing"}, value, set()) == source


each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda each: each.name)


@each_protocol
def test_methods_and_what_builds_events_document_their_arguments(protocol: Protocol) -> None:
    for name in protocol.module.__all__:
        found = getattr(protocol.module, name)
        if name in ("user_text", "user_audio", "function_output"):
            # To hovers, too.
            assert inspect.isfunction(found)
            assert "\nArgs:\n" in str(inspect.getdoc(found))
        if not re.fullmatch("(?!Async).+Api", name):
            continue
        for method_name, method in inspect.getmembers(found, inspect.isfunction):
            text = inspect.getdoc(method) or ""
            plain, is_with_info, _ = method_name.partition("_with_http_info")
            if is_with_info:
                assert text == f"As `{plain}`, returning `ApiResponse`."
            elif not plain.startswith("_"):
                arguments = text.partition("\nArgs:\n")[2].partition("\n\n")[0]
                documented = re.findall(r"^    (\w+): \S", arguments, re.MULTILINE)
                signature = inspect.signature(method)
                assert sorted(documented) == sorted({*signature.parameters} - {"self"})
                assert ("\nReturns:\n" in text) == (signature.return_annotation != "None")
                assert "\nRaises:\n    Api" in text


@each_protocol
def test_a_constructor_has_the_docstring_of_its_class(protocol: Protocol) -> None:
    """Hovers show it, where they would show that of pydantic's constructor."""
    models = []
    for path in (Path(protocol.module.__file__ or "").parent / "models").glob("*.py"):
        for model in ast.parse(path.read_text("utf-8")).body:
            if isinstance(model, ast.ClassDef) and ast.unparse(model.bases[0]) == "RealtimeModel":
                nodes = [node for node in ast.walk(model) if isinstance(node, ast.FunctionDef)]
                texts = [(ast.get_docstring(node) or "").split() for node in (model, *nodes)]
                assert texts[1:] == texts[:1], model.name
                models.append(model)
    assert models
