"""`talk`: sessions by file, keyboard and devices with the embedded server, and how they fail."""

from __future__ import annotations

import math
import os
import re
import signal
import struct
import sys
import time
import wave
from pathlib import Path
from typing import Any

import pytest

from command_line import KEY, Cli, Terminal, as_line, client, server
from openai_realtime_client.cli.talk import _read_wav
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


def events_of(record: str) -> list[dict[str, Any]]:
    return [recorded.event for recorded in read_recording(record)]


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
    path = write_wav(cli.folder / "x.wav", speech(0.1, rate), rate, channels, width)
    pcm = b"".join(_read_wav(path))
    assert len(pcm) == pytest.approx(48 * (100 + 1200), abs=48)
    samples = struct.unpack(f"<{len(pcm) // 2}h", pcm)
    assert max(samples) == pytest.approx(9830, rel=0.1)
    assert set(samples[-24 * 1100 :]) == {0}
    reader, writer = os.pipe()
    os.write(writer, Path(path).read_bytes())
    os.close(writer)
    with os.fdopen(reader) as pipe:
        cli.monkeypatch.setattr(sys, "stdin", pipe)
        assert b"".join(_read_wav("-")) == pcm


def test_lines_of_a_pipe_are_answered_one_by_one(cli: Cli) -> None:
    lines = "Hello.\n\nGrüße".encode()
    status, out, err = cli.run("talk", "--embedded", "--text", "--fast", stdin=lines)
    assert (status, err) == (0, "")
    assert out.startswith("model: You said: Hello.\nmodel: You said: Grüße\nTurns: 2\n")


def test_an_answer_that_never_ends_is_not_waited_for(cli: Cli) -> None:
    place = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}
    asked = ("session.update", "conversation.item.create", "response.create")
    script = [
        server(type="session.created", session={"type": "realtime"}),
        *(client(type=event_type) for event_type in asked),
        server(type="response.created", response={"id": "r", "status": "in_progress"}),
        server(type="response.output_text.delta", delta="Hi", **place),
        client(type="response.cancel"),
    ]
    cli.monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ReplayServer(script=list(map(as_line, script))) as replaying:
        options = ["--text", "--url", replaying.url, "--timeout", "0.5"]
        status, out, err = cli.run("talk", *options, stdin=b"Hello.")
    assert (status, out) == (1, "model: Hi")
    assert err.endswith("talk: no answer came within 0.5 s\n")


def test_speech_at_its_pace_interrupts(cli: Cli) -> None:
    cli.monkeypatch.setenv("FORCE_COLOR", "1")
    pause = [0.0] * 24000
    path = write_wav(cli.folder / "x.wav", speech(0.3, 24000) + pause + speech(0.3, 24000))
    record, output = str(cli.folder / "s.jsonl"), str(cli.folder / "answer.wav")
    argv = ["--embedded", "--input", path, "--output", output, "--record", record]
    status, out, _ = cli.run("talk", *argv)
    assert status == 0
    assert "\x1b[1myou: \x1b[0mAudio of " in out
    assert re.search(r"\n\x1b\[2m\(interrupted after 0\.\d s\)\x1b\[0m\n", out)
    plain = re.sub(r"\x1b\[\d*m", "", out)
    assert plain.count("model: You said: ") == 2
    assert "Turns: 2\n" in plain
    [truncate] = [e for e in events_of(record) if e["type"] == "conversation.item.truncate"]
    assert 0 < truncate["audio_end_ms"] < 1000


def test_typing_interrupts_and_ctrl_c_ends() -> None:
    terminal = Terminal("talk", "--embedded", "--text", NO_COLOR="1")
    terminal.type(f"One {'and another ' * 200}nine.\n")
    terminal.wait_for("model: You said: One")
    terminal.resize(20)
    terminal.type("Stop.\n")
    terminal.wait_for("You said: Stop.")
    terminal.type("\x03")
    status, out, _ = terminal.end()
    assert status == 0
    assert "\x1b" not in out
    assert "nine." not in out.partition("model: ")[2]
    # The terminal's echo of Ctrl-C may come before it.
    assert "Turns: 2\n" in out


