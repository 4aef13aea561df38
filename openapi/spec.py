"""Read a fragment and its overlay, check both, and look things up in a document."""

from __future__ import annotations

import copy
import json
import keyword
import math
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft202012Validator
from jsonschema.validators import extend
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from overlay import overlaid
from refusals import Problem, Refused, SpecError, dotted, schema_problems

# Keywords below which the keys are names, and those below which everything is data.
NAMES = {
    *("properties", "patternProperties", "$defs", "mapping", "schemas", "paths", "webhooks"),
    *("responses", "headers", "content", "encoding", "requestBodies", "variables"),
    *("parameters", "pathItems", "securitySchemes"),
}
VALUES = {"example", "examples", "default", "enum", "const"}
# Where a schema stands: a mapping or a list, the key in it, and the place in the document.
Slot = tuple[Any, Any, str]
# Beyond this, Python's stack ends before the schemas do.
MAX_DEPTH = 64
METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
REFERENCE = "#/components/schemas/"


def fragments(folder: Path = Path("openapi")) -> list[Path]:
    """Return the fragments in a folder, without the schema of the dialect."""
    return sorted({*folder.glob("*.yaml")} - {*folder.glob("*.schema.yaml")})


def merged(
    fragment: Path, overlay: Path, *, checked: bool = True, is_draft: bool = False
) -> dict[str, Any]:
    """Return the document of a protocol: `fragment` with `overlay` applied, both checked.

    A draft may have wrong values for `default` and `example`: they are left out.
    """
    document = load_fragment(fragment)
    if overlay.exists():
        try:
            document = overlaid(document, load(overlay), overlay, checked=checked)
        except SpecError:
            # It may fit no document of this shape. Values that do not fit are what it may mend.
            _refuse(problems(load_fragment(fragment), is_draft=True), fragment)
            raise
    found = []
    if checked:
        found = problems(document, is_draft=is_draft)
    if found:
        # Problems of the fragment itself come first.
        own = problems(load_fragment(fragment), is_draft=is_draft)
        _refuse(filter(own.__contains__, found), fragment)
        _refuse(found, overlay)
    return document


