"""`talk`: sessions by file, keyboard and devices with the embedded server, and how they fail."""

from __future__ import annotations

import math
import re
import signal
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command_line import KEY, Cli, Terminal, in_shell
from openai_realtime_client.testing import Answer, Faults, ReplayServer
from openai_realtime_client.testing.recording import read_recording

QUESTION = str(Path(__file__).parents[2] / "examples" / "question.wav")
SPOKEN = ["talk", "--embedded", "--fast", "--input"]


def speech(seconds: float, rate: int) -> list[float]:
    """A sound that turn detection takes for speech, from -1 to 1."""
    return [0.3 * math.sin(index * 2400 / rate) for index in range(int(seconds * rate))]


def write_wav(
    path: Path, samples: list[float], rate: int = 24000, channels: int = 1, width: int = 2
) -> str:
    data = bytearray()
    for sample in samples:
        value = round(sample * (2 ** (8 * width - 1) - 1))
        if width == 1:
            value += 128
        data += value.to_bytes(width, "little", signed=width > 1) * channels
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(channels)
        wav.setsampwidth(width)
        wav.setframerate(rate)
        wav.writeframes(data)
    return str(path)


def audio_ms(path: Path) -> int:
    """How much audio the client sent."""
    return sum(
        len(recorded.event["audio"]) * 3 // 4 // 48
        for recorded in read_recording(path)
        if recorded.event["type"] == "input_audio_buffer.append"
    )


def test_transcripts_and_answer_of_a_file(cli: Cli) -> None:
    output = cli.folder / "answer.wav"
    status, out, err = cli.run(*SPOKEN, QUESTION, "--output", str(output))
    assert (status, err) == (0, "")
    assert re.fullmatch(
        r"you: Audio of 2\d{3} ms\.\nmodel: You said: Audio of 2\d{3} ms\.\n"
        r"Turns: 1\nLatency: \d+ ms \(median\) of \d+\nTokens: \d+ \(\d+ input, \d+ output\)\n",
        out,
    )
    with wave.open(str(output)) as wav:
        assert wav.getparams()[:4] == (1, 2, 24000, round(6 * 0.3 * 24000))
    with wave.open(QUESTION) as wav:
        assert wav.getparams()[:3] == (1, 2, 24000)
    assert Path(QUESTION).stat().st_size <= 100_000


@pytest.mark.parametrize(
    ("rate", "channels", "width"),
    [(8000, 1, 1), (44100, 2, 2), (16000, 1, 2), (48000, 1, 3), (48000, 2, 1), (24000, 1, 2)],
)
def test_wav_files_of_other_formats(cli: Cli, rate: int, channels: int, width: int) -> None:
    path = write_wav(cli.folder / "x.wav", speech(1, rate), rate, channels, width)
    record = cli.folder / "s.jsonl"
    status, out, err = cli.run(*SPOKEN, path, "--record", str(record), "--output", "/dev/null")
    assert (status, err) == (0, "")
    assert re.search(r"^you: Audio of 1[1-4]\d\d ms\.$", out, re.MULTILINE)
    assert audio_ms(record) == pytest.approx(1000 + 1200, abs=45)


def test_input_from_a_pipe(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "x.wav", speech(0.5, 8000), 8000, 1, 1)
    for name in (path, QUESTION):
        status, out, err = in_shell(f"cat {name} | $cli {' '.join(SPOKEN)} - --output /dev/null")
        assert (status, err) == (0, "")
        assert out.startswith("you: Audio of ")


def test_pace_is_that_of_speech(cli: Cli) -> None:
    began = time.monotonic()
    status, _, _ = cli.run(*SPOKEN[:2], "--input", QUESTION, "--output", "/dev/null")
    assert status == 0
    assert time.monotonic() - began > 1.85 + 1.2 + 1.5


def test_lines_of_a_pipe_are_answered_one_by_one() -> None:
    status, out, err = in_shell("printf 'Hello.\\n\\nGrüße' | $cli talk --embedded --text")
    assert (status, err) == (0, "")
    assert out.startswith("model: You said: Hello.\nmodel: You said: Grüße\nTurns: 2\n")


def test_terminal_with_interruption_and_resize(tmp_path: Path) -> None:
    pause = [0.0] * 24000
    path = write_wav(tmp_path / "x.wav", speech(0.5, 24000) + pause * 1 + speech(0.5, 24000))
    record = tmp_path / "s.jsonl"
    argv = ["talk", "--embedded", "--input", path, "--output", str(tmp_path / "answer.wav")]
    terminal = Terminal(*argv, "--record", str(record))
    terminal.wait_for("You said: ")
    terminal.resize(20)
    status, out, _ = terminal.end()
    assert status == 0
    assert "\x1b[1myou: \x1b[0mAudio of " in out
    assert re.search(r"\n\x1b\[2m\(interrupted after 0\.\d s\)\x1b\[0m\n", out)
    plain = re.sub(r"\x1b\[\d*m", "", out)
    assert plain.count("model: You said: ") == 2
    assert "Turns: 2\n" in plain
    [truncate] = [
        recorded.event
        for recorded in read_recording(record)
        if recorded.event["type"] == "conversation.item.truncate"
    ]
    assert 0 < truncate["audio_end_ms"] < 1000


