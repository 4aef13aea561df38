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
from simplify import simplified

ROOT = Path(__file__).parents[2]
GA = ROOT / "openapi/ga.yaml"

Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def ga() -> Any:
    return spec.load(GA)


# For each planted fact the row that it has to give. `at` finds the schemas of the document.


def schemas_of(document: Any) -> Any:
    return document["components"]["schemas"]


def new_field(d: Any) -> None:
    schemas_of(d)["RealtimeResponse"]["properties"]["mood"] = {"type": "string"}


def new_required_field(d: Any) -> None:
    usage = schemas_of(d)["RealtimeResponseUsage"]
    usage["properties"]["cost"] = {"type": "number"}
    usage["required"] = [*usage.get("required", []), "cost"]


def removed_field(d: Any) -> None:
    del schemas_of(d)["RealtimeFunctionTool"]["properties"]["description"]


def new_value(d: Any) -> None:
    schemas_of(d)["RealtimeResponse"]["properties"]["status"]["enum"].append("paused")


def removed_value(d: Any) -> None:
    schemas_of(d)["RealtimeResponse"]["properties"]["status"]["enum"].remove("cancelled")


def changed_type(d: Any) -> None:
    schemas_of(d)["RealtimeServerEventResponseDone"]["properties"]["event_id"]["type"] = "integer"


def newly_required(d: Any) -> None:
    schemas_of(d)["RealtimeClientEventConversationItemDelete"]["required"].append("event_id")


def no_longer_required(d: Any) -> None:
    schemas_of(d)["RealtimeServerEventResponseCreated"]["required"].remove("response")


def nullable_field(d: Any) -> None:
    field = schemas_of(d)["RealtimeServerEventResponseTextDone"]["properties"]["text"]
    field["type"] = ["string", "null"]


def nullable_reference(d: Any) -> None:
    schemas_of(d)["RealtimeServerEventSessionCreated"]["properties"]["session"]["nullable"] = True


def new_limit(d: Any) -> None:
    fields = schemas_of(d)["RealtimeSessionCreateRequestGA"]["properties"]
    fields["instructions"]["maxLength"] = 5000


def changed_default(d: Any) -> None:
    fields = schemas_of(d)["RealtimeTurnDetectionServerVad"]["properties"]
    fields["threshold"]["default"] = 0.9


def changed_items(d: Any) -> None:
    event = schemas_of(d)["RealtimeServerEventRateLimitsUpdated"]["properties"]["rate_limits"]
    event["items"] = {"type": "string"}


def new_event(d: Any) -> None:
    schemas = schemas_of(d)
    schemas["RealtimeServerEventMoodChanged"] = {
        "type": "object",
        "required": ["type", "mood"],
        "properties": {
            "type": {"type": "string", "const": "mood.changed"},
            "mood": {"$ref": "#/components/schemas/Mood"},
        },
    }
    schemas["Mood"] = {"type": "object", "properties": {"name": {"type": "string"}}}
    reference = "#/components/schemas/RealtimeServerEventMoodChanged"
    union = schemas["RealtimeServerEvent"]
    union["anyOf"].append({"$ref": reference})
    union["discriminator"]["mapping"]["mood.changed"] = reference


def removed_event(d: Any) -> None:
    schemas = schemas_of(d)
    name = "RealtimeServerEventOutputAudioBufferStopped"
    del schemas[name]
    union = schemas["RealtimeServerEvent"]
    union["anyOf"] = [each for each in union["anyOf"] if not each["$ref"].endswith(name)]
    mapping = union["discriminator"]["mapping"]
    union["discriminator"]["mapping"] = {k: v for k, v in mapping.items() if not v.endswith(name)}


def new_operation(d: Any) -> None:
    d["paths"]["/realtime/voices"] = {
        "get": {
            "operationId": "list-voices",
            "tags": ["Realtime"],
            "responses": {"200": {"description": "Voices."}},
        }
    }


def new_parameter(d: Any) -> None:
    operation = d["paths"]["/realtime/calls/{call_id}/hangup"]["post"]
    operation["parameters"].append({"in": "query", "name": "force", "schema": {"type": "boolean"}})


