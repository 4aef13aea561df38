"""What HTTP never shows: a key, wherever it comes from and whatever fails."""

from __future__ import annotations

import logging
import pickle
import socket
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import openai_realtime_client
from http_server import Answer, HttpServer, json_answer
from openai_realtime_client import (
    ApiClient,
    ApiConnectionError,
    ApiError,
    Configuration,
    ConnectionSettingsError,
    InvalidResponseError,
    RealtimeApi,
    RealtimeError,
    ServiceError,
    UnauthorizedError,
)

KEY = "sk-test-0123456789abcdefghij"
OURS = str(Path(str(openai_realtime_client.__file__)).parent)
SESSION = {"client_secret": {"value": "ek_abc123", "expires_at": 1735689600}}


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


def places_of(error: BaseException | None) -> Iterator[tuple[str, str]]:
    """What a tool that reports errors may show of one, and of those that it holds."""
    while error is not None:
        name = type(error).__name__
        yield f"{name}, str", str(error)
        yield f"{name}, repr", repr(error)
        yield f"{name}, args", repr(error.args)
        yield f"{name}, vars", repr(vars(error))
        yield f"{name}, traceback", "".join(traceback.format_exception(error))
        for frame, line in traceback.walk_tb(error.__traceback__):
            if not frame.f_code.co_filename.startswith(OURS) and "urllib3" not in (
                frame.f_code.co_filename
            ):
                continue
            for variable, value in frame.f_locals.items():
                yield f"{name}, {frame.f_code.co_name}:{line} {variable}", repr(value)
        error = error.__cause__ or error.__context__


def assert_secret(error: BaseException, caplog: pytest.LogCaptureFixture | None = None) -> None:
    places = list(places_of(error))
    places += [("log", repr(vars(each))) for each in caplog.records] if caplog else []
    places.append(("pickle", repr(pickle.dumps(error))))
    assert [where for where, text in places if KEY in text] == []


def failure(
    configuration: dict[str, Any], headers: Any, kind: type[Exception] = RealtimeError
) -> Exception:
    with ApiClient(Configuration(**configuration)) as client, pytest.raises(kind) as caught:
        RealtimeApi(client).create_realtime_session({}, headers=headers)
    return caught.value


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (json_answer({"error": {"message": f"Wrong key {KEY}."}}, 401), UnauthorizedError),
        (Answer(500, KEY.encode(), {"X-Echo": f"Bearer {KEY}"}, f"Not {KEY}"), ServiceError),
        (json_answer({"error": {"code": KEY, "message": "Wrong."}}, 401), UnauthorizedError),
        (json_answer({"error": f"Incorrect API key: {KEY}."}, 401), UnauthorizedError),
        (json_answer({"error": {"message": {"key": KEY}}}, 401), UnauthorizedError),
        (json_answer({"detail": KEY}, 401), UnauthorizedError),
        (Answer(302, headers={"Location": f"http://127.0.0.1/?key={KEY}"}), ApiError),
        (json_answer({"client_secret": KEY}), InvalidResponseError),
        (Answer(200, KEY.encode()), InvalidResponseError),
        (Answer(200, KEY.encode() * 100), InvalidResponseError),
        (Answer(200, KEY.encode(), {"Content-Encoding": "gzip"}), ApiConnectionError),
        (Answer(200, KEY.encode(), fault="cut"), ApiConnectionError),
        (Answer(fault="close"), ApiConnectionError),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
@each_way
def test_a_failed_call_shows_no_key(
    server: HttpServer,
    way: str,
    answer: Answer,
    kind: type[ApiError],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answers.append(answer)
    configuration, headers = WAYS[way](server.url)
    error = failure({**configuration, "max_size": 1000}, headers)
    assert type(error) is kind
    assert caplog.records
    assert_secret(error, caplog)


def test_a_key_is_not_shown_in_part_where_a_message_is_cut(server: HttpServer) -> None:
    # At each length the limit falls at another place of the key.
    for length in range(500 - 2 * len(KEY), 500):
        message = "x" * length + KEY
        server.answers.append(json_answer({"error": {"message": message}}, 401))
        error = failure({"host": server.url, "access_token": KEY}, None, UnauthorizedError)
        assert [where for where, text in places_of(error) if KEY[:8] in text] == []


@each_way
@pytest.mark.parametrize("retries", [False, 1])
def test_a_call_without_a_server_shows_no_key(
    way: str, retries: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with socket.socket() as closed:  # bound, and not listening
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        configuration, headers = WAYS[way](url)
        error = failure({**configuration, "retries": retries}, headers, ApiConnectionError)
    assert_secret(error, caplog)


@each_way
def test_no_key_goes_to_another_machine_unencrypted(way: str) -> None:
    configuration, headers = WAYS[way]("http://192.0.2.1/v1")
    error = failure(configuration, headers, ConnectionSettingsError)
    assert str(error) == (
        "a key would go over http:// unencrypted: use https://, or pass `allow_insecure=True`"
    ) or (way == "other" and "allow_insecure" in str(error))
    assert_secret(error)


def test_a_key_goes_to_another_machine_where_the_caller_allows_it(server: HttpServer) -> None:
    # The proxy stands for the other machine.
    server.answers.append(json_answer(SESSION))
    configuration = Configuration("http://192.0.2.1/v1", KEY, proxy=server.url, allow_insecure=True)
    with ApiClient(configuration) as client:
        RealtimeApi(client).create_realtime_session({})
    assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"


def test_a_request_without_a_key_goes_anywhere(server: HttpServer) -> None:
    server.answers.append(json_answer(SESSION))
    with ApiClient(Configuration("http://192.0.2.1", "", proxy=server.url)) as client:
        RealtimeApi(client).create_realtime_session({})
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A\r\nX-B": "1"},
        {"X A": "1"},
        {"X:A": "1"},
        {"": "1"},
        {f"Authorization: Bearer {KEY}\r\nX": "1"},
        {"Authorization": f"Bearer {KEY}\r\nX-B: 1"},
        {"api-key": f"{KEY}\n"},
        {"api-key": f"{KEY}\0"},
        {"api-key": f"{KEY}\u2014"},
        {"api-key": KEY.encode()},
        {"Authorization": KEY, "authorization": KEY},
        f"Authorization: Bearer {KEY}",
        [KEY],
    ],
    ids=lambda headers: repr(headers)[:30],
)
@pytest.mark.parametrize("place", ["call", "configuration"])
def test_a_header_that_cannot_be_sent_is_refused_and_not_shown(
    server: HttpServer, headers: Any, place: str
) -> None:
    always = {"headers": headers} if place == "configuration" else {}
    once = headers if place == "call" else None
    error = failure({"host": server.url, **always}, once, ConnectionSettingsError)
    assert_secret(error)
    assert server.requests == []


