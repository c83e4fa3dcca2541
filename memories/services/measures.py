"""What the database tells of itself and of its tables, by estimates that cost the same at any size.

Called by the job that measures, now and then; never by a scrape.
"""

from dataclasses import dataclass, field

from memories.changes import rows
from memories.services.embedding import MAX_ATTEMPTS
from memories.services.filling import count_tasks


@dataclass(frozen=True, slots=True)
class Measures:
    """`table_rows` are PostgreSQL's running estimates, soft-deleted rows included.
    `embeddings_oldest_seconds`: how long the task that is due longest has been due."""

    table_rows: dict[str, int] = field(default_factory=dict)
    embeddings_waiting: int = 0
    embeddings_set_aside: int = 0
    embeddings_oldest_seconds: float = 0.0
    database_bytes: int = 0
    connections: dict[str, int] = field(default_factory=dict)
    max_connections: int = 0


def measure_database() -> Measures:
    waiting, set_aside = count_tasks()
    [(database_bytes, max_connections)] = rows(
        "SELECT pg_database_size(current_database()), current_setting('max_connections')::int"
    )
    return Measures(
        table_rows=_estimate_rows(),
        embeddings_waiting=waiting,
        embeddings_set_aside=set_aside,
        embeddings_oldest_seconds=_oldest_due_seconds(),
        database_bytes=database_bytes,
        connections=_count_connections(),
        max_connections=max_connections,
    )


def _estimate_rows() -> dict[str, int]:
    return dict(
        rows(
            """
            SELECT relname, n_live_tup FROM pg_stat_user_tables
            WHERE relid IN ('memory_entries'::regclass, 'sessions'::regclass,
                'revisions'::regclass, 'embeddings'::regclass, 'access_log'::regclass,
                'request_keys'::regclass, 'relationships'::regclass)
            ORDER BY relname"""
        )
    )


def _oldest_due_seconds() -> float:
    [(seconds,)] = rows(
        f"""
        SELECT coalesce(extract(epoch FROM now() - min(t.due_at)), 0)::float
        FROM embedding_tasks t WHERE t.due_at <= now() AND t.attempts < {MAX_ATTEMPTS}"""
    )
    return float(seconds)


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
