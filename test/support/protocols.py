"""The protocols that the data-driven tests run over, and instances of their schemas."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

import components
import names
import spec
from drawing import Drawing

ROOT = Path(__file__).parents[2]

# How hypothesis draws where a test uses it: the same examples each time.
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


@dataclass(frozen=True)
class Protocol:
    """A fragment and the package generated from it."""

    name: str
    package: str

    @cached_property
    def document(self) -> dict[str, Any]:
        """The fragment with its overlay."""
        openapi = ROOT / "openapi"
        fragment, overlay = (openapi / f"{folder}{self.name}.yaml" for folder in ("", "overlays/"))
        return spec.merged(fragment, overlay, checked=False)

    @cached_property
    def schemas(self) -> dict[str, Any]:
        schemas: dict[str, Any] = components.prepared(self.document)["components"]["schemas"]
        return schemas

    @cached_property
    def module(self) -> ModuleType:
        return importlib.import_module(self.package)

    @cached_property
    def parsers(self) -> dict[str, str]:
        """The function of each union of events."""
        return {union: names.parser_name(union) for union in spec.event_unions(self.schemas)}

    def public(self) -> Iterator[str]:
        """The schemas that have a class or union in the package."""
        yield from self.schemas

    def instances(self, name: str, count: int = 20) -> Iterator[Any]:
        """JSON values that fit a schema, the same ones each time."""
        drawing = Drawing(self.schemas, f"{self.name} {name}")
        return (drawing.instance(name) for _ in range(count))


# All that there are: a test over these holds for a protocol that is one more file in openapi/.
PROTOCOLS = [
    Protocol(fragment.stem, f"openai_realtime_client.{fragment.stem}")
    for fragment in spec.fragments(ROOT / "openapi")
]
# Those of the Realtime API, whose facts, pages and server are known by name.
REALTIME = [protocol for protocol in PROTOCOLS if protocol.name in ("v1", "ga")]
V1, GA = (next(each for each in PROTOCOLS if each.name == name) for name in ("v1", "ga"))
