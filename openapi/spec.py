"""From a fragment and its overlay to the document that the generator reads.

`merged` gives the OpenAPI document as it is meant: fragment plus overlay. `annotated` adds what
the templates need and the generator cannot work out by itself, as `x-` extensions.
"""

from __future__ import annotations

import ast
import copy
import json
import keyword
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonpath_ng.ext import parse as parse_jsonpath
from jsonschema import Draft202012Validator, ValidationError
from oas_patch.overlay import apply_overlay
from oas_patch.validator import load_schema
from openapi_schema_validator import OAS30Validator, OAS31Validator
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator
from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from examples import Examples, literal

METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
REFERENCE = "#/components/schemas/"
LINE_LENGTH = 100
PYTHON_TYPES = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "object": "dict[str, Any]",
}
BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "minLength": "shortest",
    "maxLength": "longest",
    "minItems": "fewest",
    "maxItems": "most",
    "pattern": "matches",
}
CALL_ARGUMENTS = [
    ("headers", "Headers to add for this call."),
    ("timeout", "Seconds that this call may take, instead of the client's."),
]
CALL_RAISES = "ApiError: The service answered with an error, or did not answer."
# What a field cannot be called: it would hide a method, or a type that later fields name.
RESERVED = {
    *keyword.kwlist,
    *(name for name in dir(BaseModel) if not name.startswith("_")),
    *("from_json", "from_dict", "to_json", "to_dict"),
    *("str", "int", "float", "bool", "list", "dict"),
}


class SpecError(Exception):
    """An input of the generation is wrong. The message names the file and the place."""


def merged(fragment: Path, overlay: Path) -> dict[str, Any]:
    """The OpenAPI document of a protocol: `fragment`, checked, with `overlay` applied, checked."""
    document = load(fragment)
    _check(document, fragment)
    if overlay.exists():
        document = _overlaid(document, overlay)
        _check(document, overlay)
    return document


def annotated(document: dict[str, Any], package: str) -> dict[str, Any]:
    """A simplified document with the `x-` extensions that the templates use.

    `package` is what the examples import from.
    """
    document = simplified(document)
    schemas = document["components"]["schemas"]
    for place, schema in list(_schemas(document)):
        _name_enum_values(place, schema)
    for name, schema in schemas.items():
        _annotate_schema(name, schema, schemas)
    _annotate_events(schemas)
    _annotate_groups(document)
    _annotate_operations(document)
    _annotate_examples(document, Examples(schemas, package))
    return document


def simplified(document: dict[str, Any]) -> dict[str, Any]:
    """A merged document as plain OpenAPI 3.0, in which each thing is said in one way.

    References stand alone (in `allOf` where something stands beside them) and name components;
    `null` is `nullable`, a constant an `enum` of one.
    """
    document = copy.deepcopy(document)
    for _place, node in list(_walk(document)):
        _inline_deep_reference(node, document)
    document = {**_simplified(document), "openapi": "3.0.3"}
    schemas = document["components"]["schemas"]
    for _place, node in _walk(document):
        if _target(node, schemas).get("nullable") and "allOf" in node:
            node["nullable"] = True
    return document


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


def event_unions(schemas: dict[str, Any]) -> dict[str, str]:
    """The unions of events, each with its direction: `server` or `client`."""
    directions = {}
    for name, schema in schemas.items():
        ending = re.search(r"(Server|Client)Event$", name)
        if ending and "discriminator" in schema:
            directions[name] = ending[1].lower()
    return directions


# Reading and checking


