"""`inspect --html`: a session as one page, with its turns and their audio."""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_left
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from openai_realtime_client.cli.display import Row
from openai_realtime_client.conversation.state import Conversation, ConversationItem
from openai_realtime_client.core import g711
from openai_realtime_client.core.json_types import at, is_array
from openai_realtime_client.testing.recording import RecordedEvent

__all__ = ["Page"]

# What was said stays on the page.
_IGNORED = ("conversation.item.deleted", "conversation.item.truncated")
# The names that v1 has for the formats of GA.
_G711 = {"g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}


@dataclass
class _Said:
    """What the user said, with times in milliseconds since the session began, or `None`."""

    text: str = ""
    pcm: bytes = b""
    start: float | None = None
    end: float | None = None


@dataclass
class _Answer:
    """When a response began, was first heard or read, and ended; its items and when each ended."""

    id: str
    start: float | None
    heard: float | None = None
    read: float | None = None
    end: float | None = None
    items: dict[str, float | None] = field(default_factory=dict[str, "float | None"])


@dataclass
class _Turn:
    """What the user says, and what comes of it until the user says something else."""

    user: list[_Said] = field(default_factory=list[_Said])
    answers: list[_Answer] = field(default_factory=list[_Answer])


class Page:
    """Follows a session, and keeps its turns with their audio as PCM16.

    Attributes:
        rows: The events to be shown, which `add` does not add.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._conversation = Conversation(keep_audio=True)
        self._turns: list[_Turn] = []
        self._answers: dict[str, _Answer] = {}
        # By the id of the item: what the user said, and how much was heard of the assistant.
        self._spoken: dict[str, _Said] = {}
        self._played_ms: dict[str, int] = {}
        # What functions returned and when, by the id of the call.
        self._outputs: dict[str, tuple[str, float | None]] = {}
        self._formats = {"input": "audio/pcm", "output": "audio/pcm"}
        # All audio of the user, where the part that is not committed begins, and when it had
        # which size.
        self._heard = bytearray()
        self._committed = 0
        self._sizes: list[int] = []
        self._times: list[float | None] = []
        self._first_ms: float | None = None
        self._now: float | None = None
        self._followed = {
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.clear": self._clear,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.speech_started": self._started,
            "input_audio_buffer.speech_stopped": self._stopped,
            "input_audio_buffer.committed": self._committed_by_server,
            "conversation.item.create": self._create,
            "conversation.item.truncated": self._truncated,
            "session.created": self._configured,
            "session.updated": self._configured,
            "response.created": self._begun,
            "response.done": self._done,
        }

    def add(self, recorded: RecordedEvent) -> None:
        """Follow an event."""
        wire, at_ms = recorded.event, recorded.at_ms
        self._now = None
        if at_ms is not None:
            self._first_ms = at_ms if self._first_ms is None else self._first_ms
            self._now = round(at_ms - self._first_ms, 1)
        if wire["type"] not in _IGNORED:
            self._conversation.add(wire)
        if follow := self._followed.get(wire["type"]):
            follow(wire)
        elif answer := self._answers.get(str(wire.get("response_id"))):
            self._answered(answer, wire)

    def write(self, path: str, summary: dict[str, Any]) -> None:
        """Write the page: the template with all data in it."""
        for item_id, said in self._spoken.items():
            if item := self._conversation.item(item_id):
                said.text = item.transcript
        turns = [self._turn(turn) for turn in self._turns]
        rows = [row._asdict() for row in self.rows]
        template = (files("openai_realtime_client.cli") / "page.html").read_text("utf-8")
        # In a script, only `<` could end what is data.
        data = json.dumps({"summary": summary, "turns": turns, "events": rows})
        Path(path).write_text(template.replace("{}", data.replace("<", "\\u003c"), 1), "utf-8")

    # As JSON, with audio as base64 and its samples a second

    def _turn(self, turn: _Turn) -> dict[str, Any]:
        ends = [each.end for each in turn.user if each.end is not None]
        answers = [self._answer(each) for each in turn.answers]
        firsts = [each["first"] for each in answers if each["first"] is not None]
        return {
            "user": [{**asdict(each), **self._sound("input", each.pcm)} for each in turn.user],
            "calls": [call for answer in turn.answers for call in self._calls(answer)],
            "answers": answers,
            "latency": round(firsts[0] - ends[-1], 1) if ends and firsts else None,
        }

    def _answer(self, answer: _Answer) -> dict[str, Any]:
        items = self._items(answer)
        audio = b"".join(part.audio for item in items for part in item.parts.values())
        played = [self._played_ms[item.id] for item in items if item.id in self._played_ms]
        response = self._conversation.responses.get(answer.id)
        return {
            "text": "".join(item.transcript or item.text for item in items),
            **self._sound("output", self._decoded("output", audio)),
            "start": answer.start,
            "first": answer.read if answer.heard is None else answer.heard,
            "end": answer.end,
            "played_ms": played[-1] if played else None,
            "status": response.status if response else "",
            "tokens": response.usage.total if response else 0,
            "calls_function": bool(self._calls(answer)),
        }

    def _calls(self, answer: _Answer) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for item in self._items(answer):
            if item.type == "function_call":
                output, end = self._outputs.get(item.call_id or "", (None, None))
                times = {"start": answer.items[item.id], "end": end}
                call = {"name": item.name or "", "arguments": item.arguments, "output": output}
                found.append({**call, **times})
        return found

    def _items(self, answer: _Answer) -> list[ConversationItem]:
        return [item for each in answer.items if (item := self._conversation.item(each))]

    def _rate(self, side: str) -> int:
        return 8000 if self._formats[side] in g711.SAMPLES else 24000

    def _sound(self, side: str, pcm: bytes) -> dict[str, Any]:
        return {"pcm": base64.b64encode(pcm).decode(), "rate": self._rate(side)}

    def _decoded(self, side: str, data: bytes) -> bytes:
        """Audio as PCM16."""
        return g711.decode(data, self._formats[side])

    # What the user does

    def _turn_of_user(self) -> _Turn:
        """The turn that has no answer yet, or a new one."""
        if not self._turns or self._turns[-1].answers:
            self._turns.append(_Turn())
        return self._turns[-1]

    def _append(self, wire: dict[str, Any]) -> None:
        self._heard += self._decoded("input", _bytes(wire.get("audio")))
        self._sizes.append(len(self._heard))
        self._times.append(self._now)

    def _time_at(self, size: int) -> float | None:
        """When so much audio had been appended."""
        index = bisect_left(self._sizes, size)
        return self._times[index] if index < len(self._times) else self._now

    def _clear(self, wire: dict[str, Any]) -> None:
        self._committed = len(self._heard)

    def _commit(self, wire: dict[str, Any]) -> None:
        """The client ends a turn: it is all that was appended since the last."""
        start, pcm = self._time_at(self._committed + 1), bytes(self._heard[self._committed :])
        self._turn_of_user().user.append(_Said(pcm=pcm, start=start, end=self._now))
        self._committed = len(self._heard)

    def _started(self, wire: dict[str, Any]) -> None:
        self._committed = self._bytes_of(wire.get("audio_start_ms"))
        said = _Said(start=self._time_at(self._committed + 1))
        self._spoken[str(wire.get("item_id"))] = said
        self._turn_of_user().user.append(said)

    def _stopped(self, wire: dict[str, Any]) -> None:
        if said := self._spoken.get(str(wire.get("item_id"))):
            end = self._bytes_of(wire.get("audio_end_ms"))
            said.pcm, said.end = bytes(self._heard[self._committed : end]), self._time_at(end)
            self._committed = end

    def _committed_by_server(self, wire: dict[str, Any]) -> None:
        """Gives the audio that the client has committed the id of its item."""
        if self._turns and self._turns[-1].user:
            self._spoken.setdefault(str(wire.get("item_id")), self._turns[-1].user[-1])

    def _bytes_of(self, ms: Any) -> int:
        is_time = isinstance(ms, (int, float)) and 0 <= ms < 1e9
        return int(ms) * (self._rate("input") // 500) if is_time else 0

    def _create(self, wire: dict[str, Any]) -> None:
        item = wire.get("item")
        if at(item, "type") == "function_call_output":
            self._outputs[str(at(item, "call_id"))] = _text(at(item, "output")), self._now
        elif at(item, "role") == "user":
            content = at(item, "content")
            parts = content if is_array(content) else []
            text = " ".join(filter(None, (_text(at(part, "text")) for part in parts)))
            data = b"".join(_bytes(at(part, "audio")) for part in parts)
            said = _Said(text, self._decoded("input", data), self._now, self._now)
            self._turn_of_user().user.append(said)

    # What the server does

    def _configured(self, wire: dict[str, Any]) -> None:
        session = wire.get("session")
        for side in self._formats:
            format_of = at(session, "audio", side, "format")
            name = at(format_of, "type") or at(session, f"{side}_audio_format")
            if isinstance(name, str):
                self._formats[side] = _G711.get(name, name)

    def _begun(self, wire: dict[str, Any]) -> None:
        last = self._turns[-1].answers[-1:] if self._turns else []
        if not self._turns or (last and not self._calls(last[0])):
            self._turns.append(_Turn())
        answer = _Answer(str(at(wire, "response", "id")), self._now)
        self._turns[-1].answers.append(answer)
        self._answers[answer.id] = answer

    def _answered(self, answer: _Answer, wire: dict[str, Any]) -> None:
        item_id = _text(wire.get("item_id")) or _text(at(wire, "item", "id"))
        answer.items.setdefault(item_id, None)
        kind: str = wire["type"]
        if kind.endswith("audio.delta") and answer.heard is None:
            answer.heard = self._now
        elif kind.endswith("text.delta") and answer.read is None:
            answer.read = self._now
        elif kind == "response.output_item.done":
            answer.items[item_id] = self._now

    def _done(self, wire: dict[str, Any]) -> None:
        if answer := self._answers.get(str(at(wire, "response", "id"))):
            answer.end = self._now

    def _truncated(self, wire: dict[str, Any]) -> None:
        if isinstance(wire.get("audio_end_ms"), int):
            self._played_ms[str(wire.get("item_id"))] = wire["audio_end_ms"]


def _bytes(text: Any) -> bytes:
    """What base64 encodes; nothing for what is not base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        return b""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
