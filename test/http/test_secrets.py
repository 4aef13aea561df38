"""What HTTP never shows: a key, wherever it comes from and whatever fails."""

from __future__ import annotations

import copy
import logging
import pickle
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import urllib3

from exposure import KEY, assert_hidden, places_in_log
from http_calls import error_of, exchange, failure
from http_server import Answer, HttpServer, json_answer
from openai_realtime_client import (
    ApiClient,
    ApiConnectionError,
    ApiError,
    Configuration,
    ConnectionSettingsError,
    InvalidResponseError,
    ServiceError,
    UnauthorizedError,
)
from openai_realtime_client.http.rest import RawResponse
from openai_realtime_client.v1 import RealtimeApi


def in_host(url: str, user: str) -> str:
    return url.replace("://", f"://{user}@")


# Ways to give the key: the arguments of `Configuration`, and the headers of the call.
Way = Callable[[str], tuple[dict[str, Any], dict[str, str] | None]]
WAYS: dict[str, Way] = {
    "string": lambda url: ({"host": url, "access_token": KEY}, None),
    "function": lambda url: ({"host": url, "access_token": lambda: KEY}, None),
    "call": lambda url: ({"host": url}, {"Authorization": f"Bearer {KEY}"}),
    "api-key": lambda url: ({"host": url}, {"api-key": KEY}),
    "other": lambda url: ({"host": url, "access_token": "sk-other"}, {"X-Tenant": KEY}),
    "always": lambda url: ({"host": url, "headers": {"authorization": f"Bearer {KEY}"}}, None),
    "user": lambda url: ({"host": in_host(url, f"me:{KEY}")}, None),
    "query": lambda url: ({"host": f"{url}?api-key={KEY}", "access_token": ""}, None),
}
each_way = pytest.mark.parametrize("way", WAYS)


def fails(configuration: dict[str, Any], headers: Any, kind: type[Exception]) -> Exception:
    def call() -> None:
        with ApiClient(Configuration(**configuration)) as client:
            RealtimeApi(client).create_realtime_session({}, headers=headers)

    return error_of(call, kind)  # type: ignore[no-any-return]


ANSWERS: list[tuple[Answer, type[ApiError]]] = [
    (json_answer({"error": {"message": f"Wrong key {KEY}."}}, 401), UnauthorizedError),
    (Answer(500, KEY.encode(), {"X-Echo": f"Bearer {KEY}"}, f"Not {KEY}"), ServiceError),
    (json_answer({"error": {"code": KEY, "message": "Wrong."}}, 401), UnauthorizedError),
    (json_answer({"error": f"Incorrect API key: {KEY}."}, 401), UnauthorizedError),
    (json_answer({"error": {"message": {"key": KEY}}}, 401), UnauthorizedError),
    (json_answer({"detail": KEY}, 401), UnauthorizedError),
    (Answer(302, headers={"Location": f"http://127.0.0.1/?key={KEY}"}), ApiError),
    (json_answer({"client_secret": KEY}), InvalidResponseError),
    (Answer(200, KEY.encode() * 100), InvalidResponseError),
    (Answer(200, KEY.encode(), {"Content-Encoding": "gzip"}), ApiConnectionError),
    (Answer(200, KEY.encode(), fault="cut"), ApiConnectionError),
    (Answer(fault="close"), ApiConnectionError),
]


