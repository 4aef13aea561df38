"""Where a session is opened and with which credential, for each of the `connect` functions."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from connections import KEY, Kind
from openai_realtime_client import ConnectionSettingsError, azure, ga, v1
from openai_realtime_client.realtime.endpoint import Headers

ENDPOINT = "https://somebody.openai.azure.com"


# All that differs: the path, the header of the beta, the parameters for Azure; and how a function
# for a key is called.
DIALECTS = [Kind(v1, True), Kind(ga, False), Kind(ga, True, "connect_translation")]

for_dialects = pytest.mark.parametrize("kind", DIALECTS, ids=str)


@pytest.fixture
def kind() -> Kind:
    return Kind(ga, True)


def url(kind: Kind, *args: Any, **kwargs: Any) -> str:
    found: str = kind.connect(*args, **kwargs)._url()
    return found


def made(connector: Any, kind: Kind) -> Headers:
    """The headers of the next handshake."""
    if kind.is_async:
        return asyncio.run(connector._handshake_headers_async())
    found: Headers = connector._handshake_headers()
    return found


def headers(kind: Kind, **kwargs: Any) -> Headers:
    """The headers that a handshake adds."""
    return made(kind.connect(**kwargs), kind)


def beta(kind: Kind) -> dict[str, str]:
    return {"OpenAI-Beta": "realtime=v1"} if kind.is_beta else {}


# The URL


@for_dialects
def test_by_default_it_is_the_documented_server(kind: Kind) -> None:
    assert url(kind, api_key=KEY) == f"wss://api.openai.com/v1{kind.path}"


@pytest.mark.parametrize(
    ("base", "start"),
    [
        ("wss://example.com/v1", "wss://example.com/v1"),
        ("https://example.com/v1", "wss://example.com/v1"),
        ("HTTPS://example.com/v1", "wss://example.com/v1"),
        ("ws://localhost:81/v1", "ws://localhost:81/v1"),
        ("http://localhost:81/v1", "ws://localhost:81/v1"),
        ("wss://example.com", "wss://example.com"),
        ("wss://example.com/", "wss://example.com"),
        ("wss://example.com/v1/", "wss://example.com/v1"),
        ("wss://example.com/a/b//", "wss://example.com/a/b"),
        ("wss://[::1]:81/v1", "wss://[::1]:81/v1"),
    ],
)
def test_the_path_is_appended_to_the_base(kind: Kind, base: str, start: str) -> None:
    assert url(kind, api_key=KEY, base_url=base) == start + kind.path


def test_the_base_comes_from_the_environment(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://example.com/env/")
    assert url(kind) == f"wss://example.com/env{kind.path}"
    assert url(kind, base_url="wss://mine") == f"wss://mine{kind.path}"
    assert url(kind, azure=azure(ENDPOINT, "d")).startswith("wss://somebody.openai.azure.com/")


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ({"model": "gpt-realtime-2.1"}, "model=gpt-realtime-2.1"),
        ({"model": "my model&x=é"}, "model=my+model%26x%3D%C3%A9"),
        ({"call_id": "rtc_1"}, "call_id=rtc_1"),
        ({"intent": "transcription"}, "intent=transcription"),
        ({"model": "m", "intent": "transcription"}, "model=m&intent=transcription"),
        ({"model": "m", "query": {"a": "1", "b": "x y"}}, "model=m&a=1&b=x+y"),
        ({"model": "m", "query": {"model": "other"}}, "model=other"),
        ({"model": "m", "base_url": "wss://api.openai.com/v1?a=1"}, "a=1&model=m"),
        ({"query": {"a": "2"}, "base_url": "wss://api.openai.com/v1?a=1&b=%20"}, "b=+&a=2"),
    ],
)
def test_arguments_become_the_query(kind: Kind, arguments: dict[str, Any], query: str) -> None:
    assert url(kind, **arguments) == f"wss://api.openai.com/v1{kind.path}?{query}"


def test_the_model_is_the_first_argument(kind: Kind) -> None:
    assert url(kind, "gpt-realtime-2.1").endswith("?model=gpt-realtime-2.1")


def test_a_fragment_is_left_out(kind: Kind) -> None:
    assert url(kind, "m", base_url="wss://a/v1#f") == f"wss://a/v1{kind.path}?model=m"


@for_dialects
@pytest.mark.parametrize("end", ["", "/"])
def test_azure_has_a_url_of_its_own_for_each_protocol(kind: Kind, end: str) -> None:
    found = url(kind, azure=azure(ENDPOINT + end, "my deployment", api_key=KEY))
    if kind.is_beta:
        query = "api-version=2025-04-01-preview&deployment=my+deployment"
        assert found == f"wss://somebody.openai.azure.com/openai/realtime?{query}"
    else:
        path = f"/openai/v1{kind.path}"
        assert found == f"wss://somebody.openai.azure.com{path}?model=my+deployment"


@for_dialects
def test_the_version_of_azures_api_is_for_v1_alone(kind: Kind) -> None:
    found = url(kind, azure=azure(ENDPOINT, "d", api_key=KEY, api_version="2099-01-01"))
    assert ("api-version=2099-01-01" in found) is kind.is_beta
    assert ("api-version" in found) is kind.is_beta


@for_dialects
def test_intent_and_query_are_added_for_azure(kind: Kind) -> None:
    found = url(kind, intent="transcription", azure=azure(ENDPOINT, "d"), query={"a": "1"})
    assert found.endswith("&a=1")
    assert "intent=transcription" in found


@for_dialects
def test_a_call_on_azure_has_its_model_already(kind: Kind) -> None:
    found = url(kind, call_id="rtc_1", azure=azure(ENDPOINT, "d"))
    assert "call_id=rtc_1" in found
    assert "model=" not in found


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"model": "m", "call_id": "rtc_1"}, "call_id"),
        ({"model": "m", "azure": azure(ENDPOINT, "d")}, "azure"),
        ({"base_url": "ftp://example.com"}, "wss://"),
        ({"base_url": "example.com/v1"}, "wss://"),
        ({"base_url": "wss:///v1"}, "wss://"),
        ({"base_url": "localhost:8080"}, "wss://"),
        ({"base_url": "wss://example.com:99999"}, "URL"),
        ({"base_url": "wss://example.com:port"}, "URL"),
        ({"base_url": "wss://[::1"}, "URL"),
    ],
)
def test_settings_that_make_no_url_are_an_error(
    kind: Kind, arguments: dict[str, Any], text: str
) -> None:
    with pytest.raises(ConnectionSettingsError, match=text):
        url(kind, api_key=KEY, **arguments)


@for_dialects
def test_settings_are_checked_when_a_session_is_opened(kind: Kind) -> None:
    connector = kind.connect("m", call_id="rtc_1", api_key=KEY)
    with pytest.raises(ConnectionSettingsError):
        asyncio.run(connector.open()) if kind.is_async else connector.open()


def test_an_error_of_settings_is_a_value_error() -> None:
    assert issubclass(ConnectionSettingsError, ValueError)


# Without encryption

LOOPBACK = ["localhost", "LocalHost", "a.localhost", "127.0.0.1", "127.1.2.3", "[::1]"]
ELSEWHERE = ["example.com", "10.0.0.1", "localhost.example.com", "0.0.0.0", "[::2]", "127.0.0.1.io"]
CREDENTIALS: list[dict[str, Any]] = [
    {"api_key": KEY},
    {"api_key": lambda: KEY},
    {"api_key": "", "headers": {"authorization": f"Bearer {KEY}"}},
    {"api_key": "", "headers": {"Api-Key": KEY}},
    {"api_key": "", "headers": {"Cookie": KEY}},
]


@pytest.mark.parametrize("host", LOOPBACK)
@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_a_key_goes_to_this_machine(kind: Kind, host: str, scheme: str) -> None:
    assert url(kind, api_key=KEY, base_url=f"{scheme}://{host}:81").startswith("ws://")


@pytest.mark.parametrize("host", [*ELSEWHERE, "localhost@example.com"])
@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_a_key_does_not_go_to_another(kind: Kind, host: str, scheme: str) -> None:
    with pytest.raises(ConnectionSettingsError, match="allow_insecure"):
        url(kind, api_key=KEY, base_url=f"{scheme}://{host}")


@pytest.mark.parametrize("credential", CREDENTIALS)
def test_no_credential_goes_to_another_unencrypted(kind: Kind, credential: dict[str, Any]) -> None:
    with pytest.raises(ConnectionSettingsError, match="allow_insecure"):
        url(kind, base_url="ws://example.com", **credential)
    allowed = url(kind, base_url="ws://example.com", allow_insecure=True, **credential)
    assert allowed == f"ws://example.com{kind.path}"
    assert url(kind, base_url="wss://example.com", **credential).startswith("wss://")


@pytest.mark.parametrize("secret", [{"api_key": KEY}, {"token": KEY}, {"token": lambda: KEY}])
def test_no_credential_of_azure_goes_to_another_unencrypted(
    kind: Kind, secret: dict[str, Any]
) -> None:
    with pytest.raises(ConnectionSettingsError, match="allow_insecure"):
        url(kind, azure=azure("http://somebody.openai.azure.com", "d", **secret))


def test_a_key_of_the_environment_does_not_go_to_another_unencrypted(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(ConnectionSettingsError, match="allow_insecure"):
        url(kind, base_url="ws://example.com")


def test_without_a_credential_any_server_will_do(kind: Kind) -> None:
    assert url(kind, api_key="", base_url="ws://example.com") == f"ws://example.com{kind.path}"


# Headers


@for_dialects
def test_a_key_is_a_bearer_token(kind: Kind) -> None:
    assert headers(kind, api_key=KEY) == {**beta(kind), "Authorization": f"Bearer {KEY}"}


def test_the_key_comes_from_the_environment(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    assert headers(kind)["Authorization"] == "Bearer sk-env"
    assert headers(kind, api_key=KEY)["Authorization"] == f"Bearer {KEY}"


@for_dialects
def test_an_empty_key_is_none(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    assert headers(kind, api_key="") == beta(kind)
    assert headers(kind, api_key=lambda: "") == beta(kind)


@for_dialects
def test_a_missing_key_is_an_error_that_says_what_to_do(kind: Kind) -> None:
    with pytest.raises(ConnectionSettingsError, match="OPENAI_API_KEY") as caught:
        headers(kind)
    assert 'api_key=""' in str(caught.value)
    with pytest.raises(ConnectionSettingsError, match="AZURE_OPENAI_API_KEY"):
        headers(kind, azure=azure(ENDPOINT, "d"))


@for_dialects
def test_a_function_gives_a_new_key_each_time(kind: Kind) -> None:
    keys = iter(["sk-first", "sk-second"])
    connector = kind.connect(api_key=lambda: next(keys))
    connector._url()
    for key in ("sk-first", "sk-second"):
        assert made(connector, kind)["Authorization"] == f"Bearer {key}"


def test_a_coroutine_function_gives_the_key(kind: Kind) -> None:
    async def key() -> str:
        await asyncio.sleep(0)
        return KEY

    assert headers(kind, api_key=key)["Authorization"] == f"Bearer {KEY}"
    assert headers(kind, azure=azure(ENDPOINT, "d", api_key=key))["api-key"] == KEY


@pytest.mark.parametrize("key", ["sk-a\nb", "sk-a\r\nX-Evil: 1", "sk a", "sk-a\n", " sk", "sk-é"])
@pytest.mark.parametrize("is_function", [False, True])
def test_a_key_that_no_header_can_hold_is_an_error(kind: Kind, key: str, is_function: bool) -> None:
    with pytest.raises(ConnectionSettingsError) as caught:
        headers(kind, api_key=(lambda: key) if is_function else key)
    assert key not in str(caught.value)


@for_dialects
@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
def test_an_own_header_is_instead_of_a_key(
    kind: Kind, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {name: "Basic abc"}
    assert headers(kind, headers=own) == {**beta(kind), **own}
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert headers(kind, headers=own) == {**beta(kind), **own}


@for_dialects
def test_own_headers_are_added(kind: Kind) -> None:
    got = headers(kind, api_key=KEY, headers={"X-A": "1"})
    assert got == {**beta(kind), "Authorization": f"Bearer {KEY}", "X-A": "1"}


@for_dialects
@pytest.mark.parametrize("name", ["OpenAI-Beta", "openai-beta"])
def test_an_own_beta_header_wins(kind: Kind, name: str) -> None:
    assert headers(kind, api_key="", headers={name: "other=v1"}) == {name: "other=v1"}


@for_dialects
def test_azure_has_a_header_for_keys(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    expected = {**beta(kind), "api-key": KEY}
    assert headers(kind, azure=azure(ENDPOINT, "d", api_key=KEY)) == expected
    assert headers(kind, azure=azure(ENDPOINT, "d", api_key=lambda: KEY)) == expected


@for_dialects
def test_azure_takes_a_token(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "env")
    expected = {**beta(kind), "Authorization": f"Bearer {KEY}"}
    assert headers(kind, azure=azure(ENDPOINT, "d", token=KEY)) == expected
    assert headers(kind, azure=azure(ENDPOINT, "d", token=lambda: KEY)) == expected
    assert headers(kind, azure=azure(ENDPOINT, "d", token=KEY, api_key="other")) == expected


def test_azures_key_comes_from_the_environment(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    assert headers(kind, azure=azure(ENDPOINT, "d")) == {**beta(kind), "api-key": KEY}
    assert headers(kind, azure=azure(ENDPOINT, "d", api_key="k"))["api-key"] == "k"


# Secrets


def test_headers_do_not_show_their_values() -> None:
    shown = repr(Headers({"Authorization": f"Bearer {KEY}", "X-A": "value"}))
    assert shown == "Headers(Authorization, X-A)"


@pytest.mark.parametrize(
    "name", ["Authorization", "authorization", "api-key", "Cookie", "Proxy-Authorization"]
)
@pytest.mark.parametrize("prefix", ["", "Bearer ", "Basic "])
def test_a_credential_is_concealed_where_a_server_repeats_it(name: str, prefix: str) -> None:
    concealed = Headers({"X-A": "wrong", name: prefix + KEY}).conceal(f"wrong: {KEY}, {KEY}.")
    assert concealed == "wrong: ***, ***."


def test_nothing_is_concealed_without_a_credential() -> None:
    assert Headers({"X-A": "wrong", "authorization": ""}).conceal("wrong") == "wrong"


@pytest.mark.parametrize("secret", [{"api_key": KEY}, {"token": KEY}])
def test_azures_settings_do_not_show_their_credential(secret: dict[str, Any]) -> None:
    settings = azure(ENDPOINT, "my-deployment", **secret)
    assert KEY not in repr(settings)
    assert "my-deployment" in repr(settings)


@for_dialects
@pytest.mark.parametrize("key", [None, b"sk-bytes", 5])
def test_a_function_gives_a_key_that_is_text(kind: Kind, key: Any) -> None:
    with pytest.raises(ConnectionSettingsError, match=f"gave a {type(key).__name__}"):
        headers(kind, api_key=lambda: key)


def test_a_coroutine_function_is_for_asyncio() -> None:
    async def key() -> str:
        return KEY

    with pytest.raises(ConnectionSettingsError, match="gave a coroutine"):
        headers(Kind(ga, False), api_key=key)


def test_a_password_in_the_url_is_a_secret(kind: Kind) -> None:
    with pytest.raises(ConnectionSettingsError, match="unencrypted"):
        url(kind, base_url="ws://user:password@example.com/v1", api_key="")


@for_dialects
def test_wrong_arguments_are_an_error_only_when_a_session_is_opened(kind: Kind) -> None:
    query: Any = "a=b"
    connector = kind.connect(query=query, headers=query, api_key=KEY)
    with pytest.raises((TypeError, ValueError)):
        asyncio.run(connector.open()) if kind.is_async else connector.open()


@for_dialects
def test_a_user_in_the_url_takes_the_place_of_the_environments_key(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    base = "wss://me:p%40ss@example.com/v1"
    assert url(kind, base_url=base) == f"wss://example.com/v1{kind.path}"
    assert headers(kind, base_url=base) == {**beta(kind), "Authorization": "Basic bWU6cEBzcw=="}


@pytest.mark.parametrize("arguments", [{"api_key": KEY}, {"headers": {"api-key": KEY}}])
def test_a_user_in_the_url_and_a_key_are_refused(kind: Kind, arguments: dict[str, Any]) -> None:
    with pytest.raises(ConnectionSettingsError, match="pass only one"):
        url(kind, base_url="wss://me:password@example.com", **arguments)


def test_repeated_and_empty_parameters_of_the_url_stay(kind: Kind) -> None:
    found = url(kind, api_key=KEY, base_url="wss://example.com?a=1&a=2&b=")
    assert found == f"wss://example.com{kind.path}?a=1&a=2&b="


@pytest.mark.parametrize("own", [{"X-A\r\nX-B": "1"}, {"X-A": "1\r\nX-B: 1"}, {"X-A": "\0"}])
def test_a_header_that_would_be_two_is_refused(kind: Kind, own: dict[str, str]) -> None:
    with pytest.raises(ConnectionSettingsError, match="HTTP does not allow"):
        url(kind, api_key=KEY, headers=own)


def test_a_key_in_bytes_is_refused_and_not_shown(kind: Kind) -> None:
    key: Any = KEY.encode()
    with pytest.raises(ConnectionSettingsError, match="not bytes") as caught:
        headers(kind, api_key=key)
    assert KEY not in str(caught.value)
