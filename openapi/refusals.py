"""Refusals of a fragment: a place and a reason in one line each, grouped by reason."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator, ValidationError
from ruamel.yaml import YAML

DIALECT = Path(__file__).parent / "dialect.schema.yaml"
SHOWN_PLACES = 3


class Problem(NamedTuple):
    """Something in a document that is refused, or that a draft still lacks."""

    place: str
    reason: str


class SpecError(Exception):
    """The generation cannot go on. The message says why: file and place, or what a tool said."""


class Refused(SpecError):
    """The problems of a document; `path` is the file it comes from."""

    def __init__(self, problems: Iterable[Problem], path: Path | str = "") -> None:
        self.problems = list(dict.fromkeys(problems))
        self.path = path
        super().__init__("\n".join(self.lines()))

    def lines(self, *, is_full: bool = False) -> Iterator[str]:
        """Yield the lines, of many with the same reason only the first, with their number."""
        groups: dict[str, list[Problem]] = defaultdict(list)
        for problem in self.problems:
            # Reasons that differ in names and numbers alone are one.
            reason = re.sub(r"'[^']*'|\[.*?\]|\d+", "…", problem.reason)
            groups[reason].append(problem)
        for problems in groups.values():
            # One place tells what to do; the number tells how much there is.
            shown = problems
            if not is_full and len(problems) > SHOWN_PLACES + 1:
                shown = problems[:SHOWN_PLACES]
            lines = [f"{problem.place}: {problem.reason}" for problem in shown]
            if len(shown) < len(problems):
                lines[-1] += f" (and {len(problems) - len(shown)} more; ALL=1 lists them)"
            for line in lines:
                yield f"{self.path}: {line}" if self.path else line


def schema_problems(document: Any, definition: str = "") -> Iterator[Problem]:
    """Yield what the dialect, or one definition of it, does not allow in a document."""
    errors = _validator(definition).iter_errors(document)
    # jsonschema looks at properties in the order of a set, another one in each process.
    for error in sorted(errors, key=lambda error: [str(part) for part in error.absolute_path]):
        for reason in reasons(error):
            yield Problem(dotted(error.absolute_path) or "the document", reason)


@cache
def dialect() -> dict[str, Any]:
    """Return the schema of the dialect."""
    schema: dict[str, Any] = YAML(typ="safe").load(DIALECT)
    return schema


@cache
def _validator(definition: str) -> Draft202012Validator:
    schema = dialect()
    if definition:
        schema = {"$ref": f"#/$defs/{definition}", "$defs": schema["$defs"]}
    return Draft202012Validator(schema)


def reasons(error: ValidationError) -> Iterator[str]:
    """Say for a person what is wrong: as the dialect says it, or else in general."""
    schema = error.schema
    if error.validator == "unevaluatedProperties":
        refused = schema.get("x-refused", {})
        # One line for each key, not one for all that jsonschema gives.
        patterns = schema.get("patternProperties", ())
        for key in sorted(error.instance.keys() - schema["properties"].keys()):
            if not any(re.search(pattern, key) for pattern in patterns):
                reason = refused.get(key, "not a keyword that is read; see openapi/README.md")
                yield f"`{key}`: {reason}"
    elif error.validator == "required":
        for key in error.validator_value:
            if key not in error.instance:
                yield schema.get("x-missing", {}).get(key, f"`{key}` is missing")
    elif error.validator == "type":
        expected = dialect()["x-types"].get(str(error.validator_value), "something else")
        yield schema.get("x-reason", f"{_shown(error.instance)} where {expected} is expected")
    else:
        yield schema.get("x-reason", f"{_shown(error.instance)} is not allowed here")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    # A message is one line, whatever stands in the document.
    if len(text) > 40:
        text = f"{text[:40]} …"
    return f"`{text}`"


def dotted(path: Iterable[str | int]) -> str:
    """Return a path as people write it: `components.schemas.Thing.anyOf[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def place_of(place: str, schemas: dict[str, Any]) -> str:
    """Return a place as the fragment has it, where components may have another name, or none."""
    found = re.fullmatch(r"(components\.schemas\.(\w*))(.*)", place)
    if found:
        place = schemas.get(found[2], {}).get("x-place", found[1]) + found[3]
    return place
