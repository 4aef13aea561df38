"""The fragments and their overlays as they are, and the errors of broken ones."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate
from ruamel.yaml import YAML

import annotate
import components
import generate
import names
import spec
from protocols import PROTOCOLS, REALTIME, ROOT, Protocol

FRAGMENTS = [ROOT / f"openapi/{protocol.name}.yaml" for protocol in PROTOCOLS]
OVERLAYS = sorted((ROOT / "openapi/overlays").glob("*.yaml"))

Node = dict[str, Any]


@cache
def load(path: Path) -> Any:
    return YAML(typ="safe").load(path)


# The inputs


@pytest.mark.parametrize("protocol", REALTIME, ids=lambda protocol: protocol.name)
def test_fragment_is_valid(protocol: Protocol) -> None:
    validate(load(ROOT / f"openapi/{protocol.name}.yaml"))


@pytest.mark.parametrize(
    "path", [*FRAGMENTS, *OVERLAYS], ids=lambda path: str(path.relative_to(ROOT))
)
def test_nothing_is_left_to_do(path: Path) -> None:
    assert "TODO" not in path.read_text("utf-8")


def test_overlays_belong_to_fragments() -> None:
    assert {path.name for path in OVERLAYS} <= {path.name for path in FRAGMENTS}


# Broken ones

SMALL = """\
openapi: 3.0.0
info: {title: Small, version: '1'}
paths:
  /one:
    get:
      operationId: get-one
      tags: [Small]
      responses:
        '200': {description: One.}
  /two:
    get:
      operationId: get-two
      tags: [Small]
      responses:
        '200': {description: Two.}
components:
  schemas:
    Union:
      oneOf:
        - $ref: '#/components/schemas/Thing'
      discriminator:
        propertyName: type
        mapping:
          thing: '#/components/schemas/Thing'
    Thing:
      type: object
      properties:
        type: {type: string, enum: [thing]}
        names: {type: array, items: {type: string}}
"""
SMALL_OVERLAY = """\
overlay: 1.0.0
info: {title: Small, version: '1'}
actions:
  - target: $.components.schemas.Thing
    description: Seen.
    update: {nullable: true}
