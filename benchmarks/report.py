"""The table on the screen and the JSON of a run."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.figures import Figure, middle
from benchmarks.targets import TARGETS, Target

Rounds = Mapping[str, Sequence[Figure]]


def table_of(rounds: Rounds) -> Table:
    table = Table("scenario", "a second", "p50 ms", "p95 ms", "p99 ms", "against floor and target")
    for column in table.columns[1:5]:
        column.justify = "right"
    for name, figures in rounds.items():
        figure = middle(figures)
        remarks = ["[red]requests failed[/]"] if figure.failure else _verdicts(rounds, name)
        table.add_row(name, *_cells(figure), "\n".join(remarks))
    return table


def beyond_guard(rounds: Rounds) -> list[str]:
    """A sentence for each target whose guard was passed."""
    passed = []
    for target in TARGETS:
        value = target.value(rounds)
        if value is None or target.guard is None or target.is_met(value, target.guard):
            continue
        beyond = abs(value - target.guard) / target.guard
        passed.append(
            f"{target.figure}: {target.measure} is {value:.2f} times that of {target.floor}; "
            f"the guard is {target.wording(target.guard)}, passed by {beyond:.0%}"
        )
    return passed


def failures(rounds: Rounds) -> list[str]:
    return [
        f"{name}: {figure.failure}"
        for name, figures in rounds.items()
        if (figure := middle(figures)).failure
    ]


def as_json(rounds: Rounds, options: Mapping[str, Any], loads: Sequence[float]) -> dict[str, Any]:
    return {
        "machine": machine() | {"load_average_before_and_after": loads},
        "options": {name: options[name] for name in ("quick", "only", "rows", "rounds")},
        "figures": {name: asdict(middle(figures)) for name, figures in rounds.items()},
        "rounds": {name: [_short(each) for each in figures] for name, figures in rounds.items()},
        "targets": [_target_row(target, rounds) for target in TARGETS if target.value(rounds)],
    }


def machine() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0],
    }


def write_json(path: Path, report: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(report, indent=1) + "\n")


def _cells(figure: Figure) -> list[str]:
    if figure.value is not None:
        return [f"{figure.value:,.1f} {figure.unit}", "", "", ""]
    unit = "" if figure.unit == "requests" else f" {figure.unit}"
    rate = f"{figure.rate:,.0f}{unit}"
    return [rate, *(f"{figure.measure(name):.2f}" for name in ("p50", "p95", "p99"))]


def _verdicts(rounds: Rounds, name: str) -> list[str]:
    return [
        _verdict(target, value)
        for target in TARGETS
        if target.figure == name and (value := target.value(rounds)) is not None
    ]


def _verdict(target: Target, value: float) -> str:
    unit = f" times {target.floor.removeprefix('floor: ')}" if target.floor else ""
    words = [f"{target.measure} {value:,.2f}{unit}"]
    for bound in dict.fromkeys((target.required, target.strong)):
        if bound is not None:
            met = "[green]met[/]" if target.is_met(value, bound) else "[red]missed[/]"
            words.append(f"{target.wording(bound)} {met}")
    return ", ".join(words)


def _target_row(target: Target, rounds: Rounds) -> dict[str, Any]:
    value = target.value(rounds) or 0.0
    bounds = {"required": target.required, "strong": target.strong}
    return {
        "figure": target.figure,
        "measure": target.measure,
        "floor": target.floor,
        "value": round(value, 3),
        **{
            name: {"bound": bound, "met": target.is_met(value, bound)}
            for name, bound in bounds.items()
            if bound is not None
        },
    }


def _short(figure: Figure) -> dict[str, float | None]:
    row: dict[str, float | None] = {"rate": figure.rate, "value": figure.value}
    if figure.percentiles_ms:
        row |= {name: figure.measure(name) for name in ("p50", "p95", "p99")}
    return row


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
