"""`make upstream`, `differences` and what is written into a fragment."""

from __future__ import annotations

import copy
import importlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import constructs
import spec
import upstream
from components import prepared
from differences import Document, Row, documents, grouped
from protocols import ROOT
from refusals import Refused
from simplify import simplified
from trees import merge, parsed

GA = ROOT / "openapi/ga.yaml"

Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def ga() -> Any:
    return spec.load(GA)


Schemas = dict[str, Any]

# Facts that are merged into a document, where `null` removes, and the rows that they have to give.
PLANTED = """
paths:
  /realtime/voices:
    get: {operationId: list-voices, tags: [Realtime], responses: {'200': {description: Voices.}}}
  /realtime/calls/{call_id}/hangup:
    post:
      parameters:
        - {in: path, name: call_id, required: true, schema: {type: string}}
        - {in: query, name: force, schema: {type: boolean}}
  /realtime/client_secrets:
    post: {responses: {'200': {content: {text/plain: {schema: {type: string}}}}}}
components:
  schemas:
    MCPTool: {properties: {connector_id: {deprecated: true}}}
    RealtimeClientEventConversationItemDelete: {required: [type, item_id, event_id]}
    RealtimeFunctionTool: {properties: {description: null}}
    RealtimeResponse:
      properties:
        mood: {type: string}
        status: {enum: [completed, failed, incomplete, in_progress, paused]}
    RealtimeResponseUsage: {required: [cost], properties: {cost: {type: number}}}
    RealtimeServerEventMoodChanged:
      type: object
      required: [type, mood]
      properties:
        type: {type: string, const: mood.changed}
        mood: {$ref: '#/components/schemas/Mood'}
    Mood: {type: object, properties: {name: {type: string}}}
    RealtimeServerEventOutputAudioBufferStopped: null
    RealtimeServerEventRateLimitsUpdated:
      properties: {rate_limits: {items: {$ref: null, type: string}}}
    RealtimeServerEventResponseCreated: {required: [event_id, type]}
    RealtimeServerEventResponseDone: {properties: {event_id: {type: integer}}}
    RealtimeServerEventResponseTextDone: {properties: {text: {type: [string, 'null']}}}
    RealtimeServerEventSessionCreated: {properties: {session: {nullable: true}}}
    RealtimeSessionCreateRequestGA: {properties: {instructions: {maxLength: 5000}}}
    RealtimeTurnDetectionServerVad: {properties: {threshold: {default: 0.9}}}
"""
ROWS = [
    "~ MCPTool.connector_id: deprecated none → True",
    "~ RealtimeClientEventConversationItemDelete.event_id: is optional → required",
    "- RealtimeFunctionTool.description: field (string)",
    "+ RealtimeResponse.mood: field (string)",
    "+ RealtimeResponse.status: value paused",
    "- RealtimeResponse.status: value cancelled",
    "+ RealtimeResponseStatusDetailsError.hint: field (string)",
    "+ RealtimeResponseUsage.cost: required field (number)",
    "+ RealtimeServerEvent: member RealtimeServerEventMoodChanged",
    "- RealtimeServerEvent: member RealtimeServerEventOutputAudioBufferStopped",
    "~ RealtimeServerEventRateLimitsUpdated.rate_limits.[]: type object → string",
    "~ RealtimeServerEventResponseCreated.response: is required → optional",
    "~ RealtimeServerEventResponseDone.event_id: type string → integer",
    "~ RealtimeServerEventResponseTextDone.text: nullable False → True",
    "~ RealtimeServerEventSessionCreated.session: nullable False → True",
    "~ RealtimeSessionCreateRequestGA.instructions: maxLength none → 5000",
    "~ RealtimeTurnDetectionServerVad.threshold: default none → 0.9",
    "+ GET /realtime/voices: operation",
    "+ POST /realtime/calls/{call_id}/hangup.force: query parameter",
    "+ POST /realtime/client_secrets.200: media type text/plain",
]


def schemas_of(document: Any) -> Schemas:
    found: Schemas = document["components"]["schemas"]
    return found


