"""`make upstream`, `differences` and what is written into a fragment."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import constructs
import spec
import upstream
from differences import Document, documents, grouped
from protocols import ROOT
from simplify import simplified
from trees import merge, parsed

GA = ROOT / "openapi/ga.yaml"

Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def ga() -> Any:
    return spec.load(GA)


# For each planted fact what is merged into the schemas (`null` removes) or into the paths, or what
# changes the document, and the row that it has to give.

Schemas = dict[str, Any]


def new_required_field(schemas: Schemas) -> None:
    usage = schemas["RealtimeResponseUsage"]
    usage["properties"]["cost"] = {"type": "number"}
    usage["required"] = [*usage.get("required", []), "cost"]


def new_value(schemas: Schemas) -> None:
    schemas["RealtimeResponse"]["properties"]["status"]["enum"].append("paused")


def removed_value(schemas: Schemas) -> None:
    schemas["RealtimeResponse"]["properties"]["status"]["enum"].remove("cancelled")


def newly_required(schemas: Schemas) -> None:
    schemas["RealtimeClientEventConversationItemDelete"]["required"].append("event_id")


def no_longer_required(schemas: Schemas) -> None:
    schemas["RealtimeServerEventResponseCreated"]["required"].remove("response")


def new_event(schemas: Schemas) -> None:
    schemas |= parsed("""
        RealtimeServerEventMoodChanged:
          type: object
          required: [type, mood]
          properties:
            type: {type: string, const: mood.changed}
            mood: {$ref: '#/components/schemas/Mood'}
        Mood: {type: object, properties: {name: {type: string}}}
    """)
    reference = "#/components/schemas/RealtimeServerEventMoodChanged"
    union = schemas["RealtimeServerEvent"]
    union["anyOf"].append({"$ref": reference})
    union["discriminator"]["mapping"]["mood.changed"] = reference


def removed_event(schemas: Schemas) -> None:
    name = "RealtimeServerEventOutputAudioBufferStopped"
    del schemas[name]
    union = schemas["RealtimeServerEvent"]
    union["anyOf"] = [each for each in union["anyOf"] if not each["$ref"].endswith(name)]
    mapping = union["discriminator"]["mapping"]
    union["discriminator"]["mapping"] = {k: v for k, v in mapping.items() if not v.endswith(name)}


def inline_change(schemas: Schemas) -> None:
    """The object stands where it is used, and has one field more."""
    details = schemas.pop("RealtimeResponseStatusDetailsError")
    details["properties"]["hint"] = {"type": "string"}
    schemas["RealtimeResponseStatusDetails"]["properties"]["error"] = details


FACTS: list[tuple[Any, str]] = [
    (
        "{RealtimeResponse: {properties: {mood: {type: string}}}}",
        "+ RealtimeResponse.mood: field (string)",
    ),
    (new_required_field, "+ RealtimeResponseUsage.cost: required field (number)"),
    (
        "{RealtimeFunctionTool: {properties: {description: null}}}",
        "- RealtimeFunctionTool.description: field (string)",
    ),
    (new_value, "+ RealtimeResponse.status: value paused"),
    (removed_value, "- RealtimeResponse.status: value cancelled"),
    (
        "{RealtimeServerEventResponseDone: {properties: {event_id: {type: integer}}}}",
        "~ RealtimeServerEventResponseDone.event_id: type string → integer",
    ),
    (
        newly_required,
        "~ RealtimeClientEventConversationItemDelete.event_id: is optional → required",
    ),
    (no_longer_required, "~ RealtimeServerEventResponseCreated.response: is required → optional"),
    (
        "{RealtimeServerEventResponseTextDone: {properties: {text: {type: [string, 'null']}}}}",
        "~ RealtimeServerEventResponseTextDone.text: nullable False → True",
    ),
    (
        "{RealtimeServerEventSessionCreated: {properties: {session: {nullable: true}}}}",
        "~ RealtimeServerEventSessionCreated.session: nullable False → True",
    ),
    (
        "{RealtimeSessionCreateRequestGA: {properties: {instructions: {maxLength: 5000}}}}",
        "~ RealtimeSessionCreateRequestGA.instructions: maxLength none → 5000",
    ),
    (
        "{RealtimeTurnDetectionServerVad: {properties: {threshold: {default: 0.9}}}}",
        "~ RealtimeTurnDetectionServerVad.threshold: default ",
    ),
    (
        "{RealtimeServerEventRateLimitsUpdated: {properties: {rate_limits: {items:"
        " {$ref: null, type: string}}}}}",
        "~ RealtimeServerEventRateLimitsUpdated.rate_limits.[]: type object → string",
    ),
    (new_event, "+ RealtimeServerEvent: member RealtimeServerEventMoodChanged"),
    (removed_event, "- RealtimeServerEvent: member RealtimeServerEventOutputAudioBufferStopped"),
    (
        "{/realtime/voices: {get: {operationId: list-voices, tags: [Realtime],"
        " responses: {'200': {description: Voices.}}}}}",
        "+ GET /realtime/voices: operation",
    ),
    (
        "{'/realtime/calls/{call_id}/hangup': {post: {parameters:"
        " [{in: path, name: call_id, required: true, schema: {type: string}},"
        " {in: query, name: force, schema: {type: boolean}}]}}}",
        "+ POST /realtime/calls/{call_id}/hangup.force: query parameter",
    ),
    (
        "{/realtime/client_secrets: {post: {responses: {'200': {content:"
        " {text/plain: {schema: {type: string}}}}}}}}",
        "+ POST /realtime/client_secrets.200: media type text/plain",
    ),
    (inline_change, "+ RealtimeResponseStatusDetailsError.hint: field (string)"),
    (
        "{MCPTool: {properties: {connector_id: {deprecated: true}}}}",
        "~ MCPTool.connector_id: deprecated none → True",
    ),
]


def schemas_of(document: Any) -> Schemas:
    found: Schemas = document["components"]["schemas"]
    return found


def with_facts(document: Any, *plants: Any) -> Any:
    """A copy of a document with what is planted."""
    document = copy.deepcopy(document)
    for plant in plants:
        if callable(plant):
            plant(schemas_of(document))
            continue
        change = parsed(plant)
        is_path = next(iter(change)).startswith("/")
        whole = {"paths": change} if is_path else {"components": {"schemas": change}}
        document = merge(document, whole)
    return document


def rows_of(ours: Any, theirs: Any) -> list[str]:
    found = documents(Document(simplified(ours)), Document(simplified(theirs)))
    return [str(row) for row in grouped(found.rows)]


def test_twenty_planted_facts_are_twenty_rows(ga: Any) -> None:
    rows = rows_of(ga, with_facts(ga, *(plant for plant, _ in FACTS)))
    assert len(FACTS) == len(rows) == 20, rows
    for _, expected in FACTS:
        assert len([row for row in rows if row.startswith(expected)]) == 1, expected


@pytest.mark.parametrize(("plant", "expected"), FACTS)
def test_each_fact_alone_is_one_row(ga: Any, plant: Any, expected: str) -> None:
    (row,) = rows_of(ga, with_facts(ga, plant))
    assert row.startswith(expected)


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

# The whole command


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in this process, which has the fragment parsed; its status and output."""

    def run(*arguments: str | Path) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["upstream.py", *map(str, arguments)])
        status = upstream.main()
        out, err = capsys.readouterr()
        assert err == ""
        return status, out

    return run


