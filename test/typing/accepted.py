"""What users write, and what both checkers must accept and understand."""

from __future__ import annotations

from typing import Any

from typing_extensions import assert_type

from openai_realtime_client import ga, v1


def by_type(event: ga.RealtimeServerEvent) -> str:
    if event.type == "response.output_text.delta":
        assert_type(event, ga.RealtimeServerEventResponseTextDelta)
        return event.delta
    if event.type == "response.done":
        assert_type(event, ga.RealtimeServerEventResponseDone)
        return ", ".join(described(item) for item in event.response.output or [])
    if event.type == "error":
        assert_type(event, ga.RealtimeServerEventError)
        return event.error.message
    if event.type == "session.created":
        assert_type(event, ga.RealtimeServerEventSessionCreated)
    if event.type == "session.updated" and event.session.type == "realtime":
        assert_type(event.session, ga.RealtimeSessionCreateResponseGA)
        return event.session.instructions or ""
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
    if item.type == "mcp_call":
        assert_type(item, ga.RealtimeMCPToolCall)
        return item.server_label
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


def by_enum(event: ga.RealtimeServerEvent) -> str:
    if event.type == ga.RealtimeServerEventError.TypeEnum.ERROR:
        assert_type(event, ga.RealtimeServerEventError)
        return event.error.message
    match event.type:
        case ga.RealtimeServerEventResponseTextDelta.TypeEnum.RESPONSE_OUTPUT_TEXT_DELTA:
            assert_type(event, ga.RealtimeServerEventResponseTextDelta)
            return event.delta
        case _:
            return ""


def by_match_of_type(event: ga.RealtimeServerEvent) -> str:
    match event.type:
        case "response.output_text.delta":
            assert_type(event, ga.RealtimeServerEventResponseTextDelta)
            return event.delta
        case "error":
            assert_type(event, ga.RealtimeServerEventError)
            return event.error.message
        case _:
            return ""


def by_class(event: ga.RealtimeServerEvent) -> str:
    match event:
        case ga.RealtimeServerEventResponseTextDelta(delta=delta):
            return delta
        case ga.RealtimeServerEventError():
            return event.error.message
        case ga.UnknownEvent():
            return vendors(event)
        case _:
            return event.type


def vendors(event: ga.UnknownEvent) -> str:
    if str(event.type) == "vendor.latency":
        assert_type(event.milliseconds, Any)
        return f"{event.milliseconds} ms"
    match str(event.type):
        case "vendor.warning":
            return str(event.text)
        case _:
            return ""


def by_isinstance(event: ga.RealtimeServerEvent) -> None:
    if isinstance(event, ga.UnknownEvent) and str(event.type).startswith("vendor."):
        assert_type(event, ga.UnknownEvent)


def from_client(event: ga.RealtimeClientEvent) -> int:
    if event.type == "input_audio_buffer.append":
        assert_type(event, ga.RealtimeClientEventInputAudioBufferAppend)
        return len(event.audio)
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


def status(response: ga.RealtimeResponse) -> str:
    if response.status == ga.RealtimeResponse.StatusEnum.FAILED:
        return "failed"
    return "new" if response.status and not response.status.is_known else "known"


class Extended(ga.RealtimeFunctionTool):
    """A vendor's own key, declared by the user."""

    vendor_timeout: int | None = None


def enums_from_strings() -> None:
    """An argument takes the enum or one of its strings; the field holds the enum."""
    params = ga.RealtimeResponseCreateParams(
        output_modalities=["text", ga.RealtimeResponseCreateParams.OutputModalitiesEnum.AUDIO],
        tool_choice="auto",
        max_output_tokens="inf",
        conversation="none",
        reasoning=ga.RealtimeReasoning(effort="low"),
    )
    assert_type(
        params.output_modalities, list[ga.RealtimeResponseCreateParams.OutputModalitiesEnum] | None
    )
    print(all(each.is_known for each in params.output_modalities or []))
    reasoning = ga.RealtimeReasoning(effort=ga.RealtimeReasoning.EffortEnum("new"))
    assert_type(reasoning.effort, ga.RealtimeReasoningEffort | None)
    print(reasoning.effort and reasoning.effort.is_known)
    session = ga.RealtimeSessionCreateRequestGA(
        output_modalities=("text",),
        include=["item.input_audio_transcription.logprobs"],
        truncation="auto",
        tracing="auto",
        model="a-new-model",
        tool_choice=ga.ToolChoiceFunction(name="look_up"),
    )
    assert_type(session.truncation, ga.RealtimeTruncation | None)
    noise = ga.RealtimeNoiseReduction(type="near_field")
    noise.type = ga.RealtimeNoiseReduction.TypeEnum.FAR_FIELD
    v1.RealtimeSessionCreateRequest(modalities=["text", "audio"], voice="alloy")
    v1.RealtimeResponse(status="completed", output_audio_format="pcm16", max_output_tokens=5)


def sent() -> list[ga.RealtimeModel]:
    return [
        ga.RealtimeClientEventResponseCreate(),
        ga.RealtimeClientEventInputAudioBufferAppend(audio="AAAA"),
        ga.RealtimeFunctionTool.from_dict({"type": "function", "vendor_key": 1}),
        Extended(name="look_up", vendor_timeout=5),
    ]