def with_schemas(document: Any, text: str) -> Any:
    """Return a copy of a document with schemas merged into its own."""
    return merge(copy.deepcopy(document), {"components": {"schemas": parsed(text)}})


@pytest.fixture(scope="module")
def planted(ga: Any) -> Any:
    """The fragment with all facts planted."""
    document = merge(copy.deepcopy(ga), parsed(PLANTED))
    schemas = schemas_of(document)
    union = schemas["RealtimeServerEvent"]
    mapping = union["discriminator"]["mapping"]
    del mapping["output_audio_buffer.stopped"]
    mapping["mood.changed"] = f"{spec.REFERENCE}RealtimeServerEventMoodChanged"
    union["anyOf"] = [{"$ref": reference} for reference in mapping.values()]
    # An object stands where it is used, and has one field more.
    details = schemas.pop("RealtimeResponseStatusDetailsError")
    details["properties"]["hint"] = {"type": "string"}
    schemas["RealtimeResponseStatusDetails"]["properties"]["error"] = details
    return document


def rows_of(ours: Any, theirs: Any) -> list[str]:
    found = documents(Document(simplified(ours)), Document(simplified(theirs)))
    return [str(row) for row in grouped(found.rows)]


def test_each_planted_fact_is_one_row(ga: Any, planted: Any) -> None:
    assert sorted(rows_of(ga, planted)) == sorted(ROWS)


def test_a_document_that_says_the_same_in_other_words_differs_in_nothing(ga: Any) -> None:
    """Everything that is referred to once stands where it is used; `null` is a type."""
    other = copy.deepcopy(ga)
    text = json.dumps(other)
    schemas = schemas_of(other)
    for place, node in list(spec.walk(other)):
        name = "" if place.startswith("webhooks") else node.get("$ref", "").rpartition("/")[2]
        if name in schemas and text.count(f'/{name}"') == 1 and "properties" in schemas[name]:
            del node["$ref"]
            node.update(schemas.pop(name))
        if node.get("nullable") and isinstance(node.get("type"), str):
            del node["nullable"]
            node["type"] = [node["type"], "null"]
        node.pop("description", None)
    assert len(schemas) < len(schemas_of(ga))
    assert rows_of(ga, other) == []


def test_copies_of_a_schema_give_one_row(ga: Any) -> None:
    ours, theirs = copy.deepcopy(ga), copy.deepcopy(ga)
    for document in (ours, theirs):
        for number in range(40):
            copied = copy.deepcopy(schemas_of(ga)["RealtimeFunctionTool"])
            schemas_of(document)[f"Copy{number}"] = copied
    for number in range(40):
        schemas_of(theirs)[f"Copy{number}"]["properties"]["new"] = {"type": "string"}
    (row,) = rows_of(ours, theirs)
    assert row.count("Copy") == 40


def test_a_use_of_another_schema_is_no_difference_of_the_one_of_its_name(ga: Any) -> None:
    theirs = copy.deepcopy(ga)
    uses = schemas_of(theirs)["RealtimeResponseStatusDetails"]["properties"]
    uses["error"] = {"$ref": "#/components/schemas/RealtimeFunctionTool"}
    places = {row.split()[1] for row in rows_of(ga, theirs)}
    assert "RealtimeResponseStatusDetails.error.name:" in places
    assert "RealtimeResponseStatusDetailsError.name:" not in places


# The whole command


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in this process, which has the fragment parsed; its status and output."""

    def run(*arguments: str | Path) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["upstream.py", *map(str, arguments)])
        status = upstream.main()
        out, errors = capsys.readouterr()
        assert (errors == "") == (status != 2)
        return status, errors or out

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a copy of the fragment and its overlay."""
    (tmp_path / "overlays").mkdir()
    shutil.copy(ROOT / "openapi/overlays/ga.yaml", tmp_path / "overlays")
    shutil.copy(GA, tmp_path)
    return tmp_path


def publish(folder: Path, document: Any, name: str = "published.json") -> Path:
    path = folder / "other" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document), "utf-8")
    return path


