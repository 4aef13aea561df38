"""What the tests of other clients share: a server, and something to say."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from openai_realtime_client import deviations
from openai_realtime_client.testing import Answer, ReplayServer

KEY = "sk-test-of-other-clients"
# A second of something like a voice, and of silence: PCM16, 24 kHz.
_SAMPLES = [round(8000 * math.sin(at / 30) * math.sin(at / 2000)) for at in range(24000)]
SPEECH = struct.pack("<24000h", *_SAMPLES)
QUIET = bytes(len(SPEECH))
# What is said in the first three turns.
SAID = [
    "Hello.",
    "You said: Hello.",
    "What is the weather in Paris?",
    "The function said: Sunny in Paris.",
    "Good morning.",
    "You said: Good morning.",
]
# The fifth answer lasts until it is interrupted.
STORY = [None] * 4 + [Answer("Once upon a time. " * 40, audio=30.0, real_time=True)]


@contextmanager
def checked(*, allowed: str | None = None, **options: Any) -> Iterator[ReplayServer]:
    """A server of which nothing that clients send is refused, but with an `allowed` code."""
    with ReplayServer(api_key=KEY, **options) as server:
        yield server
    for session in server.sessions:
        errors = [event.to_dict()["error"] for event in session.sent if event.type == "error"]
        assert [error for error in errors if error["code"] != allowed] == []
        assert [found for event in session.sent for found in deviations(event)] == []


def statuses(server: ReplayServer) -> list[str]:
    """How the responses of the first session ended."""
    sent = server.sessions[0].sent
    return [e.to_dict()["response"]["status"] for e in sent if e.type == "response.done"]
