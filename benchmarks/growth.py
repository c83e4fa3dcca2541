"""Cost against rows stored: the same scenarios at several sizes, as a table and a plot.

python -m benchmarks.growth [--rows N ...] [--quick] [--json FILE] [--plots DIR]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.report import machine, write_json
from benchmarks.serving import ROOT

_SCENARIOS = ("create", "read", "batch_read", "keyword_search")
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
)

# Of the p95 with the most rows to that with the fewest; no floor of another run says more.
_TARGETS = {"create, 1 in flight": 1.5, "create, 256 in flight": 1.5}

Figures = Mapping[str, Mapping[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--rows", type=int, nargs="+", default=_ROWS)
    parser.add_argument("--quick", action="store_true", help="a tenth of the requests")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="as SVG; needs matplotlib")
    options = parser.parse_args()
    runs = {rows: _run(rows, quick=options.quick) for rows in options.rows}
    Console(width=None if sys.stdout.isatty() else 150).print(table_of(runs))
    if options.json:
        write_json(options.json, {"machine": machine(), "runs": runs, "growth": growth_of(runs)})
    if options.plots:
        print(draw(runs, options.plots))


def _run(rows: int, *, quick: bool) -> Figures:
    """The figures of a run of its own, on a database of its own."""
    with tempfile.NamedTemporaryFile(suffix=".json") as result:
        command = ["-m", "benchmarks", f"--rows={rows}", "--rounds=1", f"--json={result.name}"]
        subprocess.run(
            [sys.executable, *command, *(["--quick"] if quick else []), "--only", *_SCENARIOS],
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


def growth_of(runs: Mapping[int, Figures]) -> dict[str, float]:
    """How many times as long each takes with the most rows as with the fewest, at p95."""
    found = {}
    for name in _DRAWN:
        points = points_of(runs, name)
        if len(points) > 1:
            found[name] = round(points[-1][1] / points[0][1], 3)
    return found


def table_of(runs: Mapping[int, Figures]) -> Table:
    sizes = (f"{rows:,} memories, p50 / p95 ms" for rows in sorted(runs))
    table = Table("scenario", *sizes, "p95, most to fewest")
    grown = growth_of(runs)
    for name in _DRAWN:
        cells = [
            f"{grid[50]:.2f} / {grid[_PERCENT]:.2f}"
            for _, figures in sorted(runs.items())
            if (grid := figures[name]["percentiles_ms"])
        ]
        table.add_row(name, *cells, _verdict(name, grown))
    return table


def _verdict(name: str, grown: Mapping[str, float]) -> str:
    if name not in grown:
        return "-"
    target = _TARGETS.get(name)
    met = "met" if target and grown[name] <= target else "missed"
    return f"{grown[name]:.2f}" + (f", ≤ {target:g} {met}" if target else "")


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
