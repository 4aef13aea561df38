"""The form of all pages, what the generated ones say, and what their examples do."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from functools import cache, cached_property
from itertools import pairwise
from typing import Any, NamedTuple, get_type_hints

import pytest

import openai_realtime_client.shared
import openai_realtime_client.testing
import spec
from docs import DOCS, EVENT_PAGES, GUIDES, PAGES, Example, Page, page_at, run, without_links
from http_server import Answer, HttpServer
from mutation import places
from openai_realtime_client import OpenEnum, deviations, v1
from openai_realtime_client.core.encoding import to_dict
from protocols import PROTOCOLS, REALTIME, ROOT, V1, Protocol

GENERATED = [page for page in PAGES if page.path.parent != DOCS and page not in GUIDES]
MODELS = [page for page in GENERATED if re.match(r"[A-Z](?!.*Api$)(?!EADME)", page.path.stem)]
each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda each: each.name)

# The longest words of a row that fit side by side on a page of 1,012 pixels, as seen in a browser.
WIDEST_ROW = 124


class Field(NamedTuple):
    """A field of a class, and the cells of its row in the page's table."""

    name: str
    schema: dict[str, Any]
    cell: str
    type: str
    description: str
    notes: str


def page(protocol: Protocol, name: str) -> Page:
    return page_at(DOCS / protocol.name / f"{name}.md")


def section(page: Page, heading: str) -> str:
    return page.text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def classes() -> Iterator[tuple[Protocol, str, dict[str, Any]]]:
    """Every public class or union, with its schema."""
    for protocol in PROTOCOLS:
        for name in protocol.public():
            yield protocol, name, protocol.schemas[name]


def models() -> Iterator[tuple[Protocol, str, list[Field]]]:
    """Every class that has fields, with these."""
    for protocol, name, _schema in classes():
        if fields(protocol, name):
            yield protocol, name, fields(protocol, name)


@cache
def fields(protocol: Protocol, name: str) -> list[Field]:
    properties = protocol.schemas[name].get("properties", {})
    if not properties:
        return []
    table = next(t for t in page(protocol, name).tables if " Description " in t[0])
    rows = zip(properties.items(), table[2:], strict=True)
    return [Field(field, schema, *cells) for (field, schema), cells in rows]


def bare(cell: str) -> str:
    """A cell without its anchor, emphasis and places to break."""
    return re.sub(r"<[^>]*>|\*\*", "", cell).strip()


# Form


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    for page in (*PAGES, Page(ROOT / "README.md"), Page(ROOT / "CONTRIBUTING.md")):
        for file, anchor in page.links:
            assert file.exists(), (page.name, file)
            assert file.suffix != ".md" or anchor in {"", *page_at(file).anchors}, page.name


def test_every_file_that_a_page_names_exists() -> None:
    for page in (page_at(ROOT / "CONTRIBUTING.md"), page_at(ROOT / "README.md"), *GUIDES):
        for name in re.findall(
            r"`((?:test|openapi|examples|openai_realtime_client)/[\w/.]+)`", page.text
        ):
            assert (ROOT / name).exists(), f"{page.path.name}: {name}"


def test_tables_have_even_rows_that_fit_on_the_page() -> None:
    for page in PAGES:
        for table in page.tables:
            assert {len(row) for row in table} == {len(table[0])}, (page.name, table)
            assert all(re.fullmatch(r" *:?-+:? *", cell) for cell in table[1]), page.name
            columns = zip(*table, strict=True)
            assert sum(max(map(longest_word, column)) for column in columns) <= WIDEST_ROW, (
                page.name
            )


def longest_word(cell: str) -> int:
    """The length of what a browser cannot break, without emphasis and the targets of links."""
    text = re.sub(r"\]\([^)]*\)|<a id=[^>]*></a>|\*\*|`", "", cell)
    return max(map(len, re.split(r"[ -]|<wbr>", text)))


def test_headings_stand_alone_and_skip_no_level() -> None:
    for page in PAGES:
        lines = ["", *page.prose.splitlines(), ""]
        levels = []
        for before, line, after in zip(lines, lines[1:], lines[2:], strict=False):
            if re.match(r"#+ ", line):
                assert before == after == "", (page.name, line)
                levels.append(len(line.partition(" ")[0]))
        assert levels[0] == 1, page.name
        assert 1 not in levels[1:], page.name
        assert [pair for pair in pairwise(levels) if pair[1] > pair[0] + 1] == [], page.name


