"""The settings of a session: its URL, its credential and its headers; no I/O."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import IO, TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pydantic import SecretStr

from openai_realtime_client.core.credentials import (
    BaseUrl,
    Credential,
    Headers,
    HiddenKey,
    Key,
    account_headers,
    as_mapping,
)
from openai_realtime_client.core.errors import ConnectionSettingsError
from openai_realtime_client.realtime.record import Record

if TYPE_CHECKING:
    from openai_realtime_client.conversation.functions import Tools
    from openai_realtime_client.conversation.state import Conversation

__all__ = ["AzureSettings", "Dialect", "Headers", "Key", "Settings", "azure"]

Event = TypeVar("Event")

_DEFAULT_URL = "wss://api.openai.com/v1"
# The path of an endpoint as the portals and pages of Azure show it: none, a Foundry project's, the
# base of the API, or the whole target. A gateway may have a prefix of its own.
_AZURE_PATH = re.compile(
    r"(?P<prefix>(/(?!openai\b)[^/]*)*?)"
    r"(/api/projects/[^/]+)?(/openai(/v1)?)?(/realtime(/translations)?)?/*"
)
_SCHEMES = {"ws": "ws", "http": "ws", "wss": "wss", "https": "wss"}


@dataclass(frozen=True)
class Dialect(Generic[Event]):
    """The path, the server and the events of one kind of session."""

    path: str
    is_beta: bool
    append_type: str
    parse: Callable[[bytes], Event]
    base_url: str = _DEFAULT_URL


@dataclass(frozen=True)
class AzureSettings:
    """The endpoint, deployment and credential for Azure; see `azure`."""

    endpoint: str
    deployment: str
    api_version: str
    credential: Credential = field(repr=False)

    def __post_init__(self) -> None:
        if not self.endpoint:
            raise ConnectionSettingsError("there is no endpoint: pass the URL of the resource")


def azure(
    endpoint: str,
    deployment: str,
    *,
    api_key: Key | None = None,
    token: Key | None = None,
    api_version: str = "2025-04-01-preview",
) -> AzureSettings:
    """Make the `azure` argument of `connect`: a deployment of a model in Azure OpenAI.

    Source: https://learn.microsoft.com/azure/ai-foundry/openai/how-to/realtime-audio-websockets

    Args:
        endpoint: The resource's URL, such as `https://NAME.openai.azure.com`, with or without
            `/openai/v1`, or that of a Foundry project.
        deployment: The name of the deployment.
        api_key: A key, or a function that returns one per connection; sent as `api-key`. By
            default `AZURE_OPENAI_API_KEY`.
        token: A token of Microsoft Entra, or a function likewise; sent as `Authorization: Bearer`
            in place of a key.
        api_version: For `realtime=v1` alone: GA has none on Azure.

    Returns:
        The argument.

    Raises:
        ConnectionSettingsError: There is no endpoint, or a key is neither a string nor a function.
    """
    if token is not None:
        credential = Credential.of(token)
    else:
        if api_key is None:
            api_key = os.environ.get("AZURE_OPENAI_API_KEY")
        credential = Credential.of(api_key, "api-key", prefix="")
    return AzureSettings(endpoint, deployment, api_version, credential)


class Settings:
    """The arguments of `connect`, checked when a connection is opened."""

    _dialect: ClassVar[Dialect[Any]]
    # Set by a package whose path has parameters.
    _path_parameters: Mapping[str, str] = {}

    def __init__(
        self,
        model: str | None = None,
        *,
        call_id: str | None = None,
        intent: str | None = None,
        api_key: Key | None = None,
        azure: AzureSettings | None = None,
        base_url: str | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        allow_insecure: bool = False,
        websocket_options: Mapping[str, Any] | None = None,
        record: Record | str | PathLike[str] | IO[str] | IO[bytes] | None = None,
        conversation: Conversation | None = None,
        tools: Tools[Any, Any] | None = None,
        retries: int | None = None,
    ) -> None:
        """Describe a session; nothing is sent until it is opened.

        Args:
            model: The model of a new session. With neither `model`, `call_id` nor `intent` the key
                decides, as an ephemeral client secret does.
            call_id: The id of a call to attach to, in place of a new session.
            intent: `transcription` for a session that only transcribes.
            api_key: A key or client secret, or a function that returns one per connection (a
                coroutine function with asyncio only). By default `OPENAI_API_KEY`; "" sends none.
                `OPENAI_ORG_ID` and `OPENAI_PROJECT_ID` are sent, too.
            azure: A deployment on Azure, as `azure(…)` returns it. It replaces `model`, `api_key`
                and `base_url`.
            base_url: The server's URL, to which the protocol's path is appended unless it ends in
                it. By default `OPENAI_BASE_URL`, or else `wss://api.openai.com/v1`.
            headers: Headers to add to the handshake.
            query: Parameters to add to the URL.
            allow_insecure: Whether a key may go unencrypted over `ws://` to another machine.
            websocket_options: Arguments of `websockets` (`proxy`, `ssl`, `open_timeout`,
                `ping_interval`, `max_queue`, …). Unlike there, `max_size` is 64 MiB, there is no
                `compression`, and a server on this machine is reached without a proxy.
            record: A path or file object to which all events are written as JSON lines, or a
                `Record`, which has the options. Opening raises `OSError` for a path that cannot be
                written.
            conversation: What all events are added to, received and sent. It goes on with the next
                session that it is given to.
            tools: Functions that are run when the model calls them, and whose outputs are sent.
            retries: When iterating `connect`, the maximum number of consecutive failures. By
                default there is no limit.
        """
        self._model = model
        self._call_id = call_id
        self._intent = intent
        self._azure = azure
        # Another server is never sent OpenAI's key or account headers.
        self._environment: Mapping[str, str] = {}
        if self._dialect.base_url == _DEFAULT_URL:
            self._environment = os.environ
        if azure:
            base_url = azure.endpoint
        elif not base_url:
            base_url = self._environment.get("OPENAI_BASE_URL")
        self._base = BaseUrl(base_url or self._dialect.base_url, _SCHEMES, "wss")
        self._headers = Headers(headers)
        self._query = as_mapping("query", query)
        self._allow_insecure = allow_insecure
        if api_key is None and not self._base.has_user:
            api_key = self._environment.get("OPENAI_API_KEY")
        if azure:
            self._credential = azure.credential
        else:
            self._credential = Credential.of(api_key)
        self._options = dict(websocket_options or {})
        if record is not None and not isinstance(record, Record):
            record = Record(record)
        self._record = record
        self._conversation = conversation
        self._tools = tools
        self._retries = retries

    def _url(self) -> str:
        """Return the URL of the WebSocket. Raises `ConnectionSettingsError`."""
        if self._model and self._call_id:
            raise ConnectionSettingsError(
                "pass `model` or `call_id`: the call has its model already"
            )
        if self._model and self._azure:
            raise ConnectionSettingsError(
                "pass `model` or `azure`: the deployment has its model already"
            )
        if self._tools is not None and self._dialect.path.endswith("/translations"):
            raise ConnectionSettingsError("a translation calls no functions: leave out `tools`")
        base = self._base
        if self._azure:
            base = self._azure_base()
        base.check(
            self._credential,
            self._headers,
            others=self._possible_secrets(),
            allow_insecure=self._allow_insecure,
        )
        query = {**self._parameters(), **self._query}
        return base.join(self._dialect.path, self._path_parameters, query.items())

    def _azure_base(self) -> BaseUrl:
        """Return the endpoint with the path of the protocol, in place of the one that was pasted.

        Raises:
            ConnectionSettingsError: It has a path that no page of Azure shows.
        """
        match = _AZURE_PATH.fullmatch(self._base.path)
        is_gateway = not self._base.host.endswith(".azure.com")
        if not match or (match["prefix"] and not is_gateway):
            raise ConnectionSettingsError(
                "invalid Azure endpoint; expected https://NAME.openai.azure.com, "
                ".../openai/v1 or the URL of a Foundry project"
            )
        path = match["prefix"] + "/openai"
        if not self._dialect.is_beta:
            path += "/v1"
        # They are arguments of ours, and GA has no versions.
        return self._base.with_path(path, without=("api-version", "deployment", "model"))

    def _possible_secrets(self) -> list[tuple[str, str]]:
        """Return what may be a key beside the headers and the URL, as names and values."""
        values = list(self._query.items())
        for subprotocol in self._options.get("subprotocols") or ():
            # Browsers send a key as `openai-insecure-api-key.KEY`.
            name, _, value = str(subprotocol).partition(".")
            if value:
                values.append((name, value))
        return values

    def _parameters(self) -> dict[str, str]:
        parameters = {"model": self._model, "call_id": self._call_id, "intent": self._intent}
        if self._azure and self._dialect.is_beta:
            parameters["api-version"] = self._azure.api_version
            parameters["deployment"] = self._azure.deployment
        elif self._azure and not self._call_id:
            parameters["model"] = self._azure.deployment
        return {name: value for name, value in parameters.items() if value}

    @property
    def _key(self) -> HiddenKey | None:
        # A credential among the headers takes its place.
        if self._headers.has_credential:
            return None
        return self._credential.key

    def _handshake_headers(self, key: SecretStr | None) -> Headers:
        """Return the headers of a handshake. Raises `ConnectionSettingsError`."""
        # Whether another server than OpenAI's needs a key is for that to say.
        is_needed = self._azure is not None or self._dialect.base_url == _DEFAULT_URL
        has_other = self._headers.has_credential or self._base.has_user
        if key is None and is_needed and not has_other:
            variable = "OPENAI_API_KEY"
            if self._azure:
                variable = "AZURE_OPENAI_API_KEY"
            raise ConnectionSettingsError(
                f'there is no key: pass `api_key` or set {variable} (`api_key=""` is for no key)'
            )
        defaults = account_headers(self._environment)
        if self._dialect.is_beta:
            defaults["OpenAI-Beta"] = "realtime=v1"
        return self._base.authorize(
            defaults, self._credential, key, self._headers, self._possible_secrets()
        )
