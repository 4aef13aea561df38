"""Initial ids and settings of a session of the embedded server, in the shape of GA."""

from __future__ import annotations

import itertools
import time
from collections import deque
from typing import Any

from openai_realtime_client.core.json_types import is_array, is_object
from openai_realtime_client.core.model import RealtimeModel, UnknownModel

__all__ = [
    "LEVELS",
    "MODELS",
    "PCM_SETTINGS",
    "Event",
    "Outbox",
    "apply_update",
    "drop_unknown",
    "merge_settings",
    "new_session",
    "new_translation",
    "without_nulls",
]

# An event, or part of one, as it is on the wire.
Event = dict[str, Any]

PCM_SETTINGS: Event = {"type": "audio/pcm", "rate": 24000}
# The defaults of the service, as the API reference has them.
_RESPONDS: Event = {"create_response": True, "interrupt_response": True}
LEVELS: Event = {"threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 200}
_DETECTIONS: dict[str, Event] = {
    "server_vad": {"type": "server_vad", **LEVELS, "idle_timeout_ms": None, **_RESPONDS},
    "semantic_vad": {"type": "semantic_vad", "eagerness": "auto", **_RESPONDS},
}
_LIFETIME = 1800
# The model of sessions whose client names none, by protocol.
MODELS = {"ga": "gpt-realtime-2.1", "v1": "gpt-4o-realtime-preview"}


class Outbox:
    """The events that a session is to send, and their ids: the same ones in every run."""

    def __init__(self, session: int) -> None:
        self.events: deque[Event] = deque()
        self._session = session
        self._count = itertools.count(1)

    def new_id(self, prefix: str) -> str:
        """Return the next id."""
        # No random ids: the output of examples and of pages is the same in every run.
        return f"{prefix}_{self._session:04}{next(self._count):08}"

    def emit(self, event_type: str, **fields: Any) -> None:
        """Add an event of the server."""
        self.events.append({"type": event_type, "event_id": self.new_id("event"), **fields})

    def new_item(self, item_type: str, **fields: Any) -> Event:
        """Make an item of a conversation."""
        return {"id": self.new_id("item"), "type": item_type, **fields}


def without_nulls(settings: Event) -> Event:
    """Return the settings without those that are `null`, which stands for a default."""
    return {name: value for name, value in settings.items() if value is not None}


def new_session(session_id: str, model: str, session_type: str = "realtime") -> Event:
    """Return the initial settings of a session of type "realtime" or "transcription"."""
    listening: Event = {"format": PCM_SETTINGS, "transcription": None, "noise_reduction": None}
    common: Event = {"type": session_type, "id": session_id, "include": None}
    common["expires_at"] = int(time.time()) + _LIFETIME
    if session_type == "transcription":
        # Such a session has no responses, and so neither creates nor interrupts them.
        listening["turn_detection"] = {"type": "server_vad", **LEVELS}
        common["object"] = "realtime.transcription_session"
        return {**common, "audio": {"input": listening}}
    listening["turn_detection"] = dict(_DETECTIONS["server_vad"])
    speech: Event = {"format": PCM_SETTINGS, "voice": "alloy", "speed": 1.0}
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
        "audio": {"input": listening, "output": speech},
    }


def new_translation(session_id: str, model: str) -> Event:
    """Return the initial settings of a translation session."""
    return {
        "id": session_id,
        "type": "translation",
        "expires_at": int(time.time()) + _LIFETIME,
        "model": model,
        "audio": {"input": {"transcription": None, "noise_reduction": None}, "output": {}},
    }


def apply_update(settings: Event, update: Event, default: Event) -> Event:
    """Return the settings after an update: `audio` is merged, all else replaced.

    `null` restores the default of a setting, but turns turn detection off.
    """
    result = dict(settings)
    for name, value in update.items():
        # The service merges these objects; `tools` and `turn_detection` are replaced as a whole.
        if name in ("audio", "input", "output"):
            result[name] = apply_update(settings[name], value or {}, default.get(name) or {})
        elif value is None and name != "turn_detection":
            result[name] = default.get(name)
        else:
            result[name] = value
    return result


def merge_settings(session: Event, update: Event) -> Event:
    """Return the settings of a session after an update, with the defaults of what it turns on."""
    default = new_session(session["id"], session.get("model") or "", session["type"])
    merged = apply_update(session, update, default)
    speech, listening = merged["audio"].get("output", {}), merged["audio"]["input"]
    if "voice" in speech:
        speech["voice"] = voice_name(speech["voice"])
    detection = listening.get("turn_detection")
    # A detection that was turned on has the defaults of its type.
    if detection and session["type"] == "realtime":
        default = _DETECTIONS.get(detection.get("type"), {})
        listening["turn_detection"] = {**default, **detection}
    if listening.get("transcription"):
        settings = {"language": None, "prompt": None, **listening["transcription"]}
        listening["transcription"] = settings
    return merged


def voice_name(voice: Any) -> str:
    """Return a voice as the server reports it: a custom one by its id."""
    if is_object(voice):
        voice = voice["id"]
    return str(voice)


def drop_unknown(model: RealtimeModel) -> Event:
    """Return an event or settings as JSON, without fields and nulls that their schema lacks."""
    _remove_unknown(model)
    return model.to_dict()


def _remove_unknown(node: Any) -> None:
    if is_array(node):
        for item in node:
            _remove_unknown(item)
    elif isinstance(node, RealtimeModel) and not isinstance(node, UnknownModel):
        (node.model_extra or {}).clear()
        for name, value in node.__dict__.items():
            if value is None and name not in node.__nullable__:
                node.model_fields_set.discard(name)
            _remove_unknown(value)
