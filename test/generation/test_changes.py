"""`make changes`: what changed, by rules that stand in one table, and the version that follows."""

from __future__ import annotations

import copy
import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import changes
import spec
from changes import Change, Offer
from protocols import ROOT
from simplify import simplified
from trees import copy_repository, merge, parsed

BEFORE = """
paths:
  /things:
    post:
      tags: [Realtime]
      operationId: make-thing
      parameters:
        - {in: query, name: limit, schema: {type: integer}}
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Sent'}}}}
      responses:
        '200': {content: {application/json: {schema: {$ref: '#/components/schemas/Got'}}}}
components:
  schemas:
    Sent:
      type: object
      required: [must]
      properties:
        must: {type: string}
        may: {type: string, enum: [a, b]}
    Got:
      type: object
      properties:
        text: {type: string}
        count: {type: integer}
        choice: {$ref: '#/components/schemas/Choice'}
        map: {type: object, additionalProperties: {type: string}}
    Choice:
      anyOf: [{$ref: '#/components/schemas/One'}, {$ref: '#/components/schemas/Two'}]
      discriminator:
        propertyName: type
        mapping: {one: '#/components/schemas/One', two: '#/components/schemas/Two'}
    One: {type: object, properties: {type: {type: string, enum: [one]}}}
    Two: {type: object, properties: {type: {type: string, enum: [two]}}}
"""
PYTHON = (
    "def send(text: str, size: int = 1) -> None: ...\nclass Client():\n    def close(self): ...\n"
)

# For each rule a change that falls under it: what to merge into the document, or to replace in the
# stub. A second value replaces the document before.
CASES: dict[tuple[str, str], Any] = {
    ("-", "class"): "{components: {schemas: {Got: {properties: {choice: null}}, Choice: null}}}",
    ("+", "class"): "{components: {schemas: {New: {type: object, properties: {a: {}}}}}}",
    ("-", "field"): "{components: {schemas: {Got: {properties: {text: null}}}}}",
    ("+", "field"): (
        "{components: {schemas: {Got: {required: [new], properties: {new: {type: string}}}}}}"
    ),
    ("+", "required field"): (
        "{components: {schemas: {Sent: {required: [must, new],"
        " properties: {new: {type: string}}}}}}"
    ),
    ("~", "newly required"): "{components: {schemas: {Sent: {required: [must, may]}}}}",
    ("~", "no longer required"): "{components: {schemas: {Sent: {required: []}}}}",
    ("-", "value"): "{components: {schemas: {Sent: {properties: {may: {enum: [a]}}}}}}",
    ("+", "value"): "{components: {schemas: {Sent: {properties: {may: {enum: [a, b, c]}}}}}}",
    ("-", "member"): (
        "{components: {schemas: {Choice: {anyOf: [{$ref: '#/components/schemas/One'},"
        " {type: object, properties: {type: {type: string, enum: [three]}}}]}}}}"
    ),
    ("+", "member"): (
        "{components: {schemas: {Choice: {anyOf: [{$ref: '#/components/schemas/One'},"
        " {$ref: '#/components/schemas/Two'},"
        " {type: object, properties: {type: {type: string, enum: [three]}}}]}}}}"
    ),
    ("~", "type"): "{components: {schemas: {Got: {properties: {count: {type: string}}}}}}",
    ("~", "type of the values"): (
        "{components: {schemas: {Got: {properties: {map: {additionalProperties: null}}}}}}"
    ),
    ("~", "nullable"): "{components: {schemas: {Got: {properties: {text: {nullable: true}}}}}}",
    ("~", "limit"): "{components: {schemas: {Got: {properties: {text: {maxLength: 3}}}}}}",
    ("-", "operation"): "{paths: {/things: {post: null}}}",
    ("+", "operation"): "{paths: {/things/all: {get: {responses: {}}}}}",
    ("-", "parameter"): "{paths: {/things: {post: {parameters: []}}}}",
    ("+", "parameter"): (
        "{paths: {/things: {post: {parameters: [{in: query, name: limit, schema:"
        " {type: integer}}, {in: query, name: new, schema: {type: integer}}]}}}}"
    ),
    ("+", "required parameter"): (
        "{paths: {/things: {post: {parameters: [{in: query, name: limit, schema:"
        " {type: integer}}, {in: query, name: new, required: true, schema: {type: integer}}]}}}}"
    ),
    ("-", "answer"): "{paths: {/things: {post: {responses: {'200': null}}}}}",
    ("+", "answer"): "{paths: {/things: {post: {responses: {'202': {}}}}}}",
    ("-", "media type"): (
        "{paths: {/things: {post: {responses: {'200': {content: {application/json: null}}}}}}}"
    ),
    ("+", "media type"): (
        "{paths: {/things: {post: {responses: {'200': {content: {text/plain:"
        " {schema: {type: string}}}}}}}}}"
    ),
    ("-", "name"): ("class Client", "class _Client"),
    ("+", "name"): ("def send", "def new(): ...\ndef send"),
    ("~", "signature"): (", size: int = 1", ""),
}


def offered(document: Any, python: str = PYTHON) -> Offer:
    return Offer("0.3.1", {"ga": simplified(document)}, python)


