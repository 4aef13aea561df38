"""Opening sessions: what `connect` and `connect_sync` return."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, ClassVar, Generic, TypeVar

from openai_realtime_client.core.causes import connection_failure
from openai_realtime_client.core.credentials import Headers, resolve_key, resolve_key_async
from openai_realtime_client.core.errors import ConnectionFailedError, ConnectionSettingsError
from openai_realtime_client.realtime.connection import AsyncConnection, Connection
from openai_realtime_client.realtime.endpoint import Settings
from openai_realtime_client.realtime.reconnecting import Backoff
from openai_realtime_client.realtime.record import SessionRecord
from openai_realtime_client.realtime.sockets import FAILURES, open_socket
from openai_realtime_client.realtime.threads import LoopThread

__all__ = ["AsyncConnector", "Connector"]

AsyncOpened = TypeVar("AsyncOpened", bound=AsyncConnection[Any, Any])
Opened = TypeVar("Opened", bound=Connection[Any, Any])

_logger = logging.getLogger("openai_realtime_client")
# The debug messages of `websockets` hold headers and payloads.
_socket_logger = logging.getLogger("openai_realtime_client.websockets")
_socket_logger.addFilter(lambda record: record.levelno > logging.DEBUG)

# Seconds after which the next address of a host is tried: RFC 8305, section 8.
_NEXT_ADDRESS_DELAY = 0.25


class _Connector(Settings):
    """What both kinds of connectors share."""

    _connection_class: ClassVar[Any]

    _is_entered = False

    @contextmanager
    def _entering(self) -> Generator[None]:
        if self._is_entered:
            raise RuntimeError("already connected; call connect() again for a second session")
        # Not after opening: another task may enter meanwhile.
        self._is_entered = True
        try:
            yield
        except BaseException:
            self._is_entered = False
            raise

    def _websocket_options(self) -> dict[str, Any]:
        """Return the arguments of `websockets`, with defaults for base64 in long sessions."""
        defaults: dict[str, Any] = {
            # Compression would save 25 % of base64 at many times the CPU cost of all the rest.
            "compression": None,
            "logger": _socket_logger,
            "max_size": 2**26,
            "ping_interval": 20,
            "ping_timeout": 20,
            "close_timeout": 10,
        }
        if self._base.is_loopback:
            defaults["proxy"] = None
        # uvloop lacks it: https://github.com/MagicStack/uvloop/issues/406
        elif isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop):
            defaults["happy_eyeballs_delay"] = _NEXT_ADDRESS_DELAY
        options = {**defaults, **self._options}
        # `send` waits until the system has taken the event. With a limit of 0, TLS in asyncio would
        # pause after every second event until the server says something.
        options["write_limit"] = options.get("write_limit") or 1
        return options

    async def _open(
        self, headers: Headers, record: SessionRecord | None, thread: LoopThread | None = None
    ) -> Any:
        """Open a session on the running loop."""
        try:
            opened = await open_socket(self._url(), headers, self._websocket_options())
        except BaseException as error:
            if record is not None:
                record.close()
            if isinstance(error, FAILURES):
                raise connection_failure(self._base.where, error, headers) from None
            if isinstance(error, (TypeError, ValueError)):
                # An option that `websockets` does not take.
                raise type(error)(str(error)) from None
            raise
        _logger.debug("connected to %s", self._base.host)
        return self._connection_class(
            opened,
            self._dialect,
            self._base.host,
            headers,
            record=record,
            conversation=self._conversation,
            tools=self._tools,
            thread=thread,
        )


class AsyncConnector(_Connector, Generic[AsyncOpened]):
    """Opens sessions: `async with` closes its session at the end; after `open`, you close it.

    Each entry opens a new session, and calls a function for the key again; one entry at a time.

    `async for connection in connect(…)` opens a session for each turn of the loop, and closes it at
    the end of the turn. Between two turns it waits, the longer the more sessions fail in a row, or
    as long as the server asks for. It raises the errors that will not pass: wrong settings, a
    certificate that is not trusted, HTTP statuses but 408, 425, 429 and 5xx, and close codes but
    1000, 1001, 1006 and 1011 to 1013. Catch `ConnectionClosedError` in the loop, and `continue`.
    After `break`, asyncio closes the session soon; `contextlib.aclosing` waits for that.
    """

    _connection: AsyncOpened

    async def open(self) -> AsyncOpened:
        """Open a session, which the caller closes.

        Raises:
            ConnectionSettingsError: The arguments of `connect` do not make a connection.
            HandshakeRefusedError: The server answered with an HTTP status.
            ConnectionFailedError: No server was reached.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise ConnectionSettingsError(
                "connect needs a running event loop of asyncio; elsewhere, as with trio, use "
                "connect_sync in a thread"
            ) from None
        self._url()  # It is checked before a function for the key is called.
        headers = self._handshake_headers(await resolve_key_async(self._key))
        record = None
        if self._record is not None:
            record = await asyncio.to_thread(self._record.start, headers.conceal)
        connection: AsyncOpened = await self._open(headers, record)
        return connection

    async def __aenter__(self) -> AsyncOpened:
        with self._entering():
            self._connection = await self.open()
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        self._is_entered = False
        await self._connection.close()

    async def __aiter__(self) -> AsyncIterator[AsyncOpened]:
        backoff = Backoff(self._retries)
        while True:
            try:
                connection = await self.open()
            except ConnectionFailedError as error:
                delay = backoff.next_delay(error)
            else:
                backoff.opened()
                try:
                    yield connection
                    ended_by = connection._ended_by()  # pyright: ignore[reportPrivateUsage]
                finally:
                    await connection.close()
                delay = backoff.next_delay(ended_by)
            await asyncio.sleep(delay)


