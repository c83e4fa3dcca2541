"""What is known of backups: the last good one, and the failures since. Called by the commands of
backups, the job that makes them, `stats`, the admin and the metrics."""

import socket
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from django.db.models import Q

from memories.changes import rows
from memories.models import Backup

_KEPT_FAILURES = 100

Kind = Backup.Kind


class BackupSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A good backup. `path` is one of the machine `host`; `row_count` is None for a base backup."""

    kind: str
    made_at: datetime
    host: str
    path: str
    size_bytes: int
    row_count: int | None = None
    is_encrypted: bool = False
    verified_at: datetime | None = None


class BackupFailure(msgspec.Struct, frozen=True):
    kind: str
    at: datetime
    host: str
    reason: str


class BackupsSeen(msgspec.Struct, frozen=True):
    """`failure`: the last one, if no backup of its kind was made since."""

    last: BackupSeen | None
    last_base: BackupSeen | None
    failure: BackupFailure | None


def see_backups() -> BackupsSeen:
    failures = [failure for kind in Kind if (failure := last_failure(kind))]
    newest = max(failures, key=lambda failure: failure.at, default=None)
    return BackupsSeen(last_backup(), last_backup(Kind.BASE), newest)


def last_backup(kind: str = Kind.DUMP) -> BackupSeen | None:
    """The newest good one, whoever made it."""
    row = Backup.objects.filter(kind=kind, error="").order_by("-made_at").first()
    if row is None:
        return None
    fields = {name: getattr(row, name) for name in BackupSeen.__struct_fields__}
    return BackupSeen(**fields)


def last_failure(kind: str = Kind.DUMP) -> BackupFailure | None:
    """The newest one, unless a backup was made since."""
    row = Backup.objects.filter(kind=kind).order_by("-made_at").first()
    return BackupFailure(kind, row.made_at, row.host, row.error) if row and row.error else None


def record_backup(made: BackupSeen) -> None:
    """Does nothing in a database whose tables are older than this one: it is backed up, too."""
    if not _has_table():
        return
    values: dict[str, Any] = msgspec.structs.asdict(made)
    kind, made_at = values.pop("kind"), values.pop("made_at")
    Backup.objects.update_or_create(kind=kind, made_at=made_at, defaults=values)


def record_failure(kind: str, at: datetime, reason: str) -> None:
    Backup.objects.create(kind=kind, made_at=at, host=this_host(), error=reason)
    kept = Backup.objects.exclude(error="").order_by("-made_at")[:_KEPT_FAILURES]
    Backup.objects.exclude(Q(error="") | Q(pk__in=list(kept.values_list("pk", flat=True)))).delete()


def record_verification(kind: str, made_at: datetime, verified_at: datetime) -> None:
    if _has_table():
        Backup.objects.filter(kind=kind, made_at=made_at).update(verified_at=verified_at)


def forget_backups(paths: Iterable[Path]) -> None:
    """Of files of this machine that were removed."""
    if _has_table():
        Backup.objects.filter(host=this_host(), path__in=[str(path) for path in paths]).delete()


def this_host() -> str:
    return socket.gethostname()


def _has_table() -> bool:
    return rows("SELECT to_regclass('backups')") != [(None,)]
