"""Which orchestrators run now, by the rows that they keep. Called by commands and jobs."""

from datetime import datetime

from memories.changes import rows

# Each writes its row once a second.
_SILENT_SECONDS = 10


def running_orchestrators() -> list[str]:
    """Their names, in order."""
    found = rows(
        f"""
        SELECT instance FROM orchestrators
        WHERE stopped_at IS NULL AND seen_at > now() - {_SILENT_SECONDS} * interval '1 second'
        ORDER BY instance"""
    )
    return [instance for (instance,) in found]


def forget_orchestrators(seen_before: datetime) -> int:
    """Drop the rows of those that are long gone; returns how many."""
    gone = rows("DELETE FROM orchestrators WHERE seen_at < %s RETURNING instance", [seen_before])
    return len(gone)
