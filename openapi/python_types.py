"""Types, values and docstrings as Python source, by one rule for code and pages."""

from __future__ import annotations

import ast
import textwrap
from typing import Any

from spec import component, members

# Text stays text, whatever its `format`.
SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
LINE_LENGTH = 100
CALL_ARGUMENTS = [
    ("headers", "Headers to add for this call."),
    ("timeout", "Seconds that this call may take, instead of the client's."),
]
CALL_RAISES = "ApiError: The service answered with an error, or did not answer."


class Types:
    """The types of fields, as the generated class names them."""

    mapping = "dict"

    def of(self, schema: dict[str, Any]) -> str:
        """Return the type of an annotated schema."""
        name = component(schema)
        if name:
            return self.of_class(name)
        if members(schema):
            return " | ".join(dict.fromkeys(map(self.of, members(schema))))
        if "items" in schema:
            return self.of_list(self.held(schema["items"]))
        if "enum" in schema:
            return self.of_enum(schema)
        values = schema.get("additionalProperties")
        if isinstance(values, dict) and values:
            return f"{self.mapping}[str, {self.held(values)}]"
        if schema.get("type") == "object" or values:
            return f"{self.mapping}[str, Any]"
        return SCALARS.get(schema.get("type", ""), "Any")

    def held(self, schema: dict[str, Any]) -> str:
        """Return the type of what a field, a list or a map holds, which may be `null`."""
        name = self.of(schema)
        # `Any` holds `None` already.
        if schema.get("nullable") and name != "Any":
            return f"{name} | None"
        return name

    def of_class(self, name: str) -> str:
        return name

    def of_list(self, held: str) -> str:
        return f"list[{held}]"

    def of_enum(self, schema: dict[str, Any]) -> str:
        return str(schema.get("x-enum-name", "str"))


class GivenTypes(Types):
    """The types of what a program gives: any list and mapping will do."""

    mapping = "Mapping"

    def of_list(self, held: str) -> str:
        # A `str` is a sequence of strings, too.
        if held.startswith("str"):
            return f"list[{held}]"
        return f"Sequence[{held}]"

    def of_enum(self, schema: dict[str, Any]) -> str:
        # A string is enough where a caller knows the value.
        return f"Literal[{', '.join(map(literal, schema['enum']))}]"


type_name = Types().of


def literal(value: Any) -> str:
    """Return Python source of a value, in double quotes unless it contains some."""
    source = repr(value)
    if '"' in source:
        return source
    # Each single quote is a delimiter: `repr` writes an apostrophe within double quotes.
    return source.replace("'", '"')


# Docstrings


def docstring(text: str, indent: str) -> str:
    """Return Python source of a docstring: one line if it fits, else a summary and a paragraph."""
    if len(indent) + len(text) + 2 * len('"""') > LINE_LENGTH:
        # The first sentence is the summary line that tools show alone.
        summary, _, rest = text.partition(". ")
        paragraphs = [f"{summary}.", rest] if rest else [text]
        text = f"\n\n{indent}".join(wrapped(paragraph, indent) for paragraph in paragraphs)
        text = f"{text}\n{indent}"
    return _docstring_literal(text)


def _docstring_literal(text: str) -> str:
    # Written by Python itself, which knows when a quote or a backslash needs an escape.
    return ast.unparse(ast.Module([ast.Expr(ast.Constant(text))], []))


def wrapped(text: str, indent: str, first: str = '"""') -> str:
    """Break a paragraph into lines, all but the first indented; that comes after `first`."""
    # Only its length counts; no text begins with this character.
    blank = "\0" * len(first)
    lines = textwrap.wrap(
        blank + text, LINE_LENGTH - len(indent), break_long_words=False, break_on_hyphens=False
    )
    return f"\n{indent}".join(lines).removeprefix(blank)


def method_docstring(summary: str, text: str, arguments: list[tuple[str, str]], result: str) -> str:
    """Return the docstring of a method that calls an operation, in Google style."""
    indent, deep = " " * 8, " " * 12
    sections = [wrapped(summary, indent)]
    if text:
        sections.append(indent + wrapped(text, indent, ""))
    lines = [f"{indent}Args:"]
    for name, description in arguments + CALL_ARGUMENTS:
        lines.append(deep + wrapped(f"{name}: {description}", " " * 16, ""))
    sections.append("\n".join(lines))
    if result:
        sections.append(f"{indent}Returns:\n{deep}{wrapped(result, deep, '')}")
    sections.append(f"{indent}Raises:\n{deep}{CALL_RAISES}")
    return _docstring_literal("\n\n".join(sections) + f"\n{indent}")
