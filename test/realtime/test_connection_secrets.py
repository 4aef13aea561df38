"""No key is shown by any failure: in errors, their pickles and tracebacks, in logs or reprs."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from connections import (
    EVENT,
    KEY,
    Kind,
    assert_closed,
    collects,
    do,
    entered,
    error_of,
    for_asyncio,
    opened,
    refusal,
    sends,
    serving,
    unused_port,
)
from exposure import assert_hidden, places_in_log
from http_server import Answer, json_answer
from openai_realtime_client import (
    ConnectionClosedError,
    ConnectionFailedError,
    ConnectionSettingsError,
    HandshakeRefusedError,
    InvalidEventError,
    InvalidKeyError,
    MessageTooBigError,
    azure,
)
from transports import HttpServer

CREDENTIALS: dict[str, Callable[[str], dict[str, Any]]] = {
    "string": lambda url: {"base_url": url, "api_key": KEY},
    "function": lambda url: {"base_url": url, "api_key": lambda: KEY},
    "header": lambda url: {"base_url": url, "headers": {"Authorization": f"Bearer {KEY}"}},
    "other_header": lambda url: {"base_url": url, "headers": {"api-key": KEY}},
    "azure": lambda url: {"azure": azure(url, "d", api_key=KEY)},
    "token": lambda url: {"azure": azure(url, "d", token=lambda: KEY)},
    "user": lambda url: {"base_url": url.replace("://", f"://me:{KEY}@")},
    "url_query": lambda url: {"base_url": f"{url}?api-key={KEY}", "api_key": ""},
    "query": lambda url: {"base_url": url, "query": {"api-key": KEY}, "api_key": ""},
    "subprotocol": lambda url: {
        "base_url": url,
        "websocket_options": {"subprotocols": ["realtime", f"openai-insecure-api-key.{KEY}"]},
        "api_key": "",
    },
}
WRONG = json_answer({"error": {"message": f"Wrong: {KEY}."}}, 401, headers={"X-Key": KEY})
REDIRECT = Answer(307, headers={"Location": f"ws://127.0.0.1:1/{KEY}"})
NO_HANDSHAKE = Answer(101, headers={"Upgrade": KEY}, reason=KEY)
REFUSING = sends(close=3000, reason=f"Wrong: {KEY}.")


@contextlib.contextmanager
def hiding(caplog: pytest.LogCaptureFixture, connector: Any, error: Any) -> Any:
    """Expect an error, and that neither it nor the log nor the connector shows the key."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(error) as caught:
        yield
    assert_hidden(caught.value, *places_in_log(caplog.records), objects=[connector])


for_credentials = pytest.mark.parametrize(
    "credential", CREDENTIALS.values(), ids=CREDENTIALS.keys()
)


@for_credentials
@for_asyncio
async def test_refusal_does_not_show_the_key(
    kind: Kind, credential: Any, caplog: pytest.LogCaptureFixture
) -> None:
    answers = [WRONG, REDIRECT, NO_HANDSHAKE]
    with HttpServer(*answers) as server:
        connector = kind.connect(**credential(server.url))
        for _ in answers:
            with hiding(caplog, connector, ConnectionFailedError):
                await do(connector.open)


@for_credentials
@for_asyncio
async def test_session_does_not_show_the_key(
    kind: Kind, credential: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(collects([])) as url:
        connector = kind.connect(**credential(url))
        async with entered(connector) as connection:
            await connection.send(EVENT)
            await connection.send_audio(b"123456")
            assert len([await connection.recv(), await connection.recv()]) == 2
    assert_hidden(None, *places_in_log(caplog.records), objects=[connector, connection])
    ours = [each for each in caplog.records if each.name.startswith("openai_realtime_client")]
    assert [record.getMessage() for record in ours] == [
        "connected to 127.0.0.1",
        "sent not.published.yet, session None",
        "sent input_audio_buffer.append, session None",
        "received got, session None",
        "received got, session None",
        "closed with 1000, session None",
    ]
    assert {record.levelno for record in ours} == {logging.DEBUG}


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"base_url": "wss://nowhere.invalid"}, ConnectionFailedError),
        ({"base_url": "ws://example.com"}, ConnectionSettingsError),
        ({"base_url": "wss://example.com", "model": "m", "call_id": "c"}, ConnectionSettingsError),
        ({"base_url": "ws://127.0.0.1:1", "websocket_options": {"no_such": 1}}, TypeError),
        ({"base_url": "ws://127.0.0.1:1", "websocket_options": {"compression": "x"}}, ValueError),
    ],
    ids=["unknown_host", "plain", "two_models", "unknown_option", "wrong_option"],
)
async def test_what_cannot_be_opened_does_not_show_the_key(
    kind: Kind, settings: Any, error: Any, caplog: pytest.LogCaptureFixture
) -> None:
    connector = kind.connect(api_key=KEY, **settings)
    with hiding(caplog, connector, error):
        await do(connector.open)


async def breaks_a_frame(connection: ServerConnection) -> None:
    connection.transport.write(b"\xf1\x03bad")
    await connection.wait_closed()


@pytest.mark.parametrize(
    ("handler", "options", "error"),
    [
        (REFUSING, {}, InvalidKeyError),
        (sends(EVENT), {"max_size": 5}, MessageTooBigError),
        (breaks_a_frame, {}, ConnectionClosedError),
        (sends(f"not JSON {KEY}"), {}, InvalidEventError),
    ],
    ids=["closed", "too_big", "broken_frame", "no_event"],
)
async def test_the_end_of_a_session_does_not_show_the_key(
    kind: Kind, handler: Any, options: Any, error: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(handler) as url, opened(kind, url, options=options) as connection:
        with hiding(caplog, connection, error):
            await connection.recv()


@for_asyncio
async def test_password_of_a_proxy_is_not_shown(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    with HttpServer(Answer()) as proxy:
        for url in (proxy.url, f"http://127.0.0.1:{unused_port()}"):
            options = {"proxy": url.replace("//", f"//me:{KEY}@")}
            connector = kind.connect(
                base_url="wss://192.0.2.1", api_key="", websocket_options=options
            )
            with hiding(caplog, connector, ConnectionFailedError):
                await do(connector.open)


async def test_what_a_server_repeats_of_the_key_is_concealed(kind: Kind) -> None:
    with HttpServer(WRONG) as server:
        error = await refusal(kind, server.url)
    assert isinstance(error, HandshakeRefusedError)
    assert str(error).endswith(" refused with HTTP 401: Wrong: ***.")
    assert json.loads(error.body) == {"error": {"message": "Wrong: ***."}}
    async with serving(REFUSING) as url, opened(kind, url) as connection:
        assert_closed(await error_of(InvalidKeyError, connection.recv()), 3000, "Wrong: ***.")


@for_asyncio
async def test_key_that_the_close_frame_cuts_off_is_concealed(kind: Kind) -> None:
    """A close frame has room for 123 bytes, which is less than the length of a project's key."""
    key = "sk-proj-" + "0123456789abcdef" * 10
    handler = sends(close=3000, reason=f"Incorrect API key provided: {key}"[:123])
    async with serving(handler) as url, opened(kind, url, api_key=key) as connection:
        error = await error_of(InvalidKeyError, connection.rest())
    assert error.reason.startswith("Incorrect API key provided: ")
    assert key[:20] not in str(error)
