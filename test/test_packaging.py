"""The sdist and the wheel, their metadata, the pins, and the name of the distribution."""

from __future__ import annotations

import email
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest
from build.util import project_wheel_metadata
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from protocols import ROOT
from trees import once

OUR_NAME, OTHER_NAME = "openai-realtime-openapi", "openai-realtime-client"
REPOSITORY = "https://git.example/owner/project"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sdist, and the wheel that is built from it."""
    # By one worker alone: setuptools uses the same folders of the project each time.
    return once(tmp_path_factory, "dist", build)


def build(folder: Path) -> Path:
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(*dist.glob("*.whl"))


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = [name for name in wheel.namelist() if name.endswith("/METADATA")]
    return email.message_from_bytes(wheel.read(name))


def requirements(file: str) -> Iterator[Requirement]:
    """The requirements of a file, without hashes."""
    for line in (ROOT / file).read_text("utf-8").splitlines():
        if line and not line.startswith((" ", "#")):
            yield Requirement(line.removesuffix("\\"))


def test_the_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"openai_realtime_client"}
    assert "openai_realtime_client/py.typed" in names
    assert "openai_realtime_client/cli/page.html" in names
    in_tree = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "openai_realtime_client").rglob("*.py")
    }
    assert {name for name in names if name.endswith(".py")} == in_tree


def test_the_metadata_and_the_pythons_of_ci(metadata: Message) -> None:
    required = [Requirement(each) for each in metadata.get_all("Requires-Dist", [])]
    run_time = [each.name for each in required if not each.marker]
    assert run_time == ["pydantic", "python-dateutil", "typing-extensions", "urllib3"]
    assert [each.name for each in required if each.marker] == ["websockets", "miniaudio"]
    assert metadata.get_all("Provides-Extra") == ["websocket", "audio"]
    assert metadata["Name"] == OUR_NAME
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["License-Expression"] == "MIT"
    assert metadata["License-File"] == "LICENSE"
    versions = re.findall(r"Python :: (3\.\d+)", " ".join(metadata.get_all("Classifier", [])))
    assert versions == ["3.10", "3.11", "3.12", "3.13", "3.14"]
    workflow = (ROOT / ".github/workflows/ci.yml").read_text("utf-8")
    [matrix] = re.findall(r"python: \[(.+)\]", workflow)
    assert re.findall(r"3\.\d+", matrix) == versions
    assert "run: .ci/run" in workflow


def test_urls_are_those_of_the_repository_that_publishes(
    metadata: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert metadata.get_all("Project-URL") is None
    monkeypatch.setenv("REPOSITORY_URL", REPOSITORY)
    found = project_wheel_metadata(ROOT, isolated=False)
    urls = dict(each.split(", ") for each in found.get_all("Project-URL", []))
    assert urls.pop("Homepage") == REPOSITORY
    assert urls.pop("Issues") == f"{REPOSITORY}/issues"
    files = f"{REPOSITORY}/blob/v{found['Version']}/"
    assert sorted(urls) == ["Changelog", "Documentation"]
    links = re.findall(r"\]\(([^)]+)\)", found["Description"])
    assert links
    assert [each for each in [*links, *urls.values()] if not each.startswith(files)] == []
    targets = [each.removeprefix(files) for each in [*links, *urls.values()]]
    assert [each for each in targets if not (ROOT / each).exists()] == []


def test_the_console_script_runs_the_command_line() -> None:
    script = Path(sys.executable).with_name("openai-realtime")
    done = subprocess.run([script, "--version"], check=True, capture_output=True, text=True)
    assert done.stdout.startswith(OUR_NAME + " ")


def test_the_sdist_has_every_file_of_the_project(dist: Path) -> None:
    """So that what `make check` and the tests prove of the project holds for the sdist, too."""
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        held = {name.partition("/")[2]: file.extractfile(name) for name in file.getnames()}
        for tracked in tracked_files():
            member = held[tracked]
            assert member
            assert member.read() == (ROOT / tracked).read_bytes(), tracked


def tracked_files() -> list[str]:
    """The files of the project: what git tracks, or, in an unpacked sdist, what it lists."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
        names = done.stdout.splitlines()
    else:
        sources = ROOT / "openai_realtime_openapi.egg-info/SOURCES.txt"
        names = sources.read_text("utf-8").splitlines()
    return [name for name in names if (ROOT / name).is_file() and ".egg-info/" not in name]


