"""The event loop of the connections of threads: one, in a thread of its own, while there are any.

It is shared, because gevent, where every thread is a greenlet of one thread, allows no second
running loop, and because a loop for each connection would take a thread and three file descriptors.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any, ClassVar, TypeVar

__all__ = ["LoopEndedError", "LoopThread"]

Result = TypeVar("Result")


class LoopEndedError(RuntimeError):
    """The loop does not run any more, or not in this process."""


class LoopThread:
    """An event loop in a thread, which ends when nothing uses it any more."""

    # A signal handler may close a connection at any point of these methods.
    _lock: ClassVar[threading.RLock] = threading.RLock()
    _current: ClassVar[LoopThread | None] = None

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.is_ended = False
        self._users = 0
        self._thread = threading.Thread(
            target=self._run, name="openai_realtime_client connections", daemon=True
        )
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
                LoopThread._current = None
                self.loop.call_soon_threadsafe(self.loop.stop)

    def run(
        self,
        coroutine: Coroutine[Any, Any, Result],
        discard: Callable[[Result], None] | None = None,
    ) -> Result:
        """Run a coroutine on the loop and wait for its result.

        Args:
            coroutine: The coroutine.
            discard: Where an exception interrupts waiting, such as that of Ctrl-C, the coroutine is
                cancelled, and a result that comes all the same is given to this function. Without
                it, the coroutine goes on.

        Raises:
            LoopEndedError: The loop does not run any more, or not in this process.
        """
        future = self.start(coroutine, discard)
        try:
            return future.result()
        except BaseException:
            if discard is not None:
                future.cancel()
            raise

    def start(
        self,
        coroutine: Coroutine[Any, Any, Result],
        discard: Callable[[Result], None] | None = None,
    ) -> Future[Result]:
        """Run a coroutine on the loop."""
        future: Future[Result] = Future()
        with self._lock:
            if not self.is_ended:
                self.loop.call_soon_threadsafe(self._begin, coroutine, future, discard)
                return future
        coroutine.close()
        raise LoopEndedError

    def _begin(self, coroutine: Any, future: Future[Any], discard: Any) -> None:
        task = self.loop.create_task(_resolve(coroutine, future, discard))

        def cancel_both(done: Future[Any]) -> None:
            if done.cancelled():
                self.loop.call_soon_threadsafe(task.cancel)

        if discard is not None:
            future.add_done_callback(cancel_both)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        with self._lock:
            self.is_ended = True
        self.loop.run_until_complete(_finish())
        self.loop.close()

    @classmethod
    def forget(cls) -> None:
        """Start anew in a child process, which has no thread that runs the loop."""
        cls._lock = threading.RLock()
        if cls._current is not None:
            cls._current.is_ended = True
            cls._current = None


async def _resolve(
    coroutine: Coroutine[Any, Any, Result],
    future: Future[Result],
    discard: Callable[[Result], None] | None,
) -> None:
    try:
        result = await coroutine
    except BaseException as error:
        with suppress(InvalidStateError):  # It was cancelled.
            future.set_exception(error)
        return
    try:
        future.set_result(result)
    except InvalidStateError:
        if discard is not None:
            discard(result)


async def _finish() -> None:
    """Wait for what was started before the loop ended."""
    # Callbacks start tasks, and close the sockets of transports that were aborted.
    for _ in range(3):
        await asyncio.sleep(0)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others)
        await _finish()


if hasattr(os, "register_at_fork"):  # Windows has no fork.
    os.register_at_fork(after_in_child=LoopThread.forget)
