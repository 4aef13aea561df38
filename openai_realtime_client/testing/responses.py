"""A response of the embedded server: what is said, event by event."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from openai_realtime_client import ga
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing import audio
from openai_realtime_client.testing.answers import Call, answer, choose_call, text_of, words
from openai_realtime_client.testing.conversation import Conversation
from openai_realtime_client.testing.settings import Ids, voice_name

__all__ = ["Response"]


class Response:
    """One response, from the settings of the session and those of `response.create`.

    `events` gives its events as they are sent, from `response.created` to `response.done`;
    `is_active` ends with the latter. `is_in_band` says whether its output belongs to the
    conversation. `context` is what it answers.
    """

    def __init__(
        self,
        ids: Ids,
        session: dict[str, Any],
        params: dict[str, Any],
        conversation: Conversation,
        context: list[Any],
    ) -> None:
        self.id = ids("resp")
        self.is_active = True
        self.is_in_band = params.get("conversation") != "none"
        self._ids = ids
        self._conversation = conversation
        self._context = context
        self._cancel_reason: str | None = None
        self._is_cut = False
        self._text_tokens = 0
        self._audio_tokens = 0
        given = {name: value for name, value in params.items() if value is not None}
        settings = {**session, **given}
        self._wire = self._initial(settings, session["audio"]["output"])
        call = choose_call(context, settings["tools"], settings["tool_choice"])
        self.events = self._generate(call)

    @property
    def tokens(self) -> int:
        """What it has used of the rate limit; 0 until it is done."""
        usage: dict[str, int] = self._wire["usage"] or {}
        return usage.get("total_tokens", 0)

    def cancel(self, reason: str) -> list[RealtimeModel]:
        """End it for a reason, such as "client_cancelled", with the events that are left of it."""
        self._cancel_reason = reason
        return list(self.events)

    def _initial(self, settings: dict[str, Any], speech: dict[str, Any]) -> dict[str, Any]:
        output = {**speech, **settings["audio"].get("output", {})}
        conversation = {"conversation_id": self._conversation.id} if self.is_in_band else {}
        shown = {"format": output["format"], "voice": voice_name(output["voice"])}
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": "in_progress",
            "status_details": None,
            "output": [],
            **conversation,
            "output_modalities": settings["output_modalities"],
            "max_output_tokens": settings["max_output_tokens"],
            "audio": {"output": shown},
            "usage": None,
            "metadata": settings.get("metadata"),
        }

    def _generate(self, call: Call | None) -> Iterator[RealtimeModel]:
        yield ga.RealtimeServerEventResponseCreated(
            event_id=self._ids("event"), response=ga.RealtimeResponse.from_dict(self._wire)
        )
        if not self._cancel_reason:
            yield from self._call(call) if call else self._say()
        self._finish()
        yield ga.RealtimeServerEventResponseDone(
            event_id=self._ids("event"), response=ga.RealtimeResponse.from_dict(self._wire)
        )

    @property
    def _status(self) -> str:
        if self._cancel_reason:
            return "cancelled"
        return "incomplete" if self._is_cut else "completed"

    def _finish(self) -> None:
        # Before the last event, after which the client may ask for the next response.
        self.is_active = False
        self._wire["status"] = self._status
        reason = self._cancel_reason or "max_output_tokens"
        if self._status != "completed":
            self._wire["status_details"] = {"type": self._status, "reason": reason}
        text_in = sum(len(words(text_of(item))) for item in self._context)
        text_out, audio_out = self._text_tokens, self._audio_tokens
        nothing = {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0}
        cached = {"cached_tokens": 0, "cached_tokens_details": nothing}
        self._wire["usage"] = {
            "total_tokens": text_in + text_out + audio_out,
            "input_tokens": text_in,
            "output_tokens": text_out + audio_out,
            "input_token_details": {**nothing, "text_tokens": text_in, **cached},
            "output_token_details": {"text_tokens": text_out, "audio_tokens": audio_out},
        }

    def _open_item(self, item: Any) -> Iterator[RealtimeModel]:
        yield ga.RealtimeServerEventResponseOutputItemAdded(
            event_id=self._ids("event"), response_id=self.id, output_index=0, item=item
        )
        if self.is_in_band:
            yield self._conversation.begin(item)

    def _close_item(self, item: Any) -> Iterator[RealtimeModel]:
        self._wire["output"] = [item.to_dict()]
        yield from self._conversation.finish(item)
        yield ga.RealtimeServerEventResponseOutputItemDone(
            event_id=self._ids("event"), response_id=self.id, output_index=0, item=item
        )

    def _call(self, call: Call) -> Iterator[RealtimeModel]:
        item_id, call_id = self._ids("item"), self._ids("call")
        wire: dict[str, Any] = {"id": item_id, "type": "function_call", "status": "in_progress"}
        wire |= {"name": call.name, "call_id": call_id, "arguments": ""}
        item_class = ga.RealtimeConversationItemFunctionCall
        yield from self._open_item(item_class.from_dict(wire))
        for piece in self._pieces(call.arguments):
            wire["arguments"] += piece
            yield ga.RealtimeServerEventResponseFunctionCallArgumentsDelta(
                event_id=self._ids("event"),
                response_id=self.id,
                item_id=item_id,
                output_index=0,
                call_id=call_id,
                delta=piece,
            )
        yield ga.RealtimeServerEventResponseFunctionCallArgumentsDone(
            event_id=self._ids("event"),
            response_id=self.id,
            item_id=item_id,
            output_index=0,
            call_id=call_id,
            name=call.name,
            arguments=wire["arguments"],
        )
        wire["status"] = "completed" if self._status == "completed" else "incomplete"
        yield from self._close_item(item_class.from_dict(wire))

    def _pieces(self, text: str) -> Iterator[str]:
        """The words of a text, as long as the response may go on."""
        limit = self._wire["max_output_tokens"]
        for piece in words(text):
            if self._cancel_reason:
                return
            if isinstance(limit, int) and self._text_tokens >= limit:
                self._is_cut = True
                return
            self._text_tokens += 1
            yield piece

    def _say(self) -> Iterator[RealtimeModel]:
        is_audio = "audio" in self._wire["output_modalities"]
        item_id = self._ids("item")
        wire: dict[str, Any] = {"id": item_id, "type": "message", "status": "in_progress"}
        wire |= {"role": "assistant", "content": []}
        item_class = ga.RealtimeConversationItemMessageAssistant
        yield from self._open_item(item_class.from_dict(wire))
        place: dict[str, Any] = {"response_id": self.id, "item_id": item_id}
        place |= {"output_index": 0, "content_index": 0}
        key = "transcript" if is_audio else "text"
        part = {"type": "audio" if is_audio else "text", key: ""}
        yield ga.RealtimeServerEventResponseContentPartAdded.from_dict(
            {"event_id": self._ids("event"), "type": "response.content_part.added"}
            | {**place, "part": part}
        )
        text = answer(self._context)
        speak = self._speak if is_audio else self._write
        for event, piece in speak(text, place):
            part[key] += piece
            yield event
        yield from self._end_part(part, place)
        wire["content"] = [{**part, "type": f"output_{part['type']}"}]
        wire["status"] = "completed" if self._status == "completed" else "incomplete"
        yield from self._close_item(item_class.from_dict(wire))

    def _write(self, text: str, place: dict[str, Any]) -> Iterator[tuple[RealtimeModel, str]]:
        for piece in self._pieces(text):
            event = ga.RealtimeServerEventResponseTextDelta(
                event_id=self._ids("event"), delta=piece, **place
            )
            yield event, piece

    def _speak(self, text: str, place: dict[str, Any]) -> Iterator[tuple[RealtimeModel, str]]:
        encoding: str = self._wire["audio"]["output"]["format"]["type"]
        for piece, chunk in zip_longest(self._pieces(text), audio.spoken(encoding)):
            if piece is not None:
                transcript = ga.RealtimeServerEventResponseAudioTranscriptDelta(
                    event_id=self._ids("event"), delta=piece, **place
                )
                yield transcript, piece
            if chunk is not None and not self._cancel_reason:
                self._audio_tokens += 1
                heard_ms = self._conversation.audio_ms
                heard_ms[place["item_id"]] = heard_ms.get(place["item_id"], 0) + audio.CHUNK_MS
                sound = ga.RealtimeServerEventResponseAudioDelta(
                    event_id=self._ids("event"), delta=base64.b64encode(chunk).decode(), **place
                )
                yield sound, ""

    def _end_part(self, part: dict[str, str], place: dict[str, Any]) -> Iterator[RealtimeModel]:
        if part["type"] == "audio":
            yield ga.RealtimeServerEventResponseAudioDone(event_id=self._ids("event"), **place)
            yield ga.RealtimeServerEventResponseAudioTranscriptDone(
                event_id=self._ids("event"), transcript=part["transcript"], **place
            )
        else:
            yield ga.RealtimeServerEventResponseTextDone(
                event_id=self._ids("event"), text=part["text"], **place
            )
        yield ga.RealtimeServerEventResponseContentPartDone.from_dict(
            {"event_id": self._ids("event"), "type": "response.content_part.done"}
            | {**place, "part": part}
        )
