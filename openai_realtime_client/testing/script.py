"""How the embedded server replays a recording."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from openai_realtime_client.core.errors import InvalidEventError
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing.errors import Rules
from openai_realtime_client.testing.recording import RecordedEvent
from openai_realtime_client.testing.settings import Event, Ids

__all__ = ["Script"]

_APPENDS = {"input_audio_buffer.append", "session.input_audio_buffer.append"}


class Script(Rules):
    """Replays a recording until its end, or until the client departs from it; then closes.

    The client may append its audio in larger pieces than the one that was recorded, so that once
    it has begun, appends are not waited for.
    """

    def __init__(self, ids: Ids, recorded: Sequence[RecordedEvent]) -> None:
        super().__init__(ids)
        self._recorded = recorded
        self._next = 0
        self._is_appending = False

    def start(self) -> Iterator[Event]:
        """The server's events up to the client's next one."""
        while self._next < len(self._recorded):
            recorded = self._recorded[self._next]
            is_client = recorded.direction == "client"
            if is_client and not (self._is_appending and recorded.event["type"] in _APPENDS):
                return
            self._next += 1
            if not is_client:
                yield recorded.event
        self.closing = 1000, ""

    def receive(self, event: RealtimeModel) -> Iterator[Event]:
        """Go on after an event of the client."""
        wire = event.to_dict()
        return self._go_on(wire["type"], json.dumps(wire, ensure_ascii=False))

    def refuse(self, error: InvalidEventError, text: str) -> Iterator[Event]:
        """Close, because the script has no such message."""
        return self._go_on("no event", text)

    def _go_on(self, kind: str, received: str) -> Iterator[Event]:
        if self._is_appending and kind in _APPENDS:
            return
        expected = self._recorded[self._next]
        if expected.event["type"] == kind:
            self._is_appending = kind in _APPENDS
            self._next += 1
            yield from self.start()
        else:
            self.mismatch = _mismatch(expected, f"received {kind[:40]}", received)
            self.closing = 1011, self.mismatch.partition("\n")[0]

    def end(self) -> None:
        """Note what the client should have sent next, if it left too early."""
        left = (each for each in self._recorded[self._next :] if each.direction == "client")
        if self.mismatch is None and (missing := next(left, None)):
            self.mismatch = _mismatch(missing, "the connection ended", "nothing more")


def _mismatch(expected: RecordedEvent, what: str, received: str) -> str:
    kind, text = expected.event["type"][:40], json.dumps(expected.event, ensure_ascii=False)
    return (
        f"line {expected.line}: expected {kind}, {what}\n"
        f"  expected: {_short(text)}\n  received: {_short(received)}"
    )


def _short(text: str) -> str:
    return text if len(text) <= 400 else f"{text[:400]}… ({len(text)} characters)"
