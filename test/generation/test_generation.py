"""Generation from end to end, in scratch copies of the repository."""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from oas_patch.overlay import apply_overlay
from ruamel.yaml import YAML

from docs import without_html
from protocols import ROOT
from trees import copy_repository, once, printed, run

# The other protocol is small here, because the real one takes twice the time.
SMALL_GA = """
openapi: 3.1.0
info: {title: Small, version: '1', description: Another protocol.}
servers: [{url: 'https://example.com'}]
paths:
  /small:
    get:
      tags: [Realtime]
      operationId: get-small
      summary: Get it
      description: Gets it.
      responses:
        '200':
          description: It.
          content: {application/json: {schema: {$ref: '#/components/schemas/Small'}}}
components:
  schemas:
    Small:
      type: object
      description: Not much.
      properties:
        size: {type: integer, description: Its size.}
"""
FRAGMENT = "openapi/v1.yaml"
MODELS = "openai_realtime_client/v1/models"
PAGES = "docs/v1"

# What a maintainer could add, merged into the fragment.
ADDITIONS = """
components:
  schemas:
    RealtimeResponse:
      properties:
        status:
          enum: [brand-new.2]
        speech_rate:
          type: number
          minimum: 0.5
          description: How fast the voice speaks.
        class:
          type: string
          description: Class of service.
          enum: [premium]
        speechStyle:
          type: string
          description: How the voice sounds.
          enum: [calm, very lively]
        timing:
          description: When the response came.
          $ref: '#/components/schemas/RealtimeMCPTiming'
    RealtimeMCPTiming:
      type: object
      description: Times of a response.
      required: [lambda]
      properties:
        lambda: {type: number, description: Seconds to the first byte.}
        steps_ms: {type: array, description: Time of each step., items: {type: integer}}
    RealtimeServerEvent:
      anyOf:
        - $ref: '#/components/schemas/RealtimeServerEventConversationRenamed'
      discriminator:
        mapping:
          conversation.renamed: '#/components/schemas/RealtimeServerEventConversationRenamed'
    RealtimeServerEventConversationRenamed:
      type: object
      description: Server event that gives the conversation a name.
      required: [type, newName]
      properties:
        type:
          type: string
          description: Event type, always `conversation.renamed`.
          enum: [conversation.renamed]
        newName: {type: string, description: The name.}
"""
REMOVED = "RealtimeServerEventOutputAudioBufferStopped"
REMOVED_FILES = {
    f"{PAGES}/{REMOVED}.md",
    f"{MODELS}/realtime_server_event_output_audio_buffer_stopped.py",
}
REMOVED_PROTOCOL = (
    "openai_realtime_client/old/__init__.py",
    "openai_realtime_client/old/models/thing.py",
    "docs/old/README.md",
)
EDITED = f"{MODELS}/realtime_response_usage.py"
MISSING = f"{PAGES}/RealtimeSession.md"
STRAY = f"{MODELS}/stray.py"
OLD_NAME, NEW_NAME = "LogProbProperties", "TokenLogProbability"


def change_fragment(path: Path) -> None:
    yaml = YAML()
    document = yaml.load(path.read_text("utf-8").replace(OLD_NAME, NEW_NAME))
    schemas = document["components"]["schemas"]
    union = schemas["RealtimeServerEvent"]
    union["anyOf"].remove({"$ref": f"#/components/schemas/{REMOVED}"})
    del union["discriminator"]["mapping"]["output_audio_buffer.stopped"]
    del schemas[REMOVED]
    apply_overlay(document, {"actions": [{"target": "$", "update": yaml.load(ADDITIONS)}]})
    yaml.dump(document, path)


@dataclass(frozen=True)
class Run:
    """A run of openapi/generate.py, and how it changed the tree: "+ added", "~ ...", "- ..."."""

    root: Path
    code: int
    output: str
    errors: str
    changes: set[str]


def generate(root: Path, *arguments: str) -> Run:
    before = snapshot(root)
    done = run(root, "openapi/generate.py", *arguments)
    changes = difference(before, snapshot(root))
    return Run(root, done.returncode, done.stdout, done.stderr, changes)


def snapshot(root: Path) -> dict[str, str]:
    """A hash of each file that is not ignored by git."""
    ignored = {"build", "__pycache__", ".ruff_cache"}
    files = [path for path in root.rglob("*") if path.is_file()]
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if not ignored & set(path.relative_to(root).parts)
    }


