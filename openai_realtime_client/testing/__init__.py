"""An embedded Realtime server, for tests of voice applications, and a check of any server."""

from openai_realtime_client.core.lazy import TYPE_CHECKING, lazy_names

if TYPE_CHECKING:
    from openai_realtime_client.testing.answers import Answer as Answer
    from openai_realtime_client.testing.answers import Call as Call
    from openai_realtime_client.testing.answers import McpTool as McpTool
    from openai_realtime_client.testing.answers import text_of as text_of
    from openai_realtime_client.testing.check import Finding as Finding
    from openai_realtime_client.testing.check import check_server as check_server
    from openai_realtime_client.testing.endpoints import RealtimeCall as RealtimeCall
    from openai_realtime_client.testing.server import ReplayServer as ReplayServer
    from openai_realtime_client.testing.session import Faults as Faults
    from openai_realtime_client.testing.session import ReplaySession as ReplaySession
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Answer": f"{__name__}.answers",
            "Call": f"{__name__}.answers",
            "McpTool": f"{__name__}.answers",
            "text_of": f"{__name__}.answers",
            "Finding": f"{__name__}.check",
            "check_server": f"{__name__}.check",
            "RealtimeCall": f"{__name__}.endpoints",
            "ReplayServer": f"{__name__}.server",
            "Faults": f"{__name__}.session",
            "ReplaySession": f"{__name__}.session",
        },
    )
