"""What the server's own statistics say is wrong: indexes, vacuum, cache. Called by
`tune_postgres`."""

from collections.abc import Iterator

from memories.changes import rows
from memories.services.indexes import invalid_indexes, missing_indexes

_UNUSED_MIN_BYTES = 1 << 20
_USED_TABLE_SCANS = 1_000
_LARGE_ROWS = 10_000
_OFTEN = 100
_DEAD_SHARE = 0.2
_CHANGED_SHARE = 0.2
_ENOUGH_BLOCKS = 100_000
_HIT_RATIO = 0.95
_XIDS_LEFT_ALONE = 500_000_000


def lacking_indexes() -> Iterator[str]:
    """Indexes that the code counts on and the database has not, or has half built."""
    for name, statement in missing_indexes().items():
        yield f"The index {name} is missing: {statement}"
    for name in invalid_indexes():
        yield f"The index {name} was not built to its end: REINDEX INDEX {name};"


def findings() -> list[str]:
    """A sentence for each, with what to do."""
    return [
        *_unused_indexes(),
        *_tables_read_whole(),
        *_tables_to_vacuum(),
        *_low_cache_hits(),
    ]


def _unused_indexes() -> Iterator[str]:
    for name, table, size in rows(
        """
        SELECT s.indexrelname, s.relname, pg_size_pretty(pg_relation_size(s.indexrelid))
        FROM pg_stat_user_indexes s JOIN pg_index i USING (indexrelid)
        JOIN pg_stat_user_tables t ON t.relid = s.relid
        WHERE s.idx_scan = 0 AND NOT i.indisunique AND pg_relation_size(s.indexrelid) > %s
          AND coalesce(t.seq_scan, 0) + coalesce(t.idx_scan, 0) > %s
        ORDER BY pg_relation_size(s.indexrelid) DESC""",
        [_UNUSED_MIN_BYTES, _USED_TABLE_SCANS],
    ):
        yield (
            f"The index {name} of {table} ({size}) was not used since {_since()}: if that was a "
            "usual time, each write keeps it up for nothing."
        )


def _tables_read_whole() -> Iterator[str]:
    for table, scans, each in rows(
        """
        SELECT relname, seq_scan, seq_tup_read / seq_scan FROM pg_stat_user_tables
        WHERE n_live_tup > %s AND seq_scan > %s AND seq_tup_read / seq_scan > n_live_tup / 2
        ORDER BY seq_tup_read DESC""",
        [_LARGE_ROWS, _OFTEN],
    ):
        yield (
            f"The table {table} was read whole {scans} times, {each} rows each, since {_since()}: "
            "some query lacks an index (pg_stat_statements tells which)."
        )


def _tables_to_vacuum() -> Iterator[str]:
    for table, dead, live, changed, age in rows(
        """
        SELECT s.relname, s.n_dead_tup, s.n_live_tup, s.n_mod_since_analyze, age(c.relfrozenxid)
        FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid ORDER BY 1"""
    ):
        if dead > 1_000 + _DEAD_SHARE * live:
            yield f"The table {table} holds {dead} dead rows beside {live}: VACUUM {table}."
        elif age > _XIDS_LEFT_ALONE:
            yield f"The table {table} was not frozen for {age} transactions: VACUUM {table}."
        if changed > 1_000 + _CHANGED_SHARE * live:
            yield f"The statistics of {table} are {changed} changes old: ANALYZE {table}."


def _low_cache_hits() -> Iterator[str]:
    [(hits, reads)] = rows(
        "SELECT blks_hit, blks_read FROM pg_stat_database WHERE datname = current_database()"
    )
    if reads > _ENOUGH_BLOCKS and hits / (hits + reads) < _HIT_RATIO:
        yield (
            f"Only {hits / (hits + reads):.0%} of all blocks were in shared_buffers since "
            f"{_since()}: what is asked for often does not fit; more of it, or more memory, helps."
        )


def _since() -> str:
    [(reset, started)] = rows(
        "SELECT stats_reset, pg_postmaster_start_time() FROM pg_stat_database"
        " WHERE datname = current_database()"
    )
    return f"{(reset or started):%Y-%m-%d %H:%M}"
