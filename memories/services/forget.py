"""Delete softly: by id and by filter."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from memories import changes
from memories.changes import Target, rows
from memories.errors import MemoriesError, MemoryNotFound
from memories.services.filters import FILTER_COLUMNS, Filter, conditions_sql, filter_json
from memories.services.owners import names_of

EXPIRE_BATCH = 500
SLICE = 5_000


class Deleted(msgspec.Struct, frozen=True):
    deleted: bool = True


@dataclass(frozen=True, slots=True)
class Deletion:
    memory_id: str
    at: datetime
    changed_by: str = ""


def forget_memories(
    deletions: Sequence[Deletion], operation_id: str = ""
) -> list[Deleted | MemoriesError]:
    """Delete each memory, none of which may occur twice. `operation_id` ties them, so that they
    can be brought back together."""
    names = names_of({deletion.memory_id for deletion in deletions})
    targets = [
        Target(*names[d.memory_id], d.at, d.changed_by) for d in deletions if d.memory_id in names
    ]
    action = "bulk_delete" if operation_id else "delete"
    gone = set(changes.delete_softly(targets, action, operation_id))
    return [
        Deleted() if d.memory_id in gone else MemoryNotFound(memory_id=d.memory_id)
        for d in deletions
    ]


def forget_matching(filter_: Filter, at: datetime, changed_by: str, operation_id: str) -> list[str]:
    """Delete all that the filter finds, tied by `operation_id` so that it can be undone whole;
    in slices, so that no statement grows with what there is. Returns the ids.

    To be called in a transaction: all of it is deleted, or none.
    """
    gone: list[str] = []
    found = [] if filter_.finds_nothing() else _matching(filter_)
    while found:
        targets = [Target(owner_id, an_id, at, changed_by) for owner_id, an_id in found]
        gone += changes.delete_softly(targets, "bulk_delete", operation_id)
        found = _matching(filter_)
    return gone


def _matching(filter_: Filter) -> list[tuple[UUID, str]]:
    """Some of what the filter finds."""
    return rows(
        f"""
        SELECT m.owner_id, m.id
        FROM memory_entries m CROSS JOIN jsonb_to_record(%s::jsonb) AS q ({FILTER_COLUMNS})
        WHERE {conditions_sql(filter_.shape())} LIMIT {SLICE}""",
        [filter_json(filter_)],
    )


def expire_memories() -> bool:
    """Mark a batch of what has expired; returns whether there may be more."""
    found = rows(
        """
        SELECT owner_id, id, now() FROM memory_entries
        WHERE deleted_at IS NULL AND expires_at <= now() ORDER BY expires_at LIMIT %s""",
        [EXPIRE_BATCH],
    )
    changes.delete_expired([Target(*row) for row in found])
    return len(found) == EXPIRE_BATCH