# What OpenAI's document has beside Realtime, with an `allOf` that cannot be merged.
UNUSED = """
{Unused: {allOf: [
  {type: object, properties: {status: {type: string}}},
  {type: object, properties: {status: {type: integer}}}]}}
"""


def test_report_in_each_form(planted: Any, folder: Path) -> None:
    published = publish(folder, with_schemas(planted, UNUSED))
    report, _source = upstream.against_document(folder / "ga.yaml", published)
    assert (len(report.lacking), report.overlaid, report.prose) == (len(ROWS), [], [])
    assert report.explained > 100
    for form in ("text", "markdown"):
        text = upstream.FORMATS[form](report)
        assert "RealtimeResponse.mood" in text
        assert "obfuscation" not in text
        assert f"{report.explained} more differences are what the overlay corrects." in text
    content = json.loads(upstream.FORMATS["json"](report))
    assert (len(content["lacking"]), content["explained"]) == (len(ROWS), report.explained)


def test_same_document(run: Run) -> None:
    status, out = run("--spec", GA, "--fragment", GA)
    assert (status, out.splitlines()[-1]) == (0, "The facts are the same.")


def test_document_of_another_api_is_an_error(folder: Path, run: Run) -> None:
    path = publish(folder, {"openapi": "3.1.0", "paths": {}})
    message = f"error: {path} has no schema of {GA}\n"
    assert run("--fragment", GA, "--spec", path) == (2, message)


def test_prose_is_listed_where_a_base_tells_what_changed(ga: Any, folder: Path, run: Run) -> None:
    schema = "RealtimeServerEventResponseTextDelta"
    old = with_schemas(ga, f"{{{schema}: {{description: Old words.}}}}")
    new = with_schemas(ga, f"{{{schema}: {{description: Other words.}}}}")
    old, new = publish(folder, old, "old.json"), publish(folder, new, "new.json")
    arguments = ("--fragment", folder / "ga.yaml", "--spec", new)
    status, out = run(*arguments)
    assert (status, out.splitlines()[-1]) == (0, "The facts are the same.")
    status, out = run(*arguments, "--base", old)
    expected = "To do: 0 facts, and 1 descriptions to read again."
    assert (status, out.splitlines()[-1]) == (1, expected)
    assert f"prose that changed (1)\n  {schema}\n" in out


def test_what_the_overlay_has_is_listed_apart_and_not_written(
    ga: Any, folder: Path, run: Run
) -> None:
    delta = "RealtimeServerEventResponseTextDelta"
    changed = with_schemas(ga, f"{{{delta}: {{properties: {{obfuscation: {{type: string}}}}}}}}")
    fragment, other = folder / "ga.yaml", publish(folder, changed)
    report, _source = upstream.against_document(fragment, other)
    (row,) = report.overlaid
    assert (row.place, report.lacking) == (f"{delta}.obfuscation", [])
    before = fragment.read_text("utf-8")
    assert run("--fragment", fragment, "--spec", other, "--apply")[0] == 1
    assert fragment.read_text("utf-8") == before


def test_a_known_loss_does_not_hide_the_next() -> None:
    one, other = (Row("-", "Union", "member", ours=name) for name in ("One", "Other"))
    report = upstream.Report("")
    upstream.sort(report, [one, other], [other])
    assert (report.lacking, report.overlaid) == ([other], [one])


# A protocol whose names have a prefix in the document, because another took them.
PREFIXED = """
openapi: 3.1.0
paths: {/new: {get: {tags: [A], operationId: a, responses: {}}}}
components:
  schemas:
    AServerEvent: {anyOf: [{$ref: '#/components/schemas/AServerEventOne'}]}
    AServerEventOne: {type: object, properties: {type: {enum: [one]}, new: {type: string}}}
    AServerEventSame: {type: object, properties: {type: {enum: [same]}}}
    AOldServerEventOne: {type: object, properties: {type: {enum: [one]}, a: {type: integer}}}
    AOldServerEventTwo: {type: object, properties: {type: {enum: [two]}}}
"""
OLD = """
openapi: 3.1.0
x-upstream: {prefix: AOld, paths: [/old]}
paths: {/old: {get: {tags: [A], operationId: a, responses: {}}}}
components:
  schemas:
    AServerEvent:
      x-events: server
      anyOf:
        - {$ref: '#/components/schemas/AServerEventOne'}
        - {$ref: '#/components/schemas/AServerEventSame'}
        - {$ref: '#/components/schemas/AServerEventGone'}
      discriminator: {propertyName: type}
    AServerEventOne: {type: object, properties: {type: {enum: [one]}, a: {type: string}}}
    AServerEventSame: {type: object, properties: {type: {enum: [same]}}}
    AServerEventGone: {type: object, properties: {type: {enum: [gone]}}}
"""


