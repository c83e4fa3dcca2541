"""Other stores beside this one: same server, texts and vectors, an environment of its own for each.

    python -m benchmarks.rivals [--memories N] [--environments DIR]

The environments are made at the first run and kept. Each rival is a program in this folder that
reads the work from a file, does it against a database of its own, and prints its figures as JSON.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import psycopg
from psycopg.conninfo import conninfo_to_dict
from rich.console import Console
from rich.table import Table

from benchmarks.load import unit_vectors
from benchmarks.serving import ROOT, serving
from benchmarks.workload import Talk

_HERE = Path(__file__).resolve().parent
_OWNERS = 20
_QUERIES = 300
DIMENSION = 384

# name -> (program, what its environment needs; None: the one that runs this)
_RIVALS: dict[str, tuple[str, list[str] | None]] = {
    "this orchestrator": ("ours", None),
    "a commit each, REP": ("plain_rep", None),
    "LangGraph PostgresStore": (
        "langgraph_store",
        ["langgraph-checkpoint-postgres==3.2.0", "psycopg[binary,pool]"],
    ),
    "mem0": ("mem0_store", ["mem0ai==2.2.1", "psycopg[binary,pool]", "openai"]),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rivals")
    parser.add_argument("--memories", type=int, default=2000)
    parser.add_argument("--environments", type=Path, default=ROOT / "var" / "rivals")
    parser.add_argument("--only", nargs="+", choices=list(_RIVALS), metavar="NAME")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 140)
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder, serving({"EMBEDDER": "given"}) as served:
        work = Path(folder) / "work.json"
        work.write_text(json.dumps(_work(options.memories) | {"endpoint": served.endpoint}))
        for name in options.only or _RIVALS:
            program, packages = _RIVALS[name]
            with console.status(name), _database(served.database, program) as address:
                python = _python(options.environments / program, packages)
                results[name] = _run(python, program, address, work)
    console.print(_table(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


def _work(count: int) -> dict[str, Any]:
    """`memories`: owner, text, vector; `queries`: the same."""
    talk = Talk(seed=21)
    vectors = unit_vectors(count, DIMENSION, seed=21)
    near = vectors[:_QUERIES] + unit_vectors(_QUERIES, DIMENSION, seed=22) / 2
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    return {
        "memories": [
            [_owner(number), talk.text(), vector.tolist()] for number, vector in enumerate(vectors)
        ],
        "queries": [
            [_owner(number), talk.query(), vector.tolist()] for number, vector in enumerate(near)
        ],
    }


def _owner(number: int) -> str:
    return f"owner-{number % _OWNERS}"


def _python(folder: Path, packages: list[str] | None) -> str:
    if packages is None:
        return sys.executable
    python = folder / "bin" / "python"
    if not (folder / "made").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        (folder / "made").touch()
    return str(python)


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


def _run(python: str, program: str, address: str, work: Path) -> dict[str, Any]:
    done = subprocess.run(
        [python, _HERE / f"{program}.py", address, work],
        env={"PYTHONPATH": str(ROOT), "MEM0_TELEMETRY": "False", "HOME": str(work.parent)},
        cwd=work.parent,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _table(results: dict[str, dict[str, Any]]) -> Table:
    names = list(dict.fromkeys(name for figures in results.values() for name in figures))
    table = Table("a second (p50 ms)", *results)
    for name in names:
        cells = [figures.get(name) for figures in results.values()]
        table.add_row(name, *(f"{c['rate']:,.0f} ({c['p50']:.2f})" if c else "-" for c in cells))
    return table


if __name__ == "__main__":
    main()
