"""The values and the Python text that generated pages and docstrings show."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import annotate
from examples import Instance, literal
from protocols import PROTOCOLS, REALTIME

LONGEST_LINE = 100
TEXTS = [
    "plain",
    "it's",
    'a "quoted" word',
    """it's a "quote\"""",
    'ends with a quote"',
    "ends with a backslash\\",
    '"""',
    "'''\"\"\"",
    r"a path \new \u0041",
    "été 🙂",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_literal_is_the_value(text: str) -> None:
    for value in (text, [text], {text: [True, None, 1.5]}):
        assert ast.literal_eval(literal(value)) == value


def test_a_literal_has_double_quotes_where_it_can() -> None:
    assert literal({"a": "b"}) == '{"a": "b"}'


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("indent", ["", "    "])
@pytest.mark.parametrize("times", [1, 30])
def test_a_docstring_says_the_text(text: str, indent: str, times: int) -> None:
    text = " ".join([text] * times)
    source = annotate.docstring(text, indent)
    code = f"class C:\n{indent}{source}" if indent else source
    tree: Any = ast.parse(code)
    said = ast.get_docstring(tree.body[0] if indent else tree, clean=False)
    assert said is not None
    assert said.split() == text.split()


@pytest.mark.parametrize("indent", ["", "    "])
def test_a_docstring_wraps_at_the_line_length(indent: str) -> None:
    text = f"{'First ' * 30}words. {'Then ' * 60}others."
    first, *others = annotate.docstring(text, indent).splitlines()
    assert LONGEST_LINE - 10 < len(indent + first) <= LONGEST_LINE
    assert max(map(len, others)) <= LONGEST_LINE
    assert others[-1] == f'{indent}"""'
    assert "" in others


def test_an_example_of_an_object_chooses_fields_and_values() -> None:
    kind = {"type": "string", "enum": ["a", "b"], "x-enum-varnames": ["A", "B"]}
    thing = {
        "properties": {
            "kind": kind | {"x-enum-name": "KindEnum", "x-name": "kind"},
            "text": {"type": "string", "x-name": "text"},
            "other": {"type": "string", "x-name": "other"},
        },
        "required": ["other"],
        "example": {"kind": "b", "text": "Hello"},
    }
    instance = Instance({"Thing": thing})
    assert instance.value("Thing") == {"kind": "b", "text": "Hello"}
    assert instance.construct("Thing") == 'Thing(kind="b", text="Hello")'


def test_an_example_of_a_map_holds_what_its_schema_says() -> None:
    part = {"properties": {"kind": {"x-constant": '"b"', "enum": ["b"], "x-name": "kind"}}}
    parts = {"additionalProperties": {"items": {"$ref": "#/components/schemas/Part"}}}
    thing = {"properties": {"parts": {**parts, "x-name": "parts"}}}
    instance = Instance({"Thing": thing, "Part": part})
    assert instance.value("Thing") == {"parts": {"key": [{"kind": "b"}]}}
    assert instance.construct("Thing") == 'Thing(parts={"key": [Part()]})'


def methods() -> list[Any]:
    found = []
    for protocol in PROTOCOLS:
        for name in protocol.module.__all__:
            if name.endswith("Api") and not name.startswith("Async"):
                api = getattr(protocol.module, name)
                for method_name, method in inspect.getmembers(api, inspect.isfunction):
                    if not method_name.startswith("_"):
                        found.append(pytest.param(method, id=f"{protocol.name}-{method_name}"))
    return found


@pytest.mark.parametrize("method", methods())
def test_a_method_documents_its_arguments(method: Any) -> None:
    text = inspect.getdoc(method) or ""
    plain, is_with_info, _ = method.__name__.partition("_with_http_info")
    if is_with_info:
        assert text == f"As `{plain}`, returning `ApiResponse`."
        return
    arguments = text.partition("\nArgs:\n")[2].partition("\n\n")[0]
    documented = re.findall(r"^    (\w+): \S", arguments, re.MULTILINE)
    signature = inspect.signature(method)
    assert sorted(documented) == sorted(set(signature.parameters) - {"self"})
    assert ("\nReturns:\n" in text) == (signature.return_annotation not in (None, "None"))
    assert "\nRaises:\n    Api" in text


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=str)
def test_a_constructor_has_the_docstring_of_its_class(protocol: Any) -> None:
    """Hovers show it, where they would show that of pydantic's constructor."""
    folder = Path(protocol.module.__file__).parent / "models"
    classes = [
        node
        for path in folder.glob("*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef) and ast.unparse(node.bases[0]) == "RealtimeModel"
    ]
    assert classes
    for model in classes:
        constructors = [
            node
            for node in ast.walk(model)
            if isinstance(node, ast.FunctionDef) and node.name == "__init__"
        ]
        texts = [" ".join((ast.get_docstring(node) or "").split()) for node in constructors]
        assert texts == [" ".join((ast.get_docstring(model) or "").split())], model.name


@pytest.mark.parametrize("protocol", REALTIME, ids=str)
def test_what_builds_an_event_is_a_function(protocol: Any) -> None:
    for name in ("user_text", "user_audio", "function_output"):
        function = getattr(protocol.module, name)
        assert inspect.isfunction(function)
        assert "\nArgs:\n" in inspect.getdoc(function)
