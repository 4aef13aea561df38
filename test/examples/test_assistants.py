"""The voice assistants, with the devices of a backend that needs none."""

from __future__ import annotations

import asyncio
import importlib
import threading
import time
from functools import partial
from types import ModuleType
from typing import Any

import miniaudio
import pytest

from example_programs import EXAMPLES, KEY, eventually, heard, only, types
from openai_realtime_client import ConnectionClosedError
from openai_realtime_client.audio import DeviceError, Microphone, Speaker
from openai_realtime_client.testing import Answer, Call, Faults, ReplayServer, ReplaySession

# assistant.py
# assistant_threads.py

LOUD = b"\x00\x40\x00\xc0" * 480


@pytest.fixture(params=["assistant", "assistant_threads"])
def assistant(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module; its `microphones` are those that it has opened."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    module: Any = importlib.import_module(request.param)
    module.microphones = []

    def microphone() -> Microphone:
        opened = Microphone(backend="null")
        module.microphones.append(opened)
        return opened

    monkeypatch.setattr(module, "Microphone", microphone)
    monkeypatch.setattr(module, "Speaker", partial(Speaker, backend="null"))
    return module  # type: ignore[no-any-return]


class Talking:
    """A running assistant. The context ends it, as Ctrl-C does, by closing its session."""

    def __init__(self, module: Any, server: ReplayServer) -> None:
        self.module, self.server = module, server
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            talking = self.module.main()
            if talking is not None:
                asyncio.run(talking)
        except BaseException as error:
            self.error = error

    def __enter__(self) -> Talking:
        self._thread.start()
        eventually(
            lambda: self.server.sessions and "session.update" in types(self.session.received)
        )
        return self

    def __exit__(self, *_: object) -> None:
        for microphone in self.module.microphones:
            microphone.close()
        self._thread.join(10)
        assert not self._thread.is_alive()

    @property
    def session(self) -> ReplaySession:
        return self.server.sessions[0]

    def speak(self) -> None:
        """Say half a second, and be silent then."""
        [microphone] = self.module.microphones
        for _ in range(12):
            microphone._chunks.append(LOUD)
            time.sleep(0.01)


def talking(module: Any, server: ReplayServer, monkeypatch: pytest.MonkeyPatch) -> Talking:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    return Talking(module, server)


def test_assistant_hears_calls_a_function_and_speaks(
    assistant: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [Answer(calls=[Call("get_weather", {"city": "Oslo"})]), "It is sunny."]
    with (
        ReplayServer(api_key=KEY, answers=answers) as server,
        talking(assistant, server, monkeypatch) as program,
    ):
        program.speak()
        session = program.session
        printed: list[str] = []

        def is_printed() -> bool:
            printed.append(capsys.readouterr().out)
            return "".join(printed) == "It is sunny.\n"

        assert eventually(is_printed)
    output = [
        event.to_dict()["item"]
        for event in session.received
        if event.type == "conversation.item.create"
    ]
    assert [item["output"] for item in output] == ["Sunny in Oslo, 21 degrees."]
    assert LOUD in heard(session)
    assert program.error is None


def test_microphone_that_goes_away_ends_the_session(
    assistant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ReplayServer(api_key=KEY) as server, talking(assistant, server, monkeypatch) as program:
        [microphone] = assistant.microphones
        miniaudio.lib.ma_device_stop(microphone._device._device)
        assert eventually(lambda: program.session.close_code) == 1000
    if assistant.__name__ == "assistant":
        assert isinstance(program.error, DeviceError)


def test_lost_session_ends_the_program(assistant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = Faults(cut_after=2)
    with (
        ReplayServer(api_key=KEY, faults=faults) as server,
        talking(assistant, server, monkeypatch) as program,
    ):
        assert eventually(lambda: program.error)
    assert isinstance(program.error, ConnectionClosedError)


def test_speaking_interrupts_what_is_said(assistant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        ReplayServer(api_key=KEY, answers=[Answer("A long story.", audio=30.0)]) as server,
        talking(assistant, server, monkeypatch) as program,
    ):
        program.speak()
        session = program.session
        assert eventually(lambda: "response.output_audio.done" in types(session.sent))
        program.speak()
        assert eventually(lambda: "conversation.item.truncated" in types(session.sent))
    truncate = only(session.received, "conversation.item.truncate")
    assert 0 <= truncate["audio_end_ms"] < 30_000
