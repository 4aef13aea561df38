"""Figures beside what they are held to, tables in markdown, and where they are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from measure import Samples

HERE = Path(__file__).parent
PREFIXES = (("G", 1e9), ("M", 1e6), ("k", 1e3), ("", 1.0), ("m", 1e-3), ("µ", 1e-6), ("n", 1e-9))


class Verdict(NamedTuple):
    """A figure of ours beside another's, its target, and what it is to be compared with."""

    what: str
    ours: str
    other: str
    figure: str
    target: str
    is_met: bool
    bound: str


def quantity(value: float, unit: str = "s") -> str:
    """A figure with three digits and the prefix that suits it: `2.21 µs`, `43.5 MB`."""
    prefix, factor = next((each for each in PREFIXES if value >= each[1]), PREFIXES[-1])
    number = value / factor
    digits = 0 if number >= 100 else 1 if number >= 10 else 2
    return f"{number:.{digits}f} {prefix}{unit}"


def at_most(
    what: str,
    values: Mapping[str, Samples],
    mine: str,
    peer: str,
    most: float,
    bound: str = "",
    unit: str = "s",
) -> Verdict:
    """Ours is at most so many times the other; `bound` names who shows what is possible."""
    ratio = values[mine].over(values[peer])
    least = f"{bound} {values[bound].over(values[peer]):.2f}x" if bound else ""
    return Verdict(
        what,
        quantity(values[mine].median, unit),
        f"{peer} {quantity(values[peer].median, unit)}",
        f"{ratio:.2f}x",
        f"≤ {most:.2g}x",
        ratio <= most,
        least,
    )


def faster(
    what: str, values: Mapping[str, Samples], mine: str, peer: str, least: float, bound: str = ""
) -> Verdict:
    """Ours is so many times as fast."""
    ratio = values[peer].over(values[mine])
    most = f"{bound} {values[peer].over(values[bound]):.1f}x" if bound else ""
    return Verdict(
        what,
        quantity(values[mine].median),
        f"{peer} {quantity(values[peer].median)}",
        f"{ratio:.1f}x faster",
        f"≥ {least:g}x faster",
        ratio >= least,
        most,
    )


def beyond(what: str, values: Mapping[str, Samples], mine: str, most: float) -> Verdict:
    """Ours is at most so much above a bare interpreter."""
    ours, bare = values[mine], values["bare"]
    extra = ours.beyond(bare)
    texts = quantity(ours.median), f"bare interpreter {quantity(bare.median)}"
    # The two can differ by less than either varies.
    figure = f"+{quantity(extra)}" if extra > 0 else "0"
    return Verdict(what, *texts, figure, f"≤ +{quantity(most)}", extra <= most, "")


def verdict_table(verdicts: Iterable[Verdict]) -> str:
    """What is reached, and what is not."""
    return table(
        ("", "ours", "other", "figure", "target", "met", "in the same run"),
        [(*each[:-2], "yes" if each.is_met else "**no**", each.bound) for each in verdicts],
    )


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in markdown."""
    head = list(head)
    lines = [head, ["---", *("--:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(name: str, text: str) -> None:
    """Write one of the results, and print it."""
    (HERE / name).write_text(text, "utf-8")
    print(f"\n{text}", flush=True)


def write_section(path: str, name: str, text: str) -> None:
    """Replace what a page says between two comments, so that it quotes no old figure."""
    file = HERE.parent / path
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    page, count = re.subn(
        f"(?s)(?<={re.escape(start)}).*?(?={re.escape(end)})",
        lambda _: f"{text}\n",
        file.read_text("utf-8"),
    )
    if count != 1:
        raise ValueError(f"{path} has {count} sections between {start.strip()} and {end}")
    file.write_text(page, "utf-8")
