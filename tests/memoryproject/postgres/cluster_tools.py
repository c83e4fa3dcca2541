"""Client processes of an embedded server, and what of that server is seen from outside."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from memoryproject.postgres.layout import Layout
from memoryproject.postgres.locks import is_locked_exclusively
from memoryproject.postgres.processes import processes_in
from tests.waiting import wait_until as wait_until

REPOSITORY = Path(__file__).resolve().parents[3]
PROGRAM = Path(__file__).with_name("client_program.py")
LINGER_SECONDS = 0.2


def run_python(*arguments, python=sys.executable, **options):
    """A finished Python process with the repository on its path."""
    return subprocess.run(
        [python, *arguments],
        **{
            "capture_output": True,
            "text": True,
            "timeout": 60,
            "cwd": "/",
            "env": environment(),
            **options,
        },
    )


def environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *filter(None, sys.path)])}


def find_python_for(identity):
    """A Python of our version that the account can execute, or None: ours may lie in a home."""
    minor = f"python3.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{minor}", f"/usr/local/bin/{minor}"):
        try:
            result = run_python("-c", "import psycopg, memoryproject", python=python, **identity)
        except OSError:
            continue
        if result.returncode == 0:
            return python
    return None


class Client:
    """A process that uses the server. It is asked by lines, see client_program.py."""

    def __init__(self, data_dir, python=sys.executable, **popen_options):
        self.process = subprocess.Popen(
            [python, PROGRAM, str(data_dir), str(LINGER_SECONDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env=environment(),
            **popen_options,
        )

    def connect(self):
        self.server = self._read()
        return self

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self._read()

    def kill(self):
        self.process.kill()
        self.close()

    def leave(self):
        self.process.stdin.close()
        assert self.process.wait(20) == 0
        self.close()

    def close(self):
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                stream.close()
            except BrokenPipeError:
                continue
        self.process.wait(20)

    def _read(self):
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return json.loads(line)


class Place:
    """A data directory of a test, and the processes that serve it."""

    def __init__(self, data_dir):
        self.layout = Layout(data_dir)
        self.data_dir = data_dir
        self.clients = []

    def start_client(self, **popen_options):
        client = Client(self.data_dir, **popen_options)
        self.clients.append(client)
        return client

    def connect(self, **popen_options):
        return self.start_client(**popen_options).connect()

    def postmaster(self):
        return int(self.layout.postmaster_pid.read_text().split()[0])

    def supervisor(self):
        """The process that was given this data directory on its command line."""
        wanted = os.fsencode(self.data_dir)
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"memoryproject.postgres.supervisor" in words and wanted in words:
                return int(entry.name)
        return None

    def is_served(self):
        return bool(processes_in(self.layout.cluster))

    def is_supervised(self):
        return is_locked_exclusively(self.layout.supervisor_lock)

    def wait_until_stopped(self):
        wait_until(lambda: not self.is_served() and not self.is_supervised())

    def kill_everything(self):
        for client in self.clients:
            if client.process.poll() is None:
                client.process.kill()
            client.close()
        for process_id in filter(None, [self.supervisor(), *processes_in(self.layout.cluster)]):
            try:
                os.kill(process_id, signal.SIGKILL)
            except ProcessLookupError:
                continue
        wait_until(lambda: not self.is_served() and not self.is_supervised())
