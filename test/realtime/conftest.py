"""What all tests of connections run in."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
import time
from collections.abc import Iterator
from inspect import iscoroutinefunction
from pathlib import Path

import pytest
import uvloop

import transports
from connections import PROGRAMS, Kind, limited
from exposure import clear_environment


def open_sockets() -> int:
    """How many sockets this process has, as far as the system says."""
    found = 0
    with contextlib.suppress(FileNotFoundError):
        for entry in os.listdir("/proc/self/fd"):
            with contextlib.suppress(FileNotFoundError):
                found += os.readlink(f"/proc/self/fd/{entry}").startswith("socket:")
    return found


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    threads, sockets = set(threading.enumerate()), open_sockets()
    yield
    # What was not closed warns, and so fails the test; the rest is not looked at again.
    gc.collect()
    gc.freeze()
    for thread in set(threading.enumerate()) - threads:
        while thread.ident is None:  # It is just being started, by one that ends.
            time.sleep(0.001)
        thread.join(5)
        assert not thread.is_alive()
    # Fewer, where the test before on this worker left some to the collector of garbage.
    assert open_sockets() <= sockets


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    clear_environment(monkeypatch)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "authority.pem"
    transports.write_authority(path)
    return path


@pytest.fixture(autouse=True)
def _transport(
    request: pytest.FixtureRequest, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """TLS where the kind of connection says so. Clients trust the authority of the run."""
    callspec = getattr(request.node, "callspec", None)
    kind = callspec and callspec.params.get("kind")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    transports.use(bool(kind and kind.is_tls))
    yield
    transports.use(False)


@pytest.fixture(params=PROGRAMS, ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run the tests that are coroutine functions, in the event loop of their `kind`."""
    if not iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    kind = arguments.get("kind")
    run = uvloop.run if kind and kind.is_uvloop else asyncio.run
    run(limited(pyfuncitem.obj(**arguments)))
    return True
