"""How the embedded server translates: the rules of one translation session, which is GA only."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Sequence
from typing import Any

from openai_realtime_client import ga
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing import audio
from openai_realtime_client.testing.errors import StrictRules
from openai_realtime_client.testing.settings import Ids

__all__ = ["TranslationRules", "new_translation"]

_CHUNK = 9600


def new_translation(session_id: str, model: str) -> dict[str, Any]:
    """The settings with which a translation session begins."""
    return {
        "id": session_id,
        "type": "translation",
        "expires_at": int(time.time()) + 1800,
        "model": model,
        "audio": {"input": {"transcription": None, "noise_reduction": None}, "output": {}},
    }


class TranslationRules(StrictRules):
    """The rules of one translation session.

    The translation of any audio is the audio itself, in chunks of 200 ms, each with a word of
    transcript: the language and the number of the chunk, such as ` es-1`. `session.close` brings
    what is left, and then `session.closed`.
    """

    def __init__(self, session: dict[str, Any], ids: Ids) -> None:
        super().__init__(ids)
        self.session = session
        self._pending = bytearray()
        self._chunks = 0

    def start(self) -> Sequence[RealtimeModel]:
        """`session.created`."""
        return [
            ga.RealtimeTranslationServerEventSessionCreated(
                event_id=self._ids("event"),
                session=ga.RealtimeTranslationSession.from_dict(self.session),
            )
        ]

    def streams(self) -> Sequence[Iterator[RealtimeModel]]:
        """None: all output answers input."""
        return []

    def _dispatch(self, event: RealtimeModel) -> Sequence[RealtimeModel]:
        match event:
            case ga.RealtimeTranslationClientEventSessionUpdate():
                return self._update(event.session.to_dict())
            case ga.RealtimeTranslationClientEventInputAudioBufferAppend():
                self._pending += audio.decoded(event.audio)
                return self._translate(_CHUNK)
            case _:
                self.is_over = True
                closed = ga.RealtimeTranslationServerEventSessionClosed(event_id=self._ids("event"))
                return [*self._translate(1), closed]

    def _update(self, update: dict[str, Any]) -> Sequence[RealtimeModel]:
        for side, settings in update.get("audio", {}).items():
            self.session["audio"][side] = {**self.session["audio"].get(side, {}), **settings}
        return [
            ga.RealtimeTranslationServerEventSessionUpdated(
                event_id=self._ids("event"),
                session=ga.RealtimeTranslationSession.from_dict(self.session),
            )
        ]

    def _translate(self, least: int) -> list[RealtimeModel]:
        """The translation of what is pending, as long as there are `least` bytes of it."""
        events: list[RealtimeModel] = []
        while len(self._pending) >= least:
            chunk = bytes(self._pending[:_CHUNK])
            del self._pending[:_CHUNK]
            events += self._translated(chunk)
        return events

    def _translated(self, chunk: bytes) -> list[RealtimeModel]:
        self._chunks += 1
        elapsed_ms = 200 * self._chunks
        events: list[RealtimeModel] = []
        if self.session["audio"]["input"].get("transcription"):
            source = ga.RealtimeTranslationServerEventSessionInputTranscriptDelta(
                event_id=self._ids("event"),
                delta=f" source-{self._chunks}",
                elapsed_ms=elapsed_ms,
            )
            events.append(source)
        language = self.session["audio"]["output"].get("language") or "translated"
        transcript = ga.RealtimeTranslationServerEventSessionOutputTranscriptDelta(
            event_id=self._ids("event"),
            delta=f" {language}-{self._chunks}",
            elapsed_ms=elapsed_ms,
        )
        speech = ga.RealtimeTranslationServerEventSessionOutputAudioDelta(
            event_id=self._ids("event"),
            delta=base64.b64encode(chunk).decode(),
            sample_rate=24000,
            channels=1,
            format=ga.RealtimeTranslationServerEventSessionOutputAudioDelta.FormatEnum.PCM16,
            elapsed_ms=elapsed_ms,
        )
        return [*events, transcript, speech]
