"""Which processes serve a cluster: PostgreSQL's have it as their working directory (Linux)."""

import os
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


def _has_directory(process_id: int, directory: Path) -> bool:
    try:
        return (_PROC / str(process_id) / "cwd").samefile(directory)
    except OSError:  # it ended, or it is another account's
        return False
