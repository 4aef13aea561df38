"""What the types of an `openai` wheel say, as an OpenAPI document.

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

# Each root of the fragment, and the type that describes it in the wheel.
ROOTS = {
    "RealtimeServerEvent": "realtime.RealtimeServerEvent",
    "RealtimeClientEvent": "realtime.RealtimeClientEventParam",
    "RealtimeClientEventResponseCreate": "realtime.ResponseCreateEventWithReferencesParam",
    "RealtimeTranslationServerEvent": "realtime.RealtimeTranslationServerEvent",
    "RealtimeTranslationClientEvent": "realtime.RealtimeTranslationClientEventParam",
    "RealtimeTranslationClientSecretCreateRequest": (
        "realtime.translations.ClientSecretCreateParams"
    ),
    "RealtimeTranslationClientSecretCreateResponse": (
        "realtime.RealtimeTranslationClientSecretCreateResponse"
    ),
    "RealtimeSessionCreateRequestGA": "realtime.CallAcceptParams",
    "RealtimeCallCreateRequest": "realtime.CallCreateParams",
    "RealtimeCallReferRequest": "realtime.CallReferParams",
    "RealtimeCallRejectRequest": "realtime.CallRejectParams",
    "RealtimeCreateClientSecretRequest": "realtime.ClientSecretCreateParams",
    "RealtimeCreateClientSecretResponse": "realtime.ClientSecretCreateResponse",
    "WebhookRealtimeCallIncoming": "webhooks.RealtimeCallIncomingWebhookEvent",
}
FOLDER = Path("build/upstream")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


def newest() -> str:
    """The version of the newest wheel that the package index has."""
    said = _run(*PIP, "index", "versions", "openai")
    found = re.search(r"^openai \((\S+)\)", said, re.MULTILINE)
    if not found:
        raise SpecError("the package index does not say which version of openai is the newest")
    return found[1]


def document(version: str) -> dict[str, Any]:
    """The types of a version, which is installed below `build/` first."""
    folder = FOLDER / version
    if not (folder / "openai").exists():
        _run(*PIP, "install", "-q", "--target", str(folder), f"openai=={version}")
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{Path(__file__).parent}"}
    found: dict[str, Any] = json.loads(_run(sys.executable, "-B", __file__, env=environment))
    return found


def _run(*command: str, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["no output"]
        raise SpecError(f"{' '.join(command[:6])} failed: {reason[0]}")
    return done.stdout


def _print_document() -> None:
    """In a process of its own, which imports the wheel."""
    from openai._models import BaseModel

    # Before the types are imported, which inherit it: their fields are described by docstrings.
    BaseModel.model_config["use_attribute_docstrings"] = True
    import importlib

    from pydantic import ConfigDict, TypeAdapter

    adapters = []
    for name, path in ROOTS.items():
        module, _, attribute = path.rpartition(".")
        try:
            kind = getattr(importlib.import_module(f"openai.types.{module}"), attribute)
        except (AttributeError, ImportError):
            continue  # It is newer than this wheel.
        adapter: TypeAdapter[Any] = TypeAdapter(
            list[kind], config=ConfigDict(use_attribute_docstrings=True)
        )
        adapters.append((name, "validation", adapter))
    template = REFERENCE + "{model}"
    roots, definitions = TypeAdapter.json_schemas(adapters, ref_template=template)  # type: ignore[arg-type]
    schemas = definitions.get("$defs", {})
    for schema in schemas.values():
        _forget_null(schema)
    found = {f"root:{name}": schema["items"] for (name, _mode), schema in roots.items()}
    text = json.dumps({"paths": _paths(), "components": {"schemas": {**schemas, **found}}})
    # Classes of the same name are called by the path of their modules.
    print(re.sub(r"openai__types__(\w+)", lambda found: found[1].replace("__", ":"), text))


def _forget_null(schema: dict[str, Any]) -> None:
    """Models say `Optional` of each field that may be absent, whether or not it may be null."""
    for child in schema.get("properties", {}).values():
        child.pop("title", None)
        if "default" in child and child.pop("default") is None and "anyOf" in child:
            child["anyOf"] = [each for each in child["anyOf"] if each != {"type": "null"}]


def _paths() -> dict[str, Any]:
    """The paths that the resources call; the wheel says nothing else of them."""
    import openai

    folder = Path(str(openai.__file__)).parent / "resources/realtime"
    calls = [
        call
        for file in sorted(folder.rglob("*.py"))
        for call in re.findall(
            r'_(get|post|delete)\(\s*(?:path_template\()?"([^"]+)"', file.read_text()
        )
    ]
    paths: dict[str, Any] = {}
    for method, path in calls:
        paths.setdefault(path, {})[method] = {"responses": {}}
    return paths


if __name__ == "__main__":
    _print_document()
