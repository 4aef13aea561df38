"""What type checkers must tell: a comment names those that report the line.

What `compared.py` has is not repeated here: the guide's table counts it.
"""

from __future__ import annotations

from typing import Any

import openai_realtime_client
from openai_realtime_client import ApiClient, Connection, Conversation
from openai_realtime_client import connect  # error: mypy, pyright
from openai_realtime_client import ga, v1
from openai_realtime_client import parse_server_event  # error: mypy, pyright
from openai_realtime_client.ga import Nope  # error: mypy, pyright
from openai_realtime_client.ga.models import Neither  # error: mypy, pyright
from openai_realtime_client.shared import Nothing  # error: mypy, pyright
from openai_realtime_client.testing import ReplayServer
from openai_realtime_client.testing import ReplyServer  # error: mypy, pyright
from openai_realtime_client.v1 import RealtimeTool  # error: mypy, pyright

ga.conect  # error: mypy, pyright
openai_realtime_client.RealtimeNothing  # error: mypy, pyright
v1.RealtimeMCPListTools  # error: mypy, pyright
ga.RealtimeResponse.StatusEnum.DONE  # error: mypy, pyright
ga.RealtimeServerEventError.TypeEnum.EROR  # error: mypy, pyright


def received(
    event: ga.RealtimeServerEvent,
    sent: ga.RealtimeClientEvent,
    item: ga.RealtimeConversationItem,
    tool: ga.RealtimeTool,
) -> None:
    if event.type == ga.RealtimeFunctionTool.TypeEnum.FUNCTION:  # error: mypy, pyright
        pass
    if sent.type == "response.done":  # error: mypy, pyright
        pass
    if isinstance(event, ga.RealtimeServerEventError):
        event.error.mesage  # error: mypy, pyright
    if event.type == "response.done":
        event.response.id = 5  # error: mypy, pyright
        event.response.mood = "good"  # error: mypy, pyright
    elif event.type == ga.RealtimeServerEventSessionCreated.TypeEnum.SESSION_CREATED:
        event.sesion  # error: mypy, pyright
    if item.type == "message":
        item.arguments  # error: mypy, pyright
        if item.role == "system":
            item.content.text  # error: mypy, pyright
    if tool.type == "function":
        tool.server_label  # error: mypy, pyright
    match event:
        case ga.RealtimeServerEventResponseDone():
            event.delta  # error: mypy, pyright
        case ga.RealtimeServerEventResponseFinished():  # error: mypy, pyright
            pass
        case _:
            pass


def constructed() -> None:
    ga.RealtimeClientEventResponseCreate(response=ga.RealtimeResponse())  # error: mypy, pyright
    ga.RealtimeSessionCreateRequestGA(include=["item.logprobs"])  # error: mypy, pyright
    ga.RealtimeResponseCreateParams(output_modalities="text")  # error: mypy, pyright
    v1.RealtimeResponse(status="complete")  # error: mypy, pyright
    response = v1.RealtimeResponse(status="completed")
    response.status.is_known  # error: mypy, pyright
    response.status = "completed"  # error: mypy, pyright


def sent(
    connection: Connection[ga.RealtimeServerEvent, ga.RealtimeClientEventParam],
    old: v1.RealtimeClientEventParam,
    conversation: Conversation,
) -> None:
    connection.send({})  # error: mypy, pyright
    connection.send(ga.RealtimeSession())  # error: mypy, pyright
    connection.send(old)  # error: mypy, pyright
    connection.send(v1.user_text("Hello"))  # error: mypy, pyright
    connection.send(conversation.heard("i", 5))  # error: mypy, pyright
    if truncate := conversation.heard("i", 5):
        truncate["audio_end"]  # error: mypy, pyright
    session: ga.RealtimeSessionUpdateParam = {"type": "realtime"}
    session["instruction"]  # error: mypy, pyright
    item: ga.RealtimeConversationItemParam
    item = {"role": "user", "content": []}  # error: mypy, pyright
    connection.send({"type": "conversation.item.create", "item": item})


async def connected() -> None:
    ga.connect("gpt-realtime-2.1", api_ky="")  # error: mypy, pyright
    ga.connect_sync(42)  # error: mypy, pyright
    ga.connect_sync("m", conversation={})  # error: mypy, pyright
    with ga.connect("gpt-realtime-2.1"):  # error: mypy, pyright
        pass
    async with ga.connect("gpt-realtime-2.1") as connection:
        await connection.recieve()  # error: mypy, pyright
    with ga.connect_sync("gpt-realtime-2.1") as threads:
        threads.send_audio("text")  # error: mypy, pyright
        threads.recv(timeout="1")  # error: mypy, pyright
    with ga.connect_translation_sync("m") as translation:
        translation.send({"type": "response.create"})  # error: mypy, pyright


def built() -> None:
    """With wrong arguments, or of a protocol that has no such thing."""
    ga.user_text(b"bytes")  # error: mypy, pyright
    ga.user_audio("text")  # error: mypy, pyright
    v1.user_image("https://example.com/a.png")  # error: mypy, pyright
    ga.FunctionTool("get_weather")  # error: mypy, pyright
    with v1.connect_sync("gpt-realtime-2.1") as threads:
        threads.send(v1.FunctionTool(built).definition)  # error: mypy, pyright


async def http(client: ApiClient, unchecked: dict[str, Any]) -> None:
    api = ga.RealtimeApi(client)
    api.create_realtime_client_secret({"sesion": {"type": "realtime"}})  # error: mypy, pyright
    api.create_realtime_client_secret({"expires_after": {"seconds": "1"}})  # error: mypy, pyright
    api.create_realtime_client_secret(unchecked)  # error: mypy, pyright
    api.accept_realtime_call("c", {"instructions": ""})  # error: mypy, pyright
    api.accept_realtime_call("c", ga.RealtimeSession())  # error: mypy, pyright
    api.reject_realtime_call("c", {"status": 486})  # error: mypy, pyright
    v1.RealtimeApi(client).create_realtime_session({"type": "realtime"})  # error: mypy, pyright
    waiting = ga.AsyncRealtimeApi(client)
    await waiting.create_realtime_client_secret({"sesion": {}})  # error: mypy, pyright
    await waiting.hangup_realtime_call("c", timout=5)  # error: mypy, pyright
    await waiting.hang_up("c")  # error: mypy, pyright
    print((await waiting.create_realtime_call("v=0")).dta)  # error: mypy, pyright


def tested(server: ReplayServer) -> None:
    print(server.sessions[0].wait_for("response.create").no_such)  # error: mypy, pyright
    ReplayServer(protocol="v2")  # error: mypy, pyright
    ReplayServer(answer="Hi.")  # error: mypy, pyright
