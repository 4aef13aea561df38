"""What holds for every example."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from example_programs import EXAMPLES, failure
from openai_realtime_client.testing import ReplayServer

FILES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_file())
NO_ARGUMENTS = ("assistant.py", "assistant_threads.py", "phone.py", "relay.py", "sip.py")
PROGRAMS = [name for name in FILES if name.endswith(".py")]


def test_every_example_has_its_tests() -> None:
    modules = sorted(Path(__file__).parent.glob("test_*.py"))
    source = "".join(path.read_text("utf-8") for path in modules)
    assert sorted(re.findall(r"^# (\w+\.py)$", source, re.MULTILINE)) == PROGRAMS
    others = [name for name in FILES if name not in PROGRAMS]
    assert [name for name in others if f'EXAMPLES / "{name}"' not in source] == []


def test_the_readme_lists_every_example() -> None:
    readme = (EXAMPLES / "README.md").read_text("utf-8")
    links = re.findall(r"\[([\w.]+)\]\(([\w.]+)\)", readme)
    assert all(text == target for text, target in links)
    assert sorted({"README.md", *(target for _, target in links)}) == FILES
    commands = re.findall(r"\| `(python .+)` \|$", readme, re.MULTILINE)
    assert len(commands) == len(PROGRAMS)
    for command in commands:
        name = command.split()[1].removeprefix("examples/")
        assert f"\n    {command}" in (EXAMPLES / name).read_text("utf-8").split('"""')[1]


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in NO_ARGUMENTS])
def test_the_programs_show_their_usage(server: ReplayServer, name: str) -> None:
    assert failure(server, name).startswith(f"usage: {name} ")
