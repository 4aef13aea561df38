"""A relay between browsers and the service, so that the key stays on the server.

    pip install fastapi uvicorn
    python examples/relay.py  # and open http://127.0.0.1:8000

The page talks: by microphone or keyboard, and it can be interrupted. Browsers give the microphone
to pages on this machine and over HTTPS only.

/realtime passes the events of a WebSocket on, both ways. POST /client-secret gives an ephemeral
key, for a browser that connects by itself, say with WebRTC. Whoever reaches either spends on your
account: put a login in front. The key is in OPENAI_API_KEY. Without one, put `python
examples/without_key.py` in place of `python`, and it talks to the embedded server.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from pathlib import Path

import uvicorn
from fastapi import FastAPI, HTTPException, WebSocket, WebSocketDisconnect, WebSocketException
from fastapi.responses import FileResponse

from openai_realtime_client import (
    ApiClient,
    ApiError,
    AsyncConnection,
    ConnectionClosedError,
    HandshakeRefusedError,
    InvalidEventError,
    InvalidKeyError,
    ProtocolRefusedError,
    RealtimeConnectionError,
    ga,
)

SESSION = ga.RealtimeSessionCreateRequestGA(
    instructions="Answer in one sentence.",
    audio=ga.RealtimeSessionCreateRequestGAAudio(
        input=ga.RealtimeSessionCreateRequestGAAudioInput(
            transcription=ga.AudioTranscription(model="gpt-transcribe"),
            turn_detection=ga.RealtimeTurnDetectionServerVad(),
        )
    ),
)
# What both sides of a relay mean alike: going away, too big, failed, restarts, try again later.
SAME_CODES = {1001, 1009, 1011, 1012, 1013}
FAILED, LATER, BAD_GATEWAY, NO_EVENT = 1011, 1013, 1014, 1007

Service = AsyncConnection[ga.RealtimeServerEvent, ga.RealtimeClientEvent]

logger = logging.getLogger("uvicorn.error")
app = FastAPI()


@app.get("/")
def page() -> FileResponse:
    """The page that talks through the relay."""
    return FileResponse(Path(__file__).with_suffix(".html"))


@app.post("/client-secret")
def client_secret() -> dict[str, str | int]:
    """A new client secret; no `async`, so that FastAPI waits for the HTTP API in a thread."""
    request = ga.RealtimeCreateClientSecretRequest(session=SESSION)
    try:
        with ApiClient() as client:
            secret = ga.RealtimeApi(client).create_realtime_client_secret(request)
    except ApiError as error:
        logger.warning("no client secret: %s", error)
        raise HTTPException(502, "The service gave no client secret.") from None
    return {"value": secret.value, "expires_at": secret.expires_at}


@app.websocket("/realtime")
async def relay(browser: WebSocket) -> None:
    """Pass events on until one side ends, and then end the other."""
    offered = browser.scope.get("subprotocols", [])
    # Clients of browsers fail where none of what they offer is selected.
    await browser.accept("realtime" if "realtime" in offered else None)
    try:
        async with ga.connect("gpt-realtime-2.1") as service:
            await service.send(ga.RealtimeClientEventSessionUpdate(session=SESSION))
            await until_one_ends(to_service(browser, service), to_browser(service, browser))
    except WebSocketDisconnect:
        return  # the browser has left, and `async with` has closed the session
    except (RealtimeConnectionError, InvalidEventError) as error:
        logger.warning("the service ended: %s", error)
        raise WebSocketException(close_code(error)) from None
    await browser.close()


# Either takes an event only when the one before has been passed on, so that nothing piles up here:
# a slow reader slows the other side down.
async def to_service(browser: WebSocket, service: Service) -> None:
    """From the browser to the service."""
    while True:
        try:
            event = ga.parse_client_event(await browser.receive_text())
        except (InvalidEventError, KeyError):  # a binary message has no text
            raise WebSocketException(NO_EVENT) from None
        await service.send(event)


async def to_browser(service: Service, browser: WebSocket) -> None:
    """From the service to the browser."""
    async for event in service:
        await browser.send_text(event.to_json())


async def until_one_ends(*directions: Coroutine[None, None, None]) -> None:
    """Run all until one ends, then cancel the others; raises what that one raised."""
    tasks = [asyncio.create_task(each) for each in directions]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def close_code(error: Exception) -> int:
    """The close code for the browser, whatever ended the session with the service."""
    match error:
        case InvalidKeyError() | ProtocolRefusedError() | InvalidEventError():
            return FAILED
        case HandshakeRefusedError(status=429):
            return LATER
        case ConnectionClosedError(code=code) if code in SAME_CODES or code >= 3000:
            return code
        case _:
            return BAD_GATEWAY


if __name__ == "__main__":
    uvicorn.run(app)
