"""What a fragment may contain: what snippets become, or why they are refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import constructs
import spec
import words
from components import prepared
from refusals import Refused, schema_problems
from trees import merge, parsed

TABLES = parsed(Path(__file__).with_name("dialect.yaml").read_text("utf-8"))
PETS = "Cat: (kind: {const: cat}, a: <string>), Dog: (kind: {const: dog})"
TEXT = ("description", "x-place", "example")


def rows(table: str) -> Any:
    """Return the values of each row of a table, with its name for an id."""
    return [pytest.param(*row.values(), id=name) for name, row in TABLES[table].items()]


def read(schemas: str) -> Any:
    """Return schemas written in short, as dialect.yaml explains."""
    schemas = schemas.replace("PETS", PETS).replace("(", "{type: object, properties: {")
    schemas = re.sub(r"<(\w+)>", r"{type: \1}", schemas.replace(")", "}}"))
    schemas = re.sub(r"@(\w+)", r"$ref: '#/components/schemas/\1'", schemas)
    return parsed("{" + re.sub(r"(?<= )#(\w+)", r"'#/components/schemas/\1'", schemas) + "}")


def document(schemas: str) -> Any:
    """Return the small document with schemas in place of its own, and no operation."""
    return merge(TABLES["small"], {"paths": {"/things": None}}) | {
        "components": {"schemas": read(schemas)}
    }


def checked(written: Any, *, is_draft: bool = False) -> Any:
    """Return what is made of a document, or raise what is wrong with it."""
    problems = spec.problems(written)
    if problems:
        raise Refused(problems)
    result = prepared(written)
    if is_draft:
        words.fill(result)
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


@pytest.mark.parametrize(("written", "expected"), rows("taken_in"))
def test_taken_in(written: str, expected: str) -> None:
    found = checked(document(written), is_draft=True)["components"]["schemas"]
    expected = read(expected)
    assert {name: without_text(found[name]) for name in expected} == expected


@pytest.mark.parametrize(("written", "said"), rows("refused"))
def test_refused(written: str, said: str) -> None:
    with pytest.raises(Refused) as caught:
        checked(document(written), is_draft=True)
    (line,) = str(caught.value).splitlines()
    assert line.startswith("components.schemas.")
    assert said in line


@pytest.mark.parametrize(("change", "said"), rows("operations"))
def test_refused_operation(change: Any, said: str) -> None:
    with pytest.raises(Refused) as caught:
        checked(merge(TABLES["small"], {"paths": {"/things": {"post": change}}}))
    (line,) = str(caught.value).splitlines()
    assert line.startswith(said)


@pytest.mark.parametrize(("change", "said"), rows("documents"))
def test_refused_document(change: Any, said: str) -> None:
    with pytest.raises(Refused) as caught:
        checked(merge(TABLES["small"], change))
    (line,) = str(caught.value).splitlines()
    assert line.startswith(said)


def test_parts_of_operations_are_named() -> None:
    thing = {"type": "object", "properties": {"a": {"type": "string"}}}
    other = {"type": "object", "properties": {"b": {"type": "string"}}}
    post = {
        "requestBody": {"content": {"application/json": {"schema": thing}}},
        "responses": {
            "200": {"content": {"application/json": {"schema": {"$ref": None, "items": other}}}}
        },
    }
    written = merge(TABLES["small"], {"paths": {"/things": {"post": post}}})
    found = checked(written | {"components": {"schemas": {}}}, is_draft=True)
    schemas = without_text(found["components"]["schemas"], of_names=True)
    assert schemas == {"GetThingRequest": thing, "GetThing200ResponseInner": other}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param("{1: a}", "x: the name 1 needs quotes", id="number_for_a_name"),
        pytest.param("{true: a}", "x: the name true needs quotes", id="boolean_for_a_name"),
        pytest.param(
            "2024-10-01", "x: 2024-10-01 is no value of JSON; text needs quotes", id="date"
        ),
        pytest.param("!!set {a, b}", "x: {", id="set"),
        pytest.param("[.nan]", "x[0]: nan is no value of JSON", id="not_a_number"),
        pytest.param("&a {b: *a}", "x.b: a YAML alias that contains itself", id="loop"),
    ],
)
def test_yaml_that_is_not_json(tmp_path: Path, value: str, reason: str) -> None:
    fragment = tmp_path / "fragment.yaml"
    fragment.write_text(f"x: {value}\n")
    with pytest.raises(Refused) as caught:
        spec.load(fragment)
    assert str(caught.value).startswith(f"{fragment}: {reason}")


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
    found = words.fill(made)
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