NUMBERS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|[0-9]+"
COUNTED = "events|members|models|classes|values|voices|fields|formats|guides|methods|pages"
WRITTEN = [page for page in PAGES if page.path.parent.name != "reference"]


@pytest.mark.parametrize(
    ("pattern", "pages"),
    [
        # All but anchors and places to break a name.
        (r'<(?!wbr>|a id="field-\w+"></a>|/a>)[a-zA-Z/][^>\s]*', PAGES),
        (r"&(?:#\w+|[a-zA-Z]\w*);", PAGES),
        (r"\{\{[^}]*|TODO|x-(?!www)[a-z]+-[a-z]+", PAGES),
        (r"… \|", PAGES),
        # The limits in docstrings are those of the package.
        (rf"(?i)\b(?:{NUMBERS}) (?:client |server )?(?:{COUNTED})\b", WRITTEN),
    ],
    ids=["html", "escapes", "templates", "cut_descriptions", "counts_of_what_changes"],
)
def test_no_page_has(pattern: str, pages: list[Page]) -> None:
    for page in pages:
        text = re.sub(r"`[^`\n]*`", "", page.prose)
        assert re.findall(pattern, text) == [], page.name


def test_descriptions_of_fields_are_whole() -> None:
    for _protocol, name, listed in models():
        for field in listed:
            described = " ".join(field.schema["description"].split())
            shown = without_links(field.description).replace("\\|", "|").strip()
            constant = r"(,| is)? always `[^`]*`"
            assert re.sub(constant, "", shown) == re.sub(constant, "", described), (name, field)


# Content


def test_every_model_has_a_page_of_its_name_in_the_index() -> None:
    for protocol, name, _schema in classes():
        path = DOCS / protocol.name / f"{name}.md"
        assert path in {file for file, _ in page(protocol, "README").links}
        assert page_at(path).headings[0] == name


@each_protocol
@pytest.mark.parametrize("direction", ["client", "server"])
def test_the_index_lists_every_event(protocol: Protocol, direction: str) -> None:
    members = set()
    for name, sender in spec.event_unions(protocol.schemas).items():
        if sender == direction:
            members |= set(spec.mapped(protocol.schemas[name]).values())
    assert {event.model for event in events(protocol) if event.direction == direction} == members


def test_the_properties_are_those_of_the_class() -> None:
    for protocol, name, listed in models():
        names = {public: getattr(protocol.module, public) for public in protocol.public()}
        model = names[name]
        assert [bare(field.cell) for field in listed] == list(model.model_fields)
        hints = get_type_hints(model, include_extras=True)
        required = protocol.schemas[name].get("required", [])
        for field in listed:
            shown = re.sub(r"^\[|\]\([^)]*\)$", "", bare(field.type))
            if "[always" in field.notes:
                assert shown == "str"
            else:
                known = {**names, **vars(model), "Any": Any}
                types = (eval(shown, known), eval(f"{shown} | None", known))
                assert hints[bare(field.cell)] in types, (name, field)
            is_optional, is_nullable = field.name not in required, field.schema.get("nullable")
            assert ("[optional]" in field.notes) == is_optional, (name, field)
            assert ("[nullable]" in field.notes) == bool(is_nullable), (name, field)
            if field.schema.get("default") is not None and "[always" not in field.notes:
                default = json.dumps(field.schema["default"])
                assert f"[default `{default}`]" in field.notes, (name, field)


def test_the_members_are_those_of_the_union() -> None:
    for protocol, name, schema in classes():
        mapping = schema.get("discriminator", {}).get("mapping")
        if mapping:
            text = page(protocol, name).text
            rows = re.findall(r"^\| (`.*?) \| .*\]\((\w+)\.md\) \|$", text, re.MULTILINE)
            shown = {kind.strip("` "): to for kinds, to in rows for kind in kinds.split(",")}
            assert shown == {kind: path.rpartition("/")[2] for kind, path in mapping.items()}, name


