"""The server's logs: bounded in size, and their end shown where the server does not start."""

import os
from pathlib import Path

from memoryproject.postgres.layout import Layout

_KEPT_FILES = 10
_FILE_MEGABYTES = 10
_TAIL_BYTES = 16 << 10
_TAIL_LINES = 15


def choose_log_settings(layout: Layout) -> dict[str, str]:
    """Settings that make PostgreSQL begin a new file at each start and at each 10 MB."""
    return {
        "logging_collector": "on",
        "log_directory": str(layout.log_dir),
        "log_filename": "postgres-%Y-%m-%d-%H%M%S.log",
        "log_rotation_size": f"{_FILE_MEGABYTES}MB",
        "log_rotation_age": "0",
        "log_line_prefix": "%m [%p] ",
        "log_checkpoints": "off",
        "log_timezone": "UTC",
    }


def remove_old_logs(layout: Layout) -> None:
    """Keep the newest files: PostgreSQL itself removes none."""
    for path in _logs(layout)[:-_KEPT_FILES]:
        path.unlink(missing_ok=True)


def read_log_end(layout: Layout) -> str:
    """The last lines that the server wrote."""
    written = [layout.startup_log, *_logs(layout)[-1:]]
    lines = [line for path in written for line in _read_tail(path).splitlines()]
    return "\n".join(lines[-_TAIL_LINES:]) or "(its log is empty)"


def _logs(layout: Layout) -> list[Path]:
    return sorted(layout.log_dir.glob("postgres-*.log"))


def _read_tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
        return file.read().decode(errors="replace")
