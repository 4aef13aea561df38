"""`inspect --html`: write a page of a session, with its turns and their audio."""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_left
from dataclasses import dataclass, field
from importlib.resources import files
from operator import itemgetter
from pathlib import Path
from typing import Any

from openai_realtime_client.cli.display import Row
from openai_realtime_client.conversation.state import Conversation
from openai_realtime_client.core import g711
from openai_realtime_client.core.audio import PCM, format_of
from openai_realtime_client.core.json_types import at, is_array
from openai_realtime_client.testing.recording import RecordedEvent

__all__ = ["Page"]

# The page keeps what was deleted or truncated, which `Conversation` would remove.
_IGNORED = ("conversation.item.deleted", "conversation.item.truncated")


@dataclass
class _Turn:
    """Consecutive messages of the user, as JSON, and the ids of the responses up to the next."""

    user: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    responses: list[str] = field(default_factory=list[str])


class Page:
    """Follows a session, and keeps its turns with their audio.

    Times are in milliseconds since the first event, or `None` in recordings without times.

    Attributes:
        rows: The events to be shown, which `follow` does not add.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        # It knows texts and the model's audio; times and the user's audio are the page's own.
        self._conversation = Conversation(keep_audio=True)
        self._turns: list[_Turn] = []
        # Messages of the user by the id of their item, and times of each response and call by id.
        self._spoken: dict[str, dict[str, Any]] = {}
        self._times: dict[str, dict[str, float | None]] = {}
        self._outputs: dict[str, str] = {}
        self._played_ms: dict[str, int] = {}
        self._formats = {"input": PCM, "output": PCM}
        # All audio of the user, where its uncommitted part begins, and its size after each append.
        self._heard = bytearray()
        self._committed = 0
        self._appends: list[tuple[int, float | None]] = []
        self._first_ms: float | None = None
        self._now: float | None = None

    def follow(self, recorded: RecordedEvent) -> None:
        """Follow an event."""
        wire = recorded.event
        self._now = None
        if recorded.at_ms is not None:
            if self._first_ms is None:
                self._first_ms = recorded.at_ms
            self._now = round(recorded.at_ms - self._first_ms, 1)
        if wire["type"] not in _IGNORED:
            self._conversation.add(wire)
        self._follow_event(wire["type"], wire)

    def write(self, path: str, summary: dict[str, Any]) -> None:
        """Write the page: the template with all data in it."""
        # Transcripts may come long after the turn.
        for item_id, message in self._spoken.items():
            item = self._conversation.item(item_id)
            if item:
                message["text"] = item.transcript
        turns = [self._turn_json(turn) for turn in self._turns]
        rows = [row._asdict() for row in self.rows]
        template = (files("openai_realtime_client.cli") / "page.html").read_text("utf-8")
        # Only `<` could end the script element that has the data:
        # https://html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements
        data = json.dumps({"summary": summary, "turns": turns, "events": rows})
        Path(path).write_text(template.replace("{}", data.replace("<", "\\u003c"), 1), "utf-8")

    # As JSON, with audio as base64

    def _turn_json(self, turn: _Turn) -> dict[str, Any]:
        calls: list[dict[str, Any]] = []
        answers: list[dict[str, Any]] = []
        for response_id in turn.responses:
            response_calls = self._calls_json(response_id)
            calls += response_calls
            answers.append(self._answer_json(response_id, calls_function=bool(response_calls)))
        ends = [message["end"] for message in turn.user if message["end"] is not None]
        begins = [answer["first"] for answer in answers if answer["first"] is not None]
        latency = None
        if ends and begins:
            latency = round(begins[0] - ends[-1], 1)
        return {"user": turn.user, "calls": calls, "answers": answers, "latency": latency}

    def _answer_json(self, response_id: str, *, calls_function: bool) -> dict[str, Any]:
        response = self._conversation.responses[response_id]
        text, audio, played_ms = "", b"", None
        for item in response.items:
            text += item.transcript or item.text
            for part in item.parts.values():
                audio += part.audio
            played_ms = self._played_ms.get(item.id, played_ms)
        times = self._times[response_id]
        return {
            "text": text,
            **self._audio_json("output", audio),
            "start": times.get("start"),
            # When it was first heard, or read where it has no audio.
            "first": times.get("audio", times.get("text")),
            "end": times.get("end"),
            "played_ms": played_ms,
            "status": response.status,
            "tokens": response.usage.total,
            "calls_function": calls_function,
        }

    def _calls_json(self, response_id: str) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = []
        for item in self._conversation.responses[response_id].calls:
            output = self._outputs.get(item.call_id or "")
            start = self._times.get(item.id, {}).get("end")
            end = self._times.get(item.call_id or "", {}).get("end")
            called = {"name": item.name or "", "arguments": item.arguments, "output": output}
            calls.append({**called, "start": start, "end": end})
        return calls

    def _audio_json(self, side: str, data: bytes) -> dict[str, Any]:
        audio_format = self._formats[side]
        pcm = g711.decode(data, audio_format.type)
        return {"pcm": base64.b64encode(pcm).decode(), "rate": audio_format.sample_rate}

    # Events

    def _follow_event(self, event_type: str, wire: dict[str, Any]) -> None:
        item_id = str(wire.get("item_id"))
        match event_type:
            case "session.created" | "session.updated":
                for side, known in self._formats.items():
                    self._formats[side] = format_of(wire.get("session"), side) or known
            case "input_audio_buffer.append":
                self._heard += _decode_base64(wire.get("audio"))
                self._appends.append((len(self._heard), self._now))
            case "input_audio_buffer.clear":
                self._committed = len(self._heard)
            case "input_audio_buffer.commit":
                message = self._begin_message()
                self._end_message(message, len(self._heard))
                # Without turn detection a turn ends when the client says so.
                message["end"] = self._now
            case "input_audio_buffer.speech_started":
                self._committed = self._size_at(wire.get("audio_start_ms"))
                self._spoken[item_id] = self._begin_message()
            case "input_audio_buffer.speech_stopped" if item_id in self._spoken:
                end = self._size_at(wire.get("audio_end_ms"))
                self._end_message(self._spoken[item_id], end)
            case "input_audio_buffer.committed" if self._turns and self._turns[-1].user:
                # With turn detection, the id is known since speech_started.
                self._spoken.setdefault(item_id, self._turns[-1].user[-1])
            case "conversation.item.create":
                self._follow_created_item(wire.get("item"))
            case "conversation.item.truncated" if isinstance(wire.get("audio_end_ms"), int):
                self._played_ms[item_id] = wire["audio_end_ms"]
            case _:
                self._follow_response(event_type, wire)

    def _follow_response(self, event_type: str, wire: dict[str, Any]) -> None:
        response_id = str(at(wire, "response", "id") or wire.get("response_id"))
        times = self._times.get(response_id, {})
        stem, _, step = event_type.rpartition(".")
        match stem, step:
            case "response", "created" if response_id in self._conversation.responses:
                self._begin_answer(response_id)
            case "response", "done":
                times["end"] = self._now
            case "response.output_item", "done":
                self._times[str(at(wire, "item", "id"))] = {"end": self._now}
            case _, "delta" if stem.endswith("audio"):
                times.setdefault("audio", self._now)
            case _, "delta" if stem.endswith("text"):
                times.setdefault("text", self._now)
            case _:
                pass

    def _follow_created_item(self, item: Any) -> None:
        if at(item, "type") == "function_call_output":
            call_id = str(at(item, "call_id"))
            self._outputs[call_id] = _string_or_empty(at(item, "output"))
            self._times[call_id] = {"end": self._now}
        elif at(item, "role") == "user":
            texts: list[str] = []
            audio = b""
            content = at(item, "content")
            for part in content if is_array(content) else ():
                texts.append(_string_or_empty(at(part, "text")))
                audio += _decode_base64(at(part, "audio"))
            message = self._begin_message()
            message["text"] = " ".join(filter(None, texts))
            message |= self._audio_json("input", audio)
            message["start"] = message["end"] = self._now

    def _begin_message(self) -> dict[str, Any]:
        """Add a message of the user to the turn without an answer, or to a new one."""
        if not self._turns or self._turns[-1].responses:
            self._turns.append(_Turn())
        # One byte on, because the first byte of a turn came with the append after the last turn.
        start = self._time_at(self._committed + 1)
        message = {"text": "", **self._audio_json("input", b""), "start": start, "end": None}
        self._turns[-1].user.append(message)
        return message

    def _end_message(self, message: dict[str, Any], end: int) -> None:
        """End a message with the audio from what was committed before up to a size."""
        message |= self._audio_json("input", bytes(self._heard[self._committed : end]))
        message["end"] = self._time_at(end)
        self._committed = end

    def _begin_answer(self, response_id: str) -> None:
        # A response after one that called functions is of the same turn.
        begins_turn = not self._turns
        if self._turns and self._turns[-1].responses:
            begins_turn = not self._calls_json(self._turns[-1].responses[-1])
        if begins_turn:
            self._turns.append(_Turn())
        self._turns[-1].responses.append(response_id)
        self._times[response_id] = {"start": self._now}

    def _time_at(self, size: int) -> float | None:
        """Return when this much audio had been appended."""
        index = bisect_left(self._appends, size, key=itemgetter(0))
        if index == len(self._appends):
            return self._now
        return self._appends[index][1]

    def _size_at(self, ms: Any) -> int:
        """Return the size in bytes of audio this long; 0 for an absurd time."""
        if not isinstance(ms, (int, float)) or not 0 <= ms < 1e9:
            return 0
        return self._formats["input"].size(int(ms))


def _decode_base64(text: Any) -> bytes:
    """Return the decoded bytes; nothing for invalid base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        return b""


def _string_or_empty(value: Any) -> str:
    if isinstance(value, str):
        return value
    return ""
