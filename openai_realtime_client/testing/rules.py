"""How the embedded server answers in GA: the rules of one session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from openai_realtime_client import ga
from openai_realtime_client.core.json_types import at
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing import audio
from openai_realtime_client.testing.answers import Answer, Answers, Call, default_answer, words
from openai_realtime_client.testing.conversation import Conversation
from openai_realtime_client.testing.errors import Refusal, Rules
from openai_realtime_client.testing.mcp import McpServers, McpTool, approval, offered_tools
from openai_realtime_client.testing.responses import USER_TOKEN_MS, Response, Turn
from openai_realtime_client.testing.settings import (
    LEVELS,
    PCM,
    Event,
    Ids,
    given,
    known,
    merge,
    voice_name,
)

__all__ = ["SETTINGS", "Model", "RealtimeRules"]

_LEAST_COMMIT_MS = 100
# The model of the settings that are returned, by the type of the session.
SETTINGS: dict[str, type[RealtimeModel]] = {
    "realtime": ga.RealtimeSessionCreateResponseGA,
    "transcription": ga.RealtimeTranscriptionSessionCreateResponseGA,
}


@dataclass(frozen=True)
class Model:
    """What a test lets the model and the user do; `ReplayServer` describes it."""

    answers: Answers = None
    transcripts: Sequence[str] = ()
    mcp: McpServers = field(default_factory=dict[str, list[McpTool]])


class RealtimeRules(Rules):
    """The rules of one GA session, for conversation or for transcription.

    By default the model echoes, as `default_answer` does, and speech of the user is transcribed as
    its duration: `Audio of 1200 ms.`
    """

    def __init__(self, session: Event, ids: Ids, model: Model, *, is_call: bool = False) -> None:
        super().__init__(ids)
        self.session = session
        self._model = model
        self._is_call = is_call
        self._answers = model.answers if callable(model.answers) else iter(model.answers or ())
        self._transcripts = iter(model.transcripts)
        self._conversation = Conversation(ids)
        self._responses: list[Response] = []
        self._buffer = audio.InputBuffer()
        self._speech: tuple[str, int] | None = None  # the item's id, where it starts
        self._turns = 0
        self._handlers |= {
            "session.update": self._update_session,
            "conversation.item.create": self._conversation.create,
            "conversation.item.retrieve": self._conversation.retrieve,
            "conversation.item.delete": self._conversation.delete,
            "conversation.item.truncate": self._conversation.truncate,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit_buffer,
            "input_audio_buffer.clear": self._clear_buffer,
            "response.create": self._create_response,
            "response.cancel": self._cancel_response,
        }
        if is_call:
            self._handlers["output_audio_buffer.clear"] = self._clear_output

    def start(self) -> Sequence[Event]:
        """`session.created`."""
        return [self._session_event("session.created"), *self._list_tools()]

    # Session

    def _session_event(self, kind: str) -> Event:
        settings = SETTINGS[self.session["type"]].from_dict(self.session)
        return self._ids.event(kind, session=known(settings))

    def _update_session(self, event: Event) -> Sequence[Event]:
        update = dict(event["session"])
        if update["type"] != self.session["type"]:
            message = f"A session of type '{self.session['type']}' keeps its type."
            raise Refusal("invalid_value", message, "session.type")
        voice = at(update, "audio", "output", "voice")
        if voice and self._has_spoken() and voice_name(voice) != self._speaking["voice"]:
            message = "The voice cannot change once assistant audio is present."
            raise Refusal("cannot_update_voice", message, "session.audio.output.voice")
        update.pop("model", None)
        self.session = merge(self.session, update)
        return [self._session_event("session.updated"), *self._list_tools()]

    def _has_spoken(self) -> bool:
        lengths = self._conversation.audio_ms
        items = self._conversation.items
        return any(item.get("role") == "assistant" and item["id"] in lengths for item in items)

    def _list_tools(self) -> Iterator[Event]:
        """List the tools of MCP servers that are new in the session."""
        items = self._conversation.items
        listed = {item["server_label"] for item in items if item["type"] == "mcp_list_tools"}
        tools: list[Event] = self.session.get("tools") or []
        for tool in tools:
            if tool["type"] == "mcp" and tool["server_label"] not in listed:
                yield from self._list_tools_of(tool["server_label"])

    def _list_tools_of(self, label: str) -> Iterator[Event]:
        item = self._ids.item("mcp_list_tools", server_label=label, tools=[])
        yield self._conversation.begin(item)
        yield self._ids.event("mcp_list_tools.in_progress", item_id=item["id"])
        known = self._model.mcp.get(label)
        if known is not None:
            tools = [tool.listed() for tool in known]
            yield from self._conversation.finish({**item, "tools": tools})
        kind = "failed" if known is None else "completed"
        yield self._ids.event(f"mcp_list_tools.{kind}", item_id=item["id"])

    # Input audio

    @property
    def _listening(self) -> Event:
        found: Event = self.session["audio"]["input"]
        return found

    @property
    def _speaking(self) -> Event:
        found: Event = self.session["audio"]["output"]
        return found

    @property
    def _encoding(self) -> str:
        found: str = (self._listening.get("format") or PCM)["type"]
        return found

    def _append(self, event: Event) -> Sequence[Event]:
        data, detection = audio.decoded(event["audio"]), self._listening.get("turn_detection")
        # `semantic_vad` has no levels.
        levels: Event | None = {**LEVELS, **detection} if detection else None
        events: list[Event] = []
        for what, at_ms in self._buffer.append(data, self._encoding, levels):
            begin_or_end = self._speech_started if what == "started" else self._speech_stopped
            events += begin_or_end(at_ms)
        return events

    def _speech_started(self, at_ms: int) -> Sequence[Event]:
        self._turns += 1
        item_id, start_ms = self._speech = self._ids("item"), max(at_ms, self._buffer.start_ms)
        place = {"audio_start_ms": start_ms, "item_id": item_id}
        started = self._ids.event("input_audio_buffer.speech_started", **place)
        return [started, *(self._interrupt() if self._detects("interrupt_response") else ())]

    def _detects(self, name: str) -> bool:
        return self._listening["turn_detection"].get(name) is not False

    def _interrupt(self) -> Iterator[Event]:
        for response in self._responses:
            if response.is_active and response.is_in_band:
                yield from response.cancel("turn_detected")
            yield from response.stop_playing("cleared")

    def _speech_stopped(self, at_ms: int) -> Sequence[Event]:
        assert self._speech
        item_id, start_ms = self._speech
        place = {"audio_end_ms": at_ms, "item_id": item_id}
        stopped = self._ids.event("input_audio_buffer.speech_stopped", **place)
        self._buffer.cut(at_ms)
        self._speech = None
        events = [stopped, *self._commit(item_id, at_ms - start_ms)]
        if self._detects("create_response"):
            self._respond_to_speech()
        return events

    def _respond_to_speech(self, default: Answer | None = None) -> None:
        if self.session["type"] == "realtime" and not self._active_response():
            self._begin_response({}, list(self._conversation.items), default)

    def _clear_buffer(self, _: Event | None = None) -> Sequence[Event]:
        self._buffer.clear()
        self._speech = None
        return [self._ids.event("input_audio_buffer.cleared")]

    def _commit_buffer(self, _: Event) -> Sequence[Event]:
        length_ms = self._buffer.end_ms - self._buffer.start_ms
        if length_ms < _LEAST_COMMIT_MS:
            message = (
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{_LEAST_COMMIT_MS}ms of audio, but buffer only has {length_ms:.2f}ms of audio."
            )
            raise Refusal("input_audio_buffer_commit_empty", message)
        item_id = self._speech[0] if self._speech else self._ids("item")
        self._clear_buffer()
        return self._commit(item_id, length_ms)

    def _commit(self, item_id: str, length_ms: int) -> list[Event]:
        self._turns += 1
        place = {"previous_item_id": self._conversation.last_id(), "item_id": item_id}
        committed = self._ids.event("input_audio_buffer.committed", **place)
        item: Event = {"id": item_id, "type": "message", "status": "completed", "role": "user"}
        part = {"type": "input_audio", "transcript": None}
        added = self._conversation.insert({**item, "content": [part]})
        self._conversation.audio_ms[item_id] = length_ms
        # Only now: items are sent as they are before their audio is transcribed.
        text = next(self._transcripts, f"Audio of {length_ms} ms.") if length_ms else ""
        self._conversation.items[-1] = {**item, "content": [{**part, "transcript": text}]}
        return [committed, *added, *self._transcription(item_id, text, length_ms)]

    def _transcription(self, item_id: str, text: str, length_ms: int) -> Iterator[Event]:
        settings: Event | None = self._listening.get("transcription")
        if not settings:
            return
        kind = "conversation.item.input_audio_transcription"
        place = {"item_id": item_id, "content_index": 0}
        for word in words(text):
            yield self._ids.event(f"{kind}.delta", **place, delta=word)
        usage: Event = {"type": "duration", "seconds": length_ms / 1000}
        if "whisper" not in (settings.get("model") or "whisper"):
            heard, written = length_ms // USER_TOKEN_MS, len(words(text))
            usage = {"type": "tokens", "input_tokens": heard, "output_tokens": written}
            usage |= {"total_tokens": heard + written}
            usage |= {"input_token_details": {"text_tokens": 0, "audio_tokens": heard}}
        yield self._ids.event(f"{kind}.completed", **place, transcript=text, usage=usage)

    # Responses

    def _create_response(self, event: Event) -> Sequence[Event]:
        if self.session["type"] != "realtime":
            raise Refusal("invalid_value", "A transcription session has no responses.", "type")
        params: Event = event.get("response") or {}
        active = self._active_response()
        if active and params.get("conversation") != "none":
            raise Refusal(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {active.id}. "
                "Wait until the response is finished before creating a new one.",
            )
        context = list(self._conversation.items)
        if params.get("input") is not None:
            context = [self._referenced(item) for item in params["input"]]
        self._begin_response(params, context)
        return []

    def _active_response(self) -> Response | None:
        """The response that the conversation is waiting for; it has at most one."""
        return next((each for each in self._responses if each.is_active and each.is_in_band), None)

    def _referenced(self, item: Event) -> Event:
        is_reference = item["type"] == "item_reference"
        return self._conversation.find(item["id"], "reference") if is_reference else item

    def _begin_response(
        self, params: Event, context: list[Event], default: Answer | None = None
    ) -> None:
        self._turns += 1
        output = {**self._speaking, **given(at(params, "audio", "output") or {})}
        settings: Event = {**self.session, **given(params), "audio": {"output": output}}
        answer = self._approved(context) or self._given_answer(context) or default
        if answer is None:
            tools = offered_tools(settings["tools"], self._model.mcp)
            answer = default_answer(context, tools, settings["tool_choice"])
        turn = Turn(self._conversation, context, self._model.mcp, self._is_call)
        response = Response(self._ids, settings, turn, answer)
        self._responses = [r for r in self._responses if r.is_active or r.is_playing]
        self._responses.append(response)
        self.streams.append(self._stream(response))

    def _given_answer(self, context: list[Event]) -> Answer | None:
        answers = self._answers
        found = answers(list(context)) if callable(answers) else next(answers, None)
        if isinstance(found, str):
            return Answer(found)
        return Answer(calls=[found]) if isinstance(found, Call) else found

    def _approved(self, context: list[Event]) -> Answer | None:
        """What follows the client's approval of a call, or its refusal."""
        response = approval(context)
        if not response:
            return None
        if not response["approve"]:
            return Answer("The call was not approved.")
        request = self._conversation.find(response["approval_request_id"], "approve")
        call = Call(request["name"], request["arguments"], request["server_label"])
        return Answer(calls=[call])

    def _stream(self, response: Response) -> Iterator[Event | float]:
        """A response and then, once it is done, what follows from it."""
        yield from response.events
        if response.rate_limits:
            yield self._ids.event("rate_limits.updated", rate_limits=response.rate_limits)
        turns, idle_ms = self._turns, at(self._listening, "turn_detection", "idle_timeout_ms")
        if response.is_playing or idle_ms:
            yield response.playback_left
            yield from response.stop_playing("stopped")
        if idle_ms:
            start_ms = self._buffer.end_ms
            yield idle_ms / 1000
            if turns == self._turns:
                yield from self._time_out(start_ms)

    def _time_out(self, start_ms: int) -> Iterator[Event]:
        """Go on where the user has said nothing for the session's `idle_timeout_ms`."""
        item_id, end_ms = self._ids("item"), self._buffer.end_ms
        place: Event = {"audio_start_ms": start_ms, "audio_end_ms": end_ms, "item_id": item_id}
        yield self._ids.event("input_audio_buffer.timeout_triggered", **place)
        self._clear_buffer()
        yield from self._commit(item_id, 0)
        self._respond_to_speech(Answer("Are you still there?"))

    def _cancel_response(self, event: Event) -> Sequence[Event]:
        response, wanted = self._active_response(), event.get("response_id")
        if wanted:
            found = (each for each in self._responses if each.is_active and each.id == wanted)
            response = next(found, None)
        if response is None:
            message = "Cancellation failed: no active response found"
            raise Refusal("response_cancel_not_active", message)
        return response.cancel("client_cancelled")

    def _clear_output(self, _: Event) -> Sequence[Event]:
        return [event for each in self._responses for event in each.stop_playing("cleared")]
