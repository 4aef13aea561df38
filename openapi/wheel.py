"""The types of an `openai` wheel as an OpenAPI document.

Run as a program, it prints that document for the `openai` that it can import.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from spec import REFERENCE, SpecError

FOLDER = Path("build/upstream")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
# A request in the source of the wheel: its method and path.
REQUEST = re.compile(r'_(get|post|delete)\(\s*(?:path_template\()?"([^"]+)"')


def newest() -> str:
    """Return the version of the newest wheel that the package index has."""
    printed = _run(*PIP, "index", "versions", "openai")
    newest = re.search(r"^openai \((\S+)\)", printed, re.MULTILINE)
    if not newest:
        raise SpecError("the package index does not say which version of openai is the newest")
    return newest[1]


def document(version: str, source: dict[str, Any]) -> dict[str, Any]:
    """Return those of the types in `x-upstream` that a version has; it is installed in `build/`."""
    folder = FOLDER / version
    # A wheel of a version never changes, so that what was installed stays.
    if not (folder / "openai").exists():
        _run(*PIP, "install", "-q", "--target", str(folder), f"openai=={version}")
    # In a process of its own: this one may have imported another `openai`.
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{Path(__file__).parent}"}
    command = (sys.executable, "-B", __file__, json.dumps(source))
    found: dict[str, Any] = json.loads(_run(*command, env=environment))
    return found


def _run(*command: str, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        # The last line says why; pip writes notices before it.
        reason = done.stderr.strip().splitlines()[-1:] or ["no output"]
        raise SpecError(f"{' '.join(command[:6])} failed: {reason[0]}")
    return done.stdout


def _print_document(source: dict[str, Any]) -> None:
    """Print the document, in a process of its own, which imports the wheel."""
    import openai
    from openai._models import BaseModel

    # Before the types are imported, which inherit it: their fields are described by docstrings.
    BaseModel.model_config["use_attribute_docstrings"] = True
    import importlib

    from pydantic import ConfigDict, TypeAdapter

    adapters = []
    for name, path in source["types"].items():
        module, _, attribute = f"openai.types.{path}".rpartition(".")
        try:
            found = getattr(importlib.import_module(module), attribute)
        # An older wheel lacks what is new; the caller says so of a newer one.
        except (AttributeError, ImportError):
            continue
        config = ConfigDict(use_attribute_docstrings=True)
        adapter: TypeAdapter[Any] = TypeAdapter(list[found], config=config)
        adapters.append((name, "validation", adapter))
    template = REFERENCE + "{model}"
    roots, definitions = TypeAdapter.json_schemas(adapters, ref_template=template)  # type: ignore[arg-type]
    schemas = definitions.get("$defs", {})
    for schema in schemas.values():
        for child in schema.get("properties", {}).values():
            child.pop("title", None)
            # Models say `Optional` of each field that may be absent.
            if "default" in child and child.pop("default") is None and "anyOf" in child:
                child["anyOf"] = [part for part in child["anyOf"] if part != {"type": "null"}]
    for (name, _mode), schema in roots.items():
        # A class may have the name of its root.
        schemas.setdefault(name, schema["items"])
    # The paths that the resources call; nothing else of them is in the wheel.
    folder = Path(str(openai.__file__)).parent / "resources" / source["resources"]
    paths: dict[str, Any] = {}
    for file in sorted(folder.rglob("*.py")):
        for method, path in REQUEST.findall(file.read_text("utf-8")):
            paths.setdefault(path, {})[method] = {"responses": {}}
    text = json.dumps({"paths": paths, "components": {"schemas": schemas}})
    # Classes of the same name are called by the path of their modules.
    print(re.sub(r"openai__types__(\w+)", lambda found: found[1].replace("__", ":"), text))


if __name__ == "__main__":
    _print_document(json.loads(sys.argv[1]))