def changes_for(case: Any) -> list[Change]:
    before = parsed(BEFORE)
    if isinstance(case, tuple):
        now = offered(before, PYTHON.replace(*case))
    else:
        now = offered(merge(copy.deepcopy(before), parsed(case)))
    return list(changes.compare(offered(before), now))


@pytest.mark.parametrize("rule", CASES, ids=lambda rule: "".join(rule))
def test_rule(rule: tuple[str, str]) -> None:
    found = changes_for(CASES[rule])
    assert rule in [(change.sign, change.rule) for change in found], found
    assert any(change.is_breaking for change in found) >= changes.RULES[rule]
    if not changes.RULES[rule]:
        assert not any(change.is_breaking for change in found), found


def test_what_is_removed_breaks_and_so_does_what_programs_must_follow() -> None:
    follow = {"required field", "required parameter", "newly required", "signature"}
    follow |= {"type", "type of the values"}
    breaking = {rule for rule, breaks in changes.RULES.items() if breaks}
    assert breaking == {rule for rule in changes.RULES if rule[0] == "-" or rule[1] in follow}


def test_each_rule_has_a_case() -> None:
    assert {*CASES, ("-", "protocol"), ("+", "protocol")} == {*changes.RULES}


def test_protocols() -> None:
    one, none = offered(parsed(BEFORE)), Offer("0.3.1", {}, PYTHON)
    assert list(changes.compare(one, none)) == [Change("-", "protocol", "`ga`")]
    assert list(changes.compare(none, one)) == [Change("+", "protocol", "`ga`")]


def test_a_parameter_is_named() -> None:
    old, new = "def f(a: int) -> None: ...\n", "def f(b: int) -> None: ...\n"
    document = parsed(BEFORE)
    assert [
        each.text for each in changes.compare(offered(document, old), offered(document, new))
    ] == [
        "`f`: parameter `a` was removed",
        "`f`: parameter `b` was added as required",
    ]


def test_nothing_changed() -> None:
    assert changes_for("{}") == []


@pytest.mark.parametrize(
    ("last", "signs", "expected"),
    [
        ("0.3.1", "", "0.3.1"),
        ("0.3.1", "+", "0.3.2"),
        ("0.3.1", "+-", "0.4.0"),
        ("1.3.1", "+", "1.4.0"),
        ("1.3.1", "-", "2.0.0"),
    ],
)
def test_version_that_follows(last: str, signs: str, expected: str) -> None:
    found = [Change(sign, "class", "`A`") for sign in signs]
    assert changes.next_version(last, found) == expected


def test_entry() -> None:
    found = [
        Change("-", "field", "`ga.A.b`: field `(string)`"),
        Change("+", "class", "`ga.C`"),
        Change("~", "nullable", "`ga.D.e`: nullable False → True"),
    ]
    assert changes.entry("0.4.0", found) == (
        "## 0.4.0 (unreleased)\n\n### Breaking\n\n- removed: `ga.A.b`: field `(string)`\n\n"
        "### Added\n\n- class `ga.C`\n\n### Changed\n\n- `ga.D.e`: nullable False → True"
    )


def test_the_version_stands_in_the_configuration_and_the_package() -> None:
    stated = changes.version(ROOT)
    text = (ROOT / changes.PACKAGE / "__init__.py").read_text("utf-8")
    assert re.search(r'__version__ = "(.+)"', text)[1] == stated  # type: ignore[index]


def test_the_stub_has_what_users_call() -> None:
    stub = changes.stub(ROOT)
    assert "class Conversation(" in stub
    assert "class ReplayServer(" in stub
    assert "\nclass ga():\n" in stub
    assert "    user_text: " in stub
    assert "    def __init__(self, configuration: Configuration | None = None)" in stub
    compile(stub, "stub", "exec")


def test_ci_fails_when_the_version_is_too_low(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def status_of(option: str) -> int:
        monkeypatch.setattr(sys, "argv", ["changes.py", option])
        return changes.main()

    copy_repository(tmp_path)
    monkeypatch.chdir(tmp_path)
    # The package stays as it is.
    monkeypatch.setattr(changes, "stub", cache(changes.stub))
    assert status_of("--release") == 0
    fragment = tmp_path / "openapi/ga.yaml"
    text = fragment.read_text("utf-8")
    fragment.write_text(text.replace("            - in_progress\n", "", 1), "utf-8")
    assert fragment.read_text("utf-8") != text
    assert status_of("--check") == 1
    error = capsys.readouterr().err
    assert error.startswith("error: generator-config.yaml: packageVersion is ")
    assert "and 1 changes since" in error
    assert "1 of them breaking" in error
    config = tmp_path / "generator-config.yaml"
    stated = changes.version(ROOT)
    raised = changes.next_version(stated, [Change("-", "value", "")])
    config.write_text(config.read_text("utf-8").replace(stated, raised), "utf-8")
    assert status_of("--check") == 0


def test_what_the_last_release_offered_is_there() -> None:
    released = changes.last_release()
    assert set(released.documents) <= {path.stem for path in (ROOT / "openapi").glob("*.yaml")}
    text = json.dumps(released.documents)
    assert "description" not in {
        key for _place, node in spec.walk(json.loads(text)) for key in node
    }


def test_an_unknown_revision() -> None:
    with pytest.raises(spec.SpecError, match="git has no revision 'no-such-thing'"):
        changes.checkout("no-such-thing")
