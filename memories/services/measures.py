"""What the database tells of itself and of its tables, by estimates that cost the same at any size.

Called by the job that measures, now and then; never by a scrape.
"""

from dataclasses import dataclass, field

from memories.changes import rows
from memories.services.backups import Kind, last_backup, last_failure
from memories.services.overview import look_at_queue


@dataclass(frozen=True, slots=True)
class BackupMeasures:
    """Times are Unix seconds, 0 where there is none. `failed`: the last try did."""

    kind: str
    made_timestamp_seconds: float
    verified_timestamp_seconds: float
    bytes: int
    failed: bool


@dataclass(frozen=True, slots=True)
class Measures:
    """`table_rows` are PostgreSQL's estimates, soft-deleted rows included. Of embeddings those that
    wait and those set aside are counted up to MOST_COUNTED + 1; `embeddings_oldest_seconds`: how
    long the task that waits longest has waited."""

    table_rows: dict[str, int] = field(default_factory=dict)
    embeddings_waiting: int = 0
    embeddings_set_aside: int = 0
    embeddings_oldest_seconds: float = 0.0
    database_bytes: int = 0
    connections: dict[str, int] = field(default_factory=dict)
    max_connections: int = 0
    backups: tuple[BackupMeasures, ...] = ()


def measure_database() -> Measures:
    queue = look_at_queue()
    [(database_bytes, max_connections)] = rows(
        "SELECT pg_database_size(current_database()), current_setting('max_connections')::int"
    )
    return Measures(
        table_rows=_estimate_rows(),
        embeddings_waiting=queue.waiting,
        embeddings_set_aside=queue.set_aside,
        embeddings_oldest_seconds=queue.oldest_seconds,
        database_bytes=database_bytes,
        connections=_count_connections(),
        max_connections=max_connections,
        backups=tuple(_measure_backup(kind) for kind in Kind),
    )


def _measure_backup(kind: Kind) -> BackupMeasures:
    last = last_backup(kind)
    verified_at = last.verified_at if last else None
    return BackupMeasures(
        kind=kind.value,
        made_timestamp_seconds=last.made_at.timestamp() if last else 0,
        verified_timestamp_seconds=verified_at.timestamp() if verified_at else 0,
        bytes=last.size_bytes if last else 0,
        failed=last_failure(kind) is not None,
    )


def _estimate_rows() -> dict[str, int]:
    """The running count is gone after a crash; what the last vacuum counted is not."""
    return dict(
        rows(
            """
            SELECT c.relname, greatest(c.reltuples, s.n_live_tup)::bigint
            FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
            WHERE s.relid IN ('memory_entries'::regclass, 'sessions'::regclass,
                'revisions'::regclass, 'embeddings'::regclass, 'access_log'::regclass,
                'request_keys'::regclass, 'relationships'::regclass)
            ORDER BY c.relname"""
        )
    )


def _count_connections() -> dict[str, int]:
    """By state, as `active` and `idle`; those to this database alone."""
    return dict(
        rows(
            """
            SELECT coalesce(state, 'other'), count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND backend_type = 'client backend'
            GROUP BY 1 ORDER BY 1"""
        )
    )
