"""Other stores beside this one: same server, texts and vectors, an environment of its own for each.

    python -m benchmarks.rivals [--memories 2000] [--recall 10000] [--rounds 2] [--json FILE]

The environments are made at the first run and kept. Each rival is a program in this folder, with a
database of its own on the same server. They are asked by turns: one scenario of each before the
next one, in the second round in the opposite order. The callers are threads of one process.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from statistics import median
from typing import Any
from urllib.parse import quote

import numpy as np
import psycopg
from psycopg.conninfo import conninfo_to_dict
from rich.console import Console
from rich.table import Table

from benchmarks.report import machine, write_json
from benchmarks.rivals import recalling
from benchmarks.rivals.calling import RECALL, SCENARIOS
from benchmarks.rivals.programs import OURS, RIVALS, Program, Rival, running
from benchmarks.serving import ROOT, Served, end_what_was_started, serving
from benchmarks.vectors import unit_vectors
from benchmarks.workload import Talk

DIMENSION = 384
_OWNERS = 20
_QUERIES = 200
_RECALL_QUERIES = 20  # of each owner

Figures = dict[str, Any]
Results = dict[str, dict[str, Figures]]  # by scenario, then by store


def main() -> None:
    options = _options()
    end_what_was_started()
    console = Console(width=None if sys.stdout.isatty() else 150)
    chosen = [rival for rival in RIVALS if rival.name in (options.only or _NAMES)]
    work = make_work(options.memories, options.recall, options.rounds)
    with serving({"EMBEDDER": options.embedder}) as served, console.status("starting") as status:
        results = compare(served, chosen, work, options.environments, status.update)
    console.print(table_of(results, [rival.name for rival in chosen]))
    console.print("p50 in ms in brackets; x how many times as quick this orchestrator is.")
    if options.json:
        write_json(
            options.json, {"machine": machine(), "embedder": options.embedder, "scenarios": results}
        )


def compare(
    served: Served,
    rivals: Sequence[Rival],
    work: Mapping[str, Any],
    environments: Path,
    say: Callable[[str], None] = lambda _: None,
) -> Results:
    """Start all programs, and ask them by turns."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rivals-")))
        file = folder / "work.json"
        file.write_text(json.dumps({**work, "endpoint": served.endpoint}))
        programs: dict[str, Program] = {}
        for rival in rivals:
            say(f"starting {rival.name}")
            address = stack.enter_context(_database(served.database, rival.program))
            started = running(rival, environments, address, file)
            programs[rival.name] = stack.enter_context(started)
        return measure(programs, work, say)


_NAMES = [rival.name for rival in RIVALS]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rivals", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--memories", type=int, default=2000)
    parser.add_argument(
        "--recall", type=int, default=10_000, help="memories that recall is measured in; 0: not"
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--embedder",
        choices=("given", "minilm"),
        default="given",
        help="of ours; vectors are given",
    )
    parser.add_argument("--environments", type=Path, default=ROOT / "var" / "rivals")
    parser.add_argument("--only", nargs="+", choices=_NAMES, metavar="NAME")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args()


def make_work(count: int, recall: int, rounds: int) -> dict[str, Any]:
    """Memories and queries as [owner, text, vector]. No text twice: stores embed by the text."""
    talk, chance = Talk(seed=21), Random(21)
    # By chance: in turn, a scenario that takes every twelfth would know a quarter of them alone.
    owners = [f"owner-{chance.randrange(_OWNERS)}" for _ in range(count)]
    return {
        "rounds": rounds,
        "memories": _given(owners, talk, seed=21),
        "queries": _given([f"owner-{n % _OWNERS}" for n in range(_QUERIES)], talk, seed=10**9),
        "recall_memories": _given(recalling.owners(recall), talk, seed=23),
        "recall_queries": _given(
            [owner for owner in recalling.SHARES for _ in range(_RECALL_QUERIES)] if recall else [],
            talk,
            seed=10**9 + 1,
        ),
    }


def _given(owners: Sequence[str], talk: Talk, seed: int) -> list[list[Any]]:
    vectors = unit_vectors(len(owners), DIMENSION, seed)
    return [
        [owner, f"{talk.text()} ({seed}, {number})", np.round(vector, 6).tolist()]
        for number, (owner, vector) in enumerate(zip(owners, vectors, strict=True))
    ]


def measure(
    programs: Mapping[str, Program], work: Mapping[str, Any], say: Callable[[str], None]
) -> Results:
    results: Results = {}
    for round_number in range(work["rounds"]):
        order = list(programs.items())[:: -1 if round_number % 2 else 1]
        for scenario in SCENARIOS:
            if scenario == RECALL and (round_number or not work["recall_memories"]):
                continue
            for name, program in order:
                if scenario not in program.scenarios:
                    continue
                say(f"round {round_number + 1}: {scenario}: {name}")
                told = program.measure(scenario, round_number)
                for row, figures in _rows(scenario, told, work).items():
                    results.setdefault(row, {}).setdefault(name, {"rounds": []})
                    results[row][name]["rounds"].append(figures)
    return {row: _with_ratios(of_row) for row, of_row in results.items()}


def _rows(scenario: str, told: Figures, work: Mapping[str, Any]) -> Mapping[str, Figures]:
    if scenario == RECALL and "error" not in told:
        return recalling.recalls(told, work["recall_memories"], work["recall_queries"])
    return {scenario: told}


def _with_ratios(of_row: dict[str, Figures]) -> dict[str, Figures]:
    """The medians over the rounds, and how many times as quick as each the orchestrator is."""
    middle: dict[str, Figures] = {}
    for name, kept in of_row.items():
        rounds = [each for each in kept["rounds"] if "error" not in each]
        errors = [each["error"] for each in kept["rounds"] if "error" in each]
        middle[name] = {"error": errors[0]} if errors else _medians(rounds)
    ours = middle.get(OURS.name, {}).get("rate")
    for name, figures in middle.items():
        if ours and name != OURS.name and "rate" in figures:
            figures["ours_to_it"] = round(ours / figures["rate"], 2)
    return middle


def _medians(rounds: Sequence[Figures]) -> Figures:
    return {key: median(each[key] for each in rounds) for key in rounds[0]}


def table_of(results: Results, names: Sequence[str]) -> Table:
    table = Table("a second (p50 ms)", *names)
    table.columns[0].no_wrap = True
    for row, of_row in results.items():
        table.add_row(row, *(_cell(of_row.get(name)) for name in names))
    return table


def _cell(figures: Figures | None) -> str:
    if not figures:
        return "-"
    if "error" in figures:
        return f"failed: {figures['error'][:60]}"
    if "recall" in figures:
        return f"{figures['recall']:.2f}"
    ratio = f" x{figures['ours_to_it']:.2f}" if "ours_to_it" in figures else ""
    return f"{figures['rate']:,.0f} ({figures['p50']:.2f}){ratio}"


@contextmanager
def _database(server: str, name: str) -> Iterator[str]:
    """A new database on the same server; yields its address as a URL."""
    database = f"bench_{name}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {database}")
        parts = conninfo_to_dict(server)
        user, password = quote(str(parts["user"])), quote(str(parts["password"]))
        host = quote(str(parts["host"]), safe="")
        yield f"postgresql://{user}:{password}@{host}:{parts['port']}/{database}"
        connection.execute(f"DROP DATABASE {database} WITH (FORCE)")


if __name__ == "__main__":
    main()