def test_every_class_says_what_uses_it() -> None:
    unused = set()
    for protocol, name, _schema in classes():
        used_by = section(page(protocol, name), "Used by")
        found = set(re.findall(r"^- \*\*(\w+)\*\*: ", used_by, re.MULTILINE))
        assert found & {"Fields", "Unions", "HTTP", "Functions", "Nothing"}, name
        if "Nothing" in found:
            unused.add(f"{protocol.name}/{name}")
        for function in re.findall(r"`((?:parse|connect)\w*)`", used_by):
            assert hasattr(protocol.module, function)
    assert unused == {"ga/RealtimeSession", "ga/RealtimeConversationItemWithReference"}


def test_a_field_links_to_its_class_and_back() -> None:
    for protocol, name, listed in models():
        properties = section(page(protocol, name), "Properties")
        for field in listed:
            schema = json.dumps(field.schema)
            for used in re.findall(r'"\$ref": "#/components/schemas/(\w+)"', schema):
                if (DOCS / protocol.name / f"{used}.md").exists():
                    back = rf"\[`{name}\.{field.name}_?`\]\({name}\.md#field-{field.name}\)"
                    assert re.search(back, section(page(protocol, used), "Used by"))
                    assert f"]({used}.md)" in properties


def test_notes_about_the_wire_stand_below_the_table_for_readers() -> None:
    ours = r"\b(action|overlay|fragment|anyOf|oneOf|openai \d|must be able|dump|Removed|Reported)\b"
    for protocol, name, schema in classes():
        text = without_links(section(page(protocol, name), "On the wire"))
        notes = [note for note in text.splitlines() if note.startswith("- ")]
        expected = [f"- {text}" for text in schema.get("x-wire", [])]
        for field in fields(protocol, name):
            has_note = "x-wire" in field.schema
            assert ("[on the wire](#on-the-wire)" in field.notes) == has_note, field
            if has_note:
                expected.append(f"- **{bare(field.cell)}**: {' '.join(field.schema['x-wire'])}")
        assert notes == expected
        assert not re.search(ours, "\n".join(notes)), name
        assert not re.search(r"(?<!`)\b[Nn]ull\b(?!`)", "\n".join(notes)), name


def test_every_class_says_which_protocols_have_it() -> None:
    titles = {"v1": "v1", "ga": "GA"}
    for protocol, name, _schema in classes():
        title = titles.get(protocol.name, protocol.name)
        [line] = re.findall(r"^- \*\*Available\*\*: (.+)$", page(protocol, name).text, re.MULTILINE)
        others = [other for other in PROTOCOLS if other is not protocol]
        alike = [other for other in others if name in other.public()]
        assert line.startswith(f"in {title} " + ("and" if alike else "only"))
        linked = re.findall(r"\]\(\.\./(\w+)/", line.partition(", over")[0])
        assert linked == [other.name for other in alike]
        elsewhere = [other.schemas[name].get("properties", {}) for other in alike]
        for field in fields(protocol, name):
            is_alone = bool(alike) and not any(field.name in found for found in elsewhere)
            assert (f"[{title} only]" in field.notes) == is_alone


def test_the_enums_of_a_page_are_those_of_its_class() -> None:
    for protocol, name, schema in classes():
        text = page(protocol, name).text
        if "enum" in schema:
            assert enum_values(text) == {*schema["enum"]}, name
        elif "properties" in schema:
            sections = re.findall(r"^## Enum: (\w+)\n(.*?)(?=^## |\Z)", text, re.M | re.S)
            found = {enum: enum_values(values) for enum, values in sections}
            for enum, value in vars(getattr(protocol.module, name)).items():
                is_enum = getattr(value, "__base__", None) is OpenEnum
                if is_enum and value.__qualname__ == f"{name}.{enum}":
                    values = {*value.values()}
                    # That of a constant has no table.
                    assert found.pop(enum, values if len(values) == 1 else None) == values, name
            assert found == {}, name


def enum_values(text: str) -> set[str]:
    return set(re.findall(r"^\| [\w<>]+ \| `([^`]*)`", text, re.MULTILINE))


