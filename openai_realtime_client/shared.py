"""The names that all protocols share; each is imported when it is first used."""

from openai_realtime_client.core.lazy import TYPE_CHECKING
from openai_realtime_client.core.lazy import lazy_names as _lazy_names

if TYPE_CHECKING:
    from openai_realtime_client.core.deviations import Deviation as Deviation
    from openai_realtime_client.core.deviations import deviations as deviations
    from openai_realtime_client.core.errors import InvalidEventError as InvalidEventError
    from openai_realtime_client.core.errors import InvalidModelError as InvalidModelError
    from openai_realtime_client.core.events import UnknownEvent as UnknownEvent
    from openai_realtime_client.core.model import RealtimeModel as RealtimeModel
    from openai_realtime_client.core.model import UnknownModel as UnknownModel
    from openai_realtime_client.core.open_enum import OpenEnum as OpenEnum
    from openai_realtime_client.http.client import ApiClient as ApiClient
    from openai_realtime_client.http.configuration import Configuration as Configuration
    from openai_realtime_client.http.errors import ApiConnectionException as ApiConnectionException
    from openai_realtime_client.http.errors import ApiException as ApiException
    from openai_realtime_client.http.errors import BadRequestException as BadRequestException
    from openai_realtime_client.http.errors import ConflictException as ConflictException
    from openai_realtime_client.http.errors import ForbiddenException as ForbiddenException
    from openai_realtime_client.http.errors import (
        InvalidResponseException as InvalidResponseException,
    )
    from openai_realtime_client.http.errors import NotFoundException as NotFoundException
    from openai_realtime_client.http.errors import RateLimitException as RateLimitException
    from openai_realtime_client.http.errors import ServiceException as ServiceException
    from openai_realtime_client.http.errors import UnauthorizedException as UnauthorizedException
    from openai_realtime_client.http.errors import (
        UnprocessableEntityException as UnprocessableEntityException,
    )
    from openai_realtime_client.http.response import ApiResponse as ApiResponse
    from openai_realtime_client.http.response import Created as Created
    from openai_realtime_client.realtime.connection import AsyncConnection as AsyncConnection
    from openai_realtime_client.realtime.connection import Connection as Connection
    from openai_realtime_client.realtime.endpoint import (
        ConnectionSettingsError as ConnectionSettingsError,
    )
    from openai_realtime_client.realtime.endpoint import azure as azure
    from openai_realtime_client.realtime.errors import (
        ConnectionClosedError as ConnectionClosedError,
    )
    from openai_realtime_client.realtime.errors import (
        ConnectionFailedError as ConnectionFailedError,
    )
    from openai_realtime_client.realtime.errors import ConnectionLostError as ConnectionLostError
    from openai_realtime_client.realtime.errors import (
        HandshakeRefusedError as HandshakeRefusedError,
    )
    from openai_realtime_client.realtime.errors import InvalidKeyError as InvalidKeyError
    from openai_realtime_client.realtime.errors import MessageTooBigError as MessageTooBigError
    from openai_realtime_client.realtime.errors import ProtocolRefusedError as ProtocolRefusedError
    from openai_realtime_client.realtime.errors import (
        RealtimeConnectionError as RealtimeConnectionError,
    )
    from openai_realtime_client.realtime.errors import SessionExpiredError as SessionExpiredError
else:
    __getattr__, __dir__ = _lazy_names(
        __name__,
        {
            "ApiClient": "openai_realtime_client.http.client",
            "ApiConnectionException": "openai_realtime_client.http.errors",
            "ApiException": "openai_realtime_client.http.errors",
            "ApiResponse": "openai_realtime_client.http.response",
            "AsyncConnection": "openai_realtime_client.realtime.connection",
            "azure": "openai_realtime_client.realtime.endpoint",
            "BadRequestException": "openai_realtime_client.http.errors",
            "Configuration": "openai_realtime_client.http.configuration",
            "ConflictException": "openai_realtime_client.http.errors",
            "Connection": "openai_realtime_client.realtime.connection",
            "ConnectionClosedError": "openai_realtime_client.realtime.errors",
            "ConnectionFailedError": "openai_realtime_client.realtime.errors",
            "ConnectionLostError": "openai_realtime_client.realtime.errors",
            "ConnectionSettingsError": "openai_realtime_client.realtime.endpoint",
            "Created": "openai_realtime_client.http.response",
            "Deviation": "openai_realtime_client.core.deviations",
            "deviations": "openai_realtime_client.core.deviations",
            "ForbiddenException": "openai_realtime_client.http.errors",
            "HandshakeRefusedError": "openai_realtime_client.realtime.errors",
            "InvalidEventError": "openai_realtime_client.core.errors",
            "InvalidKeyError": "openai_realtime_client.realtime.errors",
            "InvalidModelError": "openai_realtime_client.core.errors",
            "InvalidResponseException": "openai_realtime_client.http.errors",
            "MessageTooBigError": "openai_realtime_client.realtime.errors",
            "NotFoundException": "openai_realtime_client.http.errors",
            "OpenEnum": "openai_realtime_client.core.open_enum",
            "ProtocolRefusedError": "openai_realtime_client.realtime.errors",
            "RateLimitException": "openai_realtime_client.http.errors",
            "RealtimeConnectionError": "openai_realtime_client.realtime.errors",
            "RealtimeModel": "openai_realtime_client.core.model",
            "ServiceException": "openai_realtime_client.http.errors",
            "SessionExpiredError": "openai_realtime_client.realtime.errors",
            "UnauthorizedException": "openai_realtime_client.http.errors",
            "UnknownEvent": "openai_realtime_client.core.events",
            "UnknownModel": "openai_realtime_client.core.model",
            "UnprocessableEntityException": "openai_realtime_client.http.errors",
        },
    )
