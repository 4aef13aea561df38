"""What `python -m build` and `pip install .` give."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from protocols import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"openai_realtime_client"}
    assert "openai_realtime_client/py.typed" in names
    in_tree = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "openai_realtime_client").rglob("*.py")
    }
    assert {name for name in names if name.endswith(".py")} == in_tree


def test_the_metadata(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
    metadata = archive.read(name).decode()
    required = [
        re.split("[<>=]", line.removeprefix("Requires-Dist: "))[0]
        for line in metadata.splitlines()
        if line.startswith("Requires-Dist: ") and "extra ==" not in line
    ]
    assert required == ["pydantic", "python-dateutil", "typing-extensions", "urllib3"]
    assert "Provides-Extra: websocket" in metadata
    assert "Requires-Python: >=3.10" in metadata
    assert "License-Expression: MIT" in metadata or "License: MIT" in metadata


def test_the_sample_program_runs() -> None:
    command = [sys.executable, ROOT / "test/typing/sample_program.py"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "completed (known: True), None tokens, calls []",
        "unknown: ping",
        '{"type":"session.update","session":{"voice":"ash","input_audio_transcription":null,'
        '"turn_detection":{"type":"server_vad","threshold":0.5},"temperature":1}}',
        '{"type":"response.create","response":{"modalities":["text"],'
        '"voice":"a voice of another server","max_response_output_tokens":100}}',
    ]
