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
from typing import Any

import uvicorn
from fastapi import BackgroundTasks, FastAPI, HTTPException, Request
from standardwebhooks import Webhook, WebhookVerificationError

from openai_realtime_client import ApiClient, ApiError, RealtimeConnectionError, ga

SESSION: ga.RealtimeSessionCreateRequestGAParam = {
    "type": "realtime",
    "model": "gpt-realtime-2.1",
    "instructions": "You answer the phone of a bakery.",
}

logger = logging.getLogger("uvicorn.error")
app = FastAPI()


@app.post("/webhook")
async def webhook(request: Request, background: BackgroundTasks) -> dict[str, Any]:
    """Take an event of the service, and answer at once; the call is held after that."""
    body = await request.body()
    try:
        # The signature, and a time of at most five minutes ago.
        Webhook(os.environ["OPENAI_WEBHOOK_SECRET"]).verify(body, dict(request.headers))
    except (WebhookVerificationError, ValueError):  # The latter for a signature of another form.
        raise HTTPException(401, "The signature is wrong.") from None
    event = ga.parse_webhook_event(body)
    if event.type == "realtime.call.incoming":
        background.add_task(hold, event.data.call_id)
    return {}


def hold(call_id: str) -> None:
    """Accept a call and log it; no `async`, so that it runs in a thread of its own."""
    try:
        with ApiClient() as client:
            ga.RealtimeApi(client).accept_realtime_call(call_id, SESSION)
        with ga.connect_sync(call_id=call_id) as connection:
            connection.send({"type": "response.create"})
            for event in connection:
                if event.type == "response.output_audio_transcript.done":
                    logger.info("assistant: %s", event.transcript)
    except (ApiError, RealtimeConnectionError) as error:
        logger.warning("the call %s ended: %s", call_id, error)


if __name__ == "__main__":
    uvicorn.run(app)