def check_name(name: str) -> None:
    """Raise `SpecError` unless a fragment's name is that of a Python module."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise SpecError(f"{name}: a protocol's name is a Python module's, such as ga")


def load_fragment(path: Path) -> dict[str, Any]:
    """Return what a fragment says, with `components.schemas` if it has none."""
    document = load(path)
    # An API whose operations name no schema lacks these.
    components = document.setdefault("components", {})
    if isinstance(components, dict):
        components.setdefault("schemas", {})
    return document


def _refuse(problems: Iterable[Problem], path: Path) -> None:
    problems = list(problems)
    if problems:
        raise Refused(problems, path)


def load(path: Path, *, is_published: bool = False) -> dict[str, Any]:
    """Return the mapping in a YAML file; what JSON lacks is refused, unless others wrote it."""
    try:
        text = path.read_text("utf-8")
        document = copy.deepcopy(_parsed(text))
    except OSError as error:  # none, or a folder
        raise SpecError(f"{path}: {str(error.strerror).lower()}") from None
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = ""
        if mark:  # It counts from 0, editors from 1.
            place = f":{mark.line + 1}:{mark.column + 1}"
        raise SpecError(f"{path}{place}: not YAML: {error.problem}") from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SpecError(f"{path}:{line}: not YAML: {error.reason}") from None
    except (ValueError, KeyError) as error:  # a date such as 2024-02-30, or `!!int` before text
        raise SpecError(f"{path}: not YAML: {error}; text needs quotes") from None
    if not isinstance(document, dict):
        raise SpecError(f"{path}: not a mapping")
    if not is_published:
        _refuse(_not_json(document, "", ()), path)
    return document


@cache  # It takes a second for a fragment, which more than one step reads.
def _parsed(text: str) -> Any:
    try:
        return YAML(typ="safe").load(text)
    # The fast parser, in C, refuses `{url: https://example.com}`.
    except MarkedYAMLError:
        return YAML(typ="safe", pure=True).load(text)


def _not_json(node: Any, place: str, above: tuple[int, ...]) -> Iterator[Problem]:
    """Yield what YAML has and JSON has not: dates, sets, numbers for names, loops."""
    if id(node) in above:
        yield Problem(place, "a YAML alias that contains itself")
        return
    if len(above) > MAX_DEPTH and isinstance(node, (dict, list)):
        reason = f"more than {MAX_DEPTH} levels; make components of the inner ones"
        yield Problem(f"{place[:60]} …", reason)
        return
    above = (*above, id(node))
    if isinstance(node, dict):
        for key, child in node.items():
            if not isinstance(key, str):
                name = json.dumps(key, default=str)
                reason = f"the name {name} needs quotes, because it is text"
                yield Problem(place or "the document", reason)
            yield from _not_json(child, f"{place}.{key}".removeprefix("."), above)
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from _not_json(child, f"{place}[{index}]", above)
    # `nan` and `inf` are floats.
    elif isinstance(node, float) and math.isfinite(node):
        return
    elif node is not None and not isinstance(node, (str, int)):
        yield Problem(place, f"{node} is not a JSON value; text needs quotes")


# Checking


def problems(document: dict[str, Any], *, is_draft: bool = False) -> list[Problem]:
    """Return what is wrong with a document before anything is made of it."""
    problems = list(schema_problems(document, "published"))
    # References are followed, and values compared, only where the shape of the schemas is right.
    if not problems:
        problems = list(_reference_problems(document))
    if not problems and not is_draft:
        problems = [problem for _schema, _key, problem in _wrong_values(document)]
    return problems


def leave_out_wrong_values(document: dict[str, Any]) -> list[str]:
    """Remove each `default` and `example` that is not a value of its schema; return the places."""
    places = {}
    for schema, key, problem in list(_wrong_values(document)):
        schema.pop(key, None)
        places[problem.place] = None
    return list(places)


def _reference_problems(document: dict[str, Any]) -> Iterator[Problem]:
    for place, pointer in pointers(document):
        if not pointer.startswith("#/"):
            reason = "in another file or an anchor; bundle all into one document, with `#/…` alone"
            yield Problem(place, f"'{pointer}' is {reason}")
            continue
        try:
            resolve(document, pointer)
        except LookupError:
            yield Problem(place, f"'{pointer}' does not exist")


def _is_one_sided(schema: dict[str, Any], field: str) -> bool:
    """Return whether only requests, or only answers, have to have a field."""
    child = schema.get("properties", {}).get(field)
    return isinstance(child, dict) and bool({"readOnly", "writeOnly"} & child.keys())


def _keyword(name: str) -> Callable[..., Any]:
    """Return the check of a keyword that `nullable` and exclusive limits of OpenAPI 3.0 pass."""
    check = Draft202012Validator.VALIDATORS[name]

    def checked(validator: Any, expected: Any, value: Any, schema: Any) -> Any:
        if name == "required":
            expected = [field for field in expected if not _is_one_sided(schema, field)]
        is_flag = isinstance(expected, bool) and name.startswith("exclusive")
        if not is_flag and (value is not None or not schema.get("nullable")):
            return check(validator, expected, value, schema)
        return None

    return checked


ValueValidator: Any = extend(
    Draft202012Validator, {name: _keyword(name) for name in Draft202012Validator.VALIDATORS}
)


def _wrong_values(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, Problem]]:
    """Yield each `default` and `example` that is not a value of its schema, and why."""
    for place, schema in schemas_in(document):
        whole = {**schema, "components": document["components"]}
        for key in ("default", "example"):
            if key not in schema:
                continue
            value = schema[key]
            # Models keep unknown fields, so that a typing error would go unnoticed.
            if key == "example" and "properties" in schema and isinstance(value, dict):
                for field in value.keys() - schema["properties"].keys():
                    reason = f"there is no property {field!r}"
                    yield schema, key, Problem(f"{place}.{key}", reason)
            try:
                error = next(ValueValidator(whole).iter_errors(value), None)
            # Of a `pattern` that Python cannot read, or of a keyword that is refused later.
            except Exception:
                continue
            if error is not None:
                where = dotted([f"{place}.{key}", *error.absolute_path])
                text = textwrap.shorten(json.dumps(error.instance), 60)
                yield schema, key, Problem(where, f"`{text}` does not fit its schema")


# Looking things up


def members(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the members of a union schema."""
    members: list[dict[str, Any]] = schema.get("oneOf") or schema.get("anyOf") or []
    return members


