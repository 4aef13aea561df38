"""Read a fragment and its overlay, check both, and look things up in a document."""

from __future__ import annotations

import copy
import json
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonpath_ng.ext import parse as parse_jsonpath
from jsonschema import Draft202012Validator, ValidationError
from oas_patch.overlay import apply_overlay
from oas_patch.validator import load_schema
from openapi_schema_validator import OAS30Validator, OAS31Validator
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from provenance import Provenance

# Keywords below which the keys are names, and those below which everything is data.
NAMES = {
    *("properties", "patternProperties", "$defs", "mapping", "schemas", "paths", "webhooks"),
    *("responses", "headers", "content", "encoding", "requestBodies", "variables"),
}
VALUES = {"example", "examples", "default", "enum", "const"}
METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
REFERENCE = "#/components/schemas/"


class SpecError(Exception):
    """An input of the generation is wrong. The message names the file and the place."""


def merged(fragment: Path, overlay: Path, *, checked: bool = True) -> dict[str, Any]:
    """The OpenAPI document of a protocol: `fragment` with `overlay` applied, both checked."""
    document = load(fragment)
    last = fragment
    try:
        if overlay.exists():
            last, document = overlay, _overlaid(document, overlay, checked=checked)
        if checked:
            _check(document, last)
    except SpecError:
        # What is wrong with the fragment itself comes first; a check takes a second.
        _check(load(fragment), fragment)
        raise
    return document


