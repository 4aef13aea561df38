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
# File and line of each error.
Found = set[tuple[str, int]]
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


# Both are strict.
CHECKERS = {"mypy": mypy, "pyright": pyright}


def write_programs(folder: Path) -> None:
    """Write our program and the SDK's, with the same lines below the imports."""
    text = (HERE / "compared.py").read_text("utf-8")
    start, end = text.index("# ours\n"), text.index("# end\n")
    (folder / "ours.py").write_text(text, "utf-8")
    sdk = SDK.rjust(len(SDK) + text[start:end].count("\n") - SDK.count("\n"), "\n")
    (folder / "sdk.py").write_text(text[:start] + sdk + text[end:], "utf-8")


def table(checked: dict[str, Found]) -> str:
    """The table in markdown, from what each checker found."""
    kinds: dict[int, str] = {}
    for number, line in enumerate((HERE / "compared.py").read_text("utf-8").splitlines(), 1):
        kind = line.partition("  # ")[2]
        if kind:
            kinds[number] = kind
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
