"""Which orchestrators run now, by the rows that they keep. Called by the orchestrator itself, by
commands and jobs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models.functions import Now

from memories.changes import rows
from memories.models import Orchestrator

# Each writes its row once a second.
SILENT_SECONDS = 10


def running_orchestrators() -> list[str]:
    """Their names, in order."""
    found = rows(
        f"""
        SELECT instance FROM orchestrators
        WHERE stopped_at IS NULL AND seen_at > now() - {SILENT_SECONDS} * interval '1 second'
        ORDER BY instance"""
    )
    return [instance for (instance,) in found]


def note_orchestrator(
    instance: str,
    *,
    endpoints: Sequence[str],
    version: str,
    stats: Mapping[str, Any],
    started_at: datetime,
    has_stopped: bool,
) -> None:
    """Write its row, with times by the database's clock, which tells others whether it lives."""
    Orchestrator.objects.update_or_create(
        instance=instance,
        defaults={
            "endpoints": endpoints,
            "version": version,
            "stats": stats,
            "started_at": started_at,
            "seen_at": Now(),
            "stopped_at": Now() if has_stopped else None,
        },
    )


def forget_orchestrators() -> None:
    """Of a database that was restored: its rows are of who ran when it was backed up."""
    rows("DELETE FROM orchestrators")
