"""Makes this process a client of the embedded server, and starts the server where none runs.

The database backend calls it for each new connection; backups ask it for the server's address.
"""

import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from psycopg.conninfo import make_conninfo

from memoryproject.postgres.errors import ServerCannotRun, ServerDidNotStart
from memoryproject.postgres.layout import PORT, SUPERUSER, Layout
from memoryproject.postgres.locks import (
    is_locked_exclusively,
    is_same_file,
    lock_shared,
    locked_exclusively,
    open_lock_file,
)

LINGER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """How to connect. `host` is the directory of the server's socket."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)

    def dsn(self, dbname: str) -> str:
        """A connection string for libpq and its programs."""
        return make_conninfo(
            host=self.host, port=self.port, user=self.user, password=self.password, dbname=dbname
        )


@dataclass(frozen=True, slots=True)
class _Hold:
    """The share of the clients' lock that keeps the server running as long as we live."""

    process_id: int
    clients_lock: int
    address: ServerAddress


_holds: dict[Path, _Hold] = {}
_mutex = threading.Lock()


def _renew_mutex() -> None:
    global _mutex
    _mutex = threading.Lock()


# A thread of the parent may have held it, and does not exist here.
os.register_at_fork(after_in_child=_renew_mutex)


def ensure_running(
    data_dir: Path, *, bin_dir: Path | None = None, linger_seconds: float = LINGER_SECONDS
) -> ServerAddress:
    """The address of the server of `data_dir`, started and made there where needed.

    It runs until `linger_seconds` after the last process that called this has ended. Costs some
    microseconds where it runs. Raises ServerCannotRun and ServerDidNotStart.
    """
    layout = Layout(data_dir.resolve())
    hold = _holds.get(layout.data_dir)
    if hold and hold.process_id == os.getpid() and _is_served(layout):
        return hold.address
    with _mutex:
        try:
            return _become_client(layout, bin_dir, linger_seconds).address
        except OSError as error:
            raise ServerCannotRun(
                f"The embedded PostgreSQL in {layout.data_dir} is out of reach: {error}. It is "
                "used by the account that made it, or by root."
            ) from error


def _is_served(layout: Layout) -> bool:
    return is_locked_exclusively(layout.supervisor_lock) and not is_locked_exclusively(
        layout.start_lock
    )


def _become_client(layout: Layout, bin_dir: Path | None, linger_seconds: float) -> _Hold:
    layout.data_dir.mkdir(parents=True, exist_ok=True)
    layout.run.mkdir(mode=0o700, exist_ok=True)
    clients_lock = _share_clients_lock(layout)
    with locked_exclusively(layout.start_lock) as start_lock:
        if not is_locked_exclusively(layout.supervisor_lock):
            _run_supervisor(layout, start_lock, bin_dir, linger_seconds)
    address = ServerAddress(str(layout.socket_dir), PORT, SUPERUSER, layout.password.read_text())
    hold = _Hold(os.getpid(), clients_lock, address)
    _holds[layout.data_dir] = hold
    return hold


def _share_clients_lock(layout: Layout) -> int:
    """A share of the clients' lock; waits where the supervisor is just stopping the server."""
    hold = _holds.get(layout.data_dir)
    if hold and hold.process_id == os.getpid():
        if is_same_file(hold.clients_lock, layout.clients_lock):
            return hold.clients_lock
        os.close(hold.clients_lock)
        del _holds[layout.data_dir]
    descriptor = open_lock_file(layout.clients_lock)
    lock_shared(descriptor)
    os.utime(descriptor)  # tells the supervisor that somebody came
    return descriptor


def _run_supervisor(
    layout: Layout, start_lock: int, bin_dir: Path | None, linger_seconds: float
) -> None:
    """Start a supervisor and wait until its server accepts connections.

    It inherits the start lock: should we be killed, nobody starts a second one meanwhile.
    """
    command = [sys.executable, "-m", "memoryproject.postgres.supervisor", str(layout.data_dir)]
    command += [f"--linger-seconds={linger_seconds}", f"--start-lock={start_lock}"]
    if bin_dir is not None:
        command += [f"--bin-dir={bin_dir}"]
    with (
        layout.supervisor_log.open("wb") as log,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            env=_supervisor_environment(),
            pass_fds=(start_lock,),
            start_new_session=True,  # not stopped by a Ctrl-C that is meant for us
        ) as process,
    ):
        report, _ = process.communicate()
    _raise_unless_ready(layout, report.decode())


def _supervisor_environment() -> dict[str, str]:
    search_path = os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path)
    return {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": search_path}


def _raise_unless_ready(layout: Layout, report: str) -> None:
    kind, _, message = report.partition(" ")
    if kind == "ready":
        return
    if kind == ServerCannotRun.__name__:
        raise ServerCannotRun(message)
    if kind == ServerDidNotStart.__name__:
        raise ServerDidNotStart(message)
    last_words = layout.supervisor_log.read_text(errors="replace").strip()
    raise ServerDidNotStart(
        f"The supervisor of the embedded PostgreSQL in {layout.data_dir} died:\n{last_words}"
    )
