"""Calls of the embedded server, over WebRTC and SIP: who rings, and what becomes of it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

import urllib3

from openai_realtime_client.testing.settings import Event

__all__ = ["RealtimeCall", "announce"]


class RealtimeCall:
    """A call. The server's thread changes it.

    - `id`: what clients name it by
    - `status`: "ringing", "active", "rejected", "referred" or "ended"
    - `settings`: those of its session, in the shape of GA
    - `target_uri`: where it was referred to
    - `status_code`: the SIP status with which it was rejected
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: Event | None = None) -> None:
        self.id = f"rtc_{secrets.token_hex(10)}"
        self.status = "ringing" if settings is None else "active"
        self.settings: Event = settings or {}
        self.target_uri: str | None = None
        self.status_code: int | None = None
        self._loop = loop
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
        """End the call; for the server's own use, in its thread."""
        if self.status in ("ringing", "active"):
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
    event: dict[str, Any] = {"id": f"evt_{secrets.token_hex(10)}", "object": "event"}
    event |= {"created_at": now, "type": "realtime.call.incoming", "data": data}
    body = json.dumps(event).encode()
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
        answer = pool.request("POST", url, body=body, headers=request, timeout=10, retries=False)
    if not 200 <= answer.status < 300:
        raise RuntimeError(f"the webhook was answered with {answer.status}")
