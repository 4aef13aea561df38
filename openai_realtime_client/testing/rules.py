"""How the embedded server answers in GA: the rules of one session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from openai_realtime_client import ga
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing import audio
from openai_realtime_client.testing.answers import words
from openai_realtime_client.testing.conversation import Conversation, rebuilt
from openai_realtime_client.testing.errors import Refusal, StrictRules
from openai_realtime_client.testing.responses import Response
from openai_realtime_client.testing.settings import PCM, Ids, merge, returned_settings

__all__ = ["RealtimeRules"]

_LEAST_COMMIT_MS = 100


class RealtimeRules(StrictRules):
    """The rules of one GA session, for conversation or for transcription.

    The model echoes: it answers `You said: …` to the user's last words and `The function said: …`
    to the output of a function, and calls functions as `answers.choose_call` says. Speech of the
    user is transcribed as how long it was: `Audio of 1200 ms.`
    """

    def __init__(self, session: dict[str, Any], ids: Ids) -> None:
        super().__init__(ids)
        self.session = session
        self._conversation = Conversation(ids)
        self._responses: list[Response] = []
        self._streams: list[Iterator[RealtimeModel]] = []
        # The buffer's size in bytes; what is in it does not matter.
        self._buffer_size = 0
        self._heard_ms = 0
        self._buffer_start_ms = 0
        self._speech_item: str | None = None
        self._silence = 0
        self._tokens_left = 100_000

    @property
    def conversation_id(self) -> str:
        """The id of the conversation."""
        return self._conversation.id

    # What `session.Rules` asks for.

    def start(self) -> Sequence[RealtimeModel]:
        """`session.created`."""
        return [
            ga.RealtimeServerEventSessionCreated(
                event_id=self._ids("event"), session=self._configuration()
            )
        ]

    def streams(self) -> Sequence[Iterator[RealtimeModel]]:
        """The responses that have begun since this was last asked."""
        begun, self._streams = self._streams, []
        return begun

    def _dispatch(self, event: RealtimeModel) -> Sequence[RealtimeModel]:
        match event:
            case ga.RealtimeClientEventSessionUpdate():
                return self._update_session(event)
            case ga.RealtimeClientEventConversationItemCreate():
                return self._conversation.create(event)
            case ga.RealtimeClientEventConversationItemRetrieve():
                return self._conversation.retrieve(event)
            case ga.RealtimeClientEventConversationItemDelete():
                return self._conversation.delete(event)
            case ga.RealtimeClientEventConversationItemTruncate():
                return self._conversation.truncate(event)
            case ga.RealtimeClientEventInputAudioBufferAppend():
                return self._append(event)
            case ga.RealtimeClientEventInputAudioBufferCommit():
                return self._commit(self._ids("item"))
            case ga.RealtimeClientEventInputAudioBufferClear():
                self._clear_buffer()
                return [ga.RealtimeServerEventInputAudioBufferCleared(event_id=self._ids("event"))]
            case ga.RealtimeClientEventResponseCreate():
                return self._create_response(event.response)
            case ga.RealtimeClientEventResponseCancel():
                return self._cancel_response(event)
            case _:
                kind: str = event.to_dict()["type"]
                raise Refusal("invalid_value", f"'{kind}' is not for this session.", "type")

    # Session

    def _configuration(self) -> Any:
        if self.session["type"] == "transcription":
            return returned_settings(ga.RealtimeTranscriptionSessionCreateResponseGA, self.session)
        return returned_settings(ga.RealtimeSessionCreateResponseGA, self.session)

    def _update_session(
        self, event: ga.RealtimeClientEventSessionUpdate
    ) -> Sequence[RealtimeModel]:
        update = event.session.to_dict()
        if update["type"] != self.session["type"]:
            message = f"A session of type '{self.session['type']}' keeps its type."
            raise Refusal("invalid_value", message, "session.type")
        if self._conversation.audio_ms and "voice" in update.get("audio", {}).get("output", {}):
            message = "The voice cannot change once assistant audio is present."
            raise Refusal("cannot_update_voice", message, "session.audio.output.voice")
        update.pop("model", None)
        self.session = merge(self.session, update)
        return [
            ga.RealtimeServerEventSessionUpdated(
                event_id=self._ids("event"), session=self._configuration()
            )
        ]

    # Input audio

    @property
    def _hearing(self) -> dict[str, Any]:
        found: dict[str, Any] = self.session["audio"]["input"]
        return found

    @property
    def _encoding(self) -> str:
        found: str = (self._hearing.get("format") or PCM)["type"]
        return found

    def _append(
        self, event: ga.RealtimeClientEventInputAudioBufferAppend
    ) -> Sequence[RealtimeModel]:
        data = audio.decoded(event.audio)
        self._buffer_size += len(data)
        self._heard_ms = self._buffer_start_ms + self._buffered_ms()
        if self._hearing.get("turn_detection"):
            return self._detect_turn(data)
        return []

    def _buffered_ms(self) -> int:
        return audio.duration_ms(self._buffer_size, self._encoding)

    def _detect_turn(self, data: bytes) -> list[RealtimeModel]:
        events: list[RealtimeModel] = []
        quiet = audio.trailing_silence(data, self._encoding)
        self._silence = quiet if quiet < len(data) else self._silence + quiet
        if quiet < len(data) and self._speech_item is None:
            events += self._speech_started(data)
        silence_ms = audio.duration_ms(self._silence, self._encoding)
        least_ms = self._hearing["turn_detection"].get("silence_duration_ms") or 500
        if self._speech_item is not None and silence_ms >= least_ms:
            events += self._speech_stopped(silence_ms)
        return events

    def _speech_started(self, data: bytes) -> list[RealtimeModel]:
        self._speech_item = self._ids("item")
        since = audio.duration_ms(len(data.lstrip(b"\0")), self._encoding)
        started = ga.RealtimeServerEventInputAudioBufferSpeechStarted(
            event_id=self._ids("event"),
            audio_start_ms=self._heard_ms - since,
            item_id=self._speech_item,
        )
        active = self._active_response()
        if active and self._hearing["turn_detection"].get("interrupt_response", True):
            return [started, *active.cancel("turn_detected")]
        return [started]

    def _speech_stopped(self, silence_ms: int) -> list[RealtimeModel]:
        item_id = self._speech_item or ""
        stopped = ga.RealtimeServerEventInputAudioBufferSpeechStopped(
            event_id=self._ids("event"),
            audio_end_ms=self._heard_ms - silence_ms,
            item_id=item_id,
        )
        events = [stopped, *self._commit(item_id)]
        creates = self._hearing["turn_detection"].get("create_response", True)
        if creates and self.session["type"] == "realtime":
            self._begin_response({}, list(self._conversation.items))
        return events

    def _clear_buffer(self) -> None:
        self._buffer_start_ms = self._heard_ms
        self._buffer_size = 0
        self._speech_item = None
        self._silence = 0

    def _commit(self, item_id: str) -> list[RealtimeModel]:
        length_ms = self._buffered_ms()
        if length_ms < _LEAST_COMMIT_MS:
            message = (
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{_LEAST_COMMIT_MS}ms of audio, but buffer only has {length_ms:.2f}ms of audio."
            )
            raise Refusal("input_audio_buffer_commit_empty", message)
        self._clear_buffer()
        committed = ga.RealtimeServerEventInputAudioBufferCommitted(
            event_id=self._ids("event"),
            previous_item_id=self._conversation.last_id(),
            item_id=item_id,
        )
        wire: dict[str, Any] = {"id": item_id, "type": "message", "status": "completed"}
        wire |= {"role": "user", "content": [{"type": "input_audio", "transcript": None}]}
        item = ga.RealtimeConversationItemMessageUser.from_dict(wire)
        events = [committed, *self._conversation.insert(item, len(self._conversation.items))]
        # Only now: items are sent as they are before their audio is transcribed.
        transcript = f"Audio of {length_ms} ms."
        wire["content"][0]["transcript"] = transcript
        self._conversation.items[-1] = rebuilt(item, wire)
        if self._hearing.get("transcription"):
            events += self._transcription(item_id, transcript, length_ms)
        return events

    def _transcription(self, item_id: str, text: str, length_ms: int) -> list[RealtimeModel]:
        events: list[RealtimeModel] = [
            ga.RealtimeServerEventConversationItemInputAudioTranscriptionDelta(
                event_id=self._ids("event"), item_id=item_id, content_index=0, delta=word
            )
            for word in words(text)
        ]
        completed = ga.RealtimeServerEventConversationItemInputAudioTranscriptionCompleted(
            event_id=self._ids("event"),
            item_id=item_id,
            content_index=0,
            transcript=text,
            usage=ga.TranscriptTextUsageDuration(seconds=length_ms / 1000),
        )
        return [*events, completed]

    # Responses

    def _create_response(
        self, params: ga.RealtimeResponseCreateParams | None
    ) -> Sequence[RealtimeModel]:
        if self.session["type"] != "realtime":
            raise Refusal("invalid_value", "A transcription session has no responses.", "type")
        wire = params.to_dict() if params else {}
        active = self._active_response()
        if active and wire.get("conversation") != "none":
            raise Refusal(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {active.id}. "
                "Wait until the response is finished before creating a new one.",
            )
        context = list(self._conversation.items)
        if "input" in wire:
            context = [self._referenced(item) for item in (params and params.input) or []]
        self._begin_response(wire, context)
        return []

    def _active_response(self) -> Response | None:
        """The response that the conversation is waiting for; it has at most one."""
        return next((each for each in self._active() if each.is_in_band), None)

    def _active(self) -> list[Response]:
        self._responses = [each for each in self._responses if each.is_active]
        return self._responses

    def _referenced(self, item: Any) -> Any:
        if isinstance(item, ga.RealtimeConversationItemReference):
            return self._conversation.find(item.id, "reference")
        return item

    def _begin_response(self, params: dict[str, Any], context: list[Any]) -> None:
        response = Response(self._ids, self.session, params, self._conversation, context)
        self._responses.append(response)
        self._streams.append(self._limited(response))

    def _limited(self, response: Response) -> Iterator[RealtimeModel]:
        """A response and then, once it is done, what it leaves of the rate limit."""
        yield from response.events
        self._tokens_left = max(0, self._tokens_left - response.tokens)
        yield self._rate_limits()

    def _cancel_response(
        self, event: ga.RealtimeClientEventResponseCancel
    ) -> Sequence[RealtimeModel]:
        response = self._active_response()
        if event.response_id:
            found = (each for each in self._active() if each.id == event.response_id)
            response = next(found, None)
        if response is None:
            message = "Cancellation failed: no active response found"
            raise Refusal("response_cancel_not_active", message)
        return response.cancel("client_cancelled")

    def _rate_limits(self) -> RealtimeModel:
        names = ga.RealtimeServerEventRateLimitsUpdatedRateLimit.NameEnum
        limit = ga.RealtimeServerEventRateLimitsUpdatedRateLimit(
            name=names.TOKENS, limit=100_000, remaining=self._tokens_left, reset_seconds=0.5
        )
        return ga.RealtimeServerEventRateLimitsUpdated(
            event_id=self._ids("event"), rate_limits=[limit]
        )
