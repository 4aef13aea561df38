"""What both checkers must accept and understand, beside the programs of the README and guides."""

from __future__ import annotations

from typing import Any

from typing_extensions import assert_type

from openai_realtime_client import ApiClient, Connection, Conversation, Playback, ga, v1
from openai_realtime_client.testing import Answer, Call, ReplayServer

# What is received


def by_type(event: ga.RealtimeServerEvent) -> str:
    if event.type == "response.output_text.delta":
        assert_type(event, ga.RealtimeServerEventResponseTextDelta)
        return event.delta
    if event.type == "response.done":
        assert_type(event, ga.RealtimeServerEventResponseDone)
        return ", ".join(described(item) for item in event.response.output or [])
    if event.type == "session.updated" and event.session.type == "realtime":
        assert_type(event.session, ga.RealtimeSessionCreateResponseGA)
        return event.session.instructions or ""
    if event.type == ga.RealtimeServerEventError.TypeEnum.ERROR:
        assert_type(event, ga.RealtimeServerEventError)
        return event.error.message
    match event.type:
        case "response.output_text.done":
            assert_type(event, ga.RealtimeServerEventResponseTextDone)
            return event.text
        case ga.RealtimeServerEventResponseAudioDelta.TypeEnum.RESPONSE_OUTPUT_AUDIO_DELTA:
            assert_type(event, ga.RealtimeServerEventResponseAudioDelta)
            return event.delta
        case _:
            return event.type


def described(item: ga.RealtimeConversationItem) -> str:
    if item.type == "function_call":
        assert_type(item, ga.RealtimeConversationItemFunctionCall)
        return item.arguments
    if item.type == "message" and item.role == "system":
        assert_type(item, ga.RealtimeConversationItemMessageSystem)
        return item.content[0].text or ""
    if item.type == "message":
        if item.role == "assistant":
            assert_type(item, ga.RealtimeConversationItemMessageAssistant)
        elif item.role == "user":
            assert_type(item, ga.RealtimeConversationItemMessageUser)
    return item.type


def tool(given: ga.RealtimeTool) -> str:
    if given.type == "function":
        assert_type(given, ga.RealtimeFunctionTool)
        return given.name or ""
    if given.type == "mcp":
        assert_type(given, ga.MCPTool)
        return given.server_label
    assert_type(given, ga.UnknownModel)
    return str(given.type)


def by_class(event: ga.RealtimeServerEvent) -> str:
    match event:
        case ga.RealtimeServerEventResponseTextDelta(delta=delta):
            return delta
        case ga.UnknownEvent():
            assert_type(event.milliseconds, Any)
            return f"{event.milliseconds} ms"
        case _:
            return event.type


def from_client(event: ga.RealtimeClientEvent) -> int:
    if event.type == "conversation.item.create" and event.item.type == "function_call_output":
        assert_type(event.item, ga.RealtimeConversationItemFunctionCallOutput)
        return len(event.item.output)
    if event.type == "response.create" and event.response:
        return len([tool(each) for each in event.response.tools or []])
    if isinstance(event, ga.UnknownEvent):
        assert_type(event, ga.UnknownEvent)
    return 0


def of_v1(event: v1.RealtimeServerEvent, sent: v1.RealtimeClientEvent) -> str:
    if sent.type == "response.create":
        assert_type(sent, v1.RealtimeClientEventResponseCreate)
    match event.type:
        case "response.audio.delta":
            assert_type(event, v1.RealtimeServerEventResponseAudioDelta)
            return event.delta
        case _:
            return ""


# What is constructed


Modalities = ga.RealtimeResponseCreateParams.OutputModalitiesEnum


def enums_from_strings() -> None:
    """An argument takes the enum or one of its strings; the field holds the enum."""
    params = ga.RealtimeResponseCreateParams(
        output_modalities=["text", Modalities.AUDIO], tool_choice="auto", max_output_tokens="inf"
    )
    assert_type(params.output_modalities, list[Modalities] | None)
    reasoning = ga.RealtimeReasoning(effort=ga.RealtimeReasoning.EffortEnum("new"))
    assert_type(reasoning.effort, ga.RealtimeReasoningEffort | None)
    session = ga.RealtimeSessionCreateRequestGA(
        output_modalities=("text",),
        include=["item.input_audio_transcription.logprobs"],
        truncation="auto",
        model="a-new-model",
        tool_choice=ga.ToolChoiceFunction(name="look_up"),
    )
    assert_type(session.truncation, ga.RealtimeTruncation | None)
    noise = ga.RealtimeNoiseReduction(type="near_field")
    noise.type = ga.RealtimeNoiseReduction.TypeEnum.FAR_FIELD
    v1.RealtimeSessionCreateRequest(modalities=["text", "audio"], voice="alloy")
    v1.RealtimeResponse(status="completed", output_audio_format="pcm16", max_output_tokens=5)
    ga.RealtimeFunctionTool.from_dict({"type": "function", "vendor_key": 1})


# What is sent

SESSION: ga.RealtimeSessionCreateRequestGAParam = {
    "type": "realtime",
    "model": "a-new-model",
    "output_modalities": ["text", ga.RealtimeSessionCreateRequestGA.OutputModalitiesEnum.AUDIO],
    "max_output_tokens": "inf",
    "tool_choice": ga.ToolChoiceOptions.AUTO,
    "tools": [{"type": "mcp", "server_label": "tools", "require_approval": "never"}],
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "noise_reduction": {"type": "near_field"},
            "transcription": {"model": "whisper-1"},
            "turn_detection": None,
        },
        "output": {"voice": "marin", "speed": 1.1},
    },
    "include": ["item.input_audio_transcription.logprobs"],
    "prompt": {"id": "p", "variables": {"name": "Ada", "text": {"type": "input_text", "text": ""}}},
    "truncation": {"type": "retention_ratio", "retention_ratio": 0.5},
    "tracing": {"metadata": {"a": 1}},
}


