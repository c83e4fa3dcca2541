"""An orchestrator of the benchmark's own: a real process on a real database, in a temporary folder.

With DATABASE_URL set it works in that database instead.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS = 120


@contextmanager
def orchestrator(environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yields the endpoint; `environment` adds settings."""
    with tempfile.TemporaryDirectory(prefix="memories-bench-") as folder:
        Path(folder).chmod(0o755)
        settings = os.environ | {"DATA_DIR": folder, "LOG_LEVEL": "WARNING"} | (environment or {})
        with running(settings) as endpoint:
            yield endpoint


@contextmanager
def running(environment: Mapping[str, str]) -> Iterator[str]:
    """A `run_orchestrator` in that environment, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "run_orchestrator", "--bind", "tcp://127.0.0.1:0"],
        cwd=ROOT,
        env=dict(environment),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield _endpoint(process)
    finally:
        process.terminate()
        process.wait(timeout=60)


def _endpoint(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    for line in process.stdout:
        if line.startswith("ready"):
            return line.split()[1]
    raise SystemExit(f"The orchestrator did not start (exit code {process.wait()}).")
