"""How tests are spread over workers, when there are several."""

from __future__ import annotations

from typing import Any

from xdist.scheduler import LoadScopeScheduling

# Each of these on one worker, which makes what its tests share once. They also begin first.
TOGETHER = ("test/generation/test_generation.py", "test/test_packaging.py")


class Scheduling(LoadScopeScheduling):
    """Gives a worker one test at a time, or a file of `TOGETHER`."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file in TOGETHER else nodeid


def pytest_xdist_make_scheduler(config: Any, log: Any) -> Scheduling:
    return Scheduling(config, log)
