"""`make wire`: recordings to proposed overlay actions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from oas_patch.overlay import apply_overlay
from ruamel.yaml import YAML

import spec
from simplify import simplified

ROOT = Path(__file__).parents[2]
RESPONSE: dict[str, Any] = {"id": "resp_1", "object": "realtime.response", "status": "completed"}
EVENTS = [
    {"type": "response.done", "event_id": "e", "response": {**RESPONSE, "mood": "happy"}},
    {"type": "response.done", "event_id": "e", "response": {**RESPONSE, "mood": "sad"}},
    {"type": "response.done", "event_id": "e", "response": {**RESPONSE, "status": "paused"}},
    {"type": "response.done", "event_id": "e", "response": {**RESPONSE, "id": None}},
    {"type": "response.done", "response": RESPONSE},
    {"type": "mood.changed", "event_id": "e", "mood": "happy", "parts": [1], "level": 0.5},
]


def run(folder: Path, events: list[Any]) -> subprocess.CompletedProcess[str]:
    recording = folder / "session.jsonl"
    lines = [json.dumps({"from": "server", "event": event}) for event in events]
    recording.write_text("\n".join(lines) + "\n", "utf-8")
    return subprocess.run(
        [sys.executable, "openapi/recorded.py", str(recording)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture(scope="module")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> Any:
    done = run(tmp_path_factory.mktemp("wire"), EVENTS)
    assert (done.returncode, done.stderr) == (1, "")
    return YAML(typ="safe", pure=True).load(done.stdout)


def test_each_deviation_is_an_action_with_its_evidence(overlay: Any) -> None:
    schemas = "$.components.schemas"
    assert {action["target"]: action["description"] for action in overlay["actions"]} == {
        f"{schemas}.RealtimeResponse.properties": (
            "TODO say why. Seen 2 times, first in session.jsonl:1 response.done.response.mood."
        ),
        f"{schemas}.RealtimeResponse.properties.status.enum": (
            "TODO say why. Seen once, first in session.jsonl:3 response.done.response.status."
        ),
        f"{schemas}.RealtimeResponse.properties.id": (
            "TODO say why. Seen once, first in session.jsonl:4 response.done.response.id."
        ),
        f"{schemas}.RealtimeServerEventResponseDone.required": (
            "TODO say why. Seen once, first in session.jsonl:5 response.done.event_id."
        ),
        f"{schemas}.RealtimeServerEventResponseDone": (
            "TODO say why. Seen once, first in session.jsonl:5 response.done.event_id. All others."
        ),
        schemas: "TODO say why. Seen once, first in session.jsonl:6 mood.changed.",
        f"{schemas}.RealtimeServerEvent": (
            "TODO say why. Seen once, first in session.jsonl:6 mood.changed. A member."
        ),
    }


def test_the_actions_make_the_schema_say_what_was_seen(overlay: Any) -> None:
    ga = ROOT / "openapi/ga.yaml"
    document = spec.merged(ga, ga.parent / "overlays/ga.yaml")
    for action in overlay["actions"]:
        document = json.loads(json.dumps(apply_overlay(document, {"actions": [action]})))
    schemas = simplified(document)["components"]["schemas"]
    response = schemas["RealtimeResponse"]["properties"]
    assert response["mood"]["type"] == "string"
    assert "paused" in response["status"]["enum"]
    assert response["id"]["nullable"] is True
    assert schemas["RealtimeServerEventResponseDone"]["required"] == ["type", "response"]
    event = schemas["RealtimeServerEventMoodChanged"]["properties"]
    assert event["type"]["enum"] == ["mood.changed"]
    assert event["parts"]["items"] == {"type": "integer"}
    assert event["level"]["type"] == "number"
    mapping = schemas["RealtimeServerEvent"]["discriminator"]["mapping"]
    assert mapping["mood.changed"].endswith("/RealtimeServerEventMoodChanged")


def test_what_fits_needs_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, [{"type": "response.done", "event_id": "e", "response": RESPONSE}])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "The recordings have nothing that the schema lacks.\n"


def test_what_is_no_recording(tmp_path: Path) -> None:
    done = run(tmp_path, ["text"])
    assert done.returncode == 2
    assert done.stderr.startswith("error: line 1: ")
