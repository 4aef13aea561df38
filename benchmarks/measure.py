"""Times and memory in interleaved rounds, and the page that they are written to."""

from __future__ import annotations

import os
import platform
import random
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from timeit import Timer
from typing import NamedTuple, TypeVar

Key = TypeVar("Key")
HERE = Path(__file__).parent
ROUNDS = 25
# Far above the resolution of the clock, and short, so that a round meets one state of the machine.
SAMPLE_SECONDS = 0.01
PREFIXES = (("G", 1e9), ("M", 1e6), ("k", 1e3), ("", 1.0), ("m", 1e-3), ("µ", 1e-6), ("n", 1e-9))


class Samples(NamedTuple):
    """One figure, measured once in each round."""

    values: Sequence[float]

    @property
    def median(self) -> float:
        """Return the figure to show."""
        return median(self.values)

    def divided_by(self, count: int) -> Samples:
        """Return the samples of one of `count` equal parts."""
        return Samples([value / count for value in self.values])

    def ratio(self, other: Samples) -> float:
        """Return how many times as much as `other`: the median of each round's ratio."""
        return median(a / b for a, b in zip(self.values, other.values, strict=True))


def interleaved(tasks: Mapping[str, Callable[[], object]]) -> dict[str, Samples]:
    """Measure the CPU seconds of one call of each task, without the garbage collector.

    `timeit` does the timing. `pyperf` measures one contender after the other, which makes ratios
    depend on what else the machine did in the meantime.
    """
    measures = {}
    for name, task in tasks.items():
        timer = Timer(task, timer=time.thread_time)
        # The first of the three calls may build what later calls use.
        count = max(1, round(SAMPLE_SECONDS / min(timer.repeat(3, 1))))
        measures[name] = partial(seconds_per_call, timer, count)
    return in_rounds(measures, ROUNDS)


def seconds_per_call(timer: Timer, count: int) -> float:
    """Return the seconds of one of `count` calls."""
    return timer.timeit(count) / count


def in_rounds(measures: Mapping[Key, Callable[[], float]], rounds: int) -> dict[Key, Samples]:
    """Call all functions once in each round."""
    values: dict[Key, list[float]] = {name: [] for name in measures}
    chance = random.Random("order")
    for _ in range(rounds):
        # Shuffled, because the first one loads the caches for the others.
        for name in chance.sample(list(measures), len(measures)):
            values[name].append(measures[name]())
    return {name: Samples(samples) for name, samples in values.items()}


def resident_bytes() -> int:
    """Return the memory of this process."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def quantity(value: float, unit: str = "s") -> str:
    """Format a figure with three digits and a prefix: `2.21 µs`, `43.5 MB`."""
    for prefix, factor in PREFIXES:
        if value >= factor:
            number = f"{value / factor:#.3g}".rstrip(".")
            return f"{number} {prefix}{unit}"
    return f"0 {unit}"


def setting(*distributions: str) -> str:
    """Describe Python, the versions of `distributions`, and the machine."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    versions = ", ".join(f"{name} {version(name)}" for name in distributions)
    processor = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
    return f"{python}; {versions}; {processor}, {os.cpu_count()} cores, {platform.system()}."


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Make a table in markdown."""
    head = list(head)
    lines = [head, ["---", *("--:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_section(page: Path, name: str, text: str) -> None:
    """Replace the text between two comments of a page, so that it quotes no old figure."""
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    section = re.compile(f"(?s)(?<={re.escape(start)}).*?(?={re.escape(end)})")
    old = page.read_text("utf-8")
    if len(section.findall(old)) != 1:
        raise ValueError(f"{page} needs one section between {start.strip()} and {end}")
    page.write_text(section.sub(lambda _: f"{text}\n", old), "utf-8")
    print(f"\n{text}", flush=True)
