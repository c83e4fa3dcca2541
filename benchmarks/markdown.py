"""The tables of docs/benchmarks.md from the JSON of a run, or of benchmarks.growth.

python -m benchmarks.markdown RESULT.json
"""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import growth


def figures_table(report: Mapping[str, Any]) -> Iterable[str]:
    yield "| scenario | a second | p50 ms | p95 ms | p99 ms |"
    yield "|---|---:|---:|---:|---:|"
    for name, figure in report["figures"].items():
        yield f"| {name} | {' | '.join(_cells(figure))} |"


def targets_table(report: Mapping[str, Any]) -> Iterable[str]:
    yield "| figure | of its floor | is | target | strong |"
    yield "|---|---|---:|---|---|"
    for row in report["targets"]:
        if "required" in row or "strong" in row:
            floor = row["floor"].removeprefix("floor: ") or "-"
            figure = f"{row['figure']}, {row['measure']}"
            bounds = " | ".join(_bound(row, name) for name in ("required", "strong"))
            yield f"| {figure} | {floor} | {row['value']:,.2f} | {bounds} |"


def growth_table(report: Mapping[str, Any]) -> Iterable[str]:
    runs = {int(rows): figures for rows, figures in report["runs"].items()}
    columns = growth.columns_of(runs)
    yield f"| {' | '.join(columns)} |"
    yield f"|---|{'---:|' * (len(columns) - 1)}"
    for row in growth.rows_of(runs):
        yield f"| {' | '.join(row)} |"


def _cells(figure: Mapping[str, Any]) -> list[str]:
    if figure["value"] is not None:
        return [f"{figure['value']:,.1f} {figure['unit']}", "", "", ""]
    unit = "" if figure["unit"] == "requests" else f" {figure['unit']}"
    grid = figure["percentiles_ms"]
    return [f"{figure['rate']:,.0f}{unit}", *(f"{grid[percent]:.2f}" for percent in (50, 95, 99))]


def _bound(row: Mapping[str, Any], name: str) -> str:
    if name not in row:
        return "-"
    relation = "≥" if row["measure"] == "rate" else "≤"
    return f"{relation} {row[name]['bound']:g}: {'met' if row[name]['met'] else 'missed'}"


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("Usage: python -m benchmarks.markdown RESULT.json")
    report = json.loads(Path(sys.argv[1]).read_text())
    if "runs" in report:
        print("\n".join(growth_table(report)))
    else:
        print("\n".join([*targets_table(report), "", *figures_table(report)]))


if __name__ == "__main__":
    main()
