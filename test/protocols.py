"""The protocols that the data-driven tests run over."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import spec

ROOT = Path(__file__).parent.parent


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
    def module(self) -> ModuleType:
        return importlib.import_module(self.package)

    def public(self) -> Iterator[tuple[str, Any]]:
        """The schemas that have a class or union in the package, with it."""
        for name in spec.public_schemas(spec.simplified(self.document)):
            yield name, getattr(self.module, name)

    def json_schema(self, name: str) -> dict[str, Any]:
        """A schema as plain JSON Schema, without references and OpenAPI's own keywords."""
        return self._plain(self.document["components"]["schemas"][name])

    def _plain(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self._plain(each) for each in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return self.json_schema(node["$ref"].rsplit("/", 1)[-1])
        dropped = ("nullable", "discriminator", "description", "default", "format", "properties")
        plain = {key: self._plain(each) for key, each in node.items() if key not in dropped}
        if "properties" in node:
            plain["properties"] = {k: self._plain(each) for k, each in node["properties"].items()}
        return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") else plain


PROTOCOLS = [
    Protocol("realtime", "openai_realtime_client"),
    Protocol("realtime-ga", "openai_realtime_client.ga"),
]
