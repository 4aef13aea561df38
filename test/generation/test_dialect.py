"""What a fragment and its overlay may contain: what snippets become, or why they are refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

import constructs
import generate
import pages
import spec
from components import prepared
from protocols import REALTIME, ROOT
from refusals import Refused, schema_problems
from trees import merge, parsed

TABLES = parsed(Path(__file__).with_name("dialect.yaml").read_text("utf-8"))
SMALL = TABLES["small"]
PETS = "Cat: (kind: {const: cat}, a: <string>), Dog: (kind: {const: dog})"
TEXT = ("description", "x-place", "example")


def read(schemas: str) -> Any:
    """Return schemas written in short, as dialect.yaml explains."""
    schemas = schemas.replace("PETS", PETS).replace("(", "{type: object, properties: {")
    schemas = re.sub(r"<(\w+)>", r"{type: \1}", schemas.replace(")", "}}"))
    schemas = re.sub(r"@(\w+)", r"$ref: '#/components/schemas/\1'", schemas)
    return parsed("{" + re.sub(r"(?<= )#(\w+)", r"'#/components/schemas/\1'", schemas) + "}")


def document(schemas: str) -> Any:
    """Return the small document with schemas in place of its own, and no operation."""
    return merge(SMALL, {"paths": {"/things": None}}) | {"components": {"schemas": read(schemas)}}


def checked(written: Any, *, is_draft: bool = False) -> Any:
    """Return what is made of a document, or raise what is wrong with it."""
    problems = spec.problems(written)
    if problems:
        raise Refused(problems)
    result = prepared(written)
    if is_draft:
        constructs.fill(result)
    constructs.check(result)
    return result


def without_text(node: Any, *, of_names: bool = False) -> Any:
    if isinstance(node, list):
        return [without_text(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {
        key: without_text(value, of_names=key in spec.NAMES)
        for key, value in node.items()
        if of_names or key not in TEXT
    }
    # A reference beside words.
    return node["allOf"][0] if list(node) == ["allOf"] else node


def row_of(table: str) -> Any:
    """Parametrize a test with the values of each row of a table, whose names are the ids."""
    rows = TABLES[table]
    values = [tuple(row.values()) for row in rows.values()]
    return pytest.mark.parametrize(("written", "said"), values, ids=rows)


@row_of("taken_in")
def test_taken_in(written: str, said: str) -> None:
    found = checked(document(written), is_draft=True)["components"]["schemas"]
    expected = read(said)
    assert {name: without_text(found[name]) for name in expected} == expected


def refused_line(written: Any, *, is_draft: bool = False) -> str:
    with pytest.raises(Refused) as caught:
        checked(written, is_draft=is_draft)
    (line,) = str(caught.value).splitlines()
    return line


@row_of("refused")
def test_refused(written: str, said: str) -> None:
    line = refused_line(document(written), is_draft=True)
    assert line.startswith("components.schemas.")
    assert said in line


@row_of("operations")
def test_refused_operation(written: Any, said: str) -> None:
    line = refused_line(merge(SMALL, {"paths": {"/things": {"post": written}}}))
    assert line.startswith(said)


@row_of("documents")
def test_refused_document(written: Any, said: str) -> None:
    assert refused_line(merge(SMALL, written)).startswith(said)


def test_parts_of_operations_are_named() -> None:
    thing = {"type": "object", "properties": {"a": {"type": "string"}}}
    other = {"type": "object", "properties": {"b": {"type": "string"}}}
    post = {
        "requestBody": {"content": {"application/json": {"schema": thing}}},
        "responses": {
            "200": {"content": {"application/json": {"schema": {"$ref": None, "items": other}}}}
        },
    }
    written = merge(SMALL, {"paths": {"/things": {"post": post}}})
    found = checked(written | {"components": {"schemas": {}}}, is_draft=True)
    schemas = without_text(found["components"]["schemas"], of_names=True)
    assert schemas == {"GetThingRequest": thing, "GetThing200ResponseInner": other}


# Files


@pytest.mark.parametrize("protocol", REALTIME, ids=lambda protocol: protocol.name)
def test_fragment_is_valid(protocol: Any) -> None:
    validate(parsed((ROOT / f"openapi/{protocol.name}.yaml").read_text("utf-8")))


def test_overlays_belong_to_fragments() -> None:
    overlays = {path.name for path in (ROOT / "openapi/overlays").iterdir()}
    assert overlays <= {path.name for path in spec.fragments(ROOT / "openapi")}


def merged(folder: Path, fragment: str | None, overlay: str | None = None) -> Any:
    """Return what `spec.merged` makes of a fragment and an overlay with these texts."""
    for name, text in {"fragment.yaml": fragment, "overlay.yaml": overlay}.items():
        if text is not None:
            # An umlaut is no UTF-8 then.
            (folder / name).write_text(text, "latin-1")
    return spec.merged(folder / "fragment.yaml", folder / "overlay.yaml")


def message_for(folder: Path, fragment: str | None, overlay: str | None = None) -> str:
    """Return the first line of what is said about a broken fragment or overlay."""
    with pytest.raises(spec.SpecError) as caught:
        merged(folder, fragment, overlay)
    message = str(caught.value).partition("\n")[0]
    assert len(message) < 400
    return message.replace(f"{folder}/", "")


NOT_READ = {
    "missing_file": (None, ": no such file"),
    "list": ("- openapi", ": not a mapping"),
    "not_UTF-8": ("x: ö", ": not UTF-8: "),
    "bad_YAML": ("x:\n  {y: 1", ":2:8: not YAML: "),
    "tab_in_indent": ("x:\n\ty: 1", ":2:1: not YAML: "),
    "date_that_is_none": (
        "x: 2024-02-30",
        ": not YAML: day is out of range for month; text needs quotes",
    ),
    "control_character": ("x:\ny: \x07", ":2: not YAML: "),
    "duplicate_key": ("x: 1\nx: 2", ':2:1: not YAML: found duplicate key "x"'),
    "number_for_a_name": ("x: {1: a}", ": x: the name 1 needs quotes"),
    "boolean_for_a_name": ("x: {true: a}", ": x: the name true needs quotes"),
    "date": ("x: 2024-10-01", ": x: 2024-10-01 is not a JSON value; text needs quotes"),
    "set": ("x: !!set {a, b}", ": x: {"),
    "not_a_number": ("x: [.nan]", ": x[0]: nan is not a JSON value"),
    "deep": ("x: " + "[" * 400 + "]" * 400, ": x[0][0][0]"),
    "loop": ("x: &a {b: *a}", ": x.b: a YAML alias that contains itself"),
}


@pytest.mark.parametrize(("fragment", "said"), NOT_READ.values(), ids=NOT_READ)
def test_file_that_is_not_json_in_yaml(tmp_path: Path, fragment: str | None, said: str) -> None:
    assert message_for(tmp_path, fragment).startswith("fragment.yaml" + said)


OVERLAY = """\
overlay: 1.0.0
info: {title: Small, version: '1'}
actions:
  - target: $.components.schemas.Thing
    update: {nullable: true}
    description: Seen.
