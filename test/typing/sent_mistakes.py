"""Mistakes in what is sent that checkers must report: each comment names the checkers that do."""

from __future__ import annotations

from typing import Any

from openai_realtime_client import ApiClient, Connection, Conversation, ga, v1

Link = Connection[ga.RealtimeServerEvent, ga.RealtimeClientEventParam]


def keys(connection: Link) -> None:
    connection.send({"type": "response.create", "respons": {}})  # error: mypy, pyright
    connection.send({"type": "response.cancel", "responseId": "r"})  # error: mypy, pyright
    connection.send({"typ": "response.cancel"})  # error: mypy, pyright
    session: ga.RealtimeSessionUpdateParam = {"type": "realtime"}
    connection.send({"type": "session.update", "sesion": session})  # error: mypy, pyright
    print(session["instruction"])  # error: mypy, pyright


def nested_keys(connection: Link) -> None:
    create: ga.RealtimeResponseCreateParamsParam
    create = {"output_modality": ["text"]}  # error: mypy, pyright
    create = {"audio": {"outputs": {}}}  # error: mypy, pyright
    create = {"tools": [{"type": "function", "title": ""}]}  # error: mypy, pyright
    create = {"metadata": {"key": 1}}  # error: mypy, pyright
    create = {"instruction": ""}  # error: mypy, pyright
    connection.send({"type": "response.create", "response": create})


def missing(connection: Link) -> None:
    connection.send({})  # error: mypy, pyright
    connection.send({"type": "session.update"})  # error: mypy, pyright
    connection.send({"type": "input_audio_buffer.append"})  # error: mypy, pyright
    connection.send({"type": "session.update", "session": {}})  # error: mypy, pyright
    item: ga.RealtimeConversationItemParam
    item = {"type": "message", "role": "user"}  # error: mypy, pyright
    item = {"type": "function_call_output", "output": ""}  # error: mypy, pyright
    item = {"role": "user", "content": []}  # error: mypy, pyright
    connection.send({"type": "conversation.item.create", "item": item})


def values(connection: Link) -> None:
    connection.send({"type": "response.creat"})  # error: mypy, pyright
    connection.send({"type": "response.done"})  # error: mypy, pyright
    connection.send({"type": "input_audio_buffer.append", "audio": b""})  # error: mypy, pyright
    create: ga.RealtimeResponseCreateParamsParam
    create = {"output_modalities": ["txt"]}  # error: mypy, pyright
    create = {"output_modalities": "text"}  # error: mypy, pyright
    create = {"tool_choice": "automatic"}  # error: mypy, pyright
    create = {"max_output_tokens": "infinite"}  # error: mypy, pyright
    create = {"instructions": 1}  # error: mypy, pyright
    create = {"tools": [{"type": "functions", "name": ""}]}  # error: mypy, pyright
    create = {"reasoning": {"effort": "lowest"}}  # error: mypy, pyright
    connection.send({"type": "response.create", "response": create})
    turns: ga.RealtimeTurnDetectionParam
    turns = {"type": "server_vad", "eagerness": "low"}  # error: mypy, pyright
    turns = {"type": "semantic_vad", "eagerness": "fast"}  # error: mypy, pyright
    print(turns)


def others(connection: Link, unchecked: dict[str, Any], old: v1.RealtimeClientEventParam) -> None:
    connection.send(unchecked)  # error: mypy, pyright
    connection.send(old)  # error: mypy, pyright
    connection.send("{}")  # error: mypy, pyright
    connection.send(None)  # error: mypy, pyright
    with ga.connect_sync("gpt-realtime-2.1") as opened:
        opened.send(unchecked)  # error: mypy, pyright
        opened.send(ga.RealtimeSession())  # error: mypy, pyright
        opened.send({"type": "vendor.ping"})  # error: mypy, pyright
    with ga.connect_translation_sync("m") as translation:
        translation.send({"type": "response.create"})  # error: mypy, pyright


def built(connection: Link, conversation: Conversation) -> None:
    connection.send(v1.user_text("Hello"))  # error: mypy, pyright
    connection.send(ga.user_text(b"Hello"))  # error: mypy, pyright
    print(v1.user_image(b""))  # error: mypy, pyright
    connection.send(conversation.heard("i", 5))  # error: mypy, pyright
    if truncate := conversation.heard("i", 5):
        print(truncate["audio_end"])  # error: mypy, pyright
    ga.connect_sync("m", conversation={})  # error: mypy, pyright


def http(client: ApiClient, unchecked: dict[str, Any]) -> None:
    api = ga.RealtimeApi(client)
    api.create_realtime_client_secret({"sesion": {"type": "realtime"}})  # error: mypy, pyright
    api.create_realtime_client_secret({"expires_after": {"seconds": "1"}})  # error: mypy, pyright
    api.create_realtime_client_secret(unchecked)  # error: mypy, pyright
    api.accept_realtime_call("c", {"instructions": ""})  # error: mypy, pyright
    api.accept_realtime_call("c", ga.RealtimeSession())  # error: mypy, pyright
    api.refer_realtime_call("c", {})  # error: mypy, pyright
    api.reject_realtime_call("c", {"status": 486})  # error: mypy, pyright
    v1.RealtimeApi(client).create_realtime_session({"type": "realtime"})  # error: mypy, pyright


async def http_for_asyncio(client: ApiClient) -> None:
    api = ga.AsyncRealtimeApi(client)
    await api.create_realtime_client_secret({"sesion": {}})  # error: mypy, pyright
    await api.hangup_realtime_call()  # error: mypy, pyright
    await api.hangup_realtime_call("c", timout=5)  # error: mypy, pyright
    await api.hang_up("c")  # error: mypy, pyright
    print((await api.create_realtime_call("v=0")).dta)  # error: mypy, pyright