def difference(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {
        *(f"+ {path}" for path in after.keys() - before.keys()),
        *(f"~ {path}" for path in after.keys() & before.keys() if after[path] != before[path]),
        *(f"- {path}" for path in before.keys() - after.keys()),
    }


def read(made: Run, path: str) -> str:
    return (made.root / path).read_text("utf-8")


@dataclass(frozen=True)
class Runs:
    """A changed fragment and a new one, then a check of that tree with faults, then an error."""

    changed: Run
    check: Run
    broken: Run


def generate_all(folder: Path) -> Runs:
    """Make all runs one after the other, because each starts Java and copies the repository."""
    root = copy_repository(folder / "changed", "ga", "ga.yaml")
    (root / "openapi/ga.yaml").write_text(SMALL_GA, "utf-8")
    change_fragment(root / FRAGMENT)
    shutil.copy(Path(__file__).with_name("requests.yaml"), root / "openapi/added.yaml")
    for path in REMOVED_PROTOCOL:
        (root / path).parent.mkdir(parents=True)
        (root / path).write_text("# Generated by `make generate` from openapi/old.yaml\n", "utf-8")
    changed = generate(root)
    assert changed.code == 0, changed.errors
    faults = shutil.copytree(root, folder / "faults")
    plant_faults(faults)
    check = generate(faults, "--check")
    replace_in(faults / FRAGMENT, f"/{NEW_NAME}'", "/Gone'")
    return Runs(changed, check, generate(faults))


def plant_faults(root: Path) -> None:
    """Plant one of each kind; the changed description is in a model, and on its page."""
    with (root / EDITED).open("a", encoding="utf-8") as file:
        file.write("EDITED = True\n")
    (root / MISSING).unlink()
    (root / STRAY).write_text("", encoding="utf-8")
    replace_in(root / FRAGMENT, "The token as text.", "The token, as text.")


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return once(tmp_path_factory, "generation", generate_all)


@pytest.fixture
def changed(runs: Runs) -> Run:
    return runs.changed


# A changed fragment, and a new one


def test_new_fields_and_values_are_typed_attributes(changed: Run) -> None:
    program = """
from typing import get_type_hints
from openai_realtime_client.v1 import RealtimeMCPTiming, RealtimeResponse
hints = get_type_hints(RealtimeResponse)
assert hints["speech_rate"] == float | None
assert hints["class_"] == RealtimeResponse.ClassEnum | None
assert hints["speech_style"] == RealtimeResponse.SpeechStyleEnum | None
assert hints["timing"] == RealtimeMCPTiming | None
assert get_type_hints(RealtimeMCPTiming)["lambda_"] == float
response = RealtimeResponse(
    status="brand-new.2",
    class_=RealtimeResponse.ClassEnum.PREMIUM,
    speech_style=RealtimeResponse.SpeechStyleEnum.VERY_LIVELY,
    timing=RealtimeMCPTiming(lambda_=0.25),
)
again = RealtimeResponse.from_json(response.to_json())
assert again == response
assert again.class_ is RealtimeResponse.ClassEnum.PREMIUM
assert again.status is RealtimeResponse.StatusEnum.BRAND_NEW_2
assert again.status.is_known
print(again.to_json())
"""
    assert printed(changed.root, program) == (
        '{"status":"brand-new.2",'
        '"class":"premium","speechStyle":"very lively","timing":{"lambda":0.25}}\n'
    )


def test_new_fields_and_values_are_on_the_page(changed: Run) -> None:
    expected = {
        "|**speech_rate** | **float** | How fast the voice speaks. | [optional] [at least `0.5`] |",
        "|**class_** | [**ClassEnum**](#enum-classenum) | Class of service. "
        "| [optional] [in JSON `class`] [known: `premium`] |",
        "|**speech_style** | [**SpeechStyleEnum**](#enum-speechstyleenum) | How the voice sounds. "
        "| [optional] [in JSON `speechStyle`] |",
        "|**timing** | [**RealtimeMCPTiming**](RealtimeMCPTiming.md) "
        "| When the response came. | [optional] |",
        "| BRAND_NEW_2 | `brand-new.2` |",
    }
    lines = without_html(read(changed, "docs/v1/RealtimeResponse.md")).splitlines()
    assert expected - set(lines) == set()


def test_new_event_is_parsed_and_renamed_schema_imported(changed: Run) -> None:
    program = f"""
from openai_realtime_client.v1 import {NEW_NAME}
from openai_realtime_client.v1 import RealtimeServerEventConversationRenamed, parse_server_event
event = parse_server_event('{{"type":"conversation.renamed","newName":"Trip"}}')
assert type(event) is RealtimeServerEventConversationRenamed
assert event.new_name == "Trip"
"""
    printed(changed.root, program)


def test_new_event_and_schema_are_documented(changed: Run) -> None:
    index = without_html(read(changed, "docs/v1/README.md")).splitlines()
    assert "- [RealtimeMCPTiming](RealtimeMCPTiming.md): Times of a response" in index
    link = "[RealtimeServerEventConversationRenamed](RealtimeServerEventConversationRenamed.md)"
    assert [row for row in index if row.startswith(f"|`conversation.renamed` | {link} | ")]
    page = read(changed, "docs/v1/RealtimeServerEventConversationRenamed.md")
    assert "- **Event**: `conversation.renamed`, sent by the server" in page
    assert "| `conversation.renamed` |" in read(changed, "docs/v1/RealtimeServerEvent.md")


def test_removed_schema_leaves_nothing(changed: Run) -> None:
    assert {f"- {path}" for path in REMOVED_FILES} <= changed.changes
    assert mentions(changed, REMOVED) == []
    assert mentions(changed, "realtime_server_event_output_audio_buffer_stopped") == []


def test_renamed_schema_has_its_new_name_only(changed: Run) -> None:
    assert mentions(changed, OLD_NAME) == []
    assert mentions(changed, "log_prob_properties") == []
    new = {f"{PAGES}/{NEW_NAME}.md", f"{MODELS}/token_log_probability.py"}
    old = {f"{PAGES}/{OLD_NAME}.md", f"{MODELS}/log_prob_properties.py"}
    assert {*(f"+ {path}" for path in new), *(f"- {path}" for path in old)} <= changed.changes


def mentions(made: Run, text: str) -> list[str]:
    """The generated files with a text in their name or in them."""
    return [path for path in listed(made) if text in path or text in read(made, path)]


def listed(made: Run) -> list[str]:
    """The generated files: a folder of the package and one of the docs for each fragment."""
    tops = ("openai_realtime_client", "docs")
    folders = tuple(f"{top}/{name}/" for top in tops for name in ("v1", "ga", "added"))
    return sorted(path for path in snapshot(made.root) if path.startswith(folders))


def test_a_removed_fragment_takes_its_packages_along(changed: Run) -> None:
    assert {f"- {path}" for path in REMOVED_PROTOCOL} <= changed.changes
    assert not (changed.root / "openai_realtime_client/old").exists()
    assert not (changed.root / "docs/old").exists()


def test_summary_names_every_file(changed: Run) -> None:
    lines = changed.output.splitlines()
    named = [line.strip() for line in lines if line.startswith(("  + ", "  ~ ", "  - "))]
    assert sorted(named) == sorted(changed.changes)
    counts = [sum(change.startswith(sign) for change in changed.changes) for sign in "+~-"]
    assert min(counts) > 0
    assert lines[-1] == f"{counts[0]} files added, {counts[1]} changed, {counts[2]} removed"


def test_generated_files_say_so(changed: Run) -> None:
    mark = "Generated by `make generate` from openapi/"
    assert [path for path in listed(changed) if mark not in first_line(changed, path)] == []


def test_no_other_file_is_generated(changed: Run) -> None:
    others = {path for path in snapshot(changed.root) if path.endswith((".py", ".md"))}
    others -= set(listed(changed))
    others -= {path for path in others if path.startswith("docs/reference/")}
    assert [path for path in others if "Generated by" in first_line(changed, path)] == []


def first_line(made: Run, path: str) -> str:
    return read(made, path).partition("\n")[0]


def test_a_third_protocol_is_tested_without_an_edit(changed: Run, tmp_path: Path) -> None:
    for path in changed.root.iterdir():
        (tmp_path / path.name).symlink_to(path)
    shutil.copytree(ROOT / "test", tmp_path / "test")
    assert "+ docs/added/Hello.md" in changed.changes
    done = run(tmp_path, "-m", "pytest", "test/core/test_round_trips.py", "-k", "added")
    assert done.returncode == 0, done.stdout
    assert re.search(r"\b[1-9]\d* passed", done.stdout)


# A check of a copy of that tree, and a broken fragment


def test_check_fails_and_changes_nothing(runs: Runs) -> None:
    check = runs.check
    assert (check.code, check.changes) == (1, set())
    (line,) = check.errors.splitlines()
    assert line.startswith(
        "error: 3 generated files differ from what openapi/ gives, "
        "1 are missing, 1 are not generated."
    )
    assert "`make generate`" in line


@pytest.mark.parametrize(
    "expected",
    [
        f"--- {EDITED} (in the tree)\n+++ {EDITED} (from openapi/)\n",
        "\n-EDITED = True\n",
        f"\nmissing: {MISSING}\n",
        f"\nnot generated: {STRAY}\n",
        '\n-    """The token as text."""\n+    """The token, as text."""\n',
        "-|**token** | **str** | The token as text. |  <a id=",
    ],
    ids=["edited_file", "edited_line", "missing", "stray", "model", "page"],
)
def test_check_shows_each_difference(runs: Runs, expected: str) -> None:
    assert expected in runs.check.output


def test_broken_fragment_changes_nothing(runs: Runs) -> None:
    broken = runs.broken
    assert (broken.code, broken.changes) == (1, set())
    *errors, reassurance = broken.errors.splitlines()
    assert errors
    for error in errors:
        assert error.startswith(f"error: {FRAGMENT}: components.schemas.")
        assert error.endswith(": '#/components/schemas/Gone' does not exist")
    assert reassurance == "Nothing was changed."
