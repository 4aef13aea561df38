"""Servers that others wrote, checked: what is found is what docs/guides/checking.md says.

`make servers` installs them and runs this. It is not among the tests that `make test` runs.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from openai_realtime_client.testing import ReplayServer, check_server

HERE = Path(__file__).parent
ROOT = HERE.parent
AIMOCK = ROOT / "build/servers/node_modules/@copilotkit/aimock/dist/cli.js"
LITELLM = ROOT / ".venv-servers/bin/litellm"
PYTHON = ROOT / ".venv-servers/bin/python"
GUIDE = (ROOT / "docs/guides/checking.md").read_text("utf-8")
KEY = "sk-check"


def documented(heading: str) -> list[str]:
    """The findings below a heading of the guide."""
    lines = GUIDE.split(f"### {heading}\n", 1)[1].split("```text\n", 1)[1].split("```", 1)[0]
    return lines.splitlines()


@contextlib.contextmanager
def started(command: list[Any], **env: str) -> Iterator[str]:
    """Run a server, with `PORT` in its command for the port, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [port if part == "PORT" else str(part) for part in command]
    with (ROOT / "build/servers.log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, **env}, cwd=ROOT / "build"
        )
    try:
        wait_for(int(port), process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server listens: the proxy takes half a minute."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.2)
    pytest.fail("the server does not listen; see build/servers.log")


def test_aimock() -> None:
    command = ["node", AIMOCK, "-p", "PORT", "-f", HERE / "aimock.json"]
    with started(command) as url:
        findings = check_server(url, timeout=2)
    # How often each comes is not written down.
    assert [str(replace(finding, count=1)) for finding in findings] == documented("aimock")


def test_speech_to_speech() -> None:
    with started([PYTHON, HERE / "speech_to_speech_server.py", "PORT"]) as url:
        findings = check_server(url, timeout=2)
    lines: list[str] = []
    for finding in findings:
        # The guide says once that it sends null. When it closes or ends a response is a race.
        is_null = finding.about.startswith("wrong type null")
        is_race = finding.kind == "closed" or finding.turn == "cancel"
        if not is_null and not is_race:
            lines.append(str(replace(finding, count=1)))
    assert lines == documented("speech-to-speech")


@pytest.fixture(scope="module")
def proxy() -> Iterator[str]:
    command = [LITELLM, "--config", HERE / "litellm.yaml", "--port", "PORT", "--host", "127.0.0.1"]
    with (
        ReplayServer(api_key="sk-upstream") as server,
        started(command, UPSTREAM=server.url, LITELLM_LOCAL_MODEL_COST_MAP="True") as url,
    ):
        yield url


@pytest.mark.parametrize("protocol", ["ga", "v1"])
def test_litellm(proxy: str, protocol: Literal["ga", "v1"]) -> None:
    assert check_server(proxy, protocol=protocol, api_key=KEY) == []
