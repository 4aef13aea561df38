"""The protocols that the data-driven tests run over, and instances of their schemas."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

import simplify
import spec

ROOT = Path(__file__).parents[2]

# How the data-driven tests draw: the same examples each time.
DRAWN = settings(
    max_examples=20,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)

TEXT = st.text(max_size=8)
INTEGERS = st.integers() | st.integers(-5, 5)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | INTEGERS
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
SCALARS = {"string": TEXT, "integer": INTEGERS, "number": NUMBERS, "boolean": st.booleans()}


@dataclass(frozen=True)
class Protocol:
    """A fragment and the package generated from it."""

    name: str
    package: str

    @cached_property
    def document(self) -> dict[str, Any]:
        """The fragment with its overlay."""
        openapi = ROOT / "openapi"
        return spec.merged(openapi / f"{self.name}.yaml", openapi / f"overlays/{self.name}.yaml")

    @cached_property
    def schemas(self) -> dict[str, Any]:
        schemas: dict[str, Any] = simplify.simplified(self.document)["components"]["schemas"]
        return schemas

    @cached_property
    def module(self) -> ModuleType:
        return importlib.import_module(self.package)

    def public(self) -> Iterator[str]:
        """The schemas that have a class or union in the package."""
        yield from spec.public_schemas({"components": {"schemas": self.schemas}})

    @cache  # noqa: B019 - there are as many as fragments
    def instances(self, name: str) -> st.SearchStrategy[Any]:
        """JSON values that fit a schema: optional fields or not, and fields it does not list.

        hypothesis-jsonschema draws the same, and takes minutes for the larger schemas.
        """
        return self._instances(self.schemas[name])

    def _instances(self, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
        drawn = self._present(schema)
        return st.none() | drawn if schema.get("nullable") else drawn

    def _present(self, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[-1]
            return st.deferred(lambda: self.instances(name))
        if "allOf" in schema:
            return self._instances(schema["allOf"][0])
        if spec.members(schema):
            return st.one_of([self._instances(each) for each in spec.members(schema)])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        if "items" in schema:
            return st.lists(self._instances(schema["items"]), max_size=2)
        if "properties" in schema:
            return self._objects(schema)
        if isinstance(schema.get("additionalProperties"), dict):
            return st.dictionaries(
                TEXT, self._instances(schema["additionalProperties"]), max_size=2
            )
        return SCALARS.get(schema.get("type", ""), st.dictionaries(TEXT, ANYTHING, max_size=2))

    def _objects(self, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
        fields = {name: self._instances(each) for name, each in schema["properties"].items()}
        required = {name: fields.pop(name) for name in schema.get("required", [])}
        unknown = st.dictionaries(TEXT.map("new_{}".format), ANYTHING, max_size=1)
        known = st.fixed_dictionaries(required, optional=fields)
        return st.builds(lambda one, other: {**other, **one}, known, unknown)


PROTOCOLS = [
    Protocol(fragment.stem, f"openai_realtime_client.{fragment.stem}")
    for fragment in sorted((ROOT / "openapi").glob("*.yaml"))
]
V1, GA = (next(each for each in PROTOCOLS if each.name == name) for name in ("v1", "ga"))
