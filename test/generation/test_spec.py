"""The fragments and their overlays as they are, and what broken ones are told."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonpath_ng.ext import parse as parse_jsonpath
from oas_patch.overlay import apply_overlay
from openapi_spec_validator import validate
from ruamel.yaml import YAML

import annotate
import spec

ROOT = Path(__file__).parents[2]
FRAGMENTS = sorted((ROOT / "openapi").glob("*.yaml"))
OVERLAYS = sorted((ROOT / "openapi/overlays").glob("*.yaml"))
METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
MOST_WORDS_IN_SUMMARY = 8

Place = str
Node = dict[str, Any]


@cache
def load(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path)


@pytest.fixture(scope="module", params=FRAGMENTS, ids=lambda path: path.stem)
def fragment(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture(scope="module")
def document(fragment: Path) -> Node:
    return spec.merged(fragment, fragment.parent / "overlays" / fragment.name)


@pytest.fixture(scope="module", params=OVERLAYS, ids=lambda path: path.stem)
def overlay(request: pytest.FixtureRequest) -> Path:
    return request.param


# The inputs


def test_fragment_is_valid(fragment: Path) -> None:
    validate(load(fragment))


def test_everything_is_described(document: Node) -> None:
    bad = [place for place, node in documented(document) if not is_sentence(node)]
    assert not bad


def test_summaries_are_short(document: Node) -> None:
    summaries = {place: node.get("summary", "") for place, node in operations(document)}
    bad = {
        place: summary
        for place, summary in summaries.items()
        if not 1 <= len(summary.split()) <= MOST_WORDS_IN_SUMMARY or summary.endswith(".")
    }
    assert not bad


@pytest.mark.parametrize(
    "path", [*FRAGMENTS, *OVERLAYS], ids=lambda path: str(path.relative_to(ROOT))
)
def test_nothing_is_left_to_do(path: Path) -> None:
    assert "TODO" not in path.read_text("utf-8")


def test_unions_of_objects_have_a_discriminator(document: Node) -> None:
    bad = [
        place
        for place, union, references in unions_of_objects(document)
        if set(mapping_of(union).values()) != set(references)
    ]
    assert not bad


def test_events_are_mapped_by_their_type(document: Node) -> None:
    schemas = document["components"]["schemas"]
    unions = [name for name in schemas if name.endswith(("ClientEvent", "ServerEvent"))]
    assert {"RealtimeClientEvent", "RealtimeServerEvent"} <= set(unions)
    for name in unions:
        constants = {
            constant(schemas[reference.rpartition("/")[2]]["properties"]["type"]): reference
            for reference in references_of(schemas[name])
        }
        assert mapping_of(schemas[name]) == constants


def test_overlay_belongs_to_a_fragment(overlay: Path) -> None:
    assert overlay.name in [fragment.name for fragment in FRAGMENTS]


def test_every_action_says_why(overlay: Path) -> None:
    actions = load(overlay)["actions"]
    assert [action["target"] for action in actions if not is_sentence(action)] == []


def test_every_action_changes_each_of_its_targets(overlay: Path) -> None:
    document = copy.deepcopy(load(ROOT / "openapi" / overlay.name))
    for action in load(overlay)["actions"]:
        before = found(document, action["target"])
        document = copy.deepcopy(apply_overlay(document, {"actions": [action]}))
        after = found(document, action["target"])
        assert before
        unchanged = [place for place, value in before.items() if after.get(place) == value]
        assert not unchanged, action["description"]


def found(document: Node, target: str) -> Node:
    matches = parse_jsonpath(target).find(document)
    return {str(match.full_path): copy.deepcopy(match.value) for match in matches}


def documented(document: Node) -> Iterator[tuple[Place, Node]]:
    """Everything that a page of the docs shows a description of."""
    for place, schema in schemas_of(document):
        if place.count(".") == 0:
            yield place, schema
        for name, child in schema.get("properties", {}).items():
            yield f"{place}.{name}", child
    for place, operation in operations(document):
        yield place, operation
        for number, parameter in enumerate(operation.get("parameters", [])):
            yield f"{place} parameter {number}", resolved(document, parameter)
        if "requestBody" in operation:
            yield f"{place} body", resolved(document, operation["requestBody"])
        for status, response in operation["responses"].items():
            yield f"{place} {status}", resolved(document, response)


def operations(document: Node) -> Iterator[tuple[Place, Node]]:
    for path, item in document["paths"].items():
        yield from ((f"{method} {path}", item[method]) for method in METHODS if method in item)


def schemas_of(document: Node) -> Iterator[tuple[Place, Node]]:
    for name, schema in document["components"]["schemas"].items():
        yield from nested(name, schema)


def nested(place: Place, schema: Node) -> Iterator[tuple[Place, Node]]:
    """A schema and all those in it, however deep."""
    yield place, schema
    children = dict(schema.get("properties", {}))
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            children[key] = schema[key]
    for key in ("allOf", "anyOf", "oneOf"):
        children |= {f"{key}[{i}]": each for i, each in enumerate(schema.get(key, []))}
    for key, child in children.items():
        yield from nested(f"{place}.{key}", child)


def resolved(document: Node, node: Node) -> Node:
    for key in node.get("$ref", "#").split("/")[1:]:
        document = document[key.replace("~1", "/")]
    return document if "$ref" in node else node


def unions_of_objects(document: Node) -> Iterator[tuple[Place, Node, list[str]]]:
    for place, schema in schemas_of(document):
        references = references_of(schema)
        targets = [resolved(document, {"$ref": reference}) for reference in references]
        if targets and all("properties" in target for target in targets):
            yield place, schema, references


def references_of(union: Node) -> list[str]:
    """The members of a union of references; of another schema, none."""
    listed = [m for m in union.get("anyOf", union.get("oneOf", [])) if m.get("type") != "null"]
    references = [member["$ref"] for member in listed if "$ref" in member]
    return references if 1 < len(references) == len(listed) else []


def mapping_of(union: Node) -> dict[str, str]:
    return union.get("discriminator", {}).get("mapping", {})


def constant(schema: Node) -> str:
    (value,) = [schema["const"]] if "const" in schema else schema["enum"]
    return value


def is_sentence(node: Node) -> bool:
    text = node.get("description", "").strip()
    return len(text) > 1 and text.endswith(".")


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
    """What `merged` says about broken inputs. It is one line, and short."""
    files = {"fragment.yaml": fragment, "overlay.yaml": overlay}
    for name, text in files.items():
        if text is not None:
            (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(spec.SpecError) as caught:
        spec.merged(folder / "fragment.yaml", folder / "overlay.yaml")
    message = str(caught.value)
    assert "\n" not in message
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


def test_a_missing_fragment(tmp_path: Path) -> None:
    assert message_for(tmp_path, None) == "fragment.yaml: no such file"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("version: '1'}", "version: '1'", ":3:1: not YAML: ", id="bad YAML"),
        pytest.param("  /two:", "\t/two:", ":10:1: not YAML: ", id="tab"),
        pytest.param("Two.", "Two\x07.", ":15:", id="control character"),
        pytest.param("  /two:", "  /one:", ':10:3: not YAML: found duplicate key "/one"', id="key"),
        pytest.param(
            "- $ref: '#/components/schemas/Thing'",
            "- $ref: '#/components/schemas/Thin'",
            ": components.schemas.Union.oneOf[0]: '#/components/schemas/Thin' does not exist",
            id="dangling reference",
        ),
        pytest.param(
            "- $ref: '#/components/schemas/Thing'",
            "- $ref: '#/openapi/Thing'",
            ": components.schemas.Union.oneOf[0]: '#/openapi/Thing' does not exist",
            id="reference into a string",
        ),
        pytest.param(
            "- $ref: '#/components/schemas/Thing'",
            "- $ref: 1",
            ": components.schemas.Union.oneOf",
            id="reference that is no string",
        ),
        pytest.param(
            "thing: '#/components/schemas/Thing'",
            "thing: '#/components/schemas/Thin'",
            ": components.schemas.Union: '#/components/schemas/Thin' does not exist",
            id="mapping to a missing schema",
        ),
        pytest.param(
            "\n          thing: '#/components/schemas/Thing'",
            "",
            ": components.schemas.Union",
            id="empty mapping",
        ),
        pytest.param(
            "get-two",
            "get-one",
            ": GET /two: operationId 'get-one' is that of GET /one",
            id="duplicate operationId",
        ),
        pytest.param(
            "      operationId: get-two\n      tags: [Small]\n",
            "      operationId: get-two\n",
            ": GET /two: no tags",
            id="no tags",
        ),
        pytest.param(
            "      operationId: get-two\n",
            "",
            ": GET /two: no operationId",
            id="missing operationId",
        ),
        pytest.param(
            "info: {title: Small, version: '1'}\n",
            "",
            ": the document: 'info' is a required property",
            id="no info",
        ),
        pytest.param(
            "'200': {description: Two.}", "200: {description: Two.}", ": paths./two", id="status"
        ),
        pytest.param(
            "'200': {description: Two.}",
            "'200': {}",
            ": paths./two.get.responses.200: ",
            id="response without description",
        ),
        pytest.param(
            "enum: [thing]",
            "enum: [thing], example: other",
            ": components.schemas.Thing.properties.type.example: 'other' is not one of ['thing']",
            id="impossible example",
        ),
        pytest.param(
            "    Thing:\n      type: object\n",
            "    Thing:\n      type: object\n      example: {kind: thing}\n",
            ": components.schemas.Thing.example: there is no property 'kind'",
            id="example of an unknown property",
        ),
        pytest.param("type: array", "type: text", ": components.schemas.Thing.", id="no such type"),
        pytest.param(
            "[thing]", "[a, a]", ": components.schemas.Thing.properties.type.enum: ", id="enum"
        ),
    ],
)
def test_a_broken_fragment(tmp_path: Path, old: str, new: str, expected: str) -> None:
    message = message_for(tmp_path, edited(SMALL, old, new))
    assert message.startswith("fragment.yaml" + expected)


@pytest.mark.parametrize(
    ("fragment", "expected"),
    [
        pytest.param("", ": not a mapping", id="empty"),
        pytest.param("- openapi", ": not a mapping", id="list"),
        pytest.param(SMALL.replace("Two.", "Zwölf.").encode("latin-1"), ": not ", id="not UTF-8"),
        pytest.param("openapi: 3.0.0\npaths:\n", ": ", id="no paths"),
        pytest.param(
            SMALL.partition("    get:")[0] + "components: {schemas: {}}\n",
            ": paths./one",
            id="item",
        ),
    ],
)
def test_no_fragment_at_all(tmp_path: Path, fragment: str | bytes, expected: str) -> None:
    assert message_for(tmp_path, fragment).startswith("fragment.yaml" + expected)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("version: '1'}", "version: '1'", ":3:1: not YAML: ", id="bad YAML"),
        pytest.param(
            "schemas.Thing",
            "schemas.Thin",
            ": action 1: target $.components.schemas.Thin matches nothing",
            id="unknown target",
        ),
        pytest.param(
            "schemas.Thing",
            "schemas['Thing','Thin']",
            ": action 1: target ",
            id="unknown target among known ones",
        ),
        pytest.param("$.components", "$.[components", ": action 1: ", id="no JSONPath"),
        pytest.param(
            "    description: Seen.\n", "", ": action 1: no description", id="no description"
        ),
        pytest.param("Seen.", "''", ": action 1: no description", id="empty description"),
        pytest.param(
            "overlay: 1.0.0\n",
            "",
            ": the document: 'overlay' is a required property",
            id="no version",
        ),
        pytest.param("update:", "updte:", ": actions.0: ", id="unknown key"),
        pytest.param(
            "{nullable: true}",
            "{allOf: [{$ref: '#/components/schemas/Thin'}]}",
            ": components.schemas.Thing.allOf[0]: '#/components/schemas/Thin' does not exist",
            id="dangling reference",
        ),
        pytest.param("{nullable: true}", "{type: 3}", ": components.schemas.Thing", id="invalid"),
        pytest.param("$.components.schemas.Thing", "$.info", ": info", id="invalid elsewhere"),
    ],
)
def test_a_broken_overlay(tmp_path: Path, old: str, new: str, expected: str) -> None:
    message = message_for(tmp_path, SMALL, edited(SMALL_OVERLAY, old, new))
    assert message.startswith("overlay.yaml" + expected)


def test_an_overlay_cannot_remove_the_document(tmp_path: Path) -> None:
    overlay = edited(SMALL_OVERLAY, "$.components.schemas.Thing", "$")
    overlay = edited(overlay, "update: {nullable: true}", "remove: true")
    assert message_for(tmp_path, SMALL, overlay).startswith("overlay.yaml: action 1: ")


# Names of constants


def names_of(*values: str) -> list[str]:
    enum = {"type": "string", "description": "One.", "enum": list(values)}
    thing = {"type": "object", "properties": {"kind": enum}}
    document = {"paths": {}, "components": {"schemas": {"Thing": thing}}}
    result = annotate.annotated(document, "package")
    return result["components"]["schemas"]["Thing"]["properties"]["kind"]["x-enum-varnames"]


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
    assert names_of(value) == [name]


def test_two_values_with_one_name() -> None:
    with pytest.raises(spec.SpecError, match=r"Thing.*kind.*'a-b', 'a\.b'.*x-enum-varnames"):
        names_of("a-b", "a.b")


def schema_of(properties: dict[str, Node]) -> Node:
    thing = {"type": "object", "properties": properties}
    document = {"paths": {}, "components": {"schemas": {"Thing": thing}}}
    return annotate.annotated(document, "package")["components"]["schemas"]["Thing"]


def test_two_properties_with_one_name() -> None:
    with pytest.raises(spec.SpecError, match=r"Thing.*foo_bar"):
        schema_of({"fooBar": {"type": "string"}, "foo_bar": {"type": "string"}})


def test_null_in_an_enum_is_no_constant() -> None:
    kind = schema_of({"kind": {"type": "string", "nullable": True, "enum": ["a", None]}})
    assert kind["properties"]["kind"]["x-enum-varnames"] == ["A"]
    assert kind["properties"]["kind"]["nullable"] is True


def test_an_enum_needs_no_type_and_can_stand_in_arrays() -> None:
    nested = {"type": "array", "items": {"type": "array", "items": {"enum": ["a"]}}}
    kinds = schema_of({"kinds": nested})["properties"]["kinds"]
    assert kinds["items"]["items"]["x-enum-name"] == kinds["x-enum-name"] == "KindsEnum"


def test_a_pipe_in_a_description_does_not_end_a_cell() -> None:
    kind = schema_of({"kind": {"type": "string", "description": "One | two."}})
    assert kind["properties"]["kind"]["x-cell"] == "One \\| two."
