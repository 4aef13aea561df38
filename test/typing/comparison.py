"""Count the mistakes of `compared.py` that checkers report, ours beside the SDK's.

`python test/typing/comparison.py` prints the table of `docs/guides/typing.md`. It needs `openai`,
mypy and pyright beside the python that runs it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BIN = Path(sys.executable).parent
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


def mypy(folder: Path, *programs: str) -> set[tuple[str, int]]:
    """File and line of each error of mypy, strict."""
    options = ["--strict", "--no-error-summary", f"--cache-dir={folder}"]
    done = subprocess.run(
        [str(BIN / "mypy"), *options, "--config-file=", *programs],
        cwd=folder,
        env={"MYPYPATH": str(ROOT), "PATH": str(BIN)},
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r"^(\w+\.py):(\d+): error", done.stdout, re.MULTILINE)
    assert found, done.stdout + done.stderr
    return {(name, int(line)) for name, line in found}


def pyright(folder: Path, *_programs: str) -> set[tuple[str, int]]:
    """File and line of each error of pyright, strict, in the programs of the folder."""
    config = {"typeCheckingMode": "strict", "extraPaths": [str(ROOT)]}
    # What a program does with a name that is an error already.
    quiet = ("UnknownVariableType", "UnknownMemberType", "UnusedExpression", "UnusedImport")
    config |= {f"report{name}": False for name in quiet}
    (folder / "pyrightconfig.json").write_text(json.dumps(config), "utf-8")
    done = subprocess.run(
        [str(BIN / "pyright"), "--outputjson", "--pythonpath", sys.executable, "-p", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1)
        for each in found
        if each["severity"] == "error"
    }


def write_programs(folder: Path) -> tuple[str, str]:
    """Write our program and the SDK's, with the same lines below the imports."""
    text = (HERE / "compared.py").read_text("utf-8")
    start, end = text.index("# ours\n"), text.index("# end\n")
    (folder / "ours.py").write_text(text, "utf-8")
    sdk = SDK.rjust(len(SDK) + text[start:end].count("\n") - SDK.count("\n"), "\n")
    (folder / "sdk.py").write_text(text[:start] + sdk + text[end:], "utf-8")
    return "ours.py", "sdk.py"


def table(folder: Path) -> str:
    """The table in markdown."""
    programs = write_programs(folder)
    kinds = {
        number: kind
        for number, line in enumerate((folder / "ours.py").read_text("utf-8").splitlines(), 1)
        if (kind := line.partition("  # ")[2])
    }
    columns = []
    for name in programs:
        for checker in (mypy, pyright):
            lines = {line for file, line in checker(folder, *programs) if file == name}
            assert lines <= kinds.keys(), (name, checker.__name__, lines - kinds.keys())
            columns.append(Counter(kinds[line] for line in lines))
    planted = Counter(kinds.values())
    rows = [[kind, count, *(column[kind] for column in columns)] for kind, count in planted.items()]
    rows.append(["all", planted.total(), *(column.total() for column in columns)])
    header = ["mistake", "planted", "ours: mypy", "pyright", "SDK: mypy", "pyright"]
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        print(f"openai {version('openai')}\n{table(Path(made))}")
