"""Which processes serve a cluster: PostgreSQL's have it as their working directory (Linux)."""

import errno
import os
import select
from pathlib import Path

_PROC = Path("/proc")


def processes_in(cluster: Path) -> list[int]:
    """Their process ids; empty where the system has no /proc."""
    numbers = [int(entry.name) for entry in _PROC.glob("[0-9]*")]
    return [number for number in numbers if _has_directory(number, cluster)]


def works_in(process_id: int, cluster: Path) -> bool:
    """Whether the process lives and serves the cluster; without /proc, whether it lives."""
    if (_PROC / "self").exists():
        return _has_directory(process_id, cluster)
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class ProcessHandle:
    """A hold on one process, whatever becomes of its number (Linux: a pidfd).

    Raises ProcessLookupError where it ended, and OSError where the system has no such thing.
    """

    def __init__(self, process_id: int) -> None:
        self._descriptor = -1
        self._opened_by = os.getpid()
        if not hasattr(os, "pidfd_open"):
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        self._descriptor = os.pidfd_open(process_id)

    def wait(self, timeout_ms: int | None = None) -> bool:
        """Whether it ended within the timeout. A zombie has ended."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(timeout_ms))

    def __del__(self) -> None:
        # In a forked process the number may be somebody else's by now.
        if self._descriptor >= 0 and self._opened_by == os.getpid():
            os.close(self._descriptor)


def wait_for_end(process_id: int, timeout_ms: int | None = None) -> bool | None:
    """Whether the process ended within the timeout; None where the system cannot tell."""
    try:
        return ProcessHandle(process_id).wait(timeout_ms)
    except ProcessLookupError:
        return True
    except OSError:
        return None


def _has_directory(process_id: int, directory: Path) -> bool:
    try:
        return (_PROC / str(process_id) / "cwd").samefile(directory)
    except OSError:  # it ended, or it is another account's
        return False
