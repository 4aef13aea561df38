"""Add what the templates need and the generator cannot work out, as `x-` extensions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import names
import operations
import protocol_events
import spec
from examples import Examples
from pages import breakable, cell, code
from params import Params
from python_types import docstring, literal, method_docstring, type_name
from refusals import dialect
from spec import component, innermost, mapped, members, only, references, target
from unions import leaves


def annotated(
    document: dict[str, Any], package: str, recorded: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Add the `x-` extensions that the templates use to a prepared document, and return it."""
    schemas = document["components"]["schemas"]
    # They were described with the union of their events.
    document.pop("webhooks", None)
    for _place, schema in spec.schemas_in(document):
        # Any number stays possible; the page lists the known ones.
        if "enum" in schema and not names.is_text_enum(schema):
            schema["x-known"] = schema.pop("enum")
    _annotate_imports(schemas)
    for name, schema in schemas.items():
        field = schema.get("discriminator", {}).get("propertyName")
        for leaf in leaves(name, schemas):
            for key, child in schemas[leaf]["properties"].items():
                # Numbers and booleans are found by `BestFit`.
                if key == field or ("x-untagged" in schema and "x-known" in child):
                    child["x-discriminates"] = True
    for name, schema in schemas.items():
        schema["x-module"] = names.snake_case(name)
        _annotate_text(schema)
        # The first sentence, for lists of classes.
        schema["x-summary"] = schema["x-text"].partition(". ")[0].rstrip(".")
        if "enum" in schema:
            schema |= {"x-enum": True, "x-values": _named_values(schema)}
        elif "properties" in schema:
            _annotate_class(schema, schemas)
    for name, schema in schemas.items():
        if members(schema):
            _annotate_union(name, schema, schemas)
    protocol_events.describe(document)
    operations.describe(document)
    params = Params(document)
    if params.sent:
        document["x-params"] = params.describe()
    for name in params.sent:
        schemas[name]["x-param"] = f"{name}Param"
    examples = Examples(schemas, package, recorded or {})
    for name, schema in schemas.items():
        schema["x-example"] = examples.of_schema(name)
    for _place, operation in spec.operations(document):
        _annotate_operation(operation)
        operation["x-example"] = examples.of_operation(operation)
    return document


def _annotate_text(node: dict[str, Any]) -> None:
    """Say what pages and type checkers tell of a class, a field or a method."""
    node["x-text"] = " ".join(node.get("description", "").split())
    indent = "    "
    # A union is an alias, whose docstring stands below it.
    if members(node):
        indent = ""
    node["x-docstring"] = docstring(node["x-text"], indent)
    advice = node.pop("x-deprecated", "the service may remove it")
    if node.get("deprecated"):
        node["x-advice"] = advice
        node["x-deprecated"] = literal(advice)


