"""The event loop of the connections of threads: one, in a thread of its own, while there are any.

It is shared, because gevent, where every thread is a greenlet of one thread, allows no second
running loop, and because a loop for each connection would take a thread and three file descriptors.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, ClassVar, TypeVar

__all__ = ["LoopThread"]

Result = TypeVar("Result")


class LoopThread:
    """An event loop in a thread, which ends when nothing uses it any more."""

    # A signal handler may close a connection at any point of these methods.
    _lock: ClassVar[threading.RLock] = threading.RLock()
    _current: ClassVar[LoopThread | None] = None

    def __init__(self) -> None:
        self.is_ended = False
        self._loop = asyncio.new_event_loop()
        # Open connections, and calls that have not returned.
        self._users = 0
        self._is_unused = asyncio.Event()
        name = "openai_realtime_client connections"
        self._thread = threading.Thread(target=self._run_loop, name=name, daemon=True)
        self._thread.start()

    @classmethod
    def enter(cls) -> LoopThread:
        """Return the running one, or start one. Each call needs one of `leave`."""
        with cls._lock:
            if cls._current is None:
                cls._current = cls()
            cls._current._users += 1
            return cls._current

    def leave(self) -> None:
        """End the thread, unless others use it."""
        with self._lock:
            self._users -= 1
            if self._users == 0 and not self.is_ended:
                self._loop.call_soon_threadsafe(self._is_unused.set)

    def start(self, coroutine: Coroutine[Any, Any, Result]) -> Future[Result] | None:
        """Run a coroutine on the loop, whether or not its result is waited for.

        Returns:
            The result, or `None` if the loop does not run any more, or not in this process.

        Raises:
            RuntimeError: The loop itself calls this, as for a coroutine function of `tools=`, and
                would wait for itself.
        """
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError(
                "a coroutine function must not block the loop that runs it: make it a plain "
                "function, or call the connection in asyncio.to_thread"
            )
        with self._lock:
            if self.is_ended:
                coroutine.close()
                return None
            self._users += 1
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        future.add_done_callback(lambda _: self.leave())
        return future

    def _run_loop(self) -> None:
        self._loop.run_until_complete(self._wait_until_unused())
        self._loop.close()

    async def _wait_until_unused(self) -> None:
        while not self.is_ended:
            await self._is_unused.wait()
            self._is_unused.clear()
            # Transports that were aborted close their sockets and end their tasks a little later.
            for _ in range(5):
                await asyncio.sleep(0)
            with self._lock:
                if self._users == 0:
                    self.is_ended = True
                    LoopThread._current = None

    @classmethod
    def forget(cls) -> None:
        """Start anew in a child process, which has no thread that runs the loop."""
        cls._lock = threading.RLock()
        if cls._current is not None:
            cls._current.is_ended = True
            cls._current = None


if hasattr(os, "register_at_fork"):  # Windows has no fork.
    os.register_at_fork(after_in_child=LoopThread.forget)
