"""Sessions one after the other: `for connection in connect(…)`."""

from __future__ import annotations

import contextlib
import ssl
from typing import Any

import pytest

from connections import KEY, Kind, Session, for_asyncio, in_thread, unused_port
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

    async def take_turn(connection: Session) -> bool:
        try:
            await connection.send({"type": "response.create"})
            await connection.until("response.done")
            seen.append("response")
        except ConnectionClosedError as error:
            seen.append(str(error.code))
        return len(seen) == turns

    if kind.is_async:
        async with contextlib.aclosing(connector.__aiter__()) as connections:
            async for connection in connections:
                if await take_turn(Session(connection)):
                    break
        return seen
    connections = iter(connector)
    while not await take_turn(Session(await in_thread(next, connections))):
        pass
    await in_thread(connections.close)
    return seen


CUT, REFUSED = Faults(cut_after=2), Faults(refuse=503)


async def test_each_turn_is_a_session_which_leaving_the_loop_closes(kind: Kind) -> None:
    with ReplayServer() as server:
        assert await converse(kind, 2, base_url=server.url) == ["response"] * 2
    assert [session.close_code for session in server.sessions] == [1000, 1000]


@pytest.mark.parametrize(
    ("faults", "seen"),
    [
        ([Faults(close_after=2, close_code=1001)], ["1001", "response"]),
        ([REFUSED, Faults(refuse=429)], ["response"]),
        ([CUT, REFUSED, CUT], ["1006", "1006", "response"]),
    ],
    ids=["expired", "refused", "lost_and_refused"],
)
async def test_what_can_pass_is_tried_again(
    kind: Kind, faults: list[Faults], seen: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with ReplayServer(faults=faults) as server:
        assert await converse(kind, len(seen), base_url=server.url) == seen
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == len(faults)
    assert all("attempt" in warning and KEY not in warning for warning in warnings)


async def test_what_will_not_pass_is_raised(kind: Kind) -> None:
    with ReplayServer(faults=Faults(refuse=401)) as server:
        with pytest.raises(HandshakeRefusedError):
            await converse(kind, 5, base_url=server.url)
        server.faults = Faults(close_after=1, close_code=3000)
        with pytest.raises(ConnectionClosedError):
            await converse(kind, 5, base_url=server.url)
    assert len(server.sessions) == 1
    with pytest.raises(ConnectionSettingsError):
        await converse(kind, 1, base_url="ftp://127.0.0.1")


@for_asyncio
async def test_certificate_that_is_not_trusted_is_raised(
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
    delays = [waiting.next_delay(ConnectionFailedError("no network")) for _ in range(12)]
    for delay, longest in zip(delays, [0.5, 1, 2, 4, 8, 16, *[30] * 6], strict=True):
        assert longest / 2 <= delay <= longest


def test_a_session_that_lived_makes_the_next_failure_a_first_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(reconnecting, "monotonic", lambda: now)
    waiting, lost = Backoff(retries=1), ConnectionClosedError(1006)
    waiting.next_delay(lost)
    waiting.opened()
    now = 31.0
    waiting.next_delay(lost)
    waiting.opened()
    now = 32.0
    with pytest.raises(ConnectionClosedError):
        waiting.next_delay(lost)


def test_the_server_says_how_long_to_wait() -> None:
    refused = HandshakeRefusedError(429, {"Retry-After": "7"}, b"")
    assert Backoff(None).next_delay(refused) == 7
    # Or less than it may be asked for: waits still grow.
    backoff = Backoff(None)
    refused = HandshakeRefusedError(503, {"Retry-After": "0"}, b"")
    waits = [backoff.next_delay(refused) for _ in range(5)]
    assert 0 < waits[0] < waits[-1]


def test_a_session_that_the_program_ended_is_followed_at_once() -> None:
    assert Backoff(0).next_delay(None) == 0


def caused_by(cause: Exception) -> ConnectionFailedError:
    error = ConnectionFailedError("no connection")
    error.__context__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "is_tried_again"),
    [
        (caused_by(OSError("no route")), True),
        (caused_by(TimeoutError()), True),
        (caused_by(ssl.SSLCertVerificationError("expired")), False),
        (caused_by(ImportError("python-socks")), False),
        (ConnectionClosedError(1012), True),
        (ConnectionClosedError(4000), False),
        (ConnectionClosedError(1008), False),
        (HandshakeRefusedError(503, {}, b""), True),
        (HandshakeRefusedError(404, {}, b""), False),
    ],
    ids=["no_route", "timeout", "certificate", "no_socks", "1012", "4000", "1008", "503", "404"],
)
def test_error_decides_whether_to_try_again(
    error: RealtimeConnectionError, is_tried_again: bool
) -> None:
    waiting = Backoff(None)
    if is_tried_again:
        assert waiting.next_delay(error) > 0
    else:
        with pytest.raises(type(error)):
            waiting.next_delay(error)
