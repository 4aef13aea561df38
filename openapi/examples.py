"""A short example for each page of the docs, made from the schemas."""

from __future__ import annotations

import json
from typing import Any

from spec import REFERENCE, component

MOST_FIELDS = 3


class Examples:
    """Writes the examples; `package` is what they import from.

    Args:
        schemas: The annotated schemas.
        package: The package of the protocol.
        recorded: Events as servers send them, by class.
        sent: The schemas that a client sends, alone or as parts.
    """

    def __init__(
        self,
        schemas: dict[str, Any],
        package: str,
        recorded: dict[str, Any],
        sent: set[str],
    ) -> None:
        self.schemas = schemas
        self.package = package
        self.sent = sent
        self.received: dict[str, Any] = {}
        for name, event in recorded.items():
            if name in schemas:  # The fragment may have dropped it since.
                self._receive({"$ref": REFERENCE + name}, event)

    def _receive(self, schema: dict[str, Any], value: Any) -> None:
        """Remember the fullest value of each schema in what a server sent."""
        name = _model_of(schema, value, self.schemas)
        if isinstance(value, list):
            for each in value:
                self._receive(schema.get("items", {}), each)
        elif name and isinstance(value, dict):
            self.received[name] = max(self.received.get(name, {}), value, key=lambda v: len(str(v)))
            properties = self.schemas[name].get("properties", {})
            for field in value.keys() & properties.keys():
                self._receive(properties[field], value[field])

    def of_schema(self, name: str) -> str | None:
        """An example in markdown; `None` for a schema without a page."""
        schema = self.schemas[name]
        if "x-parses" in schema:
            return self._parse_any(name)
        if "x-event-type" in schema:
            return self._send(name) if schema["x-direction"] == "client" else self._parse(name)
        if "properties" in schema:
            if name in self.sent or name not in self.received:
                return self._construct(name)
            return self._read(name)
        if "enum" in schema:
            return self._enum(name)
        if "x-union" in schema:
            return self._union(name)
        return None

    def of_operation(self, operation: dict[str, Any]) -> str:
        """A program that calls the method of an operation; it needs a server."""
        api, method = operation["x-api"], operation["x-method"]
        instance = Instance(self.schemas)
        arguments = []
        for argument in operation["x-arguments"]:
            name, is_body = argument["name"], argument["in"] == "body"
            if argument["is_required"] or is_body:
                value = instance.expression(argument["schema"], argument["wire"])
                is_positional = argument["is_required"] and argument["in"] != "part"
                arguments.append(value if is_positional else f"{name}={value}")
        if operation["x-returns"] == "None":
            method += "_with_http_info"
        call = f"{api}(client).{method}({', '.join(arguments)})"
        shown, value = self._result(operation)
        program = self._program(
            {"ApiClient", api, *instance.imports},
            "with ApiClient() as client:",
            f"    response = {call}",
            f"    print(response{shown})",
        )
        block = _block("python", program)
        if value is None:
            return block
        return f"{block}\n\nIt prints, for example:\n\n{_block('text', str(value))}"

    def _result(self, operation: dict[str, Any]) -> tuple[str, Any]:
        """What the example of an operation prints: how it is reached, and what it is if known."""
        name = operation["x-returns"]
        if name == "None":
            return ".status_code", operation["x-status"]
        if operation["x-created"]:
            return ".id", None
        if "properties" not in self.schemas.get(name, {}):
            return "", None
        value = self._value(name)
        return _shown(self.schemas[name], value, self.schemas) or (".to_dict()", value)

    def _send(self, name: str) -> str:
        instance = Instance(self.schemas)
        expression = instance.construct(name)
        program = self._program(instance.imports, f"connection.send({expression})")
        as_dictionary = f"connection.send({literal(instance.value(name))})"
        return (
            f"As a class:\n\n{_block('python', program)}\n\n"
            f"As a dictionary:\n\n{_block('python', as_dictionary)}"
        )

    def _construct(self, name: str) -> str:
        instance = Instance(self.schemas)
        program = self._program(
            instance.imports,
            f"model = {instance.construct(name)}  # as a class",
            f"same = {literal(instance.value(name))}  # as a dictionary",
            "assert model.to_dict() == same",
        )
        return _block("python", program)

    def _parse(self, name: str) -> str:
        parser = self.schemas[name]["x-parser"]
        value = self.received.get(name) or Instance(self.schemas).value(name)
        return self._from_text(parser, "event", f"{parser}(text)", name, value)

    def _read(self, name: str) -> str:
        return self._from_text(name, "model", f"{name}.from_json(text)", name, self.received[name])

    def _from_text(self, imported: str, variable: str, call: str, name: str, value: Any) -> str:
        path, shown = _shown(self.schemas[name], value, self.schemas) or (".to_dict()", value)
        program = self._program({imported}, f"{variable} = {call}", f"print({variable}{path})")
        return (
            f"As a server sends it, the `text` of the program:\n\n"
            f"{_block('json', json.dumps(value, indent=2, ensure_ascii=False))}\n\n"
            f"{_block('python', program)}\n\nIt prints:\n\n{_block('text', str(shown))}"
        )

    def _parse_any(self, name: str) -> str:
        parser = self.schemas[name]["x-parses"]
        mapping = self.schemas[name]["discriminator"]["mapping"].values()
        names = [reference.removeprefix(REFERENCE) for reference in mapping]
        member = min(names, key=lambda each: len(str(self._value(each))))
        program = self._program(
            {parser}, f"event = {parser}(text)", "print(event.type, type(event).__name__)"
        )
        value = self._value(member)
        return (
            f"For this `text`:\n\n{_block('json', json.dumps(value, indent=2))}\n\n"
            f"{_block('python', program)}\n\nIt prints:\n\n"
            f"{_block('text', value['type'] + ' ' + member)}"
        )

    def _value(self, name: str) -> Any:
        return self.received.get(name) or Instance(self.schemas).value(name)

    def _enum(self, name: str) -> str:
        schema = self.schemas[name]
        value = _first_value(schema)
        constant = schema["x-enum-varnames"][schema["enum"].index(value)]
        program = self._program(
            {name}, f"print({name}.{constant})", f'print({name}("brand_new").is_known)'
        )
        output = f"{value}\nFalse"
        return f"{_block('python', program)}\n\nIt prints:\n\n{_block('text', output)}"

    def _union(self, name: str) -> str | None:
        """A field of the union's type, as a dictionary that is parsed."""
        kind, value = self._member(self.schemas[name])
        owners = self._owners(name)
        if not owners:
            # What a request or another union takes: a member, as it is sent.
            return self._construct(kind) if kind in self.schemas else None
        owner, field, is_list = min(owners, key=lambda each: len(str(self._value(each[0]))))
        fields = self._value(owner) if self.schemas[owner].get("required") else {}
        whole = {**fields, field: [value] if is_list else value}
        python = self.schemas[owner]["properties"][field]["x-name"]
        program = self._program(
            {owner},
            f"model = {owner}.from_dict({literal(whole)})",
            f"print(type(model.{python}{'[0]' if is_list else ''}).__name__)",
        )
        return f"{_block('python', program)}\n\nIt prints:\n\n{_block('text', kind)}"

    def _member(self, schema: dict[str, Any]) -> tuple[str, Any]:
        """The class of a union's first object, or else enum, and a value of it."""
        for member in schema["x-members"]:
            if "ref" in member and "properties" in self.schemas[member["ref"]]:
                name = member["ref"]
                is_sent = name in self.sent
                return name, Instance(self.schemas).value(name) if is_sent else self._value(name)
            if "ref" in member and "x-members" in self.schemas[member["ref"]]:
                return self._member(self.schemas[member["ref"]])
        value = Instance(self.schemas).json(schema, "text")
        enums = [member["enum"] for member in schema["x-members"] if "enum" in member]
        if enums and isinstance(value, str):
            return enums[0]["name"], value
        return type(value).__name__, value

    def _owners(self, name: str) -> list[tuple[str, str, bool]]:
        """The classes with a field of a type, that field, and whether it is a list."""
        found = []
        for owner, schema in self.schemas.items():
            for field, child in schema.get("properties", {}).items():
                item = child.get("items", child)
                if component(item) == name:
                    found.append((owner, field, "items" in child))
        return found

    def _program(self, names: set[str], *lines: str) -> str:
        imports = f"from {self.package} import {', '.join(sorted(names))}"
        return "\n".join([imports, "", *lines])