def test_devices(tmp_path: Path) -> None:
    record = tmp_path / "s.jsonl"
    options = ["--embedded", "--backend", "null", "--record", str(record)]
    terminal = Terminal("talk", *options, "--events")
    terminal.wait_for("session.updated")
    # The timeline shows consecutive pieces of audio when something else happens.
    while terminal.child.poll() is None:
        if record.read_text("utf-8").count("input_audio_buffer.append") >= 5:
            break
        time.sleep(0.05)
    terminal.child.send_signal(signal.SIGINT)
    status, out, _ = terminal.end()
    assert status == 0
    assert "input_audio_buffer.append" in out
    assert "\x1b[1mTurns\x1b[0m: 0\n" in out


def test_settings_are_sent_and_events_shown(cli: Cli) -> None:
    cli.monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    record = str(cli.folder / "s.jsonl")
    options = ["--voice", "marin", "--instructions", "Be brief.", "--events", "--record", record]
    with ReplayServer(api_key=KEY) as server:
        options += ["--azure", server.azure_endpoint, "--model", "mine", "--output", "/dev/null"]
        status, out, _ = cli.run(*["talk", *options, "--input", QUESTION, "--fast"])
    assert status == 0
    [session] = server.sessions
    assert session.request_path == "/openai/v1/realtime?model=mine"
    assert session.headers["api-key"] == KEY
    update = session.received[0].to_dict()["session"]
    assert update["audio"]["output"] == {"voice": "marin"}
    assert (update["instructions"], update["output_modalities"]) == ("Be brief.", ["audio"])
    assert re.search(r"→ input_audio_buffer.append +\d+x [\d,]+ bytes\n", out)
    assert "you: " not in out
    shown = set(re.findall(r"[→←] ([\w.]+)", out))
    assert shown == {event["type"] for event in events_of(record)}
    assert cli.run("inspect", record).out.endswith("Deviations: none\n")


ERROR = {"code": "insufficient_quota", "message": "The quota is used up."}


ASK = ["--input", QUESTION]
NOWHERE = ["--text", "--output", "/no/x.wav"]
QUOTA = f"failed, insufficient_quota: {ERROR['message']}"
CLOSED = Faults(close_after=2, close_code=1000)
LOST = "talk: the connection was lost (1006"
# The server's options, arguments, the exit status, and what the line says.
WRONG: dict[str, tuple[dict[str, Any], list[str], int, str]] = {
    "failed_response": ({"answers": lambda _: Answer(error=ERROR)}, ASK, 0, QUOTA),
    "expired": ({"faults": Faults(expire_after=4)}, ASK, 1, "the session expired (1001: "),
    "closed_by_server": ({"faults": CLOSED}, ASK, 1, "closed the session"),
    "lost": ({"faults": Faults(cut_after=3)}, ASK, 1, LOST),
    "refused": ({"faults": Faults(refuse=429)}, ASK, 1, "429"),
    "not_a_wav": ({}, ["--input", __file__], 1, " is not an audio file"),
    "no_input": ({}, ["--input", "missing"], 1, "No such file"),
    "no_output": ({}, NOWHERE, 1, "No such file"),
    "no_backend": ({}, ["--backend", "x"], 1, "no audio backend 'x'; expected"),
}


@pytest.mark.parametrize(("options", "argv", "status", "message"), WRONG.values(), ids=WRONG)
def test_what_goes_wrong_is_one_line(
    cli: Cli, options: dict[str, Any], argv: list[str], status: int, message: str
) -> None:
    cli.monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ReplayServer(**options) as server:
        argv = ["--url", server.url, "--fast", "--output", "/dev/null", *argv]
        found, _, err = cli.run("talk", *argv)
    assert found == status
    assert message in err
    assert 1 <= err.count("\n") <= 2
    assert KEY not in err
