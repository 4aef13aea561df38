"""The HTTP endpoints of the embedded server: client secrets, sessions and calls."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from email import message_from_bytes
from typing import Any

from openai_realtime_client import ga, v1
from openai_realtime_client.core.errors import InvalidModelError
from openai_realtime_client.core.json_types import is_object
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing.calls import RealtimeCall
from openai_realtime_client.testing.errors import Refusal, check
from openai_realtime_client.testing.rules import SETTINGS
from openai_realtime_client.testing.settings import (
    Event,
    known,
    merge,
    new_session,
    updated,
)
from openai_realtime_client.testing.translation import new_translation
from openai_realtime_client.testing.v1 import ga_settings, v1_settings
from openai_realtime_client.testing.websocket import HttpRequest, Response, http_response

__all__ = ["Endpoints", "refused"]

_LIFETIME = 600
# What can be done with a call, and while it has which status.
_ACTIONS = {
    "accept": ("ringing", "active"),
    "hangup": ("ringing", "active"),
    "refer": ("active",),
    "reject": ("ringing", "active"),
}
# What is asked for and what is returned.
_V1_SESSIONS: dict[str, tuple[type[RealtimeModel], type[RealtimeModel]]] = {
    "sessions": (v1.RealtimeSessionCreateRequest, v1.RealtimeSessionCreateResponse),
    "transcription_sessions": (
        v1.RealtimeTranscriptionSessionCreateRequest,
        v1.RealtimeTranscriptionSessionCreateResponse,
    ),
}
_SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:111 opus/48000/2\r\n"
)


def refused(status: int, code: str | None, message: str, param: str | None = None) -> Response:
    """A response with the service's error object."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return _json({"error": error}, status)


def _json(value: Any, status: int = 200) -> Response:
    return http_response(status, json.dumps(value).encode())


class Endpoints:
    """The HTTP side of one server: the client secrets that it has issued, and its calls."""

    def __init__(self) -> None:
        self.calls: dict[str, RealtimeCall] = {}
        # For each client secret the settings of its sessions, and when it expires.
        self.secrets: dict[str, tuple[Event, int]] = {}

    def answer(self, request: HttpRequest) -> Response:
        """Answer a request with a valid key."""
        path = request.path
        _, _, name = path.rpartition("/realtime/")
        found = {
            "client_secrets": self._client_secret,
            "translations/client_secrets": self._translation_secret,
            **dict.fromkeys(_V1_SESSIONS, self._v1_session),
            "calls": self._create_call,
        }.get(name if "/realtime/" in path else "")
        if name.startswith("calls/"):
            found = self._call_action
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

    def _issue(self, session: Event, lifetime: Event | None = None) -> Event:
        value = f"ek_{secrets.token_hex(16)}"
        expires_at = int(time.time()) + ((lifetime or {}).get("seconds") or _LIFETIME)
        self.secrets[value] = session, expires_at
        return {"value": value, "expires_at": expires_at}

    def _client_secret(self, request: HttpRequest) -> Response:
        wanted = _read(request.body, ga.RealtimeCreateClientSecretRequest)
        session = _configured(wanted.get("session") or {})
        shown = known(SETTINGS[session["type"]].from_dict(session))
        return _json({**self._issue(session, wanted.get("expires_after")), "session": shown})

    def _translation_secret(self, request: HttpRequest) -> Response:
        wanted = _read(request.body, ga.RealtimeTranslationClientSecretCreateRequest)
        session = new_translation(_id("sess"), wanted["session"]["model"])
        session = updated(session, {"audio": wanted["session"].get("audio")}, {})
        return _json({**self._issue(session, wanted.get("expires_after")), "session": session})

    def _v1_session(self, request: HttpRequest) -> Response:
        name = request.path.rpartition("/")[2]
        wanted, returned = _V1_SESSIONS[name]
        kind = "realtime" if name == "sessions" else "transcription"
        session = _configured({"type": kind, **ga_settings(_read(request.body, wanted))})
        settings = {"client_secret": self._issue(session), **v1_settings(session)}
        return _json(known(returned.from_dict(settings)))

    def _create_call(self, request: HttpRequest) -> Response:
        settings = _configured(_call_settings(request))
        call = RealtimeCall(asyncio.get_running_loop(), settings)
        self.calls[call.id] = call
        location = f"/v1/realtime/calls/{call.id}"
        return http_response(201, _SDP.encode(), "application/sdp", Location=location)

    def _call_action(self, request: HttpRequest) -> Response:
        call_id, _, action = request.path.partition("/calls/")[2].partition("/")
        call = self.calls.get(call_id)
        if call is None or call.status not in _ACTIONS.get(action, ()):
            return refused(404, None, "No such call or action.")
        if action == "accept":
            settings = _read(request.body, ga.RealtimeSessionCreateRequestGA)
            call.status, call.settings = "active", _configured(settings)
        elif action == "reject":
            wanted = _read(request.body, ga.RealtimeCallRejectRequest)
            call.status_code = wanted.get("status_code") or 603
            call.end("rejected")
        elif action == "refer":
            call.target_uri = _read(request.body, ga.RealtimeCallReferRequest)["target_uri"]
            call.end("referred")
        else:
            call.end("ended")
        return http_response(200)


def _id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(10)}"


def _configured(settings: Event) -> Event:
    kind, model = settings.get("type") or "realtime", settings.get("model") or "gpt-realtime-2.1"
    return merge(new_session(_id("sess"), model, kind), settings)


def _read(body: bytes, shape: type[RealtimeModel]) -> Event:
    """The JSON object in a body, checked."""
    value: Any = json.loads(body or b"{}")
    if not is_object(value):
        raise ValueError
    return check(shape.from_dict(value))


def _call_settings(request: HttpRequest) -> Event:
    """The session in a multipart request; empty for one that is bare SDP."""
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/"):
        return {}
    form = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + request.body)
    for part in form.walk():
        body = part.get_payload(decode=True)
        if part.get_param("name", header="content-disposition") == "session" and body:
            wanted = body if isinstance(body, bytes) else b""
            return _read(wanted, ga.RealtimeSessionCreateRequestGA)
    return {}
