"""Fuzz the event parsers: `make fuzz`.

Whatever bytes arrive, a parser gives an event that holds all of them as JSON, or raises
`InvalidEventError`. libFuzzer's options follow on the command line, such as `-max_total_time=600`
(seconds) or `-runs=100000`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from math import inf
from pathlib import Path
from random import Random
from typing import Any

try:
    import atheris
except ModuleNotFoundError:
    sys.exit("the fuzzer, atheris, is for Python 3.10 to 3.13")

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "openapi"), str(ROOT / "test/support")]

with atheris.instrument_imports(include=["openai_realtime_client"]):
    from openai_realtime_client import InvalidEventError, deviations
    from openai_realtime_client.core import events as _instrumented  # noqa: F401

from mutation import places, replaced, same  # noqa: E402
from protocols import PROTOCOLS  # noqa: E402

VALUES: list[Any] = [None, True, 0, 1.5, 2**70, "", "error", [], {}, [None], {"type": None}]

PARSERS = [
    getattr(protocol.module, parser)
    for protocol in PROTOCOLS
    for parser in protocol.parsers.values()
]


def check(data: bytes) -> None:
    for parse in PARSERS:
        try:
            event = parse(data)
        except InvalidEventError:
            continue
        wire = json.loads(data)
        assert same(event.to_dict(), wire)
        try:
            text = event.to_json()
        except ValueError:  # JSON has no infinity, which is what `json` makes of 1e400
            assert any(node in (inf, -inf) for _, node in places(wire))
        else:
            assert same(json.loads(text), wire)
        deviations(event)


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Mostly another value somewhere in the JSON: bytes alone seldom give JSON again."""
    random = Random(seed)
    try:
        wire = json.loads(data)
    except ValueError:
        return bytes(atheris.Mutate(data, max_size))
    if random.random() < 0.2:
        return bytes(atheris.Mutate(data, max_size))
    nodes = list(places(wire))
    path, _ = random.choice(nodes)
    value = random.choice([*VALUES, *(node for _, node in nodes)])
    return json.dumps(replaced(wire, path, value)).encode()[:max_size]


def seed(folder: Path) -> None:
    """An event of each type, for the fuzzer to mutate."""
    for protocol in PROTOCOLS:
        for union in protocol.parsers:
            for reference in protocol.schemas[union]["discriminator"]["mapping"].values():
                name = reference.rpartition("/")[2]
                [wire] = protocol.instances(name, count=1)
                (folder / f"{protocol.name}-{name}").write_text(json.dumps(wire), "utf-8")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        seed(Path(folder))
        atheris.Setup([*sys.argv, folder], check, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
