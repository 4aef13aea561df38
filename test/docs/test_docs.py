from __future__ import annotations

import ast
import json
import re
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, get_args

import pytest

from docs import DOCS, PAGES, Example, Page, run
from http_server import Answer, HttpServer
from openai_realtime_client import UnknownEvent
from protocols import PROTOCOLS

GENERATED = [page for page in PAGES if page.path.parent not in (DOCS, DOCS / "guides")]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


class Event(NamedTuple):
    type: str
    model: str
    direction: str


@dataclass(frozen=True)
class Folder:
    """The pages of one protocol, and the package they are about."""

    path: Path
    package: ModuleType

    @property
    def index(self) -> Page:
        return Page(self.path / "README.md")

    def model_names(self) -> list[str]:
        """The public models, without the enums that only serve as members of a union."""
        names = import_module(f"{self.package.__name__}.models").__all__
        helpers = {f"{name}Enum" for name in names}
        return [name for name in names if name not in helpers]

    def events(self) -> list[Event]:
        """The rows of the table of events."""
        [table] = [t for t in self.index.tables if t[0] == [" Event ", " Class ", " Sent by "]]
        return [
            Event(kind.strip("` "), re.findall(r"\((\w+)\.md\)", link)[0], direction.strip())
            for kind, link, direction in table[2:]
        ]


FOLDERS = [
    Folder(path, import_module(package))
    for path, package in [(DOCS / protocol.name, protocol.package) for protocol in PROTOCOLS]
]
each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.package.__name__)


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    with HttpServer() as server, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        yield server


# Form


@each_page
def test_every_relative_link_leads_to_a_file(page: Page) -> None:
    assert [str(file) for file, _ in page.links if not file.exists()] == []


@each_page
def test_every_anchor_is_a_heading(page: Page) -> None:
    anchored = [(file, anchor) for file, anchor in page.links if anchor and file.suffix == ".md"]
    assert [(file, anchor) for file, anchor in anchored if anchor not in Page(file).anchors] == []


@each_page
def test_every_row_of_a_table_has_as_many_cells(page: Page) -> None:
    for header, line, *rows in page.tables:
        assert all(re.fullmatch(r" *:?-+:? *", cell) for cell in line)
        assert [row for row in [line, *rows] if len(row) != len(header)] == []


@each_page
def test_nothing_is_escaped_as_html(page: Page) -> None:
    assert re.findall(r"&(?:#\w+|[a-zA-Z]\w*);", page.text) == []


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


@pytest.mark.parametrize("page", GENERATED, ids=lambda page: page.name)
def test_the_examples_print_what_the_page_says(
    page: Page, server: HttpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(page.examples) == page.text.count("```python")
    server.requests.clear()
    for example in page.examples:
        server.answers = deque([documented_answer(page, example)])
        run(page, example)
        printed = capsys.readouterr().out
        assert example.output in (None, printed)
    called = [f"{request.method} {request.path}" for request in server.requests]
    assert len(called) == len(endpoints(page))
    assert all(map(re.fullmatch, endpoints(page), called))


def documented_answer(page: Page, example: Example) -> Answer:
    """What the service answers to the example: the example of the class that it returns."""
    returned = re.search(r"^Returns \[.*\]\((\w+\.md)\)", example.section, re.MULTILINE)
    if returned is None:
        return Answer(204)
    [of_class] = Page(page.path.parent / returned[1]).examples
    assert of_class.output is not None
    return Answer(200, of_class.output.encode())


def endpoints(page: Page) -> list[str]:
    """The requests that an API page is about, as patterns."""
    listed = re.findall(r"\| \*\*([A-Z]+)\*\* (/\S*) \|", page.prose)
    return [f"{method} /v1" + re.sub(r"{\w+}", "[^/]+", path) for method, path in listed]


def parser(folder: Folder, event: Event) -> Callable[[str], Any]:
    """`parse_server_event` for `RealtimeServerEvent…`, and so on."""
    found: Callable[[str], Any]
    if event.direction == "webhook":
        found = folder.package.parse_webhook_event
        return found
    [words] = re.findall(rf"^Realtime(\w*?)({event.direction.title()})(Event)", event.model)
    found = getattr(folder.package, "_".join(["parse", *filter(None, words)]).lower())
    return found


EVENTS = [
    pytest.param(folder, event, id=f"{folder.package.__name__}-{event.type}")
    for folder in FOLDERS
    for event in folder.events()
]


@pytest.mark.parametrize(("folder", "event"), EVENTS)
def test_an_event_parses_to_the_class_it_is_listed_with(folder: Folder, event: Event) -> None:
    page = Page(folder.path / f"{event.model}.md")
    [example] = page.examples
    text = run(page, example)["event"].to_json()
    parsed = parser(folder, event)(text)
    assert type(parsed) is getattr(folder.package, event.model)
    assert json.loads(text)["type"] == parsed.type == event.type


def printed(page: Page) -> list[Any]:
    """The JSON objects that the examples of a page print or parse."""
    nodes = [node for example in page.examples for node in ast.walk(ast.parse(example.code))]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant)]
    texts += [example.output or "" for example in page.examples]
    return [json.loads(text) for text in texts if re.fullmatch(r"\{.*\}\n?", str(text))]


def fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Every field in a JSON value, however deep, with its value."""
    for key, child in value.items() if isinstance(value, dict) else ():
        yield key, child
    for child in value.values() if isinstance(value, dict) else value:
        if isinstance(child, (dict, list)):
            yield from fields(child)


@pytest.mark.parametrize("page", GENERATED, ids=lambda page: page.name)
def test_no_example_is_empty_or_filled_in_by_name(page: Page) -> None:
    for example in printed(page):
        assert example != {}
        # The generator's last resort, for want of an `example:` in the fragment.
        assert [key for key, value in fields(example) if key == value] == []


@pytest.mark.parametrize("page", GENERATED, ids=lambda page: page.name)
def test_the_values_of_examples_are_possible(page: Page) -> None:
    for example in printed(page):
        audio = [value for key, value in fields(example) if key == "audio"]
        audio += [example["delta"]] if "audio.delta" in str(example.get("type")) else []
        for value in audio:
            assert isinstance(value, dict) or len(b64decode(value, validate=True)) % 2 == 0
        for key, value in fields(example):
            if key == "arguments":
                assert isinstance(json.loads(value), dict)
            if key == "error":
                assert not value["type"].endswith("_vad")
