"""What searches by meaning find under filters of every share of the data, against the exact answer.

    python -m benchmarks.filtered_recall [--rows 100000] [--queries 50] [--json FILE]

The loader stores vectors around common centres, tags of known shares (`spread`: lying anywhere;
`topic`: all around the same few centres, mostly far from the query), and owners of known shares.
The exact answer compares every vector that the filter lets through, outside of the orchestrator, by
the cosine with the query's, which is what a search with `query_embedding` orders by.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.load import large_user
from benchmarks.report import machine, write_json
from benchmarks.serving import Served, end_what_was_started, serving
from benchmarks.vectors import TAG_KINDS, TAGGED_PERCENT, Vectors, unit_vectors
from benchmarks.workload import LARGE_USER
from memories import ids
from zmqbridge.client import Client

CUT = 10
TARGET = 0.98
_OWNERS = 1000
# Owners of these shares of all; the first is beyond what is compared exactly in a full run.
_OWNER_PERCENT = (40, 14.8, 5, 1.3, 0.1)
_FILTER_SECONDS = 40  # a filter is left after so long, with what it has
_LEAST_QUERIES = 10
# What is as near as the last of the true ones is as good.
_AS_GOOD = 1e-5


@dataclass(frozen=True, slots=True)
class Filtered:
    """A filter: who asks, in which scope, with which tag."""

    name: str
    user_id: str
    scope: str
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """`share`: of all memories, what the filter leaves; `recall`: of the ten nearest."""

    filter: str
    share: float
    memories: int
    queries: int
    recall: float
    p50_ms: float
    p95_ms: float

    def is_met(self) -> bool:
        return self.recall >= TARGET


@dataclass(frozen=True)
class Stored:
    """All vectors with their memories and owners, in the order in which they were stored; shapes
    (n, dimension) and (n,)."""

    database: str
    vectors: Vectors
    memory_ids: NDArray[Any]
    owners: NDArray[Any]

    @cached_property
    def _by_id(self) -> NDArray[np.int64]:
        return np.argsort(self.memory_ids)

    def places_of(self, memory_ids: Sequence[str]) -> NDArray[np.int64]:
        """Of those that are known."""
        named = np.array(memory_ids, dtype=self.memory_ids.dtype)
        known = named[np.isin(named, self.memory_ids)]
        places: NDArray[np.int64] = self._by_id[
            np.searchsorted(self.memory_ids, known, sorter=self._by_id)
        ]
        return places

    def passing(self, filtered: Filtered) -> NDArray[np.int64]:
        """The places of what the filter lets through."""
        of_owner = np.arange(len(self.owners))
        if filtered.scope == "user":
            of_owner = np.flatnonzero(self.owners == _owner_bytes(filtered.user_id))
        if not filtered.tag:
            return of_owner
        with psycopg.connect(self.database) as connection:
            tagged = connection.execute(
                "SELECT id FROM memory_entries WHERE tags @> ARRAY[%s]::varchar[]", [filtered.tag]
            ).fetchall()
        return np.intersect1d(of_owner, self.places_of([an_id for (an_id,) in tagged]))


def _owner_bytes(user_id: str) -> np.bytes_:
    return np.bytes_(ids.owner_of_user(user_id).hex.encode())


def filters() -> list[Filtered]:
    everyone = [
        Filtered(f"everyone's, {kind} {percent:g} %", LARGE_USER, "all", f"{kind}-{percent:g}")
        for kind in TAG_KINDS
        for percent in TAGGED_PERCENT
    ]
    owners = [
        Filtered(f"an owner of {percent:g} %", large_user(number), "user")
        for number, percent in enumerate(_OWNER_PERCENT)
    ]
    of_large = [
        Filtered(
            f"the large owner's, {kind} {percent:g} %", LARGE_USER, "user", f"{kind}-{percent:g}"
        )
        for kind in TAG_KINDS
        for percent in TAGGED_PERCENT
    ]
    return [*everyone, Filtered("everyone's", LARGE_USER, "all"), *owners, *of_large]


def read_stored(database: str) -> Stored:
    """By binary COPY, whose rows are of one length here."""
    with psycopg.connect(database) as connection:
        [dimension] = connection.execute(
            "SELECT dimension FROM embedding_models WHERE state = 'active'"
        ).fetchone() or (0,)
        rows = connection.execute(
            "SELECT memory_id, owner_id FROM embeddings ORDER BY id"
        ).fetchall()
        sql = "COPY (SELECT embedding FROM embeddings ORDER BY id) TO STDOUT (FORMAT binary)"
        with connection.cursor().copy(sql) as copy:
            sent = b"".join(copy)
    record = np.dtype([("head", "V10"), ("vector", ">f4", (dimension,))])
    vectors = np.frombuffer(sent, record, count=len(rows), offset=19)["vector"]
    return Stored(
        database,
        vectors.astype(np.float32),
        np.array([an_id for an_id, _ in rows]),
        np.array([UUID(str(owner)).hex.encode() for _, owner in rows]),
    )


def measure(
    client: Client, stored: Stored, filtered: Filtered, queries: Vectors
) -> Measured | None:
    """None where the filter lets nothing through."""
    places = stored.passing(filtered)
    if not len(places):
        return None
    vectors = stored.vectors[places]
    recalls, seconds = [], []
    session = client.create_session(user_id=filtered.user_id).session_id
    search = _searcher(client, filtered, session)
    search(queries[0])  # what is read once is not counted
    began = time.perf_counter()
    for query in queries:
        start = time.perf_counter()
        found = search(query)
        seconds.append(time.perf_counter() - start)
        found_at = np.searchsorted(places, np.sort(stored.places_of(found)))
        recalls.append(_recall(vectors @ query, found_at))
        if len(seconds) >= _LEAST_QUERIES and time.perf_counter() - began > _FILTER_SECONDS:
            break
    p50, p95 = np.percentile(np.array(seconds) * 1000, (50, 95))
    return Measured(
        filtered.name,
        len(places) / len(stored.owners),
        len(places),
        len(seconds),
        float(np.mean(recalls)),
        float(p50),
        float(p95),
    )


def _searcher(client: Client, filtered: Filtered, session: str) -> Any:
    tags = [filtered.tag] if filtered.tag else None

    def search(query: Vectors) -> list[str]:
        found = client.search(
            "anything",
            search_type="semantic",
            scope=filtered.scope,  # type: ignore[arg-type]
            tags=tags,
            limit=CUT,
            query_embedding=query.tolist(),
            session_id=session,
        )
        return [memory.memory_id for memory in found.results]

    return search


def _recall(scores: Vectors, found: NDArray[np.int64]) -> float:
    """Of the first ten by these scores, or of all where there are fewer, the share found."""
    wanted = min(CUT, len(scores))
    last = np.partition(scores, -wanted)[-wanted]
    return float(np.count_nonzero(scores[found] >= last - _AS_GOOD)) / wanted


def table_of(measured: Sequence[Measured]) -> Table:
    table = Table("filter", "leaves", "memories", "queries", "recall@10", "p50 ms", "p95 ms", "")
    for column in table.columns[1:7]:
        column.justify = "right"
    for each in measured:
        table.add_row(
            each.filter,
            f"{each.share:.2%}",
            f"{each.memories:,}",
            str(each.queries),
            f"{each.recall:.3f}",
            f"{each.p50_ms:.1f}",
            f"{each.p95_ms:.1f}",
            "[green]met[/]" if each.is_met() else "[red]missed[/]",
        )
    return table


def run(served: Served, rows: int, query_count: int) -> Iterator[Measured]:
    """What was measured of each filter that lets anything through."""
    large = [max(1, round(rows * percent / 100)) for percent in _OWNER_PERCENT]
    rest = max(0, rows - sum(large))
    owners = max(1, min(_OWNERS, rest))
    served.load("--tagged", f"--rows={rest}", f"--owners={owners}", "--large", *map(str, large))
    stored = read_stored(served.database)
    queries = unit_vectors(query_count, stored.vectors.shape[1], seed=10**9)
    with Client(served.endpoint, timeout_seconds=120) as client:
        for filtered in filters():
            if done := measure(client, stored, filtered, queries):
                yield done


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.filtered_recall", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument(
        "--embedder", choices=("given", "minilm"), default="given", help="vectors are given anyway"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    end_what_was_started()
    console = Console(width=None if sys.stdout.isatty() else 140)
    with serving({"EMBEDDER": options.embedder}) as served:
        made = run(served, options.rows, options.queries)
        measured = list(track(made, "filters", total=len(filters()), console=console))
    console.print(table_of(measured))
    worst = min(measured, key=lambda each: each.recall)
    console.print(
        f"Least: {worst.recall:.3f} ({worst.filter}); target at every share ≥ {TARGET}: "
        + ("met" if worst.is_met() else "missed")
    )
    if options.json:
        write_json(
            options.json,
            {
                "machine": machine(),
                "rows": options.rows,
                "embedder": options.embedder,
                "target": TARGET,
                "filters": [asdict(each) | {"met": each.is_met()} for each in measured],
            },
        )


if __name__ == "__main__":
    main()
