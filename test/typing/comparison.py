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


def mypy(folder: Path) -> set[tuple[str, int]]:
    """File and line of each error of mypy, strict, in the programs of the folder."""
    programs = sorted(map(str, folder.glob("*.py")))
    done = subprocess.run(
        [BIN / "mypy", "--strict", "--no-error-summary", "--config-file=", *programs],
        # There `make types` has cached what it found of the package.
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r"(\w+\.py):(\d+): error", done.stdout)
    assert found, done.stdout + done.stderr
    return {(name, int(line)) for name, line in found}


def pyright(folder: Path) -> set[tuple[str, int]]:
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


CHECKERS = {"mypy": mypy, "pyright": pyright}


def write_programs(folder: Path) -> None:
    """Write our program and the SDK's, with the same lines below the imports."""
    text = (HERE / "compared.py").read_text("utf-8")
    start, end = text.index("# ours\n"), text.index("# end\n")
    (folder / "ours.py").write_text(text, "utf-8")
    sdk = SDK.rjust(len(SDK) + text[start:end].count("\n") - SDK.count("\n"), "\n")
    (folder / "sdk.py").write_text(text[:start] + sdk + text[end:], "utf-8")


def table(checked: dict[str, set[tuple[str, int]]]) -> str:
    """The table in markdown, from what each checker found."""
    text = (HERE / "compared.py").read_text("utf-8")
    kinds = {
        number: kind
        for number, line in enumerate(text.splitlines(), 1)
        if (kind := line.partition("  # ")[2])
    }
    columns = []
    for name in ("ours.py", "sdk.py"):
        for checker, found in checked.items():
            lines = {line for file, line in found if file == name}
            assert lines <= kinds.keys(), (name, checker, lines - kinds.keys())
            columns.append(Counter(kinds[line] for line in lines))
    planted = Counter(kinds.values())
    rows = [[kind, count, *(column[kind] for column in columns)] for kind, count in planted.items()]
    rows.append(["all", planted.total(), *(column.total() for column in columns)])
    header = ["mistake", "planted", "ours: mypy", "pyright", "SDK: mypy", "pyright"]
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        write_programs(Path(made))
        checked = {name: check(Path(made)) for name, check in CHECKERS.items()}
        print(f"openai {version('openai')}\n{table(checked)}")