def union_key(schema: dict[str, Any]) -> str:
    """Return the keyword below which the members of a union stand."""
    if "oneOf" in schema:
        return "oneOf"
    return "anyOf"


def innermost(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what a list of lists holds, or the schema itself."""
    while "items" in schema:
        schema = schema["items"]
    return schema


def without(node: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Return a copy of a mapping without some of its keys."""
    return {key: value for key, value in node.items() if key not in keys}


def only(node: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Return what a mapping has of some keys, in the order of these."""
    return {key: node[key] for key in keys if key in node}


def extensions(node: dict[str, Any]) -> dict[str, Any]:
    """Return the extensions of a node."""
    return {key: value for key, value in node.items() if key.startswith("x-")}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every operation, with its method and path."""
    for path, item in document.get("paths", {}).items():
        for method, operation in only(item, METHODS).items():
            yield f"{method.upper()} {path}", operation


def webhooks(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every request that the service makes, with its place."""
    for name, item in document.get("webhooks", {}).items():
        for method, operation in only(item, METHODS).items():
            yield f"webhooks.{name}.{method}", operation


def event_unions(schemas: dict[str, Any]) -> dict[str, str]:
    """Return the unions of events, each with its direction: `server`, `client` or `webhook`.

    The fragment names them by `x-events`, or by the `x-connection` that carries them.
    """
    connected = {}
    for name, schema in schemas.items():
        if "x-connection" in schema:
            connected.setdefault(connected_client(name, schemas), "client")
            connected[name] = "server"
    directions = {}
    for name, schema in schemas.items():
        # A connection is the stronger statement.
        direction = connected.get(name, schema.get("x-events"))
        if direction and "discriminator" in schema:
            directions[name] = direction
    return directions


def connected_client(server: str, schemas: dict[str, Any]) -> str:
    """Return the union of the events that are sent over the connection of another union."""
    default = server.replace("Server", "Client")
    # Without `Server` in its name, the union would be taken for its own client.
    if default == server:
        default = ""
    return str(schemas[server]["x-connection"].get("client", default))


# Walking


def walk(node: Any, place: str = "", *, of_names: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield every mapping in a document whose keys are keywords, with its dotted place.

    A property may be called `const` or `$ref`: the keys of `properties` and the like are names.
    """
    if isinstance(node, dict):
        if not of_names:
            yield place or "the document", node
        for key, child in node.items():
            is_data = key in VALUES or str(key).startswith("x-")
            if of_names or not is_data:
                inner = f"{place}.{key}".removeprefix(".")
                yield from walk(child, inner, of_names=not of_names and key in NAMES)
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from walk(child, f"{place}[{index}]")


def roots(document: dict[str, Any]) -> Iterator[Slot]:
    """Yield where schemas stand that are in no other schema."""
    schemas = document["components"]["schemas"]
    # A list, because components are added and removed while they are visited.
    for name in list(schemas):
        yield schemas, name, f"components.schemas.{name}"
    others = {**document, "components": without(document["components"], "schemas")}
    for place, node in list(walk(others)):
        if isinstance(node.get("schema"), (dict, bool)):
            yield node, "schema", f"{place}.schema"


def children(schema: dict[str, Any], place: str = "") -> Iterator[Slot]:
    """Yield where schemas stand directly in a schema."""
    for field in schema.get("properties", {}):
        yield schema["properties"], field, f"{place}.properties.{field}"
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield schema, key, f"{place}.{key}"
    for key in ("allOf", "anyOf", "oneOf", "prefixItems"):
        for index in range(len(schema.get(key, []))):
            yield schema[key], index, f"{place}.{key}[{index}]"


def slots(document: dict[str, Any]) -> Iterator[Slot]:
    """Yield where schemas stand, however deep; those in a schema come before it."""
    for root in roots(document):
        yield from _below(root)


def _below(slot: Slot) -> Iterator[Slot]:
    holder, key, place = slot
    # `additionalProperties` and `items` may be `false`.
    if holder[key] is not False:
        if holder[key] is not True:
            for child in children(holder[key], place):
                yield from _below(child)
        yield slot


def transform(document: dict[str, Any], change: Callable[[Any, str], dict[str, Any]]) -> None:
    """Change all schemas in a document, from the inside out."""
    for holder, key, place in slots(document):
        holder[key] = change(holder[key], place)


def schemas_in(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every schema in a document, however deep, with its place."""
    for holder, key, place in slots(document):
        if holder[key] is not True:
            yield place, holder[key]


# References


def pointers(node: Any) -> Iterator[tuple[str, str]]:
    """Yield the references in a node, those of mappings included, with their places."""
    for place, inner in walk(node):
        if "$ref" in inner:
            yield place, str(inner["$ref"])
        for pointer in inner.get("discriminator", {}).get("mapping", {}).values():
            # OpenAPI allows the bare name of a schema, too.
            if re.fullmatch(r"[\w.-]+", pointer):
                pointer = REFERENCE + pointer
            yield place, pointer


def resolve(document: dict[str, Any], pointer: str) -> Any:
    """Return what stands where a reference such as `#/paths` points, or raise `LookupError`."""
    node: Any = document
    for part in pointer.split("/")[1:]:
        key = _unescaped(part)
        if isinstance(node, list) and key.isdecimal():
            node = node[int(key)]
        elif isinstance(node, dict):
            node = node[key]
        else:
            raise LookupError(pointer)
    return node


def _unescaped(part: str) -> str:
    # The escapes of RFC 6901, JSON Pointer: in this order, or `~01` becomes a slash.
    return unquote(part).replace("~1", "/").replace("~0", "~")


def references(node: Any) -> Iterator[str]:
    """Yield the components to which a node refers, in order and as often as it does."""
    for _place, inner in walk(node):
        if "$ref" in inner:
            yield component_name(inner["$ref"])


def reachable(names: Iterable[Any], uses: Callable[[Any], Iterable[Any]]) -> set[Any]:
    """Return names, and all that they lead to; `uses` gives what one leads to directly."""
    seen, left = set[Any](), set(names)
    while left:
        name = left.pop()
        seen.add(name)
        left |= set(uses(name)) - seen
    return seen


def component(schema: dict[str, Any]) -> str:
    """Return the name of the component that a schema is, or an empty string."""
    for part in (schema, *schema.get("allOf", [])):
        if "$ref" in part:
            return component_name(part["$ref"])
    return ""


def component_name(reference: Any) -> str:
    """Return the name of the component to which a reference leads."""
    return _unescaped(str(reference).removeprefix(REFERENCE))


def reference(name: str) -> dict[str, Any]:
    """Return a schema that refers to a component."""
    return {"$ref": REFERENCE + name}


def mapped(schema: dict[str, Any]) -> dict[str, str]:
    """Return the component of each value of a union's discriminator."""
    mapping: dict[str, str] = schema.get("discriminator", {}).get("mapping", {})
    return {value: component_name(reference) for value, reference in mapping.items()}


def target(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the component that a schema refers to, or itself."""
    found: dict[str, Any] = schemas.get(component(schema), schema)
    return found
