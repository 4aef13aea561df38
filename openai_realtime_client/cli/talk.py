"""`talk`: a conversation by microphone, file or keyboard, with both transcripts as they grow."""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import struct
import sys
import threading
import time
import wave
from argparse import Namespace
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from openai_realtime_client import ga
from openai_realtime_client.cli.display import Screen, Timeline, show_error, show_event, summarize
from openai_realtime_client.conversation.playback import Playback
from openai_realtime_client.conversation.state import Conversation
from openai_realtime_client.core.audio import PCM, split_audio
from openai_realtime_client.core.errors import (
    ConnectionClosedError,
    ConnectionSettingsError,
    RealtimeError,
)
from openai_realtime_client.core.json_types import at
from openai_realtime_client.realtime.endpoint import azure

if TYPE_CHECKING:
    from openai_realtime_client.realtime.connection import AsyncConnection
    from openai_realtime_client.testing import Answer, ReplayServer

__all__ = ["run_talk"]

_CHUNK_MS = 40
_RATE = PCM.sample_rate
# Turn detection needs silence to notice that the speech of a file has ended.
_SILENCE = bytes(PCM.size(1200))
# After a file, or the last line, the session ends when nothing has happened for this long.
_QUIET = 1.5
_TRANSCRIPTION_MODEL = "gpt-4o-mini-transcribe"
# The id of the event with the settings, which an error about them repeats.
_SETTINGS = "talk_settings"
# The response ended or began while the event was on its way; the session goes on.
_HARMLESS = ("response_cancel_not_active", "conversation_already_has_active_response")
_USER_TEXT = "conversation.item.input_audio_transcription."
_MODEL_TEXTS = ("response.output_text.", "response.output_audio_transcript.")


class _TalkError(RealtimeError):
    """The session cannot go on."""


def run_talk(args: Namespace, out: Screen, err: Screen) -> int:
    """Hold the session and return the exit status."""
    talk = _Talk(args, out, err)
    try:
        with contextlib.ExitStack() as stack:
            if args.embedded:
                args.url = stack.enter_context(_embedded_server(is_paced=not args.fast)).url
            asyncio.run(talk.hold())
    except KeyboardInterrupt:
        pass  # how a conversation by microphone ends
    except (RealtimeError, ImportError, OSError) as error:
        show_error(err, args.prog, str(error))
        if isinstance(error, ConnectionSettingsError):
            return 2
        return 1
    talk.summarize()
    return 0


def _embedded_server(*, is_paced: bool) -> ReplayServer[Any, Any]:
    # Imported here because talking with the service does not need it.
    from openai_realtime_client.testing import ReplayServer
    from openai_realtime_client.testing.answers import default_answer

    def reply(items: list[dict[str, Any]]) -> Answer:
        answer = default_answer(items, [], "none")
        words = (answer.text or "").split()
        return replace(answer, audio=0.3 * len(words), real_time=is_paced)

    # Events would pile up in a long conversation.
    return ReplayServer(answers=reply, keep_events=False)


