"""What type checkers must tell: a comment names those that report the line."""

from __future__ import annotations

import openai_realtime_client
from openai_realtime_client import connect  # error: mypy, pyright
from openai_realtime_client import ga, v1
from openai_realtime_client import parse_server_event  # error: mypy, pyright
from openai_realtime_client.ga import Nope  # error: mypy, pyright
from openai_realtime_client.ga.models import Neither  # error: mypy, pyright
from openai_realtime_client.shared import Nothing  # error: mypy, pyright
from openai_realtime_client.testing import ReplyServer  # error: mypy, pyright

ga.RealtimeNothing  # error: mypy, pyright
openai_realtime_client.RealtimeNothing  # error: mypy, pyright


def misspelt_types(event: ga.RealtimeServerEvent, sent: ga.RealtimeClientEvent) -> None:
    """A type that no event has."""
    if event.type == "response.dnoe":  # error: mypy, pyright
        pass
    if sent.type == "session.updated":  # error: mypy, pyright
        pass


def misspelt_fields(event: ga.RealtimeServerEvent) -> None:
    """A field that the class does not have."""
    if event.type == "response.output_audio.delta":
        event.dleta  # error: mypy, pyright
    if isinstance(event, ga.RealtimeServerEventError):
        event.error.mesage  # error: mypy, pyright
    if event.type == "response.done":
        for item in event.response.output or []:
            if item.type == "message":
                item.arguments  # error: mypy, pyright
        event.response.output[0]  # error: mypy, pyright


def misspelt_arguments() -> None:
    """An argument that a class does not take, or that it needs."""
    ga.RealtimeClientEventSessionUpdate()  # error: mypy, pyright
    ga.RealtimeSessionCreateRequestGA(instruction="")  # error: mypy, pyright
    ga.RealtimeSessionCreateRequestGA(instructions=1)  # error: mypy, pyright
    ga.RealtimeClientEventInputAudioBufferAppend(audio=b"")  # error: mypy, pyright
    ga.connect("gpt-realtime-2.1", api_ky="")  # error: mypy, pyright
    ga.connect_sync(42)  # error: mypy, pyright


async def misused_connections() -> None:
    """A connection that is used as the other kind, or with what no client sends."""
    with ga.connect("gpt-realtime-2.1"):  # error: mypy, pyright
        pass
    async with ga.connect("gpt-realtime-2.1") as connection:
        await connection.send("{}")  # error: mypy, pyright
        await connection.send(ga.RealtimeSession())  # error: mypy, pyright
        await connection.recieve()  # error: mypy, pyright
    with ga.connect_sync("gpt-realtime-2.1") as threads:
        threads.send_audio("text")  # error: mypy, pyright
        threads.recv(timeout="1")  # error: mypy, pyright


def misbuilt() -> None:
    """Builders with wrong arguments, or of a protocol that has no such thing."""
    ga.user_text(b"bytes")  # error: mypy, pyright
    ga.user_audio("text")  # error: mypy, pyright
    v1.user_image("https://example.com/a.png")  # error: mypy, pyright
    ga.FunctionTool("get_weather")  # error: mypy, pyright
    with v1.connect_sync("gpt-realtime-2.1") as threads:
        threads.send(v1.FunctionTool(misbuilt).definition)  # error: mypy, pyright
