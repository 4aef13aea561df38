"""What both checkers must accept and understand, beside the programs of the README and guides."""

from __future__ import annotations

from typing import Any

from typing_extensions import assert_type

from openai_realtime_client import ApiClient, Connection, Conversation, ga, v1
from openai_realtime_client.testing import Answer, Call, ReplayServer


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
        connection.send(tool.run({"call_id": "c", "arguments": "{}"}))
        assert_type(v1.user_text("Hi"), v1.RealtimeClientEventConversationItemCreateParam)
        connection.send(v1.function_output("c", {"any": ["thing"]}))
    with ga.connect_sync("gpt-realtime-2.1") as other:
        annotated(other, other, event)


def annotated(
    connection: Connection[ga.RealtimeServerEvent, ga.RealtimeClientEventParam],
    of_classes: Connection[ga.RealtimeServerEvent, ga.RealtimeClientEvent],
    event: ga.RealtimeClientEventParam,
) -> None:
    connection.send(event)
    of_classes.send(ga.RealtimeClientEventResponseCreate())


def sent(event: ga.RealtimeClientEventParam, made: ga.RealtimeClientEvent) -> None:
    if event["type"] == "session.update" and event["session"]["type"] == "realtime":
        assert_type(event["session"].get("instructions"), str | None)
    if event["type"] == "conversation.item.create":
        item = event["item"]
        if item["type"] == "message" and item["role"] == "user":
            assert_type(item, ga.RealtimeConversationItemMessageUserParam)
    assert_type(ga.parse_client_event(ga.to_dict(event)), ga.RealtimeClientEvent)
    assert_type(ga.to_dict(made), dict[str, Any])


async def http(client: ApiClient) -> None:
    api = ga.RealtimeApi(client)
    api.accept_realtime_call("c", SESSION)
    api.reject_realtime_call("c", {"status_code": 486})
    api.create_realtime_client_secret(ga.RealtimeCreateClientSecretRequest())
    api.hangup_realtime_call(api.create_realtime_call("v=0", {"type": "realtime"}).id)
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
