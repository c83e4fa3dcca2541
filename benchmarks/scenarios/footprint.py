"""What the orchestrator takes: time to start with an empty database, memory, bytes on disk."""

from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.driver import closed_loop
from benchmarks.figures import Figure
from benchmarks.processes import resident_megabytes

_TABLES = ("memory_entries", "embeddings")


def measure_footprint(bench: Bench) -> Iterator[Figure]:
    label = bench.served.environment["EMBEDDER"]
    yield Figure(f"start-up, embedder {label}", "s", value=bench.served.start_seconds)
    yield Figure(
        f"memory, embedder {label}", "MB", value=resident_megabytes(bench.served.process_id)
    )
    for table in _TABLES:
        [(count, size)] = bench.rows(
            f"SELECT (SELECT count(*) FROM {table}), pg_total_relation_size('{table}')"
        )
        if count:
            yield Figure(f"disk, {table}, embedder {label}", "bytes a row", value=size / count)
    yield Figure(f"WAL, embedder {label}", "bytes a create", value=_wal_bytes(bench))


def _wal_bytes(bench: Bench) -> float:
    """Of creates with 256 in flight; what the embedding job writes meanwhile is counted too."""
    work = bench.requests.creates(bench.talk, bench.count(4000), bench.sessions)
    [(before,)] = bench.rows("SELECT pg_current_wal_insert_lsn()")
    closed_loop(bench.served.endpoint, [work], 256)
    [(written,)] = bench.rows("SELECT pg_current_wal_insert_lsn() - %s::pg_lsn", before)
    return float(written) / len(work)
