"""The voice assistants, with the devices of a backend that needs none."""

from __future__ import annotations

import asyncio
import importlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any

import pytest

from example_programs import EXAMPLES, KEY, environment, eventually, heard, only, types
from openai_realtime_client import ConnectionClosedError
from openai_realtime_client.audio import DeviceError, Microphone, Speaker
from openai_realtime_client.testing import Answer, Call, Faults, ReplayServer

# assistant.py
# assistant_threads.py

LOUD = b"\x00\x40\x00\xc0" * 480


@pytest.fixture(params=["assistant", "assistant_threads"])
def assistant(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module; its `microphone` is the one that it has opened."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    module: Any = importlib.import_module(request.param)

    def microphone() -> Microphone:
        module.microphone = Microphone(backend="null")
        return module.microphone  # type: ignore[no-any-return]

    monkeypatch.setattr(module, "Microphone", microphone)
    monkeypatch.setattr(module, "Speaker", partial(Speaker, backend="null"))
    return module  # type: ignore[no-any-return]


@contextmanager
def talking(assistant: Any, error: type[Exception] | None = None, **options: Any) -> Iterator[Any]:
    """Run an assistant; the context ends it, as Ctrl-C does, and gives its session."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            coroutine = assistant.main()
            if coroutine:
                asyncio.run(coroutine)
        except BaseException as caught:
            raised.append(caught)

    thread = threading.Thread(target=run)
    with ReplayServer(api_key=KEY, **options) as server, environment(server):
        thread.start()
        eventually(
            lambda: server.sessions and "session.update" in types(server.sessions[0].received)
        )
        yield server.sessions[0]
        if error:
            eventually(lambda: raised)
        assistant.microphone.close()
        thread.join()
    assert all(isinstance(caught, error or ()) for caught in raised)


def speak(assistant: Any) -> None:
    """Say half a second, and be silent then."""
    for _ in range(12):
        assistant.microphone._chunks.append(LOUD)
        time.sleep(0.01)


def test_assistant_hears_calls_a_function_and_speaks(
    assistant: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [Answer(calls=[Call("get_weather", {"city": "Oslo"})]), "It is sunny."]
    printed: list[str] = []

    def is_printed() -> bool:
        printed.append(capsys.readouterr().out)
        return "".join(printed) == "It is sunny.\n"

    with talking(assistant, answers=answers) as session:
        speak(assistant)
        assert eventually(is_printed)
    output = only(session.received, "conversation.item.create")["item"]["output"]
    assert output == "Sunny in Oslo, 21 degrees."
    assert LOUD in heard(session)


def test_microphone_that_goes_away_ends_the_session(assistant: Any) -> None:
    error = DeviceError if assistant.__name__ == "assistant" else None
    with talking(assistant, error) as session:
        # As miniaudio tells it. Stopping the device while the program closes it would block.
        assistant.microphone._device.running = False
        assistant.microphone._wake()
        assert eventually(lambda: session.close_code) == 1000


def test_lost_session_ends_the_program(assistant: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with talking(assistant, ConnectionClosedError, faults=Faults(cut_after=2)):
        pass
    # The exception says why, and nothing else does.
    assert capsys.readouterr() == ("", "")


def test_speaking_interrupts_what_is_said(assistant: Any) -> None:
    with talking(assistant, answers=[Answer("A long story.", audio=30.0)]) as session:
        speak(assistant)
        assert eventually(lambda: "response.output_audio.done" in types(session.sent))
        speak(assistant)
        assert eventually(lambda: "conversation.item.truncated" in types(session.sent))
    truncate = only(session.received, "conversation.item.truncate")
    assert 0 <= truncate["audio_end_ms"] < 30_000
