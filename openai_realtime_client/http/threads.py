"""The methods of an API class for asyncio: each call in a thread, which cancelling ends."""

from __future__ import annotations

import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar
from functools import wraps
from threading import Lock
from typing import Any, Concatenate, ParamSpec, TypeVar

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from openai_realtime_client.core.credentials import Headers

__all__ = ["POOLS", "AsyncApi", "in_thread"]

P = ParamSpec("P")
T = TypeVar("T")

_lock = Lock()


class AsyncApi:
    """The base of API classes for asyncio; `_api` has the methods that wait."""

    _api: Any


def in_thread(
    method: Callable[Concatenate[Any, P], T],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """Make the method of an `AsyncApi` from one that waits."""

    @wraps(method)
    async def run(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        # Here, for it takes longer than all else that those who do not use it import.
        import asyncio

        kwargs["headers"] = Headers.of(kwargs.get("headers"))  # type: ignore[arg-type]
        call = _Call()
        token = _current.set(call)  # `to_thread` hands it on
        try:
            return await asyncio.to_thread(method, self._api, *args, **kwargs)
        except asyncio.CancelledError:
            call.abandon()
            raise
        finally:
            _current.reset(token)

    return run


class _Abandoned(Exception):
    """Nobody waits for the call any more. Not an error that urllib3 retries."""


class _Call:
    """A call in a thread, of which another thread can cut the connection."""

    def __init__(self) -> None:
        self._is_abandoned = False
        self._connection: _Watched | None = None

    def take(self, connection: _Watched) -> None:
        """Use `connection` from now on."""
        with _lock:
            if self._is_abandoned:
                raise _Abandoned
            connection.call, self._connection = self, connection

    def abandon(self) -> None:
        """End the thread's wait for the server, and begin no other."""
        with _lock:
            self._is_abandoned = True
            connection = self._connection
            # A connection that went back to the pool may be another call's by now.
            if (
                connection
                and connection.call is self
                and isinstance(connection.sock, socket.socket)
            ):
                with suppress(OSError):
                    # Of the plain socket: that of TLS would drop its state under the thread's feet.
                    socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)


_current: ContextVar[_Call | None] = ContextVar("_current", default=None)


class _Watched(HTTPConnection):
    """A connection that knows the call which uses it."""

    call: _Call | None = None

    def connect(self) -> None:
        self._watch()
        super().connect()
        self._watch()

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._watch()
        super().request(*args, **kwargs)

    def _watch(self) -> None:
        call = _current.get()
        if call:
            call.take(self)
        else:
            self.call = None


class _WatchedTls(_Watched, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls: Any = _Watched


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls: Any = _WatchedTls


# What a `PoolManager` makes for each scheme.
POOLS: Any = {"http": _Pool, "https": _TlsPool}