@pytest.fixture(scope="module")
def planted(ga: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A copy of the fragment with its overlay, and a document with the planted facts."""
    tmp_path = tmp_path_factory.mktemp("planted")
    (tmp_path / "overlays").mkdir()
    shutil.copy(ROOT / "openapi/overlays/ga.yaml", tmp_path / "overlays")
    fragment = Path(shutil.copy(GA, tmp_path))
    changed = with_facts(ga, *(plant for plant, _ in FACTS))
    other = tmp_path / "other/spec.yaml"
    other.parent.mkdir()
    other.write_text(json.dumps(changed), "utf-8")
    return fragment, other


def test_report_in_each_form(planted: tuple[Path, Path]) -> None:
    report = upstream.against_document(*planted)
    assert report.differs
    for form in ("text", "markdown"):
        text = upstream.FORMATS[form](report)
        assert "RealtimeResponse.mood" in text
        assert "obfuscation" in text.partition("hat the overlay explains")[2]
    content = json.loads(upstream.FORMATS["json"](report))
    assert sum(map(len, content["facts"].values())) == len(FACTS)
    assert "what the overlay explains" in content["notes"]


def test_the_same_document_is_no_difference(run: Run) -> None:
    status, out = run("--spec", GA, "--fragment", GA)
    assert (status, out.splitlines()[-1]) == (0, "The facts are the same.")


def test_what_the_overlay_has_already_is_said_apart(ga: Any, tmp_path: Path) -> None:
    delta = "RealtimeServerEventResponseTextDelta"
    changed = with_facts(ga, f"{{{delta}: {{properties: {{obfuscation: {{type: string}}}}}}}}")
    other = tmp_path / "spec.yaml"
    other.write_text(json.dumps(changed), "utf-8")
    report = upstream.against_document(GA, other)
    (row,) = report.facts["the overlay has it: move it to the fragment"]
    assert row.place == f"{delta}.obfuscation"
    assert report.facts["the fragment differs"] == []


def test_applied_facts_stay_in_order_and_wait_for_descriptions(
    planted: tuple[Path, Path], run: Run
) -> None:
    fragment, other = planted
    before = fragment.read_text("utf-8")
    status, out = run("--fragment", fragment, "--spec", other, "--format", "markdown", "--apply")
    assert (status, out[:2]) == (1, "# ")
    after = fragment.read_text("utf-8")
    lines = out.splitlines()
    by_hand = [line.removeprefix("by hand: ") for line in lines if line.startswith("by hand: ")]
    written = [line for line in lines if line.startswith("written: ")]
    assert len(written) + len(by_hand) == len(FACTS)
    assert sorted(by_hand) == sorted(BY_HAND)
    assert [line for line in before.splitlines() if line.strip().startswith("#")] == [
        line for line in after.splitlines() if line.strip().startswith("#")
    ]
    kept = set(before.splitlines()) - set(after.splitlines())
    assert len(kept) < 12, kept
    document = spec.merged(fragment, fragment.parent / "overlays/ga.yaml")
    with pytest.raises(spec.SpecError) as caught:
        constructs.check(simplified(document))
    problems = str(caught.value).splitlines()
    assert all(problem.endswith("its description is missing") for problem in problems), problems
    assert "components.schemas.RealtimeResponse.properties.mood" in str(caught.value)
    report = upstream.against_document(fragment, other)
    left = [row for rows in report.facts.values() for row in rows]
    assert len(left) == len(by_hand), left


def test_a_fragment_without_x_reconciled(tmp_path: Path) -> None:
    fragment = tmp_path / "small.yaml"
    fragment.write_text("paths: {}\ncomponents: {schemas: {}}\n", "utf-8")
    command = [sys.executable, ROOT / "openapi/upstream.py", "--fragment", fragment]
    done = subprocess.run(
        [*command, "--version", "0"], capture_output=True, encoding="utf-8", check=False
    )
    expected = f"error: {fragment}: x-reconciled names no version of openai\n"
    assert (done.returncode, done.stderr) == (2, expected)
