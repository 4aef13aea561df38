"""`make upstream` and `make fragment`: what published documents have, and what is cut out."""

from __future__ import annotations

import copy
import importlib
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import constructs
import fragment as cutting
import spec
import upstream
from components import prepared
from differences import Document, Row, documents, grouped
from protocols import ROOT
from refusals import Refused
from simplify import simplified
from trees import merge, parsed

# What is compared and written to, with an overlay that adds a field.
FRAGMENT = Path(__file__).with_name("small.yaml").read_text("utf-8")
PLANTED = parsed(Path(__file__).with_name("upstream.yaml").read_text("utf-8"))
PUBLISHED = Path(__file__).with_name("published.yaml").read_text("utf-8")
ROWS, BY_HAND = PLANTED["rows"], PLANTED["by_hand"]
OVERLAY = """\
overlay: 1.0.0
info: {title: Small, version: '1'}
actions:
  - target: $.components.schemas.Thing.properties
    description: Seen.
    update: {seed: {type: integer, description: What it grew from.}}
"""


def with_schemas(schemas: Any) -> Any:
    """Return the small document with schemas merged into its own."""
    return merge(parsed(FRAGMENT), {"components": {"schemas": schemas}})


def rows_of(ours: Any, theirs: Any) -> list[str]:
    found = documents(Document(simplified(ours)), Document(simplified(theirs)))
    return [str(row) for row in grouped(found.rows)]


def test_a_document_that_says_the_same_in_other_words_differs_in_nothing() -> None:
    """Everything that is referred to once stands where it is used; `null` is a type."""
    ga = spec.load(ROOT / "openapi/ga.yaml")
    other = copy.deepcopy(ga)
    text = json.dumps(other)
    schemas = other["components"]["schemas"]
    for place, node in list(spec.walk(other)):
        name = "" if place.startswith("webhooks") else node.get("$ref", "").rpartition("/")[2]
        if name in schemas and text.count(f'/{name}"') == 1 and "properties" in schemas[name]:
            del node["$ref"]
            node.update(schemas.pop(name))
        if node.get("nullable") and isinstance(node.get("type"), str):
            del node["nullable"]
            node["type"] = [node["type"], "null"]
        node.pop("description", None)
    assert len(schemas) < len(ga["components"]["schemas"])
    assert rows_of(ga, other) == []


def test_copies_of_a_schema_give_one_row() -> None:
    ours, theirs = parsed(FRAGMENT), parsed(FRAGMENT)
    for number in range(40):
        part = ours["components"]["schemas"]["Part"]
        ours["components"]["schemas"][f"Copy{number}"] = part
        theirs["components"]["schemas"][f"Copy{number}"] = merge(
            part, {"properties": {"new": {"type": "string"}}}
        )
    (row,) = rows_of(ours, theirs)
    assert row.count("Copy") == 40


def test_a_use_of_another_schema_is_no_difference_of_the_one_of_its_name() -> None:
    details = spec.reference("Part")
    theirs = with_schemas({"Thing": {"properties": {"details": details}}})
    assert rows_of(parsed(FRAGMENT), theirs) == [
        "+ Thing.details.color: field (string)",
        "- Thing.details.price: field (number)",
    ]


def test_members_of_unions_are_paired_by_their_constants() -> None:
    tags = {"type": {"const": "made"}, "role": {"type": "string"}}
    ours, theirs = parsed(FRAGMENT), parsed(FRAGMENT)
    for document, names in ((ours, ("Made", "Lost")), (theirs, ("Made1", "Lost1"))):
        schemas = document["components"]["schemas"]
        schemas["Union"] = {"anyOf": list(map(spec.reference, names))}
        schemas[names[0]] = {"properties": tags}
        schemas[names[1]] = {"properties": {"role": {"const": "lost"}}}
        # What only one of both documents tells apart is alike all the same.
        tags = {"type": {"const": "made"}, "role": {"const": "maker"}}
    assert rows_of(ours, theirs) == ["+ Made.role: value maker"]


# The whole command


@pytest.fixture
def fragment(tmp_path: Path) -> Path:
    """The small fragment, in a folder with its overlay."""
    (tmp_path / "overlays").mkdir()
    (tmp_path / "overlays/small.yaml").write_text(OVERLAY, "utf-8")
    path = tmp_path / "small.yaml"
    path.write_text(FRAGMENT, "utf-8")
    return path


