"""Where a session is opened and with which credential, for each of the `connect` functions."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest

from connections import KEY, Kind
from exposure import assert_hidden
from openai_realtime_client import ConnectionSettingsError, azure, ga, v1
from openai_realtime_client.core.credentials import Headers, resolve_key, resolve_key_async

ENDPOINT = "https://somebody.openai.azure.com"
BEARER = {"Authorization": f"Bearer {KEY}"}

# All that differs: the path, the header of the beta, the parameters for Azure; and how a function
# for a key is called.
TRANSLATION = Kind(ga, True, "connect_translation")
DIALECTS = [Kind(v1, True), Kind(ga, False), TRANSLATION]

for_dialects = pytest.mark.parametrize("kind", DIALECTS, ids=str)
# Both protocols, and both kinds of programs.
for_both = pytest.mark.parametrize("kind", DIALECTS[:2], ids=str)


@pytest.fixture
def kind() -> Kind:
    return Kind(ga, True)


def url(kind: Kind, *args: Any, **kwargs: Any) -> str:
    found: str = kind.connect(*args, **kwargs)._url()
    return found


def headers(kind: Kind, **kwargs: Any) -> Headers:
    """The headers that a handshake adds."""
    connector = kind.connect(**kwargs)
    if kind.is_async:
        key = asyncio.run(resolve_key_async(connector._key))
    else:
        key = resolve_key(connector._key)
    found: Headers = connector._handshake_headers(key)
    return found


# The URL


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"base_url": "HTTPS://example.com/v1"}, "wss://example.com/v1/realtime"),
        ({"base_url": "http://localhost:81/v1"}, "ws://localhost:81/v1/realtime"),
        ({"base_url": "wss://example.com"}, "wss://example.com/realtime"),
        ({"base_url": "wss://example.com/v1/realtime"}, "wss://example.com/v1/realtime"),
        ({"base_url": "wss://example.com/realtime/?a=1"}, "wss://example.com/realtime?a=1"),
        ({"base_url": "wss://example.com/realtime/translations"}, "wss://example.com/realtime"),
        ({"base_url": " wss://example.com/v1/ \n"}, "wss://example.com/v1/realtime"),
        ({"base_url": "wss://[::1]:81/v1"}, "wss://[::1]:81/v1/realtime"),
        ({"base_url": "wss://a?a=1", "model": "m"}, "wss://a/realtime?a=1&model=m"),
        ({"model": "my model&x=é"}, "?model=my+model%26x%3D%C3%A9"),
        ({"call_id": "rtc_1"}, "?call_id=rtc_1"),
        ({"model": "m", "intent": "transcription"}, "?model=m&intent=transcription"),
        ({"model": "m", "query": {"model": "other", "b": "x y"}}, "?model=other&b=x+y"),
    ],
    ids=str,
)
def test_arguments_become_the_url(kind: Kind, arguments: dict[str, Any], expected: str) -> None:
    default = "" if expected.startswith("ws") else "wss://api.openai.com/v1/realtime"
    assert url(kind, api_key=KEY, **arguments) == default + expected


@for_dialects
def test_each_dialect_has_its_path_and_the_model_is_the_first_argument(kind: Kind) -> None:
    assert url(kind, api_key=KEY) == f"wss://api.openai.com/v1{kind.path}"
    assert url(kind, "m", api_key=KEY) == f"wss://api.openai.com/v1{kind.path}?model=m"


def test_the_base_comes_from_the_environment(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://example.com/env/")
    assert url(kind) == "wss://example.com/env/realtime"
    assert url(kind, base_url="wss://mine") == "wss://mine/realtime"
    assert url(kind, azure=azure(ENDPOINT, "d")).startswith("wss://somebody.openai.azure.com/")


AZURE_PATHS = [
    *("", "/", "/openai", "/openai/v1/", "/openai/v1/realtime?model=other"),
    *("/openai/realtime?api-version=1&deployment=other", "/api/projects/p"),
    "/api/projects/p/openai/v1/",
]


@for_dialects
def test_azure_endpoint_leads_to_the_path_of_the_protocol(kind: Kind) -> None:
    target = f"openai/v1{kind.path}?model=my+deployment"
    if kind.is_beta:
        query = "api-version=2025-04-01-preview&deployment=my+deployment"
        target = f"openai/realtime?{query}"
    for path in AZURE_PATHS:
        found = url(kind, azure=azure(ENDPOINT + path, "my deployment", api_key=KEY))
        assert found == f"wss://somebody.openai.azure.com/{target}"
    # A gateway keeps a path of its own.
    # A variable that is not set must not lead to OpenAI.
    for missing in ("", None):
        with pytest.raises(ConnectionSettingsError, match="there is no endpoint"):
            azure(missing, "d", api_key=KEY)  # type: ignore[arg-type]
    gateway = azure("https://gateway.example/a/b/openai/", "my deployment", api_key=KEY)
    assert url(kind, azure=gateway) == f"wss://gateway.example/a/b/{target}"


@for_dialects
def test_other_parameters_are_added_for_azure(kind: Kind) -> None:
    deployment = azure(ENDPOINT, "d", api_version="2099-01-01")
    found = url(kind, intent="transcription", azure=deployment, query={"a": "1"})
    assert found.endswith("&a=1")
    assert "intent=transcription" in found
    # GA has no versions on Azure.
    assert ("api-version=2099-01-01" in found) is ("api-version" in found) is kind.is_beta
    # A call has its model already.
    call = url(kind, call_id="rtc_1", azure=deployment)
    assert "call_id=rtc_1" in call
    assert "model=" not in call


# Without encryption

CREDENTIALS: list[dict[str, Any]] = [
    {"api_key": KEY},
    {"api_key": lambda: KEY},
    {"api_key": "", "headers": {"authorization": f"Bearer {KEY}"}},
    # Neither in `api_key` nor in a header that is made for one.
    {"api_key": "", "headers": {"X-Tenant": f"Bearer {KEY}"}},
    {"api_key": "", "query": {"api_key": "some-key"}},
    {"api_key": "", "query": {"t": "ek_0123"}},
    {"api_key": "", "websocket_options": {"subprotocols": [f"openai-insecure-api-key.{KEY}"]}},
    {"api_key": "", "websocket_options": {"subprotocols": ["x", "vendor-client-secret.abc"]}},
]
ELSEWHERE = ["example.com", "10.0.0.1", "localhost.example.com", "0.0.0.0", "[::2]", "127.0.0.1.io"]


@pytest.mark.parametrize("credential", CREDENTIALS)
def test_credential_goes_to_this_machine_and_where_the_caller_allows_it(
    kind: Kind, credential: dict[str, Any]
) -> None:
    for host in ("localhost", "LocalHost", "a.localhost", "127.1.2.3", "[::1]"):
        assert url(kind, base_url=f"http://{host}:81", **credential).startswith("ws://")
    assert url(kind, base_url="wss://example.com", **credential).startswith("wss://")
    allowed = url(kind, base_url="ws://example.com", allow_insecure=True, **credential)
    assert allowed.startswith("ws://example.com/realtime")


def test_without_a_credential_any_server_will_do(kind: Kind) -> None:
    options = {"subprotocols": ["realtime", "openai-beta.realtime-v1"]}
    found = url(kind, api_key="", base_url="ws://example.com", websocket_options=options)
    assert found == "ws://example.com/realtime"


# What is refused

UNENCRYPTED: list[dict[str, Any]] = [
    *({"base_url": f"ws://{host}"} for host in (*ELSEWHERE, "localhost@example.com")),
    *({"base_url": "http://example.com", **credential} for credential in CREDENTIALS),
    {"base_url": "ws://user:password@example.com/v1", "api_key": ""},
    {"base_url": f"ws://example.com/v1?api-key={KEY}", "api_key": ""},
    {"azure": azure("http://somebody.openai.azure.com", "d", token=lambda: KEY)},
]
USER = "wss://me:password@example.com"
REFUSED: dict[str, list[dict[str, Any]]] = {
    "unencrypted.*allow_insecure": UNENCRYPTED,
    "call_id": [{"model": "m", "call_id": "rtc_1"}],
    "azure": [{"model": "m", "azure": azure(ENDPOINT, "d", api_key=KEY)}],
    "invalid Azure endpoint; expected https://": [
        {"azure": azure(ENDPOINT + path, "d", api_key=KEY)}
        for path in ("/openai/deployments/d", "/v1", "/openai/v2", "/api/projects")
    ],
    "invalid server URL; expected wss://": [
        {"base_url": base}
        for base in (
            *("ftp://example.com", "example.com/v1", "wss:///v1", "localhost:8080"),
            *("wss://example.com:99999", "wss://example.com:port", "wss://[::1"),
        )
    ],
    "pass only one": [
        {"base_url": USER, "api_key": KEY},
        {"base_url": USER, "api_key": None, "headers": {"api-key": KEY}},
    ],
    "HTTP does not allow": [{"headers": {"X-A": "1\r\nX-B: 1"}}],
    "headers must be a mapping": [{"headers": [KEY]}],
    "headers: names and values must be strings": [{"headers": {"X-A": KEY.encode()}}],
    "query must be a mapping": [{"query": KEY}],
    "a space, a line break": [{"api_key": f"{KEY}\n"}, {"api_key": lambda: f"{KEY}é"}],
    "not bytes": [{"api_key": KEY.encode()}],
    "returned a NoneType": [{"api_key": lambda: None}],
    r'OPENAI_API_KEY .`api_key=""` is for no key': [{"api_key": None}],
    "AZURE_OPENAI_API_KEY": [{"azure": azure(ENDPOINT, "d")}],
}


@pytest.mark.parametrize(
    ("text", "arguments"), [(text, each) for text, several in REFUSED.items() for each in several]
)
@for_both
def test_settings_that_make_no_connection_are_refused(
    kind: Kind, text: str, arguments: dict[str, Any]
) -> None:
    def open_session() -> None:
        opening = kind.connect(**{"api_key": KEY, **arguments}).open()
        if kind.is_async:
            asyncio.run(opening)

    with pytest.raises(ConnectionSettingsError, match=text) as caught:
        open_session()
    assert_hidden(caught.value)
    assert isinstance(caught.value, ValueError)


def test_tools_of_a_translation_are_refused() -> None:
    with pytest.raises(ConnectionSettingsError, match="leave out `tools`"):
        url(TRANSLATION, "m", api_key=KEY, tools=ga.Tools())


# Headers


async def coroutine_function() -> str:
    await asyncio.sleep(0)
    return KEY


AZURE_KEY = {"api-key": KEY}
ENVIRONMENT = {"OPENAI_API_KEY": "sk-env", "AZURE_OPENAI_API_KEY": "azure-env"}


@for_both
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"api_key": KEY}, BEARER),
        ({}, {"Authorization": "Bearer sk-env"}),
        ({"api_key": lambda: ""}, {}),
        ({"api_key": KEY, "headers": {"X-A": "1"}}, {**BEARER, "X-A": "1"}),
        ({"headers": {"AUTHORIZATION": "Basic abc"}}, {"AUTHORIZATION": "Basic abc"}),
        ({"headers": {"openai-beta": "o"}, "api_key": ""}, {"openai-beta": "o"}),
        ({"azure": azure(ENDPOINT, "d", api_key=KEY)}, AZURE_KEY),
        ({"azure": azure(ENDPOINT, "d", token=lambda: KEY)}, BEARER),
        ({"azure": azure(ENDPOINT, "d", token=KEY, api_key="other")}, BEARER),
        ({"base_url": "wss://me:p%40ss@example.com/v1"}, {"Authorization": "Basic bWU6cEBzcw=="}),
    ],
)
def test_arguments_and_the_environment_become_headers(
    kind: Kind, arguments: dict[str, Any], expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    beta = {"OpenAI-Beta": "realtime=v1"} if kind.is_beta else {}
    own = {} if "openai-beta" in expected else beta
    assert headers(kind, **arguments) == {**own, **expected}
    # `azure` is asked for the environment, too, and a URL for its user.
    assert headers(kind, azure=azure(ENDPOINT, "d")) == {**beta, "api-key": "azure-env"}
    assert "p%40ss" not in url(kind, **arguments)


def test_organization_and_project_of_the_environment_are_sent(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    account = {"OpenAI-Organization": "org-1", "OpenAI-Project": "proj-1"}
    assert headers(kind, api_key=KEY) == {**account, **BEARER}
    own = {"openai-organization": "org-2"}
    assert headers(kind, api_key=KEY, headers=own) == {"OpenAI-Project": "proj-1", **BEARER, **own}


def test_coroutine_function_gives_the_key_with_asyncio_alone(kind: Kind) -> None:
    assert headers(kind, api_key=coroutine_function) == BEARER
    assert headers(kind, azure=azure(ENDPOINT, "d", api_key=coroutine_function)) == AZURE_KEY
    with pytest.raises(ConnectionSettingsError, match="returned a coroutine"):
        headers(Kind(ga, False), api_key=coroutine_function)


@pytest.mark.parametrize("secret", [{"api_key": KEY}, {"token": KEY}])
def test_azures_settings_do_not_show_their_credential(secret: dict[str, Any]) -> None:
    settings = azure(ENDPOINT, "my-deployment", **secret)
    assert KEY not in repr(settings)
    assert "my-deployment" in repr(settings)
    with pytest.raises(TypeError, match="a key cannot be pickled"):
        pickle.dumps(settings)
