"""The TLS sockets of threads: no thread reads while another writes."""

from __future__ import annotations

import threading
import time
from typing import Any

from openai_realtime_client.realtime.sockets import _LockedTLS


class Watched:
    """A TLS socket that notices two calls at once, and asks for each read to be tried again."""

    def __init__(self) -> None:
        self.calls = 0
        self.written = b""
        self.overlaps = 0
        self._busy = threading.Lock()

    def gettimeout(self) -> float | None:
        return 5

    def setblocking(self, flag: bool) -> None:
        assert not flag

    def _once(self) -> None:
        self.calls += 1
        if not self._busy.acquire(blocking=False):
            self.overlaps += 1
            return
        time.sleep(0.001)
        self._busy.release()

    def recv(self, size: int) -> bytes:
        self._once()
        return b"x"[:size]

    def send(self, data: memoryview) -> int:
        self._once()
        self.written += bytes(data[:1])
        return 1


def test_reads_and_writes_never_overlap() -> None:
    watched: Any = Watched()
    socket = _LockedTLS(watched)
    reader = threading.Thread(target=lambda: [socket.recv(1) for _ in range(100)])
    reader.start()
    socket.sendall(b"ab" * 50)
    reader.join()
    assert (watched.overlaps, watched.calls, watched.written) == (0, 200, b"ab" * 50)
