"""Type-check the programs of a revision against today's package: `make callers SINCE=revision`."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import spec
from changes import PACKAGE, checkout

PROGRAMS = Path("build/callers")
PYRIGHT = (sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable)
# What a change of the package causes; a part of a guide's program lacks names of its own.
RULES = {
    *("reportAttributeAccessIssue", "reportCallIssue", "reportArgumentType", "reportIndexIssue"),
    *("reportMissingImports", "reportAbstractUsage", "reportGeneralTypeIssues"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("since", help="a git revision")
    try:
        root = checkout(parser.parse_args().since)
    except spec.SpecError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    count = collect(root)
    done = subprocess.run(
        [*PYRIGHT, "-p", str(PROGRAMS)],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    found = [
        each
        for each in json.loads(done.stdout)["generalDiagnostics"]
        if each["severity"] == "error" and each.get("rule") in RULES
    ]
    for each in found:
        path = Path(each["file"]).relative_to(PROGRAMS.resolve())
        line = each["range"]["start"]["line"] + 1
        print(f"{path}:{line}: {each['message'].splitlines()[0]}")
    print(f"{len(found)} errors in {count} programs")
    return int(bool(found))


def collect(root: Path) -> int:
    """Write the programs of a tree into a folder; returns how many there are."""
    shutil.rmtree(PROGRAMS, ignore_errors=True)
    PROGRAMS.mkdir(parents=True)
    for example in (root / "examples").glob("*.py"):
        shutil.copy(example, PROGRAMS)
    for page in [root / "README.md", *(root / "docs/guides").glob("*.md")]:
        blocks = re.findall(r"^( *)```python\n(.*?)^ *```", page.read_text("utf-8"), re.M | re.S)
        for number, (_indent, block) in enumerate(blocks, 1):
            # `await` stands in a function that the page does not show.
            body = textwrap.indent(textwrap.dedent(block), "    ")
            program = f"async def program() -> None:\n{body}"
            (PROGRAMS / f"{page.stem}_{number}.py").write_text(program, "utf-8")
    config = {"typeCheckingMode": "standard", "extraPaths": [str(Path(PACKAGE).parent.resolve())]}
    (PROGRAMS / "pyrightconfig.json").write_text(json.dumps(config), "utf-8")
    return len(list(PROGRAMS.glob("*.py")))


if __name__ == "__main__":
    sys.exit(main())
