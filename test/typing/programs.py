"""What type checkers must tell, by comments that name those that report a line, and accept.

What `compared.py` has is not repeated here: the guide's table counts it. The programs of the README
and the guides are accepted, too.
"""

from __future__ import annotations

from array import array
from typing import Any

from typing_extensions import assert_type

import openai_realtime_client
from openai_realtime_client import ApiClient, Connection, Conversation
from openai_realtime_client import connect  # error: mypy, pyright
from openai_realtime_client import ga, v1
from openai_realtime_client import parse_server_event  # error: mypy, pyright
from openai_realtime_client.ga import Nope  # error: mypy, pyright
from openai_realtime_client.ga.models import Neither  # error: mypy, pyright
from openai_realtime_client.shared import Nothing  # error: mypy, pyright
from openai_realtime_client.testing import Answer, Call, ReplayServer
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
        threads.send_audio(array("h", [0]))
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


# What is accepted, and understood


def by_type(event: ga.RealtimeServerEvent) -> str:
    if event.type == "response.output_text.delta":
        assert_type(event, ga.RealtimeServerEventResponseTextDelta)
        return event.delta
    if event.type == "session.updated" and event.session.type == "realtime":
        assert_type(event.session, ga.RealtimeSessionCreateResponseGA)
    if event.type == ga.RealtimeServerEventError.TypeEnum.ERROR:
        assert_type(event, ga.RealtimeServerEventError)
    match event.type:
        case "response.output_text.done":
            assert_type(event, ga.RealtimeServerEventResponseTextDone)
        case ga.RealtimeServerEventResponseAudioDelta.TypeEnum.RESPONSE_OUTPUT_AUDIO_DELTA:
            assert_type(event, ga.RealtimeServerEventResponseAudioDelta)
        case _:
            pass
    match event:
        case ga.RealtimeServerEventResponseDone(response=response):
            return response.id or ""
        case ga.UnknownEvent():
            assert_type(event.milliseconds, Any)
        case _:
            pass
    return event.type


def nested(item: ga.RealtimeConversationItem, tool: ga.RealtimeTool) -> str:
    if item.type == "function_call":
        assert_type(item, ga.RealtimeConversationItemFunctionCall)
    if item.type == "message" and item.role == "system":
        assert_type(item, ga.RealtimeConversationItemMessageSystem)
    if tool.type == "function":
        assert_type(tool, ga.RealtimeFunctionTool)
        return tool.name or ""
    if tool.type == "mcp":
        return tool.server_label
    assert_type(tool, ga.UnknownModel)
    return str(tool.type)


def of_v1(event: v1.RealtimeServerEvent, sent: v1.RealtimeClientEvent) -> None:
    if sent.type == "response.create":
        assert_type(sent, v1.RealtimeClientEventResponseCreate)
    if event.type == "response.audio.delta":
        assert_type(event, v1.RealtimeServerEventResponseAudioDelta)


Modalities = ga.RealtimeResponseCreateParams.OutputModalitiesEnum


def enums_from_strings() -> None:
    """An argument takes the enum or one of its strings; the field holds the enum."""
    params = ga.RealtimeResponseCreateParams(
        output_modalities=["text", Modalities.AUDIO], tool_choice="auto", max_output_tokens="inf"
    )
    assert_type(params.output_modalities, list[Modalities] | None)
    reasoning = ga.RealtimeReasoning(effort=ga.RealtimeReasoning.EffortEnum("new"))
    assert_type(reasoning.effort, ga.RealtimeReasoningEffort | None)
    ga.RealtimeSessionCreateRequestGA(
        output_modalities=("text",),
        truncation="auto",
        model="a-new-model",
        tool_choice=ga.ToolChoiceFunction(name="look_up"),
    )
    v1.RealtimeResponse(status="completed", output_audio_format="pcm16", max_output_tokens=5)
    ga.RealtimeFunctionTool.from_dict({"type": "function", "vendor_key": 1})