class _Talk:
    """The session, its devices or files, and what is printed."""

    _connection: AsyncConnection[Any, Any]

    def __init__(self, args: Namespace, out: Screen, err: Screen) -> None:
        self._args = args
        self._out = out
        self._err = err
        self._conversation = Conversation()
        self._playback = Playback(conversation=self._conversation)
        self._timeline = Timeline(partial(show_event, out))
        self._is_spoken = bool(args.output) or not args.text
        self._began = time.monotonic()
        self._last_event = self._began
        self._turn_ended: float | None = None
        self._latencies: list[float] = []
        # The speaker and the item of the terminal's open line, and all items that were printed.
        self._line: str | None = None
        self._printed: set[str] = set()

    async def hold(self) -> None:
        """Connect and talk until the input has ended."""
        args = self._args
        endpoint: dict[str, Any] = {}
        if args.azure:
            # The deployment, which has the model, the URL and the key.
            endpoint["azure"] = azure(args.azure, args.model, api_key=args.api_key)
        else:
            endpoint.update(model=args.model, base_url=args.url, api_key=args.api_key)
        connecting = ga.connect(**endpoint, conversation=self._conversation, record=args.record)
        async with connecting as self._connection, contextlib.AsyncExitStack() as stack:
            await self._configure()
            receiving = asyncio.create_task(self._receive())
            listening = asyncio.create_task(self._listen(stack))
            tasks = [receiving, listening, asyncio.create_task(self._play(stack))]
            try:
                # Only listening ends in time; the others end by an error.
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                # Sending may notice the end of the session first, but receiving knows the reason.
                if listening in done and isinstance(listening.exception(), ConnectionClosedError):
                    await receiving
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                # Devices are closed after this, so nothing may use them any more.
                await asyncio.gather(*tasks, return_exceptions=True)

    def summarize(self) -> None:
        """Print turns, latencies and tokens."""
        self._timeline.end()
        self._end_line()
        usage = self._conversation.usage
        turns = len(self._latencies)
        self._out.line(("bold", "Turns"), f": {turns}")
        if turns:
            times = ", ".join(f"{1000 * seconds:.0f}" for seconds in self._latencies)
            median = 1000 * statistics.median(self._latencies)
            self._out.line(("bold", "Latency"), f": {median:.0f} ms (median)", rest=f" of {times}")
        tokens = f": {usage.total} ({usage.input} input, {usage.output} output)"
        self._out.line(("bold", "Tokens"), tokens)

    async def _configure(self) -> None:
        audio: dict[str, Any] = {"input": {"transcription": {"model": _TRANSCRIPTION_MODEL}}}
        if self._args.voice:
            audio["output"] = {"voice": self._args.voice}
        session: dict[str, Any] = {"type": "realtime", "output_modalities": ["text"]}
        if self._is_spoken:
            session["output_modalities"] = ["audio"]
        if self._args.instructions:
            session["instructions"] = self._args.instructions
        session["audio"] = audio
        update = {"type": "session.update", "event_id": _SETTINGS, "session": session}
        await self._send_event(update)

    async def _send_event(self, event: Any) -> None:
        self._show_event("client", event)
        await self._connection.send(event)

    async def _receive(self) -> None:
        async for event in self._connection:
            wire = event.to_dict()
            self._show_event("server", wire)
            self._last_event = time.monotonic()
            match event.type:
                case "input_audio_buffer.speech_started":
                    await self._interrupt()
                case "input_audio_buffer.speech_stopped":
                    self._turn_ended = time.monotonic()
                case "response.output_audio.delta":
                    self._measure_latency()
                    self._playback.add(wire["item_id"], b64decode(wire["delta"]))
                case "response.output_text.delta":
                    self._measure_latency()
                case "response.done" if at(wire, "response", "status") == "failed":
                    self._turn_ended = None
                    self._show_problem(wire)
                case "error" if at(wire, "error", "code") not in _HARMLESS:
                    self._show_problem(wire)
                case _:
                    pass
        raise _TalkError("the server closed the session")

    def _measure_latency(self) -> None:
        if self._turn_ended is not None:
            self._latencies.append(time.monotonic() - self._turn_ended)
            self._turn_ended = None

    async def _interrupt(self) -> None:
        """Drop unplayed audio, and tell the model how much was played."""
        for event in self._conversation.interrupted(self._playback.clear()):
            await self._send_event(event)
            if not self._args.events:
                self._end_line()
                seconds = event["audio_end_ms"] / 1000
                self._out.line(("dim", f"(interrupted after {seconds:.1f} s)"))

    # Input

    async def _listen(self, stack: contextlib.AsyncExitStack) -> None:
        """Send the input to its end, and wait for the answer to it."""
        if self._args.text:
            async for line in _from_thread(_read_lines):
                if not sys.stdin.isatty():
                    # A pipe has all lines at once, and a line would interrupt the last answer.
                    await self._finish()
                await self._send_text(line)
        elif self._args.input:
            started = time.monotonic()
            async for chunk in _from_thread(lambda: _read_wav(self._args.input)):
                await self._send_audio(chunk)
                if not self._args.fast:
                    started += PCM.milliseconds(len(chunk)) / 1000
                    await asyncio.sleep(started - time.monotonic())
        else:
            from openai_realtime_client.audio import Microphone

            microphone = Microphone(chunk_ms=_CHUNK_MS, backend=self._args.backend)
            async for chunk in await stack.enter_async_context(microphone):
                await self._send_audio(chunk)
        # With --fast, sending may take longer than _QUIET, with no event of the server meanwhile.
        self._last_event = time.monotonic()
        await self._finish(_QUIET)

    async def _finish(self, quiet: float = 0.0) -> None:
        """Wait for pending answers, and then for `quiet` seconds without events."""
        began = time.monotonic()
        while not self._is_quiet(quiet):
            waited = time.monotonic() - max(began, self._last_event)
            # Only while an answer is due: the user may be silent for any time.
            is_due = self._turn_ended is not None or bool(self._conversation.active)
            if is_due and not self._playback and waited > self._args.timeout:
                raise _TalkError(f"no answer came within {self._args.timeout:g} s")
            await asyncio.sleep(0.05)

    def _is_quiet(self, quiet: float) -> bool:
        if self._turn_ended is not None or self._conversation.active or self._playback:
            return False
        return time.monotonic() - self._last_event > quiet

    async def _send_text(self, line: str) -> None:
        if not line.strip():
            return
        if self._conversation.active:
            await self._send_event({"type": "response.cancel"})
        # Typing interrupts, as speaking does.
        await self._interrupt()
        await self._send_event(ga.user_text(line.strip()))
        await self._send_event({"type": "response.create"})
        self._turn_ended = time.monotonic()

    async def _send_audio(self, chunk: bytes) -> None:
        if self._args.events:
            audio = b64encode(chunk).decode()
            self._show_event("client", {"type": "input_audio_buffer.append", "audio": audio})
        await self._connection.send_audio(chunk)

    # Output

    async def _play(self, stack: contextlib.AsyncExitStack) -> None:
        """Play on the loudspeaker, or write to a file at the pace of one."""
        if self._args.output:
            # Opened here, because `wave` shows a second error for a file that it cannot open:
            # https://github.com/python/cpython/issues/136523
            file = stack.enter_context(open(self._args.output, "wb"))  # noqa: SIM115
            wav = stack.enter_context(wave.open(file, "wb"))  # noqa: SIM115
            wav.setnchannels(1)
            wav.setsampwidth(PCM.sample_size)
            wav.setframerate(_RATE)
            # Write the header now: without any audio the file is still valid.
            wav.writeframes(b"")
            started = time.monotonic()
            size = PCM.size(_CHUNK_MS)
            if self._args.fast:
                size = PCM.size(60_000)
            while True:
                wav.writeframes(self._playback.take(size))
                started += _CHUNK_MS / 1000
                await asyncio.sleep(started - time.monotonic())
        if self._is_spoken:
            from openai_realtime_client.audio import Speaker

            speaker = Speaker(self._playback, backend=self._args.backend)
            await stack.enter_async_context(speaker)
            while True:
                speaker.check()
                await asyncio.sleep(0.5)
        await asyncio.Event().wait()  # nothing is played

    def _show_event(self, direction: str, wire: dict[str, Any]) -> None:
        if self._args.events:
            at_ms = round((time.monotonic() - self._began) * 1000, 1)
            self._timeline.add(direction, wire, at_ms)
            return
        name = str(wire["type"])
        if name.startswith(_USER_TEXT):
            self._show_text("you", ("bold", "you: "), wire)
        elif name.startswith(_MODEL_TEXTS):
            self._show_text("model", ("green", "model: "), wire)

    def _show_text(self, who: str, prompt: tuple[str, str], wire: dict[str, Any]) -> None:
        item_id = str(wire.get("item_id"))
        text = wire.get("delta")
        if text is None and item_id not in self._printed:
            text = wire.get("transcript")  # no deltas came before
        if text:
            if self._line != who + item_id:
                self._end_line()
                self._out.write(prompt)
            self._line = who + item_id
            self._printed.add(item_id)
            self._out.write(str(text))
        elif self._line == who + item_id:
            self._end_line()

    def _end_line(self) -> None:
        # Transcripts of both sides interleave; each begins a line of its own.
        if self._line is not None:
            self._line = None
            self._out.line()

    def _show_problem(self, wire: dict[str, Any]) -> None:
        self._end_line()
        problem = summarize(wire)
        if at(wire, "error", "event_id") == _SETTINGS:
            raise _TalkError(f"the server refuses the session: {problem}")
        show_error(self._err, self._args.prog, problem)


