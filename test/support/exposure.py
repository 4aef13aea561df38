"""Where a key must not be: in what errors say and hold, in log records, in reprs."""

from __future__ import annotations

import logging
import pickle
import traceback
from collections.abc import Iterable, Iterator

import pytest

KEY = "sk-test-0123456789abcdefghij"

Place = tuple[str, str]


def clear_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove all variables that connections and calls of HTTP follow."""
    names = ("BASE_URL", "API_KEY", "ORG_ID", "PROJECT_ID")
    proxies = [f"{scheme}_proxy" for scheme in ("http", "https", "socks", "all", "no")]
    variables = [*(f"OPENAI_{name}" for name in names), "AZURE_OPENAI_API_KEY"]
    for name in (*variables, *proxies, *map(str.upper, proxies)):
        monkeypatch.delenv(name, raising=False)


def places_of(error: BaseException | None) -> Iterator[Place]:
    """What an error shows, where it is printed, kept or sent to another process."""
    if error is not None:
        name = type(error).__name__
        yield f"{name}, str", str(error)
        yield f"{name}, repr", repr(error)
        yield f"{name}, args", repr(error.args)
        yield f"{name}, vars", repr(vars(error))
        yield f"{name}, pickle", repr(pickle.dumps(error))
        yield f"{name}, traceback", "".join(traceback.format_exception(error))


def places_in_log(records: Iterable[logging.LogRecord]) -> Iterator[Place]:
    formatter = logging.Formatter()
    for record in records:
        yield f"{record.name}, formatted", formatter.format(record)
        yield f"{record.name}, record", repr(vars(record))


def assert_hidden(
    error: BaseException | None, *places: Place, objects: Iterable[object] = (), key: str = KEY
) -> None:
    """Assert that neither an error, nor the reprs of objects, nor any of `places` shows the key."""
    found = [*places_of(error), *places, *((type(it).__name__, repr(it)) for it in objects)]
    shown = [(where, text[:80]) for where, text in found if key in text]
    assert not shown, shown
