"""The package and its peers, each used as its own documentation says, behind one interface.

`PARSERS` turn JSON text into an event. `senders` give, for one client event, the calls that make
its JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
import stock_client
import structs
from openai.resources.realtime.realtime import RealtimeConnection
from pydantic import BaseModel, ConfigDict, create_model

from openai_realtime_client import ga
from openai_realtime_client.core.encoding import dumped

Json = dict[str, Any]
Task = Callable[[], object]

OURS, JSON, ORJSON, MSGSPEC, SDK, STOCK = "ours", "json", "orjson", "msgspec", "SDK", "stock"
OURS_READ, OURS_DICT = "ours, read from a dictionary", "ours, a dictionary"
# What the package cannot be faster than: the compiled code below it, with nothing around.
CORE, PLAIN = "pydantic-core", "plain pydantic"


class _Socket:
    """What the SDK's connection writes to, in place of a WebSocket."""

    sent = ""

    def send(self, data: str) -> None:
        self.sent = data


_socket = _Socket()
# The very methods that `recv()` and `send()` of a live connection go through.
_sdk: Any = RealtimeConnection(_socket)  # type: ignore[arg-type]

PARSERS: dict[str, Callable[[str | bytes], Any]] = {
    OURS: ga.parse_server_event,
    JSON: json.loads,
    ORJSON: orjson.loads,
    MSGSPEC: msgspec.json.Decoder(structs.ServerEvent).decode,
    SDK: _sdk.parse_event,
    STOCK: stock_client.RealtimeServerEvent.from_json,
}


def bound() -> Callable[[str | bytes], Any]:
    """What `parse_server_event` calls for the types that were parsed before."""
    parser: Any = ga.events._realtime_server_event  # type: ignore[attr-defined]
    validate: Callable[[str | bytes], Any] = parser._validator.validate_json
    return validate


_STOCK_SENT = {
    "input_audio_buffer.append": stock_client.RealtimeClientEventInputAudioBufferAppend,
    "session.update": stock_client.RealtimeClientEventSessionUpdate,
    "response.create": stock_client.RealtimeClientEventResponseCreate,
}


def senders(event: Json) -> dict[str, Task]:
    """For each contender, what makes the JSON of a client event.

    The package, msgspec and plain pydantic construct the event, part by part, and dump it; json,
    orjson and the SDK are given the finished dictionary. The package sends and reads one, too,
    beside that. The stock client reads one, because its unions can hardly be constructed.
    """
    text = json.dumps(event)
    parsed = ga.parse_client_event(text)
    ours, plain = constructor(parsed), constructor(plain_pydantic(parsed))
    from_dict = type(parsed).from_dict
    struct = constructor(msgspec.json.decode(text, type=structs.ClientEvent))
    encode = msgspec.json.Encoder().encode
    stock = _STOCK_SENT[event["type"]]
    return {
        OURS: lambda: ours().to_json(),
        OURS_READ: lambda: from_dict(event).to_json(),
        OURS_DICT: lambda: dumped(event),
        PLAIN: lambda: plain().model_dump_json(exclude_unset=True),
        JSON: lambda: json.dumps(event),
        ORJSON: lambda: orjson.dumps(event),
        MSGSPEC: lambda: encode(struct()),
        SDK: lambda: _sdk.send(event),
        STOCK: lambda: stock.from_dict(event).to_json(),
    }


def plain_pydantic(node: Any) -> Any:
    """The same of pydantic's own classes, with as many fields."""
    if isinstance(node, list):
        return [plain_pydantic(each) for each in node]
    if not isinstance(node, BaseModel):
        return node
    values = {name: plain_pydantic(getattr(node, name)) for name in node.model_fields_set}
    fields: dict[str, Any] = {
        name: (type(values.get(name)) | None, None) for name in type(node).model_fields
    }
    made = create_model(type(node).__name__, __config__=ConfigDict(extra="allow"), **fields)
    return made(**values)


def constructor(event: Any) -> Callable[[], Any]:
    """The function that one would write by hand to construct an event, class by class."""
    values: dict[str, Any] = {}
    expression = _expression(event, values)
    return eval(f"lambda: {expression}", values)  # type: ignore[no-any-return]


def _expression(node: Any, values: dict[str, Any]) -> str:
    if isinstance(node, list):
        return f"[{', '.join(_expression(item, values) for item in node)}]"
    if isinstance(node, (BaseModel, msgspec.Struct)):
        fields = [
            f"{name}={_expression(getattr(node, name), values)}"
            for name, default in _defaults(node).items()
            if getattr(node, name) != default
        ]
        return f"{_name(type(node), values)}({', '.join(fields)})"
    return _name(node, values)


def _defaults(node: BaseModel | msgspec.Struct) -> dict[str, Any]:
    if isinstance(node, BaseModel):
        return {name: field.default for name, field in type(node).model_fields.items()}
    return {field.name: field.default for field in msgspec.structs.fields(node)}


def _name(value: Any, values: dict[str, Any]) -> str:
    name = f"value_{len(values)}"
    values[name] = value
    return name


def check_parsers(event: Json) -> None:
    """Fail unless every contender makes the event of it, or else its time would mean nothing."""
    for name, parse in PARSERS.items():
        parsed = parse(json.dumps(event))
        if _kind(parsed) != event["type"]:
            raise RuntimeError(f"{name} parses {event['type']} as {parsed!r:.100}")


def check_senders(event: Json) -> None:
    """Fail unless every contender makes the event's JSON; the stock client adds its defaults."""
    for name, send in senders(event).items():
        text: Any = send() or _socket.sent
        sent = json.loads(text)
        if sent != event and not (name == STOCK and sent["type"] == event["type"]):
            raise RuntimeError(f"{name} sends {event['type']} as {text!r:.100}")


def _kind(parsed: Any) -> str:
    if isinstance(parsed, dict):
        return str(parsed["type"])
    if isinstance(parsed, msgspec.Struct):
        return str(parsed.__struct_config__.tag)
    return str(getattr(parsed, "actual_instance", parsed).type)
