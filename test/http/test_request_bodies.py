"""What is sent in the body of a request is JSON, or the request is not sent."""

from __future__ import annotations

from typing import Any

import pytest

from openai_realtime_client import ApiClient, Configuration
from openai_realtime_client.v1 import RealtimeSessionCreateRequest


def session(speed: float) -> RealtimeSessionCreateRequest:
    made = RealtimeSessionCreateRequest()
    made.speed = speed
    return made


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("of", [session, lambda value: {"speed": value}], ids=["model", "dict"])
def test_a_body_that_cannot_be_json_is_refused_with_the_path(of: Any, value: float) -> None:
    client = ApiClient(Configuration("http://127.0.0.1:1/v1", "key"))
    for request in (
        {"body": of(value)},
        {"parts": [("sdp", "application/sdp", "v=0"), ("session", "application/json", of(value))]},
    ):
        with client, pytest.raises(ValueError, match=r"^speed: (NaN|Infinity) is not JSON$"):
            client.call("POST", "/x", bytes, **request)
