"""Makes this process a client of the embedded server, and starts the server where none runs.

The database backend calls it for each new connection; backups ask it for the server's address.
"""

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import make_conninfo

from memoryproject.postgres.archiving import Archive
from memoryproject.postgres.errors import ServerCannotRun, ServerDidNotStart
from memoryproject.postgres.files import open_new_file
from memoryproject.postgres.layout import PORT, SUPERUSER, Layout
from memoryproject.postgres.locks import (
    is_locked_exclusively,
    is_same_file,
    lock_shared,
    locked_exclusively,
    open_lock_file,
    wait_until_unlocked,
)
from memoryproject.postgres.processes import ProcessHandle, wait_for_end

LINGER_SECONDS = 5.0
_SIGHT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """How to connect. `host` is the directory of the server's socket.

    `started_ns` changes when the server restarts, which ends all connections made before.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    started_ns: int

    def dsn(self, dbname: str) -> str:
        """A connection string for libpq and its programs."""
        return make_conninfo(
            host=self.host, port=self.port, user=self.user, password=self.password, dbname=dbname
        )


@dataclass(frozen=True, slots=True)
class _Share:
    """Our share of the clients' lock. It keeps the server running as long as we live."""

    process_id: int
    descriptor: int


@dataclass(frozen=True, slots=True)
class _Sight:
    """A server that was found in order. For a moment only its process is looked at."""

    process_id: int
    address: ServerAddress
    postmaster: ProcessHandle
    seen_at: float

    def is_fresh(self) -> bool:
        return (
            self.process_id == os.getpid()
            and time.monotonic() - self.seen_at < _SIGHT_SECONDS
            and not self.postmaster.wait(0)
        )


@dataclass(frozen=True, slots=True)
class _Start:
    """How a server is started, where none runs."""

    bin_dir: Path | None
    archive: Archive | None
    linger_seconds: float


_shares: dict[Path, _Share] = {}
_sights: dict[Path, _Sight] = {}
_mutex = threading.Lock()


def _renew_mutex() -> None:
    global _mutex
    _mutex = threading.Lock()


# A thread of the parent may have held it, and does not exist here.
os.register_at_fork(after_in_child=_renew_mutex)


def read_options(options: dict[str, Any]) -> tuple[Path, Path | None, Archive | None]:
    """What `ensure_running` takes, of a database's OPTIONS."""
    if not options.get("data_dir"):
        raise ImproperlyConfigured(
            "DATABASES: the engine memoryproject.postgres needs OPTIONS['data_dir'], "
            "the directory of its data."
        )
    bin_dir = options.get("bin_dir")
    archive_dir = options.get("archive_dir")
    return (
        Path(options["data_dir"]),
        Path(bin_dir) if bin_dir else None,
        Archive(Path(archive_dir), options["archive_seconds"]) if archive_dir else None,
    )


def ensure_running(
    data_dir: Path,
    bin_dir: Path | None = None,
    archive: Archive | None = None,
    *,
    linger_seconds: float = LINGER_SECONDS,
) -> ServerAddress:
    """The address of the server of `data_dir`, made and started where needed.

    It runs until `linger_seconds` after the last process that called this has ended; those forked
    from such a process count. `archive`: what a server that is started here does with its WAL.
    Raises ServerCannotRun and ServerDidNotStart.
    """
    sight = _sights.get(data_dir)
    if sight is not None and sight.is_fresh():
        return sight.address
    layout = Layout(data_dir.resolve())
    try:
        address = _address_if_served(layout)
        if address is None:
            with _mutex:
                _take_share(layout)
                _make_sure_it_is_served(layout, _Start(bin_dir, archive, linger_seconds))
            address = _read_address(layout)
        _remember(data_dir, layout, address)
    except PermissionError as error:
        raise ServerCannotRun(
            f"The embedded PostgreSQL in {layout.data_dir} is closed to this account: {error}. "
            "Only root and the account that runs it may use it."
        ) from error
    except OSError as error:
        raise ServerCannotRun(
            f"The embedded PostgreSQL in {layout.data_dir} is out of reach: {error}."
        ) from error
    return address


