"""A short example for each page of the docs, made from the schemas."""

from __future__ import annotations

import json
from typing import Any

from spec import component, mapped, members, reference

MOST_FIELDS = 3
# What an example prints, if it is there: the first that tells most.
TELLING = ("transcript", "delta", "text", "arguments", "message", "remaining", "status", "model")


class Examples:
    """Writes the examples, from events that servers sent (`recorded`, by class) where there are."""

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
                self._receive(reference(name), event)

    def _receive(self, schema: dict[str, Any], value: Any) -> None:
        """Remember the fullest value of each schema in what a server sent."""
        name = _model_of(schema, value, self.schemas)
        if isinstance(value, list):
            for item in value:
                self._receive(schema.get("items", {}), item)
        elif name and isinstance(value, dict):
            # The longest value shows the most fields.
            self.received[name] = max(self.received.get(name, {}), value, key=lambda v: len(str(v)))
            properties = self.schemas[name].get("properties", {})
            for field in value.keys() & properties.keys():
                self._receive(properties[field], value[field])

    def of_schema(self, name: str) -> str | None:
        """Return an example in markdown; `None` for a schema without a page."""
        schema = self.schemas[name]
        if "x-parses" in schema:
            return self._parse_any(name)
        if "x-event-type" in schema:
            if schema["x-direction"] == "client":
                return self._send(name)
            parser = schema["x-parser"]
            return self._from_text(parser, "event", f"{parser}(text)", name)
        if "properties" in schema:
            # What a server sends is read; without a recording there is nothing real to read.
            if name in self.sent or name not in self.received:
                return self._construct(name)
            return self._from_text(name, "model", f"{name}.from_json(text)", name)
        if "enum" in schema:
            return self._enum(name)
        if "x-union" in schema:
            return self._union(name)
        return None

    def of_operation(self, operation: dict[str, Any]) -> str:
        """Return a program that calls the method of an operation; it needs a server."""
        api, method = operation["x-api"], operation["x-method"]
        instance = Instance(self.schemas)
        arguments = []
        for argument in operation["x-arguments"]:
            if argument["is_required"] or argument["in"] == "body":
                value = instance.json(argument["schema"], argument["wire"])
                value = instance.expression(argument["schema"], value)
                # The parts of a form have no order of their own, so they are named.
                if not argument["is_required"] or argument["in"] == "part":
                    value = f"{argument['name']}={value}"
                arguments.append(value)
        # Without a result, the status is all that there is to print.
        if operation["x-returns"] == "None":
            method += "_with_http_info"
        call = f"{api}(client).{method}({', '.join(arguments)})"
        path, value = self._result(operation)
        program = self._program(
            {"ApiClient", api, *instance.imports},
            "with ApiClient() as client:",
            f"    response = {call}",
            f"    print(response{path})",
        )
        if value is None:
            return program
        return f"{program}\n\nIt prints, for example:\n\n{_block('text', value)}"

    def _result(self, operation: dict[str, Any]) -> tuple[str, Any]:
        """Return the path to what the example of an operation prints, and its value if known."""
        name = operation["x-returns"]
        if name == "None":
            status = operation["x-status"]
            # `2XX` is none.
            if not status.isdigit():
                return ".status_code", None
            return ".status_code", status
        if operation["x-created"]:
            return ".id", None
        if "properties" not in self.schemas.get(name, {}):
            return "", None
        value = self._value(name)
        return self._printed(name, value)

    def _send(self, name: str) -> str:
        instance = Instance(self.schemas)
        expression = instance.construct(name)
        program = self._program(instance.imports, f"connection.send({expression})")
        as_dictionary = _block("python", f"connection.send({literal(instance.value(name))})")
        return f"As a class:\n\n{program}\n\nAs a dictionary:\n\n{as_dictionary}"

    def _construct(self, name: str) -> str:
        instance = Instance(self.schemas)
        return self._program(
            instance.imports,
            f"model = {instance.construct(name)}  # as a class",
            f"same = {literal(instance.value(name))}  # as a dictionary",
            "assert model.to_dict() == same",
        )

    def _from_text(self, imported: str, variable: str, call: str, name: str) -> str:
        value = self._value(name)
        path, output = self._printed(name, value)
        text = _block("json", json.dumps(value, indent=2, ensure_ascii=False))
        program = self._program(
            {imported}, f"{variable} = {call}", f"print({variable}{path})", prints=output
        )
        return f"As a server sends it, the `text` of the program:\n\n{text}\n\n{program}"

    def _printed(self, name: str, value: Any) -> tuple[str, Any]:
        """Return the path to the most telling field of a value, and what stands there."""
        field = _telling_field(self.schemas[name], value, self.schemas)
        return field or (".to_dict()", value)

    def _parse_any(self, name: str) -> str:
        parser = self.schemas[name]["x-parses"]
        # The shortest is enough to show that its class is found.
        classes = mapped(self.schemas[name]).values()
        member = min(classes, key=lambda name: len(str(self._value(name))))
        value = self._value(member)
        program = self._program(
            {parser},
            f"event = {parser}(text)",
            "print(event.type, type(event).__name__)",
            prints=f"{value['type']} {member}",
        )
        return f"For this `text`:\n\n{_block('json', json.dumps(value, indent=2))}\n\n{program}"

    def _value(self, name: str) -> Any:
        return self.received.get(name) or Instance(self.schemas).value(name)

    def _enum(self, name: str) -> str:
        schema = self.schemas[name]
        value = _first_value(schema)
        constant = schema["x-enum-varnames"][schema["enum"].index(value)]
        return self._program(
            {name},
            f"print({name}.{constant})",
            f'print({name}("brand_new").is_known)',
            prints=f"{value}\nFalse",
        )

    def _union(self, name: str) -> str | None:
        """Return a field of the union's type, as a dictionary that is parsed."""
        class_name, value = self._member(self.schemas[name])
        owners = self._owners(name)
        if not owners:
            # What a request or another union takes: a member, as it is sent.
            if class_name in self.schemas:
                return self._construct(class_name)
            return None
        # The owner with the shortest value leaves the field in sight.
        owner, field, is_list = min(owners, key=lambda place: len(str(self._value(place[0]))))
        path = self.schemas[owner]["properties"][field]["x-name"]
        if is_list:
            path, value = f"{path}[0]", [value]
        whole = {}
        if self.schemas[owner].get("required"):
            whole = dict(self._value(owner))
        whole[field] = value
        return self._program(
            {owner},
            f"model = {owner}.from_dict({literal(whole)})",
            f"print(type(model.{path}).__name__)",
            prints=class_name,
        )

    def _member(self, schema: dict[str, Any]) -> tuple[str, Any]:
        """Return the class of a union's first object, or else enum, and a value of it."""
        for member in schema["x-members"]:
            name = member.get("ref", "")
            model = self.schemas.get(name, {})
            if "properties" in model:
                # What a client sends is shown as the page of the member shows it.
                if name in self.sent:
                    return name, Instance(self.schemas).value(name)
                return name, self._value(name)
            if "x-members" in model:
                return self._member(model)
        value = Instance(self.schemas).json(schema, "text")
        for member in schema["x-members"]:
            if "enum" in member and isinstance(value, str):
                return member["enum"]["name"], value
        return type(value).__name__, value

    def _owners(self, name: str) -> list[tuple[str, str, bool]]:
        """Return the classes with a field of a type, that field, and whether it is a list."""
        owners = []
        for owner, schema in self.schemas.items():
            for field, child in schema.get("properties", {}).items():
                item = child.get("items", child)
                if component(item) == name:
                    owners.append((owner, field, "items" in child))
        return owners

    def _program(self, names: set[str], *lines: str, prints: Any = None) -> str:
        imports = f"from {self.package} import {', '.join(sorted(names))}"
        program = _block("python", "\n".join([imports, "", *lines]))
        if prints is None:
            return program
        return f"{program}\n\nIt prints:\n\n{_block('text', prints)}"


