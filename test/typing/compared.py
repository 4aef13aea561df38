"""The same mistakes with this package and with the official SDK, which differ in names alone.

`test_typing.py` puts the names of the SDK in place of the imports. A mistake's comment is its kind.
"""

from __future__ import annotations

# ours
from openai_realtime_client.ga import Connection as Link
from openai_realtime_client.ga import RealtimeClientEventInputAudioBufferAppend as Append
from openai_realtime_client.ga import RealtimeClientEventParam as EventParam
from openai_realtime_client.ga import RealtimeClientEventSessionUpdate as SessionUpdate
from openai_realtime_client.ga import RealtimeConversationItem as Item
from openai_realtime_client.ga import RealtimeConversationItemParam as ItemParam
from openai_realtime_client.ga import RealtimeFunctionTool as Tool
from openai_realtime_client.ga import RealtimeReasoning as Reasoning
from openai_realtime_client.ga import RealtimeResponseCreateParams as Params
from openai_realtime_client.ga import RealtimeResponseCreateParamsParam as ParamsParam
from openai_realtime_client.ga import RealtimeServerEvent as Event
from openai_realtime_client.ga import RealtimeServerEventError as ErrorEvent
from openai_realtime_client.ga import RealtimeServerEventResponseDone as DoneEvent
from openai_realtime_client.ga import RealtimeSessionCreateRequestGAParam as SessionParam
from openai_realtime_client.ga import RealtimeTurnDetectionParam as TurnsParam

Connection = Link[Event, EventParam]
# end


def types(event: Event, item: Item) -> None:
    if event.type == "response.dnoe":  # received: a type that does not exist
        pass
    if event.type == "response.text.delta":  # received: a type that does not exist
        pass
    if event.type == "session.update":  # received: a type that does not exist
        pass
    if item.type == "function_cal":  # received: a type that does not exist
        pass
    match event.type:
        case "eror":  # received: a type that does not exist
            pass
        case _:
            pass


def fields(event: Event, item: Item, error: ErrorEvent, done: DoneEvent) -> None:
    print(event.delta)  # received: a field that it does not have
    print(error.message)  # received: a field that it does not have
    print(done.response.outputs)  # received: a field that it does not have
    if event.type == "response.output_text.delta":
        print(event.text)  # received: a field that it does not have
    if event.type == "error":
        print(event.error.mesage)  # received: a field that it does not have
    if item.type == "function_call":
        print(item.argument)  # received: a field that it does not have


def uses(event: Event, done: DoneEvent) -> None:
    print(len(done.response.output))  # received: may be absent
    print(done.response.usage.total_tokens)  # received: may be absent
    if event.type == "response.output_text.delta":
        print(event.delta + 1)  # received: a wrong use of a value
    if done.response.status == "complete":  # received: a wrong use of a value
        pass


def keys(link: Connection) -> None:
    link.send({"type": "response.create", "respons": {}})  # sent: a misspelt key
    link.send({"type": "response.cancel", "responseId": "r"})  # sent: a misspelt key
    link.send({"type": "session.update", "sesion": {"type": "realtime"}})  # sent: a misspelt key
    create: ParamsParam = {"output_modality": ["text"]}  # sent: a misspelt key
    create = {"audio": {"outputs": {}}}  # sent: a misspelt key
    create = {"tools": [{"type": "function", "title": ""}]}  # sent: a misspelt key
    session: SessionParam = {"type": "realtime", "instruction": ""}  # sent: a misspelt key
    print(create, session)


def missing(link: Connection) -> None:
    link.send({"type": "session.update"})  # sent: a missing key
    link.send({"type": "input_audio_buffer.append"})  # sent: a missing key
    item: ItemParam = {"type": "message", "role": "user"}  # sent: a missing key
    item = {"type": "function_call_output", "output": ""}  # sent: a missing key
    session: SessionParam = {"instructions": ""}  # sent: a missing key
    print(item, session)


def values(link: Connection) -> None:
    link.send({"type": "response.creat"})  # sent: a wrong value
    link.send({"type": "response.done"})  # sent: a wrong value
    link.send({"type": "input_audio_buffer.append", "audio": b""})  # sent: a wrong value
    create: ParamsParam = {"output_modalities": ["txt"]}  # sent: a wrong value
    create = {"tool_choice": "automatic"}  # sent: a wrong value
    create = {"max_output_tokens": "infinite"}  # sent: a wrong value
    create = {"reasoning": {"effort": "lowest"}}  # sent: a wrong value
    create = {"instructions": ["a"]}  # sent: a wrong value
    create = {"metadata": {"key": 1}}  # sent: a wrong value
    turns: TurnsParam = {"type": "server_vad", "eagerness": "low"}  # sent: a wrong value
    turns = {"type": "semantic_vad", "eagerness": "fast"}  # sent: a wrong value
    print(create, turns)


def others(link: Connection, unchecked: dict[str, object]) -> None:
    link.send(unchecked)  # sent: no event at all
    link.send("{}")  # sent: no event at all
    link.send(None)  # sent: no event at all


def constructed() -> None:
    SessionUpdate(type="session.update")  # constructed: a missing or misspelt argument
    Append(type="input_audio_buffer.append")  # constructed: a missing or misspelt argument
    Params(output_modality=["text"])  # constructed: a missing or misspelt argument
    Tool(names="look_up")  # constructed: a missing or misspelt argument
    Append(type="input_audio_buffer.append", audio=b"")  # constructed: a wrong value
    Append(type="session.update", audio="")  # constructed: a wrong value
    Params(output_modalities=["txt"])  # constructed: a wrong value
    Params(tool_choice="automatic")  # constructed: a wrong value
    Params(max_output_tokens="infinite")  # constructed: a wrong value
    Reasoning(effort="lowest")  # constructed: a wrong value
    Tool(parameters=["a"])  # constructed: a wrong value
