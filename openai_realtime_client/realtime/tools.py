"""Runs the functions that the model calls in a session, on asyncio."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any
from uuid import uuid4

from openai_realtime_client.conversation.functions import Tools
from openai_realtime_client.conversation.items import ConversationItem, ConversationResponse
from openai_realtime_client.conversation.state import Conversation
from openai_realtime_client.core.error_details import error_details
from openai_realtime_client.core.errors import ConnectionClosedError
from openai_realtime_client.core.json_types import at

__all__ = ["ToolRunner"]

_logger = logging.getLogger("openai_realtime_client")

# Events after which something may have to be done. Others cost one look at this table.
_RELEVANT = {
    "response.done",
    "response.cancelled",
    "conversation.item.created",
    "conversation.item.added",
    "conversation.item.done",
    "error",
}
_HAS_ACTIVE_RESPONSE = "conversation_already_has_active_response"


class ToolRunner:
    """Runs the functions of one session, and sends their outputs.

    It acts on what the conversation knows: which calls are due, and whether a response is active.
    Make it on the event loop of the connection, to which all methods but `received` and `sent`
    belong. `send` is that of a connection for asyncio.
    """

    def __init__(
        self,
        tools: Tools[Any, Any],
        conversation: Conversation,
        send: Callable[[Any], Coroutine[Any, Any, None]],
    ) -> None:
        self._tools = tools
        self._conversation = conversation
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        # The ids of calls that were begun and of responses that ended, and the responses whose
        # calls wait for outputs.
        self._begun: set[str] = set()
        self._ended_ids: set[str] = set()
        self._waiting: list[ConversationResponse] = []
        # Whether a response has to be asked for, and the ids of the requests for one.
        self._owes_response = False
        self._requests: set[str] = set()
        self._is_closed = False

    def note_received(self, event: Any) -> None:
        """Take notice of an event that was added to the conversation, in any thread."""
        if event.type in _RELEVANT:
            self._call_soon(self._handle, event)

    def note_sent(self) -> None:
        """Take notice of an event that the program sent, in any thread.

        It may be the output of a call, which not every server repeats.
        """
        if self._waiting:
            self._call_soon(self._follow_up)

    def stop(self) -> None:
        """Cancel what still runs; nothing is sent any more. A second call does nothing."""
        self._is_closed = True
        for task in self._tasks:
            task.cancel()

    async def aclose(self) -> None:
        """Do the same as `stop`, and wait for what was cancelled."""
        self.stop()
        # A function of the session may close it: its task must not wait for itself.
        others = self._tasks - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    def _call_soon(self, function: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # The loop is closed.
            self._loop.call_soon_threadsafe(function, *arguments)

    def _handle(self, event: Any) -> None:
        if event.type == "error":
            self._refused(event)
        elif event.type == "response.done":
            self._ended_response(str(at(event.to_dict(), "response", "id")))
        for call in self._conversation.calls_due:
            call_id = call.call_id or ""
            if call_id not in self._begun and self._tools.is_run_here(call):
                self._begun.add(call_id)
                self._start(self._answer(call))
        self._follow_up()

    def _ended_response(self, response_id: str) -> None:
        """Wait for the outputs of a response that has calls."""
        response = self._conversation.responses.get(response_id)
        if response is None or response.is_out_of_band or response_id in self._ended_ids:
            return
        self._ended_ids.add(response.id)
        if response.status != "completed":
            return
        if any(call.call_id for call in response.calls):
            self._waiting.append(response)
        elif response.calls:
            _logger.warning("calls without a call_id cannot be answered: response %s", response.id)

    async def _answer(self, call: ConversationItem) -> None:
        event = await self._tools.run_async(call)
        # The program may have answered the call meanwhile.
        if call in self._conversation.calls_due:
            await self._send(event)
        self._follow_up()

    def _follow_up(self) -> None:
        """Ask for one response when all calls of a response are answered, and none is active."""
        due = {item.response_id for item in self._conversation.calls_due}
        due |= {item.response_id for item in self._conversation.approvals_due}
        for response in [item for item in self._waiting if item.id not in due]:
            self._waiting.remove(response)
            self._owes_response |= self._tools.follow_up
        if self._owes_response and not self._conversation.active:
            self._owes_response = False
            event_id = f"tools_{uuid4().hex}"
            self._requests.add(event_id)
            self._start(self._send({"type": "response.create", "event_id": event_id}))

    def _refused(self, event: Any) -> None:
        """Ask again for a response that was refused because another had begun.

        Turn detection may begin one while the request is on its way.
        """
        details = error_details(event)
        if details.event_id not in self._requests:
            return
        self._requests.discard(details.event_id)
        if details.code == _HAS_ACTIVE_RESPONSE:
            self._owes_response = True
        else:
            _logger.warning("the response after outputs of functions was refused: %s", details.code)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        if self._is_closed:
            work.close()
            return
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error and not isinstance(error, ConnectionClosedError):
            _logger.error("a call was not answered", exc_info=error)