def _block(language: str, text: Any) -> str:
    return f"```{language}\n{text}\n```"


def _model_of(schema: dict[str, Any], value: Any, schemas: dict[str, Any]) -> str | None:
    """Return the class of a value: that of its schema, or the member of a union that fits."""
    name = component(schema)
    if not name or not isinstance(value, dict):
        return None
    schema = schemas[name]
    mapping = schema.get("discriminator", {}).get("mapping", {})
    if mapping:
        tag = value.get(schema["discriminator"]["propertyName"])
        if tag in mapping:
            return _model_of({"$ref": mapping[tag]}, value, schemas)
        return None
    objects = []
    for member in map(component, members(schema)):
        if member and "properties" in schemas[member]:
            objects.append(member)
    if not objects:
        return name
    if len(objects) == 1:
        return str(objects[0])
    # Without a discriminator, the example does not guess between several.
    return None


def _telling_field(
    schema: dict[str, Any], value: Any, schemas: dict[str, Any]
) -> tuple[str, Any] | None:
    """Return the path to what an example prints, and its value. `None` where all is empty."""
    properties = schema.get("properties", {})
    fields: list[tuple[str, Any]] = []
    for field, inner in value.items():
        if field not in properties or inner in (None, [], {}):
            continue
        child = properties[field]
        path = f".{child['x-name']}"
        if isinstance(inner, list):
            path, inner, child = f"{path}[0]", inner[0], child.get("items", {})
        if isinstance(inner, dict):
            name = _model_of(child, inner, schemas)
            deeper = None
            if name:
                deeper = _telling_field(schemas[name], inner, schemas)
            if deeper is None:
                continue
            path, inner = path + deeper[0], deeper[1]
        fields.append((path, inner))
    return min(fields, key=lambda field: _dullness(field[0]), default=None)


def _dullness(path: str) -> int:
    """Return how little a field tells: what was said first, ids and types last."""
    last = path.rpartition(".")[2].partition("[")[0]
    if last in TELLING:
        return TELLING.index(last)
    if last == "event_id":
        return 102
    if last in ("type", "object"):
        return 101
    if last.endswith("id") or "index" in last:
        return 100
    return 50


