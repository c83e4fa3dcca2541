"""Orchestrators as processes of their own, and waiting for what they do."""

import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.waiting import wait_until as wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
START_SECONDS = 60


def environment(**settings):
    """Ours, with an embedder that needs no model, and whatever a test says."""
    fresh = {
        "DATABASE_URL": "",
        "DATABASE_WAIT_SECONDS": "10",
        "EMBEDDER": "hashing",
        "GRACE_SECONDS": "10",
        "SECRET_KEY": "acceptance",
    }
    return {**os.environ, **fresh, **{name: str(value) for name, value in settings.items()}}


def run_command(*arguments, seconds=START_SECONDS, typed="", repository=REPOSITORY, **settings):
    """A finished `manage.py …` process."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=repository,
        env=environment(**settings),
        input=typed,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


class Orchestrator:
    """`manage.py run_orchestrator`. Its standard error goes to a file, to be shown on failure."""

    def __init__(self, log, *arguments, repository=REPOSITORY, **settings):
        self.log = log
        arguments = arguments or ("--bind", "tcp://127.0.0.1:0")
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "run_orchestrator", *arguments],
                cwd=repository,
                env=environment(**settings),
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        self.endpoints = []

    @property
    def endpoint(self):
        return self.endpoints[0]

    def wait_ready(self, seconds=START_SECONDS):
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            assert selector.select(seconds), f"not ready within {seconds} s: {self.errors()}"
        line = self.process.stdout.readline().decode()
        assert line.startswith("ready "), (line, self.errors())
        self.endpoints = line.split()[1:]
        return self

    def stop(self, number=signal.SIGTERM, seconds=30):
        """Returns the exit code and how many seconds the stop took."""
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(seconds), time.monotonic() - began

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.kill()
        self.process.stdout.close()

    def errors(self):
        return self.log.read_text(errors="replace")
