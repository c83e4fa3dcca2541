"""Counts of what is stored, quick at any size. Called by handlers and admin."""

from memories.changes import rows

_EXACT_UP_TO = 100_000


def count_rows() -> dict[str, int]:
    """Rows of each table; counted where that is quick, else as PostgreSQL last estimated."""
    estimates = dict(
        rows(
            """
            SELECT c.relname, greatest(c.reltuples, 0)::bigint FROM pg_class c
            WHERE c.oid IN ('memory_entries'::regclass, 'sessions'::regclass,
                'revisions'::regclass, 'embeddings'::regclass)"""
        )
    )
    return {
        table: estimate if estimate > _EXACT_UP_TO else _count(table)
        for table, estimate in sorted(estimates.items())
    }


def _count(table: str) -> int:
    [(count,)] = rows(f"SELECT count(*) FROM {table}")
    return int(count)
