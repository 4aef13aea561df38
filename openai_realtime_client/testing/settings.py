"""What a session of the embedded server begins with: settings, as GA has them, and ids."""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Callable
from typing import Any, TypeVar

from openai_realtime_client.core.deviations import deviations
from openai_realtime_client.core.json_types import is_object
from openai_realtime_client.core.model import RealtimeModel

__all__ = ["PCM", "Ids", "merge", "new_ids", "new_session", "returned_settings", "voice_name"]

Model = TypeVar("Model", bound=RealtimeModel)

# Gives the next id with a prefix, such as "item".
Ids = Callable[[str], str]

PCM: dict[str, Any] = {"type": "audio/pcm", "rate": 24000}
_SERVER_VAD: dict[str, Any] = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
_SEMANTIC_VAD: dict[str, Any] = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
_VADS = {"server_vad": _SERVER_VAD, "semantic_vad": _SEMANTIC_VAD}


def new_ids(session: int) -> Ids:
    """Ids that are the same in every run, and no two alike in one server."""
    count = itertools.count(1)
    return lambda prefix: f"{prefix}_{session:04}{next(count):08}"


def new_session(session_id: str, model: str, kind: str = "realtime") -> dict[str, Any]:
    """The settings with which a session begins; `kind` is "realtime" or "transcription"."""
    hearing: dict[str, Any] = {
        "format": PCM,
        "transcription": None,
        "noise_reduction": None,
        "turn_detection": dict(_SERVER_VAD),
    }
    expires_at = int(time.time()) + 1800
    if kind == "transcription":
        # Such a session has no responses, and so neither creates nor interrupts them.
        for name in ("create_response", "interrupt_response", "idle_timeout_ms"):
            hearing["turn_detection"].pop(name, None)
        return {
            "type": "transcription",
            "object": "realtime.transcription_session",
            "id": session_id,
            "expires_at": expires_at,
            "audio": {"input": hearing},
            "include": None,
        }
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "output_modalities": ["audio"],
        "instructions": "You are a helpful assistant.",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": expires_at,
        "audio": {
            "input": hearing,
            "output": {"format": PCM, "voice": "alloy", "speed": 1.0},
        },
        "include": None,
    }


def merge(session: dict[str, Any], update: dict[str, Any]) -> dict[str, Any]:
    """The settings after an update: `audio` is merged, all else replaced."""
    merged = {**session, **update}
    if "audio" in update:
        merged["audio"] = dict(session["audio"])
        for side, settings in update["audio"].items():
            merged["audio"][side] = {**session["audio"].get(side, {}), **settings}
    speech, hearing = merged["audio"].get("output", {}), merged["audio"].get("input", {})
    if "voice" in speech:
        speech["voice"] = voice_name(speech["voice"])
    found = hearing.get("turn_detection")
    if found and merged["type"] == "realtime":
        hearing["turn_detection"] = {**_VADS.get(found.get("type"), {}), **found}
    if hearing.get("transcription"):
        hearing["transcription"] = {"language": None, "prompt": None, **hearing["transcription"]}
    return merged


def voice_name(voice: Any) -> str:
    """A voice as the server tells it: one of the client's own by its id."""
    name: str = voice["id"] if is_object(voice) else voice
    return name


def returned_settings(model: type[Model], settings: dict[str, Any]) -> Model:
    """The settings as the server returns them, without those that it only accepts."""
    settings = copy.deepcopy(settings)
    for found in deviations(model.from_dict(settings)):
        if found.kind == "unknown field":
            place = settings
            *parents, last = found.path.split(".")
            for name in parents:
                place = place[name]
            del place[last]
    return model.from_dict(settings)
