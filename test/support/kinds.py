"""The `connect` classes that tests of connections run over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from openai_realtime_client import ga, v1


@dataclass(frozen=True)
class Kind:
    """A `connect` function: of a protocol, for asyncio or for threads, of a kind of sessions."""

    protocol: ModuleType
    is_async: bool
    name: str = "connect"

    @property
    def is_beta(self) -> bool:
        return self.protocol is v1

    @property
    def path(self) -> str:
        return "/realtime/translations" if "translation" in self.name else "/realtime"

    @property
    def connect(self) -> Callable[..., Any]:
        """The function itself."""
        name = self.name if self.is_async else f"{self.name}_sync"
        connect: Callable[..., Any] = getattr(self.protocol, name)
        return connect

    def __str__(self) -> str:
        name = "v1" if self.is_beta else "ga"
        return f"{name}-{self.name}-{'asyncio' if self.is_async else 'threads'}"


KINDS = [Kind(protocol, is_async) for protocol in (v1, ga) for is_async in (True, False)]
TRANSLATIONS = [Kind(ga, is_async, "connect_translation") for is_async in (True, False)]
