"""The methods of an API class for asyncio: each call in a thread."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

__all__ = ["AsyncApi", "in_thread"]

P = ParamSpec("P")
T = TypeVar("T")


class AsyncApi:
    """The base of API classes for asyncio; `_api` has the methods that wait."""

    _api: Any


def in_thread(
    method: Callable[Concatenate[Any, P], T],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """Make the method of an `AsyncApi` from one that waits.

    A call that is cancelled ends in the background, at its timeout at the latest: whether the
    service has done what was asked is not known then.
    """

    @wraps(method)
    async def call(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        # Imported here, because it takes longer than all else that users of threads import.
        import asyncio

        return await asyncio.to_thread(method, self._api, *args, **kwargs)

    return call
