"""Bring back what was deleted or has expired."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import transaction

from memories import changes, ids
from memories.changes import Target, rows
from memories.errors import MemoriesError, MemoryNotFound
from memories.services.forget import SLICE
from memories.services.owners import names_of


class Restored(msgspec.Struct, frozen=True):
    memory_id: str
    restored: bool = True


def restore_memories(
    memory_ids: Sequence[str], at: datetime, changed_by: str = ""
) -> list[Restored | MemoriesError]:
    """A live memory stays as it is; an expired one loses its expiry; what never was is none."""
    names = names_of(memory_ids)
    changes.bring_back([Target(name.owner_id, name.id, at, changed_by) for name in names.values()])
    there = {
        row[0]
        for row in rows(
            "SELECT id FROM memory_entries WHERE owner_id = ANY(%s) AND id = ANY(%s)",
            [[name.owner_id for name in names.values()], [name.id for name in names.values()]],
        )
    }
    return [
        Restored(an_id) if an_id in there else MemoryNotFound(memory_id=an_id)
        for an_id in memory_ids
    ]


def restore_operation(operation_id: str, at: datetime, changed_by: str = "") -> list[str]:
    """Undo a bulk delete, in slices as it was made. Returns the ids of what it brought back; what
    was deleted again by something else since stays deleted. All of it is brought back, or none."""
    back: list[str] = []
    with transaction.atomic(savepoint=False):
        while found := _deleted_by(operation_id):
            targets = [Target(owner, an_id, at, changed_by) for owner, an_id in found]
            back += changes.bring_back(targets)
    return back


def _deleted_by(operation_id: str) -> list[tuple[UUID, str]]:
    """Some of what it deleted and is still as it left it."""
    owner_id = ids.owner_in(operation_id)
    owned = "r.owner_id = %(owner)s AND" if owner_id else ""  # without: it reached across owners
    return rows(
        f"""
        SELECT r.owner_id, r.memory_id FROM revisions r
        JOIN memory_entries m ON m.owner_id = r.owner_id AND m.id = r.memory_id
        WHERE {owned} r.operation_id = %(operation)s AND r.action = 'bulk_delete'
          AND m.version = r.version + 1 AND m.deleted_at IS NOT NULL LIMIT {SLICE}""",
        {"owner": owner_id, "operation": operation_id},
    )
