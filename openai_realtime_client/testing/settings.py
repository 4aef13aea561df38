"""What a session of the embedded server begins with: ids and settings, in the shape of GA."""

from __future__ import annotations

import copy
import itertools
import time
from typing import Any, TypeVar

from openai_realtime_client.core.deviations import deviations
from openai_realtime_client.core.json_types import is_object
from openai_realtime_client.core.model import RealtimeModel

__all__ = ["PCM", "Event", "Ids", "merge", "new_session", "returned_settings", "updated"]

Model = TypeVar("Model", bound=RealtimeModel)

# An event, or part of one, as it is on the wire.
Event = dict[str, Any]

PCM: Event = {"type": "audio/pcm", "rate": 24000}
_RESPONDS: Event = {"create_response": True, "interrupt_response": True}
_LEVELS: Event = {"threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 200}
_DETECTIONS: dict[str, Event] = {
    "server_vad": {"type": "server_vad", **_LEVELS, "idle_timeout_ms": None, **_RESPONDS},
    "semantic_vad": {"type": "semantic_vad", "eagerness": "auto", **_RESPONDS},
}
_LIFETIME = 1800


class Ids:
    """Makes ids, the same ones in every run and unique in a server, and events that have one."""

    def __init__(self, session: int) -> None:
        self._session = session
        self._count = itertools.count(1)

    def __call__(self, prefix: str) -> str:
        """Return the next id."""
        return f"{prefix}_{self._session:04}{next(self._count):08}"

    def event(self, kind: str, **fields: Any) -> Event:
        """Make an event of the server."""
        return {"type": kind, "event_id": self("event"), **fields}


def new_session(session_id: str, model: str, kind: str = "realtime") -> Event:
    """The settings with which a session begins; `kind` is "realtime" or "transcription"."""
    listening: Event = {"format": PCM, "transcription": None, "noise_reduction": None}
    common: Event = {"type": kind, "id": session_id, "include": None}
    common["expires_at"] = int(time.time()) + _LIFETIME
    if kind == "transcription":
        # Such a session has no responses, and so neither creates nor interrupts them.
        listening["turn_detection"] = {"type": "server_vad", **_LEVELS}
        common["object"] = "realtime.transcription_session"
        return {**common, "audio": {"input": listening}}
    listening["turn_detection"] = dict(_DETECTIONS["server_vad"])
    return {
        **common,
        "object": "realtime.session",
        "model": model,
        "output_modalities": ["audio"],
        "instructions": "You are a helpful assistant.",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "audio": {"input": listening, "output": {"format": PCM, "voice": "alloy", "speed": 1.0}},
    }


def updated(known: Event, update: Event, default: Event) -> Event:
    """The settings after an update: `audio` is merged, all else replaced.

    `null` restores the default of a setting, but turns turn detection off.
    """
    result = dict(known)
    for name, value in update.items():
        if name in ("audio", "input", "output"):
            result[name] = updated(known[name], value or {}, default.get(name) or {})
        else:
            is_default = value is None and name != "turn_detection"
            result[name] = default.get(name) if is_default else value
    return result


def merge(session: Event, update: Event) -> Event:
    """The settings of a session after an update, with what else the server fills in."""
    default = new_session(session["id"], session.get("model") or "", session["type"])
    merged = updated(session, update, default)
    speech, listening = merged["audio"].get("output", {}), merged["audio"]["input"]
    if "voice" in speech:
        speech["voice"] = voice_name(speech["voice"])
    detection = listening.get("turn_detection")
    if detection and session["type"] == "realtime":
        given = {name: value for name, value in detection.items() if value is not None}
        listening["turn_detection"] = {**_DETECTIONS.get(detection.get("type"), {}), **given}
    if listening.get("transcription"):
        settings = {"language": None, "prompt": None, **listening["transcription"]}
        listening["transcription"] = settings
    return merged


def voice_name(voice: Any) -> str:
    """A voice as the server reports it: a custom one by its id."""
    name: str = voice["id"] if is_object(voice) else voice
    return name


def returned_settings(model: type[Model], settings: Event) -> Event:
    """The settings as the server returns them, without those that `model` does not have."""
    settings = copy.deepcopy(settings)
    for found in deviations(model.from_dict(settings)):
        if found.kind == "unknown field":
            place = settings
            *parents, last = found.path.split(".")
            for name in parents:
                place = place[name]
            del place[last]
    return settings