class Connector(_Connector, Generic[Opened]):
    """Opens sessions: `with` closes its session at the end; after `open`, you close it.

    Each entry opens a new session, and calls a function for the key again; one entry at a time.

    `for connection in connect_sync(…)` opens a session for each turn of the loop; see `connect`.
    """

    _connection: Opened

    def open(self) -> Opened:
        """Open a session, which the caller closes.

        Raises:
            ConnectionSettingsError: The arguments of `connect` do not make a connection.
            HandshakeRefusedError: The server answered with an HTTP status.
            ConnectionFailedError: No server was reached.
        """
        self._url()  # It is checked before a function for the key is called.
        headers = self._handshake_headers(resolve_key(self._key))
        record = None
        if self._record is not None:
            record = self._record.start(headers.conceal)
        # `close` leaves the thread; where nothing was opened, so does this.
        thread = LoopThread.enter()
        opening: Any = thread.start(self._open(headers, record, thread))
        try:
            connection: Opened = opening.result()
        except BaseException:  # It may be that of Ctrl-C, and the session opened later.
            opening.add_done_callback(_abort)
            thread.leave()
            raise
        return connection

    def __enter__(self) -> Opened:
        with self._entering():
            self._connection = self.open()
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._is_entered = False
        self._connection.close()

    def __iter__(self) -> Iterator[Opened]:
        backoff = Backoff(self._retries)
        while True:
            try:
                connection = self.open()
            except ConnectionFailedError as error:
                delay = backoff.next_delay(error)
            else:
                backoff.opened()
                try:
                    yield connection
                    ended_by = connection._ended_by()  # pyright: ignore[reportPrivateUsage]
                finally:
                    connection.close()
                delay = backoff.next_delay(ended_by)
            time.sleep(delay)


def _abort(opening: Future[Connection[Any, Any]]) -> None:
    """Cut a connection that nobody waits for any more."""
    if opening.exception() is None:
        opening.result()._socket.abort()  # pyright: ignore[reportPrivateUsage]
