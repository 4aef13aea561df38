"""The names that all protocols share; each is imported when it is first used."""

from openai_realtime_client.core.lazy import TYPE_CHECKING
from openai_realtime_client.core.lazy import lazy_names as _lazy_names

if TYPE_CHECKING:
    from openai_realtime_client.conversation.playback import Playback as Playback
    from openai_realtime_client.conversation.state import Conversation as Conversation
    from openai_realtime_client.conversation.state import ConversationItem as ConversationItem
    from openai_realtime_client.conversation.state import ConversationPart as ConversationPart
    from openai_realtime_client.conversation.state import (
        ConversationResponse as ConversationResponse,
    )
    from openai_realtime_client.conversation.usage import Usage as Usage
    from openai_realtime_client.core.deviations import Deviation as Deviation
    from openai_realtime_client.core.deviations import deviations as deviations
    from openai_realtime_client.core.encoding import to_dict as to_dict
    from openai_realtime_client.core.error_details import ErrorDetails as ErrorDetails
    from openai_realtime_client.core.error_details import error_details as error_details
    from openai_realtime_client.core.errors import *
    from openai_realtime_client.core.events import UnknownEvent as UnknownEvent
    from openai_realtime_client.core.model import RealtimeModel as RealtimeModel
    from openai_realtime_client.core.model import UnknownModel as UnknownModel
    from openai_realtime_client.core.open_enum import OpenEnum as OpenEnum
    from openai_realtime_client.http.client import ApiClient as ApiClient
    from openai_realtime_client.http.configuration import Configuration as Configuration
    from openai_realtime_client.http.response import ApiResponse as ApiResponse
    from openai_realtime_client.http.response import Created as Created
    from openai_realtime_client.realtime.connection import AsyncConnection as AsyncConnection
    from openai_realtime_client.realtime.connection import Connection as Connection
    from openai_realtime_client.realtime.endpoint import azure as azure
    from openai_realtime_client.realtime.record import Record as Record
else:
    __getattr__, __dir__ = _lazy_names(
        __name__,
        {
            "ApiClient": "openai_realtime_client.http.client",
            "ApiResponse": "openai_realtime_client.http.response",
            "AsyncConnection": "openai_realtime_client.realtime.connection",
            "azure": "openai_realtime_client.realtime.endpoint",
            "Configuration": "openai_realtime_client.http.configuration",
            "Connection": "openai_realtime_client.realtime.connection",
            "Conversation": "openai_realtime_client.conversation.state",
            "ConversationItem": "openai_realtime_client.conversation.state",
            "ConversationPart": "openai_realtime_client.conversation.state",
            "ConversationResponse": "openai_realtime_client.conversation.state",
            "Created": "openai_realtime_client.http.response",
            "Deviation": "openai_realtime_client.core.deviations",
            "deviations": "openai_realtime_client.core.deviations",
            "OpenEnum": "openai_realtime_client.core.open_enum",
            "Playback": "openai_realtime_client.conversation.playback",
            "RealtimeModel": "openai_realtime_client.core.model",
            "Record": "openai_realtime_client.realtime.record",
            "to_dict": "openai_realtime_client.core.encoding",
            "UnknownEvent": "openai_realtime_client.core.events",
            "UnknownModel": "openai_realtime_client.core.model",
            "Usage": "openai_realtime_client.conversation.usage",
            "ErrorDetails": "openai_realtime_client.core.error_details",
            "error_details": "openai_realtime_client.core.error_details",
        },
        "openai_realtime_client.core.errors",
    )
