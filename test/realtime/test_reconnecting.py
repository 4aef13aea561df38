"""Sessions one after the other: `for connection in connect(…)`."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest

from connections import KEY, Kind, in_thread, unused_port
from openai_realtime_client import (
    ConnectionClosedError,
    ConnectionFailedError,
    ConnectionSettingsError,
    HandshakeRefusedError,
    RealtimeConnectionError,
)
from openai_realtime_client.realtime import reconnecting
from openai_realtime_client.realtime.reconnecting import Backoff
from openai_realtime_client.testing import Faults
from transports import ReplayServer


@pytest.fixture(autouse=True)
def _is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnecting, "_FIRST_DELAY", 0.01)


async def converse(kind: Kind, turns: int, **kwargs: Any) -> list[str]:
    """Iterate over `connect` for so many turns, each until the session ends or has a response."""
    connector = kind.connect(**{"api_key": KEY, **kwargs})
    seen: list[str] = []

    def is_over(event: Any) -> bool:
        return str(event.type) == "response.done"

    async def with_asyncio() -> None:
        async for connection in connector:
            try:
                await connection.send({"type": "response.create"})
                while not is_over(await connection.recv()):
                    pass
                seen.append("response")
            except ConnectionClosedError as error:
                seen.append(str(error.code))
            if len(seen) == turns:
                break

    def with_threads() -> None:
        for connection in connector:
            try:
                connection.send({"type": "response.create"})
                while not is_over(connection.recv()):
                    pass
                seen.append("response")
            except ConnectionClosedError as error:
                seen.append(str(error.code))
            if len(seen) == turns:
                break

    others = asyncio.all_tasks()
    await (with_asyncio() if kind.is_async else in_thread(with_threads))
    # An asynchronous generator that is left is closed by a task of asyncio.
    await asyncio.sleep(0.01)
    while asyncio.all_tasks() - others:
        await asyncio.sleep(0.01)
    return seen


CUT, REFUSED = Faults(cut_after=2), Faults(refuse=503)


async def test_each_turn_is_a_session_which_leaving_the_loop_closes(kind: Kind) -> None:
    with ReplayServer() as server:
        assert await converse(kind, 2, base_url=server.url) == ["response"] * 2
    assert [session.close_code for session in server.sessions] == [1000, 1000]


@pytest.mark.parametrize(
    ("faults", "seen"),
    [
        pytest.param([CUT], ["1006", "response"], id="lost"),
        pytest.param([Faults(close_after=2, close_code=1001)], ["1001", "response"], id="expired"),
        pytest.param([Faults(close_after=2, close_code=1012)], ["1012", "response"], id="restart"),
        pytest.param([REFUSED, Faults(refuse=429)], ["response"], id="refused"),
        pytest.param([CUT, REFUSED, CUT], ["1006", "1006", "response"], id="lost_and_refused"),
    ],
)
async def test_what_can_pass_is_tried_again(
    kind: Kind, faults: list[Faults], seen: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with ReplayServer(faults=faults) as server:
        assert await converse(kind, len(seen), base_url=server.url) == seen
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == len(faults)
    assert all("attempt" in warning and KEY not in warning for warning in warnings)


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        (Faults(refuse=401), HandshakeRefusedError),
        (Faults(refuse=404), HandshakeRefusedError),
        (Faults(close_after=1, close_code=3000), ConnectionClosedError),
        (Faults(close_after=1, close_code=4000), ConnectionClosedError),
        (Faults(close_after=1, close_code=1008), ConnectionClosedError),
    ],
    ids=["401", "404", "3000", "4000", "1008"],
)
async def test_what_will_not_pass_is_raised(
    kind: Kind, faults: Faults, error: type[Exception]
) -> None:
    with ReplayServer(faults=faults) as server, pytest.raises(error):
        await converse(kind, 5, base_url=server.url)
    assert len(server.sessions) == (error is ConnectionClosedError)


async def test_wrong_settings_are_raised(kind: Kind) -> None:
    with pytest.raises(ConnectionSettingsError):
        await converse(kind, 1, base_url="ftp://127.0.0.1")


async def test_a_certificate_that_is_not_trusted_is_raised(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with ReplayServer() as server, pytest.raises(ConnectionFailedError, match="certificate"):
        await converse(kind, 1, base_url=server.url)


async def test_retries_bound_the_attempts(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConnectionFailedError):
        await converse(kind, 1, base_url=f"ws://127.0.0.1:{unused_port()}", retries=2)
    assert len(caplog.records) == 2


def test_delays_grow_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnecting, "_FIRST_DELAY", 0.5)
    waiting = Backoff(None)
    delays = [waiting.after(ConnectionFailedError("no network")) for _ in range(12)]
    for delay, longest in zip(delays, [0.5, 1, 2, 4, 8, 16, *[30] * 6], strict=True):
        assert longest / 2 <= delay <= longest


def test_a_session_that_lived_makes_the_next_failure_a_first_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(reconnecting, "monotonic", lambda: now)
    waiting, lost = Backoff(retries=1), ConnectionClosedError(1006)
    waiting.after(lost)
    waiting.opened()
    now = 31.0
    waiting.after(lost)
    waiting.opened()
    now = 32.0
    with pytest.raises(ConnectionClosedError):
        waiting.after(lost)


def test_the_server_says_how_long_to_wait() -> None:
    refused = HandshakeRefusedError(429, {"Retry-After": "7"}, b"")
    assert Backoff(None).after(refused) == 7


def test_a_session_that_the_program_ended_is_followed_at_once() -> None:
    assert Backoff(0).after(None) == 0


@pytest.mark.parametrize(
    ("cause", "is_tried_again"),
    [
        (OSError("no route"), True),
        (TimeoutError(), True),
        (ssl.SSLCertVerificationError("expired"), False),
        (ImportError("python-socks"), False),
    ],
    ids=["no_route", "timeout", "certificate", "no_socks"],
)
def test_the_cause_decides_about_what_was_not_reached(
    cause: Exception, is_tried_again: bool
) -> None:
    error: RealtimeConnectionError = ConnectionFailedError("no connection")
    error.__context__ = cause
    waiting = Backoff(None)
    if is_tried_again:
        assert waiting.after(error) > 0
    else:
        with pytest.raises(ConnectionFailedError):
            waiting.after(error)
