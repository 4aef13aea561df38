"""Times and memory, taken in rounds over all contenders, so that noise meets them alike.

`timeit` does the timing, of the CPU, which other work on the machine hardly adds to. `pyperf` would
measure one contender after the other, by the clock: too unsteady for ratios that have a limit.
"""

from __future__ import annotations

import gc
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from timeit import Timer
from typing import NamedTuple, TypeVar

Task = Callable[[], object]
Key = TypeVar("Key")

ROUNDS = 25
# Far above the clock's resolution, and short, so that a round meets one state of the machine.
SAMPLE_SECONDS = 0.01
COLD_ROUNDS = 100
PROCESS_ROUNDS = 15


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
    timers = {name: Timer(task, timer=time.thread_time) for name, task in tasks.items()}
    counts = {
        # The first of the three may build what later calls use.
        name: max(1, round(SAMPLE_SECONDS / min(timer.repeat(3, 1))))
        for name, timer in timers.items()
    }
    return in_rounds(
        {
            name: lambda timer=timer, count=counts[name]: timer.timeit(count) / count  # type: ignore[misc]
            for name, timer in timers.items()
        },
        rounds,
    )


def in_turns(tasks: Mapping[str, Task], rounds: int = COLD_ROUNDS) -> dict[str, Samples]:
    """The seconds of one call right after another task's, with the collector on."""
    timers = {name: Timer(task, gc.enable, time.thread_time) for name, task in tasks.items()}
    return in_rounds(
        {name: lambda timer=timer: timer.timeit(1) for name, timer in timers.items()},  # type: ignore[misc]
        rounds,
    )


def in_rounds(measure: Mapping[Key, Callable[[], float]], rounds: int) -> dict[Key, Samples]:
    """What each function measures, in rounds over all of them."""
    found: dict[Key, list[float]] = {name: [] for name in measure}
    chance = random.Random("order")
    for _ in range(rounds):
        # Shuffled, because who comes first fetches into the caches what all of them read.
        for name in chance.sample(list(measure), len(measure)):
            found[name].append(measure[name]())
    return {name: Samples(values) for name, values in found.items()}


class Process(NamedTuple):
    """What a program took in a new interpreter, from start to end."""

    seconds: Samples
    bytes: Samples


def processes(programs: Mapping[str, str], rounds: int = PROCESS_ROUNDS) -> dict[str, Process]:
    """What running each program in a new interpreter takes."""
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    with TemporaryDirectory() as folder:
        for program in programs.values():
            _run(program, folder)  # The first run writes the bytecode that later ones read.
        for _ in range(rounds):
            for name, program in programs.items():
                runs[name].append(_run(program, folder))
    return {
        name: Process(*(Samples(values) for values in zip(*each, strict=True)))
        for name, each in runs.items()
    }


def _run(program: str, folder: str) -> tuple[float, float]:
    # As installed packages do, all read bytecode, even where the environment forbids writing it.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    child = subprocess.Popen([sys.executable, "-c", program], env=environment, cwd=folder)
    # Popen.wait() does not tell what this child used.
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"this failed in a new interpreter: {program:.200}")
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit


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
