"""How quickly old memories come over: rows a second and peak memory of a whole import.

    python -m benchmarks.importing [--rows 100000]

Makes a session memory of that many turns, and imports it into a database of its own (or that of
DATABASE_URL) by the command, as an operator would: with the copy, the check for damage, the import
and the comparison afterwards.
"""

import argparse
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.serving import ROOT, _end_server

_TURNS_A_SESSION = 50
_TEXT = """please turn the kitchen light on off tomorrow weather remind me about tea coffee meeting
    with anna and bob at seven in the morning music play stop louder what is the time"""


def make_store(path: Path, rows: int) -> None:
    talk, words = random.Random(7), _TEXT.split()
    with sqlite3.connect(path) as connection:
        connection.executescript(
            """
            CREATE TABLE sessions (session_id TEXT PRIMARY KEY, user_id TEXT, created_at TEXT,
                last_active TEXT, metadata TEXT);
            CREATE TABLE interactions (id INTEGER PRIMARY KEY, session_id TEXT, timestamp TEXT,
                role TEXT, content TEXT, metadata TEXT);"""
        )
        connection.executemany(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, '{}')",
            (
                (f"talk-{number}", f"user-{number % 20}", _time(number), _time(number + 1))
                for number in range(-(-rows // _TURNS_A_SESSION))
            ),
        )
        connection.executemany(
            "INSERT INTO interactions VALUES (?, ?, ?, ?, ?, ?)",
            (
                (
                    number,
                    f"talk-{number // _TURNS_A_SESSION}",
                    _time(number),
                    "user" if number % 2 else "assistant",
                    " ".join(talk.choices(words, k=14)),
                    json.dumps({"tags": ["home"], "turn": number}),
                )
                for number in range(rows)
            ),
        )


def _time(number: int) -> str:
    return (datetime(2024, 1, 1) + timedelta(seconds=number)).isoformat()


class Run(NamedTuple):
    """`phases`: what the command says of each, as "importing: … rows in … s". `cpu_seconds`: of
    the command alone, without the database."""

    seconds: float
    cpu_seconds: float
    peak_mebibytes: float
    phases: list[str]


def run(environment: Mapping[str, str], *arguments: str) -> Run:
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "import_memories", *arguments],
        cwd=ROOT,
        env=dict(environment),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"The import failed with the status {os.waitstatus_to_exitcode(status)}.")
    return Run(
        time.perf_counter() - begin,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,
        re.findall(r"\w+: \d+ rows in .*", told),
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.importing")
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    folder = Path(tempfile.mkdtemp(prefix="memories-bench-"))
    folder.chmod(0o755)  # the embedded server may run under another account
    environment = {"EMBEDDER": "hashing", **os.environ, "DATA_DIR": str(folder)}
    try:
        warm, store = folder / "warm", folder / "store"
        make_store(warm, 1)
        make_store(store, rows)
        run(environment, str(warm))  # makes the database
        table = Table(
            "run",
            "rows",
            "seconds",
            "rows a second",
            "its CPU seconds",
            "peak memory, MiB",
            "phases",
        )
        for name, arguments in {
            "import and comparison": [str(store)],
            "the same again": [str(store)],
            "comparison alone": ["--verify", str(store)],
        }.items():
            done = run(environment, *arguments)
            table.add_row(
                name,
                f"{rows:,}",
                f"{done.seconds:.1f}",
                f"{rows / done.seconds:,.0f}",
                f"{done.cpu_seconds:.1f}",
                f"{done.peak_mebibytes:.0f}",
                "\n".join(done.phases),
            )
        Console().print(table)
        loads = ", ".join(f"{load:.1f}" for load in os.getloadavg())
        Console().print(f"Load averages: {loads}")
    finally:
        _end_server(folder)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
