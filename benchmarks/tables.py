"""Figures beside what they are held to, and tables in markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from measure import Samples

PREFIXES = (("G", 1e9), ("M", 1e6), ("k", 1e3), ("", 1.0), ("m", 1e-3), ("µ", 1e-6), ("n", 1e-9))


class Verdict(NamedTuple):
    """A figure of ours beside another's, and its target."""

    what: str
    ours: str
    other: str
    figure: str
    target: str
    is_met: bool


def quantity(value: float, unit: str = "s") -> str:
    """A figure with three digits and the prefix that suits it: `2.21 µs`, `43.5 MB`."""
    prefix, factor = next((each for each in PREFIXES if value >= each[1]), PREFIXES[-1])
    number = value / factor
    digits = 0 if number >= 100 else 1 if number >= 10 else 2
    return f"{number:.{digits}f} {prefix}{unit}"


def at_most(
    what: str, values: Mapping[str, Samples], mine: str, peer: str, most: float, unit: str = "s"
) -> Verdict:
    """Ours is at most so many times the other."""
    ours, other = values[mine], values[peer]
    ratio = ours.over(other)
    texts = quantity(ours.median, unit), f"{peer} {quantity(other.median, unit)}"
    return Verdict(what, *texts, f"{ratio:.2f}x", f"≤ {most:.2g}x", ratio <= most)


def faster(what: str, values: Mapping[str, Samples], mine: str, peer: str, least: float) -> Verdict:
    """Ours is so many times as fast."""
    ours, other = values[mine], values[peer]
    ratio = other.over(ours)
    texts = quantity(ours.median), f"{peer} {quantity(other.median)}"
    return Verdict(what, *texts, f"{ratio:.1f}x faster", f"≥ {least:g}x faster", ratio >= least)


def beyond(what: str, values: Mapping[str, Samples], mine: str, most: float) -> Verdict:
    """Ours is at most so much above a bare interpreter."""
    ours, bare = values[mine], values["bare"]
    extra = ours.beyond(bare)
    texts = quantity(ours.median), f"bare interpreter {quantity(bare.median)}"
    return Verdict(what, *texts, f"+{quantity(extra)}", f"≤ +{quantity(most)}", extra <= most)


def verdict_table(verdicts: Iterable[Verdict]) -> str:
    """What is reached, and what is not."""
    return table(
        ("", "ours", "other", "figure", "target", "met"),
        [(*each[:-1], "yes" if each.is_met else "**no**") for each in verdicts],
    )


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in markdown."""
    head = list(head)
    lines = [head, ["---", *("--:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
