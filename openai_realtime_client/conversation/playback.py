"""How much of the received audio was played."""

from __future__ import annotations

from collections import deque
from threading import Lock

__all__ = ["Playback"]

_PCM_24_KHZ = 48_000


class Playback:
    """Received audio on its way to a device, which counts what the device has taken.

    One thread may add while another takes.

    Args:
        bytes_per_second: Of the audio: 48,000 for PCM at 24 kHz, 8,000 for G.711.
    """

    def __init__(self, bytes_per_second: int = _PCM_24_KHZ) -> None:
        self._bytes_per_second = bytes_per_second
        self._queue: deque[tuple[str, memoryview]] = deque()
        self._item_id: str | None = None
        self._taken = 0
        self._lock = Lock()

    @property
    def item_id(self) -> str | None:
        """The item that is played, or was played or cleared last; `None` before the first."""
        return self._item_id

    @property
    def milliseconds(self) -> int:
        """How much of that item was taken."""
        return self._taken * 1000 // self._bytes_per_second

    def __bool__(self) -> bool:
        """Whether there is audio to take."""
        return bool(self._queue)

    def add(self, item_id: str, audio: bytes) -> None:
        """Append audio of an item.

        Args:
            item_id: The id of the item, such as a delta has it.
            audio: Its bytes, decoded from base64.
        """
        with self._lock:
            if audio:
                self._queue.append((item_id, memoryview(audio)))

    def take(self, size: int) -> bytes:
        """Remove and return the next audio.

        Where a device only reports what it has played, such as by the marks of a telephony
        stream, call it with the size of that and ignore what it returns.

        Args:
            size: The most bytes to take. Fewer are returned when there are no more.
        """
        taken = bytearray()
        with self._lock:
            while self._queue and len(taken) < size:
                item_id, audio = self._queue.popleft()
                now, later = audio[: size - len(taken)], audio[size - len(taken) :]
                if later:
                    self._queue.appendleft((item_id, later))
                if item_id != self._item_id:
                    self._item_id, self._taken = item_id, 0
                self._taken += len(now)
                taken += now
        return bytes(taken)

    def clear(self) -> None:
        """Drop what was not taken, as when the user interrupts."""
        with self._lock:
            if self._queue and self._queue[0][0] != self._item_id:
                self._item_id, self._taken = self._queue[0][0], 0  # Nothing of it was played.
            self._queue.clear()