LIMITS = {
    r"at most ([\d.]*\d) characters": "maxLength",
    r"from ([\d.]*\d) to": "minimum",
    r"from [\d.]+ to ([\d.]*\d)": "maximum",
    r"[Tt]he default is ([\d.]*\d)": "default",
}


def test_limits_in_prose_are_those_of_the_schema_and_the_same_everywhere() -> None:
    seen: dict[tuple[str, str], set[float]] = defaultdict(set)
    for _protocol, name, listed in models():
        for field in listed:
            for phrase, key in LIMITS.items():
                found = {float(each) for each in re.findall(phrase, field.schema["description"])}
                if found and key in field.schema:
                    assert found == {field.schema[key]}, (name, field)
                seen[field.name, key] |= found
    assert {place: found for place, found in seen.items() if len(found) > 1} == {}


# What each event says of itself


def test_every_event_says_when_it_is_sent_and_what_follows() -> None:
    expected = {
        "client": {"Confirmed by", "Refused with"},
        "server": {"Sent when", "Answered with"},
    }
    for page in EVENT_PAGES:
        top = page.text.partition("\n## ")[0]
        listed = dict(re.findall(r"^- \*\*([^*]+)\*\*: (.+)$", top, re.MULTILINE))
        direction = listed["Event"].rpartition(" ")[2]
        assert expected.get(direction, set()) <= listed.keys(), page.name
        assert "over " in listed["Available"], page.name
        # The name of an event is a link; what is left of such names is none of an event.
        text = "".join(list(listed.values())[1:])
        assert re.findall(r"(?<!\[)`[a-z_]+(?:\.[a-z_]+)+`", text) == [], page.name


# The pages about a whole protocol


def test_the_reference_describes_every_public_name_written_by_hand() -> None:
    public = {"connect", "connect_sync", "openai-realtime check"}
    for module in (openai_realtime_client.shared, openai_realtime_client.testing):
        for name in dir(module):
            described = getattr(getattr(module, name), "__module__", "")
            if re.match("[A-Za-z]", name) and described.startswith("openai_realtime_client."):
                public.add(name)
    public -= {"lazy_names"}
    pages = [page for page in PAGES if page.path.parent == DOCS / "reference"]
    found = {heading for page in pages for heading in page.headings}
    assert public - found == set()
    for page in pages:
        for entry in re.split(r"^##+ ", page.text, flags=re.MULTILINE)[1:]:
            assert re.sub(r"```py\n.*?```", "", entry.partition("\n")[2], flags=re.S).strip(), entry
            if "\n**Args**\n" in entry:
                assert re.search(r"^(class|(async )?def) \w+\(", entry, re.MULTILINE), entry


def test_the_reference_has_every_property_of_its_classes_and_no_private_parameter() -> None:
    text = "\n".join(page.text for page in PAGES if page.path.parent == DOCS / "reference")
    classes: dict[str, type] = {}
    for module in (openai_realtime_client.shared, openai_realtime_client.testing):
        for name in dir(module):
            if isinstance(getattr(module, name), type) and f"\n## {name}\n" in text:
                classes[name] = getattr(module, name)
    assert {"ConversationItem", "HandshakeRefusedError", "ReplayServer"} <= classes.keys()
    missing = set[str]()
    for name, value in classes.items():
        bases = [base for base in value.__mro__ if base.__module__.startswith("openai_realtime")]
        # A public base describes what it gives.
        described = [base.__name__ for base in bases if base is value or base.__name__ in classes]
        entries = "\n".join(entry(text, base) for base in described)
        names = {member for base in bases for member in vars(base).get("__annotations__", ())}
        names |= {member for base in bases for member in vars(base) if is_property(base, member)}
        for member in names:
            shown = rf"^### \w+\.{member}$|\*\*{member}\*\*|\b{member}: "
            if not member.startswith("_") and not re.search(shown, entries, re.M):
                missing.add(f"{name}.{member}")
    assert missing == set()
    signatures = "\n".join(re.findall(r"^```py\n(.*?)^```$", text, re.M | re.S))
    assert re.findall(r"(?:\(|, |^ +)(\*{0,2}_\w+)[:,=)]|= (_\w+)", signatures, re.M) == []


def is_property(owner: type, member: str) -> bool:
    return isinstance(vars(owner)[member], property | cached_property)


