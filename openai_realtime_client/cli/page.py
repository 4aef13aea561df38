"""`inspect --html`: a session as one page, with its turns and their audio."""

from __future__ import annotations

import base64
import binascii
import json
import struct
from bisect import bisect_left
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from typing import Any

from openai_realtime_client.core.json_types import at, is_array
from openai_realtime_client.core.usage import Usage
from openai_realtime_client.testing.audio import SAMPLES
from openai_realtime_client.testing.recording import RecordedEvent

__all__ = ["Turns", "page"]

# The names of GA that differ from those of v1, which are used here.
_RENAMED = (("response.output_audio", "response.audio"), ("response.output_text", "response.text"))
# The names that v1 has for the formats of GA.
_G711 = {"g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}


@dataclass
class _Said:
    """What one side said, with times in milliseconds since the session began, or `None`."""

    text: str = ""
    pcm: bytearray = field(default_factory=bytearray)
    start: float | None = None
    end: float | None = None


@dataclass
class _Answer(_Said):
    """A response. `first` is when its audio or text began; `played_ms` is where it was cut."""

    first: float | None = None
    played_ms: int | None = None
    status: str = "in_progress"
    tokens: int = 0
    calls_function: bool = False


@dataclass
class _Call:
    name: str
    arguments: str
    start: float | None
    output: str | None = None
    end: float | None = None


@dataclass
class _Turn:
    """What the user says, and what comes of it until the user says something else."""

    user: list[_Said] = field(default_factory=list[_Said])
    calls: list[_Call] = field(default_factory=list[_Call])
    answers: list[_Answer] = field(default_factory=list[_Answer])

    def to_dict(self, rates: dict[str, int]) -> dict[str, Any]:
        """The turn as JSON, with audio as base64 and its samples a second."""
        ends = [each.end for each in self.user if each.end is not None]
        firsts = [each.first for each in self.answers if each.first is not None]
        latency = round(firsts[0] - ends[-1], 1) if ends and firsts else None
        return {
            "user": [_said(each, rates["input"]) for each in self.user],
            "calls": [asdict(each) for each in self.calls],
            "answers": [_said(each, rates["output"]) for each in self.answers],
            "latency": latency,
        }


def _said(said: _Said, rate: int) -> dict[str, Any]:
    return {**asdict(said), "pcm": base64.b64encode(said.pcm).decode(), "rate": rate}


class Turns:
    """Follows a session and keeps its turns, with their audio as PCM16."""

    def __init__(self) -> None:
        self._turns: list[_Turn] = []
        self._answers: dict[str, _Answer] = {}
        self._calls: dict[str, _Call] = {}
        # By the id of the item.
        self._spoken: dict[str, _Said] = {}
        self._audible: dict[str, _Answer] = {}
        self._formats = {"input": "audio/pcm", "output": "audio/pcm"}
        self._rates = {"input": 24000, "output": 24000}
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
            "conversation.item.input_audio_transcription.completed": self._transcribed,
            "conversation.item.create": self._create,
            "conversation.item.truncated": self._truncated,
            "session.created": self._configured,
            "session.updated": self._configured,
            "response.created": self._begun,
            "response.audio.delta": self._spoke,
            "response.audio_transcript.delta": self._wrote,
            "response.text.delta": self._wrote,
            "response.output_item.done": self._item_done,
            "response.done": self._done,
        }

    def add(self, recorded: RecordedEvent) -> None:
        """Follow an event."""
        wire, at_ms = recorded.event, recorded.at_ms
        self._now = None
        if at_ms is not None:
            self._first_ms = at_ms if self._first_ms is None else self._first_ms
            self._now = round(at_ms - self._first_ms, 1)
        kind: str = wire["type"]
        for name, older in _RENAMED:
            kind = kind.replace(name, older)
        if follow := self._followed.get(kind):
            follow(wire)

    def to_dicts(self) -> list[dict[str, Any]]:
        """The turns as JSON."""
        return [turn.to_dict(self._rates) for turn in self._turns]

    # What the user does

    def _turn_of_user(self) -> _Turn:
        """The turn that has no answer yet, or a new one."""
        if not self._turns or self._turns[-1].answers:
            self._turns.append(_Turn())
        return self._turns[-1]

    def _append(self, wire: dict[str, Any]) -> None:
        self._heard += self._decoded("input", wire.get("audio"))
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
        start = self._time_at(self._committed + 1)
        said = _Said(pcm=self._heard[self._committed :], start=start, end=self._now)
        self._turn_of_user().user.append(said)
        self._committed = len(self._heard)

    def _started(self, wire: dict[str, Any]) -> None:
        start = self._bytes_of(wire.get("audio_start_ms"))
        said = _Said(start=self._time_at(start + 1))
        self._committed = start
        self._spoken[str(wire.get("item_id"))] = said
        self._turn_of_user().user.append(said)

    def _stopped(self, wire: dict[str, Any]) -> None:
        said = self._spoken.get(str(wire.get("item_id")))
        if said:
            end = self._bytes_of(wire.get("audio_end_ms"))
            said.pcm = self._heard[self._committed : end]
            said.end = self._time_at(end)
            self._committed = end

    def _committed_by_server(self, wire: dict[str, Any]) -> None:
        """Gives the audio that the client has committed the id of its item."""
        if self._turns and self._turns[-1].user:
            self._spoken.setdefault(str(wire.get("item_id")), self._turns[-1].user[-1])

    def _bytes_of(self, ms: Any) -> int:
        each = self._rates["input"] // 1000 * 2
        return int(ms) * each if isinstance(ms, (int, float)) and 0 <= ms < 1e9 else 0

    def _transcribed(self, wire: dict[str, Any]) -> None:
        said = self._spoken.get(str(wire.get("item_id")))
        if said:
            said.text = _text(wire.get("transcript"))

    def _create(self, wire: dict[str, Any]) -> None:
        item = wire.get("item")
        if at(item, "type") == "function_call_output":
            if call := self._calls.get(str(at(item, "call_id"))):
                call.output, call.end = _text(at(item, "output")), self._now
        elif at(item, "role") == "user":
            content = at(item, "content")
            parts = content if is_array(content) else []
            text = " ".join(filter(None, (_text(at(part, "text")) for part in parts)))
            pcm = self._decoded("input", *(at(part, "audio") for part in parts))
            self._turn_of_user().user.append(_Said(text, pcm, self._now, self._now))

    # What the server does

    def _configured(self, wire: dict[str, Any]) -> None:
        session = wire.get("session")
        for side in self._formats:
            format_of = at(session, "audio", side, "format")
            name = at(format_of, "type") or at(session, f"{side}_audio_format")
            if isinstance(name, str):
                self._formats[side] = _G711.get(name, name)
                self._rates[side] = 8000 if self._formats[side] in SAMPLES else 24000

    def _begun(self, wire: dict[str, Any]) -> None:
        last = self._turns[-1].answers[-1:] if self._turns else []
        if not self._turns or (last and not last[0].calls_function):
            self._turns.append(_Turn())
        answer = _Answer(start=self._now)
        self._turns[-1].answers.append(answer)
        self._answers[str(at(wire, "response", "id"))] = answer

    def _answer(self, wire: dict[str, Any]) -> _Answer:
        """The response that an event is about; one of which nothing is shown, if there is none."""
        return self._answers.get(str(wire.get("response_id")), _Answer())

    def _spoke(self, wire: dict[str, Any]) -> None:
        answer = self._answer(wire)
        if answer.first is None or not answer.pcm:
            answer.first = self._now
        answer.pcm += self._decoded("output", wire.get("delta"))
        self._audible[str(wire.get("item_id"))] = answer

    def _wrote(self, wire: dict[str, Any]) -> None:
        answer = self._answer(wire)
        answer.text += _text(wire.get("delta"))
        if answer.first is None and "transcript" not in wire["type"]:
            answer.first = self._now

    def _item_done(self, wire: dict[str, Any]) -> None:
        item = wire.get("item")
        if at(item, "type") == "function_call" and self._turns:
            call = _Call(_text(at(item, "name")), _text(at(item, "arguments")), self._now)
            self._calls[str(at(item, "call_id"))] = call
            self._answer(wire).calls_function = True
            self._turns[-1].calls.append(call)

    def _done(self, wire: dict[str, Any]) -> None:
        response = wire.get("response")
        answer = self._answers.get(str(at(response, "id")))
        if answer:
            answer.end = self._now
            answer.status = _text(at(response, "status"))
            answer.tokens = Usage.of(at(response, "usage")).total

    def _truncated(self, wire: dict[str, Any]) -> None:
        answer = self._audible.get(str(wire.get("item_id")))
        played_ms = wire.get("audio_end_ms")
        if answer and isinstance(played_ms, int):
            answer.played_ms = played_ms

    def _decoded(self, side: str, *texts: Any) -> bytearray:
        """Audio as PCM16; nothing for what is not base64."""
        data = bytearray()
        for text in texts:
            try:
                data += base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError, TypeError):
                continue
        samples = SAMPLES.get(self._formats[side])
        if samples is None:
            return data
        return bytearray(struct.pack(f"<{len(data)}h", *(samples[code] for code in data)))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def page(data: dict[str, Any]) -> str:
    """The page for a session: the template with the data in it."""
    template = (files("openai_realtime_client.cli") / "page.html").read_text("utf-8")
    # In a script, only `<` could end what is data.
    text = json.dumps(data).replace("<", "\\u003c")
    return template.replace("{}", text, 1)
