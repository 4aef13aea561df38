"""What type checkers must accept of what is sent as dictionaries."""

from __future__ import annotations

from typing import Any, cast

from typing_extensions import assert_type

from openai_realtime_client import ApiClient, Connection, Conversation, Playback, ga, v1

TOOL: ga.RealtimeFunctionToolParam = {
    "type": "function",
    "name": "look_up",
    "parameters": {"type": "object", "properties": {"word": {"type": "string"}}},
}
SESSION: ga.RealtimeSessionCreateRequestGAParam = {
    "type": "realtime",
    "model": "a-new-model",
    "instructions": "Be brief.",
    "output_modalities": ["text"],
    "max_output_tokens": "inf",
    "tool_choice": "auto",
    "tools": [TOOL, {"type": "mcp", "server_label": "tools", "require_approval": "never"}],
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


class VendorSession(ga.RealtimeSessionCreateRequestGAParam, total=False):
    """A vendor's own key, declared by the user."""

    vendor_timeout: int


async def send_events() -> None:
    async with ga.connect("gpt-realtime-2.1") as connection:
        await connection.send({"type": "session.update", "session": SESSION})
        await connection.send(
            {"type": "session.update", "session": {"type": "realtime", "instructions": "Be brief."}}
        )
        await connection.send({"type": "response.create"})
        await connection.send({"type": "response.create", "response": {"metadata": None}})
        await connection.send({"type": "input_audio_buffer.append", "audio": "AAAA"})
        await connection.send(
            {
                "type": "conversation.item.create",
                "item": {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "Hello"}],
                },
            }
        )
        await connection.send(
            {
                "type": "conversation.item.create",
                "item": {"type": "function_call_output", "call_id": "c", "output": "{}"},
            }
        )
        await connection.send(ga.user_text("Hello"))
        session: VendorSession = {"type": "realtime", "vendor_timeout": 5}
        await connection.send({"type": "session.update", "session": session})
        await connection.send(cast(ga.RealtimeClientEventParam, {"type": "vendor.ping"}))
        await connection.send(ga.UnknownEvent(type="vendor.ping"))


def get_weather(city: str) -> str:
    """Look up the weather in a city."""
    return f"Sunny in {city}."


async def in_asyncio(conversation: Conversation, playback: Playback) -> None:
    tool = ga.FunctionTool(get_weather)
    assert_type(tool.definition, ga.RealtimeFunctionToolParam)
    session: ga.RealtimeSessionUpdateParam = {"type": "realtime", "tools": [tool.definition]}
    async with ga.connect("gpt-realtime-2.1", conversation=conversation, record="a") as connection:
        await connection.send({"type": "session.update", "session": session})
        if truncate := conversation.heard(playback.item_id, playback.milliseconds):
            assert_type(truncate["audio_end_ms"], int)
            await connection.send(truncate)
        for call in conversation.responses["r"].calls:
            await connection.send(tool.run(call))
            await connection.send(await tool.run_async(call))
        create = ga.user_text("Hi")
        assert_type(create, ga.RealtimeClientEventConversationItemCreateParam)
        await connection.send({"type": "response.create", "response": {"input": [create["item"]]}})
        await connection.send(ga.user_image(b"", media_type="image/jpeg"))
        await connection.send(ga.user_image("https://example.com/a.png"))
        await connection.send(ga.user_audio(b""))
        await connection.send(ga.function_output("c", {"any": ["thing"]}))


def in_threads(conversation: Conversation) -> None:
    tool = v1.FunctionTool(get_weather)
    assert_type(tool.definition, v1.RealtimeResponseCreateParamsToolParam)
    session: v1.RealtimeSessionCreateRequestParam = {"tools": [tool.definition]}
    with v1.connect_sync("m", conversation=conversation) as connection:
        connection.send({"type": "session.update", "session": session})
        if truncate := conversation.heard("i", 5.5):
            connection.send(truncate)
        connection.send(tool.run({"call_id": "c", "arguments": "{}"}))
        create = v1.user_text("Hello")
        assert_type(create, v1.RealtimeClientEventConversationItemCreateParam)
        connection.send(create)
        connection.send(v1.user_audio(b""))
        connection.send(v1.function_output("c", "Done."))


