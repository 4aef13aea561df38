"""Answer the events of one GA session of the embedded server, translation sessions included."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from openai_realtime_client import ga
from openai_realtime_client.core.audio import PCM, format_of
from openai_realtime_client.core.json_types import at
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing import audio
from openai_realtime_client.testing.answers import (
    Answer,
    Answers,
    Call,
    McpServers,
    default_answer,
    find_approval,
    offered_tools,
    words,
)
from openai_realtime_client.testing.errors import Refusal, Rules
from openai_realtime_client.testing.responses import USER_TOKEN_MS, Conversation, Response
from openai_realtime_client.testing.settings import (
    LEVELS,
    Event,
    Outbox,
    apply_update,
    drop_unknown,
    merge_settings,
    voice_name,
    without_nulls,
)

__all__ = ["SETTINGS", "RealtimeRules", "Scenario", "TranslationRules"]

_MIN_COMMIT_MS = 100
# Bytes of audio that are translated at a time: 200 ms.
_TRANSLATED = PCM.size(200)
# The model of the settings that are returned, by the type of the session.
SETTINGS: dict[str, type[RealtimeModel]] = {
    "realtime": ga.RealtimeSessionCreateResponseGA,
    "transcription": ga.RealtimeTranscriptionSessionCreateResponseGA,
}


class Scenario(NamedTuple):
    """The script of the model and the user in a test; `ReplayServer` describes it."""

    answers: Answers
    transcripts: Sequence[str]
    mcp: McpServers


class RealtimeRules(Rules):
    """The rules of one GA session, for conversation or for transcription.

    By default the model echoes, as `default_answer` does, and speech of the user is transcribed as
    its duration: `Audio of 1200 ms.`
    """

    def __init__(
        self, session: Event, outbox: Outbox, scenario: Scenario, *, is_call: bool = False
    ) -> None:
        super().__init__(outbox)
        self.session = session
        self._scenario = scenario
        self._answers: Iterator[Any] = iter(())
        if not callable(scenario.answers):
            self._answers = iter(scenario.answers or ())
        self._transcripts = iter(scenario.transcripts)
        self._conversation = Conversation(outbox, scenario.mcp, is_call=is_call)
        # Those in progress or still playing.
        self._responses: list[Response] = []
        self._buffer = audio.InputBuffer()
        self._speech: tuple[str, int] | None = None  # the item's id, where it starts
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

    def begin(self) -> None:
        """Emit `session.created`, and the tools of MCP servers in the settings of a secret."""
        self._emit_session("session.created")
        self._list_tools()

    # Session

    def _emit_session(self, event_type: str) -> None:
        settings = SETTINGS[self.session["type"]].from_dict(self.session)
        self.outbox.emit(event_type, session=drop_unknown(settings))

    def _update_session(self, event: Event) -> None:
        update = dict(event["session"])
        if update["type"] != self.session["type"]:
            message = f"A session of type '{self.session['type']}' keeps its type."
            raise Refusal("invalid_value", message, "session.type")
        voice = at(update, "audio", "output", "voice")
        current = at(self.session, "audio", "output", "voice")
        if voice and self._has_spoken() and voice_name(voice) != current:
            message = "The voice cannot change once assistant audio is present."
            raise Refusal("cannot_update_voice", message, "session.audio.output.voice")
        # The service keeps the model of the handshake, whatever an update asks for.
        update.pop("model", None)
        self.session = merge_settings(self.session, update)
        self._emit_session("session.updated")
        self._list_tools()

    def _has_spoken(self) -> bool:
        lengths = self._conversation.audio_ms
        items = self._conversation.items
        return any(item.get("role") == "assistant" and item["id"] in lengths for item in items)

    def _list_tools(self) -> None:
        """List the tools of MCP servers that are new in the session."""
        items = self._conversation.items
        listed = {item["server_label"] for item in items if item["type"] == "mcp_list_tools"}
        tools: list[Event] = self.session.get("tools") or []
        for tool in tools:
            if tool["type"] == "mcp" and tool["server_label"] not in listed:
                self._list_tools_of(tool["server_label"])

    def _list_tools_of(self, label: str) -> None:
        item = self.outbox.new_item("mcp_list_tools", server_label=label, tools=[])
        self._conversation.begin(item)
        self.outbox.emit("mcp_list_tools.in_progress", item_id=item["id"])
        outcome = "failed"
        if label in self._scenario.mcp:
            outcome = "completed"
            tools = [tool.listed() for tool in self._scenario.mcp[label]]
            self._conversation.finish({**item, "tools": tools})
        self.outbox.emit(f"mcp_list_tools.{outcome}", item_id=item["id"])

    # Input audio

    def _append(self, event: Event) -> None:
        data = audio.decode_audio(event["audio"])
        audio_format = format_of(self.session, "input") or PCM
        levels: Event | None = None
        detection = self.session["audio"]["input"].get("turn_detection")
        if detection:
            # `semantic_vad` has no levels of its own.
            levels = {**LEVELS, **detection}
        for is_speech, at_ms in self._buffer.append(data, audio_format, levels):
            if is_speech:
                self._start_speech(at_ms)
            else:
                self._stop_speech(at_ms)

    def _start_speech(self, at_ms: int) -> None:
        item_id, start_ms = self._speech = self.outbox.new_id("item"), at_ms
        place = {"audio_start_ms": start_ms, "item_id": item_id}
        self.outbox.emit("input_audio_buffer.speech_started", **place)
        if not self._is_detection_set("interrupt_response"):
            return
        # Speech interrupts the conversation; out-of-band responses go on.
        for response in self._responses:
            if response.is_active and response.is_in_band:
                response.cancel("turn_detected")
            response.stop_playing("cleared")

    def _is_detection_set(self, name: str) -> bool:
        return self.session["audio"]["input"]["turn_detection"].get(name) is not False

    def _stop_speech(self, at_ms: int) -> None:
        assert self._speech
        item_id, start_ms = self._speech
        place = {"audio_end_ms": at_ms, "item_id": item_id}
        self.outbox.emit("input_audio_buffer.speech_stopped", **place)
        # The silence behind the turn belongs to the next one.
        self._buffer.cut(at_ms)
        self._speech = None
        self._commit(item_id, at_ms - start_ms)
        is_answered = self.session["type"] == "realtime" and not self._active_response()
        if is_answered and self._is_detection_set("create_response"):
            self._begin_response({}, list(self._conversation.items))

    def _clear_buffer(self, _: Event) -> None:
        self._buffer.clear()
        self._speech = None
        self.outbox.emit("input_audio_buffer.cleared")

    def _commit_buffer(self, _: Event) -> None:
        length_ms = self._buffer.end_ms - self._buffer.start_ms
        if length_ms < _MIN_COMMIT_MS:
            message = (
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{_MIN_COMMIT_MS}ms of audio, but buffer only has {length_ms:.2f}ms of audio."
            )
            raise Refusal("input_audio_buffer_commit_empty", message)
        # The client may commit before detected speech has stopped; its item was announced.
        item_id, _start_ms = self._speech or (self.outbox.new_id("item"), 0)
        self._buffer.clear()
        self._speech = None
        self._commit(item_id, length_ms)

    def _commit(self, item_id: str, length_ms: int) -> None:
        items = self._conversation.items
        place = {"previous_item_id": self._conversation.previous_id(len(items))}
        self.outbox.emit("input_audio_buffer.committed", **place, item_id=item_id)
        item: Event = {"id": item_id, "type": "message", "status": "completed", "role": "user"}
        part = {"type": "input_audio", "transcript": None}
        self._conversation.begin({**item, "content": [part]})
        self._conversation.finish({**item, "content": [part]})
        self._conversation.audio_ms[item_id] = length_ms
        # After the events of the item, which the service sends before its audio is transcribed.
        text = next(self._transcripts, f"Audio of {length_ms} ms.")
        items[-1] = {**item, "content": [{**part, "transcript": text}]}
        settings: Event | None = self.session["audio"]["input"].get("transcription")
        if settings:  # It is off by default.
            self._transcribe(item_id, text, length_ms, settings)

    def _transcribe(self, item_id: str, text: str, length_ms: int, settings: Event) -> None:
        stem = "conversation.item.input_audio_transcription"
        place = {"item_id": item_id, "content_index": 0}
        for word in words(text):
            self.outbox.emit(f"{stem}.delta", **place, delta=word)
        # whisper-1 is billed by duration, other models by tokens.
        usage: Event = {"type": "duration", "seconds": length_ms / 1000}
        if "whisper" not in (settings.get("model") or "whisper"):
            audio_tokens, text_tokens = length_ms // USER_TOKEN_MS, len(words(text))
            usage = {"type": "tokens", "total_tokens": audio_tokens + text_tokens}
            usage |= {"input_tokens": audio_tokens, "output_tokens": text_tokens}
            usage |= {"input_token_details": {"text_tokens": 0, "audio_tokens": audio_tokens}}
        self.outbox.emit(f"{stem}.completed", **place, transcript=text, usage=usage)

    # Responses

    def _create_response(self, event: Event) -> None:
        if self.session["type"] != "realtime":
            raise Refusal("invalid_value", "A transcription session has no responses.", "type")
        params: Event = event.get("response") or {}
        active = self._active_response()
        # One at a time in the conversation, any number beside it.
        if active and params.get("conversation") != "none":
            raise Refusal(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {active.id}. "
                "Wait until the response is finished before creating a new one.",
            )
        context = list(self._conversation.items)
        if params.get("input") is not None:
            context = [self._resolve_reference(item) for item in params["input"]]
        self._begin_response(params, context)

    def _active_response(self) -> Response | None:
        """Return the response in progress in the conversation, which has at most one."""
        for response in self._responses:
            if response.is_active and response.is_in_band:
                return response
        return None

    def _resolve_reference(self, item: Event) -> Event:
        if item["type"] == "item_reference":
            return self._conversation.find(item["id"], "reference")
        return item

    def _begin_response(self, params: Event, context: list[Event]) -> None:
        # The session's voice and format hold where a response names none.
        chosen = without_nulls(at(params, "audio", "output") or {})
        output = {**self.session["audio"]["output"], **chosen}
        settings: Event = {**self.session, **without_nulls(params), "audio": {"output": output}}
        answer = self._answer_to_approval(context) or self._given_answer(context)
        if answer is None:
            tools = offered_tools(settings["tools"], self._scenario.mcp)
            answer = default_answer(context, tools, settings["tool_choice"])
        response = Response(self._conversation, context, settings, answer)
        # Forget ended ones: a session may have thousands of responses.
        self._responses = [old for old in self._responses if old.is_active or old.is_playing]
        self._responses.append(response)
        self.streams.append(self._stream(response))

    def _given_answer(self, context: list[Event]) -> Answer | None:
        answer: Answer | Call | str | None
        if callable(self._scenario.answers):
            # A copy, which the function may change.
            answer = self._scenario.answers(list(context))
        else:
            answer = next(self._answers, None)
        # Short forms of an answer.
        if isinstance(answer, str):
            return Answer(answer)
        if isinstance(answer, Call):
            return Answer(calls=[answer])
        return answer

    def _answer_to_approval(self, context: list[Event]) -> Answer | None:
        """Return the approved call, or a text if the client has refused it."""
        response = find_approval(context)
        if not response:
            return None
        if not response["approve"]:
            return Answer("The call was not approved.")
        request = self._conversation.find(response["approval_request_id"], "approve")
        call = Call(request["name"], request["arguments"], request["server_label"])
        return Answer(calls=[call])

    def _stream(self, response: Response) -> Iterator[float]:
        """Emit the events of a response, its rate limits, and the end of its playback."""
        yield from response.steps
        response.emit_rate_limits()
        if response.is_playing:
            yield response.playback_left
            response.stop_playing("stopped")

    def _cancel_response(self, event: Event) -> None:
        response = self._active_response()
        # Out-of-band responses can only be cancelled by their id.
        if event.get("response_id"):
            active = {other.id: other for other in self._responses if other.is_active}
            response = active.get(event["response_id"])
        if response is None:
            message = "Cancellation failed: no active response found"
            raise Refusal("response_cancel_not_active", message)
        response.cancel("client_cancelled")

    def _clear_output(self, _: Event) -> None:
        for response in self._responses:
            response.stop_playing("cleared")


class TranslationRules(Rules):
    """The rules of one translation session.

    The translation of any audio is the audio itself, in chunks of 200 ms, each with a word of
    transcript: the language and the number of the chunk, such as ` es-1`. After `session.close`
    comes what is left, and then `session.closed`.
    """

    def __init__(self, session: Event, outbox: Outbox) -> None:
        super().__init__(outbox)
        self._session = session
        self._pending = b""
        self._chunks = 0
        self._handlers |= {
            "session.update": self._update,
            "session.input_audio_buffer.append": self._append,
            "session.close": self._close,
        }

    def begin(self) -> None:
        """Emit `session.created`."""
        self.outbox.emit("session.created", session=self._session)

    def _update(self, event: Event) -> None:
        self._session = apply_update(self._session, {"audio": at(event, "session", "audio")}, {})
        self.outbox.emit("session.updated", session=self._session)

    def _append(self, event: Event) -> None:
        self._pending += audio.decode_audio(event["audio"])
        while len(self._pending) >= _TRANSLATED:
            self._translate_chunk()

    def _close(self, _: Event) -> None:
        if self._pending:
            self._translate_chunk()
        self.outbox.emit("session.closed")
        # The client has the whole translation by then.
        self.closing = 1000, ""

    def _translate_chunk(self) -> None:
        chunk, self._pending = self._pending[:_TRANSLATED], self._pending[_TRANSLATED:]
        self._chunks += 1
        place = {"elapsed_ms": 200 * self._chunks}
        if at(self._session, "audio", "input", "transcription"):
            delta = f" source-{self._chunks}"
            self.outbox.emit("session.input_transcript.delta", delta=delta, **place)
        language = at(self._session, "audio", "output", "language") or "translated"
        delta = f" {language}-{self._chunks}"
        self.outbox.emit("session.output_transcript.delta", delta=delta, **place)
        sound: Event = {"sample_rate": 24000, "channels": 1, "format": "pcm16", **place}
        sound["delta"] = base64.b64encode(chunk).decode()
        self.outbox.emit("session.output_audio.delta", **sound)
