"""A typed client for OpenAI's Realtime API.

The names that all protocols share are here, and the models of the documented protocol, `v1`. Events
are parsed and sessions opened by the protocol's own package: `openai_realtime_client.ga`, which
OpenAI speaks today, or `openai_realtime_client.v1`. Each name is imported when it is first used.
"""

from openai_realtime_client.core.lazy import TYPE_CHECKING
from openai_realtime_client.core.lazy import lazy_names as _lazy_names

__version__ = "0.1.0"

if TYPE_CHECKING:
    from openai_realtime_client.shared import *
    from openai_realtime_client.v1.api.realtime_api import AsyncRealtimeApi as AsyncRealtimeApi
    from openai_realtime_client.v1.api.realtime_api import RealtimeApi as RealtimeApi
    from openai_realtime_client.v1.models import *
else:
    __getattr__, __dir__ = _lazy_names(
        __name__,
        {
            "AsyncRealtimeApi": "openai_realtime_client.v1.api.realtime_api",
            "RealtimeApi": "openai_realtime_client.v1.api.realtime_api",
        },
        "openai_realtime_client.shared",
        "openai_realtime_client.v1.models",
    )
