"""The embedded server's `realtime=v1`: the rules of GA, in the older names and shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from openai_realtime_client import v1
from openai_realtime_client.core.json_types import at, is_object
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing.errors import check
from openai_realtime_client.testing.rules import RealtimeRules
from openai_realtime_client.testing.settings import Event, returned_settings

__all__ = ["V1Rules", "ga_settings", "v1_settings"]

_EVENTS = {
    "conversation.item.added": "conversation.item.created",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
}
# Where GA has a setting of v1; what has the same name in both is in `_SAME`.
_SETTINGS = {
    "modalities": "output_modalities",
    "max_response_output_tokens": "max_output_tokens",
    "input_audio_format": "audio.input.format",
    "input_audio_transcription": "audio.input.transcription",
    "input_audio_noise_reduction": "audio.input.noise_reduction",
    "turn_detection": "audio.input.turn_detection",
    "output_audio_format": "audio.output.format",
    "voice": "audio.output.voice",
}
_SAME = ("model", "instructions", "tools", "tool_choice")
_ONLY_SENT = ("max_output_tokens", "include", "conversation", "metadata")
_FORMATS: dict[Any, Event] = {
    "pcm16": {"type": "audio/pcm", "rate": 24000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}
_FORMAT_NAMES: dict[Any, str] = {value["type"]: name for name, value in _FORMATS.items()}
_MODES = ("none", "auto", "required")


class V1Rules(RealtimeRules):
    """The rules of one session of `realtime=v1`: those of GA, translated both ways."""

    _temperature = 0.8

    def start(self) -> Sequence[Event]:
        """`session.created` or `transcription_session.created`, then `conversation.created`."""
        conversation = {"id": self._conversation.id, "object": "realtime.conversation"}
        created = self._ids.event("conversation.created", conversation=conversation)
        return [*super().start(), created]

    def _checked(self, event: RealtimeModel) -> Event:
        # The service's own examples name this field so.
        return self._to_ga(check(event, allowed="response.max_output_tokens"))

    def sent(self, event: Event) -> Event | None:
        """An event in the names and shapes of v1."""
        return None if event["type"] == "conversation.item.done" else self._to_v1(event)

    def _to_ga(self, wire: Event) -> Event:
        kind = wire["type"]
        if kind == "transcription_session.update":
            session = {"type": "transcription", **ga_settings(wire["session"])}
            return {**wire, "type": "session.update", "session": session}
        if kind == "session.update":
            self._temperature = wire["session"].get("temperature") or self._temperature
            return {**wire, "session": {"type": "realtime", **ga_settings(wire["session"])}}
        if kind == "conversation.item.create":
            return {**wire, "item": _ga_item(wire["item"])}
        if kind == "response.create" and wire.get("response"):
            return {**wire, "response": ga_settings(wire["response"])}
        return wire

    def _to_v1(self, event: Event) -> Event:
        kind = event["type"]
        wire: Event = {**event, "type": _EVENTS.get(kind, kind)}
        if "item" in wire:
            wire["item"] = _v1_item(wire["item"])
        if "response" in wire:
            wire["response"] = self._v1_response(wire["response"])
        if kind == "response.function_call_arguments.done":
            del wire["name"]
        if kind == "error":
            wire["error"] = {**wire["error"], "param": _v1_path(wire["error"]["param"])}
        if kind in ("session.created", "session.updated"):
            if wire["session"]["type"] == "transcription":
                wire["type"] = f"transcription_{kind}"
            wire["session"] = self._v1_session(wire["session"], kind)
        return wire

    def _v1_session(self, session: Event, kind: str) -> Event:
        settings = v1_settings(session)
        if session["type"] == "transcription":
            transcription = v1.RealtimeTranscriptionSessionCreateResponse
            # The schema has neither this event nor the id.
            created = {"id": session["id"]} if kind == "session.created" else {}
            return {**created, **returned_settings(transcription, settings)}
        own = {"id": session["id"], "temperature": self._temperature}
        return returned_settings(v1.RealtimeSession, {**own, **settings})

    def _v1_response(self, response: Event) -> Event:
        wire = {**response, **v1_settings(response), "temperature": self._temperature}
        for name in ("audio", "output_modalities", "max_response_output_tokens"):
            del wire[name]
        wire["output"] = [_v1_item(item) for item in response["output"]]
        details: Any = at(response, "usage", "input_token_details")
        if is_object(details):
            names = ("image_tokens", "cached_tokens_details")
            details = {name: value for name, value in details.items() if name not in names}
            wire["usage"] = {**response["usage"], "input_token_details": details}
        return wire


def ga_settings(settings: Event) -> Event:
    """Settings of a session or a response of v1, as many as there are, in the shape of GA."""
    found = {name: settings[name] for name in (*_SAME, *_ONLY_SENT) if name in settings}
    for old, path in _SETTINGS.items():
        if old in settings:
            *parents, last = path.split(".")
            place: Event = found
            for name in parents:
                place = place.setdefault(name, {})
            place[last] = _ga_value(old, settings[old])
    if choice := found.get("tool_choice"):
        is_mode = choice in _MODES
        found["tool_choice"] = choice if is_mode else {"type": "function", "name": choice}
    if settings.get("input") is not None:
        found["input"] = [_ga_item(item) for item in settings["input"]]
    return found


def v1_settings(settings: Event) -> Event:
    """Settings of a session or a response of GA, as many as v1 has, in the shape of v1."""
    found = {name: settings[name] for name in _SAME if name in settings}
    for old, path in _SETTINGS.items():
        *parents, last = path.split(".")
        place: Any = at(settings, *parents)
        if is_object(place) and last in place:
            found[old] = _v1_value(old, place[last])
    if "tool_choice" in found and not isinstance(found["tool_choice"], str):
        found["tool_choice"] = found["tool_choice"]["name"]
    return found


def _ga_value(name: str, value: Any) -> Any:
    if name == "modalities" and value is not None:
        return ["audio"] if "audio" in value else ["text"]
    return _FORMATS.get(value, value) if "format" in name else value


def _v1_value(name: str, value: Any) -> Any:
    if name == "modalities":
        return ["text", "audio"] if "audio" in value else ["text"]
    if "format" in name:
        return _FORMAT_NAMES[value["type"]]
    if name in ("input_audio_transcription", "turn_detection") and value:
        return {key: each for key, each in value.items() if each is not None}
    return value


def _v1_path(param: str | None) -> str | None:
    for old, path in _SETTINGS.items():
        if param == f"session.{path}":
            return f"session.{old}"
    return param


def _ga_item(item: Event) -> Event:
    if item.get("role") != "assistant":
        return item
    types = {"text": "output_text", "audio": "output_audio"}
    content: list[Event] = item.get("content") or []
    translated = [{**part, "type": types.get(part["type"], part["type"])} for part in content]
    return {**item, "content": translated}


def _v1_item(item: Event) -> Event:
    item = {"object": "realtime.item", **item}
    if "content" in item:
        item["content"] = [_v1_part(part) for part in item["content"]]
    return item


def _v1_part(part: Event) -> Event:
    part = {name: value for name, value in part.items() if value is not None}
    if "type" in part:
        part["type"] = part["type"].removeprefix("output_")
    return part