def entry(text: str, name: str) -> str:
    """The part of the reference about a class."""
    return re.split(r"^## ", text.partition(f"\n## {name}\n")[2], maxsplit=1, flags=re.M)[0]


def test_llms_txt_and_the_front_page_lead_to_all_guides_and_references() -> None:
    guides = {f"guides/{guide.name}" for guide in (DOCS / "guides").glob("*.md")}
    names = ("README.md", "index.md")
    references = {f"{each.name}/{name}" for each in REALTIME for name in names}
    references.add("reference/README.md")
    text = (DOCS / "llms.txt").read_text("utf-8")
    found = set(re.findall(r"\]\(([^)]+)\)", text))
    assert found == guides | references | {"../README.md", "README.md"}
    for guide in guides:
        title = page_at(DOCS / guide).headings[0]
        assert f"- [{title}]({guide})" in text
    front = {file for file, _ in page_at(DOCS / "README.md").links}
    assert {DOCS / each for each in guides | references} - front == set()
    assert DOCS / "llms.txt" in front


# The documented model: the facts of its published page stand here as data

FIELDS = {
    "id": "str",
    "object": "ObjectEnum",
    "status": "StatusEnum",
    "status_details": "RealtimeResponseStatusDetails",
    "output": "list[RealtimeConversationItem]",
    "metadata": "dict[str, str]",
    "usage": "RealtimeResponseUsage",
    "conversation_id": "str",
    "voice": "VoiceEnum",
    "modalities": "list[ModalitiesEnum]",
    "output_audio_format": "OutputAudioFormatEnum",
    "temperature": "float",
    "max_output_tokens": "RealtimeResponseMaxOutputTokens",
}
ENUMS = {
    "ObjectEnum": "realtime.response",
    "StatusEnum": "completed cancelled failed incomplete",
    "VoiceEnum": "alloy ash ballad coral echo sage shimmer verse",
    "ModalitiesEnum": "text audio",
    "OutputAudioFormatEnum": "pcm16 g711_ulaw g711_alaw",
    # An alias, as every enum is named after its field: the union of the field has it.
    "MaxOutputTokensEnum": "inf",
}


def test_the_class_has_the_fields_in_order_and_all_are_optional_and_the_enums() -> None:
    model = v1.RealtimeResponse
    assert list(model.model_fields) == list(FIELDS)
    hints = get_type_hints(model, include_extras=True)
    names = {public: getattr(v1, public) for public in V1.public()} | vars(model)
    for name, field_type in FIELDS.items():
        assert hints[name] == eval(f"{field_type} | None", names), name
        field = model.model_fields[name]
        assert (field.is_required(), field.default) == (False, None)
    nested = {}
    for name, enum in vars(model).items():
        if isinstance(enum, type) and issubclass(enum, OpenEnum):
            nested[name] = " ".join(enum.values())
            assert [value.name for value in enum] == [
                value.replace(".", "_").upper() for value in enum.values()
            ]
    assert nested == ENUMS


# Examples


class Event(NamedTuple):
    """A row of a protocol's table of events."""

    protocol: Protocol
    type: str
    model: str
    direction: str


def events(protocol: Protocol) -> Iterator[Event]:
    titles = {"Client events": "client", "Server events": "server", "Webhooks": "webhook"}
    for title, direction in titles.items():
        text = page(protocol, "README").text.partition(f"\n### {title}\n")[2].partition("\n#")[0]
        for event_type, name in re.findall(r"^\|`([^`]*)` \| .*?\]\((\w+)\.md\)", text, re.M):
            yield Event(protocol, event_type, name, direction)


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    with HttpServer() as server, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        for protocol in PROTOCOLS:
            # A protocol of another server has a host of its own.
            host = f"{server.url}/v1"
            monkeypatch.setattr(protocol.module.Configuration, "_default_host", host)
        yield server


