"""Names of what is generated. Code, pages, examples and checks take them from here."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from openai_realtime_client import shared
from spec import innermost, members, operations, schemas_in

Problems = Iterator[tuple[str, str]]

CLASS_NAME = "[A-Z][A-Za-z0-9]*"

# A field of such a name would hide a method, or a type that the class names after it; `self` is
# what the constructor has.
RESERVED_FIELDS = {
    *keyword.kwlist,
    # pydantic finds what the metaclass has, too: `mro`, `register`.
    *(name for name in (*dir(BaseModel), *dir(type(BaseModel))) if not name.startswith("_")),
    *("from_json", "from_dict", "to_json", "to_dict"),
    *("self", "str", "int", "float", "bool", "list", "dict", "frozenset"),
}
# Names in the body of a method, or in the type of its result.
RESERVED_ARGUMENTS = {
    *keyword.kwlist,
    *("decoder", "bytes", "str", "int", "float", "bool", "list", "dict"),
}
# A method of such a name would hide what the class names after it.
RESERVED_METHODS = {*RESERVED_ARGUMENTS, "deprecated", "in_thread", "params"}
# Names that the modules of models and APIs import.
MODULE_NAMES = {
    *("Annotated", "Any", "Final", "Literal", "Mapping", "Sequence", "TypeAlias", "TYPE_CHECKING"),
    *("AsyncApi", "BestFit", "Constant", "Discriminator", "Field", "File", "FunctionTool"),
    *("Lossless", "None", "True", "False"),
}


def _identifier(text: str) -> str:
    # Python normalizes identifiers: a property called "ﬁle" is read back as "file".
    # https://docs.python.org/3/reference/lexical_analysis.html#identifiers
    return re.sub(r"\W", "_", unicodedata.normalize("NFKC", text))


def snake_case(text: str) -> str:
    """Return a name in lower case, with an underscore before each word."""
    # The rule by which openapi-generator names the files of classes.
    boundary = r"(?<=[A-Z])(?=[A-Z][a-z][a-z])|(?<=[a-z\d])(?=[A-Z])"
    return re.sub(boundary, "_", _identifier(text)).lower()


def _lower_name(text: str, reserved: Iterable[str]) -> str:
    name = snake_case(text).strip("_")
    if name[:1].isdigit():
        name = f"n{name}"
    if name in reserved:
        return f"{name}_"
    return name


def field_name(property_name: str) -> str:
    """Return the attribute of a property; empty if no name can be made of it."""
    return _lower_name(property_name, RESERVED_FIELDS)


def argument_name(parameter: str) -> str:
    """Return the argument of a parameter, or of a part of a form."""
    return _lower_name(parameter, RESERVED_ARGUMENTS)


def method_name(operation_id: str) -> str:
    """Return the method that calls an operation."""
    return _lower_name(operation_id, RESERVED_METHODS)


def class_name(text: str) -> str:
    """Return the class of a component; one that is a class name already stays as it is."""
    # `str.title` would make the other letters small.
    name = "".join(word[:1].upper() + word[1:] for word in _identifier(text).split("_"))
    # A name does not begin with a digit in Python.
    if name[:1].isdigit():
        return f"N{name}"
    return name


def api_name(tag: str) -> str:
    """Return the class with the operations of a tag."""
    return f"{class_name(tag)}Api"


def imports(classes: Iterable[str]) -> list[dict[str, str]]:
    """Return classes with their modules, as templates import them."""
    return [{"module": snake_case(name), "name": name} for name in sorted(classes)]


def enum_name(property_name: str) -> str:
    """Return the enum that is nested in a model for one of its properties."""
    return f"{class_name(property_name)}Enum"


def enum_constant(value: str) -> str:
    """Return the constant of a value of an enum, as the documented Java pages name it."""
    name = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", value)).upper() or "EMPTY"
    if name[0].isdigit():
        return f"_{name}"
    return name


def is_text_enum(schema: dict[str, Any]) -> bool:
    """Return whether a schema is an enum of texts, which have constants."""
    return "enum" in schema and all(isinstance(value, str) for value in schema["enum"])


def enum_constants(schema: dict[str, Any]) -> list[str]:
    """Return the constants of an enum, which the fragment may name."""
    return list(map(enum_constant, schema.get("x-enum-varnames") or schema["enum"]))


def parser_name(union: str) -> str:
    """Return the function that parses the events of a union."""
    return f"parse_{snake_case(union.removeprefix('Realtime'))}"


# Rules


def problems(document: dict[str, Any]) -> Problems:
    """Yield names that cannot be used, or that two things would have: place and reason."""
    schemas = document["components"]["schemas"]
    taken = dict.fromkeys([*shared.__all__, *MODULE_NAMES], "the package")
    yield from _check_methods(document, taken)
    for name, schema in schemas.items():
        if any("enum" in member for member in members(schema)):
            taken[f"{name}Enum"] = f"the union {name}"
    files: dict[str, str] = {}
    for name, schema in schemas.items():
        place = f"components.schemas.{name}"
        # Some file systems ignore the case of names.
        other = taken.get(name) or files.get(name.lower())
        files[name.lower()] = name
        if not re.fullmatch(CLASS_NAME, name):
            yield place, "no class name can be made of it; add `x-name`"
        elif other:
            yield place, f"{other} has another class, or file, of this name"
        yield from _check_fields(place, schema, schemas)
    for place, schema in schemas_in(document):
        # Those of operations have no class.
        if place.startswith("components.") and is_text_enum(schema):
            yield from _check_enum(place, schema)


def _check_methods(document: dict[str, Any], taken: dict[str, str]) -> Problems:
    """Check the methods of operations and the classes of their tags, which are noted as taken."""
    tags: dict[str, str] = {}
    methods: dict[tuple[str, str], str] = {}
    for place, operation in operations(document):
        # They are among the missing words.
        if not operation.get("operationId") or not operation.get("tags"):
            continue
        tag = operation["tags"][0]
        api = api_name(tag)
        taken |= dict.fromkeys([api, f"Async{api}"], f"the tag {tag!r}")
        method = method_name(operation["operationId"])
        other = tags.setdefault(api.lower(), tag)
        if not re.fullmatch(CLASS_NAME, api) or api in ("Api", "AsyncApi"):
            yield place, f"no class name can be made of the tag {tag!r}"
        elif other != tag:
            yield place, f"the class of the tag {tag!r} would be in the file of that of {other!r}"
        if not method.isidentifier():
            yield place, f"no method name can be made of {operation['operationId']!r}"
        elif (api, method) in methods:
            yield place, f"its method would be called {method}, like that of {methods[api, method]}"
        elif method == "api_client" or method.endswith("_with_http_info"):
            yield place, f"a method cannot be called {method}"
        methods[api, method] = place


def _check_fields(place: str, schema: dict[str, Any], schemas: dict[str, Any]) -> Problems:
    fields: dict[str, str] = {}
    for field, child in schema.get("properties", {}).items():
        name = field_name(field)
        if not name.isidentifier():
            yield place, f"no Python name can be made of the property {field!r}"
        elif name in fields:
            yield place, f"the properties {[fields[name], field]} have one Python name, {name}"
        fields[name] = field
        enum = enum_name(field)
        # One called like a component is a component, unless it came before that had a name.
        if is_text_enum(innermost(child)) and enum in schemas:
            yield place, f"the enum of {field!r} would be called {enum}, like a component"


def _check_enum(place: str, schema: dict[str, Any]) -> Problems:
    names = enum_constants(schema)
    if len(names) != len(schema["enum"]):
        yield place, "`x-enum-varnames` needs one name for each value"
        return
    by_name = defaultdict(list)
    for name, value in zip(names, schema["enum"], strict=True):
        by_name[name].append(value)
        # Enum and the class body give other names a meaning: `_x_`, `__x`, `name`.
        if not name.isidentifier() or name != name.upper() or re.fullmatch("_.*_|__.*", name):
            yield place, f"the value {value!r} would be called {name}; add `x-enum-varnames`"
    for name, same in by_name.items():
        if len(same) > 1:
            yield place, f"{same} would all be called {name}; add `x-enum-varnames`"
