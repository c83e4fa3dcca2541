"""What counts as ill: one judgement for the doctor and the admin's home page. The alert on old
backups (deploy/prometheus/alerts.yml) has the same figure."""

from datetime import timedelta

from django.utils import timezone

from memories.services.backups import BackupSeen, BackupsSeen
from memories.services.overview import Database, Queue

OLD_BACKUP = timedelta(days=2)
LATE_VECTORS_SECONDS = 60.0
CROWDED_SHARE = 0.9


def newest_backup(seen: BackupsSeen) -> BackupSeen | None:
    """The last good one, dump or base."""
    made = [backup for backup in (seen.last, seen.last_base) if backup]
    return max(made, key=lambda backup: backup.made_at, default=None)


def is_old(backup: BackupSeen) -> bool:
    return timezone.now() - backup.made_at > OLD_BACKUP


def is_late(queue: Queue) -> bool:
    """Whether new memories wait longer for their vectors than anybody should notice."""
    return queue.oldest_seconds > LATE_VECTORS_SECONDS


def is_crowded(database: Database) -> bool:
    """Whether hardly a connection is left."""
    return database.connections > CROWDED_SHARE * database.max_connections
