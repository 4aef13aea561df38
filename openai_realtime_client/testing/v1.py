"""The embedded server's `realtime=v1`: the rules of GA, in the older names and shapes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from openai_realtime_client import ga, v1
from openai_realtime_client.core.errors import InvalidEventError
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing.errors import Refusal, check, error_event
from openai_realtime_client.testing.rules import RealtimeRules
from openai_realtime_client.testing.settings import Ids, returned_settings

__all__ = ["V1Rules", "ga_settings", "v1_settings"]

_FORMATS: dict[str, dict[str, Any]] = {
    "pcm16": {"type": "audio/pcm", "rate": 24000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}
_FORMAT_NAMES: dict[str, str] = {value["type"]: name for name, value in _FORMATS.items()}
_SERVER_TYPES = {
    "conversation.item.added": "conversation.item.created",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
}
_PARAMS = {"session.audio.output.voice": "session.voice"}
_SAME = ("model", "instructions", "tools", "max_output_tokens", "include")
_ONLY_RESPONSE = ("conversation", "metadata")
_HEARING = {
    "input_audio_format": "format",
    "input_audio_transcription": "transcription",
    "turn_detection": "turn_detection",
    "input_audio_noise_reduction": "noise_reduction",
}
_SPEECH = {"output_audio_format": "format", "voice": "voice"}


class V1Rules:
    """The rules of one session of `realtime=v1`: those of GA, translated both ways."""

    def __init__(self, rules: RealtimeRules, ids: Ids) -> None:
        self.is_over = False
        self._rules = rules
        self._ids = ids
        self._temperature = 0.8

    def start(self) -> Sequence[RealtimeModel]:
        """`session.created` or `transcription_session.created`, then `conversation.created`."""
        conversation = {"id": self._rules.conversation_id, "object": "realtime.conversation"}
        created = {"type": "conversation.created", "event_id": self._ids("event")}
        return [
            *self._translated(self._rules.start()),
            _v1({**created, "conversation": conversation}),
        ]

    def receive(self, event: RealtimeModel) -> Sequence[RealtimeModel]:
        """The events that answer an event of the client, errors included."""
        wire = event.to_dict()
        try:
            # The service's own examples call it so.
            check(event, allowed="response.max_output_tokens")
            request = ga.parse_client_event(json.dumps(self._to_ga(wire)))
        except Refusal as refusal:
            return self._translated([error_event(self._ids, refusal, event)])
        return self._translated(self._rules.receive(request))

    def refuse(self, error: InvalidEventError) -> Sequence[RealtimeModel]:
        """The `error` event for what is no event."""
        return self._translated(self._rules.refuse(error))

    def streams(self) -> Sequence[Iterator[RealtimeModel]]:
        """The responses that have begun since this was last asked."""
        return [self._translated_stream(stream) for stream in self._rules.streams()]

    def _translated_stream(self, stream: Iterator[RealtimeModel]) -> Iterator[RealtimeModel]:
        for event in stream:
            yield from self._translated([event])

    def _translated(self, events: Sequence[RealtimeModel]) -> list[RealtimeModel]:
        wires = (self._to_v1(event.to_dict()) for event in events)
        return [_v1(wire) for wire in wires if wire["type"] != "conversation.item.done"]

    def _to_ga(self, wire: dict[str, Any]) -> dict[str, Any]:
        kind = wire["type"]
        if kind == "transcription_session.update":
            session = {"type": "transcription", **ga_settings(wire["session"])}
            return {**wire, "type": "session.update", "session": session}
        if kind == "session.update":
            self._temperature = wire["session"].get("temperature", self._temperature)
            return {**wire, "session": {"type": "realtime", **ga_settings(wire["session"])}}
        if kind == "conversation.item.create":
            return {**wire, "item": _ga_item(wire["item"])}
        if kind == "response.create" and wire.get("response"):
            return {**wire, "response": ga_settings(wire["response"])}
        return wire

    def _to_v1(self, wire: dict[str, Any]) -> dict[str, Any]:
        kind = wire["type"]
        wire["type"] = _SERVER_TYPES.get(kind, kind)
        if "item" in wire:
            wire["item"] = _v1_item(wire["item"])
        if "response" in wire:
            wire["response"] = self._v1_response(wire["response"])
        if kind == "response.function_call_arguments.done":
            del wire["name"]
        if kind == "error":
            param = wire["error"]["param"]
            wire["error"]["param"] = _PARAMS.get(param, param)
        if kind in ("session.created", "session.updated"):
            if wire["session"]["type"] == "transcription":
                wire["type"] = f"transcription_{kind}"
            wire["session"] = self._v1_session(wire["session"], kind)
        return wire

    def _v1_session(self, session: dict[str, Any], kind: str) -> dict[str, Any]:
        settings = v1_settings(session)
        if session["type"] == "transcription":
            transcription = returned_settings(
                v1.RealtimeTranscriptionSessionCreateResponse, settings
            ).to_dict()
            # The schema has neither this event nor the id.
            created = {"id": session["id"]} if kind == "session.created" else {}
            return {**created, **transcription}
        own = {"id": session["id"], "temperature": self._temperature}
        return returned_settings(v1.RealtimeSession, {**own, **settings}).to_dict()

    def _v1_response(self, response: dict[str, Any]) -> dict[str, Any]:
        response = {**response, **v1_settings(response), "temperature": self._temperature}
        del response["audio"], response["output_modalities"]
        del response["max_response_output_tokens"]
        response["output"] = [_v1_item(item) for item in response["output"]]
        if response["usage"]:
            details = response["usage"]["input_token_details"]
            del details["image_tokens"], details["cached_tokens_details"]
        return response


def ga_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of a session or a response of v1, as many as there are, in the shape of GA."""
    found = {name: settings[name] for name in (*_SAME, *_ONLY_RESPONSE) if name in settings}
    if "modalities" in settings:
        is_audio = "audio" in settings["modalities"]
        found["output_modalities"] = ["audio"] if is_audio else ["text"]
    if "max_response_output_tokens" in settings:
        found["max_output_tokens"] = settings["max_response_output_tokens"]
    if "tool_choice" in settings:
        choice = settings["tool_choice"]
        is_mode = choice in ("none", "auto", "required")
        found["tool_choice"] = choice if is_mode else {"type": "function", "name": choice}
    if "input" in settings:
        found["input"] = [_ga_item(item) for item in settings["input"]]
    sides = {"input": _HEARING, "output": _SPEECH}
    audio = {side: _renamed(settings, names, _ga_format) for side, names in sides.items()}
    audio = {side: values for side, values in audio.items() if values}
    return {**found, "audio": audio} if audio else found


