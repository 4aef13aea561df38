"""Time by size, as SVG files that change only where the figures do."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from comparison import Growth
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from tables import quantity

# The package in colour, the standard library in grey; parsing solid, dumping dashed.
STYLES = {
    "parse": ("#0b6e99", "-"),
    "json.loads": ("#8a8a8a", "-"),
    "dump": ("#0b6e99", "--"),
    "json.dumps": ("#8a8a8a", "--"),
}

mpl.rcParams.update(
    {
        # Parts are named by hashes, whose salt is random unless it is set.
        "svg.hashsalt": "benchmarks",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)


def draw(file: Path, growth: Growth, axis: str, unit: str) -> None:
    """Plot on logarithmic axes, where what is linear rises by one decade a decade."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, (color, line) in STYLES.items():
        seconds = [times[name].median for times in growth.values()]
        axes.loglog(list(growth), seconds, line, color=color, marker="o", markersize=3, label=name)
    axes.set(xlabel=axis, ylabel="time for one event")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _size(value, unit)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _time(value)))
    for each in (axes.xaxis, axes.yaxis):
        each.set_major_locator(LogLocator(numticks=12))
        each.set_minor_locator(NullLocator())
    axes.grid(color="#e5e5e5")
    axes.legend(frameon=False)
    # The date would make every run another file.
    figure.savefig(file, metadata={"Date": None})


def _size(value: float, unit: str) -> str:
    return _round(value, unit) if unit else f"{value:,.0f}"


def _time(value: float) -> str:
    return _round(value, "s")


def _round(value: float, unit: str) -> str:
    # Ticks are powers of ten, but not to the last bit.
    number, _, rest = quantity(value * 1.001, unit).partition(" ")
    return f"{float(number):.0f} {rest}"
