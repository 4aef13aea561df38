"""Write docstrings as Python source, wrapped as the package is."""

from __future__ import annotations

import ast
import textwrap

LINE_LENGTH = 100
CALL_ARGUMENTS = [
    ("headers", "Headers to add for this call."),
    ("timeout", "Seconds that this call may take, instead of the client's."),
]
CALL_RAISES = "ApiError: The service answered with an error, or did not answer."


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


def method_docstring(
    summary: str, text: str, arguments: list[tuple[str, str]], returns: list[str]
) -> str:
    """Return the docstring of a method that calls an operation, in Google style."""
    indent, deep = " " * 8, " " * 12
    sections = [f"{indent}{wrapped(' '.join(text.split()), indent, '')}"] if text else []
    listed = [
        deep + wrapped(" ".join(f"{name}: {description}".split()), " " * 16, "")
        for name, description in arguments + CALL_ARGUMENTS
    ]
    sections.append("\n".join([f"{indent}Args:", *listed]))
    if returns:
        described = wrapped(" ".join(returns[0].split()), deep, "")
        sections.append(f"{indent}Returns:\n{deep}{described}")
    sections.append(f"{indent}Raises:\n{deep}{CALL_RAISES}")
    paragraphs = [wrapped(summary, indent), *sections]
    return _docstring_literal("\n\n".join(paragraphs) + f"\n{indent}")
