"""Models that contain each other."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module

__all__ = ["link"]

# For each module whose annotations name a class that it could not import yet, where that is.
_missing: dict[str, Mapping[str, str]] = {}


def link(module: str, names: Mapping[str, str]) -> None:
    """Import into `module` what its classes contain and what contains them.

    Called at the end of each module of a recursion, when its own class exists. Pydantic completes
    a class when it is first used.

    Args:
        module: The module's name.
        names: For each name that it lacks, the module that defines it.
    """
    _missing[module] = names
    for waiting, wanted in list(_missing.items()):
        # All of them: importing one may be what another waits for.
        imported = [_import(waiting, name, source) for name, source in wanted.items()]
        if all(imported):
            _missing.pop(waiting, None)


def _import(module: str, name: str, source: str) -> bool:
    """Import one name, unless its module is still being imported: then that ends with `link`."""
    if source in sys.modules and not hasattr(sys.modules[source], name):
        return False
    try:
        setattr(sys.modules[module], name, getattr(import_module(source), name))
    except ImportError:
        # A union of unions is imported before what it consists of.
        return False
    return True
