"""What mypy and pyright, both strict, say of programs as users write them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from docs import DOCS, GUIDES, Page
from protocols import ROOT

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
# File and line of each error.
Found = set[tuple[str, int]]
# What is imported in place of our names.
SDK = """
from openai.resources.realtime.realtime import RealtimeConnection as Connection
from openai.types.realtime import ConversationItem as Item
from openai.types.realtime import ConversationItemParam as ItemParam
from openai.types.realtime import InputAudioBufferAppendEvent as Append
from openai.types.realtime import RealtimeAudioInputTurnDetectionParam as TurnsParam
from openai.types.realtime import RealtimeErrorEvent as ErrorEvent
from openai.types.realtime import RealtimeFunctionTool as Tool
from openai.types.realtime import RealtimeReasoning as Reasoning
from openai.types.realtime import RealtimeResponseCreateParams as Params
from openai.types.realtime import RealtimeResponseCreateParamsParam as ParamsParam
from openai.types.realtime import RealtimeServerEvent as Event
from openai.types.realtime import RealtimeSessionCreateRequestParam as SessionParam
from openai.types.realtime import ResponseDoneEvent as DoneEvent
from openai.types.realtime import SessionUpdateEvent as SessionUpdate
"""


def find_errors(*command: Path | str) -> Found:
    """Run a checker and return file and line of each error that it prints."""
    # There `make types` has cached what mypy found of the package.
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = re.findall(r"(\w+\.py):(\d+)[:\d]* (?:- )?error", done.stdout)
    assert found, done.stdout + done.stderr
    return {(name, int(line)) for name, line in found}


def mypy(folder: Path) -> Found:
    programs = sorted(folder.glob("*.py"))
    return find_errors(BIN / "mypy", "--strict", "--no-error-summary", "--config-file=", *programs)


def pyright(folder: Path) -> Found:
    config = {"typeCheckingMode": "strict", "extraPaths": [str(ROOT)]}
    # What a program does with a name that is an error already.
    quiet = ("UnknownVariableType", "UnknownMemberType", "UnusedExpression", "UnusedImport")
    config |= {f"report{name}": False for name in quiet}
    (folder / "pyrightconfig.json").write_text(json.dumps(config), "utf-8")
    return find_errors(BIN / "pyright", "--pythonpath", sys.executable, "-p", folder)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    """The errors in all programs, those of the README and the guides too, by checker."""
    folder = tmp_path_factory.mktemp("programs")
    shutil.copy(HERE / "programs.py", folder)
    for page in (Page(ROOT / "README.md"), *GUIDES):
        for example in page.examples:
            name = f"page_{page.path.stem}_{example.line}.py".replace("-", "_")
            (folder / name).write_text(example.code, "utf-8")
    # Our program and the SDK's, with the same lines below the imports.
    text = (HERE / "compared.py").read_text("utf-8")
    start, end = text.index("# ours\n"), text.index("# end\n")
    (folder / "ours.py").write_text(text, "utf-8")
    sdk = SDK.rjust(len(SDK) + text[start:end].count("\n") - SDK.count("\n"), "\n")
    (folder / "sdk.py").write_text(text[:start] + sdk + text[end:], "utf-8")
    return {"mypy": mypy(folder), "pyright": pyright(folder)}


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_every_mistake_is_reported_and_nothing_else(checker: str, found: dict[str, Found]) -> None:
    expected = set()
    for number, line in enumerate((HERE / "programs.py").read_text("utf-8").splitlines(), 1):
        if checker in line.partition("# error: ")[2]:
            expected.add(("programs.py", number))
    reported = {each for each in found[checker] if each[0] not in ("ours.py", "sdk.py")}
    assert {"not reported": expected - reported, "not expected": reported - expected} == {
        "not reported": set(),
        "not expected": set(),
    }


def test_the_guide_has_the_table_of_mistakes_that_are_reported(found: dict[str, Found]) -> None:
    """The mistakes of `compared.py`, ours beside the SDK's."""
    kinds: dict[int, str] = {}
    for number, line in enumerate((HERE / "compared.py").read_text("utf-8").splitlines(), 1):
        if "  # " in line:
            kinds[number] = line.partition("  # ")[2]
    planted = Counter(kinds.values())
    columns = [planted]
    for name in ("ours.py", "sdk.py"):
        for checker, errors in found.items():
            lines = {line for file, line in errors if file == name}
            assert lines <= kinds.keys(), (name, checker, lines - kinds.keys())
            columns.append(Counter(kinds[line] for line in lines))
    rows = [[kind, *(column[kind] for column in columns)] for kind in planted]
    rows.append(["all", *(column.total() for column in columns)])
    header = ["mistake", "planted", "ours: mypy", "pyright", "SDK: mypy", "pyright"]
    lines_of_table = [header, ["---"] * len(header), *rows]
    table = "\n".join(f"| {' | '.join(map(str, row))} |" for row in lines_of_table)
    assert table in (DOCS / "guides/typing.md").read_text("utf-8")
