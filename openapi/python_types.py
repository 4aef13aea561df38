"""Types of Python for schemas, by one rule for code and pages: text stays text."""

from __future__ import annotations

from typing import Any

from spec import component, members

SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}


class Types:
    """The types of fields, as the generated class names them."""

    mapping = "dict"

    def of(self, schema: dict[str, Any]) -> str:
        """Return the type of an annotated schema."""
        name = component(schema)
        if name:
            return self.of_class(name)
        if members(schema):
            return " | ".join(dict.fromkeys(map(self.of, members(schema))))
        if "items" in schema:
            return self.of_list(self.held(schema["items"]))
        if "enum" in schema:
            return self.of_enum(schema)
        values = schema.get("additionalProperties")
        if isinstance(values, dict) and values:
            return f"{self.mapping}[str, {self.held(values)}]"
        if schema.get("type") == "object" or values:
            return f"{self.mapping}[str, Any]"
        return SCALARS.get(schema.get("type", ""), "Any")

    def held(self, schema: dict[str, Any]) -> str:
        """Return the type of what a field, a list or a map holds, which may be `null`."""
        name = self.of(schema)
        # `Any` holds `None` already.
        if schema.get("nullable") and name != "Any":
            return f"{name} | None"
        return name

    def of_class(self, name: str) -> str:
        return name

    def of_list(self, held: str) -> str:
        return f"list[{held}]"

    def of_enum(self, schema: dict[str, Any]) -> str:
        return str(schema.get("x-enum-name", "str"))


class GivenTypes(Types):
    """The types of what a program gives: any list and mapping will do."""

    mapping = "Mapping"

    def of_list(self, held: str) -> str:
        # A `str` is a sequence of strings, too.
        if held.startswith("str"):
            return f"list[{held}]"
        return f"Sequence[{held}]"

    def of_enum(self, schema: dict[str, Any]) -> str:
        # A string is enough where a caller knows the value.
        return f"Literal[{', '.join(map(literal, schema['enum']))}]"


type_name = Types().of


def literal(value: Any) -> str:
    """Return Python source of a value, with double quotes where there are none in it."""
    source = repr(value)
    if '"' in source:
        return source
    # Each single quote is a delimiter: `repr` writes an apostrophe within double quotes.
    return source.replace("'", '"')
