"""Mistakes that checkers must report: each comment names the checkers that do, on its line."""

from __future__ import annotations

from openai_realtime_client import ga, v1
from openai_realtime_client.ga import Nope1  # expect: mypy, pyright
from openai_realtime_client.ga.models import Nope2  # expect: mypy, pyright
from openai_realtime_client.v1 import RealtimeTool  # expect: mypy, pyright

_ = (Nope1, Nope2, RealtimeTool)


def names() -> None:
    print(ga.Nope)  # expect: mypy, pyright
    print(v1.RealtimeMCPListTools)  # expect: mypy, pyright
    print(ga.conect)  # expect: mypy, pyright
    print(ga.RealtimeResponse.StatusEnum.DONE)  # expect: mypy, pyright
    print(ga.RealtimeServerEventError.TypeEnum.EROR)  # expect: mypy, pyright


def types(event: ga.RealtimeServerEvent, sent: ga.RealtimeClientEvent) -> None:
    if event.type == "response.dnoe":  # expect: mypy, pyright
        pass
    if event.type == "response.text.delta":  # expect: mypy, pyright
        pass
    if event.type == ga.RealtimeClientEventResponseCreate.TypeEnum.RESPONSE_CREATE:  # expect: mypy, pyright
        pass
    if sent.type == "response.done":  # expect: mypy, pyright
        pass
    match event.type:
        case "eror":  # expect: pyright
            pass
        case _:
            pass


def fields(event: ga.RealtimeServerEvent) -> None:
    print(event.delta)  # expect: mypy, pyright
    if event.type == "response.output_text.delta":
        print(event.text)  # expect: mypy, pyright
        print(event.delta + 1)  # expect: mypy, pyright
    elif event.type == "response.done":
        print(event.response.out)  # expect: mypy, pyright
        print(event.response.usage.total_tokens)  # expect: mypy, pyright
        print(len(event.response.output))  # expect: mypy, pyright
        event.response.id = 5  # expect: mypy, pyright
    elif event.type == "error":
        print(event.message)  # expect: mypy, pyright
        print(event.error.mesage)  # expect: mypy, pyright
    elif event.type == ga.RealtimeServerEventSessionCreated.TypeEnum.SESSION_CREATED:
        print(event.sesion)  # expect: mypy, pyright


def by_class(event: ga.RealtimeServerEvent) -> None:
    match event:
        case ga.RealtimeServerEventResponseDone():
            print(event.delta)  # expect: mypy, pyright
        case ga.RealtimeServerEventResponseFinished():  # expect: mypy, pyright
            pass
        case _:
            pass


def items(item: ga.RealtimeConversationItem, tool: ga.RealtimeTool) -> None:
    if item.type == "function_cal":  # expect: mypy, pyright
        pass
    if item.type == "function_call":
        print(item.argument)  # expect: mypy, pyright
    if item.type == "message" and item.role == "system":
        print(item.content.text)  # expect: mypy, pyright
    if tool.type == "function":
        print(tool.server_label)  # expect: mypy, pyright
    if tool.type == "web":  # expect: mypy, pyright
        pass


def sends() -> None:
    ga.RealtimeClientEventInputAudioBufferAppend()  # expect: mypy, pyright
    ga.RealtimeClientEventInputAudioBufferAppend(audio=b"")  # expect: mypy, pyright
    ga.RealtimeClientEventInputAudioBufferAppend(audoi="")  # expect: mypy, pyright
    ga.RealtimeClientEventResponseCreate(type="response.done")  # expect: mypy, pyright
    ga.RealtimeClientEventResponseCreate(response=ga.RealtimeResponse())  # expect: mypy, pyright
    ga.RealtimeFunctionTool(names="look_up")  # expect: mypy, pyright
    ga.RealtimeFunctionTool(parameters=["a"])  # expect: mypy, pyright
    ga.RealtimeResponseCreateParams(output_modalities=["txt"])  # expect: mypy, pyright
