"""`make wire`: recordings to proposed overlay actions."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from oas_patch.overlay import apply_overlay
from ruamel.yaml import YAML

import recorded
from protocols import GA, ROOT
from simplify import simplified

RESPONSE: dict[str, Any] = {"id": "resp_1", "object": "realtime.response", "status": "completed"}
EVENTS = [
    {"type": "response.done", "event_id": "e", "response": {**RESPONSE, "mood": "happy"}},
    {"type": "response.done", "event_id": "e", "response": {**RESPONSE, "mood": "sad"}},
    {"type": "response.done", "event_id": "e", "response": {**RESPONSE, "status": "paused"}},
    {"type": "response.done", "event_id": "e", "response": {**RESPONSE, "id": None}},
    {"type": "response.done", "response": RESPONSE},
    {"type": "mood.changed", "event_id": "e", "mood": "happy", "parts": [1], "level": 0.5},
]


Run = Callable[[list[Any]], tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process, which has the fragment parsed; its status and outputs."""

    def run(events: list[Any]) -> tuple[int, str, str]:
        recording = tmp_path / "session.jsonl"
        lines = [json.dumps({"from": "server", "event": event}) for event in events]
        recording.write_text("\n".join(lines) + "\n", "utf-8")
        monkeypatch.chdir(ROOT)
        monkeypatch.setattr(sys, "argv", ["recorded.py", str(recording)])
        return recorded.main(), *capsys.readouterr()

    return run


@pytest.fixture
def overlay(run: Run) -> Any:
    status, out, err = run(EVENTS)
    assert (status, err) == (1, "")
    return YAML(typ="safe").load(out)


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
    document = copy.deepcopy(GA.document)
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


def test_what_fits_needs_nothing(run: Run) -> None:
    assert run([{"type": "response.done", "event_id": "e", "response": RESPONSE}]) == (
        0,
        "The recordings have nothing that the schema lacks.\n",
        "",
    )


def test_what_is_no_recording(run: Run) -> None:
    status, out, err = run(["text"])
    assert (status, out) == (2, "")
    assert err.startswith("error: line 1: ")


def test_it_runs_as_a_program() -> None:
    command = [sys.executable, "openapi/recorded.py", "--protocol", "none", "session.jsonl"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (2, "error: openapi/none.yaml: no such file\n")
