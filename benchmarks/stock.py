"""Make the client that openapi-generator gives without templates of ours: `stock.py FOLDER`.

Run it with the Python of `.venv`: it reads the GA fragment as `make generate` does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

OPENAPI = Path(__file__).parent.parent / "openapi"

sys.path.insert(0, str(OPENAPI))
import spec  # noqa: E402


def main(folder: Path) -> None:
    """Write the merged document, and have the generator make `stock_client` of it, to be installed.

    Its version is that of the generator.
    """
    document = spec.merged(OPENAPI / "ga.yaml", OPENAPI / "overlays/ga.yaml")
    folder.mkdir(parents=True, exist_ok=True)
    # JSON is YAML, and the generator wants that ending.
    source = folder / "ga.yaml"
    source.write_text(json.dumps(document), "utf-8")
    generator = Path(sys.executable).parent / "openapi-generator-cli"
    properties = f"packageName=stock_client,packageVersion={version('openapi-generator-cli')}"
    options = ["-g", "python", "-i", source, "-o", folder, "--additional-properties", properties]
    with (folder / "generator.log").open("w", encoding="utf-8") as log:
        subprocess.run([generator, "generate", *options], stdout=log, stderr=log, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
