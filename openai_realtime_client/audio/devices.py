"""Microphone and loudspeaker, in the formats of sessions.

miniaudio rather than sounddevice: its wheels need no PortAudio from the system, it converts any
device's rate and channels, and its null backend lets tests run without devices.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import threading
import time
from collections import deque
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from openai_realtime_client.core import g711
from openai_realtime_client.core.audio import RATES, AudioFormat
from openai_realtime_client.core.errors import MissingDependencyError, RealtimeError

if TYPE_CHECKING:
    from openai_realtime_client.conversation.playback import Playback

__all__ = ["DeviceError", "Microphone", "Speaker"]

# Devices delay audio by a few of these periods.
_PERIOD_MS = 20
# Longer than any device pauses; miniaudio does not notice each device that goes away.
_TIMEOUT = 3.0
# A program that does not read its microphone for this long misses audio.
_KEPT_MS = 10_000
# libasound prints each thing that it tries, see
# https://www.alsa-project.org/alsa-doc/alsa-lib/group___error.html
_ALSA_HANDLER = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p
)(lambda *_: None)


class DeviceError(RealtimeError):
    """There is no such device, it cannot be opened, or it went away."""


class _Device:
    """A device of a kind, open within its context."""

    _kind: str

    def __init__(self, backend: str | None) -> None:
        self._backend = backend
        self._device: Any = None
        self._last_active = 0.0

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the device; a second time does nothing."""
        # Other threads see that it is closed while miniaudio still waits for the device.
        device, self._device = self._device, None
        if device:
            device.close()

    def check(self) -> None:
        """Raise `DeviceError` if the device has gone away."""
        if self._device and (
            not self._device.running or time.monotonic() - self._last_active > _TIMEOUT
        ):
            raise DeviceError(f"the {self._kind} went away")

    def _open(self) -> None:
        raise NotImplementedError

    def _start(self, device_class: str, audio_format: AudioFormat, callback: Any) -> None:
        miniaudio = _import_miniaudio()
        options = {
            "nchannels": 1,
            "sample_rate": audio_format.sample_rate,
            "buffersize_msec": _PERIOD_MS,
            "backends": _backends(miniaudio, self._backend),
        }
        # miniaudio sends into a generator that waits at its first `yield`.
        next(callback)
        self._last_active = time.monotonic()
        try:
            self._device = getattr(miniaudio, device_class)(**options)
            self._device.stop_callback = self._wake
            self._device.start(callback)
        except miniaudio.MiniaudioError as error:
            self.close()
            raise DeviceError(f"no {self._kind}: {error.args[0]}") from None

    def _wake(self) -> None:
        """Wake who waits for the device. When this is called, `running` is false."""


class Microphone(_Device):
    """A microphone. Iterate with `for` or `async for` over chunks for `send_audio`.

    It records within its context, `with` or `async with`; after that, iteration ends. If nobody
    iterates for 10 s, the oldest audio is dropped.

    Args:
        audio_format: The session's input format: `audio/pcm` (24 kHz), `audio/pcmu` or
            `audio/pcma`.
        chunk_ms: The duration of each chunk in milliseconds.
        backend: The audio system, such as `alsa` or `wasapi`, or `null`, which records silence
            without a device. By default the first that works.

    Raises:
        DeviceError: Entering the context finds no microphone, or the next chunk does not come.
        ValueError: `audio_format` is unknown, or `chunk_ms` is not positive.
    """

    _kind = "microphone"

    def __init__(
        self,
        audio_format: str = "audio/pcm",
        *,
        chunk_ms: int = 40,
        backend: str | None = None,
    ) -> None:
        super().__init__(backend)
        if chunk_ms <= 0:
            raise ValueError(f"chunk_ms must be positive, not {chunk_ms}")
        self._format = _format(audio_format)
        self._chunk_size = self._format.size(chunk_ms)
        self._chunks: deque[bytes] = deque(maxlen=max(1, _KEPT_MS // chunk_ms))
        self._arrived = threading.Event()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        chunk = self._next_chunk()
        if chunk is None:
            raise StopIteration
        return chunk

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        # A thread, because miniaudio's own knows no event loop. It waits for one chunk at a time.
        chunk = await asyncio.to_thread(self._next_chunk)
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    def _next_chunk(self) -> bytes | None:
        """Wait for the next chunk; `None` where the device was closed."""
        while not self._chunks:
            if self._device is None:
                return None
            self.check()
            self._arrived.clear()
            if not self._chunks:  # none came since
                self._arrived.wait(_TIMEOUT)
        return self._chunks.popleft()

    def close(self) -> None:
        """Close the device: iteration ends."""
        super().close()
        self._wake()

    def _open(self) -> None:
        self._start("CaptureDevice", self._format, self._record())

    def _record(self) -> Generator[None, bytes]:
        pending = bytearray()
        while True:
            samples = yield
            self._last_active = time.monotonic()
            # The device's periods are not of the size of a chunk.
            pending += g711.encode(bytes(samples), self._format.type)
            while len(pending) >= self._chunk_size:
                self._chunks.append(bytes(pending[: self._chunk_size]))
                del pending[: self._chunk_size]
                self._wake()

    def _wake(self) -> None:
        self._arrived.set()


class Speaker(_Device):
    """A loudspeaker that plays a `Playback` while its context is open, and silence between.

    Audio is heard some 60 ms after it was taken from the playback.

    Args:
        playback: The audio to play. Its format is read where the context is entered.
        backend: As of `Microphone`; `null` takes the audio as a device does.

    Raises:
        DeviceError: Entering the context finds no loudspeaker; `check` finds that it went away.
    """

    _kind = "loudspeaker"

    def __init__(self, playback: Playback, *, backend: str | None = None) -> None:
        super().__init__(backend)
        self._playback = playback

    def _open(self) -> None:
        audio_format = _format(self._playback.format)
        self._start("PlaybackDevice", audio_format, self._play(audio_format))

    def _play(self, audio_format: AudioFormat) -> Generator[bytes, int]:
        samples = b""
        while True:
            frames = yield samples
            self._last_active = time.monotonic()
            taken = self._playback.take(frames * audio_format.sample_size)
            # Silence where the playback has less.
            samples = g711.decode(taken, audio_format.type).ljust(2 * frames, b"\0")


def _format(name: str) -> AudioFormat:
    if name not in RATES:
        raise ValueError(f"unknown audio format {name!r}; expected {', '.join(RATES)}")
    return AudioFormat(name, RATES[name])


def _import_miniaudio() -> Any:
    try:
        # PyInstaller misses what extension modules import:
        # https://github.com/pyinstaller/pyinstaller/issues/3525
        import _cffi_backend  # type: ignore[import-untyped] # noqa: F401 # pyright: ignore
        import miniaudio  # type: ignore[import-untyped] # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        message = "audio devices need miniaudio: pip install miniaudio"
        raise MissingDependencyError(message) from None
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(_ALSA_HANDLER)
    return miniaudio


def _backends(miniaudio: Any, name: str | None) -> list[Any]:
    """Return the backends to try, in miniaudio's order, with devices unless `name` says `null`."""
    enabled = sorted(miniaudio.get_enabled_backends(), key=lambda backend: int(backend.value))
    names = [backend.name.lower() for backend in enabled]
    if name is None:
        return [backend for backend in enabled if backend.name not in ("NULL", "CUSTOM")]
    if name not in names:
        raise DeviceError(f"no audio backend {name!r}; expected one of {', '.join(names)}")
    return [enabled[names.index(name)]]
