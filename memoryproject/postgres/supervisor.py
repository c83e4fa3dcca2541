"""The process beside the embedded server: starts it, and stops it when its last client is gone.

The first client runs it (`python -m memoryproject.postgres.supervisor`); it then belongs to nobody.
Its standard output carries one report to that client: `ready`, or what went wrong.
"""

import argparse
import contextlib
import enum
import os
import queue
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from memoryproject.postgres.account import (
    Account,
    check_traversable,
    choose_account,
    make_executable,
)
from memoryproject.postgres.archiving import Archive, prepare_archive
from memoryproject.postgres.binaries import check_cpu, find_binaries, read_version
from memoryproject.postgres.cluster import check_cluster, make_cluster, write_settings
from memoryproject.postgres.errors import ServerCannotRun, ServerDidNotStart
from memoryproject.postgres.layout import Layout
from memoryproject.postgres.locks import (
    is_same_file,
    lock_exclusively,
    open_lock_file,
    try_to_lock_exclusively,
    unlock,
    unlock_and_close,
)
from memoryproject.postgres.logs import remove_old_logs
from memoryproject.postgres.server import (
    Postmaster,
    lock_or_adopt,
    remove_stale_files,
    start_postmaster,
)

# Fast (rolls back what is open), immediate (recovers at the next start), and the last resort.
_STOPS: tuple[tuple[signal.Signals, float], ...] = (
    (signal.SIGINT, 60.0),
    (signal.SIGQUIT, 10.0),
    (signal.SIGKILL, 10.0),
)
_LOG_CARE_SECONDS = 600.0


class Event(enum.Enum):
    """What the watch waits for."""

    SERVER_ENDED = enum.auto()
    NO_CLIENT = enum.auto()
    HURRY = enum.auto()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--bin-dir", type=Path)
    parser.add_argument("--archive-dir", type=Path)
    parser.add_argument("--archive-seconds", type=int)
    parser.add_argument("--linger-seconds", type=float, required=True)
    parser.add_argument("--start-lock", type=int, required=True, help="inherited descriptor")
    arguments = parser.parse_args()
    if os.fork():
        os._exit(0)  # init becomes the parent: a long-lived client keeps no zombie
    layout = Layout(arguments.data_dir)
    supervisor_lock = open_lock_file(layout.supervisor_lock)
    lock_exclusively(supervisor_lock)
    clients_lock = open_lock_file(layout.clients_lock)
    try:
        archive = arguments.archive_dir and Archive(
            arguments.archive_dir, arguments.archive_seconds
        )
        postmaster = _bring_up(layout, arguments.bin_dir, archive)
    except (ServerCannotRun, ServerDidNotStart) as problem:
        _report(f"{type(problem).__name__} {problem}")
        sys.exit(1)
    except OSError as error:
        _report(f"{ServerCannotRun.__name__} The embedded PostgreSQL cannot be set up: {error}.")
        raise
    _report("ready")
    unlock_and_close(arguments.start_lock)
    Watch(layout, postmaster, clients_lock, arguments.linger_seconds).run()
    # In this order: who waits for the clients' lock must not find a supervisor that is leaving.
    unlock_and_close(supervisor_lock)
    unlock_and_close(clients_lock)


def _report(text: str) -> None:
    """Tell the client, which reads until the end of the file; it may have been killed meanwhile."""
    with contextlib.suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), text.encode())
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, sys.stdout.fileno())
    os.close(silence)


