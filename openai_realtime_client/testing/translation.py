"""Translation sessions of the embedded server, which are GA only."""

from __future__ import annotations

import base64
import time

from openai_realtime_client.core.json_types import at
from openai_realtime_client.testing import audio
from openai_realtime_client.testing.errors import Rules
from openai_realtime_client.testing.settings import Event, Outbox, updated

__all__ = ["TranslationRules", "new_translation"]

_CHUNK = 9600  # bytes: 200 ms of PCM at 24 kHz


def new_translation(session_id: str, model: str) -> Event:
    """Return the initial settings of a translation session."""
    return {
        "id": session_id,
        "type": "translation",
        "expires_at": int(time.time()) + 1800,
        "model": model,
        "audio": {"input": {"transcription": None, "noise_reduction": None}, "output": {}},
    }


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
        self._session = updated(self._session, {"audio": at(event, "session", "audio")}, {})
        self.outbox.emit("session.updated", session=self._session)

    def _append(self, event: Event) -> None:
        self._pending += audio.decoded(event["audio"])
        while len(self._pending) >= _CHUNK:
            self._translate_chunk()

    def _close(self, _: Event) -> None:
        if self._pending:
            self._translate_chunk()
        self.outbox.emit("session.closed")
        # The client has the whole translation by then.
        self.closing = 1000, ""

    def _translate_chunk(self) -> None:
        chunk, self._pending = self._pending[:_CHUNK], self._pending[_CHUNK:]
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