def _block(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


def _model_of(schema: dict[str, Any], value: Any, schemas: dict[str, Any]) -> str | None:
    """The class of a value: that of its schema, or the member of a union that fits."""
    name = component(schema)
    if not name or not isinstance(value, dict):
        return None
    schema = schemas[name]
    mapping = schema.get("discriminator", {}).get("mapping", {})
    if mapping:
        kind = value.get(schema["discriminator"]["propertyName"])
        return _model_of({"$ref": mapping[kind]}, value, schemas) if kind in mapping else None
    members = [component(each) for each in schema.get("oneOf") or schema.get("anyOf") or []]
    objects = [each for each in members if each and "properties" in schemas[each]]
    return objects[0] if len(objects) == 1 else None if objects else name


def _shown(schema: dict[str, Any], value: Any, schemas: dict[str, Any]) -> tuple[str, Any] | None:
    """What an example prints: how it is reached, and what it is. `None` where all is empty."""
    described = schema.get("properties", {})
    found: list[tuple[str, Any]] = []
    for field, each in value.items():
        if field not in described or each in (None, [], {}):
            continue
        path, inner, schema = f".{described[field]['x-name']}", each, described[field]
        if isinstance(inner, list):
            path, inner, schema = f"{path}[0]", inner[0], schema.get("items", {})
        if isinstance(inner, dict):
            name = _model_of(schema, inner, schemas)
            deeper = _shown(schemas[name], inner, schemas) if name else None
            if deeper is None:
                continue
            path, inner = path + deeper[0], deeper[1]
        found.append((path, inner))
    return min(found, key=lambda each: _dullness(each[0]), default=None)


def _dullness(path: str) -> int:
    """How little a field tells: what was said first, ids and types last."""
    last = path.rpartition(".")[2].partition("[")[0]
    telling = (
        "transcript",
        "delta",
        "text",
        "arguments",
        "message",
        "remaining",
        "status",
        "model",
    )
    if last in telling:
        return telling.index(last)
    if last in ("type", "object", "event_id"):
        return 102 if last == "event_id" else 101
    return 100 if last.endswith("id") or "index" in last else 50


def _first_value(schema: dict[str, Any]) -> Any:
    """The first value of an enum that is not deprecated."""
    deprecated = schema.get("x-deprecated-values", {})
    return next((each for each in schema["enum"] if each not in deprecated), schema["enum"][0])


class Instance:
    """Builds one instance of a schema twice: as a Python expression and as a JSON value."""

    def __init__(self, schemas: dict[str, Any]) -> None:
        self.schemas = schemas
        self.imports: set[str] = set()
        # The classes being built, from the outermost: a recursion ends at them.
        self._open: list[str] = []

    def construct(self, name: str) -> str:
        """A call of the class, without the constants, which it adds itself."""
        self.imports.add(name)
        self._open.append(name)
        arguments = [
            f"{child['x-name']}={self.expression(child, field)}"
            for field, child in self._fields(name)
            if "x-constant" not in child
        ]
        self._open.pop()
        return f"{name}({', '.join(arguments)})"

    def value(self, name: str) -> dict[str, Any]:
        """The JSON object that `construct` gives."""
        self._open.append(name)
        value = {field: self.json(child, field) for field, child in self._fields(name)}
        self._open.pop()
        return value

    def expression(self, schema: dict[str, Any], field: str) -> str:
        schema, name = self._target(schema)
        if name and "properties" in schema:
            return self.construct(name)
        if "items" in schema:
            items = schema["items"]
            return "[]" if self._is_open(items) else f"[{self.expression(items, field)}]"
        return literal(self.json(schema, field))

    def json(self, schema: dict[str, Any], field: str) -> Any:
        schema, name = self._target(schema)
        if name and "properties" in schema:
            return self.value(name)
        if "enum" in schema:
            return schema.get("example", _first_value(schema))
        if "items" in schema:
            items = schema["items"]
            return [] if self._is_open(items) else [self.json(items, field)]
        return _sample(schema, field)

    def _fields(self, name: str) -> list[tuple[str, Any]]:
        """The fields of an `example`, with its values.

        Without one, the constants and required fields; where these are few, the first others, too.
        """
        properties = self.schemas[name]["properties"]
        required = self.schemas[name].get("required", [])
        example = self.schemas[name].get("example")
        if example:
            fields = [field for field in example if field != "event_id" or field in required]
            return [(field, properties[field] | {"example": example[field]}) for field in fields]
        chosen = {f for f, child in properties.items() if f in required or "x-constant" in child}
        for field, child in properties.items():
            if len(chosen) < MOST_FIELDS and "$ref" not in str(child) and field != "event_id":
                chosen.add(field)
        # An object that only has objects shows the first.
        first = next(iter(properties))
        if not chosen and not self._is_open(properties[first]):
            chosen.add(first)
        return [(field, child) for field, child in properties.items() if field in chosen]

    def _is_open(self, schema: dict[str, Any]) -> bool:
        """Whether a value would contain the object that is being built."""
        _schema, name = self._target(schema)
        return name in self._open

    def _target(self, schema: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
        """Follow references, and take the first member of a union."""
        name = None
        while True:
            if "$ref" in schema:
                name = schema["$ref"].removeprefix(REFERENCE)
                schema = self.schemas[name]
            elif "allOf" in schema:
                schema = schema["allOf"][0]
            elif schema.get("oneOf") or schema.get("anyOf"):
                members = schema.get("oneOf") or schema["anyOf"]
                closed = [m for m in members if component(m) not in self._open] or members
                schema, name = next((m for m in closed if "enum" in m), closed[0]), None
            else:
                return schema, name


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def literal(value: Any) -> str:
    """Python source of a value, with double quotes where there are none in it."""
    source = repr(value)
    # Then each single quote is a delimiter: `repr` writes an apostrophe within double quotes.
    return source if '"' in source else source.replace("'", '"')


def _sample(schema: dict[str, Any], field: str) -> Any:
    """The `example` of a value, or else one of its type."""
    for value in (schema.get("example"), *schema.get("x-known", []), schema.get("default")):
        if isinstance(value, (str, int, float, dict)):
            return value
    kind = schema.get("type")
    if kind == "boolean":
        return True
    if kind in ("integer", "number"):
        return schema.get("minimum", 0)
    if kind == "object":
        return {"key": "value"}
    return f"{field.removesuffix('_id')}_001" if field.endswith("_id") else field
