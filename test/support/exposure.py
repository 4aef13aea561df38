"""Where a key could be seen: in errors, in log records, and in what objects hold."""

from __future__ import annotations

import logging
import pickle
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import urllib3
import websockets
from pydantic import SecretStr

import openai_realtime_client
from openai_realtime_client.core.credentials import Hidden

KEY = "sk-test-0123456789abcdefghij"

# The frames of these are part of what tools that report errors show of us.
_FOLDERS = tuple(
    str(Path(str(package.__file__)).parent)
    for package in (openai_realtime_client, urllib3, websockets)
)
_OURS = openai_realtime_client.__name__

Place = tuple[str, str]


def places_of(error: BaseException | None) -> Iterator[Place]:
    """What a tool may show of an error and of those that it holds: where, and the text."""
    if error is None:
        return
    name = type(error).__name__
    yield f"{name}, str", str(error)
    yield f"{name}, repr", repr(error)
    yield f"{name}, args", repr(error.args)
    yield f"{name}, vars", repr(vars(error))
    yield f"{name}, traceback", "".join(traceback.format_exception(error))
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename.startswith(_FOLDERS):
            for variable, value in frame.f_locals.items():
                yield f"{name}, {frame.f_code.co_name}:{line} {variable}", repr(value)
    yield from places_of(error.__cause__)
    yield from places_of(error.__context__)


def places_in_log(records: Iterable[logging.LogRecord]) -> Iterator[Place]:
    for record in records:
        yield f"{record.name}, message", record.getMessage()
        yield f"{record.name}, record", repr(vars(record))
        if record.exc_info:
            yield from places_of(record.exc_info[1])


def places_in(*roots: object) -> Iterator[Place]:
    """Each repr and each plain text that objects of this package hold, however deep.

    `SecretStr` and `Hidden` keep what they hold out of every repr.
    """
    seen: dict[int, object] = {}  # which also keeps what has been seen from being collected
    left = [(type(root).__name__, root) for root in roots]
    while left:
        path, value = left.pop()
        if id(value) in seen or isinstance(value, SecretStr):
            continue
        seen[id(value)] = value
        if isinstance(value, (str, bytes)):
            yield path, str(value)
            continue
        held: Mapping[Any, Any] = {}
        if isinstance(value, Mapping) and not isinstance(value, Hidden):
            held = {f"key {key!r}": key for key in value} | dict(value)
        elif isinstance(value, (list, tuple, set, frozenset)):
            held = dict(enumerate(value))
        elif (value if isinstance(value, type) else type(value)).__module__.startswith(_OURS):
            yield f"repr of {path}", f"{value!r} {value}"
            held = {**getattr(value, "__dict__", {}), "type": type(value)}
        left += [(f"{path}.{name}", each) for name, each in held.items()]


def assert_hidden(error: BaseException | None, *places: Place, key: str = KEY) -> None:
    """Assert that neither an error, its pickle, nor any of `places` shows the key."""
    found = [*places_of(error), *places]
    with suppress(AttributeError, TypeError):  # Not every error of others can be pickled.
        found.append(("pickle", repr(pickle.dumps(error))))
    shown = [(where, text[:80]) for where, text in found if key in text]
    assert not shown, shown
