"""Recovers a cluster beside the present one, and puts it in its place. For `restore --to`.

The recovered cluster is an embedded server of its own, below a folder of its own, until the two
change places; so everything is tried before anything that is there is touched.
"""

import ctypes
import os
import re
import secrets
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from memoryproject.postgres.account import Account, choose_account
from memoryproject.postgres.archiving import SCRIPT, restore_command
from memoryproject.postgres.errors import ServerCannotRun, ServerDidNotStart
from memoryproject.postgres.files import flush_directory
from memoryproject.postgres.launch import ServerAddress, ensure_running
from memoryproject.postgres.layout import Layout
from memoryproject.postgres.locks import (
    is_locked_exclusively,
    open_lock_file,
    try_to_lock_exclusively,
    try_to_lock_shared,
    unlock,
    unlock_and_close,
    wait_until_unlocked,
)
from memoryproject.postgres.server import Postmaster, lock_or_adopt

_LOOK_SECONDS = 0.1
_LOOKS = 3
_PATIENCE_SECONDS = 90.0
_SEGMENT = re.compile(r"[0-9A-F]{24}|[0-9A-F]{8}\.history")
_UNFINISHED = "unfinished"
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_HERE = -100  # AT_FDCWD


@dataclass(frozen=True, slots=True)
class Target:
    """`until` None: as far as the archive goes."""

    wal: Path
    until: datetime | None


@contextmanager
def out_of_use(layout: Layout) -> Iterator[None]:
    """Nobody uses the cluster, no server runs, and whoever wants one waits.

    Raises ServerCannotRun where a process uses it. The caller must be no client itself.
    """
    layout.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    clients_lock = open_lock_file(layout.clients_lock)
    try:
        _lock_clients_out(layout, clients_lock)
        server_lock = _end_server(layout)
        try:
            yield
        finally:
            unlock_and_close(server_lock)
    finally:
        unlock_and_close(clients_lock)


def _lock_clients_out(layout: Layout, clients_lock: int) -> None:
    deadline, clients_seen = time.monotonic() + _PATIENCE_SECONDS, 0
    while time.monotonic() < deadline and clients_seen < _LOOKS:
        if try_to_lock_exclusively(clients_lock):
            if not is_locked_exclusively(layout.supervisor_lock):
                return
            unlock(clients_lock)  # which it needs to stop the server
            clients_seen = 0
        elif try_to_lock_shared(clients_lock):  # as clients hold it; the supervisor does not share
            unlock(clients_lock)
            clients_seen += 1
        time.sleep(_LOOK_SECONDS)  # nothing to wait on: two locks may change
    raise ServerCannotRun(
        f"The embedded server in {layout.data_dir} is in use: stop the orchestrators, the admin "
        "and every other command first."
    )


def _end_server(layout: Layout) -> int:
    """One may have outlived its supervisor."""
    while isinstance(found := lock_or_adopt(layout), Postmaster):
        found.signal(signal.SIGINT)
        found.wait(open_lock_file(layout.server_lock))
    return found


