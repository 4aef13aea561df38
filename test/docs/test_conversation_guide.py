"""The loop of the guide to interruptions, with a device that is not there."""

from __future__ import annotations

import ast
import asyncio
import base64
import inspect
from collections.abc import AsyncIterator
from typing import Any

from openai_realtime_client import Conversation, Playback, error_details, ga
from protocols import ROOT

FRAME = 960  # 20 ms


class Device:
    """The shape of `sounddevice.RawOutputStream`; the test asks for each frame."""

    def __init__(self, samplerate: int, *, channels: int, dtype: str, callback: Any) -> None:
        assert (samplerate, channels, dtype) == (24_000, 1, "int16")
        self.callback = callback

    def __enter__(self) -> Device:
        Device.started = self
        return self

    def __exit__(self, *_: object) -> None:
        pass

    started: Device

    def play(self, frames: int) -> bytes:
        played = b""
        for _ in range(frames):
            outdata = bytearray(FRAME)
            self.callback(outdata, FRAME // 2, None, None)
            assert len(outdata) == FRAME
            played += outdata
        return played


class Session:
    """A connection whose user interrupts after 240 ms."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def connect(self, _model: str, *, conversation: Conversation) -> Session:
        self.conversation = conversation
        return self

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def send(self, event: Any) -> None:
        self.sent.append(event)

    async def __aiter__(self) -> AsyncIterator[Any]:
        delta = {"type": "response.output_audio.delta", "response_id": "r", "item_id": "i"}
        delta["delta"] = base64.b64encode(b"\1" * 24_000).decode()
        yield self.received(delta)
        assert Device.started.play(12) == b"\1" * 12 * FRAME
        yield self.received({"type": "input_audio_buffer.speech_started", "item_id": "u"})
        yield self.received(delta)  # It was on its way.
        assert Device.started.play(2) == bytes(2 * FRAME)

    def received(self, wire: dict[str, Any]) -> Any:
        event = ga.parse_server_event(wire)
        self.conversation.add(event)
        return event


def test_the_loop_with_a_sound_device_tells_the_model_what_was_heard() -> None:
    page = (ROOT / "docs/guides/interruptions.md").read_text("utf-8")
    blocks = [block.partition("```")[0] for block in page.split("```py\n")[1:]]
    [block] = [block for block in blocks if "sounddevice" in block]
    session = Session()
    names: dict[str, Any] = {
        "Conversation": Conversation,
        "Playback": Playback,
        "base64": base64,
        "error_details": error_details,
        "ga": session,
        "sounddevice": type("sounddevice", (), {"RawOutputStream": Device}),
    }
    code = compile(block, "interruptions.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert code.co_flags & inspect.CO_COROUTINE
    asyncio.run(eval(code, names))
    truncate = {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0}
    assert session.sent == [{**truncate, "audio_end_ms": 240}]
