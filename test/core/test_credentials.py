"""The checks of keys, headers and URLs that WebSocket and HTTP share."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from openai_realtime_client import ConnectionSettingsError
from openai_realtime_client.core.credentials import (
    BaseUrl,
    Credential,
    Headers,
    resolve_key,
    resolve_key_async,
)

KEY = "sk-test-0123456789abcdefghij"
SCHEMES = {"http": "http", "https": "https"}
NONE = Credential.of("")


def base(url: str) -> BaseUrl:
    return BaseUrl(url, SCHEMES, "https")


def test_what_http_allows_is_a_header() -> None:
    for name in ("X-A", "authorization", "!#$%&'*+.^_`|~09Az-"):
        for value in ("", "a b", "\t~", "é"):
            Headers({name: value}).check()
    wrong = [Headers({name: "1"}) for name in ("", " ", "X A", "X:A", "(X)", "X/A", '"X"', "é")]
    for text in ("\r", "\n", "\0", "\x1f", "\x7f", "\u2014", "a\r\nX-B: 1"):
        wrong += [Headers({f"X{text}": "1"}), Headers({"X-A": f"{KEY}{text}"})]
    for headers in wrong:
        with pytest.raises(ConnectionSettingsError, match="HTTP does not allow") as caught:
            headers.check()
        assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["authorization", "api-key", "Cookie", "Proxy-Authorization", "X-Auth", "X-Tenant"]
)
@pytest.mark.parametrize("prefix", ["", "Bearer "])
def test_a_credential_is_concealed_where_a_server_repeats_it(name: str, prefix: str) -> None:
    concealed = Headers({"X-A": "wrong", name: prefix + KEY}).conceal(f"wrong: {KEY}, {KEY}.")
    assert concealed == "wrong: ***, ***."
    assert Headers({"X-A": "wrong", name: ""}).conceal("wrong") == "wrong"


def test_a_secret_that_holds_another_is_concealed_whole() -> None:
    headers = Headers({"api-key": KEY, "Authorization": f"Bearer {KEY}abc"})
    assert headers.conceal(f"{KEY}abc, {KEY}") == "***, ***"


@pytest.mark.parametrize("key", ["none", "x", "0123456789abcde"])
def test_short_credentials_are_not_looked_for(key: str) -> None:
    text = f'{{"tool_choice":"none","x":"{key}"}}'
    assert Headers({"Authorization": f"Bearer {key}"}).conceal(text) == text


@pytest.mark.parametrize(
    ("url", "query", "joined"),
    [
        ("https://a/v1", {}, "https://a/v1/p"),
        ("https://a/v1/?a=1&a=2&b=", {}, "https://a/v1/p?a=1&a=2&b="),
        ("https://a?a=1&a=2&b=", {"a": "3"}, "https://a/p?b=&a=3"),
        ("https://me:pass@a:1/v1#f", {}, "https://a:1/v1/p"),
    ],
)
def test_a_path_is_joined(url: str, query: dict[str, str], joined: str) -> None:
    assert base(url).join("/p", {}, query.items()) == joined


@pytest.mark.parametrize("parameter", ["api-key", "key", "access_token", "sig"])
def test_a_key_in_the_query_is_a_secret(parameter: str) -> None:
    url = f"http://example.com/?{parameter}={KEY}"
    with pytest.raises(ConnectionSettingsError, match="unencrypted"):
        base(url).check(NONE, Headers(), allow_insecure=False)
    base(url).check(NONE, Headers(), allow_insecure=True)
    sent = base(url).authorize(Headers(), NONE, None, Headers())
    assert sent.conceal(f"not {KEY}") == "not ***"
    assert KEY not in repr(base(url))


def test_a_password_is_concealed() -> None:
    sent = base(f"https://me:{KEY}@a").authorize(Headers(), NONE, None, Headers())
    assert sent.conceal(f"{KEY} in {sent['Authorization']}") == "*** in Basic ***"


@pytest.mark.parametrize("key", [KEY.encode(), 5, [KEY]], ids=lambda key: type(key).__name__)
def test_a_key_of_a_wrong_type_is_refused(key: Any) -> None:
    with pytest.raises(ConnectionSettingsError, match=f"not {type(key).__name__}"):
        Credential.of(key)
    for function in (
        lambda: resolve_key(lambda: key),
        lambda: asyncio.run(resolve_key_async(lambda: key)),
    ):
        with pytest.raises(
            ConnectionSettingsError, match=f"returned a {type(key).__name__}"
        ) as caught:
            function()
        assert KEY not in str(caught.value)
