"""Plots of a run's JSON, as SVG for docs/benchmarks.md.

python -m benchmarks.plots RESULT.json DIRECTORY
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure

from benchmarks import floors
from benchmarks.scenarios.mixed_day import ACTIONS

Figures = Mapping[str, Mapping[str, Any]]

_COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#7b5ea7", "#b8860b", "#444444")
_LATENCIES = (
    floors.ECHO,
    "read cached, 1 in flight",
    "read uncached, 1 in flight",
    floors.COMMIT,
    "create, 1 in flight",
    "keyword search, 1 in flight",
    "hybrid search, 1 in flight",
)
_THROUGHPUTS = (
    ("create", "create, {} in flight"),
    ("read cached", "read cached, {} in flight"),
    ("read uncached", "read uncached, {} in flight"),
    ("update", "update, {} in flight"),
)
_IN_FLIGHT = (1, 16, 256)
_MIXED_DAY_P99_MS = 20


def draw_all(report: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write every plot that the figures of the run allow; returns their paths."""
    drawn = []
    for name, draw in _PLOTS.items():
        figure, axes = _canvas()
        if draw(axes, report["figures"]):
            path = _save(figure, folder / f"{name}.svg")
            drawn.append(path)
    return drawn


def draw_lines(
    lines: Mapping[str, Sequence[tuple[int, float]]], path: Path, title: str, x: str, y: str
) -> Path:
    """A line with a point for each pair of numbers, both axes logarithmic."""
    figure, axes = _canvas()
    for place, (name, points) in enumerate(lines.items()):
        colour = _COLOURS[place % len(_COLOURS)]
        style = "o-" if place < len(_COLOURS) else "o--"
        axes.plot(*zip(*points, strict=True), style, color=colour, label=name)
    axes.set(xscale="log", yscale="log", xlabel=x, ylabel=y)
    _count_plainly(axes.xaxis, axes.yaxis)
    axes.set_title(title)
    return _save(figure, path)


def _canvas() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _label(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _count_plainly(*axes: Axis) -> None:
    """1 000 in place of a power of ten."""
    for axis in axes:
        axis.set_major_formatter(lambda number, _: f"{number:,.10g}")


def _save(figure: Figure, path: Path) -> Path:
    matplotlib.rcParams["svg.hashsalt"] = "benchmarks"  # the same figures give the same file
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.legend(loc="outside lower center", ncols=3, fontsize="small", frameon=False)
    figure.savefig(path, metadata={"Date": None})
    return path


def _draw_latencies(axes: Axes, figures: Figures) -> bool:
    known = [name for name in _LATENCIES if name in figures]
    for place, name in enumerate(known):
        style = "--" if name.startswith("floor") else "-"
        colour = _COLOURS[place % len(_COLOURS)]
        axes.plot(
            figures[name]["percentiles_ms"][:100], range(100), style, color=colour, label=name
        )
    axes.set(xscale="log", xlabel="milliseconds", ylabel="% of requests answered within")
    _count_plainly(axes.xaxis)
    axes.set_title("Latency, one request at a time")
    return bool(known)


def _draw_throughput(axes: Axes, figures: Figures) -> bool:
    drawn = False
    for (label, pattern), colour in zip(_THROUGHPUTS, _COLOURS, strict=False):
        points = [
            (n, figures[name]["rate"]) for n in _IN_FLIGHT if (name := pattern.format(n)) in figures
        ]
        if len(points) > 1:
            axes.plot(*zip(*points, strict=True), "o-", color=colour, label=label)
            drawn = True
    for name, style in ((floors.COMMIT, "--"), (floors.COMMIT_MANY, ":")):
        if name in figures:
            axes.axhline(figures[name]["rate"], linestyle=style, color="#888888", label=name)
    axes.set(xscale="log", yscale="log", xlabel="requests in flight", ylabel="requests a second")
    _count_plainly(axes.yaxis)
    axes.set_xticks(_IN_FLIGHT, [str(count) for count in _IN_FLIGHT])
    axes.set_title("Throughput against requests in flight")
    return drawn


def _draw_mixed_day(axes: Axes, figures: Figures) -> bool:
    known = [action for action in ACTIONS if f"mixed day, {action}" in figures]
    for place, (percent, colour) in enumerate(zip((50, 95, 99), _COLOURS, strict=False)):
        heights = [figures[f"mixed day, {action}"]["percentiles_ms"][percent] for action in known]
        places = [index + (place - 1) * 0.26 for index in range(len(known))]
        axes.bar_label(
            axes.bar(places, heights, 0.25, color=colour, label=f"p{percent}"), fmt=_label
        )
    axes.axhline(_MIXED_DAY_P99_MS, linestyle="--", color="#888888", label="target of p99")
    axes.set_xticks(range(len(known)), known)
    axes.set(yscale="log", ylabel="milliseconds from when it was due")
    _count_plainly(axes.yaxis)
    axes.set_title("A mixed day at 500 requests a second")
    return bool(known)


_PLOTS = {
    "latency": _draw_latencies,
    "throughput": _draw_throughput,
    "mixed-day": _draw_mixed_day,
}


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("Usage: python -m benchmarks.plots RESULT.json DIRECTORY")
    for path in draw_all(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])):
        print(path)


if __name__ == "__main__":
    main()
