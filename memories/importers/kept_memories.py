"""Memories of an old store, as they are kept here: compare, store, bring up to date."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from django.db import DatabaseError, transaction

from memories.changes import rows
from memories.errors import MemoriesError
from memories.importers.places import Place
from memories.importers.rows import OldMemory
from memories.importers.seen import CHANGED_BY, MISSING, Seen
from memories.services.revise import Revision, revise_memories
from memories.services.store import NewMemory, store_memories

# Of values, of constraints, and what is too large or too deep for the server.
_ROWS_OWN = ("22", "23", "54")


class Placed(NamedTuple):
    memory: OldMemory
    place: Place
    id: str


def compare_memories(batch: Sequence[Placed], volatile: Sequence[str]) -> list[Seen]:
    """`volatile`: keys of `content.metadata` that do not count."""
    there = _there(batch)
    rows_there = [told(placed) for placed in batch if placed.id in there]
    if not rows_there:
        return [MISSING] * len(batch)
    parameters = {"told": msgspec.json.encode(rows_there).decode(), "volatile": list(volatile)}
    found = {row[0]: Seen(True, *row[1:]) for row in rows(_COMPARE, parameters)}
    return [found.get(placed.id, MISSING) for placed in batch]


def store_old(batch: Sequence[Placed]) -> dict[str, str]:
    """Store them; returns why, by id, for those that the database refuses."""
    try:
        with transaction.atomic():
            store_memories([_new(placed) for placed in batch])
    except DatabaseError as error:
        if not _is_of_the_rows(error):
            raise
        if len(batch) == 1:
            return {batch[0].id: _reason(error)}
        half = len(batch) // 2
        return store_old(batch[:half]) | store_old(batch[half:])
    return {}


def _is_of_the_rows(error: DatabaseError) -> bool:
    return (getattr(error.__cause__, "sqlstate", None) or "").startswith(_ROWS_OWN)


def _reason(error: DatabaseError) -> str:
    """Without the DETAIL, which quotes the row."""
    diagnostics = getattr(error.__cause__, "diag", None)
    return (diagnostics and diagnostics.message_primary) or type(error).__name__


def update_old(batch: Sequence[Placed]) -> list[bool]:
    """Bring over what has changed in the file; whether it could be, for each."""
    with transaction.atomic(savepoint=False):
        revised = revise_memories([_revision(placed) for placed in batch])
    return [not isinstance(one, MemoriesError) for one in revised]


def _there(batch: Sequence[Placed]) -> set[str]:
    # One text instead of an array, which psycopg quotes one by one. No id holds a line break.
    found = rows(
        """
        SELECT id FROM memory_entries
        WHERE owner_id = ANY(%s) AND id = ANY(string_to_array(%s, E'\\n'))""",
        [list({p.place.owner_id for p in batch}), "\n".join(p.id for p in batch)],
    )
    return {an_id for (an_id,) in found}


def _new(placed: Placed) -> NewMemory:
    memory = placed.memory
    assert memory.created_at is not None
    return NewMemory(
        key=b"",
        session_id=placed.place.session_id,
        memory_type=memory.memory_type,
        content_json=memory.content_json,
        created_at=memory.created_at,
        tags=memory.tags,
        priority=memory.priority,
        created_by=CHANGED_BY,
        memory_id=placed.id,
        expires_at=memory.expires_at,
    )


def _revision(placed: Placed) -> Revision:
    memory = placed.memory
    return Revision(
        placed.id,
        datetime.now(UTC),
        memory_type=memory.memory_type,
        content_json=memory.content_json,
        tags=tuple(memory.tags),
        priority=memory.priority,
        set_ttl=True,
        expires_at=memory.expires_at,
        changed_by=CHANGED_BY,
    )


def told(placed: Placed) -> dict[str, Any]:
    """All that counts of it."""
    memory = placed.memory
    return {
        "id": placed.id,
        "owner_id": placed.place.owner_id,
        "session_id": placed.place.session_id,
        "memory_type": memory.memory_type,
        "content": msgspec.Raw(memory.content_json),
        "tags": memory.tags,
        "priority": memory.priority,
        "expires_at": memory.expires_at,
        "created_at": memory.created_at if memory.is_time_known else None,
    }


# Of the memory `m`: each change leaves a revision, and some of those are no longer there.
LOST_REVISIONS = """(m.version > 1 AND m.version - 1 > (
    SELECT count(*) FROM revisions l WHERE l.owner_id = m.owner_id AND l.memory_id = m.id))"""


def _canonical(row: str, session_id: str, created_at: str) -> str:
    content = f"""CASE WHEN jsonb_typeof({row}.content -> 'metadata') = 'object'
        THEN {row}.content || jsonb_build_object('metadata',
            ({row}.content -> 'metadata') - %(volatile)s::text[])
        ELSE {row}.content END"""
    return f"""hashtextextended(jsonb_build_array({session_id}, {created_at}, {row}.memory_type,
        {content}, {row}.tags, {row}.priority, {row}.expires_at)::text, 0)"""


# What counts of a memory that another hand has changed is what it held before that. Where that is
# purged (REVISION_DAYS), the memory counts as changed here, and as the same: nothing else is known.
_COMPARE = f"""
SELECT m.id, r.version IS NOT NULL OR before.is_lost,
    {_canonical("n", "n.session_id", "coalesce(n.created_at, m.created_at)")},
    CASE WHEN before.is_lost
            THEN {_canonical("n", "n.session_id", "coalesce(n.created_at, m.created_at)")}
         WHEN r.version IS NULL THEN {_canonical("m", "m.session_id", "m.created_at")}
         ELSE {_canonical("r", "m.session_id", "m.created_at")} END
FROM jsonb_to_recordset(%(told)s::jsonb) AS n (id text, owner_id uuid, session_id text,
    memory_type text, content jsonb, tags text[], priority int, expires_at timestamptz,
    created_at timestamptz)
JOIN memory_entries m ON m.owner_id = n.owner_id AND m.id = n.id
LEFT JOIN LATERAL (
    SELECT r.* FROM revisions r
    WHERE r.owner_id = m.owner_id AND r.memory_id = m.id AND r.changed_by <> '{CHANGED_BY}'
    ORDER BY r.version LIMIT 1) r ON true
CROSS JOIN LATERAL (SELECT {LOST_REVISIONS} AS is_lost) before"""
