"""The benchmarks: floors and scenarios side by side, as a table, JSON and plots.

python -m benchmarks [--quick] [--only NAME ...] [--rows N] [--json FILE] [--plots DIR]
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.status import Status

from benchmarks.bench import Bench
from benchmarks.figures import Figure
from benchmarks.floors import echo_server, measure_floors
from benchmarks.report import as_json, beyond_guard, failures, table_of, write_json
from benchmarks.scenarios import GROUPS, Group, Scenario
from benchmarks.serving import end_what_was_started, serving

_QUICK_SCALE = 0.1
_LARGE_OWNER, _QUICK_LARGE_OWNER = 10_000, 2_000


def main() -> None:
    options = _options()
    end_what_was_started()
    console = Console(width=None if sys.stdout.isatty() else 150)
    loads = [os.getloadavg()[0]]
    rounds: dict[str, list[Figure]] = {}
    with console.status("starting") as status:
        for group in GROUPS.values():
            if wanted := _wanted(group, options):
                for figure in _measure(group, wanted, options, status):
                    rounds.setdefault(figure.name, []).append(figure)
    loads.append(os.getloadavg()[0])
    console.print(table_of(rounds))
    console.print(f"Load average before and after: {loads[0]:.1f}, {loads[1]:.1f}")
    report = as_json(rounds, vars(options), loads)
    if options.json:
        write_json(options.json, report)
    if options.plots:
        _draw(report, options.plots)
    if faults := failures(rounds):
        sys.exit("\n".join(faults))
    if options.check and (faults := beyond_guard(rounds)):
        sys.exit("Slower than the guard allows:\n" + "\n".join(faults))


def _options() -> argparse.Namespace:
    names = [name for group in GROUPS.values() for name in group.scenarios]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the requests, for a guard")
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--rows", type=int, default=10_000, help="memories stored before")
    parser.add_argument("--rounds", type=int, help="each figure is the median of so many")
    parser.add_argument("--minutes", type=float, default=10, help="of the scenario steady")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="as SVG; needs matplotlib")
    parser.add_argument("--check", action="store_true", help="fail where a guard is passed")
    return parser.parse_args()


def _draw(report: dict[str, Any], folder: Path) -> None:
    try:
        from benchmarks.plots import draw_all
    except ImportError:
        sys.exit("Plots need matplotlib: pip install -r requirements-bench.txt")
    draw_all(report, folder)


def _wanted(group: Group, options: argparse.Namespace) -> dict[str, Scenario]:
    """Those that are named; else all, or the quick ones."""
    if options.only:
        return {name: each for name, each in group.scenarios.items() if name in options.only}
    return {
        name: each
        for name, each in group.scenarios.items()
        if not each.named and (each.quick or not options.quick)
    }


def _measure(
    group: Group, wanted: Mapping[str, Scenario], options: argparse.Namespace, status: Status
) -> Iterator[Figure]:
    embedder = group.quick_embedder if options.quick else group.embedder
    count = options.rounds or (2 if options.quick else 3)
    with echo_server() as echo, serving({"EMBEDDER": embedder}) as served:
        bench = Bench(served, echo, _QUICK_SCALE if options.quick else 1, options.minutes)
        status.update(f"loading {options.rows} memories")
        bench.load(options.rows, large=_QUICK_LARGE_OWNER if options.quick else _LARGE_OWNER)
        for number in range(1, count + 1):
            status.update(f"round {number} of {count}: floors")
            yield from measure_floors(bench)
            for name, scenario in wanted.items():
                status.update(f"round {number} of {count}: {name}")
                yield from scenario.measure(bench)


if __name__ == "__main__":
    main()