async def _from_thread(make: Callable[[], Iterator[Any]]) -> AsyncIterator[Any]:
    """Iterate in a thread over a blocking iterator."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Any] = asyncio.Queue()

    def iterate() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            try:
                for value in make():
                    loop.call_soon_threadsafe(queue.put_nowait, value)
            except (OSError, EOFError, ValueError, wave.Error, ImportError) as error:
                loop.call_soon_threadsafe(queue.put_nowait, error)
            loop.call_soon_threadsafe(queue.put_nowait, None)

    # A daemon: asyncio.to_thread would wait at exit for a read that nobody ends.
    threading.Thread(target=iterate, daemon=True).start()
    while True:
        value = await queue.get()
        if value is None:
            return
        if isinstance(value, Exception):
            raise _TalkError(f"cannot read the input: {value or type(value).__name__}")
        yield value


def _stdin_descriptor() -> int:
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise OSError("standard input is closed")
    return sys.stdin.fileno()


def _read_lines() -> Iterator[str]:
    """Yield the lines of standard input, past its buffer, whose lock would block the exit."""
    rest = b""
    for data in iter(partial(os.read, _stdin_descriptor(), 65536), b""):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace")
    yield rest.decode("utf-8", "replace")


def _read_wav(name: str) -> Iterator[bytes]:
    """Yield a WAV file as PCM at 24 kHz, mono, with silence at its end."""
    # Standard input as a descriptor, since its text layer would decode the bytes.
    file: str | int = name
    title = name
    if name == "-":
        file, title = _stdin_descriptor(), "standard input"
    with open(file, "rb", closefd=name != "-") as source:
        # The format chunk, as in http://soundfile.sapp.org/doc/WaveFormat/. It is peeked at, since
        # standard input cannot seek.
        format_chunk = source.peek(36)[12:36]
        expected = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, _RATE, 2 * _RATE, 2, 16)
        if format_chunk != expected:
            # Imported here because files that need no conversion do without.
            import miniaudio  # type: ignore[import-untyped] # pyright: ignore[reportMissingTypeStubs]

            try:
                sound: Any = miniaudio.decode(source.read(), nchannels=1, sample_rate=_RATE)
            except miniaudio.DecodeError:
                raise ValueError(f"{title} is not an audio file") from None
            yield from split_audio(bytes(sound.samples), PCM, _CHUNK_MS)
        else:
            with wave.open(source) as wav:
                yield from iter(lambda: wav.readframes(_RATE * _CHUNK_MS // 1000), b"")
    yield from split_audio(_SILENCE, PCM, _CHUNK_MS)
