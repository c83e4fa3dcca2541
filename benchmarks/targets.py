"""What is to be reached, and what the quick guard lets pass. docs/benchmarks.md explains each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks import floors
from benchmarks.figures import Figure
from benchmarks.scenarios.mixed_day import ACTIONS, WITH_EMBEDDER, WITHOUT_EMBEDDER


@dataclass(frozen=True, slots=True)
class Target:
    """A figure's `measure`, or its ratio to the same measure of `floor`, against bounds.

    `required` and `strong` are what is aimed at; `guard` is so wide that only a fault passes it.
    Rates are to be at least the bound, everything else at most.
    """

    figure: str
    measure: str
    floor: str = ""
    required: float | None = None
    strong: float | None = None
    guard: float | None = None

    def value(self, rounds: Mapping[str, Sequence[Figure]]) -> float | None:
        """The median over the rounds of what was measured; a ratio is taken within its round."""
        figures = rounds.get(self.figure, ())
        below = rounds.get(self.floor, ()) if self.floor else [None] * len(figures)
        values = [
            each.measure(self.measure) / (floor.measure(self.measure) if floor else 1)
            for each, floor in zip(figures, below, strict=False)
        ]
        return median(values) if values else None

    def is_met(self, value: float, bound: float) -> bool:
        return value >= bound if self.measure == "rate" else value <= bound

    def wording(self, bound: float) -> str:
        relation = "≥" if self.measure == "rate" else "≤"
        return f"{relation} {bound:g}"


_FULL = "create, 256 in flight"
_READ_ONE, _READ_MANY = "read cached, 1 in flight", "read cached, 256 in flight"
_SEARCH_ONE, _SEARCH_MANY = "hybrid search, 1 in flight", "hybrid search, 8 in flight"
_OWNERS_ONE, _OWNERS_MANY = (
    f"hybrid search of many owners, {in_flight} in flight" for in_flight in (1, 8)
)

TARGETS = (
    Target(_FULL, "rate", floors.COMMIT, required=6, strong=10),
    Target(_FULL, "rate", floors.COMMIT_MANY, guard=0.5),
    Target(_FULL, "rate", required=5_000, strong=10_000),
    Target("create, 1 in flight", "p50", floors.COMMIT, required=2.5, strong=2, guard=6),
    Target("batch_create of 100, 4 in flight", "rate", floors.BATCH, guard=0.2),
    Target(_READ_ONE, "p50", floors.ECHO, required=3, strong=2.5, guard=8),
    Target(_READ_MANY, "rate", floors.ECHO_PIPELINED, guard=0.15),
    Target(_READ_MANY, "rate", strong=12_000),
    Target("read uncached, 1 in flight", "p50", floors.LOOKUP, guard=25),
    Target("read uncached, 256 in flight", "rate", floors.LOOKUP, guard=0.3),
    Target("update, 256 in flight", "rate", floors.COMMIT_MANY, guard=0.15),
    Target("delete, 256 in flight", "rate", floors.COMMIT_MANY, guard=0.25),
    Target("batch_read of 50 ids", "p50", floors.LOOKUP, guard=90),
    Target("batch_read by filter", "p50", floors.LOOKUP, guard=60),
    Target("keyword search, 1 in flight", "p50", floors.LOOKUP, guard=250),
    Target(_SEARCH_ONE, "p50", required=12),
    Target(_SEARCH_ONE, "p50", floors.LOOKUP, guard=1200),
    Target(_SEARCH_MANY, "rate", required=100),
    # With `--rows 1000000`: 1 000 owners of 1 000, against one of 10 000.
    Target(_OWNERS_ONE, "p50", _SEARCH_ONE, required=3),
    Target(_OWNERS_ONE, "p95", _SEARCH_ONE, required=3),
    Target(_OWNERS_MANY, "rate", _SEARCH_MANY, required=0.33),
    *(
        Target(f"{day}, {action}", "p99", strong=20)
        for day in (WITH_EMBEDDER, WITHOUT_EMBEDDER)
        for action in ACTIONS
    ),
)
