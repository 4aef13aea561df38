"""`make fragment`: what is cut out of a published document."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import fragment
import spec
from trees import parsed

PUBLISHED = Path(__file__).with_name("published.yaml").read_text("utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "openapi").mkdir()
    (tmp_path / "published.yaml").write_text(PUBLISHED, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    command = ["fragment.py", "--spec", "published.yaml", "--name", "pets", *arguments]
    monkeypatch.setattr(sys, "argv", command)
    return fragment.main()


def select(tag: str | None = None, paths: str | None = None, *names: str) -> dict[str, Any]:
    document: dict[str, Any] = parsed(PUBLISHED)
    return fragment.select(document, tag, paths, names)


def test_tag_leads_to_all_that_its_operations_webhooks_and_unions_use(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch, "--tag", "Pets") == 0
    found = spec.load(folder / "openapi/pets.yaml")
    assert list(found["paths"]) == ["/pets/{id}"]
    assert list(found["paths"]["/pets/{id}"]) == ["parameters", "get"]
    assert list(found["webhooks"]) == ["pets.born"]
    assert [tag["name"] for tag in found["tags"]] == ["Pets"]
    components = found["components"]
    assert list(components["schemas"]) == ["Name", "Pet", "Born", "PetsServerEvent", "Died"]
    assert list(components["parameters"]) == ["Id"]
    assert list(components["responses"]) == ["Got"]


def test_written_statuses_and_dates_are_text_and_events_are_marked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch) == 0
    found = spec.load(folder / "openapi/pets.yaml")
    assert "200" in found["paths"]["/pets/{id}"]["get"]["responses"]
    schemas = found["components"]["schemas"]
    assert schemas["Pet"]["properties"]["born"]["example"] == "2026-08-21"
    assert schemas["PetsServerEvent"]["x-events"] == "server"
    assert found["info"]["description"] == "One line.\nAnother."
    assert "description: |-\n" in (folder / "openapi/pets.yaml").read_text("utf-8")


def test_paths_and_schemas_are_chosen_by_name() -> None:
    assert list(select(None, "/other")["paths"]) == ["/other"]
    assert select(None, "/other")["components"] == {
        "schemas": {},
        "securitySchemes": {"Key": {"type": "http", "scheme": "bearer"}},
    }
    found = select(None, None, "Pet", "Died")
    assert (found["paths"], list(found["components"]["schemas"])) == ({}, ["Pet", "Died"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tag", "Cats"], "no operation is chosen; the tags are Other, Pets"),
        (["--schemas", "Cat"], "there is no schema 'Cat'"),
        (["--spec", "nothing.yaml"], "nothing.yaml: no such file"),
        (["--spec", "swagger.yaml"], "swagger.yaml: not an OpenAPI 3 document"),
        (["--name", "taken"], "openapi/taken.yaml exists; remove it, or choose another NAME"),
    ],
    ids=["unknown_tag", "unknown_schema", "no_file", "swagger_2", "name_taken"],
)
def test_refused(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    (folder / "swagger.yaml").write_text("swagger: '2.0'\npaths: {}\n", "utf-8")
    (folder / "openapi/taken.yaml").write_text("", "utf-8")
    assert run(monkeypatch, *arguments) == 1
    assert capsys.readouterr().err == f"error: {message}\n"
    assert not (folder / "openapi/pets.yaml").exists()
