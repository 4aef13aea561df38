"""A typed client for OpenAI's Realtime API.

A protocol is a package of its own, with all of its names: `openai_realtime_client.ga`, which OpenAI
speaks today, and `openai_realtime_client.v1`, which compatible servers speak. The names that both
share are here as well. Each name is imported when it is first used.
"""

from openai_realtime_client.core.lazy import TYPE_CHECKING
from openai_realtime_client.core.lazy import lazy_names as _lazy_names
from openai_realtime_client.version import __version__ as __version__

if TYPE_CHECKING:
    from openai_realtime_client import ga as ga
    from openai_realtime_client import v1 as v1
    from openai_realtime_client.shared import *
else:
    _shared_name, __dir__ = _lazy_names(__name__, {}, "openai_realtime_client.shared")

    def __getattr__(name):
        """Return a submodule or a shared name, each imported when it is first used."""
        # Modules first: importing the table of shared names takes longer than a protocol's package.
        if name.islower() and not name.startswith("_"):
            from importlib import import_module

            module = f"{__name__}.{name}"
            try:
                return import_module(module)
            except ModuleNotFoundError as missing:
                if missing.name != module:
                    raise
        try:
            return _shared_name(name)
        except AttributeError as error:
            raise AttributeError(
                f"{error}; a protocol's names are in its own package: "
                "from openai_realtime_client import ga (or v1)"
            ) from None