def _bring_up(layout: Layout, bin_dir: Path | None, archive: Archive | None) -> Postmaster:
    account = choose_account(layout.cluster)
    check_traversable(account, layout.data_dir)
    found = lock_or_adopt(layout)
    # Root made them, and the account may come as a client of its own.
    for path in (layout.run, *layout.run.glob("*.lock"), layout.supervisor_log):
        account.take_over(path)
    if isinstance(found, Postmaster):
        return found
    binaries = find_binaries(bin_dir)
    if binaries.bundled:
        check_cpu()
    server_version = read_version(binaries)
    binaries = make_executable(account, binaries, layout.binary_copies)
    make_cluster(layout, account, binaries, found)
    check_cluster(layout, server_version)
    archiving = prepare_archive(layout, account, archive) if archive else {}
    write_settings(layout, account, archiving)
    remove_old_logs(layout)
    _make_socket_dir(layout, account)
    remove_stale_files(layout)
    postmaster = start_postmaster(layout, account, binaries, found)
    os.close(found)  # from now on the lock lives and dies with the server's processes
    return postmaster


def _make_socket_dir(layout: Layout, account: Account) -> None:
    path = layout.socket_dir
    if path == layout.run:
        return
    try:
        path.mkdir(mode=0o700)
        account.take_over(path)
    except FileExistsError:
        status = path.lstat()
        if status.st_uid != account.user_id or status.st_mode & 0o170777 != 0o040700:
            raise ServerCannotRun(
                f"{path}, which is to hold the server's socket, belongs to somebody else: "
                "remove it, or choose a shorter DATA_DIR."
            ) from None


class Watch:
    """Waits for the end of the server or of its last client, and stops the server then."""

    def __init__(
        self, layout: Layout, postmaster: Postmaster, clients_lock: int, linger_seconds: float
    ) -> None:
        self._layout = layout
        self._postmaster = postmaster
        self._clients_lock = clients_lock
        self._linger_seconds = linger_seconds
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def run(self) -> None:
        """Return when the server has ended. The clients' lock is held where this stopped it."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # From who stops a service or the machine, whose clients may still need the server.
            signal.signal(number, lambda *_: self._events.put(Event.HURRY))
        server_lock = open_lock_file(self._layout.server_lock)
        self._tell_after(lambda: self._postmaster.wait(server_lock), Event.SERVER_ENDED)
        self._tell_after(self._wait_for_no_client, Event.NO_CLIENT)
        while (event := self._next_event()) is not Event.SERVER_ENDED:
            if event is Event.HURRY:
                self._linger_seconds = 0
            elif self._stays_without_client():
                self._stop_server()
                return
            else:
                self._tell_after(self._wait_for_no_client, Event.NO_CLIENT)

    def _next_event(self) -> Event:
        while True:
            try:
                return self._events.get(timeout=_LOG_CARE_SECONDS)
            except queue.Empty:
                remove_old_logs(self._layout)

    def _tell_after(self, wait: Callable[[], None], event: Event) -> None:
        def wait_and_tell() -> None:
            wait()
            self._events.put(event)

        Thread(target=wait_and_tell, daemon=True).start()

    def _wait_for_no_client(self) -> None:
        lock_exclusively(self._clients_lock)
        unlock(self._clients_lock)

    def _stays_without_client(self) -> bool:
        """Linger, so that one command after another does not restart the server each time."""
        began = time.time()
        with contextlib.suppress(queue.Empty):
            event = self._events.get(timeout=self._linger_seconds)
            self._events.put(event)
            if event is Event.SERVER_ENDED:
                return False
        if not try_to_lock_exclusively(self._clients_lock):
            return False
        # Each client touches the file: one that came and went calls for another round.
        if os.fstat(self._clients_lock).st_mtime > began and self._linger_seconds:
            unlock(self._clients_lock)
            return False
        return True

    def _stop_server(self) -> None:
        stops = _STOPS
        if not is_same_file(self._clients_lock, self._layout.clients_lock):
            # The data directory was removed, and a new server may stand in its place: one that
            # stops in good order would take the other's socket along.
            stops = _STOPS[-1:]
        for number, patience_seconds in stops:
            self._postmaster.signal(number)
            if self._ends_within(patience_seconds):
                return

    def _ends_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while (left_seconds := deadline - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                if self._events.get(timeout=left_seconds) is Event.SERVER_ENDED:
                    return True
        return False


if __name__ == "__main__":
    main()
