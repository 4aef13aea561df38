"""Add what the templates need and the generator cannot work out, as `x-` extensions."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import names
from examples import Examples, literal
from params import Params
from simplify import simplified
from spec import (
    REFERENCE,
    SpecError,
    component,
    event_unions,
    members,
    operations,
    public_schemas,
    reachable,
    references,
    schemas_in,
    target,
    walk,
)

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


def annotated(
    document: dict[str, Any], package: str, recorded: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A simplified document with the `x-` extensions that the templates use.

    Args:
        document: A fragment with its overlay.
        package: What the examples import from.
        recorded: Events as servers send them, by class, for the examples.
    """
    document = simplified(document)
    schemas = document["components"]["schemas"]
    document["x-has-webhooks"] = bool(document.pop("webhooks", {}))
    for _place, schema in list(schemas_in(document)):
        _name_enum_values(schema)
    for name, schema in schemas.items():
        _annotate_schema(name, schema, schemas)
    _annotate_imports(schemas)
    for schema in schemas.values():
        _annotate_enums(schema, schemas)
    _annotate_events(schemas)
    _annotate_builders(schemas)
    _annotate_operations(document)
    params = Params(document)
    _annotate_examples(document, Examples(schemas, package, recorded or {}, set(params.sent)))
    if params.sent:
        document["x-params"] = params.source()
    for name in params.sent:
        schemas[name]["x-param"] = f"{name}Param"
    return document


def _name_enum_values(schema: dict[str, Any]) -> None:
    """Give each enum value the constant name of the documented Java pages."""
    values = schema.get("enum", [])
    if not values or "x-enum-varnames" in schema:
        return
    if all(isinstance(value, str) for value in values):
        schema.setdefault("type", "string")
    if schema.get("type") != "string":
        # Any number stays possible; the page lists the known ones.
        schema["x-known"] = schema.pop("enum")
        return
    schema["x-enum-varnames"] = names.enum_constants(values)


