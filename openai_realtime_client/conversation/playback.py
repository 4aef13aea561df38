"""How much of the received audio was played."""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from openai_realtime_client.core.audio import PCM, RATES, AudioFormat

if TYPE_CHECKING:
    from openai_realtime_client.conversation.state import Conversation

__all__ = ["Dropped", "Playback"]


class Dropped(NamedTuple):
    """An item of which audio was dropped, and how much of it was taken before."""

    item_id: str
    size: int  # bytes
    milliseconds: int


class Playback:
    """Received audio on its way to a device, which counts what the device has taken.

    One thread may add while another takes.

    Args:
        bytes_per_second: Of the audio: 48,000 for PCM at 24 kHz, 8,000 for G.711.
        conversation: The conversation whose audio is played. Its format is used, and late audio
            of an interrupted response is refused.
    """

    def __init__(
        self,
        bytes_per_second: int = PCM.bytes_per_second,
        *,
        conversation: Conversation | None = None,
    ) -> None:
        name = "audio/pcm"
        if bytes_per_second == RATES["audio/pcmu"]:
            name = "audio/pcmu"
        self._own_format = AudioFormat(name, bytes_per_second)
        self._conversation = conversation
        # The audio that waits, by item.
        self._queue: deque[tuple[str, bytearray]] = deque()
        self._item_id: str | None = None
        self._taken = 0
        # Items and responses cleared in the session, whose audio may still arrive.
        self._session_id: str | None = None
        self._refused: set[str] = set()
        self._refused_responses: set[str] = set()
        self._lock = Lock()

    @property
    def format(self) -> str:
        """The format of the audio: `audio/pcm`, `audio/pcmu` or `audio/pcma`."""
        return self._format.type

    @property
    def item_id(self) -> str | None:
        """The item that is played, or was played or cleared last; `None` before the first."""
        return self._item_id

    @property
    def milliseconds(self) -> int:
        """How much of that item was taken."""
        return self._format.milliseconds(self._taken)

    def __bool__(self) -> bool:
        """Whether there is audio to take."""
        size = self._format.sample_size
        return any(len(audio) >= size for _, audio in list(self._queue))

    def add(self, item_id: str, audio: bytes) -> bool:
        """Append audio of an item, unless it was cleared.

        Args:
            item_id: The id of the item, such as a delta has it.
            audio: Its bytes, decoded from base64.

        Returns:
            Whether it was appended, and is to be played.
        """
        with self._lock:
            if not audio or self._is_refused(item_id):
                return False
            if self._queue and self._queue[-1][0] != item_id:
                # Half a sample at the end of an item would shift the samples of the next.
                last = self._queue[-1][1]
                last.extend(bytes(len(last) % self._format.sample_size))
            if not self._queue or self._queue[-1][0] != item_id:
                self._queue.append((item_id, bytearray()))
            self._queue[-1][1].extend(audio)
        return True

    def take(self, size: int, item_id: str | None = None) -> bytes:
        """Remove and return the next audio, in whole samples.

        Where a device only reports what it has played, such as by the marks of a telephony
        stream, call it with the size of that and ignore what it returns.

        Args:
            size: The maximum number of bytes. Fewer are returned when there are no more.
            item_id: The item that the device reports, of which nothing is taken once it was
                cleared. By default, of whichever item is next.
        """
        sample = self._format.sample_size
        taken = bytearray()
        with self._lock:
            if item_id is not None and item_id in self._refused:
                return b""
            while self._queue:
                next_id, audio = self._queue[0]
                length = min(size - len(taken), len(audio)) // sample * sample
                if length > 0:
                    if next_id != self._item_id:
                        self._item_id, self._taken = next_id, 0
                    self._taken += length
                    taken += audio[:length]
                    del audio[:length]
                if audio:  # Enough was taken, or half a sample waits for the rest.
                    break
                self._queue.popleft()
        return bytes(taken)

    def clear(self) -> list[Dropped]:
        """Drop all audio, e.g. when the user interrupts, and refuse the rest of it.

        Returns:
            The item that is played, and all that wait behind it, with how much of each was taken:
            what `Conversation.interrupted` makes events of.
        """
        with self._lock:
            # In order, and each item once, although its audio may wait in several entries.
            # The item that plays counts even if all of it was taken: more may still arrive.
            sizes: dict[str, int] = {}
            if self._item_id is not None and self._item_id not in self._refused:
                sizes[self._item_id] = self._taken
            for item_id, _ in self._queue:
                sizes.setdefault(item_id, 0)
            if self._queue and self._queue[0][0] != self._item_id:
                self._item_id, self._taken = self._queue[0][0], 0
            self._queue.clear()
            self._refused.update(sizes)
            # Their next items may not have any audio yet.
            if self._conversation:
                self._refused_responses.update(item.id for item in self._conversation.active)
        milliseconds = self._format.milliseconds
        return [Dropped(item_id, size, milliseconds(size)) for item_id, size in sizes.items()]

    @property
    def _format(self) -> AudioFormat:
        if self._conversation:
            return self._conversation.output_format
        return self._own_format

    def _is_refused(self, item_id: str) -> bool:
        if not self._conversation:
            return item_id in self._refused
        if self._conversation.session_id != self._session_id:
            # Another session may use the ids again.
            self._session_id = self._conversation.session_id
            self._refused.clear()
            self._refused_responses.clear()
        if item_id in self._refused:
            return True
        item = self._conversation.item(item_id)
        return item is not None and item.response_id in self._refused_responses
