"""The postmaster: starts, adopts and stops it. The supervisor is its only caller.

Every process of the server inherits the server lock. Who holds it exclusively knows that none of
them lives, whatever process id a stale postmaster.pid names.
"""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from memoryproject.postgres.account import Account
from memoryproject.postgres.binaries import Binaries
from memoryproject.postgres.cluster import clean_environment
from memoryproject.postgres.errors import ServerCannotRun, ServerDidNotStart
from memoryproject.postgres.files import open_new_file
from memoryproject.postgres.layout import PORT, Layout
from memoryproject.postgres.locks import lock_exclusively, open_lock_file, try_to_lock_exclusively
from memoryproject.postgres.logs import read_log_end
from memoryproject.postgres.processes import processes_in, wait_for_end, works_in

_LOOK_SECONDS = 0.02
_ORPHAN_GRACE_SECONDS = 2.0
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A server that accepts connections."""

    process_id: int

    def signal(self, number: int) -> None:
        try:
            os.kill(self.process_id, number)
        except ProcessLookupError:
            return

    def wait(self, server_lock: int) -> None:
        """Return when it ended. `server_lock` is a descriptor of its own on the server lock."""
        if wait_for_end(self.process_id) is None:
            lock_exclusively(server_lock)  # no way to watch the one process: the last one tells


def lock_or_adopt(layout: Layout) -> int | Postmaster:
    """The exclusive server lock where no server lives, else the server that does.

    Waits while one starts or stops, and ends what a killed postmaster left behind. Raises
    ServerCannotRun where the lock's holder stays out of sight.
    """
    descriptor = open_lock_file(layout.server_lock)
    seen = time.monotonic()
    while not try_to_lock_exclusively(descriptor):
        if postmaster := _find_postmaster(layout):
            seen = time.monotonic()
            if _is_ready(layout, postmaster.process_id):
                os.close(descriptor)
                return postmaster
        unseen_seconds = time.monotonic() - seen
        if unseen_seconds > _ORPHAN_GRACE_SECONDS:
            _kill_orphans(layout)
        if unseen_seconds > _PATIENCE_SECONDS:
            raise ServerCannotRun(
                f"Some process outside this container or account serves {layout.cluster}: stop it."
            )
        time.sleep(_LOOK_SECONDS)  # nothing to wait on: the lock, a file and processes may change
    return descriptor


def remove_stale_files(layout: Layout) -> None:
    """Remove what blocks the start after a kill. The caller holds the server lock.

    Raises ServerCannotRun where a server runs that somebody started by hand.
    """
    if living := processes_in(layout.cluster):
        raise ServerCannotRun(
            f"Another PostgreSQL server runs in {layout.cluster} (process {living[0]}): stop it."
        )
    layout.postmaster_pid.unlink(missing_ok=True)
    for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
        (layout.socket_dir / name).unlink(missing_ok=True)


def start_postmaster(
    layout: Layout, account: Account, binaries: Binaries, server_lock: int
) -> Postmaster:
    """Start the server and wait until it accepts connections, however long its recovery takes."""
    with open_new_file(layout.startup_log) as log:
        process = subprocess.Popen(
            [
                binaries.postgres,
                *("-D", layout.cluster),
                *("-c", f"unix_socket_directories={_quote(layout.socket_dir)}"),
                *("-c", f"port={PORT}"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=clean_environment(),
            pass_fds=(server_lock,),
            start_new_session=True,
            umask=0o077,
            **account.popen_options(),
        )
    while True:
        try:
            process.wait(_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            if _is_ready(layout, process.pid):
                return Postmaster(process.pid)
        else:
            log_end = read_log_end(layout)
            raise ServerDidNotStart(
                f"The embedded PostgreSQL in {layout.cluster} did not start:\n{log_end}"
            )


def _is_ready(layout: Layout, process_id: int) -> bool:
    lines = _read_pid_file(layout)
    # Line 1 is the process id, line 8 the state: see pidfile.h of PostgreSQL.
    return len(lines) >= 8 and lines[0] == str(process_id) and lines[7] in {"ready", "standby"}


def _find_postmaster(layout: Layout) -> Postmaster | None:
    lines = _read_pid_file(layout)
    if not lines or not lines[0].isdigit():
        return None
    process_id = int(lines[0])
    return Postmaster(process_id) if works_in(process_id, layout.cluster) else None


def _read_pid_file(layout: Layout) -> list[str]:
    try:
        return [line.strip() for line in layout.postmaster_pid.read_text().splitlines()]
    except FileNotFoundError:
        return []


def _kill_orphans(layout: Layout) -> None:
    """A busy backend outlives its killed postmaster, and no new one may start beside it."""
    for process_id in processes_in(layout.cluster):
        Postmaster(process_id).signal(signal.SIGKILL)


def _quote(path: Path) -> str:
    """As an item of a PostgreSQL list, in which a comma or a blank would end it."""
    return '"' + str(path).replace('"', '""') + '"'
