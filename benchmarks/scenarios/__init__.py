"""The scenarios in two groups, each with an orchestrator of its own.

`storage` runs without an embedder, so that the job that embeds takes no part; `meaning` with the
default one, as it is shipped.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.bench import Bench
from benchmarks.figures import Figure
from benchmarks.scenarios.changes import measure_deletes, measure_updates
from benchmarks.scenarios.creates import (
    measure_batch_creates,
    measure_creates,
    measure_one_commit_each,
)
from benchmarks.scenarios.embedding import measure_embedding
from benchmarks.scenarios.footprint import measure_footprint
from benchmarks.scenarios.mixed_day import measure_mixed_day
from benchmarks.scenarios.pages import measure_pages
from benchmarks.scenarios.reads import measure_reads
from benchmarks.scenarios.searches import search_of


@dataclass(frozen=True, slots=True)
class Group:
    embedder: str
    scenarios: dict[str, Callable[[Bench], Iterator[Figure]]]


GROUPS = {
    "storage": Group(
        "none",
        {
            "create": measure_creates,
            "one_commit_each": measure_one_commit_each,
            "batch_create": measure_batch_creates,
            "read": measure_reads,
            "update": measure_updates,
            "delete": measure_deletes,
            "batch_read": measure_pages,
            "keyword_search": search_of("keyword"),
            "footprint": measure_footprint,
        },
    ),
    "meaning": Group(
        "minilm",
        {
            "hybrid_search": search_of("hybrid"),
            "mixed_day": measure_mixed_day,
            "embedding": measure_embedding,
            "footprint": measure_footprint,
        },
    ),
}
