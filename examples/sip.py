"""Phone calls over SIP: a webhook tells of a call, which is accepted and then listened to.

    pip install fastapi uvicorn
    python examples/sip.py  # and let the project's webhook point to https://your.host/webhook

The service speaks with the caller by itself; this program accepts the call, lets the model greet,
and prints what is said. The key is in OPENAI_API_KEY, the webhook's secret in
OPENAI_WEBHOOK_SECRET. Without a key, put `python examples/without_key.py` in place of `python`, and
it talks to the embedded server.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
import time
from collections.abc import Mapping
from typing import Any

import uvicorn
from fastapi import BackgroundTasks, FastAPI, HTTPException, Request

from openai_realtime_client import (
    ApiClient,
    ApiError,
    Conversation,
    RealtimeConnectionError,
    ga,
)

SESSION = ga.RealtimeSessionCreateRequestGA(
    model="gpt-realtime", instructions="You answer the phone of a bakery."
)
MOST_SECONDS = 300  # A signed request that is older may be one that was caught and sent again.

logger = logging.getLogger("uvicorn.error")
app = FastAPI()


@app.post("/webhook")
async def webhook(request: Request, background: BackgroundTasks) -> dict[str, Any]:
    """Take an event of the service, and answer at once; the call is held after that."""
    if not is_genuine(request.headers, await request.body()):
        raise HTTPException(401, "The signature is wrong.")
    event = await request.json()
    if event["type"] == "realtime.call.incoming":
        background.add_task(hold, event["data"]["call_id"])
    return {}


def is_genuine(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a request is signed with the secret, as Standard Webhooks has it."""
    secret = os.environ["OPENAI_WEBHOOK_SECRET"].removeprefix("whsec_")
    sent = headers.get("webhook-timestamp", "")
    if not sent.isdecimal() or abs(time.time() - int(sent)) > MOST_SECONDS:
        return False
    signed = f"{headers.get('webhook-id')}.{sent}.".encode() + body
    digest = hmac.digest(base64.b64decode(secret), signed, hashlib.sha256)
    expected = f"v1,{base64.b64encode(digest).decode()}"
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(each.encode(), expected.encode()) for each in given)


def hold(call_id: str) -> None:
    """Accept a call and log it; no `async`, so that it runs in a thread of its own."""
    conversation = Conversation()
    try:
        with ApiClient() as client:
            ga.RealtimeApi(client).accept_realtime_call(call_id, SESSION)
        with ga.connect_sync(call_id=call_id) as connection:
            connection.send({"type": "response.create"})
            for event in connection:
                conversation.add(event)
                if event.type == "response.done":
                    said = conversation.responses[event.response.id or ""].items
                    logger.info("assistant: %s", "".join(item.transcript for item in said))
    except (ApiError, RealtimeConnectionError) as error:
        logger.warning("the call %s ended: %s", call_id, error)


if __name__ == "__main__":
    uvicorn.run(app)
