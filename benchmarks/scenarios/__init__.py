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
    measure_clients,
    measure_creates,
    measure_one_commit_each,
)
from benchmarks.scenarios.embedding import measure_embedding
from benchmarks.scenarios.footprint import measure_footprint
from benchmarks.scenarios.mixed_day import measure_mixed_day
from benchmarks.scenarios.pages import measure_pages
from benchmarks.scenarios.reads import measure_reads
from benchmarks.scenarios.searches import measure_many_owners, search_of
from benchmarks.scenarios.steady import measure_steady


@dataclass(frozen=True, slots=True)
class Scenario:
    """`quick`: also in the quick suite; `named`: only where it is asked for by its name."""

    measure: Callable[[Bench], Iterator[Figure]]
    quick: bool = True
    named: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """`quick_embedder` saves the quick suite the making of the model; it ranks with any vectors."""

    embedder: str
    quick_embedder: str
    scenarios: dict[str, Scenario]


GROUPS = {
    "storage": Group(
        "none",
        "none",
        {
            "create": Scenario(measure_creates),
            "clients": Scenario(measure_clients, quick=False),
            "one_commit_each": Scenario(measure_one_commit_each, quick=False),
            "batch_create": Scenario(measure_batch_creates),
            "read": Scenario(measure_reads),
            "update": Scenario(measure_updates),
            "delete": Scenario(measure_deletes),
            "batch_read": Scenario(measure_pages),
            "keyword_search": Scenario(search_of("keyword")),
            "mixed_day_of_words": Scenario(measure_mixed_day, quick=False),
            "footprint": Scenario(measure_footprint, quick=False),
            "steady": Scenario(measure_steady, named=True),
        },
    ),
    "meaning": Group(
        "minilm",
        "hashing",
        {
            "hybrid_search": Scenario(search_of("hybrid")),
            "many_owners": Scenario(measure_many_owners, quick=False),
            "mixed_day": Scenario(measure_mixed_day, quick=False),
            "embedding": Scenario(measure_embedding, quick=False),
            "meaning_footprint": Scenario(measure_footprint, quick=False),
        },
    ),
}
