"""An embedded Realtime server, for tests of voice applications, and a check of others."""

from openai_realtime_client.core.lazy import TYPE_CHECKING, lazy_names

if TYPE_CHECKING:
    from openai_realtime_client.testing.check import Finding as Finding
    from openai_realtime_client.testing.check import check_server as check_server
    from openai_realtime_client.testing.faults import Faults as Faults
    from openai_realtime_client.testing.server import ReplayServer as ReplayServer
    from openai_realtime_client.testing.session import ReplaySession as ReplaySession
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "check_server": "openai_realtime_client.testing.check",
            "Finding": "openai_realtime_client.testing.check",
            "Faults": "openai_realtime_client.testing.faults",
            "ReplayServer": "openai_realtime_client.testing.server",
            "ReplaySession": "openai_realtime_client.testing.session",
        },
    )