def get_weather(city: str) -> str:
    """Look up the weather in a city."""
    return f"Sunny in {city}."


async def in_asyncio(conversation: Conversation, playback: Playback) -> None:
    tool = ga.FunctionTool(get_weather)
    assert_type(tool.definition, ga.RealtimeFunctionToolParam)
    async with ga.connect("gpt-realtime-2.1", conversation=conversation, record="a") as connection:
        await connection.send({"type": "session.update", "session": SESSION})
        await connection.send(ga.UnknownEvent(type="vendor.ping"))
        if truncate := conversation.heard(playback.item_id, playback.milliseconds):
            assert_type(truncate["audio_end_ms"], int)
            await connection.send(truncate)
        for call in conversation.responses["r"].calls:
            await connection.send(await tool.run_async(call))
        create = ga.user_text("Hi")
        await connection.send({"type": "response.create", "response": {"input": [create["item"]]}})
        await connection.send(ga.user_image(b"", media_type="image/jpeg"))
        await connection.send(ga.function_output("c", {"any": ["thing"]}))


def in_threads(conversation: Conversation) -> None:
    tool = v1.FunctionTool(get_weather)
    with v1.connect_sync("m", conversation=conversation) as connection:
        connection.send({"type": "session.update", "session": {"tools": [tool.definition]}})
        if truncate := conversation.heard("i", 5.5):
            connection.send(truncate)
        connection.send(tool.run({"call_id": "c", "arguments": "{}"}))
        create = v1.user_text("Hello")
        assert_type(create, v1.RealtimeClientEventConversationItemCreateParam)
        connection.send(create)
        connection.send(v1.function_output("c", "Done."))


def annotated(
    connection: Connection[ga.RealtimeServerEvent, ga.RealtimeClientEventParam],
    of_classes: Connection[ga.RealtimeServerEvent, ga.RealtimeClientEvent],
    event: ga.RealtimeClientEventParam,
) -> None:
    connection.send(event)
    of_classes.send(ga.RealtimeClientEventResponseCreate())
    with ga.connect_sync("gpt-realtime-2.1") as other:
        annotated(other, other, event)
    with ga.connect_translation_sync("m") as translation:
        translation.send({"type": "session.close"})


def sent(event: ga.RealtimeClientEventParam, made: ga.RealtimeClientEvent) -> str:
    if event["type"] == "session.update" and event["session"]["type"] == "realtime":
        assert_type(event["session"].get("instructions"), str | None)
        for tool in event["session"].get("tools") or []:
            if tool["type"] == "function":
                assert_type(tool, ga.RealtimeFunctionToolParam)
            else:
                assert_type(tool, ga.MCPToolParam)
    if event["type"] == "conversation.item.create":
        item = event["item"]
        if item["type"] == "message" and item["role"] == "user":
            assert_type(item, ga.RealtimeConversationItemMessageUserParam)
            return "".join(part.get("text", "") for part in item["content"])
    assert_type(ga.parse_client_event(ga.to_dict(event)), ga.RealtimeClientEvent)
    assert_type(ga.to_dict(made), dict[str, Any])
    match event["type"]:
        case "conversation.item.delete":
            return "deleted"
        case other:
            return other


# HTTP


def http(client: ApiClient) -> None:
    api = ga.RealtimeApi(client)
    api.create_realtime_client_secret({"session": SESSION, "expires_after": {"seconds": 60}})
    api.create_realtime_client_secret(ga.RealtimeCreateClientSecretRequest())
    api.accept_realtime_call("c", SESSION)
    api.reject_realtime_call("c", {"status_code": 486})
    api.refer_realtime_call("c", {"target_uri": "tel:+1"})
    api.hangup_realtime_call(api.create_realtime_call("v=0", {"type": "realtime"}).id)


async def http_for_asyncio(client: ApiClient) -> None:
    api = ga.AsyncRealtimeApi(client)
    secret = await api.create_realtime_client_secret({"session": SESSION}, timeout=5)
    assert_type(secret, ga.RealtimeCreateClientSecretResponse)
    assert_type(await api.hangup_realtime_call("c", headers={"X-Call": "1"}), None)
    answer = await api.create_realtime_call_with_http_info("v=0", {"type": "realtime"})
    assert_type(answer, ga.ApiResponse[str])


# What the embedded server received has the types of its protocol


def answer(items: list[dict[str, object]]) -> Answer | None:
    return Answer("Hi.", calls=[Call("f", {"a": 1})]) if items else None


def typed_by_protocol() -> None:
    with ReplayServer(protocol="ga", answers=["Hi.", None, Call("f")]) as server:
        [session] = server.sessions
        created = session.wait_for(ga.RealtimeClientEventResponseCreate)
        assert_type(created, ga.RealtimeClientEventResponseCreate)
        event = session.wait_for("response.create")
        if event.type == "response.create":
            assert_type(event, ga.RealtimeClientEventResponseCreate)
        for sent in session.sent:
            if isinstance(sent, ga.RealtimeServerEventResponseDone):
                assert_type(sent.response, ga.RealtimeResponse)
    with ReplayServer(protocol="v1", keep_events=True) as older:
        for received in older.sessions[0].received:
            if received.type == "session.update":
                assert_type(received, v1.RealtimeClientEventSessionUpdate)
