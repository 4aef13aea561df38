"""Print what `make test-lowest` installs: the lowest versions that `setup.py` allows.

The tools of the `dev` extra keep their pins.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import requires

from packaging.requirements import Requirement

DISTRIBUTION = "openai-realtime-openapi"


def lowest() -> Iterator[str]:
    declared = [Requirement(each) for each in requires(DISTRIBUTION) or []]
    supported = [each for each in declared if _applies(each, "") or _applies(each, "websocket")]
    for each in supported:
        (bound,) = (part.version for part in each.specifier if part.operator == ">=")
        yield f"{each.name}=={bound}"
    names = {each.name for each in supported}
    for each in declared:
        if each.name not in names and _applies(each, "dev"):
            extras = f"[{','.join(each.extras)}]" if each.extras else ""
            yield f"{each.name}{extras}{each.specifier}"


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


if __name__ == "__main__":
    print("\n".join(lowest()))
