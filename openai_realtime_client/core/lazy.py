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
    """Make the `__getattr__`, which also gives `__all__`, and the `__dir__` of a package.

    Args:
        package: The package's name.
        modules: For each public name, the module that defines it.
        others: Modules with an `__all__`, all of whose names the package has, too.
        params: The module of the names that end with `Param`. A table of them would cost more
            than the rest of the package's import.
    """

    def get(name: str) -> Any:
        if name == "__all__":
            value: Any = public()
        else:
            value = getattr(import_module(find(name)), name)
        # From now on Python finds it without this function.
        setattr(sys.modules[package], name, value)
        return value

    def find(name: str) -> str:
        if name in modules:
            return modules[name]
        sources = list(others)
        if params and name.endswith("Param"):
            sources.append(params)
        # The import system asks for `__path__` and the like, which would import all of them.
        for source in sources:
            if not name.startswith("__") and name in import_module(source).__all__:
                return source
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def public() -> list[str]:
        public_names = set(modules)
        for source in filter(None, (*others, params)):
            public_names.update(import_module(source).__all__)
        return sorted(public_names)

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *public()})

    return get, names
