"""Times and memory, taken in rounds over all contenders, so that noise meets them alike.

`timeit` does the timing, of the CPU, which other work on the machine hardly adds to. `pyperf` would
measure one contender after the other, by the clock: too unsteady for ratios that have a limit.
"""

from __future__ import annotations

import gc
import os
import platform
import random
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from timeit import Timer
from typing import NamedTuple, TypeVar

Task = Callable[[], object]
Key = TypeVar("Key")

ROUNDS = 25
# Far above the clock's resolution, and short, so that a round meets one state of the machine.
SAMPLE_SECONDS = 0.01
COLD_ROUNDS = 100


class Samples(NamedTuple):
    """What something took in each round."""

    values: Sequence[float]

    @property
    def median(self) -> float:
        """The figure to show."""
        return median(self.values)

    def divided_by(self, count: int) -> Samples:
        """What one of `count` equal parts took."""
        return Samples([value / count for value in self.values])

    def over(self, other: Samples) -> float:
        """How many times as much as `other`: the median of the rounds' own ratios."""
        return median(a / b for a, b in zip(self.values, other.values, strict=True))

    def beyond(self, other: Samples) -> float:
        """How much more than `other`: the median of the rounds' own differences."""
        return median(a - b for a, b in zip(self.values, other.values, strict=True))


def interleaved(tasks: Mapping[str, Task], rounds: int = ROUNDS) -> dict[str, Samples]:
    """The seconds that one call of each task takes, without the garbage collector."""
    measures = {}
    for name, task in tasks.items():
        timer = Timer(task, timer=time.thread_time)
        # The first of the three may build what later calls use.
        count = max(1, round(SAMPLE_SECONDS / min(timer.repeat(3, 1))))
        measures[name] = partial(per_call, timer, count)
    return in_rounds(measures, rounds)


def in_turns(tasks: Mapping[str, Task], rounds: int = COLD_ROUNDS) -> dict[str, Samples]:
    """The seconds of one call right after another task's, with the collector on."""
    return in_rounds(
        {
            name: partial(per_call, Timer(task, gc.enable, time.thread_time), 1)
            for name, task in tasks.items()
        },
        rounds,
    )


def per_call(timer: Timer, count: int) -> float:
    """The seconds of one of `count` calls."""
    return timer.timeit(count) / count


def in_rounds(measure: Mapping[Key, Callable[[], float]], rounds: int) -> dict[Key, Samples]:
    """What each function measures, in rounds over all of them."""
    found: dict[Key, list[float]] = {name: [] for name in measure}
    chance = random.Random("order")
    for _ in range(rounds):
        # Shuffled, because who comes first fetches into the caches what all of them read.
        for name in chance.sample(list(measure), len(measure)):
            found[name].append(measure[name]())
    return {name: Samples(values) for name, values in found.items()}


def resident() -> int:
    """The memory of this process, in bytes."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def setting(*distributions: str) -> str:
    """Python, the versions of `distributions`, and the kind of machine."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    versions = ", ".join(f"{name} {version(name)}" for name in distributions)
    processor = platform.processor() or platform.machine()
    with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                processor = line.partition(":")[2].strip()
    return f"{python}; {versions}; {processor}, {os.cpu_count()} cores, {platform.system()}."
