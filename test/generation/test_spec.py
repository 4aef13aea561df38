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
import pages
import spec
from protocols import PROTOCOLS, REALTIME, ROOT, Protocol

FRAGMENTS = [ROOT / f"openapi/{protocol.name}.yaml" for protocol in PROTOCOLS]
OVERLAYS = sorted((ROOT / "openapi/overlays").glob("*.yaml"))


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
    get: {operationId: get-one, responses: {'200': {description: One.}}}
  /two:
    get: {operationId: get-two, responses: {'200': {description: Two.}}}
components:
  schemas:
    Union: {oneOf: [{$ref: '#/components/schemas/Thing'}], discriminator: {propertyName: type}}
    Thing: {type: object, properties: {type: {type: string, enum: [thing]}}}
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
    for name, text in {"fragment.yaml": fragment, "overlay.yaml": overlay}.items():
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


# For each fault: what is replaced in the fragment, by what, and what is said.
BROKEN_FRAGMENTS = {
    "bad_YAML": ("version: '1'}", "version: '1'", ":3:1: not YAML: "),
    "tab_in_indent": ("  /two:", "\t/two:", ":6:1: not YAML: "),
    "control_character": ("Two.", "Two\x07.", ":7: not YAML: "),
    "duplicate_key": ("  /two:", "  /one:", ':6:3: not YAML: found duplicate key "/one"'),
    "reference_that_is_no_string": (
        "{$ref: '#/components/schemas/Thing'}",
        "{$ref: 1}",
        ": components.schemas.Union.oneOf[0].$ref: `1` where text is expected",
    ),
    "no_info": ("info: {title: Small, version: '1'}\n", "", ": the document: `info` is missing"),
    "status_is_a_number": (
        "'200': {description: Two.}",
        "200: {description: Two.}",
        ": paths./two.get.responses: the name 200 needs quotes",
    ),
    "unknown_method": (
        "get: {operationId: get-two",
        "query: {operationId: get-two",
        ": paths./two: `query`: not a keyword that is read",
    ),
    "path_is_null": (
        "    get: {operationId: get-two, responses: {'200': {description: Two.}}}\n",
        "",
        ": paths./two: `null` where a mapping is expected",
    ),
}


@pytest.mark.parametrize(("old", "new", "said"), BROKEN_FRAGMENTS.values(), ids=BROKEN_FRAGMENTS)
def test_a_broken_fragment(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert message_for(tmp_path, edited(SMALL, old, new)).startswith("fragment.yaml" + said)


@pytest.mark.parametrize(
    ("fragment", "said"),
    [
        pytest.param(None, ": no such file", id="missing_file"),
        pytest.param("- openapi", ": not a mapping", id="fragment_is_a_list"),
        pytest.param(SMALL.replace("Two.", "Zwölf.").encode("latin-1"), ": not ", id="not_UTF-8"),
    ],
)
def test_no_fragment_at_all(tmp_path: Path, fragment: str | bytes | None, said: str) -> None:
    assert message_for(tmp_path, fragment).startswith("fragment.yaml" + said)


BROKEN_OVERLAYS = {
    "bad_YAML": ("version: '1'}", "version: '1'", ":3:1: not YAML: "),
    "unknown_target": (
        "schemas.Thing",
        "schemas.Thin",
        ": action 1: target $.components.schemas.Thin matches nothing",
    ),
    "unknown_target_among_known_ones": (
        "schemas.Thing",
        "schemas['Thing','Thin']",
        ": action 1: target $.components.schemas['Thin'] matches nothing",
    ),
    "no_JSONPath": ("$.components", "$.[components", ": action 1: "),
    "removed_document": (
        "$.components.schemas.Thing\n    description: Seen.\n    update: {nullable: true}",
        "$\n    description: Seen.\n    remove: true",
        ": action 1: ",
    ),
    "empty_description": ("Seen.", "''", ": action 1: no description"),
    "no_version": ("overlay: 1.0.0\n", "", ": the document: `overlay` is missing"),
    "unknown_key": ("update:", "updte:", ": actions[0]: `updte`: "),
    "stale_action": ("nullable: true", "type: object", ": action 1 is stale: it changes nothing"),
    "dangling_reference": (
        "{nullable: true}",
        "{allOf: [{$ref: '#/components/schemas/Thin'}]}",
        ": components.schemas.Thing.allOf[0]: '#/components/schemas/Thin' does not exist",
    ),
    "result_is_invalid": ("nullable: true", "type: 3", ": components.schemas.Thing"),
}


@pytest.mark.parametrize(("old", "new", "said"), BROKEN_OVERLAYS.values(), ids=BROKEN_OVERLAYS)
def test_a_broken_overlay(tmp_path: Path, old: str, new: str, said: str) -> None:
    message = message_for(tmp_path, SMALL, edited(SMALL_OVERLAY, old, new))
    assert message.startswith("overlay.yaml" + said)


def test_operations_alone_are_a_document(tmp_path: Path) -> None:
    """Without schemas, as small services are published."""
    path = tmp_path / "fragment.yaml"
    path.write_text(
        "{openapi: 3.1.0, info: {title: A, version: '1'}, servers: [{url: https://a.example}], "
        "paths: {'/a/{b}': {get: {operationId: a, parameters: "
        "[{name: b, in: path, required: true, schema: {title: B}}], "
        "responses: {'404': {description: Gone.}}}}}}"
    )
    document = generate.read(path, is_draft=True).document
    pages.describe({"fragment": document})
    assert document["components"]["schemas"] == {}
    assert document["paths"]["/a/{b}"]["get"]["x-returns"] == "None"


# Names of constants


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("audio/pcm", "AUDIO_PCM"),
        ("g711_ulaw", "G711_ULAW"),
        ("two  words -- and more", "TWO_WORDS_AND_MORE"),
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