def _annotate_class(schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Describe the fields of a class, its enums, and what may be `null` or has limits."""
    # Without it, a hover over a call of the class shows the docstring of pydantic's `__init__`.
    schema["x-init-docstring"] = docstring(schema["x-text"], " " * 12)
    nullables, limits = [], []
    schema |= {"x-enums": [], "x-fields": []}
    for field, child in schema["properties"].items():
        is_required = field in schema.get("required", [])
        _annotate_field(field, child, schemas, is_required=is_required)
        schema["x-fields"].append(_field(child, is_required=is_required))
        if child["x-nullable"]:
            nullables.append(literal(child["x-name"]))
        # A schema of one type has one of each at most.
        lower = child.get("minimum", child.get("minLength", child.get("minItems")))
        upper = child.get("maximum", child.get("maxLength", child.get("maxItems")))
        if lower is not None or upper is not None:
            limits.append(f"{(child['x-name'], lower, upper)}, ")
        if "x-enum-name" in child:
            nested = {"name": child["x-enum-name"], "is_constant": "x-constant" in child}
            schema["x-enums"].append({**nested, "values": child["x-values"]})
    schema["x-enum-aliases"] = list(_enum_aliases(schema, schemas))
    if nullables:
        schema["x-nullables"] = ", ".join(nullables)
    if limits:
        schema["x-limits"] = "".join(limits)


def _annotate_field(
    field: str, schema: dict[str, Any], schemas: dict[str, Any], *, is_required: bool
) -> None:
    _annotate_text(schema)
    schema["x-name"] = names.field_name(field)
    inner = innermost(schema)
    if "enum" in inner:
        schema["x-enum-name"] = inner["x-enum-name"] = names.enum_name(field)
        schema["x-values"] = _named_values(inner)
    schema["x-nullable"] = schema.get("nullable", type_name(schema) == "Any")
    # Reserved words and other cases are written otherwise in JSON.
    if schema["x-name"] != field:
        schema["x-alias"] = literal(field)
    values = schema.get("enum", schema.get("x-known", []))
    # A discriminator is sent even where the schema lets it be left out. No literal is a `float`.
    is_sent = is_required or field == "type" or "x-discriminates" in schema
    if len(values) == 1 and is_sent and type(values[0]) is not float:
        schema |= {"x-constant": literal(values[0]), "x-value": values[0]}
        schema["x-shown"] = _json(values[0]).strip('"')
    schema["x-notes"] = notes(field, schema, is_required)
    owner, enum = _enum_in(schema, "", schemas)
    # A union with `string` takes any text already.
    takes_text = {"type": "string"} in members(schemas.get(owner, {}))
    if enum and "x-constant" not in schema and not takes_text:
        schema["x-accepts"] = _accepted(schema, enum["enum"])


def _field(schema: dict[str, Any], *, is_required: bool) -> dict[str, str]:
    """Write a field as the body of its class has it, and as an argument of the constructor."""
    annotation = type_name(schema)
    constant, alias = schema.get("x-constant"), schema.get("x-alias")
    argument = schema.get("x-accepts", annotation)
    default = ""
    if constant:
        default, annotation = constant, f"Literal[{constant}]"
        # A type checker sees the literal, the package the class of the value.
        if "x-enum-name" in schema:
            annotation = f"Annotated[{annotation}, {schema['x-enum-name']}]"
        argument = f"Literal[{constant}] = {constant}"
    elif not is_required:
        annotation, default, argument = f"{annotation} | None", "None", f"{argument} | None = None"
    elif schema["x-nullable"]:
        annotation, argument = f"{annotation} | None", f"{argument} | None"
    if alias and default:
        default = f"Field(default={default}, alias={alias})"
    elif alias:
        default = f"Field(alias={alias})"
    if default:
        default = f" = {default}"
    return {
        "name": schema["x-name"],
        "annotation": annotation,
        "default": default,
        "argument": argument,
        "docstring": schema["x-docstring"],
    }


def _enum_aliases(schema: dict[str, Any], schemas: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the enums of other modules that a model has as `FieldEnum`, too."""
    # A module of a recursion may not have what it imports yet.
    if schema["x-cyclic"]:
        return
    # A class, an enum of the model or an earlier alias keeps its name.
    taken = {*schemas, *map(itemgetter("name"), schema["x-enums"])}
    for field, child in schema["properties"].items():
        owner, _enum = _enum_in(child, "", schemas)
        alias = names.enum_name(field)
        if owner and alias not in taken:
            taken.add(alias)
            enum_class = owner
            if members(schemas[owner]):
                enum_class = f"{owner}Enum"
            yield {"name": alias, "module": names.snake_case(owner), "enum": enum_class}


def _enum_in(
    schema: dict[str, Any], owner: str, schemas: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Find the enum that a value may be, and the component that it belongs to, if any."""
    owner = component(schema) or owner
    schema = target(schema, schemas)
    if "enum" in schema:
        return owner, schema
    for part in (*only(schema, ["items"]).values(), *members(schema)):
        found = _enum_in(part, owner, schemas)
        if found[1]:
            return found
    return "", {}


def _accepted(schema: dict[str, Any], values: list[str]) -> str:
    """Return the type of an argument: what the field holds, or one of the strings."""
    if "items" in schema:
        return f"Sequence[{_accepted(schema['items'], values)}]"
    class_name = schema.get("x-enum-name") or next(references(schema))
    return f"{class_name} | Literal[{', '.join(map(literal, values))}]"


def notes(field: str, schema: dict[str, Any], is_required: bool) -> str:
    """Return what a page notes of a field or an argument."""
    return cell(" ".join(f"[{note}]" for note in _notes(field, schema, is_required)))


def _notes(field: str, schema: dict[str, Any], is_required: bool) -> Iterator[str]:
    if not is_required:
        yield "optional"
    if schema.get("nullable"):
        yield "nullable"
    inner = innermost(schema)
    known = inner.get("x-known", [])
    # That of a parameter has no table of its own.
    if "x-enum-name" not in inner:
        known = inner.get("enum", known)
    if known:
        yield f"known: {', '.join(code(_json(value)) for value in known)}"
    if "x-constant" in schema:
        yield "always"
    # A default of null is what leaving a field out means.
    elif schema.get("default") is not None:
        yield f"default {code(_json(schema['default']))}"
    # The dialect says what pages call a limit, or a flag that is set.
    for key, definition in dialect()["$defs"]["schema"]["properties"].items():
        note = definition.get("x-note")
        if note and definition["type"] != "boolean" and key in schema:
            yield f"{note} {code(str(schema[key]))}"
        elif note and schema.get(key) is True:
            yield note
    if "x-alias" in schema:
        yield f"in JSON `{field}`"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _annotate_union(name: str, schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Describe each member: its Python type, its page or enum, and what distinguishes it."""
    models = mapped(schema)
    described = [_member(name, part, schemas) for part in members(schema)]
    schema |= {"x-union": True, "x-members": described}
    for member in described:
        values = [code(value) for value, model in models.items() if model == member.get("ref")]
        # Required fields tell a member from the others.
        required = list(_required(schemas.get(member.get("ref", ""), {})))
        if values:
            member["when"] = ", ".join(values)
        elif required and "x-untagged" in schema:
            member["when"] = f"an object with {' and '.join(required)}"
    types = list(map(itemgetter("type"), described))
    enums = [member["type"] for member in described if "enum" in member]
    if models:
        field = schema["discriminator"]["propertyName"]
        schema["x-field"] = field
        arguments = literal(field)
        objects = [schemas[leaf]["properties"] for leaf in leaves(name, schemas)]
        # By default, members are found by their constants.
        if not all("x-constant" in properties.get(field, {}) for properties in objects):
            pairs = [f"{literal(value)}: {model}" for value, model in models.items()]
            arguments += f", {{{', '.join(pairs)}}}"
        schema["x-annotation"] = f"Discriminator({arguments})"
    elif "x-untagged" in schema or (enums and "str" in types and len(types) > 2):
        constants = {}
        for leaf in leaves(name, schemas):
            needed = only(schemas[leaf]["properties"], schemas[leaf].get("required", []))
            fields = [child["x-name"] for child in needed.values() if "x-constant" in child]
            if fields:
                constants[leaf] = fields
        schema["x-annotation"] = f"BestFit({literal(constants) if constants else ''})"
    elif enums and "str" in types:
        # Any string is a value of an open enum; "str" is there for type checkers.
        schema["x-annotation"] = enums[0]
    else:
        schema["x-annotation"] = "Lossless()"


def _required(schema: dict[str, Any]) -> Iterator[str]:
    for field in schema.get("required", []):
        values = schema["properties"][field].get("x-known", [])
        # A text that is constant is a discriminator.
        yield " or ".join(f"`{field}`: `{_json(value)}`" for value in values) or f"`{field}`"


def _member(union: str, schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Describe a member of a union: its type, and what JSON it is taken for."""
    model = component(schema)
    if model:
        when = "a string"
        if {"properties", "discriminator", "x-untagged"} & schemas[model].keys():
            when = "an object"
        return {"type": model, "ref": model, "when": when}
    if "enum" in schema:
        enum = {"name": f"{union}Enum", "values": _named_values(schema)}
        return {"type": enum["name"], "enum": enum, "when": "a string"}
    if "items" in schema:
        item = _member(union, schema["items"], schemas)
        return {**item, "type": f"list[{item['type']}]", "when": "an array"}
    if "type" not in schema:
        return {"type": "Any", "when": "any JSON"}
    names_of_types = {"integer": "an integer", "object": "an object"}
    when = names_of_types.get(schema["type"], f"a {schema['type']}")
    return {"type": type_name(schema), "when": when}


def _named_values(schema: dict[str, Any]) -> list[dict[str, str]]:
    advice = schema.get("x-deprecated-values", {})
    values = []
    for name, value in zip(names.enum_constants(schema), schema["enum"], strict=True):
        shown = {"cell": breakable(name), "code": cell(code(value))}
        values.append({"name": name, "value": value, "literal": literal(value), **shown})
        if value in advice:
            values[-1]["deprecated"] = advice[value]
    return values


def _annotate_imports(schemas: dict[str, Any]) -> None:
    """List what the module of each schema imports: before its class, or after, in a recursion."""
    uses = {name: set(references(schema)) for name, schema in schemas.items()}
    for name, schema in schemas.items():
        late = {used for used in uses[name] if name in spec.reachable([used], uses.__getitem__)}
        schema["x-cyclic"] = bool(late)
        # An alias of a union is evaluated at once, so it cannot wait.
        if "properties" not in schema:
            late = set()
        late.discard(name)
        schema["x-late"] = names.imports(late)
        schema["x-imports"] = names.imports(uses[name] - late - {name})


def _annotate_operation(operation: dict[str, Any]) -> None:
    _annotate_text(operation)
    for argument in operation["x-arguments"]:
        is_required = argument["is_required"]
        argument["notes"] = notes(argument["name"], argument["schema"], is_required)
    result = ""
    if operation["x-returns"] != "None":
        result = operation["x-status-text"]
    arguments = list(map(itemgetter("name", "text"), operation["x-arguments"]))
    # A published document may have a whole description for a summary.
    summary, _, rest = " ".join(operation["summary"].split()).partition(". ")
    operation["x-docstring"] = method_docstring(
        f"{summary.removesuffix('.')}.", f"{rest} {operation['x-text']}".strip(), arguments, result
    )
