"""Server settings that suit the machine, by simple rules, each with its reason.

The supervisor of the embedded server writes them at each start; a user's own `postgres.conf` in
the data directory is loaded after them, and wins. `tune_postgres` compares any server with them.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

_MIB = 1 << 20
_GIB = 1 << 30
_LARGE_TABLE_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class Machine:
    """What the rules look at; None where it is not known. `shm_bytes`: of /dev/shm."""

    memory_bytes: int | None
    shm_bytes: int | None
    free_disk_bytes: int | None
    cores: int | None = None


@dataclass(frozen=True, slots=True)
class Workload:
    """What a server that runs can tell. `wal_bytes`: between two checkpoints, on average;
    `connections`: that all pools together may open."""

    largest_table_rows: int = 0
    wal_bytes: int = 0
    connections: int = 0


@dataclass(frozen=True, slots=True)
class Advice:
    """`at_least`: more is as good; `also`: other values that are."""

    name: str
    value: str
    reason: str
    at_least: bool = False
    also: tuple[str, ...] = ()


def measure_machine(data_dir: Path) -> Machine:
    return Machine(
        memory_bytes=_usable_memory_bytes(),
        shm_bytes=_disk_usage(Path("/dev/shm"), "total"),  # noqa: S108 - measured, not written
        free_disk_bytes=_disk_usage(data_dir, "free"),
        cores=len(os.sched_getaffinity(0)),
    )


def advise(machine: Machine, workload: Workload | None = None) -> list[Advice]:
    """The orchestrator and its embedder are taken to share the machine."""
    workload = workload or Workload()
    return [
        *_for_durability(),
        *_for_memory(machine.memory_bytes),
        *_for_disk(machine.free_disk_bytes, workload),
        *_for_cores(machine.cores),
        *_for_any_machine(workload),
    ]


def choose_settings(machine: Machine) -> dict[str, str]:
    """The embedded server's settings by name."""
    settings = {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "timezone": "UTC",
        "shared_preload_libraries": "pg_stat_statements",
    } | {advice.name: advice.value for advice in advise(machine)}
    maintenance = _maintenance_bytes(machine.memory_bytes or 0)
    if machine.shm_bytes is not None and machine.shm_bytes < maintenance + 64 * _MIB:
        # A container's 64 MB: a parallel build of a vector index fails in there.
        settings["dynamic_shared_memory_type"] = "mmap"
    return settings


def render_settings(settings: dict[str, str]) -> str:
    lines = ["# Written at each start. Settings of your own go into DATA_DIR/postgres.conf."]
    return "\n".join([*lines, *map(render_setting, settings.items())]) + "\n"


def render_setting(setting: tuple[str, str]) -> str:
    """The line of a configuration file."""
    name, value = setting
    quoted = value.replace("'", "''")
    return f"{name} = '{quoted}'"


def _for_durability() -> list[Advice]:
    return [
        Advice("fsync", "on", "an answered write has to be on disk"),
        Advice(
            "synchronous_commit",
            "on",
            "an answered write has to be on disk",
            also=("remote_write", "remote_apply"),
        ),
        Advice("full_page_writes", "on", "a page half written in a power cut has to be mended"),
    ]


def _for_memory(memory: int | None) -> list[Advice]:
    if memory is None:
        return []
    shared = _megabytes(_between(32 * _MIB, memory // 8, 2 * _GIB))
    cached = _megabytes(_between(128 * _MIB, memory // 2, 64 * _GIB))
    sorting = _megabytes(_between(4 * _MIB, memory // 512, 64 * _MIB))
    building = _megabytes(_maintenance_bytes(memory))
    return [
        Advice("shared_buffers", shared, "an eighth of the memory; the system's cache does more"),
        Advice("effective_cache_size", cached, "half of the memory caches files, plans may know"),
        Advice("work_mem", sorting, "a sort of a search stays in memory, for many at once"),
        Advice("maintenance_work_mem", building, "a vector index is built in memory"),
    ]


def _for_disk(free: int | None, workload: Workload) -> list[Advice]:
    if free is None:
        return []
    most, why = 2 * _GIB, "checkpoints come by time, not by volume, and the disk does not fill"
    if 2 * workload.wal_bytes > most:
        most, why = 3 * workload.wal_bytes, "so much is logged that checkpoints come by volume"
    size = _megabytes(_between(256 * _MIB, free // 20, most))
    return [Advice("max_wal_size", size, why, at_least=True)]


def _for_cores(cores: int | None) -> list[Advice]:
    if cores is None:
        return []
    builders = str(_between(1, cores // 2, 4))
    why = "the build of an index leaves half of the cores to requests"
    return [Advice("max_parallel_maintenance_workers", builders, why)]


def _for_any_machine(workload: Workload) -> list[Advice]:
    connections = str(max(200, workload.connections))
    advice = [
        Advice("max_connections", connections, "each orchestrator has a pool", at_least=True),
        Advice("wal_compression", "pglz", "whole pages make most of the log", also=("lz4", "zstd")),
        Advice("checkpoint_completion_target", "0.9", "a checkpoint is no burst of writes"),
        Advice("random_page_cost", "1.1", "a solid-state disk reads anywhere as quickly"),
        Advice("jit", "off", "compiling costs more than these short queries"),
        Advice(
            "autovacuum_naptime", "5", "seconds: a table that grew is soon planned for as it is"
        ),
    ]
    if workload.largest_table_rows > _LARGE_TABLE_ROWS:
        why = "a fifth of so many rows, the default, is a long time without a vacuum"
        advice.append(Advice("autovacuum_vacuum_scale_factor", "0.05", why))
    return advice


def _maintenance_bytes(memory: int) -> int:
    return _between(64 * _MIB, memory // 16, _GIB)


def _between(low: int, value: int, high: int) -> int:
    return max(low, min(value, high))


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes // _MIB}MB"


def _disk_usage(path: Path, field: str) -> int | None:
    try:
        return int(getattr(shutil.disk_usage(path), field))
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
