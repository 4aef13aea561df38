"""How time and memory are taken: in rounds over all contenders, so that noise meets them alike.

Times are those of the CPU, which other work on the machine does not add to.
"""

from __future__ import annotations

import gc
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

Task = Callable[[], object]

ROUNDS = 25
# Far above the clock's resolution, and short, so that a round meets one state of the machine.
SAMPLE_SECONDS = 0.01
PROCESS_ROUNDS = 15
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


class Process(NamedTuple):
    """What a program took in a new interpreter, from start to end."""

    seconds: Samples
    bytes: Samples


def interleaved(tasks: Mapping[str, Task], rounds: int = ROUNDS) -> dict[str, Samples]:
    """The seconds that one call of each task takes."""
    repeats = {name: _repeats(task) for name, task in tasks.items()}
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            seconds[name].append(_seconds(task, repeats[name]))
    return {name: Samples(each) for name, each in seconds.items()}


def in_turns(tasks: Mapping[str, Task], rounds: int = COLD_ROUNDS) -> dict[str, Samples]:
    """The seconds of one call right after another task's, with the collector on."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    chance = random.Random("order")
    for _ in range(rounds):
        # Shuffled, because who comes first fetches what all of them read.
        for name, task in chance.sample(list(tasks.items()), len(tasks)):
            start = time.thread_time()
            task()
            seconds[name].append(time.thread_time() - start)
    return {name: Samples(each) for name, each in seconds.items()}


def processes(programs: Mapping[str, str], rounds: int = PROCESS_ROUNDS) -> dict[str, Process]:
    """What running each program in a new interpreter takes."""
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    with TemporaryDirectory() as folder:
        for program in programs.values():
            _run(program, folder)  # The first run writes what later ones read.
        for _ in range(rounds):
            for name, program in programs.items():
                runs[name].append(_run(program, folder))
    return {
        name: Process(*(Samples(values) for values in zip(*each, strict=True)))
        for name, each in runs.items()
    }


def _repeats(task: Task) -> int:
    task()  # The first call may build what later ones use.
    once = min(_seconds(task, 1) for _ in range(3))
    return max(1, round(SAMPLE_SECONDS / once))


def _seconds(task: Task, repeats: int) -> float:
    # As in timeit: what the collector takes depends on everything else that the process holds.
    gc.disable()
    start = time.thread_time()
    for _ in range(repeats):
        task()
    seconds = time.thread_time() - start
    gc.enable()
    return seconds / repeats


def _run(program: str, folder: str) -> tuple[float, float]:
    # As installed packages do, all read bytecode, even where the environment forbids writing it.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    child = subprocess.Popen([sys.executable, "-c", program], env=environment, cwd=folder)
    # Popen.wait() would not tell what this child used.
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"this failed in a new interpreter: {program:.200}")
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit
