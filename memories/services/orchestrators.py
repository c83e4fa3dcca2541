"""Which orchestrators run and which fell silent, by the rows that they keep of themselves."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.db.models.functions import Now

from memories.changes import rows
from memories.models import Orchestrator

# Each writes its row once a second.
_SILENT = timedelta(seconds=10)
_NEWS = timedelta(days=1)


def is_heard() -> Q:
    """Of their rows, by the database's clock, which they bear: this machine's may be another."""
    return Q(seen_at__gt=Now() - _SILENT)


def running_orchestrators() -> list[str]:
    """Their names, in order."""
    return _not_stopped(is_heard())


def silent_orchestrators() -> list[str]:
    """The names of those that fell silent without a word, in order; of long ago is no news."""
    return _not_stopped(~is_heard() & Q(seen_at__gt=Now() - _NEWS))


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


def _not_stopped(condition: Q) -> list[str]:
    found = Orchestrator.objects.filter(condition, stopped_at=None).order_by("instance")
    return list(found.values_list("instance", flat=True))
