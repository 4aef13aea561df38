"""`inspect --html`: write a page of a session, with its turns and their audio."""

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

# The page keeps what was deleted or truncated, which `Conversation` would remove.
_IGNORED = ("conversation.item.deleted", "conversation.item.truncated")
# Names of audio formats in v1, and in GA, which `g711` uses.
_G711 = {"g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}


@dataclass
class _UserInput:
    """A message of the user; times are in milliseconds since the session began, or `None`."""

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
    """Consecutive inputs of the user, and the responses up to the next input."""

    user: list[_UserInput] = field(default_factory=list[_UserInput])
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
        # By the id of the item: the user's input, and how much of the assistant was played.
        self._spoken: dict[str, _UserInput] = {}
        self._played_ms: dict[str, int] = {}
        # Outputs of functions and their times, by the id of the call.
        self._outputs: dict[str, tuple[str, float | None]] = {}
        self._formats = {"input": "audio/pcm", "output": "audio/pcm"}
        # All audio of the user, and where its uncommitted part begins.
        self._heard = bytearray()
        self._committed = 0
        # The total size after each append, which is sorted for bisection, and when it was.
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
        wire = recorded.event
        self._now = None
        if recorded.at_ms is not None:
            if self._first_ms is None:
                self._first_ms = recorded.at_ms
            self._now = round(recorded.at_ms - self._first_ms, 1)
        if wire["type"] not in _IGNORED:
            self._conversation.add(wire)
        follow = self._followed.get(wire["type"])
        answer = self._answers.get(str(wire.get("response_id")))
        if follow:
            follow(wire)
        elif answer:
            self._follow_answer(answer, wire)

    def write(self, path: str, summary: dict[str, Any]) -> None:
        """Write the page: the template with all data in it."""
        # Transcripts may come long after the turn.
        for item_id, user_input in self._spoken.items():
            item = self._conversation.item(item_id)
            if item:
                user_input.text = item.transcript
        turns = [self._turn_json(turn) for turn in self._turns]
        rows = [row._asdict() for row in self.rows]
        template = (files("openai_realtime_client.cli") / "page.html").read_text("utf-8")
        # Only `<` could end the script element that has the data:
        # https://html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements
        data = json.dumps({"summary": summary, "turns": turns, "events": rows})
        Path(path).write_text(template.replace("{}", data.replace("<", "\\u003c"), 1), "utf-8")

    # As JSON, with audio as base64

    def _turn_json(self, turn: _Turn) -> dict[str, Any]:
        user: list[dict[str, Any]] = []
        end = None
        for user_input in turn.user:
            user.append({**asdict(user_input), **self._audio_json("input", user_input.pcm)})
            if user_input.end is not None:
                end = user_input.end
        calls: list[dict[str, Any]] = []
        answers: list[dict[str, Any]] = []
        first = None
        for answer in turn.answers:
            calls += self._calls_json(answer)
            answers.append(self._answer_json(answer))
            if first is None:
                first = answers[-1]["first"]
        latency = None
        if end is not None and first is not None:
            latency = round(first - end, 1)
        return {"user": user, "calls": calls, "answers": answers, "latency": latency}

    def _answer_json(self, answer: _Answer) -> dict[str, Any]:
        text, audio, played_ms = "", b"", None
        for item in self._items_of(answer):
            text += item.transcript or item.text
            for part in item.parts.values():
                audio += part.audio
            played_ms = self._played_ms.get(item.id, played_ms)
        first = answer.heard
        if first is None:
            first = answer.read
        status, tokens = "", 0
        response = self._conversation.responses.get(answer.id)
        if response:
            status, tokens = response.status, response.usage.total
        return {
            "text": text,
            **self._audio_json("output", self._decode_audio("output", audio)),
            "start": answer.start,
            "first": first,
            "end": answer.end,
            "played_ms": played_ms,
            "status": status,
            "tokens": tokens,
            "calls_function": bool(self._calls_json(answer)),
        }

    def _calls_json(self, answer: _Answer) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = []
        for item in self._items_of(answer):
            if item.type == "function_call":
                output, end = self._outputs.get(item.call_id or "", (None, None))
                call = {"name": item.name or "", "arguments": item.arguments, "output": output}
                calls.append({**call, "start": answer.items[item.id], "end": end})
        return calls

    def _items_of(self, answer: _Answer) -> list[ConversationItem]:
        items = [self._conversation.item(item_id) for item_id in answer.items]
        return [item for item in items if item]

    def _sample_rate(self, side: str) -> int:
        if self._formats[side] in g711.SAMPLES:
            return 8000
        return 24000

    def _audio_json(self, side: str, pcm: bytes) -> dict[str, Any]:
        return {"pcm": base64.b64encode(pcm).decode(), "rate": self._sample_rate(side)}

    def _decode_audio(self, side: str, data: bytes) -> bytes:
        """Return audio in the format of the session as PCM16."""
        return g711.decode(data, self._formats[side])

    # Events about the user

    def _open_turn(self) -> _Turn:
        """Return the turn without an answer, or begin one."""
        if not self._turns or self._turns[-1].answers:
            self._turns.append(_Turn())
        return self._turns[-1]

    def _append(self, wire: dict[str, Any]) -> None:
        self._heard += self._decode_audio("input", _decode_base64(wire.get("audio")))
        self._sizes.append(len(self._heard))
        self._times.append(self._now)

    def _time_at(self, size: int) -> float | None:
        """Return when this much audio had been appended."""
        index = bisect_left(self._sizes, size)
        if index == len(self._times):
            return self._now
        return self._times[index]

    def _clear(self, wire: dict[str, Any]) -> None:
        self._committed = len(self._heard)

    def _commit(self, wire: dict[str, Any]) -> None:
        """Add a turn without turn detection: all audio since the last one."""
        # One byte on, because the first byte of a turn came with the append after the last turn.
        start = self._time_at(self._committed + 1)
        pcm = bytes(self._heard[self._committed :])
        self._open_turn().user.append(_UserInput(pcm=pcm, start=start, end=self._now))
        self._committed = len(self._heard)

    def _started(self, wire: dict[str, Any]) -> None:
        self._committed = self._size_at(wire.get("audio_start_ms"))
        user_input = _UserInput(start=self._time_at(self._committed + 1))
        self._spoken[str(wire.get("item_id"))] = user_input
        self._open_turn().user.append(user_input)

    def _stopped(self, wire: dict[str, Any]) -> None:
        user_input = self._spoken.get(str(wire.get("item_id")))
        if user_input:
            end = self._size_at(wire.get("audio_end_ms"))
            user_input.pcm = bytes(self._heard[self._committed : end])
            user_input.end = self._time_at(end)
            self._committed = end

    def _committed_by_server(self, wire: dict[str, Any]) -> None:
        """Note the id of the item that the client's commit created."""
        # With turn detection, the id is known since speech_started.
        if self._turns and self._turns[-1].user:
            self._spoken.setdefault(str(wire.get("item_id")), self._turns[-1].user[-1])

    def _size_at(self, ms: Any) -> int:
        """Return the size in bytes of PCM16 this long; 0 for an absurd time."""
        if not isinstance(ms, (int, float)) or not 0 <= ms < 1e9:
            return 0
        return int(ms) * (self._sample_rate("input") // 500)

    def _create(self, wire: dict[str, Any]) -> None:
        item = wire.get("item")
        if at(item, "type") == "function_call_output":
            output = _string_or_empty(at(item, "output"))
            self._outputs[str(at(item, "call_id"))] = output, self._now
        elif at(item, "role") == "user":
            texts: list[str] = []
            data = b""
            content = at(item, "content")
            for part in content if is_array(content) else ():
                texts.append(_string_or_empty(at(part, "text")))
                data += _decode_base64(at(part, "audio"))
            text = " ".join(filter(None, texts))
            pcm = self._decode_audio("input", data)
            self._open_turn().user.append(_UserInput(text, pcm, self._now, self._now))

    # Events of the server

    def _configured(self, wire: dict[str, Any]) -> None:
        session = wire.get("session")
        for side in self._formats:
            format_of = at(session, "audio", side, "format")
            # The latter is v1's.
            name = at(format_of, "type") or at(session, f"{side}_audio_format")
            if isinstance(name, str):
                self._formats[side] = _G711.get(name, name)

    def _begun(self, wire: dict[str, Any]) -> None:
        # A response after one that called functions is of the same turn.
        begins_turn = not self._turns
        if self._turns and self._turns[-1].answers:
            begins_turn = not self._calls_json(self._turns[-1].answers[-1])
        if begins_turn:
            self._turns.append(_Turn())
        answer = _Answer(str(at(wire, "response", "id")), self._now)
        self._turns[-1].answers.append(answer)
        self._answers[answer.id] = answer

    def _follow_answer(self, answer: _Answer, wire: dict[str, Any]) -> None:
        item_id = _string_or_empty(wire.get("item_id")) or _string_or_empty(at(wire, "item", "id"))
        answer.items.setdefault(item_id, None)
        event_type: str = wire["type"]
        if event_type.endswith("audio.delta") and answer.heard is None:
            answer.heard = self._now
        elif event_type.endswith("text.delta") and answer.read is None:
            answer.read = self._now
        elif event_type == "response.output_item.done":
            answer.items[item_id] = self._now

    def _done(self, wire: dict[str, Any]) -> None:
        answer = self._answers.get(str(at(wire, "response", "id")))
        if answer:
            answer.end = self._now

    def _truncated(self, wire: dict[str, Any]) -> None:
        if isinstance(wire.get("audio_end_ms"), int):
            self._played_ms[str(wire.get("item_id"))] = wire["audio_end_ms"]


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
