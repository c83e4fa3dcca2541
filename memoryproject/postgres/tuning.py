"""Server settings that suit the machine, by simple rules. The supervisor writes them at each start.

A user's own `postgres.conf` in the data directory is loaded after them, and wins.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

_MIB = 1 << 20
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Machine:
    """What the rules look at. `shm_bytes` is None where there is no /dev/shm."""

    memory_bytes: int
    shm_bytes: int | None
    free_disk_bytes: int


def measure_machine(data_dir: Path) -> Machine:
    return Machine(
        memory_bytes=_usable_memory_bytes(),
        shm_bytes=_total_bytes(Path("/dev/shm")),  # noqa: S108 - measured, not written
        free_disk_bytes=shutil.disk_usage(data_dir).free,
    )


def choose_settings(machine: Machine) -> dict[str, str]:
    """PostgreSQL's settings by name. The orchestrator and its embedder share the memory."""
    memory = machine.memory_bytes
    maintenance = _between(64 * _MIB, memory // 16, _GIB)
    settings = {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        "shared_buffers": _megabytes(_between(32 * _MIB, memory // 8, 2 * _GIB)),
        "effective_cache_size": _megabytes(_between(128 * _MIB, memory // 2, 64 * _GIB)),
        "work_mem": _megabytes(_between(4 * _MIB, memory // 512, 64 * _MIB)),
        "maintenance_work_mem": _megabytes(maintenance),
        "max_wal_size": _megabytes(_between(256 * _MIB, machine.free_disk_bytes // 20, 2 * _GIB)),
        "wal_compression": "pglz",
        "checkpoint_completion_target": "0.9",
        "random_page_cost": "1.1",  # solid-state disks
        "jit": "off",  # compiling costs more than these short queries
        "timezone": "UTC",
        "shared_preload_libraries": "pg_stat_statements",
    }
    if machine.shm_bytes is not None and machine.shm_bytes < maintenance + 64 * _MIB:
        # A container's 64 MB: a parallel build of a vector index fails in there.
        settings["dynamic_shared_memory_type"] = "mmap"
    return settings


def render_settings(settings: dict[str, str]) -> str:
    lines = ["# Written at each start. Settings of your own go into DATA_DIR/postgres.conf."]
    for name, value in settings.items():
        quoted = value.replace("'", "''")
        lines.append(f"{name} = '{quoted}'")
    return "\n".join(lines) + "\n"


def _between(low: int, value: int, high: int) -> int:
    return max(low, min(value, high))


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes // _MIB}MB"


def _total_bytes(path: Path) -> int | None:
    try:
        return shutil.disk_usage(path).total
    except OSError:
        return None


def _usable_memory_bytes() -> int:
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [
        Path("/sys/fs/cgroup/memory.max"),
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    ]
    return min([physical, *(limit for path in limits if (limit := _read_number(path)))])


def _read_number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # absent, or "max"
        return None
