"""Packages whose names are imported when they are first used (PEP 562)."""

from __future__ import annotations

import sys
from importlib import import_module

# Type checkers take it as true. Importing `typing` for it would take longer than the rest of
# `import openai_realtime_client`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

__all__ = ["TYPE_CHECKING", "lazy_names"]


def lazy_names(
    package: str, modules: Mapping[str, str], *others: str, params: str | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the `__getattr__` and `__dir__` of a package.

    Args:
        package: The package's name.
        modules: For each public name, the module that defines it.
        others: Modules with an `__all__`, all of whose names the package has, too.
        params: The module of the names that end with `Param`. A table of them would cost more
            than the rest of the package's import.

    Returns:
        `__getattr__`, which also gives `__all__`, and `__dir__`.
    """

    def get(name: str) -> Any:
        if name == "__all__":
            value: Any = public()
        else:
            value = find(name)
        # From now on Python finds it without this function.
        setattr(sys.modules[package], name, value)
        return value

    def find(name: str) -> Any:
        if name in modules:
            return getattr(import_module(modules[name]), name)
        # The import system asks for `__path__` and the like, which would import the others.
        if not name.startswith("__"):
            for other in map(import_module, others):
                if name in other.__all__:
                    return getattr(other, name)
        if params and name.endswith("Param") and name in import_module(params).__all__:
            return getattr(import_module(params), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def public() -> list[str]:
        public_names = set(modules)
        for source in (*others, params):
            if source:
                public_names.update(import_module(source).__all__)
        return sorted(public_names)

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *public()})

    return get, names
