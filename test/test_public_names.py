"""What `from openai_realtime_client import …` gives, and what importing costs."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from protocols import PROTOCOLS, Protocol

# Hand-written names and those of the HTTP runtime, in every package.
COMMON = {
    "ApiClient",
    "ApiConnectionException",
    "ApiException",
    "ApiResponse",
    "BadRequestException",
    "Configuration",
    "ConflictException",
    "Created",
    "Deviation",
    "deviations",
    "ForbiddenException",
    "InvalidEventError",
    "InvalidModelError",
    "InvalidResponseException",
    "NotFoundException",
    "OpenEnum",
    "RateLimitException",
    "RealtimeApi",
    "RealtimeModel",
    "ServiceException",
    "UnauthorizedException",
    "UnknownEvent",
    "UnknownModel",
    "UnprocessableEntityException",
    "parse_client_event",
    "parse_server_event",
}
TRANSLATION = {"parse_translation_client_event", "parse_translation_server_event"}
# The enums that unions hold.
UNION_ENUMS = {
    "realtime": {
        "RealtimeResponseCreateParamsConversationEnum",
        "RealtimeResponseCreateParamsMaxResponseOutputTokensEnum",
        "RealtimeResponseMaxOutputTokensEnum",
        "VoiceIdsSharedEnum",
    },
    "realtime-ga": {
        "AudioTranscriptionModelEnum",
        "MCPToolRequireApprovalEnum",
        "RealtimeMaxOutputTokensEnum",
        "RealtimeResponseCreateParamsConversationEnum",
        "RealtimeSessionLegacyModelEnum",
        "RealtimeSessionModelEnum",
        "RealtimeTracingEnum",
        "RealtimeTruncationEnum",
        "VoiceIdsSharedEnum",
    },
}


@pytest.fixture(params=PROTOCOLS, ids=lambda protocol: protocol.name)
def protocol(request: pytest.FixtureRequest) -> Protocol:
    found: Protocol = request.param
    return found


def test_the_public_names_are_these(protocol: Protocol) -> None:
    models = set(protocol.public()) | UNION_ENUMS[protocol.name]
    others = COMMON | (TRANSLATION if protocol.name == "realtime-ga" else set())
    assert sorted(protocol.module.__all__) == sorted(others | models)
    assert set(importlib.import_module(f"{protocol.package}.models").__all__) == models


def test_every_public_name_is_there_and_listed(protocol: Protocol) -> None:
    assert set(protocol.module.__all__) <= set(dir(protocol.module))
    for name in protocol.module.__all__:
        assert getattr(protocol.module, name) is not None


def test_a_wrong_name_is_an_attribute_error(protocol: Protocol) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'RealtimeNothing'"):
        _ = protocol.module.RealtimeNothing


def test_importing_imports_nothing_heavy(protocol: Protocol) -> None:
    program = f"import {protocol.package}, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    roots = {name.partition(".")[0] for name in done.stdout.split()}
    assert protocol.package.partition(".")[0] in roots
    assert not roots & {"pydantic", "pydantic_core", "urllib3", "dateutil", "websockets", "asyncio"}


def test_the_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    import openai_realtime_client

    assert openai_realtime_client.__version__ == version("openai-realtime-client")
