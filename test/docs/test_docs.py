from __future__ import annotations

import json
import re
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, get_args

import pytest

import spec
from docs import DOCS, GUIDES, PAGES, Example, Page, found_in, page_at, run
from http_server import Answer, HttpServer
from openai_realtime_client import UnknownEvent, deviations
from openai_realtime_client.core.encoding import dumped
from protocols import PROTOCOLS, REALTIME, Protocol

GENERATED = [page for page in PAGES if page.path.parent != DOCS and page not in GUIDES]

MODELS = [page for page in GENERATED if re.match(r"[A-Z](?!.*Api$)(?!EADME)", page.path.stem)]


class Event(NamedTuple):
    type: str
    model: str
    direction: str


@dataclass(frozen=True)
class Folder:
    """The pages of one protocol, and the package they are about."""

    protocol: Protocol

    @property
    def path(self) -> Path:
        return DOCS / self.protocol.name

    @property
    def package(self) -> ModuleType:
        return self.protocol.module

    @property
    def index(self) -> Page:
        return Page(self.path / "README.md")

    def model_names(self) -> list[str]:
        """The public models, without the enums that only serve as members of a union."""
        names = import_module(f"{self.package.__name__}.models").__all__
        helpers = {f"{name}Enum" for name in names}
        return [name for name in names if name not in helpers]

    def events(self) -> list[Event]:
        """The rows of the tables of events."""
        events = []
        titles = {"Client events": "client", "Server events": "server", "Webhooks": "webhook"}
        for title, direction in titles.items():
            text = self.index.text.partition(f"\n### {title}\n")[2].partition("\n#")[0]
            for event_type, name in re.findall(r"^\|`([^`]*)` \| .*?\]\((\w+)\.md\)", text, re.M):
                events.append(Event(event_type, name, direction))
        return events


FOLDERS = [Folder(protocol) for protocol in PROTOCOLS]
each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.package.__name__)


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


def test_every_relative_link_leads_to_a_file() -> None:
    def dangling(page: Page) -> list[str]:
        return [str(file) for file, _ in page.links if not file.exists()]

    assert found_in(PAGES, dangling) == {}


def test_every_anchor_is_a_heading() -> None:
    def dangling(page: Page) -> list[tuple[str, str]]:
        anchored = [(file, anchor) for file, anchor in page.links if anchor]
        return [
            (file.name, anchor)
            for file, anchor in anchored
            if file.suffix == ".md" and anchor not in page_at(file).anchors
        ]

    assert found_in(PAGES, dangling) == {}


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


def test_lines_of_guides_fit_an_editor() -> None:
    def long(page: Page) -> list[str]:
        lines = [line for line in page.prose.splitlines() if not line.startswith("|")]
        return [line for line in lines if len(line) > 120]

    assert found_in(GUIDES, long) == {}


def test_nothing_is_escaped_as_html() -> None:
    assert found_in(PAGES, lambda page: re.findall(r"&(?:#\w+|[a-zA-Z]\w*);", page.text)) == {}


@pytest.mark.parametrize(
    ("text", "anchors"),
    [
        ("# A session's life\n", {"a-sessions-life"}),
        ("## Enum: TypeEnum ##\n", {"enum-typeenum"}),
        ("## `create_session` \u2013 a *new* one!\n", {"create_session--a-new-one"}),
        ("## See [the page](page.md)\n", {"see-the-page"}),
        ("## Same\n## Same\n### same\n", {"same", "same-1", "same-2"}),
        ("#hashtag\n```python\n# comment\n```\n", set()),
    ],
)
def test_anchors_are_those_of_github(tmp_path: Path, text: str, anchors: set[str]) -> None:
    path = tmp_path / "page.md"
    path.write_text(text, "utf-8")
    assert Page(path).anchors == anchors


# Completeness


@each_folder
def test_every_model_has_a_page_of_its_name(folder: Folder) -> None:
    pages = {page.path: page for page in PAGES}
    for name in folder.model_names():
        assert folder.path / f"{name}.md" in pages
        assert pages[folder.path / f"{name}.md"].headings[0] == name


@each_folder
def test_every_model_is_linked_from_the_index(folder: Folder) -> None:
    linked = {file for file, _ in folder.index.links}
    unlinked = [n for n in folder.model_names() if folder.path / f"{n}.md" not in linked]
    assert unlinked == []


@each_folder
@pytest.mark.parametrize("direction", ["client", "server"])
def test_the_index_lists_every_event(folder: Folder, direction: str) -> None:
    names = [name for name in folder.model_names() if name.endswith(f"{direction.title()}Event")]
    unions = [get_args(getattr(folder.package, name))[0] for name in names]
    members = [member for union in unions for member in get_args(union)]
    listed = [event.model for event in folder.events() if event.direction == direction]
    assert {*listed} == {member.__name__ for member in members} - {UnknownEvent.__name__}


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
        r"^- \*\*Returns\*\*: (.*), with status (\d+)", example.section, re.MULTILINE
    )
    if returned is None:
        return Answer(204)
    status = int(returned[2])
    link = re.search(r"\]\((\w+\.md)\)", returned[1])
    if link is None:
        return Answer(status, b"v=0", {"Location": "/v1/realtime/calls/rtc_001"})
    [answer] = run_all(Page(page.path.parent / link[1]))
    return Answer(status, json.dumps(answer).encode())


def endpoints(page: Page) -> list[str]:
    """The requests that an API page is about, as patterns."""
    listed = re.findall(r"\| \*\*([A-Z]+)\*\* (/\S*) \|", page.prose)
    return [f"{method} /v1" + re.sub(r"{\w+}", "[^/]+", path) for method, path in listed]


def parser(folder: Folder, event: Event) -> Callable[[str], Any]:
    """Return the function that parses the events of the union in which an event is."""
    for union, name in folder.protocol.parsers.items():
        if event.model in spec.references(folder.protocol.schemas[union]):
            found: Callable[[str], Any] = getattr(folder.package, name)
            return found
    raise AssertionError(f"{event.model} is in no union")


@each_folder
def test_an_event_parses_to_the_class_it_is_listed_with(folder: Folder) -> None:
    for event in folder.events():
        values = run_all(Page(folder.path / f"{event.model}.md"))
        assert len(values) == (2 if event.direction == "client" else 1), event
        for value in values:
            assert value == values[0], event
            parsed = parser(folder, event)(json.dumps(value))
            assert type(parsed) is getattr(folder.package, event.model)
            assert value["type"] == parsed.type == event.type
            # Servers of v1 send a status that is not published.
            assert {each.value for each in deviations(parsed)} <= {"in_progress"}, event


def fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Every field in a JSON value, however deep, with its value."""
    for key, child in value.items() if isinstance(value, dict) else ():
        yield key, child
    for child in value.values() if isinstance(value, dict) else value:
        if isinstance(child, (dict, list)):
            yield from fields(child)


def test_examples_are_full_and_possible() -> None:
    for page in MODELS:
        assert page.examples, page.name
        for value in run_all(page):
            assert value, page.name
            assert_possible(value, page.name)


def assert_possible(value: Any, name: str) -> None:
    # The generator's last resort, for want of an `example:` in the fragment.
    if name.partition("/")[0] in {protocol.name for protocol in REALTIME}:
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
