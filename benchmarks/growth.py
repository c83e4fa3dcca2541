"""Cost against rows stored: the suite's scenarios at several sizes, as a table and a plot.

python -m benchmarks.growth [--rows N ...] [--only NAME ...] [--quick] [--json FILE] [--plots DIR]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.report import machine, write_json
from benchmarks.scenarios import GROUPS
from benchmarks.serving import ROOT

# `embedding` works in a database of its own, whatever else is stored.
_SCENARIOS = [
    name
    for group in GROUPS.values()
    for name, scenario in group.scenarios.items()
    if not scenario.named and name != "embedding"
]
_ROWS = (10_000, 100_000, 1_000_000)
_PERCENT = 95
_DRAWN = (
    "create, 1 in flight",
    "create, 256 in flight",
    "read cached, 1 in flight",
    "read uncached, 1 in flight",
    "batch_read by filter",
    "batch_read deep page",
    "keyword search, 1 in flight",
    "hybrid search of many owners, 1 in flight",
)

# Of the p95 with the most rows to that with the fewest; no floor of another run says more.
_TARGETS = {"create, 1 in flight": 1.5, "create, 256 in flight": 1.5}

Figures = Mapping[str, Mapping[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--rows", type=int, nargs="+", default=_ROWS)
    parser.add_argument("--only", nargs="+", choices=_SCENARIOS, default=_SCENARIOS, metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="a tenth of the requests")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="as SVG; needs matplotlib")
    options = parser.parse_args()
    runs = {rows: _run(rows, options.only, quick=options.quick) for rows in options.rows}
    Console(width=None if sys.stdout.isatty() else 150).print(table_of(runs))
    if options.json:
        write_json(options.json, {"machine": machine(), "runs": runs})
    if options.plots:
        print(draw(runs, options.plots))


def _run(rows: int, scenarios: Sequence[str], *, quick: bool) -> Figures:
    """The figures of a run of its own, on a database of its own."""
    with tempfile.NamedTemporaryFile(suffix=".json") as result:
        command = ["-m", "benchmarks", f"--rows={rows}", "--rounds=1", f"--json={result.name}"]
        subprocess.run(
            [sys.executable, *command, *(["--quick"] if quick else []), "--only", *scenarios],
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        figures: Figures = json.loads(Path(result.name).read_text())["figures"]
        return figures


def points_of(runs: Mapping[int, Figures], name: str) -> list[tuple[int, float]]:
    return [
        (rows, figures[name]["percentiles_ms"][_PERCENT])
        for rows, figures in sorted(runs.items())
        if name in figures
    ]


def growth_of(runs: Mapping[int, Figures], name: str) -> float | None:
    """How many times as long it takes with the most rows as with the fewest, at p95; or how many
    times as much of what has a value alone. None where one run is all there is."""
    if len(runs) < 2:
        return None
    fewest, most = (_size_of(runs[rows][name]) for rows in (min(runs), max(runs)))
    return most / fewest


def _size_of(figure: Mapping[str, Any]) -> float:
    grid = figure["percentiles_ms"]
    return float(grid[_PERCENT] if grid else figure["value"])


def rows_of(runs: Mapping[int, Figures]) -> Iterator[list[str]]:
    """Of each scenario: its name, a cell for each size, and how it grew against its target."""
    for name in next(iter(runs.values())):
        cells = [_cell(figures[name]) for _, figures in sorted(runs.items())]
        yield [name, *cells, _verdict(name, growth_of(runs, name))]


def columns_of(runs: Mapping[int, Figures]) -> list[str]:
    sizes = [f"{rows:,} memories" for rows in sorted(runs)]
    return ["p50 / p95 in ms", *sizes, "p95, most to fewest"]


def table_of(runs: Mapping[int, Figures]) -> Table:
    table = Table(*columns_of(runs))
    for row in rows_of(runs):
        table.add_row(*row)
    return table


def _cell(figure: Mapping[str, Any]) -> str:
    if grid := figure["percentiles_ms"]:
        return f"{grid[50]:.2f} / {grid[_PERCENT]:.2f}"
    return f"{figure['value']:,.1f} {figure['unit']}"


def _verdict(name: str, growth: float | None) -> str:
    if growth is None:
        return "-"
    target = _TARGETS.get(name)
    met = "met" if target and growth <= target else "missed"
    return f"{growth:.2f}" + (f", ≤ {target:g}: {met}" if target else "")


def draw(runs: Mapping[int, Figures], folder: Path) -> Path:
    try:
        from benchmarks.plots import draw_lines
    except ImportError:
        sys.exit("Plots need matplotlib: pip install -r requirements-bench.txt")
    lines: dict[str, Sequence[tuple[int, float]]] = {
        name: points for name in _DRAWN if (points := points_of(runs, name))
    }
    return draw_lines(
        lines, folder / "growth.svg", "Cost against rows", "memories stored", "p95, milliseconds"
    )


if __name__ == "__main__":
    main()
