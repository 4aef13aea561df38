"""`make callers`: the programs of a revision against today's package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from protocols import ROOT

GUIDE = """# Connecting

```python
from openai_realtime_client import ga

async with ga.connect("gpt-realtime-2.1") as connection:
    await connection.shout("Hello.")
```
"""


def test_programs_that_no_longer_fit_are_listed(tmp_path: Path) -> None:
    (tmp_path / "openai_realtime_client").symlink_to(ROOT / "openai_realtime_client")
    for name, text in {
        "examples/fine.py": "from openai_realtime_client import ga\nga.connect_sync('m').open()\n",
        "examples/stale.py": "from openai_realtime_client import ga\nga.connect_sync(modell='m')\n",
        "docs/guides/connecting.md": GUIDE,
        "README.md": "# No programs\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "examples", "docs", "README.md")
    git(tmp_path, "commit", "-qm", "Programs")
    (tmp_path / "examples/stale.py").unlink()  # The revision counts, not the tree.
    done = subprocess.run(
        [sys.executable, ROOT / "openapi/callers.py", "HEAD"],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    guide, stale, total = sorted(done.stdout.splitlines(), key=lambda line: line.startswith("2 "))
    assert guide.startswith("connecting_1.py:5: ")
    assert "shout" in guide
    assert stale == 'stale.py:2: No parameter named "modell"'
    assert total == "2 errors in 3 programs"


def git(root: Path, *arguments: str) -> None:
    author = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(["git", *author, *arguments], cwd=root, check=True)