def _first_value(schema: dict[str, Any]) -> Any:
    """Return the first value of an enum that is not deprecated."""
    for value in schema["enum"]:
        if value not in schema.get("x-deprecated-values", {}):
            return value
    return schema["enum"][0]


class Instance:
    """Builds one instance of a schema twice: as a JSON value, and that as a Python expression."""

    def __init__(self, schemas: dict[str, Any]) -> None:
        self.schemas = schemas
        self.imports: set[str] = set()
        # The classes being built, from the outermost: a recursion ends at them.
        self._open: list[str] = []

    def construct(self, name: str) -> str:
        """Return a call of the class that gives `value`."""
        return self.expression(reference(name), self.value(name))

    def value(self, name: str) -> dict[str, Any]:
        """Return a JSON object of a class."""
        self._open.append(name)
        value = {field: self.json(child, field) for field, child in self._fields(name)}
        self._open.pop()
        return value

    def json(self, schema: dict[str, Any], field: str) -> Any:
        """Return a value of a schema; `field` is a text where nothing is known."""
        if "x-constant" in schema:
            return schema["enum"][0]
        schema, name = self._target(schema)
        if name and "properties" in schema:
            return self.value(name)
        if "enum" in schema:
            return schema.get("example", _first_value(schema))
        if "items" in schema:
            items = schema["items"]
            if self._is_open(items):
                return []
            return [self.json(items, field)]
        values = schema.get("additionalProperties")
        if isinstance(values, dict) and "example" not in schema:
            if self._is_open(values):
                return {}
            return {"key": self.json(values, "value")}
        return _sample(schema, field)

    def expression(self, schema: dict[str, Any], value: Any) -> str:
        """Return a value that `json` made as Python source; classes add constants themselves."""
        schema, name = self._target(schema)
        if name and "properties" in schema:
            self.imports.add(name)
            self._open.append(name)
            arguments = []
            for field, inner in value.items():
                child = schema["properties"][field]
                if "x-constant" not in child:
                    arguments.append(f"{child['x-name']}={self.expression(child, inner)}")
            self._open.pop()
            return f"{name}({', '.join(arguments)})"
        if "items" in schema:
            items = [self.expression(schema["items"], item) for item in value]
            return f"[{', '.join(items)}]"
        values = schema.get("additionalProperties")
        if isinstance(values, dict):
            pairs = [f"{literal(key)}: {self.expression(values, value[key])}" for key in value]
            return f"{{{', '.join(pairs)}}}"
        return literal(value)

    def _fields(self, name: str) -> list[tuple[str, Any]]:
        """Return the fields of an `example`, with its values.

        Without one, the constants and required fields; where these are few, the first others, too.
        """
        properties = self.schemas[name]["properties"]
        required = self.schemas[name].get("required", [])
        example = self.schemas[name].get("example")
        if example:
            fields = []
            for field, value in example.items():
                # The connection numbers events; an `allOf` may lack what an example has.
                if field in properties and (field != "event_id" or field in required):
                    fields.append((field, properties[field] | {"example": value}))
            return fields
        chosen = set(required)
        for field, child in properties.items():
            if "x-constant" in child:
                chosen.add(field)
        for field, child in properties.items():
            if len(chosen) < MOST_FIELDS and "$ref" not in str(child) and field != "event_id":
                chosen.add(field)
        # An object that only has objects shows the first.
        first = next(iter(properties))
        if not chosen and not self._is_open(properties[first]):
            chosen.add(first)
        return [(field, child) for field, child in properties.items() if field in chosen]

    def _is_open(self, schema: dict[str, Any]) -> bool:
        """Return whether a value would contain the object that is being built."""
        return self._target(schema)[1] in self._open

    def _target(self, schema: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """Follow references, and take the first member of a union."""
        name = component(schema)
        if name:
            schema = self.schemas[name]
        if not members(schema):
            return schema, name
        # One that is being built would never end.
        closed = [member for member in members(schema) if component(member) not in self._open]
        closed = closed or members(schema)
        # An enum says more than text.
        first = next((member for member in closed if "enum" in member), closed[0])
        return self._target(first)


def literal(value: Any) -> str:
    """Return Python source of a value, with double quotes where there are none in it."""
    source = repr(value)
    if '"' in source:
        return source
    # Each single quote is a delimiter: `repr` writes an apostrophe within double quotes.
    return source.replace("'", '"')


def _sample(schema: dict[str, Any], field: str) -> Any:
    """Return the `example` of a value, or else one of its type."""
    for value in (schema.get("example"), *schema.get("x-known", []), schema.get("default")):
        if isinstance(value, (str, int, float, dict)):
            return value
    schema_type = schema.get("type")
    if schema_type == "boolean":
        return True
    if schema_type in ("integer", "number"):
        return schema.get("minimum", 0)
    if schema_type == "object":
        return {"key": "value"}
    # Ids look as those of the service do.
    if field.endswith("_id"):
        return f"{field.removesuffix('_id')}_001"
    return field