Run = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def run(fragment: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Compare the fragment with a document; the status and what is printed."""
    other = fragment.with_name("published.json")

    def run(document: Any, *options: str) -> tuple[int, list[str]]:
        other.write_text(json.dumps(document), "utf-8")
        command = ["upstream.py", "--fragment", str(fragment), "--spec", str(other), *options]
        monkeypatch.setattr(sys, "argv", command)
        status = upstream.main()
        out, errors = capsys.readouterr()
        assert (errors == "") == (status != 2)
        return status, (errors or out).splitlines()

    return run


def test_report(run: Run) -> None:
    document = merge(parsed(FRAGMENT), PLANTED["planted"])
    status, lines = run(merge(document, {"components": {"schemas": PLANTED["unused"]}}))
    assert (status, lines[2]) == (1, f"the fragment differs ({len(ROWS)})")
    assert sorted(line.strip() for line in lines if line.startswith("  ")) == sorted(ROWS)
    assert lines[-3:] == [
        "1 more differences are what the overlay corrects.",
        "",
        f"To do: {len(ROWS)} facts, and 0 descriptions to read again.",
    ]


def test_document_of_another_api_is_an_error(fragment: Path, run: Run) -> None:
    message = f"error: {fragment.with_name('published.json')} has no schema of {fragment}"
    assert run({"openapi": "3.1.0", "paths": {}}) == (2, [message])


def test_prose_is_listed_where_a_base_tells_what_changed(fragment: Path, run: Run) -> None:
    old = fragment.with_name("old.json")
    old.write_text(json.dumps(with_schemas(parsed("{Part: {description: Old words.}}"))), "utf-8")
    document = with_schemas(parsed("{Part: {description: Other words.}}"))
    status, lines = run(document)
    assert (status, lines[-1]) == (0, "The facts are the same.")
    status, lines = run(document, "--base", str(old))
    assert (status, lines[-1]) == (1, "To do: 0 facts, and 1 descriptions to read again.")
    expected = ["prose that changed (1)", "  ~ Part: description Old words. → Other words."]
    assert lines[2:4] == expected


def test_what_the_overlay_has_is_listed_apart_and_not_written(fragment: Path, run: Run) -> None:
    document = with_schemas(parsed("{Thing: {properties: {seed: {type: integer}}}}"))
    status, lines = run(document, "--apply")
    heading = "the overlay has it: move it to the fragment (1)"
    assert (status, lines[2:4]) == (1, [heading, "  + Thing.seed: field (integer)"])
    assert fragment.read_text("utf-8") == FRAGMENT


def test_a_row_is_known_by_what_stands_there_without_its_prose() -> None:
    row = Row("+", "Thing.part", "field", theirs={"type": "object", "description": "Old."})
    same = Row("+", "Thing.part", "field", theirs={"type": "object", "description": "New."})
    other = Row("+", "Thing.part", "field", theirs={"type": "object", "properties": {}})
    # A known loss does not hide the next.
    lost, known = (Row("-", "Union", "member", ours=name) for name in ("One", "Other"))
    assert upstream.new_rows([same, other, lost, known], [row, known]) == [other, lost]
    assert str(Row("-", "Thing.size", "value", ours=0)) == "- Thing.size: value 0"


def test_names_with_a_prefix(tmp_path: Path) -> None:
    fragment, other = tmp_path / "old.yaml", tmp_path / "published.yaml"
    fragment.write_text(json.dumps(PLANTED["old"]), "utf-8")
    other.write_text(json.dumps(PLANTED["prefixed"]), "utf-8")
    report, _source = upstream.against_document(fragment, other)
    assert [str(row) for row in report.lacking] == [
        "+ AServerEvent: member AServerEventTwo",
        "- AServerEvent: member AServerEventGone",
        "~ AServerEventOne.a: type string → integer",
        "- GET /old: operation",
    ]


def test_applied_facts_stay_in_order_and_wait_for_descriptions(fragment: Path, run: Run) -> None:
    document = merge(parsed(FRAGMENT), PLANTED["planted"])
    status, lines = run(document, "--apply")
    by_hand = [line.removeprefix("by hand: ") for line in lines if line.startswith("by hand: ")]
    written = [line for line in lines if line.startswith("written: ")]
    assert (status, sorted(by_hand)) == (1, sorted(BY_HAND))
    assert len(written) + len(by_hand) == len(ROWS)
    before, after = FRAGMENT.splitlines(), fragment.read_text("utf-8").splitlines()
    kept = [line for line in before if line in after]
    assert len(before) - len(kept) == 7
    # Each stands where it stood, comments included.
    unique = [line for line in kept if before.count(line) == 1]
    assert [line for line in after if line in unique] == unique
    assert "components.schemas.Thing.properties.mood" in missing_descriptions(fragment)
    assert f"the fragment differs ({len(BY_HAND)})" in run(document)[1]


def missing_descriptions(fragment: Path) -> str:
    """Return what is refused of a fragment, which is only that descriptions are missing."""
    document = spec.merged(fragment, fragment.parent / "overlays/small.yaml")
    with pytest.raises(Refused) as caught:
        constructs.check(prepared(document))
    assert {problem.reason for problem in caught.value.problems} == {"its description is missing"}
    return "\n".join(caught.value.lines(is_full=True))


def test_applied_schemas_make_classes_and_unions(fragment: Path, run: Run) -> None:
    published = with_schemas(PLANTED["new_schemas"])
    assert "by hand" not in " ".join(run(published, "--apply")[1])
    schemas = spec.load(fragment)["components"]["schemas"]
    assert schemas["Text"] == {"description": "TODO", "type": "string", "maxLength": 9}
    assert schemas["MoodName"]["properties"]["text"]["description"] == "TODO"
    document = spec.merged(fragment, fragment.parent / "overlays/small.yaml")
    made = prepared(document)["components"]["schemas"]
    assert spec.mapped(made["Choice"]) == {"new": "New", "newer": "Newer", "newest": "Newer"}
    assert made["Choice"]["discriminator"]["propertyName"] == "type"
    assert "discriminator" not in made["ThingEither"]
    status, lines = run(published)
    assert (status, lines[-1]) == (0, "The facts are the same.")
    missing_descriptions(fragment)


# The wheel


def wheel_document(**properties: Any) -> dict[str, Any]:
    thing = {"type": "object", "properties": {"a": {"type": "string"}, **properties}}
    return {"paths": {}, "components": {"schemas": {"Thing": thing}}}


KNOWN = {"type": "string", "description": "Old."}
NEWER = wheel_document(known=KNOWN | {"description": "New."}, new={"type": "integer"})
NO_TYPE = {"paths": {}, "components": {"schemas": {}}}


def against_wheels(
    fragment: Path, monkeypatch: pytest.MonkeyPatch, types: Any, newer: dict[str, Any]
) -> upstream.Report:
    """Compare a fragment with one field with the wheels 1.0 and 2.0."""
    source = {"openai": "1.0", "resources": "realtime", "types": types}
    fragment.write_text(json.dumps(wheel_document() | {"x-upstream": source}), "utf-8")
    found = {"1.0": wheel_document(known=KNOWN), "2.0": newer}
    monkeypatch.setattr(upstream.wheel, "document", lambda version, _source: found[version])
    monkeypatch.setattr(upstream.wheel, "newest", lambda: "2.0")
    return upstream.against_wheel(fragment)[0]


def test_wheel_shows_what_is_new_since_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = against_wheels(tmp_path / "x.yaml", monkeypatch, {"Thing": "a.Thing"}, NEWER)
    assert [str(row) for row in report.lacking] == ["+ Thing.new: field (integer)"]
    assert [str(row) for row in report.changed] == ["+ Thing.new: field (integer)"]
    assert [row.place for row in report.prose] == ["Thing.known"]


def test_wrong_source_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = {"Thing": "a.Thing", "Root": "a.Root"}
    for types, newer, message in (
        (roots, NEWER, "x-upstream has a type for Root, which is no schema"),
        ({"Thing": "a.Thing"}, NO_TYPE, "x-upstream: openai 2.0 has no a.Thing"),
    ):
        with pytest.raises(spec.SpecError, match=re.escape(message)):
            against_wheels(tmp_path / "x.yaml", monkeypatch, types, newer)
    (tmp_path / "x.yaml").write_text(json.dumps(wheel_document()), "utf-8")
    with pytest.raises(spec.SpecError, match="x-upstream names no wheel; compare with SPEC=file"):
        upstream.against_wheel(tmp_path / "x.yaml")


WHEEL = {
    "__init__.py": "",
    "_models.py": "import pydantic\n\nclass BaseModel(pydantic.BaseModel):\n    pass\n",
    "types/things.py": """
from typing import Optional
from openai._models import BaseModel

class Part(BaseModel):
    size: Optional[int] = None
    \"\"\"In mm.\"\"\"

class Thing(BaseModel):
    part: Part
""",
    "resources/a/things.py": 'self._post("/things", b)\nself._get(path_template("/things/{id}"))',
    "resources/b/others.py": 'self._get("/others")',
}


def test_document_of_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream.wheel, "FOLDER", tmp_path)
    for name, text in WHEEL.items():
        path = tmp_path / "1.0/openai" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    types = {"Thing": "things.Thing", "Gone": "things.Gone", "New": "news.New"}
    document = upstream.wheel.document("1.0", {"resources": "a", "types": types})
    assert {path: list(methods) for path, methods in document["paths"].items()} == {
        "/things": ["post"],
        "/things/{id}": ["get"],
    }
    schemas = document["components"]["schemas"]
    part = {"anyOf": [{"type": "integer"}], "description": "In mm."}
    assert schemas["Part"]["properties"] == {"size": part}
    assert schemas["Thing"]["properties"] == {"part": {"$ref": "#/components/schemas/Part"}}
    assert schemas.keys() == {"Part", "Thing"}


def test_every_type_of_ga_is_in_the_installed_wheel() -> None:
    ga = spec.load(ROOT / "openapi/ga.yaml")
    for name, path in ga["x-upstream"]["types"].items():
        module, _, attribute = f"openai.types.{path}".rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), path
        assert name in ga["components"]["schemas"]


# `make fragment`


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "openapi").mkdir()
    (tmp_path / "published.yaml").write_text(PUBLISHED, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cut(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    command = ["fragment.py", "--spec", "published.yaml", "--name", "pets", *arguments]
    monkeypatch.setattr(sys, "argv", command)
    return cutting.main()


def test_tag_leads_to_all_that_its_operations_webhooks_and_unions_use_and_marks_events(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cut(monkeypatch, "--tag", "Pets") == 0
    found = spec.load(folder / "openapi/pets.yaml")
    assert list(found["paths"]) == ["/pets/{id}"]
    assert list(found["paths"]["/pets/{id}"]) == ["parameters", "get"]
    assert list(found["webhooks"]) == ["pets.born"]
    assert [tag["name"] for tag in found["tags"]] == ["Pets"]
    components = found["components"]
    schemas = components["schemas"]
    assert list(schemas) == ["Name", "Pet", "Born", "PetsServerEvent", "Died"]
    assert list(components["parameters"]) == ["Id"]
    assert list(components["responses"]) == ["Got"]
    # A status and a date are text.
    assert "200" in found["paths"]["/pets/{id}"]["get"]["responses"]
    assert schemas["Pet"]["properties"]["born"]["example"] == "2026-08-21"
    assert schemas["PetsServerEvent"]["x-events"] == "server"
    assert found["info"]["description"] == "One line.\nAnother."
    assert "description: |-\n" in (folder / "openapi/pets.yaml").read_text("utf-8")


def test_paths_and_schemas_are_chosen_by_name() -> None:
    found = cutting.select(parsed(PUBLISHED), None, "/other", ())
    assert list(found["paths"]) == ["/other"]
    keys = {"Key": {"type": "http", "scheme": "bearer"}}
    assert found["components"] == {"schemas": {}, "securitySchemes": keys}
    found = cutting.select(parsed(PUBLISHED), None, None, ("Pet", "Died"))
    assert (found["paths"], list(found["components"]["schemas"])) == ({}, ["Pet", "Died"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tag", "Cats"], "no operation is chosen; the tags are Other, Pets"),
        (["--schemas", "Cat"], "there is no schema 'Cat'"),
        (["--spec", "nothing.yaml"], "nothing.yaml: no such file or directory"),
        (["--spec", "swagger.yaml"], "swagger.yaml: not an OpenAPI 3 document"),
        (["--name", "taken"], "openapi/taken.yaml exists; remove it, or choose another NAME"),
    ],
    ids=["unknown_tag", "unknown_schema", "no_file", "swagger_2", "name_taken"],
)
def test_refused(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    (folder / "swagger.yaml").write_text("swagger: '2.0'\npaths: {}\n", "utf-8")
    (folder / "openapi/taken.yaml").write_text("", "utf-8")
    assert cut(monkeypatch, *arguments) == 1
    assert capsys.readouterr().err == f"error: {message}\n"
    assert not (folder / "openapi/pets.yaml").exists()
