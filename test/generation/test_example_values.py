"""The values and the Python text that generated pages and docstrings show."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docstrings import docstring
from examples import Values
from protocols import PROTOCOLS, REALTIME, Protocol
from python_types import literal

LONGEST_LINE = 100
TEXTS = [
    "plain",
    "it's",
    """it's a "quote\"""",
    'ends with a quote"',
    "ends with a backslash\\",
    "'''\"\"\"",
    r"a path \new \u0041",
    "été 🙂",
]

each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda each: each.name)


@pytest.mark.parametrize("text", TEXTS)
def test_literals_and_docstrings_say_the_text(text: str) -> None:
    for value in (text, [text], {text: [True, None, 1.5]}):
        assert ast.literal_eval(literal(value)) == value
    for whole in (text, " ".join([text] * 30)):
        said = ast.literal_eval(docstring(whole, "    "))
        assert said.split() == whole.split()


def test_a_literal_has_double_quotes_where_it_can() -> None:
    assert literal({"a": "b"}) == '{"a": "b"}'


@pytest.mark.parametrize("indent", ["", "    "])
def test_a_docstring_wraps_at_the_line_length(indent: str) -> None:
    text = f"{'First ' * 30}words. {'Then ' * 60}others."
    first, *others = docstring(text, indent).splitlines()
    assert LONGEST_LINE - 10 < len(indent + first) <= LONGEST_LINE
    assert max(map(len, others)) <= LONGEST_LINE
    assert others[-1] == f'{indent}"""'
    assert "" in others


PART = {"$ref": "#/components/schemas/Part"}
TEXT = {"type": "string"}
CONSTANT = {"x-constant": '"b"', "enum": ["b"]}


@pytest.mark.parametrize(
    ("properties", "more", "value", "source"),
    [
        (
            {"kind": CONSTANT, "text": TEXT, "other_id": TEXT, "parts": {"items": PART}},
            {"required": ["other_id"]},
            {"kind": "b", "text": "text", "other_id": "other_001"},
            'Thing(text="text", other_id="other_001")',
        ),
        (
            {"text": TEXT, "parts": {"items": PART}, "event_id": TEXT},
            {"example": {"event_id": "e", "parts": [{"kind": "b"}, {"unknown": 1}]}},
            {"parts": [{"kind": "b"}, {"unknown": 1}]},
            'Thing(parts=[Part(), {"unknown": 1}])',
        ),
        (
            {"parts": {"additionalProperties": {"items": PART}}},
            {},
            {"parts": {"key": [{"kind": "b"}]}},
            'Thing(parts={"key": [Part()]})',
        ),
        (
            {"anything": {"items": {}}, "size": {"type": "integer", "minimum": 1.0}},
            {},
            {"anything": ["anything"], "size": 1},
            'Thing(anything=["anything"], size=1)',
        ),
        (
            {"things": {"items": {"$ref": "#/components/schemas/Thing"}}},
            {"required": ["things"]},
            {"things": []},
            "Thing(things=[])",
        ),
    ],
    ids=["required_fields_and_constants", "example", "map_of_lists", "any_and_whole", "recursion"],
)
def test_an_example_of_an_object(
    properties: dict[str, Any], more: dict[str, Any], value: Any, source: str
) -> None:
    thing = {"properties": {name: {"x-name": name} | child for name, child in properties.items()}}
    part = {"properties": {"kind": CONSTANT | {"x-name": "kind"}}}
    values = Values({"Thing": thing | more, "Part": part})
    assert values.value("Thing") == value
    assert values.source({"$ref": "#/components/schemas/Thing"}, value, set()) == source


@each_protocol
def test_a_method_documents_its_arguments(protocol: Protocol) -> None:
    for name in protocol.module.__all__:
        if not re.fullmatch("(?!Async).+Api", name):
            continue
        for method_name, method in inspect.getmembers(getattr(protocol.module, name)):
            text = inspect.getdoc(method) or ""
            plain, is_with_info, _ = method_name.partition("_with_http_info")
            if is_with_info:
                assert text == f"As `{plain}`, returning `ApiResponse`."
            elif not plain.startswith("_"):
                arguments = text.partition("\nArgs:\n")[2].partition("\n\n")[0]
                documented = re.findall(r"^    (\w+): \S", arguments, re.MULTILINE)
                signature = inspect.signature(method)
                assert sorted(documented) == sorted({*signature.parameters} - {"self"})
                assert ("\nReturns:\n" in text) == (signature.return_annotation != "None")
                assert "\nRaises:\n    Api" in text


def docstrings_of_classes(protocol: Protocol) -> Iterator[tuple[str, list[str]]]:
    """Every generated class, with the texts of its docstring and those of its constructors."""
    for path in (Path(protocol.module.__file__ or "").parent / "models").glob("*.py"):
        for model in ast.parse(path.read_text("utf-8")).body:
            if isinstance(model, ast.ClassDef) and ast.unparse(model.bases[0]) == "RealtimeModel":
                nodes = [node for node in ast.walk(model) if isinstance(node, ast.FunctionDef)]
                texts = [ast.get_docstring(node) or "" for node in (model, *nodes)]
                yield model.name, [" ".join(text.split()) for text in texts]


@each_protocol
def test_a_constructor_has_the_docstring_of_its_class(protocol: Protocol) -> None:
    """Hovers show it, where they would show that of pydantic's constructor."""
    classes = dict(docstrings_of_classes(protocol))
    assert classes
    assert {name: texts for name, texts in classes.items() if texts[1:] != texts[:1]} == {}


@pytest.mark.parametrize("protocol", REALTIME, ids=lambda each: each.name)
def test_what_builds_an_event_is_a_function(protocol: Protocol) -> None:
    for name in ("user_text", "user_audio", "function_output"):
        function = getattr(protocol.module, name)
        assert inspect.isfunction(function)
        assert "\nArgs:\n" in str(inspect.getdoc(function))
