"""Phone calls over SIP: a webhook tells of a call, which is accepted and then listened to.

    pip install fastapi standardwebhooks uvicorn
    python examples/sip.py  # and let the project's webhook point to https://your.host/webhook

The service speaks with the caller by itself; this program accepts the call, lets the model greet,
and prints what is said. The key is in OPENAI_API_KEY, the webhook's secret in
OPENAI_WEBHOOK_SECRET. Without a key, put `python examples/without_key.py` in place of `python`, and
it talks to the embedded server.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from contextlib import closing, suppress
from threading import Thread
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from standardwebhooks import Webhook, WebhookVerificationError

from openai_realtime_client import (
    ApiClient,
    ApiError,
    Connection,
    HandshakeRefusedError,
    RealtimeConnectionError,
    error_details,
    ga,
)

SESSION: ga.RealtimeSessionCreateRequestGAParam = {
    "type": "realtime",
    "model": "gpt-realtime-2.1",
    "instructions": "You answer the phone of a bakery.",
}

# Seconds between tries to attach to a call, whose session is there soon after it was accepted.
DELAYS = (0.25, 0.5, 1.0, 2.0)
Service = Connection[ga.RealtimeServerEvent, ga.RealtimeClientEventParam]

logger = logging.getLogger("uvicorn.error")
app = FastAPI()
delivered = deque[str](maxlen=1000)  # ids of webhooks


@app.post("/webhook")
async def webhook(request: Request) -> dict[str, Any]:
    """Take an event of the service, and answer at once; the call is held after that."""
    body = await request.body()
    try:
        # The signature, and a time of at most five minutes ago.
        Webhook(os.environ["OPENAI_WEBHOOK_SECRET"]).verify(body, dict(request.headers))
    except (WebhookVerificationError, ValueError):  # The latter for a signature of another form.
        raise HTTPException(401, "The signature is wrong.") from None
    # The service sends an event again when the response to it was lost.
    if request.headers["webhook-id"] not in delivered:
        delivered.append(request.headers["webhook-id"])
        event = ga.parse_webhook_event(body)
        if event.type == "realtime.call.incoming":
            # A daemon does not keep the program from ending.
            Thread(target=hold, args=(event.data.call_id,), daemon=True).start()
    return {}


def hold(call_id: str) -> None:
    """Accept a call and log it until it ends."""
    with ApiClient() as client:
        api = ga.RealtimeApi(client)
        try:
            api.accept_realtime_call(call_id, SESSION)
            with closing(attach(call_id)) as connection:
                log(connection)
        except (ApiError, RealtimeConnectionError) as error:
            logger.warning("the call %s ended: %s", call_id, error)
            # Rather than leave the caller alone.
            with suppress(ApiError):
                api.hangup_realtime_call(call_id)


def attach(call_id: str) -> Service:
    """Open a connection to a call that was just accepted."""
    connector = ga.connect_sync(call_id=call_id)
    for delay in DELAYS:
        try:
            return connector.open()
        except HandshakeRefusedError as error:
            if error.status != 404:
                raise
        time.sleep(delay)
    return connector.open()


def log(connection: Service) -> None:
    """Let the model greet, and log what it says and what fails."""
    connection.send({"type": "response.create"})
    for event in connection:
        if event.type == "response.output_audio_transcript.done":
            logger.info("assistant: %s", event.transcript)
        elif event.type == "error":
            logger.warning("refused: %s", error_details(event))
        elif event.type == "response.done" and event.response.status == "failed":
            logger.warning("no answer: %s", error_details(event))


if __name__ == "__main__":
    uvicorn.run(app)
