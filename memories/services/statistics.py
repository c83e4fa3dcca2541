"""How many memories an owner has and how long they are: what a word's rarity is judged by."""

import time
from dataclasses import dataclass
from uuid import UUID

from memories.bounded import BoundedDict
from memories.changes import rows

# Counting a small owner costs less than a search does; the figures of a large one hardly move.
_SMALL_COUNT = 2_000
_KEPT_SECONDS = 30.0
_OF_EVERYONE_KEPT_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Statistics:
    memory_count: int
    average_words: float


_kept: BoundedDict[UUID | None, tuple[float, Statistics]] = BoundedDict(10_000)


def statistics_of(owner_id: UUID | None) -> Statistics:
    """Of the owner's memories, or of everyone's where it is None."""
    kept = _kept.get(owner_id)
    if kept and kept[0] > time.monotonic():
        return kept[1]
    statistics = _count(owner_id)
    if statistics.memory_count > _SMALL_COUNT or owner_id is None:
        seconds = _KEPT_SECONDS if owner_id else _OF_EVERYONE_KEPT_SECONDS
        _kept.update({owner_id: (time.monotonic() + seconds, statistics)})
    return statistics


def forget_statistics() -> None:
    _kept.clear()


def _count(owner_id: UUID | None) -> Statistics:
    owned = "owner_id = %s AND" if owner_id else ""
    [(count, average)] = rows(
        f"SELECT count(*), avg(words)::float FROM memory_entries WHERE {owned} deleted_at IS NULL",
        [owner_id] if owner_id else [],
    )
    return Statistics(count, average or 1.0)
