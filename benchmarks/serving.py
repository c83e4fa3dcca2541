"""An orchestrator of the benchmark's own: a real process on a real database, in a temporary folder.

With DATABASE_URL set it works in that database instead.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from memoryproject.postgres.launch import ensure_running
from memoryproject.postgres.layout import Layout

ROOT = Path(__file__).resolve().parent.parent
_END_SECONDS = 30
AS_SHIPPED = ("manage.py",)
WITHOUT_EMBEDDING = ("-m", "benchmarks.without_embedding")


@dataclass(frozen=True, slots=True)
class Served:
    """A running orchestrator: where it answers, its process, its database, its environment."""

    endpoint: str
    process_id: int
    database: str
    environment: Mapping[str, str]
    start_seconds: float

    def load(self, *arguments: str) -> None:
        """Have the loader (benchmarks.load) fill the database."""
        subprocess.run(
            [sys.executable, "-m", "benchmarks.load", *arguments],
            cwd=ROOT,
            env=dict(self.environment),
            check=True,
            stdout=subprocess.DEVNULL,
        )


def end_what_was_started() -> None:
    """Have SIGTERM unwind this process, so that what it started ends and its folder goes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped."))


@contextmanager
def orchestrator(environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yields the endpoint; `environment` adds settings."""
    with serving(environment) as served:
        yield served.endpoint


@contextmanager
def serving(
    environment: Mapping[str, str] | None = None, program: Sequence[str] = AS_SHIPPED
) -> Iterator[Served]:
    """`environment` adds settings; `program` runs in place of the orchestrator as shipped."""
    folder = Path(tempfile.mkdtemp(prefix="memories-bench-"))
    folder.chmod(0o755)  # the embedded server may run under another account
    settings = {"DATABASE_URL": "", **os.environ, "DATA_DIR": str(folder), **(environment or {})}
    try:
        start = time.perf_counter()
        with _running(settings, program) as process:
            endpoint = _endpoint(process)
            seconds = time.perf_counter() - start
            database = settings.get("DATABASE_URL") or ensure_running(folder).dsn("memories")
            yield Served(endpoint, process.pid, database, settings, seconds)
    finally:
        _end_server(folder)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def another(served: Served, environment: Mapping[str, str]) -> Iterator[str]:
    """A second orchestrator on the same database, with other settings; yields its endpoint."""
    with beside(served, environment) as second:
        yield second.endpoint


@contextmanager
def beside(
    served: Served,
    environment: Mapping[str, str],
    program: Sequence[str] = AS_SHIPPED,
    log: IO[bytes] | None = None,
) -> Iterator[Served]:
    """The same, with all that is known of it; `log` takes its lines."""
    settings = {**served.environment, **environment}
    start = time.perf_counter()
    with _running(settings, program, log) as process:
        endpoint = _endpoint(process)
        seconds = time.perf_counter() - start
        yield Served(endpoint, process.pid, served.database, settings, seconds)


@contextmanager
def _running(
    environment: Mapping[str, str], program: Sequence[str], log: IO[bytes] | None = None
) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, *program, "run_orchestrator", "--bind", "tcp://127.0.0.1:0"],
        cwd=ROOT,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)
        if process.stdout:
            process.stdout.close()


def _endpoint(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    for line in process.stdout:
        if line.startswith("ready"):
            return line.split()[1]
    raise SystemExit(f"The orchestrator did not start (exit code {process.wait()}).")


def _end_server(folder: Path) -> None:
    """End the embedded server now: it would outlive its folder as long as this process lives."""
    pid_file = Layout(folder.resolve()).postmaster_pid
    with suppress(FileNotFoundError, ProcessLookupError, IndexError):
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGINT)
    deadline = time.monotonic() + _END_SECONDS
    while pid_file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