def test_typing_interrupts_and_ctrl_c_ends() -> None:
    terminal = Terminal("talk", "--embedded", "--text", NO_COLOR="1")
    terminal.type("One two three four five six seven eight nine.\n")
    terminal.wait_for("model: You said: One")
    terminal.type("Stop.\n")
    terminal.wait_for("You said: Stop.")
    terminal.type("\x03")
    status, out, _ = terminal.end()
    assert status == 0
    assert "\x1b" not in out
    assert "nine." not in out.partition("model: ")[2]
    assert "\nTurns: 2\n" in out


@pytest.fixture
def devices(tmp_path: Path) -> Iterator[tuple[Terminal, Path]]:
    record = tmp_path / "s.jsonl"
    options = ["--embedded", "--backend", "null", "--record", str(record)]
    terminal = Terminal("talk", *options, "--events")
    yield terminal, record
    terminal.child.wait(30)


def test_devices(devices: tuple[Terminal, Path]) -> None:
    terminal, record = devices
    terminal.wait_for("session.updated")
    time.sleep(0.5)
    terminal.child.send_signal(signal.SIGINT)
    status, out, _ = terminal.end()
    assert status == 0
    assert "input_audio_buffer.append" in out
    assert "\x1b[1mTurns\x1b[0m: 0\n" in out
    assert audio_ms(record) >= 200


def test_events(cli: Cli) -> None:
    record = cli.folder / "s.jsonl"
    options = ["--events", "--record", str(record), "--output", str(cli.folder / "a.wav")]
    status, out, _ = cli.run(*SPOKEN, QUESTION, *options)
    assert status == 0
    assert re.search(r"→ input_audio_buffer.append +\d+x [\d,]+ bytes\n", out)
    assert "you: " not in out
    shown = set(re.findall(r"[→←] ([\w.]+)", out))
    assert shown == {recorded.event["type"] for recorded in read_recording(record)}


def talk(cli: Cli, server: ReplayServer[Any, Any], *argv: str) -> Any:
    cli.monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return cli.run("talk", "--url", server.url, *argv, "--fast", "--output", "/dev/null")


def test_settings_are_sent(cli: Cli) -> None:
    options = ["--voice", "marin", "--instructions", "Be brief.", "--model", "gpt-realtime-mini"]
    with ReplayServer(api_key=KEY) as server:
        assert talk(cli, server, "--input", QUESTION, *options)[0] == 0
    [session] = server.sessions
    assert "model=gpt-realtime-mini" in session.request_path
    update = session.received[0].to_dict()["session"]
    assert update["audio"]["output"] == {"voice": "marin"}
    assert (update["instructions"], update["output_modalities"]) == ("Be brief.", ["audio"])


def test_azure(cli: Cli) -> None:
    cli.monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    with ReplayServer() as server:
        options = ["--azure", server.azure_endpoint, "--model", "mine", "--output", "/dev/null"]
        assert cli.run("talk", *options, "--input", QUESTION, "--fast").status == 0
    assert server.sessions[0].request_path == "/openai/v1/realtime?model=mine"
    assert server.sessions[0].headers["api-key"] == KEY


ERROR = {"code": "insufficient_quota", "message": "The quota is used up."}


ASK = ["--input", QUESTION]
QUOTA = f"failed, insufficient_quota: {ERROR['message']}"
EXPIRED = "the session has reached its maximum duration"


@pytest.mark.parametrize(
    ("options", "argv", "status", "message"),
    [
        ({"answers": lambda _: Answer(error=ERROR)}, ASK, 0, QUOTA),
        ({"faults": Faults(expire_after=4)}, ASK, 1, EXPIRED),
        ({"faults": Faults(close_after=2, close_code=1000)}, ASK, 1, "closed the session"),
        ({"faults": Faults(cut_after=3)}, ASK, 1, "talk: the connection was lost (1006"),
        ({"faults": Faults(refuse=429)}, ASK, 1, "429"),
        ({}, ["--input", __file__], 1, " is not an audio file"),
        ({}, ["--input", "missing"], 1, "No such file"),
        ({}, ["--backend", "x"], 1, "no audio backend 'x'; expected one of"),
    ],
    ids=[
        *("failed_response", "session_expired", "closed_by_server", "lost", "refused"),
        *("not_a_wav", "no_file", "backend"),
    ],
)
def test_what_goes_wrong_is_one_line(
    cli: Cli, options: dict[str, Any], argv: list[str], status: int, message: str
) -> None:
    with ReplayServer(**options) as server:
        found, _, err = talk(cli, server, *argv)
    assert found == status
    assert message in err
    assert 1 <= err.count("\n") <= 2
    assert KEY not in err
