from __future__ import annotations

import json
import re
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from itertools import pairwise
from typing import Any, NamedTuple

import pytest

import spec
from docs import DOCS, GUIDES, PAGES, Example, Page, found_in, page_at, run
from http_server import Answer, HttpServer
from openai_realtime_client import deviations
from openai_realtime_client.core.encoding import dumped
from protocols import PROTOCOLS, REALTIME, ROOT, Protocol

GENERATED = [page for page in PAGES if page.path.parent != DOCS and page not in GUIDES]

MODELS = [page for page in GENERATED if re.match(r"[A-Z](?!.*Api$)(?!EADME)", page.path.stem)]


class Event(NamedTuple):
    """A row of a protocol's table of events."""

    protocol: Protocol
    type: str
    model: str
    direction: str


def index_of(protocol: Protocol) -> Page:
    return page_at(DOCS / protocol.name / "README.md")


def events(protocol: Protocol) -> Iterator[Event]:
    titles = {"Client events": "client", "Server events": "server", "Webhooks": "webhook"}
    for title, direction in titles.items():
        text = index_of(protocol).text.partition(f"\n### {title}\n")[2].partition("\n#")[0]
        for event_type, name in re.findall(r"^\|`([^`]*)` \| .*?\]\((\w+)\.md\)", text, re.M):
            yield Event(protocol, event_type, name, direction)


def model_names(protocol: Protocol) -> list[str]:
    """The public models, without the enums that only serve as members of a union."""
    names = import_module(f"{protocol.package}.models").__all__
    helpers = {f"{name}Enum" for name in names}
    return [name for name in names if name not in helpers]


each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda each: each.name)


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


# Form


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    def dangling(page: Page) -> list[tuple[str, str]]:
        found = []
        for file, anchor in page.links:
            is_page = anchor and file.suffix == ".md"
            if not file.exists() or (is_page and anchor not in page_at(file).anchors):
                found.append((file.name, anchor))
        return found

    others = [Page(ROOT / "README.md"), Page(ROOT / "CONTRIBUTING.md")]
    assert all(page.links for page in others)
    assert found_in([*PAGES, *others], dangling) == {}


def test_every_row_of_a_table_has_as_many_cells() -> None:
    def uneven(page: Page) -> list[list[str]]:
        tables = [(table[0], table[1:]) for table in page.tables]
        lines = [cell for _, rows in tables for cell in rows[0]]
        assert all(re.fullmatch(r" *:?-+:? *", cell) for cell in lines), page.name
        return [row for header, rows in tables for row in rows if len(row) != len(header)]

    assert found_in(PAGES, uneven) == {}


def test_headings_stand_alone_and_skip_no_level() -> None:
    def wrong(page: Page) -> list[Any]:
        lines = ["", *page.prose.splitlines(), ""]
        places = [n for n, line in enumerate(lines) if re.match(r"#+ ", line)]
        crowded = [lines[n] for n in places if lines[n - 1] or lines[n + 1]]
        levels = [len(lines[n].partition(" ")[0]) for n in places]
        assert levels[0] == 1, page.name
        assert 1 not in levels[1:], page.name
        return crowded + [pair for pair in pairwise(levels) if pair[1] > pair[0] + 1]

    assert found_in(PAGES, wrong) == {}


# Completeness


@each_protocol
def test_every_model_has_a_page_of_its_name_in_the_index(protocol: Protocol) -> None:
    linked = {file for file, _ in index_of(protocol).links}
    for name in model_names(protocol):
        path = DOCS / protocol.name / f"{name}.md"
        assert path in linked
        assert page_at(path).headings[0] == name


@each_protocol
@pytest.mark.parametrize("direction", ["client", "server"])
def test_the_index_lists_every_event(protocol: Protocol, direction: str) -> None:
    members = set()
    for name, sender in spec.event_unions(protocol.schemas).items():
        if sender == direction:
            members |= set(spec.mapped(protocol.schemas[name]).values())
    assert {event.model for event in events(protocol) if event.direction == direction} == members


# Examples


@dataclass
class Sender:
    """The `connection` of the examples."""

    sent: list[Any] = field(default_factory=list)

    def send(self, event: Any) -> None:
        self.sent.append(json.loads(dumped(event) if isinstance(event, dict) else event.to_json()))


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


def fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Every field in a JSON value, however deep, with its value."""
    for key, child in value.items() if isinstance(value, dict) else ():
        yield key, child
    for child in value.values() if isinstance(value, dict) else value:
        if isinstance(child, (dict, list)):
            yield from fields(child)


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
    # The generator's last resort, for want of an `example:` in the fragment.
    assert [key for key, each in fields(value) if key == each] == [], name
    audio = [each for key, each in fields(value) if key == "audio" and isinstance(each, str)]
    audio += [value["delta"]] if "audio.delta" in str(value.get("type")) else []
    for each in audio:
        decoded = b64decode(each, validate=True)
        assert len(decoded) % 2 == 0, name
        assert any(decoded), name
    for key, each in fields(value):
        if key == "arguments":
            assert isinstance(json.loads(each), dict), name
        if key == "error" and each is not None:
            assert not each["type"].endswith("_vad"), name
