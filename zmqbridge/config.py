"""The orchestrator's configuration, frozen. The command reads it from the settings once."""

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memories.services.ages import Ages


@dataclass(frozen=True, slots=True)
class ServerConfig:
    endpoints: tuple[str, ...]
    max_body_bytes: int = 1 << 20
    outbox_replies: int = 20_000
    outbox_bytes: int = 64 << 20
    retry_after_seconds: float = 0.1

    @property
    def max_message_bytes(self) -> int:
        """Beyond it the transport drops the connection; up to it there is a reply."""
        return 16 * self.max_body_bytes + (64 << 10)


@dataclass(frozen=True, slots=True)
class BackupConfig:
    """`schedule` as cron writes it, in UTC; empty: no backups. `manage` starts a command.
    `archives`: base backups as well, since the WAL alone recovers nothing."""

    schedule: str
    manage: tuple[str, ...]
    keep_count: int
    keep_days: float
    verifies: bool
    archives: bool


@dataclass(frozen=True, slots=True)
class OrchestratorConfig:
    server: ServerConfig
    grace_seconds: float
    lane_capacity: int
    write_batch: int
    read_workers: int
    search_workers: int
    heavy_workers: int
    reconnect_seconds: float
    cache_entries: int
    cache_bytes: int
    cache_ttl_seconds: float
    access_flush_seconds: float
    expire_seconds: float
    ages: Ages
    erasures_dir: Path
    backup: BackupConfig
    slow_seconds: float = math.inf
    metrics_bind: tuple[str, int] | None = None  # host and port
    traces_endpoint: str = ""
    traces_share: float = 1.0


def read_config(settings: Any, endpoints: tuple[str, ...] = ()) -> OrchestratorConfig:
    """From Django's settings; `endpoints` stand in for those of the settings."""
    return OrchestratorConfig(
        server=ServerConfig(
            endpoints=endpoints or tuple(settings.ORCHESTRATOR_ENDPOINTS),
            max_body_bytes=settings.MAX_BODY_BYTES,
            outbox_replies=settings.OUTBOX_REPLIES,
        ),
        grace_seconds=settings.GRACE_SECONDS,
        lane_capacity=settings.LANE_CAPACITY,
        write_batch=settings.WRITE_BATCH,
        read_workers=settings.READ_WORKERS,
        search_workers=settings.SEARCH_WORKERS,
        heavy_workers=settings.HEAVY_WORKERS,
        reconnect_seconds=settings.RECONNECT_SECONDS,
        cache_entries=settings.CACHE_ENTRIES,
        cache_bytes=settings.CACHE_MEGABYTES << 20,
        cache_ttl_seconds=settings.CACHE_TTL_SECONDS,
        access_flush_seconds=settings.ACCESS_LOG_FLUSH_SECONDS,
        expire_seconds=settings.EXPIRE_SECONDS,
        slow_seconds=settings.SLOW_REQUEST_MS / 1000 or math.inf,
        metrics_bind=settings.METRICS_BIND,
        traces_endpoint=settings.TRACES_ENDPOINT,
        traces_share=settings.TRACES_SHARE,
        backup=BackupConfig(
            schedule=settings.BACKUP_SCHEDULE,
            manage=(sys.executable, str(settings.BASE_DIR / "manage.py")),
            keep_count=settings.BACKUP_KEEP_COUNT,
            keep_days=settings.BACKUP_KEEP_DAYS,
            verifies=settings.BACKUP_VERIFY,
            archives=settings.WAL_ARCHIVE,
        ),
        ages=settings.AGES,
        erasures_dir=settings.DATA_DIR / "erasures",
    )
