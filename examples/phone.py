"""A relay between a phone call and the service, over a media stream such as Twilio's.

    pip install fastapi uvicorn
    python examples/phone.py  # and let the stream connect to wss://your.host/stream

Both sides speak G.711 at 8 kHz, so that audio passes as it is. When the caller interrupts, the
stream is cleared, and the server learns what was played. The key is in OPENAI_API_KEY. Without
one, put `python examples/without_key.py` in place of `python`, and it talks to the embedded server.
"""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress
from typing import Any

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.websockets import WebSocketState

from openai_realtime_client import Conversation, Playback, ga

G711: ga.RealtimeAudioFormatsParam = {"type": "audio/pcmu"}
SESSION: ga.RealtimeSessionUpdateParam = {
    "type": "realtime",
    "audio": {
        "input": {"format": G711, "turn_detection": {"type": "server_vad"}},
        "output": {"format": G711},
    },
}

app = FastAPI()


@app.websocket("/stream")
async def hold(phone: WebSocket) -> None:
    """Hold one call, until either side ends it."""
    conversation, playback = Conversation(), Playback(bytes_per_second=8_000)
    stream = interrupted = ""  # the stream's id, and the item that was cut last

    async def from_phone() -> None:
        nonlocal stream
        with suppress(WebSocketDisconnect):
            while (message := await phone.receive_json())["event"] != "stop":
                match message:
                    case {"event": "start", "streamSid": stream}:
                        pass
                    case {"event": "media", "media": {"payload": audio}}:
                        await service.send({"type": "input_audio_buffer.append", "audio": audio})
                    case {"event": "mark", "mark": {"name": name}}:
                        item_id, size = name.split()
                        if item_id != interrupted:  # Marks of what was cleared come back, too.
                            playback.take(int(size))
                    case _:
                        pass
        await service.close()

    async def to_phone(event: str, **more: Any) -> None:
        await phone.send_json({"event": event, "streamSid": stream, **more})

    await phone.accept()
    async with ga.connect("gpt-realtime-2.1", conversation=conversation) as service:
        await service.send({"type": "session.update", "session": SESSION})
        listening = asyncio.create_task(from_phone())
        try:
            async for event in service:
                if event.type == "response.output_audio.delta" and event.item_id != interrupted:
                    audio = base64.b64decode(event.delta)
                    playback.add(event.item_id, audio)
                    await to_phone("media", media={"payload": event.delta})
                    await to_phone("mark", mark={"name": f"{event.item_id} {len(audio)}"})
                elif event.type == "input_audio_buffer.speech_started" and playback:
                    playback.clear()
                    interrupted = playback.item_id or ""
                    await to_phone("clear")
                    if truncate := conversation.heard(interrupted, playback.milliseconds):
                        await service.send(truncate)
        finally:
            listening.cancel()
    if phone.client_state is WebSocketState.CONNECTED:
        await phone.close()


if __name__ == "__main__":
    uvicorn.run(app)
