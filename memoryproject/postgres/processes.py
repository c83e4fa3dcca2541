"""Which processes serve a cluster: PostgreSQL's have it as their working directory (Linux)."""

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


def wait_for_end(process_id: int, timeout_ms: int | None = None) -> bool | None:
    """Whether the process ended within the timeout; None where the system cannot tell."""
    try:
        descriptor = os.pidfd_open(process_id)
    except ProcessLookupError:
        return True
    except (AttributeError, OSError):  # not Linux, or an old one
        return None
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)  # also tells of a zombie
        return bool(poll.poll(timeout_ms))
    finally:
        os.close(descriptor)


def _has_directory(process_id: int, directory: Path) -> bool:
    try:
        return (_PROC / str(process_id) / "cwd").samefile(directory)
    except OSError:  # it ended, or it is another account's
        return False
