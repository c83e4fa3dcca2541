"""Which orchestrators run now, by the rows that they keep. Called by commands and jobs."""

from memories.changes import rows

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