def v1_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of a session or a response of GA, as many as v1 has, in the shape of v1."""
    same = [name for name in _SAME if name in settings and name != "include"]
    found = {name: settings[name] for name in same}
    if "max_output_tokens" in settings:
        found["max_response_output_tokens"] = settings["max_output_tokens"]
    if "output_modalities" in settings:
        is_audio = "audio" in settings["output_modalities"]
        found["modalities"] = ["text", "audio"] if is_audio else ["text"]
    if "tool_choice" in settings:
        choice = settings["tool_choice"]
        found["tool_choice"] = choice if isinstance(choice, str) else choice["name"]
    sides = {"input": _HEARING, "output": _SPEECH}
    for side, names in sides.items():
        back = {new: old for old, new in names.items()}
        found |= _renamed(settings["audio"].get(side, {}), back, _v1_format)
    for name in ("input_audio_transcription", "turn_detection"):
        if found.get(name):
            found[name] = {k: v for k, v in found[name].items() if v is not None}
    return found


def _renamed(
    settings: dict[str, Any], names: dict[str, str], converted: Callable[[Any], Any]
) -> dict[str, Any]:
    return {
        new: converted(settings[old]) if "format" in old else settings[old]
        for old, new in names.items()
        if old in settings
    }


def _ga_format(name: Any) -> Any:
    return _FORMATS.get(name, name)


def _v1_format(value: dict[str, Any]) -> str:
    return _FORMAT_NAMES[value["type"]]


def _ga_item(item: dict[str, Any]) -> dict[str, Any]:
    if item.get("role") != "assistant":
        return item
    types = {"text": "output_text", "audio": "output_audio"}
    content = [
        {**part, "type": types.get(part.get("type"), part.get("type"))}
        for part in item.get("content", [])
    ]
    return {**item, "content": content}


def _v1_item(item: dict[str, Any]) -> dict[str, Any]:
    item = {"object": "realtime.item", **item}
    if "content" in item:
        item["content"] = [_v1_part(part) for part in item["content"]]
    return item


def _v1_part(part: dict[str, Any]) -> dict[str, Any]:
    part = {name: value for name, value in part.items() if value is not None}
    if "type" in part:
        part["type"] = part["type"].removeprefix("output_")
    return part


def _v1(wire: dict[str, Any]) -> RealtimeModel:
    return v1.parse_server_event(json.dumps(wire))