def test_names_with_a_prefix(tmp_path: Path) -> None:
    fragment, other = tmp_path / "old.yaml", tmp_path / "published.yaml"
    fragment.write_text(OLD, "utf-8")
    other.write_text(PREFIXED, "utf-8")
    report, _source = upstream.against_document(fragment, other)
    assert [str(row) for row in report.lacking] == [
        "+ AServerEvent: member AServerEventTwo",
        "- AServerEvent: member AServerEventGone",
        "~ AServerEventOne.a: type string → integer",
        "- GET /old: operation",
    ]


# What a person does: what is gone upstream, operations, and an object that became text.
BY_HAND = [
    "+ GET /realtime/voices: operation",
    "+ POST /realtime/calls/{call_id}/hangup.force: query parameter",
    "+ POST /realtime/client_secrets.200: media type text/plain",
    "- RealtimeFunctionTool.description: field",
    "- RealtimeResponse.status: value",
    "- RealtimeServerEvent: member",
    "~ RealtimeServerEventRateLimitsUpdated.rate_limits.[]: type",
]


def test_applied_facts_stay_in_order_and_wait_for_descriptions(
    planted: Any, folder: Path, run: Run
) -> None:
    other = publish(folder, planted)
    fragment = folder / "ga.yaml"
    before = fragment.read_text("utf-8").splitlines()
    status, out = run("--fragment", fragment, "--spec", other, "--format", "markdown", "--apply")
    assert (status, out[:2]) == (1, "# ")
    after = fragment.read_text("utf-8").splitlines()
    lines = out.splitlines()
    by_hand = [line.removeprefix("by hand: ") for line in lines if line.startswith("by hand: ")]
    written = [line for line in lines if line.startswith("written: ")]
    assert len(written) + len(by_hand) == len(ROWS)
    assert sorted(by_hand) == sorted(BY_HAND)
    comments = [[line for line in text if line.strip().startswith("#")] for text in (before, after)]
    assert comments[0] == comments[1]
    assert len(set(before) - set(after)) < 12
    problems = missing_descriptions(fragment)
    assert "components.schemas.RealtimeResponse.properties.mood" in problems
    report, _source = upstream.against_document(fragment, other)
    assert len(report.lacking) == len(by_hand)


def missing_descriptions(fragment: Path) -> str:
    """Return what is refused of a fragment, which is only that descriptions are missing."""
    document = spec.merged(fragment, fragment.parent / "overlays/ga.yaml")
    with pytest.raises(Refused) as caught:
        constructs.check(prepared(document))
    assert {problem.reason for problem in caught.value.problems} == {"its description is missing"}
    return "\n".join(caught.value.lines(is_full=True))


# Unions without discriminator, references in maps and lists, names that are no class names.
NEW_SCHEMAS = """
RealtimeResponse:
  properties:
    moods: {type: object, additionalProperties: {$ref: '#/components/schemas/mood-name'}}
    choice: {$ref: '#/components/schemas/Choice'}
    lists: {type: array, items: {type: array, items: {$ref: '#/components/schemas/New'}}}
    either: {oneOf: [{$ref: '#/components/schemas/New'}, {type: string}]}
mood-name: {type: object, properties: {text: {$ref: '#/components/schemas/Text'}}}
Text: {type: string, maxLength: 9}
New: {type: object, properties: {type: {const: new}, next: {$ref: '#/components/schemas/New'}}}
Newer: {type: object, properties: {type: {enum: [newer, newest]}}}
Choice: {anyOf: [{$ref: '#/components/schemas/New'}, {$ref: '#/components/schemas/Newer'}]}
"""


