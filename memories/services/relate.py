"""Ties between memories: tie, untie, and follow them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from memories.changes import ALIVE, rows
from memories.errors import MemoriesError, MemoryNotFound, ValidationFailed
from memories.services.owners import names_of
from memories.services.results import (
    MEMORY_COLUMN_COUNT,
    MEMORY_COLUMNS,
    Memory,
    memory_of,
    raw,
    within,
)

MAX_RELATED = 1000


@dataclass(frozen=True, slots=True)
class Tie:
    """What tells a relationship from every other. It leads from the source to the target."""

    source_id: str
    target_id: str
    relationship_type: str


@dataclass(frozen=True, slots=True)
class NewTie:
    """`metadata_json` is the JSON text of an object; `strength` is from 0 to 1."""

    tie: Tie
    at: datetime
    strength: float = 1.0
    metadata_json: str = "{}"


class RelationshipSeen(msgspec.Struct, frozen=True):
    source_id: str
    target_id: str
    relationship_type: str
    strength: float
    metadata: msgspec.Raw
    created_at: datetime


class Removed(msgspec.Struct, frozen=True):
    """`removed` is False where there was nothing to remove."""

    removed: bool


class RelatedMemory(Memory, frozen=True, kw_only=True):
    """`depth`: how many ties away; type and strength are those of the last of them."""

    relationship_type: str
    strength: float
    depth: int


class Related(msgspec.Struct, frozen=True):
    memories: list[RelatedMemory]
    has_more: bool


def relate_memories(new: Sequence[NewTie]) -> list[RelationshipSeen | MemoriesError]:
    """Tie them; what is tied already gets the new strength and metadata. No tie may occur twice."""
    owners = _owners_of_alive(one.tie for one in new)
    refused = {one.tie: _refusal(one.tie, owners) for one in new}
    stored = _upsert([one for one in new if refused[one.tie] is None], owners)
    return [refused[one.tie] or stored[one.tie] for one in new]


def unrelate_memories(ties: Sequence[Tie]) -> list[Removed | MemoriesError]:
    """Untie them. No tie may occur twice."""
    owners = _owners_of_alive(ties)
    refused = {tie: _refusal(tie, owners) for tie in ties}
    gone = _delete([tie for tie in ties if refused[tie] is None], owners)
    return [refused[tie] or Removed(tie in gone) for tie in ties]


def find_related(
    memory_id: str, relationship_type: str | None, depth: int, max_bytes: int = 15 << 20
) -> Related:
    """The live memories that ties lead to from this one, each once: the nearest first, among those
    the strongest tie first. Ties are followed from source to target, through live memories alone.

    Raises MemoryNotFound.
    """
    name = names_of([memory_id]).get(memory_id)
    if name is None or memory_id not in _alive([(name.owner_id, name.id)]):
        raise MemoryNotFound(memory_id=memory_id)
    found = rows(
        _WALK.format(of_type="AND r.relationship_type = %(type)s" if relationship_type else ""),
        {
            "owner": name.owner_id,
            "start": memory_id,
            "type": relationship_type,
            "depth": depth,
            "limit": MAX_RELATED,
            "max_bytes": max_bytes,
        },
    )
    memories = [_related(row) for row in found[:MAX_RELATED]]
    shown = within(memories, max_bytes)
    total = found[0][-1] if found else 0
    return Related(shown, has_more=len(shown) < total)


def _refusal(tie: Tie, owners: dict[str, UUID]) -> MemoriesError | None:
    """`owners`: of those that are alive."""
    for memory_id in (tie.source_id, tie.target_id):
        if memory_id not in owners:
            return MemoryNotFound(memory_id=memory_id)
    if owners[tie.source_id] != owners[tie.target_id]:
        return ValidationFailed(
            "payload.target_id", "The memories belong to two owners; only one owner's are tied."
        )
    return None


def _owners_of_alive(ties: Iterable[Tie]) -> dict[str, UUID]:
    names = names_of({an_id for tie in ties for an_id in (tie.source_id, tie.target_id)})
    return _alive(list(names.values()))


def _alive(names: Sequence[tuple[UUID, str]]) -> dict[str, UUID]:
    return dict(
        rows(
            f"""
            SELECT m.id, m.owner_id FROM unnest(%s::uuid[], %s::text[]) AS named (owner_id, id)
            JOIN memory_entries m ON m.owner_id = named.owner_id AND m.id = named.id
            WHERE {ALIVE}""",
            [[owner_id for owner_id, _ in names], [an_id for _, an_id in names]],
        )
    )


def _upsert(new: Sequence[NewTie], owners: dict[str, UUID]) -> dict[Tie, RelationshipSeen]:
    if not new:
        return {}
    # In the order of the unique index: two batches that meet in another order would deadlock.
    stored = rows(
        """
        INSERT INTO relationships (owner_id, source_id, target_id, relationship_type, strength,
            metadata, created_at)
        SELECT n.* FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::float[],
            %s::jsonb[], %s::timestamptz[]) AS n (owner_id, source_id, target_id, type, strength,
                metadata, at)
        ORDER BY n.owner_id, n.source_id, n.target_id, n.type
        ON CONFLICT (owner_id, source_id, target_id, relationship_type)
        DO UPDATE SET strength = excluded.strength, metadata = excluded.metadata
        RETURNING source_id, target_id, relationship_type, strength, metadata::text, created_at""",
        [
            *_columns([one.tie for one in new], owners),
            [one.strength for one in new],
            [one.metadata_json for one in new],
            [one.at for one in new],
        ],
    )
    return {Tie(*row[:3]): _seen(*row) for row in stored}


def _seen(
    source_id: str, target_id: str, kind: str, strength: float, metadata: str, created_at: datetime
) -> RelationshipSeen:
    return RelationshipSeen(source_id, target_id, kind, strength, raw(metadata), created_at)


def _delete(ties: Sequence[Tie], owners: dict[str, UUID]) -> set[Tie]:
    if not ties:
        return set()
    gone = rows(
        """
        DELETE FROM relationships r USING unnest(%s::uuid[], %s::text[], %s::text[], %s::text[])
            AS n (owner_id, source_id, target_id, type)
        WHERE r.owner_id = n.owner_id AND r.source_id = n.source_id AND r.target_id = n.target_id
          AND r.relationship_type = n.type
        RETURNING r.source_id, r.target_id, r.relationship_type""",
        _columns(ties, owners),
    )
    return {Tie(*row) for row in gone}


def _columns(ties: Sequence[Tie], owners: dict[str, UUID]) -> list[list[Any]]:
    return [
        [owners[tie.source_id] for tie in ties],
        [tie.source_id for tie in ties],
        [tie.target_id for tie in ties],
        [tie.relationship_type for tie in ties],
    ]


# Steps are kept as (id, depth) alone, so that UNION drops what several ways lead to: the work is
# at most the owner's ties a level, however many ways lead through them. The tie that is told of
# each memory is the strongest that comes from the level before.
_WALK = f"""
WITH RECURSIVE steps (id, depth) AS (
    SELECT m.id, 0 FROM memory_entries m WHERE m.owner_id = %(owner)s AND m.id = %(start)s
    UNION
    SELECT r.target_id, s.depth + 1
    FROM steps s JOIN relationships r ON r.owner_id = %(owner)s AND r.source_id = s.id {{of_type}}
        JOIN memory_entries m ON m.owner_id = %(owner)s AND m.id = r.target_id
    WHERE s.depth < %(depth)s AND {ALIVE}),