def _annotate_schema(name: str, schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    _annotate_text(schema)
    _annotate_deprecation(schema)
    indent = "" if members(schema) else "    "
    schema["x-docstring"] = docstring(schema["x-text"], indent)
    schema["x-summary"] = schema["x-text"].partition(". ")[0].rstrip(".")
    for field, child in schema.get("properties", {}).items():
        _annotate_field(field, child, is_required=field in schema.get("required", []))
    nullables = [
        literal(c["x-name"]) for c in schema.get("properties", {}).values() if c["x-nullable"]
    ]
    if nullables:
        schema["x-nullables"] = ", ".join(nullables)
    limits = [
        f"{(child['x-name'], *bounds)}"
        for child in schema.get("properties", {}).values()
        if (bounds := _limits(child)) != (None, None)
    ]
    if limits:
        schema["x-limits"] = "".join(f"{each}, " for each in limits)
    if members(schema):
        _annotate_union(name, schema, schemas)


def _limits(schema: dict[str, Any]) -> tuple[float | None, float | None]:
    """The least and the most that a number may be, or that a text or a list may hold."""
    least, most = (
        next((schema[key] for key in keys if key in schema), None)
        for keys in (("minimum", "minLength", "minItems"), ("maximum", "maxLength", "maxItems"))
    )
    return least, most


def _annotate_deprecation(node: dict[str, Any]) -> None:
    """What pages and type checkers say of a deprecated class or method."""
    if node.get("deprecated"):
        node["x-advice"] = node.get("x-deprecated", "the service may remove it")
        node["x-deprecated"] = literal(node["x-advice"])


def _annotate_text(schema: dict[str, Any]) -> None:
    schema["x-text"] = " ".join(schema.get("description", "").split())
    schema["x-cell"] = schema["x-text"].replace("|", "\\|")
    values = schema if "enum" in schema else schema.get("items", {})
    if "x-enum-varnames" in values:
        schema["x-values"] = _named_values(values)


def _annotate_field(field: str, schema: dict[str, Any], *, is_required: bool) -> None:
    _annotate_text(schema)
    schema["x-docstring"] = docstring(schema["x-text"], "    ")
    schema["x-name"] = names.field_name(field)
    each = schema
    while each:
        if "x-enum-varnames" in each:
            schema["x-enum-name"] = each["x-enum-name"] = names.enum_name(field)
            schema["x-values"] = _named_values(each)
        each = each.get("items", {})
    schema["x-nullable"] = schema.get("nullable", False)
    if schema["x-name"] != field:
        schema["x-alias"] = literal(field)
    values = schema.get("enum", [])
    # A discriminator is sent even where the schema lets it be left out.
    if len(values) == 1 and (is_required or field == "type"):
        schema["x-constant"] = literal(values[0])
    schema["x-notes"] = " ".join(f"[{note}]" for note in _notes(field, schema, is_required))


def _annotate_enums(schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Let a model take strings for its enums, and have each of these as `FieldEnum`."""
    fields = schema.get("properties", {})
    aliases = []
    for field, child in fields.items():
        owner, enum = _enum_in(child, "", schemas)
        if not enum or "x-constant" in child:
            continue
        # A module of a recursion may not have what it imports yet.
        if owner and not schema["x-cyclic"]:
            kind = f"{owner}Enum" if members(schemas[owner]) else owner
            aliases.append({"name": names.enum_name(field), "owner": owner, "enum": kind})
        if {"type": "string"} not in members(schemas.get(owner, {})):
            child["x-accepts"] = _accepted(child, enum["enum"])
    schema["x-enum-aliases"] = aliases
    schema["x-takes-strings"] = any("x-accepts" in child for child in fields.values())


def _enum_in(
    schema: dict[str, Any], owner: str, schemas: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The enum that a value may be, and the component that it belongs to, if any."""
    name = component(schema)
    if name:
        return _enum_in(schemas[name], name, schemas)
    if "x-enum-varnames" in schema:
        return owner, schema
    inner = [schema["items"]] if "items" in schema else members(schema)
    found = (_enum_in(each, owner, schemas) for each in inner)
    return next((each for each in found if each[1]), ("", {}))


def _accepted(schema: dict[str, Any], values: list[str]) -> str:
    """The type of an argument: what the field holds, or one of the strings."""
    if "items" in schema:
        return f"Sequence[{_accepted(schema['items'], values)}]"
    kind = schema.get("x-enum-name") or next(references(schema))
    return f"{kind} | Literal[{', '.join(map(literal, values))}]"


def _notes(field: str, schema: dict[str, Any], is_required: bool) -> Iterator[str]:
    if not is_required:
        yield "optional"
    if schema.get("nullable"):
        yield "nullable"
    if "x-known" in schema:
        yield f"known: {', '.join(f'`{value}`' for value in schema['x-known'])}"
    if "x-constant" in schema:
        yield f"always `{schema['enum'][0]}`"
    elif schema.get("default") is not None:
        yield f"default `{json.dumps(schema['default'])}`"
    for key, word in BOUNDS.items():
        if key in schema:
            yield f"{word} `{schema[key]}`".replace("|", "\\|")
    if schema.get("deprecated"):
        yield "deprecated"
    if "x-alias" in schema:
        yield f"in JSON `{field}`"


def _annotate_union(name: str, schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Describe each member: its Python type, its page or enum, and what distinguishes it."""
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
    advice = schema.get("x-deprecated-values", {})
    return [
        {"name": name, "value": value, "literal": literal(value)}
        | ({"deprecated": advice[value]} if value in advice else {})
        for name, value in pairs
    ]


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


def _annotate_imports(schemas: dict[str, Any]) -> None:
    """List what the module of each schema imports: before its class, or after, in a recursion."""
    public = public_schemas({"components": {"schemas": schemas}})
    uses = {name: _uses(schema, schemas, public) for name, schema in schemas.items()}
    for name, schema in public.items():
        late = {each for each in uses[name] if name in reachable([each], uses.__getitem__)}
        schema["x-cyclic"] = bool(late)
        schema["x-late"] = sorted(late - {name}) if "properties" in schema else []
        schema["x-imports"] = sorted(uses[name] - {*schema["x-late"], name})


def _uses(schema: dict[str, Any], schemas: dict[str, Any], public: dict[str, Any]) -> set[str]:
    """The classes that a schema names; those that are none stand for what they consist of."""
    found = set[str]()
    for name in references(schema):
        found |= {name} if name in public else _uses(schemas[name], schemas, public)
    return found


def _annotate_events(schemas: dict[str, Any]) -> None:
    directions = event_unions(schemas)
    for name, schema in schemas.items():
        if "discriminator" in schema:
            schema["x-unknown"] = "UnknownEvent" if name in directions else "UnknownModel"
    for name, direction in directions.items():
        union = schemas[name]
        union["x-parses"] = names.parser_name(name)
        union["x-direction"] = direction
        union["x-suffix"] = _suffix(name)
        if "x-connection" in union:
            union["x-connection"] |= _connection(name, union)
        classes = union["discriminator"]["mapping"]
        by_type = {value: ref.removeprefix(REFERENCE) for value, ref in classes.items()}
        union["x-classes"] = ", ".join(f"{literal(k)}: {literal(v)}" for k, v in by_type.items())
        for value, reference in classes.items():
            event = schemas[reference.removeprefix(REFERENCE)]
            event["x-event-type"] = value
            event["x-direction"] = direction
            event.setdefault("x-parser", union["x-parses"])


def _annotate_builders(schemas: dict[str, Any]) -> None:
    """Say which functions make the event that adds an item, and the class of function tools."""
    events = {schema.get("x-event-type"): schema for schema in schemas.values()}
    if not {"conversation.item.create", "response.create"} <= events.keys():
        return
    response = target(events["response.create"]["properties"]["response"], schemas)
    tool = response["properties"]["tools"]["items"]["$ref"]
    union = schemas[tool.removeprefix(REFERENCE)].get("discriminator", {}).get("mapping", {})
    functions = ["user_text", "user_audio", "function_output"]
    if any("input_image" in schema.get("enum", []) for _, schema in walk(schemas)):
        functions.append("user_image")
    events["conversation.item.create"]["x-builders"] = {
        "functions": functions,
        "tool": union.get("function", tool).removeprefix(REFERENCE),
    }


def _connection(server: str, union: dict[str, Any]) -> dict[str, str]:
    """What the functions that open a session need besides what the fragment says."""
    return {
        "suffix": union["x-suffix"],
        "is_beta": str(union["x-connection"].get("is_beta", False)),
        "server": server,
        "client": server.replace("ServerEvent", "ClientEvent"),
        "parse": union["x-parses"],
    }


def _suffix(union: str) -> str:
    """What the functions for a kind of session have at the end of their names."""
    kind = re.sub(r"^Realtime|(Client|Server|Webhook)Event$", "", union)
    return f"_{names.snake_case(kind)}" if kind else ""


def _annotate_operations(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for _place, operation in operations(document):
        _annotate_text(operation)
        _annotate_deprecation(operation)
        _annotate_form(operation, schemas)
        for status, response in operation["responses"].items():
            if status.startswith("2"):
                operation["x-accept"] = ", ".join(response.get("content", ["application/json"]))
                operation["x-created"] = "Location" in response.get("headers", {})
                _annotate_result(operation, response.get("content", {}), schemas)
        _annotate_method(operation, schemas)


def _annotate_result(
    operation: dict[str, Any], content: dict[str, Any], schemas: dict[str, Any]
) -> None:
    """Say what a method returns: as Python, for the page, and how it is made from the body."""
    kind, media = next(iter(content.items()), ("", {}))
    schema = media.get("schema", {})
    returns = type_name(schema, schemas) if content else "None"
    if not content:
        decode = "lambda _: None"
    elif returns == "str" and "json" not in kind:
        decode = "bytes.decode"
    else:
        decode = f"decoder({returns})"
    name = next(iter(sorted(references(schema))), None)
    link = f"**{returns}**".replace("[", "\\[")
    operation["x-returns"] = returns
    operation["x-decode"] = decode
    if name:
        page = f"[**{name}**]({name}.md)"
        link = page if returns == name else link.replace(name, f"**{page}**")
    operation["x-returns-link"] = link


def type_name(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """The Python type of an annotated schema, as the generated class names it."""
    if "allOf" in schema:
        return type_name(schema["allOf"][0], schemas)
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix(REFERENCE)
        found = schemas[name]
        is_public = "properties" in found or "enum" in found or members(found)
        return name if is_public else type_name(found, schemas)
    if "items" in schema:
        return f"list[{type_name(schema['items'], schemas)}]"
    if "x-enum-name" in schema:
        return str(schema["x-enum-name"])
    values = schema.get("additionalProperties")
    if isinstance(values, dict) and values:
        return f"dict[str, {type_name(values, schemas)}]"
    if schema.get("type") == "object" or values:
        return "dict[str, Any]"
    return PYTHON_TYPES.get(schema.get("type", ""), "Any")


def _annotate_method(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Write the docstrings of the two methods that call an operation."""
    name = names.method_name(operation["operationId"])
    arguments = [each[:2] for each in parameters(operation, schemas)] + CALL_ARGUMENTS
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


def parameters(
    operation: dict[str, Any], schemas: dict[str, Any]
) -> Iterator[tuple[str, str, dict[str, Any], bool]]:
    """Each argument of a method: its name, description, schema, and whether it is required."""
    for each in operation.get("parameters", []):
        required = each.get("required", False)
        yield (
            names.argument_name(each["name"]),
            each.get("description", ""),
            each["schema"],
            required,
        )
    body = operation.get("requestBody", {})
    content = body.get("content", {})
    if "multipart/form-data" in content:
        form = target(content["multipart/form-data"]["schema"], schemas)
        for field, schema in form["properties"].items():
            required = field in form.get("required", [])
            yield names.argument_name(field), schema.get("description", ""), schema, required
    elif "application/json" in content:
        schema = content["application/json"]["schema"]
        name = names.snake_case(schema.get("$ref", "body").removeprefix(REFERENCE))
        yield name, body.get("description", ""), schema, body.get("required", False)


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
    fields = target(form["schema"], schemas)["properties"]
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
        method = names.method_name(operation["operationId"])
        operation["x-example"] = writer.of_operation(method, operation)