def load(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file."""
    try:
        text = path.read_text("utf-8")
        document = YAML(typ="safe", pure=True).load(text)
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
    for place, schema in _schemas(document):
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
    for place, node in _walk(document):
        references = [node["$ref"]] if "$ref" in node else []
        if isinstance(node.get("discriminator"), dict):
            mapping = node["discriminator"].get("mapping", {})
            if not isinstance(mapping, dict):
                raise SpecError(f"{path}: {place}: the discriminator's mapping is empty")
            references += mapping.values()
        for reference in references:
            try:
                _resolve(document, reference)
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


def _overlaid(document: dict[str, Any], path: Path) -> dict[str, Any]:
    overlay = load(path)
    for error in Draft202012Validator(load_schema("overlay_schema_1.0.0.yml")).iter_errors(overlay):
        message = textwrap.shorten(error.message, 200)
        raise SpecError(f"{path}: {_place(error, overlay)}: {message}")
    for number, action in enumerate(overlay["actions"], 1):
        place = f"{path}: action {number}"
        if not action.get("description"):
            raise SpecError(f"{place}: no description; say why, with the evidence")
        try:
            for target in _single_targets(action["target"]):
                if not parse_jsonpath(target).find(document):
                    raise SpecError(f"{place}: target {target} matches nothing")
            document = apply_overlay(document, {"actions": [action]})
        except SpecError:
            raise
        except Exception as error:  # the parser raises bare Exceptions, too
            raise SpecError(f"{place}: {textwrap.shorten(str(error), 200)}") from None
        # The copy keeps what several targets share from being one object.
        document = json.loads(json.dumps(document))
    return document


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
    for place, node in _walk(document):
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


# Walking


def _walk(node: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping in a document, with its dotted place."""
    if isinstance(node, dict):
        yield place or "the document", node
        for key, child in node.items():
            yield from _walk(child, f"{place}.{key}" if place else str(key))
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from _walk(child, f"{place}[{index}]")


def _schemas(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema in a document, however deep, with its place."""
    for place, node in _walk(document):
        kinds = (isinstance(node.get("type"), str), isinstance(node.get("enum"), list))
        if any(kinds) or "allOf" in node or members(node):
            yield place, node


def _resolve(document: dict[str, Any], reference: Any) -> Any:
    node: Any = document
    if not str(reference).startswith("#/"):
        raise LookupError(reference)
    for part in reference[2:].split("/"):
        if not isinstance(node, dict):
            raise LookupError(reference)
        node = node[part.replace("~1", "/").replace("~0", "~")]
    return node


def _target(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """The component that a schema refers to, or itself."""
    reference = schema.get("$ref") or next(
        (each["$ref"] for each in schema.get("allOf", []) if "$ref" in each), ""
    )
    found: dict[str, Any] = schemas.get(reference.removeprefix(REFERENCE), schema)
    return found


# Simplifying


def _inline_deep_reference(node: dict[str, Any], document: dict[str, Any]) -> None:
    """Replace a reference into a schema, which the generator would make a class of, by a copy."""
    reference = node.get("$ref", "")
    if reference.startswith(REFERENCE) and "/" in reference[len(REFERENCE) :]:
        del node["$ref"]
        target = copy.deepcopy(_resolve(document, reference))
        node.update({**target, **node})


def _simplified(node: Any) -> Any:
    if isinstance(node, list):
        return [_simplified(each) for each in node]
    if not isinstance(node, dict):
        return node
    node = {key: _simplified(each) for key, each in node.items()}
    if "const" in node:
        node["enum"] = [node.pop("const")]
    if isinstance(node.get("enum"), list) and None in node["enum"]:
        node["enum"] = [value for value in node["enum"] if value is not None]
        node["nullable"] = True
    if "$ref" in node and len(node) > 1:
        node["allOf"] = [{"$ref": node.pop("$ref")}]
    if isinstance(node.get("type"), list):
        kinds = [kind for kind in node["type"] if kind != "null"]
        node = {**node, "type": kinds[0], "nullable": len(kinds) < len(node["type"])}
    for key in ("oneOf", "anyOf"):
        if isinstance(node.get(key), list):
            node = _without_null(node, key)
    # What is left of a union of one, or of an `allOf` in an `allOf`, is said once.
    while [list(each) for each in node.get("allOf", [])] == [["allOf"]]:
        node["allOf"] = node["allOf"][0]["allOf"]
    return node


def _without_null(node: dict[str, Any], key: str) -> dict[str, Any]:
    """Turn a `null` member into `nullable`, and a union of one into its member."""
    rest = [member for member in node[key] if member.get("type") != "null"]
    if len(rest) < len(node[key]):
        node["nullable"] = True
    if len(rest) > 1:
        return {**node, key: rest}
    (member,) = rest
    del node[key]
    return {**({"allOf": [member]} if "$ref" in member else member), **node}


# Annotating


def _name_enum_values(place: str, schema: dict[str, Any]) -> None:
    """Give each enum value the constant name of the documented Java pages."""
    values = schema.get("enum", [])
    if not values or "x-enum-varnames" in schema:
        return
    if all(isinstance(value, str) for value in values):
        schema.setdefault("type", "string")
    if schema.get("type") != "string":
        # Any number stays possible; the page tells the known ones.
        schema["x-known"] = schema.pop("enum")
        return
    names = [_constant_name(str(value)) for value in values]
    if len(set(names)) < len(names):
        raise SpecError(f"{place}: two of {values} get one name; add x-enum-varnames")
    schema["x-enum-varnames"] = names


def _constant_name(value: str) -> str:
    name = re.sub(r"\W+", "_", value).upper() or "EMPTY"
    return f"_{name}" if name[0].isdigit() else name


def _annotate_schema(name: str, schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    _annotate_text(schema)
    indent = "" if members(schema) else "    "
    schema["x-docstring"] = docstring(schema["x-text"], indent)
    schema["x-summary"] = schema["x-text"].partition(". ")[0].rstrip(".")
    for field, child in schema.get("properties", {}).items():
        _annotate_field(field, child, is_required=field in schema.get("required", []))
    names = [child["x-name"] for child in schema.get("properties", {}).values()]
    if len(set(names)) < len(names) or "" in names:
        raise SpecError(
            f"components.schemas.{name}: properties {names} are not all different names"
        )
    nullables = [
        literal(c["x-name"]) for c in schema.get("properties", {}).values() if c["x-nullable"]
    ]
    if nullables:
        schema["x-nullables"] = ", ".join(nullables)
    if members(schema):
        _annotate_union(name, schema, schemas)


def _annotate_text(schema: dict[str, Any]) -> None:
    schema["x-text"] = " ".join(schema.get("description", "").split())
    schema["x-cell"] = schema["x-text"].replace("|", "\\|")
    values = schema if "enum" in schema else schema.get("items", {})
    if "x-enum-varnames" in values:
        schema["x-values"] = _named_values(values)


def _annotate_field(field: str, schema: dict[str, Any], *, is_required: bool) -> None:
    _annotate_text(schema)
    schema["x-docstring"] = docstring(schema["x-text"], "    ")
    schema["x-name"] = _python_name(field)
    each = schema
    while each:
        if "x-enum-varnames" in each:
            schema["x-enum-name"] = each["x-enum-name"] = _enum_name(field)
        each = each.get("items", {})
    schema["x-nullable"] = schema.get("nullable", False)
    if schema["x-name"] != field:
        schema["x-alias"] = field
    values = schema.get("enum", [])
    # A discriminator is sent even where the schema lets it be left out.
    if len(values) == 1 and (is_required or field == "type"):
        schema["x-constant"] = values[0]
    schema["x-notes"] = " ".join(f"[{note}]" for note in _notes(field, schema, is_required))


def _notes(field: str, schema: dict[str, Any], is_required: bool) -> Iterator[str]:
    if not is_required:
        yield "optional"
    if schema.get("nullable"):
        yield "nullable"
    if "x-known" in schema:
        yield f"known: {', '.join(f'`{value}`' for value in schema['x-known'])}"
    if "x-constant" in schema:
        yield f"always `{schema['x-constant']}`"
    elif schema.get("default") is not None:
        yield f"default `{json.dumps(schema['default'])}`"
    for key, word in BOUNDS.items():
        if key in schema:
            yield f"{word} `{schema[key]}`"
    if "x-alias" in schema:
        yield f"in JSON `{field}`"


def _enum_name(field: str) -> str:
    """The name of the enum class nested in a model for one of its fields."""
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"\W|_", field)) + "Enum"


def _python_name(field: str) -> str:
    name = _snake_case(re.sub(r"\W", "_", field))
    if name[0].isdigit():
        return f"n{name}"
    return f"{name}_" if name in RESERVED else name.strip("_")


def _annotate_union(name: str, schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Describe each member: its Python type, its page or enum, and how it is told apart."""
    described = [_member(name, member, schemas) for member in members(schema)]
    mapping = schema.get("discriminator", {}).get("mapping", {})
    for member in described:
        values = [v for v, ref in mapping.items() if ref == REFERENCE + member.get("ref", "")]
        if values:
            member["when"] = ", ".join(f"`{value}`" for value in values)
    schema["x-union"] = True
    schema["x-members"] = described
    enums = [member["type"] for member in described if "enum" in member]
    if mapping:
        field = schema["discriminator"]["propertyName"]
        pairs = [f"{literal(v)}: {ref.removeprefix(REFERENCE)}" for v, ref in mapping.items()]
        schema["x-field"] = field
        schema["x-annotation"] = f"Discriminator({literal(field)}, {{{', '.join(pairs)}}})"
    elif enums and "str" in [member["type"] for member in described]:
        # Any string is a value of an open enum; "str" is there for type checkers.
        schema["x-annotation"] = enums[0]
    else:
        schema["x-annotation"] = "Lossless()"


def _member(union: str, schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        model = schema["$ref"].removeprefix(REFERENCE)
        is_object = "properties" in schemas[model] or "discriminator" in schemas[model]
        return {"type": model, "ref": model, "when": "an object" if is_object else "a string"}
    if "enum" in schema:
        enum = {"name": f"{union}Enum", "values": _named_values(schema)}
        return {"type": enum["name"], "enum": enum, "when": "a string"}
    if schema.get("type") == "array":
        item = _member(union, schema["items"], schemas)
        return {**item, "type": f"list[{item['type']}]", "when": "an array"}
    kind = schema.get("type", "")
    if kind not in PYTHON_TYPES:
        raise SpecError(
            f"components.schemas.{union}: a member is neither a reference nor of one type; "
            "make it a component"
        )
    return {"type": PYTHON_TYPES[kind], "when": f"{'an' if kind[0] in 'io' else 'a'} {kind}"}


def _named_values(schema: dict[str, Any]) -> list[dict[str, str]]:
    pairs = zip(schema["x-enum-varnames"], schema["enum"], strict=True)
    return [{"name": name, "value": value} for name, value in pairs]


def docstring(text: str, indent: str) -> str:
    """Python source of a docstring: one line if it fits, else a summary and a paragraph."""
    if len(indent) + len(text) + 2 * len('"""') > LINE_LENGTH:
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


def _annotate_events(schemas: dict[str, Any]) -> None:
    directions = event_unions(schemas)
    for name, schema in schemas.items():
        if "discriminator" in schema:
            schema["x-unknown"] = "UnknownEvent" if name in directions else "UnknownModel"
    for name, direction in directions.items():
        union = schemas[name]
        union["x-parses"] = "parse_" + _snake_case(name.removeprefix("Realtime"))
        union["x-direction"] = direction
        if "x-connection" in union:
            union["x-connection"] |= _connection(name, union)
        for value, reference in union["discriminator"]["mapping"].items():
            event = schemas[reference.removeprefix(REFERENCE)]
            event["x-event-type"] = value
            event["x-direction"] = direction
            event.setdefault("x-parser", union["x-parses"])


def _connection(server: str, union: dict[str, Any]) -> dict[str, str]:
    """What the functions that open a session need besides what the fragment says."""
    kind = _snake_case(server.removeprefix("Realtime").removesuffix("ServerEvent"))
    return {
        "suffix": f"_{kind}" if kind else "",
        "is_beta": str(union["x-connection"].get("is_beta", False)),
        "server": server,
        "client": server.replace("ServerEvent", "ClientEvent"),
        "parse": union["x-parses"],
    }


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _annotate_groups(document: dict[str, Any]) -> None:
    """Sort the schemas into the groups of the docs' index."""
    bodies = {
        reference.removeprefix(REFERENCE)
        for _place, operation in operations(document)
        for _where, node in _walk(operation)
        if (reference := node.get("$ref", ""))
    }
    for name, schema in public_schemas(document).items():
        schema[f"x-in-{_group(name, schema, bodies)}"] = True


def _group(name: str, schema: dict[str, Any], bodies: set[str]) -> str:
    if name in bodies:
        return "http"
    if "x-direction" in schema:
        return f"{schema['x-direction']}-events"
    # The parts of an event are named after it.
    event = re.match(r"Realtime\w*?(Client|Server)Event", name)
    if event:
        return f"{event[1].lower()}-events"
    resource = re.match(r"Realtime\w*?(Session|Conversation|Response)", name)
    return resource[1].lower() if resource else "shared"


def _annotate_operations(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for _place, operation in operations(document):
        _annotate_text(operation)
        _annotate_form(operation, schemas)
        for status, response in operation["responses"].items():
            if status.startswith("2"):
                operation["x-accept"] = ", ".join(response.get("content", ["application/json"]))
                operation["x-created"] = "Location" in response.get("headers", {})
        _annotate_method(operation, schemas)


def _annotate_method(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Write the docstrings of the two methods that call an operation."""
    name = _snake_case(operation["operationId"].replace("-", "_"))
    arguments = [*_arguments(operation, schemas), *CALL_ARGUMENTS]
    returns = [
        response["description"]
        for status, response in operation["responses"].items()
        if status.startswith("2") and "content" in response
    ]
    operation["x-docstring"] = _method_docstring(
        f"{operation['summary']}.", operation["x-text"], arguments, returns
    )
    operation["x-docstring-with-http-info"] = _method_docstring(
        f"Call `{name}` for its status and headers, too.",
        "",
        arguments,
        [f"Status, headers and body, and in `data` what `{name}` returns."],
    )


def _arguments(operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each argument that the generator gives a method, with its description."""
    for parameter in operation.get("parameters", []):
        yield _snake_case(parameter["name"]), parameter.get("description", "")
    body = operation.get("requestBody", {})
    content = body.get("content", {})
    if "multipart/form-data" in content:
        form = _target(content["multipart/form-data"]["schema"], schemas)
        for field, schema in form["properties"].items():
            yield _python_name(field), schema.get("description", "")
    elif "application/json" in content:
        reference = content["application/json"]["schema"].get("$ref", "body")
        yield _snake_case(reference.removeprefix(REFERENCE)), body.get("description", "")


def _method_docstring(
    summary: str, text: str, arguments: list[tuple[str, str]], returns: list[str]
) -> str:
    indent, deep = " " * 8, " " * 12
    sections = [f"{indent}{wrapped(' '.join(text.split()), indent, '')}"] if text else []
    listed = [
        deep + wrapped(" ".join(f"{name}: {description}".split()), " " * 16, "")
        for name, description in arguments
    ]
    sections.append("\n".join([f"{indent}Args:", *listed]))
    if returns:
        described = wrapped(" ".join(returns[0].split()), deep, "")
        sections.append(f"{indent}Returns:\n{deep}{described}")
    sections.append(f"{indent}Raises:\n{deep}{CALL_RAISES}")
    return _docstring_literal("\n\n".join([summary, *sections]) + f"\n{indent}")


def _annotate_form(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Give each part of a form its media type, and find the one that can also go bare."""
    content = operation.get("requestBody", {}).get("content", {})
    form = content.get("multipart/form-data")
    if not form:
        return
    fields = _target(form["schema"], schemas)["properties"]
    for field, schema in fields.items():
        schema["x-content-type"] = (
            form.get("encoding", {}).get(field, {}).get("contentType", "text/plain")
        )
        if schema["x-content-type"] in content:
            operation["x-raw"] = schema["x-content-type"]


def _annotate_examples(document: dict[str, Any], writer: Examples) -> None:
    for name, schema in document["components"]["schemas"].items():
        example = writer.of_schema(name)
        if example:
            schema["x-example"] = example
    for _place, operation in operations(document):
        method = _snake_case(operation["operationId"].replace("-", "_"))
        operation["x-example"] = writer.of_operation(method, operation)