class Recovery:
    """A cluster that is made from a base backup and segments of the WAL."""

    def __init__(self, layout: Layout, bin_dir: Path | None) -> None:
        self._layout = layout
        self._bin_dir = bin_dir
        self._account: Account = choose_account(layout.cluster)
        self.work = Layout(layout.data_dir / f"postgres.recovering-{secrets.token_hex(4)}")

    @contextmanager
    def beside(self) -> Iterator[None]:
        """A folder for it, which is gone at the end, with all that is not in its place by then."""
        for remains in self._layout.data_dir.glob("postgres.recovering-*"):
            if (remains / _UNFINISHED).exists():
                shutil.rmtree(remains)
        for folder in (self.work.data_dir, self.work.cluster):
            folder.mkdir(mode=0o700)
            self._account.take_over(folder)
        (self.work.data_dir / _UNFINISHED).touch()
        try:
            yield
        finally:
            self.stop()
            self._remove()
            if self.work.socket_dir != self.work.run:
                shutil.rmtree(self.work.socket_dir, ignore_errors=True)

    def _remove(self) -> None:
        """Without its marker the folder may hold the cluster that was to be laid aside: what is
        left of that stays, and only an empty rest goes."""
        if (self.work.data_dir / _UNFINISHED).exists() or not self.work.cluster.exists():
            shutil.rmtree(self.work.data_dir)

    def unpack(self, base: Path) -> None:
        _extract(base / "base.tar.gz", self.work.cluster)
        _extract(base / "pg_wal.tar.gz", self.work.cluster / "pg_wal")

    def add_segments(self, wal: Path) -> None:
        """Those that the present cluster has not archived: a crash may have come first."""
        present = self._layout.cluster / "pg_wal"
        for segment in present.glob("*"):
            if _SEGMENT.fullmatch(segment.name) and not (wal / f"{segment.name}.gz").exists():
                shutil.copy2(segment, self.work.cluster / "pg_wal" / segment.name)

    def run(self, target: Target) -> ServerAddress:
        """The recovered server, open for changes. Raises ServerDidNotStart."""
        self._hand_over()
        (self.work.data_dir / "postgres.conf").write_text(self._settings(target))
        (self.work.cluster / "recovery.signal").touch()
        self._account.take_over(self.work.cluster / "recovery.signal")
        self._account.take_over(self.work.data_dir / "postgres.conf")
        address = ensure_running(self.work.data_dir, self._bin_dir, linger_seconds=0)
        while self._is_recovering(address):
            time.sleep(_LOOK_SECONDS)  # it tells nobody when it is done
        return address

    def log(self) -> str:
        """All that the recovered server said."""
        logs = sorted(self.work.log_dir.glob("*.log"))
        return "".join(path.read_text(errors="replace") for path in logs)

    def stop(self) -> None:
        try:
            process_id = int(self.work.postmaster_pid.read_text().split(maxsplit=1)[0])
        except (FileNotFoundError, IndexError):
            pass
        else:
            Postmaster(process_id).signal(signal.SIGINT)
        if self.work.run.exists():
            wait_until_unlocked(self.work.supervisor_lock)

    def archive_history(self, wal: Path) -> None:
        """Before the new timeline is written to: the next recovery must not begin the same one."""
        for path in (self.work.cluster / "pg_wal").glob("*.history"):
            command = ["/bin/sh", str(SCRIPT), str(path), path.name, str(wal)]
            done = subprocess.run(command, capture_output=True, text=True, errors="replace")
            if done.returncode != 0:
                raise ServerCannotRun(
                    f"{path.name} cannot be archived in {wal}: {' '.join(done.stderr.split())}."
                )
            self._account.take_over(wal / f"{path.name}.gz")

    def take_the_place(self) -> Path | None:
        """Where the present cluster lies aside then. At every moment a whole one is in place."""
        (self.work.data_dir / _UNFINISHED).unlink()  # from here on its folder may hold the old one
        aside = None
        if self._layout.cluster.exists():
            _exchange(self.work.cluster, self._layout.cluster)
            aside = _aside_of(self._layout.data_dir)
            self.work.cluster.rename(aside)
        else:
            self.work.cluster.rename(self._layout.cluster)
        flush_directory(self._layout.data_dir)
        return aside

    def _settings(self, target: Target) -> str:
        settings = {
            "archive_mode": "off",
            "restore_command": restore_command(target.wal),
            # At any moment the data was what the timeline of the last base backup before it says.
            "recovery_target_timeline": "current",
            "recovery_target_action": "promote",
        }
        if target.until:
            settings["recovery_target_time"] = target.until.isoformat(sep=" ")
        theirs = str(self._layout.data_dir / "postgres.conf")
        lines = [f"include_if_exists = {_literal(theirs)}"]
        lines += [f"{name} = {_literal(value)}" for name, value in settings.items()]
        return "\n".join(lines) + "\n"

    def _hand_over(self) -> None:
        for folder, folders, files in os.walk(self.work.cluster):
            for name in (*folders, *files):
                self._account.take_over(Path(folder, name))

    def _is_recovering(self, address: ServerAddress) -> bool:
        try:
            with psycopg.connect(address.dsn("postgres")) as connection:
                [(is_recovering,)] = connection.execute("SELECT pg_is_in_recovery()").fetchall()
                return bool(is_recovering)
        except psycopg.OperationalError as error:
            if is_locked_exclusively(self.work.supervisor_lock):
                return True  # it starts, or just ends
            raise ServerDidNotStart("The recovered server ended.") from error


def _aside_of(data_dir: Path) -> Path:
    return data_dir / f"postgres.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


def _extract(archive: Path, folder: Path) -> None:
    before = os.umask(0o077)
    try:
        with tarfile.open(archive, "r:gz") as opened:
            opened.extractall(folder, filter="data")
    finally:
        os.umask(before)


def _exchange(one: Path, other: Path) -> None:
    """In one step where the system can: a kill between two would leave none in its place."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 and renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return
    between = one.with_name(f"{one.name}.between")
    other.rename(between)
    one.rename(other)
    between.rename(one)


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