def test_applied_schemas_make_classes_and_unions(ga: Any, folder: Path, run: Run) -> None:
    fragment = folder / "ga.yaml"
    other = publish(folder, with_schemas(ga, NEW_SCHEMAS))
    assert "by hand" not in run("--fragment", fragment, "--spec", other, "--apply")[1]
    schemas = schemas_of(spec.load(fragment))
    assert schemas["Text"] == {"description": "TODO", "type": "string", "maxLength": 9}
    assert schemas["MoodName"]["properties"]["text"]["description"] == "TODO"
    made = schemas_of(prepared(spec.merged(fragment, folder / "overlays/ga.yaml")))
    assert spec.mapped(made["Choice"]) == {"new": "New", "newer": "Newer", "newest": "Newer"}
    assert made["Choice"]["discriminator"]["propertyName"] == "type"
    assert "discriminator" not in made["RealtimeResponseEither"]
    report, _source = upstream.against_document(fragment, other)
    assert report.lacking == []
    missing_descriptions(fragment)


# The wheel


THING = "realtime.Thing"
SOURCE = {"openai": "1.0", "resources": "realtime", "types": {"Thing": THING}}


def wheel_document(**properties: Any) -> dict[str, Any]:
    thing = {"type": "object", "properties": properties}
    return {"paths": {}, "components": {"schemas": {"Thing": thing}}}


def against_wheels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Any, *documents: dict[str, Any]
) -> upstream.Report:
    """Compare a fragment with one field with the wheels 1.0 and 2.0."""
    fragment = tmp_path / "small.yaml"
    thing = {"type": "object", "properties": {"a": {"type": "string"}}}
    content = {"x-upstream": source, "paths": {}, "components": {"schemas": {"Thing": thing}}}
    fragment.write_text(json.dumps(content), "utf-8")
    found = dict(zip(("1.0", "2.0"), documents, strict=True))
    monkeypatch.setattr(upstream.wheel, "document", lambda version, _source: found[version])
    return upstream.against_wheel(fragment, "2.0")[0]


def test_wheel_shows_what_is_new_since_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, new = {"type": "string", "description": "Old."}, {"type": "integer"}
    old = wheel_document(a={"type": "string"}, known=known)
    newer = wheel_document(a={"type": "string"}, known={**known, "description": "New."}, new=new)
    report = against_wheels(tmp_path, monkeypatch, SOURCE, old, newer)
    assert [str(row) for row in report.lacking] == ["+ Thing.new: field (integer)"]
    assert [str(row) for row in report.changed] == ["+ Thing.new: field (integer)"]
    assert [row.place for row in report.prose] == ["Thing.known"]


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ({}, "x-upstream names no wheel; compare with SPEC=file"),
        ({"Thong": THING}, "x-upstream has a type for Thong, which is no schema"),
        ({"Thing": THING, "Root": "a.Thing"}, "x-upstream has a type for Root, which is no schema"),
    ],
    ids=["no_wheel", "unknown_root", "one_of_two_roots_unknown"],
)
def test_wrong_source_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, types: Any, message: str
) -> None:
    source = {**SOURCE, "types": types} if types else {}
    with pytest.raises(spec.SpecError, match=message):
        against_wheels(tmp_path, monkeypatch, source, wheel_document(), wheel_document())


def test_type_that_the_wheel_lacks_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = {"paths": {}, "components": {"schemas": {}}}
    with pytest.raises(spec.SpecError, match=r"x-upstream: openai 2\.0 has no realtime\.Thing"):
        against_wheels(tmp_path, monkeypatch, SOURCE, wheel_document(), none)


def test_every_type_of_ga_is_in_the_installed_wheel(ga: Any) -> None:
    for name, path in ga["x-upstream"]["types"].items():
        module, _, attribute = f"openai.types.{path}".rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), path
        assert name in schemas_of(ga)
