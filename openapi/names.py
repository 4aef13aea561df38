"""Names of what is generated. Code, pages, examples and checks take them from here."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from openai_realtime_client import shared
from spec import component, members, operations

Problems = Iterator[tuple[str, str]]

# A field of such a name would hide a method, or a type that the class names after it; `self` is
# what the constructor has.
RESERVED_FIELDS = {
    *keyword.kwlist,
    *(name for name in dir(BaseModel) if not name.startswith("_")),
    # pydantic finds what the metaclass has, too: `mro`, `register`.
    *(name for name in dir(type(BaseModel)) if not name.startswith("_")),
    *("from_json", "from_dict", "to_json", "to_dict"),
    *("self", "str", "int", "float", "bool", "list", "dict", "frozenset"),
}
# What the body of a method calls, or names as the type of an answer.
RESERVED_ARGUMENTS = {
    *keyword.kwlist,
    *("decoder", "bytes", "str", "int", "float", "bool", "list", "dict"),
}
# What the modules of models and APIs import.
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
    return _lower_name(operation_id, keyword.kwlist)


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


def parser_name(union: str) -> str:
    """Return the function that parses the events of a union."""
    return f"parse_{snake_case(union.removeprefix('Realtime'))}"


# Rules


def problems(document: dict[str, Any]) -> Problems:
    """Yield names that cannot be used, or that two things would have: place and reason."""
    yield from _check_classes(document)
    yield from _check_methods(document)
    for name, schema in document["components"]["schemas"].items():
        yield from _check_fields(f"components.schemas.{name}", schema)


def _check_classes(document: dict[str, Any]) -> Problems:
    schemas = document["components"]["schemas"]
    enums = {}
    for name, schema in schemas.items():
        if any("enum" in member for member in members(schema)):
            enums[f"{name}Enum"] = name
    apis = set()
    for _place, operation in operations(document):
        # The first tag names the class; one without tags is refused elsewhere.
        apis.update(map(api_name, operation.get("tags", [])[:1]))
    taken = {*shared.__all__, *MODULE_NAMES, *apis, *(f"Async{api}" for api in apis)}
    alike: dict[str, str] = {}
    for name in schemas:
        place = f"components.schemas.{name}"
        if not re.fullmatch("[A-Z][A-Za-z0-9]*", name):
            yield place, "not a class name, such as RealtimeSession"
        elif name in taken:
            yield place, "the package has another thing of this name"
        elif name in enums:
            yield place, f"the enum of {enums[name]} has this name"
        # `import` of a keyword is a syntax error.
        elif keyword.iskeyword(snake_case(name)):
            yield place, f"its module would be called {snake_case(name)}, a keyword of Python"
        # Some file systems ignore the case of names.
        elif name.lower() in alike:
            yield place, f"its files would be those of {alike[name.lower()]}"
        alike[name.lower()] = name


def _check_methods(document: dict[str, Any]) -> Problems:
    tags: dict[str, str] = {}
    methods: dict[tuple[str, str], str] = {}
    for place, operation in operations(document):
        # They are among the missing words.
        if not operation.get("operationId") or not operation.get("tags"):
            continue
        tag = operation["tags"][0]
        api = api_name(tag)
        method = method_name(operation["operationId"])
        other = tags.setdefault(api.lower(), tag)
        if not re.fullmatch("[A-Z][A-Za-z0-9]*", api) or api == "Api":
            yield place, f"of the tag {tag!r} no class name can be made"
        elif other != tag:
            yield place, f"the class of the tag {tag!r} would have the files of that of {other!r}"
        if not method.isidentifier():
            yield place, f"of the operationId {operation['operationId']!r} no method can be made"
        elif (api, method) in methods:
            yield place, f"its method would be called {method}, like that of {methods[api, method]}"
        elif method == "api_client" or method.endswith("_with_http_info"):
            yield place, f"a method cannot be called {method}"
        methods[api, method] = place


def _check_fields(place: str, schema: dict[str, Any]) -> Problems:
    names = defaultdict(list)
    enums = defaultdict(list)
    used = set()
    # The component, its fields and its members, any of which may have an enum.
    children = [(place, schema)]
    for index, child in enumerate(members(schema)):
        children.append((f"{place}[{index}]", child))
    for field, child in schema.get("properties", {}).items():
        children.append((f"{place}.properties.{field}", child))
        names[field_name(field)].append(field)
        while "items" in child:
            child = child["items"]
        if child.get("type") == "string" and "enum" in child:
            enums[enum_name(field)].append(field)
        else:
            used.add(component(child))
    for name, fields in names.items():
        if not name.isidentifier():
            yield place, f"no Python name can be made of the property {fields[0]!r}"
        elif len(fields) > 1:
            yield place, f"the properties {fields} have one Python name, {name}"
    for name, fields in enums.items():
        if len(fields) > 1:
            yield place, f"the enums of {fields} would be called {name}; make one a component"
        elif name in used:
            yield place, f"the enum of {fields[0]!r} would be called {name}, like a component"
    for where, child in children:
        while "items" in child:
            where, child = f"{where}.items", child["items"]
        values = child.get("enum", [])
        if all(isinstance(value, str) for value in values):
            yield from _check_enum(where, values, child.get("x-enum-varnames"))


def _check_enum(place: str, values: list[str], given: list[str] | None) -> Problems:
    names = given or list(map(enum_constant, values))
    if len(names) != len(values):
        yield place, "`x-enum-varnames` has not one name for each value"
        return
    for name, value in zip(names, values, strict=True):
        # Enum and the class body give other names a meaning: `_x_`, `__x`, `name`.
        if not name.isidentifier() or name != name.upper() or re.fullmatch("_.*_|__.*", name):
            yield place, f"the value {value!r} would be called {name}; add `x-enum-varnames`"
    for name, count in Counter(names).items():
        if count > 1:
            same = [value for n, value in zip(names, values, strict=True) if n == name]
            yield place, f"{same} would all be called {name}; add `x-enum-varnames`"