@each_way
def test_failed_call_shows_no_key(
    server: HttpServer, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    configuration, headers = WAYS[way](server.url)
    for answer, kind in ANSWERS:
        server.answers.append(answer)
        error = fails({**configuration, "max_size": 1000}, headers, kind)
        assert_hidden(error, *places_in_log(caplog.records))
        assert caplog.records
        caplog.clear()


def test_key_is_not_shown_in_part_where_a_message_is_cut(server: HttpServer) -> None:
    # At each length the limit falls at another place of the key.
    for length in range(500 - len(KEY) - 10, 500, 3):
        message = "x" * length + KEY
        server.answers.append(json_answer({"error": {"message": message}}, 401))
        assert_hidden(failure(Configuration(server.url, KEY), UnauthorizedError), key=KEY[:8])


@each_way
def test_no_key_goes_to_another_machine_unencrypted(way: str) -> None:
    configuration, headers = WAYS[way]("http://192.0.2.1/v1")
    assert str(fails(configuration, headers, ConnectionSettingsError)) == (
        "a key would go over http:// unencrypted: use https://, or pass `allow_insecure=True`"
    )


def test_key_goes_to_another_machine_where_the_caller_allows_it(server: HttpServer) -> None:
    """The proxy stands for the other machine. Without a key, there is nothing to allow."""
    for key, sent in ((KEY, f"Bearer {KEY}"), ("", None)):
        configuration = Configuration(
            "http://192.0.2.1/v1", key, proxy=server.url, allow_insecure=bool(key)
        )
        assert exchange(server, configuration).headers["Authorization"] == sent


# What else is refused is tested with the checks that sessions share.
WRONG_SETTINGS: list[tuple[dict[str, Any], dict[str, str] | None]] = [
    ({}, {"api-key": f"{KEY}\n"}),
    ({"headers": {"api-key": f"{KEY}\n"}}, None),
    ({}, {"Authorization": KEY, "authorization": KEY}),
    ({"headers": {"Authorization": KEY, "authorization": KEY}}, None),
    ({"access_token": lambda: [KEY]}, None),
    ({"host": f"http://me:{KEY}@127.0.0.1:1", "access_token": KEY}, None),
    ({"host": f"ftp://me:{KEY}@127.0.0.1"}, None),
    ({"proxy": f"socks9://me:{KEY}@proxy"}, None),
]


def test_settings_that_make_no_request_are_refused_and_not_shown(server: HttpServer) -> None:
    for configuration, headers in WRONG_SETTINGS:
        fails({"host": server.url, **configuration}, headers, ConnectionSettingsError)
    assert server.requests == []


def test_what_others_log_stays_as_it_is(
    server: HttpServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    exchange(server, Configuration(f"{server.url}?page=1", ""))
    # Of headers that do not parse it logs a warning.
    server.answers.append(Answer(500, b"", {"A: 1\r\nwithout a colon\r\nB": "2"}))
    failure(Configuration(f"{server.url}?page=1", ""), ServiceError)
    with urllib3.PoolManager() as pool:
        pool.request("GET", f"{server.url}?page=2", retries=False)
    assert "page=1" not in caplog.text
    assert f"POST to 127.0.0.1:{server.server_port}: 200" in caplog.text
    assert "page=2" in caplog.text


def test_no_object_shows_a_secret() -> None:
    url = f"https://me:{KEY}@example.com/v1?api-key={KEY}"
    shown = "Configuration(host='https://***@example.com/v1?***', timeout=60.0)"
    for key in (None, KEY, lambda: KEY):
        headers = {"X-Tenant": KEY}
        configuration = Configuration(url, key, proxy=f"http://me:{KEY}@proxy:1", headers=headers)
        assert repr(configuration) == shown
        with ApiClient(configuration) as client:
            api = RealtimeApi(client)
            assert_hidden(None, objects=[configuration, client, api])
        with pytest.raises(TypeError, match="a key cannot be pickled"):
            pickle.dumps(configuration)
        assert repr(copy.deepcopy(configuration)) == shown
    assert "an invalid URL" in repr(Configuration(f"https://me:{KEY}@[::1"))
    response = RawResponse(200, KEY, {"X-Key": KEY}, KEY.encode(), is_cut=False)
    assert repr(response) == "RawResponse(status=200, is_cut=False)"


def test_the_password_of_a_proxy_is_sent_to_it_and_not_shown(server: HttpServer) -> None:
    proxy = in_host(server.url, f"me:{quote(f'{KEY}@')}")
    configuration = Configuration("http://192.0.2.1", "", proxy=proxy)
    request = exchange(server, configuration)
    sent = b64encode(f"me:{KEY}@".encode()).decode()
    assert request.headers["Proxy-Authorization"] == f"Basic {sent}"
    server.answers.append(Answer(fault="close"))
    failure(configuration, ApiConnectionError)
