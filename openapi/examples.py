"""A short example for each page of the docs, made from the schemas."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from python_types import literal
from spec import component, mapped, members, reference, target

MAX_FIELDS = 3
# Fields that an example prints if it can, and those that it prints only if there are no others.
SHOW_FIRST = ("transcript", "delta", "text", "arguments", "message", "remaining", "status", "model")
SHOW_LAST = ("type", "object", "event_id")


class Values:
    """Makes values of schemas: as JSON, and these as Python expressions."""

    def __init__(self, schemas: dict[str, Any]) -> None:
        self.schemas = schemas

    def value(self, name: str, above: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return a JSON object of a class: its `example`, or else what it requires.

        Where that is little, it has the first of the other fields, too. `above` are the classes
        that contain it, at which a recursion ends.
        """
        schema, above = self.schemas[name], (*above, name)
        properties, required = schema["properties"], set(schema.get("required", []))
        if "example" in schema:
            # The connection numbers events; an `allOf` may lack what an example has.
            fields = properties.keys() - ({"event_id"} - required)
            return {field: value for field, value in schema["example"].items() if field in fields}
        chosen = required & properties.keys()
        for field, child in properties.items():
            if "x-constant" in child:
                chosen.add(field)
        for field, child in properties.items():
            if len(chosen) < MAX_FIELDS and "$ref" not in str(child) and field != "event_id":
                chosen.add(field)
        # An object that only has objects shows the first.
        first = next(iter(properties))
        if not chosen and self._first(properties[first], above)[0] not in above:
            chosen.add(first)
        return {
            field: self.json(child, field, above)
            for field, child in properties.items()
            if field in chosen
        }

    def json(self, schema: dict[str, Any], field: str, above: tuple[str, ...] = ()) -> Any:
        """Return a value of a schema; `field` is a text where nothing is known."""
        if "x-constant" in schema:
            return schema["x-value"]
        name, schema = self._first(schema, above)
        if "properties" in schema:
            return self.value(name, above)
        if "example" in schema:
            return schema["example"]
        if "enum" in schema:
            deprecated = schema.get("x-deprecated-values", {})
            current = [value for value in schema["enum"] if value not in deprecated]
            return [*current, *schema["enum"]][0]
        held = schema.get("items", schema.get("additionalProperties"))
        is_list = "items" in schema
        if isinstance(held, dict):
            # One that contains itself ends here.
            if self._first(held, above)[0] in above:
                return [] if is_list else {}
            value = self.json(held, field if is_list else "value", above)
            return [value] if is_list else {"key": value}
        return _sample(schema, field)

    def _first(self, schema: dict[str, Any], above: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
        """Follow references, and take the first member of a union that does not end in `above`."""
        name = component(schema)
        schema = target(schema, self.schemas)
        if not members(schema):
            return name, schema
        closed = [member for member in members(schema) if component(member) not in above]
        # An enum says more than text.
        closed.sort(key=lambda member: "enum" not in member)
        return self._first([*closed, *members(schema)][0], above)

    def class_of(self, schema: dict[str, Any], value: Any) -> str:
        """Return the class of an object: that of its schema, or the member of a union that fits."""
        name = component(schema)
        if not name or not isinstance(value, dict):
            return ""
        schema = self.schemas[name]
        if "properties" in schema:
            return name
        models = mapped(schema)
        if models:
            tag = value.get(schema["discriminator"]["propertyName"])
            if tag in models:
                return self.class_of(reference(models[tag]), value)
            return ""
        objects = []
        for member in map(component, members(schema)):
            if "properties" in self.schemas.get(member, {}):
                objects.append(member)
        # Without a discriminator, the example does not guess between several.
        if len(objects) == 1:
            return objects[0]
        return ""

    def source(self, schema: dict[str, Any], value: Any, used: set[str]) -> str:
        """Return a value as Python, with the classes that it is made of, and add these to `used`.

        Classes add constants themselves.
        """
        name = self.class_of(schema, value)
        # An example may have a field that its class lacks.
        if name and value.keys() <= self.schemas[name]["properties"].keys():
            used.add(name)
            arguments = []
            for field, inner in value.items():
                child = self.schemas[name]["properties"][field]
                if "x-constant" not in child:
                    arguments.append(f"{child['x-name']}={self.source(child, inner, used)}")
            return f"{name}({', '.join(arguments)})"
        held = schema.get("items", schema.get("additionalProperties"))
        if isinstance(value, list) and held:
            return f"[{', '.join(self.source(held, item, used) for item in value)}]"
        if isinstance(value, dict) and isinstance(held, dict):
            pairs = [f"{literal(key)}: {self.source(held, value[key], used)}" for key in value]
            return f"{{{', '.join(pairs)}}}"
        return literal(value)


class Examples(Values):
    """Writes the examples, from events that servers sent (`recorded`, by class) where there are."""

    def __init__(self, schemas: dict[str, Any], package: str, recorded: dict[str, Any]) -> None:
        super().__init__(schemas)
        self.package = package
        self.received: dict[str, Any] = {}
        for name, event in recorded.items():
            if name in schemas:  # The fragment may have dropped it since.
                self._receive(reference(name), event)

    def _receive(self, schema: dict[str, Any], value: Any) -> None:
        """Remember the fullest value of each class in what a server sent."""
        if isinstance(value, list):
            for item in value:
                self._receive(schema.get("items", {}), item)
        name = self.class_of(schema, value)
        if name:
            # The longest value shows the most fields.
            self.received[name] = max(self.received.get(name, {}), value, key=lambda v: len(str(v)))
            for field, child in self.schemas[name]["properties"].items():
                self._receive(child, value.get(field))

    def of_schema(self, name: str) -> str | None:
        """Return an example in markdown; `None` for a union of plain values."""
        schema = self.schemas[name]
        # A union shows its first member that has something to show.
        for member in schema.get("x-members", []):
            if "enum" in member:
                return self._enum(**member["enum"])
            if "ref" in member:
                example = self.of_schema(member["ref"])
                if example:
                    return example
        if schema.get("x-direction") == "client":
            return self._construct(name)
        if "x-event-type" in schema:
            return self._read(name, schema["x-parser"], "event", f"{schema['x-parser']}(text)")
        if "enum" in schema:
            return self._enum(name, schema["x-values"])
        if "properties" not in schema:
            return None
        # An event of the server is read; without a recording there is nothing real to read.
        if "x-param" in schema or name not in self.received:
            return self._construct(name)
        return self._read(name, name, "model", f"{name}.from_json(text)")

    def of_operation(self, operation: dict[str, Any]) -> str:
        """Return a program that calls the method of an operation; it needs a server."""
        api, method, returns = operation["x-api"], operation["x-method"], operation["x-returns"]
        used = {"ApiClient", api}
        arguments = []
        for argument in operation["x-arguments"]:
            if argument["is_required"] or argument["in"] == "body":
                value = self.json(argument["schema"], argument["wire"])
                source = self.source(argument["schema"], value, used)
                if re.search(r"\b(bytes|File)\b", argument["annotation"]):
                    source = literal(argument["wire"].encode())
                    if "[" in argument["annotation"]:
                        source = f"[{source}]"
                arguments.append(f"{argument['name']}={source}")
        path, value = "", None
        if returns == "None":
            # Without a result, only the status can be printed; `2XX` is not one.
            method += "_with_http_info"
            path = ".status_code"
            if operation["x-status"].isdigit():
                value = operation["x-status"]
        elif operation["x-created"]:
            path = ".id"
        elif "properties" in self.schemas.get(returns, {}):
            path, value = self._most_informative(returns)
        return self._program(
            used,
            "with ApiClient() as client:",
            f"    response = {api}(client).{method}({', '.join(arguments)})",
            f"    print(response{path})",
            prints=value,
        )

    def _construct(self, name: str) -> str:
        used = set[str]()
        value = self.value(name)
        source = self.source(reference(name), value, used)
        if self.schemas[name].get("x-direction") == "client":
            program = self._program(used, f"connection.send({source})")
            as_dictionary = _block("python", f"connection.send({literal(value)})")
            return f"As a class:\n\n{program}\n\nAs a dictionary:\n\n{as_dictionary}"
        return self._program(
            used,
            f"model = {source}  # as a class",
            f"same = {literal(value)}  # as a dictionary",
            "assert model.to_dict() == same",
        )

    def _read(self, name: str, imported: str, variable: str, call: str) -> str:
        path, output = self._most_informative(name)
        lines = (f"{variable} = {call}", f"print({variable}{path})")
        program = self._program({imported}, *lines, prints=output)
        text = _block("json", json.dumps(self._shown(name), indent=2, ensure_ascii=False))
        return f"As a server sends it, the `text` of the program:\n\n{text}\n\n{program}"

    def _enum(self, name: str, values: list[dict[str, str]]) -> str:
        current = [value for value in values if "deprecated" not in value]
        first = [*current, *values][0]
        lines = (f"print({name}.{first['name']})", f'print({name}("brand_new").is_known)')
        return self._program({name}, *lines, prints=f"{first['value']}\nFalse")

    def _shown(self, name: str) -> Any:
        return self.received.get(name) or self.value(name)

    def _most_informative(self, name: str) -> tuple[str, Any]:
        """Return the path to the most informative field of a value, and what stands there."""
        value = self._shown(name)
        fields = self._fields(name, value, "")
        return min(fields, key=lambda field: _display_rank(field[0]), default=(".to_dict()", value))

    def _fields(self, name: str, value: dict[str, Any], above: str) -> Iterator[tuple[str, Any]]:
        """Yield the paths to plain values in an object, and in the first of each list."""
        for field, child in self.schemas[name]["properties"].items():
            path, inner = f"{above}.{child['x-name']}", value.get(field)
            if isinstance(inner, list) and inner:
                path, inner, child = f"{path}[0]", inner[0], child.get("items", {})
            inner_class = self.class_of(child, inner)
            if inner_class:
                yield from self._fields(inner_class, inner, path)
            elif inner is not None and not isinstance(inner, (list, dict)):
                yield path, inner

    def _program(self, names: set[str], *lines: str, prints: Any = None) -> str:
        imports = f"from {self.package} import {', '.join(sorted(names))}"
        program = _block("python", "\n".join([imports, "", *lines]))
        if prints is None:
            return program
        heading = "It prints:"
        # The service decides what a call returns.
        if "ApiClient" in names:
            heading = "It prints, for example:"
        return f"{program}\n\n{heading}\n\n{_block('text', prints)}"


def _block(language: str, text: Any) -> str:
    return f"```{language}\n{text}\n```"


def _display_rank(path: str) -> int:
    """Rank fields for display, most informative first."""
    last = path.rpartition(".")[2].partition("[")[0]
    if last in SHOW_FIRST:
        return SHOW_FIRST.index(last)
    if last in SHOW_LAST:
        return 102 + SHOW_LAST.index(last)
    if last.endswith("id") or "index" in last:
        return 101
    return 100


def _sample(schema: dict[str, Any], field: str) -> Any:
    """Return a plain value of a schema, of its type if nothing else is known."""
    for value in (*schema.get("x-known", []), schema.get("default")):
        if isinstance(value, (str, int, float, dict)):
            return value
    schema_type = schema.get("type")
    if schema_type == "boolean":
        return True
    if schema_type == "integer":
        # A document may say `minimum: 1.0`.
        return math.ceil(schema.get("minimum", 0))
    if schema_type == "number":
        return schema.get("minimum", 0)
    if schema_type == "object":
        return {"key": "value"}
    # Ids look as those of the service do.
    if field.endswith("_id"):
        return f"{field.removesuffix('_id')}_001"
    return field