SESSION: ga.RealtimeSessionCreateRequestGAParam = {
    "type": "realtime",
    "model": "a-new-model",
    "output_modalities": ["text", ga.RealtimeSessionCreateRequestGA.OutputModalitiesEnum.AUDIO],
    "max_output_tokens": "inf",
    "tool_choice": ga.ToolChoiceOptions.AUTO,
    "tools": [{"type": "mcp", "server_label": "tools", "require_approval": "never"}],
    "audio": {
        "input": {"format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": None},
        "output": {"voice": "marin", "speed": 1.1},
    },
    "prompt": {"id": "p", "variables": {"name": "Ada", "text": {"type": "input_text", "text": ""}}},
    "truncation": {"type": "retention_ratio", "retention_ratio": 0.5},
}


def get_weather(city: str) -> str:
    """Look up the weather in a city."""
    return f"Sunny in {city}."


async def in_asyncio(conversation: Conversation) -> None:
    tool = ga.FunctionTool(get_weather)
    assert_type(tool.definition, ga.RealtimeFunctionToolParam)
    async with ga.connect("gpt-realtime-2.1", conversation=conversation, record="a") as connection:
        await connection.send({"type": "session.update", "session": SESSION})
        await connection.send(ga.UnknownEvent(type="vendor.ping"))
        if truncate := conversation.heard("i", 5.5):
            assert_type(truncate["audio_end_ms"], int)
            await connection.send(truncate)
        create = ga.user_text("Hi")
        await connection.send({"type": "response.create", "response": {"input": [create["item"]]}})


def in_threads(event: ga.RealtimeClientEventParam) -> None:
    tool = v1.FunctionTool(get_weather)
    with v1.connect_sync("m") as connection:
        connection.send({"type": "session.update", "session": {"tools": [tool.definition]}})
        assert_type(v1.user_text("Hi"), v1.RealtimeClientEventConversationItemCreateParam)
    with ga.connect_sync("gpt-realtime-2.1") as other:
        annotated(other, other, event)


def annotated(
    connection: Connection[ga.RealtimeServerEvent, ga.RealtimeClientEventParam],
    of_classes: Connection[ga.RealtimeServerEvent, ga.RealtimeClientEvent],
    event: ga.RealtimeClientEventParam,
) -> None:
    connection.send(event)
    of_classes.send(ga.RealtimeClientEventResponseCreate())


def narrowed(event: ga.RealtimeClientEventParam, made: ga.RealtimeClientEvent) -> None:
    if event["type"] == "session.update" and event["session"]["type"] == "realtime":
        assert_type(event["session"].get("instructions"), str | None)
    if event["type"] == "conversation.item.create":
        item = event["item"]
        if item["type"] == "message" and item["role"] == "user":
            assert_type(item, ga.RealtimeConversationItemMessageUserParam)
    assert_type(ga.parse_client_event(ga.to_dict(event)), ga.RealtimeClientEvent)
    assert_type(ga.to_dict(made), dict[str, Any])


async def answers(client: ApiClient) -> None:
    api = ga.RealtimeApi(client)
    api.reject_realtime_call("c", {"status_code": 486})
    api.create_realtime_client_secret(ga.RealtimeCreateClientSecretRequest())
    waiting = ga.AsyncRealtimeApi(client)
    secret = await waiting.create_realtime_client_secret({"session": SESSION}, timeout=5)
    assert_type(secret, ga.RealtimeCreateClientSecretResponse)
    answer = await waiting.create_realtime_call_with_http_info("v=0", {"type": "realtime"})
    assert_type(answer, ga.ApiResponse[str])


def answer(items: list[dict[str, object]]) -> Answer | None:
    return Answer("Hi.", calls=[Call("f", {"a": 1})]) if items else None


def received_by_the_embedded_server() -> None:
    with ReplayServer(protocol="ga", answers=["Hi.", None, Call("f")]) as server:
        created = server.sessions[0].wait_for(ga.RealtimeClientEventResponseCreate)
        assert_type(created, ga.RealtimeClientEventResponseCreate)
    with ReplayServer(protocol="v1", answers=answer) as older:
        for received in older.sessions[0].received:
            if received.type == "session.update":
                assert_type(received, v1.RealtimeClientEventSessionUpdate)
