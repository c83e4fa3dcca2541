"""What the admin's home page, the doctor and the metrics tell of the database: by estimates and by
counts with a limit, so that it costs the same at any size."""

from dataclasses import dataclass
from datetime import date, datetime

from memories.changes import rows
from memories.services.embedding.filling import longest_wait_seconds
from memories.services.embedding.tasks import MAX_ATTEMPTS
from memories.services.estimates import estimate_rows

# Counted one by one up to here; beyond, from a sample of about as many rows of the table.
COUNTED_ROWS = 30_000
MOST_COUNTED = 1_000
_SHOWN_TABLES = 8


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How many memories of a type came on a day of the viewer's zone."""

    counts: dict[tuple[date, str], int]
    is_estimate: bool


@dataclass(frozen=True, slots=True)
class TableSize:
    """`rows`: PostgreSQL's estimate. `data_bytes` holds what is stored out of line as well."""

    name: str
    rows: int
    data_bytes: int
    index_bytes: int


@dataclass(frozen=True, slots=True)
class Queue:
    """Of embedding tasks; each count ends at MOST_COUNTED + 1. `failing`: those of `waiting` whose
    last try failed; `embedder_error`: what the embedder said where that was its own fault.
    `oldest_seconds`: how long the one that waits longest has waited."""

    waiting: int
    failing: int
    set_aside: int
    embedder_error: str
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Database:
    version: str
    size_bytes: int
    connections: int
    max_connections: int


def count_arrivals(since: datetime, zone: str) -> Arrivals:
    """Live memories since then, by day and type."""
    [(recent,)] = rows(
        """
        SELECT count(*) FROM (
            SELECT 1 FROM memory_entries WHERE deleted_at IS NULL AND created_at >= %s LIMIT %s) m
        """,
        [since, COUNTED_ROWS + 1],
    )
    percent = 100.0
    if recent > COUNTED_ROWS:
        percent *= COUNTED_ROWS / estimate_rows("memory_entries")
    sample = "" if percent >= 100 else f"TABLESAMPLE SYSTEM ({percent:.6f})"
    found = rows(
        f"""
        SELECT (m.created_at AT TIME ZONE %s)::date, m.memory_type, count(*)
        FROM memory_entries m {sample}
        WHERE m.deleted_at IS NULL AND m.created_at >= %s GROUP BY 1, 2""",
        [zone, since],
    )
    counts = {(day, kind): round(count * max(1.0, 100 / percent)) for day, kind, count in found}
    return Arrivals(counts, bool(sample))


def measure_tables() -> list[TableSize]:
    """The largest tables, largest first."""
    found = rows(
        """
        SELECT c.relname, greatest(c.reltuples, 0)::bigint, pg_table_size(c.oid),
            pg_indexes_size(c.oid)
        FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
        ORDER BY pg_total_relation_size(c.oid) DESC LIMIT %s""",
        [_SHOWN_TABLES],
    )
    return [TableSize(*row) for row in found]


def look_at_queue() -> Queue:
    failing = f"t.attempts < {MAX_ATTEMPTS} AND t.error <> ''"
    [(waiting, failing_count, set_aside, error)] = rows(
        f"""
        SELECT {_count_tasks(f"t.attempts < {MAX_ATTEMPTS}")}, {_count_tasks(failing)},
            {_count_tasks(f"t.attempts >= {MAX_ATTEMPTS} AND t.due_at <= now()")},
            coalesce((SELECT left(t.error, 200) FROM embedding_tasks t
                WHERE {failing} AND t.embedder_failed LIMIT 1), '')"""
    )
    return Queue(waiting, failing_count, set_aside, error, longest_wait_seconds())


def _count_tasks(condition: str) -> str:
    return f"""(SELECT count(*) FROM (
        SELECT 1 FROM embedding_tasks t WHERE {condition} LIMIT {MOST_COUNTED + 1}) n)"""


def count_open_sessions(begun_before: datetime) -> int:
    """Those never ended; up to MOST_COUNTED + 1."""
    [(count,)] = rows(
        f"""
        SELECT count(*) FROM (SELECT 1 FROM sessions
            WHERE ended_at IS NULL AND NOT is_archived AND created_at < %s
            LIMIT {MOST_COUNTED + 1}) s""",
        [begun_before],
    )
    return int(count)


def look_at_database() -> Database:
    found = rows(
        """
        SELECT current_setting('server_version'), pg_database_size(current_database()),
            (SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND backend_type = 'client backend'),
            current_setting('max_connections')::int"""
    )
    return Database(*found[0])