@pytest.mark.parametrize(
    "key",
    [KEY.encode(), [KEY], *(f"{KEY}{end}" for end in ("\n", " ", "\r\nX-A: 1", "\u2014"))],
    ids=repr,
)
@pytest.mark.parametrize("is_function", [False, True])
def test_a_key_that_is_not_one_is_refused_and_not_shown(
    server: HttpServer, key: Any, is_function: bool
) -> None:
    token = (lambda: key) if is_function else key
    error = failure({"host": server.url, "access_token": token}, None, ConnectionSettingsError)
    assert_secret(error)
    assert server.requests == []


def test_a_user_in_the_host_is_sent_once(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.answers.append(json_answer(SESSION))
    with ApiClient(Configuration(in_host(server.url, "me:p%40ss"))) as client:
        RealtimeApi(client).create_realtime_session({})
    assert server.requests[0].headers.get_all("Authorization") == ["Basic bWU6cEBzcw=="]


@pytest.mark.parametrize("name", ["Authorization", "api-key", None])
def test_a_user_in_the_host_and_a_key_are_refused(server: HttpServer, name: str | None) -> None:
    configuration = {"host": in_host(server.url, f"me:{KEY}")}
    if name is None:
        error = failure({**configuration, "access_token": KEY}, None, ConnectionSettingsError)
    else:
        error = failure(configuration, {name: KEY}, ConnectionSettingsError)
    assert "pass only one" in str(error)
    assert_secret(error)
    assert server.requests == []


def test_an_api_key_header_takes_the_place_of_the_key(server: HttpServer) -> None:
    server.answers.append(json_answer(SESSION))
    with ApiClient(Configuration(server.url, KEY, headers={"API-Key": "mine"})) as client:
        RealtimeApi(client).create_realtime_session({})
    assert server.requests[0].headers["Authorization"] is None
    assert server.requests[0].headers["api-key"] == "mine"


def test_parameters_of_the_host_stay(server: HttpServer) -> None:
    server.answers.append(json_answer(SESSION))
    with ApiClient(Configuration(f"{server.url}/v1/?a=1&a=2&b=&c=%20", KEY)) as client:
        RealtimeApi(client).create_realtime_session({})
    assert server.requests[0].path == "/v1/realtime/sessions?a=1&a=2&b=&c=+"


def test_the_repr_of_a_configuration_shows_no_secret() -> None:
    url = f"https://me:{KEY}@example.com/v1?api-key={KEY}"
    shown = "Configuration(host='https://***@example.com/v1?***', timeout=60.0)"
    for key in (None, KEY, lambda: KEY):
        headers = {"X-Tenant": KEY}
        configuration = Configuration(url, key, proxy=f"http://me:{KEY}@proxy:1", headers=headers)
        assert repr(configuration) == shown
        with ApiClient(configuration) as client:
            for each in (vars(configuration), client, vars(client), RealtimeApi(client)):
                assert KEY not in f"{each} {each!r}"
    assert "an invalid URL" in repr(Configuration(f"https://me:{KEY}@[::1"))


@pytest.mark.parametrize("host", ["ftp://example.com", "example.com", "https://", "https://a:b"])
def test_an_invalid_host_is_refused(host: str) -> None:
    error = failure({"host": host, "access_token": KEY}, None, ConnectionSettingsError)
    assert str(error) == "a server's URL is like https://HOST:PORT/v1"
    assert_secret(error)


def test_the_password_of_a_proxy_is_sent_to_it_and_not_shown(server: HttpServer) -> None:
    proxy = in_host(server.url, f"me:{quote(KEY)}")
    server.answers += [json_answer(SESSION), Answer(fault="close")]
    with ApiClient(Configuration("http://192.0.2.1", "", proxy=proxy)) as client:
        RealtimeApi(client).create_realtime_session({})
    assert server.requests[0].headers["Proxy-Authorization"].startswith("Basic ")
    assert_secret(failure({"host": "http://192.0.2.1", "proxy": proxy}, None, ApiConnectionError))


def test_an_invalid_proxy_is_refused_and_not_shown() -> None:
    with pytest.raises(ConnectionSettingsError, match="proxy") as caught:
        ApiClient(Configuration("https://example.com", KEY, proxy=f"socks9://me:{KEY}@proxy"))
    assert_secret(caught.value)
