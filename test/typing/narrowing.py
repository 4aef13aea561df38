"""What type checkers must accept: each way to tell events, items and parts apart narrows to one."""

from __future__ import annotations

from typing_extensions import assert_type

from openai_realtime_client import ga, v1


def server_event_by_type(event: ga.RealtimeServerEvent) -> None:
    """Tell apart with `if`, as programs for the official SDK do."""
    if event.type == "session.created":
        assert_type(event, ga.RealtimeServerEventSessionCreated)
    elif event.type == "response.output_audio.delta":
        assert_type(event, ga.RealtimeServerEventResponseAudioDelta)
        assert_type(event.delta, str)
    elif event.type == "response.done":
        assert_type(event, ga.RealtimeServerEventResponseDone)
        for item in event.response.output or []:
            output_item(item)
    elif event.type == "error":
        assert_type(event, ga.RealtimeServerEventError)


def output_item(item: ga.RealtimeConversationItem) -> None:
    """Tell items apart by type, and messages by role."""
    if item.type == "function_call":
        assert_type(item, ga.RealtimeConversationItemFunctionCall)
    elif item.type == "message":
        if item.role == "assistant":
            assert_type(item, ga.RealtimeConversationItemMessageAssistant)
        elif item.role == "user":
            assert_type(item, ga.RealtimeConversationItemMessageUser)


def server_event_by_match_of_type(event: ga.RealtimeServerEvent) -> None:
    """Tell apart with `match event.type`."""
    match event.type:
        case "input_audio_buffer.speech_started":
            assert_type(event, ga.RealtimeServerEventInputAudioBufferSpeechStarted)
        case "rate_limits.updated":
            assert_type(event, ga.RealtimeServerEventRateLimitsUpdated)
        case _:
            pass


def server_event_by_class(event: ga.RealtimeServerEvent) -> None:
    """Tell apart with `match event`; what the schema does not know is an event, too."""
    match event:
        case ga.RealtimeServerEventError():
            assert_type(event.error.message, str)
        case ga.UnknownEvent():
            if str(event.type) == "vendor.ping":
                print(event.sent_at)
        case _:
            pass


def client_event(event: ga.RealtimeClientEvent) -> None:
    """Tell what clients send apart, and tools."""
    if event.type == "session.update":
        assert_type(event, ga.RealtimeClientEventSessionUpdate)
    elif event.type == "response.create" and event.response:
        for tool in event.response.tools or []:
            if tool.type == "mcp":
                assert_type(tool, ga.MCPTool)
    elif isinstance(event, ga.UnknownEvent):
        assert_type(event, ga.UnknownEvent)


def documented_event(event: v1.RealtimeServerEvent) -> None:
    """The documented protocol narrows the same way."""
    if event.type == "response.audio.delta":
        assert_type(event, v1.RealtimeServerEventResponseAudioDelta)
