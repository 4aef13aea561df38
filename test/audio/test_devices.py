"""Microphone and loudspeaker, on the backend without devices."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import miniaudio
import pytest

from openai_realtime_client import Playback, RealtimeError
from openai_realtime_client.audio import DeviceError, Microphone, Speaker, devices


@contextmanager
def lost_soon(device: Any) -> Iterator[None]:
    """Stop a device, as the system does when it is unplugged, in a moment."""
    lost = threading.Timer(0.1, miniaudio.lib.ma_device_stop, [device._device._device])
    lost.start()
    yield
    # Closing in the midst of it would block for ever, in miniaudio.
    lost.join()


def wait_until(is_done: Any) -> None:
    deadline = time.monotonic() + 30
    while not is_done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("audio_format", "silence"),
    [("audio/pcm", bytes(1920)), ("audio/pcmu", b"\x7f" * 320), ("audio/pcma", b"\xd5" * 320)],
)
def test_microphone_gives_chunks_in_the_format(audio_format: str, silence: bytes) -> None:
    with Microphone(audio_format, backend="null") as microphone:
        chunks = [next(microphone) for _ in range(5)]
        microphone.close()
        chunks += microphone  # ends, after what was recorded before
    assert {len(chunk) for chunk in chunks} == {len(silence)}
    assert chunks[0] in (silence, b"\xff" * 320)


@pytest.mark.parametrize("wrong", [{"chunk_ms": 0}, {"chunk_ms": -1}, {"audio_format": "mp3"}])
def test_microphone_of_no_sense_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"chunk_ms|unknown audio format"):
        Microphone(**wrong)


def test_microphone_with_asyncio() -> None:
    async def record() -> int:
        count = 0
        async with Microphone(chunk_ms=20, backend="null") as microphone:
            async for chunk in microphone:
                assert len(chunk) == 960
                count += 1
                if count == 5:
                    microphone.close()
        return count

    # What had come before it was closed is still there.
    assert asyncio.run(record()) >= 5


def test_microphone_keeps_the_latest_audio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_KEPT_MS", 60)
    with Microphone(chunk_ms=20, backend="null") as microphone:
        wait_until(lambda: len(microphone._chunks) == 3)
        time.sleep(0.1)
        microphone.close()
        assert len(list(microphone)) == 3


@pytest.mark.parametrize("is_noticed", [True, False], ids=["reported", "silent"])
def test_microphone_goes_away(monkeypatch: pytest.MonkeyPatch, is_noticed: bool) -> None:
    monkeypatch.setattr(devices, "_TIMEOUT", 0.3 if not is_noticed else 30)
    with Microphone(backend="null") as microphone:
        if not is_noticed:  # miniaudio is not told of each device
            microphone._device.stop_callback = None
        with lost_soon(microphone), pytest.raises(DeviceError, match=r"^the microphone went away$"):
            list(microphone)


def test_microphone_goes_away_with_asyncio() -> None:
    async def record() -> None:
        async with Microphone(backend="null") as microphone:
            with lost_soon(microphone), pytest.raises(DeviceError, match=r"^the microphone went"):
                async for _ in microphone:
                    pass

    asyncio.run(record())


def test_speaker_plays_at_its_pace() -> None:
    playback = Playback()
    playback.add("item_1", bytes(range(240)) * 100)
    began = time.monotonic()
    with Speaker(playback, backend="null") as speaker:
        wait_until(lambda: not playback)
        speaker.check()
    assert playback.milliseconds == 500
    assert time.monotonic() - began > 0.3


def test_speaker_goes_away() -> None:
    with Speaker(Playback(), backend="null") as speaker:
        with lost_soon(speaker):
            speaker.check()
        with pytest.raises(DeviceError, match=r"^the loudspeaker went away$"):
            speaker.check()


@pytest.mark.parametrize("kind", ["microphone", "loudspeaker"])
def test_no_device(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    device = Microphone() if kind == "microphone" else Speaker(Playback())
    # Where there are devices, none is there for JACK without its server.
    device._backend = "jack"
    with (
        pytest.raises(DeviceError, match=rf"^no {kind}: (failed to|cannot) init") as caught,
        device,
    ):
        pass
    assert isinstance(caught.value, RealtimeError)
    assert capfd.readouterr() == ("", "")


def test_unknown_backend() -> None:
    with (
        pytest.raises(DeviceError, match=r"^no audio backend 'x'; expected one of .*null"),
        Microphone(backend="x"),
    ):
        pass


def test_without_the_extra() -> None:
    code = (
        "import sys; sys.modules['miniaudio'] = None\n"
        "from openai_realtime_client.audio import Microphone\n"
        "try:\n    Microphone().__enter__()\nexcept ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "audio devices need miniaudio: pip install miniaudio\n"
