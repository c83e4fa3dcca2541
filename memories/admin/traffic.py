"""How busy the orchestrators are, out of the rows that they keep of themselves. Called by the home
page.

Each row counts since its orchestrator began. The page makes rates of the differences between two
looks, so that nothing has to be remembered here.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from memories.admin.orchestrators import those_alive
from memories.models import Orchestrator


@dataclass(slots=True)
class Action:
    """Of all orchestrators that live. The latencies are those of the slowest."""

    name: str
    count: int = 0
    errors: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """`seen_seconds`: Unix time of the latest row, by which rates are made. `hit_percent` is None
    while nothing was read."""

    seen_seconds: float
    count: int
    actions: list[Action] = field(default_factory=list)
    hit_percent: float | None = None
    cached_bytes: int = 0
    waiting: int = 0
    refused: int = 0


def measure_traffic(orchestrators: Iterable[Orchestrator]) -> Traffic:
    alive = those_alive(orchestrators)
    caches = [_part(one, "cache") for one in alive]
    lanes = [lane for one in alive for lane in _part(one, "lanes").values()]
    hits, misses = _total(caches, "hits"), _total(caches, "misses")
    actions = _by_action(alive)
    return Traffic(
        seen_seconds=max((one.seen_at.timestamp() for one in alive), default=0.0),
        count=sum(action.count for action in actions),
        actions=actions,
        hit_percent=100 * hits / (hits + misses) if hits + misses else None,
        cached_bytes=_total(caches, "bytes"),
        waiting=_total(lanes, "depth"),
        refused=_total(lanes, "refused"),
    )


def _by_action(orchestrators: Sequence[Orchestrator]) -> list[Action]:
    """Busiest first."""
    found: defaultdict[str, Action] = defaultdict(lambda: Action(""))
    for one in orchestrators:
        for name, told in _part(one, "latencies").items():
            action = found[name]
            action.name = name
            action.count += told.get("count", 0)
            action.errors += told.get("errors", 0)
            action.p50_ms = max(action.p50_ms, told.get("p50_ms", 0.0))
            action.p99_ms = max(action.p99_ms, told.get("p99_ms", 0.0))
    return sorted(found.values(), key=lambda action: (-action.count, action.name))


def _part(orchestrator: Orchestrator, name: str) -> dict[str, Any]:
    """Of an orchestrator of another version it may not be there."""
    part = orchestrator.stats.get(name)
    return part if isinstance(part, dict) else {}


def _total(parts: Iterable[dict[str, Any]], name: str) -> int:
    return sum(part.get(name, 0) for part in parts)