"""


def message_for(folder: Path, fragment: str | bytes | None, overlay: str | None = None) -> str:
    """Return the first line of what `merged` says about broken inputs."""
    files = {"fragment.yaml": fragment, "overlay.yaml": overlay}
    for name, text in files.items():
        if text is not None:
            (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(spec.SpecError) as caught:
        spec.merged(folder / "fragment.yaml", folder / "overlay.yaml")
    message = str(caught.value).partition("\n")[0]
    assert len(message) < 400
    return message.replace(f"{folder}/", "")


def edited(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1
    return text.replace(old, new)


def test_the_small_fragment_is_right(tmp_path: Path) -> None:
    fragment, overlay = tmp_path / "fragment.yaml", tmp_path / "overlay.yaml"
    fragment.write_text(SMALL)
    assert spec.merged(fragment, overlay) == load(fragment)
    overlay.write_text(SMALL_OVERLAY)
    assert spec.merged(fragment, overlay)["components"]["schemas"]["Thing"]["nullable"] is True


THING = "- $ref: '#/components/schemas/Thing'"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("version: '1'}", "version: '1'", ":3:1: not YAML: ", id="bad_YAML"),
        pytest.param("  /two:", "\t/two:", ":10:1: not YAML: ", id="tab_in_indent"),
        pytest.param("Two.", "Two\x07.", ":15:", id="control_character"),
        pytest.param(
            "  /two:", "  /one:", ':10:3: not YAML: found duplicate key "/one"', id="duplicate_key"
        ),
        pytest.param(
            THING,
            "- $ref: 1",
            ": components.schemas.Union.oneOf",
            id="reference_that_is_not_a_string",
        ),
        pytest.param(
            "\n          thing: '#/components/schemas/Thing'",
            "",
            ": components.schemas.Union",
            id="empty_mapping",
        ),
        pytest.param(
            "info: {title: Small, version: '1'}\n",
            "",
            ": the document: `info` is missing",
            id="no_info",
        ),
        pytest.param(
            "'200': {description: Two.}",
            "200: {description: Two.}",
            ": paths./two",
            id="status_is_a_number",
        ),
        pytest.param(
            "    get:\n      operationId: get-two",
            "    query:\n      operationId: get-two",
            ": paths./two: `query`: not a keyword that is read",
            id="unknown_method",
        ),
        pytest.param(
            "operationId: get-two",
            "operationID: get-two",
            ": paths./two.get: `operationID`: not a keyword that is read",
            id="unknown_key_of_an_operation",
        ),
    ],
)
def test_a_broken_fragment(tmp_path: Path, old: str, new: str, expected: str) -> None:
    message = message_for(tmp_path, edited(SMALL, old, new))
    assert message.startswith("fragment.yaml" + expected)


@pytest.mark.parametrize(
    ("fragment", "expected"),
    [
        pytest.param(None, ": no such file", id="missing_file"),
        pytest.param("", ": not a mapping", id="empty_fragment"),
        pytest.param("- openapi", ": not a mapping", id="fragment_is_a_list"),
        pytest.param(SMALL.replace("Two.", "Zwölf.").encode("latin-1"), ": not ", id="not_UTF-8"),
        pytest.param("openapi: 3.0.0\npaths:\n", ": ", id="no_paths"),
        pytest.param(
            SMALL.partition("    get:")[0] + "components: {schemas: {}}\n",
            ": paths./one",
            id="path_is_null",
        ),
    ],
)
def test_no_fragment_at_all(tmp_path: Path, fragment: str | bytes | None, expected: str) -> None:
    assert message_for(tmp_path, fragment).startswith("fragment.yaml" + expected)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("version: '1'}", "version: '1'", ":3:1: not YAML: ", id="bad_YAML"),
        pytest.param(
            "schemas.Thing",
            "schemas.Thin",
            ": action 1: target $.components.schemas.Thin matches nothing",
            id="unknown_target",
        ),
        pytest.param(
            "schemas.Thing",
            "schemas['Thing','Thin']",
            ": action 1: target ",
            id="unknown_target_among_known_ones",
        ),
        pytest.param("$.components", "$.[components", ": action 1: ", id="no_JSONPath"),
        pytest.param(
            "    description: Seen.\n", "", ": action 1: no description", id="no_description"
        ),
        pytest.param("Seen.", "''", ": action 1: no description", id="empty_description"),
        pytest.param(
            "overlay: 1.0.0\n",
            "",
            ": the document: `overlay` is missing",
            id="no_version",
        ),
        pytest.param("update:", "updte:", ": actions[0]: `updte`: ", id="unknown_key"),
        pytest.param(
            "{nullable: true}",
            "{type: object}",
            ": action 1 is stale: it changes nothing; remove it",
            id="stale_action",
        ),
        pytest.param(
            "{nullable: true}",
            "{allOf: [{$ref: '#/components/schemas/Thin'}]}",
            ": components.schemas.Thing.allOf[0]: '#/components/schemas/Thin' does not exist",
            id="dangling_reference",
        ),
        pytest.param(
            "{nullable: true}", "{type: 3}", ": components.schemas.Thing", id="result_is_invalid"
        ),
    ],
)
def test_a_broken_overlay(tmp_path: Path, old: str, new: str, expected: str) -> None:
    message = message_for(tmp_path, SMALL, edited(SMALL_OVERLAY, old, new))
    assert message.startswith("overlay.yaml" + expected)


def test_operations_alone_are_a_document(tmp_path: Path) -> None:
    """With neither schemas nor answers, as small services are published."""
    path = tmp_path / "fragment.yaml"
    path.write_text(
        "{openapi: 3.1.0, info: {title: A, version: '1'}, servers: [{url: https://a.example}], "
        "paths: {/a: {get: {operationId: a}}}}"
    )
    document = generate.read(path, is_draft=True).document
    assert document["components"]["schemas"] == {}
    assert document["paths"]["/a"]["get"]["x-returns"] == "None"


def test_an_overlay_cannot_remove_the_document(tmp_path: Path) -> None:
    overlay = edited(SMALL_OVERLAY, "$.components.schemas.Thing", "$")
    overlay = edited(overlay, "update: {nullable: true}", "remove: true")
    assert message_for(tmp_path, SMALL, overlay).startswith("overlay.yaml: action 1: ")


# Names of constants


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("gpt-4o-realtime-preview-2024-10-01", "GPT_4O_REALTIME_PREVIEW_2024_10_01"),
        ("audio/pcm", "AUDIO_PCM"),
        ("pcm16", "PCM16"),
        ("g711_ulaw", "G711_ULAW"),
        ("response.output_audio.delta", "RESPONSE_OUTPUT_AUDIO_DELTA"),
        ("item.input_audio_transcription.logprobs", "ITEM_INPUT_AUDIO_TRANSCRIPTION_LOGPROBS"),
        ("camelCase", "CAMELCASE"),
        ("two  words -- and more", "TWO_WORDS_AND_MORE"),
        ("24", "_24"),
        ("24kHz", "_24KHZ"),
        ("class", "CLASS"),
        ("", "EMPTY"),
    ],
)
def test_constant_name(value: str, name: str) -> None:
    assert names.enum_constant(value) == name


def test_an_enum_can_stand_in_lists_of_lists() -> None:
    lists = {"type": "array", "items": {"type": "array", "items": {"enum": ["a"]}}}
    thing = {"type": "object", "properties": {"kinds": lists}}
    document = {"info": {}, "paths": {}, "components": {"schemas": {"Thing": thing}}}
    made = annotate.annotated(components.prepared(document), "package")
    kinds = made["components"]["schemas"]["Thing"]["properties"]["kinds"]
    assert kinds["items"]["items"]["x-enum-name"] == kinds["x-enum-name"] == "KindsEnum"
