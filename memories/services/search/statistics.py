"""How many memories with a text an owner has and how long they are: what a word's rarity is judged
by."""

import time
from dataclasses import dataclass
from uuid import UUID

from memories.bounded import BoundedDict
from memories.changes import rows

# Counting a small owner costs less than a search does; the figures of a large one hardly move.
_SMALL_COUNT = 2_000
_KEPT_SECONDS = 30.0
_OF_EVERYONE_KEPT_SECONDS = 300.0
_SAMPLED_ROWS = 30_000


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
    if owner_id is None:
        return _count_everyones()
    [(count, average)] = rows(
        """
        SELECT count(*), avg(words)::float FROM memory_entries
        WHERE owner_id = %s AND deleted_at IS NULL AND text <> ''""",
        [owner_id],
    )
    return Statistics(count, average or 1.0)


def _count_everyones() -> Statistics:
    """Of a large table by a sample, the same one each time: counting a million rows takes longer
    than many a deadline."""
    [(estimate,)] = rows(
        "SELECT reltuples::float FROM pg_class WHERE oid = 'memory_entries'::regclass"
    )
    share = min(1.0, _SAMPLED_ROWS / max(estimate, 1.0))
    sampled = f"TABLESAMPLE SYSTEM ({100 * share:.6f}) REPEATABLE (0)" if share < 1 else ""
    [(count, average)] = rows(
        f"""
        SELECT count(*), avg(words)::float FROM memory_entries {sampled}
        WHERE deleted_at IS NULL AND text <> ''"""
    )
    return Statistics(round(count / share), average or 1.0)
