"""The HTTP endpoints of the embedded server: client secrets, sessions and calls."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from email import message_from_bytes
from typing import Any

import urllib3

from openai_realtime_client import ga, v1
from openai_realtime_client.core.errors import InvalidModelError
from openai_realtime_client.core.model import RealtimeModel
from openai_realtime_client.testing.errors import Refusal, validate_event
from openai_realtime_client.testing.rules import SETTINGS
from openai_realtime_client.testing.settings import (
    MODELS,
    Event,
    apply_update,
    drop_unknown,
    merge_settings,
    new_session,
    new_translation,
)
from openai_realtime_client.testing.v1 import ga_settings, v1_settings
from openai_realtime_client.testing.websocket import HttpRequest, Response, http_response

__all__ = ["Endpoints", "RealtimeCall", "announce", "make_error"]

# Seconds for which a client secret is valid by default, as documented.
_LIFETIME = 600
_OPEN = ("ringing", "active")
# For each action on a call: the statuses that allow it, its parameters, and the new status.
_ACTIONS: dict[str, tuple[tuple[str, ...], type[RealtimeModel], str]] = {
    "accept": (_OPEN, ga.RealtimeSessionCreateRequestGA, "active"),
    "hangup": (_OPEN, RealtimeModel, "ended"),
    "refer": (("active",), ga.RealtimeCallReferRequest, "referred"),
    "reject": (_OPEN, ga.RealtimeCallRejectRequest, "rejected"),
}
# Type of the session, request and response of the endpoints that only v1 has.
_V1_SESSIONS: dict[str, tuple[str, type[RealtimeModel], type[RealtimeModel]]] = {
    "sessions": ("realtime", v1.RealtimeSessionCreateRequest, v1.RealtimeSessionCreateResponse),
    "transcription_sessions": (
        "transcription",
        v1.RealtimeTranscriptionSessionCreateRequest,
        v1.RealtimeTranscriptionSessionCreateResponse,
    ),
}
# A minimal SDP answer (RFC 8866): clients parse it, but no media ever flows.
_SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:111 opus/48000/2\r\n"
)


def _id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(10)}"


def make_error(status: int, code: str | None, message: str, param: str | None = None) -> Response:
    """Make a response with the service's error object."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return _json_response({"error": error}, status)


def _json_response(value: Any, status: int = 200) -> Response:
    return http_response(status, json.dumps(value).encode())


class RealtimeCall:
    """A call. The server's thread changes it.

    Attributes:
        id: What clients name it by.
        status: "ringing", "active", "rejected", "referred" or "ended".
        settings: Those of its session, in the shape of GA.
        target_uri: Where it was referred to.
        status_code: The SIP status with which it was rejected.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: Event | None = None) -> None:
        self.id = _id("rtc")
        # A SIP call has no settings until it is accepted; a WebRTC call begins with them.
        self.status = "active"
        if settings is None:
            self.status = "ringing"
        self.settings: Event = settings or {}
        self.target_uri: str | None = None
        self.status_code: int | None = None
        self._loop = loop
        # Several connections can be attached to one call.
        self._closers: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<RealtimeCall {self.id}: {self.status}>"

    def hang_up(self) -> None:
        """Let the caller hang up: the connections that are attached to the call are closed."""
        self._loop.call_soon_threadsafe(self.end, "ended")

    def attach(self, close: Callable[[], None]) -> None:
        """Call `close` when the call ends; for the server's own use."""
        self._closers.append(close)

    def end(self, status: str) -> None:
        """End the call, unless it has ended; for the server's own use, in its thread."""
        if self.status in _OPEN:
            self.status = status
            for close in self._closers:
                close()


def announce(call: RealtimeCall, url: str, secret: str, headers: Mapping[str, str]) -> None:
    """Send the webhook of an incoming call, signed as Standard Webhooks specifies.

    Raises:
        RuntimeError: The answer is not a success.
        ValueError: The secret is not base64.
    """
    sip_headers = [{"name": name, "value": value} for name, value in headers.items()]
    now, data = int(time.time()), {"call_id": call.id, "sip_headers": sip_headers}
    event: Event = {"id": _id("evt"), "object": "event", "created_at": now}
    event |= {"type": "realtime.call.incoming", "data": data}
    body = json.dumps(event).encode()
    # The signed content and the form of the secret: https://www.standardwebhooks.com
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    signed = f"{event['id']}.{now}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    request = {
        "content-type": "application/json",
        "webhook-id": event["id"],
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{signature}",
    }
    with urllib3.PoolManager() as pool:
        response = pool.request("POST", url, body=body, headers=request, timeout=10, retries=False)
    if not 200 <= response.status < 300:
        raise RuntimeError(f"the webhook was answered with {response.status}")