"""
# What is replaced in the overlay, by what, and what is said.
BROKEN_OVERLAYS = {
    "unknown_target": (
        "Thing",
        "Thin",
        "action 1: target $.components.schemas.Thin matches nothing",
    ),
    "unknown_target_among_known_ones": (
        ".Thing",
        "['Thing','Thin']",
        "action 1: target $.components.schemas['Thin'] matches nothing",
    ),
    "no_JSONPath": ("$.components", "$.[components", "action 1: "),
    "removed_document": (
        "$.components.schemas.Thing\n    update: {nullable: true}",
        "$\n    remove: true",
        "action 1: ",
    ),
    "empty_description": ("Seen.", "''", "action 1: no description"),
    "no_version": ("overlay: 1.0.0\n", "", "the document: `overlay` is missing"),
    "unknown_key": ("update:", "updte:", "actions[0]: `updte`: "),
    "stale_action": ("nullable: true", "type: object", "action 1 is stale: it changes nothing"),
    "dangling_reference": (
        "nullable: true",
        "allOf: [{$ref: '#/components/schemas/Thin'}]",
        "components.schemas.Thing.allOf[0]: '#/components/schemas/Thin' does not exist",
    ),
    "result_is_invalid": ("nullable: true", "type: 3", "components.schemas.Thing"),
}


@pytest.mark.parametrize(("old", "new", "said"), BROKEN_OVERLAYS.values(), ids=BROKEN_OVERLAYS)
def test_broken_overlay(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert OVERLAY.count(old) == 1
    message = message_for(tmp_path, json.dumps(SMALL), OVERLAY.replace(old, new))
    assert message.startswith(f"overlay.yaml: {said}")


def test_overlay_changes_a_fragment_that_is_right(tmp_path: Path) -> None:
    thing = merged(tmp_path, json.dumps(SMALL), OVERLAY)["components"]["schemas"]["Thing"]
    assert (thing["nullable"], thing["x-wire"]) == (True, ["Seen."])
    message = message_for(tmp_path, json.dumps(SMALL | {"info": 1}), OVERLAY.replace("Seen.", "''"))
    assert message == "fragment.yaml: info: `1` where a mapping is expected"
    # A value that only the overlay would mend does not hide what is wrong with that.
    wrong = SMALL | {"components": {"schemas": {"Thing": {"type": "string", "default": 1}}}}
    message = message_for(tmp_path, json.dumps(wrong), OVERLAY.replace("Thing", "Thin"))
    assert message.startswith("overlay.yaml: action 1: target")
    message = message_for(tmp_path, json.dumps(wrong), OVERLAY)
    assert message.startswith("fragment.yaml: components.schemas.Thing.default: `1` does not fit")


@pytest.mark.parametrize("name", ["cli", "guides", "reference", "class", "A", "a-b"])
def test_name_that_no_fragment_may_have(tmp_path: Path, name: str) -> None:
    """It would take the place of files that are not generated, or be no module."""
    with pytest.raises(spec.SpecError, match=f"^({tmp_path}/)?{name}[:.]"):
        generate.read(tmp_path / f"{name}.yaml")


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


# How refusals are told


def test_many_of_one_reason_are_counted() -> None:
    fields = ", ".join(f"f{number}: {{not: {{}}}}" for number in range(30))
    with pytest.raises(Refused) as caught:
        checked(document(f"A: {{type: object, properties: {{{fields}, g: {{if: {{}}}}}}}}"))
    lines = str(caught.value).splitlines()
    assert lines[2].endswith("cannot exclude values (and 27 more; ALL=1 lists them)")
    assert lines[3].startswith("components.schemas.A.properties.g: `if`")
    # Structure comes before words.
    assert lines[4].endswith("its description is missing")
    assert len(list(caught.value.lines(is_full=True))) == 30 + 1 + 32


def test_a_draft_names_what_is_to_be_written() -> None:
    operation = {"responses": {"404": {"description": "There is none."}}}
    written = document("A: (max_size: <integer>)") | {"paths": {"/pets/cats": {"get": operation}}}
    made = prepared(written)
    found = constructs.fill(made)
    assert found["schemas"] == ["components.schemas.A"]
    assert found["properties"] == ["components.schemas.A.properties.max_size"]
    assert found["operationIds"] == found["tags"] == ["GET /pets/cats"]
    assert made["paths"]["/pets/cats"]["get"]["operationId"] == "GET_pets_cats"
    schema = made["components"]["schemas"]["A"]
    assert schema["properties"]["max_size"]["description"] == "Max size (to be written)."
    constructs.check(made)


def test_every_construct_of_the_dialect_is_closed() -> None:
    found = prepared(document("A: (x: <string>)"))
    for node in (found, found["components"], found["components"]["schemas"]["A"]):
        node["surprise"] = 1
        (problem,) = schema_problems(found)
        assert problem.reason.startswith("`surprise`")
        del node["surprise"]
