"""Translate `realtime=v1` of the embedded server from and to GA."""

from __future__ import annotations

from typing import Any

from openai_realtime_client import v1
from openai_realtime_client.core.json_types import at, is_object
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing.errors import Refusal, validate_event
from openai_realtime_client.testing.rules import RealtimeRules
from openai_realtime_client.testing.settings import PCM_SETTINGS, Event, drop_unknown, without_nulls

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
# The path of each setting of v1 in GA.
_SETTINGS = {
    **{name: name for name in ("model", "instructions", "tools", "tool_choice", "include")},
    **{name: name for name in ("conversation", "metadata", "input")},
    "temperature": "temperature",  # unknown to GA, but v1 has to report it
    "modalities": "output_modalities",
    # The first is a session's, the second a response's: the service's own examples name it so.
    "max_response_output_tokens": "max_output_tokens",
    "max_output_tokens": "max_output_tokens",
    "input_audio_format": "audio.input.format",
    "input_audio_transcription": "audio.input.transcription",
    "input_audio_noise_reduction": "audio.input.noise_reduction",
    "turn_detection": "audio.input.turn_detection",
    "output_audio_format": "audio.output.format",
    "voice": "audio.output.voice",
}
_FORMATS: list[tuple[Any, Any]] = [
    ("pcm16", PCM_SETTINGS),
    ("g711_ulaw", {"type": "audio/pcmu"}),
    ("g711_alaw", {"type": "audio/pcma"}),
]
# The values of settings, in v1 and in GA. Of two that mean the same, the server returns the first.
_VALUES: dict[str, list[tuple[Any, Any]]] = {
    "modalities": [(["text", "audio"], ["audio"]), (["audio", "text"], ["audio"])],
    "input_audio_format": _FORMATS,
    "output_audio_format": _FORMATS,
}
_MODES = ("none", "auto", "required")
_TEMPERATURE = 0.8
_TranscriptionResponse = v1.RealtimeTranscriptionSessionCreateResponse


class V1Rules(RealtimeRules):
    """The rules of one session of `realtime=v1`: those of GA, translated both ways."""

    def begin(self) -> None:
        """Emit the event of the session, then `conversation.created`."""
        super().begin()
        conversation = {"id": self._conversation.id, "object": "realtime.conversation"}
        self.outbox.emit("conversation.created", conversation=conversation)

    def _check(self, event: RealtimeModel) -> Event:
        return self._to_ga(validate_event(event, allowed="response.max_output_tokens"))

    def to_protocol(self, event: Event) -> Event | None:
        """Return an event in the names and shapes of v1."""
        # Items of v1 are complete when they are created.
        if event["type"] == "conversation.item.done":
            return None
        return drop_unknown(v1.parse_server_event(self._to_v1(event)))

    def _to_ga(self, wire: Event) -> Event:
        event_type = wire["type"]
        if event_type == "transcription_session.update":
            session = {"type": "transcription", **ga_settings(wire["session"])}
            return {**wire, "type": "session.update", "session": session}
        if event_type == "session.update":
            return {**wire, "session": {"type": "realtime", **ga_settings(wire["session"])}}
        if event_type == "conversation.item.create":
            return {**wire, "item": _ga_item(wire["item"], "item")}
        if event_type == "response.create" and wire.get("response"):
            return {**wire, "response": ga_settings(wire["response"])}
        return wire

    def _to_v1(self, event: Event) -> Event:
        event_type = event["type"]
        wire: Event = {**event, "type": _EVENTS.get(event_type, event_type)}
        temperature = self.session.get("temperature") or _TEMPERATURE
        if "item" in wire:
            wire["item"] = _v1_item(wire["item"])
        if "response" in wire:
            output = [_v1_item(item) for item in event["response"]["output"]]
            settings = {"temperature": temperature, **without_nulls(event["response"])}
            wire["response"] = {**event["response"], **v1_settings(settings), "output": output}
        if event_type == "error":
            # Refusals name the paths of GA.
            param = wire["error"]["param"]
            paths = {f"session.{path}": f"session.{old}" for old, path in _SETTINGS.items()}
            wire["error"] = {**wire["error"], "param": paths.get(param, param)}
        if event_type in ("session.created", "session.updated"):
            settings = v1_settings({**event["session"], "temperature": temperature})
            wire["session"] = {"id": event["session"]["id"], **settings}
            if event["session"]["type"] == "transcription":
                # The service sends this event on connecting, with an id; the schema lacks both.
                wire["type"] = f"transcription_{event_type}"
                settings = drop_unknown(_TranscriptionResponse.from_dict(wire["session"]))
                wire["session"] = {"id": event["session"]["id"], **settings}
        return wire


def ga_settings(settings: Event) -> Event:
    """Translate the settings of a session or a response from v1 to GA."""
    # Absent settings stay absent, so that defaults and merging are those of GA.
    translated: Event = {}
    for old, path in _SETTINGS.items():
        if old in settings:
            *parents, last = path.split(".")
            place = translated
            for name in parents:
                place = place.setdefault(name, {})
            place[last] = settings[old]
            for v1_value, ga_value in _VALUES.get(old, ()):
                if settings[old] == v1_value:
                    place[last] = ga_value
    choice = translated.get("tool_choice")
    if choice and choice not in _MODES:  # In v1 it is the name of a function.
        translated["tool_choice"] = {"type": "function", "name": choice}
    if translated.get("input"):
        items = enumerate(translated["input"])
        translated["input"] = [_ga_item(item, f"response.input[{index}]") for index, item in items]
    return translated


def v1_settings(settings: Event) -> Event:
    """Translate the settings of a session or a response from GA to v1, without those it lacks."""
    translated: Event = {}
    for old, path in _SETTINGS.items():
        *parents, last = path.split(".")
        place: Any = at(settings, *parents)
        if is_object(place) and last in place:
            value = place[last]
            translated[old] = next((v1 for v1, ga in _VALUES.get(old, ()) if ga == value), value)
    if is_object(translated.get("tool_choice")):
        translated["tool_choice"] = translated["tool_choice"]["name"]
    return translated


def _ga_item(item: Event, path: str) -> Event:
    if "type" not in item:  # It is optional in the schema, but the service requires it.
        message = f"Missing required parameter: '{path}.type'."
        raise Refusal("missing_required_parameter", message, f"{path}.type")
    if item.get("role") != "assistant":
        return item
    content: list[Event] = []
    parts: list[Event] = item.get("content") or []
    for part in parts:
        if part.get("type", "text") == "text":
            part = {**part, "type": "output_text"}
        content.append(part)
    return {**item, "content": content}


def _v1_item(item: Event) -> Event:
    item = {"object": "realtime.item", **item}
    if "content" in item:
        item["content"] = [_v1_part(part) for part in item["content"]]
    return item


def _v1_part(part: Event) -> Event:
    if "type" not in part:
        return part
    return {**part, "type": part["type"].removeprefix("output_")}
