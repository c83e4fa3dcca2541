import subprocess
import sys

from .processes import REPOSITORY, environment

EXAMPLE = REPOSITORY / "docs" / "examples" / "household.jsonl"


def run_demo(orchestrator):
    command = [sys.executable, "-m", "zmqbridge", "demo", EXAMPLE]
    return subprocess.run(
        [*command, f"--endpoint={orchestrator.endpoint}"],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_demo_of_the_household_runs_and_stores_nothing_twice(server, orchestrator):
    [(before,)] = server.rows("SELECT count(*) FROM memory_entries")
    for _ in range(2):
        done = run_demo(orchestrator)
        assert done.returncode == 0, done.stdout + done.stderr
    [(after,)] = server.rows("SELECT count(*) FROM memory_entries")
    assert after - before == len(EXAMPLE.read_text().splitlines())
