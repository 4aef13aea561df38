"""The HTTP endpoints of the embedded server: client secrets, sessions and calls."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from email import message_from_bytes
from typing import Any, NamedTuple

from openai_realtime_client import ga, v1
from openai_realtime_client.core.errors import InvalidModelError
from openai_realtime_client.core.json_types import is_object
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing.errors import Refusal, check
from openai_realtime_client.testing.settings import merge, new_session, returned_settings
from openai_realtime_client.testing.translation import new_translation
from openai_realtime_client.testing.v1 import ga_settings, v1_settings
from openai_realtime_client.testing.websocket import HttpRequest

__all__ = ["Answer", "Endpoints", "asks_for_v1", "key_of", "refused"]

_LIFETIME = 600
_SESSIONS: dict[str, type[RealtimeModel]] = {
    "realtime": ga.RealtimeSessionCreateResponseGA,
    "transcription": ga.RealtimeTranscriptionSessionCreateResponseGA,
}
_SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:111 opus/48000/2\r\n"
)


class Answer(NamedTuple):
    """What to answer to an HTTP request."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = {}


def json_answer(value: Any, status: int = 200) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, json.dumps(value).encode())


def refused(status: int, code: str | None, message: str, param: str | None = None) -> Answer:
    """An answer with the service's error object."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return json_answer({"error": error}, status)


def key_of(headers: Mapping[str, str]) -> str:
    """The key in the headers of a request, or ""; also as browsers send it, in a subprotocol."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    if "api-key" in headers:
        return headers["api-key"]
    for offered in headers.get("sec-websocket-protocol", "").split(","):
        if offered.strip().startswith("openai-insecure-api-key."):
            return offered.strip().removeprefix("openai-insecure-api-key.")
    return ""


def asks_for_v1(headers: Mapping[str, str]) -> bool:
    """Whether a handshake asks for `realtime=v1`, in a header or, as browsers do, a subprotocol."""
    offered = headers.get("sec-websocket-protocol", "")
    return "realtime=v1" in headers.get("openai-beta", "") or "openai-beta.realtime-v1" in offered


class Endpoints:
    """The HTTP side of one server.

    `secrets` holds the settings of the sessions that client secrets are for, `calls` those of the
    calls that go on, by their ids.
    """

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, Any]] = {}
        self.calls: dict[str, dict[str, Any]] = {}

    def answer(self, request: HttpRequest) -> Answer:
        """The answer to a request whose key was found good."""
        path = request.target.partition("?")[0]
        _, _, name = path.rpartition("/realtime/")
        name, _, action = name.partition("/") if name.startswith("calls/") else (name, "", "")
        if name == "calls" and action:
            return self._call_action(*action.rpartition("/")[::2])
        found = {
            "client_secrets": self._client_secret,
            "translations/client_secrets": self._translation_secret,
            "sessions": self._session,
            "transcription_sessions": self._transcription_session,
            "calls": self._call,
        }.get(name if "/realtime/" in path else "")
        if found is None or request.method != "POST":
            return refused(404, None, f"Invalid URL ({request.method} {path[:100]})")
        try:
            return found(request)
        except Refusal as refusal:
            return refused(400, refusal.code, refusal.message, refusal.param)
        except InvalidModelError as error:
            param, problem = error.problems[0]
            return refused(400, "invalid_type", f"Invalid '{param}': {problem}.", param)
        except (ValueError, RecursionError):
            return refused(400, None, "We could not parse the JSON body of your request.")

    def _issue(self, session: dict[str, Any]) -> dict[str, Any]:
        value = f"ek_{secrets.token_hex(16)}"
        self.secrets[value] = session
        return {"value": value, "expires_at": int(time.time()) + _LIFETIME}

    def _client_secret(self, request: HttpRequest) -> Answer:
        wanted = ga.RealtimeCreateClientSecretRequest.from_dict(_object(request.body))
        check(wanted)
        session = _configured(wanted.session.to_dict() if wanted.session else {})
        kind = _SESSIONS[session["type"]]
        return json_answer(
            {**self._issue(session), "session": returned_settings(kind, session).to_dict()}
        )

    def _translation_secret(self, request: HttpRequest) -> Answer:
        wanted = ga.RealtimeTranslationClientSecretCreateRequest.from_dict(_object(request.body))
        check(wanted)
        session = new_translation(_id("sess"), wanted.session.model)
        audio = wanted.session.audio.to_dict() if wanted.session.audio else {}
        session["audio"] = {**session["audio"], **audio}
        return json_answer({**self._issue(session), "session": session})

    def _session(self, request: HttpRequest) -> Answer:
        wanted = v1.RealtimeSessionCreateRequest.from_dict(_object(request.body))
        session = _configured({"type": "realtime", **_ga(wanted)})
        return self._issued(session, v1.RealtimeSessionCreateResponse)

    def _transcription_session(self, request: HttpRequest) -> Answer:
        wanted = v1.RealtimeTranscriptionSessionCreateRequest.from_dict(_object(request.body))
        session = _configured({"type": "transcription", **_ga(wanted)})
        return self._issued(session, v1.RealtimeTranscriptionSessionCreateResponse)

    def _issued(self, session: dict[str, Any], shape: type[RealtimeModel]) -> Answer:
        """What v1 tells of a new session, with its secret."""
        settings = {"client_secret": self._issue(session), **v1_settings(session)}
        return json_answer(returned_settings(shape, settings).to_dict())

    def _call(self, request: HttpRequest) -> Answer:
        call_id = _id("rtc")
        self.calls[call_id] = _configured(_call_settings(request))
        location = {"Location": f"/v1/realtime/calls/{call_id}"}
        return Answer(201, _SDP.encode(), "application/sdp", location)

    def _call_action(self, call_id: str, action: str) -> Answer:
        if call_id not in self.calls or action not in ("accept", "hangup", "refer", "reject"):
            return refused(404, None, "No such call or action.")
        if action in ("hangup", "reject"):
            del self.calls[call_id]
        return Answer(200)


def _id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(10)}"


def _configured(settings: dict[str, Any]) -> dict[str, Any]:
    kind = settings.get("type", "realtime")
    return merge(new_session(_id("sess"), settings.get("model", "gpt-realtime"), kind), settings)


def _ga(wanted: RealtimeModel) -> dict[str, Any]:
    check(wanted)
    return ga_settings(wanted.to_dict())


def _object(body: bytes) -> dict[str, Any]:
    value: Any = json.loads(body or b"{}")
    if not is_object(value):
        raise ValueError
    return value


def _call_settings(request: HttpRequest) -> dict[str, Any]:
    """The session in a multipart request; empty for one that is bare SDP."""
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/"):
        return {}
    form = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + request.body)
    for part in form.walk():
        body = part.get_payload(decode=True)
        if part.get_param("name", header="content-disposition") == "session" and body:
            wanted = _object(body if isinstance(body, bytes) else b"")
            session = ga.RealtimeSessionCreateRequestGA.from_dict(wanted)
            check(session)
            return session.to_dict()
    return {}
