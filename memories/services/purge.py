"""Removes for good what no promise needs any more, in batches that are short transactions.

Called by clearing. The law: nothing goes that can still be restored. What was deleted can be for
the grace period, and keeps its revisions meanwhile.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from memories.changes import rows
from memories.services.admin_log import SHOWS_MEMORY
from memories.services.ages import Ages

BATCH = 500


class _Kind(NamedTuple):
    """Rows of a table that go by their age. `order`: by an index that serves the condition."""

    table: str
    condition: str
    days: float | None
    order: str = ""
    key: tuple[str, ...] = ("owner_id", "id")


class Purge:
    """One way through all that is over at `now`. `gone` counts the rows by table."""

    def __init__(self, ages: Ages, now: datetime) -> None:
        self._now = now
        self._deleted_before = now - timedelta(days=ages.trash_days)
        self._kinds = [kind for kind in _kinds(ages) if kind.days is not None]
        self.gone: Counter[str] = Counter()

    def step(self) -> bool:
        """Remove a batch; returns whether there may be more."""
        if self._remove_memories():
            return True
        while self._kinds:
            kind = self._kinds[0]
            [(count,)] = rows(_remove_sql(kind), self._parameters(kind))
            self.gone[kind.table] += count
            if count == BATCH:
                return True
            self._kinds.pop(0)
        return False

    def count(self) -> Counter[str]:
        """How many rows would go now, by table."""
        would_go = _by_table(rows(_COUNT_MEMORIES, {"before": self._deleted_before})[0])
        for kind in self._kinds:
            counted = f"SELECT count(*) FROM {kind.table} WHERE {kind.condition}"
            if kind.table in _OF_MEMORIES:
                counted += _NOT_COUNTED.format(table=kind.table)
            [(count,)] = rows(counted, self._parameters(kind))
            would_go[kind.table] += count
        return would_go

    def _remove_memories(self) -> bool:
        parameters = {"before": self._deleted_before, "limit": BATCH}
        gone = _by_table(rows(_REMOVE_MEMORIES, parameters)[0])
        self.gone += gone
        return gone["memory_entries"] == BATCH

    def _parameters(self, kind: _Kind) -> dict[str, Any]:
        assert kind.days is not None
        return {
            "before": self._now - timedelta(days=kind.days),
            "deleted_before": self._deleted_before,
            "limit": BATCH,
        }


def _kinds(ages: Ages) -> Iterator[_Kind]:
    yield _Kind("request_keys", "created_at < %(before)s", ages.request_key_days, "created_at")
    yield _Kind("agent_states", "expires_at <= %(before)s", 0, "expires_at")
    yield _Kind("access_log", "last_at < %(before)s", ages.access_log_days, "last_at")
    if ages.revision_days is not None:
        # The trash keeps its revisions: they tie a bulk delete together. And a policy counts a
        # memory's age from its restoring.
        days = max(ages.revision_days, ages.trash_days)
        old = "changed_at < %(before)s AND action <> 'restore'"
        yield _Kind("revisions", old, days, "changed_at")
    yield _Kind("orchestrators", "seen_at < %(before)s", ages.request_key_days, key=("instance",))


def _remove_sql(kind: _Kind) -> str:
    same = " AND ".join(f"t.{column} = old.{column}" for column in kind.key)
    return f"""
        WITH old AS (
            SELECT {", ".join(kind.key)} FROM {kind.table} WHERE {kind.condition}
            {f"ORDER BY {kind.order}" if kind.order else ""}
            LIMIT %(limit)s FOR UPDATE SKIP LOCKED),
        gone AS (DELETE FROM {kind.table} t USING old WHERE {same} RETURNING 1)
        SELECT count(*) FROM gone"""


class _Part(NamedTuple):
    """Rows `x` of a table that go with the memories `gone`."""

    table: str
    condition: str
    beside: str = "gone"


_PARTS = (
    # With the model named, an index leads to a vector; without, to all of the owner's.
    _Part(
        "embeddings",
        "x.owner_id = gone.owner_id AND x.model_id = e.id AND x.memory_id = gone.id",
        "gone, embedding_models e",
    ),
    _Part("embedding_tasks", "x.owner_id = gone.owner_id AND x.memory_id = gone.id"),
    _Part("relationships", "x.owner_id = gone.owner_id AND x.source_id = gone.id"),
    _Part(
        "relationships",
        "x.owner_id = gone.owner_id AND x.target_id = gone.id"
        " AND x.source_id NOT IN (SELECT id FROM gone)",
    ),
    _Part("revisions", "x.owner_id = gone.owner_id AND x.memory_id = gone.id"),
    _Part("access_log", 'x.owner_id = gone.owner_id AND x.memory_id = gone.id COLLATE "default"'),
    _Part("django_admin_log", SHOWS_MEMORY),
    _Part("memory_entries", "x.owner_id = gone.owner_id AND x.id = gone.id"),
)


def _memories_sql(last: str, part_sql: str) -> str:
    """`last`: what follows on the overdue memories; `part_sql`: what is done with each part."""
    named = [
        f"part_{number} AS ({part_sql.format(part=part)})" for number, part in enumerate(_PARTS)
    ]
    counts = [f"(SELECT count(*) FROM part_{number})" for number in range(len(_PARTS))]
    return f"""
        WITH gone AS MATERIALIZED (
            SELECT owner_id, id FROM memory_entries WHERE deleted_at < %(before)s {last}),
        {", ".join(named)}
        SELECT {", ".join(counts)}"""


# Nobody waits: what somebody holds now, to restore it say, is left for the next time.
_REMOVE_MEMORIES = _memories_sql(
    "ORDER BY deleted_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED",
    "DELETE FROM {part.table} x USING {part.beside} WHERE {part.condition} RETURNING 1",
)
_COUNT_MEMORIES = _memories_sql(
    "",
    "SELECT FROM {part.table} x, {part.beside} WHERE {part.condition}",
)


def _by_table(counts: tuple[int, ...]) -> Counter[str]:
    found: Counter[str] = Counter()
    for part, count in zip(_PARTS, counts, strict=True):
        found[part.table] += count
    return found


_OF_MEMORIES = {"revisions", "access_log"}

# What goes with its memory goes but once.
_NOT_COUNTED = """ AND NOT EXISTS (
    SELECT FROM memory_entries m WHERE m.owner_id = {table}.owner_id AND m.id = {table}.memory_id
    AND m.deleted_at < %(deleted_before)s)"""