def _address_if_served(layout: Layout) -> ServerAddress | None:
    """None as well where it ends just now: its files go while they are read."""
    try:
        return _read_address(layout) if _has_share(layout) and _is_served(layout) else None
    except FileNotFoundError:
        return None


def leave(data_dir: Path) -> None:
    """Be no client any more: our connections are closed. The server ends soon, if no other is."""
    layout = Layout(data_dir.resolve())
    with _mutex:
        _sights.pop(data_dir, None)
        share = _shares.pop(layout.data_dir, None)
        if share is not None and share.process_id == os.getpid():
            os.close(share.descriptor)


def _read_address(layout: Layout) -> ServerAddress:
    return ServerAddress(
        host=str(layout.socket_dir),
        port=PORT,
        user=SUPERUSER,
        password=layout.password.read_text(),
        started_ns=layout.postmaster_pid.stat().st_mtime_ns,
    )


def _remember(data_dir: Path, layout: Layout, address: ServerAddress) -> None:
    try:
        postmaster = ProcessHandle(_read_postmaster_id(layout))
    except OSError:  # no such handles here, or it just ended: the next call looks again
        _sights.pop(data_dir, None)
    else:
        _sights[data_dir] = _Sight(os.getpid(), address, postmaster, time.monotonic())


def _has_share(layout: Layout) -> bool:
    share = _shares.get(layout.data_dir)
    return (
        share is not None
        and share.process_id == os.getpid()
        and is_same_file(share.descriptor, layout.clients_lock)
    )


def _take_share(layout: Layout) -> None:
    """Wait here where the supervisor is just stopping the server."""
    if _has_share(layout):
        return
    layout.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = open_lock_file(layout.clients_lock)
    lock_shared(descriptor)
    os.utime(descriptor)  # tells the supervisor that somebody came
    stale = _shares.pop(layout.data_dir, None)
    _shares[layout.data_dir] = _Share(os.getpid(), descriptor)
    # Of a parent process the copy stays: its number may be somebody else's in here by now.
    if stale is not None and stale.process_id == os.getpid():
        os.close(stale.descriptor)


def _is_served(layout: Layout) -> bool:
    return (
        is_locked_exclusively(layout.supervisor_lock)
        and not is_locked_exclusively(layout.start_lock)
        and not _has_postmaster_ended(layout)
    )


def _has_postmaster_ended(layout: Layout) -> bool:
    """Known here at once: its supervisor needs some milliseconds to notice and leave."""
    try:
        process_id = _read_postmaster_id(layout)
    except (FileNotFoundError, IndexError):
        return True
    return wait_for_end(process_id, timeout_ms=0) is True


def _read_postmaster_id(layout: Layout) -> int:
    return int(layout.postmaster_pid.read_text().split(maxsplit=1)[0])


def _make_sure_it_is_served(layout: Layout, start: _Start) -> None:
    with locked_exclusively(layout.start_lock) as start_lock:
        if is_locked_exclusively(layout.supervisor_lock):
            if not _has_postmaster_ended(layout):
                return
            wait_until_unlocked(layout.supervisor_lock)
        _run_supervisor(layout, start_lock, start)


def _run_supervisor(layout: Layout, start_lock: int, start: _Start) -> None:
    """Start a supervisor and wait until its server accepts connections.

    It inherits the start lock: should we be killed, nobody starts a second one meanwhile.
    """
    command = [sys.executable, "-m", "memoryproject.postgres.supervisor", str(layout.data_dir)]
    command += [f"--linger-seconds={start.linger_seconds}", f"--start-lock={start_lock}"]
    if start.bin_dir is not None:
        command += [f"--bin-dir={start.bin_dir}"]
    if start.archive is not None:
        command += [f"--archive-dir={start.archive.directory}"]
        command += [f"--archive-seconds={start.archive.seconds}"]
    with (
        open_new_file(layout.supervisor_log) as log,
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