class Sender:
    """The `connection` of the examples."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, event: Any) -> None:
        self.sent.append(to_dict(event))


def run_all(page: Page) -> list[Any]:
    """Run the examples of a page; what they send, parse or build, as JSON values."""
    values = []
    for example in page.examples:
        connection = Sender()
        names = run(page, example, connection=connection)
        values += connection.sent
        values += [json.loads(example.json)] if example.json else []
        values += [names["same"]] if "same" in names else []
        parsed = names.get("model", names.get("event"))
        if example.json and parsed is not None:
            assert json.loads(parsed.to_json()) == json.loads(example.json)
    return values


def test_the_examples_print_what_the_page_says(
    server: HttpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for page in GENERATED:
        assert len(page.examples) == page.text.count("```python"), page.name
        server.requests.clear()
        for example in page.examples:
            server.answers = deque([documented_answer(page, example)])
            capsys.readouterr()  # What the example of the answer printed.
            run(page, example, connection=Sender())
            printed = capsys.readouterr().out
            assert example.output in (None, printed), page.name
            says = "connection.send" in example.code or "assert " in example.code
            assert printed or says, page.name
        called = [f"{request.method} {request.path}" for request in server.requests]
        assert len(called) == len(endpoints(page)), page.name
        assert all(map(re.fullmatch, endpoints(page), called)), page.name


def documented_answer(page: Page, example: Example) -> Answer:
    """What the service answers to the example: the example of the class that it returns."""
    returned = re.search(
        r"^- \*\*Returns\*\*: (.*), with status (\w+)", example.section, re.MULTILINE
    )
    if returned is None:
        return Answer(204)
    status = int(returned[2].replace("X", "0"))
    link = re.search(r"\]\((\w+\.md)\)", returned[1])
    if "**list" in returned[1]:
        return Answer(status, b"[]")
    if link is None and "**str**" not in returned[1] and "Created" not in returned[1]:
        return Answer(status, b"{}")
    if link is None:
        return Answer(status, b"v=0", {"Location": "/v1/realtime/calls/rtc_001"})
    [answer] = run_all(Page(page.path.parent / link[1]))
    return Answer(status, json.dumps(answer).encode())


def endpoints(page: Page) -> list[str]:
    """The requests that an API page is about, as patterns."""
    listed = re.findall(r"\| \*\*([A-Z]+)\*\* (/\S*) \|", page.prose)
    return [f"{method} /v1" + re.sub(r"{\w+}", "[^/]+", path) for method, path in listed]


def parser(event: Event) -> Callable[[str], Any]:
    """Return the function that parses the events of the union in which an event is."""
    for union, name in event.protocol.parsers.items():
        if event.model in spec.references(event.protocol.schemas[union]):
            found: Callable[[str], Any] = getattr(event.protocol.module, name)
            return found
    raise AssertionError(f"{event.model} is in no union")


def test_examples_are_full_and_possible_and_events_parse_to_the_class_of_the_page() -> None:
    realtime = {protocol.name for protocol in REALTIME}
    classes = {(e.protocol.name, e.model): e for each in PROTOCOLS for e in events(each)}
    for page in MODELS:
        values = run_all(page)
        assert page.examples, page.name
        assert all(values), page.name
        if page.path.parent.name in realtime:
            for value in values:
                assert_possible(value, page.name)
        event = classes.pop((page.path.parent.name, page.path.stem), None)
        if event:
            assert len(values) == (2 if event.direction == "client" else 1), event
            assert values == [values[0]] * len(values), event
            parsed = parser(event)(json.dumps(values[0]))
            assert type(parsed) is getattr(event.protocol.module, event.model)
            assert parsed.type == event.type
            # Servers of v1 send a status that is not published.
            assert {found.value for found in deviations(parsed)} <= {"in_progress"}, event
    assert classes == {}


def assert_possible(value: Any, name: str) -> None:
    audio = []
    if "audio.delta" in str(value.get("type")):
        audio.append(value["delta"])
    for path, child in list(places(value))[1:]:
        key = path[-1]
        # The generator's last resort, for want of an `example:` in the fragment.
        assert key != child, name
        if key == "audio" and isinstance(child, str):
            audio.append(child)
        if key == "arguments":
            assert isinstance(json.loads(child), dict), name
        if key == "error" and child is not None:
            assert not child["type"].endswith("_vad"), name
    for encoded in audio:
        decoded = b64decode(encoded, validate=True)
        assert len(decoded) % 2 == 0, name
        assert any(decoded), name