class Endpoints:
    """The HTTP side of one server: the client secrets that it has issued, and its calls."""

    def __init__(self) -> None:
        self.calls: dict[str, RealtimeCall] = {}
        # For each client secret the settings of its sessions, and when it expires.
        self.secrets: dict[str, tuple[Event, int]] = {}

    def answer(self, request: HttpRequest) -> Response:
        """Answer a request with a valid key."""
        try:
            return self._route(request)
        except Refusal as refusal:
            return make_error(400, refusal.code, refusal.message, refusal.param)
        except InvalidModelError as error:
            param, problem = error.problems[0]
            return make_error(400, "invalid_type", f"Invalid body: {problem}.", param or None)

    def _route(self, request: HttpRequest) -> Response:
        match [request.method, *request.path.partition("/realtime/")[2].split("/")]:
            case ["POST", "client_secrets"]:
                return self._client_secret(request.body)
            case ["POST", "translations", "client_secrets"]:
                return self._translation_secret(request.body)
            case ["POST", "sessions" | "transcription_sessions" as name]:
                return self._v1_session(name, request.body)
            case ["POST", "calls"]:
                return self._create_call(request)
            case ["POST", "calls", call_id, action]:
                return self._act_on_call(call_id, action, request.body)
            case _:
                return make_error(404, None, f"Invalid URL ({request.method} {request.path[:100]})")

    def _issue(self, session: Event, lifetime: Event | None = None) -> Event:
        # Random, unlike other ids: nobody else on the machine should guess it.
        value = f"ek_{secrets.token_hex(16)}"
        expires_at = int(time.time()) + ((lifetime or {}).get("seconds") or _LIFETIME)
        self.secrets[value] = session, expires_at
        return {"value": value, "expires_at": expires_at}

    def _client_secret(self, body: bytes) -> Response:
        wanted = _read_request(body, ga.RealtimeCreateClientSecretRequest)
        session = _new_settings(wanted.get("session") or {})
        issued = self._issue(session, wanted.get("expires_after"))
        shown = drop_unknown(SETTINGS[session["type"]].from_dict(session))
        return _json_response({**issued, "session": shown})

    def _translation_secret(self, body: bytes) -> Response:
        wanted = _read_request(body, ga.RealtimeTranslationClientSecretCreateRequest)
        session = new_translation(_id("sess"), wanted["session"]["model"])
        session = apply_update(session, {"audio": wanted["session"].get("audio")}, {})
        issued = self._issue(session, wanted.get("expires_after"))
        return _json_response({**issued, "session": session})

    def _v1_session(self, name: str, body: bytes) -> Response:
        session_type, wanted, returned = _V1_SESSIONS[name]
        settings = ga_settings(_read_request(body, wanted))
        session = _new_settings({"type": session_type, **settings}, "v1")
        shown = {"client_secret": self._issue(session), **v1_settings(session)}
        return _json_response(drop_unknown(returned.from_dict(shown)))

    def _create_call(self, request: HttpRequest) -> Response:
        settings = _new_settings(_call_settings(request))
        call = RealtimeCall(asyncio.get_running_loop(), settings)
        self.calls[call.id] = call
        location = f"/v1/realtime/calls/{call.id}"
        return http_response(201, _SDP.encode(), "application/sdp", Location=location)

    def _act_on_call(self, call_id: str, action: str, body: bytes) -> Response:
        call = self.calls.get(call_id)
        statuses, shape, status = _ACTIONS.get(action, ((), RealtimeModel, ""))
        if call is None or call.status not in statuses:
            return make_error(404, None, "No such call or action.")
        wanted = _read_request(body, shape)
        if action == "accept":
            call.status, call.settings = status, _new_settings(wanted)
        else:
            call.target_uri = wanted.get("target_uri")
            if action == "reject":
                # 603 Decline: RFC 3261, section 21.6.2.
                call.status_code = wanted.get("status_code") or 603
            call.end(status)
        return http_response(200)


def _new_settings(settings: Event, protocol: str = "ga") -> Event:
    # All of it is optional in a request.
    session_type = settings.get("type") or "realtime"
    model = settings.get("model") or MODELS[protocol]
    return merge_settings(new_session(_id("sess"), model, session_type), settings)


def _read_request(body: bytes, shape: type[RealtimeModel]) -> Event:
    """Parse and check the JSON object in a body."""
    return validate_event(shape.from_json(body or b"{}"))


def _call_settings(request: HttpRequest) -> Event:
    """Return the session in a multipart request; {} for a request with only an SDP offer."""
    content_type = request.headers.get("content-type", "")
    if not content_type.startswith("multipart/"):
        return {}
    # Forms have the syntax of MIME messages: RFC 7578.
    form = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + request.body)
    for part in form.walk():
        body = part.get_payload(decode=True)
        is_session = part.get_param("name", header="content-disposition") == "session"
        if is_session and body and isinstance(body, bytes):
            return _read_request(body, ga.RealtimeSessionCreateRequestGA)
    return {}