def load(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file."""
    try:
        text = path.read_text("utf-8")
        document = copy.deepcopy(_parsed(text))
    except FileNotFoundError:
        raise SpecError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise SpecError(f"{path}{place}: not YAML: {error.problem}") from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SpecError(f"{path}:{line}: not YAML: {error.reason}") from None
    if not isinstance(document, dict):
        raise SpecError(f"{path}: not a mapping")
    return document


@cache  # It takes a second for a fragment, which more than one step reads.
def _parsed(text: str) -> Any:
    return YAML(typ="safe").load(text)


# Checking


def _check(document: dict[str, Any], path: Path) -> None:
    """Raise `SpecError` for the first thing wrong with a document; `path` is where it came from."""
    _check_references(document, path)
    _check_paths(document, path)
    is_31 = str(document.get("openapi", "")).startswith("3.1")
    validator = OpenAPIV31SpecValidator if is_31 else OpenAPIV30SpecValidator
    for error in validator(document).iter_errors():  # type: ignore[arg-type]
        # A union of the OpenAPI schema fails as a whole; the deepest reason is what helps.
        reason = max([error, *error.context], key=lambda each: len(each.absolute_path))
        message = textwrap.shorten(reason.message, 200)
        raise SpecError(f"{path}: {_place(reason, document)}: {message}")
    _check_examples(document, path, OAS31Validator if is_31 else OAS30Validator)


def _check_examples(document: dict[str, Any], path: Path, validator: Any) -> None:
    """The pages show each `example`, so that it has to be a value of its schema."""
    for place, schema in schemas_in(document):
        if "example" not in schema:
            continue
        example = schema["example"]
        if "properties" in schema and isinstance(example, dict):
            for field in example.keys() - schema["properties"].keys():
                raise SpecError(f"{path}: {place}.example: there is no property {field!r}")
        whole = {**schema, "components": document["components"]}
        for error in validator(whole).iter_errors(example):
            message = textwrap.shorten(error.message, 200)
            raise SpecError(f"{path}: {place}.example: {message}")


def _check_references(document: dict[str, Any], path: Path) -> None:
    for place, node in walk(document):
        references = [node["$ref"]] if "$ref" in node else []
        if isinstance(node.get("discriminator"), dict):
            mapping = node["discriminator"].get("mapping", {})
            if not isinstance(mapping, dict):
                raise SpecError(f"{path}: {place}: the discriminator's mapping is empty")
            references += mapping.values()
        for reference in references:
            try:
                resolve(document, reference)
            except LookupError:
                raise SpecError(f"{path}: {place}: '{reference}' does not exist") from None


def _check_paths(document: dict[str, Any], path: Path) -> None:
    """What the validator trips over, and what it does not look for."""
    if not isinstance(document.get("paths"), dict):
        raise SpecError(f"{path}: no paths")
    if not isinstance(document.get("components", {}).get("schemas"), dict):
        raise SpecError(f"{path}: no components.schemas")
    for name, item in document["paths"].items():
        if not isinstance(item, dict):
            raise SpecError(f"{path}: paths.{name}: no operation")
    seen: dict[str, str] = {}
    for place, operation in operations(document):
        identity = operation.get("operationId")
        if not identity:
            raise SpecError(f"{path}: {place}: no operationId")
        if not operation.get("tags"):
            raise SpecError(f"{path}: {place}: no tags; the first names the API class")
        if identity in seen:
            other = seen[identity]
            raise SpecError(f"{path}: {place}: operationId '{identity}' is that of {other}")
        seen[identity] = place
        for status in operation.get("responses", {}):
            if not isinstance(status, str):
                where = f"paths.{place.partition(' ')[2]}"
                raise SpecError(f"{path}: {where}: status {status} needs quotes")


def _overlaid(document: dict[str, Any], path: Path, *, checked: bool) -> dict[str, Any]:
    overlay = load(path)
    for error in Draft202012Validator(load_schema("overlay_schema_1.0.0.yml")).iter_errors(overlay):
        message = textwrap.shorten(error.message, 200)
        raise SpecError(f"{path}: {_place(error, overlay)}: {message}")
    provenance = Provenance(document)
    for number, action in enumerate(overlay["actions"], 1):
        place = f"{path}: action {number}"
        if not action.get("description"):
            raise SpecError(f"{place}: no description; say why, with the evidence")
        try:
            for target in _single_targets(action["target"]):
                if not parse_jsonpath(target).find(document):
                    raise SpecError(f"{place}: target {target} matches nothing")
            if checked and "update" in action:
                _check_news(document, action, place)
            document = apply_overlay(document, {"actions": [action]})
        except SpecError:
            raise
        except Exception as error:  # the parser raises bare Exceptions, too
            raise SpecError(f"{place}: {textwrap.shorten(str(error), 200)}") from None
        # The copy keeps what several targets share from being one object.
        document = json.loads(json.dumps(document))
        provenance.follow(action, document)
    provenance.note(document)
    return document


def _check_news(document: dict[str, Any], action: dict[str, Any], place: str) -> None:
    """Refuse an action that says what the document says already: the fragment has caught up."""
    for target in _single_targets(action["target"]):
        for match in parse_jsonpath(target).find(document):
            stale = _stale(action["update"], match.value)
            if stale is not None:
                where = ".".join([target, *stale])
                raise SpecError(f"{place} is stale: the document has {where} without it; remove it")


def _stale(update: Any, value: Any) -> list[str] | None:
    """Where in `value` stands already what `update` says; `None` if nowhere."""
    if isinstance(update, dict) and isinstance(value, dict):
        for key in update.keys() & value.keys():
            inner = _stale(update[key], value[key])
            if inner is not None:
                return [str(key), *inner]
        return None
    if isinstance(update, list) and isinstance(value, list):
        return next(([repr(each)] for each in update if each in value), None)
    return [] if update == value else None


def _single_targets(target: str) -> Iterator[str]:
    """A target that names several keys, once for each: all of them must exist."""
    keys = re.search(r"\[('[^']*'(?:,\s*'[^']*')+)\]", target)
    if not keys:
        yield target
        return
    for key in keys[1].split(","):
        yield from _single_targets(f"{target[: keys.start()]}[{key.strip()}]{target[keys.end() :]}")


def _place(error: ValidationError, document: dict[str, Any]) -> str:
    """The dotted place of an error; the validator of OpenAPI tells only that below a schema."""
    path = list(error.absolute_path)
    for place, node in walk(document):
        if _follow(node, path) is error.instance:
            path = path if node is document else [place, *path]
            break
    return ".".join(str(part) for part in path) or "the document"


def _follow(node: Any, path: list[Any]) -> Any:
    for part in path:
        try:
            node = node[part]
        except (LookupError, TypeError):
            return None
    return node


# Looking things up


def public_schemas(document: dict[str, Any]) -> dict[str, Any]:
    """The schemas of a simplified document that become classes or unions.

    Plain maps (`Metadata`) become `dict`.
    """
    return {
        name: schema
        for name, schema in document["components"]["schemas"].items()
        if "properties" in schema or "enum" in schema or members(schema)
    }


def members(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The members of a union schema."""
    members: list[dict[str, Any]] = schema.get("oneOf") or schema.get("anyOf") or []
    return members


def kind(schema: dict[str, Any]) -> str:
    """`model`, `enum` or `union`."""
    return "union" if members(schema) else "model" if "properties" in schema else "enum"


def count_enums(schema: dict[str, Any]) -> int:
    """The enum classes that a schema leads to."""
    nested = [
        child.get("items", child)
        for child in [*schema.get("properties", {}).values(), *members(schema)]
    ]
    return sum("enum" in each for each in [schema, *nested])


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation, with its method and path."""
    for path, item in document.get("paths", {}).items():
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def webhooks(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every request that the service makes, with its place."""
    for name, item in document.get("webhooks", {}).items():
        for method in METHODS:
            if method in item:
                yield f"webhooks.{name}.{method}", item[method]


def event_unions(schemas: dict[str, Any]) -> dict[str, str]:
    """The unions of events, each with its direction: `server`, `client` or `webhook`."""
    directions = {}
    for name, schema in schemas.items():
        ending = re.search(r"(Server|Client|Webhook)Event$", name)
        if ending and "discriminator" in schema:
            directions[name] = ending[1].lower()
    return directions


# Walking


def walk(node: Any, place: str = "", *, of_names: bool = False) -> Iterator[tuple[str, Any]]:
    """Every mapping in a document whose keys are keywords, with its dotted place.

    A property may be called `const` or `$ref`: the keys of `properties` and the like are names.
    """
    if isinstance(node, dict):
        if not of_names:
            yield place or "the document", node
        for key, child in node.items():
            if of_names or not is_value(key):
                inner = f"{place}.{key}" if place else str(key)
                yield from walk(child, inner, of_names=not of_names and key in NAMES)
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from walk(child, f"{place}[{index}]")


def is_value(keyword: Any) -> bool:
    """Whether what stands under a keyword is data."""
    return keyword in VALUES or str(keyword).startswith("x-")


def schemas_in(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema in a document, however deep, with its place."""
    for place, node in walk(document):
        kinds = (isinstance(node.get("type"), str), isinstance(node.get("enum"), list))
        if any(kinds) or "allOf" in node or members(node):
            yield place, node


def resolve(document: dict[str, Any], reference: Any) -> Any:
    node: Any = document
    if not str(reference).startswith("#/"):
        raise LookupError(reference)
    for part in reference[2:].split("/"):
        if not isinstance(node, dict):
            raise LookupError(reference)
        node = node[part.replace("~1", "/").replace("~0", "~")]
    return node


def references(node: Any) -> Iterator[str]:
    """The components to which a node refers, in order and as often as it does."""
    for _place, each in walk(node):
        if isinstance(each.get("$ref"), str):
            yield each["$ref"].removeprefix(REFERENCE)


def reachable(names: Iterable[str], uses: Callable[[str], Iterable[str]]) -> set[str]:
    """Names, and all that they lead to; `uses` gives what one leads to directly."""
    seen, left = set[str](), set(names)
    while left:
        name = left.pop()
        seen.add(name)
        left.update(each for each in uses(name) if each not in seen)
    return seen


def component(schema: dict[str, Any]) -> str:
    """The name of the component that a schema is, or an empty string."""
    for each in (schema, *schema.get("allOf", [])):
        if "$ref" in each:
            return str(each["$ref"]).removeprefix(REFERENCE)
    return ""


def target(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """The component that a schema refers to, or itself."""
    found: dict[str, Any] = schemas.get(component(schema), schema)
    return found
