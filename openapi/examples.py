"""A short example for each page of the docs, made from the schemas."""

from __future__ import annotations

import json
from typing import Any

REFERENCE = "#/components/schemas/"
MOST_FIELDS = 3


class Examples:
    """Writes the programs; `package` is what they import from."""

    def __init__(self, schemas: dict[str, Any], package: str) -> None:
        self.schemas = schemas
        self.package = package

    def of_schema(self, name: str) -> dict[str, str] | None:
        """A program (`code`) and what it prints (`output`); `None` for a schema without a page."""
        schema = self.schemas[name]
        if "x-event-type" in schema and schema["x-direction"] == "server":
            return self._parse(schema["x-parser"], name)
        if "x-parses" in schema:
            first = next(iter(schema["discriminator"]["mapping"].values()))
            return self._parse(schema["x-parses"], first.removeprefix(REFERENCE))
        if "properties" in schema:
            return self._construct(name)
        if "enum" in schema:
            return self._enum(name)
        if "x-union" in schema:
            return self._union(name)
        return None

    def of_operation(self, method: str, operation: dict[str, Any]) -> str:
        """A program that calls `method`; it needs a server."""
        api = f"{operation['tags'][0]}Api"
        instance = Instance(self.schemas)
        arguments = [
            instance.expression(parameter["schema"], "", parameter["name"])
            for parameter in operation.get("parameters", [])
            if parameter.get("required")
        ]
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            arguments.append(instance.expression(content["application/json"]["schema"], "", ""))
        if "multipart/form-data" in content:
            name = content["multipart/form-data"]["schema"]["$ref"].removeprefix(REFERENCE)
            properties = self.schemas[name]["properties"]
            required = self.schemas[name]["required"]
            arguments += [f"{f}={instance.expression(properties[f], name, f)}" for f in required]
        return self._program(
            {"ApiClient", api, *instance.imports},
            "with ApiClient() as client:",
            f"    answer = {api}(client).{method}({', '.join(arguments)})",
            "    print(type(answer).__name__)",
        )

    def _construct(self, name: str) -> dict[str, str]:
        instance = Instance(self.schemas)
        variable = "event" if "x-event-type" in self.schemas[name] else "model"
        expression = instance.construct(name)
        code = self._program(
            instance.imports, f"{variable} = {expression}", f"print({variable}.to_json())"
        )
        return {"code": code, "output": _compact(instance.value(name))}

    def _parse(self, parser: str, name: str) -> dict[str, str]:
        value = Instance(self.schemas).value(name)
        field = [name for name, each in value.items() if isinstance(each, (str, int))][-1]
        code = self._program(
            {parser, name},
            f"event = {parser}({literal(_compact(value))})",
            f"assert isinstance(event, {name})",
            f"print(event.{self.schemas[name]['properties'][field]['x-name']})",
        )
        return {"code": code, "output": str(value[field])}

    def _enum(self, name: str) -> dict[str, str]:
        constant = self.schemas[name]["x-enum-varnames"][0]
        code = self._program(
            {name}, f"print({name}.{constant})", f'print({name}("brand_new").is_known)'
        )
        return {"code": code, "output": f"{self.schemas[name]['enum'][0]}\nFalse"}

    def _union(self, name: str) -> dict[str, str]:
        members = self.schemas[name]["x-members"]
        enum = next((member["enum"] for member in members if "enum" in member), None)
        if enum:
            value, kind = enum["values"][0]["value"], enum["name"]
        else:
            models = [member["ref"] for member in members if "ref" in member]
            kind = next(model for model in models if "properties" in self.schemas[model])
            value = Instance(self.schemas).value(kind)
        code = self._program(
            {name},
            f"value = TypeAdapter({name}).validate_json({literal(_compact(value))})",
            "print(type(value).__name__)",
        )
        return {"code": "from pydantic import TypeAdapter\n" + code, "output": kind}

    def _program(self, names: set[str], *lines: str) -> str:
        imports = f"from {self.package} import {', '.join(sorted(names))}"
        return "\n".join([imports, "", *lines])


class Instance:
    """Builds one instance of a schema twice: as a Python expression and as a JSON value."""

    def __init__(self, schemas: dict[str, Any]) -> None:
        self.schemas = schemas
        self.imports: set[str] = set()

    def construct(self, name: str) -> str:
        """A call of the class, without the constants, which it adds itself."""
        self.imports.add(name)
        arguments = [
            f"{child['x-name']}={self.expression(child, name, field)}"
            for field, child in self._fields(name)
            if "x-constant" not in child
        ]
        return f"{name}({', '.join(arguments)})"

    def value(self, name: str) -> dict[str, Any]:
        """The JSON object that `construct` gives."""
        return {field: self.json(child, field) for field, child in self._fields(name)}

    def expression(self, schema: dict[str, Any], owner: str, field: str) -> str:
        schema, name = self._target(schema)
        if name and "properties" in schema:
            return self.construct(name)
        if name and "enum" in schema:
            self.imports.add(name)
            return f"{name}.{_constant(schema)}"
        if "items" in schema:
            return f"[{self.expression(schema['items'], owner, field)}]"
        if "x-enum-varnames" in schema and schema["type"] == "string":
            return f"{owner}.{schema['x-enum-name']}.{_constant(schema)}"
        return literal(self.json(schema, field))

    def json(self, schema: dict[str, Any], field: str) -> Any:
        schema, name = self._target(schema)
        if name and "properties" in schema:
            return self.value(name)
        if "enum" in schema:
            return schema.get("example", schema["enum"][0])
        if "items" in schema:
            return [self.json(schema["items"], field)]
        return _sample(schema, field)

    def _fields(self, name: str) -> list[tuple[str, Any]]:
        """The fields of an `example`, with its values.

        Without one, the constants and required fields; where these are few, the first others, too.
        """
        properties = self.schemas[name]["properties"]
        example = self.schemas[name].get("example")
        if example:
            return [(field, properties[field] | {"example": example[field]}) for field in example]
        required = self.schemas[name].get("required", [])
        chosen = {f for f, child in properties.items() if f in required or "x-constant" in child}
        for field, child in properties.items():
            if len(chosen) < MOST_FIELDS and "$ref" not in str(child):
                chosen.add(field)
        # An object that only has objects shows the first.
        chosen = chosen or {next(iter(properties))}
        return [(field, child) for field, child in properties.items() if field in chosen]

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
                schema, name = next((m for m in members if "enum" in m), members[0]), None
            else:
                return schema, name


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def literal(value: Any) -> str:
    """Python source of a value, with double quotes where there are none in it."""
    source = repr(value)
    # Then each single quote is a delimiter: `repr` writes an apostrophe within double quotes.
    return source if '"' in source else source.replace("'", '"')


def _constant(schema: dict[str, Any]) -> Any:
    """The name of the enum value that is the example, or else of the first."""
    names = dict(zip(schema["enum"], schema["x-enum-varnames"], strict=True))
    return names[schema.get("example", schema["enum"][0])]


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