def test_nothing_names_the_other_distribution() -> None:
    """Except for the README, in the one line that says whose it is."""
    found = []
    for name in tracked_files():
        if name != "test/test_packaging.py" and not name.endswith(".wav"):
            lines = (ROOT / name).read_text("utf-8").splitlines()
            found += [f"{name}: {line}" for line in lines if OTHER_NAME in line]
    [line] = found
    assert line.startswith("README.md: ")
    assert "another" in (ROOT / "README.md").read_text("utf-8").split(OTHER_NAME)[1][:20]


def test_pip_is_asked_for_what_is_meant_only() -> None:
    """A path, or somebody else's package: ours is on no index yet."""
    for name in tracked_files():
        if name.endswith((".md", ".py")) and not name.startswith("test/"):
            text = (ROOT / name).read_text("utf-8")
            for command in re.findall(r"pip install ([^`#)\n]+?)(?:\. |[`#)\n])", text):
                words = [word.strip("\"'.,") for word in command.split()]
                names = {re.split(r"[<>=\[]", word)[0] for word in words if "dist/" not in word}
                known = {"", "fastapi", "miniaudio", "standardwebhooks", "uvicorn", "websockets"}
                known |= {"urllib3", "python-socks"}  # with extras
                assert names <= known, f"{name}: {command}"


# Of these there is no sdist, or nothing else.
ONE_FILE = {"certifi", "docopt", "flatbuffers"}


def test_every_pin_has_all_its_hashes_and_names_no_host() -> None:
    """A project publishes a wheel and an sdist at least, and the same for all who pin it."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    files = set(re.findall(r"\$\(PINS\) .+ -o (\S+)", makefile))
    tracked = {name for name in tracked_files() if name.endswith(".txt")} - {"docs/llms.txt"}
    # What is left out of them stands in files of its own.
    assert files == tracked - set(re.findall(r"--override (\S+)", makefile))
    known: dict[str, set[str]] = {}
    for file in sorted(files):
        text = (ROOT / file).read_text("utf-8")
        assert "://" not in text
        assert "--index" not in text
        for block in re.split(r"\n(?=\S)", text):
            pin = re.match(r"([\w.\-]+)==\S+(?= (;.*?)? ?\\\n +--hash=sha256:[0-9a-f]{64})", block)
            assert pin, block
            hashes = set(re.findall(r"sha256:([0-9a-f]{64})\b", block))
            assert len(hashes) > 1 or pin[1] in ONE_FILE, block
            assert hashes == known.setdefault(pin[0], hashes), (file, pin[0])


def test_the_pins_hold_what_is_asked_for() -> None:
    for file in (
        name for name in tracked_files() if name.endswith(".in") and name != "MANIFEST.in"
    ):
        found = requirements(file.removesuffix(".in") + ".txt")
        pinned = {(each.name, str(each.specifier)) for each in found}
        for wanted in requirements(file):
            name = canonicalize_name(wanted.name)
            assert name in {name for name, _ in pinned}
            assert not wanted.specifier or (name, str(wanted.specifier)) in pinned


def test_make_installs_nothing_without_a_hash() -> None:
    text = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", "")
    for line in text.splitlines():
        for command in line.split("$(PIP)")[1:]:
            has_hashes = "--require-hashes" in command
            assert has_hashes or re.search(r"--no-deps (--editable )?\.$", command), line
        assert not re.search(r"npm (i|install)\b", line), line


def test_the_lowest_pins_are_the_ends_of_the_ranges(metadata: Message) -> None:
    lowest = {each.name: each for each in requirements("requirements-lowest.txt")}
    for line in metadata.get_all("Requires-Dist", []):
        required = Requirement(line)
        (end,) = [each.version for each in required.specifier if each.operator == ">="]
        (pin,) = [each.version for each in lowest[required.name].specifier]
        assert pin.startswith(end), f"{required.name}: {end} is never installed"
