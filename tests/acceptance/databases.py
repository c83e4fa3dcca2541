"""The PostgreSQL servers of these tests, each in a directory of its own below /tmp.

Not below pytest's directory: as root the server runs under another account, which may not enter.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg

from memoryproject.postgres.account import choose_account
from memoryproject.postgres.binaries import find_binaries
from memoryproject.postgres.cluster import clean_environment
from memoryproject.postgres.launch import ensure_running
from memoryproject.postgres.layout import Layout
from memoryproject.postgres.processes import processes_in
from tests.waiting import free_port, wait_until


class EmbeddedServer:
    """A DATA_DIR with its embedded server, which this process keeps running."""

    def __init__(self):
        self.directory = make_directory()
        self.layout = Layout(self.directory / "var")
        self.address = ensure_running(self.layout.data_dir, linger_seconds=0.2)

    @property
    def settings(self):
        """Environment variables of an orchestrator on this server."""
        return {"DATA_DIR": self.layout.data_dir}

    def url(self, database="memories"):
        """A DATABASE_URL for another database of this server."""
        host = quote(self.address.host, "")
        return f"postgresql://{self.address.user}:{self.address.password}@/{database}?host={host}"

    def connect(self, database="memories"):
        return psycopg.connect(self.address.dsn(database), autocommit=True)

    def rows(self, sql, *params, database="memories"):
        with self.connect(database) as connection:
            cursor = connection.execute(sql, params)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def hold_memories(self):
        """While it lasts no memory is read or written."""
        with self.connect() as connection, connection.transaction():
            connection.execute("LOCK TABLE memory_entries IN ACCESS EXCLUSIVE MODE")
            yield

    def postmaster(self):
        return int(self.layout.postmaster_pid.read_text().split()[0])

    def remove(self):
        """End the server; its supervisor leaves with it."""
        os.kill(self.postmaster(), signal.SIGQUIT)
        wait_until(lambda: not processes_in(self.layout.cluster))
        shutil.rmtree(self.directory, ignore_errors=True)


class OwnServer:
    """A server that its administrator starts and stops, for orchestrators with a DATABASE_URL."""

    def __init__(self, binaries=None):
        self.directory = make_directory()
        self.cluster = self.directory / "cluster"
        self._account = choose_account(self.cluster)
        self._account.take_over(self.directory)
        self._binaries = binaries or find_binaries().directory
        self._port = free_port()
        self._run("initdb", "--username=memories", "--auth=trust", "--encoding=UTF8")
        settings = f"port={self._port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories=''\n"
        with (self.cluster / "postgresql.conf").open("a") as configuration:
            configuration.write(settings)
        self.start()
        self.rows("CREATE DATABASE memories", database="postgres")

    @property
    def settings(self):
        url = f"postgresql://memories@127.0.0.1:{self._port}/memories"
        return {"DATABASE_URL": url, "DATA_DIR": self.directory}

    @property
    def client_environment(self):
        """Environment variables by which PostgreSQL's own programs find it."""
        return {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self._port),
            "PGUSER": "memories",
            "PGDATABASE": "memories",
        }

    def give(self, folder):
        """To the account under which it runs."""
        self._account.take_over(folder)

    def rows(self, sql, *params, database="memories"):
        address = {"host": "127.0.0.1", "port": self._port, "user": "memories"}
        with psycopg.connect(**address, dbname=database, autocommit=True) as connection:
            cursor = connection.execute(sql, params)
            return cursor.fetchall() if cursor.description else []

    def is_running(self):
        return bool(processes_in(self.cluster))

    def start(self):
        self._run("pg_ctl", "start", "--wait", f"--log={self.cluster}/log")

    def stop(self, mode="fast"):
        self._run("pg_ctl", "stop", "--wait", f"--mode={mode}")

    def restart(self, mode):
        self._run("pg_ctl", "restart", "--wait", f"--mode={mode}", f"--log={self.cluster}/log")

    @contextmanager
    def frozen(self):
        """While it lasts nothing of it runs, and no connection breaks."""
        pids = processes_in(self.cluster)
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def kill(self):
        """Kill the postmaster; its children notice and end."""
        pid_file = self.cluster / "postmaster.pid"
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
        wait_until(lambda: not self.is_running())
        pid_file.unlink()  # its zombie would block the next start

    def remove(self):
        if self.is_running():
            self.stop("immediate")
        shutil.rmtree(self.directory, ignore_errors=True)

    def _run(self, program, *arguments):
        subprocess.run(
            [self._binaries / program, f"--pgdata={self.cluster}", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            cwd="/",
            env=clean_environment(),
            **self._account.popen_options(),
        )


def make_directory():
    path = Path(tempfile.mkdtemp(prefix="acceptance-", dir="/tmp"))
    path.chmod(0o755)
    return path
