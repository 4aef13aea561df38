"""The events that are measured: made up, of the shape and size that the service sends.

All text is ASCII: Python caches the UTF-8 form of other strings, so parsing one a second time would
cost less than the first time.
"""

from __future__ import annotations

import base64
import json
import random
import string
from typing import Any

Json = dict[str, Any]

AUDIO_CHARACTERS = 4096
# How many of each type are in a mix of 100.
MIX = {
    "response.output_audio.delta": 70,
    "response.output_audio_transcript.delta": 20,
    "session.created": 1,
    "conversation.item.added": 2,
    "response.done": 2,
    "rate_limits.updated": 2,
    "input_audio_buffer.speech_started": 2,
    "error": 1,
}
SENTENCE = (
    "the harbour office opens at eight and closes at six on weekdays so the ferry that you asked "
    "about can be booked until shortly before it leaves unless the weather turns and the crossing "
    "has to wait for a calmer hour in which case every ticket stays valid for the next day"
)
PCM = {"type": "audio/pcm", "rate": 24000}

# Seeded, so that every run measures the same bytes.
_random = random.Random("benchmarks")


def to_text(value: Any) -> str:
    """Dump JSON as it goes over the wire, without white space."""
    return json.dumps(value, separators=(",", ":"))


def server_event(event_type: str) -> Json:
    """Make a server event of one of the types in `MIX`."""
    return {"type": event_type, "event_id": _id("event"), **_BODIES[event_type]()}


def mix() -> list[Json]:
    """Make a hundred server events as `MIX` says, shuffled, the same way every time."""
    events = []
    for event_type, count in MIX.items():
        events += [server_event(event_type) for _ in range(count)]
    _random.shuffle(events)
    return events


def append() -> Json:
    """Make the event that a client sends all the time."""
    return {"type": "input_audio_buffer.append", "audio": _audio()}


def session_update() -> Json:
    """Make the `session.update` of a voice agent with three tools."""
    session = _session()
    session["tools"] = [_tool(name) for name in ("find_crossing", "book_crossing", "call_a_person")]
    return {"type": "session.update", "session": session}


def response_create() -> Json:
    """Make an out-of-band `response.create`, with its own input and tool."""
    content = [{"type": "input_text", "text": _text(40)}]
    response = {
        "output_modalities": ["text"],
        "instructions": _text(60),
        "conversation": "none",
        "metadata": {"purpose": "summary", "turn": "12"},
        "tools": [_tool("file_summary")],
        "tool_choice": "auto",
        "max_output_tokens": 512,
        "input": [
            {"type": "message", "role": "user", "content": content},
            {"type": "item_reference", "id": _id("item")},
        ],
    }
    return {"type": "response.create", "response": response}


# The parts


def _audio() -> str:
    """Make base64, the form of all audio in events."""
    return base64.b64encode(_random.randbytes(AUDIO_CHARACTERS // 4 * 3)).decode()


def _id(prefix: str) -> str:
    return f"{prefix}_{''.join(_random.choices(string.ascii_letters + string.digits, k=21))}"


def _text(words: int) -> str:
    return " ".join(_random.choices(SENTENCE.split(), k=words)).capitalize() + "."


def _message(**fields: Any) -> Json:
    content = [{"type": "output_audio", "transcript": _text(25)}]
    message = {"id": _id("item"), "type": "message", "status": "completed"}
    return {**message, "role": "assistant", "content": content, **fields}


def _function_call() -> Json:
    return {
        "id": _id("item"),
        "type": "function_call",
        "status": "completed",
        "name": "find_crossing",
        "call_id": _id("call"),
        "arguments": to_text({"from": "Harwich", "date": "2026-09-14", "passengers": 2}),
    }


def _usage() -> Json:
    cached = {"text_tokens": 64, "audio_tokens": 128, "image_tokens": 0}
    return {
        "total_tokens": 1205,
        "input_tokens": 841,
        "output_tokens": 364,
        "input_token_details": {
            "text_tokens": 214,
            "audio_tokens": 627,
            "image_tokens": 0,
            "cached_tokens": 192,
            "cached_tokens_details": cached,
        },
        "output_token_details": {"text_tokens": 88, "audio_tokens": 276},
    }


def _tool(name: str) -> Json:
    text = {"type": "string", "description": _text(8)}
    parameters = {
        "type": "object",
        "properties": {"from": text, "to": text, "date": text, "passengers": {"type": "integer"}},
        "required": ["from", "to"],
        "additionalProperties": False,
    }
    about = {"type": "function", "name": name, "description": _text(20)}
    return {**about, "parameters": parameters}


def _session() -> Json:
    turn_detection = {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 200,
        "create_response": True,
        "interrupt_response": True,
    }
    transcription = {"model": "gpt-4o-transcribe", "language": "en"}
    return {
        "type": "realtime",
        "output_modalities": ["audio"],
        "instructions": _text(130),
        "audio": {
            "input": {
                "format": PCM,
                "transcription": transcription,
                "noise_reduction": {"type": "near_field"},
                "turn_detection": turn_detection,
            },
            "output": {"format": PCM, "voice": "marin", "speed": 1.0},
        },
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": 2048,
        "truncation": "auto",
    }


def _session_created() -> Json:
    ids = {"object": "realtime.session", "id": _id("sess"), "model": "gpt-realtime"}
    nulls = {"tracing": None, "prompt": None, "include": None}
    return {"session": {**_session(), **ids, **nulls, "expires_at": 1788000000}}


def _place() -> Json:
    ids = {"response_id": _id("resp"), "item_id": _id("item")}
    return {**ids, "output_index": 0, "content_index": 0}


def _audio_delta() -> Json:
    return {**_place(), "delta": _audio()}


def _transcript_delta() -> Json:
    delta = f" {_random.choice(SENTENCE.split())}"
    return {**_place(), "delta": delta, "obfuscation": _id("")[1:12]}


def _response_done() -> Json:
    response = {
        "object": "realtime.response",
        "id": _id("resp"),
        "status": "completed",
        "status_details": None,
        "output": [_message(), _message(), _function_call()],
        "conversation_id": _id("conv"),
        "output_modalities": ["audio"],
        "max_output_tokens": "inf",
        "audio": {"output": {"format": PCM, "voice": "marin"}},
        "usage": _usage(),
        "metadata": None,
    }
    return {"response": response}


def _item_added() -> Json:
    item = _message(role="user", content=[{"type": "input_audio", "transcript": None}])
    return {"previous_item_id": _id("item"), "item": item}


def _rate_limits() -> Json:
    requests = {"name": "requests", "limit": 1000, "remaining": 997, "reset_seconds": 0.18}
    tokens = {"name": "tokens", "limit": 40000, "remaining": 38155, "reset_seconds": 2.768}
    return {"rate_limits": [requests, tokens]}


def _error() -> Json:
    error = {
        "type": "invalid_request_error",
        "code": "invalid_value",
        "message": "Invalid value: 'session.voice'. Supported values are: 'alloy' and 'marin'.",
        "param": "session.voice",
        "event_id": None,
    }
    return {"error": error}


_BODIES = {
    "response.output_audio.delta": _audio_delta,
    "response.output_audio_transcript.delta": _transcript_delta,
    "session.created": _session_created,
    "conversation.item.added": _item_added,
    "response.done": _response_done,
    "rate_limits.updated": _rate_limits,
    "input_audio_buffer.speech_started": lambda: {"audio_start_ms": 1460, "item_id": _id("item")},
    "error": _error,
}
