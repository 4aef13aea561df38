"""The README and the guide to moving from v1 to GA hold what the packages hold."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any, get_args

import pytest

import openai_realtime_client as v1
from openai_realtime_client import ga
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


def test_the_example_of_the_readme_prints_what_it_says() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    program, output = re.findall(r"```(?:python|text)\n(.*?)```", readme, re.DOTALL)[:2]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(program, {})
    assert printed.getvalue() == output
    assert len(program.splitlines()) <= 15


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert links
    assert [link for link in links if not Path(ROOT / link).exists()] == []
