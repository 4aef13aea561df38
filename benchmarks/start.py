"""What new interpreters take, from start to end: bare, with a package imported, with a first event.

A program of its own, which prints JSON: on Linux, what a process starts counts its memory, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from tempfile import TemporaryDirectory

import payloads

ROUNDS = 15
TEXT = payloads.dumped(payloads.server_event("session.created"))
ONE_CLASS = "class Model(pydantic.BaseModel):\n    field: str"
OURS = "from openai_realtime_client import ga"
SDK = "import openai\nfrom openai.resources.realtime.realtime import RealtimeConnection"
PROGRAMS = {
    "bare": "pass",
    "root": "import openai_realtime_client",
    "ga": "import openai_realtime_client.ga",
    "pydantic": f"import pydantic\n{ONE_CLASS}",
    "dependencies": f"import asyncio, websockets.asyncio.client, pydantic\n{ONE_CLASS}",
    "ours": f"{OURS}\nga.parse_server_event({TEXT!r})",
    # No client is made, only what parses: the least that a program with the SDK does.
    "SDK": f"{SDK}\nRealtimeConnection(None).parse_event({TEXT!r})",
    "ours, append": f"{OURS}\nga.RealtimeClientEventInputAudioBufferAppend(audio='AAAA').to_json()",
    "SDK, append": f"{SDK}\nfrom types import SimpleNamespace\n"
    "connection = RealtimeConnection(SimpleNamespace(send=str))\n"
    "connection.input_audio_buffer.append(audio='AAAA')",
    "ours, connect": f"{OURS}\nga.connect('m', api_key='k')",
    # It imports this when a connection is opened.
    "SDK, connect": "import openai, websockets.asyncio.client\n"
    "openai.AsyncOpenAI(api_key='k').realtime.connect(model='m')",
}


def main() -> None:
    """Print the CPU seconds and the bytes of each program, in rounds over all of them."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in PROGRAMS}
    with TemporaryDirectory() as folder:
        for program in PROGRAMS.values():
            run(program, folder)  # The first run writes the bytecode that later ones read.
        for _ in range(ROUNDS):
            for name, program in PROGRAMS.items():
                found[name].append(run(program, folder))
    print(json.dumps(found))


def run(program: str, folder: str) -> tuple[float, float]:
    """The CPU seconds and the bytes of one run."""
    # As installed packages do, all read bytecode, even where the environment forbids writing it.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    child = subprocess.Popen([sys.executable, "-c", program], env=environment, cwd=folder)
    # Popen.wait() does not tell what this child used.
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"this failed in a new interpreter: {program:.200}")
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit


if __name__ == "__main__":
    main()