def new_media_type(d: Any) -> None:
    operation = d["paths"]["/realtime/client_secrets"]["post"]
    content = operation["responses"]["200"]["content"]
    content["text/plain"] = {"schema": {"type": "string"}}


def inline_change(d: Any) -> None:
    """The object stands where it is used, and has one field more."""
    schemas = schemas_of(d)
    details = copy.deepcopy(schemas["RealtimeResponseStatusDetailsError"])
    details["properties"]["hint"] = {"type": "string"}
    schemas["RealtimeResponseStatusDetails"]["properties"]["error"] = details
    del schemas["RealtimeResponseStatusDetailsError"]


def deprecated_field(d: Any) -> None:
    schemas_of(d)["MCPTool"]["properties"]["connector_id"]["deprecated"] = True


FACTS = {
    new_field: "+ RealtimeResponse.mood: field (string)",
    new_required_field: "+ RealtimeResponseUsage.cost: required field (number)",
    removed_field: "- RealtimeFunctionTool.description: field (string)",
    new_value: "+ RealtimeResponse.status: value paused",
    removed_value: "- RealtimeResponse.status: value cancelled",
    changed_type: "~ RealtimeServerEventResponseDone.event_id: type string → integer",
    newly_required: "~ RealtimeClientEventConversationItemDelete.event_id: is optional → required",
    no_longer_required: ("~ RealtimeServerEventResponseCreated.response: is required → optional"),
    nullable_field: "~ RealtimeServerEventResponseTextDone.text: nullable False → True",
    nullable_reference: "~ RealtimeServerEventSessionCreated.session: nullable False → True",
    new_limit: "~ RealtimeSessionCreateRequestGA.instructions: maxLength none → 5000",
    changed_default: "~ RealtimeTurnDetectionServerVad.threshold: default ",
    changed_items: ("~ RealtimeServerEventRateLimitsUpdated.rate_limits.[]: type object → string"),
    new_event: "+ RealtimeServerEvent: member RealtimeServerEventMoodChanged",
    removed_event: "- RealtimeServerEvent: member RealtimeServerEventOutputAudioBufferStopped",
    new_operation: "+ GET /realtime/voices: operation",
    new_parameter: "+ POST /realtime/calls/{call_id}/hangup.force: query parameter",
    new_media_type: "+ POST /realtime/client_secrets.200: media type text/plain",
    inline_change: "+ RealtimeResponseStatusDetailsError.hint: field (string)",
    deprecated_field: "~ MCPTool.connector_id: deprecated none → True",
}


def rows_of(ours: Any, theirs: Any) -> list[str]:
    found = documents(Document(simplified(ours)), Document(simplified(theirs)))
    return [str(row) for row in grouped(found.rows)]


def test_twenty_planted_facts_are_twenty_rows(ga: Any) -> None:
    changed = copy.deepcopy(ga)
    for plant in FACTS:
        plant(changed)
    rows = rows_of(ga, changed)
    assert len(FACTS) == len(rows) == 20, rows
    for expected in FACTS.values():
        assert len([row for row in rows if row.startswith(expected)]) == 1, expected


@pytest.mark.parametrize("plant", FACTS, ids=lambda plant: plant.__name__)
def test_each_fact_alone_is_one_row(ga: Any, plant: Any) -> None:
    changed = copy.deepcopy(ga)
    plant(changed)
    (row,) = rows_of(ga, changed)
    assert row.startswith(FACTS[plant])


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
    changed = copy.deepcopy(ga)
    for plant in FACTS:
        plant(changed)
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
    changed = copy.deepcopy(ga)
    delta = schemas_of(changed)["RealtimeServerEventResponseTextDelta"]
    delta["properties"]["obfuscation"] = {"type": "string"}
    other = tmp_path / "spec.yaml"
    other.write_text(json.dumps(changed), "utf-8")
    report = upstream.against_document(GA, other)
    (row,) = report.facts["the overlay has it: move it to the fragment"]
    assert row.place == "RealtimeServerEventResponseTextDelta.obfuscation"
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
