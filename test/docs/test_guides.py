"""The README and the guides hold what the package holds, and their programs run."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, get_args

import pytest

from docs import GUIDES, Page, run
from openai_realtime_client import ga, v1
from openai_realtime_client.testing import ReplayServer
from protocols import ROOT

MOVES = (ROOT / "docs/guides/protocols.md").read_text("utf-8")


def rows(heading: str) -> list[tuple[str, str]]:
    """The first table after a text in the guide, without its head."""
    table = MOVES.split(heading, 1)[1].split("\n\n| v1 | GA |\n| --- | --- |\n", 1)[1]
    lines = table.split("\n\n", 1)[0].splitlines()
    return [tuple(cell.strip(" `") for cell in line.strip("|").split("|")) for line in lines]  # type: ignore[misc]


def has_path(model: Any, path: str) -> bool:
    """Whether `audio.input.format` and the like lead to a field."""
    for name in path.split("."):
        if name not in model.model_fields:
            return False
        annotation = model.model_fields[name].annotation
        model = next((each for each in get_args(annotation) if hasattr(each, "model_fields")), None)
    return True


@pytest.mark.parametrize(
    ("heading", "old", "new"),
    [
        (
            "### Session settings",
            v1.RealtimeSessionCreateRequest,
            ga.RealtimeSessionCreateRequestGA,
        ),
        (
            "`RealtimeResponseCreateParams`, the",
            v1.RealtimeResponseCreateParams,
            ga.RealtimeResponseCreateParams,
        ),
        ("`RealtimeResponse`, what", v1.RealtimeResponse, ga.RealtimeResponse),
    ],
)
def test_every_field_of_v1_has_its_place_in_ga(heading: str, old: Any, new: Any) -> None:
    moves = dict(rows(heading))
    assert list(moves) == list(old.model_fields)
    assert [path for path in moves.values() if path != "-" and not has_path(new, path)] == []


def test_the_audio_formats_parse() -> None:
    formats = rows("### Audio formats")
    assert [name for name, _ in formats] == v1.RealtimeResponse.OutputAudioFormatEnum.values()
    for _, wire in formats:
        text = f'{{"format": {wire}}}'
        audio = ga.RealtimeSessionCreateRequestGAAudioOutput.from_json(text)
        assert not isinstance(audio.format, ga.UnknownModel)
        assert ga.deviations(audio) == []


README = Page(ROOT / "README.md")


@pytest.mark.parametrize("page", [README, *GUIDES], ids=lambda page: page.path.name)
def test_the_programs_print_what_the_page_says(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "question.pcm").write_bytes(bytes(48_000))
    for example in page.examples:
        with ReplayServer() as server:
            for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY"):
                monkeypatch.setenv(name, "sk-test")
            monkeypatch.setenv("OPENAI_BASE_URL", server.url)
            monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", server.azure_endpoint)
            run(page, example)
        printed = capsys.readouterr().out
        assert example.output in (None, printed)
        assert printed


def test_the_voice_turn_of_the_readme_is_short_and_gets_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "question.pcm").write_bytes(bytes(48_000))
    [voice] = [each for each in README.examples if "send_audio" in each.code]
    assert len([line for line in voice.code.splitlines() if line]) <= 20
    with ReplayServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        run(README, voice)
        deltas = [
            event.delta
            for event in server.sessions[0].sent
            if isinstance(event, ga.RealtimeServerEventResponseAudioDelta)
        ]
    assert deltas
    answer = b"".join(base64.b64decode(delta) for delta in deltas)
    assert (tmp_path / "answer.pcm").read_bytes() == answer


def test_the_loop_of_the_guide_is_that_of_the_example() -> None:
    page = (ROOT / "docs/guides/reconnect.md").read_text("utf-8")
    blocks = [block.partition("```")[0] for block in page.split("```py\n")[1:]]
    assert blocks
    example = (ROOT / "examples/reconnect.py").read_text("utf-8")
    assert [block for block in blocks if block not in example] == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(page: str) -> None:
    links = [file for file, _ in Page(ROOT / page).links]
    assert links
    assert [file for file in links if not file.exists()] == []
