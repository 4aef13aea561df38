"""Mistakes that checkers must report: each comment names the checkers that do, on its line."""

from __future__ import annotations

from openai_realtime_client import ga, v1
from openai_realtime_client.ga import Nope1  # error: mypy, pyright
from openai_realtime_client.ga.models import Nope2  # error: mypy, pyright
from openai_realtime_client.v1 import RealtimeTool  # error: mypy, pyright

__all__ = ["Nope1", "Nope2", "RealtimeTool"]


def names() -> None:
    print(ga.Nope)  # error: mypy, pyright
    print(v1.RealtimeMCPListTools)  # error: mypy, pyright
    print(ga.conect)  # error: mypy, pyright
    print(ga.RealtimeResponse.StatusEnum.DONE)  # error: mypy, pyright
    print(ga.RealtimeServerEventError.TypeEnum.EROR)  # error: mypy, pyright


def types(event: ga.RealtimeServerEvent, sent: ga.RealtimeClientEvent) -> None:
    if event.type == "response.dnoe":  # error: mypy, pyright
        pass
    if event.type == "response.text.delta":  # error: mypy, pyright
        pass
    if event.type == ga.RealtimeFunctionTool.TypeEnum.FUNCTION:  # error: mypy, pyright
        pass
    if sent.type == "response.done":  # error: mypy, pyright
        pass
    match event.type:
        case "eror":  # error: pyright
            pass
        case _:
            pass


def fields(event: ga.RealtimeServerEvent) -> None:
    print(event.delta)  # error: mypy, pyright
    if event.type == "response.output_text.delta":
        print(event.text)  # error: mypy, pyright
        print(event.delta + 1)  # error: mypy, pyright
    elif event.type == "response.done":
        print(event.response.out)  # error: mypy, pyright
        print(event.response.usage.total_tokens)  # error: mypy, pyright
        print(len(event.response.output))  # error: mypy, pyright
        event.response.id = 5  # error: mypy, pyright
    elif event.type == "error":
        print(event.message)  # error: mypy, pyright
        print(event.error.mesage)  # error: mypy, pyright
    elif event.type == ga.RealtimeServerEventSessionCreated.TypeEnum.SESSION_CREATED:
        print(event.sesion)  # error: mypy, pyright


def by_class(event: ga.RealtimeServerEvent) -> None:
    match event:
        case ga.RealtimeServerEventResponseDone():
            print(event.delta)  # error: mypy, pyright
        case ga.RealtimeServerEventResponseFinished():  # error: mypy, pyright
            pass
        case _:
            pass


def items(item: ga.RealtimeConversationItem, tool: ga.RealtimeTool) -> None:
    if item.type == "function_cal":  # error: mypy, pyright
        pass
    if item.type == "function_call":
        print(item.argument)  # error: mypy, pyright
    if item.type == "message" and item.role == "system":
        print(item.content.text)  # error: mypy, pyright
    if tool.type == "function":
        print(tool.server_label)  # error: mypy, pyright
    if tool.type == "web":  # error: mypy, pyright
        pass


def sends() -> None:
    ga.RealtimeClientEventInputAudioBufferAppend()  # error: mypy, pyright
    ga.RealtimeClientEventInputAudioBufferAppend(audio=b"")  # error: mypy, pyright
    ga.RealtimeClientEventInputAudioBufferAppend(audoi="")  # error: mypy, pyright
    ga.RealtimeClientEventResponseCreate(type="response.done")  # error: mypy, pyright
    ga.RealtimeClientEventResponseCreate(response=ga.RealtimeResponse())  # error: mypy, pyright
    ga.RealtimeFunctionTool(names="look_up")  # error: mypy, pyright
    ga.RealtimeFunctionTool(parameters=["a"])  # error: mypy, pyright
    ga.RealtimeResponseCreateParams(output_modalities=["txt"])  # error: mypy, pyright


def enums() -> None:
    ga.RealtimeReasoning(effort="lowest")  # error: mypy, pyright
    ga.RealtimeReasoning(efort="low")  # error: mypy, pyright
    ga.RealtimeResponseCreateParams(tool_choice="atuo")  # error: mypy, pyright
    ga.RealtimeResponseCreateParams(output_modalities="text")  # error: mypy, pyright
    ga.RealtimeResponseCreateParams(max_output_tokens="infinite")  # error: mypy, pyright
    ga.RealtimeSessionCreateRequestGA(include=["item.logprobs"])  # error: mypy, pyright
    ga.RealtimeNoiseReduction(type="near")  # error: mypy, pyright
    v1.RealtimeResponse(status="complete")  # error: mypy, pyright
    response = v1.RealtimeResponse(status="completed")
    print(response.status.is_known)  # error: mypy, pyright
    response.status = "completed"  # error: mypy, pyright
    print(ga.RealtimeReasoning.EffortEnum.LOWEST)  # error: mypy, pyright
