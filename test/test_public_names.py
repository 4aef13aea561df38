"""What the package exports, what importing it costs, and which of its modules import which."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

import openai_realtime_client as root
from openai_realtime_client import shared
from protocols import PROTOCOLS, REALTIME, ROOT, Protocol

# Beside models and dictionaries.
COMMON = {
    *shared.__all__,
    *("AsyncRealtimeApi", "AsyncRealtimeConnection", "RealtimeApi", "RealtimeConnection"),
    *("connect", "connect_sync", "parse_client_event", "parse_server_event"),
    *("FunctionTool", "Tools", "function_output", "user_audio", "user_text"),
}
OF_GA = {
    *("AsyncRealtimeTranslationConnection", "RealtimeTranslationConnection"),
    *("connect_translation", "connect_translation_sync"),
    *("parse_translation_client_event", "parse_translation_server_event"),
    *("parse_webhook_event", "user_image"),
}


@pytest.mark.parametrize("protocol", REALTIME, ids=lambda protocol: protocol.name)
def test_public_names_of_realtime_are_these(protocol: Protocol) -> None:
    models = set(importlib.import_module(f"{protocol.package}.models").__all__)
    # The enums that unions hold have no schema of their own.
    assert all(name.endswith("Enum") for name in models - set(protocol.public()))
    others = COMMON.copy()
    if protocol.name == "ga":
        others |= OF_GA
    others |= set(importlib.import_module(f"{protocol.package}.params").__all__)
    assert sorted(protocol.module.__all__) == sorted(others | models)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_every_public_name_is_there_and_listed(protocol: Protocol) -> None:
    models = importlib.import_module(f"{protocol.package}.models").__all__
    names = set(protocol.module.__all__)
    assert {*protocol.public(), *root.__all__} <= names
    assert {*protocol.public()} <= {*models} <= names <= {*dir(protocol.module)}
    for name in names:
        assert getattr(protocol.module, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'RealtimeNothing'"):
        _ = protocol.module.RealtimeNothing


def test_the_root_has_the_shared_names_alone() -> None:
    assert root.__version__ == version("openai-realtime-openapi")
    assert sorted(root.__all__) == sorted(shared.__all__)
    assert not set(root.__all__) & set(root.v1.models.__all__)
    for name in root.__all__:
        assert getattr(root, name) is getattr(shared, name)
    with pytest.raises(AttributeError, match=r"'connect'; .* import ga \(or v1\)"):
        _ = root.connect


def run(program: str) -> str:
    """What a program prints that has the protocols' names."""
    program = f"names = {[protocol.name for protocol in PROTOCOLS]}\n{program}"
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


IMPORTING = """
import sys
import openai_realtime_client as root
packages = [getattr(root, name) for name in names]
print(*sys.modules)
for package in packages:
    for name in ("connect", "RealtimeApi", "models", "parse_server_event"):
        getattr(package, name, None)
print([package.__name__ for package in packages if f"{package.__name__}.params" in sys.modules])
"""


def test_importing_a_protocol_imports_nothing_heavy() -> None:
    modules, params = run(IMPORTING).splitlines()
    roots = {name.partition(".")[0] for name in modules.split()}
    assert {protocol.package for protocol in PROTOCOLS} <= {*modules.split()}
    assert not roots & {"pydantic", "pydantic_core", "urllib3", "dateutil", "websockets", "asyncio"}
    # The dictionaries are for who names one.
    assert params == "[]"


# What there is without the extra `websocket`: what connects, and what that gives, is missing.

WITHOUT_WEBSOCKETS = """
import importlib, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "websockets":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
for protocol in names:
    package = importlib.import_module(f"openai_realtime_client.{protocol}")
    for name in package.__all__:
        if name.startswith("connect") or name.endswith("Connection"):
            try:
                getattr(package, name)
            except ImportError as error:
                print(type(error).__name__, error.__cause__, error.__suppress_context__, error)
        else:
            assert getattr(package, name) is not None
    parse = getattr(package, "parse_server_event", package.UnknownEvent.from_json)
    error = package.ConnectionClosedError(1000)
    print(parse('{"type": "x"}').type, error, package.azure("https://a", "d", api_key="k").endpoint)
"""


def test_without_websockets_all_is_there_but_what_connects() -> None:
    expected = []
    for protocol in PROTOCOLS:
        for name in protocol.module.__all__:
            if name.startswith("connect") or name.endswith("Connection"):
                text = 'connections need websockets: pip install "websockets>=15"'
                expected.append(f"MissingDependencyError None True {text}")
        expected.append("x the session is closed (1000) https://a")
    assert run(WITHOUT_WEBSOCKETS).splitlines() == expected


# Which modules import which

PACKAGE = ROOT / "openai_realtime_client"
# A room imports from rooms of a lower floor, and from itself.
FLOORS = {
    **{"core": 0, "conversation": 1, "realtime": 2, "http": 2},
    **{protocol.name: 3 for protocol in PROTOCOLS},
    **{"audio": 4, "testing": 4, "cli": 5},
}


def imported(path: Path) -> Iterator[str]:
    """Yield what a module imports, as `from` or by name."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_imports_lead_down_and_none_to_a_name_of_the_root() -> None:
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms == set(FLOORS)
    wrong = []
    for path in PACKAGE.glob("*/**/*.py"):
        room = path.relative_to(PACKAGE).parts[0]
        for name in imported(path):
            package, _, rest = name.partition(".")
            other = rest.partition(".")[0]
            is_upward = other != room and FLOORS.get(other, -1) >= FLOORS[room]
            if package == PACKAGE.name and (is_upward or (other == rest and rest not in rooms)):
                wrong.append(f"{path} imports {name}")
    assert wrong == []
