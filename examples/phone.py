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

from openai_realtime_client import AsyncConnection, Conversation, Playback, ga

G711: ga.RealtimeAudioFormatsParam = {"type": "audio/pcmu"}
SESSION: ga.RealtimeSessionUpdateParam = {
    "type": "realtime",
    "audio": {
        "input": {"format": G711, "turn_detection": {"type": "server_vad"}},
        "output": {"format": G711},
    },
}
Service = AsyncConnection[ga.RealtimeServerEvent, ga.RealtimeClientEventParam]

app = FastAPI()


class Call:
    """One call: what was said, and what of it the caller has heard."""

    def __init__(self, phone: WebSocket, service: Service, conversation: Conversation) -> None:
        self.phone = phone
        self.service = service
        self.conversation = conversation
        self.playback = Playback(bytes_per_second=8_000)
        self.stream = ""
        self.clears = 0

    async def from_phone(self) -> None:
        """Pass on what the caller says, until the call ends."""
        with suppress(WebSocketDisconnect):
            while (message := await self.phone.receive_json())["event"] != "stop":
                match message:
                    case {"event": "start", "streamSid": stream}:
                        self.stream = stream
                    case {"event": "media", "media": {"payload": audio}}:
                        await self.service.send(
                            {"type": "input_audio_buffer.append", "audio": audio}
                        )
                    case {"event": "mark", "mark": {"name": name}}:
                        clears, size = map(int, name.split())
                        # The marks of what was cleared come back, too.
                        if clears == self.clears:
                            self.playback.take(size)
                    case _:
                        pass
        await self.service.close()

    async def to_phone(self) -> None:
        """Pass on what the model says, until the session ends."""
        async for event in self.service:
            if event.type == "response.output_audio.delta":
                audio = base64.b64decode(event.delta)
                self.playback.add(event.item_id, audio)
                await self.send("media", media={"payload": event.delta})
                await self.send("mark", mark={"name": f"{self.clears} {len(audio)}"})
            elif event.type == "input_audio_buffer.speech_started" and self.playback:
                await self.interrupt()

    async def interrupt(self) -> None:
        """Stop playing, and tell the model what the caller has heard."""
        self.clears += 1
        self.playback.clear()
        await self.send("clear")
        played = self.playback
        if truncate := self.conversation.heard(played.item_id, played.milliseconds):
            await self.service.send(truncate)

    async def send(self, event: str, **more: Any) -> None:
        """Send a message of the media stream."""
        await self.phone.send_json({"event": event, "streamSid": self.stream, **more})


@app.websocket("/stream")
async def stream(phone: WebSocket) -> None:
    """Hold one call."""
    await phone.accept()
    conversation = Conversation()
    async with ga.connect("gpt-realtime-2.1", conversation=conversation) as service:
        await service.send({"type": "session.update", "session": SESSION})
        call = Call(phone, service, conversation)
        listening = asyncio.create_task(call.from_phone())
        try:
            await call.to_phone()
        finally:
            listening.cancel()
    if phone.client_state is WebSocketState.CONNECTED:
        await phone.close()


if __name__ == "__main__":
    uvicorn.run(app)
