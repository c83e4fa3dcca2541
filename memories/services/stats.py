"""Counts of what is stored, quick at any size. Called by handlers."""

from memories.changes import rows
from memories.services.embedding.filling import count_tasks

_EXACT_UP_TO = 100_000


def count_rows() -> dict[str, int]:
    """Rows of each table; counted where that is quick, else as PostgreSQL last estimated. And the
    vectors that are still to be made, and those that failed too often."""
    estimates = dict(
        rows(
            """
            SELECT c.relname, greatest(c.reltuples, 0)::bigint FROM pg_class c
            WHERE c.oid IN ('memory_entries'::regclass, 'sessions'::regclass,
                'revisions'::regclass, 'embeddings'::regclass)"""
        )
    )
    counts = {
        table: estimate if estimate > _EXACT_UP_TO else _count(table)
        for table, estimate in sorted(estimates.items())
    }
    waiting, set_aside = count_tasks()
    return counts | {"embeddings_waiting": waiting, "embeddings_set_aside": set_aside}


def _count(table: str) -> int:
    [(count,)] = rows(f"SELECT count(*) FROM {table}")
    return int(count)