def annotated(
    connection: Connection[ga.RealtimeServerEvent, ga.RealtimeClientEventParam],
    event: ga.RealtimeClientEventParam,
) -> None:
    connection.send(event)
    with (
        ga.connect_sync("gpt-realtime-2.1") as other,
        ga.connect_translation_sync("m") as translation,
    ):
        annotated(other, event)
        by_class(other)
        translation.send({"type": "session.close"})


def by_class(connection: Connection[ga.RealtimeServerEvent, ga.RealtimeClientEvent]) -> None:
    connection.send(ga.RealtimeClientEventResponseCreate())


def of_v1() -> None:
    with v1.connect_sync("gpt-4o-realtime-preview") as connection:
        connection.send({"type": "session.update", "session": {"modalities": ["text"]}})


def http(client: ApiClient) -> None:
    api = ga.RealtimeApi(client)
    api.create_realtime_client_secret({"session": SESSION, "expires_after": {"seconds": 60}})
    api.create_realtime_client_secret(ga.RealtimeCreateClientSecretRequest())
    api.accept_realtime_call("c", SESSION)
    api.reject_realtime_call("c", {"status_code": 486})
    api.refer_realtime_call("c", {"target_uri": "tel:+1"})
    api.create_realtime_call("v=0", {"type": "realtime"})


async def http_for_asyncio(client: ApiClient) -> None:
    api = ga.AsyncRealtimeApi(client)
    secret = await api.create_realtime_client_secret({"session": SESSION}, timeout=5)
    assert_type(secret, ga.RealtimeCreateClientSecretResponse)
    assert_type(await api.hangup_realtime_call("c", headers={"X-Call": "1"}), None)
    answer = await api.create_realtime_call_with_http_info("v=0", {"type": "realtime"})
    assert_type(answer, ga.ApiResponse[str])


def with_enums() -> ga.RealtimeResponseCreateParamsParam:
    text = ga.RealtimeResponseCreateParams.OutputModalitiesEnum.TEXT
    return {"output_modalities": [text], "tool_choice": ga.ToolChoiceOptions.AUTO}


def events(event: ga.RealtimeClientEventParam) -> str:
    if event["type"] == "input_audio_buffer.append":
        assert_type(event, ga.RealtimeClientEventInputAudioBufferAppendParam)
        return event["audio"]
    if event["type"] == "session.update" and event["session"]["type"] == "realtime":
        assert_type(event["session"].get("instructions"), str | None)
        return ", ".join(map(tools, event["session"].get("tools") or []))
    if event["type"] == "conversation.item.create":
        return items(event["item"])
    return event["type"]


def by_match(event: ga.RealtimeClientEventParam) -> str:
    match event["type"]:
        case "conversation.item.delete":
            return "deleted"
        case other:
            return other


def items(item: ga.RealtimeConversationItemParam) -> str:
    if item["type"] == "function_call_output":
        assert_type(item, ga.RealtimeConversationItemFunctionCallOutputParam)
        return item["output"]
    if item["type"] == "message" and item["role"] == "user":
        assert_type(item, ga.RealtimeConversationItemMessageUserParam)
        return "".join(part.get("text", "") for part in item["content"])
    return item["type"]


def tools(tool: ga.RealtimeToolParam) -> str:
    if tool["type"] == "function":
        assert_type(tool, ga.RealtimeFunctionToolParam)
        return tool.get("name", "")
    assert_type(tool, ga.MCPToolParam)
    return tool["server_label"]


def turns(detection: ga.RealtimeTurnDetectionParam | None) -> float:
    if detection is None or detection["type"] == "semantic_vad":
        return 0
    assert_type(detection, ga.RealtimeTurnDetectionServerVadParam)
    return detection.get("threshold", 0.5)


def plain(event: ga.RealtimeClientEventParam, made: ga.RealtimeClientEvent) -> dict[str, Any]:
    assert_type(ga.parse_client_event(ga.to_dict(event)), ga.RealtimeClientEvent)
    ga.parse_client_event(event)
    return ga.to_dict(made)


def hang_up(api: ga.RealtimeApi) -> None:
    call = api.create_realtime_call("v=0")
    api.hangup_realtime_call(call.id)
