"""Generation from end to end, in a scratch copy of the repository."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

import generate
from docs import without_html
from protocols import ROOT
from trees import (
    NEW_NAME,
    OLD_NAME,
    REMOVED,
    REMOVED_PROTOCOL,
    Made,
    printed,
    run,
    snapshot,
)

MODELS = "openai_realtime_client/v1/models"
PAGES = "docs/v1"
REMOVED_MODULE = "realtime_server_event_output_audio_buffer_stopped"

# A changed fragment, and new ones


def test_new_fields_values_and_events_work(made: Made) -> None:
    program = f"""
from typing import get_type_hints
from openai_realtime_client.v1 import (
    {NEW_NAME}, RealtimeMCPTiming, RealtimeResponse, RealtimeServerEventConversationRenamed,
    parse_server_event,
)
hints = get_type_hints(RealtimeResponse)
assert hints["speech_rate"] == float | None
assert hints["class_"] == RealtimeResponse.ClassEnum | None
assert hints["speech_style"] == RealtimeResponse.SpeechStyleEnum | None
assert hints["timing"] == RealtimeMCPTiming | None
assert get_type_hints(RealtimeMCPTiming)["lambda_"] == float
response = RealtimeResponse(
    status="brand-new.2",
    class_=RealtimeResponse.ClassEnum.PREMIUM,
    speech_style=RealtimeResponse.SpeechStyleEnum.VERY_LIVELY,
    timing=RealtimeMCPTiming(lambda_=0.25),
)
again = RealtimeResponse.from_json(response.to_json())
assert again == response
assert again.class_ is RealtimeResponse.ClassEnum.PREMIUM
assert again.status is RealtimeResponse.StatusEnum.BRAND_NEW_2
assert again.status.is_known
event = parse_server_event('{{"type":"conversation.renamed","newName":"Trip"}}')
assert type(event) is RealtimeServerEventConversationRenamed
assert event.new_name == "Trip"
print(again.to_json())
"""
    assert printed(made.root, program) == (
        '{"status":"brand-new.2",'
        '"class":"premium","speechStyle":"very lively","timing":{"lambda":0.25}}\n'
    )


def test_new_fields_and_values_are_on_the_page(made: Made) -> None:
    expected = {
        "|**speech_rate** | **float** | How fast the voice speaks. | [optional] [at least `0.5`] |",
        "|**class_** | [**ClassEnum**](#enum-classenum) | Class of service. "
        "| [optional] [in JSON `class`] [known: `premium`] |",
        "|**speech_style** | [**SpeechStyleEnum**](#enum-speechstyleenum) | How the voice sounds. "
        "| [optional] [in JSON `speechStyle`] |",
        "|**timing** | [**RealtimeMCPTiming**](RealtimeMCPTiming.md) "
        "| When the response came. | [optional] |",
        "| BRAND_NEW_2 | `brand-new.2` |",
    }
    lines = without_html(made.read("docs/v1/RealtimeResponse.md")).splitlines()
    assert expected - set(lines) == set()


def test_new_event_and_schema_are_documented(made: Made) -> None:
    index = without_html(made.read("docs/v1/README.md")).splitlines()
    assert "- [RealtimeMCPTiming](RealtimeMCPTiming.md): Times of a response" in index
    link = "[RealtimeServerEventConversationRenamed](RealtimeServerEventConversationRenamed.md)"
    assert [row for row in index if row.startswith(f"|`conversation.renamed` | {link} | ")]
    page = made.read("docs/v1/RealtimeServerEventConversationRenamed.md")
    assert "- **Event**: `conversation.renamed`, sent by the server" in page
    assert "| `conversation.renamed` |" in made.read("docs/v1/RealtimeServerEvent.md")


def test_a_removed_or_renamed_schema_leaves_nothing(made: Made) -> None:
    old = (f"{PAGES}/{OLD_NAME}.md", f"{MODELS}/log_prob_properties.py")
    new = (f"{PAGES}/{NEW_NAME}.md", f"{MODELS}/token_log_probability.py")
    removed = (f"{PAGES}/{REMOVED}.md", f"{MODELS}/{REMOVED_MODULE}.py")
    expected = {f"- {path}" for path in (*removed, *old)} | {f"+ {path}" for path in new}
    assert expected <= made.changes
    for name in (REMOVED, REMOVED_MODULE, OLD_NAME, "log_prob_properties"):
        assert mentions(made, name) == []


def mentions(made: Made, text: str) -> list[str]:
    """The generated files with a text in their name or in them."""
    return [path for path in made.generated() if text in path or text in made.read(path)]


def test_a_removed_fragment_takes_its_packages_along(made: Made) -> None:
    assert {f"- {path}" for path in REMOVED_PROTOCOL} <= made.changes
    assert not (made.root / "openai_realtime_client/old").exists()
    assert not (made.root / "docs/old").exists()


def test_summary_names_every_file(made: Made) -> None:
    lines = made.output.splitlines()
    named = [line.strip() for line in lines if line.startswith(("  + ", "  ~ ", "  - "))]
    assert sorted(named) == sorted(made.changes)
    counts = [sum(change.startswith(sign) for change in made.changes) for sign in "+~-"]
    assert min(counts) > 0
    assert lines[-1] == f"{counts[0]} files added, {counts[1]} changed, {counts[2]} removed"


def test_generated_files_and_no_others_say_so(made: Made) -> None:
    pages = [path for path in snapshot(made.root) if path.endswith((".py", ".md"))]
    heads = {path: made.read(path).partition("\n")[0] for path in pages}
    mark = "Generated by `make generate` from openapi/"
    marked = {path for path, head in heads.items() if mark in head}
    assert marked == set(made.generated())


def test_a_third_protocol_is_tested_without_an_edit(made: Made, tmp_path: Path) -> None:
    left_out = shutil.ignore_patterns("build", "docs")
    shutil.copytree(made.root, tmp_path, dirs_exist_ok=True, ignore=left_out)
    shutil.copytree(ROOT / "test", tmp_path / "test")
    # The tests take it that GA is there.
    for path in ("openapi/ga.yaml", "openai_realtime_client/ga"):
        (tmp_path / path).symlink_to(ROOT / path)
    assert "+ docs/requests/Hello.md" in made.changes
    done = run(tmp_path, "-m", "pytest", "test/core/test_round_trips.py", "-k", "requests")
    assert done.returncode == 0, done.stdout
    assert re.search(r"\b[1-9]\d* passed", done.stdout)


# A check of a copy of that tree, and a broken fragment


def test_check_shows_each_difference(
    made: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    missing, stray = f"{PAGES}/RealtimeSession.md", f"{MODELS}/stray.py"
    edited = f"{MODELS}/realtime_response_usage.py"
    for name in ("openai_realtime_client", "docs", "build/tree"):
        shutil.copytree(made.root / name, tmp_path / name)
    with (tmp_path / edited).open("a", encoding="utf-8") as file:
        file.write("EDITED = True\n")
    (tmp_path / missing).unlink()
    (tmp_path / stray).write_text("", encoding="utf-8")
    before = snapshot(tmp_path)
    # What a check would make is there already.
    monkeypatch.setattr(generate, "build", lambda is_draft: [])
    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
    monkeypatch.chdir(tmp_path)
    assert generate.main() == 1
    assert snapshot(tmp_path) == before
    output, errors = capsys.readouterr()
    diff, _, rest = output.partition("\n@@ ")
    assert diff == f"--- {edited} (in the tree)\n+++ {edited} (from openapi/)"
    lines = ["-EDITED = True", f"  + {missing}", f"  ~ {edited}", f"  - {stray}"]
    assert rest.splitlines()[-5:] == [*lines, "1 files added, 1 changed, 1 removed"]
    assert errors.startswith("error: the generated files differ from what openapi/ gives")


def test_broken_fragment_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "test/generation/kitchen.yaml").read_text("utf-8")
    (tmp_path / "openapi").mkdir()
    broken = tmp_path / "openapi/kitchen.yaml"
    broken.write_text(text.replace("schemas/Words'", "schemas/Gone'"), "utf-8")
    before = snapshot(tmp_path)
    monkeypatch.setattr(sys, "argv", ["generate.py"])
    monkeypatch.chdir(tmp_path)
    assert generate.main() == 1
    assert snapshot(tmp_path) == before
    place = "components.schemas.Thing.properties.words"
    assert capsys.readouterr().err.splitlines() == [
        f"error: openapi/kitchen.yaml: {place}: '#/components/schemas/Gone' does not exist",
        "Nothing was changed.",
    ]