nearest AS (SELECT id, min(depth) AS depth FROM steps GROUP BY id),
ties AS (
    SELECT DISTINCT ON (n.id) n.id, n.depth, r.relationship_type, r.strength
    FROM nearest n JOIN relationships r ON r.owner_id = %(owner)s AND r.target_id = n.id {{of_type}}
        JOIN nearest b ON b.id = r.source_id AND b.depth = n.depth - 1
    ORDER BY n.id, r.strength DESC, r.relationship_type),
best AS (
    SELECT t.*, count(*) OVER () AS total FROM ties t
    ORDER BY t.depth, t.strength DESC, t.id LIMIT %(limit)s),
sized AS (
    SELECT m.*, b.relationship_type, b.strength, b.depth, b.total,
        sum(m.content_bytes) OVER (ORDER BY b.depth, b.strength DESC, b.id) - m.content_bytes
            AS bytes_ahead
    FROM best b JOIN memory_entries m ON m.owner_id = %(owner)s AND m.id = b.id)
SELECT {MEMORY_COLUMNS}, m.relationship_type, m.strength, m.depth, m.total
FROM sized m WHERE m.bytes_ahead < %(max_bytes)s ORDER BY m.depth, m.strength DESC, m.id"""


def _related(row: tuple[Any, ...]) -> RelatedMemory:
    kind, strength, depth, _ = row[MEMORY_COLUMN_COUNT:]
    memory = msgspec.structs.asdict(memory_of(row))
    return RelatedMemory(**memory, relationship_type=kind, strength=strength, depth=depth)
