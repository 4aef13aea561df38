"""A relay between a phone call and the service, over a media stream such as Twilio's.

    pip install fastapi uvicorn
    python examples/phone.py  # and let the stream connect to wss://your.host/stream

On Twilio, that is `<Connect><Stream url="wss://your.host/stream" /></Connect>`.

Both sides speak G.711 at 8 kHz, so that audio passes as it is. When the caller interrupts, the
stream is cleared, and the server learns what was played. The key is in OPENAI_API_KEY. Without
one, put `python examples/without_key.py` in place of `python`, and it talks to the embedded server.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from contextlib import suppress
from typing import Any

import uvicorn
from fastapi import FastAPI, WebSocket
from fastapi.websockets import WebSocketState

from openai_realtime_client import (
    AsyncConnection,
    Conversation,
    Playback,
    RealtimeConnectionError,
    error_details,
    ga,
)

G711: ga.RealtimeAudioFormatsParam = {"type": "audio/pcmu"}
SESSION: ga.RealtimeSessionUpdateParam = {
    "type": "realtime",
    "audio": {
        "input": {"format": G711, "turn_detection": {"type": "server_vad"}},
        "output": {"format": G711},
    },
}

Service = AsyncConnection[ga.RealtimeServerEvent, ga.RealtimeClientEventParam]

logger = logging.getLogger("uvicorn.error")
app = FastAPI()


@app.websocket("/stream")
async def hold(phone: WebSocket) -> None:
    """Hold one call, until either side ends it."""
    conversation = Conversation()
    playback = Playback(conversation=conversation)
    stream = ""

    async def from_phone(service: Service) -> None:
        nonlocal stream
        with suppress(RealtimeConnectionError):
            async for message in phone.iter_json():  # until the phone has hung up
                match message:
                    case {"event": "stop"}:
                        break
                    case {"event": "start", "streamSid": stream}:
                        pass
                    case {"event": "media", "media": {"payload": audio}}:
                        await service.send({"type": "input_audio_buffer.append", "audio": audio})
                    case {"event": "mark", "mark": {"name": name}}:
                        item_id, size = name.split()
                        playback.take(int(size), item_id)
                    case _:
                        pass
        await service.close()

    async def to_phone(event: str, **fields: Any) -> None:
        await phone.send_json({"event": event, "streamSid": stream, **fields})

    async def talk(service: Service) -> None:
        await service.send({"type": "session.update", "session": SESSION})
        async for event in service:
            if event.type == "response.output_audio.delta":
                audio = base64.b64decode(event.delta)
                if playback.add(event.item_id, audio):
                    await to_phone("media", media={"payload": event.delta})
                    # It comes back when the audio before it was played, or cleared.
                    await to_phone("mark", mark={"name": f"{event.item_id} {len(audio)}"})
            elif event.type == "input_audio_buffer.speech_started" and playback:
                await to_phone("clear")
                for truncate in conversation.interrupted(playback.clear()):
                    await service.send(truncate)
            elif event.type == "error":
                logger.warning("refused: %s", error_details(event))
            elif event.type == "response.done" and event.response.status == "failed":
                logger.warning("no answer: %s", error_details(event))

    await phone.accept()
    try:
        async with ga.connect("gpt-realtime-2.1", conversation=conversation) as service:
            listening = asyncio.create_task(from_phone(service))
            try:
                await talk(service)
            finally:
                listening.cancel()
    except RealtimeConnectionError as error:
        logger.warning("the service ended the call: %s", error)
    if phone.client_state is WebSocketState.CONNECTED:
        await phone.close()


if __name__ == "__main__":
    uvicorn.run(app)
