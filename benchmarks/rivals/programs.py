"""Starts each rival's program, in a virtual environment of its own, and asks it for scenarios."""

import json
import subprocess
import sys
import threading
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from benchmarks.serving import ROOT

_HERE = Path(__file__).resolve().parent
_SCENARIO_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Rival:
    """`packages`: what its environment needs; none: it runs in the one that runs this."""

    name: str
    program: str
    packages: tuple[str, ...] = ()


OURS = Rival("this orchestrator", "ours")
RIVALS = (
    OURS,
    Rival("a commit each, REP", "plain_rep"),
    Rival(
        "LangGraph PostgresStore",
        "langgraph_store",
        ("langgraph-checkpoint-postgres==3.2.0", "psycopg[binary,pool]==3.3.9"),
    ),
    Rival("mem0", "mem0_store", ("mem0ai==2.2.1", "psycopg[binary,pool]==3.3.9", "openai")),
)


class Program:
    """One that runs: `scenarios` are those it can do."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        assert process.stdin
        self._input: IO[str] = process.stdin
        self.scenarios: list[str] = self._answer().get("ready", [])

    def measure(self, scenario: str, round_number: int) -> dict[str, Any]:
        """Figures, or {"error"}."""
        self._input.write(json.dumps([scenario, round_number]) + "\n")
        self._input.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        """A program that answers no more is ended, and its scenarios with it."""
        assert self._process.stdout
        patience = threading.Timer(_SCENARIO_SECONDS, self._process.kill)
        patience.start()
        try:
            line = self._process.stdout.readline()
        finally:
            patience.cancel()
        if not line:
            self.scenarios = []
            return {"error": f"it ended with the status {self._process.wait()}"}
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def running(rival: Rival, environments: Path, database: str, work: Path) -> Iterator[Program]:
    folder = work.parent / rival.program
    folder.mkdir()
    environment = {"MEM0_TELEMETRY": "False", "HOME": str(folder), "MEM0_DIR": str(folder)}
    if not rival.packages:
        environment["PYTHONPATH"] = str(ROOT)
    log = folder / "log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [_python(rival, environments), _HERE / f"{rival.program}.py", database, work],
            env=environment,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        program = Program(process)
        if not program.scenarios:
            sys.exit(f"{rival.name} did not start:\n{log.read_text()[-1500:]}")
        yield program
    finally:
        process.communicate()  # closes its input, which ends it


def _python(rival: Rival, environments: Path) -> str:
    """Made anew where other packages are wanted than it was made for."""
    if not rival.packages:
        return sys.executable
    folder = environments / rival.program
    python, made = folder / "bin" / "python", folder / "made"
    wanted = "\n".join(rival.packages)
    if not made.exists() or made.read_text() != wanted:
        venv.create(folder, with_pip=True, clear=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *rival.packages], check=True)
        made.write_text(wanted)
    return str(python)
